//! One TOML file as values that remember their `file:line`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use config::{Map, Value, ValueKind};
use toml_edit::{Document, Item, Table};

use super::error::{ConfigError, KeyPath};
use super::inputs::Inputs;

/// A file that was read.
#[derive(Clone)]
pub(super) struct TomlFile {
    /// As it was named.
    pub(super) path: PathBuf,
    /// What it says.
    pub(super) values: Map<String, Value>,
    /// Where its tables stand, by their keys: merging takes the place from a table, and from a value never.
    pub(super) tables: HashMap<String, String>,
}

impl TomlFile {
    /// Reads and parses a file.
    pub(super) fn read(path: &Path, inputs: &Inputs) -> Result<Self, ConfigError> {
        let text = inputs
            .read(path)
            .map_err(|error| ConfigError::new(format!("cannot be read: {error}")).at(Some(&name(path))))?;
        Self::parse(path, &text)
    }

    /// Parses what stands in a file.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(name(path), text);
        let document = Document::parse(text).map_err(|error| {
            let place = reader.origin(Some(error.span().unwrap_or_default())).cloned();
            // TOML reads to the end of the file before it misses a closing quotation mark: the message may be long.
            ConfigError::new(format!("this is no TOML: {}", error.message())).at(place.as_deref())
        })?;
        let values = reader.table(document.into_table().into_iter(), &KeyPath::Keys(&[]), true);
        Ok(Self { path: path.to_owned(), values, tables: reader.tables })
    }
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

fn line_starts(text: &str) -> Vec<usize> {
    let after_breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(after_breaks).collect()
}

struct Reader {
    name: String,
    lines: Vec<usize>,
    /// The line that was last asked for: what is asked next is mostly near.
    near: usize,
    /// Where a place is put together.
    place: String,
    tables: HashMap<String, String>,
}

impl Reader {
    fn new(name: String, text: &str) -> Self {
        Self { name, lines: line_starts(text), near: 0, place: String::new(), tables: HashMap::new() }
    }

    fn line(&mut self, byte: usize) -> usize {
        /// How many lines are looked at one by one.
        const NEAR: usize = 16;
        if self.lines[self.near] <= byte {
            for line in self.near + 1..self.near + NEAR {
                if self.lines.get(line).is_none_or(|start| *start > byte) {
                    self.near = line - 1;
                    return line;
                }
            }
        }
        let line = self.lines.partition_point(|start| *start <= byte);
        self.near = line.saturating_sub(1);
        line
    }

    /// The place of what stands there, as its `file:line`.
    fn origin(&mut self, span: Option<Range<usize>>) -> Option<&String> {
        let line = self.line(span?.start);
        self.place.clear();
        // Writing into memory does not fail.
        let _ = write!(self.place, "{}:{line}", self.name);
        Some(&self.place)
    }

    fn value_at(&mut self, span: Option<Range<usize>>, kind: ValueKind) -> Value {
        Value::new(self.origin(span), kind)
    }

    /// What it is made of is taken apart on the way: of a large file there is never all of both. `is_merged`: whether this
    /// table is one of those that are merged, which a table within a list is not.
    fn table(
        &mut self,
        entries: impl Iterator<Item = (String, Item)>,
        path: &KeyPath<'_>,
        is_merged: bool,
    ) -> Map<String, Value> {
        let mut values = Map::with_capacity(entries.size_hint().0);
        for (key, item) in entries {
            let span = item.span();
            let path = KeyPath::Key(path, &key);
            if is_merged
                && item.is_table_like()
                && let Some(place) = self.origin(span.clone()).cloned()
            {
                self.tables.insert(path.to_string(), place);
            }
            let kind = self.item(item, &path, is_merged);
            let value = self.value_at(span, kind);
            values.insert(key, value);
        }
        values
    }

    fn item(&mut self, item: Item, path: &KeyPath<'_>, is_merged: bool) -> ValueKind {
        match item {
            Item::None => ValueKind::Nil,
            Item::Value(value) => self.value(value, path, is_merged),
            Item::Table(table) => ValueKind::Table(self.table(table.into_iter(), path, is_merged)),
            Item::ArrayOfTables(list) => {
                ValueKind::Array(list.into_iter().map(|table| self.entry(table, path)).collect())
            }
        }
    }

    fn entry(&mut self, table: Table, path: &KeyPath<'_>) -> Value {
        let span = table.span();
        let values = self.table(table.into_iter(), path, false);
        self.value_at(span, ValueKind::Table(values))
    }

    fn value(&mut self, value: toml_edit::Value, path: &KeyPath<'_>, is_merged: bool) -> ValueKind {
        match value {
            toml_edit::Value::String(text) => ValueKind::String(text.into_value()),
            toml_edit::Value::Integer(number) => ValueKind::I64(number.into_value()),
            toml_edit::Value::Float(number) => ValueKind::Float(number.into_value()),
            toml_edit::Value::Boolean(value) => ValueKind::Boolean(value.into_value()),
            // A time may be written with or without quotation marks: both become text.
            toml_edit::Value::Datetime(time) => ValueKind::String(time.value().to_string()),
            toml_edit::Value::InlineTable(table) => {
                let entries = table.into_iter().map(|(key, value)| (key, Item::Value(value)));
                ValueKind::Table(self.table(entries, path, is_merged))
            }
            toml_edit::Value::Array(members) => {
                let members = members.into_iter().map(|member| {
                    let span = member.span();
                    let kind = self.value(member, path, false);
                    self.value_at(span, kind)
                });
                ValueKind::Array(members.collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> TomlFile {
        TomlFile::parse(Path::new("a.toml"), text).expect("valid TOML")
    }

    #[test]
    fn every_value_knows_its_file_and_line() {
        let file = parse("a = 1\n\n[[b]]\nc = [\n  'x',\n  'y',\n]\n[d]\ne.f = true\n");
        assert_eq!(file.values["a"].origin(), Some("a.toml:1"));
        let list = file.values["b"].clone().into_array().expect("a list");
        assert_eq!(list[0].origin(), Some("a.toml:3"));
        let members = list[0].clone().into_table().expect("a table")["c"].clone().into_array().expect("a list");
        assert_eq!(members[1].origin(), Some("a.toml:6"));
        assert_eq!(file.tables["d"], "a.toml:8");
        assert_eq!(file.tables["d.e"], "a.toml:9");
    }

    #[test]
    fn a_time_is_text_with_and_without_quotation_marks() {
        for text in ["t = 2026-11-01T00:00:00Z", "t = 2026-11-01 00:00:00Z", "t = '2026-11-01T00:00:00Z'"] {
            assert_eq!(parse(text).values["t"].kind, ValueKind::String("2026-11-01T00:00:00Z".to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_toml_is_refused_with_its_line() {
        let error = TomlFile::parse(Path::new("a.toml"), "a = 1\nb = = 2\n").err().expect("no TOML").to_string();
        assert!(error.starts_with("a.toml:2: this is no TOML: "), "{error}");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let error = TomlFile::read(Path::new("/nonexistent/a.toml"), &Inputs::default())
            .err()
            .expect("no such file")
            .to_string();
        assert!(error.starts_with("/nonexistent/a.toml: cannot be read: "), "{error}");
    }
}
