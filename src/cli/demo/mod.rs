//! `jotsmith demo`: the whole thing on loopback, with a playground to click and lines to paste. Nothing of it is left when
//! it ends.

mod configuration;
mod lines;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::Args;

use crate::config::Environment;
use crate::demo::{self, Permission, Person, Playground};
use crate::foundation::base64url;
use crate::foundation::random::{self, OsRandom};
use crate::keys::algorithm::Algorithm;
use crate::startup::{self, Foundations, OnHangUp, Source};

use super::{Failure, client, serve};

/// Try everything on loopback: a page to click through a sign-in, and lines for a shell that work as printed. It has a
/// throw-away folder, fresh keys, demo clients and demo users; nothing is left when it ends.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  jotsmith demo\n  jotsmith demo --open --algorithm EdDSA")]
pub(super) struct Demo {
    /// The port of the server; another free one is taken where this is in use.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Open the playground in the browser of this desktop.
    #[arg(long)]
    open: bool,
    /// What signs the tokens.
    #[arg(long, value_name = "ES256|RS256|EdDSA", default_value_t = Algorithm::Es256)]
    algorithm: Algorithm,
}

/// The machine that acts for itself.
const MACHINE: &str = "demo-machine";
/// The app that acts for a person: a native client, so a public one.
const APP: &str = "demo-app";
/// The page that acts for a person.
const PLAYGROUND: &str = "demo-playground";
/// Who can sign in, with the subject of their tokens.
const PEOPLE: [(&str, &str); 2] = [("alice", "248289761001"), ("bob", "248289761002")];
/// What an app can ask for, and what the page of consent says about it.
const SCOPES: [(&str, &str); 3] =
    [("read", "Read your notes"), ("write", "Change your notes"), (demo::DELETE, "Delete your notes")];
/// The retry window of the playground's refresh tokens: long enough to press a button, short enough to wait for its end.
const RETRY_WINDOW: Duration = Duration::from_secs(15);
/// What opens an address in the browser of a desktop.
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

/// What the demo makes up for itself; each is good for this run alone.
struct Made {
    issuer: String,
    /// Where the client of the demo listens.
    origin: String,
    algorithm: Algorithm,
    machine_secret: String,
    password: String,
    code_verifier: String,
    state: String,
}

impl Made {
    fn redirect_uri(&self) -> String {
        format!("{}{}", self.origin, demo::CALLBACK)
    }

    fn playground_redirect_uri(&self) -> String {
        format!("{}{}", self.origin, demo::SIGNED_IN)
    }

    /// The resource identifier of the playground's API.
    fn resource(&self) -> String {
        format!("{}{}", self.origin, demo::API)
    }

    fn playground(&self) -> Playground {
        let permission = |(scope, description): (&str, &str)| Permission {
            scope: scope.to_owned(),
            description: description.to_owned(),
        };
        let person =
            |(username, subject): (&str, &str)| Person { username: username.to_owned(), subject: subject.to_owned() };
        Playground {
            issuer: self.issuer.clone(),
            client_id: PLAYGROUND.to_owned(),
            redirect_uri: self.playground_redirect_uri(),
            resource: self.resource(),
            scopes: SCOPES.map(permission).into(),
            people: PEOPLE.map(person).into(),
            password: self.password.clone(),
            retry_window: RETRY_WINDOW,
            run: base64url::encode(random::bytes::<9>(&OsRandom)),
        }
    }
}

impl Demo {
    pub(super) fn run(self) -> Result<(), Failure> {
        let folder = tempfile::Builder::new().prefix("jotsmith-demo-").tempdir()?;
        let callback = bind(0)?;
        let made = Made {
            issuer: format!("http://127.0.0.1:{}", free_port(self.port)?),
            origin: format!("http://{}", callback.local_addr()?),
            algorithm: self.algorithm,
            machine_secret: client::new_secret().to_string(),
            password: base64url::encode(random::bytes::<9>(&OsRandom)),
            code_verifier: base64url::encode(random::bytes::<32>(&OsRandom)),
            state: base64url::encode(random::bytes::<9>(&OsRandom)),
        };
        let file = folder.path().join("demo.toml");
        fs::write(&file, configuration::of(&made, folder.path())?)?;
        let configured = Source { files: vec![file], environment: no_variables() }.configured()?;
        serve::start_log(configured.log())?;
        let greeting = lines::greeting(&made);
        let (state, page) = (made.state.clone(), format!("{}/", made.origin));
        let playground = made.playground();
        let app = demo::Client { state, lines: Box::new(move |code| lines::of_code(&made, code)), playground };
        startup::serve(configured, Foundations::of_the_machine(), OnHangUp::Stop, |running| {
            demo::listen(callback, app).map_err(io::Error::other)?;
            println!(
                "{greeting}\nHealth is on http://{}/health/ready. Ctrl-C stops it and removes everything.",
                running.admin_address()
            );
            if self.open {
                open(&page);
            }
            Ok(())
        })?;
        Ok(())
    }
}

/// Opens an address, which holds no secret: other people of this machine can see it in the list of processes.
fn open(address: &str) {
    let mut command = Command::new(OPENER);
    command.arg(address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Err(error) = command.spawn() {
        eprintln!("{OPENER} does not start, so no browser opens: {error}; open {address} yourself");
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
