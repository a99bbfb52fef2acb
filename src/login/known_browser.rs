//! A browser in which a person has signed in before, as a cookie of its own says: it is not slowed by what others guess
//! at that person's account.
//!
//! It proves nothing about who sits there, and opens nothing: the password is asked for as ever. It says only that the
//! right password was typed in this browser before, so that guesses from elsewhere are told from the owner's attempts
//! (OWASP, "Slow Down Online Guessing Attacks with Device Cookies"). For each person it holds
//! - a digest of the subject and of the account's password hash: with a changed password it is void, and who reads it,
//!   sealing key and all, learns no name;
//! - a mark, made anew whenever that person signs in and at no other time, under which failures are counted: a copy of
//!   the cookie has no budget of its own, and signing in as somebody else gives no fresh one;
//! - when that was. After [`KNOWN_FOR`] it is void, so it is when all of the person's sessions were ended since, and so
//!   it is before, where a clock was ahead.
//!
//! It refuses no one: whoever is not recognized is a stranger.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::account::Account;
use crate::foundation::clock::Timestamp;
use crate::foundation::digest::{SHA256_BYTES, sha256};
use crate::foundation::random::{self, Random};
use crate::foundation::secret::is_equal;

/// How long a browser is known after a person signed in.
pub const KNOWN_FOR: Duration = Duration::from_hours(90 * 24);

/// How many people a browser is known for. The one who signed in longest ago makes room.
const MOST_PEOPLE: usize = 8;

/// What the failures of one browser for one person are counted under.
pub(super) type BrowserMark = [u8; 16];

/// For whom a browser is known: sealed into its cookie.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownBrowser {
    /// The one who signed in last stands last.
    people: Vec<KnownPerson>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KnownPerson {
    digest: [u8; SHA256_BYTES],
    mark: BrowserMark,
    since: Timestamp,
}

/// That a person has signed in to their account in this browser before.
#[derive(Debug, Clone)]
pub struct Recognized {
    subject: Arc<str>,
    mark: BrowserMark,
    since: Timestamp,
}

impl KnownBrowser {
    /// Whether nobody is known.
    pub const fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// Notes that the owner of `account` has just signed in.
    pub fn remember(&mut self, account: &Account, now: Timestamp, random: &dyn Random) {
        let digest = digest_of(account);
        self.people.retain(|person| !is_equal(&person.digest, &digest) && person.is_known(now));
        if self.people.len() >= MOST_PEOPLE {
            self.people.remove(0);
        }
        self.people.push(KnownPerson { digest, mark: random::bytes(random), since: now });
    }

    /// That the owner of `account` has signed in here before, with the password that the account has now.
    pub fn recognize(&self, account: &Account, now: Timestamp) -> Option<Recognized> {
        let digest = digest_of(account);
        let person = self.people.iter().find(|person| is_equal(&person.digest, &digest))?;
        let recognized = Recognized { subject: Arc::clone(account.subject()), mark: person.mark, since: person.since };
        person.is_known(now).then_some(recognized)
    }
}

impl KnownPerson {
    fn is_known(&self, now: Timestamp) -> bool {
        !self.since.is_ahead_of(now) && now < self.since + KNOWN_FOR
    }
}

impl Recognized {
    /// Whose account it is.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Whether it still is so where all sessions of the person that began no later than `valid_from` were ended.
    pub fn outlives(&self, valid_from: Option<Timestamp>) -> bool {
        valid_from.is_none_or(|valid_from| self.since > valid_from)
    }

    pub(super) const fn mark(&self) -> BrowserMark {
        self.mark
    }

    #[cfg(test)]
    pub(super) fn for_test(subject: &str) -> Self {
        let random = &crate::foundation::random::OsRandom;
        Self { subject: subject.into(), mark: random::bytes(random), since: Timestamp::from_seconds(1_000_000) }
    }
}

/// The password's digest has one length, so no two accounts give the same bytes.
fn digest_of(account: &Account) -> [u8; SHA256_BYTES] {
    sha256([account.subject().as_bytes(), &account.password_hash().digest()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foundation::clock::CLOCK_TOLERANCE;
    use crate::foundation::password_hash::{Cost, PasswordHash};
    use crate::foundation::random::OsRandom;
    use crate::protocol::claims::CustomClaims;

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);
    const MILLISECOND: Duration = Duration::from_millis(1);

    fn hash() -> PasswordHash {
        PasswordHash::unmatchable(Cost::CHEAPEST, &OsRandom)
    }

    fn account(subject: &str, hash: &PasswordHash) -> Account {
        Account::new(subject, "alice", hash.clone(), CustomClaims::default()).expect("a valid account")
    }

    fn known_to(accounts: &[&Account]) -> KnownBrowser {
        let mut browser = KnownBrowser::default();
        for account in accounts {
            browser.remember(account, NOW, &OsRandom);
        }
        browser
    }

    #[test]
    fn a_browser_knows_who_signed_in_for_ninety_days_and_nobody_else() {
        let (alice, bob) = (account("1", &hash()), account("2", &hash()));
        let browser = known_to(&[&alice]);
        let last = (NOW + KNOWN_FOR).before(MILLISECOND);
        assert!(browser.recognize(&alice, last).is_some_and(|recognized| recognized.subject() == "1"));
        assert!(browser.recognize(&alice, NOW + KNOWN_FOR).is_none());
        let earliest = NOW.before(CLOCK_TOLERANCE);
        assert!(browser.recognize(&alice, earliest).is_some());
        assert!(browser.recognize(&alice, earliest.before(MILLISECOND)).is_none(), "a clock was ahead");
        assert!(browser.recognize(&bob, NOW).is_none());
        assert!(KnownBrowser::default().is_empty() && !browser.is_empty());
    }

    #[test]
    fn a_changed_password_and_an_end_of_all_sessions_void_it() {
        let (old, new) = (hash(), hash());
        let browser = known_to(&[&account("1", &old)]);
        assert!(browser.recognize(&account("1", &new), NOW).is_none());
        let recognized = browser.recognize(&account("1", &old), NOW).expect("the password is the same");
        assert!(recognized.outlives(None) && recognized.outlives(Some(NOW.before(MILLISECOND))));
        assert!(!recognized.outlives(Some(NOW)) && !recognized.outlives(Some(NOW + MILLISECOND)));
    }

    #[test]
    fn the_mark_changes_when_that_person_signs_in_and_when_nobody_else_does() {
        let (alice, bob) = (account("1", &hash()), account("2", &hash()));
        let mark = |browser: &KnownBrowser, account| browser.recognize(account, NOW).expect("known").mark();
        let mut browser = known_to(&[&alice]);
        let before = mark(&browser, &alice);
        browser.remember(&bob, NOW, &OsRandom);
        assert_eq!(mark(&browser, &alice), before, "else Bob could guess at Alice's without an end");
        assert_ne!(mark(&browser, &bob), before);
        browser.remember(&alice, NOW + MILLISECOND, &OsRandom);
        assert_ne!(mark(&browser, &alice), before);
    }

    #[test]
    fn it_fits_into_a_cookie_and_the_one_who_signed_in_longest_ago_makes_room() {
        let hash = hash();
        let accounts: Vec<_> = (0..9).map(|number| account(&format!("{number}{}", "x".repeat(254)), &hash)).collect();
        let mut browser = known_to(&accounts.iter().take(8).collect::<Vec<_>>());
        browser.remember(&accounts[0], NOW, &OsRandom);
        browser.remember(&accounts[8], NOW, &OsRandom);
        let known: Vec<_> = accounts.iter().map(|account| browser.recognize(account, NOW).is_some()).collect();
        assert_eq!(known, [true, false, true, true, true, true, true, true, true]);
        let written = postcard::to_stdvec(&browser).expect("it is written");
        assert!(written.len() < 600, "{}", written.len());
        assert_eq!(postcard::from_bytes::<KnownBrowser>(&written).expect("it is read"), browser);
    }

    #[test]
    fn who_is_no_longer_known_takes_no_room() {
        let hash = hash();
        let mut browser = known_to(&[&account("1", &hash)]);
        browser.remember(&account("2", &hash), NOW + KNOWN_FOR, &OsRandom);
        assert_eq!(browser.people.len(), 1);
    }
}
