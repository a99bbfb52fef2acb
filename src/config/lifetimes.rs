//! `[lifetimes]`: how long things live.

use std::time::Duration;

use serde::Deserialize;

use crate::tokens::lifetimes::Lifetimes;

use super::reading::Reading;
use super::text;

#[derive(Deserialize)]
pub(super) struct RawLifetimes {
    #[serde(deserialize_with = "text::duration")]
    authorization_code: Duration,
    #[serde(deserialize_with = "text::duration")]
    access_token: Duration,
    #[serde(deserialize_with = "text::duration")]
    refresh_token_idle: Duration,
    #[serde(deserialize_with = "text::duration")]
    refresh_token_absolute: Duration,
    #[serde(default, deserialize_with = "text::optional_duration")]
    refresh_retry_window: Option<Duration>,
    #[serde(deserialize_with = "text::duration")]
    session: Duration,
}

/// The shortest lifetime: answers give them in whole seconds (RFC 6749 §5.1, `expires_in`).
pub(super) const SHORTEST: Duration = Duration::from_secs(1);

/// The longest that a code may wait for its redemption (RFC 6749 §4.1.2 recommends no more).
const LONGEST_CODE: Duration = Duration::from_mins(10);

pub(super) fn read(reading: &Reading<'_>) -> Option<Lifetimes> {
    let raw: RawLifetimes = reading.section("lifetimes")?;
    let problem = |key: &str, what: &str| reading.problems().add(reading.place(&["lifetimes", key]).problem(what));
    for (key, lifetime) in [
        ("authorization_code", raw.authorization_code),
        ("access_token", raw.access_token),
        ("refresh_token_idle", raw.refresh_token_idle),
        ("refresh_token_absolute", raw.refresh_token_absolute),
        ("session", raw.session),
    ] {
        if lifetime < SHORTEST {
            problem(key, "write one second or more");
        }
    }
    if raw.authorization_code > LONGEST_CODE {
        problem("authorization_code", "write 10m or less: a code that leaks must be of no use soon (RFC 6749 §4.1.2)");
    }
    if raw.refresh_token_idle > raw.refresh_token_absolute {
        problem("refresh_token_idle", "is longer than refresh_token_absolute: an idle token would outlive its grant");
    }
    Some(Lifetimes {
        authorization_code: raw.authorization_code,
        access_token: raw.access_token,
        refresh_token_idle: raw.refresh_token_idle,
        refresh_token_absolute: raw.refresh_token_absolute,
        refresh_retry_window: raw.refresh_retry_window,
        session: raw.session,
    })
}
