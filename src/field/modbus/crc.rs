//! CRC-16/MODBUS, which ends every RTU frame.
//!
//! MODBUS over Serial Line V1.02, 6.2.2: polynomial 0xA001 (0x8005 reflected), begun at 0xFFFF,
//! sent low byte first.

/// What each byte does to the sum.
const TABLE: [u16; 256] = table();

#[expect(clippy::indexing_slicing, reason = "counts to the length of the table, at compile time")]
const fn table() -> [u16; 256] {
    let mut table = [0_u16; 256];
    let (mut place, mut byte) = (0, 0_u16);
    while place < table.len() {
        let (mut sum, mut bit) = (byte, 0);
        while bit < 8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xA001 } else { sum >> 1 };
            bit += 1;
        }
        table[place] = sum;
        place += 1;
        byte += 1;
    }
    table
}

/// The checksum of `bytes`.
pub fn sum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |sum, byte| {
        let [_, low] = (sum ^ u16::from(*byte)).to_be_bytes();
        sum >> 8 ^ TABLE.get(usize::from(low)).copied().unwrap_or_default()
    })
}

/// Whether a frame ends in its own checksum.
pub fn holds(frame: &[u8]) -> bool {
    // The sum over a frame with its sum is 0, whatever the frame.
    frame.len() > 2 && sum(frame) == 0
}

/// Puts the checksum behind what is there.
#[cfg(test)]
pub fn seal(mut frame: Vec<u8>) -> Vec<u8> {
    let sum = sum(&frame);
    frame.extend(sum.to_le_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sums_are_those_of_the_standard() {
        // 6.2.2: unit 2, function 7 gives 0x1241, sent as 41 12.
        assert_eq!(sum(&[0x02, 0x07]), 0x1241);
        assert_eq!(seal(vec![0x02, 0x07]), [0x02, 0x07, 0x41, 0x12]);
        // The check value of CRC-16/MODBUS in every catalogue, and frames from manuals.
        assert_eq!(sum(b"123456789"), 0x4B37);
        assert!(holds(&[0x01, 0x03, 0x00, 0x00, 0x00, 0x0A, 0xC5, 0xCD]));
        assert!(holds(&[0x11, 0x03, 0x00, 0x6B, 0x00, 0x03, 0x76, 0x87]));
    }

    proptest! {
        /// Against the long division of 6.2.2, and every single flipped bit is noticed.
        #[test]
        fn agrees_with_the_long_division(bytes in proptest::collection::vec(any::<u8>(), 1..260), at: usize) {
            let mut long = 0xFFFF_u16;
            for byte in &bytes {
                long ^= u16::from(*byte);
                for _ in 0..8 {
                    long = if long & 1 == 1 { long >> 1 ^ 0xA001 } else { long >> 1 };
                }
            }
            prop_assert_eq!(sum(&bytes), long);
            let mut frame = seal(bytes);
            prop_assert!(holds(&frame));
            let bit = at % (8 * frame.len());
            frame[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!holds(&frame));
        }
    }
}
