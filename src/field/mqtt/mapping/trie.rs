//! Which topics of the configuration a topic fits, found by its levels and not one after the other.

use crate::config::{Level, TopicPattern, next_level};
use std::collections::{BTreeMap, HashMap};

/// Patterns by their levels.
#[derive(Debug, Default)]
pub struct Trie {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    /// Patterns that end here.
    ends: Vec<usize>,
    /// Patterns that go on with any levels.
    rests: Vec<usize>,
    words: HashMap<String, Node>,
    /// Levels with captures; equal ones share a branch.
    captures: BTreeMap<Level, Node>,
}

impl Trie {
    /// Adds a pattern under a number.
    pub fn add(&mut self, pattern: &TopicPattern, number: usize) {
        let mut node = &mut self.root;
        for level in pattern.levels() {
            node = match level {
                Level::Word(word) => node.words.entry(word.clone()).or_default(),
                Level::Captures(_) => node.captures.entry(level.clone()).or_default(),
                Level::Rest => {
                    node.rests.push(number);
                    return;
                }
            };
        }
        node.ends.push(number);
    }

    /// Calls `fits` with each pattern that fits and what its captures stand for.
    pub fn find<'t>(&self, topic: &'t str, mut fits: impl FnMut(usize, &[&'t str])) {
        self.root.find(Some(topic), &mut Vec::new(), &mut fits);
    }
}

impl Node {
    /// Not deeper than the longest pattern.
    fn find<'t>(
        &self,
        rest: Option<&'t str>,
        captures: &mut Vec<&'t str>,
        fits: &mut impl FnMut(usize, &[&'t str]),
    ) {
        let Some(rest) = rest else {
            self.ends.iter().for_each(|number| fits(*number, captures));
            return;
        };
        if !self.rests.is_empty() {
            captures.push(rest);
            self.rests.iter().for_each(|number| fits(*number, captures));
            captures.pop();
        }
        let (level, after) = next_level(rest);
        if let Some(node) = self.words.get(level) {
            node.find(after, captures, fits);
        }
        for (pattern, node) in &self.captures {
            let before = captures.len();
            if pattern.fits(level, captures) {
                node.find(after, captures, fits);
            }
            captures.truncate(before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The tree finds what each pattern alone would.
        #[test]
        fn finds_what_fits(
            patterns in prop::collection::vec("([ab]|\\{x\\}|a\\{x\\})(/([ab]|\\{y\\}|\\{z\\}b)){0,2}(/\\{r\\.\\.\\.\\})?", 1..12),
            topic in "[ab]{0,2}(/[ab]{0,2}){0,4}",
        ) {
            let patterns: Vec<TopicPattern> = patterns.iter().filter_map(|text| text.parse().ok()).collect();
            let mut trie = Trie::default();
            patterns.iter().enumerate().for_each(|(number, pattern)| trie.add(pattern, number));
            let mut found = Vec::new();
            trie.find(&topic, |number, captures| found.push((number, captures.to_vec())));
            found.sort();
            let each = patterns.iter().enumerate();
            let expected: Vec<_> = each.filter_map(|(n, pattern)| Some((n, pattern.matches(&topic)?))).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
