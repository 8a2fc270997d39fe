//! The named functions.

use super::super::formula::{AirFigure, Code, Figure, Site, WindowNeed};
use super::super::function::Function;
use super::super::measure::Measure;
use super::super::mistake::{Mistake, Span};
use super::super::number::Number;
use super::super::tree::{Kind, Node};
use super::super::{INTERVAL_ASSUMED_MS, WINDOW_MS};
use super::{Checker, Form, Ty, Typed};
use crate::point::{Quality, Severity, Unit, ValueKind};
use std::cmp::Ordering;

impl Checker<'_> {
    pub(super) fn call(
        &mut self,
        function: Function,
        operands: &[Node],
        span: Span,
    ) -> Result<Typed, Mistake> {
        if let Some(figure) = Figure::of(function) {
            let [point, length] = operands else { return Err(self.few(function, span)) };
            return self.window(function, figure, point, length, span);
        }
        let (code, ty) = match function {
            Function::If => self.choice(operands)?,
            Function::Otherwise => self.several(operands, Code::Otherwise)?,
            Function::AtLeast => self.at_least(operands, span)?,
            Function::Known => {
                let [value] = operands else { return Err(self.few(function, span)) };
                (Code::Known(Box::new(self.typed(value)?.code)), Ty::Bool)
            }
            Function::Good | Function::Uncertain | Function::Bad | Function::Quality | Function::Age => {
                self.of_reading(function, operands, span)?
            }
            Function::Abs | Function::Sqrt => self.of_number(function, operands, span)?,
            Function::Least => self.numbers(operands, |codes| Code::Extreme(Ordering::Less, codes))?,
            Function::Greatest => self.numbers(operands, |codes| Code::Extreme(Ordering::Greater, codes))?,
            Function::Mean => {
                let site = self.site(Site::Overflow(span));
                self.numbers(operands, |codes| Code::Mean(codes, site))?
            }
            Function::Number | Function::Quantity => self.unit_of(function, operands, span)?,
            Function::DewPoint => self.air(AirFigure::DewPoint, operands, span)?,
            Function::WetBulb => self.air(AirFigure::WetBulb, operands, span)?,
            Function::HumidityRatio => self.air(AirFigure::HumidityRatio, operands, span)?,
            Function::AbsoluteHumidity => self.air(AirFigure::AbsoluteHumidity, operands, span)?,
            // The window functions were taken out above.
            _ => self.air(AirFigure::Enthalpy, operands, span)?,
        };
        Ok(Typed { code, ty, form: Form::Other, span })
    }

    /// The parser counts operands; a tree of another making may not.
    fn few(&self, function: Function, span: Span) -> Mistake {
        self.mistake(span, format!("wrong number of operands; write {}", function.usage()))
    }

    fn choice(&mut self, operands: &[Node]) -> Result<(Code, Ty), Mistake> {
        let [condition, branches @ ..] = operands else { return Ok((Code::Bool(false), Ty::Bool)) };
        let condition = self.condition(condition)?;
        let branches = branches.iter().map(|node| self.typed(node)).collect::<Result<_, _>>()?;
        let (mut codes, ty) = self.alike(branches)?;
        let otherwise = codes.pop().unwrap_or(Code::Bool(false));
        let then = codes.pop().unwrap_or(Code::Bool(false));
        Ok((Code::If(Box::new([condition, then, otherwise])), ty))
    }

    fn several(&mut self, operands: &[Node], code: fn(Vec<Code>) -> Code) -> Result<(Code, Ty), Mistake> {
        let typed = operands.iter().map(|node| self.typed(node)).collect::<Result<_, _>>()?;
        let (codes, ty) = self.alike(typed)?;
        Ok((code(codes), ty))
    }

    fn numbers(
        &mut self,
        operands: &[Node],
        code: impl FnOnce(Vec<Code>) -> Code,
    ) -> Result<(Code, Ty), Mistake> {
        let typed = operands.iter().map(|node| self.number(node)).collect::<Result<_, _>>()?;
        let (codes, ty) = self.alike(typed)?;
        Ok((code(codes), ty))
    }

    fn at_least(&mut self, operands: &[Node], span: Span) -> Result<(Code, Ty), Mistake> {
        let [count, conditions @ ..] = operands else { return Err(self.few(Function::AtLeast, span)) };
        let wanted = match &count.kind {
            Kind::Number(number, None) => {
                number.mantissa_at(0).and_then(|number| usize::try_from(number).ok())
            }
            _ => None,
        };
        let n = conditions.len();
        let Some(wanted) = wanted.filter(|wanted| (1..=n).contains(wanted)) else {
            let what = format!("atleast begins with how many of the {n} conditions must be true: 1 to {n}");
            return Err(self.mistake(count.span, what));
        };
        Ok((Code::AtLeast(wanted, self.conditions(conditions)?), Ty::Bool))
    }

    /// The input of an operand that must be a point.
    fn bare_point(&mut self, function: Function, node: &Node) -> Result<usize, Mistake> {
        self.parts += 1;
        let Kind::Point(address) = &node.kind else {
            let what = format!("{} asks about a point, not about a value", function.word());
            return Err(self.mistake(node.span, what).help(format!("write {}", function.usage())));
        };
        self.input(address, node.span)
    }

    fn of_reading(
        &mut self,
        function: Function,
        operands: &[Node],
        span: Span,
    ) -> Result<(Code, Ty), Mistake> {
        let [point] = operands else { return Err(self.few(function, span)) };
        let input = self.bare_point(function, point)?;
        Ok(match function {
            Function::Good => (Code::Severity(input, Severity::Good), Ty::Bool),
            Function::Uncertain => (Code::Severity(input, Severity::Uncertain), Ty::Bool),
            Function::Bad => (Code::Severity(input, Severity::Bad), Ty::Bool),
            Function::Quality => (Code::Quality(input, Quality::Good), Ty::Quality),
            _ => {
                self.moves_with_time = true;
                (Code::Age(input), Ty::Number(self.unit("s", span)?))
            }
        })
    }

    fn unit(&self, code: &str, span: Span) -> Result<Measure, Mistake> {
        match code.parse::<Unit>() {
            Ok(unit) => Ok(Measure::of(unit)),
            Err(error) => {
                let meant = super::nearest(code, Unit::codes());
                Err(self.mistake(span, error.to_string()).meant(meant))
            }
        }
    }

    fn of_number(
        &mut self,
        function: Function,
        operands: &[Node],
        span: Span,
    ) -> Result<(Code, Ty), Mistake> {
        let [node] = operands else { return Err(self.few(function, span)) };
        let typed = self.number(node)?;
        if function == Function::Abs {
            return Ok((Code::Abs(Box::new(typed.code)), typed.ty));
        }
        let site = self.site(Site::Domain(span));
        let Ty::Number(measure) = typed.ty else {
            return Ok((Code::Sqrt(Box::new(typed.code), site), Ty::Unknown));
        };
        let Some((root, factor)) = measure.root().filter(|_| !measure.is_temperature()) else {
            return Err(self.mistake(typed.span, format!("{measure} has no root")));
        };
        let code = self.convert(typed.code, factor, typed.span);
        Ok((Code::Sqrt(Box::new(code), site), Ty::Number(root)))
    }

    /// `number(x, "kW")` and `quantity(n, "kW")`.
    fn unit_of(&mut self, function: Function, operands: &[Node], span: Span) -> Result<(Code, Ty), Mistake> {
        let [value, unit] = operands else { return Err(self.few(function, span)) };
        let Kind::Text(code) = &unit.kind else {
            let mistake = self.mistake(unit.span, "the unit is written as a text");
            return Err(mistake.help(format!("write {}", function.usage())));
        };
        let measure = self.unit(code, unit.span)?;
        let value = self.number(value)?;
        let (into, says) =
            if function == Function::Number { (measure, Measure::ONE) } else { (Measure::ONE, measure) };
        let Ty::Number(own) = value.ty else { return Ok((value.code, Ty::Number(says))) };
        let factor = into.from(own).ok_or_else(|| self.apart(into, own, value.span))?;
        Ok((self.convert(value.code, factor, value.span), Ty::Number(says)))
    }

    fn air(&mut self, figure: AirFigure, operands: &[Node], span: Span) -> Result<(Code, Ty), Mistake> {
        let wanted = ["Cel", "1", "Pa{absolute}"];
        let names = ["Cel", "%", "kPa{absolute}"];
        let mut codes = Vec::new();
        for ((node, unit), name) in operands.iter().zip(wanted).zip(names) {
            let typed = self.number(node)?;
            let measure = self.unit(unit, span)?;
            self.needs_unit(self.unit(name, span)?, &typed.form, typed.span)?;
            let code = match typed.ty {
                Ty::Number(own) => {
                    let factor = measure.from(own).ok_or_else(|| {
                        self.mistake(typed.span, format!("{own} stands where {name} is wanted"))
                    })?;
                    self.convert(typed.code, factor, typed.span)
                }
                _ => typed.code,
            };
            codes.push(code);
        }
        let site = self.site(Site::Domain(span));
        Ok((Code::Air(figure, codes, site), Ty::Number(self.unit(figure.unit(), span)?)))
    }

    fn window(
        &mut self,
        function: Function,
        figure: Figure,
        point: &Node,
        length: &Node,
        span: Span,
    ) -> Result<Typed, Mistake> {
        if !matches!(point.kind, Kind::Point(_)) && matches!(function, Function::Min | Function::Max) {
            let other = if function == Function::Min { "least" } else { "greatest" };
            let what = format!("{} looks at the past of one point", function.word());
            return Err(self.mistake(point.span, what).help(format!("of several values take {other}(a, b)")));
        }
        let input = self.bare_point(function, point)?;
        let length_ms = self.length(function, length)?;
        let ty = self.figure_type(figure, input, function, point.span)?;
        let window = self.window_need(input, length_ms);
        self.site(Site::Window(window));
        self.moves_with_time = true;
        Ok(Typed { code: Code::Window(window, figure), ty, form: Form::Other, span })
    }

    fn window_need(&mut self, input: usize, length_ms: u64) -> usize {
        let known =
            self.windows.iter().position(|window| window.input == input && window.length_ms == length_ms);
        known.unwrap_or_else(|| {
            let interval = self.inputs.get(input).and_then(|input| input.facts.interval_ms);
            let interval_ms = interval.unwrap_or(INTERVAL_ASSUMED_MS).max(1);
            // One before it, and one that is early.
            let readings = length_ms / interval_ms + 2;
            self.windows.push(WindowNeed { input, length_ms, readings });
            self.windows.len() - 1
        })
    }

    fn length(&mut self, function: Function, node: &Node) -> Result<u64, Mistake> {
        self.parts += 1;
        let usage = format!("write {}", function.usage());
        let Kind::Number(number, unit) = &node.kind else {
            let what = "the length of a window is a number with its unit of time";
            let help = match function {
                Function::Min => "of several values take least(a, b)".to_owned(),
                Function::Max => "of several values take greatest(a, b)".to_owned(),
                Function::Avg => "of several values take mean(a, b)".to_owned(),
                _ => usage,
            };
            return Err(self.mistake(node.span, what).help(help));
        };
        let spelled = node.span.of(self.text);
        let measure = unit.map_or(Measure::ONE, Measure::of);
        if !measure.is_time() {
            let mistake = self.mistake(node.span, format!("{spelled} is no length of time"));
            let minutes = unit.is_some_and(|unit| unit.code() == "m");
            return Err(mistake.help(if minutes {
                format!("write {number} min; m is the metre")
            } else {
                usage
            }));
        }
        let factor = self.unit("ms", node.span)?.from(measure);
        let ms = factor.and_then(|factor| match factor.apply(Number::Exact(*number))? {
            Number::Exact(ms) => u64::try_from(ms.mantissa_at(0)?).ok(),
            Number::Float(_) => None,
        });
        match ms {
            Some(ms) if WINDOW_MS.contains(&ms) => Ok(ms),
            _ => Err(self.mistake(node.span, format!("a window of {spelled} is not from 1 s to 7 d"))),
        }
    }

    /// The type of a figure of a window, if the point can have it.
    fn figure_type(
        &self,
        figure: Figure,
        input: usize,
        function: Function,
        span: Span,
    ) -> Result<Ty, Mistake> {
        let Some(facts) = self.inputs.get(input).map(|input| &input.facts) else { return Ok(Ty::Unknown) };
        let one = Ty::Number(Measure::ONE);
        let measure = Measure::of(facts.unit);
        let refused =
            |why: &str| Err(self.mistake(span, format!("{} of {why} means nothing", function.word())));
        match (figure, facts.kind) {
            (Figure::Count | Figure::Coverage, _)
            | (Figure::Avg | Figure::Increase | Figure::Sum, ValueKind::Bool) => Ok(one),
            (Figure::Changed, _) => Ok(Ty::Bool),
            (_, ValueKind::Text) => refused("a text"),
            (_, ValueKind::Bool) => refused("a contact"),
            (Figure::Sum | Figure::Increase, _) if measure.is_on_scale() => {
                refused("a value whose zero is a convention")
            }
            (Figure::Rate, _) => {
                let per_second = measure.difference().over(self.unit("s", span)?);
                Ok(Ty::Number(per_second.unwrap_or(Measure::ONE)))
            }
            _ => Ok(Ty::Number(measure)),
        }
    }
}
