//! `jotsmith demo`: the whole thing on loopback, with lines to paste. Nothing of it is left when it ends.

mod configuration;
mod lines;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use clap::Args;

use crate::config::Environment;
use crate::demo;
use crate::foundation::base64url;
use crate::foundation::random::{self, OsRandom};
use crate::startup::{self, Foundations, OnHangUp, Source};

use super::{Failure, client, serve};

/// Try everything on loopback: a throw-away folder, fresh keys, demo clients, a demo user, and lines that work as printed.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  jotsmith demo")]
pub(super) struct Demo {
    /// The port of the server; another free one is taken where this is in use.
    #[arg(long, default_value_t = 8080)]
    port: u16,
}

/// The machine that acts for itself.
const MACHINE: &str = "demo-machine";
/// The app that acts for a person: a native client, so a public one.
const APP: &str = "demo-app";
const USERNAME: &str = "alice";

/// What the demo makes up for itself; each is good for this run alone.
struct Made {
    issuer: String,
    redirect_uri: String,
    machine_secret: String,
    password: String,
    code_verifier: String,
    state: String,
}

impl Demo {
    pub(super) fn run(self) -> Result<(), Failure> {
        let folder = tempfile::Builder::new().prefix("jotsmith-demo-").tempdir()?;
        let callback = bind(0)?;
        let made = Made {
            issuer: format!("http://127.0.0.1:{}", free_port(self.port)?),
            redirect_uri: format!("http://{}{}", callback.local_addr()?, demo::CALLBACK),
            machine_secret: client::new_secret().to_string(),
            password: base64url::encode(random::bytes::<9>(&OsRandom)),
            code_verifier: base64url::encode(random::bytes::<32>(&OsRandom)),
            state: base64url::encode(random::bytes::<9>(&OsRandom)),
        };
        let file = folder.path().join("demo.toml");
        fs::write(&file, configuration::of(&made, folder.path())?)?;
        let source = Source { files: vec![file], environment: no_variables() };
        serve::start_log(&source.load()?.log)?;
        let greeting = lines::greeting(&made);
        let state = made.state.clone();
        let app = demo::Client { state, lines: Box::new(move |code| lines::of_code(&made, code)) };
        startup::serve(source, Foundations::of_the_machine(), OnHangUp::Stop, |running| {
            demo::listen(callback, app)?;
            println!(
                "{greeting}\nHealth is on http://{}/health/ready. Ctrl-C stops it and removes everything.",
                running.admin_address()
            );
            Ok(())
        })?;
        Ok(())
    }
}

/// Variables that configure a real server do not reach into the demo.
fn no_variables() -> Environment {
    Environment { variables: BTreeMap::new(), not_utf8: BTreeSet::new(), ..Environment::of_process() }
}

/// The wanted port where nobody has it, else any.
fn free_port(wanted: u16) -> Result<u16, Failure> {
    let listener = bind(wanted).or_else(|_| bind(0))?;
    Ok(listener.local_addr()?.port())
}

fn bind(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}
