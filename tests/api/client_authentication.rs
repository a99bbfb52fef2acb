//! How a client proves who it is at the token endpoint (RFC 6749 §2.3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jotsmith::clients::ClientSecretHash;
use jotsmith::foundation::password_hash::{Cost, Password, PasswordHash};
use jotsmith::foundation::random::OsRandom;
use reqwest::header::AUTHORIZATION;

use crate::harness::{
    Answer, CLIENT_CREDENTIALS, MACHINE, SECRET, TestServer, machine, machine_with_secrets, public_client,
};

/// The cheapest hash that a configuration may hold: what is tested is not how slow it is.
fn argon2id(secret: &str) -> String {
    let cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };
    PasswordHash::hash_blocking(&Password::new(secret).expect("a secret"), cost, &OsRandom).to_phc_string()
}

async fn with_basic(server: &TestServer, client_id: &str, secret: &str) -> Answer {
    Answer::of(server.token_request(CLIENT_CREDENTIALS).basic_auth(client_id, Some(secret))).await
}

async fn with_header(server: &TestServer, authorization: &str, form: &str) -> Answer {
    let form = format!("{CLIENT_CREDENTIALS}{form}");
    Answer::of(server.token_request(&form).header(AUTHORIZATION, authorization)).await
}

async fn in_body(server: &TestServer, client_id: &str, secret: &str) -> Answer {
    server.post_token(&format!("{CLIENT_CREDENTIALS}&client_id={client_id}&client_secret={secret}")).await
}

#[tokio::test]
async fn header_and_body_are_good_whichever_the_client_is_registered_for() {
    for method in ["client_secret_basic", "client_secret_post"] {
        let server = TestServer::start(&format!("{}token_endpoint_auth_method = \"{method}\"\n", machine()));
        with_basic(&server, MACHINE, SECRET).await.access_token();
        in_body(&server, MACHINE, SECRET).await.access_token();
    }
}

#[tokio::test]
async fn both_halves_of_a_basic_header_are_form_decoded() {
    let hash = ClientSecretHash::of_generated("p:%+w é".as_bytes());
    let config = machine_with_secrets(&[&hash]).replace(MACHINE, "https://client.example.com/a b");
    let server = TestServer::start(&config);
    // RFC 6749 §2.3.1: each half is encoded with application/x-www-form-urlencoded before the two are joined.
    let joined = "https%3A%2F%2Fclient.example.com%2Fa+b:p%3A%25%2Bw+%C3%A9";
    with_header(&server, &format!("Basic {}", STANDARD.encode(joined)), "").await.access_token();
    // The name of the scheme knows no case (RFC 9110 §11.1).
    with_header(&server, &format!("bASIC {}", STANDARD.encode(joined)), "").await.access_token();
    // Not decoded, it is another secret.
    let raw = "https%3A%2F%2Fclient.example.com%2Fa+b:p:%+w é";
    with_header(&server, &format!("Basic {}", STANDARD.encode(raw)), "").await.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn two_secrets_are_live_at_once() {
    let hashes = ["the-old-one", "the-new-one"].map(|secret| ClientSecretHash::of_generated(secret.as_bytes()));
    let server = TestServer::start(&machine_with_secrets(&[&hashes[0], &hashes[1]]));
    with_basic(&server, MACHINE, "the-old-one").await.access_token();
    with_basic(&server, MACHINE, "the-new-one").await.access_token();
    with_basic(&server, MACHINE, "a-third-one").await.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn a_secret_that_a_person_chose_is_verified_against_its_argon2id_hash() {
    let generated = ClientSecretHash::of_generated(SECRET.as_bytes());
    let server = TestServer::start(&machine_with_secrets(&[&argon2id("correct horse"), &generated]));
    for _ in 0..2 {
        // The second time it comes from memory.
        in_body(&server, MACHINE, "correct+horse").await.access_token();
        in_body(&server, MACHINE, "correct+horsf").await.assert_error(401, "invalid_client");
    }
    with_basic(&server, MACHINE, SECRET).await.access_token();
    let too_long = "x".repeat(1025);
    with_basic(&server, MACHINE, &too_long).await.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn an_unknown_client_and_a_wrong_secret_are_answered_alike() {
    let server = TestServer::start(&machine());
    let mut answers = Vec::new();
    for (client_id, secret) in [(MACHINE, "wrong"), ("nobody", SECRET), ("nobody", "wrong")] {
        for mut answer in [with_basic(&server, client_id, secret).await, in_body(&server, client_id, secret).await] {
            answer.assert_error(401, "invalid_client");
            answer.body = answer.body.replace(answer.header("x-request-id"), "");
            answer.headers.remove("x-request-id");
            answer.headers.remove("date");
            answers.push((answer.headers, answer.body));
        }
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[tokio::test]
async fn a_confidential_client_that_sends_no_secret_is_refused() {
    let server = TestServer::start(&machine());
    server.post_token(&format!("{CLIENT_CREDENTIALS}&client_id={MACHINE}")).await.assert_error(401, "invalid_client");
    in_body(&server, MACHINE, "").await.assert_error(401, "invalid_client");
    with_basic(&server, MACHINE, "").await.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn a_public_client_that_sends_a_secret_is_refused() {
    let server = TestServer::start(&public_client("app"));
    in_body(&server, "app", "anything").await.assert_error(401, "invalid_client");
    with_basic(&server, "app", "anything").await.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn a_public_client_names_itself_in_the_body_or_with_an_empty_password() {
    // It is let in, and then may not use this grant type (RFC 6749 §4.4).
    let server = TestServer::start(&public_client("app"));
    with_basic(&server, "app", "").await.assert_error(400, "unauthorized_client");
    in_body(&server, "app", "").await.assert_error(400, "unauthorized_client");
    server.post_token(&format!("{CLIENT_CREDENTIALS}&client_id=app")).await.assert_error(400, "unauthorized_client");
}

#[tokio::test]
async fn a_request_that_names_no_client_is_refused() {
    let server = TestServer::start(&machine());
    server.post_token(CLIENT_CREDENTIALS).await.assert_error(401, "invalid_client");
    let secret_alone = format!("{CLIENT_CREDENTIALS}&client_secret={SECRET}");
    server.post_token(&secret_alone).await.assert_error(401, "invalid_client");
    with_basic(&server, "", SECRET).await.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn two_ways_at_once_are_refused_even_when_both_are_right() {
    let server = TestServer::start(&machine());
    let basic = format!("Basic {}", STANDARD.encode(format!("{MACHINE}:{SECRET}")));
    let secret = format!("&client_secret={SECRET}");
    with_header(&server, &basic, &secret).await.assert_error(400, "invalid_request");
    let both = format!("&client_id={MACHINE}&client_secret={SECRET}");
    with_header(&server, &basic, &both).await.assert_error(400, "invalid_request");
    let twice = server.token_request(CLIENT_CREDENTIALS).header(AUTHORIZATION, &basic).header(AUTHORIZATION, &basic);
    Answer::of(twice).await.assert_error(400, "invalid_request");
}

#[tokio::test]
async fn the_client_id_in_the_body_must_be_the_one_in_the_header() {
    let server = TestServer::start(&machine());
    let basic = format!("Basic {}", STANDARD.encode(format!("{MACHINE}:{SECRET}")));
    with_header(&server, &basic, &format!("&client_id={MACHINE}")).await.access_token();
    with_header(&server, &basic, "&client_id=other").await.assert_error(400, "invalid_request");
}

#[tokio::test]
async fn a_header_that_is_not_well_formed_basic_is_refused() {
    let server = TestServer::start(&machine());
    let basic = STANDARD.encode(format!("{MACHINE}:{SECRET}"));
    for header in [
        "Basic".to_owned(),
        "Basic ".to_owned(),
        basic.clone(),
        format!("Basic{basic}"),
        format!("Bearer {basic}"),
        format!("Basic {basic}!"),
        format!("Basic {}", STANDARD.encode(MACHINE)),
        format!("Basic {}", STANDARD.encode(b"machine:\xff\xfe")),
        format!("Basic {}", STANDARD.encode("machine:%ff")),
        format!("Negotiate {basic}"),
        format!("Basic {basic}, Bearer x"),
    ] {
        with_header(&server, &header, "").await.assert_error(401, "invalid_client");
        // A body that is right does not mend a header that is wrong.
        let form = format!("&client_id={MACHINE}");
        with_header(&server, &header, &form).await.assert_error(401, "invalid_client");
    }
}
