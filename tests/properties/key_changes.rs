//! Keys that come and go under random schedules, reloads and restarts: whoever keeps a key set for as long as it was told
//! to verifies every token that is good, at any moment.
//!
//! The model of a verifier is a set and the moment at which it was fetched. It holds at a moment every set that it may
//! hold by the `Cache-Control` that came with it, its clock up to a minute off; one that fetches an unknown key anew has at
//! best a newer set, which is in the model too. So a token must be verified by every one of these sets.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use jotsmith::foundation::clock::Timestamp;
use jotsmith::keys::algorithm::Algorithm;
use jotsmith::keys::history::{History, Kept};
use jotsmith::keys::key_ring::{KeyRing, Occasion, RingDemands, RingNote};
use jotsmith::keys::schedule::{KeyState, Lifecycle, Scheduled};
use jotsmith::keys::signing_key::{SigningKey, generate};
use proptest::prelude::*;

const MINUTE: Duration = Duration::from_mins(1);

/// A verifier's clock, and the way from a server to it, may be off by this.
const OFF: Duration = Duration::from_secs(59);

const KEYS: usize = 4;

static PEMS: LazyLock<[String; KEYS]> = LazyLock::new(|| [(); KEYS].map(|()| generate(Algorithm::EdDsa).to_string()));

fn minute(count: u32) -> Timestamp {
    Timestamp::from_seconds(10_000_000) + MINUTE * count
}

/// A key of a configuration: which one it is, and its times in minutes.
type Entry = (usize, [Option<u32>; 3]);

/// A configuration: its keys, `jwks_max_age` and the longest lifetime in minutes.
#[derive(Debug, Clone)]
struct Configuration {
    entries: Vec<Entry>,
    jwks_max_age: u32,
    lifetime: u32,
}

/// What happens to the server, and how many minutes after what happened before.
#[derive(Debug, Clone)]
enum Event {
    Reload(Configuration),
    /// It stops, and starts again after so many minutes.
    Restart(Configuration, u32),
    /// The same without having said that it stops.
    Crash(Configuration, u32),
}

fn configuration() -> impl Strategy<Value = Configuration> {
    (successions(), 1u32..20, 1u32..20).prop_map(|(entries, jwks_max_age, lifetime)| Configuration {
        entries,
        jwks_max_age,
        lifetime,
    })
}

/// Keys that follow each other, with margins on both sides of what is right.
fn successions() -> impl Strategy<Value = Vec<Entry>> {
    let step = (0usize..KEYS, 0u32..60, 0u32..40, proptest::option::weighted(0.8, 0u32..60));
    (proptest::collection::vec(step, 1..4), 0u32..80).prop_map(|(steps, start)| {
        let mut at = start;
        let mut starts = vec![(None, None)];
        for (_, gap, lead, _) in &steps[1..] {
            at += gap;
            starts.push((Some(at), Some(at + lead)));
            at += lead;
        }
        let ends = steps.iter().enumerate().map(|(place, (.., stays))| {
            let (_, replaced_at) = starts.get(place + 1)?;
            stays.map(|stays| replaced_at.unwrap_or(start) + stays)
        });
        let ends: Vec<_> = ends.collect();
        let key = |(place, (key, ..)): (usize, &(usize, u32, u32, Option<u32>))| {
            let (publish_at, sign_from) = starts[place];
            (*key, [publish_at, sign_from, ends[place]])
        };
        let mut seen = BTreeSet::new();
        steps.iter().enumerate().map(key).filter(|(key, _)| seen.insert(*key)).collect()
    })
}

fn events() -> impl Strategy<Value = Vec<(u32, Event)>> {
    let event = prop_oneof![
        4 => configuration().prop_map(Event::Reload),
        2 => (configuration(), 0u32..40).prop_map(|(next, pause)| Event::Restart(next, pause)),
        1 => (configuration(), 0u32..40).prop_map(|(next, pause)| Event::Crash(next, pause)),
    ];
    proptest::collection::vec((0u32..50, event), 1..6)
}

impl Configuration {
    fn ring(&self, now: Timestamp, history: &History, occasion: Occasion) -> Option<KeyRing> {
        let keys = self.entries.iter().map(|(key, times)| {
            let [publish_at, sign_from, retire_at] = times.map(|time| time.map(minute));
            let name = key.to_string();
            let signing = SigningKey::from_pem(PEMS[*key].as_bytes(), Algorithm::EdDsa, Some(name.clone()));
            let lifecycle = Lifecycle { publish_at, sign_from, retire_at };
            Scheduled { name, lifecycle, key: signing.expect("a key of ours") }
        });
        let demands = RingDemands {
            jwks_max_age: MINUTE * self.jwks_max_age,
            longest_lifetime: MINUTE * self.lifetime,
            algorithms: &[Algorithm::EdDsa],
            now,
            history,
            occasion,
            killed: &[],
        };
        let ring = KeyRing::new(keys.collect(), &demands).ok()?;
        // What it says that it breaks, it may.
        let is_told = |note: &RingNote| !matches!(note, RingNote::HeldBack { .. });
        (!ring.notes().iter().any(is_told)).then_some(ring)
    }
}

/// A ring that has served from a moment to another.
struct Served {
    ring: Arc<KeyRing>,
    from: Timestamp,
    to: Timestamp,
}

/// One server, and what it has served.
struct Server {
    served: Vec<Served>,
    ring: Arc<KeyRing>,
    before: History,
    since: Timestamp,
    kept: Kept,
}

impl Server {
    fn start(configuration: &Configuration, now: Timestamp, kept: Kept) -> Option<Self> {
        let before = History::of_ended(kept, now);
        let ring = Arc::new(configuration.ring(now, &before, Occasion::Start)?);
        let mut server = Self { served: Vec::new(), ring, before, since: now, kept: Kept::default() };
        server.look(now);
        Some(server)
    }

    fn history(&self, now: Timestamp) -> History {
        self.before.after(&self.ring, self.since, now)
    }

    /// What the server does every few seconds.
    fn look(&mut self, now: Timestamp) {
        self.kept = self.history(now).to_keep(None);
    }

    fn reload(&mut self, configuration: &Configuration, now: Timestamp) {
        let history = self.history(now);
        let Some(ring) = configuration.ring(now, &history, Occasion::Reload) else { return };
        self.close(now);
        (self.ring, self.before, self.since) = (Arc::new(ring), history, now);
        self.look(now);
    }

    fn close(&mut self, now: Timestamp) {
        self.served.push(Served { ring: Arc::clone(&self.ring), from: self.since, to: now });
    }
}

/// What one server serves through all events, up to the first start that is refused.
fn served_through(first: &Configuration, events: &[(u32, Event)]) -> Vec<Served> {
    let mut now = minute(0);
    let Some(mut server) = Server::start(first, now, Kept::default()) else { return Vec::new() };
    let mut seen = Vec::new();
    for (after, event) in events {
        for _ in 0..*after {
            now = now + MINUTE;
            server.look(now);
        }
        let (next, pause, kept) = match event {
            Event::Reload(next) => {
                server.reload(next, now);
                continue;
            }
            Event::Restart(next, pause) => (next, pause, server.history(now).to_keep(Some(now))),
            Event::Crash(next, pause) => (next, pause, server.kept.clone()),
        };
        server.close(now);
        seen.append(&mut server.served);
        now = now + MINUTE * *pause;
        let Some(started) = Server::start(next, now, kept) else { return seen };
        server = started;
    }
    server.close(now + MINUTE * 100);
    seen.append(&mut server.served);
    seen
}

fn kids(ring: &KeyRing, at: Timestamp) -> BTreeSet<String> {
    let set: serde_json::Value = serde_json::from_slice(ring.key_set(at).body()).expect("JSON");
    let keys = set["keys"].as_array().expect("a list").iter();
    keys.map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
}

/// Every token of a server against every set that a verifier may hold meanwhile, minute by minute.
fn check(seen: &[Served]) -> Result<usize, TestCaseError> {
    const STEP: Duration = Duration::from_secs(30);
    let moments = |from: Timestamp, to: Timestamp| {
        std::iter::successors(Some(from), |at| Some(*at + STEP)).take_while(move |at| *at < to)
    };
    // When a set was fetched, until when it is used, what is in it.
    let mut sets = Vec::new();
    for Served { ring, from, to } in seen {
        // The last moment before a change is the one that matters.
        let last = (*to > *from).then(|| to.before(Duration::from_millis(1)));
        for at in moments(*from, *to).chain(last) {
            sets.push((at, at + ring.jwks_max_age() + OFF, kids(ring, at)));
        }
    }
    let mut tokens = 0;
    for Served { ring, from, to } in seen {
        for at in moments(*from, *to) {
            let Some(key) = ring.listing(at).find(|key| key.state == KeyState::Signing) else { continue };
            let end = at + ring.longest_lifetime() + OFF;
            tokens += 1;
            for (fetched, until, kids) in &sets {
                let is_held_meanwhile = at < *until && *fetched < end;
                prop_assert!(
                    !is_held_meanwhile || kids.contains(key.kid),
                    "key {} signs at {at} for use until {end}; the set {kids:?} of {fetched} is used until {until}",
                    key.kid
                );
            }
        }
    }
    Ok(tokens)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_change_of_keys_that_is_accepted_leaves_every_token_verifiable(first in configuration(), events in events()) {
        check(&served_through(&first, &events))?;
    }
}

#[test]
fn a_plain_rotation_is_in_reach_of_the_property() {
    // One key for good, then a successor with exactly the times that it needs: 5 minutes of cache, 3 of life, 1 of margin.
    let first = Configuration { entries: vec![(0, [None; 3])], jwks_max_age: 5, lifetime: 3 };
    let rotated =
        Configuration { entries: vec![(0, [None, None, Some(20)]), (1, [Some(10), Some(16), None])], ..first.clone() };
    let seen = served_through(&first, &[(10, Event::Reload(rotated))]);
    assert_eq!(seen.len(), 2, "accepted");
    assert!(check(&seen).expect("verified") > 200);
    let signing =
        |at| seen[1].ring.listing(at).find(|key| key.state == KeyState::Signing).map(|key| key.kid.to_owned());
    assert_eq!(signing(minute(16)), Some("1".to_owned()));
}

/// What chance meets too seldom: old values that are larger than the new ones, across reloads and restarts.
mod on_purpose {
    use super::*;

    fn sole(jwks_max_age: u32, lifetime: u32) -> Configuration {
        Configuration { entries: vec![(0, [None; 3])], jwks_max_age, lifetime }
    }

    /// The same with a key 1 that is published and signs at these minutes.
    fn followed(published: u32, signs: u32, jwks_max_age: u32, lifetime: u32) -> Configuration {
        let entries = vec![(0, [None; 3]), (1, [Some(published), Some(signs), None])];
        Configuration { entries, jwks_max_age, lifetime }
    }

    /// The first minute in which key 1 signs, after all of it was accepted.
    fn begins(first: &Configuration, events: &[(u32, Event)]) -> u32 {
        let seen = served_through(first, events);
        assert_eq!(seen.len(), events.len() + 1, "all is accepted");
        check(&seen).expect("all is verified");
        let ring = &seen.last().expect("the last one").ring;
        let signs = |at: &u32| ring.listing(minute(*at)).any(|key| key.state == KeyState::Signing && key.kid == "1");
        (0..100).find(signs).expect("it signs some day")
    }

    /// How many configurations were live.
    fn accepted(first: &Configuration, events: &[(u32, Event)]) -> usize {
        let seen = served_through(first, events);
        check(&seen).expect("all is verified");
        seen.len()
    }

    #[test]
    fn a_new_key_waits_for_the_sets_of_before_that_are_kept_for_longer() {
        // Published at 10: a set of before is kept until 29, whatever is said now.
        let next = || followed(10, 12, 1, 3);
        assert_eq!(begins(&sole(19, 3), &[(10, Event::Reload(next()))]), 30);
        assert_eq!(begins(&sole(19, 3), &[(10, Event::Restart(next(), 0))]), 30);
        assert_eq!(begins(&sole(19, 3), &[(10, Event::Crash(next(), 0))]), 30);
    }

    #[test]
    fn the_sets_of_before_are_remembered_over_the_next_change_too() {
        // The last set of 19 minutes is of minute 5.
        let (first, shorter, next) = (sole(19, 3), Event::Reload(sole(1, 3)), || followed(6, 8, 1, 3));
        assert_eq!(begins(&first, &[(5, shorter.clone()), (1, Event::Reload(next()))]), 25);
        assert_eq!(begins(&first, &[(5, shorter.clone()), (1, Event::Restart(next(), 0))]), 25);
        assert_eq!(begins(&first, &[(5, shorter), (1, Event::Crash(next(), 0))]), 25);
    }

    #[test]
    fn a_key_that_is_heard_of_late_waits_for_the_age_that_is_said_now() {
        // On paper it is published from minute 0 on.
        assert_eq!(begins(&sole(1, 3), &[(10, Event::Reload(followed(0, 20, 19, 3)))]), 30);
    }

    #[test]
    fn a_key_stays_for_the_tokens_that_were_issued_with_the_lifetime_of_before() {
        let shorter = Event::Reload(sole(1, 1));
        let mut goes = followed(11, 13, 1, 1);
        goes.entries[0].1[2] = Some(15);
        // Tokens of minute 10 live until minute 29.
        let first = sole(1, 19);
        assert_eq!(accepted(&first, &[(10, shorter.clone()), (1, Event::Reload(goes.clone()))]), 2);
        let crash = Event::Crash(sole(1, 1), 0);
        assert_eq!(accepted(&first, &[(10, shorter.clone()), (1, crash), (0, Event::Reload(goes.clone()))]), 3);
        let restart = Event::Restart(sole(1, 1), 0);
        assert_eq!(accepted(&first, &[(10, shorter), (1, restart), (0, Event::Reload(goes))]), 3);
    }

    #[test]
    fn a_key_may_be_left_out_a_minute_after_its_last_token() {
        let alone = Configuration { entries: vec![(1, [None; 3])], jwks_max_age: 5, lifetime: 3 };
        // Replaced at minute 16, and the last token ends at 19.
        let left_out_at = |at: u32| {
            accepted(
                &sole(5, 3),
                &[(10, Event::Reload(followed(10, 16, 5, 3))), (at - 10, Event::Reload(alone.clone()))],
            )
        };
        assert_eq!((left_out_at(19), left_out_at(20)), (2, 3));
    }
}

#[test]
fn a_model_in_which_a_key_signs_too_soon_is_seen() {
    let sole = |key| Configuration { entries: vec![(key, [None; 3])], jwks_max_age: 5, lifetime: 3 };
    let ring = |key| Arc::new(sole(key).ring(minute(0), History::none(), Occasion::Start).expect("a ring"));
    let served = |key, from, to| Served { ring: ring(key), from: minute(from), to: minute(to) };
    assert!(check(&[served(0, 0, 10), served(0, 10, 20)]).is_ok());
    assert!(check(&[served(0, 0, 10), served(1, 10, 20)]).is_err());
}
