//! Attacks on JWS that others have written down, run against our verification: `tests/vectors` names each source.

use serde::Deserialize;
use serde_json::{Value, json};

use super::algorithm::Algorithm;
use super::jwk::VerificationKeys;
use super::jws::{named, signed_payload};

#[derive(Deserialize)]
struct Vectors {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    comment: String,
    public: Value,
    tests: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    #[serde(rename = "tcId")]
    id: u32,
    comment: String,
    jws: String,
    result: String,
}

/// Runs all vectors, and gives how many of them are good and how many are not.
fn run(text: &str) -> (usize, usize) {
    let vectors: Vectors = serde_json::from_str(text).expect("vectors");
    let (mut good, mut bad) = (0, 0);
    for Group { comment: group, public, tests } in vectors.groups {
        let set = json!({ "keys": [public] }).to_string();
        let keys = VerificationKeys::from_json(set.as_bytes()).expect("a key set");
        for Vector { id, comment, jws, result } in tests {
            let verified = signed_payload(&jws, &Algorithm::ALL, |_| true, |kid| named(&keys, kid));
            assert_eq!(verified.is_ok(), result == "valid", "{group} {id} {comment}: {verified:?}");
            *(if verified.is_ok() { &mut good } else { &mut bad }) += 1;
        }
    }
    (good, bad)
}

#[test]
fn every_vector_of_wycheproof_has_its_result() {
    assert_eq!(run(include_str!("../../tests/vectors/wycheproof_jws.json")), (2, 30));
}

#[test]
fn of_the_signatures_in_rfc_7520_the_one_with_our_algorithm_is_accepted() {
    assert_eq!(run(include_str!("../../tests/vectors/rfc7520_jws.json")), (1, 3));
}

#[test]
fn the_tokens_of_rfc_7515_appendix_a_without_our_algorithms_are_refused_for_that() {
    // A.1 (HS256), A.4 (ES512) and A.5 (none); A.2 and A.3, which have no `kid`, are in `jwk`.
    let payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let no_keys = VerificationKeys::default();
    for jws in [
        format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{payload}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn".to_owned(),
        format!("eyJhbGciOiJub25lIn0.{payload}."),
    ] {
        let refused = signed_payload(&jws, &Algorithm::ALL, |_| true, |kid| named(&no_keys, kid));
        assert_eq!(refused, Err(super::jws::JwsRefused::AlgorithmNotAllowed), "{jws}");
    }
}
