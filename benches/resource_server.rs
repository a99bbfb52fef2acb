//! What a resource server pays for a token: all checks of `Verifier::verify`, beside the bare signature check of aws-lc-rs
//! on the same token with a parsed key, in the same run.
//!
//! ```text
//! cargo bench --bench resource_server
//! ```
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jotsmith::foundation::base64url;
use jotsmith::keys::jwk::JwkSet;
use jotsmith::keys::signing_key::{SigningKey, generate};
use jotsmith::keys::token_type::TokenType;
use jotsmith::resource_server::{
    AccessToken, Algorithm, Clock, Fetch, FetchAnswer, FetchRequest, Fetching, SystemClock, Verifier, VerifyError,
};
use serde_json::{Value, json};

const ISSUER: &str = "https://login.example.com";
const API: &str = "https://api.example.com";

/// An issuer in memory.
struct Issuer(Vec<u8>);

impl Fetch for Issuer {
    fn fetch<'a>(&'a self, _: FetchRequest<'a>) -> Fetching<'a> {
        let cache_control = Some("max-age=86400".to_owned());
        let answer = FetchAnswer { status: 200, cache_control, body: self.0.clone(), ..FetchAnswer::default() };
        Box::pin(async move { Ok(answer) })
    }
}

fn key(algorithm: Algorithm) -> SigningKey {
    SigningKey::from_pem(generate(algorithm).as_bytes(), algorithm, None).expect("a key of ours")
}

/// A token as the server makes them for a person.
fn token(key: &SigningKey) -> String {
    let now = SystemClock.now().as_seconds();
    let claims = json!({ "iss": ISSUER, "sub": "248289761001", "aud": API, "client_id": "s6BhdRkqt3", "iat": now,
        "exp": now + 86_400, "jti": "AZqkHj5PdQeAmEfWqk1xJd3F0hOq9vQw", "scope": "read write", "auth_time": now });
    key.sign(TokenType::AccessToken, &claims).expect("a token")
}

fn raw_key(key: &SigningKey) -> ParsedPublicKey {
    let jwk: Value = serde_json::to_value(key.public_jwk()).expect("JSON");
    let member = |name: &str| base64url::decode(jwk[name].as_str().expect("a member")).expect("base64url");
    match key.algorithm() {
        Algorithm::Es256 => {
            ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, [&[4], &*member("x"), &*member("y")].concat())
        }
        Algorithm::EdDsa => ParsedPublicKey::new(&ED25519, member("x")),
        Algorithm::Rs256 => {
            RsaPublicKeyComponents { n: member("n"), e: member("e") }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        }
    }
    .expect("a public key")
}

fn verifier(keys: &[&SigningKey]) -> Verifier {
    let set = JwkSet { keys: keys.iter().map(|key| key.public_jwk().clone()).collect() };
    let issuer = Issuer(serde_json::to_vec(&set).expect("JSON"));
    let builder = Verifier::builder(ISSUER, API).jwks_uri("https://login.example.com/keys").fetcher(issuer);
    let verifier = builder.clock(Arc::new(SystemClock)).build().expect("a verifier");
    now(verifier.prepare()).expect("keys");
    verifier
}

/// What waits for nothing is ready at once.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

fn verify(verifier: &Verifier, token: &str) -> Result<AccessToken, VerifyError> {
    now(verifier.verify(token))
}

fn verification(criterion: &mut Criterion) {
    for algorithm in Algorithm::ALL {
        let key = key(algorithm);
        let (token, raw, verifier) = (token(&key), raw_key(&key), verifier(&[&key]));
        let (signing_input, signature) = token.rsplit_once('.').expect("three parts");
        let signature = base64url::decode(signature).expect("base64url");
        let mut group = criterion.benchmark_group(algorithm.as_str());
        group.throughput(Throughput::Elements(1));
        group.bench_function("signature alone", |bencher| {
            bencher.iter(|| raw.verify_sig(black_box(signing_input.as_bytes()), &signature).expect("good"));
        });
        group.bench_function("all checks", |bencher| {
            bencher.iter(|| verify(&verifier, black_box(&token)).expect("good"));
        });
        group.bench_function("refused: not a token", |bencher| {
            bencher.iter(|| verify(&verifier, black_box("opaque")).expect_err("bad"));
        });
        group.finish();
    }
}

/// The memory of this process, in KiB, where the system says it.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn memory(criterion: &mut Criterion) {
    let keys: Vec<_> = Algorithm::ALL.map(key).into();
    let refs: Vec<_> = keys.iter().collect();
    let before = resident();
    let verifiers: Vec<_> = (0..1000).map(|_| verifier(&refs)).collect();
    if let (Some(before), Some(after)) = (before, resident()) {
        println!("memory: {} KiB for 1000 verifiers with 3 keys each", after - before);
    }
    let token = token(&keys[0]);
    let before = resident();
    for verifier in verifiers.iter().cycle().take(100_000) {
        verify(verifier, &token).expect("good");
    }
    if let (Some(before), Some(after)) = (before, resident()) {
        println!("memory: {} KiB more after 100000 verifications", after.saturating_sub(before));
    }
    criterion.bench_function("a key set of 3 keys: fetched from memory, parsed, swapped in", |bencher| {
        bencher.iter(|| verifier(&refs));
    });
}

criterion_group!(benches, verification, memory);
criterion_main!(benches);
