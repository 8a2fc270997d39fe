//! Sums, products, signs, and bringing several operands to one measure.

use super::super::formula::{Code, Site};
use super::super::measure::Measure;
use super::super::mistake::{Mistake, Span};
use super::super::tree::{Node, Power, Sign};
use super::{Checker, Form, Ty, Typed};

impl Checker<'_> {
    /// A number with its measure; `unknown` is one of whatever measure is wanted.
    pub(super) fn number(&mut self, node: &Node) -> Result<Typed, Mistake> {
        let typed = self.typed(node)?;
        match typed.ty {
            Ty::Number(_) | Ty::Unknown => Ok(typed),
            other => {
                Err(self.mistake(typed.span, format!("{} stands where a number belongs", other.words())))
            }
        }
    }

    pub(super) fn negative(&mut self, inner: &Node, span: Span) -> Result<Typed, Mistake> {
        let inner = self.number(inner)?;
        if let Ty::Number(measure) = inner.ty {
            self.scales(measure, inner.span)?;
        }
        Ok(Typed { code: Code::Negative(Box::new(inner.code)), ty: inner.ty, form: Form::Other, span })
    }

    /// Refuses what has no multiples: twice 10 Cel is not 20 Cel.
    fn scales(&self, measure: Measure, span: Span) -> Result<(), Mistake> {
        if !measure.is_temperature() {
            return Ok(());
        }
        let what = "a temperature in Cel has no multiples, because its zero is a convention";
        Err(self.mistake(span, what).help("take a difference of temperatures, or number(t, \"Cel\")"))
    }

    pub(super) fn sum(&mut self, first: &Node, rest: &[(Sign, Node)], span: Span) -> Result<Typed, Mistake> {
        let first = self.number(first)?;
        let mut measure = first.ty;
        let mut terms = vec![(Sign::Plus, first)];
        for (sign, node) in rest {
            let term = self.number(node)?;
            measure = self.summed(measure, *sign, &term, terms.last().map(|(_, typed)| typed))?;
            terms.push((*sign, term));
        }
        let mut codes = Vec::new();
        for (sign, term) in terms {
            let factor = match (measure, term.ty) {
                (Ty::Number(whole), Ty::Number(own)) => whole.resized(own),
                _ => None,
            };
            let code = factor.map_or(term.code.clone(), |factor| self.convert(term.code, factor, term.span));
            codes.push((sign, code));
        }
        let site = self.site(Site::Overflow(span));
        Ok(Typed { code: Code::Sum(codes, site), ty: measure, form: Form::Other, span })
    }

    fn summed(&self, so_far: Ty, sign: Sign, term: &Typed, before: Option<&Typed>) -> Result<Ty, Mistake> {
        let (Ty::Number(left), Ty::Number(right)) = (so_far, term.ty) else {
            return Ok(if so_far == Ty::Unknown { term.ty } else { so_far });
        };
        self.needs_unit(left, &term.form, term.span)?;
        if let Some(before) = before {
            self.needs_unit(right, &before.form, before.span)?;
        }
        let whole = if sign == Sign::Plus { left.plus(right) } else { left.minus(right) };
        if let Some(whole) = whole {
            return Ok(Ty::Number(whole));
        }
        let both_on_scale = left.from(right).is_some() && left.is_on_scale();
        let mistake = match sign {
            Sign::Plus => self.mistake(term.span, format!("{right} cannot be added to {left}")),
            Sign::Minus => self.mistake(term.span, format!("{right} cannot be subtracted from {left}")),
        };
        Err(if both_on_scale { mistake.help("the mean is mean(a, b)") } else { mistake })
    }

    pub(super) fn product(
        &mut self,
        first: &Node,
        rest: &[(Power, Node)],
        span: Span,
    ) -> Result<Typed, Mistake> {
        let first = self.number(first)?;
        let mut measure = first.ty;
        if let Ty::Number(own) = first.ty {
            self.scales(own, first.span)?;
        }
        let mut codes = vec![(Power::Times, first.code)];
        for (power, node) in rest {
            let factor = self.number(node)?;
            if let (Ty::Number(left), Ty::Number(right)) = (measure, factor.ty) {
                self.scales(right, factor.span)?;
                let whole = if *power == Power::Times { left.times(right) } else { left.over(right) };
                let what = format!("{left} and {right} make a unit of too many powers");
                measure = Ty::Number(whole.ok_or_else(|| self.mistake(factor.span, what))?);
            } else {
                // Unknown whatever it measures.
                measure = Ty::Unknown;
            }
            codes.push((*power, factor.code));
        }
        let overflow = self.site(Site::Overflow(span));
        let divides = codes.iter().any(|(power, _)| *power == Power::Over);
        let division = if divides { self.site(Site::Division(span)) } else { overflow };
        Ok(Typed { code: Code::Product(codes, overflow, division), ty: measure, form: Form::Other, span })
    }

    /// Refuses a bare number beside one that has a unit.
    pub(super) fn needs_unit(&self, beside: Measure, form: &Form, span: Span) -> Result<(), Mistake> {
        let named = beside.unit().is_some() || !beside.is_ratio();
        if *form != Form::Bare || beside == Measure::ONE || !named {
            return Ok(());
        }
        let spelled = span.of(self.text);
        let mistake = self.mistake(span, format!("{spelled} has no unit beside {beside}"));
        Err(match beside.unit() {
            Some(unit) => mistake.help(format!("write {spelled} {unit}")),
            None => mistake.help("write the unit behind the number"),
        })
    }

    /// Brings operands of one kind to one type: numbers to the measure of the first that has a
    /// unit by name.
    pub(super) fn alike(&mut self, operands: Vec<Typed>) -> Result<(Vec<Code>, Ty), Mistake> {
        let Some(wanted) = self.common(&operands)? else {
            return Ok((operands.into_iter().map(|typed| typed.code).collect(), Ty::Unknown));
        };
        let mut codes = Vec::new();
        for typed in operands {
            let code = match (wanted, typed.ty) {
                (Ty::Number(whole), Ty::Number(own)) => {
                    self.needs_unit(whole, &typed.form, typed.span)?;
                    let factor = whole.from(own).ok_or_else(|| self.apart(whole, own, typed.span))?;
                    self.convert(typed.code, factor, typed.span)
                }
                _ => typed.code,
            };
            codes.push(code);
        }
        Ok((codes, wanted))
    }

    fn common(&self, operands: &[Typed]) -> Result<Option<Ty>, Mistake> {
        let mut wanted: Option<Ty> = None;
        for typed in operands {
            wanted = match (wanted, typed.ty) {
                (_, Ty::Quality) => {
                    return Err(self.mistake(typed.span, "a quality is only compared with a text"));
                }
                (so_far, Ty::Unknown) => so_far,
                (None, own) => Some(own),
                (Some(Ty::Number(left)), Ty::Number(right)) => Some(Ty::Number(preferred(left, right))),
                (Some(left), right) if left == right => Some(left),
                (Some(left), right) => {
                    let what = format!("{} stands beside {}", right.words(), left.words());
                    return Err(self.mistake(typed.span, what));
                }
            };
        }
        Ok(wanted)
    }

    /// Two measures that do not compare.
    pub(super) fn apart(&self, left: Measure, right: Measure, span: Span) -> Mistake {
        let mistake = self.mistake(span, format!("{right} does not compare with {left}"));
        match (left.is_on_scale(), right.is_on_scale()) {
            (true, false) | (false, true) if left.resized(right).is_some() => {
                mistake.help("one is a difference, the other a place on a scale")
            }
            (true, true) if left.resized(right).is_some() => {
                mistake.help("one counts from the atmosphere, the other from vacuum")
            }
            _ => mistake,
        }
    }
}

/// Of two measures the one both are brought to: a unit by name, then a product, then a bare
/// number, but a ratio becomes a bare number.
fn preferred(left: Measure, right: Measure) -> Measure {
    let named = |measure: Measure| measure.unit().is_some() && measure != Measure::ONE;
    if named(left) {
        left
    } else if named(right)
        || (left.is_ratio() && !right.is_ratio())
        || (left.is_ratio() && right == Measure::ONE)
    {
        right
    } else {
        left
    }
}
