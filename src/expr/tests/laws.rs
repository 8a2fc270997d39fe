//! Laws: what is printed reads back; evaluation is what a naive model says; Kleene's tables; what
//! is refused was too dear.

use super::super::function::Function;
use super::super::mistake::Span;
use super::super::tree::{Kind, Node, Power, Relation, Sign};
use super::super::{COST_STEPS_MAX, Datum, Tree};
use super::plant::Plant;
use crate::point::{Decimal, Quality};
use proptest::prelude::*;

fn node(kind: Kind) -> Node {
    Node { kind, span: Span::default() }
}

/// The points of the generated expressions: numbers, some Bad and some Uncertain, and contacts.
fn plant() -> Plant {
    Plant::of(
        "| n/a | 1 | 1 s | 7 | 0 s |
         | n/b | 1 float | 1 s | -2.5 | 0 s |
         | n/zero | 1 | 1 s | 0 | 0 s |
         | n/bad | 1 | 1 s | bad:timeout | 0 s |
         | n/old | 1 | 1 s | 3 uncertain:stale | 0 s |
         | c/yes | on/off | 1 s | true | 0 s |
         | c/no | on/off | 1 s | false | 0 s |
         | c/bad | on/off | 1 s | bad:sensor_failure | 0 s |
         | c/old | on/off | 1 s | true uncertain:stale | 0 s |",
    )
}

fn point(address: &str) -> Node {
    node(Kind::Point(address.parse().unwrap()))
}

fn number() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        4 => (-9_i64..=9, -1_i8..=0).prop_map(|(mantissa, exponent)| {
            node(Kind::Number(Decimal::new(mantissa, exponent).unwrap(), None))
        }),
        4 => prop::sample::select(vec!["n/a", "n/b", "n/zero", "n/bad", "n/old"]).prop_map(point),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let sign = prop_oneof![Just(Sign::Plus), Just(Sign::Minus)];
        let power = prop_oneof![Just(Power::Times), Just(Power::Over)];
        let several = |function| {
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(move |parts| node(Kind::Call(function, parts)))
        };
        prop_oneof![
            (inner.clone(), prop::collection::vec((sign, inner.clone()), 1..3))
                .prop_map(|(first, rest)| node(Kind::Sum(Box::new(first), rest))),
            (inner.clone(), prop::collection::vec((power, inner.clone()), 1..3))
                .prop_map(|(first, rest)| node(Kind::Product(Box::new(first), rest))),
            inner.clone().prop_map(negated),
            inner.clone().prop_map(|part| node(Kind::Call(Function::Abs, vec![part]))),
            several(Function::Least),
            several(Function::Greatest),
            several(Function::Mean),
            several(Function::Otherwise),
        ]
    })
}

/// A minus before a number belongs to the number.
fn negated(part: Node) -> Node {
    match part.kind {
        Kind::Number(number, unit) => node(Kind::Number(Decimal::ZERO.checked_sub(number).unwrap(), unit)),
        _ => node(Kind::Negative(Box::new(part))),
    }
}

fn condition() -> impl Strategy<Value = Node> {
    let relation = prop::sample::select(vec![
        Relation::Equal,
        Relation::NotEqual,
        Relation::Less,
        Relation::LessOrEqual,
        Relation::Greater,
        Relation::GreaterOrEqual,
    ]);
    let leaf = prop_oneof![
        Just(node(Kind::Bool(true))),
        Just(node(Kind::Bool(false))),
        Just(node(Kind::Unknown)),
        prop::sample::select(vec!["c/yes", "c/no", "c/bad", "c/old"]).prop_map(point),
        (relation, number(), number()).prop_map(|(relation, a, b)| node(Kind::Compare(
            relation,
            Box::new(a),
            Box::new(b)
        ))),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let several = || prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            several().prop_map(|parts| node(Kind::All(parts))),
            several().prop_map(|parts| node(Kind::Any(parts))),
            inner.clone().prop_map(|part| node(Kind::Not(Box::new(part)))),
            inner.clone().prop_map(|part| node(Kind::Call(Function::Known, vec![part]))),
            (1_i64..=2, several()).prop_map(|(wanted, mut parts)| {
                parts.insert(0, node(Kind::Number(Decimal::from_int(wanted), None)));
                node(Kind::Call(Function::AtLeast, parts))
            }),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| node(Kind::Call(Function::If, vec![a, b, c]))),
        ]
    })
}

/// The model: everything a float, unknown is none, written as one thinks it.
mod model {
    use super::*;

    fn leaf(address: &str) -> Option<f64> {
        match address {
            "n/a" => Some(7.0),
            "n/b" => Some(-2.5),
            "n/old" => Some(3.0),
            "c/yes" | "c/old" => Some(1.0),
            "n/zero" | "c/no" => Some(0.0),
            _ => None,
        }
    }

    pub(super) fn of(node: &Node) -> Option<f64> {
        let truth = |on: bool| Some(f64::from(u8::from(on)));
        match &node.kind {
            Kind::Number(number, _) => Some(number.to_f64()),
            Kind::Bool(on) => truth(*on),
            Kind::Point(address) => leaf(&address.to_string()),
            Kind::Negative(inner) => of(inner).map(|x| -x),
            Kind::Not(inner) => of(inner).map(|x| 1.0 - x),
            Kind::Sum(first, rest) => rest.iter().fold(of(first), |sum, (sign, term)| {
                let term = of(term)?;
                sum.map(|sum| if *sign == Sign::Plus { sum + term } else { sum - term })
            }),
            Kind::Product(first, rest) => rest.iter().fold(of(first), |product, (power, factor)| {
                let factor = of(factor)?;
                let product = product?;
                let product = if *power == Power::Times { product * factor } else { product / factor };
                product.is_finite().then_some(product)
            }),
            Kind::Compare(relation, a, b) => truth(relation.holds(of(a)?.partial_cmp(&of(b)?)?)),
            Kind::All(parts) => least_known(parts.iter().map(of)),
            Kind::Any(parts) => {
                least_known(parts.iter().map(|part| of(part).map(|x| 1.0 - x))).map(|x| 1.0 - x)
            }
            Kind::Call(function, parts) => call(*function, parts),
            Kind::Unknown | Kind::Text(_) => None,
        }
    }

    /// `and`: false if one is; else unknown if one is.
    fn least_known(mut parts: impl Iterator<Item = Option<f64>> + Clone) -> Option<f64> {
        if parts.clone().any(|part| part == Some(0.0)) {
            return Some(0.0);
        }
        parts.all(|part| part.is_some()).then_some(1.0)
    }

    fn call(function: Function, parts: &[Node]) -> Option<f64> {
        let values = || parts.iter().map(of);
        let known = || values().collect::<Option<Vec<f64>>>();
        match function {
            Function::Abs => Some(of(&parts[0])?.abs()),
            Function::Least => known()?.into_iter().reduce(f64::min),
            Function::Greatest => known()?.into_iter().reduce(f64::max),
            Function::Mean => {
                Some(known()?.iter().sum::<f64>() / f64::from(u8::try_from(parts.len()).unwrap()))
            }
            Function::Otherwise => values().flatten().next(),
            Function::Known => Some(f64::from(u8::from(of(&parts[0]).is_some()))),
            Function::If => of(if of(&parts[0])? > 0.5 { &parts[1] } else { &parts[2] }),
            Function::AtLeast => {
                let wanted = of(&parts[0])?;
                let count = |value: Option<f64>| {
                    f64::from(
                        u8::try_from(parts[1..].iter().filter(|part| of(part) == value).count()).unwrap(),
                    )
                };
                if count(Some(1.0)) >= wanted {
                    Some(1.0)
                } else if count(Some(1.0)) + count(None) < wanted {
                    Some(0.0)
                } else {
                    None
                }
            }
            _ => None,
        }
    }
}

/// Whether the two sides of a comparison are so near that rounding decides, in any part.
fn is_close_call(node: &Node) -> bool {
    match &node.kind {
        Kind::Compare(_, a, b) => match (model::of(a), model::of(b)) {
            (Some(a), Some(b)) => {
                let near = (a - b).abs() < 1e-9 * (1.0 + a.abs() + b.abs());
                near && (a.fract() != 0.0 || b.fract() != 0.0)
            }
            _ => false,
        },
        Kind::Not(inner) => is_close_call(inner),
        Kind::All(parts) | Kind::Any(parts) | Kind::Call(_, parts) => parts.iter().any(is_close_call),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_is_printed_reads_back(tree in prop_oneof![number(), condition()]) {
        let text = tree.to_string();
        // A thing this long is refused by its length, and that is tested elsewhere.
        prop_assume!(text.len() <= super::super::SOURCE_BYTES_MAX);
        let read = Tree::parse(&text);
        prop_assert!(read.is_ok(), "{}: {:?}", text, read);
        prop_assert_eq!(&read.as_ref().unwrap().root, &tree, "{}", text);
        prop_assert_eq!(read.unwrap().to_string(), text);
    }

    #[test]
    fn numbers_are_what_the_model_says(tree in number()) {
        let (text, plant) = (tree.to_string(), plant());
        prop_assume!(text.len() <= super::super::SOURCE_BYTES_MAX);
        let formula = plant.formula(&text).unwrap();
        let got = plant.outcome(&formula).value.map(|value| match value {
            Datum::Number(number) => number.to_f64(),
            other => panic!("{other:?}"),
        });
        let wanted = model::of(&tree);
        // Where decimals cancel exactly and floats do not, the model divides by almost nothing.
        let near_zero = |x: f64| x.abs() > 1e12;
        prop_assume!(!wanted.is_some_and(near_zero) && !got.is_some_and(near_zero));
        match (got, wanted) {
            (Some(got), Some(wanted)) => {
                prop_assert!((got - wanted).abs() <= 1e-6 * (1.0 + wanted.abs()), "{}: {} {}", text, got, wanted);
            }
            (got, wanted) => prop_assert_eq!(got, wanted, "{}", text),
        }
    }

    #[test]
    fn conditions_are_what_the_model_says(tree in condition()) {
        let (text, plant) = (tree.to_string(), plant());
        prop_assume!(text.len() <= super::super::SOURCE_BYTES_MAX && !is_close_call(&tree));
        let formula = match plant.formula(&text) {
            Ok(formula) => formula,
            // The word alone, or all of an `if`, says nothing.
            Err(mistake) => {
                prop_assert!(mistake.what.contains("not something an expression can say"), "{}: {}", text, mistake);
                return Ok(());
            }
        };
        let outcome = plant.outcome(&formula);
        let wanted = model::of(&tree).map(|truth| Datum::Bool(truth > 0.5));
        prop_assert_eq!(outcome.value, wanted, "{}", text);
        prop_assert_eq!(outcome.value.is_none(), matches!(outcome.quality, Quality::Bad(_)));
        prop_assert!(formula.cost().steps() <= COST_STEPS_MAX);
        // An unknown says why.
        let why = formula.explain(outcome.decided, super::plant::NOW, &plant);
        prop_assert!(outcome.value.is_some() || !why.is_empty(), "{}", text);
    }
}

/// Kleene's tables and his laws, over all there is.
#[test]
fn the_three_truths_are_kleenes() {
    let plant = plant();
    let words = ["true", "false", "unknown"];
    let says = |text: &str| plant.says(text).split(',').next().unwrap().to_owned();
    let and = [["true", "false", "unknown"], ["false", "false", "false"], ["unknown", "false", "unknown"]];
    let or = [["true", "true", "true"], ["true", "false", "unknown"], ["true", "unknown", "unknown"]];
    for (a, (ands, ors)) in words.iter().zip(and.iter().zip(&or)) {
        for (b, (both, either)) in words.iter().zip(ands.iter().zip(ors)) {
            assert_eq!(says(&format!("{a} and {b}")), *both);
            assert_eq!(says(&format!("{a} or {b}")), *either);
            assert_eq!(says(&format!("{a} && {b}")), *both);
            assert_eq!(says(&format!("{a} || {b}")), *either);
            // De Morgan, and the functions that say the same.
            assert_eq!(says(&format!("not (not {a} or not {b})")), *both);
            assert_eq!(says(&format!("atleast(2, {a}, {b})")), *both);
            assert_eq!(says(&format!("atleast(1, {a}, {b})")), *either);
            for c in words {
                assert_eq!(
                    says(&format!("{a} and ({b} or {c})")),
                    says(&format!("{a} and {b} or {a} and {c}"))
                );
                assert_eq!(says(&format!("({a} and {b}) and {c}")), says(&format!("{a} and ({b} and {c})")));
            }
        }
        assert_eq!(says(&format!("not not {a} and true")), *a);
    }
}

/// Two out of three with each operand true, false or unknown, against counting.
#[test]
fn k_of_n_counts_what_is_and_what_might_be() {
    let plant = plant();
    let words = ["true", "false", "c/bad"];
    for k in 1..=3 {
        for n in 0..27 {
            let parts = [words[n % 3], words[n / 3 % 3], words[n / 9]];
            let count = |word| parts.iter().filter(|part| **part == word).count();
            let wanted = match (count("true"), count("c/bad")) {
                (trues, _) if trues >= k => "true",
                (trues, unknown) if trues + unknown < k => "false",
                _ => "unknown, bad:sensor_failure",
            };
            let text = format!("atleast({k}, {})", parts.join(", "));
            assert_eq!(plant.says(&text), wanted, "{text}");
        }
    }
}
