//! What flows with a person need: their account, the clients that ask, and the requests of those clients.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jotsmith::clients::ClientSecretHash;
use jotsmith::foundation::password_hash::{Cost, Password, PasswordHash};
use jotsmith::foundation::random::OsRandom;
use url::Url;

use super::browser::Browser;
use super::{Answer, SECRET, TestServer};

/// A confidential client on the web, which may refresh.
pub(crate) const WEB: &str = "web";
pub(crate) const WEB_CALLBACK: &str = "https://web.example.com/cb";

/// A public client on a person's device, which may refresh.
pub(crate) const APP: &str = "app";
pub(crate) const APP_CALLBACK: &str = "http://127.0.0.1:51004/cb";

/// A confidential client that nobody is asked about, that may do without PKCE, and that may not refresh.
pub(crate) const TRUSTED: &str = "trusted";
pub(crate) const TRUSTED_CALLBACK: &str = "https://trusted.example.com/cb";

/// The resource that tokens are for.
pub(crate) const API: &str = "https://api.example.com";

/// The person.
pub(crate) const ALICE: &str = "alice";
pub(crate) const ALICES_SUBJECT: &str = "248289761001";
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// The pair of RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// The hash of [`PASSWORD`], the same at every reload, else it would be a changed password.
static PASSWORD_HASH: LazyLock<String> = LazyLock::new(|| cheap_hash(PASSWORD));

/// The hash of a password at the least cost that a configuration may have.
pub(crate) fn cheap_hash(password: &str) -> String {
    let cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };
    let password = Password::new(password).expect("a password");
    PasswordHash::hash_blocking(&password, cost, &OsRandom).to_phc_string()
}

/// A configuration with a person, a resource, and three clients. What is appended to it belongs to the person.
pub(crate) fn people() -> String {
    let secret = ClientSecretHash::of_generated(SECRET.as_bytes());
    let password_hash = &*PASSWORD_HASH;
    format!(
        r#"
        default_resource = "{API}"
        [[resources]]
        identifier = "{API}"
        scope = "read write"

        [[clients]]
        client_id = "{WEB}"
        client_name = "Web shop"
        client_secrets = ["{secret}"]
        redirect_uris = ["{WEB_CALLBACK}"]
        grant_types = ["authorization_code", "refresh_token"]
        scope = "read write"

        [[clients]]
        client_id = "{APP}"
        client_name = "Phone app"
        token_endpoint_auth_method = "none"
        application_type = "native"
        redirect_uris = ["http://127.0.0.1/cb"]
        grant_types = ["authorization_code", "refresh_token"]
        scope = "read write"

        [[clients]]
        client_id = "{TRUSTED}"
        client_name = "Our own"
        client_secrets = ["{secret}"]
        redirect_uris = ["{TRUSTED_CALLBACK}"]
        grant_types = ["authorization_code"]
        scope = "read write"
        require_consent = false
        require_pkce = false

        [[users]]
        username = "{ALICE}"
        subject = "{ALICES_SUBJECT}"
        password_hash = "{password_hash}"
        "#
    )
}

/// The parameters of a request, in the order in which they are sent.
#[derive(Debug, Clone)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(crate) fn new<const N: usize>(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }

    /// The same with this value, in the place of another one if there is one.
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        self.without(name).and(name, value)
    }

    /// The same with one more, also where there is one of this name already.
    pub(crate) fn and(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(own, _)| own != name);
        self
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn encoded(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}

fn ask(client_id: &str, redirect_uri: &str) -> Parameters {
    Parameters::new([
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", redirect_uri),
        ("scope", "read write"),
        ("state", "af0ifjsldkj"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ])
}

/// The authorization request of [`WEB`].
pub(crate) fn ask_of_web() -> Parameters {
    ask(WEB, WEB_CALLBACK)
}

/// The authorization request of [`APP`].
pub(crate) fn ask_of_app() -> Parameters {
    ask(APP, APP_CALLBACK)
}

/// The authorization request of [`TRUSTED`].
pub(crate) fn ask_of_trusted() -> Parameters {
    ask(TRUSTED, TRUSTED_CALLBACK)
}

/// The token request that belongs to an authorization request.
pub(crate) fn redemption(asked: &Parameters, code: &str) -> Parameters {
    let redirect_uri = asked.get("redirect_uri").unwrap_or_default();
    let code = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", redirect_uri)];
    Parameters::new(code).and("code_verifier", VERIFIER)
}

/// The token request that refreshes.
pub(crate) fn refresh(refresh_token: &str) -> Parameters {
    Parameters::new([("grant_type", "refresh_token"), ("refresh_token", refresh_token)])
}

impl Browser {
    /// Opens the authorization endpoint as a client asks it to.
    pub(crate) async fn authorize(&mut self, asked: &Parameters) -> Answer {
        self.get(&format!("/authorize?{}", asked.encoded())).await
    }

    /// Signs in on the login page that was answered.
    pub(crate) async fn sign_in(&mut self, page: &Answer) -> Answer {
        self.sign_in_as(page, ALICE, PASSWORD).await
    }

    /// Tries to sign in on the login page that was answered.
    pub(crate) async fn sign_in_as(&mut self, page: &Answer, username: &str, password: &str) -> Answer {
        self.submit(&page.form().fill("username", username).fill("password", password)).await
    }

    /// Allows what the page that was answered asks.
    pub(crate) async fn allow(&mut self, page: &Answer) -> Answer {
        self.submit(&page.form().press("allow")).await
    }

    /// Does whatever the pages ask for until the client has its answer.
    pub(crate) async fn consent(&mut self, asked: &Parameters) -> Answer {
        let mut answer = self.authorize(asked).await;
        if answer.is_login() {
            answer = self.sign_in(&answer).await;
        }
        if answer.is_consent() {
            answer = self.allow(&answer).await;
        }
        answer
    }

    /// A code for a request.
    pub(crate) async fn code(&mut self, asked: &Parameters) -> String {
        self.consent(asked).await.code()
    }
}

impl Answer {
    /// Whether it is the page that asks for a password.
    pub(crate) fn is_login(&self) -> bool {
        self.status != 302 && self.status != 303 && self.page().text.contains("Sign in to continue")
    }

    /// Whether it is the page that asks for consent.
    pub(crate) fn is_consent(&self) -> bool {
        self.status != 302 && self.status != 303 && self.page().text.contains("asks for access")
    }

    /// Where the browser is sent.
    pub(crate) fn location(&self) -> Url {
        assert!(self.status == 302 || self.status == 303, "{} {}", self.status, self.body);
        self.header("location").parse().expect("an address")
    }

    /// What is sent back to the client, and that every parameter is there once.
    pub(crate) fn sent_back(&self) -> BTreeMap<String, String> {
        let location = self.location();
        let pairs: Vec<_> = location.query_pairs().into_owned().collect();
        let sent: BTreeMap<_, _> = pairs.iter().cloned().collect();
        assert_eq!(sent.len(), pairs.len(), "{location}");
        sent
    }

    /// The code that is sent back to the client.
    pub(crate) fn code(&self) -> String {
        let sent = self.sent_back();
        sent.get("code").unwrap_or_else(|| panic!("no code: {sent:?}")).clone()
    }

    /// Asserts that the client gets this error, at its own address, with its state and our name.
    pub(crate) fn assert_sent_back(&self, server: &TestServer, asked: &Parameters, error: &str) {
        let sent = self.sent_back();
        let part = |name| sent.get(name).map(String::as_str);
        assert_eq!(part("error"), Some(error), "{sent:?}");
        assert_eq!((part("state"), part("iss")), (asked.get("state"), Some(server.issuer.as_str())), "{sent:?}");
        assert!(part("error_description").is_some_and(|text| text.ends_with('.')), "{sent:?}");
        assert_eq!(sent.len(), 3 + usize::from(asked.get("state").is_some()), "{sent:?}");
        let redirect_uri = asked.get("redirect_uri").expect("a redirect URI");
        assert_eq!(self.header("location").split_once('?').map(|(before, _)| before), Some(redirect_uri));
        assert_eq!(self.body, "");
    }

    /// The refresh token of an answer that has one.
    pub(crate) fn refresh_token(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.body);
        self.json()["refresh_token"].as_str().expect("a refresh token").to_owned()
    }
}

impl TestServer {
    /// A code for a request, by a browser that was never here.
    pub(crate) async fn code_for(&self, asked: &Parameters) -> String {
        self.browser().code(asked).await
    }

    /// The first tokens for a request, by a browser that was never here.
    pub(crate) async fn tokens_for(&self, asked: &Parameters) -> Answer {
        let code = self.code_for(asked).await;
        let answer = self.token(asked.get("client_id").expect("a client"), &redemption(asked, &code)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer
    }

    /// Asks the token endpoint as one of the clients.
    pub(crate) async fn token(&self, client_id: &str, form: &Parameters) -> Answer {
        if client_id == APP {
            return self.post_token(&form.clone().and("client_id", APP).encoded()).await;
        }
        Answer::of(self.token_request(&form.encoded()).basic_auth(client_id, Some(SECRET))).await
    }
}
