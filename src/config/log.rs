//! `[log]`: how the server writes its log.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use tracing::level_filters::LevelFilter;

/// How the server writes its log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LogSettings {
    /// The form of a line.
    pub format: LogFormat,
    /// The least important lines that are written: a level, or a comma-separated list of `target=level`.
    #[serde(deserialize_with = "level")]
    pub level: String,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Whoever filters the log would take a misspelt level for the name of a target, and show nothing else.
fn level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let names_a_level = |directive: &str| {
        let level = directive.rsplit('=').next().unwrap_or_default();
        // An empty one would read as "error".
        !level.is_empty() && level.parse::<LevelFilter>().is_ok()
    };
    if text.split(',').all(names_a_level) {
        Ok(text)
    } else {
        Err(D::Error::custom(format!("there is no level {text:?}; there are: off, error, warn, info, debug, trace")))
    }
}
