//! What must hold of the page's files and needs neither a browser nor npm.

use super::PAGES;
use super::files::{Files, Web};
use crate::point::{Quality, Reason};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// First route: the files a phone fetches before it shows values (ui budget).
const FIRST_ROUTE_FILES_MAX: usize = 25;
const FIRST_ROUTE_GZIP_MAX: usize = 150 * 1024;

pub(super) fn text(name: &str) -> String {
    let file = Web::get(name).unwrap_or_else(|| panic!("{name} is not embedded"));
    String::from_utf8(file.data.into_owned()).unwrap()
}

pub(super) fn names_ending(end: &str) -> Vec<String> {
    Web::iter().filter(|name| name.ends_with(end)).map(|name| name.to_string()).collect()
}

/// What follows the last dot.
fn kind(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or("")
}

/// The page's own modules, without the vendored ones.
fn own_scripts() -> Vec<(String, String)> {
    let own = names_ending(".js").into_iter().filter(|name| !name.starts_with("vendor/"));
    own.map(|name| (name.clone(), text(&name))).collect()
}

/// The text between `open` and the next `close`, for every `open`.
pub(super) fn between<'a>(source: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    source.split(open).skip(1).filter_map(move |rest| rest.split_once(close).map(|(found, _)| found))
}

/// Specifiers of static (`from`, bare `import`) and of dynamic imports.
fn imports(source: &str) -> (Vec<String>, Vec<String>) {
    let plain = source.replace('"', "'").replace("from'", "from '").replace("import'", "import '");
    let name = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"@/._-".contains(&b));
    let specifiers =
        |open| between(&plain, open, "'").filter(|one| name(one)).map(str::to_owned).collect::<Vec<_>>();
    let mut fixed = specifiers("from '");
    fixed.extend(specifiers("import '"));
    // Types are imported in comments only, which the browser never follows.
    let dynamic = specifiers("import('").into_iter().filter(|one| !is_type_import(&plain, one)).collect();
    (fixed, dynamic)
}

/// Whether every `import('...')` of this specifier stands in a comment.
fn is_type_import(source: &str, specifier: &str) -> bool {
    let mut lines = source.lines().filter(|line| line.contains(&format!("import('{specifier}')")));
    lines.all(|line| line.contains("/**") || line.trim_start().starts_with('*'))
}

/// The file a relative specifier names, seen from another file.
fn resolve(from: &str, specifier: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in specifier.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[test]
fn every_import_is_relative_and_resolves_inside_the_embedded_set() {
    let mut count = 0;
    for name in names_ending(".js") {
        let (fixed, dynamic) = imports(&text(&name));
        for specifier in fixed.iter().chain(&dynamic) {
            assert!(specifier.starts_with("./") || specifier.starts_with("../"), "{name}: {specifier}");
            let target = resolve(&name, specifier);
            assert!(Web::get(&target).is_some(), "{name} imports {specifier}, there is no {target}");
            count += 1;
        }
    }
    assert!(count > 60, "the scan has gone blind: {count} imports");
}

#[test]
fn vendored_modules_are_the_ones_written_down() {
    let list: serde_json::Value = serde_json::from_str(&text("vendor/VENDOR.json")).unwrap();
    let mut listed = BTreeSet::new();
    for module in list["modules"].as_array().unwrap() {
        let word = |key: &str| module[key].as_str().unwrap_or_else(|| panic!("{key} of {module}")).to_owned();
        let name = format!("vendor/{}", word("file"));
        let digest = Sha256::digest(Web::get(&name).unwrap().data);
        let found = super::files::hex(&digest, 32);
        assert_eq!(found, word("sha256"), "{name} is not what tests/browser/vendor.mjs made");
        for key in ["name", "version", "licence", "source", "source_sha256"] {
            assert!(!word(key).is_empty());
        }
        let licence = format!("vendor/{}", word("licence_file"));
        assert!(text(&licence).len() > 500, "{licence}");
        listed.extend([name, licence]);
    }
    listed.insert("vendor/VENDOR.json".to_owned());
    let present: BTreeSet<_> =
        Web::iter().filter(|name| name.starts_with("vendor/")).map(|name| name.to_string()).collect();
    assert_eq!(present, listed);
}

/// What a browser fetches before it shows the first screen: what the page names and what that imports.
fn first_route() -> BTreeSet<String> {
    let page = text("index.html");
    let mut wanted: BTreeSet<String> =
        between(&page, "/a/__BUILD__/", "\"").map(str::to_owned).filter(|name| kind(name) != "svg").collect();
    wanted.insert("i18n/zh-CN.json".to_owned());
    let mut open: Vec<String> = wanted.iter().filter(|name| kind(name) == "js").cloned().collect();
    while let Some(name) = open.pop() {
        for specifier in imports(&text(&name)).0 {
            let target = resolve(&name, &specifier);
            if wanted.insert(target.clone()) {
                open.push(target);
            }
        }
    }
    wanted
}

#[test]
fn the_first_route_stays_within_its_budget() {
    let wanted = first_route();
    let files = Files::frozen();
    let bytes: usize = wanted
        .iter()
        .map(|name| files.get(name).unwrap_or_else(|| panic!("{name} is not served")))
        .map(|file| file.gzip.unwrap_or(file.plain).len())
        .sum();
    assert!(wanted.len() < FIRST_ROUTE_FILES_MAX, "{} files and the page itself: {wanted:#?}", wanted.len());
    assert!(bytes <= FIRST_ROUTE_GZIP_MAX, "{bytes} bytes compressed");
}

#[test]
fn the_page_and_the_server_know_the_same_paths() {
    let nav = text("lib/nav.js");
    let known: Vec<String> = between(&nav, "{ path: '", "'")
        .map(|path| {
            let segment =
                |part: &str| part.strip_prefix(':').map_or(part.to_owned(), |name| format!("{{{name}}}"));
            path.split('/').map(segment).collect::<Vec<_>>().join("/")
        })
        .collect();
    assert_eq!(known, PAGES);
}

// ---- words

/// What every screen needs.
fn catalogue(language: &str) -> BTreeMap<String, String> {
    serde_json::from_str(&text(&format!("i18n/{language}.json"))).unwrap()
}

/// With the parts that come with some screens; no key stands twice.
fn whole_catalogue(language: &str) -> BTreeMap<String, String> {
    let mut words = catalogue(language);
    let end = format!("/{language}.json");
    for name in names_ending(&end).iter().filter(|name| **name != format!("i18n{end}")) {
        let part: BTreeMap<String, String> = serde_json::from_str(&text(name)).unwrap();
        for (key, word) in part {
            assert_eq!(words.insert(key.clone(), word), None, "{name}: {key} stands twice");
        }
    }
    words
}

fn placeholders(words: &str) -> BTreeSet<&str> {
    between(words, "{", "}").collect()
}

/// Keys written out in `t('...')`, and the beginnings of keys that are put together.
fn used_keys(scripts: &[(String, String)]) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut whole, mut beginnings) = (BTreeSet::new(), BTreeSet::new());
    for (_, source) in scripts {
        for call in ["(t('", " t('", "{t('", "[t('", "!t('"] {
            whole.extend(between(source, call, "'").map(str::to_owned));
        }
        for opened in between(source, "`", "${") {
            let plain = opened.bytes().all(|b| b.is_ascii_lowercase() || b == b'.' || b == b'-');
            if plain && opened.contains('.') {
                beginnings.insert(opened.to_owned());
            }
        }
    }
    (whole, beginnings)
}

#[test]
fn both_catalogues_hold_the_same_keys_with_the_same_placeholders() {
    let (zh, en) = (whole_catalogue("zh-CN"), whole_catalogue("en"));
    assert_eq!(zh.keys().collect::<Vec<_>>(), en.keys().collect::<Vec<_>>());
    for (key, words) in &zh {
        assert!(!words.trim().is_empty() && !en[key].trim().is_empty(), "{key}");
        assert_eq!(placeholders(words), placeholders(&en[key]), "{key}");
        for text in [words, &en[key]] {
            assert!(!text.contains(['!', '\u{ff01}']), "{key}: no exclamation marks");
        }
    }
}

#[test]
fn every_key_is_used_and_every_used_key_has_words() {
    let words = whole_catalogue("en");
    let (whole, beginnings) = used_keys(&own_scripts());
    assert!(whole.len() > 150, "the scan has gone blind: {} keys", whole.len());
    for key in &whole {
        assert!(words.contains_key(key), "t('{key}') has no words");
    }
    for beginning in &beginnings {
        assert!(words.keys().any(|key| key.starts_with(beginning)), "`{beginning}...` has no words");
    }
    let unused: Vec<_> = words
        .keys()
        .filter(|key| !whole.contains(*key) && !beginnings.iter().any(|one| key.starts_with(one.as_str())))
        .collect();
    assert!(unused.is_empty(), "{unused:?}");
}

/// A screen that did not load its part of the words shows keys. Which one needs which part is known
/// to `app.js`; here: what is shown before any part is there.
#[test]
fn the_first_screen_needs_no_words_that_come_later() {
    let first = first_route();
    let scripts: Vec<_> = own_scripts().into_iter().filter(|(name, _)| first.contains(name)).collect();
    let words = catalogue("en");
    let (whole, beginnings) = used_keys(&scripts);
    assert!(whole.len() > 50, "the scan has gone blind: {} keys", whole.len());
    for key in &whole {
        assert!(words.contains_key(key), "t('{key}') comes with another screen");
    }
    for beginning in &beginnings {
        assert!(
            words.keys().any(|key| key.starts_with(beginning)),
            "`{beginning}...` comes with another screen"
        );
    }
}

#[test]
fn every_reason_and_state_of_the_wire_has_words() {
    let words = whole_catalogue("en");
    let reasons: BTreeSet<_> =
        (0..=u8::MAX).filter_map(Quality::from_byte).filter_map(Quality::reason).map(Reason::word).collect();
    let mut keys: Vec<String> = reasons.iter().map(|word| format!("reason.{word}")).collect();
    keys.extend(["good", "uncertain", "bad"].map(|word| format!("quality.{word}")));
    keys.extend("ABCDEFG".chars().map(|letter| format!("alarm-state.{letter}")));
    keys.extend(["new", "accepted", "done", "closed"].map(|word| format!("order-state.{word}")));
    keys.extend(["good", "estimated", "event", "missing"].map(|word| format!("energy.cell-{word}")));
    keys.extend(["decimal", "float", "bool", "text"].map(|word| format!("kind.{word}")));
    for key in keys {
        assert!(words.contains_key(&key), "{key}");
    }
}

#[test]
fn scripts_hold_no_chinese_and_no_key_outside_the_catalogue() {
    for (name, source) in own_scripts() {
        let found = source.chars().find(
            |c| matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}'),
        );
        assert_eq!(found, None, "{name}: words belong into i18n/*.json");
    }
}
