//! Who may sign in: the port that a directory of people implements, and the users of the configuration behind it.

use std::collections::HashMap;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::account::Account;
use crate::foundation::keyed_digest::KeyedDigest;
use crate::foundation::password_hash::Cost;
use crate::foundation::random::Random;
use crate::protocol::error::{ErrorCode, OAuthError};

/// An answer of a directory: the account, or that there is none.
pub type Found<'a> = Pin<Box<dyn Future<Output = Result<Option<Account>, DirectoryUnavailable>> + Send + 'a>>;

/// A directory of people.
///
/// It knows only who may sign in now: who is disabled is not found. So that a subject is found is what keeps that
/// person's sessions and grants alive, and that the directory cannot be asked must never look like it.
pub trait Directory: Send + Sync {
    /// The account with this username. Compared byte by byte: `Alice` is not `alice`, and composed characters are not
    /// decomposed ones.
    fn by_username<'a>(&'a self, username: &'a str) -> Found<'a>;

    /// The account with this subject.
    fn by_subject<'a>(&'a self, subject: &'a str) -> Found<'a>;

    /// What it costs to verify a password for a username that nobody has, so that the time taken does not tell whether
    /// somebody has it: always the same for the same name.
    fn cost_of_nobody(&self, username: &str) -> Cost;
}

/// When to come back to a directory that cannot be asked.
pub(super) const DIRECTORY_RETRY: Duration = Duration::from_secs(5);

/// The directory cannot be asked now. Says nothing about anyone in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the directory of users cannot be asked: {0}")]
pub struct DirectoryUnavailable(
    /// Why, for the log.
    pub String,
);

impl From<DirectoryUnavailable> for OAuthError {
    fn from(reason: DirectoryUnavailable) -> Self {
        Self::new(ErrorCode::TemporarilyUnavailable, "The server cannot answer now, try again later.")
            .retry_after(DIRECTORY_RETRY)
            .because(reason)
    }
}

/// The users of the configuration.
#[derive(Debug)]
pub struct UserDirectory {
    accounts: Vec<Account>,
    by_username: HashMap<Arc<str>, usize>,
    by_subject: HashMap<Arc<str>, usize>,
    digest: KeyedDigest,
}

/// Two users would be taken for each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DuplicateUser {
    /// Two with one username.
    #[error("the username {0:?} stands twice")]
    Username(String),
    /// Two with one subject: they would share sessions and grants.
    #[error("the subject {0:?} stands twice")]
    Subject(String),
}

impl UserDirectory {
    /// A directory of these people; `random` makes the key that hides who is in it.
    pub fn new(accounts: Vec<Account>, random: &dyn Random) -> Result<Self, DuplicateUser> {
        let mut by_username = HashMap::with_capacity(accounts.len());
        let mut by_subject = HashMap::with_capacity(accounts.len());
        for (at, account) in accounts.iter().enumerate() {
            if by_username.insert(Arc::clone(account.username()), at).is_some() {
                return Err(DuplicateUser::Username(account.username().to_string()));
            }
            if by_subject.insert(Arc::clone(account.subject()), at).is_some() {
                return Err(DuplicateUser::Subject(account.subject().to_string()));
            }
        }
        Ok(Self { accounts, by_username, by_subject, digest: KeyedDigest::new(random) })
    }
}

impl Directory for UserDirectory {
    fn by_username<'a>(&'a self, username: &'a str) -> Found<'a> {
        let account = self.by_username.get(username).map(|&at| self.accounts[at].clone());
        Box::pin(ready(Ok(account)))
    }

    fn by_subject<'a>(&'a self, subject: &'a str) -> Found<'a> {
        let account = self.by_subject.get(subject).map(|&at| self.accounts[at].clone());
        Box::pin(ready(Ok(account)))
    }

    /// Where users have hashes of different costs, a name that nobody has costs what one of theirs does, picked by a
    /// keyed digest of the name: a fixed cost would single out everyone whose hash has another.
    fn cost_of_nobody(&self, username: &str) -> Cost {
        if self.accounts.is_empty() {
            return Cost::RECOMMENDED;
        }
        let digest = self.digest.of(&[username.as_bytes()]);
        let number = digest.iter().fold(0, |number, &byte| (number * 256 + usize::from(byte)) % self.accounts.len());
        self.accounts[number].password_hash().cost()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foundation::password_hash::PasswordHash;
    use crate::foundation::random::OsRandom;
    use crate::protocol::claims::CustomClaims;

    fn account(subject: &str, username: &str, passes: u32) -> Account {
        let hash = PasswordHash::unmatchable(Cost { passes, ..Cost::CHEAPEST }, &OsRandom);
        Account::new(subject, username, hash, CustomClaims::default()).expect("a valid account")
    }

    fn found(answer: Found<'_>) -> Option<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let account = runtime.block_on(answer).expect("the configuration is at hand");
        account.map(|account| account.subject().to_string())
    }

    #[test]
    fn a_person_is_found_by_exact_username_and_by_subject() {
        let people = vec![account("1", "alice", 1), account("2", "Zo\u{eb}", 1)];
        let directory = UserDirectory::new(people, &OsRandom).expect("no duplicates");
        assert_eq!(found(directory.by_username("alice")).as_deref(), Some("1"));
        assert_eq!(found(directory.by_subject("2")).as_deref(), Some("2"));
        for username in ["Alice", "alice ", "bob", "", "1", "Zoe\u{308}"] {
            assert_eq!(found(directory.by_username(username)), None, "{username:?}");
        }
        assert_eq!(found(directory.by_subject("alice")), None);
    }

    #[test]
    fn two_users_with_one_username_or_one_subject_are_refused_by_name() {
        let refused = |people| UserDirectory::new(people, &OsRandom).map(|_| ());
        let same_username = vec![account("1", "alice", 1), account("2", "bob", 1), account("3", "alice", 1)];
        assert_eq!(refused(same_username), Err(DuplicateUser::Username("alice".into())));
        let same_subject = vec![account("1", "alice", 1), account("1", "bob", 1)];
        assert_eq!(refused(same_subject), Err(DuplicateUser::Subject("1".into())));
    }

    #[test]
    fn a_name_that_nobody_has_always_costs_what_one_of_the_users_does_and_all_of_them_occur() {
        let people = vec![account("1", "alice", 1), account("2", "bob", 2), account("3", "carol", 3)];
        let directory = UserDirectory::new(people, &OsRandom).expect("no duplicates");
        let mut seen = [0; 3];
        for number in 0..300 {
            let username = format!("nobody{number}");
            let cost = directory.cost_of_nobody(&username);
            assert_eq!(cost, directory.cost_of_nobody(&username));
            seen[cost.passes as usize - 1] += 1;
        }
        assert!(seen.iter().all(|&times| times > 50), "{seen:?}");
        let empty = UserDirectory::new(Vec::new(), &OsRandom).expect("no duplicates");
        assert_eq!(empty.cost_of_nobody("alice"), Cost::RECOMMENDED);
    }
}
