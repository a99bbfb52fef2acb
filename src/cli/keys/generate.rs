//! `jotsmith keys generate`: a new key in a file, and the block that configures it.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};

use crate::cli::Failure;
use crate::config::schedule_file;
use crate::config::{SealingKeyEntry, SigningKeyEntry};
use crate::foundation::random::{self, OsRandom};
use crate::keys::algorithm::Algorithm;
use crate::keys::key_files;
use crate::keys::schedule::Lifecycle;
use crate::keys::sealing_files;
use crate::keys::signing_key::{self, SigningKey};

/// Make a private signing key or a sealing key, in a file of mode 0600, and print the block that configures it.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("kind").required(true)))]
#[command(
    after_help = "Examples:\n  jotsmith keys generate --algorithm ES256\n  jotsmith keys generate --algorithm RS256 --out /etc/jotsmith/keys/2026-11.pem\n  jotsmith keys generate --sealing"
)]
pub(in crate::cli) struct Generate {
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

/// How much of a kid names its file.
const KID_IN_FILE_NAME: usize = 8;

impl Generate {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.algorithm {
            Some(algorithm) => self.signing(algorithm),
            None => self.sealing(),
        }
    }

    fn signing(self, algorithm: Algorithm) -> Result<(), Failure> {
        let pem = signing_key::generate(algorithm);
        let key = SigningKey::from_pem(pem.as_bytes(), algorithm, None)?;
        let usual = signing_file_name(&key);
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
        let usual = sealing_file_name();
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

/// The usual name of the file of a signing key that has its thumbprint as kid.
pub(super) fn signing_file_name(key: &SigningKey) -> String {
    let kid = &key.kid()[..KID_IN_FILE_NAME];
    format!("{}-{kid}.pem", key.algorithm().as_str().to_ascii_lowercase())
}

/// A name for the file of a sealing key.
pub(super) fn sealing_file_name() -> String {
    let random: [u8; 4] = random::bytes(&OsRandom);
    format!("{}.seal", random.map(|byte| format!("{byte:02x}")).concat())
}
