//! What a server answered, and what a token says.

use reqwest::{RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::Value;

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// Sends a request and reads what comes.
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, body: response.text().await.expect("a body") }
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.body))
    }

    /// A header's value, and the empty text when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// The access token of an answer that has one.
    pub(crate) fn access_token(&self) -> String {
        assert_eq!(self.status, StatusCode::OK, "{}", self.body);
        self.json()["access_token"].as_str().expect("a token").to_owned()
    }

    /// Asserts that this is the error of the table, with everything that every error has.
    pub(crate) fn assert_error(&self, status: u16, code: &str) {
        assert_eq!((self.status.as_u16(), self.json()["error"].as_str()), (status, Some(code)), "{}", self.body);
        assert!(self.json()["error_description"].as_str().is_some_and(|text| text.ends_with('.')), "{}", self.body);
        assert_eq!(self.json()["error_id"].as_str(), Some(self.header("x-request-id")), "{}", self.body);
        assert_eq!(self.json().as_object().map(serde_json::Map::len), Some(3), "{}", self.body);
        assert_eq!(self.header("content-type"), "application/json");
        self.assert_is_not_stored();
        let challenge = self.header("www-authenticate");
        assert_eq!(challenge.starts_with("Basic realm="), status == 401, "{challenge}");
    }

    /// Asserts what every answer of the token endpoint has (RFC 6749 §5.1).
    pub(crate) fn assert_is_not_stored(&self) {
        assert_eq!((self.header("cache-control"), self.header("pragma")), ("no-store", "no-cache"));
        assert_eq!(self.header("x-content-type-options"), "nosniff");
    }
}

/// The claims of a JWT, whose signature is not looked at.
pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The JOSE header of a JWT.
pub(crate) fn header(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, at: usize) -> Value {
    let encoded = token.split('.').nth(at).expect("a JWT has three parts");
    let bytes = jotsmith::foundation::base64url::decode(encoded).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}
