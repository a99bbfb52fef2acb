//! Resource servers that verify offline: ours, and ones in Node, in Python, and Apache before an API. All of them get the
//! same tokens.

mod circle;
mod servers;
mod tokens;

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use jotsmith::foundation::clock::{Clock as _, SystemClock};
use jotsmith::keys::algorithm::Algorithm;
use serde_json::json;

use crate::harness::program::{self, Outcome};
use crate::harness::{Answer, MACHINE, Site, TestServer, claims, header, machine, tools};
use servers::Api;
use tokens::Forger;

/// The resource that all of them are.
const AUDIENCE: &str = "https://notes.example.com";

const MINUTE: Duration = Duration::from_mins(1);

/// A server at the time of this machine less twenty minutes, with a key that signs and one that will in nineteen.
fn server() -> (TestServer, [Forger; 2]) {
    let now = SystemClock.now();
    let site = Site::new();
    let keys = [site.add_key(Algorithm::Es256), site.add_key(Algorithm::Es256)];
    let resource = |identifier: &str| format!("[[resources]]\nidentifier = \"{identifier}\"\nscope = \"read write\"\n");
    let config = [
        format!("default_resource = \"{AUDIENCE}\"\n"),
        "[lifetimes]\naccess_token = \"1h\"\n".to_owned(),
        resource(AUDIENCE),
        resource("https://other.example.com"),
        keys[0].entry.clone(),
        keys[1].entry.clone(),
        format!("publish_at = \"{}\"\nsign_from = \"{}\"\n", now.before(60 * MINUTE), now.before(MINUTE)),
        machine(),
    ];
    let server = TestServer::start_at(site, &config.concat());
    server.clock.set(now.before(20 * MINUTE));
    (server, keys.map(|key| Forger::new(&key)))
}

/// What is sent as `Authorization`, and the status of an API that follows RFC 6750 §3.1, and of Apache, which answers 403
/// where issuer or audience is wrong, and 401 where the scope is.
struct Case {
    name: &'static str,
    authorization: Option<String>,
    status: u16,
    by_apache: u16,
}

fn case(name: &'static str, token: &str, status: u16) -> Case {
    Case { name, authorization: Some(format!("Bearer {token}")), status, by_apache: status }
}

/// A case of a good token whose scope does not do.
fn without_scope(name: &'static str, token: &str) -> Case {
    Case { by_apache: 401, ..case(name, token, 403) }
}

/// A case that Apache's rules refuse, and not its module.
fn ruled_out(name: &'static str, token: &str, status: u16) -> Case {
    Case { by_apache: 403, ..case(name, token, status) }
}

/// Every token that the servers get, in this order: one by the first key, after which the second one signs.
async fn cases(server: &TestServer, [old, new]: &[Forger; 2]) -> Vec<Case> {
    let before = server.access_token("&scope=read").await;
    assert_eq!(header(&before)["kid"], old.kid());
    server.clock.set(SystemClock.now());
    let after = server.access_token("&scope=read").await;
    assert_eq!(header(&after)["kid"], new.kid());

    let good = claims(&after);
    let with = |name: &str, value: serde_json::Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let head = header(&after);
    let head_with = |name: &str, value: serde_json::Value| {
        let mut head = head.clone();
        head[name] = value;
        head
    };
    let now = SystemClock.now().as_seconds();
    let (signed, signature) = after.rsplit_once('.').expect("three parts");
    let stranger = Forger::stranger(new.kid());
    let mut cases = vec![
        case("good, by the old key", &before, 200),
        case("good, by the key that signs now", &after, 200),
        Case { name: "no token", authorization: None, status: 401, by_apache: 401 },
        case("expired", &new.sign(&head, &with("exp", json!(now - 40))), 401),
        case("not yet valid", &new.sign(&head, &with("nbf", json!(now + 600))), 401),
        ruled_out("for another audience", &server.access_token("&resource=https://other.example.com").await, 401),
        ruled_out("for no audience", &new.sign(&head, &without(&good, "aud")), 401),
        ruled_out("of another issuer", &new.sign(&head, &with("iss", json!("https://login.example.com"))), 401),
        without_scope("without the scope", &server.access_token("&scope=write").await),
        without_scope("with a longer word as scope", &new.sign(&head, &with("scope", json!("reader")))),
        without_scope("without any scope", &new.sign(&head, &without(&good, "scope"))),
        case("with more scope than is needed", &server.access_token("&scope=read+write").await, 200),
        case("an ID token", &new.sign(&head_with("typ", json!("JWT")), &good), 401),
        case("without a type", &new.sign(&without(&head, "typ"), &good), 401),
        case("other claims under the old signature", &tokens::with_claims(&after, &with("sub", json!("root"))), 401),
        case("a changed signature", &format!("{signed}.{}", tokens::changed(signature)), 401),
        case("no signature", &format!("{signed}."), 401),
        case("signed by a stranger under our kid", &stranger.sign(&head, &good), 401),
        case("alg none", &tokens::unsigned(&head_with("alg", json!("none")), &good), 401),
        case("an unknown kid", &stranger.sign(&head_with("kid", json!("made-up")), &good), 401),
        case("a critical extension", &new.sign(&head_with("crit", json!(["x"])), &good), 401),
        case("bound to a key", &new.sign(&head, &with("cnf", json!({ "jkt": good["jti"] }))), 401),
        case("bound to a certificate", &new.sign(&head, &with("cnf", json!({ "x5t#S256": good["jti"] }))), 401),
        case("bound to nothing that is known", &new.sign(&head, &with("cnf", json!({}))), 401),
        case("no token at all", "opaque", 401),
    ];
    // A verifier that takes `alg` from the token would take the public key for a MAC's secret.
    for secret in new.public_forms() {
        cases.push(case(
            "a MAC with the public key",
            &tokens::mac(&head_with("alg", json!("HS256")), &good, &secret),
            401,
        ));
    }
    cases
}

fn without(object: &serde_json::Value, name: &str) -> serde_json::Value {
    let mut object = object.clone();
    object.as_object_mut().expect("an object").remove(name);
    object
}

async fn ask(server: &TestServer, api: &Api, authorization: Option<&str>) -> Answer {
    let mut request = server.http().get(format!("{}/notes", api.address()));
    // What a proxy says of the token must come from the proxy.
    request = request.header("OAUTH2_CLAIM_sub", "root");
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    Answer::of(request).await
}

async fn every_token_gets_its_answer(start: impl FnOnce(&TestServer) -> Option<Api>) {
    let (server, forgers) = server();
    let Some(api) = start(&server) else { return };
    // The key set is fetched while the second key is published and does not sign.
    let first = format!("Bearer {}", server.access_token("&scope=read").await);
    let answer = ask(&server, &api, Some(&first)).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, format!("the notes of {MACHINE}").as_str()));
    for case in cases(&server, &forgers).await {
        let Case { name, authorization, status, by_apache } = case;
        let expected = if api.is_apache() { by_apache } else { status };
        let answer = ask(&server, &api, authorization.as_deref()).await;
        assert_eq!(answer.status, expected, "{name}: {} {:?}", answer.body, answer.headers);
        if expected == 200 {
            assert_eq!(answer.body, format!("the notes of {MACHINE}"), "{name}");
        } else {
            assert!(!answer.body.contains("the notes of"), "{name}: {}", answer.body);
        }
        let challenge = answer.header("www-authenticate");
        if expected == 401 {
            assert!(challenge.starts_with("Bearer "), "{name}: {challenge}");
        }
        if !api.is_apache() && expected != 200 {
            let error = match (status, &authorization) {
                (_, None) => None,
                (403, _) => Some("insufficient_scope"),
                _ => Some("invalid_token"),
            };
            let said = error.map(|error| format!("error=\"{error}\""));
            assert_eq!(challenge.contains("error="), said.is_some(), "{name}: {challenge}");
            assert!(said.is_none_or(|said| challenge.contains(&said)), "{name}: {challenge}");
        }
    }
    // A good token still is, after all that.
    assert_eq!(ask(&server, &api, Some(&first)).await.status, 200);
}

#[tokio::test]
async fn our_resource_server_gives_every_token_its_answer() {
    every_token_gets_its_answer(|server| Api::rust(&server.issuer, "30")).await;
}

#[tokio::test]
async fn the_node_resource_server_gives_every_token_its_answer() {
    every_token_gets_its_answer(|server| Api::node(&server.issuer)).await;
}

#[tokio::test]
async fn the_python_resource_server_gives_every_token_its_answer() {
    every_token_gets_its_answer(|server| Api::python(&server.issuer)).await;
}

#[tokio::test]
async fn apache_gives_every_token_its_answer() {
    every_token_gets_its_answer(|server| Api::apache(&server.issuer)).await;
}

#[tokio::test]
async fn the_rust_program_of_the_readme_refuses_a_critical_extension_and_a_bound_token() {
    let Some(program) = tools::example("verify") else { return };
    let (server, [forger, _]) = server();
    let good = server.access_token("&scope=read").await;
    let verify = |token: &str| {
        let variables = BTreeMap::from([
            ("TOKEN", token.to_owned()),
            ("JWKS_URL", server.url("/.well-known/jwks.json")),
            ("ISSUER", server.issuer.clone()),
            ("AUDIENCE", AUDIENCE.to_owned()),
        ]);
        program::outcome(Command::new(&program).envs(variables), "")
    };
    let (head, claims) = (header(&good), claims(&good));
    let Outcome { code, stdout, stderr } = verify(&forger.sign(&head, &claims));
    assert_eq!((code, stdout.trim()), (Some(0), MACHINE), "{stderr}");
    let with = |object: &serde_json::Value, name: &str, value: serde_json::Value| {
        let mut object = object.clone();
        object[name] = value;
        object
    };
    for (token, why) in [
        (forger.sign(&with(&head, "crit", json!(["x"])), &claims), "none is understood"),
        (forger.sign(&head, &with(&claims, "cnf", json!({ "jkt": "x" }))), "bound to a key"),
    ] {
        let Outcome { code, stdout, stderr } = verify(&token);
        assert!(code != Some(0) && stdout.is_empty() && stderr.contains(why), "{why}: {stdout} {stderr}");
    }
}

#[tokio::test]
async fn our_resource_server_says_who_gives_tokens_for_it() {
    let (server, _) = server();
    let Some(api) = Api::rust(&server.issuer, "30") else { return };
    let answer = ask(&server, &api, None).await;
    let place = format!("{AUDIENCE}/.well-known/oauth-protected-resource");
    assert_eq!(
        answer.header("www-authenticate"),
        format!(r#"Bearer realm="{AUDIENCE}", scope="read", resource_metadata="{place}""#)
    );
    let metadata =
        Answer::of(server.http().get(format!("{}/.well-known/oauth-protected-resource", api.address()))).await;
    assert_eq!(metadata.header("content-type"), "application/json");
    assert_eq!(
        metadata.json(),
        json!({ "resource": AUDIENCE, "authorization_servers": [server.issuer], "scopes_supported": ["read", "write"],
                "bearer_methods_supported": ["header"] })
    );
}
