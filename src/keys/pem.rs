//! Private keys as text: PKCS#8 in PEM (RFC 7468 §10, RFC 5958).
//!
//! Refused, each with the command that mends it: the older formats of OpenSSL, encrypted keys, files without a private
//! key, and files with several. No error shows what stood in the file: a PEM whose line breaks are lost is one long
//! label, and its label is the key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use zeroize::Zeroizing;

/// Why a text holds no usable PKCS#8 private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PemRefused {
    /// A key in the format of its algorithm alone (RFC 5915, RFC 8017) or of another program.
    #[error(
        "it is `{label}`, not PKCS#8: `openssl pkcs8 -topk8 -nocrypt -in OLD.pem -out NEW.pem` makes a file that can be read"
    )]
    NotPkcs8 {
        /// The label of the PEM section.
        label: &'static str,
    },
    /// A key under a pass phrase.
    #[error("it is encrypted: `openssl pkcs8 -topk8 -nocrypt -in OLD.pem -out NEW.pem` makes a file that can be read")]
    Encrypted,
    /// Public keys or certificates alone.
    #[error("it holds no private key, only the public part: give the PKCS#8 file that it was made from")]
    PublicPart,
    /// No private key at all.
    #[error("it holds no private key in PEM: `jotsmith keys generate --algorithm ..` makes one")]
    NoKey,
    /// More than one private key.
    #[error("it holds more than one private key: give each its own file")]
    Several,
    /// The PEM section has no end or is not base64.
    #[error("its PEM is damaged: copy the file again from where it was made")]
    Damaged,
}

/// Reads the one private key of a PEM text as PKCS#8 DER. Certificates beside it are ignored.
pub(super) fn decode_pkcs8(text: &[u8]) -> Result<Zeroizing<PrivatePkcs8KeyDer<'static>>, PemRefused> {
    let has = |wanted: &str| labels(text).any(|label| label == wanted.as_bytes());
    for label in ["EC PRIVATE KEY", "RSA PRIVATE KEY", "DSA PRIVATE KEY", "OPENSSH PRIVATE KEY"] {
        if has(label) {
            return Err(PemRefused::NotPkcs8 { label });
        }
    }
    if has("ENCRYPTED PRIVATE KEY") {
        return Err(PemRefused::Encrypted);
    }
    match labels(text).filter(|label| *label == b"PRIVATE KEY").count() {
        0 if has("PUBLIC KEY") || has("RSA PUBLIC KEY") || has("CERTIFICATE") => Err(PemRefused::PublicPart),
        0 => Err(PemRefused::NoKey),
        1 => PrivatePkcs8KeyDer::from_pem_slice(text).map(Zeroizing::new).map_err(|_| PemRefused::Damaged),
        _ => Err(PemRefused::Several),
    }
}

/// The labels of the sections that begin in a PEM text.
fn labels(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = text.split(|byte| matches!(byte, b'\n' | b'\r'));
    lines.filter_map(|line| line.strip_prefix(b"-----BEGIN ")?.trim_ascii_end().strip_suffix(b"-----"))
}

/// Writes PKCS#8 DER as PEM in lines of 64 characters (RFC 7468 §2).
pub(super) fn encode_pkcs8(der: &[u8]) -> Zeroizing<String> {
    const LINE: usize = 64;
    let base64 = Zeroizing::new(STANDARD.encode(der));
    // Room for all of it from the start: a text that grows leaves copies of the key behind.
    let mut text = Zeroizing::new(String::with_capacity(base64.len() + base64.len() / LINE + 64));
    text.push_str("-----BEGIN PRIVATE KEY-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(LINE));
        text.push_str(line);
        text.push('\n');
        rest = tail;
    }
    text.push_str("-----END PRIVATE KEY-----\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(label: &str) -> String {
        format!("-----BEGIN {label}-----\nAAECAwQF\n-----END {label}-----\n")
    }

    #[test]
    fn what_is_written_is_read_again_at_every_length() {
        for length in [1, 47, 48, 49, 96, 1200] {
            let der: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).expect("below 251")).collect();
            let text = encode_pkcs8(&der);
            assert!(text.lines().all(|line| line.len() <= 64), "{text:?}");
            let read = decode_pkcs8(text.as_bytes()).expect("what was just written");
            assert_eq!(read.secret_pkcs8_der(), der);
        }
    }

    #[test]
    fn windows_line_ends_and_text_around_the_key_are_read() {
        let text = format!("# the key of 2026\n{}{}", section("CERTIFICATE"), section("PRIVATE KEY"));
        for text in [text.clone(), text.replace('\n', "\r\n")] {
            assert_eq!(decode_pkcs8(text.as_bytes()).expect("one key").secret_pkcs8_der(), [0, 1, 2, 3, 4, 5]);
        }
    }

    #[test]
    fn every_other_kind_of_file_is_refused_with_what_mends_it() {
        for label in ["EC PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY"] {
            let refused = decode_pkcs8(section(label).as_bytes()).expect_err("not PKCS#8");
            assert_eq!(refused, PemRefused::NotPkcs8 { label });
            assert!(refused.to_string().contains("openssl pkcs8 -topk8 -nocrypt -in"), "{refused}");
        }
        let ecparam = section("EC PARAMETERS") + &section("EC PRIVATE KEY");
        let encrypted = section("ENCRYPTED PRIVATE KEY");
        let two = section("PRIVATE KEY") + &section("PRIVATE KEY");
        for (text, why) in [
            (ecparam.as_str(), PemRefused::NotPkcs8 { label: "EC PRIVATE KEY" }),
            (encrypted.as_str(), PemRefused::Encrypted),
            (section("PUBLIC KEY").as_str(), PemRefused::PublicPart),
            (section("CERTIFICATE").as_str(), PemRefused::PublicPart),
            (two.as_str(), PemRefused::Several),
            ("", PemRefused::NoKey),
            ("\u{0}\u{1}0\u{2}", PemRefused::NoKey),
            ("-----BEGIN PRIVATE KEY-----\nAAECAwQF\n", PemRefused::Damaged),
            ("-----BEGIN PRIVATE KEY-----\nAA!CAwQF\n-----END PRIVATE KEY-----\n", PemRefused::Damaged),
        ] {
            assert_eq!(decode_pkcs8(text.as_bytes()).expect_err("no usable key"), why, "{text:?}");
        }
    }

    #[test]
    fn a_key_on_one_line_does_not_appear_in_the_error() {
        let text = section("PRIVATE KEY").replace('\n', "");
        let refused = decode_pkcs8(text.as_bytes()).expect_err("no line breaks");
        assert!(!format!("{refused} {refused:?}").contains("AAECAwQF"), "{refused}");
    }
}
