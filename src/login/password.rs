//! Signing in with a username and a password.
//!
//! A username that nobody has and a wrong password get the same answer after the same work, so neither answer nor time
//! tells who has an account. What costs nothing is refused first: too many failures, then no place in the pool.
//!
//! Who signed in before in the same browser is counted for themselves, and has a line of their own: `throttle` and
//! `slow_hash` say how.

use std::sync::Arc;
use std::time::Duration;

use super::account::{Account, MAX_USERNAME_BYTES};
use super::directory::{DIRECTORY_RETRY, Directory, DirectoryUnavailable};
use super::known_browser::Recognized;
use super::throttle::{Guesser, Throttle, ThrottleLimits, Throttled};
use crate::foundation::clock::Timestamp;
use crate::foundation::password_hash::{Password, PasswordHash};
use crate::foundation::random::Random;
use crate::foundation::slow_hash::{Busy, SlowHash};
use crate::protocol::error::{ErrorCode, OAuthError};

/// Verifies usernames and passwords. A reload makes a new one around the same throttle and the same pool.
pub struct PasswordLogin {
    /// Who may sign in.
    pub directory: Arc<dyn Directory>,
    /// Who has failed too often.
    pub throttle: Arc<Throttle>,
    /// What too often is.
    pub limits: ThrottleLimits,
    /// The pool that hashes.
    pub slow_hash: SlowHash,
    /// Salts what nobody's passwords are verified against.
    pub random: Arc<dyn Random>,
}

/// Why somebody is not signed in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginRefused {
    /// Nobody has that username, or it is not that password. Which, nobody is told.
    #[error("wrong username or password")]
    Wrong,
    /// Too many failures for that account or from that network.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// No place in the pool.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// Nobody can be looked up.
    #[error(transparent)]
    Unavailable(#[from] DirectoryUnavailable),
}

impl LoginRefused {
    /// What the metric and the log call it.
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Wrong => "wrong",
            Self::Throttled(_) => "throttled",
            Self::Busy(_) => "busy",
            Self::Unavailable(_) => "unavailable",
        }
    }

    /// When to come back; none where it is the same at any time.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Wrong => None,
            Self::Throttled(throttled) => Some(throttled.retry_after),
            Self::Busy(busy) => Some(busy.retry_after),
            Self::Unavailable(_) => Some(DIRECTORY_RETRY),
        }
    }
}

impl From<LoginRefused> for OAuthError {
    fn from(refused: LoginRefused) -> Self {
        match refused {
            LoginRefused::Wrong => Self::new(ErrorCode::InvalidGrant, "The username or the password is wrong."),
            LoginRefused::Throttled(Throttled { retry_after }) => {
                Self::new(ErrorCode::InvalidGrant, "There were too many wrong passwords, try again later.")
                    .retry_after(retry_after)
            }
            LoginRefused::Busy(busy) => {
                Self::new(ErrorCode::TemporarilyUnavailable, "The server is busy, try again later.")
                    .because(busy)
                    .retry_after(busy.retry_after)
            }
            LoginRefused::Unavailable(cause) => cause.into(),
        }
    }
}

impl PasswordLogin {
    /// The account that has this username and this password. Needs a tokio runtime.
    ///
    /// `password` is what was typed, which the caller wipes. A username or a password that no account can have is wrong
    /// without anything being hashed.
    pub async fn verify(
        &self,
        guesser: &Guesser<'_>,
        password: &[u8],
        now: Timestamp,
    ) -> Result<Account, LoginRefused> {
        let username = guesser.username;
        if username.len() > MAX_USERNAME_BYTES {
            return Err(LoginRefused::Wrong);
        }
        let password = Password::new(password).map_err(|_| LoginRefused::Wrong)?;
        self.throttle.check(&self.limits, guesser, now)?;
        let place = match &guesser.recognized {
            Some(_) => self.slow_hash.queue_known(guesser.network)?,
            None => self.slow_hash.queue(guesser.network)?,
        };
        let account = self.directory.by_username(username).await?;
        // The name may be another person's since the browser was recognized: it is nobody's browser for that account.
        let is_another = |recognized: &Recognized| {
            account.as_ref().is_none_or(|account| **account.subject() != *recognized.subject())
        };
        if guesser.recognized.as_ref().is_some_and(is_another) {
            return Err(LoginRefused::Wrong);
        }
        let decoy = PasswordHash::unmatchable(self.directory.cost_of_nobody(username), &*self.random);
        let hash = account.as_ref().map_or(&decoy, Account::password_hash);
        let turn = place.turn().await?;
        // Others may have failed while this one stood in line. From here on a password is tried, so here it counts.
        let attempt = self.throttle.start(&self.limits, guesser, now)?;
        let verdict = turn.verify(password, hash).await.inspect_err(|_| self.throttle.withdraw(&attempt))?;
        match account {
            Some(account) if verdict => {
                self.throttle.withdraw(&attempt);
                Ok(account)
            }
            _ => Err(LoginRefused::Wrong),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::net::IpAddr;
    use std::num::NonZeroUsize;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::foundation::network::Network;
    use crate::foundation::password_hash::Cost;
    use crate::foundation::random::OsRandom;
    use crate::foundation::slow_hash::PoolSize;
    use crate::login::directory::{Found, UserDirectory};
    use crate::protocol::claims::CustomClaims;

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);
    const WINDOW: Duration = Duration::from_mins(5);

    fn login(per_account: u32, per_network: u32) -> PasswordLogin {
        let password = Password::new("right").expect("a password");
        let hash = PasswordHash::hash_blocking(&password, Cost::CHEAPEST, &OsRandom);
        let alice = Account::new("1", "alice", hash, CustomClaims::default()).expect("a valid account");
        PasswordLogin {
            directory: Arc::new(UserDirectory::new(vec![alice], &OsRandom).expect("no duplicates")),
            throttle: Arc::new(Throttle::new(&OsRandom)),
            limits: ThrottleLimits::new(per_account, per_network, WINDOW).expect("valid limits"),
            slow_hash: SlowHash::new(PoolSize { running: NonZeroUsize::MIN, waiting: 7 }),
            random: Arc::new(OsRandom),
        }
    }

    fn network(last: u8) -> Network {
        IpAddr::from([192, 0, 2, last]).into()
    }

    fn sign_in(login: &PasswordLogin, username: &str, password: &[u8]) -> Result<String, LoginRefused> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let account = runtime.block_on(login.verify(&Guesser::stranger(username, network(1)), password, NOW));
        account.map(|account| account.subject().to_string())
    }

    #[test]
    fn the_right_password_signs_in() {
        assert_eq!(sign_in(&login(10, 100), "alice", b"right"), Ok("1".into()));
    }

    #[test]
    fn an_unknown_username_and_a_wrong_password_get_the_same_answer_after_the_same_work() {
        let login = login(2, 100);
        for (username, password, hashes) in [("alice", "wrong", 1), ("nobody", "right", 2)] {
            assert_eq!(sign_in(&login, username, password.as_bytes()), Err(LoginRefused::Wrong));
            assert_eq!(login.slow_hash.computed(), hashes, "{username}");
        }
        for username in ["alice", "nobody"] {
            assert_eq!(sign_in(&login, username, b"wrong"), Err(LoginRefused::Wrong));
            let refused = Err(LoginRefused::Throttled(Throttled { retry_after: WINDOW }));
            assert_eq!(sign_in(&login, username, b"wrong"), refused, "{username}");
        }
        assert_eq!(login.slow_hash.computed(), 4);
    }

    #[test]
    fn who_is_throttled_is_refused_even_with_the_right_password_and_without_a_hash() {
        let login = login(1, 100);
        assert_eq!(sign_in(&login, "alice", b"wrong"), Err(LoginRefused::Wrong));
        assert!(matches!(sign_in(&login, "alice", b"right"), Err(LoginRefused::Throttled(_))));
        assert_eq!(login.slow_hash.computed(), 1);
    }

    #[test]
    fn who_is_throttled_does_not_stand_in_line() {
        let login = login(1, 100);
        assert_eq!(sign_in(&login, "alice", b"wrong"), Err(LoginRefused::Wrong));
        let _places: Vec<_> = (2..10).map(|last| login.slow_hash.queue(network(last)).expect("a place")).collect();
        assert!(matches!(sign_in(&login, "alice", b"wrong"), Err(LoginRefused::Throttled(_))));
    }

    #[test]
    fn signing_in_does_not_count_as_a_failure() {
        let login = login(1, 1);
        for _ in 0..3 {
            assert_eq!(sign_in(&login, "alice", b"right"), Ok("1".into()));
        }
    }

    #[test]
    fn a_name_or_a_password_that_no_account_can_have_is_wrong_without_a_hash() {
        let login = login(1, 1);
        assert_eq!(sign_in(&login, &"x".repeat(256), b"right"), Err(LoginRefused::Wrong));
        assert_eq!(sign_in(&login, "alice", &[b'x'; 1025]), Err(LoginRefused::Wrong));
        assert_eq!(sign_in(&login, "alice", b""), Err(LoginRefused::Wrong));
        assert_eq!(login.slow_hash.computed(), 0);
        assert_eq!(sign_in(&login, "alice", b"right"), Ok("1".into()));
    }

    #[test]
    fn guesses_at_the_same_time_do_not_pass_the_limit_together() {
        let login = login(1, 100);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let held = login.slow_hash.queue(network(3)).expect("a place").turn().await.expect("a free runner");
            let guessers = [1, 2].map(|last| Guesser::stranger("alice", network(last)));
            let mut one = pin!(login.verify(&guessers[0], b"wrong", NOW));
            let mut other = pin!(login.verify(&guessers[1], b"wrong", NOW));
            let mut context = Context::from_waker(Waker::noop());
            // Both have passed the first check and stand in line.
            assert!(one.as_mut().poll(&mut context).is_pending() && other.as_mut().poll(&mut context).is_pending());
            drop(held);
            assert_eq!(one.await.map(|_| ()), Err(LoginRefused::Wrong));
            assert!(matches!(other.await, Err(LoginRefused::Throttled(_))));
        });
        assert_eq!(login.slow_hash.computed(), 1);
    }

    #[test]
    fn a_full_pool_is_busy_and_counts_no_failure() {
        let login = login(1, 1);
        let places: Vec<_> = (2..10).map(|last| login.slow_hash.queue(network(last)).expect("a place")).collect();
        assert!(matches!(sign_in(&login, "alice", b"right"), Err(LoginRefused::Busy(_))));
        drop(places);
        assert_eq!(sign_in(&login, "alice", b"right"), Ok("1".into()));
    }

    #[test]
    fn a_password_that_could_not_be_hashed_was_not_a_failure() {
        let login = login(1, 1);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let handle = runtime.handle().clone();
        runtime.shutdown_background();
        let entered = handle.enter();
        let alice = Guesser::stranger("alice", network(1));
        let answer = pin!(login.verify(&alice, b"right", NOW)).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(answer, Poll::Ready(Err(LoginRefused::Busy(_)))), "{answer:?}");
        drop(entered);
        assert_eq!(sign_in(&login, "alice", b"right"), Ok("1".into()));
    }

    #[test]
    fn who_signed_in_here_before_gets_in_past_a_full_line_and_the_failures_of_others() {
        let login = login(1, 1);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        assert_eq!(sign_in(&login, "alice", b"wrong"), Err(LoginRefused::Wrong));
        let _places: Vec<_> = (2..10).map(|last| login.slow_hash.queue(network(last)).expect("a place")).collect();
        let from = |subject: &str| {
            let recognized = Some(Recognized::for_test(subject));
            Guesser { recognized, ..Guesser::stranger("alice", network(1)) }
        };
        let verify = |guesser: &Guesser<'_>, password: &[u8]| {
            runtime.block_on(login.verify(guesser, password, NOW)).map(|account| account.subject().to_string())
        };
        let known = from("1");
        for _ in 0..3 {
            assert_eq!(verify(&known, b"right"), Ok("1".into()));
        }
        // With failures of its own it waits like everybody.
        assert_eq!(verify(&known, b"wrong"), Err(LoginRefused::Wrong));
        assert!(matches!(verify(&known, b"right"), Err(LoginRefused::Throttled(_))));
        assert_eq!(verify(&from("2"), b"right"), Err(LoginRefused::Wrong), "another one's browser");
    }

    #[test]
    fn who_leaves_the_line_has_not_failed() {
        let login = login(1, 1);
        let mut context = Context::from_waker(Waker::noop());
        let held = pin!(login.slow_hash.queue(network(2)).expect("a place").turn()).poll(&mut context);
        let alice = Guesser::stranger("alice", network(1));
        assert!(pin!(login.verify(&alice, b"right", NOW)).poll(&mut context).is_pending());
        drop(held);
        assert_eq!(sign_in(&login, "alice", b"right"), Ok("1".into()));
    }

    #[test]
    fn a_directory_that_cannot_be_asked_is_unavailable_and_nobody_has_failed() {
        struct Away;
        impl Directory for Away {
            fn by_username<'a>(&'a self, _: &'a str) -> Found<'a> {
                Box::pin(async { Err(DirectoryUnavailable("no route to host".into())) })
            }
            fn by_subject<'a>(&'a self, subject: &'a str) -> Found<'a> {
                self.by_username(subject)
            }
            fn cost_of_nobody(&self, _: &str) -> Cost {
                Cost::CHEAPEST
            }
        }
        let mut login = login(1, 1);
        let configured = std::mem::replace(&mut login.directory, Arc::new(Away));
        for _ in 0..3 {
            assert!(matches!(sign_in(&login, "alice", b"right"), Err(LoginRefused::Unavailable(_))));
        }
        login.directory = configured;
        assert_eq!(sign_in(&login, "alice", b"right"), Ok("1".into()));
    }

    #[test]
    fn refusals_reach_a_client_with_a_code_and_a_time_to_wait() {
        let wait = Duration::from_secs(7);
        for (refused, code, retry_after) in [
            (LoginRefused::Wrong, ErrorCode::InvalidGrant, None),
            (Throttled { retry_after: wait }.into(), ErrorCode::InvalidGrant, Some(wait)),
            (Busy { retry_after: wait }.into(), ErrorCode::TemporarilyUnavailable, Some(wait)),
            (
                DirectoryUnavailable("no route to host".into()).into(),
                ErrorCode::TemporarilyUnavailable,
                Some(DIRECTORY_RETRY),
            ),
        ] {
            assert_eq!(refused.retry_after(), retry_after, "{refused}");
            let error = OAuthError::from(refused);
            assert_eq!((error.code, error.retry_after), (code, retry_after), "{error}");
        }
    }
}
