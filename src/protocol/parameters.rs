//! Request parameters: `application/x-www-form-urlencoded` in a body or a query (RFC 6749 appendix B).
//!
//! One parser for every endpoint, so that "missing", "empty" and "repeated" mean the same everywhere
//! (RFC 6749 §3.1 and §3.2): an empty parameter is an absent one, an unknown one is ignored, a repeated one is an error.

use std::borrow::Cow;
use std::fmt;

use super::error::{ErrorCode, OAuthError};

/// The longest value that any parameter may have, in bytes after decoding.
pub const LONGEST_VALUE: usize = 8 * 1024;

/// How many parameters a request may have.
pub const MOST_PARAMETERS: usize = 64;

/// The parameters that may be sent more than once (RFC 8707 §2).
const REPEATABLE: [&str; 1] = ["resource"];

/// The decoded parameters of one request. `Debug` shows names alone, for a value may be a secret.
#[derive(Clone, Default)]
pub struct Parameters<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// Decoded parameters of which any may still be unusable.
///
/// The authorization endpoint needs them one by one: with a sound `client_id` and `redirect_uri` it tells the client
/// what is wrong with the others (RFC 6749 §4.1.2.1). Every other endpoint wants all of them sound, or none.
#[derive(Clone)]
pub struct UncheckedParameters<'a>(Parameters<'a>);

/// Why a request's parameters are refused as a whole, or one is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidParameters {
    /// The decoded bytes are not UTF-8.
    #[error("a parameter is not UTF-8")]
    NotUtf8,
    /// A parameter other than `resource` is there twice.
    #[error("a parameter is repeated")]
    Repeated,
    /// A value is longer than [`LONGEST_VALUE`].
    #[error("a parameter is too long")]
    TooLong,
    /// There are more than [`MOST_PARAMETERS`].
    #[error("there are too many parameters")]
    TooMany,
    /// A required parameter is not there; its name.
    #[error("the parameter {0} is missing")]
    Missing(&'static str),
}

impl From<InvalidParameters> for OAuthError {
    fn from(reason: InvalidParameters) -> Self {
        let description = match reason {
            InvalidParameters::NotUtf8 => "A parameter is not valid UTF-8.",
            InvalidParameters::Repeated => "A parameter is sent more than once.",
            InvalidParameters::TooLong => "A parameter is too long.",
            InvalidParameters::TooMany => "There are too many parameters.",
            InvalidParameters::Missing(_) => "A required parameter is missing.",
        };
        Self::new(ErrorCode::InvalidRequest, description).because(reason)
    }
}

impl<'a> Parameters<'a> {
    /// Decodes `name=value&..`, in which a plus sign is a space and `%xx` a byte of UTF-8.
    pub fn parse(encoded: &'a [u8]) -> Result<Self, InvalidParameters> {
        UncheckedParameters::parse(encoded)?.check()
    }

    /// The value of a parameter, when it is there.
    pub fn optional(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The value of a parameter that must be there.
    pub fn required(&self, name: &'static str) -> Result<&str, InvalidParameters> {
        self.optional(name).ok_or(InvalidParameters::Missing(name))
    }

    /// Every value of a parameter that may be repeated, in the order they came.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| &**value)
    }
}

impl<'a> UncheckedParameters<'a> {
    /// Decodes `name=value&..`; refuses only what has too many.
    pub fn parse(encoded: &'a [u8]) -> Result<Self, InvalidParameters> {
        // RFC 6749 §3.2: parameters sent without a value are treated as if they were omitted.
        let sent = form_urlencoded::parse(encoded).filter(|(_, value)| !value.is_empty());
        let list: Vec<_> = sent.take(MOST_PARAMETERS + 1).collect();
        if list.len() > MOST_PARAMETERS { Err(InvalidParameters::TooMany) } else { Ok(Self(Parameters(list))) }
    }

    /// The value of one parameter, when it is there; the others may be unusable.
    pub fn optional(&self, name: &str) -> Result<Option<&str>, InvalidParameters> {
        let Some((at, own)) = self.0.0.iter().enumerate().find(|(_, (own, _))| own == name) else { return Ok(None) };
        if self.0.0[at + 1..].iter().any(|(other, _)| other == name) {
            return Err(InvalidParameters::Repeated);
        }
        check(own).map(|()| Some(&*own.1))
    }

    /// All of them, if every one is usable.
    pub fn check(self) -> Result<Parameters<'a>, InvalidParameters> {
        let list = &self.0.0;
        for (at, parameter) in list.iter().enumerate() {
            check(parameter)?;
            let name = &parameter.0;
            if !REPEATABLE.contains(&&**name) && list[..at].iter().any(|(known, _)| known == name) {
                return Err(InvalidParameters::Repeated);
            }
        }
        Ok(self.0)
    }
}

/// What makes a parameter unusable by itself.
fn check((name, value): &(Cow<'_, str>, Cow<'_, str>)) -> Result<(), InvalidParameters> {
    // The decoder writes U+FFFD where the bytes are no UTF-8; nobody sends that character on purpose.
    let is_broken = |text: &str| !text.is_ascii() && text.contains(char::REPLACEMENT_CHARACTER);
    if is_broken(name) || is_broken(value) {
        return Err(InvalidParameters::NotUtf8);
    }
    if value.len() > LONGEST_VALUE || name.len() > LONGEST_VALUE { Err(InvalidParameters::TooLong) } else { Ok(()) }
}

impl fmt::Debug for Parameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl fmt::Debug for UncheckedParameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_6749_appendix_b_decodes() {
        // The value is " %&+£€": its six code points in the encoding of the appendix.
        let parameters = Parameters::parse(b"value=+%25%26%2B%C2%A3%E2%82%AC").expect("valid");
        assert_eq!(parameters.optional("value"), Some(" %&+\u{a3}\u{20ac}"));
    }

    #[test]
    fn an_empty_parameter_is_absent_and_never_a_repetition() {
        let parameters = Parameters::parse(b"scope=&scope=read&state&state=").expect("valid");
        assert_eq!(parameters.optional("scope"), Some("read"));
        assert_eq!(parameters.required("state"), Err(InvalidParameters::Missing("state")));
    }

    #[test]
    fn only_resource_may_be_repeated() {
        assert_eq!(Parameters::parse(b"scope=a&scope=a").err(), Some(InvalidParameters::Repeated));
        let parameters = Parameters::parse(b"resource=a&resource=b").expect("valid");
        assert_eq!(parameters.all("resource").collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn bytes_that_are_not_utf_8_and_lengths_beyond_the_bound_are_refused() {
        assert_eq!(Parameters::parse(b"a=%ff").err(), Some(InvalidParameters::NotUtf8));
        let long = format!("a={}", "x".repeat(LONGEST_VALUE + 1));
        assert_eq!(Parameters::parse(long.as_bytes()).err(), Some(InvalidParameters::TooLong));
        let many = (0..=MOST_PARAMETERS).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&");
        assert_eq!(Parameters::parse(many.as_bytes()).err(), Some(InvalidParameters::TooMany));
    }

    #[test]
    fn a_parameter_can_be_read_beside_unusable_ones_but_they_are_never_sound_together() {
        for (unusable, why) in [
            (b"scope=a&client_id=x&scope=a".as_slice(), InvalidParameters::Repeated),
            (b"client_id=x&a=%ff", InvalidParameters::NotUtf8),
        ] {
            let unchecked = UncheckedParameters::parse(unusable).expect("few");
            assert_eq!(unchecked.optional("client_id"), Ok(Some("x")));
            assert_eq!(unchecked.optional("redirect_uri"), Ok(None));
            assert_eq!(unchecked.check().err(), Some(why));
        }
    }

    #[test]
    fn an_unusable_parameter_cannot_be_read_by_itself() {
        let unchecked = UncheckedParameters::parse(b"state=&scope=a&state=1&scope=a&b=%ff").expect("few");
        assert_eq!(unchecked.optional("scope"), Err(InvalidParameters::Repeated));
        assert_eq!(unchecked.optional("b"), Err(InvalidParameters::NotUtf8));
        assert_eq!(unchecked.optional("state"), Ok(Some("1")));
    }

    #[test]
    fn debug_shows_no_value() {
        let parameters = Parameters::parse(b"client_secret=hunter2").expect("valid");
        assert_eq!(format!("{parameters:?}"), r#"{"client_secret"}"#);
    }
}
