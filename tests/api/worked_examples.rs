//! The worked examples of the RFCs, replayed: the bytes of each request are those that stand in the RFC, over a
//! connection of our own, so that no HTTP client of ours writes them anew. The RFC breaks lines "for display purposes
//! only"; they are joined here. A code or token that the RFC invents is replaced by one that the server has issued.
//!
//! The server is `https://server.example.com` behind a proxy, as in the examples. Its client `s6BhdRkqt3` is confidential
//! and may do without PKCE, which came after RFC 6749.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use jotsmith::clients::ClientSecretHash;
use reqwest::Url;
use serde_json::{Value, json};

use crate::harness::browser::Browser;
use crate::harness::people::{CHALLENGE, VERIFIER, cheap_hash};
use crate::harness::{Answer, TestServer, claims};

/// Where the examples have their server.
const ISSUER: &str = "https://server.example.com";

/// The client of the examples. `czZCaGRSa3F0MzpnWDFmQmF0M2JW` is `s6BhdRkqt3:gX1fBat3bV`.
const CLIENT: &str = "s6BhdRkqt3";
const CLIENT_SECRET: &str = "gX1fBat3bV";

/// The person of RFC 6749 §4.3.2.
const USERNAME: &str = "johndoe";
const PASSWORD: &str = "A3ddj3w";

fn config() -> String {
    let secret = ClientSecretHash::of_generated(CLIENT_SECRET.as_bytes());
    let password_hash = cheap_hash(PASSWORD);
    format!(
        r#"
        issuer = "{ISSUER}"

        [[users]]
        username = "{USERNAME}"
        subject = "248289761001"
        password_hash = "{password_hash}"

        [[clients]]
        client_id = "{CLIENT}"
        client_secrets = ["{secret}"]
        redirect_uris = ["https://client.example.com/cb"]
        grant_types = ["authorization_code", "client_credentials", "refresh_token"]
        scope = "read write"
        require_pkce = false
        "#
    )
}

/// An answer as it came over the wire.
#[derive(Debug)]
struct Wire {
    status_line: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Wire {
    /// Sends a request: a head as the RFC prints it, and a body. What HTTP/1.1 needs besides is added: the length, and
    /// the end of the connection.
    fn of(server: &TestServer, head: &str, body: &str) -> Self {
        let address = server.url("").replace("http://", "");
        let mut stream = TcpStream::connect(address).expect("a connection");
        // A server that never answers must not hold the test for ever.
        stream.set_read_timeout(Some(Duration::from_mins(1))).expect("a time-out");
        let head: Vec<_> = head.lines().map(str::trim).collect();
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let request = format!("{}\r\n{length}Connection: close\r\n\r\n{body}", head.join("\r\n"));
        stream.write_all(request.as_bytes()).expect("it is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let mut lines = head.split("\r\n");
        let status_line = lines.next().expect("a status").to_owned();
        let headers = lines.map(|line| line.split_once(": ").expect("a header"));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        Self { status_line, headers, body: body.to_owned() }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }

    /// Asserts what the RFC shows of a token answer, and gives its members.
    fn tokens(&self, members: &[&str]) -> Value {
        assert_eq!(self.status_line, "HTTP/1.1 200 OK", "{}", self.body);
        // RFC 8259 §11: JSON has no charset; the RFC's `;charset=UTF-8` is of its time.
        assert_eq!(self.header("content-type"), "application/json");
        assert_eq!((self.header("cache-control"), self.header("pragma")), ("no-store", "no-cache"));
        let body: Value = serde_json::from_str(&self.body).expect("JSON");
        let mut names: Vec<_> = body.as_object().expect("an object").keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, members, "{body}");
        assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(300)));
        body
    }
}

/// A POST of the RFC to the token endpoint, by its client.
fn post_token(server: &TestServer, body: &str) -> Wire {
    let head = "POST /token HTTP/1.1
         Host: server.example.com
         Authorization: Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW
         Content-Type: application/x-www-form-urlencoded";
    Wire::of(server, head, body)
}

/// Signs in and allows, from the page that a request of the RFC leads to.
async fn allow(browser: &mut Browser, target: &str) -> Answer {
    let page = browser.get(target).await;
    assert!(page.is_login(), "{page:?}");
    let page = browser.sign_in_as(&page, USERNAME, PASSWORD).await;
    assert!(page.is_consent(), "{page:?}");
    browser.allow(&page).await
}

/// RFC 6749 §4.1.1: where the browser goes.
const CODE_REQUEST: &str = "/authorize?response_type=code&client_id=s6BhdRkqt3&state=xyz\
                            &redirect_uri=https%3A%2F%2Fclient%2Eexample%2Ecom%2Fcb";

#[tokio::test]
async fn the_authorization_code_grant_of_rfc_6749_section_4_1() {
    let server = TestServer::start(&config());
    // §4.1.1
    let page = Wire::of(&server, &format!("GET {CODE_REQUEST} HTTP/1.1\nHost: server.example.com"), "");
    assert_eq!(page.status_line, "HTTP/1.1 200 OK");
    assert!(page.body.contains("Sign in to continue"), "{}", page.body);

    // §4.1.2, with what RFC 9207 §2 adds.
    let answer = allow(&mut server.browser_at(ISSUER), CODE_REQUEST).await;
    let code = answer.code();
    let expected = format!("https://client.example.com/cb?code={code}&state=xyz&iss=https%3A%2F%2Fserver.example.com");
    assert_eq!(answer.header("location"), expected);

    // §4.1.3 and §4.1.4
    let redemption =
        format!("grant_type=authorization_code&code={code}&redirect_uri=https%3A%2F%2Fclient%2Eexample%2Ecom%2Fcb");
    let answer = post_token(&server, &redemption);
    let members = ["access_token", "expires_in", "refresh_token", "scope", "token_type"];
    let tokens = answer.tokens(&members);
    let claims = claims(tokens["access_token"].as_str().expect("a token"));
    assert_eq!((&claims["client_id"], &claims["sub"]), (&json!(CLIENT), &json!("248289761001")));

    // §4.1.2: a code that is used more than once is denied.
    let again = post_token(&server, &redemption);
    assert_eq!(again.status_line, "HTTP/1.1 400 Bad Request");
}

#[tokio::test]
async fn the_denial_of_rfc_6749_section_4_1_2_1() {
    let server = TestServer::start(&config());
    let mut browser = server.browser_at(ISSUER);
    let page = browser.get(CODE_REQUEST).await;
    let page = browser.sign_in_as(&page, USERNAME, PASSWORD).await;
    let answer = browser.submit(&page.form().press("deny")).await;
    let location = answer.header("location");
    assert!(location.starts_with("https://client.example.com/cb?error=access_denied&"), "{location}");
    let url: Url = location.parse().expect("an address");
    assert!(url.query_pairs().any(|(name, value)| name == "state" && value == "xyz"), "{location}");
}

#[tokio::test]
async fn the_client_credentials_grant_of_rfc_6749_section_4_4() {
    let server = TestServer::start(&config());
    // §4.4.2 and §4.4.3: no refresh token.
    let answer = post_token(&server, "grant_type=client_credentials");
    let tokens = answer.tokens(&["access_token", "expires_in", "scope", "token_type"]);
    assert_eq!(claims(tokens["access_token"].as_str().expect("a token"))["sub"], json!(CLIENT));
}

#[tokio::test]
async fn the_refresh_of_rfc_6749_section_6() {
    let server = TestServer::start(&config());
    let refresh_token = refresh_token(&server).await;
    let answer = post_token(&server, &format!("grant_type=refresh_token&refresh_token={refresh_token}"));
    let tokens = answer.tokens(&["access_token", "expires_in", "refresh_token", "scope", "token_type"]);
    assert_ne!(tokens["refresh_token"], json!(refresh_token));

    // §2.3.1: the same with the credentials in the body.
    let body = format!(
        "grant_type=refresh_token&refresh_token={}&client_id=s6BhdRkqt3&client_secret={CLIENT_SECRET}",
        tokens["refresh_token"].as_str().expect("a refresh token")
    );
    let head = "POST /token HTTP/1.1
         Host: server.example.com
         Content-Type: application/x-www-form-urlencoded";
    Wire::of(&server, head, &body).tokens(&["access_token", "expires_in", "refresh_token", "scope", "token_type"]);
}

/// The refresh token of a code grant.
async fn refresh_token(server: &TestServer) -> String {
    let code = allow(&mut server.browser_at(ISSUER), CODE_REQUEST).await.code();
    let answer = post_token(
        server,
        &format!("grant_type=authorization_code&code={code}&redirect_uri=https%3A%2F%2Fclient%2Eexample%2Ecom%2Fcb"),
    );
    let members = ["access_token", "expires_in", "refresh_token", "scope", "token_type"];
    answer.tokens(&members)["refresh_token"].as_str().expect("a refresh token").to_owned()
}

#[tokio::test]
async fn the_error_of_rfc_6749_section_5_2() {
    let server = TestServer::start(&config());
    let answer = post_token(&server, "grant_type=");
    assert_eq!(answer.status_line, "HTTP/1.1 400 Bad Request");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
    let body: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(body["error"], json!("invalid_request"));
}

#[tokio::test]
async fn the_pair_of_rfc_7636_appendix_b() {
    let server = TestServer::start(&config());
    let target = format!("{CODE_REQUEST}&code_challenge={CHALLENGE}&code_challenge_method=S256");
    let code = allow(&mut server.browser_at(ISSUER), &target).await.code();
    let redemption =
        format!("grant_type=authorization_code&code={code}&redirect_uri=https%3A%2F%2Fclient%2Eexample%2Ecom%2Fcb");
    // The request of RFC 6749 §4.1.3 as it is, without the verifier.
    assert_eq!(post_token(&server, &redemption).status_line, "HTTP/1.1 400 Bad Request");
    let members = ["access_token", "expires_in", "refresh_token", "scope", "token_type"];
    post_token(&server, &format!("{redemption}&code_verifier={VERIFIER}")).tokens(&members);
}

#[tokio::test]
async fn the_revocation_of_rfc_7009_section_2_1() {
    let server = TestServer::start(&config());
    let refresh_token = refresh_token(&server).await;
    let head = "POST /revoke HTTP/1.1
         Host: server.example.com
         Content-Type: application/x-www-form-urlencoded
         Authorization: Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW";
    // The token of the RFC is none of ours: §2.2 answers that it is gone all the same.
    for token in ["45ghiukldjahdnhzdauz", &refresh_token] {
        let answer = Wire::of(&server, head, &format!("token={token}&token_type_hint=refresh_token"));
        assert_eq!((answer.status_line.as_str(), answer.body.as_str()), ("HTTP/1.1 200 OK", ""));
    }
    let again = post_token(&server, &format!("grant_type=refresh_token&refresh_token={refresh_token}"));
    assert_eq!(again.status_line, "HTTP/1.1 400 Bad Request");
}

#[tokio::test]
async fn the_introspection_of_rfc_7662_section_2_1() {
    let server = TestServer::start(&config());
    let answer = post_token(&server, "grant_type=client_credentials");
    let tokens = answer.tokens(&["access_token", "expires_in", "scope", "token_type"]);
    let access_token = tokens["access_token"].as_str().expect("a token");
    let head = |authorization: &str| {
        format!(
            "POST /introspect HTTP/1.1
             Host: server.example.com
             Accept: application/json
             Content-Type: application/x-www-form-urlencoded
             Authorization: {authorization}"
        )
    };
    // The second request of the section: by a client and its secret. The token of the RFC is none of ours.
    let by_client = head("Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW");
    for (token, is_active) in [("mF_9.B5f-4.1JqM", false), (access_token, true)] {
        let answer = Wire::of(&server, &by_client, &format!("token={token}&token_type_hint=access_token"));
        assert_eq!(answer.status_line, "HTTP/1.1 200 OK");
        assert_eq!(answer.header("content-type"), "application/json");
        let body: Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!(body["active"], json!(is_active), "{body}");
        assert_eq!(body.as_object().expect("an object").len() == 1, !is_active, "{body}");
    }
    // The first one is authorized by a bearer token, which the section leaves to the server. Ours takes clients alone.
    let answer = Wire::of(&server, &head("Bearer 23410913-abewfq.123483"), "token=2YotnFZFEjr1zCsicMWpAA");
    assert_eq!(answer.status_line, "HTTP/1.1 401 Unauthorized");
    assert!(answer.header("www-authenticate").starts_with("Basic "));
}

#[tokio::test]
async fn the_password_grant_of_rfc_6749_section_4_3() {
    let lists = r#"grant_types = ["authorization_code", "#;
    let server = TestServer::start(&config().replace(lists, &format!(r#"{lists}"password", "#)));
    // §4.3.2 and §4.3.3
    let answer = post_token(&server, "grant_type=password&username=johndoe&password=A3ddj3w");
    let tokens = answer.tokens(&["access_token", "expires_in", "refresh_token", "scope", "token_type"]);
    let claims = claims(tokens["access_token"].as_str().expect("a token"));
    assert_eq!((&claims["client_id"], &claims["sub"]), (&json!(CLIENT), &json!("248289761001")));
}

/// RFC 8707 figures 2 to 6: one grant for two resources, and a token for each.
#[tokio::test]
async fn the_two_resources_of_rfc_8707_section_2() {
    let resources = r#"
        [[resources]]
        identifier = "https://cal.example.com/"
        scope = "calendar"
        [[resources]]
        identifier = "https://contacts.example.com/"
        scope = "contacts"
        "#;
    // `hsqEzQlUoHAE9px4FSr4yI` is the secret in the header of the figures.
    let secret = ClientSecretHash::of_generated(b"hsqEzQlUoHAE9px4FSr4yI");
    let config = config()
        .replace(r#"client_secrets = [""#, &format!(r#"client_secrets = ["{secret}", ""#))
        .replace("read write", "calendar contacts")
        .replace("https://client.example.com/cb", "https://client.example.org/cb");
    let server = TestServer::start(&format!("{config}{resources}"));
    let target = "/authorize?response_type=code\
                  &client_id=s6BhdRkqt3\
                  &state=tNwzQ87pC6llebpmac_IDeeq-mCR2wLDYljHUZUAWuI\
                  &redirect_uri=https%3A%2F%2Fclient.example.org%2Fcb\
                  &scope=calendar%20contacts\
                  &resource=https%3A%2F%2Fcal.example.com%2F\
                  &resource=https%3A%2F%2Fcontacts.example.com%2F";
    let code = allow(&mut server.browser_at(ISSUER), target).await.code();
    let post = |body: &str| {
        let head = "POST /token HTTP/1.1
             Host: authorization-server.example.com
             Authorization: Basic czZCaGRSa3F0Mzpoc3FFelFsVW9IQUU5cHg0RlNyNHlJ
             Content-Type: application/x-www-form-urlencoded";
        let answer = Wire::of(&server, head, body);
        answer.tokens(&["access_token", "expires_in", "refresh_token", "scope", "token_type"])
    };
    let audience_and_scope = |tokens: &Value| {
        let claims = claims(tokens["access_token"].as_str().expect("a token"));
        assert_eq!(claims["scope"], tokens["scope"]);
        (claims["aud"].clone(), claims["scope"].clone())
    };
    let redemption = format!(
        "grant_type=authorization_code&redirect_uri=https%3A%2F%2Fclient.example.org%2Fcb&code={code}\
         &resource=https%3A%2F%2Fcal.example.com%2F"
    );
    let first = post(&redemption);
    assert_eq!(audience_and_scope(&first), (json!("https://cal.example.com/"), json!("calendar")));
    let refresh_token = first["refresh_token"].as_str().expect("a refresh token");
    let refresh = format!(
        "grant_type=refresh_token&refresh_token={refresh_token}&resource=https%3A%2F%2Fcontacts.example.com%2F"
    );
    let second = post(&refresh);
    assert_eq!(audience_and_scope(&second), (json!("https://contacts.example.com/"), json!("contacts")));
}

/// RFC 6749 §4.2.1: where the browser goes.
const TOKEN_REQUEST: &str = "/authorize?response_type=token&client_id=s6BhdRkqt3&state=xyz\
                             &redirect_uri=https%3A%2F%2Fclient%2Eexample%2Ecom%2Fcb";

/// The configuration, in which the client may have the implicit grant.
fn with_implicit() -> String {
    let lists = r#"grant_types = ["authorization_code", "#;
    let config = config().replace(lists, &format!(r#"{lists}"implicit", "#));
    format!("{config}\nresponse_types = [\"code\", \"token\"]\n")
}

#[tokio::test]
async fn the_implicit_grant_of_rfc_6749_section_4_2() {
    let server = TestServer::start(&with_implicit());
    // §4.2.1
    let page = Wire::of(&server, &format!("GET {TOKEN_REQUEST} HTTP/1.1\nHost: server.example.com"), "");
    assert_eq!(page.status_line, "HTTP/1.1 200 OK");
    assert!(page.body.contains("Sign in to continue"), "{}", page.body);

    // §4.2.2: the order makes no difference, and the query has nothing.
    let answer = allow(&mut server.browser_at(ISSUER), TOKEN_REQUEST).await;
    let location = answer.header("location");
    assert!(location.starts_with("https://client.example.com/cb#access_token="), "{location}");
    let sent = answer.sent_in_fragment();
    let part = |name| sent.get(name).map(String::as_str);
    assert_eq!((part("state"), part("token_type"), part("expires_in")), (Some("xyz"), Some("Bearer"), Some("300")));
    assert_eq!(part("refresh_token"), None);
    assert_eq!(claims(&sent["access_token"])["client_id"], json!(CLIENT));
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
}

#[tokio::test]
async fn the_denial_of_rfc_6749_section_4_2_2_1() {
    let server = TestServer::start(&with_implicit());
    let mut browser = server.browser_at(ISSUER);
    let page = browser.get(TOKEN_REQUEST).await;
    let page = browser.sign_in_as(&page, USERNAME, PASSWORD).await;
    let answer = browser.submit(&page.form().press("deny")).await;
    let location = answer.header("location");
    assert!(location.starts_with("https://client.example.com/cb#error=access_denied&"), "{location}");
    assert_eq!(answer.sent_in_fragment()["state"], "xyz");
}
