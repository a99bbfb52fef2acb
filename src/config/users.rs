//! `[[users]]`: people who may sign in, judged by [`Account::new`].

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::foundation::password_hash::PasswordHash;
use crate::login::account::Account;
use crate::protocol::claims::CustomClaims;

use super::error::{ConfigError, Place};
use super::layers::JoinedList;
use super::reading::{Entry, Reading, Taken};

#[derive(Deserialize)]
pub(super) struct RawUser {
    username: String,
    subject: String,
    password_hash: String,
    #[serde(default)]
    claims: Map<String, Value>,
}

/// The users, each with its place; those that are refused are noted and left out.
pub(super) fn read(reading: &Reading<'_>) -> Vec<Entry<Account>> {
    let (mut usernames, mut subjects) = (Taken::new(), Taken::new());
    let mut users = Vec::new();
    for Entry { place, value } in reading.entries::<RawUser>(JoinedList::Users) {
        let Some(account) = reading.problems().note(judge(value, &place)) else { continue };
        usernames.take("username", Arc::clone(account.username()), &place, reading.problems());
        subjects.take("subject", Arc::clone(account.subject()), &place, reading.problems());
        users.push(Entry { place, value: account });
    }
    users
}

fn judge(raw: RawUser, place: &Place) -> Result<Account, ConfigError> {
    let password_hash = PasswordHash::parse(&raw.password_hash).map_err(|refused| {
        place.problem(format!("password_hash: {refused}; `jotsmith user hash-password` makes one"))
    })?;
    let claims = CustomClaims::new(raw.claims).map_err(|refused| place.problem(format!("claims: {refused}")))?;
    Account::new(&raw.subject, &raw.username, password_hash, claims).map_err(|refused| place.problem(refused))
}
