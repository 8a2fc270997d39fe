//! The state of an alarm: orthogonal bits, and the ISA-18.2 letter they add up to.

use serde::{Deserialize, Serialize};

/// OPC UA Part 9 keeps these apart, because one enum loses "acknowledged while shelved".
#[expect(
    clippy::struct_excessive_bools,
    reason = "orthogonal bits are the model, not flags that mean policy"
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StateBits {
    /// The condition holds.
    pub active: bool,
    /// A person has seen it.
    pub acked: bool,
    /// Hidden by logic: parent down, equipment off.
    pub suppressed: bool,
    /// Hidden by a person for a time.
    pub shelved: bool,
    /// Hidden by a maintenance permit.
    pub out_of_service: bool,
    /// Stays until a person resets it, whatever the condition does.
    pub latched: bool,
}

impl StateBits {
    /// Whether the occurrence is not over: it holds, or was not seen, or waits for a reset.
    pub fn open(self) -> bool {
        self.active || !self.acked || self.latched
    }

    /// The ISA-18.2 / IEC 62682 letter. What hides an alarm wins over what is hidden, the
    /// stronger reason first; the bits behind it go on by themselves.
    ///
    /// A normal, B unacknowledged, C acknowledged, D returned unacknowledged, E shelved,
    /// F suppressed by design, G out of service; L latched, as the table of the plant spells it.
    pub fn isa_letter(self) -> char {
        match self {
            StateBits { out_of_service: true, .. } => 'G',
            StateBits { suppressed: true, .. } => 'F',
            StateBits { shelved: true, .. } => 'E',
            StateBits { active: true, acked: false, .. } => 'B',
            StateBits { active: true, acked: true, .. } => 'C',
            StateBits { latched: true, .. } => 'L',
            StateBits { acked: false, .. } => 'D',
            StateBits { acked: true, .. } => 'A',
        }
    }

    /// The bits as the journal keeps them, `active` lowest.
    pub fn to_mask(self) -> u8 {
        let bits =
            [self.active, self.acked, self.suppressed, self.shelved, self.out_of_service, self.latched];
        bits.iter().rev().fold(0, |mask, bit| mask << 1 | u8::from(*bit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_mask(mask: u8) -> StateBits {
        let bit = |n: u8| mask >> n & 1 == 1;
        StateBits {
            active: bit(0),
            acked: bit(1),
            suppressed: bit(2),
            shelved: bit(3),
            out_of_service: bit(4),
            latched: bit(5),
        }
    }

    #[test]
    fn the_letter_of_every_combination() {
        // Rows: latched, out of service, shelved, suppressed as the upper bits of the mask;
        // columns: D/A/B/C order of (acked, active) = 00, 01, 10, 11.
        let table = [
            "DBAC", "FFFF", "EEEE", "FFFF", "GGGG", "GGGG", "GGGG", "GGGG", // not latched
            "LBLC", "FFFF", "EEEE", "FFFF", "GGGG", "GGGG", "GGGG", "GGGG", // latched
        ];
        let expected: String = table.concat();
        let letters: String = (0..64).map(|mask| from_mask(mask).isa_letter()).collect();
        assert_eq!(letters, expected);
    }

    #[test]
    fn every_mask_is_its_own() {
        for mask in 0..64 {
            assert_eq!(from_mask(mask).to_mask(), mask);
        }
    }

    #[test]
    fn an_occurrence_is_over_when_it_is_clear_seen_and_reset() {
        let open: Vec<u8> = (0..64).filter(|mask| !from_mask(*mask).open()).collect();
        // Only `acked` and the hiding bits may be set.
        assert!(open.iter().all(|mask| mask & 0b10_0011 == 0b10), "{open:?}");
        assert_eq!(open.len(), 8);
    }
}
