//! The named functions: one table gives names, operands and their words.

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $least:literal ..= $most:expr, $usage:literal;)*) => {
        /// A function of the language.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Function { $($(#[$doc])* $name,)* }

        impl Function {
            /// All of them, in the order of the manual.
            pub const ALL: &'static [Function] = &[$(Function::$name,)*];

            /// How it is written.
            pub fn word(self) -> &'static str {
                match self { $(Function::$name => $word,)* }
            }

            /// How many operands it takes.
            pub(super) fn arity(self) -> std::ops::RangeInclusive<usize> {
                match self { $(Function::$name => $least..=$most,)* }
            }

            /// How it is used, for messages.
            pub(super) fn usage(self) -> &'static str {
                match self { $(Function::$name => $usage,)* }
            }
        }
    };
}

/// Most operands of a function.
pub(super) const OPERANDS_MAX: usize = 64;

functions! {
    /// The second operand if the first is true, the third if it is false.
    If = "if", 3..=3, "if(condition, then, else)";
    /// The first operand that is known.
    Otherwise = "otherwise", 2..=OPERANDS_MAX, "otherwise(value, instead)";
    /// Whether the operand is known.
    Known = "known", 1..=1, "known(value)";
    /// Whether at least so many of the conditions are true.
    AtLeast = "atleast", 2..=OPERANDS_MAX, "atleast(2, a, b, c)";
    /// Whether the newest reading of a point is Good.
    Good = "good", 1..=1, "good(asset/quantity)";
    /// Whether it is Uncertain.
    Uncertain = "uncertain", 1..=1, "uncertain(asset/quantity)";
    /// Whether it is Bad or not there.
    Bad = "bad", 1..=1, "bad(asset/quantity)";
    /// The quality itself, to compare with a text.
    Quality = "quality", 1..=1, "quality(asset/quantity) == \"bad:timeout\"";
    /// How old the newest reading is.
    Age = "age", 1..=1, "age(asset/quantity)";
    /// The mean over a window, weighted by time.
    Avg = "avg", 2..=2, "avg(asset/quantity, 10 min)";
    /// The least value in a window.
    Min = "min", 2..=2, "min(asset/quantity, 10 min)";
    /// The greatest value in a window.
    Max = "max", 2..=2, "max(asset/quantity, 10 min)";
    /// The sum of the readings of a window.
    Sum = "sum", 2..=2, "sum(asset/quantity, 10 min)";
    /// What a counter grew by in a window.
    Increase = "increase", 2..=2, "increase(asset/quantity, 1 h)";
    /// How many readings with a value a window has.
    Count = "count", 2..=2, "count(asset/quantity, 10 min)";
    /// How fast a value moved over a window.
    Rate = "rate", 2..=2, "rate(asset/quantity, 1 h)";
    /// Whether the value changed in a window.
    Changed = "changed", 2..=2, "changed(asset/quantity, 10 min)";
    /// Which part of a window has a value.
    Coverage = "coverage", 2..=2, "coverage(asset/quantity, 10 min)";
    /// Without the sign.
    Abs = "abs", 1..=1, "abs(value)";
    /// The square root.
    Sqrt = "sqrt", 1..=1, "sqrt(value)";
    /// The least of several values.
    Least = "least", 2..=OPERANDS_MAX, "least(a, b)";
    /// The greatest of several values.
    Greatest = "greatest", 2..=OPERANDS_MAX, "greatest(a, b)";
    /// The mean of several values.
    Mean = "mean", 2..=OPERANDS_MAX, "mean(a, b)";
    /// The bare number of units.
    Number = "number", 2..=2, "number(value, \"kW\")";
    /// A bare number as so many units.
    Quantity = "quantity", 2..=2, "quantity(n, \"kW\")";
    /// Dew point of moist air, below 0 Cel frost point.
    DewPoint = "dew_point", 2..=2, "dew_point(temperature, humidity)";
    /// Thermodynamic wet-bulb temperature of moist air.
    WetBulb = "wet_bulb", 2..=3, "wet_bulb(temperature, humidity, pressure)";
    /// Water per dry air, by mass.
    HumidityRatio = "humidity_ratio", 2..=3, "humidity_ratio(temperature, humidity, pressure)";
    /// Water per volume.
    AbsoluteHumidity = "absolute_humidity", 2..=2, "absolute_humidity(temperature, humidity)";
    /// Enthalpy of moist air per dry air.
    Enthalpy = "enthalpy", 2..=3, "enthalpy(temperature, humidity, pressure)";
}

impl Function {
    /// The function of a word.
    pub(super) fn named(word: &str) -> Option<Function> {
        Function::ALL.iter().copied().find(|function| function.word() == word)
    }
}
