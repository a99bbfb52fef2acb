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

/// The filter itself would take a misspelt level for the name of a target, and show nothing else.
fn level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let level_of =
        |directive: &str| directive.rsplit('=').next().is_some_and(|level| level.parse::<LevelFilter>().is_ok());
    if text.is_empty() || !text.split(',').all(level_of) {
        let what = format!("there is no level {text:?}; there are: off, error, warn, info, debug, trace");
        return Err(D::Error::custom(what));
    }
    Ok(text)
}
