//! Every operator and function, every message, in tables.

use super::super::{COST_STEPS_MAX, DEPTH_MAX, SOURCE_BYTES_MAX, Tree};
use super::plant::{NOW, Plant};

fn plant() -> Plant {
    Plant::of(
        "| o2/pressure | MPa{gauge} | 10 s | 0.41, 0.40, 0.36, 0.33 | 4 s |
         | o2/spare | bar{gauge} | 10 s | 3.9 | 4 s |
         | o2/absolute | kPa{absolute} | 10 s | 512 | 4 s |
         | meter/power | kW | 1 min | 40, 50, 60, 70 | 0 s |
         | meter/reactive | kvar | 1 min | 30 | 0 s |
         | meter/energy | kW.h | 10 min | 999980, 999990, 10, 20, 30, 40, 50 | 0 s |
         | chw/flow | m3/h | 1 min | 100 | 0 s |
         | chw/supply | Cel float | 1 min | 7.0 | 0 s |
         | chw/return | Cel | 1 min | 12.5 | 0 s |
         | room/temperature | Cel | 1 min | 25 | 0 s |
         | room/humidity | % | 1 min | 80 | 0 s |
         | pump/runs | on/off | 1 min | false, true, true, false, true | 0 s |
         | pump/mode | states 0 停止/stopped, 1 运行/running, 2 故障/fault | 1 min | running | 0 s |
         | lift/word | text | 1 min | closing | 0 s |
         | dead/pressure | kPa{gauge} | 10 s | 300, bad:timeout | 12 s |
         | dead/contact | on/off | 10 s | bad:sensor_failure | 12 s |
         | new/pressure | kPa{gauge} | 10 s | | 0 s |
         | old/level | % | 1 min | 50 uncertain:stale | 300 s |
         | 3f/flow | l/min | 1 min | 12 | 0 s |
         | plain/x | 1 | 1 s | 0.1 | 0 s |",
    )
}

fn all_say(cases: &[(&str, &str)]) {
    let plant = plant();
    let said = cases.iter().map(|(text, _)| format!("{text} => {}", plant.says(text)));
    let wanted = cases.iter().map(|(text, says)| format!("{text} => {says}"));
    let wrong: Vec<String> =
        said.zip(wanted).filter(|(a, b)| a != b).map(|(a, b)| format!("{a}\nnot\n{b}")).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
}

#[test]
fn numbers_and_their_units() {
    all_say(&[
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("10 - 2 - 3", "5"),
        ("24 / 4 / 2", "3"),
        ("-2 * -3", "6"),
        ("2 - -3", "5"),
        ("-(2 + 3)", "-5"),
        ("0.1 + 0.2 == 0.3", "true"),
        ("plain/x + 0.2 == 0.3", "true"),
        ("1e3 + 2.5E-1", "1000.25"),
        ("1 MPa{gauge} > 9.9 bar{gauge}", "true"),
        ("o2/pressure < 0.34 MPa{gauge}", "true"),
        ("o2/pressure == 330 kPa{gauge}", "true"),
        ("o2/spare - o2/pressure", "0.60 bar{difference}"),
        ("meter/power + 500 W", "70.500 kW"),
        ("chw/return - chw/supply", "5.5 K"),
        ("chw/supply + 2 K", "9 Cel"),
        ("2 K + chw/supply", "9 Cel"),
        ("0.85 * 400 kPa{gauge}", "340.00 kPa{gauge}"),
        ("meter/power * 30 min", "2100 of a multiple of W.h"),
        ("meter/power * 30 min == 35 kW.h", "true"),
        ("sqrt(meter/power * meter/power + meter/reactive * meter/reactive) < 77 kV.A", "true"),
        ("chw/flow * (chw/return - chw/supply) * 4.186 MJ / (1 m3 * 1 K) / meter/power > 9.1", "true"),
        ("`3f/flow` / 2", "6 l/min"),
        ("meter/power / 7 kW", "10 of a ratio"),
        ("meter/power / 100 kW > 69 %", "true"),
        ("room/humidity / 2", "40 %"),
        ("abs(-3 kW)", "3 kW"),
        ("abs(3 kW)", "3 kW"),
        ("sqrt(2.25)", "1.5"),
        ("least(2 kW, 1500 W, 1 MW)", "1.500 kW"),
        ("greatest(meter/power, 1 kW)", "70 kW"),
        ("mean(chw/supply, chw/return)", "9.75 Cel"),
        ("number(o2/pressure, \"kPa{gauge}\") + 1", "331.00"),
        ("1.8 * number(room/temperature, \"Cel\") + 32", "77.0"),
        ("quantity(2 * 3, \"kW\") + 1 kW", "7 kW"),
        ("quantity(40 %, \"1\")", "0.40"),
        (
            "5 kW/h",
            "column 6: h is no word of the language; a point is written asset/quantity, a text in \"quotes\"",
        ),
        ("10/min(meter/power, 1 min) < 1 / 1 kW", "true"),
        ("0.2 /min < 1 Hz and 0.2/min(meter/power, 1 min) > 0 / 1 kW", "true"),
        ("meter/power / 7 kW == 10 and 10 == meter/power / 7 kW", "true"),
        ("otherwise(meter/power / 7 kW, 1)", "10"),
    ]);
}

#[test]
fn conditions() {
    all_say(&[
        ("true and not false", "true"),
        ("true || false && false", "true"),
        ("(true || false) && false", "false"),
        ("!(1 > 2)", "true"),
        ("not 1 > 2 and true", "true"),
        ("1 < 2 and 2 <= 2 and 3 > 2 and 2 >= 2 and 1 == 1 and 1 != 2", "true"),
        ("pump/runs", "true"),
        ("pump/runs == (1 < 2)", "true"),
        ("pump/runs != pump/runs", "false"),
        ("if(pump/runs, 3 kW, 2 W)", "3 kW"),
        ("if(not pump/runs, 3 kW, 2 W)", "0.002 kW"),
        ("atleast(2, 1 > 2, 2 > 1, pump/runs)", "true"),
        // cel-spec, tests/simple/testdata/logic.textproto: an error is our unknown.
        ("false && 2 / 0 > 3", "false"),
        ("2 / 0 > 3 && false", "false"),
        ("true || 2 / 0 > 3", "true"),
        ("2 / 0 > 3 || true", "true"),
        ("true && 1 / 0 != 0", "unknown, bad:configuration"),
        ("1 / 0 != 0 || false", "unknown, bad:configuration"),
        ("if(2 / 0 > 4, 'baz', 'quux')", "unknown, bad:configuration"),
        ("if(false, 'foo', 'bar')", "\"bar\""),
        ("if(true, 1, 2)", "1"),
    ]);
}

#[test]
fn texts_states_and_qualities() {
    all_say(&[
        ("lift/word", "\"closing\""),
        ("lift/word == \"closing\"", "true"),
        ("'closing' != lift/word", "false"),
        ("\"a\\\"b\" == 'a\"b'", "true"),
        ("pump/mode == \"running\"", "true"),
        ("pump/mode == \"Running\"", "true"),
        ("\"运行\" == pump/mode", "true"),
        ("pump/mode != \"fault\"", "true"),
        ("pump/mode == 1", "true"),
        ("quality(o2/pressure) == \"good\"", "true"),
        ("quality(dead/pressure) == \"bad:timeout\"", "true"),
        ("quality(dead/pressure) != 'bad:stale'", "true"),
        ("good(o2/pressure)", "true"),
        ("good(dead/pressure)", "false"),
        ("bad(dead/pressure)", "true"),
        ("bad(new/pressure)", "true"),
        ("uncertain(old/level)", "true"),
        ("age(old/level) == 5 min", "true"),
        ("age(dead/pressure)", "12.000 s"),
        ("age(new/pressure)", "unknown, bad:initial"),
    ]);
}

#[test]
fn unknown_and_what_becomes_of_it() {
    all_say(&[
        ("dead/pressure", "unknown, bad:timeout"),
        ("dead/pressure > 1 kPa{gauge}", "unknown, bad:timeout"),
        (
            "new/pressure + dead/pressure * 0",
            "column 16: kPa{gauge} cannot be added to kPa{gauge}; the mean is mean(a, b)",
        ),
        ("mean(new/pressure, dead/pressure)", "unknown, bad:initial"),
        ("dead/contact and false", "false"),
        ("dead/contact and true", "unknown, bad:sensor_failure"),
        ("dead/contact or dead/pressure > 1 kPa{gauge}", "unknown, bad:sensor_failure"),
        ("known(dead/pressure)", "false"),
        ("known(o2/pressure)", "true"),
        ("otherwise(dead/pressure, 0.3 MPa{gauge})", "300.0 kPa{gauge}"),
        ("otherwise(dead/contact, pump/runs)", "true"),
        ("otherwise(dead/contact, unknown)", "unknown, bad:sensor_failure"),
        ("if(good(old/level), old/level, unknown)", "unknown, bad:configuration"),
        ("if(dead/contact, 1, 1)", "unknown, bad:sensor_failure"),
        ("old/level > 40 %", "true, uncertain:stale"),
        ("old/level > 40 % or pump/runs", "true, uncertain:stale"),
        ("old/level > 60 % or pump/runs", "true"),
        ("1 / (1 - 1)", "unknown, bad:configuration"),
        ("meter/power / (meter/power - 70 kW)", "unknown, bad:configuration"),
        ("sqrt(0 - 4)", "unknown, bad:configuration"),
        ("9e18 * 9e18 * 9e18 * 1e18 * 1e18 > 1", "true"),
        ("least(1, unknown)", "unknown, bad:configuration"),
        ("unknown + 1 > 2", "unknown, bad:configuration"),
        ("known(unknown)", "false"),
    ]);
}

#[test]
fn windows() {
    all_say(&[
        // 0.41 to -34 s, 0.40 to -24 s, 0.36 to -14 s, 0.33 from -4 s on.
        ("avg(o2/pressure, 24 s)", "0.37167 MPa{gauge}"),
        ("min(o2/pressure, 30 s)", "0.33 MPa{gauge}"),
        ("max(o2/pressure, 30 s)", "0.41 MPa{gauge}"),
        ("max(o2/pressure, 24 s)", "0.40 MPa{gauge}"),
        ("count(o2/pressure, 24 s)", "2"),
        ("rate(o2/pressure, 20 s) * 20 s < -0.06 MPa{difference}", "true"),
        ("changed(o2/pressure, 24 s)", "true"),
        ("changed(meter/power, 1 min)", "true"),
        ("changed(meter/reactive, 10 s)", "unknown, bad:initial"),
        ("coverage(o2/pressure, 68 s) == 50 %", "true"),
        ("avg(o2/pressure, 68 s)", "0.38294 MPa{gauge}, uncertain:initial"),
        ("avg(o2/pressure, 69 s)", "unknown, bad:initial"),
        // The counter began anew once.
        ("increase(meter/energy, 1 h)", "60 kW.h"),
        ("increase(meter/energy, 1 h) / 1 h", "60 of a multiple of W"),
        ("increase(meter/energy, 1 h) / 1 h == 60 kW", "true"),
        ("increase(meter/energy, 30 min)", "30 kW.h"),
        ("increase(pump/runs, 4 min)", "2"),
        ("avg(pump/runs, 4 min)", "0.5"),
        ("avg(pump/runs, 4 min) == 50 %", "true"),
        ("sum(meter/power, 2 min)", "130 kW"),
        ("avg(dead/pressure, 22 s)", "unknown, bad:timeout"),
        ("avg(new/pressure, 22 s)", "unknown, bad:initial"),
        ("count(new/pressure, 22 s)", "unknown, bad:initial"),
        ("changed(lift/word, 1 min)", "unknown, bad:initial"),
        ("rate(chw/return, 1 min) > 1 K / 1 h", "unknown, bad:initial"),
    ]);
}

#[test]
fn moist_air() {
    let plant = plant();
    for (text, wanted, unit) in [
        ("dew_point(room/temperature, room/humidity)", 21.309, "Cel"),
        ("wet_bulb(30 Cel, 67.31 %, 95.461 kPa{absolute})", 25.0, "Cel"),
        ("humidity_ratio(25 Cel, 100 %)", 20.08, "g/kg"),
        ("enthalpy(25 Cel, 100 %)", 76.3, "kJ/kg"),
        ("absolute_humidity(20 Cel, 50 %)", 8.65, "mg/l"),
    ] {
        let formula = plant.formula(text).unwrap().in_unit(unit.parse().unwrap()).unwrap();
        let Some(super::super::Datum::Number(number)) = plant.outcome(&formula).value else {
            panic!("{text}")
        };
        assert!((number.to_f64() - wanted).abs() < 0.05, "{text}: {number}");
    }
    all_say(&[
        ("dew_point(room/temperature, 0 %)", "unknown, bad:configuration"),
        ("wet_bulb(room/temperature, 101 %)", "unknown, bad:configuration"),
        ("dew_point(room/temperature, 80)", "column 29: 80 has no unit beside %; write 80 %"),
        ("dew_point(room/humidity, 80 %)", "column 11: % stands where Cel is wanted"),
        (
            "wet_bulb(25 Cel, 50 %, 100 kPa{gauge})",
            "column 24: kPa{gauge} stands where kPa{absolute} is wanted",
        ),
    ]);
}

#[test]
fn mistakes_of_writing_point() {
    all_say(&[
        ("", "column 1: the expression ends where a value is missing"),
        ("1 +", "column 4: the expression ends where a value is missing"),
        ("1 2", "column 3: 2 stands where an operator is missing"),
        ("(1 + 2", "column 7: the expression ends where the ) to the ( of column 1 is missing"),
        ("least(1, 2", "column 11: the expression ends where the ) to the ( of column 6 is missing"),
        ("1 + )", "column 5: ) stands where a value is missing"),
        ("1 < 2 < 3", "column 7: a comparison has two sides; write a < b and b < c"),
        ("1 = 1", "column 3: a single = compares nothing; write =="),
        ("1 == not true", "column 6: not stands before a whole condition; put it in brackets: (not a)"),
        (".5", "column 1: a number begins with a digit; write 0.5, not .5"),
        ("1e40", "column 1: 1e40 has more digits than a value can have"),
        ("（1）", "column 1: the sign （ is not read; write ("),
        ("o2/pressure ≥ 1", "column 13: the sign ≥ is not read; write >="),
        ("least(1，2)", "column 8: the sign ， is not read; write ,"),
        ("氧/x", "column 1: the character '氧' means nothing here"),
        ("20 ℃", "column 4: no unit has the code \"℃\"; did you mean Cel?"),
        ("20 kw", "column 4: no unit has the code \"kw\"; did you mean kW?"),
        ("20kWh", "column 3: no unit has the code \"kWh\"; did you mean kW.h?"),
        ("20 blorb", "column 4: no unit has the code \"blorb\""),
        (
            "400 kPa",
            "column 5: kPa without what the pressure is measured against; write kPa{gauge}, kPa{absolute} or kPa{difference}",
        ),
        ("400 kPa{abs}", "column 5: no unit has the code \"kPa{abs}\""),
        ("20 kW{gauge}", "column 4: kW is no pressure and takes no {...}"),
        ("'abc", "column 1: the text is not closed with '"),
        ("\"a\\n\"", "column 1: a backslash stands only before a quote or a backslash"),
        ("`a/b", "column 1: the backquote is not closed"),
        ("`A/b`", "column 1: \"A/b\" is no point: a name holds only a-z, 0-9, '_' and '-', not 'A'"),
        ("avrg(o2/pressure, 1 min)", "column 1: avrg is no function of the language; did you mean avg?"),
        ("tru", "column 1: tru is no word of the language; did you mean true?"),
        (
            "pressure > 1",
            "column 1: pressure is no word of the language; a point is written asset/quantity, a text in \"quotes\"",
        ),
        ("Oxygen/pressure > 1", "column 1: Oxygen is no word of the language; a name has small letters only"),
        ("TRUE", "column 1: TRUE is no word of the language; did you mean true?"),
        ("age > 1", "column 1: age is a function and needs its operands; write age(asset/quantity)"),
        ("if(true, 1)", "column 1: if takes 3 operands and has 2; write if(condition, then, else)"),
        (
            "wet_bulb(20 Cel)",
            "column 1: wet_bulb takes 2 or 3 operands and has 1; write wet_bulb(temperature, humidity, pressure)",
        ),
        ("least(1)", "column 1: least takes 2 to 64 operands and has 1; write least(a, b)"),
        (
            "min(1, 2, 3)",
            "column 1: min takes 2 operands and has 3; the least of several values is least(a, b, c)",
        ),
        ("1 + # 2", "column 5: the character '#' means nothing here"),
    ]);
}

#[test]
fn mistakes_of_points_and_units_point() {
    all_say(&[
        ("o2/presure < 1", "column 1: there is no point o2/presure; did you mean o2/pressure?"),
        (
            "meter/power-meter/reactive",
            "column 1: meter/power-meter/reactive is no point; a minus has spaces around it: meter/power - meter/reactive",
        ),
        ("nothing/like-this > 1", "column 1: there is no point nothing/like-this"),
        (
            "meter/power-2 > 1 kW",
            "column 1: there is no point meter/power-2; a minus has spaces around it: meter/power - 2",
        ),
        ("meter/power > 50", "column 15: 50 has no unit beside kW; write 50 kW"),
        ("meter/power + 1 > 50 kW", "column 15: 1 has no unit beside kW; write 1 kW"),
        ("room/humidity > 60", "column 17: 60 has no unit beside %; write 60 %"),
        (
            "meter/power * 1 h > 50",
            "column 21: 50 has no unit beside a multiple of W.h; write the unit behind the number",
        ),
        (
            "o2/pressure > o2/absolute",
            "column 15: kPa{absolute} does not compare with MPa{gauge}; one counts from the atmosphere, the other from vacuum",
        ),
        (
            "o2/pressure > 40 kPa{difference}",
            "column 15: kPa{difference} does not compare with MPa{gauge}; one is a difference, the other a place on a scale",
        ),
        ("o2/pressure > meter/power", "column 15: kW does not compare with MPa{gauge}"),
        ("meter/power > meter/reactive", "column 15: kvar does not compare with kW"),
        ("chw/supply + chw/return", "column 14: Cel cannot be added to Cel; the mean is mean(a, b)"),
        ("chw/supply + meter/power", "column 14: kW cannot be added to Cel"),
        ("1 K - chw/supply", "column 7: Cel cannot be subtracted from K"),
        (
            "2 * chw/supply",
            "column 5: a temperature in Cel has no multiples, because its zero is a convention; take a difference of temperatures, or number(t, \"Cel\")",
        ),
        ("sqrt(meter/power)", "column 6: kW has no root"),
    ]);
}

#[test]
fn mistakes_of_type_point() {
    all_say(&[
        ("pump/runs + 1", "column 1: a condition stands where a number belongs"),
        (
            "meter/power and true",
            "column 1: a number in kW stands where a condition belongs; compare it with something",
        ),
        ("pump/runs < true", "column 1: only numbers are compared with <"),
        ("lift/word == 3", "column 14: a number without unit does not compare with a text"),
        ("if(true, 1, \"x\")", "column 13: a text stands beside a number without unit"),
        (
            "pump/mode == \"runing\"",
            "column 14: \"runing\" is no state of this point; did you mean \"running\"?",
        ),
        (
            "pump/mode == \"x\"",
            "column 14: \"x\" is no state of this point; it has stopped, 停止, running, 运行, fault, 故障",
        ),
        (
            "quality(o2/pressure) == \"poor\"",
            "column 25: \"poor\" is no quality: good, uncertain:REASON or bad:REASON, as in bad:timeout",
        ),
        ("quality(o2/pressure)", "column 1: a quality is not something an expression can say"),
        ("unknown", "column 1: unknown is not something an expression can say"),
        (
            "atleast(4, true, false, true)",
            "column 9: atleast begins with how many of the 3 conditions must be true: 1 to 3",
        ),
        (
            "atleast(0, true, false)",
            "column 9: atleast begins with how many of the 2 conditions must be true: 1 to 2",
        ),
        (
            "age(o2/pressure + o2/spare)",
            "column 5: age asks about a point, not about a value; write age(asset/quantity)",
        ),
    ]);
}

#[test]
fn mistakes_of_functions_point() {
    all_say(&[
        ("min(1, 2)", "column 5: min looks at the past of one point; of several values take least(a, b)"),
        (
            "max(meter/power, o2/pressure)",
            "column 18: the length of a window is a number with its unit of time; of several values take greatest(a, b)",
        ),
        ("avg(meter/power, 10 m)", "column 18: 10 m is no length of time; write 10 min; m is the metre"),
        ("avg(meter/power, 10)", "column 18: 10 is no length of time; write avg(asset/quantity, 10 min)"),
        ("avg(meter/power, 8 d)", "column 18: a window of 8 d is not from 1 s to 7 d"),
        ("avg(meter/power, 10 ms)", "column 18: a window of 10 ms is not from 1 s to 7 d"),
        ("avg(meter/power, 0.0333 s)", "column 18: a window of 0.0333 s is not from 1 s to 7 d"),
        ("sum(room/temperature, 1 h)", "column 5: sum of a value whose zero is a convention means nothing"),
        ("avg(lift/word, 1 h)", "column 5: avg of a text means nothing"),
        ("max(pump/runs, 1 h)", "column 5: max of a contact means nothing"),
        ("number(1 kW, \"kw\")", "column 14: no unit has the code \"kw\"; did you mean kW?"),
        ("number(1 kW, 3)", "column 14: the unit is written as a text; write number(value, \"kW\")"),
        ("quantity(1 kW, \"kW\")", "column 10: kW does not compare with a number without unit"),
        (
            "avg(plain/x, 2 d) > 1",
            "column 1: its windows hold 172802 readings, more than 100000 steps allow; take shorter windows, or points that are read less often",
        ),
    ]);
}

#[test]
fn the_text_has_its_limits() {
    let plant = plant();
    let sum = |terms: usize| vec!["1"; terms].join(" + ");
    assert!(plant.formula(&sum(500)).is_ok());
    let long = format!("{}{}", sum(500), " ".repeat(SOURCE_BYTES_MAX));
    assert_eq!(
        plant.says(&long),
        "column 2049: 4045 bytes, more than the 2048 an expression may have; make a derived point of a part of it"
    );
    let nested = |depth: usize| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(plant.says(&nested(DEPTH_MAX)), "1");
    assert!(plant.says(&nested(DEPTH_MAX + 1)).contains("nested deeper than 32 levels"));
    for opened in ["(", "-", "not ", "abs(", "-(", "!"] {
        assert!(plant.says(&opened.repeat(400)).contains("nested deeper"), "{opened}");
    }
    let sites = vec!["(1 + 1) * 1"; 64].join(" + ");
    assert!(plant.says(&sites).contains("more than the 127"), "{}", plant.says(&sites));
}

#[test]
fn a_formula_lists_what_it_reads_and_costs() {
    let plant = plant();
    let formula = plant
        .formula("avg(o2/pressure, 10 min) < o2/pressure and avg(o2/pressure, 600 s) > 1 bar{gauge} or good(pump/runs)")
        .unwrap();
    let inputs: Vec<String> = formula.inputs().iter().map(|input| input.address.to_string()).collect();
    assert_eq!(inputs, ["o2/pressure", "pump/runs"]);
    // One window, however it is spelt: 60 readings at 10 s, one before and one early.
    let windows: Vec<_> = formula.windows().iter().map(|w| (w.input, w.length_ms, w.readings)).collect();
    assert_eq!(windows, [(0, 600_000, 62)]);
    assert_eq!(formula.cost().readings, 62);
    assert!(formula.cost().steps() <= COST_STEPS_MAX);
    assert!(formula.moves_with_time());
    assert!(!plant.formula("o2/pressure > 1 bar{gauge}").unwrap().moves_with_time());
    assert!(plant.formula("age(o2/pressure) > 1 min").unwrap().moves_with_time());
}

#[test]
fn a_derived_point_has_its_unit() {
    let plant = plant();
    let heat = || plant.formula("chw/flow * (chw/return - chw/supply) * 4.186 MJ / (1 m3 * 1 K)").unwrap();
    let formula = heat().in_unit("kW".parse().unwrap()).unwrap();
    let Some(super::super::Datum::Number(kw)) = plant.outcome(&formula).value else { panic!() };
    assert!((kw.to_f64() - 100.0 * 5.5 * 4_186.0 / 3_600.0).abs() < 1e-9, "{kw}");
    let wrong = heat().in_unit("Cel".parse().unwrap()).unwrap_err();
    assert_eq!(wrong.to_string(), "column 1: is in a multiple of W, and Cel is wanted");
    let wrong = plant.formula("pump/runs").unwrap().in_unit("kW".parse().unwrap()).unwrap_err();
    assert_eq!(wrong.to_string(), "column 1: is no number, and kW is wanted");
}

#[test]
fn an_outcome_says_what_decided_it() {
    let plant = plant();
    let why = |text: &str| -> Vec<(String, String)> {
        let formula = plant.formula(text).unwrap();
        let outcome = plant.outcome(&formula);
        let names = formula.explain(outcome.decided, NOW, &plant);
        names.into_iter().map(|names| (names.en, names.zh)).collect()
    };
    let pair = |en: &str, zh: &str| (en.to_owned(), zh.to_owned());
    // False because of one operand: the other has no part in it.
    assert_eq!(
        why("o2/pressure > 0.34 MPa{gauge} and pump/runs"),
        [pair("o2/pressure: 0.33 MPa (good, 4 s ago)", "o2/pressure:0.33 MPa(良好,4 秒前)")]
    );
    assert_eq!(
        why("pump/runs and dead/pressure > 1 kPa{gauge}"),
        [pair("dead/pressure: - (bad:timeout, 12 s ago)", "dead/pressure:-(无效:超时,12 秒前)")]
    );
    assert_eq!(
        why("pump/mode == \"fault\" or new/pressure > 1 kPa{gauge}"),
        [pair("new/pressure: no reading yet", "new/pressure:尚无读数")]
    );
    assert_eq!(
        why("pump/mode == \"running\""),
        [pair("pump/mode: running (good, 0 s ago)", "pump/mode:运行(良好,0 秒前)")]
    );
    assert_eq!(
        why("avg(o2/pressure, 69 s) < 1 bar{gauge}"),
        [pair(
            "o2/pressure: has a value for 49 % of the last 69 s (uncertain:initial)",
            "o2/pressure:最近 69 秒有 49 % 的时间有值(存疑:尚无数据)"
        )]
    );
    assert_eq!(why("1 / 0 > 1"), [pair("1 / 0: division by zero", "1 / 0:除数为零")]);
    let formula = plant.formula("o2/pressure > 0.34 MPa{gauge} and avg(pump/runs, 1 min) > 2").unwrap();
    let outcome = plant.outcome(&formula);
    assert_eq!(formula.deciding_inputs(outcome.decided).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn one_spelling_for_what_means_the_same() {
    for (text, canonical) in [
        ("a/b>1&&!(c/d||true)", "a/b > 1 and not (c/d or true)"),
        ("( ( a/b ) )", "a/b"),
        ("1kW+2kW", "1 kW + 2 kW"),
        ("-(5)", "-5"),
        ("--5", "5"),
        ("a/b/c/d", "a/b / c/d"),
        ("'it\\'s'=='\"'", "\"it's\" == \"\\\"\""),
        ("`3f/x`*`a/b`", "`3f/x` * a/b"),
        ("or-1/x or or/x", "or-1/x or or/x"),
        ("avg(a/b,10min)", "avg(a/b, 10 min)"),
        // A minus without spaces belongs to a name.
        ("(a/b-1)-1", "a/b-1 - 1"),
    ] {
        assert_eq!(Tree::parse(text).unwrap().to_string(), canonical, "{text}");
    }
}
