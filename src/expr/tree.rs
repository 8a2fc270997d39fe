//! What was written, as a tree; and how it is written back.
//!
//! Chains of one operator are one node, so depth is nesting and not length. A tree prints in one
//! canonical spelling, and what is printed reads back as the same tree.

use super::function::Function;
use super::mistake::Span;
use crate::point::{Address, Decimal, Unit};
use std::fmt::{self, Write};

/// An expression as it was written; equal to another if only spaces, brackets that say nothing
/// and spellings differ.
#[derive(Clone, Debug)]
pub struct Tree {
    pub(super) source: String,
    pub(super) root: Node,
}

impl Tree {
    /// The text it was read from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The points it names, each as often as it stands there.
    pub fn points(&self) -> Vec<&Address> {
        let (mut waiting, mut found) = (vec![&self.root], Vec::new());
        while let Some(node) = waiting.pop() {
            match &node.kind {
                Kind::Number(..) | Kind::Text(_) | Kind::Bool(_) | Kind::Unknown => {}
                Kind::Point(address) => found.push(address),
                Kind::Negative(inner) | Kind::Not(inner) => waiting.push(inner),
                Kind::All(parts) | Kind::Any(parts) | Kind::Call(_, parts) => waiting.extend(parts),
                Kind::Sum(first, rest) => {
                    waiting.push(first);
                    waiting.extend(rest.iter().map(|(_, node)| node));
                }
                Kind::Product(first, rest) => {
                    waiting.push(first);
                    waiting.extend(rest.iter().map(|(_, node)| node));
                }
                Kind::Compare(_, left, right) => waiting.extend([&**left, &**right]),
            }
        }
        found
    }
}

impl PartialEq for Tree {
    fn eq(&self, other: &Tree) -> bool {
        self.root == other.root
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}

/// A part of a tree and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) span: Span,
}

impl PartialEq for Node {
    fn eq(&self, other: &Node) -> bool {
        self.kind == other.kind
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Number(Decimal, Option<Unit>),
    Text(String),
    Bool(bool),
    Unknown,
    Point(Address),
    Negative(Box<Node>),
    Not(Box<Node>),
    /// `and`, of at least two.
    All(Vec<Node>),
    /// `or`, of at least two.
    Any(Vec<Node>),
    /// Terms that are added or subtracted, at least one.
    Sum(Box<Node>, Vec<(Sign, Node)>),
    /// Factors that are multiplied or divided by, at least one.
    Product(Box<Node>, Vec<(Power, Node)>),
    Compare(Relation, Box<Node>, Box<Node>),
    Call(Function, Vec<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Plus,
    Minus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Power {
    Times,
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Relation {
    pub(super) fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Relation::Equal => order.is_eq(),
            Relation::NotEqual => order.is_ne(),
            Relation::Less => order.is_lt(),
            Relation::LessOrEqual => order.is_le(),
            Relation::Greater => order.is_gt(),
            Relation::GreaterOrEqual => order.is_ge(),
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Relation::Equal => "==",
            Relation::NotEqual => "!=",
            Relation::Less => "<",
            Relation::LessOrEqual => "<=",
            Relation::Greater => ">",
            Relation::GreaterOrEqual => ">=",
        }
    }
}

impl Node {
    /// How tightly it binds: a child that binds no tighter than its parent is put in brackets.
    fn rank(&self) -> u8 {
        match &self.kind {
            Kind::Any(_) => 1,
            Kind::All(_) => 2,
            Kind::Not(_) => 3,
            Kind::Compare(..) => 4,
            Kind::Sum(..) => 5,
            Kind::Product(..) => 6,
            Kind::Negative(_) => 7,
            _ => 8,
        }
    }

    fn write(&self, parent: u8, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rank() <= parent { write!(f, "({self})") } else { write!(f, "{self}") }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rank = self.rank();
        match &self.kind {
            Kind::Number(number, None) => number.fmt(f),
            Kind::Number(number, Some(unit)) => write!(f, "{number} {unit}"),
            Kind::Text(text) => quoted(text, f),
            Kind::Bool(on) => on.fmt(f),
            Kind::Unknown => f.write_str("unknown"),
            Kind::Point(address) => point(address, f),
            // `not not a` and `--a` read back as they are.
            Kind::Negative(inner) => {
                f.write_char('-')?;
                inner.write(rank - 1, f)
            }
            Kind::Not(inner) => {
                f.write_str("not ")?;
                inner.write(rank - 1, f)
            }
            Kind::All(parts) => listed(parts, " and ", rank, f),
            Kind::Any(parts) => listed(parts, " or ", rank, f),
            Kind::Sum(first, rest) => {
                first.write(rank, f)?;
                rest.iter().try_for_each(|(sign, node)| {
                    f.write_str(if *sign == Sign::Plus { " + " } else { " - " })?;
                    node.write(rank, f)
                })
            }
            Kind::Product(first, rest) => {
                first.write(rank, f)?;
                rest.iter().try_for_each(|(power, node)| {
                    f.write_str(if *power == Power::Times { " * " } else { " / " })?;
                    node.write(rank, f)
                })
            }
            Kind::Compare(relation, left, right) => {
                left.write(rank, f)?;
                write!(f, " {} ", relation.word())?;
                right.write(rank, f)
            }
            Kind::Call(function, operands) => {
                write!(f, "{}(", function.word())?;
                listed(operands, ", ", 0, f)?;
                f.write_char(')')
            }
        }
    }
}

fn listed(parts: &[Node], between: &str, rank: u8, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            f.write_str(between)?;
        }
        part.write(rank, f)?;
    }
    Ok(())
}

fn quoted(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_char('"')?;
    for letter in text.chars() {
        if matches!(letter, '"' | '\\') {
            f.write_char('\\')?;
        }
        f.write_char(letter)?;
    }
    f.write_char('"')
}

/// In backquotes where it would read as a number or a minus.
fn point(address: &Address, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if address.asset.as_str().starts_with(|first: char| first.is_ascii_digit() || first == '-') {
        write!(f, "`{address}`")
    } else {
        write!(f, "{address}")
    }
}
