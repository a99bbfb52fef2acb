//! `jotsmith client`: a new entry for the configuration, and the hash of a secret.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, value};
use zeroize::Zeroizing;

use crate::clients::{Client, ClientMetadata, ClientSecretHash};
use crate::foundation::base64url;
use crate::foundation::random::{self, OsRandom};
use crate::keys::algorithm::Algorithm;
use crate::keys::jwk::Jwk;
use crate::keys::registered_keys::RegisteredKeys;
use crate::keys::signing_key::{SigningKey, SigningKeyRefused};

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
    after_help = "Examples:\n  jotsmith client new --id reports --scope \"read\" >> config/local.toml\n  jotsmith client new --id shop --redirect-uri https://shop.example.com/cb --scope \"read write\"\n  jotsmith client new --id cli --public --native --redirect-uri http://127.0.0.1/cb\n  jotsmith client new --id billing --private-key-jwt billing.jwks.json --scope \"read\"\n\nWith a new key pair, of which only the public half is printed:\n  jotsmith keys generate --algorithm ES256 --out billing.pem\n  jotsmith client new --id billing --private-key-jwt billing.pem --scope \"read\""
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
    /// A client that has no secret and signs assertions instead (RFC 7523). FILE has its public keys: a JWK Set, one JWK, or
    /// the PEM file of a private key, of which only the public half is printed.
    #[arg(long, value_name = "FILE", conflicts_with = "public")]
    private_key_jwt: Option<PathBuf>,
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
        let keys = self.private_key_jwt.as_deref().map(public_keys).transpose()?;
        let secret = (!self.public && keys.is_none()).then(new_secret);
        let kids = keys.as_ref().map(kids);
        let metadata = self.metadata(secret.as_deref().map(String::as_str), keys.as_ref());
        let block = block(&metadata);
        // What is printed would be accepted: an entry that start-up refuses helps nobody.
        Client::new(metadata)?;
        // The empty line keeps it apart from what it is appended to, which may end without one.
        print!("\n{block}");
        if let Some(secret) = secret {
            eprintln!("client_secret, shown this once: {}", *secret);
        }
        if let Some(kids) = kids {
            eprintln!("no secret: the client signs assertions, with the issuer as `aud` and as `kid` {kids}");
        }
        Ok(())
    }

    fn metadata(self, secret: Option<&str>, keys: Option<&RegisteredKeys>) -> ClientMetadata {
        let method = match (keys, self.public) {
            (Some(_), _) => "private_key_jwt",
            (None, true) => "none",
            (None, false) => "client_secret_basic",
        };
        let is_machine = self.redirect_uri.is_empty();
        let names = |list: &[&str]| Some(list.iter().map(|name| (*name).to_owned()).collect());
        ClientMetadata {
            client_id: self.id,
            client_secrets: secret
                .map(|secret| ClientSecretHash::of_generated(secret.as_bytes()))
                .into_iter()
                .collect(),
            token_endpoint_auth_method: Some(method.to_owned()),
            jwks: keys.map(|keys| json!({ "keys": keys.jwks() })),
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

/// The public keys in a file, judged as start-up judges them.
fn public_keys(file: &Path) -> Result<RegisteredKeys, Failure> {
    let shown = file.display();
    let text = Zeroizing::new(fs::read_to_string(file).map_err(|error| format!("{shown} cannot be read: {error}"))?);
    let set = if text.trim_start().starts_with("-----BEGIN") {
        json!({ "keys": [public_half(text.as_bytes()).map_err(|refused| format!("{shown}: {refused}"))?] })
    } else {
        let json: Value = serde_json::from_str(&text).map_err(|_| {
            format!("{shown} is neither a JWK Set nor a JWK (JSON), nor a private key in PEM; `jotsmith keys generate` makes one of those")
        })?;
        if json.get("keys").is_some() { json } else { json!({ "keys": [json] }) }
    };
    Ok(RegisteredKeys::judge(&set, None).map_err(|refused| format!("{shown}: {refused}"))?)
}

/// The public half of a private key of whichever algorithm it is for.
fn public_half(pem: &[u8]) -> Result<Jwk, SigningKeyRefused> {
    let [first, rest @ ..] = Algorithm::ALL;
    let read = |algorithm| SigningKey::from_pem(pem, algorithm, None);
    let key = rest.into_iter().fold(read(first), |found, algorithm| found.or_else(|_| read(algorithm)));
    key.map(|key| key.public_jwk().clone())
}

/// The names of the keys, as they stand in the header of an assertion.
fn kids(keys: &RegisteredKeys) -> String {
    keys.jwks().iter().filter_map(|jwk| jwk.common.key_id.as_deref()).collect::<Vec<_>>().join(" or ")
}

/// JSON as an inline TOML value; of a key set, which has objects, lists and texts alone.
fn as_toml(json: &Value) -> toml_edit::Value {
    match json {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name, as_toml(value))).collect::<InlineTable>().into()
        }
        Value::Array(values) => values.iter().map(as_toml).collect::<Array>().into(),
        Value::String(text) => text.into(),
        other => other.to_string().into(),
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
    if let Some(jwks) = &metadata.jwks {
        table.insert("jwks", Item::Value(as_toml(jwks)));
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
