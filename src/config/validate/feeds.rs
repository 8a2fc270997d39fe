//! Who supplies whom: assets that exist, each once; no more needed than there are; no circle within a medium.

use super::super::diagnostic::{Code, Problem};
use super::super::leaf::At;
use super::super::source::Place;
use super::super::spec::{self, File};
use super::super::{Feed, Medium, Part};
use super::{Context, Ids};
use crate::point::Name;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Most other places of a circle that are shown beside the first.
const NOTES_MAX: usize = 4;
/// Most assets of a circle that are named.
const SHOWN_MAX: usize = 8;

pub fn validate(parts: &[Part<File>], assets: &Ids, context: &mut Context<'_>) -> Vec<Feed> {
    let mut feeds = Vec::new();
    let mut graphs: BTreeMap<Medium, Graph<'_>> = BTreeMap::new();
    for part in parts {
        for written in &part.content.feeds {
            let all = written.from.len();
            let needs = written.needs.as_ref().map_or(all, |needs| usize::from(**needs));
            if let Some(at) = written.needs.as_ref().filter(|_| needs > all) {
                let message = format!("{needs} of {all} assets cannot work");
                let help = format!("from 1 to {all}, the number of assets in `from`");
                context.error(Code::Feed, part.place(at), message, &help);
            }
            let from = ends(part, &written.from, assets, context);
            let to = ends(part, &written.to, assets, context);
            graphs.entry(written.medium).or_default().add(part, written);
            feeds.push(Feed { medium: written.medium, from, to, needs });
        }
    }
    for (medium, graph) in &graphs {
        graph.tell_circles(*medium, context);
    }
    feeds
}

/// Assets that are named, each once.
fn ends(part: &Part<File>, named: &[At<Name>], assets: &Ids, context: &mut Context<'_>) -> Vec<Name> {
    let mut seen = BTreeSet::new();
    for asset in named {
        if !assets.0.contains_key(asset) {
            context.unknown("asset", asset.as_str(), part.place(asset), assets.words());
        } else if !seen.insert(&**asset) {
            let message = format!("\"{}\" stands in this list twice", **asset);
            context.error(Code::Duplicate, part.place(asset), message, "take one of them out");
        }
    }
    named.iter().map(|asset| (**asset).clone()).collect()
}

/// The feeds of one medium. A feed is a node between its two lists, so that the work grows with what is written
/// and not with its square.
#[derive(Default)]
struct Graph<'a> {
    feeds: Vec<(&'a Part<File>, &'a spec::Feed)>,
    /// The feeds an asset is supplied by.
    into: BTreeMap<&'a Name, Vec<usize>>,
    /// The feeds an asset supplies.
    out_of: BTreeMap<&'a Name, Vec<usize>>,
}

impl<'a> Graph<'a> {
    fn add(&mut self, part: &'a Part<File>, feed: &'a spec::Feed) {
        let index = self.feeds.len();
        for asset in &feed.from {
            self.out_of.entry(asset).or_default().push(index);
        }
        for asset in &feed.to {
            self.into.entry(asset).or_default().push(index);
        }
        self.feeds.push((part, feed));
    }

    /// The feeds in a circle or behind one: what is left when, again and again, feeds go whose suppliers are
    /// supplied by none.
    fn left(&self) -> BTreeSet<usize> {
        // How many suppliers of a feed, and how many feeds of an asset, still wait.
        let mut suppliers: Vec<usize> = self.feeds.iter().map(|(_, feed)| feed.from.len()).collect();
        let mut waiting: BTreeMap<&Name, usize> =
            self.into.iter().map(|(asset, feeds)| (*asset, feeds.len())).collect();
        let sources = self.out_of.keys().filter(|asset| !self.into.contains_key(**asset));
        let mut free: VecDeque<&Name> = sources.copied().collect();
        let mut left: BTreeSet<usize> = (0..self.feeds.len()).collect();
        while let Some(asset) = free.pop_front() {
            for index in self.out_of.get(asset).into_iter().flatten() {
                let Some(count) = suppliers.get_mut(*index) else { continue };
                *count = count.saturating_sub(1);
                if *count > 0 || !left.remove(index) {
                    continue;
                }
                for asset in self.feeds.get(*index).into_iter().flat_map(|(_, feed)| &feed.to) {
                    let Some(feeds) = waiting.get_mut(&**asset) else { continue };
                    *feeds = feeds.saturating_sub(1);
                    if *feeds == 0 {
                        free.push_back(asset);
                    }
                }
            }
        }
        left
    }

    /// One message for each circle, at the supply that stands last in the files.
    fn tell_circles(&self, medium: Medium, context: &mut Context<'_>) {
        let left = self.left();
        let mut told: BTreeSet<&Name> = BTreeSet::new();
        for start in &left {
            let Some((_, feed)) = self.feeds.get(*start) else { continue };
            for asset in &feed.to {
                if let Some(circle) = self.circle_before(asset, &left, &mut told) {
                    self.tell(medium, &circle, context);
                }
            }
        }
    }

    /// The circle that is met going up from an asset: each asset with the feed it supplies the next by. None if the
    /// way leads to what has been told.
    fn circle_before(
        &self,
        asset: &'a Name,
        left: &BTreeSet<usize>,
        told: &mut BTreeSet<&'a Name>,
    ) -> Option<Vec<(&'a Name, usize)>> {
        let mut seen: BTreeMap<&Name, usize> = BTreeMap::new();
        let mut way: Vec<(&Name, usize)> = Vec::new();
        let mut at = asset;
        let begin = loop {
            if let Some(begin) = seen.get(at) {
                break *begin;
            }
            if !told.insert(at) {
                return None;
            }
            seen.insert(at, way.len());
            let feed = *self.into.get(at)?.iter().find(|feed| left.contains(feed))?;
            let (_, written) = self.feeds.get(feed)?;
            // A supplier that is itself supplied by what is left: there is one, or the feed were not left.
            let supplied = |asset: &&At<Name>| {
                let mut feeds = self.into.get(&***asset).into_iter().flatten();
                feeds.any(|feed| left.contains(feed))
            };
            at = written.from.iter().find(supplied)?;
            way.push((at, feed));
        };
        let mut circle = way.split_off(begin);
        circle.reverse();
        Some(circle)
    }

    fn tell(&self, medium: Medium, circle: &[(&'a Name, usize)], context: &mut Context<'_>) {
        let names: Vec<&str> = circle.iter().chain(circle.first()).map(|(asset, _)| asset.as_str()).collect();
        let mut shown = names.iter().take(SHOWN_MAX).copied().collect::<Vec<_>>().join(" feeds ");
        if let Some(last) = names.last().filter(|_| names.len() > SHOWN_MAX) {
            shown = format!("{shown} feeds {} more that feed {last}", names.len() - SHOWN_MAX - 1);
        }
        let message = format!("assets supply each other with {}: {shown}", medium.word());
        let mut places: Vec<(Place, String)> = circle
            .iter()
            .zip(names.iter().skip(1))
            .filter_map(|((asset, feed), next)| {
                let (part, written) = self.feeds.get(*feed)?;
                let at = written.from.iter().find(|at| &***at == *asset)?;
                Some((part.place(at), format!("here {asset} feeds {next}")))
            })
            .collect();
        places.sort_by_key(|(place, _)| place.order());
        let Some((last, _)) = places.pop() else { return };
        let problem = Problem::error(Code::FeedCycle, last, message);
        let problem = places
            .into_iter()
            .take(NOTES_MAX)
            .fold(problem, |problem, (place, text)| problem.note(place, text));
        context.problems.push(
            problem.help("what supplies stands above what is supplied: take one of them out of one feed"),
        );
    }
}
