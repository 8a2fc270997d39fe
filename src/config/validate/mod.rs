//! What only the whole configuration can show: ids, references, ranges. Pure.
//!
//! Reading order: `assets` (the tree), `feeds` (who supplies whom), `bands` (which points of an asset come first and
//! what is normal for them), `conditioning` (what is done to readings), `register` (one register,
//! alone), `layout` (the registers of a device among each other), `device` (its own registers over its
//! profile's), `field` (buses), `topic` (what messages mean), `sender` (devices that send), `broker`,
//! `derived`, `history`, `rules`, `energy`.

mod assets;
mod feeds;
mod bands;
mod conditioning;
mod register;
mod layout;
mod device;
mod field;
mod broker;
mod derived;
mod history;
mod rules;
mod topic;
mod sender;
mod pasted;
mod energy;

pub use broker::bare_broker;
pub use device::profile;
pub use pasted::pasted;
pub use rules::RuleSource;

use super::diagnostic::{Code, Problem, closest};
use super::leaf::{At, Millis};
use super::source::{Place, Source};
use super::spec::{File, Text};
use super::{Http, Library, Part, Plan, Point, Site, Target, limits};
use crate::point::{Address, Decimal, Name};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;

const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8420);

/// The plan, if there is a site at all; whether it may be used the problems say.
pub fn validate(
    parts: &[Part<File>],
    sources: &[Source],
    library: &Library<'_>,
    complete: bool,
    problems: &mut Vec<Problem>,
) -> Option<(Plan, BTreeMap<Name, RuleSource>)> {
    let mut context = Context::new(complete, problems);
    context.one_main_file(parts);
    let (site, http) = (context.site(parts), context.http(parts));
    let assets = assets::validate(parts, &mut context);
    let feeds = feeds::validate(parts, &assets.ids, &mut context);
    let zone = site.as_ref().map_or(jiff::tz::TimeZone::UTC, |site| site.zone.clone());
    let buses = field::buses(parts, library, &assets, &zone, &mut context);
    let client = site.as_ref().map_or_else(String::new, |site| format!("plantroom-{}", site.id));
    let brokers = broker::brokers(parts, library, &client, &assets, &zone, &mut context);
    let derived = derived::validate(parts, sources, &buses, &assets, &mut context);
    bands::validate(parts, &mut context);
    let history = history::validate(parts, &assets.in_order, &mut context);
    // Rules and meters name points, meters name tariffs.
    let targets = context.targets(parts);
    let rules = rules::validate(parts, &mut context);
    let tariffs = energy::tariffs(parts, &mut context);
    let meters = energy::meters(parts, &tariffs, &mut context);
    let Context { points, .. } = context;
    let plan = Plan {
        site: site?,
        http,
        history,
        assets: assets.in_order,
        feeds,
        points: points.list,
        buses,
        brokers,
        derived,
        targets,
        rules: rules.list,
        meters,
        tariffs: tariffs.list,
    };
    Some((plan, rules.sources))
}

/// What every check shares.
struct Context<'a> {
    /// Nothing was taken out of the files; otherwise a missing target of a reference proves nothing.
    complete: bool,
    problems: &'a mut Vec<Problem>,
    points: Points,
    /// How often each point is expected. Milliseconds.
    intervals: BTreeMap<Address, u64>,
}

/// All points so far.
#[derive(Default)]
struct Points {
    list: Vec<Point>,
    places: BTreeMap<Address, (usize, Place)>,
}

/// Ids of one kind, each once.
#[derive(Default)]
struct Ids(BTreeMap<Name, Place>);

impl Ids {
    /// Whether the id is new; a second one is told.
    fn claim(&mut self, what: &str, id: &Name, place: &Place, context: &mut Context<'_>) -> bool {
        match self.0.get(id) {
            Some(first) => {
                let message = format!("there are two {what} with the id \"{id}\"");
                let problem = Problem::error(Code::Duplicate, place.clone(), message);
                context
                    .problems
                    .push(problem.note(first.clone(), "the first").help("give one of them another id"));
                false
            }
            None => self.0.insert(id.clone(), place.clone()).is_none(),
        }
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(Name::as_str)
    }
}

impl Points {
    fn get(&self, address: &Address) -> Option<&Point> {
        self.places.get(address).and_then(|(index, _)| self.list.get(*index))
    }
}

impl<'a> Context<'a> {
    fn new(complete: bool, problems: &'a mut Vec<Problem>) -> Context<'a> {
        Context { complete, problems, points: Points::default(), intervals: BTreeMap::new() }
    }
}

impl Context<'_> {
    fn error(&mut self, code: Code, place: Place, message: impl Into<String>, help: &str) {
        self.problems.push(Problem::error(code, place, message).help(help));
    }

    /// A reference that leads nowhere, with the nearest id that does exist.
    fn unknown<'k>(&mut self, what: &str, id: &str, place: Place, known: impl Iterator<Item = &'k str>) {
        if !self.complete {
            return;
        }
        let problem = Problem::error(Code::UnknownReference, place, format!("there is no {what} \"{id}\""));
        let known: Vec<&str> = known.collect();
        let plural = what.strip_suffix('y').map_or_else(|| format!("{what}s"), |stem| format!("{stem}ies"));
        let help = match closest(id, known.iter().copied()) {
            Some(word) => format!("did you mean \"{word}\"?"),
            None => format!("{} {plural} are known; add it, or correct the id", known.len()),
        };
        self.problems.push(problem.help(help));
    }

    /// A point that a rule or a meter names.
    fn point(&mut self, place: Place, address: &Address) -> Option<Point> {
        if let Some(point) = self.points.get(address) {
            return Some(point.clone());
        }
        let known: Vec<String> = self.points.places.keys().map(Address::to_string).collect();
        self.unknown("point", &address.to_string(), place, known.iter().map(String::as_str));
        None
    }

    /// Takes a point in, unless its address is taken.
    fn add_point(&mut self, point: Point, place: Place, interval_ms: u64) -> bool {
        let address = point.address.clone();
        if let Some((_, first)) = self.points.places.get(&address) {
            let problem =
                Problem::error(Code::Duplicate, place, format!("the point \"{address}\" is fed twice"));
            let problem = problem.note(first.clone(), "the first");
            self.problems.push(problem.help("give one of them another quantity, or another asset"));
            return false;
        }
        self.points.places.insert(address.clone(), (self.points.list.len(), place));
        self.points.list.push(point);
        self.intervals.insert(address, interval_ms);
        true
    }

    /// A duration within its limits, or the default.
    fn millis(
        &mut self,
        source: usize,
        at: Option<&At<Millis>>,
        limits: RangeInclusive<u64>,
        default: u64,
    ) -> u64 {
        let Some(at) = at else { return default };
        if !limits.contains(&at.0) {
            let (least, most) = (words(*limits.start()), words(*limits.end()));
            let place = Place { source, span: at.span() };
            self.error(
                Code::WrongValue,
                place,
                format!("{} is out of limits", words(at.0)),
                &format!("from {least} to {most}"),
            );
            return default;
        }
        at.0
    }

    /// A range whose ends are the right way round.
    fn range(&mut self, source: usize, at: Option<&At<[Decimal; 2]>>) -> Option<(Decimal, Decimal)> {
        let at = at?;
        let [low, high] = **at;
        if low >= high {
            let place = Place { source, span: at.span() };
            let message = format!("the range {low} to {high} is empty");
            self.error(Code::Range, place, message, "write the lower end first: [0, 1.6]");
            return None;
        }
        Some((low, high))
    }

    fn scale(&mut self, source: usize, at: Option<&At<Decimal>>) -> Decimal {
        let Some(at) = at else { return Decimal::ONE };
        if at.mantissa() == 0 {
            let place = Place { source, span: at.span() };
            self.error(Code::WrongValue, place, "a scale of 0 makes every value 0", "write the factor: 0.1");
        }
        **at
    }

    /// Site, web server, history and includes stand in the main file.
    fn one_main_file(&mut self, parts: &[Part<File>]) {
        for part in parts.iter().skip(1) {
            let File { site, http, history, include, .. } = &part.content;
            let places = site.iter().map(|at| part.place(at));
            let places = places.chain(http.iter().map(|at| part.place(at)));
            let places = places.chain(history.iter().map(|at| part.place(at)));
            let places: Vec<Place> = places.chain(include.iter().map(|at| part.place(at))).collect();
            for place in places {
                self.error(
                    Code::Misplaced,
                    place,
                    "this belongs in the main file",
                    "move it to plantroom.toml",
                );
            }
        }
    }

    fn site(&mut self, parts: &[Part<File>]) -> Option<Site> {
        let part = parts.first()?;
        let Some(site) = &part.content.site else {
            if self.complete {
                let place = Place { source: part.source, span: 0..0 };
                let help = "[site]\n          id = \"demo\"\n          timezone = \"Asia/Shanghai\"";
                self.error(Code::MissingField, place, "the table `[site]` is missing", help);
            }
            return None;
        };
        Some(Site {
            id: site.id.clone(),
            name: Text::names(site.name.as_ref(), &site.id),
            zone: site.timezone.0.clone(),
        })
    }

    fn http(&mut self, parts: &[Part<File>]) -> Http {
        let part = parts.first();
        let listen = part.and_then(|part| part.content.http.as_ref()?.listen.as_ref().map(|at| (part, at)));
        let Some((part, at)) = listen else { return Http { listen: LISTEN_DEFAULT } };
        if !at.0.ip().is_loopback() {
            let message = format!("{} can be reached from other machines, and there is no sign-in yet", at.0);
            let help = format!("listen on 127.0.0.1:{}; reach it from elsewhere through ssh -L", at.0.port());
            self.error(Code::NotLoopback, part.place(at), message, &help);
        }
        Http { listen: at.0 }
    }

    fn targets(&mut self, parts: &[Part<File>]) -> Vec<Target> {
        let (mut ids, mut list) = (Ids::default(), Vec::new());
        for part in parts {
            for target in &part.content.forward {
                let place = part.place(&target.id);
                ids.claim("targets", &target.id, &place, self);
                if target.token.is_some() && target.login.is_some() {
                    let message = format!("the target \"{}\" has a token and a login", *target.id);
                    let help = "a token is for /api/v2/write, a login for InfluxDB 1.x: leave one out";
                    self.error(Code::Misplaced, place, message, help);
                }
                list.push(Target {
                    id: target.id.clone(),
                    url: target.url.0.clone(),
                    token: target.token.clone(),
                    login: target.login.as_ref().map(Into::into),
                    batch_lines_max: target.batch_lines_max.unwrap_or(limits::BATCH_LINES_DEFAULT) as usize,
                });
            }
        }
        list
    }
}

/// A duration as a configuration writes it.
pub fn words(ms: u64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    match units.into_iter().find(|(factor, _)| ms > 0 && ms.is_multiple_of(*factor)) {
        Some((factor, unit)) => format!("{}{unit}", ms / factor),
        None => format!("{ms}ms"),
    }
}
