//! What is wrong with a configuration: where, which key, and how to mend it. Never holds a value of a secret.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;

use super::value::{Origin, Value};

/// One problem in a configuration, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    place: Option<String>,
    key: Option<String>,
    what: String,
}

/// Every problem that was found, in the order of files and lines; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl std::error::Error for ConfigError {}
impl std::error::Error for ConfigErrors {}

impl ConfigError {
    /// A problem of no single place or key.
    pub(super) fn new(what: impl fmt::Display) -> Self {
        Self { place: None, key: None, what: what.to_string() }
    }

    /// The same problem at a `file:line` or an environment variable, unless it has a place already.
    #[must_use]
    pub(super) fn at(mut self, place: Option<&str>) -> Self {
        self.place = self.place.or_else(|| place.map(str::to_owned));
        self
    }

    /// The same problem where a value stands, unless it has a place already.
    #[must_use]
    pub(super) fn at_origin(mut self, origin: &Origin) -> Self {
        self.place = self.place.or_else(|| origin.text());
        self
    }

    /// The same problem with the key it is about.
    #[must_use]
    pub(super) fn with_key(mut self, key: impl fmt::Display) -> Self {
        self.key = Some(key.to_string());
        self
    }

    /// What sorts problems as a reader of the files would meet them.
    fn position(&self) -> (&str, usize) {
        let place = self.place.as_deref().unwrap_or_default();
        let (file, line) = place.rsplit_once(':').unwrap_or((place, ""));
        (file, line.parse().unwrap_or(0))
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [&self.place, &self.key].into_iter().flatten() {
            write!(f, "{part}: ")?;
        }
        f.write_str(&self.what)
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl ConfigErrors {
    /// Each problem.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.0.iter()
    }
}

/// The way from the root to a value, as a list of borrowed steps: it becomes text only in an error.
#[derive(Debug, Clone, Copy)]
pub(super) enum KeyPath<'p> {
    /// Keys from the root on; none is the whole configuration.
    Keys(&'p [&'p str]),
    /// A key of a table.
    Key(&'p Self, &'p str),
    /// An entry of a list of tables, by what identifies it.
    Entry(&'p Self, &'p str),
    /// A member of a list, counted from 0.
    Index(&'p Self, usize),
}

impl<'p> KeyPath<'p> {
    /// An entry of the list at `list`, by what identifies it where that is there.
    pub(super) fn entry(list: &'p Self, id: Option<&'p str>, index: usize) -> Self {
        id.map_or(Self::Index(list, index), |id| Self::Entry(list, id))
    }
}

impl fmt::Display for KeyPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys(keys) => f.write_str(&keys.join(".")),
            Self::Key(Self::Keys([]), key) => f.write_str(key),
            Self::Key(parent, key) => write!(f, "{parent}.{key}"),
            Self::Entry(parent, id) => write!(f, "{parent}[{id:?}]"),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// Where a value stands: what an error says about it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    origin: Origin,
    key: PlaceKey,
}

/// The key of a place. There are as many as there are clients, so that of an entry becomes text only in an error.
#[derive(Debug, Clone)]
enum PlaceKey {
    Text(String),
    Entry { list: &'static [&'static str], id: Option<String>, index: usize },
}

impl Place {
    /// The place of `value`, which stands at `path`.
    pub(super) fn of(value: &Value, path: &KeyPath<'_>) -> Self {
        Self { origin: value.origin.clone(), key: PlaceKey::Text(path.to_string()) }
    }

    /// The place of an entry of a list.
    pub(super) fn of_entry(value: &Value, list: &'static [&'static str], id: Option<&str>, index: usize) -> Self {
        Self { origin: value.origin.clone(), key: PlaceKey::Entry { list, id: id.map(str::to_owned), index } }
    }

    /// The place of a key that is not there.
    pub(super) fn missing(path: &KeyPath<'_>) -> Self {
        Self { origin: Origin::Nowhere, key: PlaceKey::Text(path.to_string()) }
    }

    /// A problem here.
    pub(super) fn problem(&self, what: impl fmt::Display) -> ConfigError {
        ConfigError::new(what).at_origin(&self.origin).with_key(&self.key)
    }

    /// Where it stands.
    pub(super) const fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl fmt::Display for PlaceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(key) => f.write_str(key),
            Self::Entry { list, id, index } => KeyPath::entry(&KeyPath::Keys(list), id.as_deref(), *index).fmt(f),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = self.origin.text() {
            write!(f, "{origin}: ")?;
        }
        self.key.fmt(f)
    }
}

/// Collects problems, so that one run of `jotsmith check` tells of all that do not depend on each other.
#[derive(Debug, Default)]
pub(super) struct Problems(RefCell<Vec<ConfigError>>);

impl Problems {
    /// Notes a problem.
    pub(super) fn add(&self, problem: ConfigError) {
        self.0.borrow_mut().push(problem);
    }

    /// The value, or nothing and a noted problem.
    pub(super) fn note<T>(&self, result: Result<T, ConfigError>) -> Option<T> {
        result.map_err(|problem| self.add(problem)).ok()
    }

    /// Whether nothing is wrong so far.
    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// All problems in order, when there is one. `tables` says where a table stands that has lost its place in merging.
    pub(super) fn finish(self, tables: &HashMap<String, String>) -> Result<(), ConfigErrors> {
        let mut problems = self.0.into_inner();
        for problem in &mut problems {
            if problem.place.is_none() {
                problem.place = problem.key.as_deref().and_then(|key| nearest_table(tables, key)).cloned();
            }
        }
        problems.sort_by(|one, other| one.position().cmp(&other.position()));
        if problems.is_empty() { Ok(()) } else { Err(ConfigErrors(problems)) }
    }
}

fn nearest_table<'t>(tables: &'t HashMap<String, String>, key: &str) -> Option<&'t String> {
    std::iter::successors(Some(key), |key| key.rsplit_once('.').map(|(parent, _)| parent))
        .find_map(|key| tables.get(key))
}

/// `; did you mean ..` where a known name is near, else the names there are.
pub(super) fn suggestion(wrong: &str, known: &[&str]) -> String {
    // A third of the letters may be wrong: `scpe` is `scope`, but `tls` is not `jwks`.
    let reach = wrong.len().div_ceil(3);
    let nearest = known.iter().map(|name| (strsim::osa_distance(wrong, name), name)).min();
    match nearest {
        Some((distance, name)) if distance <= reach => format!("; did you mean `{name}`?"),
        _ => format!("; there are: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_place_then_key_then_what() {
        let path = KeyPath::Keys(&["clients"]);
        let path = KeyPath::Entry(&path, "web");
        let path = KeyPath::Key(&path, "redirect_uris");
        let error = ConfigError::new("no URI").at(Some("a.toml:7")).with_key(KeyPath::Index(&path, 1));
        assert_eq!(error.to_string(), r#"a.toml:7: clients["web"].redirect_uris[1]: no URI"#);
        assert_eq!(ConfigError::new("no file").to_string(), "no file");
    }

    #[test]
    fn problems_come_in_the_order_of_files_and_lines() {
        let problems = Problems::default();
        for place in ["b.toml:1", "a.toml:10", "a.toml:9"] {
            problems.add(ConfigError::new("x").at(Some(place)));
        }
        let errors = problems.finish(&HashMap::new()).expect_err("three problems");
        assert_eq!(errors.to_string(), "a.toml:9: x\na.toml:10: x\nb.toml:1: x");
    }

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        assert_eq!(suggestion("scpe", &["scope", "client_id"]), "; did you mean `scope`?");
        assert_eq!(suggestion("colour", &["scope", "client_id"]), "; there are: scope, client_id");
    }
}
