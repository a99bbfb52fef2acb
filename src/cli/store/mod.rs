//! `jotsmith store`: backups.

mod export;
mod import;

use std::path::Path;

use clap::Subcommand;

use super::Failure;

/// Write all that is stored into a file, or make a store of such a file.
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Examples:\n  jotsmith store export /var/backups/jotsmith.jsonl    of the server that runs, or of one that is stopped\n  jotsmith store import /var/backups/jotsmith.jsonl    into an empty folder, while the server is stopped\n\nThe keys are not in it. Keep keys.directory too: without the sealing keys nothing in a backup is of use."
)]
pub(super) enum Store {
    Export(export::Export),
    Import(import::Import),
}

impl Store {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Export(command) => command.run(),
            Self::Import(command) => command.run(),
        }
    }
}

/// Whether standard input or output is meant.
fn is_stream(file: &Path) -> bool {
    file == Path::new("-")
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
