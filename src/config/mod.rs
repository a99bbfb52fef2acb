//! The configuration: layers of files and variables, read into settings and judged as one.
//!
//! Each section has a file of its own, which reads it and judges it by calling the domain's own constructors. What
//! one says of another is judged in `references`. Nothing is served from a configuration that has a problem, and every
//! problem says where it is and how to mend it.

mod clients;
mod deserializer;
mod environment;
mod error;
mod files;
mod fingerprints;
mod inputs;
mod keys;
mod layers;
mod lifetimes;
mod log;
mod login;
mod pages;
mod reading;
mod references;
mod resources;
pub mod schedule_file;
mod scopes;
mod secrets;
mod server;
mod store;
#[cfg(test)]
mod tests;
mod text;
mod toml_file;
mod users;
mod value;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::clients::ClientRegistry;
use crate::foundation::fingerprints::Fingerprints;
use crate::keys::algorithm::Algorithm;
use crate::login::account::Account;
use crate::protocol::issuer::Issuer;
use crate::protocol::resource::ResourceIndicator;
use crate::tokens::audience::ProtectedResources;
use crate::tokens::lifetimes::Lifetimes;

pub use environment::Environment;
pub use error::{ConfigError, ConfigErrors};
pub use fingerprints::SETTINGS;
pub use inputs::Inputs;
pub use keys::{GenerateIfMissing, KeySettings, SealingKeyEntry, SigningKeyEntry};
pub use log::{LogFormat, LogSettings};
pub use login::{Directory, LoginSettings};
pub use pages::{PageFile, PageSettings};
pub use scopes::ScopeDescription;
pub use server::ServerSettings;
pub use store::{Durability, StoreSettings};

use reading::Reading;

/// The keys of the root.
const SECTIONS: [&str; 13] = [
    "issuer",
    "default_resource",
    "server",
    "lifetimes",
    "store",
    "keys",
    "login",
    "pages",
    "log",
    "scopes",
    "resources",
    "clients",
    "users",
];

/// A configuration that may be served.
#[derive(Debug)]
pub struct Settings {
    /// The server's name, and the start of every address it has.
    pub issuer: Issuer,
    /// Where it listens, and how it runs.
    pub server: ServerSettings,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// Where what must be taken back is kept.
    pub store: StoreSettings,
    /// Where the keys are and when each works.
    pub keys: KeySettings,
    /// Who may sign in, and how often one may fail.
    pub login: LoginSettings,
    /// How the pages look.
    pub pages: PageSettings,
    /// How the log is written.
    pub log: LogSettings,
    /// What scope tokens mean, in the words of people.
    pub scopes: BTreeMap<String, ScopeDescription>,
    /// The APIs that take our access tokens, and the one that is meant when none is named.
    pub resources: ProtectedResources,
    /// Who is registered.
    pub clients: ClientRegistry,
    /// People who may sign in.
    pub users: Vec<Account>,
    /// Every file that was read, in the order of reading, those of secrets included.
    pub sources: Vec<PathBuf>,
    /// What it says, as digests.
    pub fingerprints: Fingerprints,
    /// What is allowed and perhaps not meant, in one sentence each.
    pub warnings: Vec<String>,
}

/// Reads and judges a configuration: the `files`, or where there are none those of the environment or at the usual
/// places, under the built-in defaults and the settings of the environment.
pub fn load(files: &[PathBuf], environment: &Environment) -> Result<Settings, ConfigErrors> {
    load_noting(files, environment, &Inputs::default())
}

/// The same, with a note of all that it was read from, also where it is refused.
pub fn load_noting(files: &[PathBuf], environment: &Environment, inputs: &Inputs) -> Result<Settings, ConfigErrors> {
    let mut merged = layers::merge(files, environment, inputs)?;
    let problems = std::mem::take(&mut merged.unknown);
    let settings = read(&Reading::new(&merged, &problems), environment, inputs);
    problems.finish(&merged.tables)?;
    let settings = settings.expect("what could not be read is a problem");
    Ok(Settings { fingerprints: fingerprints::of(&merged), sources: merged.files, ..settings })
}

fn read(reading: &Reading<'_>, environment: &Environment, inputs: &Inputs) -> Option<Settings> {
    let mut warnings = Vec::new();
    // Every section is read before the first that failed ends this, so that all problems are told at once.
    let issuer = read_issuer(reading);
    let default_resource = issuer.as_ref().and_then(|issuer| read_default_resource(reading, issuer));
    let server = server::read(reading);
    let lifetimes = lifetimes::read(reading);
    let store = store::read(reading, environment, &mut warnings);
    let keys = keys::read(reading, environment);
    let login = login::read(reading);
    let pages = pages::read(reading, environment, inputs);
    let log = reading.section("log");
    let scopes = scopes::read(reading);
    let clients = clients::read(reading, environment, inputs);
    let users = users::read(reading);
    // Which algorithm makes no difference where there is a problem with it.
    let default_algorithm = keys.as_ref().map_or(Algorithm::Es256, |keys| keys.default_algorithm);
    let resources = resources::read(reading, default_algorithm);
    let default_resource = default_resource?;
    // One that names an entry with a problem would seem to name none.
    if reading.problems().is_empty() {
        references::judge(reading, &clients, &users, &resources, &default_resource);
    }
    warnings.extend(clients::against_advice(&clients));
    warnings.extend(references::unknown_scopes(&clients, &resources, &scopes));
    // A repeated name is a problem that is noted already.
    let resources = resources.into_iter().map(|entry| entry.value);
    let resources = ProtectedResources::new(resources, default_resource, default_algorithm).ok()?;
    references::judge_defaults(reading, &clients, &resources);
    let clients = ClientRegistry::new(clients.into_iter().map(|entry| entry.value)).ok()?;
    Some(Settings {
        issuer: issuer?,
        server: server?,
        lifetimes: lifetimes?,
        store: store?,
        login: login?,
        pages: pages?,
        log: log?,
        scopes,
        resources,
        clients,
        users: users.into_iter().map(|entry| entry.value).collect(),
        keys: keys?,
        sources: Vec::new(),
        fingerprints: Fingerprints::default(),
        warnings,
    })
}

fn read_issuer(reading: &Reading<'_>) -> Option<Issuer> {
    let text: String = reading.section("issuer")?;
    reading.problems().note(Issuer::parse(&text).map_err(|refused| reading.place(&["issuer"]).problem(refused)))
}

fn read_default_resource(reading: &Reading<'_>, issuer: &Issuer) -> Option<ResourceIndicator> {
    const KEY: &str = "default_resource";
    let text = if reading.has(KEY) { reading.section(KEY)? } else { issuer.as_str().to_owned() };
    reading.problems().note(ResourceIndicator::parse(&text).map_err(|refused| reading.place(&[KEY]).problem(refused)))
}
