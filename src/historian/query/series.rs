//! Rows as they are: the raw series, and what held at an instant.

use super::merge::{Content, Merge};
use super::{QueryError, Row};
use crate::point::UtcMs;

/// The first rows of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// By time.
    pub rows: Vec<Row>,
    /// There are more; the next question starts 1 ms behind the last one here.
    pub truncated: bool,
}

/// The first `limit` rows of a stream; an instant that two epochs share is not torn apart.
pub fn series(stream: &mut Merge<'_>, limit: usize) -> Result<Series, QueryError> {
    let (rows, truncated) = first(stream, limit, Row::clone)?;
    Ok(Series { rows, truncated })
}

/// As [`series`], but each row becomes something else on its way; and whether there are more.
pub fn first<T>(
    stream: &mut Merge<'_>,
    limit: usize,
    make: impl Fn(&Row) -> T,
) -> Result<(Vec<T>, bool), QueryError> {
    let (mut made, mut last) = (Vec::new(), None);
    while let Some(piece) = stream.piece()? {
        let Content::Rows(next) = piece.content else { continue };
        let shared = next.iter().take_while(|row| last == Some(row.at)).count();
        let fits = limit.saturating_sub(made.len()).max(shared).min(next.len());
        made.extend(next.iter().take(fits).map(&make));
        if fits < next.len() {
            return Ok((made, true));
        }
        last = next.last().map(|row| row.at).or(last);
    }
    Ok((made, false))
}

/// What was known at an instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AsOf {
    /// The last reading at or before it, bad ones too.
    pub reading: Option<Row>,
    /// The last one with a value.
    pub value: Option<Row>,
}

/// The last rows of a stream at or before `at`.
pub fn as_of(stream: &mut Merge<'_>, at: UtcMs) -> Result<AsOf, QueryError> {
    let mut known = AsOf::default();
    while let Some(piece) = stream.piece()? {
        let Content::Rows(rows) = piece.content else { continue };
        let (until, later) = rows.split_at(rows.partition_point(|row| row.at <= at));
        known.reading = until.last().copied().or(known.reading);
        known.value = until.iter().rfind(|row| row.value.is_some()).copied().or(known.value);
        if !later.is_empty() {
            break;
        }
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::super::InMemory;
    use super::super::model::*;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_known_at_an_instant_is_the_last_word_on_it() {
        let sealed = vec![good(10, 1), good(20, 2), good(40, 4)];
        let late = vec![Row { seq: crate::historian::Seq(9), ..bad(20) }, good(30, 3)];
        let sources = || vec![InMemory::source(0, sealed.clone()), InMemory::source(0, late.clone())];
        let known = |at| as_of(&mut Merge::new(sources(), everything()), UtcMs(at)).unwrap();
        assert_eq!(known(9), AsOf::default());
        assert_eq!(known(10), AsOf { reading: Some(good(10, 1)), value: Some(good(10, 1)) });
        // The reading at 20 was corrected to none: its old value is not known any more.
        assert_eq!(known(29), AsOf { reading: Some(late[0]), value: Some(good(10, 1)) });
        assert_eq!(known(i64::MAX).reading, Some(good(40, 4)));
    }

    proptest! {
        /// Page by page it is the whole stream; no instant is torn apart and no page is empty.
        #[test]
        fn pages_add_up_to_the_stream(log in any_log(), limit in 1_usize..20) {
            let (mut from, mut all) = (i64::MIN, Vec::new());
            loop {
                let page = series(&mut Merge::new(log.sources(), ask(from, i64::MAX)), limit).unwrap();
                all.extend(page.rows.iter().copied());
                if !page.truncated {
                    break;
                }
                prop_assert!(page.rows.len() >= limit);
                from = page.rows[page.rows.len() - 1].at.0 + 1;
            }
            prop_assert_eq!(all, log.plain().into_iter().map(|(_, row)| row).collect::<Vec<_>>());
        }

        #[test]
        fn as_of_is_what_a_plain_search_finds(log in any_log(), at in -10_i64..410) {
            let at = UtcMs(log.begin + at);
            let plain: Vec<_> = log.plain().into_iter().map(|(_, row)| row).filter(|row| row.at <= at).collect();
            let found = as_of(&mut Merge::new(log.sources(), everything()), at).unwrap();
            prop_assert_eq!(found.reading, plain.last().copied());
            prop_assert_eq!(found.value, plain.iter().rfind(|row| row.value.is_some()).copied());
        }
    }
}
