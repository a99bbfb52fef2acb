//! Client assertions (RFC 7523): the client alone can make one, for us alone, and it is good for once.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use aws_lc_rs::hmac;
use jotsmith::foundation::base64url;
use jotsmith::foundation::clock::{Clock as _, SystemClock};
use jotsmith::keys::algorithm::Algorithm;
use jotsmith::keys::signing_key;
use reqwest::Client;
use serde_json::{Value, json};

use crate::harness::assertions::{
    ClientKey, JWT_BEARER, changed, honest, signing_client, signing_input, with_assertion,
};
use crate::harness::log::{self, Secrets};
use crate::harness::people::{APP, people};
use crate::harness::program::{self, Outcome};
use crate::harness::requests::Parameters;
use crate::harness::{Answer, MACHINE, SECRET, Site, TestServer, claims, machine, public_client, tools};

const SIGNER: &str = "signer";

/// A server with one client that signs, and its key.
fn server() -> (TestServer, ClientKey) {
    let key = ClientKey::new("one");
    (TestServer::start(&(machine() + &signing_client(SIGNER, &[key.jwk()]))), key)
}

/// The claims of an honest assertion at the time of the server.
fn own(server: &TestServer) -> Value {
    honest(SIGNER, &server.issuer, server.clock.now())
}

async fn present(server: &TestServer, assertion: &str) -> Answer {
    server.post_token(&with_assertion(assertion).encoded()).await
}

/// Asserts that the assertion is refused as every other one is, and gives the cause that only the log has.
async fn refused(server: &TestServer, assertion: &str) -> String {
    let answer = present(server, assertion).await;
    answer.assert_error(401, "invalid_client");
    assert_eq!(answer.json()["error_description"], "Client authentication failed.");
    cause(&answer)
}

/// In what an answer is not the refusal that it must be, for a cause that has `why` in it.
fn unlike(answer: &Answer, why: &str) -> Option<String> {
    if answer.status != 401 {
        return Some(format!("{} {}", answer.status, answer.body));
    }
    answer.assert_error(401, "invalid_client");
    let cause = cause(answer);
    (!cause.contains(why)).then_some(cause)
}

fn cause(answer: &Answer) -> String {
    let lines = log::lines_with(answer.header("x-request-id"));
    let cause = lines.iter().find_map(|line| line["error.cause"].as_str());
    cause.unwrap_or_else(|| panic!("no cause in {lines:?}")).to_owned()
}

#[tokio::test]
async fn whoever_signs_as_the_registration_says_gets_a_token() {
    let (server, key) = server();
    let said = claims(&present(&server, &key.assertion(&own(&server))).await.access_token());
    assert_eq!((&said["sub"], &said["client_id"]), (&json!(SIGNER), &json!(SIGNER)));
    let with_client_id = with_assertion(&key.assertion(&own(&server))).and("client_id", SIGNER);
    server.post_token(&with_client_id.encoded()).await.access_token();
    for typ in ["JWT", "jwt", "client-authentication+jwt", "application/client-authentication+jwt"] {
        let header = changed(&key.header(), "typ", json!(typ));
        present(&server, &key.sign(&header, &own(&server))).await.access_token();
    }
    // One key alone needs no name (OpenID Connect Core §10.1).
    let header = changed(&key.header(), "kid", Value::Null);
    present(&server, &key.sign(&header, &own(&server))).await.access_token();
    for (name, value) in [
        ("aud", json!([server.issuer])),
        ("iat", Value::Null),
        ("nbf", json!(server.clock.now().as_seconds())),
        ("exp", json!(server.clock.now().as_seconds() + 3600)),
        ("jti", json!("j".repeat(128))),
        ("more", json!({ "of": ["our", "own"] })),
    ] {
        present(&server, &key.assertion(&changed(&own(&server), name, value))).await.access_token();
    }
}

#[tokio::test]
async fn claims_that_are_not_those_of_an_assertion_for_us_are_refused_and_use_nothing_up() {
    let (server, key) = server();
    let now = server.clock.now().as_seconds();
    let issuer = server.issuer.clone();
    let token_endpoint = server.url("/token");
    let good = own(&server);
    let mut wrong = Vec::new();
    for (name, value, why) in [
        ("iss", json!(MACHINE), "its `iss`"),
        ("iss", Value::Null, "its `iss`"),
        ("aud", json!("https://other.example.com"), "its `aud`"),
        ("aud", json!(token_endpoint), "its `aud`"),
        ("aud", json!(format!("{issuer}/")), "its `aud`"),
        ("aud", json!([issuer, "https://other.example.com"]), "its `aud`"),
        ("aud", json!([issuer, issuer]), "its `aud`"),
        ("aud", json!([]), "its `aud`"),
        ("aud", json!(SIGNER), "its `aud`"),
        ("aud", Value::Null, "its `aud`"),
        ("aud", json!({ "issuer": issuer }), "its claims"),
        ("exp", Value::Null, "its claims"),
        ("exp", json!(now.to_string()), "its claims"),
        ("exp", json!(-1), "its claims"),
        ("exp", json!(now - 30), "it expired"),
        ("exp", json!(0), "it expired"),
        ("exp", json!(now + 3631), "its `exp` is more"),
        ("exp", json!(1e18), "its `exp` is more"),
        ("nbf", json!(now + 31), "its `nbf`"),
        ("iat", json!(now + 31), "its `nbf`"),
        ("iat", json!("now"), "its claims"),
        ("jti", Value::Null, "it has no `jti`"),
        ("jti", json!(""), "it has no `jti`"),
        ("jti", json!(7), "its claims"),
        ("jti", json!("j".repeat(129)), "its `jti` is longer"),
    ] {
        let answer = present(&server, &key.assertion(&changed(&good, name, value.clone()))).await;
        wrong.extend(unlike(&answer, why).map(|what| format!("{name} {value}: {what}")));
    }
    assert_eq!(wrong, [""; 0]);
    let list = key.sign_text(&key.header().to_string(), "[]");
    assert!(refused(&server, &list).await.contains("no JWT"));
    let twice = good.to_string().replacen('{', &format!("{{\"aud\":\"{issuer}\","), 1);
    assert!(refused(&server, &key.sign_text(&key.header().to_string(), &twice)).await.contains("its claims"));
    // The name of none of those was remembered.
    present(&server, &key.assertion(&good)).await.access_token();
}

#[tokio::test]
async fn clocks_may_differ_by_half_a_minute() {
    let (server, key) = server();
    let now = server.clock.now().as_seconds();
    for (name, value) in [("exp", now - 29), ("exp", now + 3630), ("nbf", now + 30), ("iat", now + 30)] {
        present(&server, &key.assertion(&changed(&own(&server), name, json!(value)))).await.access_token();
    }
}

#[tokio::test]
async fn only_the_registered_key_of_the_client_proves_anything() {
    let [key, second, strangers] = ["one", "two", "one"].map(ClientKey::new);
    let others = ClientKey::new("other");
    let config = signing_client(SIGNER, &[key.jwk(), second.jwk()]) + &signing_client("other", &[others.jwk()]);
    let server = TestServer::start(&config);
    let good = own(&server);
    let with = |name: &str, value: Value| changed(&key.header(), name, value);
    let hmac_with = |secret: &[u8]| {
        let input = signing_input(&with("alg", json!("HS256")).to_string(), &good.to_string());
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
        format!("{input}.{}", base64url::encode(tag))
    };
    let unsigned = |alg: &str| format!("{}.", signing_input(&with("alg", json!(alg)).to_string(), &good.to_string()));
    let strange = |name: &str, value: Value| strangers.sign(&with(name, value), &good);
    let whole = key.assertion(&good);
    let (head, signature) = whole.rsplit_once('.').expect("three parts");
    let der_signature = base64url::encode([&[0x30, 0x44][..], &base64url::decode(signature).expect("bytes")].concat());
    let twice = key.header().to_string().replacen('{', "{\"alg\":\"none\",", 1);
    let mut wrong = Vec::new();
    for (assertion, why) in [
        (unsigned("none"), "`alg` is not allowed"),
        (unsigned("None"), "`alg` is not allowed"),
        (hmac_with(&key.public_bytes()), "`alg` is not allowed"),
        (hmac_with(key.jwk().to_string().as_bytes()), "`alg` is not allowed"),
        (hmac_with(b""), "`alg` is not allowed"),
        (key.sign(&with("alg", json!("RS256")), &good), "`alg` is not allowed"),
        (key.sign(&with("alg", json!("ES384")), &good), "`alg` is not allowed"),
        // A stranger's key, brought along or pointed to.
        (strangers.assertion(&good), "signature is wrong"),
        (strange("jwk", strangers.jwk()), "signature is wrong"),
        (strange("jku", json!("http://127.0.0.1:9/jwks.json")), "signature is wrong"),
        (strange("x5u", json!("http://127.0.0.1:9/cert.pem")), "signature is wrong"),
        (strange("x5c", json!(["MIIB"])), "signature is wrong"),
        (strangers.sign(&json!({ "alg": "ES256", "jwk": strangers.jwk() }), &good), "no `kid`"),
        (strange("kid", json!("three")), "no published key"),
        (strange("kid", json!("../../one")), "no published key"),
        // Another client's key, under its own name and under ours.
        (others.assertion(&good), "no published key"),
        (others.sign(&key.header(), &good), "signature is wrong"),
        (second.sign(&key.header(), &good), "signature is wrong"),
        (key.sign(&json!({ "alg": "ES256" }), &good), "no `kid`"),
        (key.sign(&with("kid", json!(["one"])), &good), "not a signed token"),
        (key.sign(&with("crit", json!(["b64"])), &good), "`crit`"),
        (key.sign(&with("crit", json!([])), &good), "`crit`"),
        (key.sign(&with("typ", json!("at+jwt")), &good), "another type"),
        (key.sign(&with("typ", json!("dpop+jwt")), &good), "another type"),
        (key.sign(&with("typ", json!("oauth-authz-req+jwt")), &good), "another type"),
        (key.sign(&json!({ "kid": "one" }), &good), "not a signed token"),
        (key.sign_text(&twice, &good.to_string()), "not a signed token"),
        (format!("{head}."), "signature is wrong"),
        (format!("{head}.{der_signature}"), "signature is wrong"),
        (format!("{head}.{}", base64url::encode([0; 64])), "signature is wrong"),
        (format!("{whole}."), "no JWT"),
        (format!("{whole}="), "signature is wrong"),
        (format!(" {whole}"), "no JWT"),
        (whole.replace('.', ".."), "no JWT"),
        ("e30.e30.e30".to_owned(), "no JWT"),
        (key.sign_text(&"[".repeat(2000), &good.to_string()), "no JWT"),
        (key.sign_text(&key.header().to_string(), &"{\"a\":".repeat(500)), "no JWT"),
    ] {
        wrong.extend(unlike(&present(&server, &assertion).await, why).map(|what| format!("{assertion}: {what}")));
    }
    assert_eq!(wrong, [""; 0]);
    // Nothing of that has used up its name, and each of the two keys is good.
    present(&server, &whole).await.access_token();
    present(&server, &second.assertion(&own(&server))).await.access_token();
    // Whoever names another client's identifier is judged by that client's keys.
    let as_other = honest("other", &server.issuer, server.clock.now());
    assert!(refused(&server, &key.assertion(&as_other)).await.contains("no published key"));
    let mixed = changed(&as_other, "iss", json!(SIGNER));
    assert!(refused(&server, &others.assertion(&mixed)).await.contains("its `iss`"));
    assert!(refused(&server, &key.assertion(&changed(&good, "sub", json!("nobody")))).await.contains("no client"));
}

#[tokio::test]
async fn an_assertion_is_good_for_once_also_after_a_reload_and_a_restart() {
    let key = ClientKey::new("one");
    let config = signing_client(SIGNER, &[key.jwk()]) + &signing_client("twin", &[key.jwk()]);
    let mut server = TestServer::start(&config);
    let good = changed(&own(&server), "jti", json!("number one"));
    let used = key.assertion(&good);
    present(&server, &used).await.access_token();
    let is_replay = async |server: &TestServer, assertion: &str| {
        let cause = refused(server, assertion).await;
        assert!(cause.contains("its `jti` was used before"), "{cause}");
    };
    is_replay(&server, &used).await;
    // The name is what is used up, whatever else stands beside it; of this client alone.
    let later = changed(&good, "exp", json!(server.clock.now().as_seconds() + 600));
    is_replay(&server, &key.assertion(&later)).await;
    let twins = changed(&honest("twin", &server.issuer, server.clock.now()), "jti", json!("number one"));
    present(&server, &key.assertion(&twins)).await.access_token();

    server.reload(&config).await.expect("a good change");
    is_replay(&server, &used).await;
    server.restart(|_| ());
    is_replay(&server, &used).await;
    // Until it is refused for its age; then its name may be given again.
    server.advance(Duration::from_millis(89_999));
    is_replay(&server, &used).await;
    server.advance(Duration::from_millis(1));
    assert!(refused(&server, &used).await.contains("it expired"));
    // The name stays used for a while longer: a clock may step back, and a request may wait for the store.
    server.advance(Duration::from_millis(29_999));
    is_replay(&server, &key.assertion(&changed(&own(&server), "jti", json!("number one")))).await;
    server.advance(Duration::from_millis(1));
    let again = changed(&own(&server), "jti", json!("number one"));
    present(&server, &key.assertion(&again)).await.access_token();
}

#[tokio::test]
async fn of_racing_presenters_of_one_assertion_one_is_let_in() {
    let (server, key) = server();
    for _ in 0..5 {
        let form = with_assertion(&key.assertion(&own(&server))).encoded();
        let racers = (0..16).map(|_| tokio::spawn(Answer::of(server.token_request(&form))));
        let mut statuses = Vec::new();
        for racer in racers.collect::<Vec<_>>() {
            statuses.push(racer.await.expect("no panic").status.as_u16());
        }
        statuses.sort_unstable();
        assert_eq!((statuses[0], &statuses[1..]), (200, &[401; 15][..]));
    }
}

/// Asks a running program for a token, and gives the status.
async fn status(http: &Client, address: &str, assertion: &str) -> u16 {
    let body = with_assertion(assertion).encoded();
    let request = http.post(format!("{address}/token")).header("content-type", "application/x-www-form-urlencoded");
    request.body(body).send().await.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn an_assertion_that_was_used_is_refused_after_the_program_was_killed() {
    let key = ClientKey::new("one");
    let site = Site::new();
    site.write_config(&signing_client(SIGNER, &[key.jwk()]));
    let http = Client::builder().pool_max_idle_per_host(0).build().expect("an HTTP client");
    let [used, fresh] = [(); 2].map(|()| key.assertion(&honest(SIGNER, &site.origin(), SystemClock.now())));
    let (serving, _) = program::Running::serve(&site);
    assert_eq!(status(&http, &site.origin(), &used).await, 200);
    serving.signal(rustix::process::Signal::KILL);
    drop(serving);
    let (_serving, _) = program::Running::serve(&site);
    assert_eq!(status(&http, &site.origin(), &used).await, 401);
    assert_eq!(status(&http, &site.origin(), &fresh).await, 200);
}

#[tokio::test]
async fn the_token_endpoint_as_audience_is_taken_only_from_a_client_that_may() {
    let key = ClientKey::new("one");
    let server = TestServer::start(&(signing_client(SIGNER, &[key.jwk()]) + "accept_token_endpoint_audience = true\n"));
    let token_endpoint = server.url("/token");
    for audience in [json!(server.issuer), json!(token_endpoint), json!([token_endpoint])] {
        present(&server, &key.assertion(&changed(&own(&server), "aud", audience))).await.access_token();
    }
    for audience in [json!([server.issuer, token_endpoint]), json!(server.url("/revoke")), json!("/token")] {
        let cause = refused(&server, &key.assertion(&changed(&own(&server), "aud", audience))).await;
        assert!(cause.contains("its `aud`"), "{cause}");
    }
}

#[tokio::test]
async fn an_assertion_is_the_only_way_of_its_request_and_of_its_client() {
    let key = ClientKey::new("one");
    let config = machine() + &public_client("app") + &signing_client(SIGNER, &[key.jwk()]);
    let server = TestServer::start(&config);
    let form = || with_assertion(&key.assertion(&own(&server)));
    let secret = form().and("client_secret", SECRET);
    server.post_token(&secret.encoded()).await.assert_error(400, "invalid_request");
    for (client_id, secret) in [(SIGNER, ""), (SIGNER, SECRET), (MACHINE, SECRET)] {
        let basic = server.token_request(&form().encoded()).basic_auth(client_id, Some(secret));
        Answer::of(basic).await.assert_error(400, "invalid_request");
    }
    let other = form().and("client_id", MACHINE);
    server.post_token(&other.encoded()).await.assert_error(400, "invalid_request");
    let twice = form().and("client_assertion", "e30.e30.e30");
    server.post_token(&twice.encoded()).await.assert_error(400, "invalid_request");
    for half in ["client_assertion", "client_assertion_type"] {
        let form = form().without(half).and("client_id", SIGNER);
        server.post_token(&form.encoded()).await.assert_error(400, "invalid_request");
    }
    for kind in ["urn:ietf:params:oauth:client-assertion-type:saml2-bearer", "jwt-bearer"] {
        let form = form().with("client_assertion_type", kind);
        server.post_token(&form.encoded()).await.assert_error(401, "invalid_client");
    }

    // Its client proves itself in no other way, and no other client in this one.
    let basic = server.token_request("grant_type=client_credentials").basic_auth(SIGNER, Some(SECRET));
    Answer::of(basic).await.assert_error(401, "invalid_client");
    let alone = server.post_token(&format!("grant_type=client_credentials&client_id={SIGNER}")).await;
    alone.assert_error(401, "invalid_client");
    for client_id in [MACHINE, "app"] {
        let assertion = key.assertion(&honest(client_id, &server.issuer, server.clock.now()));
        assert!(refused(&server, &assertion).await.contains("has no keys"));
    }
}

#[tokio::test]
async fn a_huge_assertion_is_an_invalid_request() {
    let (server, key) = server();
    let large = changed(&own(&server), "more", json!("x".repeat(8000)));
    present(&server, &key.assertion(&large)).await.assert_error(400, "invalid_request");
    let huge = changed(&own(&server), "more", json!("x".repeat(60_000)));
    present(&server, &key.assertion(&huge)).await.assert_error(413, "invalid_request");
    let fits = changed(&own(&server), "more", json!("x".repeat(5000)));
    present(&server, &key.assertion(&fits)).await.access_token();
}

#[tokio::test]
async fn a_reload_replaces_the_keys() {
    let [old, new] = ["old", "new"].map(ClientKey::new);
    let server = TestServer::start(&signing_client(SIGNER, &[old.jwk()]));
    present(&server, &old.assertion(&own(&server))).await.access_token();
    server.reload(&signing_client(SIGNER, &[old.jwk(), new.jwk()])).await.expect("a good change");
    for key in [&old, &new] {
        present(&server, &key.assertion(&own(&server))).await.access_token();
    }
    server.reload(&signing_client(SIGNER, &[new.jwk()])).await.expect("a good change");
    assert!(refused(&server, &old.assertion(&own(&server))).await.contains("no published key"));
    present(&server, &new.assertion(&own(&server))).await.access_token();
}

#[tokio::test]
async fn neither_an_assertion_nor_what_stands_in_it_reaches_the_log() {
    let (server, key) = server();
    let mut secrets = Secrets::default();
    let mut add = |assertion: &str| {
        secrets.add_all(assertion.split('.').skip(1).map(str::to_owned));
        secrets.add(assertion);
    };
    let used = key.assertion(&own(&server));
    let expired = key.assertion(&changed(&own(&server), "exp", json!(1)));
    let large = key.assertion(&changed(&own(&server), "more", json!("x".repeat(8000))));
    let jti = own(&server)["jti"].clone();
    let long = key.assertion(&changed(&own(&server), "jti", json!(jti.to_string().repeat(5))));
    for assertion in [&used, &used, &expired, &large, &long] {
        present(&server, assertion).await;
        add(assertion);
    }
    let with_secret = with_assertion(&used).and("client_secret", SECRET);
    server.post_token(&with_secret.encoded()).await.assert_error(400, "invalid_request");
    secrets.add(jti.as_str().expect("a text"));
    secrets.assert_none_is_logged();
}

#[tokio::test]
async fn the_metadata_names_the_method_and_its_algorithms_where_a_client_has_it() {
    let path = "/.well-known/oauth-authorization-server";
    let (server, _) = server();
    let document = server.get(path).await.json();
    let methods = json!(["client_secret_basic", "client_secret_post", "private_key_jwt"]);
    assert_eq!(document["token_endpoint_auth_methods_supported"], methods);
    assert_eq!(document["token_endpoint_auth_signing_alg_values_supported"], json!(["ES256"]));
    let document = TestServer::start(&machine()).get(path).await.json();
    assert_eq!(document.get("token_endpoint_auth_signing_alg_values_supported"), None);
}

#[tokio::test]
async fn a_client_that_signs_redeems_and_refreshes_with_assertions() {
    let key = ClientKey::new("one");
    let keys = signing_client(APP, &[key.jwk()]);
    let callback = "https://signer.example.com/cb";
    let keys = keys.replace(&format!("\"{APP}\""), "\"web-signer\"").replace("response_types = []\n", "");
    let keys = keys.replace(
        "grant_types = [\"client_credentials\"]",
        &format!("grant_types = [\"authorization_code\", \"refresh_token\"]\nredirect_uris = [\"{callback}\"]"),
    );
    let server = TestServer::start(&(people() + &keys));
    let asked = crate::harness::requests::ask_of_web().with("client_id", "web-signer").with("redirect_uri", callback);
    let signed = |form: Parameters| {
        let assertion = key.assertion(&honest("web-signer", &server.issuer, server.clock.now()));
        form.and("client_assertion_type", JWT_BEARER).and("client_assertion", &assertion).encoded()
    };
    let code = server.code_for(&asked).await;
    let tokens = server.post_token(&signed(crate::harness::requests::redemption(&asked, &code))).await;
    let refresh = crate::harness::requests::refresh(&tokens.refresh_token());
    let next = server.post_token(&signed(refresh)).await;
    assert_eq!(claims(&next.access_token())["client_id"], "web-signer");
}

/// What makes an assertion with the private key of `KEY`, a file, and asks `ISSUER` for a token with it.
const NODE: &str = r"
import { readFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { SignJWT, importPKCS8 } from 'jose';
const { KEY, ISSUER, CLIENT, ALG, KID, AUD = ISSUER } = process.env;
const key = await importPKCS8(readFileSync(KEY, 'utf8'), ALG);
const assertion = await new SignJWT({}).setProtectedHeader({ alg: ALG, kid: KID }).setIssuer(CLIENT).setSubject(CLIENT)
  .setAudience(AUD).setIssuedAt().setExpirationTime('1m').setJti(randomUUID()).sign(key);
const body = new URLSearchParams({ grant_type: 'client_credentials', client_assertion: assertion,
  client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' });
const answer = await (await fetch(`${ISSUER}/token`, { method: 'POST', body })).json();
console.log(answer.access_token ? 'let in' : answer.error);
";

const PYTHON: &str = r#"
import json, os, time, urllib.error, urllib.parse, urllib.request, uuid
import jwt
env = os.environ
now = int(time.time())
claims = {"iss": env["CLIENT"], "sub": env["CLIENT"], "aud": env.get("AUD", env["ISSUER"]), "iat": now, "nbf": now,
          "exp": now + 3600, "jti": uuid.uuid4().hex}
assertion = jwt.encode(claims, open(env["KEY"]).read(), algorithm=env["ALG"], headers={"kid": env["KID"]})
body = urllib.parse.urlencode({"grant_type": "client_credentials", "client_assertion": assertion,
    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}).encode()
try:
    answer = json.load(urllib.request.urlopen(env["ISSUER"] + "/token", body))
except urllib.error.HTTPError as refused:
    answer = json.load(refused)
print("let in" if "access_token" in answer else answer["error"])
"#;

/// Lets a program sign for a client of every algorithm, whose entry our own command has made from the key; and for another
/// audience, with another key, and under another client's name.
fn sign_with(program: impl Fn() -> Command) {
    let site = Site::new();
    let mut config = String::new();
    for algorithm in Algorithm::ALL {
        let file = format!("{algorithm}.pem");
        fs::write(site.folder().join(&file), signing_key::generate(algorithm).as_bytes()).expect("a file");
        let id = algorithm.as_str();
        let made = program::run(site.folder(), &["client", "new", "--id", id, "--private-key-jwt", &file]);
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        config += &made.stdout;
    }
    let document: toml_edit::DocumentMut = config.parse().expect("TOML");
    let kid_of = |at: usize| document["clients"][at]["jwks"]["keys"][0]["kid"].as_str().expect("a kid").to_owned();
    let server = TestServer::start_at(site, &config);
    server.clock.set(SystemClock.now());
    let run = |changes: &[(&str, &str)], at: usize| {
        let name = Algorithm::ALL[at].as_str();
        let mut command = program();
        command.env("KEY", server.site.folder().join(format!("{name}.pem"))).env("ISSUER", &server.issuer);
        command.env("CLIENT", name).env("ALG", name).env("KID", kid_of(at)).envs(changes.iter().copied());
        let Outcome { code, stdout, stderr } = program::outcome(&mut command, "");
        assert_eq!(code, Some(0), "{stderr}");
        stdout.trim().to_owned()
    };
    for at in 0..Algorithm::ALL.len() {
        assert_eq!(run(&[], at), "let in", "{}", Algorithm::ALL[at]);
        assert_eq!(run(&[("AUD", "https://other.example.com")], at), "invalid_client");
        assert_eq!(run(&[("KID", "another")], at), "invalid_client");
        assert_eq!(run(&[("CLIENT", Algorithm::ALL[(at + 1) % 3].as_str())], at), "invalid_client");
    }
}

#[test]
fn assertions_that_jose_makes_in_node_are_taken() {
    let Some(modules) = tools::find("JOTSMITH_TEST_NODE_MODULES") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    symlink(fs::canonicalize(modules).expect("a folder"), folder.path().join("node_modules")).expect("a link");
    let file = folder.path().join("sign.mjs");
    fs::write(&file, NODE).expect("a file");
    sign_with(|| {
        let mut node = Command::new("node");
        node.arg(&file);
        node
    });
}

#[test]
fn assertions_that_pyjwt_makes_in_python_are_taken() {
    let Some(python) = tools::find("JOTSMITH_TEST_PYTHON") else { return };
    sign_with(|| {
        let mut command = Command::new(&python);
        command.args(["-c", PYTHON]);
        command
    });
}

/// What `check` says of a client with these keys; nothing where it is sound.
fn checked(entry: &str) -> String {
    let site = Site::new();
    site.write_raw_config(entry);
    let outcome = program::run(site.folder(), &["check", "--config", "config.toml"]);
    if outcome.code == Some(0) { String::new() } else { outcome.stderr }
}

#[test]
fn keys_that_are_not_sound_are_named_with_their_place_and_not_repeated() {
    let key = ClientKey::new("one");
    let jwk = key.jwk();
    assert_eq!(checked(&signing_client(SIGNER, std::slice::from_ref(&jwk))), "");
    let private = changed(&jwk, "d", json!("aHVudGVyMg"));
    let mac = json!({ "kty": "oct", "k": "aHVudGVyMg" });
    for (jwks, why) in [
        (vec![private], "jwks: keys[0] is a private or symmetric key (it has d): give the public half alone"),
        (vec![jwk.clone(), mac], "jwks: keys[1] is a private or symmetric key (it has k)"),
        (vec![jwk.clone(), jwk.clone()], "jwks: keys[1] has the kid \"one\", as another key does"),
        (vec![changed(&jwk, "crv", json!("P-521"))], "jwks: keys[0] is not for any of our algorithms"),
        (vec![changed(&jwk, "x", json!("AAAA"))], "jwks: keys[0] is no sound key"),
        (vec![changed(&jwk, "use", json!("enc"))], "jwks: keys[0] is not for signatures"),
        (vec![], "jwks: keys is empty"),
    ] {
        let said = checked(&signing_client(SIGNER, &jwks));
        assert!(said.contains("config.toml:1: clients[\"signer\"]: ") && said.contains(why), "{said}");
        assert!(!said.contains("aHVudGVyMg"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let other = signing_client(SIGNER, std::slice::from_ref(&jwk)) + "token_endpoint_auth_signing_alg = \"RS256\"\n";
    assert!(checked(&other).contains("keys[0] is for ES256, and token_endpoint_auth_signing_alg is RS256"));
    let symmetric = signing_client(SIGNER, &[jwk]) + "token_endpoint_auth_signing_alg = \"HS256\"\n";
    assert!(checked(&symmetric).contains("\"HS256\" is not one of ES256, RS256, EdDSA"));
    let on_secret = machine() + "accept_token_endpoint_audience = true\n";
    assert!(checked(&on_secret).contains("accept_token_endpoint_audience is for clients with"));
}

#[test]
fn client_new_takes_a_set_a_key_or_a_private_key_and_prints_the_public_half_alone() {
    let site = Site::new();
    let jwk = ClientKey::new("mine").jwk();
    let write = |name: &str, text: &str| fs::write(site.folder().join(name), text).expect("a file");
    write("set.json", &json!({ "keys": [jwk] }).to_string());
    write("key.json", &jwk.to_string());
    write("private.json", &changed(&jwk, "d", json!("hunter2")).to_string());
    write("other.txt", "hunter2");
    let pem = signing_key::generate(Algorithm::EdDsa);
    write("key.pem", &pem);
    let new = |more: &[&str]| {
        program::run(site.folder(), &[&["client", "new", "--id", "signer", "--scope", "read"], more].concat())
    };
    for file in ["set.json", "key.json", "key.pem"] {
        let made = new(&["--private-key-jwt", file]);
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        assert!(made.stdout.contains("token_endpoint_auth_method = \"private_key_jwt\""), "{}", made.stdout);
        assert!(made.stderr.contains("no secret") && !made.stdout.contains("client_secrets"), "{}", made.stderr);
        assert_eq!(checked(&made.stdout), "");
        let secret_line = pem.lines().nth(1).expect("a line");
        assert!(!format!("{}{}", made.stdout, made.stderr).contains(secret_line));
    }
    assert!(new(&["--private-key-jwt", "set.json"]).stderr.contains("`kid` mine"));
    for (file, why) in [
        ("private.json", "private.json: keys[0] is a private or symmetric key (it has d)"),
        ("other.txt", "other.txt is neither a JWK Set nor a JWK (JSON), nor a private key in PEM"),
        ("nowhere", "nowhere cannot be read"),
    ] {
        let refused = new(&["--private-key-jwt", file]);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
        assert!(refused.stderr.contains(why) && !refused.stderr.contains("hunter2"), "{}", refused.stderr);
    }
    let both = new(&["--private-key-jwt", "key.json", "--public", "--redirect-uri", "http://127.0.0.1/cb"]);
    assert_eq!(both.code, Some(2));
}
