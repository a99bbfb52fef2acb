//! Secrets that stand elsewhere: `{ file = "/run/secrets/x" }` or `{ env = "NAME" }` in place of the value.
//!
//! An error names the file or the variable, never what is in it.

use std::path::PathBuf;

use super::environment::Environment;
use super::error::{ConfigError, KeyPath, Problems};
use super::inputs::Inputs;
use super::layers::{JoinedList, Lists};
use super::value::{Table, Value, ValueKind};

/// Every value that is a secret: keys within each entry of a list, and `*` for each member of a value.
const SECRETS: [(JoinedList, &[&str]); 2] =
    [(JoinedList::Clients, &["client_secrets", "*"]), (JoinedList::Users, &["password_hash"])];

/// Puts what the files and variables hold in place of their names, and gives the files.
pub(super) fn resolve(
    lists: &mut Lists,
    environment: &Environment,
    inputs: &Inputs,
    problems: &Problems,
) -> Vec<PathBuf> {
    let mut resolver = Resolver { environment, inputs, problems, files: Vec::new() };
    for (list, path) in SECRETS {
        for (index, entry) in lists.entries_mut(list).iter_mut().enumerate() {
            if !has_table(entry, path) {
                continue;
            }
            let id = list.id(entry).map(str::to_owned);
            resolver.walk(entry, path, &KeyPath::entry(&KeyPath::Keys(list.path()), id.as_deref(), index));
        }
    }
    resolver.files
}

/// Whether a table stands where a secret should.
fn has_table(value: &Value, rest: &[&str]) -> bool {
    match (rest, &value.kind) {
        ([], kind) => matches!(kind, ValueKind::Table(_)),
        (["*", rest @ ..], ValueKind::Array(members)) => members.iter().any(|member| has_table(member, rest)),
        ([key, rest @ ..], ValueKind::Table(table)) => table.get(key).is_some_and(|inner| has_table(inner, rest)),
        _ => false,
    }
}

struct Resolver<'r> {
    environment: &'r Environment,
    inputs: &'r Inputs,
    problems: &'r Problems,
    files: Vec<PathBuf>,
}

impl Resolver<'_> {
    fn walk(&mut self, value: &mut Value, rest: &[&str], path: &KeyPath<'_>) {
        match (rest, &mut value.kind) {
            ([], ValueKind::Table(_)) => self.replace(value, path),
            (["*", rest @ ..], ValueKind::Array(members)) => {
                for (index, member) in members.iter_mut().enumerate() {
                    self.walk(member, rest, &KeyPath::Index(path, index));
                }
            }
            ([key, rest @ ..], ValueKind::Table(table)) => {
                if let Some(inner) = table.get_mut(key) {
                    self.walk(inner, rest, &KeyPath::Key(path, key));
                }
            }
            // Not the shape that a secret has: reading it says so.
            _ => {}
        }
    }

    fn replace(&mut self, value: &mut Value, path: &KeyPath<'_>) {
        let ValueKind::Table(table) = &value.kind else { return };
        match self.look_up(table) {
            Ok(secret) => value.kind = ValueKind::String(secret),
            Err(what) => self.problems.add(ConfigError::new(what).with_key(path).at_origin(&value.origin)),
        }
    }

    fn look_up(&mut self, table: &Table) -> Result<String, String> {
        let mut entries = table.iter().map(|(key, value)| (key.as_str(), &value.kind));
        match (entries.next(), entries.next()) {
            (Some(("file", ValueKind::String(path))), None) => self.file(path),
            (Some(("env", ValueKind::String(name))), None) => {
                if self.environment.not_utf8.contains(name) {
                    return Err(format!("the environment variable {name} is no UTF-8"));
                }
                let value = self.environment.variable(name).map(str::to_owned);
                value.ok_or_else(|| format!("the environment variable {name} is not set, or is empty"))
            }
            _ => Err("write the value, or { file = \"/run/secrets/x\" }, or { env = \"NAME\" }".to_owned()),
        }
    }

    fn file(&mut self, path: &str) -> Result<String, String> {
        let path = self.environment.working_directory.join(path);
        let text = self.inputs.read(&path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        let text = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
        if text.is_empty() {
            return Err(format!("{} is empty", path.display()));
        }
        let text = text.to_owned();
        self.files.push(path);
        Ok(text)
    }
}
