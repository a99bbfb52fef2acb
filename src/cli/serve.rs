//! `jotsmith serve`: the server itself.

use std::io::IsTerminal as _;

use clap::Args;

use crate::config::{LogFormat, LogSettings};
use crate::startup::{self, Foundations, OnHangUp};
use crate::telemetry::{self, InvalidLevel, LogLines};

use super::{ConfigFiles, Failure};

/// Run the server. SIGHUP loads the configuration again; SIGTERM ends running requests and stops.
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
        let configured = self.config.source().configured()?;
        start_log(configured.log())?;
        Ok(startup::serve(configured, Foundations::of_the_machine(), OnHangUp::Reload, |_| Ok(()))?)
    }
}

/// Logs to standard error as the settings say.
pub(super) fn start_log(settings: &LogSettings) -> Result<(), InvalidLevel> {
    let is_terminal = std::io::stderr().is_terminal();
    let lines = match settings.format {
        LogFormat::Json => LogLines::Json,
        LogFormat::Auto if !is_terminal => LogLines::Json,
        LogFormat::Auto | LogFormat::Text => LogLines::Text { is_coloured: is_terminal },
    };
    telemetry::start(lines, &settings.level, std::io::stderr)
}
