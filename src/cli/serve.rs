//! `jotsmith serve`: the server itself.

use std::io::IsTerminal as _;

use clap::Args;

use crate::startup::{Foundations, Server};
use crate::telemetry;

use super::{ConfigFiles, Failure};

/// Run the server. SIGHUP loads the configuration again, SIGTERM ends running requests and stops.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  jotsmith serve\n  jotsmith serve --config /etc/jotsmith/main.toml --config /etc/jotsmith/clients.toml"
)]
pub(super) struct Serve {
    #[command(flatten)]
    config: ConfigFiles,
}

impl Serve {
    pub(super) fn run(self) -> Result<(), Failure> {
        let sources = self.config.sources();
        let settings = sources.load()?;
        telemetry::start(settings.log.format, &settings.log.level, std::io::stderr().is_terminal(), std::io::stderr)?;
        let server = Server::build(sources, settings, Foundations::of_the_system())?;
        actix_web::rt::System::new().block_on(server.run_until_signal())?;
        Ok(())
    }
}
