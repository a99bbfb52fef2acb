//! `[[users]]`: people who may sign in.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::foundation::password_hash::PasswordHash;
use crate::protocol::claims::CustomClaims;

use super::layers::JoinedList;
use super::reading::{Entry, Reading, Taken};

/// A person who may sign in.
#[derive(Debug, Clone)]
pub struct User {
    /// What the person types.
    pub username: String,
    /// The `sub` of the person's tokens (RFC 7519 §4.1.2).
    pub subject: String,
    /// The hash of the person's password.
    pub password_hash: PasswordHash,
    /// Added to the person's access tokens.
    pub claims: CustomClaims,
}

#[derive(Deserialize)]
pub(super) struct RawUser {
    username: String,
    subject: String,
    password_hash: String,
    #[serde(default)]
    claims: Map<String, Value>,
}

/// The users, each with its place.
pub(super) fn read(reading: &Reading<'_>) -> Vec<Entry<User>> {
    let (mut usernames, mut subjects) = (Taken::new(), Taken::new());
    let mut users = Vec::new();
    for Entry { place, value } in reading.entries::<RawUser>(JoinedList::Users) {
        let user = judge(value).map_err(|what| place.problem(what));
        let Some(user) = reading.problems().note(user) else { continue };
        usernames.take("username", user.username.clone(), &place, reading.problems());
        subjects.take("subject", user.subject.clone(), &place, reading.problems());
        users.push(Entry { place, value: user });
    }
    users
}

/// The longest subject, in bytes (OpenID Connect Core §2).
const LONGEST_SUBJECT: usize = 255;

fn judge(raw: RawUser) -> Result<User, String> {
    if raw.username.trim() != raw.username || raw.username.is_empty() {
        return Err("username: write a name without space around it".to_owned());
    }
    let is_visible = raw.subject.bytes().all(|byte| byte.is_ascii_graphic());
    if raw.subject.is_empty() || raw.subject.len() > LONGEST_SUBJECT || !is_visible {
        return Err(format!("subject: write 1 to {LONGEST_SUBJECT} printable ASCII characters without space"));
    }
    let password_hash = PasswordHash::parse(&raw.password_hash)
        .map_err(|refused| format!("password_hash: {refused}; `jotsmith user hash-password` makes one"))?;
    let claims = CustomClaims::new(raw.claims).map_err(|refused| format!("claims: {refused}"))?;
    Ok(User { username: raw.username, subject: raw.subject, password_hash, claims })
}
