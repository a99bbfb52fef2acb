//! What a signed token is, as its `typ` header says (RFC 7515 §4.1.9): a token of one kind is never taken for another
//! (RFC 8725 §3.11).

/// A kind of token that the server signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenType {
    /// `at+jwt`: an access token (RFC 9068 §2.1).
    AccessToken,
}

impl TokenType {
    /// Every kind, in the order of its discriminants.
    pub const ALL: [Self; 1] = [Self::AccessToken];

    /// The value of `typ`: the media type without its `application/`, as RFC 7515 §4.1.9 recommends.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "at+jwt",
        }
    }

    /// Whether a `typ` header says this. Media types are compared without regard to case, and one without a slash
    /// stands for `application/` and itself (RFC 7515 §4.1.9).
    pub fn is_meant_by(self, typ: &str) -> bool {
        names(typ, self.as_str())
    }
}

/// Whether a `typ` header names the media type `application/` and `subtype`.
pub fn names(typ: &str, subtype: &str) -> bool {
    const PREFIX: &str = "application/";
    let named = match typ.split_at_checked(PREFIX.len()) {
        Some((prefix, named)) if prefix.eq_ignore_ascii_case(PREFIX) => named,
        _ => typ,
    };
    named.eq_ignore_ascii_case(subtype)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_known_in_any_case_and_with_its_full_media_type() {
        for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
            assert!(TokenType::AccessToken.is_meant_by(typ), "{typ}");
        }
        for typ in ["", "JWT", "at+jwt ", "text/at+jwt", "application/", "application/application/at+jwt", "at+jwtäöüß"]
        {
            assert!(!TokenType::AccessToken.is_meant_by(typ), "{typ}");
        }
    }
}
