//! `jotsmith keys`: new keys, what the configured ones do, and the way out when one has leaked.
//!
//! What changes keys writes `<keys.directory>/schedule.toml` and nothing else that a person may have written: what stands
//! elsewhere is told, and nothing is touched.

mod change;
mod generate;
mod kill;
mod list;
mod rotate;

use clap::Subcommand;

use super::Failure;

/// Make keys, change them, or see which of them works when.
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Examples:\n  jotsmith keys generate --algorithm ES256\n  jotsmith keys rotate\n  jotsmith keys list"
)]
pub(super) enum Keys {
    Generate(generate::Generate),
    Rotate(rotate::Rotate),
    List(list::List),
    Kill(kill::Kill),
}

impl Keys {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Generate(command) => command.run(),
            Self::Rotate(command) => command.run(),
            Self::List(command) => command.run(),
            Self::Kill(command) => command.run(),
        }
    }
}
