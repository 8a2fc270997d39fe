//! Encodes the changes of a selection once for all who watch it.
//!
//! Ticks are multiples of the interval on the process's clock, so that connections with the same
//! selection and interval ask in step: the first encodes, the others copy bytes. Whoever is out
//! of step encodes for itself; the cache is never wrong, only missed.

use super::protocol::{World, encode_changes};
use crate::point::PointId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Points watched at an interval.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) ids: Box<[PointId]>,
    pub(super) min_ms: u32,
    last: Mutex<Option<Encoded>>,
    /// How often changes were encoded.
    #[cfg(test)]
    made: std::sync::atomic::AtomicUsize,
}

/// The changes of one step. `tail` is the message without its head, which names the subscription;
/// none if nothing changed.
#[derive(Clone, Debug)]
pub(super) struct Encoded {
    since: u64,
    tick: u64,
    pub(super) until: u64,
    pub(super) tail: Option<Arc<str>>,
}

impl Feed {
    /// The tick a moment lies in.
    pub(super) fn tick(&self, mono_ms: u64) -> u64 {
        mono_ms / u64::from(self.min_ms.max(1))
    }

    /// What changed after version `since`, as far as tick `tick` knows.
    pub(super) fn changes(&self, since: u64, world: &World<'_>) -> Encoded {
        let tick = self.tick(world.now.mono.0);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some(held) if held.since == since && held.tick == tick => held.clone(),
            _ => {
                let mut changed = Vec::new();
                let until = world.current.changed(&self.ids, since, &mut changed);
                let tail = (!changed.is_empty()).then(|| encode_changes(&changed, world).into());
                #[cfg(test)]
                self.made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let made = Encoded { since, tick, until, tail };
                *last = Some(made.clone());
                made
            }
        }
    }
}

type Key = (u32, Box<[PointId]>);

/// All feeds somebody watches.
#[derive(Debug, Default)]
pub(super) struct Feeds(Mutex<HashMap<Key, Weak<Feed>>>);

impl Feeds {
    /// The feed of a selection, shared with whoever watches the same.
    pub(super) fn open(&self, ids: Vec<PointId>, min_ms: u32) -> Arc<Feed> {
        let mut feeds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        feeds.retain(|_, feed| feed.strong_count() > 0);
        let key = (min_ms, ids.into_boxed_slice());
        if let Some(feed) = feeds.get(&key).and_then(Weak::upgrade) {
            return feed;
        }
        let feed = Arc::new(Feed {
            ids: key.1.clone(),
            min_ms,
            last: Mutex::new(None),
            #[cfg(test)]
            made: std::sync::atomic::AtomicUsize::new(0),
        });
        feeds.insert(key, Arc::downgrade(&feed));
        feed
    }

    /// Feeds somebody watches.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        let feeds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        feeds.values().filter(|feed| feed.strong_count() > 0).count()
    }

    /// How often the changes of feeds that are watched were encoded.
    #[cfg(test)]
    pub(super) fn encodings(&self) -> usize {
        let feeds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let made = |feed: Arc<Feed>| feed.made.load(std::sync::atomic::Ordering::Relaxed);
        feeds.values().filter_map(Weak::upgrade).map(made).sum()
    }
}
