//! Devices that send to a broker: a profile says what their messages mean.
//!
//! Devices of one profile share its topics, however many they are: a message finds its device by a
//! table, not by asking one topic after the other.

use super::super::diagnostic::{Code, Problem};
use super::super::spec::{self, Certainty, File, Profile};
use super::super::{Library, Part, Topic, TopicPattern};
use super::Context;
use super::assets::Assets;
use super::register::known_asset;
use super::topic::{Sender, TopicWork};
use crate::point::Name;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};

/// What the devices of a broker are resolved with.
pub struct SenderWork<'a> {
    pub part: &'a Part<File>,
    pub assets: &'a Assets,
    pub zone: &'a TimeZone,
    pub library: &'a Library<'a>,
}

impl<'a> SenderWork<'a> {
    /// The topics of all devices of a broker.
    pub fn resolve(&self, broker: &'a spec::Broker, context: &mut Context<'_>) -> Vec<Topic> {
        type Group<'a> = (&'a str, Option<&'a str>);
        let mut groups: BTreeMap<Group<'a>, Vec<&'a spec::MqttDevice>> = BTreeMap::new();
        for device in &broker.devices {
            known_asset(self.assets, &device.asset, self.part.place(&device.asset), context);
            let own = device.topic.as_ref().map(|topic| topic.0.as_str());
            groups.entry((device.profile.0.as_str(), own)).or_default().push(device);
        }
        let mut topics = Vec::new();
        for ((name, own), devices) in groups {
            let Some(profile) = self.library.profiles.get(name) else { continue };
            topics.extend(self.group(profile, own, &devices, context));
        }
        topics
    }

    fn group(
        &self,
        profile: &Part<Profile>,
        own: Option<&str>,
        devices: &[&'a spec::MqttDevice],
        context: &mut Context<'_>,
    ) -> Vec<Topic> {
        let Some(first) = devices.first() else { return Vec::new() };
        self.unconfirmed(profile, first, context);
        let written = &profile.content.topics;
        if written.is_empty() && context.complete {
            let message = format!("the profile \"{}\" says nothing about messages", first.profile.0);
            let help = "a profile of a device that sends has `[[topics]]`; this one is for a Modbus device";
            context.error(Code::Topic, self.part.place(&first.profile), message, help);
        }
        if let (Some(at), true) = (&first.topic, written.len() > 1) {
            let help = "this profile has several topics, and one cannot stand for all: take `topic` out";
            context.error(Code::Topic, self.part.place(at), "it is not said which topic this is", help);
        }
        let known: BTreeSet<&str> = quantities(profile).collect();
        let senders: Vec<Sender<'_>> =
            devices.iter().map(|device| self.sender(device, &known, context)).collect();
        let senders = Some(senders.as_slice());
        let work = TopicWork { source: profile.source, assets: Some(self.assets), zone: self.zone, senders };
        let own: Option<TopicPattern> = own.and_then(|text| text.parse().ok());
        let resolve = |topic| {
            work.resolve(topic, context)
                .map(|topic| Topic { pattern: own.clone().unwrap_or(topic.pattern), ..topic })
        };
        written.iter().map(|topic| &**topic).filter_map(resolve).collect()
    }

    fn sender(
        &self,
        device: &'a spec::MqttDevice,
        known: &BTreeSet<&str>,
        context: &mut Context<'_>,
    ) -> Sender<'a> {
        if let (Some(only), Some(_)) = (&device.only, &device.without) {
            let help = "`only` names what it has, `without` what it does not have: take one out";
            context.error(Code::Misplaced, self.part.place(only), "the values are chosen in two ways", help);
        }
        for list in [&device.only, &device.without].into_iter().flatten() {
            for quantity in list.iter().filter(|quantity| !known.contains(quantity.as_str())) {
                let place = self.part.place(quantity);
                context.unknown("quantity", quantity.as_str(), place, known.iter().copied());
            }
        }
        let (only, without) = (&device.only, &device.without);
        Sender {
            asset: &device.asset,
            id: device.id.as_ref().map_or_else(|| device.asset.to_string(), |id| (**id).clone()),
            place: device
                .id
                .as_ref()
                .map_or_else(|| self.part.place(&device.asset), |id| self.part.place(id)),
            has: Box::new(move |quantity: &Name| {
                only.as_ref().is_none_or(|only| only.iter().any(|name| **name == *quantity))
                    && !without.as_ref().is_some_and(|without| without.iter().any(|name| **name == *quantity))
            }),
            stale_after: device.stale_after.as_ref().map(|at| (self.part.source, at)),
        }
    }

    fn unconfirmed(&self, profile: &Part<Profile>, device: &spec::MqttDevice, context: &mut Context<'_>) {
        if profile.content.device.certainty != Certainty::C {
            return;
        }
        let message = format!("the profile {} has not been confirmed", device.profile.0);
        let help =
            format!("compare one reading with the device; its source: {}", profile.content.device.source);
        let place = self.part.place(&device.profile);
        context.problems.push(Problem::warning(Code::Unconfirmed, place, message).help(help));
    }
}

fn quantities(profile: &Part<Profile>) -> impl Iterator<Item = &str> {
    profile.content.topics.iter().flat_map(|topic| &topic.values).map(|value| value.quantity.as_str())
}
