//! Which points a verb is about: addresses, or patterns with `*`.

use super::Failure;
use crate::point::{Catalogue, CatalogueEntry};
use anyhow::anyhow;

/// The points that match the patterns, in their order, each once; those declared now if there are
/// no patterns. A pattern that matches none is an error.
pub fn chosen<'a>(catalogue: &'a Catalogue, patterns: &[String]) -> Result<Vec<&'a CatalogueEntry>, Failure> {
    if patterns.is_empty() {
        return Ok(catalogue.entries().filter(|entry| entry.declared).collect());
    }
    let mut chosen: Vec<&CatalogueEntry> = Vec::new();
    for pattern in patterns {
        let before = chosen.len();
        let mut named = false;
        for entry in catalogue.entries().filter(|entry| matches(pattern, &entry.address.to_string())) {
            named = true;
            if !chosen.iter().take(before).any(|other| other.id == entry.id) {
                chosen.push(entry);
            }
        }
        if !named {
            return Err(Failure::Other(anyhow!(
                "no point has the address {pattern}; `plantroom query --last` lists all"
            )));
        }
    }
    Ok(chosen)
}

/// Whether a text is a pattern's: `*` stands for any letters but `/`, also none.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((before, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(before) else { return false };
    loop {
        if matches(rest, left) {
            return true;
        }
        let mut letters = left.chars();
        match letters.next() {
            Some(letter) if letter != '/' => left = letters.as_str(),
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_letters_of_one_part() {
        for (pattern, text) in [
            ("a/b", "a/b"),
            ("*/b", "aa/b"),
            ("a/*", "a/b"),
            ("a*/*b", "a/b"),
            ("*/*", "a/b"),
            ("氧*/b", "氧气/b"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", "a/b"), ("*", "a/b"), ("a/*c", "a/b"), ("", "a"), ("a/b*c", "a/b")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
