//! One TOML file as values that remember their `file:line`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use config::{Map, Value, ValueKind};
use toml_edit::{Document, Item, Table, TableLike};

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
        let mut reader = Reader { name: name(path), lines: line_starts(text), tables: HashMap::new() };
        let document = Document::parse(text).map_err(|error| {
            let line = error.span().map_or(1, |span| reader.line(span.start));
            // TOML reads to the end of the file before it misses a closing quotation mark: the message may be long.
            ConfigError::new(format!("this is no TOML: {}", error.message())).at(Some(&reader.origin_of(line)))
        })?;
        let values = reader.table(document.as_table(), &KeyPath::Keys(&[]), true);
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
    tables: HashMap<String, String>,
}

impl Reader {
    fn line(&self, byte: usize) -> usize {
        self.lines.partition_point(|start| *start <= byte)
    }

    fn origin_of(&self, line: usize) -> String {
        format!("{}:{line}", self.name)
    }

    fn origin(&self, span: Option<std::ops::Range<usize>>) -> Option<String> {
        span.map(|span| self.origin_of(self.line(span.start)))
    }

    /// `is_merged`: whether this table is one of those that are merged, which a table within a list is not.
    fn table(&mut self, table: &dyn TableLike, path: &KeyPath<'_>, is_merged: bool) -> Map<String, Value> {
        let mut values = Map::with_capacity(table.len());
        for (key, item) in table.iter() {
            let origin = self.origin(item.span());
            let path = KeyPath::Key(path, key);
            if let (true, true, Some(origin)) = (is_merged, item.is_table_like(), &origin) {
                self.tables.insert(path.to_string(), origin.clone());
            }
            let kind = self.item(item, &path, is_merged);
            values.insert(key.to_owned(), Value::new(origin.as_ref(), kind));
        }
        values
    }

    fn item(&mut self, item: &Item, path: &KeyPath<'_>, is_merged: bool) -> ValueKind {
        match item {
            Item::None => ValueKind::Nil,
            Item::Value(value) => self.value(value, path, is_merged),
            Item::Table(table) => ValueKind::Table(self.table(table, path, is_merged)),
            Item::ArrayOfTables(list) => ValueKind::Array(list.iter().map(|table| self.entry(table, path)).collect()),
        }
    }

    fn entry(&mut self, table: &Table, path: &KeyPath<'_>) -> Value {
        let origin = self.origin(table.span());
        let values = self.table(table, path, false);
        Value::new(origin.as_ref(), ValueKind::Table(values))
    }

    fn value(&mut self, value: &toml_edit::Value, path: &KeyPath<'_>, is_merged: bool) -> ValueKind {
        match value {
            toml_edit::Value::String(text) => ValueKind::String(text.value().clone()),
            toml_edit::Value::Integer(number) => ValueKind::I64(*number.value()),
            toml_edit::Value::Float(number) => ValueKind::Float(*number.value()),
            toml_edit::Value::Boolean(value) => ValueKind::Boolean(*value.value()),
            // A time may be written with or without quotation marks: both become text.
            toml_edit::Value::Datetime(time) => ValueKind::String(time.value().to_string()),
            toml_edit::Value::InlineTable(table) => ValueKind::Table(self.table(table, path, is_merged)),
            toml_edit::Value::Array(members) => {
                let members = members.iter().map(|member| {
                    let origin = self.origin(member.span());
                    let kind = self.value(member, path, false);
                    Value::new(origin.as_ref(), kind)
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
