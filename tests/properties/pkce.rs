//! PKCE: a challenge is verified by the verifier it was made of and by no other.

use jotsmith::foundation::base64url;
use jotsmith::foundation::digest::sha256;
use jotsmith::protocol::pkce::{CodeChallenge, CodeVerifier, S256};
use proptest::prelude::*;

fn challenge_of(verifier: &str) -> CodeChallenge {
    let text = base64url::encode(sha256(verifier));
    CodeChallenge::parse(Some(&text), Some(S256)).expect("valid").expect("sent")
}

fn verifiers() -> impl Strategy<Value = String> {
    "[A-Za-z0-9._~-]{43,128}"
}

proptest! {
    #[test]
    fn only_its_own_verifier_verifies_a_challenge(one in verifiers(), other in verifiers()) {
        let verifies = |text: &str| challenge_of(&one).verify(&CodeVerifier::parse(text).expect("valid"));
        prop_assert!(verifies(&one));
        prop_assert_eq!(verifies(&other), one == other);
    }

    #[test]
    fn a_verifier_with_one_character_changed_never_verifies(
        verifier in verifiers(),
        at: prop::sample::Index,
        by in "[A-Za-z0-9._~-]",
    ) {
        let mut changed = verifier.clone();
        let at = at.index(changed.len());
        changed.replace_range(at..=at, &by);
        let parsed = CodeVerifier::parse(&changed).expect("valid");
        prop_assert_eq!(challenge_of(&verifier).verify(&parsed), changed == verifier);
    }

    #[test]
    fn any_text_is_a_verifier_or_refused_by_its_grammar(text in "\\PC{0,140}") {
        let is_unreserved = text.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c));
        let is_valid = is_unreserved && (43..=128).contains(&text.len());
        prop_assert_eq!(CodeVerifier::parse(&text).is_ok(), is_valid);
    }

    #[test]
    fn a_challenge_has_one_spelling(digest: [u8; 32], at: prop::sample::Index, by in "[ -~]") {
        let text = base64url::encode(digest);
        let challenge = CodeChallenge::parse(Some(&text), Some(S256)).expect("valid");
        prop_assert_eq!(challenge.expect("sent").to_string(), &text[..]);

        let mut changed = text.clone();
        let at = at.index(changed.len());
        changed.replace_range(at..=at, &by);
        if let Ok(other) = CodeChallenge::parse(Some(&changed), Some(S256)) {
            prop_assert_eq!(other == challenge, changed == text);
        }
    }

    #[test]
    fn no_method_but_s256_is_accepted(digest: [u8; 32], method in "\\PC{1,8}") {
        let parsed = CodeChallenge::parse(Some(&base64url::encode(digest)), Some(&method));
        prop_assert_eq!(parsed.is_ok(), method == S256);
    }
}
