//! How often somebody may guess: failures are counted by account and by network, and too many have to wait.
//!
//! The promise is exact: in no span of `failure_window` are more passwords tried for one account, or from one network,
//! than the limits say. An attempt is counted when its hash starts, and taken back when the password was right; so
//! guesses that run at the same time cannot pass the limit together.
//!
//! Usernames that nobody has count as well, else the answer would tell which exist. They are kept as keyed digests: no
//! list of names lies in memory. What is remembered is bounded, as `failure_table` explains.
//!
//! **The owner is not the attacker.** Whoever knows a username could keep its owner out by guessing, and whoever sits
//! behind the same address could keep out all others there. So a browser in which that very person has signed in before
//! (`known_browser`) is counted for itself alone: neither the failures of others for the account nor those from its
//! network hold it up, and its own hold up nobody else. It has as many as an account has, so who stole its cookie has
//! that many guesses in a window, and no fresh ones for signing in to an account of their own. The promise above is thus
//! one for each: all strangers together, and every such browser by itself.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::failure_table::FailureTable;
use super::known_browser::{BrowserMark, Recognized};
use crate::foundation::clock::Timestamp;
use crate::foundation::keyed_digest::{KEYED_DIGEST_BYTES, KeyedDigest};
use crate::foundation::network::Network;
use crate::foundation::random::Random;

/// How many accounts, and how many networks, have their failures remembered.
const CAPACITY: usize = 65_536;

/// How many failures there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThrottleLimits {
    per_account: usize,
    per_network: usize,
    window: Duration,
}

/// The limits would lock everyone out, remember too much, or limit nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidThrottleLimits {
    /// For an account.
    #[error("the failures allowed for an account are 1 to {}", ThrottleLimits::MAX_FAILURES)]
    PerAccount,
    /// From a network.
    #[error("the failures allowed from a network are 1 to {}", ThrottleLimits::MAX_FAILURES)]
    PerNetwork,
    /// The span within which they are counted.
    #[error("the failure window is 1s to 24h")]
    Window,
}

impl ThrottleLimits {
    const MAX_FAILURES: u32 = 1000;

    /// So many failures for one account and from one network within any `window`.
    pub fn new(per_account: u32, per_network: u32, window: Duration) -> Result<Self, InvalidThrottleLimits> {
        let allowed = |failures: u32, refused| match failures {
            1..=Self::MAX_FAILURES => Ok(failures as usize),
            _ => Err(refused),
        };
        let per_account = allowed(per_account, InvalidThrottleLimits::PerAccount)?;
        let per_network = allowed(per_network, InvalidThrottleLimits::PerNetwork)?;
        if window < Duration::from_secs(1) || window > Duration::from_hours(24) {
            return Err(InvalidThrottleLimits::Window);
        }
        Ok(Self { per_account, per_network, window })
    }
}

/// Too many failures: nothing is tried before that time has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many failures; try again in {} s", retry_after.as_secs_f64().ceil())]
pub struct Throttled {
    /// How long until the next attempt is allowed, to the millisecond.
    pub retry_after: Duration,
}

/// Remembers who failed. One for the process: a reload changes the limits and forgets nothing.
#[derive(Debug)]
pub struct Throttle {
    digest: KeyedDigest,
    tables: Mutex<Tables>,
}

#[derive(Debug)]
struct Tables {
    accounts: FailureTable<AccountKey>,
    networks: FailureTable<Network>,
    browsers: FailureTable<BrowserMark>,
}

/// Somebody who tries a password.
#[derive(Debug, Clone)]
pub struct Guesser<'a> {
    /// What was typed, or sent.
    pub username: &'a str,
    /// Where it came from.
    pub network: Network,
    /// That the person signed in there before, where that is so.
    pub recognized: Option<Recognized>,
}

type AccountKey = [u8; KEYED_DIGEST_BYTES];

/// An attempt that counts as a failure until it has proved otherwise.
#[derive(Debug)]
#[must_use = "an attempt that succeeded, or was none, must be taken back"]
pub struct Attempt {
    counted: Counted,
    at: Timestamp,
}

/// For what an attempt counts.
#[derive(Debug, Clone, Copy)]
enum Counted {
    Stranger { account: AccountKey, network: Network },
    Known(BrowserMark),
}

impl Throttle {
    /// Remembers nothing yet; `random` makes the key under which usernames are kept.
    pub fn new(random: &dyn Random) -> Self {
        let tables = Tables {
            accounts: FailureTable::new(CAPACITY),
            networks: FailureTable::new(CAPACITY),
            browsers: FailureTable::new(CAPACITY),
        };
        Self { digest: KeyedDigest::new(random), tables: Mutex::new(tables) }
    }

    /// Whether an attempt would be allowed now. Counts nothing.
    pub fn check(&self, limits: &ThrottleLimits, guesser: &Guesser<'_>, now: Timestamp) -> Result<(), Throttled> {
        self.tables().check(limits, &self.counted(guesser), now)
    }

    /// Counts an attempt that is tried now, if it is allowed.
    pub fn start(&self, limits: &ThrottleLimits, guesser: &Guesser<'_>, now: Timestamp) -> Result<Attempt, Throttled> {
        let counted = self.counted(guesser);
        let mut tables = self.tables();
        tables.check(limits, &counted, now)?;
        match counted {
            Counted::Stranger { account, network } => {
                tables.accounts.add(account, limits.window, now);
                tables.networks.add(network, limits.window, now);
            }
            Counted::Known(browser) => tables.browsers.add(browser, limits.window, now),
        }
        Ok(Attempt { counted, at: now })
    }

    /// The password was right, or it was never tried: what counted it loses this one attempt and no other. Else nobody
    /// would be slowed who signs in to an account of their own now and then, or guesses while its owner signs in.
    pub fn withdraw(&self, attempt: &Attempt) {
        let mut tables = self.tables();
        match &attempt.counted {
            Counted::Stranger { account, network } => {
                tables.accounts.take_back(account, attempt.at);
                tables.networks.take_back(network, attempt.at);
            }
            Counted::Known(browser) => tables.browsers.take_back(browser, attempt.at),
        }
    }

    fn counted(&self, guesser: &Guesser<'_>) -> Counted {
        guesser.recognized.as_ref().map_or_else(
            || Counted::Stranger { account: self.digest.of(&[guesser.username.as_bytes()]), network: guesser.network },
            |recognized| Counted::Known(recognized.mark()),
        )
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // Nothing panics while holding it, and a list of times has no half-made state.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn check(&mut self, limits: &ThrottleLimits, counted: &Counted, now: Timestamp) -> Result<(), Throttled> {
        let wait = match counted {
            Counted::Stranger { account, network } => {
                let account = self.accounts.wait(account, limits.per_account, limits.window, now);
                account.max(self.networks.wait(network, limits.per_network, limits.window, now))
            }
            Counted::Known(browser) => self.browsers.wait(browser, limits.per_account, limits.window, now),
        };
        wait.map_or(Ok(()), |retry_after| Err(Throttled { retry_after }))
    }
}

impl<'a> Guesser<'a> {
    /// Somebody of whom nothing is known.
    pub const fn stranger(username: &'a str, network: Network) -> Self {
        Self { username, network, recognized: None }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::foundation::random::OsRandom;

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);
    const WINDOW: Duration = Duration::from_mins(5);

    fn limits(per_account: u32, per_network: u32) -> ThrottleLimits {
        ThrottleLimits::new(per_account, per_network, WINDOW).expect("valid limits")
    }

    fn network(last: u8) -> Network {
        IpAddr::from([192, 0, 2, last]).into()
    }

    fn by(username: &str, network: Network) -> Guesser<'_> {
        Guesser::stranger(username, network)
    }

    fn fail(throttle: &Throttle, limits: &ThrottleLimits, username: &str, network: Network) -> Result<(), Throttled> {
        throttle.start(limits, &by(username, network), NOW).map(|_| ())
    }

    #[test]
    fn an_account_has_its_failures_from_all_networks_together_and_no_other_account_suffers() {
        let (throttle, limits) = (Throttle::new(&OsRandom), limits(2, 100));
        assert_eq!(fail(&throttle, &limits, "alice", network(1)), Ok(()));
        assert_eq!(fail(&throttle, &limits, "alice", network(2)), Ok(()));
        let refused = Err(Throttled { retry_after: WINDOW });
        assert_eq!(fail(&throttle, &limits, "alice", network(3)), refused);
        assert_eq!(throttle.check(&limits, &by("alice", network(3)), NOW), refused);
        assert_eq!(throttle.check(&limits, &by("bob", network(1)), NOW), Ok(()));
    }

    #[test]
    fn a_network_has_its_failures_for_all_accounts_together_and_no_other_network_suffers() {
        let (throttle, limits) = (Throttle::new(&OsRandom), limits(10, 2));
        assert_eq!(fail(&throttle, &limits, "alice", network(1)), Ok(()));
        assert_eq!(fail(&throttle, &limits, "bob", network(1)), Ok(()));
        assert_eq!(fail(&throttle, &limits, "carol", network(1)), Err(Throttled { retry_after: WINDOW }));
        assert_eq!(throttle.check(&limits, &by("carol", network(2)), NOW), Ok(()));
    }

    #[test]
    fn the_longer_of_two_waits_is_told() {
        let (throttle, limits) = (Throttle::new(&OsRandom), limits(1, 1));
        let later = NOW + Duration::from_secs(10);
        throttle.start(&limits, &by("alice", network(1)), NOW).map(|_| ()).expect("the first of the account");
        throttle.start(&limits, &by("bob", network(2)), later).map(|_| ()).expect("the first of the network");
        assert_eq!(throttle.check(&limits, &by("alice", network(2)), later), Err(Throttled { retry_after: WINDOW }));
    }

    #[test]
    fn an_attempt_that_is_refused_does_not_count() {
        let (throttle, limits) = (Throttle::new(&OsRandom), limits(1, 2));
        assert_eq!(fail(&throttle, &limits, "alice", network(1)), Ok(()));
        assert!(fail(&throttle, &limits, "alice", network(1)).is_err());
        assert_eq!(throttle.check(&limits, &by("bob", network(1)), NOW), Ok(()));
    }

    #[test]
    fn success_takes_one_attempt_from_account_and_network_and_forgives_no_failure() {
        let (throttle, limits) = (Throttle::new(&OsRandom), limits(2, 2));
        assert_eq!(fail(&throttle, &limits, "alice", network(1)), Ok(()));
        let right = throttle.start(&limits, &by("alice", network(1)), NOW).expect("the second");
        throttle.withdraw(&right);
        assert_eq!(fail(&throttle, &limits, "alice", network(1)), Ok(()), "the account and the network had one left");
        assert!(
            throttle.check(&limits, &by("alice", network(2)), NOW).is_err(),
            "the account's failure before still counts"
        );
        assert!(
            throttle.check(&limits, &by("bob", network(1)), NOW).is_err(),
            "the network's failure before still counts"
        );
    }

    #[test]
    fn a_withdrawn_attempt_leaves_nothing() {
        let (throttle, limits) = (Throttle::new(&OsRandom), limits(1, 1));
        let attempt = throttle.start(&limits, &by("alice", network(1)), NOW).expect("the first");
        throttle.withdraw(&attempt);
        assert_eq!(throttle.check(&limits, &by("alice", network(1)), NOW), Ok(()));
    }

    #[test]
    fn a_browser_that_is_known_is_counted_for_itself_alone() {
        let (throttle, limits) = (Throttle::new(&OsRandom), limits(2, 2));
        let [own, other] = [Recognized::for_test("1"), Recognized::for_test("1")];
        let from =
            |recognized: &Recognized| Guesser { recognized: Some(recognized.clone()), ..by("alice", network(1)) };
        for _ in 0..2 {
            assert_eq!(fail(&throttle, &limits, "alice", network(1)), Ok(()));
        }
        assert!(
            throttle.check(&limits, &by("alice", network(1)), NOW).is_err(),
            "account and network are at their end"
        );
        for _ in 0..2 {
            throttle.start(&limits, &from(&own), NOW).map(|_| ()).expect("its own two");
        }
        assert_eq!(throttle.check(&limits, &from(&own), NOW), Err(Throttled { retry_after: WINDOW }));
        assert_eq!(throttle.check(&limits, &from(&other), NOW), Ok(()), "another browser of hers");
        // And nobody else is held up by it.
        let fresh = Throttle::new(&OsRandom);
        for _ in 0..2 {
            fresh.start(&limits, &from(&own), NOW).map(|_| ()).expect("its own two");
        }
        assert_eq!(fresh.check(&limits, &by("alice", network(1)), NOW), Ok(()));
    }

    #[test]
    fn success_from_a_known_browser_forgives_no_failure() {
        let (throttle, limits) = (Throttle::new(&OsRandom), limits(2, 2));
        let known = Guesser { recognized: Some(Recognized::for_test("1")), ..by("alice", network(1)) };
        throttle.start(&limits, &known, NOW).map(|_| ()).expect("a wrong one");
        let right = throttle.start(&limits, &known, NOW).expect("the second");
        throttle.withdraw(&right);
        throttle.start(&limits, &known, NOW).map(|_| ()).expect("one was left");
        assert!(throttle.check(&limits, &known, NOW).is_err());
    }

    #[test]
    fn limits_that_a_reload_lowers_hold_at_once() {
        let throttle = Throttle::new(&OsRandom);
        for _ in 0..5 {
            assert_eq!(fail(&throttle, &limits(10, 100), "alice", network(1)), Ok(()));
        }
        assert!(throttle.check(&limits(5, 100), &by("alice", network(1)), NOW).is_err());
        assert_eq!(throttle.check(&limits(6, 100), &by("alice", network(1)), NOW), Ok(()));
    }

    #[test]
    fn limits_out_of_bounds_are_refused() {
        for (per_account, per_network, seconds) in [(1, 1, 1), (1000, 1000, 86_400)] {
            assert!(ThrottleLimits::new(per_account, per_network, Duration::from_secs(seconds)).is_ok());
        }
        for failures in [0, 1001] {
            let of_account = ThrottleLimits::new(failures, 1, WINDOW);
            assert_eq!(of_account, Err(InvalidThrottleLimits::PerAccount));
            let of_network = ThrottleLimits::new(1, failures, WINDOW);
            assert_eq!(of_network, Err(InvalidThrottleLimits::PerNetwork));
        }
        for window in [Duration::from_millis(999), Duration::from_secs(86_401)] {
            assert_eq!(ThrottleLimits::new(1, 1, window), Err(InvalidThrottleLimits::Window));
        }
    }
}
