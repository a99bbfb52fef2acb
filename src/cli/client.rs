//! `jotsmith client`: a new entry for the configuration, and the hash of a secret.

use clap::{Args, Subcommand};
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, value};
use zeroize::Zeroizing;

use crate::clients::{Client, ClientMetadata, ClientSecretHash};
use crate::foundation::base64url;
use crate::foundation::random::{self, OsRandom};

use super::{Failure, user};

/// Make a client's entry, or hash a secret.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  jotsmith client new --id reports --scope \"read\" >> config/local.toml")]
pub(super) enum ClientCommand {
    New(New),
    HashSecret(HashSecret),
}

/// Print a ready `[[clients]]` block for config/local.toml; the secret is shown once, on standard error.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  jotsmith client new --id reports --scope \"read\" >> config/local.toml\n  jotsmith client new --id shop --redirect-uri https://shop.example.com/cb --scope \"read write\"\n  jotsmith client new --id cli --public --native --redirect-uri http://127.0.0.1/cb"
)]
pub(super) struct New {
    /// The client's identifier.
    #[arg(long)]
    id: String,
    /// Where a person comes back to after signing in; may be repeated. Without any, the client is a machine that acts
    /// for itself (client credentials).
    #[arg(long, value_name = "URI")]
    redirect_uri: Vec<String>,
    /// A client that cannot keep a secret: an app on a device, or in a browser.
    #[arg(long, requires = "redirect_uri")]
    public: bool,
    /// An app on a device: any port of a loopback redirect is good.
    #[arg(long, requires = "redirect_uri")]
    native: bool,
    /// What it may ask for, separated by spaces.
    #[arg(long, default_value = "")]
    scope: String,
}

/// Read a secret from standard input and print its argon2id hash for `client_secrets`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  printf %s \"$SECRET\" | jotsmith client hash-secret\n\nFor a secret that a person chose. `client new` makes one with 256 random bits, which needs no slow hash."
)]
pub(super) struct HashSecret {}

impl ClientCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::New(command) => command.run(),
            Self::HashSecret(HashSecret {}) => user::print_hash(),
        }
    }
}

/// The number of random bytes in a generated secret.
const SECRET_BYTES: usize = 32;

/// A new secret with 256 random bits.
pub(super) fn new_secret() -> Zeroizing<String> {
    let bytes: Zeroizing<[u8; SECRET_BYTES]> = Zeroizing::new(random::bytes(&OsRandom));
    Zeroizing::new(base64url::encode(*bytes))
}

impl New {
    fn run(self) -> Result<(), Failure> {
        let secret = (!self.public).then(new_secret);
        let metadata = self.metadata(secret.as_deref().map(String::as_str));
        let block = block(&metadata);
        // What is printed would be accepted: an entry that start-up refuses helps nobody.
        Client::new(metadata)?;
        // The empty line keeps it apart from what it is appended to, which may end without one.
        print!("\n{block}");
        if let Some(secret) = secret {
            eprintln!("client_secret, shown this once: {}", *secret);
        }
        Ok(())
    }

    fn metadata(self, secret: Option<&str>) -> ClientMetadata {
        let is_machine = self.redirect_uri.is_empty();
        let names = |list: &[&str]| Some(list.iter().map(|name| (*name).to_owned()).collect());
        ClientMetadata {
            client_id: self.id,
            client_secrets: secret
                .map(|secret| ClientSecretHash::of_generated(secret.as_bytes()))
                .into_iter()
                .collect(),
            token_endpoint_auth_method: Some(if self.public { "none" } else { "client_secret_basic" }.to_owned()),
            redirect_uris: self.redirect_uri,
            grant_types: if is_machine {
                names(&["client_credentials"])
            } else {
                names(&["authorization_code", "refresh_token"])
            },
            response_types: if is_machine { names(&[]) } else { names(&["code"]) },
            application_type: self.native.then(|| "native".to_owned()),
            scope: self.scope,
            ..ClientMetadata::default()
        }
    }
}

/// The entry as TOML, in the order in which a person reads it.
fn block(metadata: &ClientMetadata) -> String {
    let mut table = Table::new();
    let list = |names: &[String]| value(names.iter().map(String::as_str).collect::<Array>());
    table.insert("client_id", value(&metadata.client_id));
    if !metadata.client_secrets.is_empty() {
        table.insert("client_secrets", list(&metadata.client_secrets));
    }
    if let Some(method) = &metadata.token_endpoint_auth_method {
        table.insert("token_endpoint_auth_method", value(method));
    }
    if let Some(kind) = &metadata.application_type {
        table.insert("application_type", value(kind));
    }
    if !metadata.redirect_uris.is_empty() {
        table.insert("redirect_uris", list(&metadata.redirect_uris));
    }
    table.insert("grant_types", list(metadata.grant_types.as_deref().unwrap_or_default()));
    table.insert("response_types", list(metadata.response_types.as_deref().unwrap_or_default()));
    table.insert("scope", value(&metadata.scope));
    let mut clients = ArrayOfTables::new();
    clients.push(table);
    let mut document = DocumentMut::new();
    document.insert("clients", Item::ArrayOfTables(clients));
    document.to_string()
}
