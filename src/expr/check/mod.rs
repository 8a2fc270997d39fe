//! The check: every point is known, every operand of the right type, every unit fits, and the
//! cost is bounded. What passes cannot fail later, only be unknown.

mod arithmetic;
mod calls;
mod compare;

use super::COST_STEPS_MAX;
use super::formula::{Code, Cost, Formula, Input, Points, SITES_MAX, Site, Type, WindowNeed};
use super::measure::Measure;
use super::mistake::{Mistake, Span, nearest};
use super::number::Number;
use super::tree::{Kind, Node, Tree};
use crate::point::{Address, ValueKind};

impl Tree {
    /// Checks it against the points there are.
    pub fn check(&self, points: &dyn Points) -> Result<Formula, Mistake> {
        let mut checker = Checker::new(&self.source, points);
        let root = checker.typed(&self.root)?;
        let says = match root.ty {
            Ty::Bool => Type::Condition,
            Ty::Number(measure) => Type::Number(measure),
            Ty::Text => Type::Text,
            Ty::Quality | Ty::Unknown => {
                let what = format!("{} is not something an expression can say", root.ty.words());
                return Err(checker.mistake(root.span, what));
            }
        };
        checker.finish(root.code, says)
    }
}

/// The type of a part.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ty {
    Bool,
    Text,
    /// A quality: only to compare with a text.
    Quality,
    Number(Measure),
    /// The word `unknown`, which fits anything.
    Unknown,
}

impl Ty {
    fn words(self) -> String {
        match self {
            Ty::Bool => "a condition".to_owned(),
            Ty::Text => "a text".to_owned(),
            Ty::Quality => "a quality".to_owned(),
            Ty::Number(measure) if measure == Measure::ONE => measure.to_string(),
            Ty::Number(measure) => format!("a number in {measure}"),
            Ty::Unknown => "unknown".to_owned(),
        }
    }
}

/// What else is known of a part.
#[derive(Clone, Debug, PartialEq)]
enum Form {
    /// A number without unit, as written.
    Bare,
    /// A text, as written.
    Word(String),
    /// A point, by its input.
    Point(usize),
    Other,
}

#[derive(Clone, Debug)]
struct Typed {
    code: Code,
    ty: Ty,
    form: Form,
    span: Span,
}

struct Checker<'a> {
    text: &'a str,
    points: &'a dyn Points,
    inputs: Vec<Input>,
    windows: Vec<WindowNeed>,
    sites: Vec<Site>,
    parts: u64,
    moves_with_time: bool,
}

impl<'a> Checker<'a> {
    fn new(text: &'a str, points: &'a dyn Points) -> Checker<'a> {
        let (inputs, windows, sites) = (Vec::new(), Vec::new(), Vec::new());
        Checker { text, points, inputs, windows, sites, parts: 0, moves_with_time: false }
    }

    fn finish(self, code: Code, says: Type) -> Result<Formula, Mistake> {
        let readings = self.windows.iter().fold(0_u64, |sum, window| sum.saturating_add(window.readings));
        let cost = Cost { parts: self.parts, readings };
        let whole = Span { start: 0, end: self.text.len() };
        if cost.steps() > COST_STEPS_MAX {
            let what =
                format!("its windows hold {readings} readings, more than {COST_STEPS_MAX} steps allow");
            return Err(self
                .mistake(whole, what)
                .help("take shorter windows, or points that are read less often"));
        }
        if self.sites.len() > SITES_MAX {
            let what = format!(
                "{} points, windows, products and sums, more than the {SITES_MAX} an expression may have",
                self.sites.len()
            );
            return Err(self.mistake(whole, what).help("make a derived point of a part of it"));
        }
        Ok(Formula {
            source: self.text.to_owned(),
            code,
            says,
            inputs: self.inputs,
            windows: self.windows,
            sites: self.sites,
            cost,
            moves_with_time: self.moves_with_time,
        })
    }

    fn mistake(&self, span: Span, what: impl Into<String>) -> Mistake {
        Mistake::at(self.text, span, what)
    }

    /// A part; its own code and that of a conversion count as steps.
    fn typed(&mut self, node: &Node) -> Result<Typed, Mistake> {
        self.parts += 1;
        let span = node.span;
        let plain = |code, ty| Ok(Typed { code, ty, form: Form::Other, span });
        match &node.kind {
            Kind::Number(number, unit) => {
                let (measure, form) = match unit {
                    Some(unit) => (Measure::of(*unit), Form::Other),
                    None => (Measure::ONE, Form::Bare),
                };
                Ok(Typed { code: Code::Number(Number::Exact(*number)), ty: Ty::Number(measure), form, span })
            }
            Kind::Text(text) => {
                let form = Form::Word(text.clone());
                Ok(Typed { code: Code::Text(text.clone()), ty: Ty::Text, form, span })
            }
            Kind::Bool(on) => plain(Code::Bool(*on), Ty::Bool),
            Kind::Unknown => plain(Code::Unknown(self.site(Site::Written(span))), Ty::Unknown),
            Kind::Point(address) => self.point(address, span),
            Kind::Negative(inner) => self.negative(inner, span),
            Kind::Not(inner) => {
                let inner = self.condition(inner)?;
                plain(Code::Not(Box::new(inner)), Ty::Bool)
            }
            Kind::All(parts) => plain(Code::All(self.conditions(parts)?), Ty::Bool),
            Kind::Any(parts) => plain(Code::Any(self.conditions(parts)?), Ty::Bool),
            Kind::Sum(first, rest) => self.sum(first, rest, span),
            Kind::Product(first, rest) => self.product(first, rest, span),
            Kind::Compare(relation, left, right) => self.compare(*relation, left, right, span),
            Kind::Call(function, operands) => self.call(*function, operands, span),
        }
    }

    /// The number of a site; points and windows have one each.
    fn site(&mut self, site: Site) -> usize {
        if let Some(known) = self.sites.iter().position(|other| *other == site) {
            return known;
        }
        self.sites.push(site);
        self.sites.len() - 1
    }

    fn point(&mut self, address: &Address, span: Span) -> Result<Typed, Mistake> {
        let input = self.input(address, span)?;
        let ty = self.inputs.get(input).map_or(Ty::Unknown, |input| match input.facts.kind {
            ValueKind::Bool => Ty::Bool,
            ValueKind::Text => Ty::Text,
            ValueKind::Decimal | ValueKind::F64 => Ty::Number(Measure::of(input.facts.unit)),
        });
        Ok(Typed { code: Code::Read(input), ty, form: Form::Point(input), span })
    }

    /// The place of a point among the inputs.
    fn input(&mut self, address: &Address, span: Span) -> Result<usize, Mistake> {
        if let Some(known) = self.inputs.iter().position(|input| input.address == *address) {
            return Ok(known);
        }
        let Some(facts) = self.points.find(address) else { return Err(self.no_point(address, span)) };
        self.inputs.push(Input { address: address.clone(), facts });
        let input = self.inputs.len() - 1;
        self.site(Site::Reading(input));
        Ok(input)
    }

    fn no_point(&self, address: &Address, span: Span) -> Mistake {
        let mistake = self.mistake(span, format!("there is no point {address}"));
        let spelled = address.to_string();
        let cuts = spelled.match_indices('-').rev();
        let mut halves = cuts.filter_map(|(at, _)| Some((spelled.get(..at)?, spelled.get(at + 1..)?)));
        let known = |text: &str| text.parse().is_ok_and(|address| self.points.find(&address).is_some());
        if let Some((left, right)) = halves.find(|(left, _)| known(left)) {
            return mistake.help(format!("a minus has spaces around it: {left} - {right}"));
        }
        let all = self.points.addresses();
        // The same quantity at an asset of a similar name first: assets differ by a digit.
        let assets = all.iter().filter(|other| other.quantity == address.quantity).map(ToString::to_string);
        let close =
            nearest(&spelled, all.iter().map(ToString::to_string)).or_else(|| nearest(&spelled, assets));
        mistake.meant(close.as_deref())
    }

    fn conditions(&mut self, parts: &[Node]) -> Result<Vec<Code>, Mistake> {
        parts.iter().map(|part| self.condition(part)).collect()
    }

    fn condition(&mut self, node: &Node) -> Result<Code, Mistake> {
        let typed = self.typed(node)?;
        match typed.ty {
            Ty::Bool | Ty::Unknown => Ok(typed.code),
            other => {
                let what = format!("{} stands where a condition belongs", other.words());
                Err(self.mistake(typed.span, what).help("compare it with something"))
            }
        }
    }

    /// A conversion in front of code, unless it changes nothing.
    fn convert(&mut self, code: Code, factor: super::measure::Factor, span: Span) -> Code {
        if factor.is_one() {
            return code;
        }
        self.parts += 1;
        let site = self.site(Site::Overflow(span));
        Code::Convert(Box::new(code), factor, site)
    }
}
