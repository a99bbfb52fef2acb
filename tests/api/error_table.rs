//! The table of errors of the token, revocation and introspection endpoint (RFC 6749 §5.2, RFC 7009 §2.2.1, RFC 7662
//! §2.3), row by row: status, code, and every header that belongs to it.
//!
//! | what | code | status |
//! |---|---|---|
//! | a parameter missing, repeated or too long, too many of them; two ways of client authentication | `invalid_request` | 400 |
//! | a method that is not POST | `invalid_request` | 405, `Allow` |
//! | a body over 64 KiB | `invalid_request` | 413 |
//! | a body that is no form | `invalid_request` | 415 |
//! | a client that is unknown or has not proved who it is; a public one at /introspect | `invalid_client` | 401, `WWW-Authenticate` |
//! | a grant that cannot be used; another client's token at /revoke | `invalid_grant` | 400 |
//! | a grant type that the client may not use | `unauthorized_client` | 400 |
//! | a grant type that is not there | `unsupported_grant_type` | 400 |
//! | a scope that is unknown, malformed or beyond what was granted | `invalid_scope` | 400 |
//! | a resource that is unknown, malformed or not for the client | `invalid_target` | 400 |
//! | an access token without a grant at /revoke | `unsupported_token_type` | 400 |
//! | the store out of order | `temporarily_unavailable` | 503, `Retry-After` |

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};

use crate::harness::people::{API_SERVER, APP, TRUSTED, WEB, people, with_api_server};
use crate::harness::requests::{Parameters, ask_of_trusted, ask_of_web, redemption, refresh};
use crate::harness::{Answer, MACHINE, SECRET, TestServer, machine};

/// Each endpoint with what it takes without an error.
const ENDPOINTS: [(&str, &str); 3] =
    [("/token", "grant_type=client_credentials"), ("/revoke", "token=x"), ("/introspect", "token=x")];

fn server() -> TestServer {
    TestServer::start(&(with_api_server(&people()) + &machine()))
}

/// Asserts a row: the body, the headers that every error has, and those that this one alone has.
fn assert_row(answer: &Answer, status: u16, code: &str) {
    answer.assert_error(status, code);
    let challenge = if status == 401 { r#"Basic realm="jotsmith", charset="UTF-8""# } else { "" };
    assert_eq!(answer.header("www-authenticate"), challenge);
    assert_eq!(answer.header("allow"), if status == 405 { "POST" } else { "" });
    assert_eq!(answer.header("retry-after"), if status == 503 { "1" } else { "" });
}

/// What [`MACHINE`] is answered.
async fn asked(server: &TestServer, path: &str, form: &str) -> Answer {
    Answer::of(server.post(path, form).basic_auth(MACHINE, Some(SECRET))).await
}

#[tokio::test]
async fn without_any_of_this_there_is_no_error() {
    let server = server();
    for (path, form) in ENDPOINTS {
        assert_eq!(asked(&server, path, form).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_parameter_that_is_missing_is_invalid_request() {
    let server = server();
    for (path, form) in ENDPOINTS {
        let name = form.split('=').next().expect("a name");
        for without in [String::new(), format!("{name}="), "other=x".to_owned()] {
            assert_row(&asked(&server, path, &without).await, 400, "invalid_request");
        }
    }
    for form in ["grant_type=authorization_code", "grant_type=refresh_token"] {
        assert_row(&asked(&server, "/token", form).await, 400, "invalid_request");
    }
}

#[tokio::test]
async fn a_parameter_that_is_repeated_is_invalid_request() {
    let server = server();
    for (path, form) in ENDPOINTS {
        for repeated in [form, "unknown=1&unknown=2", "token_type_hint=a&token_type_hint=a"] {
            assert_row(&asked(&server, path, &format!("{form}&{repeated}")).await, 400, "invalid_request");
        }
    }
}

#[tokio::test]
async fn a_parameter_that_is_too_long_and_too_many_of_them_are_invalid_request() {
    let server = server();
    for (path, form) in ENDPOINTS {
        let long = format!("{form}&unknown={}", "x".repeat(8 * 1024 + 1));
        assert_row(&asked(&server, path, &long).await, 400, "invalid_request");
        let many = (0..64).fold(form.to_owned(), |form, at| format!("{form}&p{at}=x"));
        assert_row(&asked(&server, path, &many).await, 400, "invalid_request");
    }
}

#[tokio::test]
async fn two_ways_of_client_authentication_are_invalid_request() {
    let server = server();
    for (path, form) in ENDPOINTS {
        for twice in [format!("client_secret={SECRET}"), format!("client_id={MACHINE}&client_secret={SECRET}")] {
            assert_row(&asked(&server, path, &format!("{form}&{twice}")).await, 400, "invalid_request");
        }
        assert_row(&asked(&server, path, &format!("{form}&client_id=other")).await, 400, "invalid_request");
    }
}

#[tokio::test]
async fn a_method_that_is_not_post_is_405_and_says_what_is() {
    let server = server();
    for (path, _) in ENDPOINTS {
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            let answer = Answer::of(server.http().request(method, server.url(path))).await;
            assert_row(&answer, 405, "invalid_request");
        }
        let head = Answer::of(server.http().head(server.url(path))).await;
        assert_eq!((head.status.as_u16(), head.header("allow"), head.body.as_str()), (405, "POST", ""));
    }
}

#[tokio::test]
async fn a_body_over_64_kib_is_413() {
    let server = server();
    for (path, form) in ENDPOINTS {
        let form = (0..9).fold(form.to_owned(), |form, at| format!("{form}&p{at}={}", "x".repeat(7200)));
        let exactly = format!("{form}&p=");
        let exactly = format!("{exactly}{}", "x".repeat(64 * 1024 - exactly.len()));
        assert_eq!(asked(&server, path, &exactly).await.status, 200, "{path}");
        assert_row(&asked(&server, path, &format!("{exactly}x")).await, 413, "invalid_request");
    }
}

/// What [`MACHINE`] is answered to a form of which each piece comes by itself (RFC 9112 §7.1), with or without its end.
fn asked_in_pieces(server: &TestServer, path: &str, pieces: &[&str], end: &str) -> String {
    let address = server.url("").replace("http://", "");
    let mut stream = TcpStream::connect(&address).expect("it listens");
    // A server that never answers must not hold the test for ever.
    stream.set_read_timeout(Some(Duration::from_mins(1))).expect("a time-out");
    let chunks: Vec<_> = pieces.iter().map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len())).collect();
    let credentials = STANDARD.encode(format!("{MACHINE}:{SECRET}"));
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nAuthorization: Basic {credentials}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n{}{end}",
        chunks.concat()
    );
    stream.write_all(request.as_bytes()).expect("it is sent");
    stream.shutdown(Shutdown::Write).expect("it ends");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer, and the end of the connection");
    answer
}

#[test]
fn a_body_that_comes_in_pieces_is_all_of_them() {
    let server = server();
    let end = "0\r\n\r\n";
    for (path, form) in ENDPOINTS {
        let (start, rest) = form.split_at(3);
        let (middle, last) = rest.split_at(2);
        for pieces in [&[start, middle, last][..], &[start, rest], &[form, "&p=x"]] {
            let answer = asked_in_pieces(&server, path, pieces, end);
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{pieces:?}: {answer}");
        }
        let answer = asked_in_pieces(&server, path, &[form, "&client_secret=", SECRET], end);
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("invalid_request"), "{answer}");

        let fill = "x".repeat(7200);
        let fill: Vec<_> = (0..9).map(|at| format!("&p{at}={fill}")).collect();
        let mut pieces: Vec<_> = [form].into_iter().chain(fill.iter().map(String::as_str)).collect();
        let left = "x".repeat(64 * 1024 - pieces.concat().len() - "&p=".len());
        pieces.extend(["&p=", &left]);
        let answer = asked_in_pieces(&server, path, &pieces, end);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        pieces.push("x");
        let answer = asked_in_pieces(&server, path, &pieces, end);
        assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("invalid_request"), "{answer}");
    }
}

#[test]
fn a_body_that_breaks_off_changes_nothing() {
    let server = server();
    for (path, form) in ENDPOINTS {
        let answer = asked_in_pieces(&server, path, &[form], "");
        assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_form_is_415() {
    let server = server();
    for (path, form) in ENDPOINTS {
        let request = || server.http().post(server.url(path)).basic_auth(MACHINE, Some(SECRET)).body(form);
        for media_type in ["application/json", "multipart/form-data; boundary=x", "text/plain", ""] {
            assert_row(&Answer::of(request().header(CONTENT_TYPE, media_type)).await, 415, "invalid_request");
        }
        assert_row(&Answer::of(request()).await, 415, "invalid_request");
    }
}

#[tokio::test]
async fn a_client_that_is_unknown_or_has_not_proved_who_it_is_is_invalid_client() {
    let server = server();
    for (path, form) in ENDPOINTS {
        for client in [
            String::new(),
            "client_id=nobody".to_owned(),
            format!("client_id=nobody&client_secret={SECRET}"),
            format!("client_id={MACHINE}"),
            format!("client_id={MACHINE}&client_secret=wrong"),
            format!("client_id={APP}&client_secret={SECRET}"),
        ] {
            let answer = Answer::of(server.post(path, &format!("{form}&{client}"))).await;
            assert_row(&answer, 401, "invalid_client");
        }
        for header in ["Basic", "Basic !", "Bearer x"] {
            let answer = Answer::of(server.post(path, form).header(AUTHORIZATION, header)).await;
            assert_row(&answer, 401, "invalid_client");
        }
        // Who asks is judged before what is asked for.
        assert_row(&Answer::of(server.post(path, "client_id=nobody")).await, 401, "invalid_client");
    }
}

#[tokio::test]
async fn a_public_client_at_the_introspection_endpoint_is_invalid_client() {
    let answer = server().introspect(APP, "x").await;
    assert_row(&answer, 401, "invalid_client");
}

#[tokio::test]
async fn a_grant_that_cannot_be_used_is_invalid_grant() {
    let server = server();
    let asked = ask_of_web();
    let code = redemption(&asked, &server.code_for(&asked).await);
    let refresh_token = server.token(WEB, &code).await.refresh_token();
    for form in [redemption(&asked, "x"), redemption(&asked, "jsc_x"), refresh("x"), refresh("jsr_x")] {
        assert_row(&server.token(WEB, &form).await, 400, "invalid_grant");
    }
    assert_row(&server.token(APP, &refresh(&refresh_token)).await, 400, "invalid_grant");
    // Spent, which revokes what came of it.
    assert_row(&server.token(WEB, &code).await, 400, "invalid_grant");
    assert_row(&server.token(WEB, &refresh(&refresh_token)).await, 400, "invalid_grant");
}

#[tokio::test]
async fn another_clients_token_at_the_revocation_endpoint_is_invalid_grant() {
    let server = server();
    let tokens = server.tokens_for(&ask_of_web()).await;
    for token in [tokens.refresh_token(), tokens.access_token()] {
        for other in [APP, TRUSTED] {
            assert_row(&server.revoke(other, &token).await, 400, "invalid_grant");
        }
    }
}

#[tokio::test]
async fn a_grant_type_that_the_client_may_not_use_is_unauthorized_client() {
    let server = server();
    let asked = ask_of_trusted();
    for (client_id, form) in [
        (MACHINE, redemption(&asked, "x")),
        (MACHINE, refresh("x")),
        (TRUSTED, refresh("x")),
        (WEB, Parameters::new([("grant_type", "client_credentials")])),
        (APP, Parameters::new([("grant_type", "client_credentials")])),
    ] {
        assert_row(&server.token(client_id, &form).await, 400, "unauthorized_client");
    }
}

#[tokio::test]
async fn a_grant_type_that_is_not_there_is_unsupported_grant_type() {
    let server = server();
    for name in ["Client_Credentials", "client_credentials%20", "urn:example:none"] {
        let answer = asked(&server, "/token", &format!("grant_type={name}")).await;
        assert_row(&answer, 400, "unsupported_grant_type");
    }
}

#[tokio::test]
async fn a_scope_that_cannot_be_had_is_invalid_scope() {
    let server = server();
    for scope in ["admin", "read+admin", "read++write", "%22"] {
        let form = format!("grant_type=client_credentials&scope={scope}");
        assert_row(&asked(&server, "/token", &form).await, 400, "invalid_scope");
    }
    let refresh_token = server.tokens_for(&ask_of_web().with("scope", "read")).await.refresh_token();
    let beyond = refresh(&refresh_token).and("scope", "read write");
    assert_row(&server.token(WEB, &beyond).await, 400, "invalid_scope");
}

#[tokio::test]
async fn a_resource_that_cannot_be_had_is_invalid_target() {
    let server = server();
    for resource in ["https://unknown.example.com", "api", "https://api.example.com/%23fragment"] {
        let form = format!("grant_type=client_credentials&resource={resource}");
        assert_row(&asked(&server, "/token", &form).await, 400, "invalid_target");
    }
}

#[tokio::test]
async fn an_access_token_without_a_grant_at_the_revocation_endpoint_is_unsupported_token_type() {
    let server = server();
    let form = Parameters::new([("grant_type", "client_credentials")]);
    let token = server.token(API_SERVER, &form).await.access_token();
    assert_row(&server.revoke(API_SERVER, &token).await, 400, "unsupported_token_type");
}

#[tokio::test]
async fn while_the_store_is_out_of_order_whatever_needs_it_is_temporarily_unavailable() {
    let server = server();
    let asked = ask_of_web();
    let code = redemption(&asked, &server.code_for(&asked).await);
    let tokens = server.tokens_for(&asked).await;
    let (access_token, refresh_token) = (tokens.access_token(), tokens.refresh_token());
    server.lose_store().await;
    for form in [code, refresh(&refresh_token)] {
        assert_row(&server.token(WEB, &form).await, 503, "temporarily_unavailable");
    }
    for token in [&access_token, &refresh_token] {
        assert_row(&server.revoke(WEB, token).await, 503, "temporarily_unavailable");
        assert_row(&server.introspect(WEB, token).await, 503, "temporarily_unavailable");
    }
    assert_row(&server.introspect(API_SERVER, &access_token).await, 503, "temporarily_unavailable");
}
