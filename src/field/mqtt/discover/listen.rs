//! Listens to a broker for a while under an id of its own, and leaves no trace: a clean session,
//! nothing published.

use super::Discovery;
use crate::clock::Clock;
use crate::config;
use crate::field::mqtt::client::{Event, Link, Options};
use crate::net::Backoff;
use std::time::Duration;

/// Why nothing could be heard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListenError {
    /// No connection.
    #[error("no connection to {broker}: {reason}")]
    Lost {
        /// Host and port.
        broker: String,
        /// Why.
        reason: String,
    },
    /// The broker does not serve the filter.
    #[error("the broker refuses the subscription to {0:?}: see its access rules")]
    Refused(String),
}

/// Listens to what fits `filter` until `time` is over; `heard` is called after each message with the
/// milliseconds since the beginning.
///
/// # Errors
/// The first connection fails, or the subscription is refused. A connection that is lost later ends
/// the listening; what was heard counts.
pub async fn listen(
    broker: &config::Broker,
    client_id: &str,
    filter: &str,
    time: Duration,
    clock: &Clock,
    mut heard: impl FnMut(u64),
) -> Result<Discovery, ListenError> {
    let options = Options {
        host: broker.host.clone(),
        port: broker.port,
        client_id: client_id.to_owned(),
        login: broker.login.clone(),
        tls: broker.tls.clone(),
        will: None,
        clean_session: true,
        keep_alive: Duration::from_secs(30),
    };
    let mut link = Link::new(&options, Backoff::new(Duration::from_secs(1), Duration::from_secs(1), 0));
    let requests = link.requests();
    let mut discovery = Discovery::default();
    let begin = clock.mono();
    let end = begin.plus_ms(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    loop {
        let event = tokio::select! {
            () = clock.sleep_until(end) => break,
            event = link.next() => event,
        };
        match event {
            Event::Connected { .. } => {
                let _room = requests.subscribe(&[filter.to_owned()]);
            }
            Event::Subscribed(granted) if granted.contains(&false) => {
                return Err(ListenError::Refused(filter.to_owned()));
            }
            Event::Message(message) => {
                discovery.take(&message.topic, &message.payload, message.retain, clock.utc());
                heard(clock.mono().since_ms(begin));
                if let Some(packet) = message.packet {
                    // One that finds no room comes again, and is heard once more.
                    let _room = requests.acknowledge(packet);
                }
            }
            Event::Lost(reason) if discovery.messages() == 0 => {
                return Err(ListenError::Lost { broker: format!("{}:{}", broker.host, broker.port), reason });
            }
            Event::Lost(_) | Event::Left => break,
            Event::Subscribed(_) | Event::Progress => {}
        }
    }
    // The farewell: without it the broker logs a failure.
    if requests.leave() {
        let _left = tokio::time::timeout(Duration::from_secs(1), async {
            while !matches!(link.next().await, Event::Left | Event::Lost(_)) {}
        })
        .await;
    }
    Ok(discovery)
}
