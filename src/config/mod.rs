//! The configuration: layers of files and variables, read into settings and judged as one.
//!
//! Each section has a file of its own, which reads it and judges it by calling the domain's own constructors. What
//! concerns two sections is judged here. Nothing is served from a configuration that has a problem, and every problem
//! says where it is and how to mend it.

mod clients;
mod deserializer;
mod environment;
mod error;
mod files;
mod keys;
mod layers;
mod lifetimes;
mod log;
mod login;
mod reading;
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

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;

use crate::clients::{Client, ClientRegistry};
use crate::login::account::Account;
use crate::protocol::issuer::Issuer;
use crate::protocol::resource::ResourceIndicator;
use crate::protocol::scope::Scope;
use crate::tokens::audience::{ProtectedResource, ProtectedResources};
use crate::tokens::lifetimes::Lifetimes;

pub use environment::Environment;
pub use error::{ConfigError, ConfigErrors};
pub use keys::{GenerateIfMissing, KeySettings, SealingKeyEntry, SigningKeyEntry};
pub use log::{LogFormat, LogSettings};
pub use login::{Directory, LoginSettings};
pub use scopes::ScopeDescription;
pub use server::ServerSettings;
pub use store::{Durability, StoreSettings};

use error::Problems;
use reading::{Entry, Reading};

/// The keys of the root.
const SECTIONS: [&str; 12] = [
    "issuer",
    "default_resource",
    "server",
    "lifetimes",
    "store",
    "keys",
    "login",
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
    /// What is allowed and perhaps not meant, in one sentence each.
    pub warnings: Vec<String>,
}

/// Reads and judges a configuration: the `files`, or where there are none those of the environment or at the usual
/// places, under the built-in defaults and the settings of the environment.
pub fn load(files: &[PathBuf], environment: &Environment) -> Result<Settings, ConfigErrors> {
    let merged = layers::merge(files, environment)?;
    let problems = Problems::default();
    let settings = read(&Reading::new(&merged, &problems), environment);
    problems.finish(&merged.tables)?;
    let settings = settings.expect("what could not be read is a problem");
    Ok(Settings { sources: merged.files, ..settings })
}

fn read(reading: &Reading<'_>, environment: &Environment) -> Option<Settings> {
    let mut warnings = Vec::new();
    // Every section is read before the first that failed ends this, so that all problems are told at once.
    let issuer = read_issuer(reading);
    let default_resource = issuer.as_ref().and_then(|issuer| read_default_resource(reading, issuer));
    let server = server::read(reading);
    let lifetimes = lifetimes::read(reading);
    let store = store::read(reading, environment, &mut warnings);
    let keys = keys::read(reading, environment);
    let login = reading.section("login");
    let log = reading.section("log");
    let scopes = scopes::read(reading);
    let clients = clients::read(reading);
    let users = users::read(reading);
    let keys = keys?;
    let resources = resources::read(reading, keys.default_algorithm);
    let default_resource = default_resource?;
    // One that names an entry with a problem would seem to name none.
    if reading.problems().is_empty() {
        judge_names(reading, &clients, &users, &resources, &default_resource);
    }
    warnings.extend(unknown_scopes(&clients, &resources, &scopes));
    // A repeated name is a problem that is noted already.
    let resources = resources.into_iter().map(|entry| entry.value);
    let resources = ProtectedResources::new(resources, default_resource, keys.default_algorithm).ok()?;
    let clients = ClientRegistry::new(clients.into_iter().map(|entry| entry.value)).ok()?;
    Some(Settings {
        issuer: issuer?,
        server: server?,
        lifetimes: lifetimes?,
        store: store?,
        login: login?,
        log: log?,
        scopes,
        resources,
        clients,
        users: users.into_iter().map(|entry| entry.value).collect(),
        keys,
        sources: Vec::new(),
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

/// What names something in another section names something that is there, and no client is taken for a person.
fn judge_names(
    reading: &Reading<'_>,
    clients: &[Entry<Client>],
    users: &[Entry<Account>],
    resources: &[Entry<ProtectedResource>],
    default_resource: &ResourceIndicator,
) {
    let problems = reading.problems();
    let by_id: BTreeMap<&str, &Entry<Client>> = clients.iter().map(|entry| (entry.value.id.as_str(), entry)).collect();
    for Entry { place, value: user } in users {
        // Without a person a token's `sub` is the client's id (RFC 9068 §2.2): a client could pass for the person.
        if let Some(client) = by_id.get(&**user.subject()) {
            let other = client.place.origin();
            problems.add(place.problem(format!(
                "subject {} is the client_id at {other}: a token could be taken for the other's",
                user.subject()
            )));
        }
    }
    for Entry { place, value: resource } in resources {
        for id in &resource.introspected_by {
            match by_id.get(id.as_str()) {
                None => problems.add(place.problem(format!("introspected_by names {id}, which is no client"))),
                // RFC 7662 §2.1: introspection needs authorization, and a public client cannot prove who it is.
                Some(client) if client.value.is_public() => {
                    problems
                        .add(place.problem(format!("introspected_by names {id}, a public client: anybody could ask")));
                }
                Some(_) => {}
            }
        }
    }
    let mut known: HashSet<_> = resources.iter().map(|entry| &entry.value.identifier).collect();
    known.insert(default_resource);
    for Entry { place, value: client } in clients {
        for named in client.resources.iter().flatten().filter(|named| !known.contains(named)) {
            problems.add(
                place.problem(format!(
                    "resources names {named}, which is neither in [[resources]] nor default_resource"
                )),
            );
        }
    }
}

/// A client's scope that nothing else speaks of is perhaps misspelt; where nothing speaks of scope, all is.
fn unknown_scopes(
    clients: &[Entry<Client>],
    resources: &[Entry<ProtectedResource>],
    scopes: &BTreeMap<String, ScopeDescription>,
) -> Vec<String> {
    let of_resources = resources.iter().filter_map(|entry| entry.value.scope.as_ref()).flat_map(Scope::tokens);
    let known: BTreeSet<&str> = of_resources.chain(scopes.keys().map(String::as_str)).collect();
    if known.is_empty() {
        return Vec::new();
    }
    let unknown = |entry: &Entry<Client>| {
        let tokens: Vec<_> = entry.value.scope.tokens().filter(|token| !known.contains(token)).collect();
        let what = format!("scope has {}, which no resource and no [scopes] entry knows", tokens.join(" "));
        (!tokens.is_empty()).then(|| entry.place.problem(what).to_string())
    };
    clients.iter().filter_map(unknown).collect()
}
