//! Anything verifies our tokens offline with the published key set: JOSE implementations that are not the one that we
//! sign with, in three languages.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use jotsmith::foundation::base64url;
use jotsmith::foundation::clock::{Clock as _, SystemClock};
use jotsmith::keys::algorithm::Algorithm;
use openidconnect::core::{CoreJsonWebKey, CoreJsonWebKeySet, CoreJwsSigningAlgorithm};
use openidconnect::{JsonWebKey as _, JsonWebKeySetUrl};
use serde_json::Value;

use crate::harness::program::{self, Outcome};
use crate::harness::{MACHINE, Site, TestServer, claims, foreign, header, machine, tools};

/// A server with a key and a resource for every algorithm, at the time of this machine, which other programs go by.
pub(crate) fn server() -> TestServer {
    let site = Site::new();
    let entry = |algorithm| {
        let resource = format!("identifier = \"{}\"\nalgorithm = \"{algorithm}\"\n", resource_of(algorithm));
        format!("[[resources]]\n{resource}scope = \"read\"\n{}", site.add_key(algorithm).entry)
    };
    let config = machine() + &Algorithm::ALL.map(entry).concat();
    let server = TestServer::start_at(site, &config);
    server.clock.set(SystemClock.now());
    server
}

fn resource_of(algorithm: Algorithm) -> String {
    format!("https://{algorithm}.example.com").to_ascii_lowercase()
}

pub(crate) async fn token(server: &TestServer, algorithm: Algorithm) -> String {
    let token = server.access_token(&format!("&resource={}", resource_of(algorithm))).await;
    assert_eq!(header(&token)["alg"], algorithm.as_str());
    token
}

/// The same token with another part.
fn with_part(token: &str, at: usize, part: &Value) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    parts[at] = base64url::encode(part.to_string());
    parts.join(".")
}

/// Tokens that look like `token` and that nobody may take for good.
pub(crate) fn forgeries(token: &str) -> Vec<String> {
    let mut claims = claims(token);
    claims["sub"] = "root".into();
    let mut unsigned = header(token);
    unsigned["alg"] = "none".into();
    let (head, signature) = token.rsplit_once('.').expect("three parts");
    let mut bytes = base64url::decode(signature).expect("base64url");
    bytes[7] ^= 1;
    vec![
        with_part(token, 1, &claims),
        format!("{head}.{}", base64url::encode(bytes)),
        format!("{}.", with_part(head, 0, &unsigned)),
        format!("{head}."),
    ]
}

/// Whether one of the published keys has signed the token, as the crate `openidconnect` sees it.
pub(crate) fn is_good(keys: &[CoreJsonWebKey], token: &str) -> bool {
    let (signing_input, signature) = token.rsplit_once('.').expect("three parts");
    let head = header(token);
    let algorithm: CoreJwsSigningAlgorithm = serde_json::from_value(head["alg"].clone()).expect("an algorithm");
    let kid = head["kid"].as_str();
    let key = keys.iter().find(|key| key.key_id().map(|id| id.as_str()) == kid).expect("a published key");
    let signature = base64url::decode(signature).expect("base64url");
    key.verify_signature(&algorithm, signing_input.as_bytes(), &signature).is_ok()
}

#[tokio::test]
async fn the_crate_openidconnect_verifies_tokens_of_every_algorithm_with_the_published_keys() {
    let server = server();
    let url = JsonWebKeySetUrl::new(server.url("/.well-known/jwks.json")).expect("an address");
    let keys = CoreJsonWebKeySet::fetch_async(&url, &foreign::client(server.http())).await.expect("a key set");
    assert_eq!(keys.keys().len(), Algorithm::ALL.len(), "it understands every key");
    for algorithm in Algorithm::ALL {
        let token = token(&server, algorithm).await;
        assert!(is_good(keys.keys(), &token), "{algorithm}");
        for forgery in forgeries(&token) {
            assert!(!is_good(keys.keys(), &forgery), "{algorithm}: {forgery}");
        }
    }
}

/// Runs a program that verifies `TOKEN` and prints its subject, on good tokens of every algorithm and on bad ones.
async fn verify_with(mut program: impl FnMut() -> Command) {
    let server = server();
    let run = |command: &mut Command, token: &str, audience: &str| {
        let variables = BTreeMap::from([
            ("TOKEN", token.to_owned()),
            ("JWKS_URL", server.url("/.well-known/jwks.json")),
            ("ISSUER", server.issuer.clone()),
            ("AUDIENCE", audience.to_owned()),
        ]);
        program::outcome(command.envs(variables), "")
    };
    for algorithm in Algorithm::ALL {
        let (token, audience) = (token(&server, algorithm).await, resource_of(algorithm));
        let Outcome { code, stdout, stderr } = run(&mut program(), &token, &audience);
        assert_eq!((code, stdout.trim()), (Some(0), MACHINE), "{algorithm}: {stderr}");
    }
    let (good, audience) = (token(&server, Algorithm::Es256).await, resource_of(Algorithm::Es256));
    server.clock.set(SystemClock.now().before(Duration::from_hours(1)));
    let expired = token(&server, Algorithm::Es256).await;
    let mut bad: Vec<_> = forgeries(&good).into_iter().map(|forgery| (forgery, audience.as_str())).collect();
    bad.push((expired, audience.as_str()));
    bad.push((good, "https://elsewhere.example.com"));
    for (token, audience) in bad {
        let Outcome { code, stdout, .. } = run(&mut program(), &token, audience);
        assert!(code != Some(0) && stdout.is_empty(), "{token} for {audience}: {stdout}");
    }
}

/// The README's example in a language, which readers copy: so it is what is tested.
fn example(language: &str) -> &'static str {
    let readme = include_str!("../../README.md");
    let (_, section) = readme.split_once("\n## Verify a token\n").expect("the README says how to verify a token");
    let (_, code) = section.split_once(&format!("\n```{language}\n")).expect("an example");
    code.split_once("\n```").expect("its end").0
}

#[tokio::test]
async fn node_verifies_our_tokens_as_the_readme_says() {
    let Some(modules) = tools::find("JOTSMITH_TEST_NODE_MODULES") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    symlink(fs::canonicalize(modules).expect("a folder"), folder.path().join("node_modules")).expect("a link");
    let file = folder.path().join("verify.mjs");
    fs::write(&file, example("js")).expect("a file");
    verify_with(|| {
        let mut node = Command::new("node");
        node.arg(&file);
        node
    })
    .await;
}

#[tokio::test]
async fn python_verifies_our_tokens_as_the_readme_says() {
    let Some(python) = tools::find("JOTSMITH_TEST_PYTHON") else { return };
    verify_with(|| {
        let mut command = Command::new(&python);
        command.args(["-c", example("python")]);
        command
    })
    .await;
}

#[tokio::test]
async fn the_rust_program_of_the_readme_verifies_our_tokens() {
    let Some(program) = tools::example("verify") else { return };
    verify_with(|| Command::new(&program)).await;
}
