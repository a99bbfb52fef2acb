//! The authorization request (RFC 6749 §4.1.1): what is shown to the person, and what goes back to the client.

use reqwest::header::{CONTENT_TYPE, LOCATION};

use crate::harness::people::{API, APP, CHALLENGE, TRUSTED_CALLBACK, WEB, WEB_CALLBACK, people, with_client};
use crate::harness::requests::{Parameters, ask_of_app, ask_of_trusted, ask_of_web, redemption};
use crate::harness::{Answer, SECRET, TestServer, claims};

/// By GET and by POST.
async fn both_ways(server: &TestServer, encoded: &str) -> [Answer; 2] {
    let get = server.get(&format!("/authorize?{encoded}")).await;
    let post = server.http().post(server.url("/authorize")).body(encoded.to_owned());
    let post = Answer::of(post.header(CONTENT_TYPE, "application/x-www-form-urlencoded")).await;
    [get, post]
}

/// Asserts that the person is told, and that the browser is sent nowhere.
async fn assert_shown(server: &TestServer, encoded: &str) {
    for answer in both_ways(server, encoded).await {
        assert_eq!(answer.status, 400, "{encoded}: {}", answer.body);
        assert_eq!(answer.headers.get(LOCATION), None, "{encoded}");
        assert_eq!(answer.page().count("form") + answer.page().count("a"), 0, "{encoded}");
        answer.page().assert_says("This did not work");
        answer.page().assert_says(answer.header("x-request-id"));
        assert!(answer.cookies().is_empty(), "{encoded}");
        answer.assert_is_not_stored();
    }
}

/// Asserts that the client is told, with 302 after GET and 303 after POST.
async fn assert_sent_back(server: &TestServer, asked: &Parameters, error: &str) {
    let [get, post] = both_ways(server, &asked.encoded()).await;
    assert_eq!((get.status.as_u16(), post.status.as_u16()), (302, 303), "{asked:?}: {}", get.body);
    for answer in [get, post] {
        answer.assert_sent_back(server, asked, error);
        assert_eq!((answer.header("cache-control"), answer.header("referrer-policy")), ("no-store", "no-referrer"));
        assert!(answer.cookies().is_empty());
    }
}

#[tokio::test]
async fn a_client_that_nobody_knows_is_shown_to_the_person_and_never_redirected() {
    let server = TestServer::start(&people());
    let ask = ask_of_web();
    for asked in [
        ask.clone().without("client_id"),
        ask.clone().with("client_id", ""),
        ask.clone().with("client_id", "nobody"),
        ask.clone().with("client_id", "Web"),
        ask.clone().and("client_id", WEB),
        ask.clone().and("client_id", APP),
        ask.and("x", "1").with("client_id", &"x".repeat(8193)),
    ] {
        assert_shown(&server, &asked.encoded()).await;
    }
    assert_shown(&server, "").await;
    assert_shown(&server, &"&x=1".repeat(65)).await;
}

#[tokio::test]
async fn a_redirect_uri_that_is_not_the_clients_is_shown_to_the_person_and_never_redirected() {
    let server = TestServer::start(&people());
    let ask = ask_of_web();
    for redirect_uri in [
        "https://evil.example.com/cb",
        "https://web.example.com/cb/",
        "https://web.example.com/CB",
        "https://web.example.com/cb?x=1",
        "https://web.example.com/cb#x",
        "https://web.example.com:443/cb",
        "https://web.example.com/%63b",
        "http://web.example.com/cb",
        "https://web.example.com.evil.example.com/cb",
        "//web.example.com/cb",
        "/cb",
        "javascript:alert(1)",
        TRUSTED_CALLBACK,
    ] {
        assert_shown(&server, &ask.clone().with("redirect_uri", redirect_uri).encoded()).await;
    }
    assert_shown(&server, &ask.clone().and("redirect_uri", WEB_CALLBACK).encoded()).await;
    assert_shown(&server, &ask.clone().and("redirect_uri", "https://evil.example.com/cb").encoded()).await;
    assert_shown(&server, &format!("{}&redirect_uri=%ff", ask.without("redirect_uri").encoded())).await;
}

#[tokio::test]
async fn a_native_client_may_come_back_at_any_port_of_the_host_and_path_that_it_registered() {
    let server = TestServer::start(&people());
    let ask = ask_of_app();
    for port in ["", ":1", ":51004", ":65535"] {
        let asked = ask.clone().with("redirect_uri", &format!("http://127.0.0.1{port}/cb"));
        let page = server.get(&format!("/authorize?{}", asked.encoded())).await;
        assert!(page.is_login(), "{port}");
        let asked = asked.with("prompt", "none");
        assert_sent_back(&server, &asked, "login_required").await;
    }
    for redirect_uri in [
        "http://localhost:51004/cb",
        "http://[::1]:51004/cb",
        "http://127.0.0.1:51004/other",
        "https://127.0.0.1:51004/cb",
        "http://127.0.0.1:0/cb",
        "http://127.0.0.1:65536/cb",
        "http://127.0.0.1:051004/cb",
        "http://127.0.0.1:/cb",
        "http://127.0.0.1:51004@evil.example.com/cb",
        "http://127.0.0.1.evil.example.com/cb",
    ] {
        assert_shown(&server, &ask.clone().with("redirect_uri", redirect_uri).encoded()).await;
    }
}

#[tokio::test]
async fn a_web_client_has_no_port_but_its_own() {
    let server = TestServer::start(&with_client(&people(), APP, "application_type = \"web\""));
    assert_shown(&server, &ask_of_app().encoded()).await;
    let asked = ask_of_app().with("redirect_uri", "http://127.0.0.1/cb").with("prompt", "none");
    assert_sent_back(&server, &asked, "login_required").await;
}

#[tokio::test]
async fn a_redirect_uri_is_left_out_exactly_where_the_client_has_one() {
    let one = people();
    let two =
        with_client(&one, WEB, r#"redirect_uris = ["https://web.example.com/other", "https://web.example.com/cb"]"#);
    let asked = ask_of_web().without("redirect_uri").with("prompt", "none");
    let server = TestServer::start(&one);
    let answer = server.get(&format!("/authorize?{}", asked.encoded())).await;
    answer.assert_sent_back(&server, &asked.clone().with("redirect_uri", WEB_CALLBACK), "login_required");
    server.reload(&two).await.expect("a good change");
    assert_shown(&server, &asked.encoded()).await;
    for path in ["cb", "other"] {
        let asked = asked.clone().with("redirect_uri", &format!("https://web.example.com/{path}"));
        assert_sent_back(&server, &asked, "login_required").await;
    }
}

#[tokio::test]
async fn a_repeated_or_unreadable_parameter_goes_back_to_the_client() {
    let server = TestServer::start(&people());
    let ask = ask_of_web();
    for asked in [
        ask.clone().and("scope", "read write"),
        ask.clone().and("response_type", "code"),
        ask.clone().and("unknown", "1").and("unknown", "1"),
        ask.clone().with("scope", &"x".repeat(8193)),
    ] {
        assert_sent_back(&server, &asked, "invalid_request").await;
    }
    let unreadable = format!("/authorize?{}&x=%ff", ask.encoded());
    server.get(&unreadable).await.assert_sent_back(&server, &ask, "invalid_request");
    // Two states are nobody's.
    let twice = server.get(&format!("/authorize?{}", ask.clone().and("state", "other").encoded())).await;
    twice.assert_sent_back(&server, &ask.without("state"), "invalid_request");
}

#[tokio::test]
async fn a_response_type_must_be_there_known_and_the_clients() {
    let machine = format!(
        r#"
        [[clients]]
        client_id = "machine"
        client_secrets = ["{}"]
        redirect_uris = ["https://machine.example.com/cb"]
        grant_types = ["client_credentials"]
        response_types = []
        scope = "read"
        "#,
        jotsmith::clients::ClientSecretHash::of_generated(SECRET.as_bytes()),
    );
    let server = TestServer::start(&(people() + &machine));
    let ask = ask_of_web();
    for (asked, error) in [
        (ask.clone().without("response_type"), "invalid_request"),
        (ask.clone().with("response_type", ""), "invalid_request"),
        (ask.clone().with("response_type", "Code"), "unsupported_response_type"),
        (ask.clone().with("response_type", "none"), "unsupported_response_type"),
        (ask.clone().with("response_type", "code code"), "unsupported_response_type"),
        (ask.clone().with("response_mode", "Query"), "invalid_request"),
        (ask.clone().with("response_mode", "web_message"), "invalid_request"),
        (ask.clone().with("response_mode", "query.jwt"), "invalid_request"),
        (ask.clone().and("response_mode", "query").and("response_mode", "query"), "invalid_request"),
    ] {
        assert_sent_back(&server, &asked, error).await;
    }
    let of_machine = ask.clone().with("client_id", "machine").with("redirect_uri", "https://machine.example.com/cb");
    assert_sent_back(&server, &of_machine.with("scope", "read"), "unauthorized_client").await;
    let page = server.browser().authorize(&ask.with("response_mode", "query")).await;
    assert!(page.is_login());
}

#[tokio::test]
async fn a_code_is_bound_to_a_sha_256_challenge() {
    let server = TestServer::start(&people());
    for ask in [ask_of_web(), ask_of_app()] {
        let none = ask.clone().without("code_challenge").without("code_challenge_method");
        let empty = ask.clone().with("code_challenge", "").with("code_challenge_method", "");
        for asked in [none, empty] {
            assert_sent_back(&server, &asked, "invalid_request").await;
        }
    }
    // A client that may do without PKCE may not do with half of it either.
    for ask in [ask_of_web(), ask_of_app(), ask_of_trusted()] {
        for asked in [
            ask.clone().without("code_challenge_method"),
            ask.clone().with("code_challenge_method", "plain"),
            ask.clone().with("code_challenge_method", "s256"),
            ask.clone().without("code_challenge"),
            ask.clone().with("code_challenge", &CHALLENGE[1..]),
            ask.clone().with("code_challenge", &format!("{CHALLENGE}=")),
            // The last character has bits that no digest has.
            ask.clone().with("code_challenge", &format!("{}N", &CHALLENGE[..42])),
            ask.clone().with("code_challenge", &CHALLENGE.replace('-', "+")),
            ask.with("code_challenge", &"x".repeat(128)),
        ] {
            assert_sent_back(&server, &asked, "invalid_request").await;
        }
    }
    let without = ask_of_trusted().without("code_challenge").without("code_challenge_method");
    assert!(server.browser().authorize(&without).await.is_login());
}

#[tokio::test]
async fn a_scope_or_resource_that_cannot_be_had_goes_back_to_the_client() {
    let config = people()
        + r#"
        [[resources]]
        identifier = "https://write.example.com"
        scope = "write"
        "#;
    let server = TestServer::start(&config);
    let ask = ask_of_web();
    for (asked, error) in [
        (ask.clone().with("scope", "admin"), "invalid_scope"),
        (ask.clone().with("scope", "read admin"), "invalid_scope"),
        (ask.clone().with("scope", "read  write"), "invalid_scope"),
        (ask.clone().with("scope", "Read"), "invalid_scope"),
        (ask.clone().with("scope", "read").and("resource", "https://write.example.com"), "invalid_scope"),
        (ask.clone().and("resource", "https://elsewhere.example.com"), "invalid_target"),
        (ask.clone().and("resource", "api"), "invalid_target"),
        (ask.clone().and("resource", &format!("{API}#x")), "invalid_target"),
        (ask.clone().and("resource", API).and("resource", "https://elsewhere.example.com"), "invalid_target"),
    ] {
        assert_sent_back(&server, &asked, error).await;
    }
    // What official clients send (RFC 3986 §6.2.3) is the same resource.
    let page = server.browser().authorize(&ask.and("resource", &format!("{API}/"))).await;
    assert!(page.is_login());
}

#[tokio::test]
async fn a_prompt_or_age_that_means_nothing_goes_back_to_the_client() {
    let server = TestServer::start(&people());
    let ask = ask_of_web();
    for (name, value) in [
        ("prompt", "none login"),
        ("prompt", "consent none"),
        ("prompt", "create"),
        ("prompt", "Login"),
        ("max_age", "-1"),
        ("max_age", "soon"),
        ("max_age", "99999999999"),
    ] {
        assert_sent_back(&server, &ask.clone().with(name, value), "invalid_request").await;
    }
    assert_sent_back(&server, &ask.clone().with("request", "eyJhbGciOiJub25lIn0.e30."), "request_not_supported").await;
    let by_reference = ask.with("request_uri", "https://web.example.com/request");
    assert_sent_back(&server, &by_reference, "request_uri_not_supported").await;
}

#[tokio::test]
async fn a_state_comes_back_byte_for_byte_with_an_error_and_with_a_code() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let long = "x".repeat(4000);
    for state in ["af0ifjsldkj", "a&b=c#d?e f+%41/ä\"<>", "{\"a\":[1]}", "line\r\nbreak", " ", &long] {
        let asked = ask_of_web().with("state", state);
        let refused = server.get(&format!("/authorize?{}", asked.clone().with("prompt", "none").encoded())).await;
        refused.assert_sent_back(&server, &asked, "login_required");
        let allowed = browser.consent(&asked).await;
        assert_eq!(allowed.sent_back()["state"], state);
    }
    let without = ask_of_web().without("state");
    assert_sent_back(&server, &without.clone().with("prompt", "none"), "login_required").await;
    let sent = browser.consent(&without).await.sent_back();
    assert_eq!(sent.keys().collect::<Vec<_>>(), ["code", "iss"]);
    assert_eq!(sent["iss"], server.issuer);
}

#[tokio::test]
async fn the_longest_request_leads_to_a_code_and_a_longer_one_goes_back() {
    let server = TestServer::start(&people());
    let without = ask_of_web().without("state");
    let asked = |more: usize| {
        let state = "x".repeat(5 * 1024 - without.encoded().len() - "&state=".len() + more);
        without.clone().with("state", &state)
    };
    let longest = asked(0);
    assert_eq!(server.browser().consent(&longest).await.sent_back()["state"], longest.get("state").expect("one"));
    assert_sent_back(&server, &asked(1), "invalid_request").await;
}

#[tokio::test]
async fn the_query_of_a_redirect_uri_is_kept() {
    let uri = "https://web.example.com/cb?tenant=a%20b&x=";
    let server = TestServer::start(&with_client(&people(), WEB, &format!("redirect_uris = [\"{uri}\"]")));
    let asked = ask_of_web().with("redirect_uri", uri);
    let location = server.browser().consent(&asked).await.header("location").to_owned();
    assert!(location.starts_with(&format!("{uri}&code=jsc_")), "{location}");
}

#[tokio::test]
async fn an_issuer_with_a_path_has_the_whole_way_under_it() {
    let server = TestServer::start(&format!("issuer = \"<origin>/tenant\"\n{}", people()));
    let asked = ask_of_web();
    let mut browser = server.browser();
    let login = browser.get(&format!("/tenant/authorize?{}", asked.encoded())).await;
    assert_eq!(login.form().action, server.url("/tenant/login"));
    let consent = browser.sign_in(&login).await;
    assert_eq!(consent.form().action, server.url("/tenant/consent"));
    let sent = browser.allow(&consent).await.sent_back();
    assert_eq!(sent["iss"], server.url("/tenant"));
    let form = redemption(&asked, &sent["code"]).encoded();
    let request = server.http().post(server.url("/tenant/token")).basic_auth(WEB, Some(SECRET)).body(form);
    let answer = Answer::of(request.header(CONTENT_TYPE, "application/x-www-form-urlencoded")).await;
    assert_eq!(claims(&answer.access_token())["iss"], server.url("/tenant"));
    let logout = browser.get("/tenant/logout").await;
    assert_eq!(logout.form().action, server.url("/tenant/logout"));
    assert_eq!(browser.authorize(&asked).await.status, 404);
}

#[tokio::test]
async fn the_login_page_is_shown_by_get_and_by_post() {
    let server = TestServer::start(&people());
    for answer in both_ways(&server, &ask_of_web().encoded()).await {
        assert_eq!(answer.status, 200);
        assert!(answer.is_login());
    }
    let json = server.http().post(server.url("/authorize")).header(CONTENT_TYPE, "application/json").body("{}");
    assert_eq!(Answer::of(json).await.status, 415);
    let put = server.http().put(server.url("/authorize"));
    let put = Answer::of(put).await;
    assert_eq!((put.status.as_u16(), put.header("allow")), (405, "GET, POST"));
}
