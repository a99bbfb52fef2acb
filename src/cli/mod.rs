//! The command line: one file a command.
//!
//! What a command gives goes to standard output, what it says about it to standard error. It exits with 0, with 1 when
//! it failed, with 2 when it was called wrongly.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to the terminal")]

mod admin_port;
mod check;
mod client;
mod demo;
mod grants;
mod keys;
mod serve;
mod store;
mod token;
mod user;

use std::error::Error;
use std::fmt;
use std::io::{IsTerminal as _, Read as _};
use std::iter;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use zeroize::Zeroizing;

use crate::config::Environment;
use crate::startup::Source;

/// An OAuth 2.0 authorization server in one binary.
#[derive(Debug, Parser)]
#[command(name = "jotsmith", version, about, arg_required_else_help = true)]
#[command(
    after_help = "Example:\n  jotsmith demo        everything on loopback, with a client to try\n  jotsmith serve       the real thing, configured by config/local.toml"
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Demo(demo::Demo),
    Check(check::Check),
    #[command(subcommand)]
    Keys(keys::Keys),
    #[command(subcommand)]
    Client(client::ClientCommand),
    #[command(subcommand)]
    User(user::User),
    #[command(subcommand)]
    Token(token::Token),
    #[command(subcommand)]
    Grants(grants::Grants),
    #[command(subcommand)]
    Store(store::Store),
}

/// Where the configuration is.
#[derive(Debug, Args)]
struct ConfigFiles {
    /// A configuration file; may be repeated, later ones win. Without it: `JOTSMITH_CONFIG`, or config/default.toml and
    /// config/local.toml, or /etc/jotsmith/*.toml.
    #[arg(long = "config", value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl ConfigFiles {
    fn source(self) -> Source {
        Source { files: self.files, environment: Environment::of_process() }
    }
}

/// Why a command failed: one sentence that says how to mend it.
#[derive(Debug)]
struct Failure(String);

impl<E: fmt::Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Parses the command line, runs one command, and says how the process exits.
pub fn run() -> ExitCode {
    let outcome = match CommandLine::parse().command {
        Command::Serve(command) => command.run(),
        Command::Demo(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Keys(command) => command.run(),
        Command::Client(command) => command.run(),
        Command::User(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::Grants(command) => command.run(),
        Command::Store(command) => command.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(message)) => {
            eprintln!("jotsmith: {message}");
            ExitCode::FAILURE
        }
    }
}

/// What went wrong with the causes below it: the lowest one is what a person can mend.
fn with_causes(error: &dyn Error) -> String {
    let causes = iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Reads a secret from standard input; one trailing newline is not part of it.
fn read_secret() -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut secret = Zeroizing::new(Vec::new());
    let mut input = std::io::stdin();
    if input.is_terminal() {
        eprintln!("Reading standard input, where what is typed shows; Ctrl-D ends it.");
    }
    input.read_to_end(&mut secret)?;
    if secret.ends_with(b"\n") {
        secret.pop();
        if secret.ends_with(b"\r") {
            secret.pop();
        }
    }
    if secret.is_empty() {
        return Err("standard input is empty; pipe the secret in, such as: printf %s \"$SECRET\" | jotsmith ..".into());
    }
    Ok(secret)
}
