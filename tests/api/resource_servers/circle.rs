//! RFC 6749 §1.5, figure 2, from (A) to (H), between real processes: the server, a resource server, and a client with a
//! person's browser.

use reqwest::{Client, redirect};

use super::servers::Api;
use crate::harness::browser::Browser;
use crate::harness::people::{ALICES_SUBJECT, APP, people, with_resource};
use crate::harness::program::Running;
use crate::harness::requests::{Parameters, ask_of_app, redemption, refresh};
use crate::harness::{Answer, Site};

/// How often the API is asked whether the token has expired: some thousand times a second, so this is a minute or more.
const PATIENCE: usize = 200_000;

async fn token(http: &Client, site: &Site, form: Parameters) -> Answer {
    let body = form.and("client_id", APP).encoded();
    let request = http.post(format!("{}/token", site.origin())).body(body);
    Answer::of(request.header("content-type", "application/x-www-form-urlencoded")).await
}

async fn notes(http: &Client, api: &Api, token: &str) -> Answer {
    Answer::of(http.get(format!("{}/notes", api.address())).bearer_auth(token)).await
}

#[tokio::test]
async fn a_client_refreshes_when_the_resource_server_says_that_its_token_has_expired() {
    let site = Site::new();
    site.write_config(&format!("{}\n[lifetimes]\naccess_token = \"4s\"\n", with_resource(&people(), super::AUDIENCE)));
    let (_serving, _) = Running::serve(&site);
    let Some(api) = Api::rust(&site.origin(), "0") else { return };
    let http = Client::builder().redirect(redirect::Policy::none()).build().expect("an HTTP client");

    // (A), (B)
    let asked = ask_of_app();
    let code = Browser::new(&http, &site.origin()).code(&asked).await;
    let first = token(&http, &site, redemption(&asked, &code)).await;
    // (C), (D)
    let answer = notes(&http, &api, &first.access_token()).await;
    assert_eq!((answer.status.as_u16(), answer.body), (200, format!("the notes of {ALICES_SUBJECT}")));
    // (E), (F)
    let mut answer = notes(&http, &api, &first.access_token()).await;
    for _ in 0..PATIENCE {
        if answer.status != 200 {
            break;
        }
        answer = notes(&http, &api, &first.access_token()).await;
    }
    assert_eq!(answer.status, 401, "{}", answer.body);
    assert!(answer.header("www-authenticate").contains(r#"error="invalid_token""#), "{:?}", answer.headers);
    // (G), (H)
    let second = token(&http, &site, refresh(&first.refresh_token())).await;
    assert_ne!(second.access_token(), first.access_token());
    let answer = notes(&http, &api, &second.access_token()).await;
    assert_eq!((answer.status.as_u16(), answer.body), (200, format!("the notes of {ALICES_SUBJECT}")));
}
