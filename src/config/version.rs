//! `config_version`, and how an older file becomes one of today.

use super::diagnostic::{Code, Problem};
use super::source::Place;
use toml::de::{DeTable, DeValue};

/// The version this program writes and reads.
pub const CURRENT: i64 = 1;

/// Turns a tree of the version of its place (the first from 1 to 2) into one of the next.
/// What it moves keeps its span, so that messages still point into the file as it is.
type Migration = fn(&mut DeTable<'_>);

/// Version 1 is the first.
const MIGRATIONS: &[Migration] = &[];

/// Brings a tree to [`CURRENT`].
pub fn upgrade(tree: &mut DeTable<'_>, source: usize) -> Result<(), Problem> {
    upgrade_by(tree, source, MIGRATIONS, CURRENT)
}

fn upgrade_by(
    tree: &mut DeTable<'_>,
    source: usize,
    steps: &[Migration],
    current: i64,
) -> Result<(), Problem> {
    let remedy = format!("write `config_version = {current}` as the first line");
    let Some(value) = tree.get("config_version") else {
        let place = Place { source, span: 0..0 };
        return Err(Problem::error(Code::Version, place, "`config_version` is missing").help(remedy));
    };
    let place = Place { source, span: value.span() };
    let version = value.get_ref().as_integer().and_then(|number| number.as_str().parse::<i64>().ok());
    match version {
        Some(version) if version > current => {
            let message =
                format!("this file has version {version}; this plantroom reads versions up to {current}");
            let help = "use a newer plantroom, or the file as it was before";
            Err(Problem::error(Code::Version, place, message).help(help))
        }
        Some(version) if version >= 1 => {
            let done = usize::try_from(version - 1).unwrap_or_default();
            steps.iter().skip(done).for_each(|step| step(tree));
            Ok(())
        }
        _ => {
            let found = match value.get_ref() {
                DeValue::Integer(number) => number.to_string(),
                other => format!("a {}", other.type_str()),
            };
            Err(Problem::error(Code::Version, place, format!("`config_version` is {found}, not a version"))
                .help(remedy))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_file_walks_through_every_later_step_once() {
        let rename: Migration = |tree| {
            if let Some((key, value)) = tree.remove_entry("bus") {
                tree.insert(toml::Spanned::new(key.span(), "modbus".into()), value);
            }
        };
        let fail: Migration = |_| panic!("a step of an older version ran");
        let mut tree = DeTable::parse("config_version = 2\nbus = 1\n").unwrap().into_inner();
        assert!(upgrade_by(&mut tree, 0, &[fail, rename], 3).is_ok());
        assert_eq!(tree.get("modbus").unwrap().span(), 25..26);
        assert!(tree.get("bus").is_none());
    }

    #[test]
    fn there_is_a_step_from_each_version_to_the_next() {
        assert_eq!(i64::try_from(MIGRATIONS.len()).unwrap(), CURRENT - 1);
    }
}
