//! `jotsmith store export`: all that is stored, as a file.
//!
//! The file is written beside its place, looked through line by line while it comes, and gets its name when it is whole and
//! on the disk. It is its owner's alone: it holds who uses what.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use tempfile::NamedTempFile;

use crate::config::Settings;
use crate::foundation::clock::{Clock as _, SystemClock};
use crate::foundation::storage::{ExportStore as _, Origin};
use crate::http::export::PATH;
use crate::startup;
use crate::store::backup::{Check, Whole};
use crate::store::sled::{OpenFailed, SledStore, is_new};

use super::super::Failure;
use super::super::admin_port::{AdminPort, Right};
use super::{counted, is_stream};

/// Write all that is stored into a file: one line of JSON a record.
///
/// Of the server that runs, by its admin port, where one has the folder of the store; else of the folder itself. The file
/// has mode 0600, and gets its name when it is whole. Codes, tokens and keys are not in it.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  jotsmith store export /var/backups/jotsmith-$(date +%F).jsonl\n  jotsmith store export - | age -r age1.. > jotsmith.jsonl.age\n  jotsmith store export --running --token-file token backup.jsonl    where the folder of the store is not at hand\n\nRun it as the user of the server."
)]
pub(in crate::cli) struct Export {
    /// The file to write, or - for standard output.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Write over a file that is there.
    #[arg(long)]
    overwrite: bool,
    /// Ask the server that runs with this configuration, at `server.admin_listen`. So it is also with --token-file.
    #[arg(long, conflicts_with = "stopped")]
    running: bool,
    /// Read the folder in store.url, which no server may have.
    #[arg(long, conflicts_with = "token_file")]
    stopped: bool,
    #[command(flatten)]
    port: AdminPort,
}

impl Export {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Self { file, overwrite, running, stopped, port } = self;
        let (settings, right) = port.load()?;
        let mut to = Target::begin(&file, overwrite)?;
        let mut check = Check::default();
        let mut take = |part: &[u8]| {
            check.push(part).map_err(|refused| Failure(format!("what the store gives {refused}")))?;
            to.write(part)
        };
        let whole = if running || right.is_given() {
            of_running(&settings, right, &mut take)?;
            check.finish()
        } else {
            match open(&settings) {
                Ok(store) => of_stopped(&settings, &store, &mut take)?,
                Err(Refused::Open(OpenFailed::InUse { .. })) if !stopped => of_running(&settings, right, &mut take)?,
                Err(refused) => return Err(refused.into()),
            }
            check.finish()
        };
        let whole = whole.map_err(|refused| Failure(format!("what the store gives {refused}")))?;
        to.end()?;
        say(&whole, &file);
        Ok(())
    }
}

fn say(whole: &Whole, file: &Path) {
    let place = if is_stream(file) { String::new() } else { format!(" to {}", file.display()) };
    let from = &whole.header.origin.issuer;
    eprintln!(
        "Exported {} of {from}{place}, {} among them. The keys are not in it: keep keys.directory too.",
        counted(whole.records, "record"),
        counted(whole.grants, "grant")
    );
}

/// Why the folder of a stopped server is not read.
enum Refused {
    Open(OpenFailed),
    NoStore(PathBuf),
    Other(Failure),
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Open(failed) => failed.into(),
            Refused::NoStore(folder) => Self(format!(
                "there is no store in {}: name its folder in store.url, or ask a server elsewhere with --running",
                folder.display()
            )),
            Refused::Other(failure) => failure,
        }
    }
}

fn open(settings: &Settings) -> Result<Arc<SledStore>, Refused> {
    let folder = &settings.store.path;
    let cannot_look =
        |cause: io::Error| Refused::Other(Failure(format!("{} cannot be read: {cause}", folder.display())));
    // Opening makes what is missing.
    if is_new(folder).map_err(cannot_look)? {
        return Err(Refused::NoStore(folder.clone()));
    }
    startup::open_store(&settings.store, Arc::new(SystemClock)).map_err(Refused::Open)
}

fn of_stopped(
    settings: &Settings,
    store: &Arc<SledStore>,
    take: &mut impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let now = SystemClock.now();
    // Keys that cannot be read are no reason for no backup.
    let sealing_keys = startup::load_sealing_ring(settings, now).map(|ring| ring.ids()).unwrap_or_default();
    let origin = Origin { issuer: settings.issuer.to_string(), begun_at: now, is_running: false, sealing_keys };
    let mut export = Arc::clone(store).export(origin);
    let outcome = loop {
        match startup::wait_for_store(export.next()) {
            Ok(Some(part)) => take(&part)?,
            Ok(None) => break Ok(()),
            Err(unavailable) => break Err(unavailable.into()),
        }
    };
    drop(export);
    store.close();
    outcome
}

fn of_running(
    settings: &Settings,
    right: Right,
    take: &mut impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    right.connect(settings)?.download(PATH, take)
}

/// Where the file goes.
enum Target {
    Output(io::Stdout),
    File { file: PathBuf, overwrite: bool, part: io::BufWriter<NamedTempFile> },
}

impl Target {
    fn begin(file: &Path, overwrite: bool) -> Result<Self, Failure> {
        if is_stream(file) {
            return Ok(Self::Output(io::stdout()));
        }
        if !overwrite && fs::symlink_metadata(file).is_ok() {
            return Err(exists(file));
        }
        let name = file.file_name().ok_or_else(|| Failure(format!("{} is no name of a file", file.display())))?;
        let prefix = format!(".{}.", name.to_string_lossy());
        // Made with mode 0600, where nothing was; gone again where this fails.
        let part = tempfile::Builder::new().prefix(&prefix).suffix(".part").tempfile_in(folder_of(file));
        let part = part.map_err(|cause| cannot_write(file, &cause))?;
        Ok(Self::File { file: file.to_owned(), overwrite, part: io::BufWriter::new(part) })
    }

    fn write(&mut self, part: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Output(output) => {
                output.write_all(part).map_err(|cause| cannot_write(Path::new("standard output"), &cause))
            }
            Self::File { file, part: to, .. } => to.write_all(part).map_err(|cause| cannot_write(file, &cause)),
        }
    }

    /// It is whole: on the disk first, and then under its name.
    fn end(self) -> Result<(), Failure> {
        let (file, overwrite, part) = match self {
            Self::Output(mut output) => {
                return output.flush().map_err(|cause| cannot_write(Path::new("standard output"), &cause));
            }
            Self::File { file, overwrite, part } => (file, overwrite, part),
        };
        let part = part.into_inner().map_err(|cause| cannot_write(&file, cause.error()))?;
        part.as_file().sync_all().map_err(|cause| cannot_write(&file, &cause))?;
        let named = if overwrite { part.persist(&file) } else { part.persist_noclobber(&file) };
        named.map_err(|refused| match refused.error.kind() {
            io::ErrorKind::AlreadyExists => exists(&file),
            _ => cannot_write(&file, &refused.error),
        })?;
        File::open(folder_of(&file)).and_then(|folder| folder.sync_all()).map_err(|cause| cannot_write(&file, &cause))
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn exists(file: &Path) -> Failure {
    Failure(format!("there is a file {} already: choose another name, or say --overwrite", file.display()))
}

fn cannot_write(file: &Path, cause: &io::Error) -> Failure {
    Failure(format!("{} cannot be written: {cause}; no backup was made", file.display()))
}
