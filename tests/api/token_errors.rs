//! How the form of a token request is read (RFC 6749 §3.2, appendix B). The errors themselves are in `error_table`.

use reqwest::header::CONTENT_TYPE;

use crate::harness::{Answer, CLIENT_CREDENTIALS, MACHINE, SECRET, TestServer, machine};

/// One request body against a server of its own.
async fn refused(form: &str, status: u16, code: &str) {
    TestServer::start(&machine()).machine_token(form).await.assert_error(status, code);
}

#[tokio::test]
async fn an_empty_parameter_is_an_absent_one() {
    refused("grant_type=", 400, "invalid_request").await;
    let server = TestServer::start(&machine());
    let form = "&scope=&resource=&client_id=&client_secret=&unknown=";
    server.access_token(form).await;
}

#[tokio::test]
async fn a_repeated_parameter_is_refused_whichever_it_is() {
    let server = TestServer::start(&machine());
    for repeated in ["&grant_type=client_credentials", "&scope=read&scope=read", "&unknown=1&unknown=2"] {
        let answer = server.machine_token(&format!("{CLIENT_CREDENTIALS}{repeated}")).await;
        answer.assert_error(400, "invalid_request");
    }
    // Encoded in another way it is still the same name.
    let answer = server.machine_token(&format!("{CLIENT_CREDENTIALS}&%73cope=read&scope=read")).await;
    answer.assert_error(400, "invalid_request");
}

#[tokio::test]
async fn a_parameter_that_is_too_long_is_refused() {
    let server = TestServer::start(&machine());
    let padded = |length: usize| format!("{CLIENT_CREDENTIALS}&unknown={}", "x".repeat(length));
    server.machine_token(&padded(8 * 1024)).await.access_token();
    server.machine_token(&padded(8 * 1024 + 1)).await.assert_error(400, "invalid_request");
}

#[tokio::test]
async fn too_many_parameters_are_refused() {
    let server = TestServer::start(&machine());
    let with = |more: usize| (0..more).fold(CLIENT_CREDENTIALS.to_owned(), |form, at| format!("{form}&p{at}=x"));
    server.machine_token(&with(63)).await.access_token();
    server.machine_token(&with(64)).await.assert_error(400, "invalid_request");
}

#[tokio::test]
async fn an_unknown_parameter_is_ignored() {
    let server = TestServer::start(&machine());
    server.access_token("&audience=https://elsewhere.example.com&username=alice").await;
}

#[tokio::test]
async fn bytes_that_are_no_utf_8_are_refused() {
    for form in ["&scope=%ff", "&scope=read%c3", "&%ff=x"] {
        refused(&format!("{CLIENT_CREDENTIALS}{form}"), 400, "invalid_request").await;
    }
}

#[tokio::test]
async fn a_percent_sign_without_two_digits_stands_for_itself() {
    let server = TestServer::start(&machine().replace("read write", "read %zz"));
    server.access_token("&scope=%zz").await;
    server.machine_token("grant%type=client_credentials").await.assert_error(400, "invalid_request");
}

#[tokio::test]
async fn a_form_is_known_in_any_case_and_with_a_charset() {
    let server = TestServer::start(&machine());
    for media_type in ["Application/X-WWW-Form-Urlencoded", "application/x-www-form-urlencoded; charset=UTF-8"] {
        let request = server.http().post(server.url("/token")).basic_auth(MACHINE, Some(SECRET));
        Answer::of(request.header(CONTENT_TYPE, media_type).body(CLIENT_CREDENTIALS)).await.access_token();
    }
}

#[tokio::test]
async fn credentials_in_the_query_are_not_looked_at() {
    let server = TestServer::start(&machine());
    let url = server.url(&format!("/token?{CLIENT_CREDENTIALS}&client_id={MACHINE}&client_secret={SECRET}"));
    let request = server.http().post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    Answer::of(request.body(CLIENT_CREDENTIALS)).await.assert_error(401, "invalid_client");
}
