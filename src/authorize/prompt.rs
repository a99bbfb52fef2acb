//! What a client wants a person to see: `prompt` and `max_age` (OpenID Connect Core §3.1.2.1).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::protocol::error::{ErrorCode, OAuthError};

/// What a client wants a person to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Prompt {
    /// `none`: nothing at all; where something must be seen, an error comes back.
    Silent,
    /// What is needed, and what is named here.
    Interactive {
        /// `login`: the person proves who they are, although somebody is signed in.
        login: bool,
        /// `consent`: the person is asked, although they consented before.
        consent: bool,
    },
}

impl Default for Prompt {
    fn default() -> Self {
        Self::Interactive { login: false, consent: false }
    }
}

/// Why `prompt` or `max_age` is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPrompt {
    /// A value that the server does not know.
    #[error("prompt has an unknown value")]
    Unknown,
    /// `none` with something else (OpenID Connect Core §3.1.2.1).
    #[error("prompt is none and something else")]
    NoneWithOthers,
    /// `max_age` is not a number of seconds.
    #[error("max_age is not a number of seconds")]
    MaxAge,
}

impl From<InvalidPrompt> for OAuthError {
    fn from(reason: InvalidPrompt) -> Self {
        let description = match reason {
            InvalidPrompt::Unknown => "The prompt has an unknown value.",
            InvalidPrompt::NoneWithOthers => "The prompt none stands alone.",
            InvalidPrompt::MaxAge => "The max_age must be a number of seconds.",
        };
        Self::new(ErrorCode::InvalidRequest, description).because(reason)
    }
}

impl Prompt {
    /// Reads `prompt`: values with one space between each two.
    pub fn parse(text: Option<&str>) -> Result<Self, InvalidPrompt> {
        let Some(text) = text else { return Ok(Self::default()) };
        if text == "none" {
            return Ok(Self::Silent);
        }
        let (mut login, mut consent) = (false, false);
        for value in text.split(' ') {
            match value {
                // Whoever may choose an account must prove to own it.
                "login" | "select_account" => login = true,
                "consent" => consent = true,
                "none" => return Err(InvalidPrompt::NoneWithOthers),
                _ => return Err(InvalidPrompt::Unknown),
            }
        }
        Ok(Self::Interactive { login, consent })
    }
}

/// Reads `max_age`: how long ago a person may have signed in, in whole seconds.
pub fn parse_max_age(text: Option<&str>) -> Result<Option<Duration>, InvalidPrompt> {
    let Some(text) = text else { return Ok(None) };
    // A number's parser takes a plus sign too.
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InvalidPrompt::MaxAge);
    }
    let seconds: u32 = text.parse().map_err(|_| InvalidPrompt::MaxAge)?;
    Ok(Some(Duration::from_secs(seconds.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn interactive(login: bool, consent: bool) -> Prompt {
        Prompt::Interactive { login, consent }
    }

    #[test]
    fn every_prompt_says_what_a_person_sees() {
        for (text, prompt) in [
            (None, interactive(false, false)),
            (Some("none"), Prompt::Silent),
            (Some("login"), interactive(true, false)),
            (Some("select_account"), interactive(true, false)),
            (Some("consent"), interactive(false, true)),
            (Some("login consent"), interactive(true, true)),
        ] {
            assert_eq!(Prompt::parse(text), Ok(prompt));
        }
    }

    #[test]
    fn none_stands_alone_and_what_is_unknown_is_refused() {
        for text in ["none login", "consent none", "none none"] {
            assert_eq!(Prompt::parse(Some(text)), Err(InvalidPrompt::NoneWithOthers), "{text}");
        }
        for text in ["create", "Login", "login  consent", " login", "login,consent"] {
            assert_eq!(Prompt::parse(Some(text)), Err(InvalidPrompt::Unknown), "{text}");
        }
    }

    #[test]
    fn a_max_age_is_a_number_of_seconds() {
        assert_eq!(parse_max_age(None), Ok(None));
        assert_eq!(parse_max_age(Some("0")), Ok(Some(Duration::ZERO)));
        assert_eq!(parse_max_age(Some("3600")), Ok(Some(Duration::from_hours(1))));
        for text in ["-1", "+1", "1.5", "1h", " 1", "4294967296"] {
            assert_eq!(parse_max_age(Some(text)), Err(InvalidPrompt::MaxAge), "{text}");
        }
    }
}
