//! The script of faults: read from TOML, checked against the plan, with errors that point.

use super::kind::Kind;
use super::when::{Ending, Growth, Onset};
use crate::config::Plan;
use crate::point::{Address, Name, Names, UtcMs};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use toml::Spanned;

/// Most faults of a script.
pub const FAULTS_MAX: usize = 500;
/// Most corners of a course.
const CORNERS_MAX: usize = 100;
/// Most characters of a source line that are shown.
const LINE_CHARS_MAX: usize = 120;

/// A fault as the script has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Its id.
    pub id: Name,
    /// What goes wrong.
    pub kind: Kind,
    /// Where: an asset, or the device or bus that a fault between plant and gateway is of.
    pub target: Target,
    /// When it begins.
    pub onset: Onset,
    /// When it ends.
    pub ending: Ending,
    /// It begins again so long after each onset. Milliseconds.
    pub every_ms: Option<i64>,
    /// How it grows.
    pub growth: Growth,
    /// What a kind needs beside that: the factor of `unit_jump` and `ct_changed`, the share of
    /// replies of `noisy_bus`, the seconds of `clock_jump`.
    pub size: f64,
    /// Its name.
    pub name: Names,
    /// What should be noticed.
    pub notice: Names,
    /// The points it touches.
    pub points: Vec<Address>,
}

/// Of what a fault is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// An asset.
    Asset(Name),
    /// A Modbus device.
    Device(Name),
    /// A Modbus bus.
    Bus(Name),
    /// The gateway itself.
    Gateway,
}

impl Target {
    /// Its id; `gateway` for the gateway.
    pub fn id(&self) -> &str {
        match self {
            Target::Asset(name) | Target::Device(name) | Target::Bus(name) => name.as_str(),
            Target::Gateway => "gateway",
        }
    }
}

/// What is wrong with a script: everything that was found, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptErrors(pub Vec<String>);

impl fmt::Display for ScriptErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ScriptErrors {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    #[serde(default)]
    faults: Vec<Spanned<FaultText>>,
}

type Word = Spanned<String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultText {
    id: Word,
    kind: Word,
    asset: Option<Word>,
    device: Option<Word>,
    bus: Option<Word>,
    onset: Word,
    end: Option<Word>,
    duration: Option<Word>,
    every: Option<Word>,
    course: Option<Spanned<Vec<(String, f64)>>>,
    size: Option<Spanned<f64>>,
    name: NamesText,
    notice: NamesText,
    points: Option<Spanned<Vec<String>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamesText {
    zh: String,
    en: String,
}

impl From<NamesText> for Names {
    fn from(text: NamesText) -> Names {
        Names { zh: text.zh, en: text.en }
    }
}

/// The faults of a script; `file` is what the messages call it.
///
/// # Errors
/// All mistakes at once: file, line, column, what was found, what to do.
pub fn parse(text: &str, file: &str, plan: &Plan) -> Result<Vec<Fault>, ScriptErrors> {
    let mut reader = Reader { text, file, plan, wrong: Vec::new() };
    let read: FileText = match toml::from_str(text) {
        Ok(read) => read,
        Err(error) => {
            let hint = "see docs/manual/en/demo.md for what a fault is made of";
            reader.complain(error.span().unwrap_or(0..0), error.message(), hint);
            return Err(ScriptErrors(reader.spoken()));
        }
    };
    if let Some(beyond) = read.faults.get(FAULTS_MAX) {
        let hint = "leave some out";
        reader.complain(beyond.span(), &format!("more than {FAULTS_MAX} faults"), hint);
    }
    let mut ids = BTreeSet::new();
    let mut faults = Vec::with_capacity(read.faults.len());
    for fault in read.faults.into_iter().map(Spanned::into_inner) {
        let span = fault.id.span();
        if let Some(fault) = reader.fault(fault) {
            if !ids.insert(fault.id.clone()) {
                reader.complain(span, &format!("there are two faults {:?}", fault.id.as_str()), "rename one");
            }
            faults.push(fault);
        }
    }
    if reader.wrong.is_empty() { Ok(faults) } else { Err(ScriptErrors(reader.spoken())) }
}

struct Reader<'a> {
    text: &'a str,
    file: &'a str,
    plan: &'a Plan,
    wrong: Vec<(usize, String)>,
}

impl Reader<'_> {
    fn spoken(mut self) -> Vec<String> {
        self.wrong.sort();
        self.wrong.into_iter().map(|(_, message)| message).collect()
    }

    fn complain(&mut self, span: Range<usize>, what: &str, hint: &str) {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let shown: String =
            self.text.lines().nth(line - 1).unwrap_or_default().chars().take(LINE_CHARS_MAX).collect();
        let message = format!("{}:{line}:{column}: {what}\n    {shown}\n  {hint}", self.file);
        self.wrong.push((span.start, message));
    }

    /// A part of a fault; what is wrong with it is said.
    fn part<T>(
        &mut self,
        word: &Word,
        read: impl FnOnce(&str) -> Option<T>,
        what: &str,
        hint: &str,
    ) -> Option<T> {
        let found = read(word.get_ref());
        if found.is_none() {
            self.complain(word.span(), &format!("{:?} {what}", word.get_ref()), hint);
        }
        found
    }

    fn fault(&mut self, text: FaultText) -> Option<Fault> {
        let id = self.part(&text.id, parsed, "is no id", "write 1 to 63 of a-z, 0-9, - and _");
        let kinds = Kind::ALL.iter().map(|kind| kind.word()).collect::<Vec<_>>().join(", ");
        let kind = self.part(&text.kind, parsed, "is no kind of fault", &format!("choose one of {kinds}"));
        let onset = self.part(&text.onset, onset, "is no onset", ONSET_HINT);
        let every =
            text.every.as_ref().map(|word| self.part(word, positive_ms, "is no period", DURATION_HINT));
        let ending = self.ending(&text);
        let growth = text.course.as_ref().map_or(Some(Growth::default()), |course| self.growth(course));
        let target = kind.and_then(|kind| self.target(kind, &text));
        let points = self.points(target.as_ref(), text.points.as_ref());
        let size = kind.and_then(|kind| self.size(kind, text.size.as_ref(), text.kind.span()));
        let onset = onset.filter(|found| self.onset_fits(kind, *found, &text.onset));
        let every_ms = match every {
            Some(every) => Some(every?),
            None => None,
        };
        Some(Fault {
            id: id?,
            kind: kind?,
            target: target?,
            onset: onset?,
            ending: ending?,
            every_ms,
            growth: growth?,
            size: size?,
            name: text.name.into(),
            notice: text.notice.into(),
            points: points?,
        })
    }

    /// A rollover is decided by what the meter has counted since genesis: it cannot be asked for.
    fn onset_fits(&mut self, kind: Option<Kind>, onset: Onset, word: &Word) -> bool {
        let needs_moment =
            kind == Some(Kind::MeterRollover) && !matches!(onset, Onset::At(_) | Onset::FromFirstStart(_));
        if needs_moment {
            self.complain(
                word.span(),
                "a meter's rollover has a moment of its own",
                "write a moment as 2026-03-01T08:00:00+08:00, or a time from the first start as \"-3d\"",
            );
        }
        !needs_moment
    }

    fn ending(&mut self, text: &FaultText) -> Option<Ending> {
        match (&text.end, &text.duration) {
            (Some(end), Some(_)) => {
                self.complain(end.span(), "both an end and a duration", "leave one of them out");
                None
            }
            (Some(end), None) => self.part(end, ending, "is no end", ONSET_HINT),
            (None, Some(duration)) => {
                self.part(duration, positive_ms, "is no duration", DURATION_HINT).map(Ending::After)
            }
            (None, None) => Some(Ending::Never),
        }
    }

    fn growth(&mut self, course: &Spanned<Vec<(String, f64)>>) -> Option<Growth> {
        let read = |(after, level): &(String, f64)| {
            let after = if after == "0s" { Some(0) } else { positive_ms(after) };
            after.filter(|_| (0.0..=1.0).contains(level)).map(|after| (after, *level))
        };
        let corners: Option<Vec<(i64, f64)>> = course.get_ref().iter().map(read).collect();
        let rises = |corners: &Vec<(i64, f64)>| corners.is_sorted_by(|one, next| one.0 < next.0);
        let corners = corners.filter(|c| rises(c) && (1..=CORNERS_MAX).contains(&c.len()));
        if corners.is_none() {
            self.complain(
                course.span(),
                "no course of a fault",
                "write corners in the order of time, each a duration after the onset and a strength from 0 to 1: [[\"0s\", 0.0], [\"10m\", 1.0]]",
            );
        }
        corners.map(Growth)
    }

    fn size(&mut self, kind: Kind, size: Option<&Spanned<f64>>, at: Range<usize>) -> Option<f64> {
        let (range, what) = match kind {
            Kind::UnitJump | Kind::CtChanged => {
                (1e-6..1e6, "the factor the value is multiplied with, above 0")
            }
            Kind::NoisyBus => (0.001..1.0, "the share of replies that are damaged, below 1"),
            Kind::ClockJump => {
                (-864_000.0..864_000.0, "the seconds the clock is put forward; back if below 0")
            }
            _ => {
                if let Some(size) = size {
                    let what = format!("a {kind} has no size");
                    self.complain(size.span(), &what, "remove it; the strength stands in `course`");
                }
                return size.is_none().then_some(1.0);
            }
        };
        let found = size.map(|size| *size.get_ref()).filter(|size| range.contains(size));
        if found.is_none() {
            let span = size.map_or(at, Spanned::span);
            self.complain(span, &format!("a {kind} needs its size"), &format!("write `size`: {what}"));
        }
        found
    }

    fn target(&mut self, kind: Kind, text: &FaultText) -> Option<Target> {
        let given: Vec<&Word> = [&text.asset, &text.device, &text.bus].into_iter().flatten().collect();
        let wanted = match kind {
            Kind::NoisyBus => "bus",
            Kind::DeadDevice => "device",
            Kind::ClockJump => "",
            _ => "asset",
        };
        let word = match wanted {
            "bus" => text.bus.as_ref(),
            "device" => text.device.as_ref().or(text.asset.as_ref()),
            "" if given.is_empty() => return Some(Target::Gateway),
            "" => None,
            _ => text.asset.as_ref(),
        };
        let Some(word) = word.filter(|_| given.len() == 1) else {
            let hint = match wanted {
                "" => "it is of the gateway: remove `asset`, `device` and `bus`".to_owned(),
                "device" => {
                    "say which: `device` of a bus, or `asset` of a sensor that sends by itself".to_owned()
                }
                wanted => format!("say which, by `{wanted}` and nothing else"),
            };
            self.complain(text.kind.span(), &format!("a {kind} of what"), &hint);
            return None;
        };
        let is_device = wanted == "device" && text.device.is_some();
        let find = |id: &str| {
            let name: Name = id.parse().ok()?;
            match wanted {
                "bus" => self.plan.buses.iter().any(|bus| bus.id == name).then_some(Target::Bus(name)),
                _ if is_device => {
                    let mut devices = self.plan.buses.iter().flat_map(|bus| &bus.devices);
                    devices.any(|device| device.id == name).then_some(Target::Device(name))
                }
                _ => self.plan.assets.iter().any(|asset| asset.id == name).then_some(Target::Asset(name)),
            }
        };
        let found = find(word.get_ref());
        if found.is_none() {
            let what = if is_device {
                "device"
            } else if wanted == "bus" {
                "bus"
            } else {
                "asset"
            };
            let hint = format!(
                "write the id of one; the demo's are in config/plantroom.toml and config/hospital, the nearest is {}",
                self.nearest(what, word.get_ref())
            );
            self.complain(word.span(), &format!("{:?} is no {what} of this hospital", word.get_ref()), &hint);
        }
        found
    }

    fn nearest(&self, what: &str, id: &str) -> String {
        let plan = self.plan;
        let known: Vec<&Name> = match what {
            "bus" => plan.buses.iter().map(|bus| &bus.id).collect(),
            "device" => plan.buses.iter().flat_map(|bus| &bus.devices).map(|device| &device.id).collect(),
            _ => plan.assets.iter().map(|asset| &asset.id).collect(),
        };
        let far = |known: &&Name| strsim::osa_distance(known.as_str(), id);
        known
            .into_iter()
            .min_by_key(far)
            .map_or_else(|| "none".to_owned(), |name| format!("{:?}", name.as_str()))
    }

    /// The points of the patterns `asset/quantity`, where either side may be `*`; without any, those
    /// of the asset.
    fn points(
        &mut self,
        target: Option<&Target>,
        patterns: Option<&Spanned<Vec<String>>>,
    ) -> Option<Vec<Address>> {
        let addresses = || self.plan.points.iter().map(|point| &point.address);
        let Some(patterns) = patterns else {
            return Some(match target {
                Some(Target::Asset(asset)) => {
                    addresses().filter(|point| point.asset == *asset).cloned().collect()
                }
                Some(Target::Device(device)) => self.points_of(|_, one| one == device),
                Some(Target::Bus(bus)) => self.points_of(|one, _| one == bus),
                _ => Vec::new(),
            });
        };
        let mut found = BTreeSet::new();
        for pattern in patterns.get_ref() {
            let fits = |word: &str, name: &Name| word == "*" || word == name.as_str();
            let (asset, quantity) = pattern.split_once('/').unwrap_or((pattern, ""));
            let before = found.len();
            let fitting =
                addresses().filter(|point| fits(asset, &point.asset) && fits(quantity, &point.quantity));
            found.extend(fitting.cloned());
            if found.len() == before {
                let what = format!("{pattern:?} is no point of this hospital");
                self.complain(patterns.span(), &what, "write asset/quantity; `*` stands for all on its side");
                return None;
            }
        }
        Some(found.into_iter().collect())
    }

    /// The points of the devices that are wanted, by bus and device.
    fn points_of(&self, wanted: impl Fn(&Name, &Name) -> bool) -> Vec<Address> {
        let devices =
            self.plan.buses.iter().flat_map(|bus| bus.devices.iter().map(move |one| (&bus.id, one)));
        let fitting = devices.filter(|(bus, device)| wanted(bus, &device.id));
        fitting.flat_map(|(_, device)| device.registers.iter().map(|one| one.point.clone())).collect()
    }
}

const ONSET_HINT: &str = "write a moment as 2026-03-01T08:00:00+08:00, a time from the first start as \"20s\" or \"-40d\", \"20s after each start\", or \"on request\"";
const DURATION_HINT: &str = "write 500ms, 5s, 10m, 2h or 1d";

fn parsed<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn onset(text: &str) -> Option<Onset> {
    if text == "on request" {
        return Some(Onset::OnRequest);
    }
    if let Some(after) = text.strip_suffix(" after each start") {
        return duration_ms(after).map(Onset::FromEachStart);
    }
    moment(text).map(Onset::At).or_else(|| signed_ms(text).map(Onset::FromFirstStart))
}

fn ending(text: &str) -> Option<Ending> {
    moment(text).map(Ending::At).or_else(|| signed_ms(text).map(Ending::FromFirstStart))
}

fn moment(text: &str) -> Option<UtcMs> {
    text.parse::<jiff::Timestamp>().ok().map(|at| UtcMs(at.as_millisecond()))
}

fn signed_ms(text: &str) -> Option<i64> {
    match text.strip_prefix('-') {
        Some(before) => duration_ms(before).map(|ms| -ms),
        None => duration_ms(text.strip_prefix('+').unwrap_or(text)),
    }
}

fn positive_ms(text: &str) -> Option<i64> {
    duration_ms(text).filter(|ms| *ms > 0)
}

/// Milliseconds of `500ms`, `5s`, `10m`, `2h`, `1d`: whole numbers, up to a hundred years.
pub fn duration_ms(text: &str) -> Option<i64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let ms = number.parse::<i64>().ok()?.checked_mul(unit)?;
    (ms <= super::when::FOR_EVER_MS).then_some(ms)
}
