//! Sealed cookies and form fields, and CSRF tokens: good where they were made for, unchanged, and nowhere else.

use jotsmith::foundation::base64url;
use jotsmith::foundation::random::OsRandom;
use jotsmith::keys::csrf::CsrfBinding;
use jotsmith::keys::sealing_ring::{SealPurpose, SealRefused, SealingRing};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::sealing_rings::{ISSUER, KeyBytes, NOW, later, ring, ring_of, with_one_bit_flipped};

const PURPOSES: [SealPurpose; 5] = [
    SealPurpose::Session,
    SealPurpose::Consent,
    SealPurpose::AuthorizationRequest,
    SealPurpose::KnownBrowser,
    SealPurpose::Configuration,
];

/// A value with the shapes that our cookies and fields have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Value {
    text: String,
    number: u64,
    option: Option<Vec<String>>,
    digest: [u8; 32],
}

/// Short ones: a sealed value is tried once for every bit of it.
fn values() -> impl Strategy<Value = Value> {
    let option = prop::option::of(prop::collection::vec(".{0,8}", 0..3));
    (".{0,16}", any::<u64>(), option, any::<[u8; 32]>()).prop_map(|(text, number, option, digest)| Value {
        text,
        number,
        option,
        digest,
    })
}

fn purposes() -> impl Strategy<Value = SealPurpose> {
    prop::sample::select(&PURPOSES[..])
}

fn seal(ring: &SealingRing, purpose: SealPurpose, context: &str, value: &Value) -> String {
    ring.seal(purpose, context, value, NOW, &OsRandom)
}

fn open(ring: &SealingRing, purpose: SealPurpose, context: &str, text: &str) -> Result<Value, SealRefused> {
    ring.open(purpose, context, text)
}

fn binding((session, request, action): &(Vec<u8>, Vec<u8>, String)) -> CsrfBinding<'_> {
    CsrfBinding { session, request, action }
}

proptest! {
    #[test]
    fn a_sealed_value_opens_also_after_a_change_of_keys(
        value in values(),
        purpose in purposes(),
        context: String,
        key: KeyBytes,
        successor: KeyBytes,
        waits: u32,
    ) {
        let text = seal(&ring_of(&key), purpose, &context, &value);
        let after = ring(ISSUER, &key, &[(later(NOW, waits), successor)]);
        prop_assert_eq!(open(&after, purpose, &context, &text), Ok(value));
    }

    #[test]
    fn a_sealed_value_with_one_bit_flipped_is_refused(value in values(), purpose in purposes(), key: KeyBytes) {
        let ring = ring_of(&key);
        let text = seal(&ring, purpose, "context", &value);
        for flipped in with_one_bit_flipped(text.as_bytes()).filter_map(|bytes| String::from_utf8(bytes).ok()) {
            prop_assert!(open(&ring, purpose, "context", &flipped).is_err(), "{}", flipped);
        }
        let bytes = base64url::decode(&text).expect("we wrote it");
        for flipped in with_one_bit_flipped(&bytes) {
            prop_assert!(open(&ring, purpose, "context", &base64url::encode(flipped)).is_err());
        }
        for end in 0..text.len() {
            prop_assert!(open(&ring, purpose, "context", &text[..end]).is_err());
        }
    }

    #[test]
    fn a_sealed_value_is_refused_in_another_place(
        value in values(),
        purpose in purposes(),
        context: String,
        other: String,
        key: KeyBytes,
    ) {
        let ring = ring_of(&key);
        let text = seal(&ring, purpose, &context, &value);
        for elsewhere in PURPOSES.into_iter().filter(|&elsewhere| elsewhere != purpose) {
            prop_assert_eq!(open(&ring, elsewhere, &context, &text), Err(SealRefused::Forged));
        }
        prop_assume!(other != context);
        prop_assert_eq!(open(&ring, purpose, &other, &text), Err(SealRefused::Forged));
    }

    #[test]
    fn a_sealed_value_of_another_issuer_or_key_is_refused(value in values(), key: KeyBytes, other: KeyBytes) {
        let text = seal(&ring_of(&key), SealPurpose::Session, "context", &value);
        let elsewhere = ring("https://login.example.org", &key, &[]);
        prop_assert_eq!(open(&elsewhere, SealPurpose::Session, "context", &text), Err(SealRefused::Forged));
        prop_assert_eq!(open(&ring_of(&other), SealPurpose::Session, "context", &text), Err(SealRefused::UnknownKey));
    }

    #[test]
    fn a_sealed_value_does_not_show_what_is_in_it(mut value in values(), key: KeyBytes) {
        value.text = "a text that must not be seen".to_owned();
        let text = seal(&ring_of(&key), SealPurpose::Session, "context", &value);
        let bytes = base64url::decode(&text).expect("we wrote it");
        prop_assert!(!bytes.windows(value.text.len()).any(|window| window == value.text.as_bytes()));
    }

    #[test]
    fn no_text_panics_or_opens(text: String, bytes: Vec<u8>, purpose in purposes(), key: KeyBytes) {
        let ring = ring_of(&key);
        let with_header = base64url::encode([&ring.key_at(NOW).header()[..], &bytes].concat());
        let form = CsrfBinding { session: b"session", request: b"", action: "action" };
        for text in [&text, &base64url::encode(&bytes), &with_header] {
            prop_assert!(open(&ring, purpose, "context", text).is_err());
            prop_assert!(form.verify(text, &ring).is_err());
        }
    }

    #[test]
    fn a_csrf_token_is_good_for_its_binding_alone(
        parts: (Vec<u8>, Vec<u8>, String),
        others: (Vec<u8>, Vec<u8>, String),
        key: KeyBytes,
        successor: KeyBytes,
        waits: u32,
    ) {
        let token = binding(&parts).token(&ring_of(&key), NOW);
        let ring = ring(ISSUER, &key, &[(later(NOW, waits), successor)]);
        prop_assert_eq!(binding(&parts).verify(&token, &ring), Ok(()));
        prop_assert_eq!(binding(&others).verify(&token, &ring).is_ok(), parts == others);
        for flipped in with_one_bit_flipped(token.as_bytes()).filter_map(|bytes| String::from_utf8(bytes).ok()) {
            prop_assert!(binding(&parts).verify(&flipped, &ring).is_err());
        }
    }
}
