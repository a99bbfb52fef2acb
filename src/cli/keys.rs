//! `jotsmith keys`: new keys, and what the configured ones do.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, Subcommand};
use serde::Serialize;

use crate::config::schedule_file;
use crate::config::{SealingKeyEntry, SigningKeyEntry};
use crate::foundation::clock::{Clock as _, SystemClock};
use crate::foundation::random::{self, OsRandom};
use crate::keys::algorithm::Algorithm;
use crate::keys::key_files;
use crate::keys::key_ring::KeyListing;
use crate::keys::schedule::{KeyState, Lifecycle};
use crate::keys::sealing_files;
use crate::keys::signing_key::{self, SigningKey};
use crate::startup;

use super::{ConfigFiles, Failure};

/// Make keys, or see which of them works when.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  jotsmith keys generate --algorithm ES256\n  jotsmith keys list")]
pub(super) enum Keys {
    Generate(Generate),
    List(List),
}

/// Make a private signing key or a sealing key, in a file of mode 0600, and print the block that configures it.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("kind").required(true)))]
#[command(
    after_help = "Examples:\n  jotsmith keys generate --algorithm ES256\n  jotsmith keys generate --algorithm RS256 --out /etc/jotsmith/keys/2026-11.pem\n  jotsmith keys generate --sealing"
)]
pub(super) struct Generate {
    /// What it signs with.
    #[arg(long, group = "kind", value_name = "ES256|RS256|EdDSA")]
    algorithm: Option<Algorithm>,
    /// A sealing key: for codes, refresh tokens, cookies and form fields.
    #[arg(long, group = "kind")]
    sealing: bool,
    /// Where it goes; without it, into keys/ under the start of its name in tokens.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// List every configured key: what it does now, and what it does next.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  jotsmith keys list --json")]
pub(super) struct List {
    /// One JSON array, for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigFiles,
}

impl Keys {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Generate(command) => command.run(),
            Self::List(command) => command.run(),
        }
    }
}

/// How much of a kid names its file.
const KID_IN_FILE_NAME: usize = 8;

impl Generate {
    fn run(self) -> Result<(), Failure> {
        match self.algorithm {
            Some(algorithm) => self.signing(algorithm),
            None => self.sealing(),
        }
    }

    fn signing(self, algorithm: Algorithm) -> Result<(), Failure> {
        let pem = signing_key::generate(algorithm);
        let key = SigningKey::from_pem(pem.as_bytes(), algorithm, None)?;
        let usual = {
            let kid = &key.kid()[..KID_IN_FILE_NAME];
            format!("{}-{kid}.pem", algorithm.as_str().to_ascii_lowercase())
        };
        let file = self.out.map_or_else(|| in_keys(&usual), Ok)?;
        key_files::create(&file, pem.as_bytes())?;
        let entry =
            SigningKeyEntry { file: name(&file), kid: None, algorithm, lifecycle: Lifecycle::default(), place: None };
        eprintln!("{} holds a new {algorithm} key, kid {}; its place is keys.directory", file.display(), key.kid());
        // The empty line keeps it apart from what it is appended to, which may end without one.
        print!("\n{}", schedule_file::block(&[entry], &[]));
        Ok(())
    }

    fn sealing(self) -> Result<(), Failure> {
        let random: [u8; 4] = random::bytes(&OsRandom);
        let usual = format!("{}.seal", random.map(|byte| format!("{byte:02x}")).concat());
        let file = self.out.map_or_else(|| in_keys(&usual), Ok)?;
        let key = sealing_files::generate(&file, &OsRandom)?;
        let entry = SealingKeyEntry { file: name(&file), lifecycle: Lifecycle::default(), place: None };
        eprintln!("{} holds a new sealing key, id {}; its place is keys.directory", file.display(), key.id());
        print!("\n{}", schedule_file::block(&[], &[entry]));
        Ok(())
    }
}

/// A file in the usual folder, which is made where it is missing.
fn in_keys(name: &str) -> std::io::Result<PathBuf> {
    let folder = Path::new("keys");
    std::fs::create_dir_all(folder)?;
    Ok(folder.join(name))
}

/// A file's name in the configuration, which is in `keys.directory`.
fn name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[derive(Serialize)]
struct Row<'a> {
    kid: &'a str,
    algorithm: Algorithm,
    state: &'static str,
    file: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Change>,
}

#[derive(Serialize)]
struct Change {
    state: &'static str,
    at: String,
}

impl List {
    fn run(self) -> Result<(), Failure> {
        let settings = self.config.source().load()?;
        let now = SystemClock.now();
        let ring = startup::judge_keys(&settings, now)?;
        if ring.is_none() {
            eprintln!("There is no key yet: `jotsmith serve` makes the first when it starts.");
        }
        let rows: Vec<Row<'_>> = ring.iter().flat_map(|ring| ring.listing(now)).map(|key| row(&key)).collect();
        if self.json {
            println!("{}", serde_json::to_string_pretty(&rows)?);
            return Ok(());
        }
        for row in rows {
            let next = row.next.map_or_else(|| "for good".to_owned(), |next| format!("{} at {}", next.state, next.at));
            println!("{}  {}  {:<9}  {:<30}  {}", row.kid, row.algorithm, row.state, next, row.file);
        }
        Ok(())
    }
}

fn row<'a>(key: &KeyListing<'a>) -> Row<'a> {
    let next = key.next.map(|(at, state): (_, KeyState)| Change { state: state.as_str(), at: at.to_string() });
    Row { kid: key.kid, algorithm: key.algorithm, state: key.state.as_str(), file: key.name, next }
}
