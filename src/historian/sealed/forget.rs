//! What goes: readings beyond their time, and the oldest when there is no room.
//!
//! Whole chunks and parts go, each when the last of its readings is due. A file with nothing left is
//! deleted, the pages of the others are given back to the file system in small steps, so that neither
//! commits nor readers wait.

use super::sealer::Sealer;
use super::year::{Dropped, Year};
use super::{path_of, remove, with_log};
use crate::historian::journal::JournalError;
use crate::point::{PointId, UtcMs};

/// The oldest file is shed in steps of at least such a part of what it spans.
const STEPS_MAX: u64 = 64;

/// What was given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::historian) struct Gone {
    /// Chunks and parts.
    pub pieces: u64,
    /// Bytes that are free again.
    pub bytes: u64,
    /// Nothing of before is left but what ends later; none if no one asked for a time.
    pub before: Option<UtcMs>,
}

impl Sealer {
    /// Deletes what ends before the horizon of its point.
    pub(in crate::historian) fn forget(
        &mut self,
        horizon: impl Fn(PointId) -> UtcMs,
    ) -> Result<Gone, JournalError> {
        let done = self.try_forget(horizon);
        self.keep_or_close(done)
    }

    fn try_forget(&mut self, horizon: impl Fn(PointId) -> UtcMs) -> Result<Gone, JournalError> {
        let numbers: Vec<i16> = self.years.iter().flatten().map(|(number, _)| *number).collect();
        let mut gone = Gone::default();
        for number in numbers {
            let (dropped, bytes) = self.drop_before(number, &horizon)?;
            gone.pieces += dropped.pieces;
            gone.bytes += bytes;
        }
        self.metrics.forgotten.inc_by(gone.pieces);
        Ok(gone)
    }

    /// Gives the oldest sealed readings of all points up until at least so many bytes are free again,
    /// or nothing is left.
    pub(in crate::historian) fn shed(&mut self, bytes: u64) -> Result<Gone, JournalError> {
        let done = self.try_shed(bytes);
        self.keep_or_close(done)
    }

    fn try_shed(&mut self, bytes: u64) -> Result<Gone, JournalError> {
        let (mut gone, mut horizon) = (Gone::default(), i64::MIN);
        while gone.bytes < bytes
            && horizon < i64::MAX
            && let Some((number, year)) = self.years.iter().flatten().next()
        {
            let (number, held) = (*number, year.bytes()?.max(1));
            if let Some(span) = year.span()? {
                let length = u64::try_from(span.last.since_ms(span.first)).unwrap_or(0).saturating_add(1);
                let wanted = u128::from(length) * u128::from(bytes - gone.bytes) / u128::from(held);
                let step = u64::try_from(wanted).unwrap_or(length).clamp(length.div_ceil(STEPS_MAX), length);
                horizon = horizon.max(span.first.0).saturating_add_unsigned(step);
            }
            let (dropped, freed) = self.drop_before(number, &|_| UtcMs(horizon))?;
            self.metrics.shed.inc_by(dropped.pieces);
            gone.pieces += dropped.pieces;
            gone.bytes += freed;
            gone.before = Some(UtcMs(horizon));
        }
        self.metrics.shed_bytes.inc_by(gone.bytes);
        Ok(gone)
    }

    /// Gives back the room of the log files, which is needed for moments only.
    pub(in crate::historian) fn empty_logs(&mut self) -> Result<(), JournalError> {
        let done = self.years.iter().flat_map(|years| years.values()).try_for_each(Year::empty_log);
        self.keep_or_close(done)
    }

    /// What a file loses, and the bytes that are free again.
    fn drop_before(
        &mut self,
        number: i16,
        horizon: &impl Fn(PointId) -> UtcMs,
    ) -> Result<(Dropped, u64), JournalError> {
        let step = std::sync::Arc::clone(&self.step);
        let Some(year) = self.years.as_mut().and_then(|years| years.get_mut(&number)) else {
            return Ok((Dropped { pieces: 0, empty: false }, 0));
        };
        let before = year.bytes()?;
        let dropped = year.drop_before(horizon, &*step)?;
        if dropped.empty {
            self.delete(number)?;
            return Ok((dropped, before));
        }
        Ok((dropped, before.saturating_sub(year.bytes()?)))
    }

    fn delete(&mut self, number: i16) -> Result<(), JournalError> {
        if let Some(years) = &mut self.years {
            years.remove(&number);
        }
        self.publish();
        self.sealed.close(number);
        for path in with_log(&path_of(&self.dir, number)) {
            (self.step)()?;
            remove(&path)?;
        }
        Ok(())
    }
}
