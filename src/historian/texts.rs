//! The dictionary of words: a reading carries a number, the word is kept once.

use super::catalogue::Additions;
use crate::point::TextId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Longest word kept. Bytes.
pub const TEXT_BYTES_MAX: usize = 1_024;

/// Most words kept: a state has dozens of words; a point that sends prose is no state, and must
/// not eat the memory.
pub const TEXTS_MAX: usize = 100_000;

/// The dictionary; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Texts(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    by_word: HashMap<Arc<str>, TextId>,
    by_id: HashMap<TextId, Arc<str>>,
    last: u32,
    /// Given out but not yet on disk. The writer saves them before the record that names them.
    pending: Vec<(TextId, Arc<str>)>,
    refused: bool,
}

impl Texts {
    pub(super) fn load(&self, rows: Vec<(TextId, Arc<str>)>) {
        let mut inner = self.lock();
        for (id, word) in rows {
            inner.last = inner.last.max(id.0);
            inner.by_word.insert(Arc::clone(&word), id);
            inner.by_id.insert(id, word);
        }
    }

    /// The number of a word, a new one if it is new; none if it is too long or there are too
    /// many already.
    pub fn id(&self, word: &str) -> Option<TextId> {
        let mut inner = self.lock();
        if let Some(id) = inner.by_word.get(word) {
            return Some(*id);
        }
        if word.len() > TEXT_BYTES_MAX || inner.by_id.len() >= TEXTS_MAX {
            if !std::mem::replace(&mut inner.refused, true) {
                tracing::warn!(
                    bytes = word.len(),
                    words = inner.by_id.len(),
                    "The dictionary refuses a word; its reading is kept as Bad. Further ones are not logged."
                );
            }
            return None;
        }
        inner.last += 1;
        let (id, word): (_, Arc<str>) = (TextId(inner.last), word.into());
        inner.by_word.insert(Arc::clone(&word), id);
        inner.by_id.insert(id, Arc::clone(&word));
        inner.pending.push((id, word));
        Some(id)
    }

    /// The word of a number.
    pub fn word(&self, id: TextId) -> Option<Arc<str>> {
        self.lock().by_id.get(&id).cloned()
    }

    /// Moves what is not yet on disk into the additions of a commit, which is tried until it
    /// succeeds.
    pub(super) fn drain_into(&self, additions: &mut Additions) {
        additions.texts.append(&mut self.lock().pending);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_one_number_and_is_saved_once() {
        let texts = Texts::default();
        texts.load(vec![(TextId(7), "off".into())]);
        assert_eq!(texts.id("off"), Some(TextId(7)));
        assert_eq!(texts.id("on"), Some(TextId(8)));
        assert_eq!(texts.clone().id("on"), Some(TextId(8)));
        assert_eq!(&*texts.word(TextId(8)).unwrap(), "on");
        assert_eq!(texts.word(TextId(9)), None);
        let mut additions = Additions::default();
        texts.drain_into(&mut additions);
        texts.drain_into(&mut additions);
        assert_eq!(additions.texts, [(TextId(8), "on".into())]);
    }

    #[test]
    fn the_dictionary_has_limits() {
        let texts = Texts::default();
        assert!(texts.id(&"x".repeat(TEXT_BYTES_MAX)).is_some());
        assert_eq!(texts.id(&"x".repeat(TEXT_BYTES_MAX + 1)), None);
        for n in 1..TEXTS_MAX {
            assert!(texts.id(&n.to_string()).is_some());
        }
        assert_eq!(texts.id("one more"), None);
        assert!(texts.id("1").is_some());
    }
}
