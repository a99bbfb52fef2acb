//! The errors of the token endpoint (RFC 6749 §5.2) that are about the request itself.

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;

use crate::harness::{Answer, CLIENT_CREDENTIALS, MACHINE, SECRET, TestServer, machine, public_client};

/// One request body against a server of its own.
async fn refused(form: &str, status: u16, code: &str) {
    TestServer::start(&machine()).machine_token(form).await.assert_error(status, code);
}

#[tokio::test]
async fn a_missing_grant_type_is_refused() {
    refused("", 400, "invalid_request").await;
    refused("scope=read", 400, "invalid_request").await;
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
async fn an_unknown_grant_type_is_refused() {
    for name in ["password", "Client_Credentials", "client_credentials%20", "urn:example:none"] {
        refused(&format!("grant_type={name}"), 400, "unsupported_grant_type").await;
    }
}

#[tokio::test]
async fn a_grant_type_that_the_client_is_not_registered_for_is_refused() {
    let config = machine().replace(
        r#"grant_types = ["client_credentials"]"#,
        r#"
        grant_types = ["authorization_code"]
        redirect_uris = ["https://client.example.com/cb"]
        "#,
    );
    let server = TestServer::start(&config.replace("response_types = []", r#"response_types = ["code"]"#));
    server.machine_token(CLIENT_CREDENTIALS).await.assert_error(400, "unauthorized_client");
    let server = TestServer::start(&public_client("app"));
    server.post_token(&format!("{CLIENT_CREDENTIALS}&client_id=app")).await.assert_error(400, "unauthorized_client");
}

#[tokio::test]
async fn who_asks_is_judged_before_what_is_asked_for() {
    let server = TestServer::start(&machine());
    server.post_token("grant_type=unknown&client_id=nobody").await.assert_error(401, "invalid_client");
    server.post_token("scope=admin").await.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn a_body_that_is_no_form_is_415() {
    let server = TestServer::start(&machine());
    let body = r#"{"grant_type":"client_credentials"}"#;
    for media_type in ["application/json", "multipart/form-data; boundary=x", "text/plain", ""] {
        let request = server.http().post(server.url("/token")).basic_auth(MACHINE, Some(SECRET)).body(body);
        let answer = Answer::of(request.header(CONTENT_TYPE, media_type)).await;
        answer.assert_error(415, "invalid_request");
    }
    let unnamed = server.http().post(server.url("/token")).basic_auth(MACHINE, Some(SECRET));
    Answer::of(unnamed.body(CLIENT_CREDENTIALS)).await.assert_error(415, "invalid_request");
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
async fn a_body_over_64_kib_is_413() {
    let server = TestServer::start(&machine());
    let form = (0..9).fold(CLIENT_CREDENTIALS.to_owned(), |form, at| format!("{form}&p{at}={}", "x".repeat(7200)));
    let exactly = format!("{form}&p=");
    let exactly = format!("{exactly}{}", "x".repeat(64 * 1024 - exactly.len()));
    server.machine_token(&exactly).await.access_token();
    server.machine_token(&format!("{exactly}x")).await.assert_error(413, "invalid_request");
}

#[tokio::test]
async fn any_method_but_post_is_405_and_says_so() {
    let server = TestServer::start(&machine());
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
        let answer = Answer::of(server.http().request(method.clone(), server.url("/token"))).await;
        answer.assert_error(405, "invalid_request");
        assert_eq!(answer.header("allow"), "POST", "{method}");
    }
    let head = Answer::of(server.http().head(server.url("/token"))).await;
    assert_eq!((head.status.as_u16(), head.header("allow"), head.body.as_str()), (405, "POST", ""));
}

#[tokio::test]
async fn credentials_in_the_query_are_not_looked_at() {
    let server = TestServer::start(&machine());
    let url = server.url(&format!("/token?{CLIENT_CREDENTIALS}&client_id={MACHINE}&client_secret={SECRET}"));
    let request = server.http().post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    Answer::of(request.body(CLIENT_CREDENTIALS)).await.assert_error(401, "invalid_client");
}
