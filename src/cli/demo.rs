//! `jotsmith demo`: the whole thing on loopback, with lines to paste. Nothing of it is left when it ends.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use clap::Args;
use toml_edit::{Array, DocumentMut, Item, Table, value};

use crate::clients::ClientSecretHash;
use crate::config::Environment;
use crate::startup::{self, Foundations, Running, Source};

use super::{Failure, client, serve};

/// Try everything on loopback: a throw-away folder, fresh keys, a demo client, and curl lines that work as printed.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  jotsmith demo")]
pub(super) struct Demo {
    /// The port of the server; another free one is taken where this is in use.
    #[arg(long, default_value_t = 8080)]
    port: u16,
}

const CLIENT_ID: &str = "demo";

impl Demo {
    pub(super) fn run(self) -> Result<(), Failure> {
        let folder = tempfile::Builder::new().prefix("jotsmith-demo-").tempdir()?;
        let secret = client::new_secret();
        let file = folder.path().join("demo.toml");
        fs::write(&file, configuration(folder.path(), free_port(self.port)?, &secret))?;
        let source = Source { files: vec![file], environment: no_variables() };
        serve::start_log(&source.load()?.log)?;
        Ok(startup::serve(source, Foundations::of_the_machine(), |running| greet(running, &secret))?)
    }
}

/// Variables that configure a real server do not reach into the demo.
fn no_variables() -> Environment {
    Environment { variables: BTreeMap::new(), ..Environment::of_process() }
}

/// The wanted port where nobody has it, else any.
fn free_port(wanted: u16) -> Result<u16, Failure> {
    let bind = |port| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let listener = bind(wanted).or_else(|_| bind(0))?;
    Ok(listener.local_addr()?.port())
}

/// The configuration that a person would write, with a folder that goes away.
fn configuration(folder: &Path, port: u16, secret: &str) -> String {
    let path = |name: &str| folder.join(name).display().to_string();
    let mut document = DocumentMut::new();
    document["issuer"] = value(format!("http://127.0.0.1:{port}"));
    document["server"] = table([("listen", format!("127.0.0.1:{port}")), ("admin_listen", "127.0.0.1:0".to_owned())]);
    document["store"] = table([("url", format!("sled://{}", path("data")))]);
    document["keys"] = table([("directory", path("keys"))]);
    document["log"] = table([("level", "warn".to_owned())]);
    let mut demo = Table::new();
    demo["client_id"] = value(CLIENT_ID);
    demo["client_name"] = value("Demo client");
    demo["client_secrets"] = value(Array::from_iter([ClientSecretHash::of_generated(secret.as_bytes())]));
    demo["grant_types"] = value(Array::from_iter(["client_credentials"]));
    demo["response_types"] = value(Array::new());
    demo["scope"] = value("read write");
    document["clients"] = Item::ArrayOfTables([demo].into_iter().collect());
    document.to_string()
}

fn table<const N: usize>(entries: [(&str, String); N]) -> Item {
    let mut table = Table::new();
    for (key, text) in entries {
        table[key] = value(text);
    }
    Item::Table(table)
}

/// Shown once the server listens. The lines are for a shell: each works as it stands.
fn greet(running: &Running, secret: &str) {
    let server = format!("http://{}", running.public_address());
    let program = std::env::current_exe().map_or_else(|_| "jotsmith".to_owned(), |path| path.display().to_string());
    println!(
        "Jotsmith serves on {server}, health on http://{admin}. Ctrl-C stops it and removes everything.

  client_id      {CLIENT_ID}
  client_secret  {secret}

What the server offers, and the keys that verify its tokens:

  curl -s {server}/.well-known/oauth-authorization-server
  curl -s {server}/.well-known/jwks.json

An access token by client credentials, and its verification with nothing but the published keys:

  TOKEN=$(curl -s -u {CLIENT_ID}:{secret} -d grant_type=client_credentials -d scope=read {server}/token \\
    | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')
  {program} token verify --jwks {server}/.well-known/jwks.json \"$TOKEN\"
",
        admin = running.admin_address(),
    );
}
