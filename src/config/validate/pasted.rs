//! Topics alone, without the files around them: a profile's, or one that is being tried.

use super::super::diagnostic::Problem;
use super::super::leaf::At;
use super::super::source::Place;
use super::super::{Point, Topic, spec};
use super::Context;
use super::topic::{Sender, TopicWork};
use crate::point::Name;
use jiff::tz::TimeZone;

/// Each topic with its points. Of a topic that names no assets, or of a profile, they are those of an
/// asset called `asset`.
pub fn pasted(
    source: usize,
    topics: &[At<spec::Topic>],
    asset: &Name,
    zone: &TimeZone,
    problems: &mut Vec<Problem>,
) -> Vec<(Topic, Vec<Point>)> {
    let mut resolved = Vec::new();
    for topic in topics {
        let named = topic.asset.is_some()
            || topic.assets.is_some()
            || topic.values.iter().any(|value| !value.assets.is_empty());
        let place = Place { source, span: topic.pattern.span() };
        let senders =
            [Sender { asset, id: asset.to_string(), place, has: Box::new(|_| true), stale_after: None }];
        let senders = (!named).then_some(senders.as_slice());
        let work = TopicWork { source, assets: None, zone, senders };
        let mut context = Context::new(problems.is_empty(), problems);
        let topic = work.resolve(topic, &mut context);
        resolved.extend(topic.map(|topic| (topic, context.points.list)));
    }
    resolved
}
