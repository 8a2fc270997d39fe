//! A checked expression: what it reads, what it costs, and the code that is evaluated.

use super::air;
use super::function::Function;
use super::measure::{Factor, Measure};
use super::mistake::{Mistake, Span};
use super::number::Number;
use super::tree::{Power, Relation, Sign};
use crate::point::{Address, Names, PointId, Quality, Severity, Unit, ValueKind};

/// What is known of a point before it has a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its number.
    pub point: PointId,
    /// Kind of its values.
    pub kind: ValueKind,
    /// Their unit.
    pub unit: Unit,
    /// What its numbers mean, if they are states; of a flag 0 and 1.
    pub states: Vec<State>,
    /// How often it is read, milliseconds; none if its source decides.
    pub interval_ms: Option<u64>,
}

/// A state a number stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The number.
    pub value: i64,
    /// Its name.
    pub names: Names,
}

/// The points there are, for the check.
pub trait Points {
    /// What is known of a point; none if there is no such point.
    fn find(&self, address: &Address) -> Option<Facts>;

    /// Every address, to name the one that was meant.
    fn addresses(&self) -> Vec<Address>;
}

/// What an expression says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A condition, as an alarm rule needs it.
    Condition,
    /// A number of this measure.
    Number(Measure),
    /// A word.
    Text,
}

/// A point an expression reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its name.
    pub address: Address,
    /// What is known of it.
    pub facts: Facts,
}

/// A stretch of a point's past an expression needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowNeed {
    /// Of which point: its place in [`Formula::inputs`].
    pub input: usize,
    /// How long, milliseconds.
    pub length_ms: u64,
    /// How many readings that will be, from the interval of the point.
    pub readings: u64,
}

/// What one evaluation may cost at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Parts that are visited, each once.
    pub parts: u64,
    /// Readings that its windows hold.
    pub readings: u64,
}

impl Cost {
    /// In steps.
    pub fn steps(self) -> u64 {
        self.parts.saturating_add(self.readings)
    }
}

/// A checked expression, ready to be evaluated.
#[derive(Clone, Debug)]
pub struct Formula {
    pub(super) source: String,
    pub(super) code: Code,
    pub(super) says: Type,
    pub(super) inputs: Vec<Input>,
    pub(super) windows: Vec<WindowNeed>,
    pub(super) sites: Vec<Site>,
    pub(super) cost: Cost,
    pub(super) moves_with_time: bool,
}

impl Formula {
    /// The text it was made of.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What it says.
    pub fn says(&self) -> Type {
        self.says
    }

    /// The points it reads, each once, in the order of the text.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// The windows it needs, each once.
    pub fn windows(&self) -> &[WindowNeed] {
        &self.windows
    }

    /// What one evaluation may cost.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// Whether its value may change though no new reading comes: it asks for an age or a window.
    pub fn moves_with_time(&self) -> bool {
        self.moves_with_time
    }

    /// The same in a unit, for a derived point.
    pub fn in_unit(self, unit: Unit) -> Result<Formula, Mistake> {
        let wanted = Measure::of(unit);
        let whole = Span { start: 0, end: self.source.len() };
        let Type::Number(measure) = self.says else {
            return Err(Mistake::at(&self.source, whole, format!("is no number, and {unit} is wanted")));
        };
        let Some(factor) = wanted.from(measure) else {
            return Err(Mistake::at(&self.source, whole, format!("is in {measure}, and {unit} is wanted")));
        };
        let mut formula = self;
        let site = formula.sites.len();
        formula.sites.push(Site::Overflow(whole));
        let code = std::mem::replace(&mut formula.code, Code::Bool(false));
        formula.code = Code::Convert(Box::new(code), factor, site);
        formula.says = Type::Number(wanted);
        formula.cost.parts += 1;
        Ok(formula)
    }
}

/// Where the truth of a value can be decided or lost: its number is a bit of
/// [`super::Decided`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Site {
    /// A reading of an input.
    Reading(usize),
    /// A window.
    Window(usize),
    /// A divisor that may be zero.
    Division(Span),
    /// A root that may not be there, air that cannot be.
    Domain(Span),
    /// A number that may become too large.
    Overflow(Span),
    /// The word `unknown`.
    Written(Span),
}

/// What a window function asks a window for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Figure {
    Avg,
    Min,
    Max,
    Sum,
    Increase,
    Rate,
    Count,
    Changed,
    Coverage,
}

impl Figure {
    pub(super) fn of(function: Function) -> Option<Figure> {
        Some(match function {
            Function::Avg => Figure::Avg,
            Function::Min => Figure::Min,
            Function::Max => Figure::Max,
            Function::Sum => Figure::Sum,
            Function::Increase => Figure::Increase,
            Function::Rate => Figure::Rate,
            Function::Count => Figure::Count,
            Function::Changed => Figure::Changed,
            Function::Coverage => Figure::Coverage,
            _ => return None,
        })
    }
}

/// The most that sites can be told apart: the bits of a word.
pub(super) const SITES_MAX: usize = 127;

/// Which figure of moist air.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AirFigure {
    DewPoint,
    WetBulb,
    HumidityRatio,
    AbsoluteHumidity,
    Enthalpy,
}

impl AirFigure {
    /// The unit in which [`AirFigure::compute`] answers.
    pub(super) fn unit(self) -> &'static str {
        match self {
            AirFigure::DewPoint | AirFigure::WetBulb => "Cel",
            AirFigure::HumidityRatio => "g/kg",
            AirFigure::AbsoluteHumidity => "mg/l",
            AirFigure::Enthalpy => "kJ/kg",
        }
    }

    /// From Cel, a fraction and Pa; none for air that cannot be.
    pub(super) fn compute(self, temperature: f64, humidity: f64, pressure: Option<f64>) -> Option<f64> {
        let air = air::Air::new(temperature, humidity, pressure.unwrap_or(air::STANDARD_PRESSURE))?;
        match self {
            AirFigure::DewPoint => air.dew_point(),
            AirFigure::WetBulb => air.wet_bulb(),
            AirFigure::HumidityRatio => Some(air.humidity_ratio() * 1_000.0),
            AirFigure::AbsoluteHumidity => Some(air.absolute_humidity() * 1_000.0),
            AirFigure::Enthalpy => Some(air.enthalpy()),
        }
    }
}

/// What is evaluated. Every conversion is in it; a `usize` behind a comment is a place in
/// `inputs`, `windows` or `sites`.
#[derive(Clone, Debug)]
pub(super) enum Code {
    Number(Number),
    Bool(bool),
    Text(String),
    Unknown(/* site */ usize),
    Read(/* input */ usize),
    Quality(/* input */ usize, Quality),
    Severity(/* input */ usize, Severity),
    Age(/* input */ usize),
    Window(/* window */ usize, Figure),
    Convert(Box<Code>, Factor, /* site */ usize),
    Negative(Box<Code>),
    Not(Box<Code>),
    All(Vec<Code>),
    Any(Vec<Code>),
    AtLeast(usize, Vec<Code>),
    Sum(Vec<(Sign, Code)>, /* site */ usize),
    Product(Vec<(Power, Code)>, /* sites of overflow, division */ usize, usize),
    Compare(Relation, Box<Code>, Box<Code>),
    /// Equality of conditions or texts.
    Same(Box<Code>, Box<Code>),
    If(Box<[Code; 3]>),
    Otherwise(Vec<Code>),
    Known(Box<Code>),
    Abs(Box<Code>),
    Sqrt(Box<Code>, /* site */ usize),
    /// The one that compares like this with the others.
    Extreme(std::cmp::Ordering, Vec<Code>),
    Mean(Vec<Code>, /* site */ usize),
    Air(AirFigure, Vec<Code>, /* site */ usize),
}
