//! Configuration: text -> spanned tree -> typed files -> validated [`Plan`].
//!
//! Reading order: `spec` (the files as they are written), `check` (the walk of the tree against
//! the schema), `leaf` (units, durations, names ...), `points` (lists in CSV become the same
//! registers), `certificates` (the files of TLS can be used), `validate` (what only the whole can show),
//! [`plan`](Plan) (the result, with `link` and `encoding` for Modbus, `topic` and `pattern` for MQTT,
//! `conditioning` for what is done to readings, and `system` for what a hospital's plant is divided into), `diagnostic` (messages that point).
//!
//! **Invariant:** never dials, never reads the clock. A secret never reaches a message.

mod encoding;
mod link;
mod conditioning;
mod pattern;
mod system;
mod plan;
mod topic;
mod spec;
mod leaf;
mod points;
mod certificates;
mod check;
mod validate;
mod diagnostic;
mod source;
mod schema;
mod version;
mod describe;
pub mod limits;

pub use conditioning::{Checks, Conditioning, Frozen, RateMax, Report};
pub use describe::describe;
pub use diagnostic::{Code, Diagnostic, Diagnostics, Severity};
pub use encoding::{DateLayout, Encoding, Order, TEXT_BYTES_MAX, WordError};
pub use link::{Link, LinkError, Parity, Serial};
pub use pattern::{Level, PatternError, TOPIC_BYTES_MAX, TopicPattern, next_level};
pub use plan::*;
pub use schema::schema;
pub use source::{Disk, Files};
pub use system::System;
pub use topic::{
    AssetFrom, ByteCell, ByteSource, Column, Form, QualityFrom, TimeFormat, TimeFrom, Topic, TopicValue,
    Verdict, Where, Written,
};
pub use validate::RuleSource;

use crate::point::Name;
use check::{Outside, Walk};
use diagnostic::Problem;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use source::{Place, Source};
use spec::{File, Profile, Register as WrittenRegister};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// What Excel saves as plain CSV on a Chinese system (GBK) is not.
const NOT_UTF8: &str = "it is not UTF-8";

/// A configuration that can be built.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What to build.
    pub plan: Plan,
    /// Every file that was read, the main one first; a change of any of them is a change.
    pub files: Vec<PathBuf>,
    /// What someone should look at.
    pub warnings: Diagnostics,
    /// Where each enabled rule's limit is from, by rule id.
    pub rule_sources: BTreeMap<Name, RuleSource>,
}

/// Reads a configuration from the disk: the first two phases, parse and validate.
/// All mistakes of the run come back together.
pub fn load(main: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Diagnostics> {
    load_from(&Disk, main, env)
}

/// The same from any files; pure given their texts and the environment.
pub fn load_from(
    files: &dyn Files,
    main: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, Diagnostics> {
    let mut loader = Loader::new(Outside { env, files, folder: main.parent().unwrap_or(Path::new("")) });
    let plan = loader.files(main).map(|parts| {
        let (profiles, points) = (loader.profiles(&parts), loader.points(&parts));
        let library = Library { profiles, points, folder: loader.outside.folder };
        let complete = loader.problems.is_empty();
        certificates::check(&parts, loader.outside, &mut loader.problems);
        validate::validate(&parts, &loader.sources, &library, complete, &mut loader.problems)
    });
    let diagnostics = Diagnostics::resolve(loader.problems, &loader.sources);
    match plan.flatten() {
        Some((plan, rule_sources)) if diagnostics.count(Severity::Error) == 0 => Ok(Loaded {
            plan,
            files: loader.sources.into_iter().map(|source| source.path).collect(),
            warnings: diagnostics,
            rule_sources,
        }),
        _ => Err(diagnostics),
    }
}

/// A register map alone, resolved for an asset called `device`.
#[derive(Clone, Debug)]
pub struct LoadedProfile {
    /// What is read and the point each feeds, in the order of the file.
    pub registers: Vec<(Register, Point)>,
    /// What such a device can bear.
    pub limits: DeviceLimits,
    /// What its messages mean, with the points of each topic, if it is one that sends.
    pub topics: Vec<TriedTopic>,
    /// What someone should look at.
    pub warnings: Diagnostics,
}

/// A topic that no broker listens to yet.
#[derive(Clone, Debug)]
pub struct TriedTopic {
    /// What is subscribed to and what it means.
    pub topic: Topic,
    /// Its points. Where it names no assets they are those of an asset called `asset`, or `device`
    /// in a profile.
    pub points: Vec<Point>,
}

/// Reads topics out of a text, to be tried before they stand in a file: `[[mqtt.topics]]` as a
/// configuration has them, `[[topics]]` of a profile, or the keys of a single one. Any asset may be
/// named. `zone` is that of times that do not say theirs.
///
/// # Errors
/// All mistakes together, as of a file called `topic.toml`.
pub fn topics_of(text: &str, zone: &jiff::tz::TimeZone) -> Result<Vec<TriedTopic>, Diagnostics> {
    let path = PathBuf::from("topic.toml");
    let files = BTreeMap::from([(path.clone(), text.to_owned())]);
    let env = |_: &str| None;
    let mut loader = Loader::new(Outside { env: &env, files: &files, folder: Path::new("") });
    let mut tried = Vec::new();
    let index = loader.read(&path, None);
    if let Some((index, source)) = index.and_then(|index| Some((index, loader.sources.get(index)?)))
        && let Some(tree) = tree_of(source, index, &mut loader.problems)
        && let Some(topics) = pasted(tree, source, index, loader.outside, &mut loader.problems)
        && let Ok(asset) = "asset".parse::<Name>()
    {
        let resolved = validate::pasted(index, &topics, &asset, zone, &mut loader.problems);
        tried.extend(resolved.into_iter().map(|(topic, points)| TriedTopic { topic, points }));
    }
    let diagnostics = Diagnostics::resolve(loader.problems, &loader.sources);
    if diagnostics.count(Severity::Error) == 0 { Ok(tried) } else { Err(diagnostics) }
}

/// A broker that stands in no file, by its address as `connect` has it, without topics and login.
///
/// # Errors
/// What is wrong with the address, and how one is written.
pub fn broker_at(address: &str) -> Result<Broker, String> {
    use leaf::Leaf;
    let connect = leaf::BrokerAddress::parse(address)
        .map_err(|wrong| format!("{address:?} {}: {}", wrong.message, wrong.help))?;
    validate::bare_broker(&connect).ok_or_else(|| format!("{address:?} is not the address of a broker"))
}

/// Reads the register map `NAME`, which is `FOLDER/devices/NAME.toml`, or the file of a path that
/// ends in `.toml`.
pub fn load_profile(name_or_path: &str, folder: &Path) -> Result<LoadedProfile, Diagnostics> {
    let named = folder.join("devices").join(format!("{name_or_path}.toml"));
    let is_file = Path::new(name_or_path).extension().is_some_and(|ending| ending == "toml");
    let path = if is_file { PathBuf::from(name_or_path) } else { named };
    let mut loader = Loader::new(Outside { env: &|_| None, files: &Disk, folder });
    let asset = "device".parse::<Name>().ok();
    let part = loader.file::<Profile>(&path, &schema::of::<Profile>(), None);
    let resolved = part.zip(asset).map(|(part, asset)| {
        let (registers, limits) = validate::profile(&part, &asset, &mut loader.problems);
        let (zone, problems) = (jiff::tz::TimeZone::UTC, &mut loader.problems);
        let topics = validate::pasted(part.source, &part.content.topics, &asset, &zone, problems);
        (registers, limits, topics)
    });
    let diagnostics = Diagnostics::resolve(loader.problems, &loader.sources);
    match resolved {
        Some((registers, limits, topics)) if diagnostics.count(Severity::Error) == 0 => {
            let topics = topics.into_iter().map(|(topic, points)| TriedTopic { topic, points }).collect();
            Ok(LoadedProfile { registers, limits, topics, warnings: diagnostics })
        }
        _ => Err(diagnostics),
    }
}

/// Topics alone, in any of the three ways they are written.
fn pasted(
    tree: DeTable<'_>,
    source: &Source,
    index: usize,
    outside: Outside<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Vec<leaf::At<spec::Topic>>> {
    if tree.keys().any(|key| key.get_ref() == "topic") {
        let schema = schema::of::<spec::Topic>();
        let single = typed::<spec::Topic>(tree, Walk { schema: &schema, source, index, outside, problems })?;
        return Some(vec![leaf::At::new(single.content, 0..source.text.len())]);
    }
    let schema = schema::of::<spec::Pasted>();
    let pasted = typed::<spec::Pasted>(tree, Walk { schema: &schema, source, index, outside, problems })?;
    let spec::Pasted { mqtt, mut topics } = pasted.content;
    topics.extend(mqtt.into_iter().flat_map(|broker| broker.topics));
    Some(topics)
}

/// The tree of a source, if it is TOML.
fn tree_of<'s>(source: &'s Source, index: usize, problems: &mut Vec<Problem>) -> Option<DeTable<'s>> {
    let (tree, errors) = DeTable::parse_recoverable(&source.text);
    if errors.is_empty() {
        return Some(tree.into_inner());
    }
    for error in errors {
        let place = Place { source: index, span: error.span().unwrap_or(0..0) };
        problems.push(Problem::error(Code::Syntax, place, error.message()));
    }
    None
}

/// Checks and types a tree.
fn typed<T: DeserializeOwned>(tree: DeTable<'_>, mut walk: Walk<'_>) -> Option<Part<T>> {
    let tree = walk.root(tree)?;
    match T::deserialize(toml::Deserializer::from(toml::Spanned::new(0..0, tree))) {
        Ok(content) => Some(Part { source: walk.index, content }),
        Err(error) => {
            let place = Place { source: walk.index, span: error.span().unwrap_or(0..0) };
            walk.problems.push(Problem::error(Code::WrongValue, place, error.message()));
            None
        }
    }
}

/// What devices name: register maps, and point lists by their path as it is written.
pub(crate) struct Library<'a> {
    pub profiles: BTreeMap<String, Part<Profile>>,
    pub points: BTreeMap<String, Part<Vec<leaf::At<WrittenRegister>>>>,
    /// Where the paths of a configuration begin.
    pub folder: &'a Path,
}

/// A typed file and the index of its source.
pub(crate) struct Part<T> {
    pub source: usize,
    pub content: T,
}

struct Loader<'a> {
    outside: Outside<'a>,
    sources: Vec<Source>,
    problems: Vec<Problem>,
}

impl<'a> Loader<'a> {
    fn new(outside: Outside<'a>) -> Loader<'a> {
        Loader { outside, sources: Vec::new(), problems: Vec::new() }
    }
}

impl Loader<'_> {
    /// The main file and what it includes; none if the main file says nothing usable.
    fn files(&mut self, main: &Path) -> Option<Vec<Part<File>>> {
        let schema = schema::of::<File>();
        let main = self.file::<File>(main, &schema, None)?;
        let mut parts = vec![main];
        let includes: Vec<(String, Place)> = parts
            .iter()
            .flat_map(|part| part.content.include.iter().map(|at| ((**at).clone(), part.place(at))))
            .collect();
        for (pattern, place) in includes {
            for path in self.expand(&pattern, &place) {
                let known = self.sources.iter().any(|source| source.path == path);
                if !known {
                    parts.extend(self.file::<File>(&path, &schema, Some(&place)));
                }
            }
        }
        Some(parts)
    }

    /// The files an entry of `include` stands for, sorted.
    fn expand(&mut self, pattern: &str, place: &Place) -> Vec<PathBuf> {
        let path = self.outside.folder.join(pattern);
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some((before, after)) = name.split_once('*') else { return vec![path] };
        let folder = path.parent().unwrap_or(Path::new(""));
        let fits = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
        };
        let listed = self.outside.files.list(folder).unwrap_or_default();
        let mut found: Vec<PathBuf> = listed.into_iter().filter(fits).collect();
        found.sort();
        if found.is_empty() {
            let message = format!("{} stands for no file", path.display());
            self.problems.push(Problem::warning(Code::Unreadable, place.clone(), message));
        }
        found
    }

    /// The register maps that devices name, each read once.
    fn profiles(&mut self, parts: &[Part<File>]) -> BTreeMap<String, Part<Profile>> {
        let mut named: BTreeMap<String, Place> = BTreeMap::new();
        for part in parts {
            let devices = part.content.modbus.iter().flat_map(|bus| &bus.devices);
            let polled = devices.filter_map(|device| device.profile.as_ref());
            let senders = part.content.mqtt.iter().flat_map(|broker| &broker.devices);
            for profile in polled.chain(senders.map(|device| &device.profile)) {
                named.entry(profile.0.clone()).or_insert_with(|| part.place(profile));
            }
        }
        if named.is_empty() {
            return BTreeMap::new();
        }
        let schema = schema::of::<Profile>();
        let read = |(name, place): (String, Place)| {
            let path = self.outside.folder.join("devices").join(format!("{name}.toml"));
            let profile = self.file::<Profile>(&path, &schema, Some(&place))?;
            Some((name, profile))
        };
        named.into_iter().filter_map(read).collect()
    }

    /// The point lists that devices name, each read once.
    fn points(&mut self, parts: &[Part<File>]) -> BTreeMap<String, Part<Vec<leaf::At<WrittenRegister>>>> {
        let mut lists = BTreeMap::new();
        let mut tried: BTreeSet<&str> = BTreeSet::new();
        for part in parts {
            let devices = part.content.modbus.iter().flat_map(|bus| &bus.devices);
            for written in devices.filter_map(|device| device.points.as_ref()) {
                let path = self.outside.folder.join(&**written);
                if !tried.insert(written) {
                    continue;
                }
                if !source::is_list(&path) {
                    let message = format!("{written:?} is no point list", written = **written);
                    let problem = Problem::error(Code::PointList, part.place(written), message);
                    self.problems.push(problem.help("a list is a file that ends in .csv"));
                    continue;
                }
                let Some(index) = self.read(&path, Some(&part.place(written))) else { continue };
                let Some(source) = self.sources.get(index) else { continue };
                let content = points::read(source, index, &mut self.problems);
                lists.insert((**written).clone(), Part { source: index, content });
            }
        }
        lists
    }

    /// Reads, upgrades, checks and types one file.
    fn file<T: DeserializeOwned + JsonSchema>(
        &mut self,
        path: &Path,
        schema: &serde_json::Value,
        named_at: Option<&Place>,
    ) -> Option<Part<T>> {
        let index = self.read(path, named_at)?;
        let source = self.sources.get(index)?;
        let mut tree = tree_of(source, index, &mut self.problems)?;
        if let Err(problem) = version::upgrade(&mut tree, index) {
            self.problems.push(problem);
            return None;
        }
        typed(tree, Walk { schema, source, index, outside: self.outside, problems: &mut self.problems })
    }

    /// Puts a text among the sources; a file that cannot be read is told at the place that names it.
    fn read(&mut self, path: &Path, named_at: Option<&Place>) -> Option<usize> {
        let index = self.sources.len();
        let text = match self.outside.files.read(path) {
            Ok(text) if text.len() > limits::FILE_BYTES_MAX => Err("it is larger than 16 MiB".to_owned()),
            Ok(_) if index >= limits::FILES_MAX => Err("more than 1000 files are included".to_owned()),
            Ok(text) => Ok(text),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => Err(NOT_UTF8.to_owned()),
            Err(error) => Err(error.to_string()),
        };
        let (text, error) = match text {
            // A byte order mark, as Excel writes it, is no part of the first word.
            Ok(text) => match text.strip_prefix('\u{feff}') {
                Some(rest) => (rest.to_owned(), None),
                None => (text, None),
            },
            Err(error) => (String::new(), Some(error)),
        };
        if named_at.is_none() || error.is_none() {
            self.sources.push(Source::new(path.to_owned(), text));
        }
        if let Some(error) = error {
            let place = named_at.cloned().unwrap_or(Place { source: index, span: 0..0 });
            let message = format!("{} cannot be read: {error}", path.display());
            let problem = Problem::error(Code::Unreadable, place, message);
            let named_by_hand = named_at.is_none().then(|| "name the site's file with --config".to_owned());
            let help = match error.as_str() {
                NOT_UTF8 if source::is_list(path) => Some("in Excel: Save As, \"CSV UTF-8\"".to_owned()),
                NOT_UTF8 => Some("save it as UTF-8".to_owned()),
                _ => self.neighbour(path).or(named_by_hand),
            };
            self.problems.push(Problem { help, ..problem });
            return None;
        }
        Some(index)
    }
}

impl Loader<'_> {
    /// A file beside a missing one that was probably meant.
    fn neighbour(&self, path: &Path) -> Option<String> {
        let name = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
        let listed = self.outside.files.list(path.parent()?).unwrap_or_default();
        let names: Vec<String> = listed.iter().filter_map(|path| name(path)).collect();
        let near = diagnostic::closest(&name(path)?, names.iter().map(String::as_str))?;
        Some(format!("did you mean {}?", path.with_file_name(near).display()))
    }
}

impl<T> Part<T> {
    /// The place of a value of this file.
    pub(crate) fn place<V>(&self, at: &leaf::At<V>) -> Place {
        Place { source: self.source, span: at.span() }
    }
}
