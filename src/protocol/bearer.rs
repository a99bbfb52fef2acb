//! Where a bearer token stands in a request (RFC 6750 §2).
//!
//! Taken is the header alone (§2.1). A token in the query would stand in logs and histories (§5.3), and one in a form is
//! not looked for.

/// What a request presents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presented<'a> {
    /// No bearer token.
    Nothing,
    /// One, which has the form of one (RFC 6750 §2.1).
    Token(&'a str),
    /// What is no bearer token, or more than one.
    Malformed,
}

/// Finds the bearer token of a request in its `Authorization` headers and its query.
pub fn presented_token<'a>(authorization: impl IntoIterator<Item = &'a [u8]>, query: &str) -> Presented<'a> {
    let mut authorization = authorization.into_iter();
    let Some(value) = authorization.next() else { return Presented::Nothing };
    let Some((scheme, token)) = split_scheme(value) else { return Presented::Nothing };
    // RFC 9110 §11.1: the scheme is compared without regard to case.
    if !scheme.eq_ignore_ascii_case(b"Bearer") {
        return if authorization.next().is_some() { Presented::Malformed } else { Presented::Nothing };
    }
    // RFC 6750 §2: no more than one way, and no more than one token.
    let is_one = authorization.next().is_none() && !has_token(query);
    match std::str::from_utf8(token.trim_ascii_end()) {
        Ok(token) if is_one && is_b64token(token) => Presented::Token(token),
        _ => Presented::Malformed,
    }
}

/// The scheme, and what follows after spaces (RFC 9110 §11.4).
fn split_scheme(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let value = value.trim_ascii();
    if value.is_empty() {
        return None;
    }
    let end = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    Some((scheme, rest.trim_ascii_start()))
}

/// RFC 6750 §2.3: the name is reserved for this.
fn has_token(query: &str) -> bool {
    query.split('&').any(|pair| pair.split('=').next() == Some("access_token"))
}

/// RFC 6750 §2.1: `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
fn is_b64token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_from_one_header_and_from_nowhere_else() {
        let token = Presented::Token("mF_9.B5f-4.1JqM");
        for (lines, query, expected) in [
            (&["Bearer mF_9.B5f-4.1JqM"][..], "", token),
            (&["bearer   mF_9.B5f-4.1JqM "], "a=b", token),
            (&[], "", Presented::Nothing),
            (&[], "access_token=mF_9.B5f-4.1JqM", Presented::Nothing),
            (&[""], "", Presented::Nothing),
            (&["Basic czZCaGRSa3F0Mzo="], "", Presented::Nothing),
            (&["Bearer"], "", Presented::Malformed),
            (&["Bearer "], "", Presented::Malformed),
            (&["Bearer a b"], "", Presented::Malformed),
            (&["Bearer a,b"], "", Presented::Malformed),
            (&["Bearer ="], "", Presented::Malformed),
            (&["Bearer a=b"], "", Presented::Malformed),
            (&["Bearer \"a\""], "", Presented::Malformed),
            (&["Bearer ä"], "", Presented::Malformed),
            (&["Bearer\ta"], "", Presented::Nothing),
            (&["Bearer mF_9.B5f-4.1JqM"], "x=1&access_token=a", Presented::Malformed),
            (&["Bearer mF_9.B5f-4.1JqM"], "access_token", Presented::Malformed),
            (&["Bearer a", "Bearer a"], "", Presented::Malformed),
            (&["Bearer a", "Basic a"], "", Presented::Malformed),
            (&["Basic a", "Bearer a"], "", Presented::Malformed),
        ] {
            assert_eq!(presented_token(lines.iter().map(|line| line.as_bytes()), query), expected, "{lines:?} {query}");
        }
    }
}
