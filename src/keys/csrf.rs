//! CSRF tokens: a form that a page of ours showed to this browser, for this request and this action.
//!
//! `base64url(version | sealing key id | MAC)`. Nothing is stored: the token is bound to the session or to the
//! pre-login cookie, and is good for as long as that is.

use crate::foundation::base64url;
use crate::foundation::clock::Timestamp;

use super::sealing_ring::{HEADER_BYTES, MacPurpose, SealRefused, SealingRing};

/// What a CSRF token is bound to.
#[derive(Debug, Clone, Copy)]
pub struct CsrfBinding<'a> {
    /// The session's id, or the pre-login id while nobody is signed in: what only this browser has.
    pub session: &'a [u8],
    /// The digest of the request that the form carries; empty where it carries none, as at logout.
    pub request: &'a [u8],
    /// What the form does.
    pub action: &'a str,
}

impl CsrfBinding<'_> {
    /// The token to put into a form that is shown `now`.
    pub fn token(&self, ring: &SealingRing, now: Timestamp) -> String {
        let key = ring.key_at(now);
        let header = key.header();
        let mac = key.mac_key(MacPurpose::Csrf).mac(&self.message(header));
        base64url::encode([&header[..], &mac].concat())
    }

    /// Accepts a token that came back if it was made for this binding; compares in constant time.
    pub fn verify(&self, token: &str, ring: &SealingRing) -> Result<(), SealRefused> {
        let bytes = base64url::decode(token).map_err(|_| SealRefused::Malformed)?;
        let (&header, mac) = bytes.split_first_chunk().ok_or(SealRefused::Malformed)?;
        let is_ours = ring.key_of(header)?.mac_key(MacPurpose::Csrf).is_mac(&self.message(header), mac);
        if is_ours { Ok(()) } else { Err(SealRefused::Forged) }
    }

    /// Every part with its length before it, so that no two bindings give the same message.
    fn message(&self, header: [u8; HEADER_BYTES]) -> Vec<u8> {
        let mut message = header.to_vec();
        for part in [self.session, self.request, self.action.as_bytes()] {
            message.extend_from_slice(&(part.len() as u64).to_be_bytes());
            message.extend_from_slice(part);
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::sealing_ring::tests::{NOW, ring_of_one};

    const BINDING: CsrfBinding<'_> = CsrfBinding { session: b"sid", request: &[0; 32], action: "/login" };

    #[test]
    fn a_token_comes_back_good_for_its_own_binding_alone() {
        let ring = ring_of_one();
        let token = BINDING.token(&ring, NOW);
        // Computed with Python's hmac.
        assert_eq!(token, "AVk2OdYRMgyGzYbldwlv66hDxVRt-Tq_JSe1Ah32ws75yJC3vg");
        assert_eq!(BINDING.verify(&token, &ring), Ok(()));
        for other in [
            CsrfBinding { session: b"sit", ..BINDING },
            CsrfBinding { request: &[1; 32], ..BINDING },
            CsrfBinding { request: b"", ..BINDING },
            CsrfBinding { action: "/consent", ..BINDING },
        ] {
            assert_eq!(other.verify(&token, &ring), Err(SealRefused::Forged), "{other:?}");
        }
    }

    #[test]
    fn bytes_that_move_from_one_part_to_the_next_are_another_binding() {
        let ring = ring_of_one();
        let token = CsrfBinding { session: b"ab", request: b"c", action: "d" }.token(&ring, NOW);
        for other in [
            CsrfBinding { session: b"a", request: b"bc", action: "d" },
            CsrfBinding { session: b"ab", request: b"", action: "cd" },
        ] {
            assert_eq!(other.verify(&token, &ring), Err(SealRefused::Forged), "{other:?}");
        }
    }

    #[test]
    fn a_text_that_is_no_token_is_refused() {
        let ring = ring_of_one();
        let token = BINDING.token(&ring, NOW);
        for (text, why) in [
            ("", SealRefused::Malformed),
            ("AVk2", SealRefused::Malformed),
            (&token[..token.len() - 1], SealRefused::Malformed),
            ("AVk2OdY", SealRefused::Forged),
            (&token[..token.len() - 2], SealRefused::Forged),
        ] {
            assert_eq!(BINDING.verify(text, &ring), Err(why), "{text:?}");
        }
    }
}
