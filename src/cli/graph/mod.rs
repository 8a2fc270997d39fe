//! `graph`: the way of the readings, and which registers are read in which request, as a picture.
//!
//! Reading order: [`Flow`] (what is drawn), [`bars`] (the requests to a device), `text`, `svg`.

mod bars;
mod canvas;
mod svg;
mod text;

use super::lang::Lang;
use super::loads::{self, BusLoad};
use super::{Cli, Failure, check, print};
use crate::config::{Broker, Plan, Topic};
use crate::field::modbus::ClassForecast;
use crate::point::Address;
use anyhow::Context;
use std::collections::BTreeSet;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// How it is drawn; svg if the file is named so, else text.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Where it goes; standard output if left out.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Language of names and labels; that of the environment if left out.
    #[arg(long, value_enum)]
    lang: Option<Lang>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// A tree for a terminal.
    Text,
    /// A picture that opens in a browser and prints on paper.
    Svg,
}

/// `plantroom graph`. The same configuration always gives the same picture.
pub fn perform(cli: &Cli, options: &Options) -> Result<(), Failure> {
    let loaded = check::load(&cli.config)?;
    let flow = Flow {
        plan: &loaded.plan,
        buses: loads::of_plan(&loaded.plan)?,
        lang: options.lang.unwrap_or_else(Lang::of_environment),
    };
    let named = |path: &PathBuf| path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("svg"));
    let usual = if options.output.as_ref().is_some_and(named) { Format::Svg } else { Format::Text };
    let drawn = match options.format.unwrap_or(usual) {
        Format::Text => text::draw(&flow),
        Format::Svg => svg::draw(&flow),
    };
    match &options.output {
        None => print(&drawn),
        Some(path) => {
            std::fs::write(path, drawn).with_context(|| format!("{}", path.display())).map_err(Failure::Other)
        }
    }
}

/// What is drawn.
pub struct Flow<'a> {
    plan: &'a Plan,
    buses: Vec<BusLoad<'a>>,
    lang: Lang,
}

impl<'a> Flow<'a> {
    /// The name of a point without that of its asset.
    fn point_name(&self, address: &'a Address) -> &'a str {
        let point = self.plan.points.iter().find(|point| point.address == *address);
        point.map_or(address.quantity.as_str(), |point| self.lang.name(&point.name))
    }

    /// The points a topic can feed.
    fn points_of(&self, topic: &Topic) -> Vec<&'a Address> {
        let fed: BTreeSet<Address> = topic.points().collect();
        self.plan.points.iter().map(|point| &point.address).filter(|address| fed.contains(address)).collect()
    }

    /// What becomes of readings: a title and lines below it.
    fn sinks(&self) -> Vec<(String, Vec<String>)> {
        let (plan, lang) = (self.plan, self.lang);
        let kept = lang.pick("每个读数都存盘", "keeps every reading");
        let mut sinks = vec![(lang.pick("历史库", "historian").to_owned(), vec![kept.to_owned()])];
        if !plan.rules.is_empty() {
            let words = [("紧急", "urgent"), ("高", "high"), ("中", "medium"), ("低", "low")];
            let count = |priority: u8| plan.rules.iter().filter(|rule| rule.priority == priority).count();
            let lines = (1_u8..).zip(words).map(|(priority, (zh, en))| (count(priority), lang.pick(zh, en)));
            let lines = lines.filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
            sinks.push((format!("{} ({})", lang.pick("报警", "alarms"), plan.rules.len()), lines.collect()));
        }
        if !plan.meters.is_empty() {
            let lines = plan.meters.iter().map(|meter| lang.name(&meter.name).to_owned()).collect();
            sinks.push((lang.pick("能耗", "energy").to_owned(), lines));
        }
        for target in &plan.targets {
            let host = target.url.host_str().unwrap_or_default().to_owned();
            sinks.push((format!("{} {}", lang.pick("转发", "forward"), target.id), vec![host]));
        }
        sinks
    }

    /// `15m`, or that and on which moments.
    fn rate(&self, class: &ClassForecast) -> String {
        let span = loads::span(class.interval_ms);
        let aligned = self.lang.pick("整点", "on the clock");
        if class.aligned { format!("{span} {aligned}") } else { span }
    }

    /// `127.0.0.1:1884`.
    fn place_of(broker: &Broker) -> String {
        format!("{}:{}", broker.host, broker.port)
    }
}
