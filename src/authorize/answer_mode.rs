//! How the answer to a request travels (OAuth 2.0 Multiple Response Type Encoding Practices §2.1; OAuth 2.0 Form Post
//! Response Mode §2): as the request asks, an error too.
//!
//! Refused: a mode that the server does not have, a token in a query, and a form where it would not arrive. That error
//! goes the way of the response type's default.

use crate::protocol::error::{ErrorCode, OAuthError};
use crate::protocol::parameters::{InvalidParameters, UncheckedParameters};
use crate::protocol::redirect_uri::RedirectTarget;
use crate::protocol::response_type::{ResponseMode, UnknownResponseMode};

/// Why an answer does not travel as a request asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ModeRefused {
    /// The parameter cannot be read.
    #[error("response_mode: {0}")]
    Unreadable(#[from] InvalidParameters),
    /// The server does not have it.
    #[error(transparent)]
    Unknown(#[from] UnknownResponseMode),
    /// The answer would hold a token.
    #[error("response_mode is query for a response_type with a token")]
    TokenInQuery,
    /// Browsers hand an app the address alone.
    #[error("response_mode is form_post for a redirect URI of an app")]
    FormToApp,
    /// Browsers write line breaks in a form in a way of their own, so the state would come back as another one.
    #[error("response_mode is form_post for a state with control characters")]
    FormWithControls,
}

impl From<ModeRefused> for OAuthError {
    fn from(reason: ModeRefused) -> Self {
        let description = match reason {
            ModeRefused::Unreadable(invalid) => return invalid.into(),
            ModeRefused::Unknown(_) => "The server has no such response_mode.",
            ModeRefused::TokenInQuery => "The response_mode query is not for this response_type.",
            ModeRefused::FormToApp => "The response_mode form_post is not for a redirect URI of an app.",
            ModeRefused::FormWithControls => "The response_mode form_post cannot give back this state.",
        };
        Self::new(ErrorCode::InvalidRequest, description).because(reason)
    }
}

/// How the answer to a request travels, and whether that is as the request asks.
pub(super) fn choose(
    parameters: &UncheckedParameters<'_>,
    target: &RedirectTarget,
    state: Option<&str>,
) -> (ResponseMode, Result<(), ModeRefused>) {
    // One that is repeated is nobody's, and refused further on.
    let response_type = parameters.optional("response_type").ok().flatten().unwrap_or_default();
    match asked(parameters, response_type, target, state) {
        Ok(mode) => (mode, Ok(())),
        Err(refused) => (ResponseMode::default_for(response_type), Err(refused)),
    }
}

fn asked(
    parameters: &UncheckedParameters<'_>,
    response_type: &str,
    target: &RedirectTarget,
    state: Option<&str>,
) -> Result<ResponseMode, ModeRefused> {
    let Some(text) = parameters.optional("response_mode")? else { return Ok(ResponseMode::default_for(response_type)) };
    let mode: ResponseMode = text.parse()?;
    if !mode.is_good_for(response_type) {
        return Err(ModeRefused::TokenInQuery);
    }
    if mode == ResponseMode::FormPost {
        if target.is_private_use() {
            return Err(ModeRefused::FormToApp);
        }
        // RFC 6749 appendix A.5 has none in a state; the other modes carry them all the same.
        if state.is_some_and(|state| state.chars().any(char::is_control)) {
            return Err(ModeRefused::FormWithControls);
        }
    }
    Ok(mode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::redirect_uri::RedirectUri;

    fn chosen(query: &str) -> (ResponseMode, Result<(), ModeRefused>) {
        chosen_for("https://client.example/cb", Some("s"), query)
    }

    fn chosen_for(uri: &str, state: Option<&str>, query: &str) -> (ResponseMode, Result<(), ModeRefused>) {
        let parameters = UncheckedParameters::parse(query.as_bytes()).expect("few");
        choose(&parameters, &RedirectUri::parse(uri).expect("a valid redirect URI").as_target(), state)
    }

    #[test]
    fn the_response_type_decides_where_the_request_does_not() {
        for (query, mode) in [
            ("response_type=code", ResponseMode::Query),
            ("response_type=token", ResponseMode::Fragment),
            ("", ResponseMode::Query),
            ("response_type=token&response_type=token", ResponseMode::Query),
            ("response_type=code&response_mode=", ResponseMode::Query),
        ] {
            assert_eq!(chosen(query), (mode, Ok(())), "{query}");
        }
    }

    #[test]
    fn every_response_type_travels_as_asked_but_a_token_never_in_the_query() {
        for response_type in ["code", "token", "nonsense"] {
            for mode in ResponseMode::ALL {
                let (chosen, refused) =
                    chosen(&format!("response_type={response_type}&response_mode={}", mode.as_str()));
                let is_refused = response_type == "token" && mode == ResponseMode::Query;
                assert_eq!(refused, if is_refused { Err(ModeRefused::TokenInQuery) } else { Ok(()) });
                assert_eq!(chosen, if is_refused { ResponseMode::Fragment } else { mode });
            }
        }
    }

    #[test]
    fn a_mode_that_cannot_be_is_told_by_the_default_one() {
        for (query, mode, why) in [
            ("response_type=code&response_mode=jwt", ResponseMode::Query, ModeRefused::Unknown(UnknownResponseMode)),
            (
                "response_type=token&response_mode=jwt",
                ResponseMode::Fragment,
                ModeRefused::Unknown(UnknownResponseMode),
            ),
            (
                "response_type=token&response_mode=form_post&response_mode=form_post",
                ResponseMode::Fragment,
                ModeRefused::Unreadable(InvalidParameters::Repeated),
            ),
        ] {
            assert_eq!(chosen(query), (mode, Err(why)), "{query}");
        }
    }

    #[test]
    fn a_form_goes_to_no_app_and_carries_no_control_characters() {
        let query = "response_type=code&response_mode=form_post";
        assert_eq!(chosen(query), (ResponseMode::FormPost, Ok(())));
        let app = chosen_for("com.example.app:/cb", None, query);
        assert_eq!(app, (ResponseMode::Query, Err(ModeRefused::FormToApp)));
        assert_eq!(chosen_for("http://127.0.0.1/cb", None, query).1, Ok(()));
        for state in ["a\nb", "a\rb", "\0", "\t", "\u{85}"] {
            let (mode, refused) = chosen_for("https://client.example/cb", Some(state), query);
            assert_eq!((mode, refused), (ResponseMode::Query, Err(ModeRefused::FormWithControls)), "{state:?}");
            assert_eq!(chosen_for("https://client.example/cb", Some(state), "response_mode=fragment").1, Ok(()));
        }
    }
}
