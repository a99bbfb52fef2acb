//! What verifiers may still hold of this server: its key sets in their caches, and its tokens in use.
//!
//! Paper is not publication. That `publish_at` has passed does not say that anybody could have read the key: the entry may
//! be a minute old. So a server keeps when it first published each key (see [`PublicationStore`]) and until when what the
//! key signed is accepted, and the next configuration is judged by that, at a reload and at a restart alike:
//!
//! - a key does not sign before every set without it has left the caches; its predecessor goes on meanwhile;
//! - a key stays published until the last token that it signed under any configuration has ended;
//! - a `kid` that is known goes on meaning the same key.
//!
//! A history is of one server. Where nothing was ever published, in a new store, it is empty and the configured times
//! are believed: other servers may long have published the keys.
//!
//! [`PublicationStore`]: super::store::PublicationStore

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::key_ring::KeyRing;
use super::signing_key::SigningKey;
use crate::foundation::clock::{CLOCK_TOLERANCE, Timestamp};

/// What one server has published until now, without interruption, and what that obliges it to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    keys: BTreeMap<String, PublishedKey>,
    served: Option<Served>,
    /// When the last set that was served before now has left the caches, but for [`CLOCK_TOLERANCE`].
    caches_until: Timestamp,
    /// Until when what is signed now is accepted: it moves with the clock.
    moving: Timestamp,
    /// The server ended without saying until when it had served, so that the ends of its tokens are guessed.
    is_guess: bool,
}

/// A key that verifiers may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedKey {
    /// Its name in tokens and in the key set.
    pub kid: String,
    /// SHA-256 of its JWK: a `kid` may be given to another key.
    pub digest: [u8; 32],
    /// When this server first published it.
    pub first_published: Timestamp,
    /// From when on no cache holds a set without it.
    pub known_from: Timestamp,
    /// Until when tokens that it has signed are accepted, but for [`CLOCK_TOLERANCE`]; none: it has signed none.
    pub tokens_until: Option<Timestamp>,
    /// Whether it signed when this was noted.
    pub is_signing: bool,
}

/// The server that all of it is of, when it was noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    /// How long a verifier might use a set, in milliseconds.
    pub jwks_max_age: u64,
    /// The longest lifetime of an access token, in milliseconds.
    pub longest_lifetime: u64,
    /// When the last set from before this configuration has left the caches.
    pub caches_until: Timestamp,
    /// When it stopped; none: it was serving.
    pub stopped_at: Option<Timestamp>,
}

/// A history as it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// The server; none where nothing was ever kept.
    pub served: Option<Served>,
    /// The keys that it published.
    pub keys: Vec<PublishedKey>,
}

/// Why keys may not follow those that were published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotContinued {
    /// A key is left out, or goes, while its tokens are in use.
    #[error(
        "the key with kid `{kid}` goes while tokens that it signed are in use: keep its entry, with no retire_at before {until}; if it is lost, give its tokens up with `jotsmith keys kill {kid} --lost --yes`"
    )]
    TokensInUse {
        /// The key.
        kid: String,
        /// Until when it must stay published.
        until: Timestamp,
    },
    /// A `kid` now means another key.
    #[error("kid `{kid}` is the name of another key in the sets that verifiers hold: give the new key another kid")]
    OtherKey {
        /// The name.
        kid: String,
    },
}

impl History {
    /// Nothing was ever published.
    pub const NONE: Self = Self {
        keys: BTreeMap::new(),
        served: None,
        caches_until: Timestamp::from_millis(0),
        moving: Timestamp::from_millis(0),
        is_guess: false,
    };

    /// Nothing was ever published, for as long as one likes.
    pub fn none() -> &'static Self {
        static NONE: History = History::NONE;
        &NONE
    }

    /// What was kept by a server that has ended, seen `now`.
    pub fn of_ended(kept: Kept, now: Timestamp) -> Self {
        let Some(served) = kept.served else { return Self::NONE };
        // It may have served until a moment ago.
        let end = served.stopped_at.unwrap_or(now);
        let lifetime = Duration::from_millis(served.longest_lifetime);
        let mut keys = kept.keys;
        for key in keys.iter_mut().filter(|key| key.is_signing) {
            key.tokens_until = key.tokens_until.max(Some(end + lifetime));
        }
        Self {
            keys: keys.into_iter().map(|key| (key.kid.clone(), key)).collect(),
            caches_until: served.caches_until.max(end + Duration::from_millis(served.jwks_max_age)),
            moving: Timestamp::default(),
            is_guess: served.stopped_at.is_none(),
            served: Some(served),
        }
    }

    /// The history at `now` of a server that has served `ring` since `since`, when its history was this one.
    #[must_use]
    pub fn after(&self, ring: &KeyRing, since: Timestamp, now: Timestamp) -> Self {
        // Where nothing was known at its start, what was on paper then was believed, and still is.
        let since = if self.is_none() { Timestamp::default() } else { since };
        let mut keys = BTreeMap::new();
        for span in ring.spans() {
            let digest = span.key.digest();
            let earlier = self.keys.get(span.key.kid()).filter(|earlier| earlier.digest == digest);
            let signed_from = span.signs_from.max(since);
            let signed_until = span.replaced_at.map_or(now, |replaced_at| replaced_at.min(now));
            let signed = (signed_from <= signed_until).then(|| signed_until + ring.longest_lifetime());
            let tokens_until = signed.max(earlier.and_then(|earlier| earlier.tokens_until));
            if !span.is_published(now) {
                continue;
            }
            let first_published = earlier.map_or(span.published_from.max(since), |earlier| earlier.first_published);
            let known_from = earlier
                .map_or_else(|| self.known_if(first_published, ring.jwks_max_age()), |earlier| earlier.known_from);
            let kid = span.key.kid().to_owned();
            let is_signing = span.signs_from <= now && span.replaced_at.is_none_or(|replaced_at| now < replaced_at);
            let key = PublishedKey { kid: kid.clone(), digest, first_published, known_from, tokens_until, is_signing };
            keys.insert(kid, key);
        }
        let served = Served {
            jwks_max_age: millis(ring.jwks_max_age()),
            longest_lifetime: millis(ring.longest_lifetime()),
            caches_until: self.caches_until,
            stopped_at: None,
        };
        let caches_until = self.caches_until.max(now + ring.jwks_max_age());
        let moving = now + ring.longest_lifetime();
        Self { keys, served: Some(served), caches_until, moving, is_guess: false }
    }

    /// What is to be kept of it, for a server that goes on or has stopped.
    pub fn to_keep(&self, stopped_at: Option<Timestamp>) -> Kept {
        let served = self.served.map(|served| Served { stopped_at, ..served });
        let mut keys: Vec<_> = self.keys.values().cloned().collect();
        if stopped_at.is_none() {
            // It moves with the clock while the key signs, and is not worth a write each time.
            for key in keys.iter_mut().filter(|key| key.is_signing && key.tokens_until <= Some(self.moving)) {
                key.tokens_until = None;
            }
        }
        Kept { served, keys }
    }

    /// Whether nothing was ever published.
    pub const fn is_none(&self) -> bool {
        self.served.is_none()
    }

    /// Until when the last token that was signed so far is accepted, under whatever configuration it was, but for
    /// [`CLOCK_TOLERANCE`]; 1970 where none was.
    pub fn tokens_until(&self) -> Timestamp {
        self.keys.values().filter_map(|key| key.tokens_until).max().unwrap_or_default()
    }

    /// Whether the ends of tokens in it are guessed.
    pub const fn is_guess(&self) -> bool {
        self.is_guess
    }

    /// From when on a key may sign whose predecessor can go on: none where it may at any time.
    pub(super) fn earliest_start(
        &self,
        key: &SigningKey,
        published_from: Timestamp,
        jwks_max_age: Duration,
        now: Timestamp,
    ) -> Option<Timestamp> {
        if self.is_none() {
            return None;
        }
        // One that is not published now begins anew.
        let known_from = match self.find(key).filter(|_| published_from <= now) {
            // What it could break by signing too soon it has broken.
            Some(published) if published.tokens_until.is_some() || published.is_signing => return None,
            Some(published) => published.known_from,
            None => self.known_if(published_from.max(now), jwks_max_age),
        };
        (now < known_from).then_some(known_from)
    }

    /// Whether those who hold the sets and tokens of before are served well by the keys of the `next` configuration, each by
    /// its `kid`. What a killed key has signed is given up.
    pub(super) fn judge(
        &self,
        now: Timestamp,
        is_killed: impl Fn(&str) -> bool,
        next: &BTreeMap<&str, Continuation>,
    ) -> Result<(), NotContinued> {
        for (kid, published) in &self.keys {
            if is_killed(kid) {
                continue;
            }
            let next = next.get(kid.as_str());
            if next.is_some_and(|next| next.digest != published.digest) {
                return Err(NotContinued::OtherKey { kid: kid.clone() });
            }
            let Some(until) = published.tokens_until.map(|until| until + CLOCK_TOLERANCE) else { continue };
            let stays =
                next.is_some_and(|next| next.is_published && next.retire_at.is_none_or(|retire_at| retire_at >= until));
            if now < until && !stays {
                return Err(NotContinued::TokensInUse { kid: kid.clone(), until });
            }
        }
        Ok(())
    }

    fn find(&self, key: &SigningKey) -> Option<&PublishedKey> {
        self.keys.get(key.kid()).filter(|published| published.digest == key.digest())
    }

    /// From when on every cache has a key that is first published at `first_published`.
    fn known_if(&self, first_published: Timestamp, jwks_max_age: Duration) -> Timestamp {
        // The larger of the two ages: the sets of before are kept for as long as was said then.
        self.caches_until.max(first_published + jwks_max_age) + CLOCK_TOLERANCE
    }
}

/// A key of the next configuration, as the history looks at it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Continuation {
    pub(super) digest: [u8; 32],
    pub(super) is_published: bool,
    pub(super) retire_at: Option<Timestamp>,
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::keys::algorithm::Algorithm;
    use crate::keys::key_ring::{KeyRingRefused, Occasion, RingDemands, RingNote};
    use crate::keys::schedule::{Lifecycle, ScheduleRefused, Scheduled};
    use crate::keys::signing_key::generate;

    const MINUTE: Duration = Duration::from_mins(1);

    static PEMS: LazyLock<[String; 2]> = LazyLock::new(|| [(); 2].map(|()| generate(Algorithm::EdDsa).to_string()));

    fn minute(count: u64) -> Timestamp {
        Timestamp::from_seconds(count * 60)
    }

    /// The key of a file, called `kid`, with its three times in minutes.
    fn key(file: usize, kid: &str, times: [Option<u64>; 3]) -> Scheduled<SigningKey> {
        let [publish_at, sign_from, retire_at] = times.map(|time| time.map(minute));
        let key = SigningKey::from_pem(PEMS[file].as_bytes(), Algorithm::EdDsa, Some(kid.to_owned()));
        let lifecycle = Lifecycle { publish_at, sign_from, retire_at };
        Scheduled { name: kid.to_owned(), lifecycle, key: key.expect("a key of ours") }
    }

    /// At minute 100, with sets of 15 minutes and tokens of 5.
    fn ring(
        keys: Vec<Scheduled<SigningKey>>,
        history: &History,
        occasion: Occasion,
    ) -> Result<KeyRing, KeyRingRefused> {
        let demands = RingDemands {
            jwks_max_age: 15 * MINUTE,
            longest_lifetime: 5 * MINUTE,
            algorithms: &[Algorithm::EdDsa],
            now: minute(100),
            history,
            occasion,
            killed: &[],
        };
        KeyRing::new(keys, &demands)
    }

    /// What a server knows at minute 100 that has served the key `a` since minute 50.
    fn of_a() -> History {
        let served = ring(vec![key(0, "a", [None; 3])], History::none(), Occasion::Start).expect("a ring");
        History::NONE.after(&served, minute(50), minute(100))
    }

    #[test]
    fn what_was_on_paper_in_a_new_store_is_believed_at_the_next_reload_too() {
        let keys = || vec![key(0, "a", [None; 3]), key(1, "b", [Some(80), Some(101), None])];
        let first = ring(keys(), History::none(), Occasion::Start).expect("a ring");
        let history = History::NONE.after(&first, minute(100), minute(100));
        let next = ring(keys(), &history, Occasion::Reload).expect("the same");
        assert_eq!(next.notes(), []);
    }

    #[test]
    fn a_kid_goes_on_meaning_the_same_key() {
        let other = || vec![key(1, "a", [None; 3])];
        for (history, occasion) in [
            (of_a(), Occasion::Reload),
            (History::of_ended(of_a().to_keep(Some(minute(100))), minute(100)), Occasion::Start),
        ] {
            let refused = ring(other(), &history, occasion).expect_err("another key");
            assert_eq!(refused, KeyRingRefused::NotContinued(NotContinued::OtherKey { kid: "a".to_owned() }));
        }
        assert!(ring(other(), History::none(), Occasion::Start).is_ok());
    }

    #[test]
    fn a_late_key_that_nothing_can_wait_for_is_refused_at_a_reload_and_told_at_a_start() {
        // On paper all is well. In truth `b` is published at minute 100, and `a` goes before verifiers have it.
        let keys = || vec![key(0, "a", [None, None, Some(107)]), key(1, "b", [Some(80), Some(101), None])];
        let until = minute(116);
        let refused = ring(keys(), &of_a(), Occasion::Reload).expect_err("too late");
        let reason = ScheduleRefused::NotPublishedYet { key: "b".to_owned(), earliest: until };
        assert_eq!(refused, KeyRingRefused::Schedule { algorithm: Algorithm::EdDsa, reason });

        let ended = History::of_ended(of_a().to_keep(Some(minute(100))), minute(100));
        let started = ring(keys(), &ended, Occasion::Start).expect("nothing else could serve");
        assert_eq!(started.notes(), [RingNote::Unheard { key: "b".to_owned(), until }]);
        assert_eq!(started.signing_kid(Algorithm::EdDsa, minute(101)), Some("b"));
    }

    #[test]
    fn a_key_whose_last_token_is_guessed_after_a_crash_may_be_missing_at_a_start() {
        let without = || vec![key(1, "b", [None; 3])];
        let in_use = |until| NotContinued::TokensInUse { kid: "a".to_owned(), until: minute(until) };
        let stopped = History::of_ended(of_a().to_keep(Some(minute(99))), minute(100));
        let refused = ring(without(), &stopped, Occasion::Start).expect_err("its tokens are in use");
        assert_eq!(refused, KeyRingRefused::NotContinued(in_use(106)));

        let crashed = History::of_ended(of_a().to_keep(None), minute(100));
        let started = ring(without(), &crashed, Occasion::Start).expect("it may have stopped long ago");
        assert!(started.notes().contains(&RingNote::NotContinued(in_use(106))), "{:?}", started.notes());
        ring(without(), &crashed, Occasion::Reload).expect_err("another ring serves");
    }
}
