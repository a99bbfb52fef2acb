//! `jotsmith check`: would the configuration be served?

use clap::Args;

use crate::foundation::clock::{Clock as _, SystemClock};
use crate::startup;

use super::{ConfigFiles, Failure};

/// Read and judge a configuration, its keys too, without serving it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  jotsmith check && kill -HUP \"$(pidof jotsmith)\"")]
pub(super) struct Check {
    #[command(flatten)]
    config: ConfigFiles,
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failure> {
        let settings = self.config.source().load()?;
        for warning in &settings.warnings {
            eprintln!("warning: {warning}");
        }
        let keys = if startup::will_make_keys(&settings) {
            "the first keys will be made when it is served".to_owned()
        } else {
            let now = SystemClock.now();
            format!("{} signing keys", startup::load_ring(&settings, now)?.listing(now).count())
        };
        println!(
            "The configuration is sound: {} clients, {} resources, {} users, {keys}.",
            settings.clients.iter().count(),
            settings.resources.iter().count(),
            settings.users.len(),
        );
        Ok(())
    }
}
