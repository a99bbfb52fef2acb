//! All signing keys: signs with the key of the moment, verifies with every published one.
//!
//! A ring is judged as a whole when it is built, and refused by name of the key at fault (see [`Schedule::judge`]);
//! after that it never changes. A `kid` that occurs twice is refused: a verifier would not know which key is meant.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::algorithm::Algorithm;
use super::history::{Continuation, History, NotContinued};
use super::jwks::{RenderedKeySet, Timeline};
use super::jws::{self, Expectation, JwsRefused};
use super::schedule::{Demands, KeyState, Schedule, ScheduleRefused, Scheduled};
use super::signing_key::{SigningFailed, SigningKey};
use super::token_type::TokenType;
use crate::foundation::clock::{CLOCK_TOLERANCE, Timestamp};

/// The signing keys of the server, one schedule an algorithm.
#[derive(Debug)]
pub struct KeyRing {
    schedules: BTreeMap<Algorithm, Schedule<SigningKey>>,
    published: Timeline,
    jwks_max_age: Duration,
    longest_lifetime: Duration,
    notes: Vec<RingNote>,
}

/// What the rest of the configuration asks of the ring.
#[derive(Debug, Clone, Copy)]
pub struct RingDemands<'a> {
    /// How long a verifier may go on using a key set that it has read.
    pub jwks_max_age: Duration,
    /// The longest lifetime of an access token, of any client and resource.
    pub longest_lifetime: Duration,
    /// The algorithms that resources ask for.
    pub algorithms: &'a [Algorithm],
    /// The time now.
    pub now: Timestamp,
    /// What was published and signed before.
    pub history: &'a History,
    /// Whether something serves meanwhile.
    pub occasion: Occasion,
    /// The keys that have been killed, by `kid`: what they signed is given up.
    pub killed: &'a [String],
}

/// When a ring is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// Nothing serves yet: what cannot be made good is told and not refused.
    Start,
    /// Another ring serves, and goes on where this one is refused.
    Reload,
}

/// What an operator should know of a ring that works.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RingNote {
    /// A key signs later than is configured.
    #[error(
        "key `{key}` was published later than its publish_at says: it signs from {until}, when every verifier has it"
    )]
    HeldBack {
        /// The key's name.
        key: String,
        /// When it signs.
        until: Timestamp,
    },
    /// A key signs that some verifiers do not know yet.
    #[error("key `{key}` signs though some verifiers may not know it before {until}: no other key can")]
    Unheard {
        /// The key's name.
        key: String,
        /// When all know it.
        until: Timestamp,
    },
    /// A key is gone that may have signed what is in use.
    #[error(transparent)]
    NotContinued(NotContinued),
}

/// Why keys make no ring.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingRefused {
    /// The keys of one algorithm make no schedule, or one that would break a verifier.
    #[error("{algorithm}: {reason}")]
    Schedule {
        /// The algorithm.
        algorithm: Algorithm,
        /// The key at fault, and how to mend it.
        reason: ScheduleRefused,
    },
    /// Keys of before are not continued as they must be.
    #[error(transparent)]
    NotContinued(#[from] NotContinued),
    /// Two keys have the same `kid`.
    #[error("keys `{key}` and `{other}` have the same kid `{kid}`: give one of them another")]
    SameKid {
        /// The name of one key.
        key: String,
        /// The name of the other.
        other: String,
        /// What both are called in tokens.
        kid: String,
    },
}

/// Why the ring signed nothing.
#[derive(Debug, thiserror::Error)]
pub enum NotSigned {
    /// No key of the algorithm signs at this moment.
    #[error("no {0} key signs now")]
    NoKey(Algorithm),
    /// The key failed.
    #[error(transparent)]
    Failed(#[from] SigningFailed),
}

/// One key as `jotsmith keys list` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyListing<'a> {
    /// The name by which the operator knows it: its file.
    pub name: &'a str,
    /// Its name in tokens and in the key set.
    pub kid: &'a str,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// What it does now.
    pub state: KeyState,
    /// When its state changes next, and into what.
    pub next: Option<(Timestamp, KeyState)>,
}

impl KeyRing {
    /// Puts keys into their schedules and judges them all, or says which key is at fault.
    pub fn new(keys: Vec<Scheduled<SigningKey>>, demands: &RingDemands<'_>) -> Result<Self, KeyRingRefused> {
        refuse_same_kid(&keys)?;
        let mut by_algorithm: BTreeMap<Algorithm, Vec<_>> = BTreeMap::new();
        // An algorithm that is asked for has a schedule even without a key: it is judged, and refused.
        for algorithm in demands.algorithms {
            by_algorithm.entry(*algorithm).or_default();
        }
        for entry in keys {
            by_algorithm.entry(entry.key.algorithm()).or_default().push(entry);
        }
        let (mut schedules, mut notes) = (BTreeMap::new(), Vec::new());
        for (algorithm, entries) in by_algorithm {
            let judged = scheduled(entries, algorithm, demands, &mut notes);
            schedules.insert(algorithm, judged.map_err(|reason| KeyRingRefused::Schedule { algorithm, reason })?);
        }
        if let Err(reason) = judge_continuity(&schedules, demands) {
            let is_certain = !demands.history.is_guess() || demands.occasion == Occasion::Reload;
            if is_certain {
                return Err(reason.into());
            }
            notes.push(RingNote::NotContinued(reason));
        }
        let published = timeline(&schedules, demands.jwks_max_age);
        let RingDemands { jwks_max_age, longest_lifetime, .. } = *demands;
        Ok(Self { schedules, published, jwks_max_age, longest_lifetime, notes })
    }

    /// What an operator should know of it.
    pub fn notes(&self) -> &[RingNote] {
        &self.notes
    }

    /// How long a verifier may go on using a key set that it has read.
    pub const fn jwks_max_age(&self) -> Duration {
        self.jwks_max_age
    }

    /// The longest lifetime of an access token.
    pub const fn longest_lifetime(&self) -> Duration {
        self.longest_lifetime
    }

    /// Every key, whose state will change, with how long it is until then and what it does from then on.
    pub fn next_changes(&self, now: Timestamp) -> impl Iterator<Item = NextChange<'_>> {
        self.listing(now).filter_map(move |key| {
            let (at, state) = key.next?;
            Some(NextChange { kid: key.kid, algorithm: key.algorithm, state, after: at.since(now) })
        })
    }

    /// Signs claims with the key that signs now. Waits only where that key lies outside of this process.
    pub async fn sign(
        &self,
        algorithm: Algorithm,
        typ: TokenType,
        now: Timestamp,
        claims: &impl Serialize,
    ) -> Result<String, NotSigned> {
        let key = self.schedules.get(&algorithm).and_then(|schedule| schedule.signing(now));
        Ok(key.ok_or(NotSigned::NoKey(algorithm))?.sign_wherever(typ, claims).await?)
    }

    /// The `kid` of the key that signs now.
    pub fn signing_kid(&self, algorithm: Algorithm, now: Timestamp) -> Option<&str> {
        self.schedules.get(&algorithm)?.signing(now).map(SigningKey::kid)
    }

    /// Verifies a token with the keys that are published at the expected time, and gives its claims.
    pub fn verify<C: DeserializeOwned>(&self, token: &str, expected: &Expectation<'_>) -> Result<C, JwsRefused> {
        jws::verify(token, &self.published.at(expected.now).keys, expected)
    }

    /// The algorithms of which a key signs now.
    pub fn algorithms(&self, now: Timestamp) -> impl Iterator<Item = Algorithm> {
        self.schedules
            .iter()
            .filter(move |(_, schedule)| schedule.signing(now).is_some())
            .map(|(algorithm, _)| *algorithm)
    }

    /// The public keys as they are served now.
    pub fn key_set(&self, now: Timestamp) -> &RenderedKeySet {
        &self.published.at(now).rendered
    }

    /// Every key, by algorithm and in the order in which they sign.
    pub fn listing(&self, now: Timestamp) -> impl Iterator<Item = KeyListing<'_>> {
        let standings = self.schedules.values().flat_map(move |schedule| schedule.standings(now));
        standings.map(|standing| KeyListing {
            name: &standing.entry.name,
            kid: standing.entry.key.kid(),
            algorithm: standing.entry.key.algorithm(),
            state: standing.state,
            next: standing.next,
        })
    }
}

/// When a key's state changes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextChange<'a> {
    /// Its name in tokens and in the key set.
    pub kid: &'a str,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// What it does from then on.
    pub state: KeyState,
    /// How long it is until then.
    pub after: Duration,
}

/// The times of a key in a ring.
pub(super) struct Span<'a> {
    pub(super) key: &'a SigningKey,
    pub(super) published_from: Timestamp,
    pub(super) signs_from: Timestamp,
    /// When its successor signs, or nothing does.
    pub(super) replaced_at: Option<Timestamp>,
    pub(super) retire_at: Option<Timestamp>,
}

impl Span<'_> {
    pub(super) fn is_published(&self, now: Timestamp) -> bool {
        self.published_from <= now && self.retire_at.is_none_or(|retire_at| now < retire_at)
    }
}

impl KeyRing {
    /// Every key with its times.
    pub(super) fn spans(&self) -> impl Iterator<Item = Span<'_>> {
        self.schedules.values().flat_map(spans)
    }
}

fn spans(schedule: &Schedule<SigningKey>) -> impl Iterator<Item = Span<'_>> {
    let entries = schedule.entries();
    entries.iter().enumerate().map(move |(at, entry)| {
        let retire_at = entry.lifecycle.retire_at;
        let successor = entries.get(at + 1).map(|next| next.lifecycle.signs_from());
        Span {
            key: &entry.key,
            published_from: entry.lifecycle.published_from(),
            signs_from: entry.lifecycle.signs_from(),
            replaced_at: successor.into_iter().chain(retire_at).min(),
            retire_at,
        }
    })
}

/// A schedule that holds on paper, in which no key signs before the verifiers know it.
fn scheduled(
    entries: Vec<Scheduled<SigningKey>>,
    algorithm: Algorithm,
    demands: &RingDemands<'_>,
    notes: &mut Vec<RingNote>,
) -> Result<Schedule<SigningKey>, ScheduleRefused> {
    let RingDemands { history, now, jwks_max_age, .. } = *demands;
    let of_schedule = demands.of_schedule(algorithm);
    let mut schedule = Schedule::new(entries)?;
    schedule.judge(&of_schedule)?;

    let late = |entry: &Scheduled<SigningKey>| {
        history.earliest_start(&entry.key, entry.lifecycle.published_from(), jwks_max_age, now)
    };
    // Nothing could sign in place of the first key.
    if let Some(first) = schedule.entries().first()
        && let Some(until) = late(first).filter(|earliest| first.lifecycle.signs_from() < *earliest)
    {
        notes.push(RingNote::Unheard { key: first.name.clone(), until });
    }
    let refused = match schedule.hold_back(late) {
        Ok(held_back) => match schedule.judge(&of_schedule) {
            Ok(()) => {
                notes.extend(held_back.iter().map(|held_back| RingNote::HeldBack {
                    key: schedule.entries()[held_back.at].name.clone(),
                    until: held_back.until,
                }));
                return Ok(schedule);
            }
            Err(refused) => {
                // The predecessor goes too soon to wait for the successor. Where it has gone nothing could sign.
                let can_another = schedule.signing(now).is_some();
                let first = held_back.first().expect("without a change it holds");
                let (key, until) = (schedule.entries()[first.at].name.clone(), first.until);
                schedule.put_back(&held_back);
                notes.push(RingNote::Unheard { key: key.clone(), until });
                let refused = match refused {
                    ScheduleRefused::RetiredTooEarly { .. } => {
                        ScheduleRefused::NotPublishedYet { key, earliest: until }
                    }
                    other => other,
                };
                can_another.then_some(refused)
            }
        },
        Err(refused) => {
            if let ScheduleRefused::NotPublishedYet { key, earliest } = &refused {
                notes.push(RingNote::Unheard { key: key.clone(), until: *earliest });
            }
            Some(refused)
        }
    };
    match refused {
        Some(refused) if demands.occasion == Occasion::Reload => Err(refused),
        _ => Ok(schedule),
    }
}

fn judge_continuity(
    schedules: &BTreeMap<Algorithm, Schedule<SigningKey>>,
    demands: &RingDemands<'_>,
) -> Result<(), NotContinued> {
    let next = schedules.values().flat_map(spans).map(|span| {
        let is_published = span.is_published(demands.now);
        (span.key.kid(), Continuation { digest: span.key.digest(), is_published, retire_at: span.retire_at })
    });
    demands.history.judge(demands.now, |kid| demands.killed.iter().any(|killed| killed == kid), &next.collect())
}

impl RingDemands<'_> {
    fn of_schedule(&self, algorithm: Algorithm) -> Demands {
        Demands {
            lead: self.jwks_max_age + CLOCK_TOLERANCE,
            longest_lifetime: self.longest_lifetime,
            is_needed: self.algorithms.contains(&algorithm),
            now: self.now,
        }
    }
}

fn refuse_same_kid(keys: &[Scheduled<SigningKey>]) -> Result<(), KeyRingRefused> {
    let mut by_kid = BTreeMap::new();
    for entry in keys {
        if let Some(other) = by_kid.insert(entry.key.kid(), &entry.name) {
            let (key, other, kid) = (other.clone(), entry.name.clone(), entry.key.kid().to_owned());
            return Err(KeyRingRefused::SameKid { key, other, kid });
        }
    }
    Ok(())
}

fn timeline(schedules: &BTreeMap<Algorithm, Schedule<SigningKey>>, max_age: Duration) -> Timeline {
    let mut changes: Vec<_> = schedules.values().flat_map(Schedule::changes).collect();
    changes.sort_unstable();
    changes.dedup();
    Timeline::new(&changes, max_age, |now| {
        schedules.values().flat_map(move |schedule| schedule.published(now)).map(SigningKey::public_jwk)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::keys::schedule::Lifecycle;
    use crate::keys::signer::{RemoteSigner, SignerUnavailable, Signing};
    use crate::keys::signing_key::generate;

    const MINUTE: Duration = Duration::from_mins(1);

    fn minute(count: u64) -> Timestamp {
        Timestamp::from_seconds(count * 60)
    }

    /// A key named and called `name` with its three times in minutes.
    fn key(name: &str, algorithm: Algorithm, times: [Option<u64>; 3]) -> Scheduled<SigningKey> {
        let [publish_at, sign_from, retire_at] = times.map(|time| time.map(minute));
        let key = SigningKey::from_pem(generate(algorithm).as_bytes(), algorithm, Some(name.to_owned()));
        let lifecycle = Lifecycle { publish_at, sign_from, retire_at };
        Scheduled { name: format!("{name}.pem"), lifecycle, key: key.expect("a key of ours") }
    }

    fn demands(algorithms: &[Algorithm]) -> RingDemands<'_> {
        RingDemands {
            jwks_max_age: 15 * MINUTE,
            longest_lifetime: 5 * MINUTE,
            algorithms,
            now: minute(100),
            history: History::none(),
            occasion: Occasion::Start,
            killed: &[],
        }
    }

    /// ES256 changes from `a` to `b` at minute 220; `EdDSA` has `c` always.
    fn ring() -> KeyRing {
        let a = key("a", Algorithm::Es256, [None, None, Some(226)]);
        let b = key("b", Algorithm::Es256, [Some(200), Some(220), None]);
        let c = key("c", Algorithm::EdDsa, [None; 3]);
        KeyRing::new(vec![c, b, a], &demands(&[Algorithm::Es256])).expect("a ring")
    }

    fn expectation(now: Timestamp) -> Expectation<'static> {
        let (typ, algorithms) = (TokenType::AccessToken, &Algorithm::ALL);
        Expectation { typ, algorithms, issuer: None, audience: None, now, leeway: Duration::ZERO }
    }

    fn kids(set: &RenderedKeySet) -> Vec<String> {
        let set: Value = serde_json::from_slice(set.body()).expect("JSON");
        let keys = set["keys"].as_array().expect("an array").iter();
        keys.map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
    }

    #[tokio::test]
    async fn a_token_is_verified_until_it_ends_across_a_change_of_keys() {
        let ring = ring();
        let just_before_change = minute(220).before(Duration::from_millis(1));
        let claims = json!({ "sub": "s6BhdRkqt3", "exp": just_before_change.as_seconds() + 300 });
        let sign =
            async |now| ring.sign(Algorithm::Es256, TokenType::AccessToken, now, &claims).await.expect("a token");
        let kid = |token: &str| jws::decode_unverified(token).expect("a token").header["kid"].clone();
        let (old, new) = (sign(just_before_change).await, sign(minute(220)).await);
        assert_eq!((kid(&old), kid(&new)), (json!("a"), json!("b")));

        assert_eq!(ring.verify(&old, &expectation(minute(224))), Ok(claims.clone()));
        assert_eq!(ring.verify(&new, &expectation(minute(224))), Ok(claims));
        // Published ahead: whoever has read the set by then knows the key.
        assert!(ring.verify::<Value>(&new, &expectation(minute(200))).is_ok());
        assert_eq!(ring.verify::<Value>(&new, &expectation(minute(199))), Err(JwsRefused::UnknownKey));
        assert_eq!(ring.verify::<Value>(&old, &expectation(minute(226))), Err(JwsRefused::UnknownKey));
    }

    #[test]
    fn the_key_set_changes_with_the_clock_and_its_etag_with_its_bytes() {
        let ring = ring();
        let sets = [0, 199, 200, 220, 226, 9999].map(|now| ring.key_set(minute(now)));
        let expected = [&["a", "c"][..], &["a", "c"], &["a", "b", "c"], &["a", "b", "c"], &["b", "c"], &["b", "c"]];
        assert_eq!(sets.map(kids), expected);
        assert_eq!(sets[0].etag(), sets[1].etag());
        assert_ne!(sets[1].etag(), sets[2].etag());
        // That another key signs does not change the set: its bytes are even the same in memory.
        assert_eq!(sets[2].body().as_ptr(), sets[3].body().as_ptr());
        assert_eq!((sets[0].etag().len(), sets[0].cache_control()), (45, &"public, max-age=900".into()));
        assert!(sets[0].etag().starts_with(b"\"") && sets[0].etag().ends_with(b"\""));
    }

    #[test]
    fn algorithms_and_listing_say_what_signs_now() {
        let ring = ring();
        assert_eq!(ring.algorithms(minute(100)).collect::<Vec<_>>(), [Algorithm::Es256, Algorithm::EdDsa]);
        let listed: Vec<_> = ring.listing(minute(200)).map(|key| (key.name, key.kid, key.state, key.next)).collect();
        assert_eq!(
            listed,
            [
                ("a.pem", "a", KeyState::Signing, Some((minute(220), KeyState::Retiring))),
                ("b.pem", "b", KeyState::Published, Some((minute(220), KeyState::Signing))),
                ("c.pem", "c", KeyState::Signing, None),
            ]
        );
    }

    #[tokio::test]
    async fn without_a_key_that_signs_nothing_is_signed() {
        let late = key("a", Algorithm::Es256, [None, Some(200), None]);
        let ring = KeyRing::new(vec![late], &demands(&[])).expect("nobody needs it yet");
        for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
            let refused = ring.sign(algorithm, TokenType::AccessToken, minute(199), &()).await.expect_err("no key");
            assert!(matches!(refused, NotSigned::NoKey(named) if named == algorithm));
        }
        assert_eq!(ring.algorithms(minute(199)).count(), 0);
    }

    #[test]
    fn a_ring_is_refused_by_the_algorithm_and_the_key_at_fault() {
        let refusal = |keys, algorithms: &[_]| KeyRing::new(keys, &demands(algorithms)).expect_err("a refusal");
        let schedule = |algorithm, reason| KeyRingRefused::Schedule { algorithm, reason };

        let hurried = vec![
            key("a", Algorithm::Es256, [None; 3]),
            key("b", Algorithm::Es256, [Some(200), Some(215), None]),
            key("c", Algorithm::EdDsa, [None; 3]),
        ];
        // Fifteen minutes of cache and one of tolerance.
        let reason = ScheduleRefused::PublishedTooLate { key: "b.pem".to_owned(), earliest: minute(216) };
        assert_eq!(refusal(hurried, &[]), schedule(Algorithm::Es256, reason));

        let missing = refusal(vec![key("a", Algorithm::Es256, [None; 3])], &[Algorithm::Rs256]);
        assert_eq!(missing, schedule(Algorithm::Rs256, ScheduleRefused::NoKey));
        assert!(missing.to_string().starts_with("RS256: there is no key: `jotsmith keys generate`"), "{missing}");

        let twins = vec![key("a", Algorithm::EdDsa, [None; 3]), key("b", Algorithm::EdDsa, [None; 3])];
        let reason = ScheduleRefused::SameStart { key: "a.pem".to_owned(), other: "b.pem".to_owned() };
        assert_eq!(refusal(twins, &[]), schedule(Algorithm::EdDsa, reason));
    }

    #[test]
    fn two_keys_of_one_kid_are_refused_whatever_their_algorithms() {
        let keys = vec![key("a", Algorithm::Es256, [None; 3]), key("a", Algorithm::EdDsa, [None; 3])];
        let refused = KeyRing::new(keys, &demands(&[])).expect_err("one kid");
        let name = "a.pem".to_owned();
        assert_eq!(refused, KeyRingRefused::SameKid { key: name.clone(), other: name, kid: "a".to_owned() });
    }

    /// A service that has the private half of an Ed25519 key.
    struct Elsewhere {
        pair: aws_lc_rs::signature::Ed25519KeyPair,
        answer: fn(Vec<u8>) -> Result<Vec<u8>, SignerUnavailable>,
    }

    impl RemoteSigner for Elsewhere {
        fn sign<'a>(&'a self, message: &'a [u8]) -> Signing<'a> {
            Box::pin(async move {
                // As over a network: it answers at another moment.
                tokio::task::yield_now().await;
                (self.answer)(self.pair.try_sign(message).expect("a signature").as_ref().to_vec())
            })
        }
    }

    fn ring_elsewhere(answer: fn(Vec<u8>) -> Result<Vec<u8>, SignerUnavailable>) -> KeyRing {
        use aws_lc_rs::signature::KeyPair as _;
        let pair = aws_lc_rs::signature::Ed25519KeyPair::generate().expect("a key");
        let public_key = pair.public_key().as_ref().to_vec();
        let signer = std::sync::Arc::new(Elsewhere { pair, answer });
        let key = SigningKey::remote(Algorithm::EdDsa, &public_key, None, signer).expect("a public key");
        let entry = Scheduled { name: "kms".to_owned(), lifecycle: Lifecycle::default(), key };
        KeyRing::new(vec![entry], &demands(&[Algorithm::EdDsa])).expect("a ring")
    }

    async fn signed(ring: &KeyRing) -> Result<String, NotSigned> {
        let claims = json!({ "sub": "s6BhdRkqt3", "exp": minute(105).as_seconds() });
        ring.sign(Algorithm::EdDsa, TokenType::AccessToken, minute(100), &claims).await
    }

    #[tokio::test]
    async fn a_key_outside_of_the_process_is_published_and_signs_what_its_public_half_verifies() {
        let ring = ring_elsewhere(Ok);
        let token = signed(&ring).await.expect("a token");
        assert_eq!(token.capacity(), token.len(), "the room was counted exactly");
        assert!(ring.verify::<Value>(&token, &expectation(minute(100))).is_ok());
        assert_eq!(kids(ring.key_set(minute(100))).len(), 1);
    }

    #[tokio::test]
    async fn a_signer_that_cannot_be_asked_or_answers_wrongly_gives_no_token() {
        let down = ring_elsewhere(|_| {
            Err(SignerUnavailable { cause: "no route".to_owned(), retry_after: Duration::from_secs(7) })
        });
        let refused = signed(&down).await.expect_err("no signature");
        assert!(matches!(&refused, NotSigned::Failed(SigningFailed::Unavailable(_))), "{refused}");
        let der = ring_elsewhere(|signature| Ok([&[0x30], &signature[..]].concat()));
        let refused = signed(&der).await.expect_err("another form");
        assert!(matches!(refused, NotSigned::Failed(SigningFailed::WrongLength { is: 65, expected: 64 })), "{refused}");
    }
}
