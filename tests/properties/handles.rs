//! Codes and refresh tokens: only what we made opens, as what we made it for, and a retry is the same text.

use std::time::Duration;

use jotsmith::foundation::base64url;
use jotsmith::foundation::secret::ExposeSecret as _;
use jotsmith::keys::sealing_ring::SealingRing;
use jotsmith::tokens::handle::{Handle, HandleKind, HandleRefused};
use proptest::prelude::*;
use uuid::Uuid;

use crate::sealing_rings::{ISSUER, KeyBytes, NOW, later, ring, ring_of, with_one_bit_flipped};

const KINDS: [HandleKind; 2] = [HandleKind::Code, HandleKind::Refresh];

fn kinds() -> impl Strategy<Value = HandleKind> {
    prop::sample::select(&KINDS[..])
}

fn handles() -> impl Strategy<Value = Handle> {
    let id = any::<u128>().prop_map(Uuid::from_u128);
    (kinds(), id, any::<u32>()).prop_map(|(kind, id, generation)| Handle { kind, id, generation })
}

fn seal(handle: &Handle, ring: &SealingRing) -> String {
    handle.seal(ring, NOW).expose_secret().to_owned()
}

fn is_refused_as_any_kind(text: &str, ring: &SealingRing) -> bool {
    KINDS.iter().all(|&kind| Handle::open(text, kind, ring).is_err())
}

/// Texts that are almost a handle: the right prefix, and any bytes of about the right length behind it.
fn almost_handles() -> impl Strategy<Value = String> {
    let bytes = prop::collection::vec(any::<u8>(), 55..60);
    (kinds(), bytes).prop_map(|(kind, bytes)| format!("{}{}", kind.prefix(), base64url::encode(bytes)))
}

proptest! {
    #[test]
    fn a_handle_opens_as_what_it_was_sealed_as(handle in handles(), key: KeyBytes) {
        let ring = ring_of(&key);
        prop_assert_eq!(Handle::open(&seal(&handle, &ring), handle.kind, &ring), Ok(handle));
    }

    #[test]
    fn a_handle_with_one_bit_flipped_never_opens(handle in handles(), key: KeyBytes) {
        let ring = ring_of(&key);
        let text = seal(&handle, &ring);
        // The characters, as long as they are a text at all.
        for flipped in with_one_bit_flipped(text.as_bytes()).filter_map(|bytes| String::from_utf8(bytes).ok()) {
            prop_assert!(is_refused_as_any_kind(&flipped, &ring), "{}", flipped);
        }
        // The bytes that the characters stand for.
        let (prefix, encoded) = text.split_at(handle.kind.prefix().len());
        let bytes = base64url::decode(encoded).expect("we wrote it");
        for flipped in with_one_bit_flipped(&bytes) {
            let flipped = format!("{prefix}{}", base64url::encode(flipped));
            prop_assert!(is_refused_as_any_kind(&flipped, &ring), "{}", flipped);
        }
    }

    #[test]
    fn a_handle_that_was_cut_or_stretched_never_opens(handle in handles(), key: KeyBytes, extra in ".{1,3}") {
        let ring = ring_of(&key);
        let text = seal(&handle, &ring);
        for end in 0..text.len() {
            prop_assert!(is_refused_as_any_kind(&text[..end], &ring));
            prop_assert!(is_refused_as_any_kind(&text[end + 1..], &ring));
            let stretched = [&text[..end], &extra, &text[end..]].concat();
            prop_assert!(is_refused_as_any_kind(&stretched, &ring));
        }
        prop_assert!(is_refused_as_any_kind(&(text + &extra), &ring));
    }

    #[test]
    fn no_text_panics_or_opens(text: String, almost in almost_handles(), kind in kinds(), key: KeyBytes) {
        let ring = ring_of(&key);
        prop_assert!(is_refused_as_any_kind(&text, &ring));
        prop_assert!(is_refused_as_any_kind(&almost, &ring));
        prop_assert!(is_refused_as_any_kind(&[kind.prefix(), &text].concat(), &ring));
        // As many bytes as a handle has, of characters that are longer than one byte.
        let wide = format!("{}{}", kind.prefix(), "\u{e9}".repeat(38));
        prop_assert_eq!(Handle::open(&wide, kind, &ring), Err(HandleRefused::NotAHandle));
    }

    #[test]
    fn a_handle_of_one_kind_is_never_good_as_another(handle in handles(), key: KeyBytes) {
        let ring = ring_of(&key);
        let text = seal(&handle, &ring);
        for kind in KINDS.into_iter().filter(|&kind| kind != handle.kind) {
            prop_assert_eq!(Handle::open(&text, kind, &ring), Err(HandleRefused::OtherKind));
            let renamed = text.replacen(handle.kind.prefix(), kind.prefix(), 1);
            prop_assert!(is_refused_as_any_kind(&renamed, &ring));
        }
    }

    #[test]
    fn a_retry_is_the_same_text_across_a_change_of_keys(
        handle in handles(),
        key: KeyBytes,
        successor: KeyBytes,
        waits: u32,
    ) {
        let before = ring_of(&key);
        let changes_at = later(NOW, waits);
        let after = ring(ISSUER, &key, &[(changes_at, successor)]);
        let text = seal(&handle, &before);
        for sealed_at in [NOW, changes_at.before(Duration::from_millis(1))] {
            let again = handle.seal(&after, sealed_at);
            prop_assert_eq!(again.expose_secret(), &text);
        }
        prop_assert_eq!(Handle::open(&text, handle.kind, &after), Ok(handle));
        // The successor is in use from its instant on: what it seals is another text, and as good.
        let newer = handle.seal(&after, changes_at);
        prop_assert_ne!(newer.expose_secret(), &text);
        prop_assert_eq!(Handle::open(newer.expose_secret(), handle.kind, &after), Ok(handle));
    }

    #[test]
    fn a_handle_of_another_issuer_or_key_never_opens(handle in handles(), key: KeyBytes, other: KeyBytes) {
        let text = seal(&handle, &ring_of(&key));
        prop_assert!(is_refused_as_any_kind(&text, &ring_of(&other)));
        for issuer in ["https://login.example.org", "https://login.example.com/tenant", "http://localhost"] {
            prop_assert!(is_refused_as_any_kind(&text, &ring(issuer, &key, &[])));
        }
    }

    #[test]
    fn two_handles_are_never_the_same_text(one in handles(), other in handles(), key: KeyBytes) {
        let ring = ring_of(&key);
        prop_assert_eq!(one == other, seal(&one, &ring) == seal(&other, &ring));
        let next = Handle { generation: one.generation.wrapping_add(1), ..one };
        prop_assert_ne!(seal(&one, &ring), seal(&next, &ring));
    }
}
