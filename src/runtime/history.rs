//! What the wiring does for the history: how long each point is kept, the ballast of the disk, the word
//! to the alarms that readings were given up.

use crate::clock::Clock;
use crate::config::Plan;
use crate::historian::{Ballast, Retention, Room, Shed};
use crate::point::{Catalogue, Name};
use crate::readings::Feed;
use std::collections::HashMap;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// How often the room on the disk is looked at. Milliseconds.
const LOOK_MS: u64 = 1_000;

/// How long the readings of each point are kept, of those that are no longer configured, too.
pub(super) fn retention(plan: &Plan, catalogue: &Catalogue) -> Retention {
    let classes: HashMap<&Name, &str> =
        plan.assets.iter().map(|asset| (&asset.id, asset.class.as_str())).collect();
    let points = catalogue.entries().map(|entry| {
        let class = classes.get(&entry.address.asset).copied();
        (entry.id, plan.history.keep_ms(class, &entry.address.quantity, entry.unit))
    });
    Retention { default_ms: plan.history.keep_ms, points: points.collect() }
}

/// Looks after the ballast until `stop`.
pub(super) async fn keep_ballast(room: Room, clock: Clock, stop: CancellationToken) {
    let mut refused = false;
    loop {
        let looked = room.clone();
        let found = tokio::task::spawn_blocking(move || looked.look_after()).await;
        match found.unwrap_or_else(|died| Err(std::io::Error::other(died))) {
            Ok(Some(Ballast::GivenUp)) => {
                tracing::error!(
                    "The disk is nearly full: the ballast is given up, so that alarms are still written. Make room."
                );
            }
            Ok(Some(Ballast::Made)) => tracing::info!("Room for plantroom.db is set aside on the disk."),
            Ok(None) => refused = false,
            Err(error) if !std::mem::replace(&mut refused, true) => {
                tracing::warn!(%error, "No room can be set aside for plantroom.db.");
            }
            Err(_) => {}
        }
        tokio::select! {
            () = clock.sleep_until(clock.mono().plus_ms(LOOK_MS)) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Tells the alarms whenever readings were given up, until `stop`.
pub(super) async fn tell_shed(
    mut shed: watch::Receiver<Option<Shed>>,
    alarms: mpsc::Sender<Feed>,
    stop: CancellationToken,
) {
    let telling = async {
        while shed.changed().await.is_ok() {
            let before = shed.borrow_and_update().map(|shed| shed.before);
            if let Some(before) = before
                && alarms.send(Feed::Shed { before }).await.is_err()
            {
                // Gone: its supervisor's business.
                return;
            }
        }
    };
    let _stopped = stop.run_until_cancelled(telling).await;
    stop.cancelled().await;
}
