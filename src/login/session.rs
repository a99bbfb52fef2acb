//! A person's session in one browser: what is sealed into its cookie, and when it is over.
//!
//! The store keeps of a session only its early end. All else is decided from the sealed session itself, the account as
//! it is now and the clock.
//!
//! A clock may have been ahead when a session began. So the session says which end of all sessions was the last one that
//! was known then: a later one ends it, whatever time the session took for its own. And until that time it is not taken.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::account::Account;
use crate::foundation::clock::Timestamp;
use crate::foundation::digest::SHA256_BYTES;
use crate::foundation::random::{self, Random};
use crate::foundation::secret::is_equal;

/// The name of one session: not secret, for the cookie is sealed, and never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// A name that no session has had.
    pub fn new(random: &dyn Random) -> Self {
        Self(random::bytes(random))
    }

    /// As bytes, for the store's key and for what is bound to the session.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// A session as it is sealed into the cookie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its name.
    pub sid: SessionId,
    /// Whose it is.
    pub subject: Arc<str>,
    /// When the person proved who they are, which is when the session began: the `auth_time` of RFC 9068 §2.2.1.
    pub auth_time: Timestamp,
    /// When it is over at the latest.
    pub expires_at: Timestamp,
    password_digest: [u8; SHA256_BYTES],
    /// All sessions of the subject that began no later than this had been ended when it began.
    valid_from: Option<Timestamp>,
}

/// What has been ended early, as the store knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EarlyEnd {
    /// Whether this session was signed out.
    pub is_signed_out: bool,
    /// All sessions of the subject that began no later than this were ended.
    pub valid_from: Option<Timestamp>,
}

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionOver {
    /// It has lived as long as it may.
    #[error("the session has expired")]
    Expired,
    /// It was signed out.
    #[error("the session was signed out")]
    SignedOut,
    /// All sessions of its subject from that time were ended.
    #[error("all sessions of the subject were ended")]
    AllEnded,
    /// It says that it began after now.
    #[error("the session began after now: a clock was ahead, or this one is behind")]
    FromTheFuture,
    /// Its subject may not sign in any more.
    #[error("the subject has no account any more")]
    NoAccount,
    /// The password it began with is not the account's any more.
    #[error("the password was changed")]
    PasswordChanged,
}

impl Session {
    /// The session of a person who has just proved to be the owner of `account`. Always a new `sid`: what somebody
    /// planted in the browser before is not signed in.
    pub fn begin(account: &Account, lifetime: Duration, now: Timestamp, random: &dyn Random) -> Self {
        Self {
            sid: SessionId::new(random),
            subject: Arc::clone(account.subject()),
            auth_time: now,
            expires_at: now + lifetime,
            password_digest: account.password_hash().digest(),
            valid_from: None,
        }
    }

    /// The same, begun after all sessions of the subject had been ended that began no later than `valid_from`.
    #[must_use]
    pub fn after(self, valid_from: Option<Timestamp>) -> Self {
        Self { valid_from, ..self }
    }

    /// Whether it still holds at `now`. `account` is what the directory finds for its subject.
    pub fn check(&self, account: Option<&Account>, early_end: EarlyEnd, now: Timestamp) -> Result<(), SessionOver> {
        if now >= self.expires_at {
            return Err(SessionOver::Expired);
        }
        if early_end.is_signed_out {
            return Err(SessionOver::SignedOut);
        }
        // An end that was not there yet when the session began, even if that says it was later. Within one millisecond
        // nobody can tell which came first, so the end wins.
        if early_end.valid_from > self.valid_from || early_end.valid_from >= Some(self.auth_time) {
            return Err(SessionOver::AllEnded);
        }
        if self.auth_time.is_ahead_of(now) {
            return Err(SessionOver::FromTheFuture);
        }
        let account = account.filter(|account| *account.subject() == self.subject).ok_or(SessionOver::NoAccount)?;
        if !is_equal(&account.password_hash().digest(), &self.password_digest) {
            return Err(SessionOver::PasswordChanged);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foundation::clock::CLOCK_TOLERANCE;
    use crate::foundation::password_hash::{Cost, PasswordHash};
    use crate::foundation::random::OsRandom;
    use crate::protocol::claims::CustomClaims;

    const BEGIN: Timestamp = Timestamp::from_seconds(1000);
    const LIFETIME: Duration = Duration::from_secs(100);

    fn account(subject: &str, password_hash: &PasswordHash) -> Account {
        Account::new(subject, "alice", password_hash.clone(), CustomClaims::default()).expect("a valid account")
    }

    fn alice() -> Account {
        account("1", &PasswordHash::unmatchable(Cost::CHEAPEST, &OsRandom))
    }

    fn begin(account: &Account) -> Session {
        Session::begin(account, LIFETIME, BEGIN, &OsRandom)
    }

    #[test]
    fn a_session_holds_from_its_beginning_until_it_expires() {
        let alice = alice();
        let check = |now| begin(&alice).check(Some(&alice), EarlyEnd::default(), now);
        assert_eq!(check(BEGIN), Ok(()));
        assert_eq!(check((BEGIN + LIFETIME).before(Duration::from_millis(1))), Ok(()));
        assert_eq!(check(BEGIN + LIFETIME), Err(SessionOver::Expired));
    }

    #[test]
    fn signing_in_again_gives_another_sid() {
        let alice = alice();
        assert_ne!(begin(&alice).sid, begin(&alice).sid);
    }

    #[test]
    fn signing_out_ends_a_session() {
        let alice = alice();
        let early_end = EarlyEnd { is_signed_out: true, valid_from: None };
        assert_eq!(begin(&alice).check(Some(&alice), early_end, BEGIN), Err(SessionOver::SignedOut));
    }

    #[test]
    fn ending_all_sessions_ends_those_that_began_no_later() {
        let alice = alice();
        let check = |valid_from| {
            let session = begin(&alice).after(Some(BEGIN.before(Duration::from_millis(1))));
            session.check(Some(&alice), EarlyEnd { is_signed_out: false, valid_from: Some(valid_from) }, BEGIN)
        };
        assert_eq!(check(BEGIN), Err(SessionOver::AllEnded));
        assert_eq!(check(BEGIN.before(Duration::from_millis(1))), Ok(()));
    }

    #[test]
    fn an_end_that_came_later_ends_a_session_from_a_clock_that_was_ahead() {
        let alice = alice();
        let [before, end] = [BEGIN.before(Duration::from_secs(200)), BEGIN.before(Duration::from_secs(100))];
        let session = begin(&alice).after(Some(before));
        for now in [end, BEGIN, BEGIN + Duration::from_secs(1)] {
            let early_end = EarlyEnd { is_signed_out: false, valid_from: Some(end) };
            assert_eq!(session.check(Some(&alice), early_end, now), Err(SessionOver::AllEnded));
        }
        // A store that was brought back may know less than the session.
        assert_eq!(session.check(Some(&alice), EarlyEnd::default(), BEGIN), Ok(()));
    }

    #[test]
    fn a_session_that_says_it_began_after_now_is_not_taken_until_then() {
        let alice = alice();
        let check = |now| begin(&alice).check(Some(&alice), EarlyEnd::default(), now);
        let earliest = BEGIN.before(CLOCK_TOLERANCE);
        assert_eq!(check(earliest.before(Duration::from_millis(1))), Err(SessionOver::FromTheFuture));
        assert_eq!(check(earliest), Ok(()));
    }

    #[test]
    fn a_changed_password_ends_a_session_and_a_changed_username_does_not() {
        let (old, new) = [(); 2].map(|()| PasswordHash::unmatchable(Cost::CHEAPEST, &OsRandom)).into();
        let session = begin(&account("1", &old));
        let renamed = Account::new("1", "alice.b", old, CustomClaims::default()).expect("a valid account");
        assert_eq!(session.check(Some(&renamed), EarlyEnd::default(), BEGIN), Ok(()));
        let changed = account("1", &new);
        assert_eq!(session.check(Some(&changed), EarlyEnd::default(), BEGIN), Err(SessionOver::PasswordChanged));
    }

    #[test]
    fn an_account_that_is_gone_or_another_ends_a_session() {
        let hash = PasswordHash::unmatchable(Cost::CHEAPEST, &OsRandom);
        let session = begin(&account("1", &hash));
        assert_eq!(session.check(None, EarlyEnd::default(), BEGIN), Err(SessionOver::NoAccount));
        let other = account("2", &hash);
        assert_eq!(session.check(Some(&other), EarlyEnd::default(), BEGIN), Err(SessionOver::NoAccount));
    }

    #[test]
    fn a_session_reads_what_it_writes() {
        let session = begin(&alice()).after(Some(BEGIN));
        let written = postcard::to_stdvec(&session).expect("it is written");
        assert_eq!(postcard::from_bytes::<Session>(&written).expect("it is read"), session);
    }
}
