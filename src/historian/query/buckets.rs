//! What each window of a point's history comes to: least and most, means, sum, increase, quality.
//!
//! The rows of a merged stream go in, in its order; those before the first window say what held
//! and what a counter showed when it began. A window cannot hide a reading: whatever is drawn of
//! a bucket from least to most touches its shortest spike.
//!
//! **The increase of a window** is that from each value to the next whose later one lies in it, so
//! that the increases of windows add up to that of the whole. Where the clock stepped back, rows
//! of two epochs lie between each other; what an earlier epoch still says at a time the later one
//! has reached is counted, but no rise is seen from or to it: it would look like a thousand resets.
//!
//! **Time** is reckoned apart from readings: a value holds until the next reading, bad ones
//! included, and for `ms` at the longest, so that a gap is a gap.

use super::merge::{Content, Merge, Piece, Whole};
use super::windows::{Window, Windows};
use super::{QueryError, Row};
use crate::historian::summary::{Sum, Summary};
use crate::point::{Quality, Severity, UtcMs, Value};

/// Whose values count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Good and uncertain ones.
    #[default]
    Usable,
    /// Good ones only; an uncertain reading is counted as a reading and has no value.
    Good,
}

/// How long a reading speaks for the time behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Until the next reading, but so many milliseconds at the longest: after that the point
    /// counts as stale.
    pub ms: i64,
    /// And not beyond this instant: now, where a window is not over.
    pub until: UtcMs,
}

/// How readings are reckoned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reckoning {
    /// Whose values count.
    pub trust: Trust,
    /// None if no figures of time are wanted: then sources may be taken whole.
    pub hold: Option<Hold>,
}

/// What a window comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// The window.
    pub window: Window,
    /// Its readings. The increase counts from the last value before the window.
    pub summary: Summary,
    /// Its time, if that was asked for.
    pub time: Option<Time>,
}

/// What the time of a window comes to. Milliseconds; what is left of the window is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Time {
    /// In which a good reading held.
    pub good_ms: i64,
    /// In which an uncertain reading held.
    pub uncertain_ms: i64,
    /// In which a bad reading held.
    pub bad_ms: i64,
    /// In which a number that counts held.
    pub number_ms: i64,
    /// The sum of the numbers, each as many times as it held milliseconds.
    pub integral: Sum,
}

impl Time {
    /// The mean of the numbers, each with the weight of the time it held.
    #[expect(clippy::cast_precision_loss, reason = "2^53 ms are 285,000 years")]
    pub fn mean(&self) -> Option<f64> {
        (self.number_ms > 0).then(|| self.integral.to_f64() / self.number_ms as f64)
    }

    fn add(&mut self, held: &Row, trust: Trust, ms: i64) {
        match held.quality.severity() {
            Severity::Good => self.good_ms += ms,
            Severity::Uncertain => self.uncertain_ms += ms,
            Severity::Bad => self.bad_ms += ms,
        }
        match held.value {
            None | Some(Value::Text(_)) => {}
            Some(_) if !counts(trust, held.quality) => {}
            Some(number) => {
                self.number_ms += ms;
                self.integral.add_times(number, ms);
            }
        }
    }
}

impl Bucket {
    fn of(window: Window, reckoning: &Reckoning) -> Bucket {
        Bucket { window, summary: Summary::default(), time: reckoning.hold.map(|_| Time::default()) }
    }

    /// Empties it for the next window, but for the value that a rise there counts from.
    fn begin(&mut self, window: Window) {
        self.window = window;
        self.summary = Summary { last: self.summary.last, ..Summary::default() };
        self.time = self.time.map(|_| Time::default());
    }

    /// The readings in it, with and without a value; a window without any is a gap.
    pub fn readings(&self) -> u64 {
        self.summary.good + self.summary.uncertain + self.summary.bad
    }

    /// The worst there is among its readings.
    pub fn worst(&self) -> Option<Severity> {
        let Summary { good, uncertain, bad, .. } = self.summary;
        let found = [(bad, Severity::Bad), (uncertain, Severity::Uncertain), (good, Severity::Good)];
        found.into_iter().find(|(count, _)| *count > 0).map(|(_, severity)| severity)
    }
}

/// Gives `each` the buckets of these windows, one after the other. The stream should begin early
/// enough to hold the last reading and the last value before the first window.
pub fn buckets(
    stream: &mut Merge<'_>,
    windows: Windows,
    reckoning: Reckoning,
    mut each: impl FnMut(&Bucket),
) -> Result<(), QueryError> {
    let mut buckets = Buckets::new(windows, reckoning);
    while let Some(piece) = stream.piece_or_whole(|epoch, whole| buckets.takes(epoch, whole))? {
        buckets.add(piece, &mut each);
    }
    buckets.finish(each);
    Ok(())
}

/// Fills buckets with the pieces of a stream.
#[derive(Debug)]
pub struct Buckets {
    windows: Windows,
    reckoning: Reckoning,
    /// The bucket being filled; none behind the last window. Its `last` is what the next rise
    /// counts from, even from before it.
    open: Option<Bucket>,
    /// The last value in the open bucket, if it is one that a later epoch has overtaken.
    overtaken: Option<(UtcMs, Value)>,
    epoch: u32,
    held: Option<Held>,
}

/// The reading that holds.
#[derive(Clone, Copy, Debug)]
struct Held {
    /// Reckoned up to here.
    since: i64,
    until: i64,
    row: Row,
}

impl Buckets {
    /// Empty ones.
    pub fn new(mut windows: Windows, reckoning: Reckoning) -> Buckets {
        let open = windows.next().map(|window| Bucket::of(window, &reckoning));
        Buckets { windows, reckoning, open, overtaken: None, epoch: 0, held: None }
    }

    /// Whether a source, the next in the stream, can be added whole: it lies inside one window,
    /// only values that count are in it, and no figures of time are wanted.
    pub fn takes(&self, epoch: u32, whole: &Whole) -> bool {
        let trusted = self.reckoning.trust == Trust::Usable || whole.summary.uncertain == 0;
        if !trusted || epoch < self.epoch || self.reckoning.hold.is_some() {
            return false;
        }
        let open = self.open.iter().map(|bucket| bucket.window);
        let window = open.chain(self.windows.clone()).find(|window| whole.span.first < window.to);
        window.is_some_and(|window| window.from <= whole.span.first && whole.span.last < window.to)
    }

    /// Adds the next piece of the stream; `each` gets the buckets it completes.
    pub fn add(&mut self, piece: Piece<'_>, mut each: impl FnMut(&Bucket)) {
        let overtaken = piece.epoch < self.epoch;
        self.epoch = self.epoch.max(piece.epoch);
        match piece.content {
            Content::Rows(rows) => self.add_rows(rows, overtaken, each),
            Content::Whole(whole) => {
                self.close_until(whole.span.first, &mut each);
                if let Some(bucket) = &mut self.open {
                    bucket.summary.merge(&whole.summary);
                    self.overtaken = self.overtaken.filter(|_| whole.summary.last.is_none());
                }
            }
        }
    }

    /// Gives `each` the buckets that are left.
    pub fn finish(mut self, mut each: impl FnMut(&Bucket)) {
        while self.open.is_some() {
            self.close(&mut each);
        }
    }

    fn add_rows(&mut self, mut rows: &[Row], overtaken: bool, mut each: impl FnMut(&Bucket)) {
        while let Some(first) = rows.first() {
            self.close_until(first.at, &mut each);
            let Some(Bucket { window, .. }) = self.open else { return };
            let border = if first.at < window.from { window.from } else { window.to };
            let (run, rest) = rows.split_at(reach(rows, |row| row.at < border));
            if first.at < window.from {
                self.add_before(run, overtaken);
            } else if overtaken {
                self.add_overtaken(run);
            } else {
                self.add_inside(run);
            }
            self.hold(run);
            rows = rest;
        }
    }

    /// Rows before the first window: only what a rise is counted from.
    fn add_before(&mut self, rows: &[Row], overtaken: bool) {
        let trust = self.reckoning.trust;
        let Some(bucket) = self.open.as_mut().filter(|_| !overtaken) else { return };
        let last = rows.iter().rev().find_map(|row| Some((row.at, counted(trust, row)?)));
        bucket.summary.last = last.or(bucket.summary.last);
    }

    /// Rows in the open window of the latest epoch so far.
    fn add_inside(&mut self, rows: &[Row]) {
        let Some(Bucket { summary, .. }) = &mut self.open else { return };
        let before = summary.count;
        summary.add_rows(rows, self.reckoning.trust == Trust::Usable);
        if summary.count > before {
            self.overtaken = None;
        }
    }

    /// Rows in the open window of an epoch that a later one has overtaken.
    fn add_overtaken(&mut self, rows: &[Row]) {
        let Some(Bucket { summary, .. }) = &mut self.open else { return };
        for row in rows {
            let value = counted(self.reckoning.trust, row);
            let base = summary.last.take();
            summary.add(row.at, value, row.quality);
            let own = std::mem::replace(&mut summary.last, base);
            self.overtaken = own.or(self.overtaken);
        }
    }

    fn hold(&mut self, rows: &[Row]) {
        let Some(hold) = self.reckoning.hold else { return };
        for row in rows {
            self.reckon(row.at.0);
            let until = row.at.plus_ms(hold.ms).min(hold.until).0;
            self.held = Some(Held { since: row.at.0, until, row: *row });
        }
    }

    /// Adds the time up to `at`, which is not behind the open window, to what holds.
    fn reckon(&mut self, at: i64) {
        let Some(Bucket { window, time: Some(time), .. }) = &mut self.open else { return };
        let Some(held) = &mut self.held else { return };
        let ms = at.min(held.until).saturating_sub(held.since.max(window.from.0));
        if ms > 0 {
            time.add(&held.row, self.reckoning.trust, ms);
        }
        held.since = held.since.max(at);
    }

    #[inline]
    fn close_until(&mut self, at: UtcMs, mut each: impl FnMut(&Bucket)) {
        while self.open.as_ref().is_some_and(|bucket| bucket.window.to <= at) {
            self.close(&mut each);
        }
    }

    /// Closes the open bucket and opens the next, which counts on from it.
    fn close(&mut self, mut each: impl FnMut(&Bucket)) {
        let Some(end) = self.open.as_ref().map(|bucket| bucket.window.to) else { return };
        self.reckon(end.0);
        let Some(bucket) = &mut self.open else { return };
        // Almost always what the next rise counts from is the last value in the bucket: it stays.
        let base = match self.overtaken.take() {
            None if bucket.summary.count > 0 => None,
            own => Some(std::mem::replace(&mut bucket.summary.last, own)),
        };
        each(bucket);
        if let Some(base) = base {
            bucket.summary.last = base;
        }
        match self.windows.next() {
            Some(window) => bucket.begin(window),
            None => self.open = None,
        }
    }
}

/// How many rows from the first one on are in reach: each is if the one behind it is. Quick where
/// they are few, as four in an hour, and where they are a whole piece.
fn reach(rows: &[Row], within: impl Fn(&Row) -> bool) -> usize {
    let mut step = 1;
    while rows.get(step).is_some_and(&within) {
        step *= 2;
    }
    let known = step / 2;
    let open = rows.get(known..step.min(rows.len())).unwrap_or_default();
    known + open.partition_point(within)
}

/// The value of a row, if it counts.
#[inline]
fn counted(trust: Trust, row: &Row) -> Option<Value> {
    row.value.filter(|_| counts(trust, row.quality))
}

/// Whether a value of this quality counts.
pub(super) fn counts(trust: Trust, quality: Quality) -> bool {
    trust == Trust::Usable || quality == Quality::Good
}

#[cfg(test)]
mod tests {
    use super::super::model::*;
    use super::super::{Cut, InMemory};
    use super::*;
    use crate::point::Decimal;
    use proptest::prelude::*;

    #[test]
    fn the_rows_in_reach_are_found_however_many_there_are() {
        let rows: Vec<Row> = (0..70).map(|at| good(at, 0)).collect();
        for border in 1..=70 {
            let found = reach(&rows, |row| row.at.0 < i64::try_from(border).unwrap());
            assert_eq!(found, border);
        }
    }

    const NEVER: UtcMs = UtcMs(i64::MAX);

    fn even(width_ms: i64, from: i64, to: i64) -> Windows {
        Windows::new(&Cut::Even { width_ms, origin: UtcMs(0) }, UtcMs(from), UtcMs(to), 1_000).unwrap()
    }

    fn run(stream: &mut Merge<'_>, windows: Windows, reckoning: Reckoning) -> Vec<Bucket> {
        let mut all = Vec::new();
        buckets(stream, windows, reckoning, |bucket| all.push(*bucket)).unwrap();
        all
    }

    fn of_rows(rows: Vec<Row>, windows: Windows, reckoning: Reckoning) -> Vec<Bucket> {
        run(&mut Merge::new(vec![InMemory::source(0, rows)], everything()), windows, reckoning)
    }

    fn held(ms: i64) -> Reckoning {
        Reckoning { hold: Some(Hold { ms, until: NEVER }), ..Reckoning::default() }
    }

    fn times(buckets: &[Bucket]) -> Vec<(i64, i64, i64, Option<f64>)> {
        let time = |bucket: &Bucket| bucket.time.map(|t| (t.good_ms, t.uncertain_ms, t.bad_ms, t.mean()));
        buckets.iter().filter_map(time).collect()
    }

    fn increases(buckets: &[Bucket]) -> Vec<i64> {
        buckets.iter().map(|bucket| hundreds(&bucket.summary.increase)).collect()
    }

    fn float(small: i64) -> f64 {
        f64::from(i32::try_from(small).unwrap())
    }

    fn hundreds(sum: &Sum) -> i64 {
        in_hundredths(sum.to_f64())
    }

    #[test]
    fn a_value_holds_across_windows_until_the_next_reading_or_its_age() {
        // 10.0 from 5, bad from 25, 30.0 from 32 for 20 ms.
        let rows = vec![good(5, 100), bad(25), good(32, 300)];
        let found = of_rows(rows, even(10, 0, 60), held(20));
        let expected = [
            (5, 0, 0, Some(10.0)),
            (10, 0, 0, Some(10.0)),
            (5, 0, 5, Some(10.0)),
            (8, 0, 2, Some(30.0)),
            (10, 0, 0, Some(30.0)),
            (2, 0, 0, Some(30.0)),
        ];
        assert_eq!(times(&found), expected);
    }

    #[test]
    fn what_held_before_the_first_window_holds_in_it_and_nothing_holds_beyond_now() {
        let reckoning = Reckoning { hold: Some(Hold { ms: 100, until: UtcMs(36) }), ..held(0) };
        let found = of_rows(vec![good(2, 70), uncertain(25, 90)], even(10, 20, 50), reckoning);
        assert_eq!(times(&found), [(5, 5, 0, Some(8.0)), (0, 6, 0, Some(9.0)), (0, 0, 0, None)]);
        assert_eq!(found[0].summary.count, 1);
        assert_eq!((found[1].summary.count, found[1].summary.last, found[1].worst()), (0, None, None));
    }

    #[test]
    fn good_only_takes_an_uncertain_reading_for_one_without_a_value() {
        let reckoning = Reckoning { trust: Trust::Good, ..held(100) };
        let found = of_rows(vec![good(0, 100), uncertain(4, 900), good(8, 200)], even(10, 0, 10), reckoning);
        assert_eq!(times(&found), [(6, 4, 0, Some((4.0 * 10.0 + 2.0 * 20.0) / 6.0))]);
        let summary = found[0].summary;
        assert_eq!((summary.count, summary.good, summary.uncertain, summary.mean()), (2, 2, 1, Some(15.0)));
        assert_eq!(found[0].worst(), Some(Severity::Uncertain));
    }

    #[test]
    fn the_rise_between_two_windows_lies_in_the_later_one() {
        // 10, 25 | nothing | 30, bad | reset to 4, 6
        let rows = vec![good(1, 100), good(9, 250), good(21, 300), bad(22), good(31, 40), good(32, 60)];
        let found = of_rows(rows.clone(), even(10, 0, 40), Reckoning::default());
        assert_eq!(increases(&found), [1_500, 0, 500, 600]);
        // What lies before the windows counts for the first rise in them.
        assert_eq!(increases(&of_rows(rows, even(10, 10, 40), Reckoning::default())), [0, 500, 600]);
    }

    /// The clock goes back by 40 at 100: the counter goes on, the instants come again.
    #[test]
    fn a_clock_set_back_is_no_meter_that_began_anew() {
        let before = InMemory::source(0, (0..10).map(|n| good(n * 10, 1_000 + n * 10)).collect());
        let again =
            (10..20).map(|n| Row { seq: crate::historian::Seq(2), ..good(n * 10 - 45, 1_000 + n * 10) });
        let sources = vec![before, InMemory::source(1, again.collect())];
        let found = run(&mut Merge::new(sources, everything()), even(50, 0, 150), held(1_000));
        assert_eq!(increases(&found).iter().sum::<i64>(), 1_900);
        assert_eq!(found.iter().map(|bucket| bucket.summary.count).sum::<u64>(), 20);
        // The last one in a window is the last by time, of whichever epoch.
        assert_eq!(found[1].summary.last.map(|(at, _)| at), Some(UtcMs(95)));
        let last = of_rows(vec![good(0, 1)], even(10, 0, 10), held(10))[0].summary.last;
        assert_eq!(last, Some((UtcMs(0), Value::Decimal(Decimal::new(1, -1).unwrap()))));
    }

    #[test]
    fn a_spike_of_a_second_shows_in_a_column_of_a_day() {
        let spike = |at: i64| if at == 15_000_000 { 990 } else { 200 };
        let rows = (0..31_536).map(|n| good(n * 1_000, spike(n * 1_000))).collect();
        let columns = Windows::new(&Cut::Columns(7), UtcMs(0), UtcMs(40_000_000), 7).unwrap();
        let found = of_rows(rows, columns, Reckoning::default());
        let most: Vec<_> = found.iter().map(|b| b.summary.max.map(|(_, v)| hundredths(v).unwrap())).collect();
        assert_eq!(
            most,
            [Some(2_000), Some(2_000), Some(9_900), Some(2_000), Some(2_000), Some(2_000), None]
        );
        assert_eq!(found[2].summary.max.map(|(at, _)| at), Some(UtcMs(15_000_000)));
    }

    /// The plain way: every figure of a window from all rows, time millisecond by millisecond.
    fn check(bucket: &Bucket, rows: &[(u32, Row)], reckoning: Reckoning) -> Result<(), TestCaseError> {
        let Window { from, to } = bucket.window;
        let inside: Vec<_> = rows.iter().filter(|(_, row)| from <= row.at && row.at < to).collect();
        let of =
            |severity| inside.iter().filter(|(_, row)| row.quality.severity() == severity).count() as u64;
        let summary = &bucket.summary;
        let counted = (summary.good, summary.uncertain, summary.bad);
        prop_assert_eq!(counted, (of(Severity::Good), of(Severity::Uncertain), of(Severity::Bad)));
        let worst = inside.iter().map(|(_, row)| row.quality.severity()).max();
        prop_assert_eq!((bucket.readings(), bucket.worst()), (inside.len() as u64, worst));

        let value = |row: &Row| row.value.filter(|_| counts(reckoning.trust, row.quality));
        let values: Vec<_> = inside.iter().filter_map(|(_, row)| Some((row.at, value(row)?))).collect();
        let numbers: Vec<_> =
            values.iter().filter_map(|(at, value)| Some((*at, hundredths(*value)?))).collect();
        prop_assert_eq!(summary.count, values.len() as u64);
        prop_assert_eq!((summary.first, summary.last), (values.first().copied(), values.last().copied()));
        prop_assert_eq!(hundreds(&summary.sum), numbers.iter().map(|(_, number)| number).sum::<i64>());
        let marks = [
            (summary.min, numbers.iter().map(|n| n.1).min()),
            (summary.max, numbers.iter().map(|n| n.1).max()),
        ];
        for (mark, expected) in marks {
            let mark = mark.map(|(at, value)| (at, hundredths(value).unwrap()));
            prop_assert_eq!(mark.map(|mark| mark.1), expected);
            prop_assert!(mark.is_none_or(|mark| numbers.contains(&mark)));
        }
        prop_assert_eq!(hundreds(&summary.increase), plain_increase(from, to, rows, reckoning.trust));
        match (bucket.time, reckoning.hold) {
            (Some(time), Some(hold)) => check_time(&time, bucket.window, rows, reckoning.trust, hold),
            (time, hold) => {
                prop_assert!(time.is_none() && hold.is_none());
                Ok(())
            }
        }
    }

    fn plain_increase(from: UtcMs, to: UtcMs, rows: &[(u32, Row)], trust: Trust) -> i64 {
        let (mut base, mut newest, mut increase) = (None, 0, 0);
        for (epoch, row) in rows.iter().filter(|(_, row)| row.at < to) {
            newest = newest.max(*epoch);
            let Some(value) = row.value.filter(|_| counts(trust, row.quality) && *epoch == newest) else {
                continue;
            };
            if let (Some(base), Some(next), true) =
                (base.and_then(hundredths), hundredths(value), from <= row.at)
            {
                increase += if next < base { next } else { next - base };
            }
            base = Some(value);
        }
        increase
    }

    fn check_time(
        time: &Time,
        window: Window,
        rows: &[(u32, Row)],
        trust: Trust,
        hold: Hold,
    ) -> Result<(), TestCaseError> {
        let (mut shares, mut number_ms, mut integral) = ([0; 3], 0, 0);
        for ms in window.from.0..window.to.0 {
            let Some((_, row)) = rows.iter().rfind(|(_, row)| row.at.0 <= ms) else { continue };
            if ms >= row.at.0 + hold.ms || ms >= hold.until.0 {
                continue;
            }
            shares[row.quality.severity() as usize] += 1;
            if let Some(number) = row.value.filter(|_| counts(trust, row.quality)).and_then(hundredths) {
                number_ms += 1;
                integral += number;
            }
        }
        prop_assert_eq!([time.good_ms, time.uncertain_ms, time.bad_ms], shares);
        prop_assert_eq!((time.number_ms, hundreds(&time.integral)), (number_ms, integral));
        let mean = (number_ms > 0).then(|| float(integral) / 100.0 / float(number_ms));
        prop_assert!(mean.zip(time.mean()).is_none_or(|(a, b)| (a - b).abs() < 1e-9));
        prop_assert_eq!(mean.is_some(), time.mean().is_some());
        Ok(())
    }

    fn any_reckoning(begin: i64) -> impl Strategy<Value = Reckoning> {
        let hold =
            (0_i64..90, 0_i64..500).prop_map(move |(ms, until)| Hold { ms, until: UtcMs(begin + until) });
        let trust = prop_oneof![Just(Trust::Usable), Just(Trust::Good)];
        (trust, prop::option::of(hold)).prop_map(|(trust, hold)| Reckoning { trust, hold })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

        /// Whatever arrives in which order, however it lies in sources and whichever of them come
        /// whole: each bucket is what a plain loop over all rows says, and the increases add up.
        #[test]
        fn buckets_are_what_plain_loops_say(
            (reckoning, log) in any_log().prop_flat_map(|log| (any_reckoning(log.begin), Just(log))),
            from in 0_i64..300, len in 1_i64..300, width in 1_i64..120, columns: bool,
        ) {
            let (from, to) = (UtcMs(log.begin + from), UtcMs(log.begin + from + len));
            let even = Cut::Even { width_ms: width, origin: UtcMs(log.begin) };
            let cut = if columns { Cut::Columns(u32::try_from(width).unwrap()) } else { even };
            let windows = Windows::new(&cut, from, to, 1_000).unwrap();
            let whole = Windows::one(windows.span());
            let plain = log.plain();

            let found = run(&mut Merge::new(log.sources(), everything()), windows.clone(), reckoning);
            prop_assert_eq!(found.iter().map(|bucket| bucket.window).collect::<Vec<_>>(), windows.collect::<Vec<_>>());
            for bucket in &found {
                check(bucket, &plain, reckoning)?;
            }
            let all = run(&mut Merge::new(log.sources(), everything()), whole, reckoning);
            check(&all[0], &plain, reckoning)?;
            prop_assert_eq!(increases(&found).iter().sum::<i64>(), increases(&all)[0]);
            let least = |buckets: &[Bucket]| buckets.iter().filter_map(|b| hundredths(b.summary.min?.1)).min();
            let most = |buckets: &[Bucket]| buckets.iter().filter_map(|b| hundredths(b.summary.max?.1)).max();
            prop_assert_eq!((least(&found), most(&found)), (least(&all), most(&all)));
        }

        /// However long the pieces are in which the stream comes: the same, bit for bit.
        #[test]
        fn pieces_of_any_length_give_the_same(
            (reckoning, log) in any_log().prop_flat_map(|log| (any_reckoning(log.begin), Just(log))),
            len in 2_usize..40, from in -50_i64..300, width in 1_i64..200,
        ) {
            let cut = Cut::Even { width_ms: width, origin: UtcMs(log.begin) };
            let windows = Windows::new(&cut, UtcMs(log.begin + from), UtcMs(log.begin + 400), 1_000).unwrap();
            let in_pieces = |len: usize| {
                let (mut buckets, mut all) = (Buckets::new(windows.clone(), reckoning), Vec::new());
                for run in log.plain().chunk_by(|a, b| a.0 == b.0) {
                    let rows: Vec<Row> = run.iter().map(|(_, row)| *row).collect();
                    for piece in rows.chunks(len) {
                        buckets.add(Piece { epoch: run[0].0, content: Content::Rows(piece) }, |bucket| all.push(*bucket));
                    }
                }
                buckets.finish(|bucket| all.push(*bucket));
                format!("{all:?}")
            };
            prop_assert_eq!(in_pieces(len), in_pieces(1));
        }

        /// Sealed one after the other, as the store does it: chunks inside a window come whole, and
        /// nobody can tell.
        #[test]
        fn chunks_taken_whole_give_the_same(log in any_log(), cuts in prop::collection::vec(0_usize..100, 0..6), width in 1_i64..500) {
            let rows: Vec<_> = log.plain().into_iter().filter(|(epoch, _)| *epoch == 0).collect();
            let sealed: Vec<_> = rows.iter().map(|(_, row)| *row).collect();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(sealed.len())).chain([0, sealed.len()]).collect();
            cuts.sort_unstable();
            let (mut sources, mut opened) = (Vec::new(), Vec::new());
            for cut in cuts.windows(2) {
                let (source, open) = pieces(0, sealed[cut[0]..cut[1]].to_vec(), log.piece);
                opened.push((source.whole, open));
                sources.push(source);
            }
            let cut = Cut::Even { width_ms: width, origin: UtcMs(log.begin) };
            let windows = Windows::new(&cut, UtcMs(log.begin), UtcMs(log.begin + 400), 1_000).unwrap();
            let found = run(&mut Merge::new(sources, everything()), windows.clone(), Reckoning::default());
            for bucket in &found {
                check(bucket, &rows, Reckoning::default())?;
            }
            for (whole, open) in opened {
                let Some(whole) = whole else { continue };
                let inside = |w: Window| w.from <= whole.span.first && whole.span.last < w.to;
                prop_assert_eq!(open.get(), !windows.clone().any(inside));
            }
        }
    }
}
