//! Public keys that somebody registered to be known by, written down as a JWK Set (RFC 7517 §5).
//!
//! A published set is read leniently: what is not for us is left out. Here every key is judged, for one that is left out
//! would be missed only when it is used. Refused: private and symmetric keys, keys of no algorithm of ours, keys that are
//! not sound, and two of one name.

use jsonwebtoken::jwk::{CommonParameters, PublicKeyUse};
use serde_json::{Map, Value};

use super::algorithm::{Algorithm, is_named};
use super::jwk::{Jwk, VerificationKey, VerificationKeys, jose, thumbprint};

/// How many keys a set may have: the one in use, the next one, and a few more.
const MOST_KEYS: usize = 16;

/// The longest `kid`, in bytes.
const LONGEST_KID: usize = 255;

/// The members that only a private or symmetric key has (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A judged set: every key is public, sound and of one of our algorithms, and each has a name of its own.
#[derive(Debug, Clone)]
pub struct RegisteredKeys {
    jwks: Vec<Jwk>,
    keys: VerificationKeys,
    algorithms: Vec<Algorithm>,
}

/// Why a set is refused. Repeats no member but `kid`, for another may be private.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysRefused {
    /// It is no JWK Set.
    #[error("this is no JWK Set: write {{ keys = [{{ kty = \"EC\", .. }}] }}")]
    NotASet,
    /// It has no key.
    #[error("keys is empty; give at least one public key")]
    Empty,
    /// It has more than any client needs.
    #[error("keys has more than {MOST_KEYS} entries; remove those that are not used any more")]
    TooMany,
    /// One key is at fault.
    #[error("keys[{at}] {why}")]
    Key {
        /// Its place, from 0.
        at: usize,
        /// Why.
        why: KeyRefused,
    },
}

/// Why one key is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefused {
    /// It is no JSON object.
    #[error("is no JWK, a table with kty and the members of its kind")]
    NotAJwk,
    /// It is not public.
    #[error("is a private or symmetric key (it has {0}): give the public half alone")]
    Private(&'static str),
    /// None of our algorithms uses it.
    #[error(
        "is not for any of our algorithms: EC with crv P-256 (ES256), RSA (RS256), or OKP with crv Ed25519 (EdDSA)"
    )]
    Kind,
    /// `alg` is not the algorithm of its kind.
    #[error("has an alg that its kind of key is not for; it is one for {0}")]
    OtherAlgorithm(Algorithm),
    /// It is not for the algorithm that the registration names.
    #[error("is for {key}, and token_endpoint_auth_signing_alg is {registered}")]
    NotForRegistered {
        /// The algorithm of the key.
        key: Algorithm,
        /// The one that was registered.
        registered: Algorithm,
    },
    /// `use` or `key_ops` says so.
    #[error("is not for signatures: its use is not sig, or its key_ops do not have verify")]
    NotForSignatures,
    /// The numbers in it are no key, or a weak one.
    #[error("is no sound key: a point that is not on its curve, an RSA key of fewer than 2048 bits, or not base64url")]
    Unsound,
    /// `kid` cannot be one.
    #[error("has a kid that is no text of 1 to {LONGEST_KID} bytes")]
    Kid,
    /// Another key has its name.
    #[error("has the kid {0:?}, as another key does: give each its own, or none to be named by its thumbprint")]
    DuplicateKid(String),
}

impl RegisteredKeys {
    /// Judges a set. With `registered`, every key must be for that algorithm. A key without a `kid` is called by its
    /// thumbprint (RFC 7638).
    pub fn judge(set: &Value, registered: Option<Algorithm>) -> Result<Self, KeysRefused> {
        let list = set.get("keys").and_then(Value::as_array).ok_or(KeysRefused::NotASet)?;
        if list.is_empty() {
            return Err(KeysRefused::Empty);
        }
        if list.len() > MOST_KEYS {
            return Err(KeysRefused::TooMany);
        }
        let mut judged = Self { jwks: Vec::new(), keys: VerificationKeys::default(), algorithms: Vec::new() };
        for (at, value) in list.iter().enumerate() {
            judged.add(value, registered).map_err(|why| KeysRefused::Key { at, why })?;
        }
        Ok(judged)
    }

    fn add(&mut self, value: &Value, registered: Option<Algorithm>) -> Result<(), KeyRefused> {
        let members = value.as_object().ok_or(KeyRefused::NotAJwk)?;
        let jwk = judge(members)?;
        // All that it says of itself is judged, so what is left are its numbers.
        let key = VerificationKey::from_jwk(&jwk).ok_or(KeyRefused::Unsound)?;
        if let Some(registered) = registered.filter(|registered| *registered != key.algorithm) {
            return Err(KeyRefused::NotForRegistered { key: key.algorithm, registered });
        }
        if self.keys.find(&key.kid).is_some() {
            return Err(KeyRefused::DuplicateKid(key.kid));
        }
        if !self.algorithms.contains(&key.algorithm) {
            self.algorithms.push(key.algorithm);
        }
        self.keys.0.push(key);
        self.jwks.push(jwk);
        Ok(())
    }

    /// The keys, to verify with.
    pub const fn verification_keys(&self) -> &VerificationKeys {
        &self.keys
    }

    /// The algorithms of the keys: no other one is ever verified with them.
    pub fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }

    /// The keys as they were understood: each with `kid`, `use` and `alg`, and without what we do not read.
    pub fn jwks(&self) -> &[Jwk] {
        &self.jwks
    }
}

/// The key that `members` describe, if all that they say fits together.
fn judge(members: &Map<String, Value>) -> Result<Jwk, KeyRefused> {
    if let Some(private) = PRIVATE_MEMBERS.into_iter().find(|name| members.contains_key(*name)) {
        return Err(KeyRefused::Private(private));
    }
    // What makes the key, and nothing besides: `alg` and the like are judged here, also where their values are unknown.
    let own = members.iter().filter(|(name, _)| ["kty", "crv", "x", "y", "n", "e"].contains(&name.as_str()));
    let own: Map<_, _> = own.map(|(name, value)| (name.clone(), value.clone())).collect();
    let mut jwk: Jwk = serde_json::from_value(Value::Object(own)).map_err(|_| KeyRefused::Kind)?;
    let algorithm = VerificationKey::algorithm_of(&jwk).ok_or(KeyRefused::Kind)?;
    if members.get("alg").is_some_and(|said| !said.as_str().is_some_and(|said| is_named(algorithm, said))) {
        return Err(KeyRefused::OtherAlgorithm(algorithm));
    }
    let is_for_signatures = members.get("use").is_none_or(|said| said == "sig");
    let verifies = |said: &Value| said.as_array().is_some_and(|list| list.iter().any(|one| one == "verify"));
    if !is_for_signatures || !members.get("key_ops").is_none_or(verifies) {
        return Err(KeyRefused::NotForSignatures);
    }
    let kid = match members.get("kid") {
        None => thumbprint(&jwk),
        Some(Value::String(kid)) if (1..=LONGEST_KID).contains(&kid.len()) => kid.clone(),
        Some(_) => return Err(KeyRefused::Kid),
    };
    jwk.common = CommonParameters {
        public_key_use: Some(PublicKeyUse::Signature),
        key_algorithm: Some(jose(algorithm).into()),
        key_id: Some(kid),
        ..CommonParameters::default()
    };
    Ok(jwk)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::foundation::base64url;
    use crate::keys::signing_key::{SigningKey, generate};

    fn public(algorithm: Algorithm) -> Value {
        let key = SigningKey::from_pem(generate(algorithm).as_bytes(), algorithm, None).expect("a key of ours");
        serde_json::to_value(key.public_jwk()).expect("JSON")
    }

    fn with(jwk: &Value, name: &str, value: Value) -> Value {
        let mut jwk = jwk.clone();
        jwk[name] = value;
        jwk
    }

    fn without(jwk: &Value, names: &[&str]) -> Value {
        let mut jwk = jwk.clone();
        jwk.as_object_mut().expect("an object").retain(|name, _| !names.contains(&name.as_str()));
        jwk
    }

    fn refusal(jwk: &Value) -> KeyRefused {
        match RegisteredKeys::judge(&json!({ "keys": [jwk] }), None) {
            Err(KeysRefused::Key { at: 0, why }) => why,
            other => panic!("{jwk}: {other:?}"),
        }
    }

    #[test]
    fn a_key_of_every_algorithm_is_taken_and_named_by_its_thumbprint_where_it_has_no_kid() {
        for algorithm in Algorithm::ALL {
            let own = public(algorithm);
            let bare = without(&own, &["kid", "use", "alg"]);
            let judged = RegisteredKeys::judge(&json!({ "keys": [bare] }), Some(algorithm)).expect("sound");
            assert_eq!(judged.algorithms(), [algorithm]);
            assert_eq!(serde_json::to_value(judged.jwks()).expect("JSON"), json!([own]));
            assert!(judged.verification_keys().find(own["kid"].as_str().expect("a kid")).is_some());
        }
    }

    #[test]
    fn what_is_not_read_is_left_out() {
        let own = public(Algorithm::EdDsa);
        let more = with(&with(&own, "x5c", json!([])), "key_ops", json!(["verify"]));
        let more = with(&more, "alg", json!("Ed25519"));
        let judged = RegisteredKeys::judge(&json!({ "keys": [more], "more": 1 }), None).expect("sound");
        assert_eq!(serde_json::to_value(judged.jwks()).expect("JSON"), json!([own]));
    }

    #[test]
    fn private_and_symmetric_keys_are_refused_and_not_repeated() {
        for (algorithm, name) in [(Algorithm::Es256, "d"), (Algorithm::Rs256, "dp"), (Algorithm::EdDsa, "d")] {
            let why = refusal(&with(&public(algorithm), name, json!("hunter2")));
            assert_eq!(why, KeyRefused::Private(name));
            assert!(!why.to_string().contains("hunter2"));
        }
        assert_eq!(refusal(&json!({ "kty": "oct", "k": "hunter2" })), KeyRefused::Private("k"));
    }

    #[test]
    fn a_key_that_could_never_verify_is_refused() {
        let [ec, rsa, ed] = [Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa].map(public);
        let short = base64url::encode([0xFF; 128]);
        let off_curve = base64url::encode([1; 32]);
        for (jwk, why) in [
            (json!("EC"), KeyRefused::NotAJwk),
            (json!({}), KeyRefused::Kind),
            (json!({ "kty": "oct" }), KeyRefused::Kind),
            (with(&ec, "crv", json!("P-384")), KeyRefused::Kind),
            (with(&ec, "crv", json!("secp256k1")), KeyRefused::Kind),
            (without(&ec, &["y"]), KeyRefused::Kind),
            (with(&ed, "crv", json!("X25519")), KeyRefused::Kind),
            (with(&ec, "x", json!(off_curve)), KeyRefused::Unsound),
            (with(&ec, "x", json!("AQ")), KeyRefused::Unsound),
            (with(&ed, "x", json!("AQ")), KeyRefused::Unsound),
            (with(&ec, "x", json!("!")), KeyRefused::Unsound),
            (with(&rsa, "n", json!(short)), KeyRefused::Unsound),
            (with(&rsa, "e", json!("AQ")), KeyRefused::Unsound),
            (with(&rsa, "e", json!("AQAA")), KeyRefused::Unsound),
            (with(&rsa, "alg", json!("PS256")), KeyRefused::OtherAlgorithm(Algorithm::Rs256)),
            (with(&rsa, "alg", json!("HS256")), KeyRefused::OtherAlgorithm(Algorithm::Rs256)),
            (with(&ec, "alg", json!("none")), KeyRefused::OtherAlgorithm(Algorithm::Es256)),
            (with(&ec, "alg", json!(1)), KeyRefused::OtherAlgorithm(Algorithm::Es256)),
            (with(&ec, "use", json!("enc")), KeyRefused::NotForSignatures),
            (with(&ec, "key_ops", json!(["sign"])), KeyRefused::NotForSignatures),
            (with(&ec, "kid", json!("")), KeyRefused::Kid),
            (with(&ec, "kid", json!(1)), KeyRefused::Kid),
            (with(&ec, "kid", json!("k".repeat(256))), KeyRefused::Kid),
        ] {
            assert_eq!(refusal(&jwk), why, "{jwk}");
        }
    }

    #[test]
    fn a_set_has_1_to_16_keys_of_different_names_for_the_registered_algorithm() {
        let [ec, ed] = [Algorithm::Es256, Algorithm::EdDsa].map(public);
        let judge = |keys: Vec<Value>| RegisteredKeys::judge(&json!({ "keys": keys }), None);
        for set in [json!([]), json!({}), json!({ "keys": {} }), json!("keys")] {
            assert_eq!(RegisteredKeys::judge(&set, None).err(), Some(KeysRefused::NotASet), "{set}");
        }
        assert_eq!(judge(vec![]).err(), Some(KeysRefused::Empty));
        let named = |count: usize| (0..count).map(|number| with(&ec, "kid", json!(number.to_string()))).collect();
        assert_eq!(judge(named(16)).expect("sound").jwks().len(), 16);
        assert_eq!(judge(named(17)).err(), Some(KeysRefused::TooMany));
        let same = judge(vec![with(&ec, "kid", json!("a")), with(&ed, "kid", json!("a"))]);
        assert_eq!(same.err(), Some(KeysRefused::Key { at: 1, why: KeyRefused::DuplicateKid("a".to_owned()) }));
        let other = RegisteredKeys::judge(&json!({ "keys": [ec, ed] }), Some(Algorithm::Es256));
        let why = KeyRefused::NotForRegistered { key: Algorithm::EdDsa, registered: Algorithm::Es256 };
        assert_eq!(other.err(), Some(KeysRefused::Key { at: 1, why }));
    }
}
