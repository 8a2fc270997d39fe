//! What values a formula gives: exact decimals, floats, flags or words; and the same formula with
//! the points by other numbers.

use super::formula::{Code, Figure, Formula, Type};
use super::number::Number;
use super::tree::Power;
use crate::point::{Address, PointId, ValueKind};

impl Formula {
    /// Kind of its values: `Decimal` if exact inputs make an exact result, as sums and products of
    /// decimals do, and quotients, roots and means do not.
    pub fn kind(&self) -> ValueKind {
        match self.says {
            Type::Condition => ValueKind::Bool,
            Type::Text => ValueKind::Text,
            Type::Number(_) if self.exact(&self.code) => ValueKind::Decimal,
            Type::Number(_) => ValueKind::F64,
        }
    }

    /// The same with each input by the number `id` gives it; none if one has none.
    pub fn renumbered(mut self, id: impl Fn(&Address) -> Option<PointId>) -> Option<Formula> {
        for input in &mut self.inputs {
            input.facts.point = id(&input.address)?;
        }
        Some(self)
    }

    fn exact(&self, code: &Code) -> bool {
        let all = |parts: &[Code]| parts.iter().all(|part| self.exact(part));
        let is_exact =
            |input: usize| self.inputs.get(input).is_some_and(|input| input.facts.kind != ValueKind::F64);
        match code {
            Code::Number(number) => matches!(number, Number::Exact(_)),
            Code::Read(input) => is_exact(*input),
            Code::Window(window, figure) => match figure {
                Figure::Min | Figure::Max | Figure::Sum | Figure::Increase => {
                    self.windows.get(*window).is_some_and(|window| is_exact(window.input))
                }
                Figure::Count | Figure::Changed => true,
                Figure::Avg | Figure::Rate | Figure::Coverage => false,
            },
            Code::Convert(inner, factor, _) => factor.is_exact() && self.exact(inner),
            Code::Negative(inner) | Code::Abs(inner) => self.exact(inner),
            Code::Sum(terms, _) => terms.iter().all(|(_, term)| self.exact(term)),
            Code::Product(factors, ..) => {
                factors.iter().all(|(power, factor)| *power == Power::Times && self.exact(factor))
            }
            Code::If(parts) => {
                let [_, then, otherwise] = parts.as_ref();
                self.exact(then) && self.exact(otherwise)
            }
            Code::Otherwise(parts) | Code::Extreme(_, parts) => all(parts),
            Code::Sqrt(..) | Code::Mean(..) | Code::Air(..) => false,
            // An age has whole milliseconds; the others are no numbers.
            Code::Age(_)
            | Code::Bool(_)
            | Code::Text(_)
            | Code::Unknown(_)
            | Code::Quality(..)
            | Code::Severity(..)
            | Code::Not(_)
            | Code::All(_)
            | Code::Any(_)
            | Code::AtLeast(..)
            | Code::Compare(..)
            | Code::Same(..)
            | Code::Known(_) => true,
        }
    }
}
