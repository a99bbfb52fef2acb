//! One TOML file as values that remember their line.
//!
//! The parser needs thirty times the memory of what it reads, so a large file is read in pieces, each of which begins with
//! an entry of a list. Wherever it is in doubt that the pieces say what the whole says, the whole is read.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml_edit::{Document, Item};

use super::error::{ConfigError, KeyPath};
use super::inputs::Inputs;
use super::value::{Origin, Table, Value, ValueKind};

/// How much is read at once, in bytes, and up to the next entry.
const PIECE: usize = 64 << 10;

/// The heads of what a piece may begin with, with the keys of the root that they belong to.
const HEADS: [(&str, &str); 3] = [("[[clients]]", "clients"), ("[[users]]", "users"), ("[[resources]]", "resources")];

/// A file that was read.
pub(super) struct TomlFile {
    /// As it was named.
    pub(super) path: PathBuf,
    /// What it says.
    pub(super) values: Table,
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
        Self::in_pieces(path, text, PIECE).map_or_else(|| Self::whole(path, text), Ok)
    }

    fn whole(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(path, text);
        let document = Document::parse(text).map_err(|error| {
            let place = reader.origin(Some(error.span().unwrap_or_default()));
            // TOML reads to the end of the file before it misses a closing quotation mark: the message may be long.
            ConfigError::new(format!("this is no TOML: {}", error.message())).at_origin(&place)
        })?;
        let values = reader.root(document);
        Ok(Self { path: path.to_owned(), values, tables: reader.tables })
    }

    /// The same as [`Self::whole`], or nothing where it may not be. A piece that ends within a string, a list or a table
    /// in braces is no TOML, so what follows one that is begins where nothing is open. A key of the root that two pieces
    /// have is an entry of its list in both.
    fn in_pieces(path: &Path, text: &str, size: usize) -> Option<Self> {
        let mut reader = Reader::new(path, text);
        let mut values = Table::default();
        // The lists that a piece began with: what TOML lets others add to.
        let mut lists = Vec::new();
        let mut next = Some((0, head(text.as_bytes())));
        while let Some((begin, list)) = next {
            next = end_of_piece(text, begin, list, size);
            let end = next.map_or(text.len(), |(end, _)| end);
            reader.begin = begin;
            let document = Document::parse(&text[begin..end]).ok()?;
            for (key, value) in reader.root(document) {
                let begins = list == Some(key.as_str());
                match (values.get_mut(&key).map(|known| &mut known.kind), value.kind) {
                    (None, kind) => values.push(key, Value { origin: value.origin, kind }),
                    (Some(ValueKind::Array(known)), ValueKind::Array(more)) if begins && lists.contains(&list) => {
                        known.extend(more);
                    }
                    _ => return None,
                }
            }
            lists.push(list);
            lists.dedup();
        }
        Some(Self { path: path.to_owned(), values, tables: reader.tables })
    }
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

/// The list of which an entry begins here.
fn head(bytes: &[u8]) -> Option<&'static str> {
    HEADS.iter().find_map(|(head, list)| bytes.starts_with(head.as_bytes()).then_some(*list))
}

/// Where the next piece begins, and with which list: at the first entry of another list, or else of this one when it is
/// far enough.
fn end_of_piece(
    text: &str,
    begin: usize,
    list: Option<&'static str>,
    size: usize,
) -> Option<(usize, Option<&'static str>)> {
    let bytes = text.as_bytes();
    let mut at = begin;
    loop {
        at += bytes[at..].iter().position(|byte| *byte == b'\n')? + 1;
        let next = head(&bytes[at..]);
        if next.is_some() && (next != list || at - begin >= size) {
            return Some((at, next));
        }
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    let after_breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(after_breaks).collect()
}

struct Reader {
    name: Arc<str>,
    lines: Vec<usize>,
    /// The line that was last asked for: what is asked next is mostly near.
    near: usize,
    /// Where the piece begins that is read.
    begin: usize,
    tables: HashMap<String, String>,
}

impl Reader {
    fn new(path: &Path, text: &str) -> Self {
        Self { name: name(path).into(), lines: line_starts(text), near: 0, begin: 0, tables: HashMap::new() }
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

    fn origin(&mut self, span: Option<Range<usize>>) -> Origin {
        let Some(span) = span else { return Origin::Nowhere };
        let line = self.line(self.begin + span.start);
        Origin::Line(Arc::clone(&self.name), line)
    }

    fn value_at(&mut self, span: Option<Range<usize>>, kind: ValueKind) -> Value {
        Value { origin: self.origin(span), kind }
    }

    fn root(&mut self, document: Document<&str>) -> Table {
        self.table(document.into_table().into_iter(), &KeyPath::Keys(&[]), true)
    }

    /// What it is made of is taken apart on the way: there is never all of both. `is_merged`: whether this table is one of
    /// those that are merged, which a table within a list is not.
    fn table(&mut self, entries: impl Iterator<Item = (String, Item)>, path: &KeyPath<'_>, is_merged: bool) -> Table {
        let mut values = Table::with_capacity(entries.size_hint().0);
        for (key, item) in entries {
            let span = item.span();
            let path = KeyPath::Key(path, &key);
            if is_merged
                && item.is_table_like()
                && let Some(place) = self.origin(span.clone()).text()
            {
                self.tables.insert(path.to_string(), place);
            }
            let kind = self.item(item, &path, is_merged);
            let value = self.value_at(span, kind);
            values.push(key, value);
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

    fn entry(&mut self, table: toml_edit::Table, path: &KeyPath<'_>) -> Value {
        let span = table.span();
        let values = self.table(table.into_iter(), path, false);
        self.value_at(span, ValueKind::Table(values))
    }

    fn value(&mut self, value: toml_edit::Value, path: &KeyPath<'_>, is_merged: bool) -> ValueKind {
        match value {
            toml_edit::Value::String(text) => ValueKind::String(text.into_value()),
            toml_edit::Value::Integer(number) => ValueKind::Integer(number.into_value()),
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

    fn value<'v>(table: &'v Table, key: &str) -> &'v Value {
        table.get(key).expect("a key")
    }

    fn members(value: &Value) -> &[Value] {
        let ValueKind::Array(members) = &value.kind else { panic!("no list: {value:?}") };
        members
    }

    #[test]
    fn every_value_knows_its_file_and_line() {
        let file = parse("a = 1\n\n[[b]]\nc = [\n  'x',\n  'y',\n]\n[d]\ne.f = true\n");
        assert_eq!(value(&file.values, "a").origin.to_string(), "a.toml:1");
        let entry = &members(value(&file.values, "b"))[0];
        assert_eq!(entry.origin.to_string(), "a.toml:3");
        let ValueKind::Table(table) = &entry.kind else { panic!("no table") };
        assert_eq!(members(value(table, "c"))[1].origin.to_string(), "a.toml:6");
        assert_eq!(file.tables["d"], "a.toml:8");
        assert_eq!(file.tables["d.e"], "a.toml:9");
    }

    #[test]
    fn a_time_is_text_with_and_without_quotation_marks() {
        for text in ["t = 2026-11-01T00:00:00Z", "t = 2026-11-01 00:00:00Z", "t = '2026-11-01T00:00:00Z'"] {
            let expected = ValueKind::String("2026-11-01T00:00:00Z".to_owned());
            assert_eq!(value(&parse(text).values, "t").kind, expected, "{text}");
        }
    }

    /// What the pieces say, and what the whole says; each piece is as small as can be.
    fn both(text: &str) -> (Option<TomlFile>, Option<TomlFile>) {
        let path = Path::new("a.toml");
        (TomlFile::in_pieces(path, text, 0), TomlFile::whole(path, text).ok())
    }

    #[test]
    fn a_file_in_pieces_says_what_the_whole_says() {
        for text in [
            "",
            "a = 1\n[[clients]]\nb = 1\n[[clients]]\n[clients.c]\nd = 1\n[[clients.e]]\n[[clients.e]]\n",
            "[[clients]]\na = 1\n\n[[clients]] # two\r\na = [\n1,\n2]\n[server]\na = 1\n[[users]]\na=1\n[[users]]\n",
            "[[resources]]\n[[clients]]\n[[resources]]\na = 1\n[[clients]]\n",
            "[server]\na = 1\n[[clients]]\na = 1",
        ] {
            let (pieces, whole) = both(text);
            let (pieces, whole) = (pieces.expect("pieces"), whole.expect("TOML"));
            assert_eq!(pieces.values, whole.values, "{text}");
            assert_eq!(pieces.tables, whole.tables, "{text}");
        }
    }

    #[test]
    fn what_pieces_would_say_otherwise_is_read_whole() {
        for text in [
            "a = \"\"\"\n[[clients]]\nb = 1\n\"\"\"\n",
            "a = \'\'\'\n[[clients]]\nb = 1\n\'\'\'\n[[clients]]\n",
            "a = [\n[[clients]]\n,1]\n",
            "clients = []\n[[clients]]\n",
            "[clients]\na = 1\n[[clients]]\n",
            "[clients.a]\n[[clients]]\n",
            "clients.a = 1\n[[clients]]\n",
            " [[clients]]\n[[clients]]\n",
            "[[clients]]\n[server]\na = 1\n[[clients]]\n[server]\na = 1\n",
            "[[clients]]\n[server]\na = 1\n[[clients]]\n[server.b]\na = 1\n",
            "[[users]]\n[[clients]]\n[users.a]\n",
            "[[clients]]\n [[users]]\n[[clients]]\n [[users]]\n",
            "[[clients]]\n[[users.a]]\n[[users]]\n",
            "[[clients]]\na = 1\na = 2\n[[clients]]\n",
            "[[clients]]\n= 1\n[[clients]]\n",
        ] {
            let (pieces, _) = both(text);
            assert!(pieces.is_none(), "{text}");
        }
    }

    #[test]
    fn what_is_no_toml_is_refused_with_its_line() {
        let many = "[[clients]]\na = 1\n".repeat(2 * PIECE / 18);
        for (text, line) in
            [("a = 1\nb = = 2\n".to_owned(), 2), (format!("{many}b = = 2\n{many}"), many.lines().count() + 1)]
        {
            let error = TomlFile::parse(Path::new("a.toml"), &text).err().expect("no TOML").to_string();
            assert!(error.starts_with(&format!("a.toml:{line}: this is no TOML: ")), "{error}");
        }
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
