//! Topics of a broker, and the points they feed.

use super::super::diagnostic::Code;
use super::super::leaf::At;
use super::super::source::Place;
use super::super::spec::{self, Text};
use super::super::{Payload, Point, Topic, TopicValue, limits};
use super::Context;
use super::assets::Assets;
use super::conditioning;
use super::register::{Found, formerly, known_asset};
use crate::point::{Address, Decimal, Name, ValueKind};

/// What the topics of a file are resolved with.
pub struct TopicWork<'a> {
    /// The file.
    pub source: usize,
    /// The assets a topic may name.
    pub assets: &'a Assets,
}

impl TopicWork<'_> {
    fn place<T>(&self, at: &At<T>) -> Place {
        Place { source: self.source, span: at.span() }
    }

    /// The topic as the driver sees it; its points go into the context.
    pub fn resolve(&self, topic: &spec::Topic, context: &mut Context<'_>) -> Topic {
        let mut values: Vec<TopicValue> = Vec::new();
        let stale_after_ms = context.millis(
            self.source,
            topic.stale_after.as_ref(),
            limits::STALE_AFTER_MS,
            limits::STALE_AFTER_DEFAULT_MQTT_MS,
        );
        for value in &topic.values {
            for asset in self.assets_of(topic, value, context) {
                let address = Address { asset, quantity: value.quantity.clone() };
                let point = self.point(address, value, stale_after_ms, context);
                context.add_point(point, self.place(&value.quantity), stale_after_ms);
            }
            let resolved = pattern(topic, value);
            if !values.contains(&resolved) {
                values.push(resolved);
            }
        }
        let pattern = &topic.pattern;
        if topic.values.is_empty() && context.complete {
            let help = "write `[[mqtt.topics.values]]` with a quantity and a unit";
            context.error(Code::Topic, self.place(pattern), "nothing is read from this topic", help);
        }
        if pattern.captures("quantity") && values.len() > 1 {
            let help =
                "with {quantity} in the topic all values stand at the same pointer: write a topic for each";
            context.error(
                Code::Topic,
                self.place(pattern),
                "the values of this topic stand in different places",
                help,
            );
        }
        Topic { pattern: pattern.0.clone(), values }
    }

    /// The assets a value is for: of the capture, or the topic's own.
    fn assets_of(
        &self,
        topic: &spec::Topic,
        value: &spec::TopicValue,
        context: &mut Context<'_>,
    ) -> Vec<Name> {
        let captured = topic.pattern.captures("asset");
        for asset in value.assets.iter().chain(&topic.asset) {
            known_asset(self.assets, asset, self.place(asset), context);
        }
        let wrong = match (captured, &topic.asset, value.assets.is_empty()) {
            (true, Some(_), _) => Some(("the topic names the asset already", "take `asset` or {asset} out")),
            (true, None, true) if context.complete => Some((
                "it is not said which assets {asset} stands for",
                "write `assets = [\"ward-3a\"]` beside the quantity",
            )),
            (false, None, _) => Some((
                "it is not said which asset this topic is of",
                "write `asset = \"...\"`, or {asset} in the topic",
            )),
            (false, Some(_), false) => {
                Some(("the topic has no {asset} for these to stand in for", "take `assets` out"))
            }
            _ => None,
        };
        if let Some((message, help)) = wrong {
            context.error(Code::Topic, self.place(&value.quantity), message, help);
        }
        if captured {
            value.assets.iter().map(|at| (**at).clone()).collect()
        } else {
            topic.asset.iter().map(|at| (**at).clone()).collect()
        }
    }

    fn point(
        &self,
        address: Address,
        value: &spec::TopicValue,
        stale_after_ms: u64,
        context: &mut Context<'_>,
    ) -> Point {
        let source = self.source;
        let (scale, range) =
            (context.scale(source, value.scale.as_ref()), context.range(source, value.range.as_ref()));
        let said = conditioning::Said {
            raw_unit: value.raw_unit.as_ref().map(|value| Found { source, value }),
            clamp: value.clamp.as_ref().map(|value| Found { source, value }),
            counter: value.counter.as_ref().map(|value| Found { source, value }),
            checks: value.checks.as_ref().map(|value| Found { source, value }),
            report: value.report.as_ref().map(|value| Found { source, value }),
        };
        let signal = conditioning::Signal {
            kind: value.kind.map_or(ValueKind::Decimal, Into::into),
            unit: value.unit,
            scale,
            range,
            has_states: false,
            is_count: true,
            most: None,
            interval_ms: None,
        };
        let (kind, conditioning) = conditioning::resolve(&said, &signal, context);
        Point {
            formerly: formerly(self.assets, &address, &value.formerly),
            name: Text::names(value.name.as_ref(), &value.quantity),
            unit: value.unit,
            kind,
            scale,
            offset: value.offset.unwrap_or(Decimal::ZERO),
            range,
            stale_after_ms,
            decimals: value.decimals.unwrap_or(2),
            states: Vec::new(),
            conditioning,
            address,
        }
    }
}

/// A value as the driver sees it: captures stand for themselves.
fn pattern(topic: &spec::Topic, value: &spec::TopicValue) -> TopicValue {
    let asset = topic.asset.as_ref().map_or("{asset}", |asset| asset.as_str());
    let quantity = if topic.pattern.captures("quantity") { "{quantity}" } else { value.quantity.as_str() };
    TopicValue {
        point: format!("{asset}/{quantity}"),
        payload: match &value.pointer {
            Some(pointer) => Payload::Json { pointer: pointer.0.clone() },
            None => Payload::Plain,
        },
    }
}
