//! Trouble with the disk, over HTTP: while the store cannot keep anything, whatever needs it gets `503` with
//! `Retry-After`; when the cause goes, the server works again by itself, and has all that it had acknowledged.
//!
//! No file system is mounted for it, which a plain container may not do. The kernel refuses every write of the process
//! instead, for files may have no length any more (`RLIMIT_FSIZE`); and strace makes syncs fail.

use std::path::Path;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, RETRY_AFTER};
use reqwest::{Client, RequestBuilder};
use rustix::process::{Resource, Rlimit, prlimit};
use url::Url;

use crate::server::{CALLBACK, CLIENT, SECRET, Server};
use crate::wire::{self, Flaw, Outcome, Wire};

/// How often it is asked whether a server works again, and how long after each time.
const TURNS: usize = 600;
const PAUSE: Duration = Duration::from_millis(50);

/// How many rotations follow each other, more than those that go well before a sync fails.
const REFRESHES: usize = 40;

const STRACE: &str = "/usr/bin/strace";

/// How many bytes a file of the server may have from now on; none: as many as it likes.
fn limit_files(server: &Server, current: Option<u64>) {
    prlimit(Some(server.pid()), Resource::Fsize, Rlimit { current, maximum: None }).expect("our own process");
}

struct Answered {
    status: u16,
    retry_after: Option<String>,
    body: String,
}

async fn ask(request: RequestBuilder) -> Answered {
    let answer = request.send().await.expect("an answer");
    let retry_after = answer.headers().get(RETRY_AFTER).map(|value| value.to_str().expect("ASCII").to_owned());
    Answered { status: answer.status().as_u16(), retry_after, body: answer.text().await.expect("a body") }
}

fn post(http: &Client, server: &Server, path: &str, form: &[(&str, &str)]) -> RequestBuilder {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = http.post(format!("{}{path}", server.origin())).body(body);
    request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").basic_auth(CLIENT, Some(SECRET))
}

async fn is_ready(http: &Client, server: &Server) -> bool {
    ask(http.get(format!("{}/health/ready", server.admin_origin()))).await.status == 200
}

/// Waits until the server says that it is ready. It gets no other request meanwhile.
async fn until_ready(http: &Client, server: &Server) {
    for _ in 0..TURNS {
        if is_ready(http, server).await {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("it does not recover by itself");
}

/// With which error an authorization request goes back to the client.
async fn error_at_the_client(http: &Client, server: &Server, session: &str) -> String {
    let request = http.get(wire::authorization(server)).header(COOKIE, session);
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 302);
    let location = answer.headers().get(LOCATION).expect("where to").to_str().expect("ASCII");
    assert!(location.starts_with(&format!("{CALLBACK}?")), "{location}");
    let location = Url::parse(location).expect("a URL");
    let error = location.query_pairs().find(|(name, _)| name == "error").expect("an error");
    error.1.into_owned()
}

/// A grant, freshly redeemed: its refresh token.
async fn redeemed(wire: &Wire<'_>) -> String {
    let code = wire.code().await.expect("an answer").expect("a code");
    let Outcome::Token(token) = wire.redeem(wire::Intent::GoOn, &code).await else { panic!("not redeemed") };
    token
}

#[tokio::test]
async fn while_the_kernel_refuses_every_write_the_answer_is_503_and_afterwards_all_is_there() {
    let mut server = Server::under(&["/bin/sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
    server.start().expect("it starts");
    let session = wire::sign_in(&server).await;
    let wire = Wire::new(&server, Flaw::None, session.clone(), usize::MAX, fastrand::Rng::new());
    let http = wire::client();
    let (first, other) = (redeemed(&wire).await, redeemed(&wire).await);
    let code = wire.code().await.expect("an answer").expect("a code");
    assert!(is_ready(&http, &server).await);

    limit_files(&server, Some(0));
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", &*first)];
    let redeem = [("grant_type", "authorization_code"), ("code", &*code), ("redirect_uri", CALLBACK)];
    for _ in 0..3 {
        for request in [
            post(&http, &server, "/token", &refresh),
            post(&http, &server, "/token", &redeem),
            post(&http, &server, "/revoke", &[("token", &*other)]),
        ] {
            let Answered { status, retry_after, body } = ask(request).await;
            assert_eq!(status, 503, "{body}");
            let seconds = retry_after.expect("when to come again").parse::<u64>().expect("seconds");
            assert!(seconds >= 1);
        }
        // A browser does not stay with an error: the client is told (RFC 6749 §4.1.2.1).
        assert_eq!(error_at_the_client(&http, &server, &session).await, "temporarily_unavailable");
        assert!(!is_ready(&http, &server).await);
    }

    limit_files(&server, None);
    until_ready(&http, &server).await;
    assert!(matches!(wire.refresh(wire::Intent::GoOn, &first).await, Outcome::Token(token) if token != first));
    assert!(matches!(wire.redeem(wire::Intent::GoOn, &code).await, Outcome::Token(_)));
    // It was not taken back: that was answered with 503.
    assert!(matches!(wire.refresh(wire::Intent::GoOn, &other).await, Outcome::Token(_)));
    assert_eq!(wire.revoke(&other).await, Ok(wire::Ended::Yes));
    assert_eq!(wire.refresh(wire::Intent::GoOn, &other).await, Outcome::InvalidGrant);
}

#[tokio::test]
async fn a_sync_that_fails_is_answered_with_503_and_no_grant_is_lost_by_it() {
    if !Path::new(STRACE).exists() {
        let otherwise = format!("{STRACE} is missing; `apt-get install strace` brings it");
        assert!(std::env::var_os("JOTSMITH_TEST_REQUIRE_TOOLS").is_none(), "{otherwise}");
        println!("left out: {otherwise}");
        return;
    }
    // Strace counts by thread, and only the committer syncs so often. A start, a sign-in, a code and its redemption need
    // fewer than these.
    let fails = "inject=fdatasync:error=EIO:when=12..14";
    let traced = ["-D", "-f", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", fails];
    let mut server = Server::under(&[&[STRACE][..], &traced].concat());
    server.start().expect("it starts");
    let session = wire::sign_in(&server).await;
    let wire = Wire::new(&server, Flaw::None, session, usize::MAX, fastrand::Rng::new());
    let http = wire::client();
    let mut token = redeemed(&wire).await;

    let mut failures = 0;
    for _ in 0..REFRESHES {
        let (next, failed) = refreshed(&http, &server, &token).await;
        assert_ne!(next, token);
        (token, failures) = (next, failures + failed);
    }
    assert!(failures > 0, "no sync has failed");
    until_ready(&http, &server).await;
}

/// The token that comes next, however often it is asked for until then, and how often the answer was `503`. Whether a
/// rotation whose sync failed has happened is not known to anybody; the next one that is answered must be good either way.
async fn refreshed(http: &Client, server: &Server, token: &str) -> (String, usize) {
    for failures in 0..TURNS {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        let Answered { status, retry_after, body } = ask(post(http, server, "/token", &form)).await;
        if status == 200 {
            let json: serde_json::Value = serde_json::from_str(&body).expect("JSON");
            return (json["refresh_token"].as_str().expect("a refresh token").to_owned(), failures);
        }
        assert_eq!((status, retry_after.as_deref()), (503, Some("1")), "{body}");
        tokio::time::sleep(PAUSE).await;
    }
    panic!("it does not recover by itself");
}

#[tokio::test]
async fn a_second_process_on_the_folder_is_refused_in_one_sentence_and_the_first_goes_on() {
    let mut first = Server::new();
    first.start().expect("it starts");
    let session = wire::sign_in(&first).await;
    let wire = Wire::new(&first, Flaw::None, session, usize::MAX, fastrand::Rng::new());
    let token = redeemed(&wire).await;
    let refused = Server::with_store_of(&first).start().expect_err("the folder is in use");
    assert!(refused.contains("in use by another process: stop that one, or give this one its own folder"), "{refused}");
    assert!(matches!(wire.refresh(wire::Intent::GoOn, &token).await, Outcome::Token(_)));
}
