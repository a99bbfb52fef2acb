//! A person with a browser, a server, and a client that wants something: what most scenarios begin with.

use std::time::Duration;

use crate::chromium::{Chromium, Setup};
use crate::client::{Arrival, ClientSite};
use crate::harness::people::{ALICE, PASSWORD, WEB, people, with_client};
use crate::harness::requests::{Parameters, ask_of_web, redemption};
use crate::harness::{TestServer, claims};

/// All of them.
pub(crate) struct Visit {
    pub(crate) server: TestServer,
    pub(crate) client: ClientSite,
    pub(crate) browser: Chromium,
}

impl Visit {
    /// A server with its usual people and clients; `None` where there is no browser, which was said.
    pub(crate) async fn begin() -> Option<Self> {
        Self::begin_with(Setup::default(), |config| config).await
    }

    /// The same with another configuration, and a browser that is set up so.
    pub(crate) async fn begin_with(setup: Setup, change: impl FnOnce(String) -> String) -> Option<Self> {
        let client = ClientSite::open();
        let config = with_client(&people(), WEB, &format!("redirect_uris = [\"{}\"]", client.callback()));
        let scopes = "[scopes.read]\ndescription = { en = \"See your orders\" }\n\
                      [scopes.write]\ndescription = { en = \"Place orders for you\" }\n";
        let server = TestServer::start(&change(format!("{config}\n{scopes}")));
        let browser = Chromium::start(setup, &[&server.issuer, &client.origin()]).await?;
        Some(Self { server, client, browser })
    }

    /// What the client asks for.
    pub(crate) fn asked(&self) -> Parameters {
        ask_of_web().with("redirect_uri", &self.client.callback())
    }

    /// Where its link leads.
    pub(crate) fn link(&self, asked: &Parameters) -> String {
        self.server.url(&format!("/authorize?{}", asked.encoded()))
    }

    /// Comes to the server as a person does, by a link of the client's page.
    pub(crate) async fn follow(&self, asked: &Parameters) {
        let driver = self.browser.driver();
        driver.open(&self.client.page_with_link(&self.link(asked))).await;
        let link = self.browser.find("link", "Sign in").await;
        driver.click(&link).await;
    }

    /// Signs in on the page that is open.
    pub(crate) async fn sign_in_as(&self, username: &str, password: &str) {
        self.browser.fill("Username", username).await;
        self.browser.fill("Password", password).await;
        self.browser.press_button("Sign in").await;
    }

    pub(crate) async fn sign_in(&self) {
        self.sign_in_as(ALICE, PASSWORD).await;
    }

    /// Waits until the browser shows the client's page again, and gives what it brought.
    pub(crate) async fn back_at_client(&self) -> Arrival {
        self.browser.wait_for_heading("Back at the shop").await;
        self.client.arrival()
    }

    /// The claims of the token that the client has for a code.
    pub(crate) async fn redeem(&self, arrival: &Arrival) -> serde_json::Value {
        let tokens = self.server.token(WEB, &redemption(&self.asked(), arrival.get("code"))).await;
        claims(&tokens.access_token())
    }

    /// Time passes on the server.
    pub(crate) fn advance(&self, span: Duration) {
        self.server.advance(span);
    }
}
