//! Which pages in a browser may read which answers (the CORS protocol of the Fetch standard).

use reqwest::Method;
use reqwest::header::{ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};

use crate::harness::people::{APP, TRUSTED, WEB, people, with_client};
use crate::harness::requests::{Parameters, ask_of_app, refresh};
use crate::harness::{Answer, TestServer};

/// A page of [`APP`], one of [`WEB`], and one of nobody.
const OF_APP: &str = "https://app.example.com";
const OF_WEB: &str = "http://localhost:3000";
const OF_NOBODY: &str = "https://evil.example.com";

const METADATA: &str = "/.well-known/oauth-authorization-server";
const KEY_SET: &str = "/.well-known/jwks.json";

fn config() -> String {
    let config =
        with_client(&people(), APP, &format!("allowed_origins = [\"{OF_APP}\", \"https://app.example.com:8443\"]"));
    with_client(&config, WEB, &format!("allowed_origins = [\"{OF_WEB}\"]"))
}

/// What a browser asks before a page's POST or GET.
async fn preflight(server: &TestServer, path: &str, origin: &str, method: &str) -> Answer {
    let request = server.http().request(Method::OPTIONS, server.url(path)).header(ORIGIN, origin);
    let request = request.header(ACCESS_CONTROL_REQUEST_METHOD, method);
    Answer::of(request.header(ACCESS_CONTROL_REQUEST_HEADERS, "authorization,mcp-protocol-version")).await
}

/// The one that may read the answer, as the browser is told: empty where nobody may.
fn reader(answer: &Answer) -> &str {
    assert_eq!(answer.header("access-control-allow-credentials"), "", "never");
    assert!(answer.headers.get_all("access-control-allow-origin").iter().count() <= 1);
    answer.header("access-control-allow-origin")
}

fn assert_varies(answer: &Answer) {
    let varies: Vec<_> = answer.headers.get_all("vary").iter().collect();
    assert_eq!(varies, ["Origin"]);
}

async fn post(server: &TestServer, path: &str, form: &str, origin: &str) -> Answer {
    let answer = Answer::of(server.post(path, form).header(ORIGIN, origin)).await;
    assert_varies(&answer);
    answer
}

#[tokio::test]
async fn a_preflight_is_answered_for_the_origins_of_all_clients_and_names_the_one_that_asks() {
    let server = TestServer::start(&config());
    for path in ["/token", "/revoke"] {
        for origin in [OF_APP, OF_WEB, "https://app.example.com:8443"] {
            let answer = preflight(&server, path, origin, "POST").await;
            assert_eq!((answer.status.as_u16(), answer.body.as_str(), reader(&answer)), (204, "", origin));
            assert_eq!(answer.header("access-control-allow-methods"), "POST");
            let headers = "Authorization, Content-Type, MCP-Protocol-Version";
            assert_eq!(answer.header("access-control-allow-headers"), headers);
            assert_eq!(answer.header("access-control-max-age"), "7200");
            assert_varies(&answer);
        }
        for origin in [
            OF_NOBODY,
            "null",
            "*",
            "",
            "http://app.example.com",
            "https://app.example.com:443",
            "https://app.example.com/",
            "https://APP.example.com",
            "https://app.example.com.evil.example.com",
            "http://localhost:3000, https://evil.example.com",
        ] {
            let answer = preflight(&server, path, origin, "POST").await;
            assert_eq!((answer.status.as_u16(), reader(&answer)), (204, ""), "{origin}");
            assert_varies(&answer);
        }
    }
}

#[tokio::test]
async fn an_options_that_is_no_preflight_is_a_method_like_any_other() {
    let server = TestServer::start(&config());
    for path in ["/token", "/revoke"] {
        let bare = server.http().request(Method::OPTIONS, server.url(path));
        let half = server.http().request(Method::OPTIONS, server.url(path)).header(ORIGIN, OF_APP);
        for request in [bare, half] {
            let answer = Answer::of(request).await;
            answer.assert_error(405, "invalid_request");
            assert_eq!(answer.header("allow"), "POST");
        }
    }
}

#[tokio::test]
async fn a_page_reads_the_answers_of_its_own_client_and_no_others() {
    let server = TestServer::start(&config());
    let mut refresh_token = server.tokens_for(&ask_of_app()).await.refresh_token();
    for (origin, may_read) in [(OF_APP, true), (OF_WEB, false), (OF_NOBODY, false), ("null", false)] {
        let form = refresh(&refresh_token).and("client_id", APP).encoded();
        let answer = post(&server, "/token", &form, origin).await;
        refresh_token = answer.refresh_token();
        assert_eq!(reader(&answer), if may_read { origin } else { "" });
        let form = format!("client_id={APP}&token=x");
        let answer = post(&server, "/revoke", &form, origin).await;
        assert_eq!((answer.status.as_u16(), reader(&answer)), (200, if may_read { origin } else { "" }));
    }
    // Two origins are nobody's.
    let twice =
        server.post("/revoke", &format!("client_id={APP}&token=x")).header(ORIGIN, OF_APP).header(ORIGIN, OF_APP);
    assert_eq!(reader(&Answer::of(twice).await), "");
    // What no page asked for.
    let answer = server.token(APP, &refresh(&refresh_token)).await;
    assert_eq!((reader(&answer), answer.header("access-control-expose-headers")), ("", ""));
    assert_varies(&answer);
}

#[tokio::test]
async fn an_error_of_a_client_that_was_let_in_is_for_its_own_pages() {
    let server = TestServer::start(&config());
    let form = format!("grant_type=refresh_token&refresh_token=x&client_id={APP}");
    for (origin, may_read) in [(OF_APP, true), (OF_WEB, false), (OF_NOBODY, false)] {
        let answer = post(&server, "/token", &form, origin).await;
        answer.assert_error(400, "invalid_grant");
        assert_eq!(reader(&answer), if may_read { origin } else { "" });
    }
    let refresh_token = server.tokens_for(&ask_of_app()).await.refresh_token();
    server.lose_store().await;
    let form = refresh(&refresh_token).and("client_id", APP).encoded();
    for (origin, exposed) in [(OF_APP, "Retry-After, WWW-Authenticate"), (OF_WEB, "")] {
        let answer = post(&server, "/token", &form, origin).await;
        answer.assert_error(503, "temporarily_unavailable");
        assert_eq!((answer.header("retry-after"), answer.header("access-control-expose-headers")), ("1", exposed));
    }
}

#[tokio::test]
async fn an_error_before_the_client_is_known_is_for_the_pages_of_any_client() {
    let server = TestServer::start(&config());
    for path in ["/token", "/revoke"] {
        for (origin, may_read) in [(OF_APP, true), (OF_WEB, true), (OF_NOBODY, false), ("null", false)] {
            let expected = if may_read { origin } else { "" };
            let answers = [
                (401, post(&server, path, "client_id=nobody", origin).await),
                (401, post(&server, path, &format!("client_id={APP}&client_secret=x"), origin).await),
                (400, post(&server, path, "client_id=a&client_id=b", origin).await),
                (415, Answer::of(server.http().post(server.url(path)).header(ORIGIN, origin)).await),
                (405, Answer::of(server.http().get(server.url(path)).header(ORIGIN, origin)).await),
            ];
            for (status, answer) in answers {
                assert_eq!((answer.status.as_u16(), reader(&answer)), (status, expected), "{path}");
                assert_varies(&answer);
            }
        }
    }
}

#[tokio::test]
async fn the_public_documents_are_for_any_page() {
    let server = TestServer::start(&config());
    for path in [METADATA, KEY_SET] {
        let answer = Answer::of(server.http().get(server.url(path)).header(ORIGIN, OF_NOBODY)).await;
        assert_eq!((answer.status.as_u16(), reader(&answer)), (200, "*"));
        let answer = preflight(&server, path, OF_NOBODY, "GET").await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str(), reader(&answer)), (204, "", "*"));
        assert_eq!(answer.header("access-control-allow-methods"), "GET, HEAD");
        assert_eq!(answer.header("access-control-allow-headers"), "MCP-Protocol-Version");
        assert_eq!(answer.header("access-control-max-age"), "7200");
        // An error is readable too: it is as public as the document.
        let answer = Answer::of(server.http().post(server.url(path)).header(ORIGIN, OF_NOBODY)).await;
        assert_eq!((answer.status.as_u16(), reader(&answer), answer.header("allow")), (405, "*", "GET, HEAD"));
    }
}

#[tokio::test]
async fn no_page_reads_what_is_for_people_or_for_servers() {
    let server = TestServer::start(&config());
    for path in ["/authorize", "/login", "/consent", "/logout", "/introspect", "/nothing"] {
        let preflight = preflight(&server, path, OF_APP, "POST").await;
        assert!(preflight.status.is_client_error(), "{path}");
        let get = Answer::of(server.http().get(server.url(path)).header(ORIGIN, OF_APP)).await;
        let post = Answer::of(server.post(path, "token=x&client_id=app").header(ORIGIN, OF_APP)).await;
        for answer in [preflight, get, post] {
            assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("access-control-")), "{path}");
        }
    }
    let form = Parameters::new([("token", "x")]);
    let answer = Answer::of(server.post_as(WEB, "/introspect", &form).header(ORIGIN, OF_WEB)).await;
    assert_eq!((answer.status.as_u16(), reader(&answer)), (200, ""));
}

#[tokio::test]
async fn a_reload_changes_who_may_read() {
    let server = TestServer::start(&people());
    assert_eq!(reader(&preflight(&server, "/token", OF_APP, "POST").await), "");
    server.reload(&config()).await.expect("a good configuration");
    assert_eq!(reader(&preflight(&server, "/token", OF_APP, "POST").await), OF_APP);
    let answer = post(&server, "/revoke", &format!("client_id={APP}&token=x"), OF_APP).await;
    assert_eq!(reader(&answer), OF_APP);
    server.reload(&people()).await.expect("a good configuration");
    assert_eq!(reader(&preflight(&server, "/token", OF_APP, "POST").await), "");
}

#[tokio::test]
async fn under_an_issuer_with_a_path_the_rules_are_the_same() {
    let server = TestServer::start(&format!("issuer = \"<origin>/tenant\"\n{}", config()));
    for path in ["/tenant/token", "/tenant/revoke"] {
        assert_eq!(reader(&preflight(&server, path, OF_WEB, "POST").await), OF_WEB);
    }
    assert_eq!(reader(&preflight(&server, &format!("{METADATA}/tenant"), OF_NOBODY, "GET").await), "*");
    assert_eq!(preflight(&server, "/token", OF_WEB, "POST").await.status, 404);
    assert_eq!(server.revoke(TRUSTED, "x").await.status, 404);
}
