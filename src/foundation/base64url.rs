//! base64url as JOSE uses it (RFC 7515 §2): URL-safe alphabet, no padding.
//!
//! Decoding is strict: padding, line breaks and non-zero trailing bits are refused, so that a value has exactly one
//! spelling and a changed character is never the same handle.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The text is not the one base64url spelling of any bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not strict base64url without padding")]
pub struct NotBase64Url;

/// Encodes bytes without padding.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Encodes bytes without padding at the end of `text`.
pub fn encode_into(bytes: impl AsRef<[u8]>, text: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

/// Decodes text, or refuses it when it is not the one spelling of its bytes.
pub fn decode(text: &str) -> Result<Vec<u8>, NotBase64Url> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| NotBase64Url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7515_appendix_c_encodes_without_padding() {
        assert_eq!(encode([3, 236, 255, 224, 193]), "A-z_4ME");
        assert_eq!(decode("A-z_4ME").as_deref(), Ok(&[3, 236, 255, 224, 193][..]));
    }

    #[test]
    fn a_second_spelling_of_the_same_bytes_is_refused() {
        for text in ["A-z_4ME=", "A-z_4MF", "A+z/4ME", "A-z_ 4ME", "A-z_4M\n"] {
            assert_eq!(decode(text), Err(NotBase64Url), "{text:?}");
        }
    }
}
