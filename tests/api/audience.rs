//! Which resource a token is for: `resource` (RFC 8707) and `aud` (RFC 9068 §3).

use jotsmith::keys::algorithm::Algorithm;
use serde_json::json;

use crate::harness::people::{API, API_SERVER, WEB, people, with_api_server, with_client};
use crate::harness::requests::{Parameters, ask_of_web, redemption, refresh};
use crate::harness::{Answer, CLIENT_CREDENTIALS, MACHINE, Site, TestServer, claims, header, machine};

const RESOURCES: &str = r#"
    [[resources]]
    identifier = "https://api.example.com"
    scope = "read write"

    [[resources]]
    identifier = "https://other.example.com/v1/"
    scope = "read"

    [[resources]]
    identifier = "https://admin.example.com"
    scope = "admin"
"#;

async fn refused(server: &TestServer, form: &str) {
    server.machine_token(&format!("{CLIENT_CREDENTIALS}{form}")).await.assert_error(400, "invalid_target");
}

#[tokio::test]
async fn a_known_resource_becomes_the_audience_as_it_is_registered() {
    let server = TestServer::start(&(machine() + RESOURCES));
    for (asked, aud) in [
        ("https://api.example.com", "https://api.example.com"),
        // Clients add a slash to a bare host, and percent-encode what needs no encoding.
        ("https://api.example.com/", "https://api.example.com"),
        ("https%3A%2F%2Fapi.example.com", "https://api.example.com"),
        ("https://other.example.com/v1/", "https://other.example.com/v1/"),
    ] {
        let token = server.access_token(&format!("&resource={asked}")).await;
        assert_eq!(claims(&token)["aud"], json!(aud), "{asked}");
    }
}

#[tokio::test]
async fn an_unknown_or_malformed_resource_is_refused() {
    let server = TestServer::start(&(machine() + RESOURCES));
    for resource in [
        "https://unknown.example.com",
        "http://api.example.com",
        "https://other.example.com/v1",
        "https://other.example.com/v1/x",
        "/api",
        "api.example.com",
        "https://api.example.com%23fragment",
        "https://api.example.com%20",
    ] {
        refused(&server, &format!("&resource={resource}")).await;
    }
}

#[tokio::test]
async fn a_token_for_several_resources_allows_what_each_of_them_understands() {
    let server = TestServer::start(&(machine() + RESOURCES));
    let both = "&resource=https://other.example.com/v1/&resource=https://api.example.com/";
    let token = server.access_token(both).await;
    // As they are registered, in the order of the request.
    assert_eq!(claims(&token)["aud"], json!(["https://other.example.com/v1/", "https://api.example.com"]));
    assert_eq!(claims(&token)["scope"], "read", "`write` is none of the first one's");
    let narrow = server.access_token("&resource=https://other.example.com/v1/").await;
    assert_eq!(claims(&narrow)["scope"], "read");
    refused(&server, &format!("{both}&resource=https://unknown.example.com")).await;
    refused(&server, &format!("{both}&resource=https://admin.example.com")).await;
    refused(&server, &format!("{both}&resource=api")).await;
}

#[tokio::test]
async fn a_resource_that_is_named_twice_or_empty_is_one_resource() {
    let server = TestServer::start(&(machine() + RESOURCES));
    for more in ["&resource=", "&resource=https://api.example.com", "&resource=https://api.example.com/"] {
        let token = server.access_token(&format!("&resource=https://api.example.com{more}")).await;
        assert_eq!(claims(&token)["aud"], json!("https://api.example.com"), "{more}");
    }
}

#[tokio::test]
async fn resources_of_another_lifetime_or_algorithm_do_not_share_a_token() {
    let api = "&resource=https://api.example.com";
    let both = format!("{api}&resource=https://odd.example.com");
    let with = |odd: &str| {
        format!(
            "{}{RESOURCES}\n[[resources]]\nidentifier = \"https://odd.example.com\"\nscope = \"read\"\n{odd}",
            machine()
        )
    };
    // The lifetime of a token for either is the same five minutes, whoever says so.
    let server = TestServer::start(&with("access_token_lifetime = \"5m\""));
    server.access_token(&both).await;

    let site = Site::new();
    let [es, rs] = [Algorithm::Es256, Algorithm::Rs256].map(|algorithm| site.add_key(algorithm).entry);
    let server = TestServer::start_at(site, &format!("{}\n{es}{rs}", with("algorithm = \"RS256\"")));
    refused(&server, &both).await;
    assert_eq!(header(&server.access_token("&resource=https://odd.example.com").await)["alg"], "RS256");

    let server = TestServer::start(&with("access_token_lifetime = \"4m\""));
    let answer = server.machine_token(&format!("{CLIENT_CREDENTIALS}{both}")).await;
    answer.assert_error(400, "invalid_target");
    let sentence =
        "One access token cannot be for all of these resources. Ask for each with a token request of its own.";
    assert_eq!(answer.json()["error_description"], sentence);
    server.access_token(api).await;
    // What the client's own setting makes alike is alike.
    let alike = with("access_token_lifetime = \"4m\"");
    let alike = with_client(&alike, MACHINE, "access_token_lifetime = \"1m\"");
    let token = claims(&TestServer::start(&alike).access_token(&both).await);
    assert_eq!(token["exp"].as_u64().expect("a time") - token["iat"].as_u64().expect("a time"), 60);
}

/// A request of the web client for these resources.
fn ask_for(resources: &[&str]) -> Parameters {
    resources.iter().fold(ask_of_web(), |ask, resource| ask.and("resource", resource))
}

const WRITE: &str = "https://write.example.com";

/// People, and beside their API one that understands nothing but `write`.
fn with_write(more: &str) -> String {
    format!("{}\n[[resources]]\nidentifier = \"{WRITE}\"\nscope = \"write\"\n{more}", people())
}

#[tokio::test]
async fn a_grant_for_several_resources_is_narrowed_by_each_token_request_and_stays_wide() {
    let server = TestServer::start(&with_write(""));
    let asked = ask_for(&["https://api.example.com/", WRITE]);
    let code = server.code_for(&asked).await;
    let redeem = redemption(&asked, &code);
    let elsewhere = redeem.clone().and("resource", WRITE).and("resource", "https://elsewhere.example.com");
    server.token(WEB, &elsewhere).await.assert_error(400, "invalid_target");
    let mut answer = server.token(WEB, &redeem.and("resource", &format!("{WRITE}/"))).await;
    let says = |answer: &Answer| {
        let claims = claims(&answer.access_token());
        assert_eq!(answer.json()["scope"], claims["scope"]);
        (claims["aud"].clone(), claims["scope"].clone())
    };
    assert_eq!(says(&answer), (json!(WRITE), json!("write")));
    for (narrow, aud, scope) in [
        (&[][..], json!([API, WRITE]), "write"),
        (&[API], json!(API), "read write"),
        (&[WRITE, API], json!([WRITE, API]), "write"),
        (&[WRITE], json!(WRITE), "write"),
        (&[API, "https://api.example.com/"], json!(API), "read write"),
        (&[], json!([API, WRITE]), "write"),
    ] {
        let form = narrow.iter().fold(refresh(&answer.refresh_token()), |form, one| form.and("resource", one));
        answer = server.token(WEB, &form).await;
        assert_eq!(says(&answer), (aud, json!(scope)), "{narrow:?}");
    }
    let form = refresh(&answer.refresh_token());
    for beyond in ["https://elsewhere.example.com", "api", "https://web.example.com"] {
        let form = form.clone().and("resource", API).and("resource", beyond);
        server.token(WEB, &form).await.assert_error(400, "invalid_target");
    }
    // Nothing was consumed.
    assert_eq!(server.token(WEB, &form).await.status, 200);
}

#[tokio::test]
async fn a_resource_learns_of_a_token_for_itself_and_others() {
    let more = format!("\n[[resources]]\nidentifier = \"{WRITE}\"\nscope = \"write\"\n");
    let server = TestServer::start(&(with_api_server(&people()) + &more));
    let both = server.tokens_for(&ask_for(&[WRITE, API])).await.access_token();
    let answer = server.introspect(API_SERVER, &both).await.json();
    assert_eq!((&answer["active"], &answer["aud"]), (&json!(true), &json!([WRITE, API])));
    let other = server.tokens_for(&ask_for(&[WRITE])).await.access_token();
    assert!(!server.is_active(API_SERVER, &other).await);
}

#[tokio::test]
async fn a_scope_that_only_the_other_resource_understands_is_not_in_a_narrowed_token() {
    let server = TestServer::start(&with_write(""));
    let asked = ask_for(&[API, WRITE]).with("scope", "read");
    let code = server.code_for(&asked).await;
    let redeem = redemption(&asked, &code);
    // Nothing of `read` is left at the resource that understands `write` alone.
    server.token(WEB, &redeem.clone().and("resource", WRITE)).await.assert_error(400, "invalid_scope");
    // And nothing is understood by both.
    server.token(WEB, &redeem).await.assert_error(400, "invalid_target");
    let narrow = server.token(WEB, &redeem.and("resource", API)).await;
    assert_eq!(claims(&narrow.access_token())["scope"], "read");
}

#[tokio::test]
async fn a_grant_for_unlike_resources_gives_a_token_for_each_and_none_for_both() {
    let server = TestServer::start(&with_write("access_token_lifetime = \"1m\""));
    let asked = ask_for(&[API, WRITE]);
    let code = server.code_for(&asked).await;
    let redeem = redemption(&asked, &code);
    for both in [redeem.clone(), redeem.clone().and("resource", API).and("resource", WRITE)] {
        server.token(WEB, &both).await.assert_error(400, "invalid_target");
    }
    let first = server.token(WEB, &redeem.and("resource", API)).await;
    assert_eq!((&claims(&first.access_token())["aud"], &first.json()["expires_in"]), (&json!(API), &json!(300)));
    let form = refresh(&first.refresh_token());
    server.token(WEB, &form).await.assert_error(400, "invalid_target");
    let second = server.token(WEB, &form.and("resource", WRITE)).await;
    assert_eq!((&claims(&second.access_token())["aud"], &second.json()["expires_in"]), (&json!(WRITE), &json!(60)));
}

#[tokio::test]
async fn a_resource_that_the_client_lost_meanwhile_is_cut_from_its_tokens() {
    let config = with_write("");
    let server = TestServer::start(&config);
    let asked = ask_for(&[API, WRITE]);
    let first = server.tokens_for(&asked).await;
    let lost = with_client(&config, WEB, &format!("resources = [\"{API}\"]"));
    server.reload(&lost).await.expect("a good change");
    let form = refresh(&first.refresh_token());
    server.token(WEB, &form.clone().and("resource", WRITE)).await.assert_error(400, "invalid_grant");
    let second = server.token(WEB, &form).await;
    assert_eq!(claims(&second.access_token())["aud"], json!(API));
    server.reload(&config).await.expect("a good change");
    let third = server.token(WEB, &refresh(&second.refresh_token())).await;
    assert_eq!(claims(&third.access_token())["aud"], json!([API, WRITE]));
}

#[tokio::test]
async fn a_resource_whose_scope_the_client_has_nothing_of_is_not_for_it() {
    let server = TestServer::start(&(machine() + RESOURCES));
    refused(&server, "&resource=https://admin.example.com").await;
}

#[tokio::test]
async fn a_client_with_a_list_of_resources_gets_tokens_for_those_alone() {
    let config = machine() + "resources = [\"https://api.example.com\"]\n" + RESOURCES;
    let server = TestServer::start(&config);
    let token = server.access_token("&resource=https://api.example.com/").await;
    assert_eq!(claims(&token)["aud"], "https://api.example.com");
    refused(&server, "&resource=https://other.example.com/v1/").await;
    refused(&server, &format!("&resource={}", server.issuer)).await;
    // Nor by leaving the parameter out: the default resource, here the issuer, is not on the list (RFC 8707 §2).
    refused(&server, "").await;

    let server = TestServer::start(&format!("default_resource = \"https://api.example.com/\"\n{config}"));
    assert_eq!(claims(&server.access_token("").await)["aud"], "https://api.example.com");
}

#[tokio::test]
async fn without_a_resource_the_token_is_for_the_default_one() {
    let server = TestServer::start(&(machine() + RESOURCES));
    assert_eq!(claims(&server.access_token("").await)["aud"], json!(server.issuer));

    let config = format!("default_resource = \"https://api.example.com/\"\n{}{RESOURCES}", machine());
    let server = TestServer::start(&config);
    assert_eq!(claims(&server.access_token("").await)["aud"], "https://api.example.com");
}

#[tokio::test]
async fn the_consent_page_names_the_resources_where_they_are_not_the_default_one() {
    let server = TestServer::start(&with_write(""));
    let page_for = async |resources: &[&str]| {
        let mut browser = server.browser();
        let login = browser.authorize(&ask_for(resources)).await;
        let page = browser.sign_in(&login).await;
        assert!(page.is_consent());
        page.page().text
    };
    let both = page_for(&[API, WRITE]).await;
    assert!(both.contains(API) && both.contains(WRITE), "{both}");
    assert!(page_for(&[WRITE]).await.contains(WRITE));
    assert!(!page_for(&[API]).await.contains(API), "it is always meant");
}
