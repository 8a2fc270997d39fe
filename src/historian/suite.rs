//! What every journal must do, whatever it is made of: checked against a list of records.

use super::journal::{Journal, JournalError, JournalReader, Record, Seq, Span};
use crate::point::UtcMs;
use proptest::prelude::*;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// A kind of journal: how it is opened in a folder of its own.
pub(super) struct Kind {
    pub write: fn(&Path) -> Result<Box<dyn Journal>, JournalError>,
    pub read: fn(&Path) -> Result<Box<dyn JournalReader>, JournalError>,
}

pub(super) fn record(seq: u64, first: i64, last: i64, len: usize) -> Record {
    // No two bodies alike, and none of them zeros.
    let body = (0..len).map(|at| u8::try_from((at as u64 * 7 + seq * 31) % 255).unwrap() | 1).collect();
    Record { last: Seq(seq), span: Span { first: UtcMs(first), last: UtcMs(last) }, body }
}

pub(super) fn all(journal: &dyn JournalReader) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    while let page = journal.after(records.last().map_or(Seq(0), |record| record.last)).unwrap()
        && !page.is_empty()
    {
        records.extend(page);
    }
    records
}

fn within(journal: &dyn JournalReader, span: Span) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    while let page = journal.within(span, records.last().map_or(Seq(0), |record| record.last)).unwrap()
        && !page.is_empty()
    {
        records.extend(page);
    }
    records.sort_by_key(|record| record.last);
    records
}

#[derive(Clone, Debug)]
enum Act {
    Append { step: u64, first: i64, long: i64, len: usize },
    Conflict { back: u64 },
    Trim { share: u64 },
    Reopen,
    Tidy,
}

fn any_act() -> impl Strategy<Value = Act> {
    let len = prop_oneof![8 => 0_usize..300, 1 => 0_usize..3_000_000];
    prop_oneof![
        8 => (1_u64..4, 0_i64..100, 0_i64..30, len)
            .prop_map(|(step, first, long, len)| Act::Append { step, first, long, len }),
        1 => (0_u64..3).prop_map(|back| Act::Conflict { back }),
        2 => (0_u64..=100).prop_map(|share| Act::Trim { share }),
        1 => Just(Act::Reopen),
        2 => Just(Act::Tidy),
    ]
}

/// Whatever is done to it, it holds what a list would hold.
pub(super) fn behaves_like_a_list(kind: &Kind) {
    let config = ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() };
    let acts = (prop::collection::vec(any_act(), 0..80), -5_i64..110, 0_i64..40);
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let run = |(acts, from, long)| run(kind, acts, Span { first: UtcMs(from), last: UtcMs(from + long) });
    runner.run(&acts, run).unwrap();
}

fn run(kind: &Kind, acts: Vec<Act>, span: Span) -> Result<(), TestCaseError> {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = (kind.write)(dir.path()).unwrap();
    let mut list: Vec<Record> = Vec::new();
    for act in acts {
        let last = list.last().map_or(0, |record| record.last.0);
        match act {
            Act::Append { step, first, long, len } => {
                list.push(record(last + step, first, first + long, len));
                journal.append(&list[list.len() - 1]).unwrap();
            }
            Act::Conflict { back } => {
                let taken = last.saturating_sub(back).max(1);
                if taken <= last {
                    let refused = journal.append(&record(taken, 0, 0, 1));
                    prop_assert!(matches!(refused, Err(JournalError::Conflict(Seq(seq))) if seq == taken));
                    drop(journal);
                    journal = (kind.write)(dir.path()).unwrap();
                }
            }
            Act::Trim { share } => {
                let up_to = Seq(last * share / 100);
                while !journal.trim(up_to).unwrap() {}
                let left = all(&*journal);
                // The end of the list, and all of it that is not given back.
                prop_assert!(list.ends_with(&left));
                prop_assert!(list.iter().filter(|r| r.last > up_to).count() <= left.len());
                prop_assert_eq!(left.is_empty(), list.is_empty());
                list = left;
            }
            Act::Reopen => {
                drop(journal);
                journal = (kind.write)(dir.path()).unwrap();
            }
            Act::Tidy => journal.tidy().unwrap(),
        }
        prop_assert_eq!(journal.last().unwrap(), list.last().map_or(Seq(0), |record| record.last));
    }
    let reader = (kind.read)(dir.path()).unwrap();
    let touching: Vec<Record> =
        list.iter().filter(|r| r.span.first <= span.last && span.first <= r.span.last).cloned().collect();
    for journal in [&*journal as &dyn JournalReader, &*reader] {
        prop_assert!(all(journal) == list);
        prop_assert!(within(journal, span) == touching);
        prop_assert_eq!(journal.last().unwrap(), list.last().map_or(Seq(0), |record| record.last));
    }
    Ok(())
}

/// A reader beside the writer sees a beginning of the log at any moment, and never less of it.
pub(super) fn readers_see_a_consistent_prefix(kind: &Kind) {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = (kind.write)(dir.path()).unwrap();
    let written = AtomicBool::new(false);
    let read = || {
        let reader = (kind.read)(dir.path()).unwrap();
        let mut seen: Vec<Record> = Vec::new();
        loop {
            let done = written.load(Ordering::Acquire);
            let page = reader.after(seen.last().map_or(Seq(0), |record| record.last)).unwrap();
            let end = done && page.is_empty();
            for found in page {
                let seq = seen.len() as u64 + 1;
                assert!(found == record(seq, 0, 9, 40_000), "{seq}");
                seen.push(found);
            }
            if end {
                return seen.len();
            }
        }
    };
    std::thread::scope(|scope| {
        let readers = [scope.spawn(read), scope.spawn(read)];
        for seq in 1..=600 {
            journal.append(&record(seq, 0, 9, 40_000)).unwrap();
            journal.tidy().unwrap();
        }
        written.store(true, Ordering::Release);
        assert_eq!(readers.map(|reader| reader.join().unwrap()), [600, 600]);
    });
}

/// A reader that pages through while records are given back sees what is left, in order.
pub(super) fn readers_survive_a_trim(kind: &Kind) {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = (kind.write)(dir.path()).unwrap();
    for seq in 1..=1_000 {
        journal.append(&record(seq, 0, 9, 40_000)).unwrap();
    }
    let reader = (kind.read)(dir.path()).unwrap();
    let mut at = reader.after(Seq(0)).unwrap().last().unwrap().last;
    for up_to in (100..=1_000).step_by(100) {
        while !journal.trim(Seq(up_to)).unwrap() {}
        for found in reader.after(at).unwrap() {
            assert!(found.last > at && found == record(found.last.0, 0, 9, 40_000));
            at = found.last;
        }
        let left = all(&*reader);
        assert_eq!(left.last().map(|found| found.last), Some(Seq(1_000)));
        assert!(left.windows(2).all(|pair| pair[0].last.0 + 1 == pair[1].last.0));
        assert!(left[0].last.0 <= up_to + 1);
    }
}
