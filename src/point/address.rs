//! The name of a point: `asset/quantity`, unique in a site.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// One part of an address, and the id of any configured thing: 1 to 63 of `[a-z0-9_-]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// Why a text is not an address or a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Empty or longer than 63 bytes.
    #[error("a name has 1 to 63 characters")]
    Length,
    /// A character outside `[a-z0-9_-]`.
    #[error("a name holds only a-z, 0-9, '_' and '-', not {0:?}")]
    Character(char),
    /// Not exactly one `/`.
    #[error("a point is written asset/quantity")]
    Shape,
}

impl Name {
    /// The longest name, in bytes.
    pub const LEN_MAX: usize = 63;

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Name, AddressError> {
        if let Some(wrong) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '_' | '-')) {
            return Err(AddressError::Character(wrong));
        }
        if text.is_empty() || text.len() > Self::LEN_MAX {
            return Err(AddressError::Length);
        }
        Ok(Name(text.into()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A point by name. Wire types carry the site beside it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The asset the point is measured at.
    pub asset: Name,
    /// What is measured there.
    pub quantity: Name,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        let (asset, quantity) = text.split_once('/').ok_or(AddressError::Shape)?;
        if quantity.contains('/') {
            return Err(AddressError::Shape);
        }
        Ok(Address { asset: asset.parse()?, quantity: quantity.parse()? })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.asset, self.quantity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_the_design_names_and_nothing_else() {
        assert_eq!("chp-1/oxygen_pressure".parse::<Address>().unwrap().to_string(), "chp-1/oxygen_pressure");
        assert_eq!("chp-1".parse::<Address>(), Err(AddressError::Shape));
        assert_eq!("a/b/c".parse::<Address>(), Err(AddressError::Shape));
        assert_eq!("/b".parse::<Address>(), Err(AddressError::Length));
        assert_eq!("A/b".parse::<Address>(), Err(AddressError::Character('A')));
        assert_eq!("氧/b".parse::<Address>(), Err(AddressError::Character('氧')));
        assert!(Name::from_str(&"a".repeat(63)).is_ok());
        assert_eq!(Name::from_str(&"a".repeat(64)), Err(AddressError::Length));
    }
}
