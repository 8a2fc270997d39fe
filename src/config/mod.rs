//! Configuration: text -> spanned tree -> typed files -> validated [`Plan`].
//!
//! Reading order: `spec` (the files as they are written), `check` (the walk of the tree against
//! the schema), `leaf` (units, durations, names ...), `points` (lists in CSV become the same
//! registers), `validate` (what only the whole can show),
//! [`plan`](Plan) (the result, with `link` and `encoding` for Modbus and
//! `conditioning` for what is done to readings), `diagnostic` (messages that point).
//!
//! **Invariant:** never dials, never reads the clock. A secret never reaches a message.

mod encoding;
mod link;
mod conditioning;
mod plan;
mod spec;
mod leaf;
mod points;
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
pub use plan::*;
pub use schema::schema;
pub use source::{Disk, Files};
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
        let library = Library { profiles: loader.profiles(&parts), points: loader.points(&parts) };
        let complete = loader.problems.is_empty();
        validate::validate(&parts, &library, complete, &mut loader.problems)
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
    /// What someone should look at.
    pub warnings: Diagnostics,
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
    let resolved =
        part.zip(asset).map(|(part, asset)| validate::profile(&part, &asset, &mut loader.problems));
    let diagnostics = Diagnostics::resolve(loader.problems, &loader.sources);
    match resolved {
        Some((registers, limits)) if diagnostics.count(Severity::Error) == 0 => {
            Ok(LoadedProfile { registers, limits, warnings: diagnostics })
        }
        _ => Err(diagnostics),
    }
}

/// What devices name: register maps, and point lists by their path as it is written.
pub(crate) struct Library {
    pub profiles: BTreeMap<String, Part<Profile>>,
    pub points: BTreeMap<String, Part<Vec<leaf::At<WrittenRegister>>>>,
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
            for profile in devices.filter_map(|device| device.profile.as_ref()) {
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
        let (tree, errors) = DeTable::parse_recoverable(&source.text);
        if !errors.is_empty() {
            for error in errors {
                let place = Place { source: index, span: error.span().unwrap_or(0..0) };
                self.problems.push(Problem::error(Code::Syntax, place, error.message()));
            }
            return None;
        }
        let mut tree = tree.into_inner();
        if let Err(problem) = version::upgrade(&mut tree, index) {
            self.problems.push(problem);
            return None;
        }
        let mut walk = Walk { schema, source, index, outside: self.outside, problems: &mut self.problems };
        let tree = walk.root(tree)?;
        match T::deserialize(toml::Deserializer::from(toml::Spanned::new(0..0, tree))) {
            Ok(content) => Some(Part { source: index, content }),
            Err(error) => {
                let place = Place { source: index, span: error.span().unwrap_or(0..0) };
                self.problems.push(Problem::error(Code::WrongValue, place, error.message()));
                None
            }
        }
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
