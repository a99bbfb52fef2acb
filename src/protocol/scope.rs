//! Scope (RFC 6749 §3.3): a set of case-sensitive tokens whose order means nothing.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A set of scope tokens, kept in order of their bytes so that equal sets are written alike. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope(Arc<[Box<str>]>);

/// The text is not scope tokens with one space between each two (RFC 6749 §3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("scope is tokens of printable ASCII without quotation mark or backslash, with one space between each two")]
pub struct InvalidScope;

impl Scope {
    /// The scope that allows nothing.
    pub fn empty() -> Self {
        Self(Arc::default())
    }

    /// Whether there is no token in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `token` is in it.
    pub fn contains(&self, token: &str) -> bool {
        self.0.binary_search_by(|own| (**own).cmp(token)).is_ok()
    }

    /// Whether every token of this scope is in `other`.
    pub fn is_subset_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.tokens().all(|token| other.contains(token))
    }

    /// The tokens that are in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        if self.is_subset_of(other) {
            return self.clone();
        }
        self.tokens().filter(|token| other.contains(token)).collect()
    }

    /// The tokens that are in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        if other.is_subset_of(self) {
            return self.clone();
        }
        self.tokens().chain(other.tokens()).collect()
    }

    /// Every token, in order of their bytes.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|token| &**token)
    }
}

/// Collects tokens that are known to be well formed.
impl<'a> FromIterator<&'a str> for Scope {
    fn from_iter<I: IntoIterator<Item = &'a str>>(tokens: I) -> Self {
        let mut tokens: Vec<Box<str>> = tokens.into_iter().map(Into::into).collect();
        tokens.sort_unstable();
        tokens.dedup();
        Self(tokens.into())
    }
}

impl FromStr for Scope {
    type Err = InvalidScope;

    /// Reads `token *( SP token )`; the empty text is the empty scope.
    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        if text.is_empty() {
            return Ok(Self::empty());
        }
        if text.split(' ').all(is_token) { Ok(text.split(' ').collect()) } else { Err(InvalidScope) }
    }
}

// RFC 6749 appendix A.4: scope-token = 1*NQCHAR, NQCHAR = %x21 / %x23-5B / %x5D-7E.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E))
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, token) in self.tokens().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            f.write_str(token)?;
        }
        Ok(())
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_repetition_mean_nothing_but_case_does() {
        let scope: Scope = "write read write".parse().expect("valid");
        assert_eq!(scope.to_string(), "read write");
        assert_eq!(scope, "read write".parse().expect("valid"));
        assert!(!scope.contains("Read"));
    }

    #[test]
    fn what_the_grammar_does_not_allow_is_refused() {
        for text in [" ", " read", "read ", "read  write", "re\"ad", "re\\ad", "read\twrite", "lesen-ä"] {
            assert_eq!(text.parse::<Scope>(), Err(InvalidScope), "{text:?}");
        }
    }
}
