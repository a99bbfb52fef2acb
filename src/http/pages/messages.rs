//! The messages that the program itself chooses; all others are named by a template. Their words are in `locales/`.

use serde::{Serialize, Serializer};

use crate::protocol::error::{ErrorCode, OAuthError};

macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident = $key:literal,)+) => {
        /// A message, by its key in the files of `locales/`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(in crate::http) enum Message {
            $($(#[$doc])* $name,)+
        }

        impl Message {
            /// Every one of them.
            #[cfg(test)]
            pub(super) const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its key.
            pub(super) const fn key(self) -> &'static str {
                match self {
                    $(Self::$name => $key,)+
                }
            }
        }
    };
}

messages! {
    /// Why the login page is shown again: no such account, or another password.
    LoginWrong = "login-wrong",
    /// The same: too many wrong passwords.
    LoginThrottled = "login-throttled",
    /// The same: too many people at once.
    LoginBusy = "login-busy",
    /// The same: accounts cannot be looked up.
    LoginUnavailable = "login-unavailable",
    /// The same, though nothing was tried: the form is not one that this browser was shown.
    LoginOtherBrowser = "login-other-browser",
    /// The same: the session is over in which consent was asked.
    LoginAgain = "login-again",
    /// Why the consent page is shown again: nothing would be left of what is asked for.
    ConsentNoneLeft = "consent-none-left",
    /// The same: it was shown in another session of this browser.
    ConsentOtherSession = "consent-other-session",
    /// For how long, in days: `count`.
    LastsDays = "consent-lasts-days",
    /// For how long, in hours: `count`.
    LastsHours = "consent-lasts-hours",
    /// For how long, in minutes: `count`.
    LastsMinutes = "consent-lasts-minutes",
    /// For how long, in seconds: `count`.
    LastsSeconds = "consent-lasts-seconds",
    /// The title of every error.
    ErrorTitle = "error-title",
    /// Somebody is signed out.
    SignedOutTitle = "signed-out-title",
    /// What that means.
    SignedOutText = "signed-out-text",
    /// A form that this browser was not shown, or too long ago.
    ErrorStale = "error-stale",
    /// No client has this identifier.
    ErrorUnknownClient = "error-unknown-client",
    /// The client did not say where its answer goes.
    ErrorRedirectUriMissing = "error-redirect-uri-missing",
    /// The client has not registered where its answer should go.
    ErrorRedirectUriMismatch = "error-redirect-uri-mismatch",
    /// A parameter is no text.
    ErrorParameterNotUtf8 = "error-parameter-not-utf8",
    /// A parameter is there twice.
    ErrorParameterRepeated = "error-parameter-repeated",
    /// A parameter is too long.
    ErrorParameterTooLong = "error-parameter-too-long",
    /// There are too many parameters.
    ErrorParametersTooMany = "error-parameters-too-many",
    /// A parameter is not there.
    ErrorParameterMissing = "error-parameter-missing",
    /// The body is something else.
    ErrorNotAForm = "error-not-a-form",
    /// The body is too long.
    ErrorBodyTooLong = "error-body-too-long",
    /// The body is not whole.
    ErrorBodyBrokenOff = "error-body-broken-off",
    /// Something that is needed is away.
    ErrorUnavailable = "error-unavailable",
    /// Something is broken.
    ErrorServer = "error-server",
    /// Anything else.
    ErrorOther = "error-other",
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.key())
    }
}

/// The words for each error that a person may see, by the constant sentence that it has on the wire.
const OF_ERRORS: [(&str, Message); 13] = [
    (
        "This page is too old, or was opened in another browser. Go back to the application and start again.",
        Message::ErrorStale,
    ),
    ("The application is not registered here.", Message::ErrorUnknownClient),
    ("The application did not say where to go back to.", Message::ErrorRedirectUriMissing),
    ("The application wants to go back to an address that it has not registered.", Message::ErrorRedirectUriMismatch),
    ("A parameter is not valid UTF-8.", Message::ErrorParameterNotUtf8),
    ("A parameter is sent more than once.", Message::ErrorParameterRepeated),
    ("A parameter is too long.", Message::ErrorParameterTooLong),
    ("There are too many parameters.", Message::ErrorParametersTooMany),
    ("A required parameter is missing.", Message::ErrorParameterMissing),
    ("The body is not application/x-www-form-urlencoded.", Message::ErrorNotAForm),
    ("The body is longer than 64 KiB.", Message::ErrorBodyTooLong),
    ("The body ended before its end.", Message::ErrorBodyBrokenOff),
    ("The server cannot answer now, try again later.", Message::ErrorUnavailable),
];

impl Message {
    /// What a person is told of an error.
    pub(in crate::http) fn of_error(error: &OAuthError) -> Self {
        let known = OF_ERRORS.into_iter().find(|(description, _)| *description == error.description);
        known.map_or_else(|| Self::of_code(error.code), |(_, message)| message)
    }

    const fn of_code(code: ErrorCode) -> Self {
        match code {
            ErrorCode::TemporarilyUnavailable => Self::ErrorUnavailable,
            ErrorCode::ServerError => Self::ErrorServer,
            _ => Self::ErrorOther,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::request::RequestRefused;
    use crate::foundation::storage::StoreUnavailable;
    use crate::http::browser::stale_form;
    use crate::http::error_response::Refusal;
    use crate::http::pages::languages::Languages;
    use crate::protocol::parameters::InvalidParameters;

    #[test]
    fn every_error_that_a_person_may_see_has_words_and_the_english_ones_are_those_of_the_wire() {
        let errors: Vec<OAuthError> = vec![
            stale_form(),
            RequestRefused::UnknownClient.into(),
            RequestRefused::RedirectUriMissing.into(),
            RequestRefused::RedirectUriMismatch.into(),
            InvalidParameters::NotUtf8.into(),
            InvalidParameters::Repeated.into(),
            InvalidParameters::TooLong.into(),
            InvalidParameters::TooMany.into(),
            InvalidParameters::Missing("client_id").into(),
            Refusal::NotAForm.error(),
            Refusal::TooLong.error(),
            Refusal::BrokenOff.error(),
            StoreUnavailable { cause: "gone".to_owned(), retry_after: std::time::Duration::from_secs(1) }.into(),
        ];
        assert_eq!(errors.len(), OF_ERRORS.len(), "each sentence is some error's");
        let languages = Languages::built_in();
        for error in errors {
            let message = Message::of_error(&error);
            assert_ne!(message, Message::ErrorOther, "{error}");
            assert_eq!(languages.english().say(message.key(), &[]), error.description);
        }
        assert_eq!(Message::of_error(&OAuthError::new(ErrorCode::ServerError, "Oh.")), Message::ErrorServer);
        assert_eq!(Message::of_error(&OAuthError::new(ErrorCode::InvalidScope, "Oh.")), Message::ErrorOther);
    }
}
