//! Who may administer: whoever has an access token for the admin API, which is a protected resource like any other.
//!
//! Its name is `<issuer>/admin`. A token opens it that we signed, that is for it alone (`aud`), that has the scope
//! `server.admin_scope`, that a client has for itself, and whose client is still registered; `jotsmith grants` mints its
//! own with the keys of the configuration. Refused is a token in which a person takes part: it can come from a browser,
//! and nobody has asked that person for this. So is one that is for another resource too: whoever runs that one
//! receives it, and could bring it here (RFC 9700 §2.3).
//!
//! `Host` must be an address, `localhost` or the issuer's host, as a page could otherwise have its own name lead here
//! (DNS rebinding): an address leads nowhere else, and no page has the other two names. There is no CORS: no page may ask.

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HOST, HeaderValue, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use url::{Host, Url};

use crate::foundation::base64url;
use crate::foundation::clock::Timestamp;
use crate::foundation::random::{self, Random};
use crate::foundation::request_scope::note_client;
use crate::keys::algorithm::Algorithm;
use crate::keys::jws::{Expectation, JwsRefused};
use crate::keys::token_type::TokenType;
use crate::protocol::bearer::{Presented, presented_token};
use crate::protocol::issuer::Issuer;

use super::error_response;
use super::headers::not_stored;
use super::live::Live;

/// The client of the tokens that the command line mints. No client that is registered needs to have it: what such a token
/// is for is in it like in any other.
const COMMAND_LINE: &str = "urn:jotsmith:command-line";

/// How long a token of the command line lives: as long as one command.
const LIFETIME: Duration = Duration::from_mins(5);

/// The name of the admin API as a protected resource (RFC 8707 §2), which stands in `aud`.
pub fn resource(issuer: &Issuer) -> String {
    issuer.endpoint("/admin")
}

/// What a token says that whoever has the signing keys mints for one command (RFC 9068 §2.2).
#[derive(Serialize)]
pub struct CommandLineClaims<'a> {
    iss: &'a str,
    sub: &'static str,
    aud: String,
    client_id: &'static str,
    exp: u64,
    iat: u64,
    jti: String,
    scope: &'a str,
}

impl<'a> CommandLineClaims<'a> {
    /// For a server with this issuer and this `server.admin_scope`.
    pub fn new(issuer: &'a Issuer, scope: &'a str, now: Timestamp, random: &dyn Random) -> Self {
        Self {
            iss: issuer.as_str(),
            sub: COMMAND_LINE,
            aud: resource(issuer),
            client_id: COMMAND_LINE,
            exp: (now + LIFETIME).as_seconds(),
            iat: now.as_seconds(),
            jti: base64url::encode(random::bytes::<24>(random)),
            scope,
        }
    }
}

/// What is believed of a token after its signature, issuer, audience and time were looked at.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    client_id: String,
    aud: Audience,
    #[serde(default)]
    scope: String,
    auth_time: Option<IgnoredAny>,
}

/// For how many the token is (RFC 7519 §4.1.3); that we are among them was seen with the signature.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    Several(Vec<IgnoredAny>),
    One(IgnoredAny),
}

/// Why a request is not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Denied {
    #[error("it is for another host")]
    OtherHost,
    #[error("there is no bearer token")]
    NoToken,
    #[error("the bearer token is malformed, or there are two")]
    Malformed,
    #[error("the token is refused: {0}")]
    Token(#[from] JwsRefused),
    #[error("the token is for another resource too")]
    ForOthersToo,
    #[error("a person takes part in the token")]
    OfPerson,
    #[error("the client of the token is not registered")]
    NoClient,
    #[error("the token does not have the scope")]
    NoScope,
}

/// The client that asks, if it may.
pub(super) fn admit(request: &HttpRequest, live: &Live, now: Timestamp) -> Result<String, Denied> {
    if !is_for_us(request, &live.issuer) {
        return Err(Denied::OtherHost);
    }
    let lines = request.headers().get_all(AUTHORIZATION).map(HeaderValue::as_bytes);
    let token = match presented_token(lines, request.query_string()) {
        Presented::Token(token) => token,
        Presented::Nothing => return Err(Denied::NoToken),
        Presented::Malformed => return Err(Denied::Malformed),
    };
    let expected = Expectation {
        typ: TokenType::AccessToken,
        algorithms: &Algorithm::ALL,
        issuer: Some(live.issuer.as_str()),
        audience: Some(&resource(&live.issuer)),
        now,
        // Our own clock made it, or one on this machine.
        leeway: Duration::ZERO,
    };
    let claims: Claims = live.keys.verify(token, &expected)?;
    if matches!(&claims.aud, Audience::Several(audience) if audience.len() > 1) {
        return Err(Denied::ForOthersToo);
    }
    if claims.auth_time.is_some() || claims.sub != claims.client_id {
        return Err(Denied::OfPerson);
    }
    if claims.client_id != COMMAND_LINE && live.clients.find(&claims.client_id).is_none() {
        return Err(Denied::NoClient);
    }
    if !claims.scope.split(' ').any(|token| token == live.admin_scope) {
        return Err(Denied::NoScope);
    }
    note_client(claims.client_id.as_str().into());
    Ok(claims.client_id)
}

/// RFC 9112 §3.2: there is one `Host`, and a target that names a host itself goes before it.
fn is_for_us(request: &HttpRequest, issuer: &Issuer) -> bool {
    let mut hosts = request.headers().get_all(HOST).map(HeaderValue::to_str);
    let (Some(Ok(host)), None) = (hosts.next(), hosts.next()) else { return false };
    let target = request.uri().authority();
    is_ours(host, issuer) && target.is_none_or(|target| is_ours(target.as_str(), issuer))
}

fn is_ours(authority: &str, issuer: &Issuer) -> bool {
    // What a URL would take for something else than host and port.
    if authority.bytes().any(|byte| !byte.is_ascii_graphic() || b"@/?#\\".contains(&byte)) {
        return false;
    }
    let host_of = |url: &str| Url::parse(url).ok().and_then(|url| url.host().map(|host| host.to_owned()));
    match host_of(&format!("http://{authority}/")) {
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
        // RFC 6761 §6.3: these lead to this machine, whoever asks.
        Some(Host::Domain(name)) if name == "localhost" => true,
        host => host.is_some() && host == host_of(issuer.as_str()),
    }
}

#[derive(Serialize)]
struct Body {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    error_description: &'static str,
    error_id: String,
}

impl Denied {
    /// RFC 6750 §3.1; RFC 9110 §15.5.20 for a host that is not ours.
    const fn status(self) -> StatusCode {
        match self {
            Self::OtherHost => StatusCode::MISDIRECTED_REQUEST,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::NoToken | Self::Token(_) | Self::ForOthersToo | Self::OfPerson | Self::NoClient => {
                StatusCode::UNAUTHORIZED
            }
            Self::NoScope => StatusCode::FORBIDDEN,
        }
    }

    /// RFC 6750 §3.1: who brings no token learns no code.
    const fn error(self) -> Option<&'static str> {
        match self {
            Self::NoToken => None,
            Self::OtherHost | Self::Malformed => Some("invalid_request"),
            Self::Token(_) | Self::ForOthersToo | Self::OfPerson | Self::NoClient => Some("invalid_token"),
            Self::NoScope => Some("insufficient_scope"),
        }
    }

    const fn description(self) -> &'static str {
        match self {
            Self::OtherHost => "The request is for another host. Ask by address, by localhost or by the issuer's host.",
            Self::NoToken => "An access token for the admin API is needed, in the Authorization header.",
            Self::Malformed => "The bearer token is malformed, or sent in two ways.",
            Self::Token(_) | Self::ForOthersToo | Self::OfPerson | Self::NoClient => {
                "The access token is not good for the admin API."
            }
            Self::NoScope => "The access token does not have the scope of the admin API.",
        }
    }

    /// The answer; its cause goes to the log alone.
    pub(super) fn render(self, live: &Live) -> HttpResponse {
        let (error, error_description) = (self.error(), self.description());
        let error_id = error_response::request_id();
        tracing::info!(error.id = %error_id, error.code = error, error.cause = %self, "request refused");
        let mut response = not_stored(self.status());
        if self != Self::OtherHost {
            let mut challenge = format!("Bearer realm=\"{}\"", resource(&live.issuer));
            if let Some(error) = error {
                challenge = format!("{challenge}, error=\"{error}\", error_description=\"{error_description}\"");
            }
            challenge = format!("{challenge}, scope=\"{}\"", live.admin_scope);
            response.insert_header((WWW_AUTHENTICATE, challenge));
        }
        response.json(Body { error, error_description, error_id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_localhost_and_the_issuers_host_are_ours() {
        let issuer = Issuer::parse("https://login.example.com/tenant").expect("an issuer");
        for ours in
            ["127.0.0.1:9090", "[::1]:9090", "10.0.0.7", "localhost:9090", "LOCALHOST", "Login.Example.com:9090"]
        {
            assert!(is_ours(ours, &issuer), "{ours}");
        }
        for other in [
            "",
            "evil.example",
            "evil.example:9090",
            "login.example.com.evil.example",
            "login.example.com@evil.example",
            "evil.example/login.example.com",
            "127.0.0.1.evil.example",
            "127.0.0.1@evil.example",
            "evil.example#@localhost",
            "localhost evil.example",
            "localhost.evil.example",
        ] {
            assert!(!is_ours(other, &issuer), "{other}");
        }
    }
}
