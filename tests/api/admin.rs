//! `/admin/grants` and `jotsmith grants`: who may ask, what is shown, and what ends.

use std::fs;
use std::time::Duration;

use jotsmith::clients::ClientSecretHash;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::people::{
    ALICE, ALICES_SUBJECT, API, APP, BOB, BOBS_PASSWORD, BOBS_SUBJECT, PASSWORD, WEB, people, with_bob, without_client,
};
use crate::harness::program::{self, Outcome, Running};
use crate::harness::requests::{Parameters, ask_of_app, ask_of_trusted, ask_of_web, redemption, refresh};
use crate::harness::{Answer, SECRET, START, Site, TestServer, claims, free_port, log};

const PATH: &str = "/admin/grants";

const HOUR: Duration = Duration::from_hours(1);

/// The client of an operator.
const OPS: &str = "ops";

/// A resource that is not the admin API, and for which the admin scope means something too.
const ELSEWHERE: &str = "https://elsewhere.example.com";

/// Two people, their clients, and an operator.
fn config() -> String {
    let (secret, people) = (ClientSecretHash::of_generated(SECRET.as_bytes()), with_bob(&people()));
    format!(
        r#"{people}
        [[resources]]
        identifier = "<origin>/admin"
        scope = "jotsmith:admin read"
        [[resources]]
        identifier = "{ELSEWHERE}"
        scope = "jotsmith:admin"
        [[clients]]
        client_id = "{OPS}"
        client_secrets = ["{secret}"]
        grant_types = ["client_credentials"]
        response_types = []
        scope = "jotsmith:admin read"
        resources = ["<origin>/admin", "{ELSEWHERE}"]
        [[clients]]
        client_id = "legacy"
        client_secrets = ["{secret}"]
        grant_types = ["password", "refresh_token"]
        scope = "jotsmith:admin read write"
        "#
    )
}

/// A token request of the operator.
fn operators(server: &TestServer) -> Parameters {
    let admin = format!("{}/admin", server.site.origin());
    let asked = [("grant_type", "client_credentials"), ("scope", "jotsmith:admin"), ("resource", admin.as_str())];
    Parameters::new(asked)
}

async fn operator(server: &TestServer) -> String {
    server.token(OPS, &operators(server)).await.access_token()
}

async fn ask(server: &TestServer, method: Method, query: &str, token: &str) -> Answer {
    let request = server.http().request(method, server.admin_url(&format!("{PATH}{query}")));
    Answer::of(request.bearer_auth(token)).await
}

async fn list(server: &TestServer, query: &str) -> Value {
    let answer = ask(server, Method::GET, query, &operator(server).await).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.assert_is_not_stored();
    assert_eq!(answer.header("access-control-allow-origin"), "");
    answer.json()
}

async fn end(server: &TestServer, query: &str) -> Value {
    let answer = ask(server, Method::DELETE, query, &operator(server).await).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.assert_is_not_stored();
    answer.json()
}

/// Tokens of a person at the client that asks with their password.
async fn tokens_of(server: &TestServer, username: &str, password: &str) -> Answer {
    let asked = [("grant_type", "password"), ("username", username), ("password", password), ("scope", "read")];
    let answer = server.token("legacy", &Parameters::new(asked)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer
}

/// Whose grants are listed, with their clients.
fn owners<'v>(page: &'v Value) -> Vec<(&'v str, &'v str)> {
    let grants = page["grants"].as_array().expect("a list");
    let text = |grant: &'v Value, name: &str| grant[name].as_str().expect("a text");
    grants.iter().map(|grant| (text(grant, "subject"), text(grant, "client_id"))).collect()
}

#[tokio::test]
async fn grants_are_listed_by_person_and_client_and_show_no_token() {
    let server = TestServer::start(&config());
    let first = server.tokens_for(&ask_of_web()).await;
    server.advance(Duration::from_mins(1));
    let second = tokens_of(&server, BOB, BOBS_PASSWORD).await;
    server.advance(Duration::from_mins(1));
    let refreshed = server.token(WEB, &refresh(&first.refresh_token())).await;
    assert_eq!(refreshed.status, 200);

    let at = |seconds| (START + Duration::from_secs(seconds)).to_string();
    let page = list(&server, "").await;
    assert_eq!(owners(&page), [(ALICES_SUBJECT, WEB), (BOBS_SUBJECT, "legacy")]);
    assert_eq!(page.as_object().map(serde_json::Map::len), Some(1), "the last page: {page}");
    let grant = &page["grants"][0];
    let expected = json!({ "id": grant["id"], "client_id": WEB, "subject": ALICES_SUBJECT, "scope": "read write",
        "resources": [API], "created_at": at(0), "refreshed_at": at(120), "expires_at": grant["expires_at"],
        "revoked_at": null });
    assert_eq!(grant, &expected);
    assert_eq!(page["grants"][1]["refreshed_at"], Value::Null);
    for answer in [&first, &second, &refreshed] {
        for secret in [answer.refresh_token(), answer.access_token()] {
            assert!(!page.to_string().contains(&secret));
        }
    }

    assert_eq!(owners(&list(&server, &format!("?subject={BOBS_SUBJECT}")).await), [(BOBS_SUBJECT, "legacy")]);
    assert_eq!(owners(&list(&server, &format!("?client_id={WEB}")).await), [(ALICES_SUBJECT, WEB)]);
    assert_eq!(owners(&list(&server, &format!("?client_id={WEB}&subject={BOBS_SUBJECT}")).await), []);
    let page = list(&server, "?limit=1").await;
    assert_eq!(owners(&page), [(ALICES_SUBJECT, WEB)]);
    let next = page["next"].as_str().expect("there is more");
    assert_eq!(owners(&list(&server, &format!("?limit=1&after={next}")).await), [(BOBS_SUBJECT, "legacy")]);
    let head = ask(&server, Method::HEAD, "", &operator(&server).await).await;
    assert_eq!((head.status.as_u16(), head.body.as_str()), (200, ""));
}

#[tokio::test]
async fn one_request_logs_a_person_out_everywhere_and_nobody_else() {
    let server = TestServer::start(&config());
    let mut browser = server.browser();
    let code = browser.code(&ask_of_web()).await;
    let web = server.token(WEB, &redemption(&ask_of_web(), &code)).await;
    let app = server.tokens_for(&ask_of_app()).await;
    let bobs = tokens_of(&server, BOB, BOBS_PASSWORD).await;
    let waiting = browser.code(&ask_of_web()).await;
    let page = server.browser().authorize(&ask_of_web()).await;
    assert!(page.is_login(), "somebody who never signed in");
    server.advance(Duration::from_secs(1));

    let ended = end(&server, &format!("?subject={ALICES_SUBJECT}")).await;
    assert_eq!(ended, json!({ "revoked_grants": 2, "removed_codes": 1, "ended_sessions": true }));
    for token in [web.access_token(), web.refresh_token()] {
        assert!(!server.is_active(WEB, &token).await);
    }
    server.token(WEB, &refresh(&web.refresh_token())).await.assert_error(400, "invalid_grant");
    server.token(APP, &refresh(&app.refresh_token())).await.assert_error(400, "invalid_grant");
    server.token(WEB, &redemption(&ask_of_web(), &waiting)).await.assert_error(400, "invalid_grant");
    // Neither the session nor the consent is remembered.
    server.advance(Duration::from_secs(1));
    let page = browser.authorize(&ask_of_web()).await;
    assert!(page.is_login());
    assert!(browser.sign_in(&page).await.is_consent());
    assert!(server.is_active("legacy", &bobs.access_token()).await);

    let grants = list(&server, &format!("?subject={ALICES_SUBJECT}")).await;
    let revoked = (START + Duration::from_secs(1)).to_string();
    assert!(grants["grants"].as_array().is_some_and(|all| all.iter().all(|grant| grant["revoked_at"] == *revoked)));
    // What begins after it is good, and again is nothing more to end.
    let again = end(&server, &format!("?subject={ALICES_SUBJECT}")).await;
    assert_eq!(again, json!({ "revoked_grants": 0, "removed_codes": 0, "ended_sessions": true }));
    server.advance(Duration::from_secs(1));
    let fresh = server.tokens_for(&ask_of_web()).await;
    assert!(server.is_active(WEB, &fresh.access_token()).await);
}

#[tokio::test]
async fn who_signed_in_while_the_clock_was_ahead_is_logged_out_for_good_all_the_same() {
    for ahead in [Duration::from_secs(30), HOUR] {
        let server = TestServer::start(&config());
        let mut browser = server.browser();
        browser.code(&ask_of_web()).await;
        server.clock.set(START.before(ahead));
        let ended = end(&server, &format!("?subject={ALICES_SUBJECT}")).await;
        assert_eq!(ended["ended_sessions"], true);
        server.advance(Duration::from_secs(1));
        assert!(browser.clone().authorize(&ask_of_web()).await.is_login(), "{ahead:?}");
        // Nor when the clock has come to the time of that sign-in.
        server.clock.set(START + Duration::from_secs(1));
        let page = browser.authorize(&ask_of_web()).await;
        assert!(page.is_login(), "{ahead:?}");
        assert!(browser.sign_in(&page).await.is_consent(), "the consent is gone too, {ahead:?}");
    }
}

#[tokio::test]
async fn who_was_logged_out_by_a_clock_that_was_ahead_is_kept_out_until_then_and_the_log_says_why() {
    let server = TestServer::start(&config());
    server.clock.set(START + HOUR);
    end(&server, &format!("?subject={ALICES_SUBJECT}")).await;
    server.clock.set(START);
    let mut browser = server.browser();
    let page = browser.authorize(&ask_of_web()).await;
    let answer = browser.sign_in(&page).await;
    assert_eq!(answer.sent_back()["error"], "access_denied");
    let lines = log::lines_with(answer.header("x-request-id"));
    let until = (START + HOUR).to_string();
    assert!(lines.iter().any(|line| line["level"] == "WARN" && line["until"] == *until), "{lines:?}");

    server.clock.set(START + HOUR + Duration::from_secs(1));
    assert!(browser.consent(&ask_of_web()).await.code().starts_with("jsc_"));
}

#[tokio::test]
async fn what_a_client_has_ends_and_people_stay_signed_in() {
    let server = TestServer::start(&config());
    let mut browser = server.browser();
    let code = browser.code(&ask_of_web()).await;
    let web = server.token(WEB, &redemption(&ask_of_web(), &code)).await;
    let alices = tokens_of(&server, ALICE, PASSWORD).await;
    let bobs = tokens_of(&server, BOB, BOBS_PASSWORD).await;
    let waiting = browser.code(&ask_of_web()).await;

    let ended = end(&server, &format!("?client_id={WEB}")).await;
    assert_eq!(ended, json!({ "revoked_grants": 1, "removed_codes": 1, "ended_sessions": false }));
    assert!(!server.is_active(WEB, &web.access_token()).await);
    server.token(WEB, &redemption(&ask_of_web(), &waiting)).await.assert_error(400, "invalid_grant");
    browser.authorize(&ask_of_trusted()).await.code();
    let both = format!("?client_id=legacy&subject={ALICES_SUBJECT}");
    assert_eq!(end(&server, &both).await["revoked_grants"], 1);
    assert!(!server.is_active("legacy", &alices.access_token()).await);
    assert!(server.is_active("legacy", &bobs.access_token()).await);
}

/// The error code of a refusal, and that it is one of RFC 6750 §3.
fn refused(answer: &Answer, status: u16) -> Option<String> {
    let body = answer.json();
    assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
    let challenge = answer.header("www-authenticate");
    assert!(challenge.starts_with("Bearer realm=\"") && challenge.contains("scope=\"jotsmith:admin\""), "{challenge}");
    let error = body["error"].as_str();
    assert_eq!(challenge.contains("error="), error.is_some(), "{challenge}");
    assert!(error.is_none_or(|error| challenge.contains(&format!("error=\"{error}\""))), "{challenge}");
    assert_eq!(body["error_id"].as_str(), Some(answer.header("x-request-id")));
    answer.assert_is_not_stored();
    error.map(str::to_owned)
}

#[tokio::test]
async fn only_a_clients_own_token_for_the_admin_api_alone_with_its_scope_is_let_through() {
    let server = TestServer::start(&config());
    let asked = operators(&server);
    let good = operator(&server).await;
    let (elsewhere, no_scope) = (asked.clone().with("resource", ELSEWHERE), asked.clone().with("scope", "read"));
    let elsewhere = server.token(OPS, &elsewhere).await.access_token();
    // Whoever runs the other resource receives it too, and could bring it here.
    let both = server.token(OPS, &asked.clone().and("resource", ELSEWHERE)).await.access_token();
    assert_eq!(claims(&both)["aud"].as_array().map(Vec::len), Some(2));
    let no_scope = server.token(OPS, &no_scope).await.access_token();
    let asked = [("grant_type", "password"), ("username", ALICE), ("password", PASSWORD), ("scope", "jotsmith:admin")];
    let admin = format!("{}/admin", server.issuer);
    let persons = server.token("legacy", &Parameters::new(asked).and("resource", &admin)).await;
    let mut forged = good.clone().into_bytes();
    let at = forged.len() - 20;
    forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).expect("ASCII");

    for method in [Method::GET, Method::DELETE] {
        let query = format!("?subject={ALICES_SUBJECT}");
        for token in [elsewhere.clone(), both.clone(), persons.access_token(), persons.refresh_token(), forged.clone()]
        {
            let answer = ask(&server, method.clone(), &query, &token).await;
            assert_eq!(refused(&answer, 401).as_deref(), Some("invalid_token"), "{method} {token}");
        }
        let answer = ask(&server, method.clone(), &query, &no_scope).await;
        assert_eq!(refused(&answer, 403).as_deref(), Some("insufficient_scope"));
        let twice = format!("{query}&access_token={good}");
        let answer = ask(&server, method.clone(), &twice, &good).await;
        assert_eq!(refused(&answer, 400).as_deref(), Some("invalid_request"));
        for query in [query.clone(), twice] {
            let request = server.http().request(method.clone(), server.admin_url(&format!("{PATH}{query}")));
            assert_eq!(refused(&Answer::of(request).await, 401), None, "no token, or one in the query alone");
        }
        let basic = server.http().request(method.clone(), server.admin_url(&format!("{PATH}{query}")));
        assert_eq!(refused(&Answer::of(basic.basic_auth(OPS, Some(SECRET))).await, 401), None);
    }
    assert!(server.is_active("legacy", &persons.access_token()).await, "nothing was ended");

    server.advance(Duration::from_mins(5));
    assert_eq!(refused(&ask(&server, Method::GET, "", &good).await, 401).as_deref(), Some("invalid_token"));
    let fresh = operator(&server).await;
    assert_eq!(ask(&server, Method::GET, "", &fresh).await.status, 200);
    let elsewhere = server.http().get(server.url(PATH)).bearer_auth(&fresh);
    assert_eq!(Answer::of(elsewhere).await.status, 404, "not on the public port");
    for method in [Method::POST, Method::OPTIONS] {
        let answer = ask(&server, method, "", &fresh).await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "GET, HEAD, DELETE"));
    }
    server.reload(&without_client(&config(), OPS)).await.expect("a good change");
    let answer = ask(&server, Method::GET, "", &fresh).await;
    assert_eq!(refused(&answer, 401).as_deref(), Some("invalid_token"), "its client is gone");
    server.reload(&format!("server.admin_scope = \"read\"\n{}", config())).await.expect("a good change");
    assert_eq!(ask(&server, Method::GET, "", &fresh).await.status, 403, "another scope is asked for");
}

#[tokio::test]
async fn a_token_of_another_issuer_with_the_same_keys_is_refused() {
    let mut server = TestServer::start(&format!("issuer = \"<origin>/other\"\n{}", config()));
    let form = operators(&server).encoded();
    let others = server.post("/other/token", &form).basic_auth(OPS, Some(SECRET));
    let others = Answer::of(others).await.access_token();
    server.restart(|site| site.write_config(&config()));
    assert_eq!(refused(&ask(&server, Method::GET, "", &others).await, 401).as_deref(), Some("invalid_token"));
    assert_eq!(ask(&server, Method::GET, "", &operator(&server).await).await.status, 200);
}

#[tokio::test]
async fn a_request_for_another_host_is_refused_whatever_its_token() {
    let server = TestServer::start(&config());
    let token = operator(&server).await;
    let with_host = |host: &str| {
        let request = server.http().get(server.admin_url(PATH)).header("host", host);
        Answer::of(request.bearer_auth(&token))
    };
    for host in ["evil.example", "evil.example:9090", "localhost.evil.example", "127.0.0.1.evil.example", "x@127.0.0.1"]
    {
        let answer = with_host(host).await;
        assert_eq!((answer.status.as_u16(), answer.json()["error"].as_str()), (421, Some("invalid_request")), "{host}");
        assert_eq!(answer.header("www-authenticate"), "");
    }
    for host in ["localhost", "localhost:1", "127.0.0.1:1", "[::1]:1"] {
        assert_eq!(with_host(host).await.status, 200, "{host}");
    }
}

#[tokio::test]
async fn a_parameter_that_is_not_understood_ends_nothing() {
    let server = TestServer::start(&config());
    let tokens = tokens_of(&server, ALICE, PASSWORD).await;
    let token = operator(&server).await;
    let refuse = async |method: Method, query: &str| {
        let answer = ask(&server, method, query, &token).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["error"].as_str()),
            (400, Some("invalid_request")),
            "{query}"
        );
    };
    for query in [
        "?subject=",
        "?client_id=",
        "?client_id=legacy&subject=",
        "?client_id=legacy&client_id=legacy",
        "?client_id=legacy&subject=a&subject=b",
        "?client_id=legacy&subjekt=a",
        "?client_id=legacy&resource=a",
        "?client_id=legacy&%73ubject=a%20b",
        "?client_id=legacy&subject=%FF",
        "?client_id=legacy&subject",
        &format!("?subject={}", "a".repeat(256)),
    ] {
        refuse(Method::GET, query).await;
        refuse(Method::DELETE, query).await;
    }
    for query in ["?limit=0", "?limit=1001", "?limit=-1", "?limit=1&limit=1", "?after=1", "?after="] {
        refuse(Method::GET, query).await;
    }
    let id = "0190a5b0-0000-7000-8000-000000000000";
    for query in ["", "?client_id=legacy&limit=1", &format!("?client_id=legacy&after={id}")] {
        refuse(Method::DELETE, query).await;
    }
    assert!(server.is_active("legacy", &tokens.access_token()).await);
}

#[tokio::test]
async fn without_a_store_the_answer_is_503() {
    let server = TestServer::start(&config());
    let token = operator(&server).await;
    server.lose_store().await;
    for method in [Method::GET, Method::DELETE] {
        let answer = ask(&server, method, &format!("?subject={ALICES_SUBJECT}"), &token).await;
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert_ne!(answer.header("retry-after"), "");
    }
}

/// The program, which serves, and a client for its public port.
struct Served {
    site: Site,
    _server: Running,
    http: reqwest::Client,
}

impl Served {
    fn start(config: &str) -> Self {
        let site = Site::new();
        site.write_config(&with_port(config, free_port()));
        let (server, _) = Running::serve(&site);
        Self { site, _server: server, http: reqwest::Client::new() }
    }

    async fn token(&self, client_id: &str, form: &Parameters) -> Answer {
        let request = self.http.post(format!("{}/token", self.site.origin())).basic_auth(client_id, Some(SECRET));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form.encoded());
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer
    }

    async fn sign_in(&self, username: &str, password: &str) -> Answer {
        let form = [("grant_type", "password"), ("username", username), ("password", password), ("scope", "read")];
        self.token("legacy", &Parameters::new(form)).await
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        program::run(self.site.folder(), &[&["grants"], arguments, &["--config", "config.toml"]].concat())
    }

    fn output(&self, arguments: &[&str]) -> String {
        let Outcome { code, stdout, stderr } = self.run(arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {stderr}");
        stdout
    }

    /// The sentence with which a command fails.
    fn failure(&self, arguments: &[&str]) -> String {
        let Outcome { code, stdout, stderr } = self.run(arguments);
        assert_eq!((code, stdout.as_str(), stderr.lines().count()), (Some(1), "", 1), "{arguments:?}: {stderr}");
        stderr
    }
}

fn with_port(config: &str, port: u16) -> String {
    format!("server.admin_listen = \"127.0.0.1:{port}\"\n{config}")
}

#[tokio::test]
async fn the_command_lists_and_revokes_with_a_token_of_its_own() {
    let served = Served::start(&config());
    let (alices, _bobs) = (served.sign_in(ALICE, PASSWORD).await, served.sign_in(BOB, BOBS_PASSWORD).await);
    let all = served.output(&["list"]);
    assert_eq!(all.lines().count(), 2, "{all}");
    assert!(all.contains(&format!("{ALICES_SUBJECT} at legacy")) && all.contains("refreshed never"), "{all}");
    let line = served.output(&["list", "--subject", ALICES_SUBJECT, "--json"]);
    let grant: Value = serde_json::from_str(&line).expect("one line of JSON");
    assert_eq!((&grant["subject"], &grant["revoked_at"]), (&json!(ALICES_SUBJECT), &Value::Null));

    let said = served.output(&["revoke", "--subject", ALICES_SUBJECT]);
    assert_eq!(
        said,
        "Revoked 1 grant and removed 0 codes.\nEvery session and remembered consent of this person has ended.\n"
    );
    let refreshed = refresh(&alices.refresh_token()).encoded();
    let request = served.http.post(format!("{}/token", served.site.origin())).basic_auth("legacy", Some(SECRET));
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(refreshed);
    Answer::of(request).await.assert_error(400, "invalid_grant");
    assert!(served.output(&["list", "--subject", ALICES_SUBJECT]).contains("  revoked 20"));
    let said = served.output(&["revoke", "--client", "legacy", "--json"]);
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(said, json!({ "revoked_grants": 1, "removed_codes": 0, "ended_sessions": false }));

    let Outcome { code, stderr, .. } = served.run(&["revoke"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("--subject") && stderr.contains("--client"), "{stderr}");
    assert!(served.failure(&["revoke", "--subject", "two words"]).contains("printable ASCII"));
}

#[tokio::test]
async fn the_command_takes_a_token_from_a_file_and_says_what_is_wrong() {
    let served = Served::start(&config());
    let admin = format!("{}/admin", served.site.origin());
    let form = [("grant_type", "client_credentials"), ("scope", "jotsmith:admin"), ("resource", admin.as_str())];
    let form = Parameters::new(form);
    let write = |name: &str, text: &str| fs::write(served.site.folder().join(name), text).expect("written");
    write("good", &format!("{}\n", served.token(OPS, &form).await.access_token()));
    write("elsewhere", &served.token(OPS, &form.clone().with("resource", ELSEWHERE)).await.access_token());
    write("read", &served.token(OPS, &form.clone().with("scope", "read")).await.access_token());
    write("empty", "\n");
    assert_eq!(served.output(&["list", "--token-file", "good"]), "");
    for (file, what) in [
        ("elsewhere", "for the resource <issuer>/admin"),
        ("read", "server.admin_scope"),
        ("empty", "has no access token"),
        ("missing", "cannot be read"),
    ] {
        let said = served.failure(&["list", "--token-file", file]);
        assert!(said.contains(what), "{file}: {said}");
    }

    // Of another server's keys, of another scope, of no server.
    let text = fs::read_to_string(served.site.config_file()).expect("a configuration");
    let other = |name: &str, text: &str| {
        write(name, text);
        let Outcome { code, stderr, .. } = program::run(served.site.folder(), &["grants", "list", "--config", name]);
        assert_eq!((code, stderr.lines().count()), (Some(1), 1), "{stderr}");
        stderr
    };
    let scope = text.replacen("[server]", "[server]\nadmin_scope = \"another\"", 1);
    assert!(other("scope.toml", &with_scope(&text, &scope)).contains("another server.admin_scope"));
    let nobody = text.replace("admin_listen = \"127.0.0.1:", "admin_listen = \"127.0.0.2:");
    assert!(other("nobody.toml", &nobody).contains("is it running"));
    let keyless = format!("keys.directory = \"nowhere\"\n{text}");
    let said = other("keyless.toml", &keyless);
    assert!(said.contains("--token-file"), "{said}");
}

/// The text in which `admin_scope` is another one, wherever the tables of the first one stand.
fn with_scope(text: &str, changed: &str) -> String {
    if text == changed { format!("server.admin_scope = \"another\"\n{text}") } else { changed.to_owned() }
}
