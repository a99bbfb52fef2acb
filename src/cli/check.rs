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
        let now = SystemClock.now();
        let keys = match startup::judge_keys(&settings, now)? {
            Some(ring) => counted(ring.listing(now).count(), "signing key"),
            None => "the first keys will be made when it is served".to_owned(),
        };
        println!(
            "The configuration is sound: {}, {}, {}, {keys}.",
            counted(settings.clients.iter().count(), "client"),
            // The resources, and the one that is meant when a request names none.
            counted(settings.resources.iter().count(), "audience"),
            counted(settings.users.len(), "user"),
        );
        Ok(())
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
