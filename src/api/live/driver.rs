//! One live connection on the clock: what is to be sent next, whatever carries it.

use super::protocol::{Refusal, Selection, Session, VERSION, World, encode_heartbeat};
use super::tail::PAGE;
use crate::api::plant::Plant;
use crate::api::state::AppState;
use crate::clock::Mono;
use std::collections::VecDeque;
use tokio::sync::{OwnedSemaphorePermit, watch};

/// Between two heartbeats, in milliseconds: a client that hears nothing for twice as long has
/// lost the link.
const HEARTBEAT_MS: u64 = 5_000;
/// A connection that has not said hello by then is closed. Milliseconds.
const HELLO_WITHIN_MS: u64 = 10_000;
/// After the event log could not be read. Milliseconds.
const RETRY_MS: u64 = 1_000;

/// A message to send.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) text: String,
    /// The number of the event it carries.
    pub(super) event: Option<i64>,
}

/// A connection. Keeps no more than one step's messages; the next step is made when they are
/// taken.
pub(super) struct Driver {
    state: AppState,
    session: Session,
    queue: VecDeque<Outgoing>,
    committed: watch::Receiver<i64>,
    /// The last event handed out.
    event: i64,
    /// Whether the log may hold more.
    events_due: bool,
    events_retry: Option<Mono>,
    heartbeat: Mono,
    hello_until: Mono,
    _place: OwnedSemaphorePermit,
}

impl Driver {
    /// A new connection; none when all places are taken.
    pub(super) fn open(state: AppState) -> Option<Driver> {
        let place = state.live().enter()?;
        let now = state.clock().mono();
        Some(Driver {
            committed: state.live().tail.committed(),
            session: Session::default(),
            queue: VecDeque::new(),
            event: 0,
            events_due: false,
            events_retry: None,
            heartbeat: now.plus_ms(HEARTBEAT_MS),
            hello_until: now.plus_ms(HELLO_WITHIN_MS),
            state,
            _place: place,
        })
    }

    /// Takes a client's message in; what it is answered comes with [`Driver::next`].
    pub(super) fn receive(&mut self, text: &str) {
        let plant = self.state.plant();
        let answer = self.session.receive(text, &world(&self.state, &plant));
        self.extend(answer.messages);
        if let Some(after) = answer.events_after {
            self.follow(after);
        }
    }

    /// Begins without a client that talks: greets, watches `points` if any, and follows the
    /// events after `after`.
    pub(super) fn begin(
        &mut self,
        points: Option<&Selection>,
        min_ms: u32,
        after: Option<i64>,
    ) -> Result<(), Refusal> {
        let plant = self.state.plant();
        let world = world(&self.state, &plant);
        let (mut messages, after) = self.session.hello(VERSION, None, after, &world)?;
        if let Some(points) = points {
            messages.push(self.session.subscribe(1, points, min_ms, &world)?);
        }
        self.extend(messages);
        self.follow(after);
        Ok(())
    }

    /// The next message; none when the connection shall end. Dropped while it waits, nothing is
    /// lost.
    pub(super) async fn next(&mut self) -> Option<Outgoing> {
        loop {
            self.make_due();
            if let Some(message) = self.queue.pop_front() {
                return Some(message);
            }
            let now = self.state.clock().mono();
            if !self.session.is_greeted() && now >= self.hello_until {
                return None;
            }
            if self.events_due && self.events_retry.is_none_or(|retry| now >= retry) {
                self.read_events().await;
                continue;
            }
            let clock = self.state.clock().clone();
            tokio::select! {
                () = clock.sleep_until(self.wake_at()) => {}
                // An error is a closed database: the process goes down.
                moved = self.committed.changed() => { moved.ok()?; self.events_due = self.session.is_greeted(); }
            }
        }
    }

    /// Whether everything made has been handed out.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    fn make_due(&mut self) {
        if !self.queue.is_empty() || !self.session.is_greeted() {
            return;
        }
        let plant = self.state.plant();
        let world = world(&self.state, &plant);
        let mut messages = self.session.tick(&world);
        if world.now.mono >= self.heartbeat {
            self.heartbeat = world.now.mono.plus_ms(HEARTBEAT_MS);
            messages.push(encode_heartbeat(world.now));
        }
        self.extend(messages);
    }

    fn wake_at(&self) -> Mono {
        if !self.session.is_greeted() {
            return self.hello_until;
        }
        let retry = self.events_retry.filter(|_| self.events_due);
        [self.session.due(), retry].into_iter().flatten().fold(self.heartbeat, Mono::min)
    }

    async fn read_events(&mut self) {
        // Seen first: what is committed while we read wakes us again.
        self.committed.borrow_and_update();
        match self.state.live().tail.after(self.event).await {
            Ok(events) => {
                self.events_retry = None;
                self.events_due = events.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
                for event in events {
                    self.event = event.seq;
                    self.queue.push_back(Outgoing { text: event.text.clone(), event: Some(event.seq) });
                }
            }
            Err(error) => {
                tracing::warn!(%error, "The event log cannot be read for a live connection; trying again.");
                self.events_retry = Some(self.state.clock().mono().plus_ms(RETRY_MS));
            }
        }
    }

    fn follow(&mut self, after: i64) {
        self.event = after;
        self.events_due = true;
    }

    fn extend(&mut self, messages: Vec<String>) {
        self.queue.extend(messages.into_iter().map(|text| Outgoing { text, event: None }));
    }
}

fn world<'a>(state: &'a AppState, plant: &'a Plant) -> World<'a> {
    World {
        now: state.clock().now(),
        epoch: state.epoch(),
        build: state.build(),
        last_seq: *state.live().tail.committed().borrow(),
        plant,
        current: state.current(),
        texts: state.texts(),
        feeds: &state.live().feeds,
    }
}
