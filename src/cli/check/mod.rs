//! `jotsmith check`: would the configuration be served?

mod diff;

use clap::Args;

use crate::foundation::clock::{Clock as _, SystemClock};
use crate::startup;

use super::{ConfigFiles, Failure};

/// Read and judge a configuration, its keys too, without serving it.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  jotsmith check          is it sound?\n  jotsmith check --diff   what would change for the server that runs?"
)]
pub(super) struct Check {
    #[command(flatten)]
    config: ConfigFiles,
    /// Say how it differs from what the running server has, which is asked at `server.admin_listen`: clients, users,
    /// resources, scopes and keys that are added, changed or removed, and what waits for a restart.
    #[arg(long)]
    diff: bool,
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failure> {
        let settings = self.config.source().load()?;
        for warning in &settings.warnings {
            eprintln!("warning: {warning}");
        }
        for warning in startup::judge_pages(&settings)?.warnings() {
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
        if self.diff { diff::print(&settings) } else { Ok(()) }
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
