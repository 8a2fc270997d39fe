//! Where texts come from, and where in a text something stands.

use super::points;
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The files a configuration is read from: the disk, or a map in tests.
pub trait Files {
    /// The text of a file.
    fn read(&self, path: &Path) -> io::Result<String>;
    /// The files of a folder, in any order, without those of its subfolders.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;
}

/// The disk.
#[derive(Clone, Copy, Debug)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let entries = std::fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
        Ok(entries.into_iter().map(|entry| entry.path()).filter(|path| path.is_file()).collect())
    }
}

impl Files for BTreeMap<PathBuf, String> {
    fn read(&self, path: &Path) -> io::Result<String> {
        self.get(path).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(self.keys().filter(|path| path.parent() == Some(folder)).cloned().collect())
    }
}

/// A text with its file.
#[derive(Clone, Debug)]
pub struct Source {
    pub path: PathBuf,
    pub text: String,
}

/// A stretch of a text: index of the source, bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub source: usize,
    pub span: Range<usize>,
}

impl Place {
    /// Of places in the order of the files.
    pub fn order(&self) -> (usize, usize) {
        (self.source, self.span.start)
    }
}

impl Source {
    pub fn new(path: PathBuf, text: String) -> Source {
        Source { path, text }
    }

    /// Line and column of a byte, both from 1, the column in characters.
    pub fn line_column(&self, byte: usize) -> (usize, usize) {
        let before = self.text.get(..byte).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }

    /// The path of the key or value that stands exactly at `span`: `modbus[1].devices[0].unit_id`;
    /// in a point list its row and column.
    /// Read anew, because this happens only when there is something to complain about.
    pub fn path_of(&self, span: &Range<usize>) -> String {
        if is_list(&self.path) {
            return points::path_of(&self.text, span.start);
        }
        let (table, _) = DeTable::parse_recoverable(&self.text);
        let mut found = String::new();
        search_table(table.get_ref(), "", span, &mut found);
        found
    }
}

/// Whether it is a point list and no TOML.
pub fn is_list(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"))
}

/// The deepest wins: the array of `[[assets]]` and its first table share a span.
fn search_table(table: &DeTable<'_>, path: &str, span: &Range<usize>, found: &mut String) {
    for (key, value) in table {
        let dot = if path.is_empty() { "" } else { "." };
        let path = format!("{path}{dot}{}", key.get_ref());
        if key.span() == *span {
            found.clone_from(&path);
        }
        search(value, &path, span, found);
    }
}

fn search(value: &Spanned<DeValue<'_>>, path: &str, span: &Range<usize>, found: &mut String) {
    if value.span() == *span {
        path.clone_into(found);
    }
    match value.get_ref() {
        DeValue::Table(table) => search_table(table, path, span, found),
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                search(item, &format!("{path}[{index}]"), span, found);
            }
        }
        // A mistake inside a text, such as a formula, is at the path of the text.
        _ => {
            let whole = value.span();
            if found.is_empty() && whole.start <= span.start && span.end <= whole.end && !span.is_empty() {
                path.clone_into(found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_gives_its_line_column_and_path() {
        let text = "[[bus]]\n[[bus.dev]]\nu = 1\n[[bus.dev]]\nn = { 氧 = 'x', k = [1, 2] }\n";
        let source = Source::new("x.toml".into(), text.into());
        let at = |what: &str| text.find(what).map(|start| start..start + what.len()).unwrap();
        let key = at("u = 1").start;
        assert_eq!(source.path_of(&(key..key + 1)), "bus[0].dev[0].u");
        assert_eq!(source.path_of(&at("2")), "bus[0].dev[1].n.k[1]");
        assert_eq!(source.line_column(at("'x'").start), (5, 11));
        assert_eq!(source.path_of(&at("'x'")), "bus[0].dev[1].n.氧");
        assert_eq!(source.path_of(&at("[[bus]]")), "bus[0]");
    }
}
