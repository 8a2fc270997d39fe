//! The colours of the page: that they can be read, that alarms are told apart by whoever looks, and
//! that nothing but an alarm looks like one.

use super::page_tests::{between, names_ending, text};
use std::collections::BTreeMap;

/// Red, green and blue from 0 to 1.
type Rgb = [f64; 3];
type Tokens = BTreeMap<String, Rgb>;

/// What lies under everything else; white on paper.
const GROUNDS: [&str; 4] = ["canvas", "surface", "raised", "sunken"];

/// The `--name: #RRGGBB` of a block.
fn colours(block: &str) -> Tokens {
    let declared = block.lines().filter_map(|line| line.trim().strip_prefix("--")?.split_once(": #"));
    declared
        .map(|(name, rest)| {
            let digit = |at: usize| {
                let digits = rest.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
                f64::from(digits.unwrap_or_else(|| panic!("--{name} is no #RRGGBB"))) / 255.0
            };
            (name.to_owned(), [digit(0), digit(2), digit(4)])
        })
        .collect()
}

fn block<'a>(css: &'a str, selector: &str) -> &'a str {
    css.split_once(selector).unwrap_or_else(|| panic!("no {selector}")).1.split_once('}').unwrap().0
}

fn themes() -> [(&'static str, Tokens); 2] {
    let css = text("css/tokens.css");
    [
        ("light", colours(block(&css, ":root {"))),
        ("dark", colours(block(&css, ":root[data-theme=\"dark\"] {"))),
    ]
}

/// The page's own styles, without the vendored ones.
fn styles() -> Vec<(String, String)> {
    let own = names_ending(".css").into_iter().filter(|name| !name.starts_with("vendor/"));
    own.map(|name| (name.clone(), text(&name))).collect()
}

#[test]
fn auto_is_dark_where_the_system_is() {
    let css = text("css/tokens.css");
    let lines = |selector| block(&css, selector).split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(":root[data-theme=\"auto\"] {"), lines(":root[data-theme=\"dark\"] {"));
}

#[test]
fn paper_has_the_light_colours_on_white_whatever_the_screen_shows() {
    let print = colours(block(&text("css/base.css"), ":root, :root[data-theme] {"));
    let [(_, light), _] = themes();
    for (name, colour) in &light {
        let wanted = if GROUNDS.contains(&name.as_str()) { &[1.0; 3] } else { colour };
        assert_eq!(print.get(name), Some(wanted), "--{name} on paper");
    }
}

// ---- contrast

/// The inverse of the transfer function of sRGB (IEC 61966-2-1).
fn linear(rgb: Rgb) -> Rgb {
    rgb.map(|c| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) })
}

/// Relative luminance and contrast ratio as WCAG 2.2 defines them.
fn contrast(a: Rgb, b: Rgb) -> f64 {
    let luminance = |rgb: Rgb| {
        let [r, g, b] = linear(rgb);
        0.2126 * r + 0.7152 * g + 0.0722 * b
    };
    let (one, two) = (luminance(a) + 0.05, luminance(b) + 0.05);
    one.max(two) / one.min(two)
}

/// Black and white are 21 apart, and a grey that the standard's own explanation uses.
#[test]
fn the_ratio_is_that_of_the_standard() {
    let grey = |value: f64| [value / 255.0; 3];
    assert!((contrast(grey(0.0), grey(255.0)) - 21.0).abs() < 1e-9);
    assert!(
        (contrast(grey(118.0), grey(255.0)) - 4.54).abs() < 0.01,
        "#767676 is the lightest grey text on white"
    );
    assert!((contrast(grey(200.0), grey(200.0)) - 1.0).abs() < 1e-12);
}

/// (ink, ground, least ratio): 4.5 for text, 3 for what is drawn (WCAG 1.4.3, 1.4.11).
fn pairs() -> Vec<(String, String, f64)> {
    let mut pairs: Vec<(String, String, f64)> = Vec::new();
    let mut need = |ink: &str, ground: &str, least: f64| pairs.push((ink.into(), ground.into(), least));
    for ground in GROUNDS {
        need("text", ground, 4.5);
        need("text-2", ground, 4.5);
    }
    for ground in ["canvas", "surface", "raised"] {
        need("accent", ground, 4.5);
        need("line-control", ground, 3.0);
    }
    need("on-accent", "accent", 4.5);
    need("surface", "text", 4.5); // the chosen one of a row of choices
    // The pointer of a bullet bar and the line of a sparkline cross these.
    need("text", "normal", 3.0);
    for priority in 1..=4 {
        need(&format!("on-p{priority}"), &format!("p{priority}"), 4.5);
        need(&format!("ink-{priority}"), "surface", 4.5);
        need(&format!("ink-{priority}"), "raised", 4.5);
    }
    for class in ["sharp", "peak", "flat", "valley"] {
        need(&format!("on-tou-{class}"), &format!("tou-{class}"), 4.5);
    }
    for series in 1..=6 {
        need(&format!("series-{series}"), "surface", 3.0);
    }
    pairs
}

#[test]
fn text_and_marks_stand_out_from_what_they_lie_on() {
    for (theme, tokens) in themes() {
        for (ink, ground, least) in pairs() {
            let ratio = contrast(tokens[&ink], tokens[&ground]);
            assert!(ratio >= least, "{theme}: {ink} on {ground} is {ratio:.2}, needs {least}");
        }
    }
}

/// An outline does it where there is one; otherwise the fill itself must (WCAG 1.4.11).
#[test]
fn the_edge_of_a_chip_is_seen() {
    for (theme, tokens) in themes() {
        for priority in 1..=4 {
            let fill = tokens[&format!("p{priority}")];
            let edge = tokens.get("chip-outline").copied().unwrap_or(fill);
            let ratio = contrast(edge, tokens["surface"]);
            assert!(ratio >= 3.0, "{theme}: the edge of priority {priority} is {ratio:.2}");
        }
    }
}

// ---- only alarms look like alarms

/// Whether a token belongs to alarms: `p1`, `on-p1`, `ink-1`.
fn is_alarm_token(name: &str) -> bool {
    let rest = name.strip_prefix("on-p").or(name.strip_prefix('p')).or(name.strip_prefix("ink-"));
    rest.is_some_and(|rest| rest.parse::<u8>().is_ok())
}

#[test]
fn only_alarms_are_saturated_in_the_alarm_hues() {
    for (theme, tokens) in themes() {
        for (name, [r, g, b]) in &tokens {
            let (most, least) = (r.max(*g).max(*b), r.min(*g).min(*b));
            let saturation = if most > 0.0 { (most - least) / most } else { 0.0 };
            let cold = *b >= *r && *g >= *r; // blue and cyan, where no alarm is
            assert!(
                is_alarm_token(name) || cold || saturation <= 0.62,
                "{theme}: {name} looks like an alarm ({saturation:.2})"
            );
        }
    }
}

/// Selector and declarations of each rule; of nested blocks the innermost.
fn rules(css: &str) -> Vec<(String, String)> {
    let mut plain = String::new();
    let mut rest = css;
    while let Some((before, comment)) = rest.split_once("/*") {
        plain.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    let mut rules = Vec::new();
    for piece in plain.split('}') {
        let Some((head, body)) = piece.rsplit_once('{') else { continue };
        let selector = head.rsplit(['{', ';']).next().unwrap_or(head);
        rules.push((selector.trim().to_owned(), body.trim().to_owned()));
    }
    rules
}

/// The rules of a style that give an alarm's colour to something that is no chip, and those that
/// name a colour instead of a token.
fn offences(css: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (selector, body) in rules(css) {
        let chip = selector.split(',').all(|one| one.trim().starts_with(".chip-"));
        if !chip && between(&body, "var(--", ")").any(is_alarm_token) {
            found.push(format!("{selector} takes an alarm's colour"));
        }
        let declared = selector.starts_with(":root");
        let plain = body.replace("url(#", ""); // a pattern of the page, no colour
        let literal = ["#", "rgb(", "rgba(", "hsl(", "hsla(", "hwb("].iter().any(|mark| plain.contains(mark));
        let named =
            ["red", "orange", "yellow", "gold", "magenta", "fuchsia", "crimson", "tomato"].iter().any(
                |name| body.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').any(|word| word == *name),
            );
        if !declared && (literal || named) {
            found.push(format!("{selector} names a colour"));
        }
    }
    found
}

#[test]
fn styles_take_colours_from_tokens_and_alarm_colours_for_chips_alone() {
    let mut chips = 0;
    for (name, css) in styles() {
        assert_eq!(offences(&css), Vec::<String>::new(), "{name}");
        chips += rules(&css)
            .iter()
            .filter(|(selector, body)| selector.starts_with(".chip-") && body.contains("--p"))
            .count();
    }
    assert_eq!(chips, 4, "the scan has gone blind");
    for (planted, found) in [
        (".tile { color: var(--ink-1); }", 1),
        ("@media (max-width: 600px) { .a, .chip-1 { fill: var(--p2); } }", 1),
        (".chip-1 { --fill: var(--p1); } .x { color: #fff; }", 1),
        (".x { border: 1px solid orange; } /* red */", 1),
        (".x { color: var(--text); } .chip-2 { --on: var(--on-p2); }", 0),
    ] {
        assert_eq!(offences(planted).len(), found, "{planted}");
    }
}

#[test]
fn scripts_name_no_colour_and_no_alarm_token() {
    for name in names_ending(".js").iter().filter(|name| !name.starts_with("vendor/")) {
        let source = text(name);
        for priority in 1..=4 {
            let named =
                [format!("--p{priority}"), format!("--ink-{priority}"), format!("token('p{priority}")];
            assert!(!named.iter().any(|one| source.contains(one)), "{name} paints in an alarm's colour");
        }
        let colour = between(&source, "'#", "'").find(|hex| {
            matches!(hex.len(), 3 | 4 | 6 | 8) && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        assert_eq!(colour, None, "{name} names a colour");
    }
}

// ---- priorities are told apart, also by who sees fewer colours

/// CIE XYZ of linear sRGB under D65, each row with the white's own figure (IEC 61966-2-1).
const XYZ: [(Rgb, f64); 3] = [
    ([0.412_456_4, 0.357_576_1, 0.180_437_5], 0.950_47),
    ([0.212_672_9, 0.715_152_2, 0.072_175_0], 1.0),
    ([0.019_333_9, 0.119_192_0, 0.950_304_1], 1.088_83),
];

/// The sum of a colour's channels, each with its weight.
fn weighted(weights: &Rgb, colour: Rgb) -> f64 {
    weights.iter().zip(colour).map(|(weight, channel)| weight * channel).sum()
}

/// CIE L*a*b* (CIE 15:2018) from linear sRGB.
fn lab(light: Rgb) -> [f64; 3] {
    let [fx, fy, fz] = XYZ.map(|(row, white)| {
        let part = weighted(&row, light) / white;
        if part > 216.0 / 24_389.0 { part.cbrt() } else { (24_389.0 / 27.0 * part + 16.0) / 116.0 }
    });
    [116.0 * fy - 16.0, 500.0 * (fx - fy), 200.0 * (fy - fz)]
}

/// CIEDE2000 (CIE 142-2001), as Sharma, Wu and Dalal write it down (2005, equations 2 to 22).
fn ciede2000(one: [f64; 3], two: [f64; 3]) -> f64 {
    let chroma = |[_, a, b]: [f64; 3]| f64::hypot(a, b);
    let seventh = |c: f64| (c.powi(7) / (c.powi(7) + 25_f64.powi(7))).sqrt();
    let grey = 0.5 * (1.0 - seventh(f64::midpoint(chroma(one), chroma(two))));
    let polar = |[l, a, b]: [f64; 3]| {
        let a = a * (1.0 + grey);
        let hue = if a == 0.0 && b == 0.0 { 0.0 } else { b.atan2(a).to_degrees().rem_euclid(360.0) };
        (l, f64::hypot(a, b), hue)
    };
    let ((l1, c1, h1), (l2, c2, h2)) = (polar(one), polar(two));
    let coloured = c1 * c2 != 0.0;
    let turn = match h2 - h1 {
        _ if !coloured => 0.0,
        turn if turn > 180.0 => turn - 360.0,
        turn if turn < -180.0 => turn + 360.0,
        turn => turn,
    };
    let hue_apart = 2.0 * (c1 * c2).sqrt() * (turn / 2.0).to_radians().sin();
    let (l, c) = (f64::midpoint(l1, l2), f64::midpoint(c1, c2));
    let h = match (h1 - h2).abs() {
        _ if !coloured => h1 + h2,
        apart if apart <= 180.0 => f64::midpoint(h1, h2),
        _ if h1 + h2 < 360.0 => f64::midpoint(h1, h2) + 180.0,
        _ => f64::midpoint(h1, h2) - 180.0,
    };
    let cosine = |degrees: f64| degrees.to_radians().cos();
    let t = 1.0 - 0.17 * cosine(h - 30.0) + 0.24 * cosine(2.0 * h) + 0.32 * cosine(3.0 * h + 6.0)
        - 0.20 * cosine(4.0 * h - 63.0);
    let off = (l - 50.0).powi(2);
    let (sl, sc, sh) = (1.0 + 0.015 * off / (20.0 + off).sqrt(), 1.0 + 0.045 * c, 1.0 + 0.015 * c * t);
    let rotated = 30.0 * (-((h - 275.0) / 25.0).powi(2)).exp();
    let rotation = -(2.0 * rotated).to_radians().sin() * 2.0 * seventh(c);
    let (dl, dc, dh) = ((l2 - l1) / sl, (c2 - c1) / sc, hue_apart / sh);
    (dl * dl + dc * dc + dh * dh + rotation * dc * dh).sqrt()
}

/// Table 1 of Sharma, Wu and Dalal, "The CIEDE2000 Color-Difference Formula: Implementation Notes,
/// Supplementary Test Data, and Mathematical Observations", Color Research & Application 30 (2005).
const SHARMA: [([f64; 3], [f64; 3], f64); 34] = [
    ([50.0, 2.6772, -79.7751], [50.0, 0.0, -82.7485], 2.0425),
    ([50.0, 3.1571, -77.2803], [50.0, 0.0, -82.7485], 2.8615),
    ([50.0, 2.8361, -74.0200], [50.0, 0.0, -82.7485], 3.4412),
    ([50.0, -1.3802, -84.2814], [50.0, 0.0, -82.7485], 1.0000),
    ([50.0, -1.1848, -84.8006], [50.0, 0.0, -82.7485], 1.0000),
    ([50.0, -0.9009, -85.5211], [50.0, 0.0, -82.7485], 1.0000),
    ([50.0, 0.0, 0.0], [50.0, -1.0, 2.0], 2.3669),
    ([50.0, -1.0, 2.0], [50.0, 0.0, 0.0], 2.3669),
    ([50.0, 2.4900, -0.0010], [50.0, -2.4900, 0.0009], 7.1792),
    ([50.0, 2.4900, -0.0010], [50.0, -2.4900, 0.0010], 7.1792),
    ([50.0, 2.4900, -0.0010], [50.0, -2.4900, 0.0011], 7.2195),
    ([50.0, 2.4900, -0.0010], [50.0, -2.4900, 0.0012], 7.2195),
    ([50.0, -0.0010, 2.4900], [50.0, 0.0009, -2.4900], 4.8045),
    ([50.0, -0.0010, 2.4900], [50.0, 0.0010, -2.4900], 4.8045),
    ([50.0, -0.0010, 2.4900], [50.0, 0.0011, -2.4900], 4.7461),
    ([50.0, 2.5, 0.0], [50.0, 0.0, -2.5], 4.3065),
    ([50.0, 2.5, 0.0], [73.0, 25.0, -18.0], 27.1492),
    ([50.0, 2.5, 0.0], [61.0, -5.0, 29.0], 22.8977),
    ([50.0, 2.5, 0.0], [56.0, -27.0, -3.0], 31.9030),
    ([50.0, 2.5, 0.0], [58.0, 24.0, 15.0], 19.4535),
    ([50.0, 2.5, 0.0], [50.0, 3.1736, 0.5854], 1.0000),
    ([50.0, 2.5, 0.0], [50.0, 3.2972, 0.0], 1.0000),
    ([50.0, 2.5, 0.0], [50.0, 1.8634, 0.5757], 1.0000),
    ([50.0, 2.5, 0.0], [50.0, 3.2592, 0.3350], 1.0000),
    ([60.2574, -34.0099, 36.2677], [60.4626, -34.1751, 39.4387], 1.2644),
    ([63.0109, -31.0961, -5.8663], [62.8187, -29.7946, -4.0864], 1.2630),
    ([61.2901, 3.7196, -5.3901], [61.4292, 2.2480, -4.9620], 1.8731),
    ([35.0831, -44.1164, 3.7933], [35.0232, -40.0716, 1.5901], 1.8645),
    ([22.7233, 20.0904, -46.6940], [23.0331, 14.9730, -42.5619], 2.0373),
    ([36.4612, 47.8580, 18.3852], [36.2715, 50.5065, 21.2231], 1.4146),
    ([90.8027, -2.0831, 1.4410], [91.1528, -1.6435, 0.0447], 1.4441),
    ([90.9257, -0.5406, -0.9208], [88.6381, -0.8985, -0.7239], 1.5381),
    ([6.7747, -0.2908, -2.4247], [5.8714, -0.0985, -2.2286], 0.6377),
    ([2.0776, 0.0795, -1.1350], [0.9033, -0.0636, -0.5514], 0.9082),
];

#[test]
fn the_colour_difference_gives_the_published_data() {
    for (one, two, published) in SHARMA {
        for difference in [ciede2000(one, two), ciede2000(two, one)] {
            assert!(
                (difference - published).abs() < 5.1e-5,
                "{one:?} {two:?}: {difference:.4}, not {published}"
            );
        }
    }
}

/// What remains of a colour where one kind of cone is missing, on linear RGB: Machado, Oliveira and
/// Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency", IEEE TVCG 15
/// (2009), severity 1.0.
const VISIONS: [(&str, [Rgb; 3]); 4] = [
    ("normal", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    (
        "protan",
        [
            [0.152_286, 1.052_583, -0.204_868],
            [0.114_503, 0.786_281, 0.099_216],
            [-0.003_882, -0.048_116, 1.051_998],
        ],
    ),
    (
        "deutan",
        [
            [0.367_322, 0.860_646, -0.227_968],
            [0.280_085, 0.672_501, 0.047_413],
            [-0.011_820, 0.042_940, 0.968_881],
        ],
    ),
    (
        "tritan",
        [
            [1.255_528, -0.076_749, -0.178_779],
            [-0.078_411, 0.930_809, 0.147_602],
            [0.004_733, 0.691_367, 0.303_900],
        ],
    ),
];

/// As a screen would show it to somebody of this vision.
fn seen(rgb: Rgb, matrix: &[Rgb; 3]) -> [f64; 3] {
    let light = linear(rgb);
    let channel = |row: &Rgb| weighted(row, light).clamp(0.0, 1.0);
    lab([channel(&matrix[0]), channel(&matrix[1]), channel(&matrix[2])])
}

/// How far the nearest two of these tokens are from each other.
fn nearest(tokens: &Tokens, names: &[String], matrix: &[Rgb; 3]) -> (f64, String) {
    let mut least = (f64::INFINITY, String::new());
    for (at, one) in names.iter().enumerate() {
        for two in names.iter().skip(at + 1) {
            let apart = ciede2000(seen(tokens[one], matrix), seen(tokens[two], matrix));
            if apart < least.0 {
                least = (apart, format!("{one} and {two}"));
            }
        }
    }
    least
}

/// Ten is far more than is seen side by side; a chip is looked at alone. Shape, digit and word say the
/// same once more.
#[test]
fn priorities_are_told_apart_by_whoever_looks() {
    let names: Vec<String> = (1..=4).map(|priority| format!("p{priority}")).collect();
    for (theme, tokens) in themes() {
        for (vision, matrix) in &VISIONS {
            let (apart, which) = nearest(&tokens, &names, matrix);
            assert!(apart >= 10.0, "{theme}, {vision}: {which} are {apart:.1} apart");
        }
    }
}

#[test]
fn series_are_told_apart_by_whoever_looks() {
    let names: Vec<String> = (1..=6).map(|series| format!("series-{series}")).collect();
    for (theme, tokens) in themes() {
        for (vision, matrix) in &VISIONS {
            let (apart, which) = nearest(&tokens, &names, matrix);
            assert!(apart >= 10.0, "{theme}, {vision}: {which} are {apart:.1} apart");
        }
    }
}
