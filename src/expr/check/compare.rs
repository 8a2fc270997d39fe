//! Comparisons: of numbers, of conditions, of texts, of states and qualities by their names.

use super::super::formula::Code;
use super::super::mistake::{Mistake, Span, nearest};
use super::super::number::Number;
use super::super::tree::{Node, Relation};
use super::{Checker, Form, Ty, Typed};
use crate::point::{Decimal, Quality, UnknownQuality, ValueKind};

impl Checker<'_> {
    pub(super) fn compare(
        &mut self,
        relation: Relation,
        left: &Node,
        right: &Node,
        span: Span,
    ) -> Result<Typed, Mistake> {
        let (left, right) = (self.typed(left)?, self.typed(right)?);
        let code = match (left.ty, right.ty) {
            (Ty::Number(_) | Ty::Unknown, Ty::Number(_) | Ty::Unknown) => {
                let (codes, _) = self.alike(vec![left, right])?;
                let [left, right] =
                    <[Code; 2]>::try_from(codes).unwrap_or([Code::Bool(false), Code::Bool(false)]);
                Code::Compare(relation, Box::new(left), Box::new(right))
            }
            _ => self.named(relation, left, right, span)?,
        };
        Ok(Typed { code, ty: Ty::Bool, form: Form::Other, span })
    }

    /// What is only equal or not: conditions, texts, states, qualities.
    fn named(&mut self, relation: Relation, left: Typed, right: Typed, span: Span) -> Result<Code, Mistake> {
        let equal = match (&left.form, &right.form) {
            (Form::Point(input), Form::Word(word)) if self.has_states(*input) => {
                self.state(*input, word, right.span)?
            }
            (Form::Word(word), Form::Point(input)) if self.has_states(*input) => {
                self.state(*input, word, left.span)?
            }
            (_, Form::Word(word)) if left.ty == Ty::Quality => self.quality(left.code, word, right.span)?,
            (Form::Word(word), _) if right.ty == Ty::Quality => self.quality(right.code, word, left.span)?,
            _ => self.same(left, right)?,
        };
        match relation {
            Relation::Equal => Ok(equal),
            Relation::NotEqual => {
                self.parts += 1;
                Ok(Code::Not(Box::new(equal)))
            }
            _ => Err(self.mistake(span, format!("only numbers are compared with {}", relation.word()))),
        }
    }

    fn same(&mut self, left: Typed, right: Typed) -> Result<Code, Mistake> {
        let fits = |a: Ty, b: Ty| a == b || a == Ty::Unknown || b == Ty::Unknown;
        if !fits(left.ty, right.ty) || left.ty == Ty::Quality || right.ty == Ty::Quality {
            let what = format!("{} does not compare with {}", right.ty.words(), left.ty.words());
            return Err(self.mistake(right.span, what));
        }
        Ok(Code::Same(Box::new(left.code), Box::new(right.code)))
    }

    fn has_states(&self, input: usize) -> bool {
        self.inputs.get(input).is_some_and(|input| !input.facts.states.is_empty())
    }

    /// Whether a point is in a state, by its name in either language.
    fn state(&mut self, input: usize, word: &str, span: Span) -> Result<Code, Mistake> {
        self.parts += 1;
        let Some(facts) = self.inputs.get(input).map(|input| &input.facts) else {
            return Ok(Code::Bool(false));
        };
        let named = |state: &&super::super::State| {
            state.names.zh == word || state.names.en.eq_ignore_ascii_case(word)
        };
        let Some(state) = facts.states.iter().find(named) else {
            let names: Vec<&str> = facts
                .states
                .iter()
                .flat_map(|state| [state.names.en.as_str(), state.names.zh.as_str()])
                .collect();
            let mistake = self.mistake(span, format!("{word:?} is no state of this point"));
            return Err(match nearest(word, names.iter()) {
                Some(meant) => mistake.help(format!("did you mean {meant:?}?")),
                None => mistake.help(format!("it has {}", names.join(", "))),
            });
        };
        let read = Box::new(Code::Read(input));
        Ok(if facts.kind == ValueKind::Bool {
            Code::Same(read, Box::new(Code::Bool(state.value != 0)))
        } else {
            let value = Code::Number(Number::Exact(Decimal::from_int(state.value)));
            Code::Compare(Relation::Equal, read, Box::new(value))
        })
    }

    fn quality(&self, code: Code, word: &str, span: Span) -> Result<Code, Mistake> {
        let wanted: Result<Quality, UnknownQuality> = word.parse();
        match (code, wanted) {
            (Code::Quality(input, _), Ok(quality)) => Ok(Code::Quality(input, quality)),
            _ => Err(self.mistake(span, format!("{word:?} {UnknownQuality}"))),
        }
    }
}
