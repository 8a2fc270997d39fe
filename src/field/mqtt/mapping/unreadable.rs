//! Why a message has no value for a point, each reason with words of its own.

use crate::field::Fault;

/// Why a message has no value for a point it was meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Longer than the broker's messages may be, or than [`PAYLOAD_MAX`](super::PAYLOAD_MAX).
    #[error("the payload is longer than message_max")]
    TooLong,
    /// Not UTF-8.
    #[error("the payload is not UTF-8")]
    NotText,
    /// Not JSON.
    #[error("the payload is not JSON")]
    NotJson,
    /// The pointer leads nowhere.
    #[error("the payload has no such member")]
    NoMember,
    /// The line has no such column.
    #[error("the line has no such column")]
    NoColumn,
    /// The pointer of `each` leads to no list and no object.
    #[error("where the items should stand is no list and no object")]
    NoItems,
    /// More than [`ITEMS_MAX`](super::ITEMS_MAX).
    #[error("the message has more than 4096 items, the rest is not read")]
    TooManyItems,
    /// Empty, an array, an object, or a word beyond [`WORD_MAX`](super::WORD_MAX).
    #[error("what stands there is no number, flag or word")]
    NoValue,
    /// `null`.
    #[error("the source says null: it has no value")]
    Null,
    /// A word where a number belongs.
    #[error("a word stands where a number belongs")]
    NotANumber,
    /// A word that is not in the table.
    #[error("a word stands there that is not among `words`")]
    UnknownWord,
    /// A flag that is neither on nor off.
    #[error("what stands there is neither on nor off")]
    NotAFlag,
    /// Nothing says whom the message is of.
    #[error("nothing says which asset it is of")]
    NoAsset,
    /// Nothing says which value it is.
    #[error("nothing says which value it is")]
    NoQuantity,
    /// A text that is not base64 or hexadecimal digits.
    #[error("the text is not the base64 or hex that was to stand there")]
    NotBytes,
    /// The bytes end before the value does.
    #[error("the bytes end before the value does")]
    TooShort,
    /// No record with its mark.
    #[error("no record has its mark")]
    NoRecord,
    /// Bits that are no value of the type.
    #[error("the bytes are no value of their type")]
    Undecodable,
    /// No time where one was to stand.
    #[error("no time stands there; the value keeps the time of the message and is doubtful")]
    NoTime,
    /// A text that is no time.
    #[error(
        "what stands there is no time as it was to be written; the value keeps the time of the message and is doubtful"
    )]
    BadTime,
    /// No unit where one was to stand.
    #[error("no unit stands there")]
    NoUnit,
    /// A word that is no unit.
    #[error("the unit that stands there is not known")]
    UnknownUnit,
    /// A unit of something else.
    #[error("the unit that stands there does not convert to the unit of the point")]
    WrongUnit,
}

impl Unreadable {
    /// What the sample says.
    pub fn fault(self) -> Fault {
        match self {
            Unreadable::Null => Fault::NotAvailable,
            _ => Fault::Decoding,
        }
    }

    /// Nothing stands where the value was to stand: what a message may leave out.
    pub fn is_absence(self) -> bool {
        matches!(self, Unreadable::NoMember | Unreadable::NoColumn | Unreadable::NoRecord)
    }
}
