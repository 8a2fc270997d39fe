//! Places of a topic, worked out once, and what stands there in a message.

use super::MappingError;
use super::words::{Found, text};
use crate::config::{Column, TopicPattern, Where};
use crate::field::mqtt::json::Pointers;
use std::borrow::Cow;

/// A place, its look-up prepared.
#[derive(Debug)]
pub enum Spot {
    Whole,
    /// Positions among the pointers of an item and of the message; of one without items only the
    /// second.
    Member {
        item: Option<usize>,
        message: Option<usize>,
    },
    /// A column by its number.
    Column(usize),
    /// A column by its position among the names that are looked for.
    Named(usize),
    Captures(Vec<Piece>),
}

/// A piece of a text with captures.
#[derive(Debug)]
pub enum Piece {
    Literal(String),
    Capture(usize),
    /// The name of the item.
    Key,
}

/// What all places of a topic look for.
#[derive(Debug, Default)]
pub struct Wanted {
    /// In the message.
    pub message: Pointers,
    /// In each item.
    pub item: Pointers,
    /// Names of columns.
    pub columns: Vec<String>,
    /// Whether there are items that are JSON.
    pub has_items: bool,
}

impl Wanted {
    /// A place of what tells about values: in the item, or else in the message.
    pub fn spot(&mut self, place: &Where, pattern: &TopicPattern) -> Result<Spot, MappingError> {
        if let Where::Pointer(pointer) = place {
            let add = |pointers: &mut Pointers| {
                pointers
                    .add(pointer)
                    .map_err(|error| MappingError::Pointer { pointer: pointer.clone(), error })
            };
            let item = if self.has_items { Some(add(&mut self.item)?) } else { None };
            return Ok(Spot::Member { item, message: Some(add(&mut self.message)?) });
        }
        self.other(place, pattern)
    }

    /// A place of a value: in the item, and nowhere else where there are items.
    pub fn value(&mut self, place: &Where, pattern: &TopicPattern) -> Result<Spot, MappingError> {
        let Where::Pointer(pointer) = place else { return self.other(place, pattern) };
        let pointers = if self.has_items { &mut self.item } else { &mut self.message };
        let at = pointers
            .add(pointer)
            .map_err(|error| MappingError::Pointer { pointer: pointer.clone(), error })?;
        Ok(if self.has_items {
            Spot::Member { item: Some(at), message: None }
        } else {
            Spot::Member { item: None, message: Some(at) }
        })
    }

    fn other(&mut self, place: &Where, pattern: &TopicPattern) -> Result<Spot, MappingError> {
        Ok(match place {
            Where::Whole | Where::Pointer(_) => Spot::Whole,
            Where::Column(Column::Number(number)) => Spot::Column(*number),
            Where::Column(Column::Named(name)) => {
                let known = self.columns.iter().position(|known| known == name);
                Spot::Named(known.unwrap_or_else(|| {
                    self.columns.push(name.clone());
                    self.columns.len() - 1
                }))
            }
            Where::Captures(text) => Spot::Captures(pieces(text, pattern)?),
        })
    }
}

fn pieces(text: &str, pattern: &TopicPattern) -> Result<Vec<Piece>, MappingError> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((literal, tail)) = rest.split_once('{') {
        let no_capture =
            |name: &str| MappingError::NoCapture { text: text.to_owned(), name: name.to_owned() };
        let (name, after) = tail.split_once('}').ok_or_else(|| no_capture(tail))?;
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal.to_owned()));
        }
        pieces.push(match pattern.capture(name) {
            Some(at) => Piece::Capture(at),
            None if name == "key" => Piece::Key,
            None => return Err(no_capture(name)),
        });
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest.to_owned()));
    }
    Ok(pieces)
}

impl Spot {
    /// Whether what stands here is known before the payload is.
    pub fn is_of_the_topic(&self) -> bool {
        matches!(self, Spot::Captures(pieces) if !pieces.iter().any(|piece| matches!(piece, Piece::Key)))
    }
}

/// A message, or an item of one.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'m> {
    /// What the captures of the topic stand for.
    pub captures: &'m [&'m str],
    /// The name of the item.
    pub key: &'m str,
    /// What the pointers of the message lead to.
    pub message: &'m [Option<&'m str>],
    /// What those of the item lead to.
    pub item: &'m [Option<&'m str>],
    /// The cells of the line.
    pub cells: &'m [&'m str],
    /// In which cell each name stands.
    pub columns: &'m [Option<usize>],
    /// The whole.
    pub whole: Found<'m>,
}

impl<'m> Scope<'m> {
    /// Of a topic whose payload is not looked into.
    pub fn of_topic(captures: &'m [&'m str]) -> Scope<'m> {
        Scope { captures, key: "", message: &[], item: &[], cells: &[], columns: &[], whole: Found::Bare("") }
    }

    /// What stands at a place; none where nothing does, and for texts with captures.
    pub fn found(&self, spot: &Spot) -> Option<Found<'m>> {
        let cell = |number: usize| self.cells.get(number).map(|cell| Found::Bare(cell));
        let member = |slots: &'m [Option<&'m str>], slot: &Option<usize>| {
            slot.and_then(|slot| slots.get(slot).copied().flatten())
        };
        match spot {
            Spot::Whole => Some(self.whole),
            Spot::Member { item, message } => {
                member(self.item, item).or_else(|| member(self.message, message)).map(Found::Json)
            }
            Spot::Column(number) => cell(*number),
            Spot::Named(name) => self.columns.get(*name).copied().flatten().and_then(cell),
            Spot::Captures(_) => None,
        }
    }

    /// The text at a place; none where nothing stands, or null, a list or an object.
    pub fn text(&self, spot: &Spot) -> Option<Cow<'m, str>> {
        let Spot::Captures(pieces) = spot else { return self.found(spot).and_then(text) };
        let piece = |piece: &Piece| match piece {
            Piece::Capture(at) => self.captures.get(*at).copied(),
            Piece::Key => Some(self.key),
            Piece::Literal(_) => None,
        };
        if let [single @ (Piece::Capture(_) | Piece::Key)] = pieces.as_slice() {
            return piece(single).map(Cow::Borrowed);
        }
        let mut text = String::new();
        for part in pieces {
            match part {
                Piece::Literal(literal) => text.push_str(literal),
                other => text.push_str(piece(other)?),
            }
        }
        Some(Cow::Owned(text))
    }
}
