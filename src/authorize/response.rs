//! The answer of the authorization endpoint, as the address that a browser is sent to (RFC 6749 §4.1.2 and §4.1.2.1).
//!
//! Response mode `query`. Every answer, errors too, names the issuer (RFC 9207 §2), so that a client that knows several
//! servers cannot be made to send a code to the wrong one.

use crate::foundation::secret::{ExposeSecret as _, SecretString};
use crate::protocol::error::OAuthError;
use crate::protocol::issuer::Issuer;
use crate::protocol::redirect_uri::RedirectTarget;

/// Where an answer goes, and the `state` that it gives back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnAddress {
    /// The checked redirect URI.
    pub target: RedirectTarget,
    /// What the client sent as `state`, given back unchanged.
    pub state: Option<String>,
}

/// An answer to a client. `Debug` shows no code.
#[derive(Debug)]
pub struct AuthorizationResponse {
    /// Where it goes.
    pub to: ReturnAddress,
    /// What it says.
    pub answer: Answer,
}

/// What an answer says.
#[derive(Debug)]
pub enum Answer {
    /// Here is a code (RFC 6749 §4.1.2).
    Code(SecretString),
    /// No, and why (RFC 6749 §4.1.2.1).
    Error(OAuthError),
}

impl AuthorizationResponse {
    /// The address to redirect the browser to. It holds the code: it belongs into `Location` and nowhere else.
    pub fn location(&self, issuer: &Issuer) -> String {
        let mut parameters = match &self.answer {
            Answer::Code(code) => vec![("code", code.expose_secret())],
            Answer::Error(error) => vec![("error", error.code.as_str()), ("error_description", error.description)],
        };
        parameters.extend(self.to.state.as_deref().map(|state| ("state", state)));
        parameters.push(("iss", issuer.as_str()));
        self.to.target.with_query(parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::error::ErrorCode;
    use crate::protocol::redirect_uri::RedirectUri;

    fn to(redirect_uri: &str, state: Option<&str>) -> ReturnAddress {
        let target = RedirectUri::parse(redirect_uri).expect("a valid redirect URI").as_target();
        ReturnAddress { target, state: state.map(str::to_owned) }
    }

    fn issuer() -> Issuer {
        Issuer::parse("https://honest.as.example").expect("a valid issuer")
    }

    #[test]
    fn the_example_of_rfc_9207_section_2_1_is_written_so() {
        let response = AuthorizationResponse {
            to: to("https://client.example/cb", Some("ZWVlNDBlYzA1NjdkMDNhYjg3ZjUxZjAyNGQzMTM2NzI")),
            answer: Answer::Code("x1848ZT64p4IirMPT0R-X3141MFPTuBX-VFL_cvaplMH58".into()),
        };
        assert_eq!(
            response.location(&issuer()),
            "https://client.example/cb?code=x1848ZT64p4IirMPT0R-X3141MFPTuBX-VFL_cvaplMH58\
             &state=ZWVlNDBlYzA1NjdkMDNhYjg3ZjUxZjAyNGQzMTM2NzI&iss=https%3A%2F%2Fhonest.as.example"
        );
    }

    #[test]
    fn an_error_names_the_issuer_too_and_keeps_the_query_of_the_redirect_uri() {
        let response = AuthorizationResponse {
            to: to("https://client.example/cb?tenant=a%20b", None),
            answer: Answer::Error(
                OAuthError::new(ErrorCode::AccessDenied, "The person said no.").because("alice clicked deny"),
            ),
        };
        assert_eq!(
            response.location(&issuer()),
            "https://client.example/cb?tenant=a%20b&error=access_denied&error_description=The+person+said+no.\
             &iss=https%3A%2F%2Fhonest.as.example"
        );
    }

    #[test]
    fn a_state_comes_back_as_it_was_whatever_is_in_it() {
        let state = "a&b=c#d?e f+%ä\r\n\"";
        let answer = Answer::Error(OAuthError::new(ErrorCode::AccessDenied, "No."));
        let location = AuthorizationResponse { to: to("com.example.app:/cb", Some(state)), answer }.location(&issuer());
        let query = location.split_once('?').expect("a query").1;
        let back = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "state").expect("a state").1;
        assert_eq!(back, state);
        assert!(location.bytes().all(|byte| byte.is_ascii_graphic()));
    }

    #[test]
    fn debug_shows_no_code() {
        let response =
            AuthorizationResponse { to: to("https://client.example/cb", None), answer: Answer::Code("jsc_x".into()) };
        assert!(!format!("{response:?}").contains("jsc_x"));
    }
}
