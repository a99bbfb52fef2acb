//! Resource indicators (RFC 8707 §2): the name of the API that a token is for.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;

/// The longest resource indicator, in bytes.
pub const LONGEST_RESOURCE: usize = 1024;

/// An absolute URI without a fragment.
///
/// Two are equal when they differ in nothing but a lone slash after the host: clients add one to `https://h`.
#[derive(Debug, Clone)]
pub struct ResourceIndicator(Arc<str>);

/// The text is not an absolute URI without a fragment (RFC 8707 §2), or nobody's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a resource is an absolute URI without a fragment, of at most {LONGEST_RESOURCE} bytes, such as https://api.example.com"
)]
pub struct InvalidResource;

impl ResourceIndicator {
    /// Reads a resource indicator.
    pub fn parse(text: &str) -> Result<Self, InvalidResource> {
        let indicator = Self::of_characters(text)?;
        Url::parse(text).map_err(|_| InvalidResource)?;
        Ok(indicator)
    }

    /// Any text of characters that a resource indicator may have.
    fn of_characters(text: &str) -> Result<Self, InvalidResource> {
        // A URL parser forgives what RFC 3986 §4.3 does not: spaces around, backslashes, line breaks within.
        let is_allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'\\' && byte != b'#';
        if text.len() > LONGEST_RESOURCE || !text.bytes().all(is_allowed) {
            return Err(InvalidResource);
        }
        Ok(Self(text.into()))
    }

    /// The indicator as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What of an indicator's text is compared: all but a lone slash after the host.
    pub fn comparable(text: &str) -> &str {
        match text.strip_suffix('/') {
            // `https://h/`: nothing but the host stands between the two slashes and the last one.
            Some(rest)
                if rest.split_once("://").is_some_and(|(_, host)| !host.is_empty() && !host.contains(['/', '?'])) =>
            {
                rest
            }
            _ => text,
        }
    }
}

/// So that a text can be looked up before it is read.
impl Borrow<str> for ResourceIndicator {
    fn borrow(&self) -> &str {
        Self::comparable(&self.0)
    }
}

impl PartialEq for ResourceIndicator {
    fn eq(&self, other: &Self) -> bool {
        Self::comparable(&self.0) == Self::comparable(&other.0)
    }
}

impl Eq for ResourceIndicator {}

impl Hash for ResourceIndicator {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Self::comparable(&self.0).hash(state);
    }
}

impl fmt::Display for ResourceIndicator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for ResourceIndicator {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ResourceIndicator {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What is written for machines alone is a record of ours, read at each refresh: it was parsed before it was written.
        let read = if deserializer.is_human_readable() { Self::parse } else { Self::of_characters };
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        read(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(text: &str) -> ResourceIndicator {
        ResourceIndicator::parse(text).expect("a valid resource")
    }

    #[test]
    fn a_lone_slash_after_the_host_makes_no_difference() {
        assert_eq!(resource("https://h"), resource("https://h/"));
        assert_eq!(resource("https://h:8443"), resource("https://h:8443/"));
        assert_ne!(resource("https://h/a"), resource("https://h/a/"));
        assert_ne!(resource("https://h?x"), resource("https://h?x/"));
        assert_ne!(resource("https://h"), resource("http://h"));
    }

    #[test]
    fn a_relative_reference_or_a_fragment_is_refused() {
        for text in
            ["", "/api", "api.example.com", "https://h/#a", "https://h#", " https://h", "https://h\\a", "https://h/\n"]
        {
            assert_eq!(ResourceIndicator::parse(text).err(), Some(InvalidResource), "{text:?}");
        }
        assert_eq!(resource("urn:example:api").as_str(), "urn:example:api");
    }

    #[test]
    fn a_name_beyond_all_reason_is_refused() {
        let of = |bytes: usize| ResourceIndicator::parse(&format!("https://h/{}", "x".repeat(bytes - 10)));
        assert!(of(LONGEST_RESOURCE).is_ok());
        assert_eq!(of(LONGEST_RESOURCE + 1).err(), Some(InvalidResource));
    }
}
