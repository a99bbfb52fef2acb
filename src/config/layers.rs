//! The layers of a configuration, later wins: built-in defaults < files < `<keys.directory>/schedule.toml` <
//! environment.
//!
//! Tables merge, which the crate `config` does. The lists of tables are joined here, for it would replace them.
//! The built-in defaults are the text of `config/default.toml`, so the two cannot differ.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use config::{Config, Map, Source};

use super::environment::Environment;
use super::error::{ConfigError, ConfigErrors, Problems, suggestion};
use super::inputs::Inputs;
use super::toml_file::TomlFile;
use super::value::{Table, Value, ValueKind};
use super::{SECTIONS, files, schedule_file, secrets};

const DEFAULTS: &str = include_str!("../../config/default.toml");

/// A list of tables that is joined, not replaced, when several files have some of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JoinedList {
    Resources,
    Clients,
    Users,
    SigningKeys,
    SealingKeys,
    KilledKeys,
}

impl JoinedList {
    /// Every such list, in the order of its discriminants.
    pub(super) const ALL: [Self; 6] =
        [Self::Resources, Self::Clients, Self::Users, Self::SigningKeys, Self::SealingKeys, Self::KilledKeys];

    /// Its keys.
    pub(super) const fn path(self) -> &'static [&'static str] {
        match self {
            Self::Resources => &["resources"],
            Self::Clients => &["clients"],
            Self::Users => &["users"],
            Self::SigningKeys => &["keys", "signing"],
            Self::SealingKeys => &["keys", "sealing"],
            Self::KilledKeys => &["keys", "killed"],
        }
    }

    /// What tells an entry apart, where it is there.
    pub(super) fn id(self, entry: &Value) -> Option<&str> {
        let ValueKind::Table(entry) = &entry.kind else { return None };
        match &entry.get(self.id_key())?.kind {
            ValueKind::String(id) => Some(id),
            _ => None,
        }
    }

    const fn id_key(self) -> &'static str {
        match self {
            Self::Resources => "identifier",
            Self::Clients => "client_id",
            Self::Users => "username",
            Self::SigningKeys | Self::SealingKeys => "file",
            Self::KilledKeys => "kid",
        }
    }
}

/// The entries of every joined list, in the order of the files.
#[derive(Default)]
pub(super) struct Lists([Vec<Value>; JoinedList::ALL.len()]);

impl Lists {
    /// The entries of one list.
    pub(super) fn entries(&self, list: JoinedList) -> &[Value] {
        &self.0[list as usize]
    }

    /// The same, to change them.
    pub(super) fn entries_mut(&mut self, list: JoinedList) -> &mut Vec<Value> {
        &mut self.0[list as usize]
    }
}

/// All layers as one.
pub(super) struct Merged {
    /// The root table, without the joined lists.
    pub(super) root: Value,
    /// The joined lists.
    pub(super) lists: Lists,
    /// Every file that was read, secrets included.
    pub(super) files: Vec<PathBuf>,
    /// Where the tables stand that have lost their place in merging; the last place of each.
    pub(super) tables: HashMap<String, String>,
    /// The unknown keys of the root: problems that hide no others.
    pub(super) unknown: Problems,
}

/// Reads all layers, or tells every problem that leaves one of them in doubt.
pub(super) fn merge(named: &[PathBuf], environment: &Environment, inputs: &Inputs) -> Result<Merged, ConfigErrors> {
    let problems = Problems::default();
    let defaults = built_in();
    let mut variables = environment.settings(&defaults.values, &problems);
    let mut layers = vec![defaults];
    layers.extend(files::read(named, environment, inputs, &problems));

    let (mut lists, unknown) = (Lists::default(), Problems::default());
    let mut config = Config::builder();
    for layer in &mut layers {
        take_lists(layer, &mut lists, &problems);
        layer.values.retain(|key, value| is_known_section(key, value.origin.text().as_deref(), &unknown));
        config = config.add_source(Layer(layer.values.to_merge()));
    }
    variables.retain(|key, value| {
        let section = key.split('.').next().unwrap_or_default();
        is_known_section(section, value.origin(), &unknown)
    });
    let config = config.add_source(Layer(variables)).build();
    let root = Value::merged(config.expect("our sources never fail to give what they hold").cache);

    if let Some(directory) = keys_directory(&root) {
        let path = environment.working_directory.join(directory).join(schedule_file::NAME);
        inputs.look(&path);
        if path.try_exists().unwrap_or(true)
            && let Some(mut schedule) = problems.note(TomlFile::read(&path, inputs))
        {
            take_lists(&mut schedule, &mut lists, &problems);
            note_beyond_schedule(&schedule, &problems);
            layers.push(schedule);
        }
    }

    let secret_files = secrets::resolve(&mut lists, environment, inputs, &problems);
    problems.finish(&HashMap::new())?;
    // The first layer is the built-in one, which is no file.
    let files = layers.iter().skip(1).map(|layer| layer.path.clone()).chain(secret_files).collect();
    let tables = layers.into_iter().flat_map(|layer| layer.tables).collect();
    Ok(Merged { root, lists, files, tables, unknown })
}

fn built_in() -> TomlFile {
    TomlFile::parse(Path::new("built-in defaults"), DEFAULTS)
        .expect("config/default.toml is TOML, which a test sees to")
}

/// One layer as the crate `config` takes it. `Debug` shows no value, for one may be a secret.
#[derive(Clone)]
struct Layer(Map<String, config::Value>);

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Layer").field(&self.0.keys()).finish()
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, config::Value>, config::ConfigError> {
        Ok(self.0.clone())
    }
}

/// Moves the entries of the joined lists out of a layer.
fn take_lists(layer: &mut TomlFile, lists: &mut Lists, problems: &Problems) {
    for list in JoinedList::ALL {
        let Some(value) = take(&mut layer.values, list.path()) else { continue };
        if let ValueKind::Array(own) = value.kind {
            let entries = lists.entries_mut(list);
            // What there is most of comes in one file mostly, and is not moved.
            if entries.is_empty() { *entries = own } else { entries.extend(own) }
        } else {
            let name = list.path().join(".");
            let what = format!("this is a list of tables: begin each with [[{name}]]");
            problems.add(ConfigError::new(what).with_key(name).at_origin(&value.origin));
        }
    }
}

fn take(table: &mut Table, path: &[&str]) -> Option<Value> {
    match path {
        [] => None,
        [key] => table.remove(key),
        [key, rest @ ..] => match &mut table.get_mut(key)?.kind {
            ValueKind::Table(inner) => take(inner, rest),
            _ => None,
        },
    }
}

/// Here and not with the other unknown keys: the crate `config` would read a dot or a bracket in a key of the root as a
/// path, and with what stands there replace a section, whose problems would not be seen.
fn is_known_section(section: &str, at: Option<&str>, problems: &Problems) -> bool {
    let is_known = SECTIONS.contains(&section);
    if !is_known {
        let known = [&SECTIONS[..], &["include"]].concat();
        let what = format!("unknown key{}", suggestion(section, &known));
        problems.add(ConfigError::new(what).with_key(section).at(at));
    }
    is_known
}

fn keys_directory(root: &Value) -> Option<&str> {
    let ValueKind::Table(root) = &root.kind else { return None };
    let ValueKind::Table(keys) = &root.get("keys")?.kind else { return None };
    match &keys.get("directory")?.kind {
        ValueKind::String(directory) => Some(directory),
        _ => None,
    }
}

/// A schedule that said more, such as where the schedule is, could contradict how it was found.
fn note_beyond_schedule(schedule: &TomlFile, problems: &Problems) {
    let problem = |key: &str, value: &Value| {
        let what = "here stand [[keys.signing]], [[keys.sealing]] and [[keys.killed]] alone: move this to another file";
        problems.add(ConfigError::new(what).with_key(key).at_origin(&value.origin));
    };
    for (key, value) in schedule.values.iter() {
        match &value.kind {
            // The lists have been taken out of it.
            ValueKind::Table(keys) if key == "keys" => {
                for (key, value) in keys.iter() {
                    problem(&format!("keys.{key}"), value);
                }
            }
            _ => problem(key, value),
        }
    }
}
