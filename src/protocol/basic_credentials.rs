//! The credentials of HTTP Basic as OAuth writes them (RFC 6749 §2.3.1): identifier and secret are each form-encoded
//! (appendix B) before they are joined by a colon and base64-encoded.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode;

use crate::foundation::secret::SecretString;

/// What the value of an `Authorization` header says. `Debug` does not show the secret.
pub struct BasicCredentials {
    /// Who the request says it comes from; never empty.
    pub client_id: String,
    /// What it proves it with. An empty password is no secret: it is how a public client says `none` in a header.
    pub client_secret: Option<SecretString>,
}

impl BasicCredentials {
    /// Reads the value of an `Authorization` header; nothing where it is not well-formed Basic.
    pub fn parse(value: &str) -> Option<Self> {
        let (scheme, token) = value.split_once(' ')?;
        // RFC 9110 §11.1: the name of a scheme knows no case.
        if !scheme.eq_ignore_ascii_case("Basic") {
            return None;
        }
        let joined = STANDARD.decode(token.trim_start_matches(' ')).ok()?;
        let colon = joined.iter().position(|byte| *byte == b':')?;
        let client_id = form_decode(&joined[..colon])?;
        let secret = form_decode(&joined[colon + 1..])?;
        if client_id.is_empty() {
            return None;
        }
        Some(Self { client_id, client_secret: (!secret.is_empty()).then(|| SecretString::from(secret)) })
    }
}

impl fmt::Debug for BasicCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BasicCredentials").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

fn form_decode(encoded: &[u8]) -> Option<String> {
    if !encoded.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return str::from_utf8(encoded).ok().map(str::to_owned);
    }
    let spaced: Cow<'_, [u8]> = if encoded.contains(&b'+') {
        encoded.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect()
    } else {
        encoded.into()
    };
    percent_decode(&spaced).decode_utf8().ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let value = format!("Basic {}", STANDARD.encode("machine:hunter2"));
        let shown = format!("{:?}", BasicCredentials::parse(&value).expect("well formed"));
        assert!(shown.contains("machine") && !shown.contains("hunter2"), "{shown}");
    }
}
