//! Text in registers.

use crate::config::Order;
use crate::field::Fault;

/// At most `bytes` bytes of UTF-8, up to the first zero byte; trailing spaces are padding.
///
/// [`Fault::Decoding`] for what is no UTF-8 or holds control characters: such bytes are no text,
/// or text in another order.
pub fn read(words: &[u16], bytes: u16, order: Order) -> Result<String, Fault> {
    let halves = words.iter().flat_map(|word| {
        let [high, low] = word.to_be_bytes();
        let (first, second) = match order {
            Order::HighByte => (high, None),
            Order::LowByte => (low, None),
            Order::Badc => (low, Some(high)),
            _ => (high, Some(low)),
        };
        [Some(first), second].into_iter().flatten()
    });
    let content: Vec<u8> = halves.take(usize::from(bytes)).take_while(|byte| *byte != 0).collect();
    let text = std::str::from_utf8(&content).map_err(|_| Fault::Decoding)?;
    if text.chars().any(char::is_control) {
        return Err(Fault::Decoding);
    }
    Ok(text.trim_end_matches(' ').to_owned())
}
