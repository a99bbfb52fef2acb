//! The verifier with a scripted issuer and a clock in the hand.

use std::future::poll_fn;
use std::task::Poll;

use serde_json::{Value, json};

use super::*;
use crate::foundation::clock::ManualClock;
use crate::keys::jwk::JwkSet;
use crate::keys::signing_key::{SigningKey, generate};
use crate::resource_server::http_fetcher::{FetchAnswer, FetchRequest, Fetching};
use crate::resource_server::scripted::Script;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const ISSUER: &str = "https://login.example.com";
const API: &str = "https://api.example.com";
const KEYS: &str = "https://login.example.com/keys";

fn key() -> SigningKey {
    SigningKey::from_pem(generate(Algorithm::EdDsa).as_bytes(), Algorithm::EdDsa, None).expect("a key of ours")
}

fn key_set(keys: &[&SigningKey]) -> FetchAnswer {
    let set = JwkSet { keys: keys.iter().map(|key| key.public_jwk().clone()).collect() };
    FetchAnswer {
        status: 200,
        etag: Some("\"one\"".to_owned()),
        cache_control: Some("public, max-age=900".to_owned()),
        age: None,
        body: serde_json::to_vec(&set).expect("JSON"),
    }
}

fn claims(now: Timestamp) -> Value {
    json!({ "iss": ISSUER, "aud": API, "sub": "alice", "client_id": "app", "jti": "j", "scope": "read",
            "iat": now.as_seconds(), "exp": now.as_seconds() + 86_400 })
}

/// A verifier, its clock and its issuer.
struct Api {
    clock: Arc<ManualClock>,
    script: Script,
    verifier: Verifier,
}

impl Api {
    fn new() -> Self {
        Self::with(|builder| builder)
    }

    fn with(change: impl FnOnce(VerifierBuilder) -> VerifierBuilder) -> Self {
        let (clock, script) = (Arc::new(ManualClock::at(NOW)), Script::default());
        let builder = Verifier::builder(ISSUER, API).jwks_uri(KEYS).clock(Arc::clone(&clock) as _);
        let verifier = change(builder.fetcher(script.clone())).build().expect("a verifier");
        Self { clock, script, verifier }
    }

    async fn is_good(&self, key: &SigningKey) -> Result<(), VerifyError> {
        self.verifier.verify(&sign(key, &claims(NOW))).await.map(drop)
    }

    fn fetches(&self) -> usize {
        self.script.asked().len()
    }
}

fn sign(key: &SigningKey, claims: &Value) -> String {
    key.sign(TokenType::AccessToken, claims).expect("a token")
}

/// Lets everything that can run without time run.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

const UNKNOWN: VerifyError = VerifyError::Token(TokenRefused::Jws(JwsRefused::UnknownKey));

#[tokio::test]
async fn keys_are_fetched_once_and_used_until_their_time_is_nearly_over() {
    let (api, key) = (Api::new(), key());
    api.script.answer(key_set(&[&key]));
    for _ in 0..3 {
        assert_eq!(api.is_good(&key).await, Ok(()));
    }
    api.clock.advance(Duration::from_secs(719));
    assert_eq!(api.is_good(&key).await, Ok(()));
    settle().await;
    assert_eq!(api.script.asked(), [(KEYS.to_owned(), None)]);
}

#[tokio::test]
async fn the_set_is_refreshed_in_the_background_before_it_ends() {
    let (api, key) = (Api::new(), key());
    api.script.answer(key_set(&[&key]));
    assert_eq!(api.is_good(&key).await, Ok(()));
    let gate = api.script.hold();
    api.script.answer(FetchAnswer { status: 304, ..FetchAnswer::default() });
    api.clock.advance(Duration::from_mins(12));
    // Nobody waits for it, and one is enough.
    assert_eq!(api.is_good(&key).await, Ok(()));
    settle().await;
    assert_eq!(api.is_good(&key).await, Ok(()));
    settle().await;
    assert_eq!(api.script.asked()[1..], [(KEYS.to_owned(), Some("\"one\"".to_owned()))]);
    gate.notify_one();
    settle().await;
    // What was not modified is good for its whole time again.
    api.clock.advance(Duration::from_secs(719));
    assert_eq!(api.is_good(&key).await, Ok(()));
    settle().await;
    assert_eq!(api.fetches(), 2);
}

#[tokio::test]
async fn an_unknown_key_leads_to_one_fetch_in_thirty_seconds() {
    let (api, old, new) = (Api::new(), key(), key());
    api.script.answer(key_set(&[&old]));
    assert_eq!(api.is_good(&old).await, Ok(()));
    api.clock.advance(Duration::from_secs(29));
    for _ in 0..3 {
        assert_eq!(api.is_good(&new).await, Err(UNKNOWN));
    }
    assert_eq!(api.fetches(), 1);
    api.clock.advance(Duration::from_secs(1));
    api.script.answer(key_set(&[&old, &new]));
    assert_eq!(api.is_good(&new).await, Ok(()));
    assert_eq!(api.is_good(&old).await, Ok(()));
    for _ in 0..3 {
        assert_eq!(api.is_good(&key()).await, Err(UNKNOWN));
    }
    assert_eq!(api.fetches(), 2);
}

#[tokio::test]
async fn a_key_that_was_taken_back_is_refused_when_its_time_is_over() {
    let (api, leaked, new) = (Api::new(), key(), key());
    api.script.answer(key_set(&[&leaked]));
    assert_eq!(api.is_good(&leaked).await, Ok(()));
    // Nobody asked for an hour: the first who does waits for the new set.
    api.clock.advance(Duration::from_hours(1));
    api.script.answer(key_set(&[&new]));
    assert_eq!(api.is_good(&leaked).await, Err(UNKNOWN));
    assert_eq!(api.is_good(&new).await, Ok(()));
}

#[tokio::test]
async fn all_who_wait_share_one_fetch() {
    let (api, key) = (Api::new(), key());
    let gate = api.script.hold();
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let (verifier, token) = (api.verifier.clone(), sign(&key, &claims(NOW)));
            tokio::spawn(async move { verifier.verify(&token).await.map(drop) })
        })
        .collect();
    settle().await;
    api.script.answer(key_set(&[&key]));
    gate.notify_one();
    for waiting in waiting {
        assert_eq!(waiting.await.expect("no panic"), Ok(()));
    }
    assert_eq!(api.fetches(), 1);
}

#[tokio::test]
async fn a_client_that_hangs_up_ends_no_fetch_that_others_need() {
    let (api, key) = (Api::new(), key());
    let gate = api.script.hold();
    api.script.answer(key_set(&[&key]));
    {
        let token = sign(&key, &claims(NOW));
        let mut first = Box::pin(api.verifier.verify(&token));
        let is_waiting = poll_fn(|context| Poll::Ready(first.as_mut().poll(context).is_pending())).await;
        assert!(is_waiting);
        settle().await;
    }
    assert_eq!(api.fetches(), 1);
    gate.notify_one();
    settle().await;
    assert_eq!(api.is_good(&key).await, Ok(()));
    assert_eq!(api.fetches(), 1);
}

#[tokio::test]
async fn the_last_good_set_serves_while_the_issuer_is_away_and_not_beyond_the_bound() {
    let forever = Api::with(|builder| builder.keep_when_away(Duration::MAX));
    let own = key();
    forever.script.answer(key_set(&[&own]));
    assert_eq!(forever.is_good(&own).await, Ok(()));
    assert!(forever.verifier.has_keys(), "no bound is no overflow");

    let api = Api::with(|builder| builder.keep_when_away(Duration::from_mins(10)));
    let key = key();
    api.script.answer(key_set(&[&key]));
    assert_eq!(api.is_good(&key).await, Ok(()));
    api.clock.advance(Duration::from_secs(901));
    assert_eq!(api.is_good(&key).await, Ok(()));
    assert_eq!(api.fetches(), 2);
    // It is tried again every five seconds, with nobody waiting.
    let gate = api.script.hold();
    for _ in 0..3 {
        assert_eq!(api.is_good(&key).await, Ok(()));
        settle().await;
    }
    assert_eq!(api.fetches(), 2);
    api.clock.advance(Duration::from_secs(5));
    assert_eq!(api.is_good(&key).await, Ok(()));
    settle().await;
    assert_eq!(api.fetches(), 3);
    gate.notify_one();
    settle().await;

    api.clock.set(NOW + Duration::from_millis(1_499_999));
    gate.notify_one();
    assert_eq!(api.is_good(&key).await, Ok(()));
    settle().await;
    assert!(api.verifier.has_keys());
    api.clock.set(NOW + Duration::from_mins(25));
    assert!(!api.verifier.has_keys());
    assert_eq!(api.is_good(&key).await, Err(VerifyError::KeysUnavailable));
    api.clock.advance(Duration::from_secs(5));
    api.script.answer(key_set(&[&key]));
    gate.notify_one();
    assert_eq!(api.is_good(&key).await, Ok(()));
}

#[tokio::test]
async fn an_answer_that_is_no_key_set_changes_nothing() {
    let (api, key) = (Api::new(), key());
    api.script.answer(key_set(&[&key]));
    assert_eq!(api.is_good(&key).await, Ok(()));
    let answers = [
        FetchAnswer { status: 500, ..key_set(&[]) },
        FetchAnswer { status: 302, ..key_set(&[]) },
        FetchAnswer { body: b"<html>".to_vec(), ..key_set(&[]) },
        FetchAnswer { body: b"{}".to_vec(), ..key_set(&[]) },
    ];
    api.clock.advance(Duration::from_mins(15));
    for answer in answers {
        api.script.answer(answer);
        assert_eq!(api.is_good(&key).await, Ok(()));
        settle().await;
        api.clock.advance(Duration::from_secs(5));
    }
    assert_eq!(api.fetches(), 5);
}

#[tokio::test]
async fn a_set_without_a_key_that_can_be_used_replaces_none() {
    for body in [json!({ "keys": [] }), json!({ "keys": [{ "kty": "oct", "k": "AAAA", "kid": "mac" }] })] {
        let (api, key) = (Api::new(), key());
        api.script.answer(FetchAnswer { body: body.to_string().into_bytes(), ..key_set(&[]) });
        assert_eq!(api.is_good(&key).await, Err(VerifyError::KeysUnavailable));
        assert!(!api.verifier.has_keys());
        api.clock.advance(Duration::from_secs(5));
        api.script.answer(key_set(&[&key]));
        assert_eq!(api.is_good(&key).await, Ok(()));
        // For its age, and for a key that nobody knows.
        api.clock.advance(Duration::from_mins(15));
        for _ in 0..2 {
            api.script.answer(FetchAnswer { body: body.to_string().into_bytes(), ..key_set(&[]) });
            assert_eq!(api.is_good(&key).await, Ok(()));
            settle().await;
            api.clock.advance(Duration::from_secs(30));
        }
        assert_eq!(api.fetches(), 4);
    }
}

#[tokio::test]
async fn a_304_is_no_answer_to_who_sent_no_validator() {
    let (api, key) = (Api::new(), key());
    api.script.answer(FetchAnswer { etag: None, ..key_set(&[&key]) });
    assert_eq!(api.is_good(&key).await, Ok(()));
    api.clock.advance(Duration::from_mins(15));
    api.script.answer(FetchAnswer { status: 304, ..FetchAnswer::default() });
    assert_eq!(api.is_good(&key).await, Ok(()));
    // It was a fetch that failed: it is tried again.
    api.clock.advance(Duration::from_secs(5));
    assert_eq!(api.is_good(&key).await, Ok(()));
    settle().await;
    assert_eq!(api.fetches(), 3);
}

#[tokio::test]
async fn a_made_up_kid_waits_for_nothing_while_no_fetch_may_begin() {
    let (api, key) = (Api::new(), key());
    api.script.answer(key_set(&[&key]));
    assert_eq!(api.is_good(&key).await, Ok(()));
    let stranger = self::key();
    let token = sign(&stranger, &claims(NOW));
    // No task is made: the first look at it brings the answer.
    let mut refused = Box::pin(api.verifier.verify(&token));
    let first = poll_fn(|context| Poll::Ready(refused.as_mut().poll(context))).await;
    assert!(matches!(first, Poll::Ready(Err(UNKNOWN))), "{first:?}");
    // A fetch that is under way may bring it.
    api.clock.advance(Duration::from_secs(30));
    let gate = api.script.hold();
    api.script.answer(key_set(&[&key, &stranger]));
    let verify = || {
        let (verifier, token) = (api.verifier.clone(), token.clone());
        tokio::spawn(async move { verifier.verify(&token).await.map(drop) })
    };
    let first = verify();
    settle().await;
    let second = verify();
    settle().await;
    assert!(!second.is_finished());
    gate.notify_one();
    assert_eq!((first.await.expect("no panic"), second.await.expect("no panic")), (Ok(()), Ok(())));
    assert_eq!(api.fetches(), 2);
}

#[test]
fn a_refresh_that_ends_with_its_runtime_is_not_the_last_one() {
    let runtime = || tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let (api, key) = (Api::new(), key());
    api.script.answer(key_set(&[&key]));
    let first = runtime();
    first.block_on(async {
        assert_eq!(api.is_good(&key).await, Ok(()));
        api.script.hold();
        api.clock.advance(Duration::from_mins(12));
        assert_eq!(api.is_good(&key).await, Ok(()));
        settle().await;
    });
    assert_eq!(api.fetches(), 2);
    drop(first);
    runtime().block_on(async {
        assert_eq!(api.is_good(&key).await, Ok(()));
        settle().await;
    });
    assert_eq!(api.fetches(), 3);
}

/// Panics for every fetch but the first.
struct Panicking(Script);

impl Fetch for Panicking {
    fn fetch<'a>(&'a self, request: FetchRequest<'a>) -> Fetching<'a> {
        let fetching = self.0.fetch(request);
        assert!(self.0.asked().len() < 2, "a fault in a fetcher of somebody's own");
        fetching
    }
}

#[tokio::test]
async fn a_refresh_that_panics_is_not_the_last_one() {
    let (clock, script, key) = (Arc::new(ManualClock::at(NOW)), Script::default(), key());
    let builder = Verifier::builder(ISSUER, API).jwks_uri(KEYS).clock(Arc::clone(&clock) as _);
    let verifier = builder.fetcher(Panicking(script.clone())).build().expect("a verifier");
    script.answer(key_set(&[&key]));
    let token = sign(&key, &claims(NOW));
    assert!(verifier.verify(&token).await.is_ok());
    clock.advance(Duration::from_mins(12));
    for fetches in 2..5 {
        assert!(verifier.verify(&token).await.is_ok());
        settle().await;
        assert_eq!(script.asked().len(), fetches);
    }
}

#[tokio::test]
async fn without_any_keys_nobody_is_let_in_and_the_issuer_is_not_flooded() {
    let (api, key) = (Api::new(), key());
    assert_eq!(api.verifier.prepare().await, Err(VerifyError::KeysUnavailable));
    for _ in 0..5 {
        assert_eq!(api.is_good(&key).await, Err(VerifyError::KeysUnavailable));
    }
    assert_eq!(api.fetches(), 1);
    // A validator without a set would be no use, and a 304 is no set.
    api.clock.advance(Duration::from_secs(5));
    api.script.answer(FetchAnswer { status: 304, ..key_set(&[&key]) });
    assert_eq!(api.is_good(&key).await, Err(VerifyError::KeysUnavailable));
    api.clock.advance(Duration::from_secs(5));
    api.script.answer(key_set(&[&key]));
    assert_eq!(api.is_good(&key).await, Ok(()));
    assert!(api.script.asked().iter().all(|(_, etag)| etag.is_none()));
}

#[tokio::test]
async fn a_clock_that_goes_back_stops_no_fetch() {
    let (api, key) = (Api::new(), key());
    api.script.answer(key_set(&[&key]));
    assert_eq!(api.is_good(&key).await, Ok(()));
    api.clock.set(NOW.before(Duration::from_hours(1)));
    api.script.answer(key_set(&[&key]));
    assert_eq!(api.is_good(&key).await, Ok(()));
    assert_eq!(api.fetches(), 2);
}

#[tokio::test]
async fn a_clock_that_goes_back_while_the_issuer_is_away_voids_no_bound() {
    let (api, key) = (Api::new(), key());
    api.script.answer(key_set(&[&key]));
    assert_eq!(api.is_good(&key).await, Ok(()));
    api.clock.set(NOW.before(Duration::from_hours(1)));
    assert_eq!(api.is_good(&key).await, Err(VerifyError::KeysUnavailable));
    assert!(!api.verifier.has_keys());
    // Back in the time of the set, its age is known again.
    api.clock.set(NOW + Duration::from_mins(1));
    assert!(api.verifier.has_keys());
    assert_eq!(api.is_good(&key).await, Ok(()));
    api.clock.set(NOW.before(Duration::from_hours(1)));
    assert!(!api.verifier.has_keys());
    api.clock.advance(Duration::from_secs(5));
    api.script.answer(key_set(&[&key]));
    assert_eq!(api.is_good(&key).await, Ok(()));
}

#[tokio::test]
async fn keys_are_found_through_the_metadata_and_looked_for_again_when_they_have_moved() {
    let (clock, script, key) = (Arc::new(ManualClock::at(NOW)), Script::default(), key());
    let builder = Verifier::builder(ISSUER, API).clock(Arc::clone(&clock) as _).fetcher(script.clone());
    let verifier = builder.build().expect("a verifier");
    let metadata = |jwks_uri: &str| FetchAnswer {
        status: 200,
        body: json!({ "issuer": ISSUER, "jwks_uri": jwks_uri }).to_string().into_bytes(),
        ..FetchAnswer::default()
    };
    let token = sign(&key, &claims(NOW));
    script.answer(metadata(KEYS));
    script.answer(key_set(&[&key]));
    assert!(verifier.verify(&token).await.is_ok());
    clock.advance(Duration::from_mins(15));
    // Gone from there.
    script.answer(FetchAnswer { status: 404, ..FetchAnswer::default() });
    assert!(verifier.verify(&token).await.is_ok());
    clock.advance(Duration::from_secs(5));
    script.answer(metadata("https://keys.example.com/new"));
    script.answer(key_set(&[&key]));
    assert!(verifier.verify(&token).await.is_ok());
    settle().await;
    let asked: Vec<_> = script.asked();
    let well_known = "https://login.example.com/.well-known/oauth-authorization-server";
    let places: Vec<_> = asked.iter().map(|(url, _)| url.as_str()).collect();
    assert_eq!(places, [well_known, KEYS, KEYS, well_known, "https://keys.example.com/new"]);
    // Another address has validators of its own.
    assert_eq!(asked.last().map(|(_, etag)| etag.is_none()), Some(true));
}

#[tokio::test]
async fn each_check_of_rfc_9068_section_4_refuses_by_itself() {
    let api = Api::with(|builder| builder.algorithms([Algorithm::EdDsa, Algorithm::Es256]));
    let (key, rsa) = (key(), SigningKey::from_pem(generate(Algorithm::Rs256).as_bytes(), Algorithm::Rs256, None));
    let rsa = rsa.expect("a key of ours");
    api.script.answer(key_set(&[&key, &rsa]));
    assert_eq!(api.is_good(&key).await, Ok(()));
    let seconds = NOW.as_seconds();
    for (name, value, why) in [
        ("iss", json!("https://login.example.com/"), JwsRefused::WrongIssuer),
        ("aud", json!("https://api.example.com/"), JwsRefused::WrongAudience),
        ("aud", json!(["https://other.example.com"]), JwsRefused::WrongAudience),
        ("exp", json!(seconds - 30), JwsRefused::Expired { at: Timestamp::from_seconds(seconds - 30) }),
        ("nbf", json!(seconds + 31), JwsRefused::NotYetValid { from: Timestamp::from_seconds(seconds + 31) }),
    ] {
        let mut claims = claims(NOW);
        claims[name] = value;
        let refused = api.verifier.verify(&sign(&key, &claims)).await.map(drop);
        assert_eq!(refused, Err(why.into()), "{claims}");
    }
    let not_allowed = api.verifier.verify(&sign(&rsa, &claims(NOW))).await.map(drop);
    assert_eq!(not_allowed, Err(JwsRefused::AlgorithmNotAllowed.into()));
    assert_eq!(api.fetches(), 1);
}

#[tokio::test]
async fn a_token_of_more_than_sixteen_kib_is_not_even_read() {
    let (api, key) = (Api::new(), key());
    api.script.answer(key_set(&[&key]));
    let of_length = async |length: usize| {
        let mut claims = claims(NOW);
        claims["more"] = json!("");
        let bare = sign(&key, &claims).len();
        // Four letters for three.
        claims["more"] = json!("m".repeat((length - bare) / 4 * 3));
        api.verifier.verify(&sign(&key, &claims)).await.map(drop)
    };
    assert_eq!(of_length(LONGEST_TOKEN - 3).await, Ok(()));
    assert_eq!(of_length(LONGEST_TOKEN + 8).await, Err(TokenRefused::TooLong.into()));
    assert_eq!(api.verifier.verify(&"a".repeat(LONGEST_TOKEN + 1)).await.map(drop), Err(TokenRefused::TooLong.into()));
}

#[test]
fn settings_that_verify_nothing_safely_are_refused() {
    let build = |issuer: &str, change: fn(VerifierBuilder) -> VerifierBuilder| {
        change(Verifier::builder(issuer, API)).build().map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(build(ISSUER, |builder| builder), Ok(()));
    assert_eq!(build("http://127.0.0.1:8080", |builder| builder), Ok(()));
    assert_eq!(build("http://login.example.com", VerifierBuilder::allow_insecure_http), Ok(()));
    for (issuer, change, why) in [
        ("http://login.example.com", (|builder| builder) as fn(VerifierBuilder) -> VerifierBuilder, "not https"),
        ("https://login.example.com?x", |builder| builder, "a query"),
        ("login.example.com", |builder| builder, "not an absolute URL"),
        (ISSUER, |builder| builder.jwks_uri("http://keys.example.com"), "the key set"),
        (ISSUER, |builder| builder.algorithms([]), "no algorithm"),
        (ISSUER, |builder| builder.leeway(Duration::from_secs(301)), "set the clocks"),
    ] {
        let refused = build(issuer, change).expect_err(issuer);
        assert!(refused.contains(why), "{refused}");
    }
    assert!(Verifier::builder(ISSUER, "").build().is_err());
}
