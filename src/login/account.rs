//! One person's account.

use std::sync::Arc;

use crate::foundation::password_hash::PasswordHash;
use crate::protocol::claims::CustomClaims;

/// The longest subject, in bytes: what OpenID Connect Core §2 allows a `sub`.
pub const MAX_SUBJECT_BYTES: usize = 255;
/// The longest username, in bytes.
pub(super) const MAX_USERNAME_BYTES: usize = 255;

/// A person who may sign in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Account {
    subject: Arc<str>,
    username: Arc<str>,
    password_hash: Arc<PasswordHash>,
    claims: CustomClaims,
}

/// Why there cannot be such an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAccount {
    /// The username is empty, too long, or nobody could type it.
    #[error("a username has 1 to {MAX_USERNAME_BYTES} bytes, no control characters, and no space at either end")]
    Username,
    /// The subject is empty, too long, or would not be the same everywhere it is written.
    #[error("a subject has 1 to {MAX_SUBJECT_BYTES} printable ASCII characters and no space")]
    Subject,
}

/// Whether a text can be a subject: 1 to [`MAX_SUBJECT_BYTES`] printable ASCII characters and no space.
pub fn is_subject(text: &str) -> bool {
    (1..=MAX_SUBJECT_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl Account {
    /// Judges what was configured for one person.
    ///
    /// `subject` is the `sub` of this person's tokens (RFC 7519 §4.1.2) and never changes; `claims` go into them.
    pub fn new(
        subject: &str,
        username: &str,
        password_hash: PasswordHash,
        claims: CustomClaims,
    ) -> Result<Self, InvalidAccount> {
        if !(1..=MAX_USERNAME_BYTES).contains(&username.len())
            || username.chars().any(char::is_control)
            || username.trim() != username
        {
            return Err(InvalidAccount::Username);
        }
        if !is_subject(subject) {
            return Err(InvalidAccount::Subject);
        }
        Ok(Self { subject: subject.into(), username: username.into(), password_hash: Arc::new(password_hash), claims })
    }

    /// Who it is in every token: never reused for another person.
    pub fn subject(&self) -> &Arc<str> {
        &self.subject
    }

    /// What the person types.
    pub fn username(&self) -> &Arc<str> {
        &self.username
    }

    /// The hash of the password.
    pub fn password_hash(&self) -> &PasswordHash {
        &self.password_hash
    }

    /// What is added to the person's access tokens.
    pub fn claims(&self) -> &CustomClaims {
        &self.claims
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foundation::password_hash::Cost;
    use crate::foundation::random::OsRandom;

    fn account(subject: &str, username: &str) -> Result<Account, InvalidAccount> {
        let password_hash = PasswordHash::unmatchable(Cost::CHEAPEST, &OsRandom);
        Account::new(subject, username, password_hash, CustomClaims::default())
    }

    #[test]
    fn a_username_is_what_a_person_can_type() {
        for username in ["alice", "Zoë Müller", "alice@example.com", &"x".repeat(255)] {
            assert!(account("1", username).is_ok(), "{username}");
        }
        for username in ["", " alice", "alice ", "\u{a0}alice", "ali\nce", "ali\u{7f}ce", &"x".repeat(256)] {
            assert_eq!(account("1", username).err(), Some(InvalidAccount::Username), "{username:?}");
        }
    }

    #[test]
    fn a_subject_is_written_the_same_everywhere() {
        for subject in ["248289761001", "user:alice", &"x".repeat(255)] {
            assert!(account(subject, "alice").is_ok(), "{subject}");
        }
        for subject in ["", " ", "a b", "a\tb", "zoë", &"x".repeat(256)] {
            assert_eq!(account(subject, "alice").err(), Some(InvalidAccount::Subject), "{subject:?}");
        }
    }
}
