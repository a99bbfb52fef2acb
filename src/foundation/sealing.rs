//! Sealing: what proves that we wrote a text, and what hides the text as well.
//!
//! A [`SealingKey`] is never used itself. Each use has its own subkey, derived with HKDF-SHA-256 (RFC 5869): a
//! [`MacKey`] for what may be read but not forged (HMAC-SHA-256, RFC 2104), an [`AeadKey`] for what may not be read
//! either (ChaCha20-Poly1305, RFC 8439 §2.8).

use std::fmt;

use ring::{aead, hkdf, hmac};

use super::random::{self, Random};

/// The length of a sealing key, in bytes.
pub const KEY_BYTES: usize = 32;

/// The length of a MAC, in bytes: all of HMAC-SHA-256, never cut short.
pub const MAC_BYTES: usize = 32;

/// The length of the random salt before a sealed text, in bytes: that of a hash, as RFC 5869 §3.1 has it.
const SALT_BYTES: usize = 32;

/// The name of a sealing key: derived from it, so that every server gives it the same name and nobody learns the key.
///
/// Four bytes tell the few keys of a ring apart; a ring refuses two keys of one name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SealingKeyId([u8; Self::BYTES]);

impl SealingKeyId {
    /// The length of an identifier, in bytes.
    pub const BYTES: usize = 4;

    /// The identifier that stands in a sealed text.
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The identifier as it stands in a sealed text.
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Display for SealingKeyId {
    /// Eight hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for SealingKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A sealing key: 32 random bytes from which every subkey is derived. The bytes cannot be had back.
#[derive(Clone)]
pub struct SealingKey {
    root: hkdf::Prk,
    id: SealingKeyId,
}

impl SealingKey {
    /// The key with these bytes. The caller wipes its own copy of them.
    pub fn new(bytes: &[u8; KEY_BYTES]) -> Self {
        // RFC 5869 §3.1: without a salt. It would have to be the same on every server, and the key is random already.
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(bytes);
        // No subkey has this `info`: an issuer stands in the middle of theirs.
        let mut id = [0; SealingKeyId::BYTES];
        derive(&root, &[b"jotsmith/v1/key-id"], IdLength).fill(&mut id).expect("the buffer has the length asked for");
        Self { root, id: SealingKeyId(id) }
    }

    /// The name of this key.
    pub const fn id(&self) -> SealingKeyId {
        self.id
    }

    /// The subkey for the MACs of one purpose of one issuer. Derived once and kept, a MAC costs no derivation.
    pub fn mac_key(&self, issuer: &str, purpose: &str) -> MacKey {
        MacKey(derive(&self.root, &info(issuer, purpose), hmac::HMAC_SHA256).into())
    }

    /// The subkey for the sealed texts of one purpose of one issuer.
    pub fn aead_key(&self, issuer: &str, purpose: &str) -> AeadKey {
        AeadKey(derive(&self.root, &info(issuer, purpose), hkdf::HKDF_SHA256).into())
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.id)
    }
}

/// A subkey for MACs.
#[derive(Clone)]
pub struct MacKey(hmac::Key);

impl MacKey {
    /// The MAC of `message`.
    pub fn mac(&self, message: &[u8]) -> [u8; MAC_BYTES] {
        let mut mac = [0; MAC_BYTES];
        mac.copy_from_slice(hmac::sign(&self.0, message).as_ref());
        mac
    }

    /// Whether `mac` is the whole MAC of `message`, compared in constant time.
    pub fn is_mac(&self, message: &[u8], mac: &[u8]) -> bool {
        hmac::verify(&self.0, message, mac).is_ok()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(..)")
    }
}

/// The text was not sealed with this key and this associated data, or was changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not sealed by us, or changed since")]
pub struct NotAuthentic;

/// A subkey for sealed texts.
///
/// Each text is sealed under a key of its own, which HKDF gives for a fresh random salt: no nonce can repeat,
/// however many servers seal with one sealing key, and nobody keeps a counter. ChaCha20-Poly1305 suits a key that is
/// used once: it has no key schedule to compute, and it runs in constant time without AES instructions too.
#[derive(Clone)]
pub struct AeadKey(hkdf::Prk);

impl AeadKey {
    /// Writes `plaintext` at the end of `out`, sealed: `salt (32 bytes) | ciphertext | tag (16 bytes)`.
    ///
    /// `associated` data is sealed with it but not written: who opens the text has to name the same.
    pub fn seal_into(&self, associated: &[u8], plaintext: &[u8], random: &dyn Random, out: &mut Vec<u8>) {
        let salt: [u8; SALT_BYTES] = random::bytes(random);
        out.extend_from_slice(&salt);
        let start = out.len();
        out.extend_from_slice(plaintext);
        let tag = self
            .one_time_key(&salt)
            .seal_in_place_separate_tag(only_nonce(), aead::Aad::from(associated), &mut out[start..])
            .expect("a text is far shorter than the 256 GiB of RFC 8439 §2.8");
        out.extend_from_slice(tag.as_ref());
    }

    /// Opens a `sealed` text in place and gives its plaintext, if it was sealed with the same `associated` data.
    pub fn open_in_place<'a>(&self, associated: &[u8], sealed: &'a mut [u8]) -> Result<&'a [u8], NotAuthentic> {
        let (salt, ciphertext) = sealed.split_first_chunk_mut().ok_or(NotAuthentic)?;
        self.one_time_key(salt)
            .open_in_place(only_nonce(), aead::Aad::from(associated), ciphertext)
            .map(|plaintext| &*plaintext)
            .map_err(|_| NotAuthentic)
    }

    fn one_time_key(&self, salt: &[u8; SALT_BYTES]) -> aead::LessSafeKey {
        aead::LessSafeKey::new(derive(&self.0, &[salt], &aead::CHACHA20_POLY1305).into())
    }
}

impl fmt::Debug for AeadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AeadKey(..)")
    }
}

/// A key that is used once needs no nonce to tell its uses apart.
fn only_nonce() -> aead::Nonce {
    aead::Nonce::assume_unique_for_key([0; aead::NONCE_LEN])
}

/// `jotsmith/v1/<issuer>/<purpose>`. A purpose has no slash, so no two pairs give the same.
fn info<'a>(issuer: &'a str, purpose: &'a str) -> [&'a [u8]; 4] {
    [b"jotsmith/v1/", issuer.as_bytes(), b"/", purpose.as_bytes()]
}

fn derive<'a, L: hkdf::KeyType>(root: &'a hkdf::Prk, info: &'a [&'a [u8]], length: L) -> hkdf::Okm<'a, L> {
    root.expand(info, length).expect("a key is far shorter than the 8,160 bytes of RFC 5869 §2.3")
}

/// Tells HKDF the length of a [`SealingKeyId`].
struct IdLength;

impl hkdf::KeyType for IdLength {
    fn len(&self) -> usize {
        SealingKeyId::BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foundation::random::OsRandom;

    fn key() -> SealingKey {
        SealingKey::new(&std::array::from_fn(|at| u8::try_from(at).expect("below 32")))
    }

    #[test]
    fn the_name_of_a_key_is_what_hkdf_gives_elsewhere() {
        // Computed with Python's hmac and hashlib.
        assert_eq!(key().id().to_string(), "593639d6");
        assert_eq!(SealingKeyId::from_bytes(*key().id().as_bytes()), key().id());
    }

    #[test]
    fn issuer_and_purpose_each_give_another_subkey() {
        let mac = |issuer, purpose| key().mac_key(issuer, purpose).mac(b"message");
        assert_eq!(mac("https://a", "code"), mac("https://a", "code"));
        assert_ne!(mac("https://a", "code"), mac("https://a", "refresh"));
        assert_ne!(mac("https://a", "code"), mac("https://b", "code"));
    }

    #[test]
    fn a_mac_that_is_cut_short_or_changed_is_none() {
        let key = key().mac_key("https://a", "code");
        let mut mac = key.mac(b"message");
        assert!(key.is_mac(b"message", &mac));
        assert!(!key.is_mac(b"massage", &mac));
        assert!(!key.is_mac(b"message", &mac[..31]));
        assert!(!key.is_mac(b"message", b""));
        mac[31] ^= 1;
        assert!(!key.is_mac(b"message", &mac));
    }

    #[test]
    fn the_same_plaintext_is_never_the_same_sealed_text() {
        let key = key().aead_key("https://a", "session");
        let mut texts = [vec![], vec![]];
        for text in &mut texts {
            key.seal_into(b"", b"plaintext", &OsRandom, text);
        }
        let [one, other] = &texts;
        // Not the salt alone: where the key were the same, the ciphertext would be.
        assert_ne!(one[SALT_BYTES..], other[SALT_BYTES..]);
    }

    #[test]
    fn a_text_opens_with_its_associated_data_alone() {
        let key = key().aead_key("https://a", "session");
        let mut sealed = vec![];
        key.seal_into(b"one", b"plaintext", &OsRandom, &mut sealed);
        assert_eq!(key.open_in_place(b"other", &mut sealed.clone()), Err(NotAuthentic));
        assert_eq!(key.open_in_place(b"one", &mut sealed), Ok(&b"plaintext"[..]));
    }

    #[test]
    fn a_text_too_short_to_be_sealed_is_refused() {
        let key = key().aead_key("https://a", "session");
        for length in 0..SALT_BYTES + aead::MAX_TAG_LEN {
            assert_eq!(key.open_in_place(b"", &mut vec![0; length]), Err(NotAuthentic), "{length}");
        }
    }

    #[test]
    fn no_key_shows_itself() {
        let key = key();
        let shown =
            format!("{key:?} {:?} {:?}", key.mac_key("https://a", "code"), key.aead_key("https://a", "session"));
        assert_eq!(shown, "SealingKey(593639d6) MacKey(..) AeadKey(..)");
    }
}
