//! A test of the house itself: who may import whom, and what every file owes its reader.
//!
//! The rules are pure functions over a file's path and text, so that each can be shown to fail
//! on a planted breach.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules by storey (ARCHITECTURE.md). A module uses only lower storeys.
const STOREYS: &[(&str, u8)] = &[
    ("point", 0),
    ("clock", 0),
    ("config", 1),
    ("db", 1),
    ("telemetry", 1),
    ("expr", 1),
    ("calendar", 1),
    ("net", 1),
    ("field", 2),
    ("readings", 3),
    ("historian", 4),
    ("alarms", 5),
    ("energy", 5),
    ("forward", 5),
    ("backup", 5),
    ("work_orders", 6),
    ("api", 8),
    ("ui", 9),
    ("runtime", 10),
    ("sim", 10),
    ("cli", 11),
];

/// Imports that break the rule, each with its reason.
const IMPORT_EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("clock", "point", "an instant (UtcMs) is vocabulary; the clock only reads it"),
    ("config", "expr", "a formula is checked where it is written; expr knows nothing but the vocabulary"),
];

/// Rooms whose parts must not know each other: one driver never needs another.
const SEPARATE_PARTS: &[&str] = &["field"];

/// Longest function, in lines, its signature and closing brace included.
const FUNCTION_LINES_MAX: usize = 70;

/// Longer functions, each with its reason: (file, function, why).
const LONG_FUNCTIONS: &[(&str, &str, &str)] = &[];

/// Bans that clippy.toml must carry; clippy itself finds the breach.
const CLIPPY_BANS: &[&str] = &[
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "tokio::time::Instant::now",
    "jiff::Timestamp::now",
    "jiff::Zoned::now",
    "tokio::sync::mpsc::unbounded_channel",
    "tokio::spawn",
];

struct Breach {
    file: String,
    line: usize,
    what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

fn breach(file: &str, line: usize, what: impl Into<String>) -> Breach {
    Breach { file: file.to_owned(), line, what: what.into() }
}

// === The rules ===

fn check(file: &str, text: &str) -> Vec<Breach> {
    let mut found = missing_module_doc(file, text);
    found.extend(upward_imports(file, text));
    found.extend(part_imports(file, text));
    found.extend(long_functions(file, text));
    found.extend(unfinished_business(file, text));
    found.extend(missing_invariant(file, text));
    found
}

fn missing_module_doc(file: &str, text: &str) -> Vec<Breach> {
    if text.starts_with("//! ") { vec![] } else { vec![breach(file, 1, "begins without a module doc (//!)")] }
}

fn missing_invariant(file: &str, text: &str) -> Vec<Breach> {
    let is_room = file.strip_suffix("/mod.rs").is_some_and(|room| {
        room.strip_prefix("src/").is_some_and(|name| STOREYS.iter().any(|(module, _)| *module == name))
    });
    if is_room && !text.contains("**Invariant:**") {
        return vec![breach(file, 1, "a room's door says its **Invariant:**")];
    }
    vec![]
}

/// The modules a line names behind `crate::`, groups in braces included.
fn named_modules(line: &str) -> Vec<&str> {
    let code = line.split("//").next().unwrap_or_default();
    let mut named = Vec::new();
    for part in code.split("crate::").skip(1) {
        if let Some(group) = part.strip_prefix('{') {
            named.extend(group.split([',', '}']).map(|item| ident(item.trim())));
        } else {
            named.push(ident(part));
        }
    }
    named
}

fn ident(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

fn storey(module: &str) -> Option<u8> {
    STOREYS.iter().find(|(name, _)| *name == module).map(|(_, storey)| *storey)
}

fn room(file: &str) -> Option<&str> {
    let inside = file.strip_prefix("src/")?;
    inside.split_once('/').map(|(room, _)| room)
}

fn upward_imports(file: &str, text: &str) -> Vec<Breach> {
    let Some(room) = room(file) else { return vec![] };
    let Some(own) = storey(room) else {
        return vec![breach(file, 1, format!("the room `{room}` has no storey: add it to STOREYS"))];
    };
    let allowed = |to: &str| IMPORT_EXCEPTIONS.iter().any(|(from, name, _)| *from == room && *name == to);
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for to in named_modules(line) {
            let climbs = storey(to).is_some_and(|other| other >= own) && to != room;
            if climbs && !allowed(to) {
                found.push(breach(
                    file,
                    number + 1,
                    format!("`{room}` must not use `{to}`: data climbs by channel, calls only go down"),
                ));
            }
        }
    }
    found
}

fn part_imports(file: &str, text: &str) -> Vec<Breach> {
    let mut parts = file.strip_prefix("src/").unwrap_or_default().split('/');
    let (Some(room), Some(part)) = (parts.next(), parts.next()) else { return vec![] };
    if !SEPARATE_PARTS.contains(&room) || parts.next().is_none() {
        return vec![];
    }
    let siblings = ["modbus", "mqtt"].into_iter().filter(|name| *name != part);
    let mut found = Vec::new();
    for sibling in siblings {
        for (number, line) in text.lines().enumerate() {
            if line.contains(&format!("{room}::{sibling}"))
                || line.contains(&format!("super::super::{sibling}"))
            {
                found.push(breach(file, number + 1, format!("`{room}/{part}` must not know `{sibling}`")));
            }
        }
    }
    found
}

/// rustfmt sets a function's closing brace at the indent of its signature.
fn long_functions(file: &str, text: &str) -> Vec<Breach> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let closing = format!("{}}}", " ".repeat(indent));
        let Some(length) = lines[start..].iter().position(|line| *line == closing) else { continue };
        let excused = LONG_FUNCTIONS.iter().any(|(f, n, _)| *f == file && *n == name);
        if length + 1 > FUNCTION_LINES_MAX && !excused {
            found.push(breach(
                file,
                start + 1,
                format!("`{name}` has {} lines, more than {FUNCTION_LINES_MAX}", length + 1),
            ));
        }
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    let code = line.trim_start();
    if code.starts_with("//") {
        return None;
    }
    let (before, after) = code.split_once("fn ")?;
    let modifiers = before.split_whitespace().all(|word| {
        word.starts_with("pub") || ["const", "async", "unsafe", "extern", "crate)"].contains(&word)
    });
    (modifiers && !code.trim_end().ends_with(';')).then(|| ident(after))
}

fn unfinished_business(file: &str, text: &str) -> Vec<Breach> {
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];
    let hit = |line: &str| words.iter().any(|word| line.contains(word));
    let lines = text.lines().enumerate().filter(|(_, line)| hit(line));
    lines
        .map(|(number, _)| breach(file, number + 1, "unfinished business: finish it or open an issue"))
        .collect()
}

// === The house ===

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_house_is_tidy() {
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches"] {
        let folder = root().join(folder);
        if folder.is_dir() {
            rust_files(&folder, &mut files);
        }
    }
    let mut breaches = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let file = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        breaches.extend(check(&file, &text).iter().map(ToString::to_string));
    }
    assert!(breaches.is_empty(), "\n{}", breaches.join("\n"));
}

#[test]
fn every_module_has_a_storey_and_every_storey_a_module() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let declared: Vec<&str> =
        lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let listed: Vec<&str> = STOREYS.iter().map(|(name, _)| *name).collect();
    assert_eq!(declared, listed, "src/lib.rs lists the modules in the order of STOREYS");
}

#[test]
fn clippy_keeps_the_bans() {
    let clippy = fs::read_to_string(root().join("clippy.toml")).unwrap();
    for ban in CLIPPY_BANS {
        let line = clippy.lines().find(|line| line.contains(&format!("\"{ban}\"")));
        assert!(
            line.is_some_and(|line| line.contains("reason = \"")),
            "clippy.toml must ban {ban}, with its reason"
        );
    }
}

#[test]
fn every_exception_is_still_needed() {
    for (from, to, why) in IMPORT_EXCEPTIONS {
        let mut files = Vec::new();
        rust_files(&root().join("src").join(from), &mut files);
        let used = files.iter().any(|path| {
            fs::read_to_string(path).unwrap().lines().any(|line| named_modules(line).contains(to))
        });
        assert!(used, "{from} does not use {to} any more ({why}): remove the exception");
    }
}

// === Planted breaches: each rule can fail ===

fn complaints(file: &str, text: &str) -> Vec<String> {
    check(file, text).iter().map(ToString::to_string).collect()
}

#[test]
fn finds_a_file_without_a_module_doc() {
    assert_eq!(
        complaints("src/point/x.rs", "use std::fmt;\n"),
        ["src/point/x.rs:1: begins without a module doc (//!)"]
    );
}

#[test]
fn finds_an_import_of_a_higher_storey_and_of_a_sibling() {
    for (file, line) in [
        ("src/point/x.rs", "use crate::field::Ack;"),
        ("src/alarms/x.rs", "use crate::energy::Energy;"),
        ("src/historian/x.rs", "    let x = crate::runtime::x();"),
        ("src/config/x.rs", "use crate::{point::Name, db::Db};"),
        ("src/readings/x.rs", "use crate::historian;"),
    ] {
        let found = complaints(file, &format!("//! Doc.\n{line}\n"));
        assert_eq!(found.len(), 1, "{file}: {line}: {found:?}");
        assert!(found[0].contains("data climbs by channel"), "{found:?}");
    }
}

#[test]
fn allows_lower_storeys_own_parts_and_the_exceptions() {
    for (file, line) in [
        ("src/alarms/x.rs", "use crate::{clock::Clock, db::Db, readings::Feed};"),
        ("src/alarms/x.rs", "use crate::alarms::engine;"),
        ("src/clock/x.rs", "use crate::point::UtcMs;"),
        ("src/runtime/x.rs", "use crate::api;"),
        ("src/point/x.rs", "// see crate::historian"),
        ("src/main.rs", "use crate::cli;"),
    ] {
        assert_eq!(complaints(file, &format!("//! Doc.\n{line}\n")), Vec::<String>::new(), "{file}: {line}");
    }
}

#[test]
fn finds_drivers_that_know_each_other() {
    let found = complaints("src/field/modbus/x.rs", "//! Doc.\nuse crate::field::mqtt::Source;\n");
    assert_eq!(found, ["src/field/modbus/x.rs:2: `field/modbus` must not know `mqtt`"]);
}

#[test]
fn finds_a_room_without_a_storey_and_a_door_without_an_invariant() {
    assert!(complaints("src/magic/x.rs", "//! Doc.\n")[0].contains("has no storey"));
    assert!(complaints("src/alarms/mod.rs", "//! Doc.\n")[0].contains("**Invariant:**"));
}

#[test]
fn finds_a_long_function() {
    let body = "    let _ = 1;\n".repeat(FUNCTION_LINES_MAX);
    let found = complaints("src/point/x.rs", &format!("//! Doc.\npub(crate) async fn long() {{\n{body}}}\n"));
    assert_eq!(found, ["src/point/x.rs:2: `long` has 72 lines, more than 70"]);
}

#[test]
fn finds_unfinished_business() {
    let found = complaints("src/point/x.rs", concat!("//! Doc.\n// TO", "DO later\n"));
    assert_eq!(found, ["src/point/x.rs:2: unfinished business: finish it or open an issue"]);
}
