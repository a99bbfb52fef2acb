//! Introspection (RFC 7662): whether a token is good now, for those whom it concerns, and nothing for anybody else.

use std::fs;
use std::time::Duration;

use jotsmith::clients::ClientSecretHash;
use jotsmith::foundation::base64url;
use jotsmith::foundation::clock::Timestamp;
use jotsmith::foundation::random::{self, OsRandom};
use jotsmith::keys::algorithm::Algorithm;
use jotsmith::keys::signing_key::SigningKey;
use jotsmith::keys::token_type::TokenType;
use serde_json::{Value, json};

use crate::harness::log::Secrets;
use crate::harness::people::{
    ALICES_SUBJECT, API, API_SERVER, APP, TRUSTED, WEB, people, with_api_server, with_client, without_client,
    without_people,
};
use crate::harness::requests::{Parameters, ask_of_app, ask_of_trusted, ask_of_web, mangled, redemption, refresh};
use crate::harness::{Answer, SECRET, START, Site, TestServer, claims, header, log};

const SECOND: Duration = Duration::from_secs(1);

fn client_credentials() -> Parameters {
    Parameters::new([("grant_type", "client_credentials")])
}

async fn tokens(server: &TestServer, asked: &Parameters) -> (String, String) {
    let answer = server.tokens_for(asked).await;
    (answer.access_token(), answer.refresh_token())
}

#[tokio::test]
async fn of_an_access_token_its_client_and_its_resource_learn_what_it_says() {
    let server = TestServer::start(&with_api_server(&people()));
    let (access_token, _) = tokens(&server, &ask_of_web()).await;
    for asking in [WEB, API_SERVER] {
        let answer = server.introspect(asking, &access_token).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
        answer.assert_is_not_stored();
        let expected = json!({
            "active": true,
            "token_type": "Bearer",
            "iss": server.issuer,
            "sub": ALICES_SUBJECT,
            "aud": API,
            "client_id": WEB,
            "scope": "read write",
            "iat": START.as_seconds(),
            "exp": START.as_seconds() + 300,
            "auth_time": START.as_seconds(),
            "jti": claims(&access_token)["jti"],
        });
        assert_eq!(answer.json(), expected);
    }
}

#[tokio::test]
async fn of_a_refresh_token_its_client_learns_when_it_ends_and_nobody_takes_it_for_an_access_token() {
    let server = TestServer::start(&people());
    let (_, first) = tokens(&server, &ask_of_web()).await;
    server.advance(SECOND);
    let second = server.token(WEB, &refresh(&first)).await.refresh_token();
    let now = START.as_seconds() + 1;
    let expected = json!({
        "active": true,
        "iss": server.issuer,
        "sub": ALICES_SUBJECT,
        "client_id": WEB,
        "scope": "read write",
        "iat": now,
        "exp": now + 30 * 24 * 3600,
    });
    assert_eq!(server.introspect(WEB, &second).await.json(), expected);
    // Asking changes nothing.
    assert_eq!(server.introspect(WEB, &second).await.json(), expected);
    server.token(WEB, &refresh(&second)).await.access_token();
}

#[tokio::test]
async fn an_access_token_without_a_person_is_good_while_its_client_is_registered() {
    let config = with_api_server(&people());
    let server = TestServer::start(&config);
    let token = server.token(API_SERVER, &client_credentials()).await.access_token();
    let body = server.introspect(API_SERVER, &token).await.json();
    assert_eq!((&body["active"], &body["sub"]), (&json!(true), &json!(API_SERVER)));

    let elsewhere = with_client(&config, WEB, "grant_types = [\"client_credentials\"]\nresponse_types = []\n");
    server.reload(&elsewhere).await.expect("a good configuration");
    let of_web = server.token(WEB, &client_credentials()).await.access_token();
    assert!(server.is_active(API_SERVER, &of_web).await);
    server.reload(&without_client(&config, WEB)).await.expect("a good configuration");
    assert!(!server.is_active(API_SERVER, &of_web).await);
    assert!(server.is_active(API_SERVER, &token).await);
}

#[tokio::test]
async fn whoever_a_token_does_not_concern_learns_nothing_of_it() {
    let other = r#"
        [[clients]]
        client_id = "other"
        client_secrets = ["<secret>"]
        redirect_uris = ["https://other.example.com/cb"]
        grant_types = ["authorization_code", "refresh_token"]
        scope = "read"
        [[resources]]
        identifier = "https://other.example.com"
        introspected_by = ["other"]
    "#;
    let secret = ClientSecretHash::of_generated(SECRET.as_bytes());
    let server = TestServer::start(&(with_api_server(&people()) + &other.replace("<secret>", &secret)));
    let (access_token, refresh_token) = tokens(&server, &ask_of_web()).await;
    for asking in [TRUSTED, "other"] {
        assert!(!server.is_active(asking, &access_token).await);
        assert!(!server.is_active(asking, &refresh_token).await);
    }
    // A refresh token is never for a resource.
    assert!(!server.is_active(API_SERVER, &refresh_token).await);
    assert!(server.is_active(WEB, &refresh_token).await);
    // A token that is there and one that never was are answered alike, to the last header.
    let [there, never] = [server.introspect(TRUSTED, &access_token).await, server.introspect(TRUSTED, "x").await];
    let without_names = |mut answer: Answer| {
        answer.headers.remove("x-request-id");
        answer.headers.remove("date");
        (answer.status, answer.headers, answer.body)
    };
    assert_eq!(without_names(there), without_names(never));
}

#[tokio::test]
async fn what_is_no_token_is_not_active() {
    let server = TestServer::start(&with_api_server(&people()));
    let elsewhere = TestServer::start(&people());
    let (access_token, refresh_token) = tokens(&server, &ask_of_web()).await;
    let (foreign_access, foreign_refresh) = tokens(&elsewhere, &ask_of_web()).await;
    let (head, _) = access_token.rsplit_once('.').expect("a JWT");
    let mut texts = vec!["x".to_owned(), "..".to_owned(), "jsr_".to_owned(), format!("{head}."), "x".repeat(8192)];
    texts.extend([foreign_access, foreign_refresh, server.code_for(&ask_of_web()).await]);
    texts.extend(mangled(&refresh_token));
    for text in &texts {
        assert!(!server.is_active(WEB, text).await, "{text}");
    }
    assert!(server.is_active(WEB, &access_token).await && server.is_active(WEB, &refresh_token).await);
}

#[tokio::test]
async fn a_hint_about_the_type_makes_no_difference() {
    let server = TestServer::start(&people());
    let (access_token, refresh_token) = tokens(&server, &ask_of_web()).await;
    for hint in ["refresh_token", "access_token", "urn:example:pass", ""] {
        for token in [&access_token, &refresh_token] {
            let form = Parameters::new([("token", token), ("token_type_hint", hint)]);
            let answer = Answer::of(server.post_as(WEB, "/introspect", &form)).await;
            assert_eq!(answer.json()["active"], json!(true), "{hint}");
        }
    }
}

#[tokio::test]
async fn a_token_ends_at_its_own_time() {
    let server = TestServer::start(&with_api_server(&people()));
    let (access_token, refresh_token) = tokens(&server, &ask_of_web()).await;
    server.advance(Duration::from_secs(299));
    assert!(server.is_active(API_SERVER, &access_token).await);
    server.advance(SECOND);
    assert!(!server.is_active(API_SERVER, &access_token).await);
    // 30 days after it was made.
    server.advance(Duration::from_secs(30 * 24 * 3600 - 300 - 1));
    assert!(server.is_active(WEB, &refresh_token).await);
    server.advance(SECOND);
    assert!(!server.is_active(WEB, &refresh_token).await);
}

#[tokio::test]
async fn of_all_refresh_tokens_of_a_grant_the_last_one_alone_is_active() {
    let server = TestServer::start(&people());
    let (access_token, first) = tokens(&server, &ask_of_web()).await;
    let second = server.token(WEB, &refresh(&first)).await.refresh_token();
    // Within the window in which it would be taken as a retry.
    assert!(!server.is_active(WEB, &first).await);
    assert!(server.is_active(WEB, &second).await);
    assert!(server.is_active(WEB, &access_token).await, "a refresh ends no access token");
    // Asking about a spent one is no reuse.
    server.advance(Duration::from_mins(1));
    assert!(!server.is_active(WEB, &first).await);
    assert!(server.is_active(WEB, &second).await);
}

#[tokio::test]
async fn what_ends_a_grant_ends_its_access_tokens() {
    let server = TestServer::start(&with_api_server(&people()));
    // A refresh token that was stolen.
    let (access_token, first) = tokens(&server, &ask_of_web()).await;
    let refreshed = server.token(WEB, &refresh(&first)).await;
    server.advance(Duration::from_mins(1));
    server.token(WEB, &refresh(&first)).await.assert_error(400, "invalid_grant");
    for token in [access_token, refreshed.access_token()] {
        assert!(!server.is_active(API_SERVER, &token).await);
    }
    assert!(!server.is_active(WEB, &refreshed.refresh_token()).await);
    // A code that was stolen, of a client that may not refresh.
    let asked = ask_of_trusted();
    let code = redemption(&asked, &server.code_for(&asked).await);
    let access_token = server.token(TRUSTED, &code).await.access_token();
    assert!(server.is_active(API_SERVER, &access_token).await);
    server.token(TRUSTED, &code).await.assert_error(400, "invalid_grant");
    assert!(!server.is_active(API_SERVER, &access_token).await);
}

#[tokio::test]
async fn tokens_of_a_person_who_is_gone_are_not_active_until_they_are_back() {
    let config = with_api_server(&people());
    let server = TestServer::start(&config);
    let (access_token, refresh_token) = tokens(&server, &ask_of_web()).await;
    server.reload(&without_people(&config)).await.expect("a good configuration");
    assert!(!server.is_active(API_SERVER, &access_token).await);
    assert!(!server.is_active(WEB, &access_token).await);
    assert!(!server.is_active(WEB, &refresh_token).await);
    server.reload(&config).await.expect("a good configuration");
    assert!(server.is_active(API_SERVER, &access_token).await);
    assert!(server.is_active(WEB, &refresh_token).await);
}

#[tokio::test]
async fn a_refresh_token_of_a_client_that_may_not_refresh_any_more_is_not_active() {
    let config = people();
    let server = TestServer::start(&config);
    let (access_token, refresh_token) = tokens(&server, &ask_of_web()).await;
    let without = with_client(&config, WEB, "grant_types = [\"authorization_code\"]\n");
    server.reload(&without).await.expect("a good configuration");
    assert!(!server.is_active(WEB, &refresh_token).await);
    assert!(server.is_active(WEB, &access_token).await);
}

#[tokio::test]
async fn access_tokens_of_a_grant_that_is_over_end_at_their_own_time() {
    let config = with_api_server(&people()) + "[lifetimes]\nrefresh_token_idle = \"1m\"\n";
    let server = TestServer::start(&config);
    let (first, refresh_token) = tokens(&server, &ask_of_web()).await;
    server.advance(Duration::from_secs(50));
    let second = server.token(WEB, &refresh(&refresh_token)).await;
    server.advance(Duration::from_mins(4));
    // The refresh token has ended, the access tokens have not.
    assert!(!server.is_active(WEB, &second.refresh_token()).await);
    assert!(server.is_active(API_SERVER, &first).await);
    assert!(server.is_active(API_SERVER, &second.access_token()).await);
    server.advance(SECOND * 11);
    assert!(!server.is_active(API_SERVER, &first).await);
    assert!(server.is_active(API_SERVER, &second.access_token()).await);
}

#[tokio::test]
async fn access_tokens_from_before_their_lifetime_was_made_shorter_end_at_their_own_time() {
    let config = |access_token: &str| {
        let lifetimes = format!("[lifetimes]\naccess_token = \"{access_token}\"\nrefresh_token_idle = \"1m\"\n");
        with_api_server(&people()) + &lifetimes
    };
    for (restarts, stops) in [(false, 0), (true, 0), (false, 56)] {
        let mut server = TestServer::start(&config("1h"));
        let (longer, _) = tokens(&server, &ask_of_web()).await;
        server.advance(SECOND * 60);
        if restarts {
            server.restart(|site| site.write_config(&config("5m")));
        } else {
            server.reload(&config("5m")).await.expect("a good configuration");
        }
        for minute in 1..59 {
            server.advance(SECOND * 60);
            if minute == stops {
                server.restart(|_| ());
            }
            // Again and again the configuration that is live already.
            server.reload(&config("5m")).await.expect("a good configuration");
            server.sweep().await;
        }
        assert!(server.is_active(API_SERVER, &longer).await, "{restarts} {stops}");
        server.advance(SECOND * 60);
        assert!(!server.is_active(API_SERVER, &longer).await, "{restarts} {stops}");
        // Then grants are forgotten as ever.
        server.advance(SECOND * 60 * 6);
        server.sweep().await;
        assert_eq!(server.remembered_grants().await, 0, "{restarts} {stops}");
    }
}

#[tokio::test]
async fn a_public_client_may_not_ask() {
    let server = TestServer::start(&people());
    let (access_token, refresh_token) = tokens(&server, &ask_of_app()).await;
    for token in [access_token.as_str(), &refresh_token, "x"] {
        server.introspect(APP, token).await.assert_error(401, "invalid_client");
    }
    // An endpoint that anybody could ask in a confidential client's name would be as open.
    let form = format!("token={access_token}&client_id={WEB}");
    Answer::of(server.post("/introspect", &form)).await.assert_error(401, "invalid_client");
    Answer::of(server.post("/introspect", &format!("token={access_token}"))).await.assert_error(401, "invalid_client");
}

/// An instant as a configuration writes it.
fn at(offset: Duration) -> Timestamp {
    START + offset
}

#[tokio::test]
async fn a_key_that_is_published_verifies_and_one_that_was_killed_does_not() {
    let hour = Duration::from_hours(1);
    let site = Site::new();
    let [old, new] = [site.add_key(Algorithm::Es256), site.add_key(Algorithm::Es256)];
    let retires = format!("{}retire_at = \"{}\"\n", old.entry, at(hour * 3));
    let comes = format!("{}publish_at = \"{}\"\nsign_from = \"{}\"\n", new.entry, START, at(hour));
    let config = with_api_server(&people());
    let server = TestServer::start_at(site, &(config.clone() + &retires + &comes));
    server.advance(Duration::from_secs(3599));
    let (by_old, _) = tokens(&server, &ask_of_web()).await;
    server.advance(SECOND * 2);
    let (by_new, _) = tokens(&server, &ask_of_web()).await;
    assert_ne!(header(&by_old)["kid"], header(&by_new)["kid"]);
    // The old one retires: it signs no more, and still verifies.
    assert!(server.is_active(API_SERVER, &by_old).await);
    assert!(server.is_active(API_SERVER, &by_new).await);
    // It leaked: its tokens are in use, so that it goes only where it is said that it was killed.
    let without = config + &new.entry;
    server.reload(&without).await.expect_err("tokens of the old key are in use");
    assert!(server.is_active(API_SERVER, &by_old).await);
    let killed = format!("{without}[[keys.killed]]\nkid = \"{}\"\n", old.kid);
    server.reload(&killed).await.expect("a good configuration");
    assert!(!server.is_active(API_SERVER, &by_old).await);
    assert!(server.is_active(API_SERVER, &by_new).await);
    // Nobody revokes with what it signs either.
    assert_eq!(server.revoke(WEB, &by_old).await.status, 200);
    assert!(server.is_active(API_SERVER, &by_new).await);
}

/// A server, and a token that it would have signed for these claims.
fn server_with_signed(change: impl FnOnce(&mut Value)) -> (TestServer, String) {
    let site = Site::new();
    let key = site.add_key(Algorithm::Es256);
    let pem = fs::read(&key.file).expect("a key");
    let server = TestServer::start_at(site, &(with_api_server(&people()) + &key.entry));
    let jti = [&random::bytes::<6>(&OsRandom)[..], &[0x40, 0, 0x80], &random::bytes::<15>(&OsRandom)].concat();
    let mut claims = json!({
        "iss": server.issuer, "sub": WEB, "aud": API, "client_id": WEB, "jti": base64url::encode(jti),
        "iat": START.as_seconds(), "exp": START.as_seconds() + 300, "scope": "read",
    });
    change(&mut claims);
    let key = SigningKey::from_pem(&pem, Algorithm::Es256, None).expect("a key of ours");
    (server, key.sign(TokenType::AccessToken, &claims).expect("a token"))
}

#[tokio::test]
async fn a_token_for_several_resources_concerns_each_of_them() {
    for (audience, concerns) in [
        (json!(API), true),
        (json!([API]), true),
        (json!(["https://other.example.com", API]), true),
        (json!([format!("{API}/"), "https://other.example.com"]), true),
        (json!(["https://other.example.com", "not a resource"]), false),
        (json!([]), false),
        (json!(7), false),
    ] {
        let (server, token) = server_with_signed(|claims| claims["aud"] = audience.clone());
        assert_eq!(server.is_active(API_SERVER, &token).await, concerns, "{audience}");
        if concerns {
            // As the token says it, text or list.
            assert_eq!(server.introspect(API_SERVER, &token).await.json()["aud"], audience);
        }
    }
}

#[tokio::test]
async fn what_we_signed_and_is_no_access_token_of_ours_is_not_active() {
    for missing in ["client_id", "jti", "aud", "exp"] {
        let (server, token) = server_with_signed(|claims| {
            claims.as_object_mut().expect("an object").remove(missing);
        });
        assert!(!server.is_active(WEB, &token).await, "{missing}");
    }
    let (server, token) = server_with_signed(|claims| claims["iss"] = json!("https://elsewhere.example.com"));
    assert!(!server.is_active(WEB, &token).await);
    let (server, token) = server_with_signed(|_| ());
    assert!(server.is_active(WEB, &token).await);
}

#[tokio::test]
async fn a_claim_that_a_configuration_adds_is_told_and_changes_no_verdict() {
    let claims = "claims = { tenant = \"acme\", active = \"no\", token_type = \"DPoP\" }\n";
    let server = TestServer::start(&with_client(&with_api_server(&people()), WEB, claims));
    let (access_token, refresh_token) = tokens(&server, &ask_of_web()).await;
    let body = server.introspect(API_SERVER, &access_token).await.json();
    assert_eq!((&body["active"], &body["token_type"]), (&json!(true), &json!("Bearer")));
    assert_eq!(body["tenant"], json!("acme"));
    server.revoke(WEB, &refresh_token).await;
    assert!(!server.is_active(API_SERVER, &access_token).await);
}

#[tokio::test]
async fn no_token_that_is_asked_about_or_given_up_is_in_the_log_and_the_client_that_did_is() {
    let server = TestServer::start(&with_api_server(&people()));
    let (access_token, refresh_token) = tokens(&server, &ask_of_web()).await;
    let mut secrets = Secrets::default();
    let mut names = Vec::new();
    for token in [access_token.as_str(), &refresh_token, "jsr_c2VjcmV0LXRoYXQtaXMtbm8tdG9rZW4", "eyJh.c2VjcmV0.c2Vj"] {
        secrets.add(token);
        for answer in [server.introspect(WEB, token).await, server.revoke(WEB, token).await] {
            names.push(answer.header("x-request-id").to_owned());
        }
    }
    secrets.assert_none_is_logged();
    for name in names {
        let lines = log::lines_with(&name);
        assert!(lines.iter().any(|line| line["span"]["client.id"] == json!(WEB)), "{lines:?}");
    }
}
