//! What of the process a configuration depends on: its variables and its folders.
//!
//! A setting is given as `JOTSMITH__SECTION__KEY`. The two underscores keep away what Kubernetes sets for a service of
//! our name, such as `JOTSMITH_SERVICE_HOST`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use config::{Map, Value};

use super::error::{ConfigError, Problems};
use super::layers::JoinedList;
use super::value::{Table, ValueKind};

const PREFIX: &str = "JOTSMITH__";
const ORIGIN: &str = "environment variable ";

/// The variable with the files, separated by colons.
pub(super) const FILES: &str = "JOTSMITH_CONFIG";

/// The variables and folders of a process; a test brings its own. `Debug` shows no value, for one may be a secret.
#[derive(Clone, Default)]
pub struct Environment {
    /// The environment variables.
    pub variables: BTreeMap<String, String>,
    /// The names of variables whose value is no UTF-8.
    pub not_utf8: BTreeSet<String>,
    /// Where relative paths start; empty: where the process runs.
    pub working_directory: PathBuf,
    /// Whose `*.toml` are read when nothing else is there.
    pub system_directory: PathBuf,
}

impl Environment {
    /// That of this process, and `/etc/jotsmith`.
    pub fn of_process() -> Self {
        let (variables, not_utf8) = sorted_out(std::env::vars_os());
        Self {
            variables,
            not_utf8,
            working_directory: PathBuf::new(),
            system_directory: PathBuf::from("/etc/jotsmith"),
        }
    }

    /// The value of a variable; an empty one is unset.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The settings among the variables, each under its keys joined with dots. `defaults` says what is a table.
    pub(super) fn settings(&self, defaults: &Table, problems: &Problems) -> Map<String, Value> {
        let mut settings = Map::new();
        for name in self.not_utf8.iter().filter(|name| name.starts_with(PREFIX) || *name == FILES) {
            problems.add(ConfigError::new("is no UTF-8: write it anew").at(Some(&format!("{ORIGIN}{name}"))));
        }
        for (name, value) in &self.variables {
            let Some(keys) = name.strip_prefix(PREFIX).filter(|_| !value.is_empty()) else { continue };
            let keys = keys.to_ascii_lowercase();
            let keys: Vec<&str> = keys.split("__").collect();
            let origin = format!("{ORIGIN}{name}");
            match judge(&keys, defaults) {
                Ok(()) => drop(settings.insert(keys.join("."), Value::new(Some(&origin), value.as_str()))),
                Err(what) => problems.add(ConfigError::new(what).at(Some(&origin))),
            }
        }
        settings
    }
}

/// The variables that are text, and the names of those that are not; a name that is none is shown with a sign in the
/// place of what is not.
fn sorted_out(variables: impl Iterator<Item = (OsString, OsString)>) -> (BTreeMap<String, String>, BTreeSet<String>) {
    let (mut text, mut not_utf8) = (BTreeMap::new(), BTreeSet::new());
    for (name, value) in variables {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => drop(text.insert(name, value)),
            (Ok(name), Err(_)) => drop(not_utf8.insert(name)),
            (Err(name), _) => drop(not_utf8.insert(name.to_string_lossy().into_owned())),
        }
    }
    (text, not_utf8)
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("variables", &self.variables.keys())
            .field("not_utf8", &self.not_utf8)
            .field("working_directory", &self.working_directory)
            .field("system_directory", &self.system_directory)
            .finish()
    }
}

/// Whether a place is an environment variable.
pub(super) fn is_variable(place: &str) -> bool {
    place.starts_with(ORIGIN)
}

fn judge(keys: &[&str], defaults: &Table) -> Result<(), &'static str> {
    if JoinedList::ALL.iter().any(|list| keys.starts_with(list.path())) {
        return Err("lists of tables come from files alone: write this into one");
    }
    let is_bare = |key: &&str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if !keys.iter().all(is_bare) {
        return Err("a setting is named JOTSMITH__SECTION__KEY, such as JOTSMITH__SERVER__LISTEN");
    }
    let mut table = defaults;
    for (at, key) in keys.iter().enumerate() {
        match table.get(key).map(|value| &value.kind) {
            Some(ValueKind::Table(_)) if at + 1 == keys.len() => {
                return Err("this is a section: name one of its settings, such as JOTSMITH__SERVER__LISTEN");
            }
            Some(ValueKind::Table(inner)) => table = inner,
            Some(_) if at + 1 < keys.len() => return Err("there are too many names in this: the setting has no parts"),
            // What is not there is optional, or unknown, which is found with the unknown keys of the files.
            _ => break,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    #[test]
    fn a_variable_that_is_no_text_is_known_by_its_name() {
        let os = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        let given =
            [(os(b"A"), os(b"1")), (os(b"JOTSMITH__ISSUER"), os(b"https://\xff")), (os(b"JOTSMITH__\xff"), os(b"1"))];
        let (text, not_utf8) = sorted_out(given.into_iter());
        assert_eq!(text, [("A".to_owned(), "1".to_owned())].into());
        assert_eq!(not_utf8, ["JOTSMITH__ISSUER".to_owned(), "JOTSMITH__\u{FFFD}".to_owned()].into());
    }
}
