//! CSRF tokens: a form that a page of ours showed to this browser, for this request and this action.
//!
//! `base64url(version | sealing key id | MAC)`. Nothing is stored: the token is bound to the session or to the pre-login
//! cookie, and is good for as long as that is.

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
