//! The answer of the authorization endpoint, and the way in which it travels (RFC 6749 §4.1.2, §4.2.2 and their errors;
//! OAuth 2.0 Form Post Response Mode §2).
//!
//! Every answer, errors too, names the issuer (RFC 9207 §2), so that a client that knows several servers cannot be made
//! to send a code to the wrong one.

use std::borrow::Cow;

use crate::foundation::secret::{ExposeSecret as _, SecretString};
use crate::protocol::error::OAuthError;
use crate::protocol::issuer::Issuer;
use crate::protocol::redirect_uri::RedirectTarget;
use crate::protocol::response_type::ResponseMode;
use crate::tokens::response::TokenResponse;

/// Where an answer goes, how, and the `state` that it gives back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnAddress {
    /// The checked redirect URI.
    pub target: RedirectTarget,
    /// What the client sent as `state`, given back unchanged.
    pub state: Option<String>,
    /// How the answer travels.
    pub mode: ResponseMode,
}

/// An answer to a client. `Debug` shows no code and no token.
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
    /// Here is an access token (RFC 6749 §4.2.2).
    Token(TokenResponse),
    /// No, and why (RFC 6749 §4.1.2.1, §4.2.2.1).
    Error(OAuthError),
}

/// What the browser is told to do. It holds the answer itself: it belongs into the answer to the browser and nowhere else.
pub enum Delivery<'a> {
    /// Go to this address.
    Redirect(String),
    /// Post this form to the redirect URI.
    Form {
        /// The redirect URI.
        action: &'a str,
        /// Names and values.
        fields: Fields<'a>,
    },
}

/// The parameters of an answer.
pub type Fields<'a> = Vec<(&'static str, Cow<'a, str>)>;

impl AuthorizationResponse {
    /// What brings the answer to the client.
    pub fn deliver<'a>(&'a self, issuer: &'a Issuer) -> Delivery<'a> {
        let fields = self.fields(issuer);
        let pairs = fields.iter().map(|(name, value)| (*name, &**value));
        match self.to.mode {
            ResponseMode::Query => Delivery::Redirect(self.to.target.with_query(pairs)),
            ResponseMode::Fragment => Delivery::Redirect(self.to.target.with_fragment(pairs)),
            ResponseMode::FormPost => Delivery::Form { action: self.to.target.as_str(), fields },
        }
    }

    fn fields<'a>(&'a self, issuer: &'a Issuer) -> Fields<'a> {
        let mut fields: Fields<'a> = match &self.answer {
            Answer::Code(code) => vec![("code", code.expose_secret().into())],
            Answer::Token(token) => {
                let mut fields: Fields<'a> = vec![
                    ("access_token", (&*token.access_token).into()),
                    ("token_type", token.token_type.into()),
                    ("expires_in", token.expires_in.to_string().into()),
                ];
                fields.extend(token.scope.as_ref().map(|scope| ("scope", scope.to_string().into())));
                fields
            }
            Answer::Error(error) => {
                vec![("error", error.code.as_str().into()), ("error_description", error.description.into())]
            }
        };
        fields.extend(self.to.state.as_deref().map(|state| ("state", state.into())));
        fields.push(("iss", issuer.as_str().into()));
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::error::ErrorCode;
    use crate::protocol::redirect_uri::RedirectUri;

    fn to(redirect_uri: &str, state: Option<&str>) -> ReturnAddress {
        let target = RedirectUri::parse(redirect_uri).expect("a valid redirect URI").as_target();
        ReturnAddress { target, state: state.map(str::to_owned), mode: ResponseMode::Query }
    }

    fn location(response: &AuthorizationResponse) -> String {
        match response.deliver(&issuer()) {
            Delivery::Redirect(location) => location,
            Delivery::Form { action, .. } => panic!("a form for {action}"),
        }
    }

    fn token() -> Answer {
        Answer::Token(TokenResponse {
            access_token: "ey.J.x".to_owned(),
            token_type: "Bearer",
            expires_in: 300,
            refresh_token: Some("jsr_never".to_owned()),
            scope: Some("read write".parse().expect("a valid scope")),
        })
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
            location(&response),
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
            location(&response),
            "https://client.example/cb?tenant=a%20b&error=access_denied&error_description=The+person+said+no.\
             &iss=https%3A%2F%2Fhonest.as.example"
        );
    }

    #[test]
    fn a_state_comes_back_as_it_was_whatever_is_in_it() {
        let state = "a&b=c#d?e f+%ä\r\n\"";
        let answer = Answer::Error(OAuthError::new(ErrorCode::AccessDenied, "No."));
        let location = location(&AuthorizationResponse { to: to("com.example.app:/cb", Some(state)), answer });
        let query = location.split_once('?').expect("a query").1;
        let back = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "state").expect("a state").1;
        assert_eq!(back, state);
        assert!(location.bytes().all(|byte| byte.is_ascii_graphic()));
    }

    #[test]
    fn a_token_stands_in_the_fragment_behind_the_query_and_has_no_refresh_token() {
        let to =
            ReturnAddress { mode: ResponseMode::Fragment, ..to("https://client.example/cb?tenant=a", Some("s t")) };
        assert_eq!(
            location(&AuthorizationResponse { to, answer: token() }),
            "https://client.example/cb?tenant=a#access_token=ey.J.x&token_type=Bearer&expires_in=300&scope=read+write\
             &state=s+t&iss=https%3A%2F%2Fhonest.as.example"
        );
    }

    #[test]
    fn a_form_goes_to_the_redirect_uri_itself_and_has_the_values_as_they_are() {
        let to =
            ReturnAddress { mode: ResponseMode::FormPost, ..to("https://client.example/cb?tenant=a", Some("<&>")) };
        let response = AuthorizationResponse { to, answer: Answer::Code("jsc_x".into()) };
        let issuer = issuer();
        let Delivery::Form { action, fields } = response.deliver(&issuer) else { panic!("a redirect") };
        assert_eq!(action, "https://client.example/cb?tenant=a");
        let expected = [("code", "jsc_x"), ("state", "<&>"), ("iss", "https://honest.as.example")];
        assert_eq!(fields, expected.map(|(name, value)| (name, value.into())));
    }

    #[test]
    fn debug_shows_no_code_and_no_token() {
        for (answer, secret) in [(Answer::Code("jsc_x".into()), "jsc_x"), (token(), "ey.J.x")] {
            let response = AuthorizationResponse { to: to("https://client.example/cb", None), answer };
            assert!(!format!("{response:?}").contains(secret));
        }
    }
}
