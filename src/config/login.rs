//! `[login]`: who may sign in, and how often one may fail.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;

use super::text;

/// Who may sign in, and how often one may fail.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LoginSettings {
    /// How many wrong passwords an account may get within the window.
    pub max_failures_per_account: NonZeroU32,
    /// How many wrong passwords may come from one network within the window.
    pub max_failures_per_network: NonZeroU32,
    /// How long a failure counts.
    #[serde(deserialize_with = "text::duration")]
    pub failure_window: Duration,
    /// Where accounts are looked up.
    pub directory: Directory,
}

/// Where accounts are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Directory {
    /// In the `[[users]]` of the configuration.
    Users,
}
