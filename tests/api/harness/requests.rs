//! What clients send: authorization requests and token requests.

use jotsmith::foundation::base64url;
use reqwest::RequestBuilder;

use super::people::{
    APP, APP_CALLBACK, CHALLENGE, PAGE, PAGE_CALLBACK, TRUSTED, TRUSTED_CALLBACK, VERIFIER, WEB, WEB_CALLBACK,
};
use super::{Answer, SECRET, TestServer};

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

/// The request of [`PAGE`](super::people::PAGE) for an access token.
pub(crate) fn ask_of_page() -> Parameters {
    ask(PAGE, PAGE_CALLBACK).with("response_type", "token").without("code_challenge").without("code_challenge_method")
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

/// A code or refresh token with one bit changed, once for each byte after its prefix.
pub(crate) fn mangled(handle: &str) -> Vec<String> {
    let (prefix, encoded) = handle.split_at(4);
    let bytes = base64url::decode(encoded).expect("base64url");
    let flipped = (0..bytes.len()).map(|at| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        format!("{prefix}{}", base64url::encode(bytes))
    });
    flipped.collect()
}

impl TestServer {
    /// A POST of one of the clients.
    pub(crate) fn post_as(&self, client_id: &str, path: &str, form: &Parameters) -> RequestBuilder {
        if client_id == APP {
            return self.post(path, &form.clone().and("client_id", APP).encoded());
        }
        self.post(path, &form.encoded()).basic_auth(client_id, Some(SECRET))
    }

    /// Asks the token endpoint as one of the clients.
    pub(crate) async fn token(&self, client_id: &str, form: &Parameters) -> Answer {
        Answer::of(self.post_as(client_id, "/token", form)).await
    }

    /// Gives a token up as one of the clients.
    pub(crate) async fn revoke(&self, client_id: &str, token: &str) -> Answer {
        Answer::of(self.post_as(client_id, "/revoke", &Parameters::new([("token", token)]))).await
    }

    /// Asks about a token as one of the clients.
    pub(crate) async fn introspect(&self, client_id: &str, token: &str) -> Answer {
        Answer::of(self.post_as(client_id, "/introspect", &Parameters::new([("token", token)]))).await
    }

    /// Whether one of the clients is told that a token is good. Who is told that it is not learns nothing else.
    pub(crate) async fn is_active(&self, client_id: &str, token: &str) -> bool {
        let answer = self.introspect(client_id, token).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (200, "application/json"),
            "{}",
            answer.body
        );
        answer.assert_is_not_stored();
        let is_active = answer.json()["active"].as_bool().expect("a boolean");
        assert!(is_active || answer.body == r#"{"active":false}"#, "{}", answer.body);
        is_active
    }
}
