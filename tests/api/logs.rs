//! What is logged about requests, and what never is.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jotsmith::clients::ClientSecretHash;
use jotsmith::foundation::base64url;
use jotsmith::foundation::digest::sha256;
use jotsmith::foundation::password_hash::{Cost, Password, PasswordHash};
use jotsmith::foundation::random::OsRandom;
use jotsmith::keys::algorithm::Algorithm;
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};

use crate::harness::log::{Secrets, secret};
use crate::harness::program::Running;
use crate::harness::{
    Answer, CLIENT_CREDENTIALS, MACHINE, SECRET, START, Site, TestServer, log, machine, machine_with_secrets,
};

#[tokio::test]
async fn no_secret_hash_token_or_header_is_ever_logged() {
    let mut secrets = Secrets::default();
    let [generated, chosen, wrong, in_query, in_path, in_bearer] = [(); 6].map(|()| secret());
    let generated_hash = ClientSecretHash::of_generated(generated.as_bytes());
    let cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };
    let chosen_hash = PasswordHash::hash_blocking(&Password::new(&chosen).expect("a secret"), cost, &OsRandom);
    let chosen_hash = chosen_hash.to_phc_string();

    let site = Site::new();
    let key = site.add_key(Algorithm::Es256);
    let config = machine_with_secrets(&[&generated_hash, &chosen_hash]) + &key.entry;
    let server = TestServer::start_at(site, &config);
    for secret in [&generated, &chosen] {
        let basic = server.token_request(CLIENT_CREDENTIALS).basic_auth(MACHINE, Some(secret));
        secrets.add_token(&Answer::of(basic).await);
        let form = format!("{CLIENT_CREDENTIALS}&client_id={MACHINE}&client_secret={secret}");
        secrets.add_token(&server.post_token(&form).await);
        secrets.add(STANDARD.encode(format!("{MACHINE}:{secret}")));
    }
    let basic = server.token_request(CLIENT_CREDENTIALS).basic_auth(MACHINE, Some(&wrong));
    Answer::of(basic).await.assert_error(401, "invalid_client");
    let twice = format!("{CLIENT_CREDENTIALS}&client_id={MACHINE}&client_secret={wrong}&client_secret={wrong}");
    server.post_token(&twice).await.assert_error(400, "invalid_request");
    let as_client = format!("{CLIENT_CREDENTIALS}&client_id={wrong}&client_secret={wrong}");
    server.post_token(&as_client).await.assert_error(401, "invalid_client");
    for header in [format!("Bearer {in_bearer}"), format!("Basic {in_bearer}"), in_bearer.clone()] {
        let answer = Answer::of(server.token_request(CLIENT_CREDENTIALS).header(AUTHORIZATION, header)).await;
        answer.assert_error(401, "invalid_client");
    }
    for parameter in ["grant_type", "scope", "resource"] {
        let form = format!("{parameter}={wrong}&client_id={MACHINE}&client_secret={generated}");
        let form = if parameter == "grant_type" { form } else { format!("{form}&{CLIENT_CREDENTIALS}") };
        assert_eq!(server.post_token(&form).await.status, 400);
    }
    let url = server.url(&format!("/token?client_secret={in_query}"));
    assert_eq!(Answer::of(server.http().post(url)).await.status, 415);
    assert_eq!(server.get(&format!("/reset/{in_path}?code={in_query}")).await.status, 404);
    // A reload logs too, a refused one among them.
    server.reload(&config).await.expect("a good change");
    server.reload(&config.replace(&generated_hash, &generated)).await.expect_err("a secret in clear");
    server.reload(&config.replace("$argon2id$", "$argon2i$")).await.expect_err("another function");

    for written in [generated_hash.as_str(), generated_hash.trim_start_matches("sha256:"), &chosen_hash] {
        secrets.add(written);
    }
    secrets.add_all(chosen_hash.rsplit('$').take(2).map(str::to_owned));
    secrets.add_all([generated, chosen, wrong, in_query, in_path, in_bearer].into_iter().flat_map(|secret| {
        let digest = base64url::encode(sha256(&secret));
        [secret, digest]
    }));
    let pem = fs::read_to_string(&key.file).expect("a key");
    secrets.add_all(pem.lines().filter(|line| !line.starts_with("-----")).map(str::to_owned));
    secrets.assert_none_is_logged();
    assert!(log::text().contains("\"TRACE\"") || log::text().contains("\"DEBUG\""), "the finest level is on");
}

/// The lines about one request.
fn lines_of(answer: &Answer) -> Vec<Value> {
    log::lines_with(answer.header("x-request-id"))
}

#[tokio::test]
async fn an_error_stands_in_the_log_with_its_cause_under_the_identifier_of_the_answer() {
    let server = TestServer::start(&machine());
    let basic = |secret| server.token_request(CLIENT_CREDENTIALS).basic_auth(MACHINE, Some(secret));
    let wrong_secret = Answer::of(basic("wrong")).await;
    let unknown = server.post_token(&format!("{CLIENT_CREDENTIALS}&client_id=nobody")).await;
    // On the wire the two are the same; in the log they are not.
    for (answer, cause) in [(wrong_secret, "the client secret is wrong"), (unknown, "no client has this client_id")] {
        let error_id = answer.json()["error_id"].as_str().expect("an identifier").to_owned();
        let lines = log::lines_with(&error_id);
        let line = lines.iter().find(|line| line["error.id"] == json!(error_id)).expect("a line about the error");
        assert_eq!((&line["level"], &line["message"]), (&json!("INFO"), &json!("request refused")));
        assert_eq!((&line["error.code"], &line["error.cause"]), (&json!("invalid_client"), &json!(cause)));
        assert!(!answer.body.contains(cause));
        assert_eq!(line["span"]["request.id"], json!(error_id));
    }
}

#[tokio::test]
async fn an_error_of_the_server_is_logged_as_one() {
    let site = Site::new();
    let key = site.add_key(Algorithm::Es256);
    let server = TestServer::start_at(site, &format!("{}{}sign_from = \"{START}\"\n", machine(), key.entry));
    server.clock.set(START.before(std::time::Duration::from_secs(1)));
    let answer = server.machine_token(CLIENT_CREDENTIALS).await;
    answer.assert_error(500, "server_error");
    let lines = lines_of(&answer);
    let line = lines.iter().find(|line| line["level"] == "ERROR").expect("an error");
    assert_eq!(line["error.cause"], "no ES256 key signs now");
}

#[tokio::test]
async fn a_request_is_logged_with_its_route_and_who_asked_for_what() {
    let server = TestServer::start(&machine());
    let answer = server.machine_token(CLIENT_CREDENTIALS).await;
    assert_eq!(answer.status, 200);
    let lines = lines_of(&answer);
    let line = lines.iter().find(|line| line["message"] == "answered").expect("a line at the end");
    let span = &line["span"];
    let expected = json!({
        "name": "request", "request.id": answer.header("x-request-id"), "http.method": "POST",
        "http.route": "/token", "client.id": MACHINE, "grant.type": "client_credentials",
    });
    assert_eq!(*span, expected);
    assert_eq!(line["http.status"], 200);
}

/// A program of which nobody wants to see the finest lines: no request has a span, and each line says what it is about.
fn lines_at_info(format: &str) -> (String, String) {
    let site = Site::new();
    site.write_config(&format!("{}[log]\nformat = \"{format}\"\n", machine()));
    let file = site.config_file();
    let mut serving = Running::start(site.folder(), &["serve", "--config", file.to_str().expect("UTF-8")]);
    serving.wait_for_log("serving");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let answer = runtime.block_on(async {
        let request = reqwest::Client::new().post(format!("{}/token?code=4712", site.origin()));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let form = "grant_type=client_credentials&scope=none-such";
        Answer::of(request.basic_auth(MACHINE, Some(SECRET)).body(form)).await
    });
    answer.assert_error(400, "invalid_scope");
    (serving.wait_for_log("request refused"), answer.header("x-request-id").to_owned())
}

#[test]
fn a_line_says_which_request_it_is_about_where_only_some_lines_are_wanted() {
    let (line, id) = lines_at_info("json");
    let line: Value = serde_json::from_str(&line).expect("a line of JSON");
    let span = json!({
        "name": "request", "request.id": id, "http.method": "POST", "http.route": "/token", "client.id": MACHINE,
        "grant.type": "client_credentials",
    });
    assert_eq!((&line["span"], &line["error.code"]), (&span, &json!("invalid_scope")));

    let (line, id) = lines_at_info("text");
    let end = format!(
        " request.id=\"{id}\" http.method=\"POST\" http.route=\"/token\" client.id=\"{MACHINE}\" \
         grant.type=\"client_credentials\""
    );
    assert!(line.ends_with(&end) && line.contains(" INFO request refused error.id="), "{line}");
}

#[tokio::test]
async fn neither_a_query_nor_a_path_that_is_not_there_is_logged() {
    let server = TestServer::start(&machine());
    let unknown = server.get("/not/there/4711?code=4712").await;
    let known = server.get("/.well-known/jwks.json?state=4713").await;
    for (answer, route) in [(&unknown, Value::Null), (&known, json!("/.well-known/jwks.json"))] {
        let lines = lines_of(answer);
        assert!(!lines.is_empty(), "it is logged");
        for line in lines {
            assert_eq!(line["span"]["http.route"], route);
            assert!(
                !["not/there", "4711", "4712", "4713"].iter().any(|text| line.to_string().contains(text)),
                "{line}"
            );
        }
    }
}

#[tokio::test]
async fn every_answer_names_its_request() {
    let server = TestServer::start(&machine());
    let mut names = std::collections::BTreeSet::new();
    for path in ["/.well-known/jwks.json", "/.well-known/oauth-authorization-server", "/token", "/nowhere"] {
        names.insert(server.get(path).await.header("x-request-id").to_owned());
    }
    names.insert(server.get_admin("/health/live").await.header("x-request-id").to_owned());
    names.insert(server.machine_token(CLIENT_CREDENTIALS).await.header("x-request-id").to_owned());
    assert!(names.len() == 6 && names.iter().all(|name| !name.is_empty()), "{names:?}");
}
