//! A value of the configuration that knows where it stands.
//!
//! There may be millions, of a file with many clients: a place is a line and a shared name, and becomes text in an error
//! alone; a table is a list in the order of its file, for few tables have more than ten keys. What is merged is the
//! little that stands outside of the lists: for the crate `config` it is copied, and taken back when it is merged.

use std::fmt;
use std::sync::Arc;

use super::environment;

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Value {
    /// Where it stands.
    pub(super) origin: Origin,
    /// What it is.
    pub(super) kind: ValueKind,
}

/// What a value is. A time is text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ValueKind {
    /// Nothing, which no file can say.
    Nil,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    String(String),
    /// Values by their keys.
    Table(Table),
    /// Values in their order.
    Array(Vec<Value>),
}

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// In no file: a table that several have some of.
    Nowhere,
    /// In a line of a file, counted from 1.
    Line(Arc<str>, usize),
    /// In something that has no lines, such as a variable.
    Named(Arc<str>),
}

/// Values by their keys, in the order of the file. Each key is there once.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Table(Vec<(String, Value)>);

impl Origin {
    /// As an error says it.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Nowhere => None,
            Self::Line(..) | Self::Named(_) => Some(self.to_string()),
        }
    }

    /// Whether it is an environment variable, where all is text.
    pub(super) fn is_variable(&self) -> bool {
        matches!(self, Self::Named(name) if environment::is_variable(name))
    }

    const fn line(&self) -> Option<usize> {
        match self {
            Self::Line(_, line) => Some(*line),
            Self::Nowhere | Self::Named(_) => None,
        }
    }

    fn of_text(text: Option<&str>) -> Self {
        let Some(text) = text else { return Self::Nowhere };
        let line = |text: &str| text.rsplit_once(':').and_then(|(file, line)| Some((file.into(), line.parse().ok()?)));
        line(text).map_or_else(|| Self::Named(text.into()), |(file, line)| Self::Line(file, line))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere => f.write_str("several places"),
            Self::Line(file, line) => write!(f, "{file}:{line}"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

impl Table {
    /// An empty one that has room.
    pub(super) fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    /// What stands under a key.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find_map(|(known, value)| (known == key).then_some(value))
    }

    /// The same, to change it.
    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.0.iter_mut().find_map(|(known, value)| (known == key).then_some(value))
    }

    /// Adds a key that is not there.
    pub(super) fn push(&mut self, key: String, value: Value) {
        self.0.push((key, value));
    }

    /// Takes out what stands under a key.
    pub(super) fn remove(&mut self, key: &str) -> Option<Value> {
        let at = self.0.iter().position(|(known, _)| known == key)?;
        Some(self.0.remove(at).1)
    }

    /// Keeps the keys that are wanted.
    pub(super) fn retain(&mut self, mut is_wanted: impl FnMut(&str, &Value) -> bool) {
        self.0.retain(|(key, value)| is_wanted(key, value));
    }

    /// Every key and its value.
    pub(super) fn iter(&self) -> std::slice::Iter<'_, (String, Value)> {
        self.0.iter()
    }

    /// For the crate `config`.
    pub(super) fn to_merge(&self) -> config::Map<String, config::Value> {
        self.iter().map(|(key, value)| (key.clone(), value.to_merge())).collect()
    }

    fn merged(table: config::Map<String, config::Value>) -> Self {
        let mut entries: Vec<_> = table.into_iter().map(|(key, value)| (key, Value::merged(value))).collect();
        // As they stand in a file, so that of several problems the first one is told, each time.
        entries.sort_by(|(one, at), (other, near)| (at.origin.line(), one).cmp(&(near.origin.line(), other)));
        Self(entries)
    }
}

impl IntoIterator for Table {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Value {
    fn to_merge(&self) -> config::Value {
        let kind = match &self.kind {
            ValueKind::Nil => config::ValueKind::Nil,
            ValueKind::Boolean(value) => config::ValueKind::Boolean(*value),
            ValueKind::Integer(value) => config::ValueKind::I64(*value),
            ValueKind::Float(value) => config::ValueKind::Float(*value),
            ValueKind::String(value) => config::ValueKind::String(value.clone()),
            ValueKind::Table(table) => config::ValueKind::Table(table.to_merge()),
            ValueKind::Array(members) => config::ValueKind::Array(members.iter().map(Self::to_merge).collect()),
        };
        config::Value::new(self.origin.text().as_ref(), kind)
    }

    /// What came of merging.
    pub(super) fn merged(value: config::Value) -> Self {
        let origin = Origin::of_text(value.origin());
        let kind = match value.kind {
            config::ValueKind::Boolean(value) => ValueKind::Boolean(value),
            config::ValueKind::I64(value) => ValueKind::Integer(value),
            config::ValueKind::Float(value) => ValueKind::Float(value),
            config::ValueKind::String(value) => ValueKind::String(value),
            config::ValueKind::Table(table) => ValueKind::Table(Table::merged(table)),
            config::ValueKind::Array(members) => ValueKind::Array(members.into_iter().map(Self::merged).collect()),
            // Numbers of other sizes come from sources of other kinds.
            config::ValueKind::Nil
            | config::ValueKind::I128(_)
            | config::ValueKind::U64(_)
            | config::ValueKind::U128(_) => ValueKind::Nil,
        };
        Self { origin, kind }
    }
}
