//! `jotsmith check`: would the configuration be served?

use clap::Args;

use crate::startup;

use super::{ConfigFiles, Failure};

/// Read and judge a configuration without serving it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  jotsmith check --config config/local.toml && kill -HUP \"$(pidof jotsmith)\"")]
pub(super) struct Check {
    #[command(flatten)]
    config: ConfigFiles,
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failure> {
        let settings = self.config.sources().load()?;
        let keys = startup::check_keys(&settings)?;
        for warning in &settings.warnings {
            eprintln!("warning: {warning}");
        }
        println!(
            "The configuration is sound: {} clients, {} resources, {} users, {keys}.",
            settings.clients.iter().count(),
            settings.resources.iter().count(),
            settings.users.len(),
        );
        Ok(())
    }
}
