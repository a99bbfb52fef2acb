//! `[login]`: who may sign in, and how often one may fail.

use std::time::Duration;

use serde::Deserialize;

use crate::login::throttle::{InvalidThrottleLimits, ThrottleLimits};

use super::reading::Reading;
use super::text;

/// Who may sign in, and how often one may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginSettings {
    /// How often one may fail.
    pub limits: ThrottleLimits,
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

#[derive(Deserialize)]
pub(super) struct RawLogin {
    max_failures_per_account: u32,
    max_failures_per_network: u32,
    #[serde(deserialize_with = "text::duration")]
    failure_window: Duration,
    directory: Directory,
}

pub(super) fn read(reading: &Reading<'_>) -> Option<LoginSettings> {
    let raw: RawLogin = reading.section("login")?;
    let limits = ThrottleLimits::new(raw.max_failures_per_account, raw.max_failures_per_network, raw.failure_window)
        .map_err(|refused| {
            let key = match refused {
                InvalidThrottleLimits::PerAccount => "max_failures_per_account",
                InvalidThrottleLimits::PerNetwork => "max_failures_per_network",
                InvalidThrottleLimits::Window => "failure_window",
            };
            reading.place(&["login", key]).problem(refused)
        });
    Some(LoginSettings { limits: reading.problems().note(limits)?, directory: raw.directory })
}
