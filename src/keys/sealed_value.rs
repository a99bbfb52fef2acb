//! Values that travel through a browser and come back to us alone: sessions, remembered consents, pending requests.
//!
//! `base64url(version | sealing key id | salt | ciphertext | tag)`, the value inside encoded with postcard. The header,
//! the purpose and a context (the cookie's name) are associated data: a value is never good in another place.
//! What is sealed does not expire and may be sent again: who opens a value judges the times that stand in it.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::foundation::base64url;
use crate::foundation::clock::Timestamp;
use crate::foundation::random::Random;

use super::sealing_ring::{HEADER_BYTES, SealPurpose, SealRefused, SealingRing};

impl SealingRing {
    /// The text of `value`, sealed `now` for one purpose and context, such as the name of its cookie.
    ///
    /// The encoding does not describe itself: a later type that lays its fields out otherwise needs another context.
    ///
    /// # Panics
    /// When `T` is a type that postcard cannot write, such as one with `#[serde(flatten)]`.
    pub fn seal<T: Serialize>(
        &self,
        purpose: SealPurpose,
        context: &str,
        value: &T,
        now: Timestamp,
        random: &dyn Random,
    ) -> String {
        let plaintext = postcard::to_stdvec(value).expect("our sealed types are plain data");
        let key = self.key_at(now);
        let header = key.header();
        let mut sealed = header.to_vec();
        key.aead_key(purpose).seal_into(&associated(header, purpose, context), &plaintext, random, &mut sealed);
        base64url::encode(sealed)
    }

    /// The value of a sealed text, if we sealed it for this purpose and context.
    pub fn open<T: DeserializeOwned>(&self, purpose: SealPurpose, context: &str, text: &str) -> Result<T, SealRefused> {
        let mut bytes = base64url::decode(text).map_err(|_| SealRefused::Malformed)?;
        let (&mut header, sealed) = bytes.split_first_chunk_mut().ok_or(SealRefused::Malformed)?;
        let plaintext = self
            .key_of(header)?
            .aead_key(purpose)
            .open_in_place(&associated(header, purpose, context), sealed)
            .map_err(|_| SealRefused::Forged)?;
        match postcard::take_from_bytes(plaintext) {
            Ok((value, [])) => Ok(value),
            Ok(_) | Err(_) => Err(SealRefused::OtherShape),
        }
    }
}

/// `header | purpose | 0 | context`: no purpose has a zero byte, so no two places give the same.
fn associated(header: [u8; HEADER_BYTES], purpose: SealPurpose, context: &str) -> Vec<u8> {
    [&header[..], purpose.name().as_bytes(), &[0], context.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foundation::random::OsRandom;
    use crate::keys::sealing_ring::tests::{NOW, ring_of_one};

    struct Sevens;

    impl Random for Sevens {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    #[test]
    fn the_format_is_the_one_that_is_out_there() {
        let text = ring_of_one().seal(SealPurpose::Session, "__Host-session", &"alice", NOW, &Sevens);
        // Computed in Python from RFC 5869 and RFC 8439. What people hold in their browsers must go on opening.
        let expected = "AVk2OdYHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHB_2NCbiV8e8Y_RAOnOQ730sSB2kC8RY";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_value_of_another_shape_is_refused() {
        let ring = ring_of_one();
        let seal = |value: &[u8]| ring.seal(SealPurpose::Consent, "c", &value, NOW, &OsRandom);
        let open = |text: &str| ring.open::<(u8, u8)>(SealPurpose::Consent, "c", text);
        assert_eq!(open(&seal(&[])), Err(SealRefused::OtherShape), "too short");
        assert_eq!(open(&seal(&[5])), Ok((1, 5)), "a length and one byte");
        assert_eq!(open(&seal(&[5, 6])), Err(SealRefused::OtherShape), "a byte is left");
    }

    #[test]
    fn a_text_without_a_header_is_malformed() {
        for text in ["", "AVk2", "not base64url!", "AVk2OdY="] {
            let refused = ring_of_one().open::<()>(SealPurpose::Session, "s", text);
            assert_eq!(refused, Err(SealRefused::Malformed), "{text:?}");
        }
    }
}
