//! What is logged about people and their codes, and what never is.

use oauth2::PkceCodeChallenge;
use serde_json::{Value, json};

use crate::harness::browser::Browser;
use crate::harness::log::{self, Secrets, secret};
use crate::harness::people::{ALICE, PAGE_CALLBACK, WEB, WEB_CALLBACK, cheap_hash, people, with_page};
use crate::harness::requests::{ask_of_page, ask_of_web, mangled, redemption, refresh};
use crate::harness::{Answer, TestServer};

/// Every sealed field and token of a form.
fn add_form(secrets: &mut Secrets, page: &Answer) {
    let form = page.form();
    secrets.add_all(["request", "csrf"].map(|name| form.value(name).to_owned()));
}

fn add_cookies(secrets: &mut Secrets, browser: &Browser) {
    let values = ["browser", "session", "consents"].into_iter().filter_map(|name| browser.cookie(name));
    secrets.add_all(values.map(str::to_owned));
}

#[tokio::test]
async fn no_password_code_token_cookie_verifier_or_state_is_ever_logged() {
    let mut secrets = Secrets::default();
    let [password, wrong, typed_as_name, state, unknown] = [(); 5].map(|()| secret());
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let hash = cheap_hash(&password);
    let user = format!(
        "[[users]]\nusername = \"carol\"\nsubject = \"carol\"\npassword_hash = \"{hash}\"\n[lifetimes]\nrefresh_retry_window = \"0s\"\n"
    );
    let server = TestServer::start(&format!("{}\n{user}", people()));
    let asked = ask_of_web().with("state", &state).with("code_challenge", challenge.as_str());

    let mut browser = server.browser();
    let login = browser.authorize(&asked).await;
    add_form(&mut secrets, &login);
    add_cookies(&mut secrets, &browser);
    for (username, password) in [("carol", &wrong), (typed_as_name.as_str(), &password), ("carol", &typed_as_name)] {
        let again = browser.sign_in_as(&login, username, password).await;
        assert_eq!(again.status, 403);
        add_form(&mut secrets, &again);
    }
    let consent = browser.sign_in_as(&login, "carol", &password).await;
    add_form(&mut secrets, &consent);
    add_cookies(&mut secrets, &browser);
    let forged = browser.submit(&consent.form().press("allow").fill("csrf", &unknown)).await;
    assert_eq!(forged.status, 409);
    add_form(&mut secrets, &forged);
    let form = login.form().fill("username", "carol").fill("password", &password);
    let in_address = browser.submit_once(&form).await.location();
    secrets.add_all([in_address.query().expect("a sealed request").replace("request=", "")]);
    let consent = browser.get(&format!("/consent?{}", in_address.query().expect("a sealed request"))).await;
    let refused = asked.clone().with("scope", &unknown).and("login_hint", &typed_as_name);
    browser.authorize(&refused).await.assert_sent_back(&server, &refused, "invalid_scope");
    let elsewhere = asked.clone().with("redirect_uri", &format!("https://evil.example.com/{unknown}"));
    assert_eq!(browser.authorize(&elsewhere).await.status, 400);
    assert_eq!(browser.authorize(&asked.clone().with("client_id", &unknown)).await.status, 400);
    let code = browser.allow(&consent).await.code();
    add_cookies(&mut secrets, &browser);

    // Codes and tokens, good, forged, spent and used again.
    let form = redemption(&asked, &code).with("code_verifier", verifier.secret());
    let forged = mangled(&code).pop().expect("one");
    for wrong in
        [form.clone().with("code", &forged), form.clone().with("code_verifier", &format!("{unknown}{unknown}"))]
    {
        server.token(WEB, &wrong).await.assert_error(400, "invalid_grant");
    }
    let first = server.token(WEB, &form).await;
    let second = server.token(WEB, &refresh(&first.refresh_token())).await;
    for answer in [&first, &second] {
        secrets.add_token(answer);
        secrets.add(answer.refresh_token());
    }
    server.token(WEB, &refresh(&first.refresh_token())).await.assert_error(400, "invalid_grant");
    server.token(WEB, &form).await.assert_error(400, "invalid_grant");
    let logout = browser.get("/logout").await;
    secrets.add(logout.form().value("csrf"));
    browser.submit(&logout.form()).await;

    secrets.add_all([password, wrong, typed_as_name, state, unknown, code, forged, verifier.secret().clone()]);
    secrets.add_all(hash.rsplit('$').take(2).map(str::to_owned));
    secrets.assert_none_is_logged();
    assert!(log::text().contains("\"TRACE\"") || log::text().contains("\"DEBUG\""), "the finest level is on");
}

#[tokio::test]
async fn no_token_or_code_is_logged_whichever_way_it_passes_through_the_browser() {
    let mut secrets = Secrets::default();
    let server = TestServer::start(&with_page(&people()));
    let mut browser = server.browser();
    for mode in ["fragment", "form_post"] {
        for (ask, callback) in [(ask_of_web(), WEB_CALLBACK), (ask_of_page(), PAGE_CALLBACK)] {
            let state = secret();
            let answer = browser.consent(&ask.with("response_mode", mode).with("state", &state)).await;
            let sent = if mode == "fragment" { answer.sent_in_fragment() } else { answer.posted_to(callback) };
            assert_eq!(sent["state"], state);
            secrets.add(state);
            for handed in ["code", "access_token"].into_iter().filter_map(|name| sent.get(name)) {
                secrets.add(handed);
                secrets.add_all(handed.split('.').skip(1).map(str::to_owned));
            }
        }
    }
    secrets.assert_none_is_logged();
}

/// The line with this message about one request.
fn line(answer: &Answer, message: &str) -> Value {
    let lines = log::lines_with(answer.header("x-request-id"));
    let found = lines.iter().find(|line| line["message"] == message);
    found.unwrap_or_else(|| panic!("no {message:?} in {lines:?}")).clone()
}

#[tokio::test]
async fn what_a_person_was_refused_for_stands_in_the_log_under_the_identifier_on_the_page() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let login = browser.authorize(&ask_of_web()).await;
    let stale = browser.submit_from(&[("sec-fetch-site", "cross-site")], &login.form()).await;
    let unknown = browser.authorize(&ask_of_web().with("client_id", "nobody")).await;
    for (answer, route, cause) in
        [(stale, "/login", "the form was sent by another site's page"), (unknown, "/authorize", "client_id is unknown")]
    {
        answer.page().assert_says(answer.header("x-request-id"));
        let line = line(&answer, "request refused");
        assert_eq!((&line["level"], &line["error.cause"]), (&json!("INFO"), &json!(cause)));
        assert_eq!((&line["error.code"], &line["span"]["http.route"]), (&json!("invalid_request"), &json!(route)));
        assert!(!answer.body.contains(cause));
    }
    let wrong = browser.sign_in_as(&login, ALICE, "wrong").await;
    let line = line(&wrong, "not signed in");
    assert_eq!((&line["login.outcome"], &line["span"]["client.id"]), (&json!("wrong"), &json!(WEB)));
}

#[tokio::test]
async fn an_error_that_goes_back_to_the_client_is_logged_with_its_cause() {
    let server = TestServer::start(&people());
    let asked = ask_of_web().with("code_challenge_method", "plain");
    let answer = server.browser().authorize(&asked).await;
    answer.assert_sent_back(&server, &asked, "invalid_request");
    let line = line(&answer, "request refused");
    assert_eq!(line["error.cause"], "code_challenge_method is not S256");
}

#[tokio::test]
async fn whatever_ends_a_grant_is_a_warning_that_names_it() {
    let server = TestServer::start(&format!("{}\n[lifetimes]\nrefresh_retry_window = \"0s\"\n", people()));
    let asked = ask_of_web();
    let form = redemption(&asked, &server.code_for(&asked).await);
    server.token(WEB, &form).await.access_token();
    let replayed = server.token(WEB, &form).await;
    let first = server.tokens_for(&asked).await.refresh_token();
    server.token(WEB, &refresh(&first)).await.access_token();
    let reused = server.token(WEB, &refresh(&first)).await;
    for (answer, message) in
        [(replayed, "a code was presented again"), (reused, "a refresh token was used again; its grant is revoked")]
    {
        let line = line(&answer, message);
        assert_eq!((&line["level"], &line["span"]["client.id"]), (&json!("WARN"), &json!(WEB)));
        assert_eq!(line["grant.id"].as_str().map(str::len), Some(36), "{line}");
    }
}
