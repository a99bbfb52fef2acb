//! What single rules cost: minting by algorithm, letting a client in, opening a refresh token, deciding on its rotation,
//! judging an authorization request.
//!
//! See `README.md` in the folder above.

mod fixture;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use jotsmith::authorize::request::{AuthorizationRequest, Registrations};
use jotsmith::foundation::secret::ExposeSecret as _;
use jotsmith::keys::algorithm::Algorithm;
use jotsmith::tokens::handle::{Handle, HandleKind};
use jotsmith::tokens::refresh_rotation::{RotationPolicy, decide};

use fixture::{Fixture, NOW, basic_header, grant};

/// RFC 6749 §4.1.1 with RFC 7636 §4.3 and RFC 8707 §2.
const QUERY: &str = "response_type=code&client_id=s6BhdRkqt3&state=af0ifjsldkj&scope=read\
                     &redirect_uri=https%3A%2F%2Fclient.example.com%2Fcallback\
                     &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256\
                     &resource=https%3A%2F%2Fes256.example.com%2Fv1";

fn rules(criterion: &mut Criterion) {
    let fixture = Fixture::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");

    for algorithm in Algorithm::ALL {
        criterion.bench_function(&format!("mint, {}", algorithm.as_str()), |bencher| {
            bencher.iter(|| runtime.block_on(fixture.mint(black_box(algorithm))));
        });
    }

    let header = basic_header();
    criterion.bench_function("read a Basic header and let the client in", |bencher| {
        bencher.iter(|| assert!(runtime.block_on(fixture.authenticate(black_box(&header)))));
    });

    let grant = grant();
    let handle = Handle { kind: HandleKind::Refresh, id: grant.id, generation: grant.generation };
    let sealed = handle.seal(&fixture.sealing, NOW);
    criterion.bench_function("open a refresh token", |bencher| {
        bencher.iter(|| Handle::open(black_box(sealed.expose_secret()), HandleKind::Refresh, &fixture.sealing));
    });

    let policy =
        RotationPolicy { retry_window: std::time::Duration::from_secs(30), idle: fixture.lifetimes.refresh_token_idle };
    criterion.bench_function("decide on a rotation", |bencher| {
        bencher.iter(|| decide(black_box(&grant), black_box(grant.generation), NOW, &policy, None));
    });

    let registrations =
        Registrations { clients: &fixture.clients, resources: &fixture.resources, lifetimes: &fixture.lifetimes };
    AuthorizationRequest::parse(QUERY.as_bytes(), registrations, NOW).map(drop).expect("a sound request");
    criterion.bench_function("judge an authorization request", |bencher| {
        bencher.iter(|| AuthorizationRequest::parse(black_box(QUERY.as_bytes()), registrations, NOW).is_ok());
    });
}

criterion_group!(benches, rules);
criterion_main!(benches);
