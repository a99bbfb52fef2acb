//! Redeeming a code (RFC 6749 §4.1.3): once, by whom it was made for, and what becomes of everybody else.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jotsmith::foundation::base64url;
use serde_json::json;

use crate::harness::people::{
    ALICES_SUBJECT, API, APP, TRUSTED, TRUSTED_CALLBACK, VERIFIER, WEB, WEB_CALLBACK, cheap_hash, people, with_client,
    without_people,
};
use crate::harness::requests::{ask_of_app, ask_of_trusted, ask_of_web, mangled, redemption, refresh};
use crate::harness::{Answer, START, TestServer, claims, header};

/// A verifier that is well formed and belongs to another challenge.
const OTHER_VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXX";

/// Refused for good reason, with the one sentence for all of them.
fn assert_refused(answer: &Answer) {
    answer.assert_error(400, "invalid_grant");
    let sentence = "The code is unknown, used up, too old, or not for this request.";
    assert_eq!(answer.json()["error_description"], sentence);
}

/// Whether the grant behind a refresh token can still be used.
async fn is_live(server: &TestServer, client_id: &str, refresh_token: &str) -> bool {
    let answer = server.token(client_id, &refresh(refresh_token)).await;
    if answer.status != 200 {
        answer.assert_error(400, "invalid_grant");
    }
    answer.status == 200
}

#[tokio::test]
async fn the_pair_of_rfc_7636_appendix_b_redeems_a_code_into_tokens_of_that_person() {
    let config = people() + r#"claims = { name = "Alice", tenant = "hers" }"#;
    let config = with_client(&config, WEB, r#"claims = { tenant = "acme", shop = 7 }"#);
    let server = TestServer::start(&config);
    let asked = ask_of_web();
    let mut browser = server.browser();
    let consent_page = browser.authorize(&asked).await;
    let consent_page = browser.sign_in(&consent_page).await;
    server.advance(Duration::from_secs(20));
    let code = browser.allow(&consent_page).await.code();
    server.advance(Duration::from_secs(30));
    let answer = server.token(WEB, &redemption(&asked, &code)).await;

    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.assert_is_not_stored();
    assert_eq!(answer.header("content-type"), "application/json");
    let body = answer.json();
    let names: BTreeSet<_> = body.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(names, BTreeSet::from(["access_token", "expires_in", "refresh_token", "scope", "token_type"]));
    assert_eq!(
        (&body["token_type"], &body["expires_in"], &body["scope"]),
        (&json!("Bearer"), &json!(300), &json!("read write"))
    );
    assert!(answer.refresh_token().starts_with("jsr_"));

    let token = answer.access_token();
    assert_eq!((&header(&token)["typ"], &header(&token)["alg"]), (&json!("at+jwt"), &json!("ES256")));
    let claims = claims(&token);
    let now = START.as_seconds() + 50;
    // The person's claim comes before the client's of the same name.
    let expected = json!({
        "iss": server.issuer, "sub": ALICES_SUBJECT, "aud": API, "client_id": WEB,
        "exp": now + 300, "iat": now, "auth_time": START.as_seconds(), "jti": claims["jti"], "scope": "read write",
        "name": "Alice", "tenant": "hers", "shop": 7,
    });
    assert_eq!(claims, expected);
}

#[tokio::test]
async fn every_token_of_a_grant_has_a_jti_of_its_own_that_starts_with_the_grants_id() {
    let server = TestServer::start(&people());
    let asked = ask_of_web();
    let code = server.code_for(&asked).await;
    let first = server.token(WEB, &redemption(&asked, &code)).await;
    let second = server.token(WEB, &refresh(&first.refresh_token())).await;
    let jti = |answer: &Answer| {
        let claims = claims(&answer.access_token());
        base64url::decode(claims["jti"].as_str().expect("a jti")).expect("base64url")
    };
    let (first, second) = (jti(&first), jti(&second));
    assert_eq!((first.len(), &first[..16]), (24, &second[..16]));
    assert_ne!(first[16..], second[16..]);
    // It is the code's own id too: so a code that is presented again leads to its grant.
    let code = base64url::decode(code.strip_prefix("jsc_").expect("a code")).expect("base64url");
    assert!(code.windows(16).any(|window| window == &first[..16]));
}

#[tokio::test]
async fn whatever_is_wrong_consumes_nothing_and_the_right_request_still_works() {
    let server = TestServer::start(&people());
    for (client_id, other, asked) in [(WEB, TRUSTED, ask_of_web()), (APP, WEB, ask_of_app())] {
        let code = server.code_for(&asked).await;
        let right = redemption(&asked, &code);
        assert_refused(&server.token(other, &right).await);
        for wrong in [
            right.clone().with("code_verifier", OTHER_VERIFIER),
            right.clone().without("code_verifier"),
            right.clone().with("code_verifier", ""),
            right.clone().with("redirect_uri", TRUSTED_CALLBACK),
            right.clone().with("redirect_uri", "https://evil.example.com/cb"),
            right.clone().with("redirect_uri", &format!("{}/", asked.get("redirect_uri").expect("one"))),
        ] {
            assert_refused(&server.token(client_id, &wrong).await);
        }
        for malformed in ["short", &"x".repeat(129), &VERIFIER.replace('-', "+")] {
            let answer = server.token(client_id, &right.clone().with("code_verifier", malformed)).await;
            answer.assert_error(400, "invalid_request");
        }
        server.token(client_id, &right.clone().without("code")).await.assert_error(400, "invalid_request");
        let elsewhere = right.clone().and("resource", "https://elsewhere.example.com");
        server.token(client_id, &elsewhere).await.assert_error(400, "invalid_target");
        assert_eq!(server.token(client_id, &right).await.status, 200, "{client_id}");
    }
}

#[tokio::test]
async fn a_port_of_loopback_is_part_of_what_a_code_is_bound_to() {
    let server = TestServer::start(&people());
    let asked = ask_of_app();
    let code = server.code_for(&asked).await;
    let right = redemption(&asked, &code);
    assert_refused(&server.token(APP, &right.clone().with("redirect_uri", "http://127.0.0.1:51005/cb")).await);
    assert_eq!(server.token(APP, &right).await.status, 200);
}

#[tokio::test]
async fn a_code_bound_to_pkce_may_be_redeemed_without_its_redirect_uri() {
    let server = TestServer::start(&people());
    for (client_id, asked) in [(WEB, ask_of_web()), (APP, ask_of_app())] {
        let code = server.code_for(&asked).await;
        let answer = server.token(client_id, &redemption(&asked, &code).without("redirect_uri")).await;
        assert_eq!(answer.status, 200, "{client_id}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_code_without_a_challenge_needs_its_redirect_uri_and_takes_no_verifier() {
    let server = TestServer::start(&people());
    let asked = ask_of_trusted().without("code_challenge").without("code_challenge_method");
    let code = server.code_for(&asked).await;
    let right = redemption(&asked, &code).without("code_verifier");
    assert_refused(&server.token(TRUSTED, &right.clone().with("code_verifier", VERIFIER)).await);
    assert_refused(&server.token(TRUSTED, &right.clone().without("redirect_uri")).await);
    assert_eq!(server.token(TRUSTED, &right).await.status, 200);
}

#[tokio::test]
async fn a_redirect_uri_that_was_left_out_may_be_left_out_or_be_the_only_one_there_is() {
    let server = TestServer::start(&people());
    let asked = ask_of_web().without("redirect_uri");
    let code = server.code_for(&asked).await;
    let right = redemption(&asked, &code);
    assert_refused(&server.token(WEB, &right.clone().with("redirect_uri", TRUSTED_CALLBACK)).await);
    assert_eq!(server.token(WEB, &right.with("redirect_uri", WEB_CALLBACK)).await.status, 200);
    let code = server.code_for(&asked).await;
    let without = redemption(&asked, &code).without("redirect_uri");
    assert_eq!(server.token(WEB, &without).await.status, 200);
}

#[tokio::test]
async fn a_code_is_good_for_60_seconds_and_no_longer() {
    let server = TestServer::start(&people());
    let asked = ask_of_web();
    let [in_time, too_late] = [server.code_for(&asked).await, server.code_for(&asked).await];
    server.advance(Duration::from_millis(59_999));
    assert_eq!(server.token(WEB, &redemption(&asked, &in_time)).await.status, 200);
    server.advance(Duration::from_millis(1));
    assert_refused(&server.token(WEB, &redemption(&asked, &too_late)).await);
    // Nor does it come back when the clock does not run evenly: it is refused, whatever was tried before.
    assert_refused(&server.token(WEB, &redemption(&asked, &too_late)).await);
}

#[tokio::test]
async fn a_code_that_is_presented_again_ends_its_grant_at_once_and_long_after() {
    let server = TestServer::start(&people());
    for (client_id, asked) in [(WEB, ask_of_web()), (APP, ask_of_app())] {
        for later in [Duration::ZERO, Duration::from_secs(61), Duration::from_hours(29 * 24)] {
            let code = server.code_for(&asked).await;
            let form = redemption(&asked, &code);
            let refresh_token = server.token(client_id, &form).await.refresh_token();
            server.advance(later);
            assert_refused(&server.token(client_id, &form).await);
            assert!(!is_live(&server, client_id, &refresh_token).await, "{client_id}, {later:?}");
            assert_refused(&server.token(client_id, &form).await);
        }
    }
}

#[tokio::test]
async fn a_code_that_is_presented_again_ends_a_grant_that_was_refreshed_meanwhile() {
    let server = TestServer::start(&people());
    let asked = ask_of_web();
    let form = redemption(&asked, &server.code_for(&asked).await);
    let first = server.token(WEB, &form).await.refresh_token();
    let second = server.token(WEB, &refresh(&first)).await.refresh_token();
    assert_refused(&server.token(WEB, &form).await);
    assert!(!is_live(&server, WEB, &second).await);
}

#[tokio::test]
async fn whoever_has_a_spent_code_and_no_more_harms_nobody() {
    let server = TestServer::start(&people());
    for (client_id, other, asked) in [(WEB, TRUSTED, ask_of_web()), (APP, WEB, ask_of_app())] {
        let form = redemption(&asked, &server.code_for(&asked).await);
        let refresh_token = server.token(client_id, &form).await.refresh_token();
        assert_refused(&server.token(client_id, &form.clone().with("code_verifier", OTHER_VERIFIER)).await);
        assert_refused(&server.token(client_id, &form.clone().without("code_verifier")).await);
        assert_refused(&server.token(client_id, &form.clone().with("redirect_uri", TRUSTED_CALLBACK)).await);
        assert_refused(&server.token(other, &form).await);
        assert!(is_live(&server, client_id, &refresh_token).await, "{client_id}");
    }
}

#[tokio::test]
async fn a_replay_ends_no_other_grant_of_the_same_person_and_client() {
    let server = TestServer::start(&people());
    let asked = ask_of_web();
    let other = server.tokens_for(&asked).await.refresh_token();
    let form = redemption(&asked, &server.code_for(&asked).await);
    server.token(WEB, &form).await.access_token();
    assert_refused(&server.token(WEB, &form).await);
    assert!(is_live(&server, WEB, &other).await);
}

#[tokio::test]
async fn of_many_that_redeem_one_code_at_once_one_gets_tokens_and_the_grant_is_dead() {
    let server = Arc::new(TestServer::start(&format!("{}\n[server]\nworkers = 4\n", people())));
    for _ in 0..5 {
        let asked = ask_of_web();
        let form = redemption(&asked, &server.code_for(&asked).await);
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (server, form) = (Arc::clone(&server), form.clone());
                tokio::spawn(async move { server.token(WEB, &form).await })
            })
            .collect();
        let mut winners = Vec::new();
        for task in tasks {
            let answer = task.await.expect("an answer");
            if answer.status == 200 { winners.push(answer) } else { assert_refused(&answer) }
        }
        let [winner] = &winners[..] else { panic!("{} redeemed one code", winners.len()) };
        // RFC 6749 §4.1.2: one of the eight may be a thief, and nobody knows which.
        assert!(!is_live(&server, WEB, &winner.refresh_token()).await);
    }
}

#[tokio::test]
async fn a_forged_or_mangled_code_is_refused_and_the_true_one_still_works() {
    let server = TestServer::start(&people());
    let asked = ask_of_web();
    let code = server.code_for(&asked).await;
    let mut forged = mangled(&code);
    forged.extend([
        code[4..].to_owned(),
        code[..code.len() - 1].to_owned(),
        format!("{code}="),
        format!("{code}A"),
        format!(" {code}"),
        code.to_ascii_uppercase(),
        code.replace("jsc_", "jsr_"),
        "jsc_".to_owned(),
        "x".repeat(8192),
        "' OR 1=1 --".to_owned(),
    ]);
    for forged in forged {
        assert_refused(&server.token(WEB, &redemption(&asked, &forged)).await);
    }
    // A server of another name with the same keys would have made another code, so its own is nobody's here.
    let elsewhere = TestServer::start(&people());
    let foreign = elsewhere.code_for(&asked).await;
    assert_refused(&server.token(WEB, &redemption(&asked, &foreign)).await);
    assert_eq!(server.token(WEB, &redemption(&asked, &code)).await.status, 200);
}

#[tokio::test]
async fn a_refresh_token_is_no_code_and_a_code_is_no_refresh_token() {
    let server = TestServer::start(&people());
    let asked = ask_of_web();
    let code = server.code_for(&asked).await;
    let refresh_token = server.tokens_for(&asked).await.refresh_token();
    for refresh_token in [refresh_token.clone(), refresh_token.replace("jsr_", "jsc_")] {
        assert_refused(&server.token(WEB, &redemption(&asked, &refresh_token)).await);
    }
    for code in [code.clone(), code.replace("jsc_", "jsr_")] {
        server.token(WEB, &refresh(&code)).await.assert_error(400, "invalid_grant");
    }
    assert!(is_live(&server, WEB, &refresh_token).await);
    assert_eq!(server.token(WEB, &redemption(&asked, &code)).await.status, 200);
}

#[tokio::test]
async fn a_client_that_may_not_refresh_gets_no_refresh_token_and_its_code_is_spent_all_the_same() {
    let server = TestServer::start(&people());
    let asked = ask_of_trusted();
    let form = redemption(&asked, &server.code_for(&asked).await);
    let answer = server.token(TRUSTED, &form).await;
    assert_eq!(answer.json().get("refresh_token"), None);
    assert_eq!(claims(&answer.access_token())["sub"], ALICES_SUBJECT);
    assert_refused(&server.token(TRUSTED, &form).await);
    let foreign = server.tokens_for(&ask_of_web()).await.refresh_token();
    server.token(TRUSTED, &refresh(&foreign)).await.assert_error(400, "unauthorized_client");
}

#[tokio::test]
async fn a_client_that_has_lost_the_code_grant_redeems_nothing() {
    let server = TestServer::start(&people());
    let asked = ask_of_web();
    let form = redemption(&asked, &server.code_for(&asked).await);
    let machine = "grant_types = [\"client_credentials\"]\nresponse_types = []";
    let without = with_client(&people(), WEB, machine);
    server.reload(&without).await.expect("a good change");
    server.token(WEB, &form).await.assert_error(400, "unauthorized_client");
    server.reload(&people()).await.expect("a good change");
    assert_eq!(server.token(WEB, &form).await.status, 200);
}

#[tokio::test]
async fn a_person_who_is_gone_redeems_nothing_and_may_come_back() {
    let server = TestServer::start(&people());
    let asked = ask_of_web();
    let form = redemption(&asked, &server.code_for(&asked).await);
    server.reload(&without_people(&people())).await.expect("a good change");
    server.token(WEB, &form).await.assert_error(400, "invalid_grant");
    server.reload(&people()).await.expect("a good change");
    assert_eq!(server.token(WEB, &form).await.status, 200);
}

#[tokio::test]
async fn scope_that_the_client_has_lost_meanwhile_is_not_in_the_token() {
    let server = TestServer::start(&people());
    let asked = ask_of_web();
    let form = redemption(&asked, &server.code_for(&asked).await);
    let nothing_left = redemption(&asked, &server.code_for(&asked.clone().with("scope", "write")).await);
    let narrowed = with_client(&people(), WEB, "scope = \"read\"");
    server.reload(&narrowed).await.expect("a good change");
    let answer = server.token(WEB, &form).await;
    assert_eq!(answer.json()["scope"], "read");
    assert_eq!(claims(&answer.access_token())["scope"], "read");
    server.token(WEB, &nothing_left).await.assert_error(400, "invalid_grant");
    server.reload(&people()).await.expect("a good change");
    assert_eq!(server.token(WEB, &nothing_left).await.json()["scope"], "write");
}

#[tokio::test]
async fn the_token_is_for_the_resource_that_the_person_allowed() {
    let config = people() + "[[resources]]\nidentifier = \"https://write.example.com\"\nscope = \"write\"\n";
    let server = TestServer::start(&config);
    let asked = ask_of_web().with("scope", "write").with("resource", "https://write.example.com");
    let form = redemption(&asked, &server.code_for(&asked).await);
    server.token(WEB, &form.clone().with("resource", API)).await.assert_error(400, "invalid_target");
    let answer = server.token(WEB, &form).await;
    assert_eq!(claims(&answer.access_token())["aud"], "https://write.example.com");
    let form = refresh(&answer.refresh_token());
    server.token(WEB, &form.with("resource", API)).await.assert_error(400, "invalid_target");
}

#[tokio::test]
async fn the_longest_request_that_is_taken_becomes_a_grant_and_a_longer_one_is_refused_before_anybody_is_asked() {
    // Everything in a grant's record is as long as it may be.
    let client_id = "c".repeat(255);
    let callback = format!("http://127.0.0.1/{}", "p".repeat(1024 - 17));
    let resource = format!("https://h/{}", "r".repeat(1024 - 10));
    let other = "c".repeat(1100);
    let scope = |more: usize| format!("{} {}", "a".repeat(500), "b".repeat(2048 - 1025 - 501 + more));
    let config = format!(
        r#"{}
        [[users]]
        username = "longest"
        subject = "{}"
        password_hash = "{}"

        [[resources]]
        identifier = "{resource}"

        [[clients]]
        client_id = "{client_id}"
        token_endpoint_auth_method = "none"
        application_type = "native"
        redirect_uris = ["{callback}"]
        grant_types = ["authorization_code", "refresh_token"]
        scope = "{} {} {other}"
        default_scope = ""
        resources = ["{resource}"]
        "#,
        people(),
        "s".repeat(255),
        cheap_hash("a long password"),
        scope(1),
        scope(0),
    );
    let server = TestServer::start(&config);
    let native = callback.replace("127.0.0.1", "127.0.0.1:65535");
    let ask = |more: usize| {
        let ask = ask_of_app().with("client_id", &client_id).with("redirect_uri", &native);
        ask.with("scope", &scope(more)).and("resource", &resource)
    };
    let mut browser = server.browser();
    let asked = ask(0);
    let page = browser.authorize(&asked).await;
    let page = browser.sign_in_as(&page, "longest", "a long password").await;
    let code = browser.allow(&page).await.code();
    let redeem = redemption(&asked, &code).and("client_id", &client_id);
    let first = server.post_token(&redeem.encoded()).await;
    assert_eq!(claims(&first.access_token())["scope"], scope(0));
    let form = refresh(&first.refresh_token()).and("client_id", &client_id);
    let second = server.post_token(&form.encoded()).await;
    assert_eq!(claims(&second.access_token())["aud"], resource);

    browser.authorize(&ask(1)).await.assert_sent_back(&server, &ask(1), "invalid_request");
    // A scope that is too long by itself is named as what it is.
    let only = format!("{} {other}", scope(0));
    let only = ask(0).with("scope", &only);
    browser.authorize(&only).await.assert_sent_back(&server, &only, "invalid_scope");
}
