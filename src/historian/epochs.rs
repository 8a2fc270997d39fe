//! The stretches of the log in which the wall clock was not set back.

use super::journal::Seq;

/// The places behind which it was set back, in order. Stamps repeat behind them, and two readings of
/// one instant on both sides of such a place are two readings, not one and its correction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Epochs(Vec<Seq>);

impl Epochs {
    /// Of these places.
    pub(super) fn new(mut behind: Vec<Seq>) -> Epochs {
        behind.sort_unstable();
        behind.dedup();
        Epochs(behind)
    }

    /// With further ones.
    pub(super) fn with(&self, more: impl IntoIterator<Item = Seq>) -> Epochs {
        Epochs::new(self.0.iter().copied().chain(more).collect())
    }

    /// In which epoch a batch was written, counted from 0.
    pub(super) fn of(&self, seq: Seq) -> u32 {
        u32::try_from(self.0.partition_point(|behind| *behind < seq)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_belongs_to_the_epoch_it_was_written_in() {
        let epochs = Epochs::new(vec![Seq(9), Seq(4)]).with([Seq(9)]);
        let found = [0, 4, 5, 9, 10, u64::MAX].map(|seq| epochs.of(Seq(seq)));
        assert_eq!(found, [0, 0, 1, 1, 2, 2]);
        assert_eq!(Epochs::default().of(Seq(7)), 0);
    }
}
