//! Verifying signed tokens that come in: JWS in compact form (RFC 7515 §5.2) with the claims of a JWT (RFC 7519 §7.2).
//!
//! What a token says about itself decides nothing: the algorithm must be allowed and be the one of the key (RFC 8725
//! §3.1), the key is chosen among ours by its `kid`, never taken from the token, and its type must be the expected one.
//! Refused besides: any `crit` (RFC 7515 §4.1.11: we understand no extension), `none` and MACs, and every token whose
//! time, issuer or audience is not right. The time comes from the caller.

use std::time::Duration;

use serde::de::{DeserializeOwned, Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::jwk::{VerificationKey, VerificationKeys};
use super::registered_keys::is_named;
use super::token_type::TokenType;
use crate::foundation::base64url;
use crate::foundation::clock::Timestamp;

/// What a token must be to be accepted.
#[derive(Debug, Clone, Copy)]
pub struct Expectation<'a> {
    /// The kind of token.
    pub typ: TokenType,
    /// The algorithms that are allowed.
    pub algorithms: &'a [Algorithm],
    /// The `iss` it must have; none: any, for showing a token to a person.
    pub issuer: Option<&'a str>,
    /// What must be among its `aud`; none: any, for showing a token to a person.
    pub audience: Option<&'a str>,
    /// The time now.
    pub now: Timestamp,
    /// How far the clock of the server that signed it may be off.
    pub leeway: Duration,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwsRefused {
    /// Not three parts in base64url of which the first two are JSON objects.
    #[error("not a signed token: three parts in base64url with a dot between each two")]
    Malformed,
    /// It demands an extension (RFC 7515 §4.1.11).
    #[error("its header has `crit`, and no extension is understood")]
    Critical,
    /// No `typ`, or another one.
    #[error("it is a token of another type: its `typ` is not the expected one")]
    WrongType,
    /// An `alg` that is not allowed here, such as `none` or a MAC.
    #[error("its `alg` is not allowed")]
    AlgorithmNotAllowed,
    /// It does not say which key it was signed with.
    #[error("its header has no `kid`")]
    NoKid,
    /// No published key has its `kid`.
    #[error("no published key has its `kid`")]
    UnknownKey,
    /// The key with its `kid` is one of another algorithm.
    #[error("its `alg` is not the one of its key")]
    AlgorithmOfAnotherKey,
    /// The signature is not one of the key over these bytes.
    #[error("its signature is wrong")]
    BadSignature,
    /// Signed, but not the claims of a token.
    #[error("its claims are not those of a token: `exp` is missing, or one has the wrong form")]
    MalformedClaims,
    /// `iss` is not the expected one.
    #[error("its `iss` is not the expected issuer")]
    WrongIssuer,
    /// The expected audience is not in `aud`.
    #[error("its `aud` does not hold the expected audience")]
    WrongAudience,
    /// `exp` has come.
    #[error("it expired at {at}")]
    Expired {
        /// Its `exp`.
        at: Timestamp,
    },
    /// `nbf` has not come.
    #[error("it is not valid before {from}")]
    NotYetValid {
        /// Its `nbf`.
        from: Timestamp,
    },
}

/// Verifies a token and gives its claims, or says why it is not accepted.
pub fn verify<C: DeserializeOwned>(
    token: &str,
    keys: &VerificationKeys,
    expected: &Expectation<'_>,
) -> Result<C, JwsRefused> {
    let is_type = |typ: Option<&str>| typ.is_some_and(|typ| expected.typ.is_meant_by(typ));
    let find = |kid: Option<&str>| keys.find(kid.ok_or(JwsRefused::NoKid)?).ok_or(JwsRefused::UnknownKey);
    let claims = signed_claims(token, expected.algorithms, is_type, find)?;
    let registered: RegisteredClaims = serde_json::from_slice(&claims).map_err(|_| JwsRefused::MalformedClaims)?;
    registered.check(expected)?;
    serde_json::from_slice(&claims).map_err(|_| JwsRefused::MalformedClaims)
}

/// Verifies the signature of a token that somebody else made with keys that are registered for them, and gives its
/// claims: all of them, the time included, are for the caller to judge.
///
/// Other people's tokens need say neither their type nor, where there is one key alone, which key it was (OpenID Connect
/// Core §10.1); a type that they say must be one that `is_type` knows.
pub fn verify_signature<C: DeserializeOwned>(
    token: &str,
    keys: &VerificationKeys,
    algorithms: &[Algorithm],
    is_type: impl Fn(&str) -> bool,
) -> Result<C, JwsRefused> {
    let find = |kid: Option<&str>| match kid {
        Some(kid) => keys.find(kid).ok_or(JwsRefused::UnknownKey),
        None => keys.sole().ok_or(JwsRefused::NoKid),
    };
    let claims = signed_claims(token, algorithms, |typ| typ.is_none_or(&is_type), find)?;
    serde_json::from_slice(&claims).map_err(|_| JwsRefused::MalformedClaims)
}

/// The claims of a token as JSON, if the key that `find` gives has signed them.
fn signed_claims<'k>(
    token: &str,
    algorithms: &[Algorithm],
    is_type: impl FnOnce(Option<&str>) -> bool,
    find: impl FnOnce(Option<&str>) -> Result<&'k VerificationKey, JwsRefused>,
) -> Result<Vec<u8>, JwsRefused> {
    let parts = Parts::of(token)?;
    let header: Header = read(parts.header)?;
    if header.crit {
        return Err(JwsRefused::Critical);
    }
    if !is_type(header.typ.as_deref()) {
        return Err(JwsRefused::WrongType);
    }
    let allowed = algorithms.iter().find(|allowed| is_named(**allowed, &header.alg));
    let algorithm = *allowed.ok_or(JwsRefused::AlgorithmNotAllowed)?;
    let key = find(header.kid.as_deref())?;
    if key.algorithm != algorithm {
        return Err(JwsRefused::AlgorithmOfAnotherKey);
    }
    if !key.has_signed(parts.signing_input, parts.signature) {
        return Err(JwsRefused::BadSignature);
    }
    json_object(parts.payload).ok_or(JwsRefused::MalformedClaims)
}

/// What a token says, believed by nobody: for showing it to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedToken {
    /// The JOSE header.
    pub header: Map<String, Value>,
    /// The claims.
    pub claims: Map<String, Value>,
}

/// Reads a token without verifying anything.
pub fn decode_unverified(token: &str) -> Result<UnverifiedToken, JwsRefused> {
    let parts = Parts::of(token)?;
    Ok(UnverifiedToken { header: read(parts.header)?, claims: read(parts.payload)? })
}

/// A JWS in compact form, taken apart (RFC 7515 §7.1).
struct Parts<'a> {
    signing_input: &'a str,
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Result<Self, JwsRefused> {
        let (signing_input, signature) = token.rsplit_once('.').ok_or(JwsRefused::Malformed)?;
        let (header, payload) = signing_input.split_once('.').ok_or(JwsRefused::Malformed)?;
        if payload.contains('.') {
            return Err(JwsRefused::Malformed);
        }
        Ok(Self { signing_input, header, payload, signature })
    }
}

fn read<T: DeserializeOwned>(part: &str) -> Result<T, JwsRefused> {
    let json = json_object(part).ok_or(JwsRefused::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| JwsRefused::Malformed)
}

/// The JSON text of a part. It must be an object: serde would fill a struct from an array as well.
fn json_object(part: &str) -> Option<Vec<u8>> {
    let json = base64url::decode(part).ok()?;
    (json.trim_ascii_start().first() == Some(&b'{')).then_some(json)
}

/// The header parameters that decide; one that stands twice is refused (RFC 7515 §4).
#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    #[serde(default, deserialize_with = "is_present")]
    crit: bool,
}

/// Whatever its value, `null` included.
fn is_present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// The claims that decide (RFC 7519 §4.1).
#[derive(Deserialize)]
struct RegisteredClaims {
    iss: Option<String>,
    #[serde(default)]
    aud: Audience,
    #[serde(deserialize_with = "numeric_date")]
    exp: Timestamp,
    #[serde(default, deserialize_with = "numeric_date")]
    nbf: Timestamp,
}

/// One audience, or several (RFC 7519 §4.1.3).
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Default for Audience {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl Audience {
    fn contains(&self, wanted: &str) -> bool {
        match self {
            Self::One(one) => one == wanted,
            Self::Several(several) => several.iter().any(|one| one == wanted),
        }
    }
}

impl RegisteredClaims {
    fn check(&self, expected: &Expectation<'_>) -> Result<(), JwsRefused> {
        if expected.issuer.is_some_and(|issuer| self.iss.as_deref() != Some(issuer)) {
            return Err(JwsRefused::WrongIssuer);
        }
        if expected.audience.is_some_and(|audience| !self.aud.contains(audience)) {
            return Err(JwsRefused::WrongAudience);
        }
        // RFC 7519 §4.1.4: on `exp` itself the token is no longer accepted.
        if self.exp + expected.leeway <= expected.now {
            return Err(JwsRefused::Expired { at: self.exp });
        }
        if expected.now + expected.leeway < self.nbf {
            return Err(JwsRefused::NotYetValid { from: self.nbf });
        }
        Ok(())
    }
}

/// Reads a `NumericDate`: seconds since 1970, with or without a fraction (RFC 7519 §2).
pub fn numeric_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    let since_1970 = Duration::try_from_secs_f64(seconds).map_err(D::Error::custom)?;
    Ok(Timestamp::default() + since_1970)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::keys::signing_key::{SigningKey, generate};

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const ISSUER: &str = "https://login.example.com";
    const API: &str = "https://api.example.com";

    fn key(algorithm: Algorithm) -> SigningKey {
        SigningKey::from_pem(generate(algorithm).as_bytes(), algorithm, None).expect("a key of ours")
    }

    fn published(key: &SigningKey) -> VerificationKeys {
        [key.public_jwk()].into_iter().collect()
    }

    fn expectation() -> Expectation<'static> {
        Expectation {
            typ: TokenType::AccessToken,
            algorithms: &Algorithm::ALL,
            issuer: Some(ISSUER),
            audience: Some(API),
            now: NOW,
            leeway: Duration::from_secs(10),
        }
    }

    fn claims() -> Value {
        json!({ "iss": ISSUER, "aud": API, "sub": "s6BhdRkqt3", "exp": NOW.as_seconds() + 300 })
    }

    fn changed(name: &str, value: Value) -> Value {
        let mut claims = claims();
        claims[name] = value;
        claims
    }

    /// Signs with `key` under any header.
    fn signed_under(key: &SigningKey, header: &str, claims: &Value) -> String {
        let mut token = format!("{}.{}", base64url::encode(header), base64url::encode(claims.to_string()));
        key.append_signature(&mut token).expect("a signature");
        token
    }

    fn header(key: &SigningKey) -> Value {
        json!({ "typ": "at+jwt", "alg": key.algorithm().as_str(), "kid": key.kid() })
    }

    #[test]
    fn a_token_of_every_algorithm_is_accepted_with_its_claims() {
        for algorithm in Algorithm::ALL {
            let key = key(algorithm);
            let token = key.sign(TokenType::AccessToken, &claims()).expect("a token");
            assert_eq!(verify::<Value>(&token, &published(&key), &expectation()), Ok(claims()));
            let shown = decode_unverified(&token).expect("a token");
            assert_eq!(Value::Object(shown.claims), claims());
            assert_eq!(Value::Object(shown.header), header(&key));
        }
    }

    #[test]
    fn a_changed_character_anywhere_is_refused() {
        let key = key(Algorithm::Es256);
        let token = key.sign(TokenType::AccessToken, &claims()).expect("a token");
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let token = String::from_utf8(bytes).expect("ASCII");
            assert!(verify::<Value>(&token, &published(&key), &expectation()).is_err(), "{at}");
        }
        let (signed, signature) = token.rsplit_once('.').expect("three parts");
        let flipped = format!("{signed}.{}{}", if signature.starts_with('A') { 'B' } else { 'A' }, &signature[1..]);
        for token in [format!("{signed}."), format!("{token}A"), format!("{token}="), flipped] {
            let refused = verify::<Value>(&token, &published(&key), &expectation());
            assert_eq!(refused, Err(JwsRefused::BadSignature), "{token}");
        }
    }

    #[test]
    fn what_is_not_three_parts_of_json_objects_is_refused() {
        let key = key(Algorithm::EdDsa);
        let token = key.sign(TokenType::AccessToken, &claims()).expect("a token");
        let (_, rest) = token.split_once('.').expect("three parts");
        let array = base64url::encode(r#"["EdDSA","at+jwt","kid"]"#);
        let twice = base64url::encode(r#"{"alg":"EdDSA","alg":"none","typ":"at+jwt"}"#);
        for token in [
            String::new(),
            "..".to_owned(),
            "a.b".to_owned(),
            format!("{token}.e"),
            format!("{array}.{rest}"),
            format!("{twice}.{rest}"),
            format!(" {token}"),
        ] {
            assert_eq!(
                verify::<Value>(&token, &published(&key), &expectation()),
                Err(JwsRefused::Malformed),
                "{token}"
            );
        }
        assert_eq!(decode_unverified("e30.W10.e30"), Err(JwsRefused::Malformed));
    }

    #[test]
    fn every_header_that_is_not_ours_is_refused_even_when_it_is_signed() {
        let key = key(Algorithm::Es256);
        let with = |name: &str, value: Value| {
            let mut header = header(&key);
            header[name] = value;
            header
        };
        let without = |name: &str| {
            let mut header = header(&key);
            header.as_object_mut().expect("an object").remove(name);
            header
        };
        for (header, why) in [
            (with("crit", json!(["exp"])), JwsRefused::Critical),
            (with("crit", json!([])), JwsRefused::Critical),
            (with("crit", Value::Null), JwsRefused::Critical),
            (with("typ", json!("JWT")), JwsRefused::WrongType),
            (with("typ", json!("dpop+jwt")), JwsRefused::WrongType),
            (without("typ"), JwsRefused::WrongType),
            (with("alg", json!("none")), JwsRefused::AlgorithmNotAllowed),
            (with("alg", json!("HS256")), JwsRefused::AlgorithmNotAllowed),
            (with("alg", json!("ES384")), JwsRefused::AlgorithmNotAllowed),
            (with("alg", json!("es256")), JwsRefused::AlgorithmNotAllowed),
            (without("alg"), JwsRefused::Malformed),
            (without("kid"), JwsRefused::NoKid),
            (with("kid", json!("another")), JwsRefused::UnknownKey),
            (with("alg", json!("EdDSA")), JwsRefused::AlgorithmOfAnotherKey),
        ] {
            let token = signed_under(&key, &header.to_string(), &claims());
            assert_eq!(verify::<Value>(&token, &published(&key), &expectation()), Err(why), "{header}");
        }
        for typ in ["AT+JWT", "application/at+jwt"] {
            let token = signed_under(&key, &with("typ", json!(typ)).to_string(), &claims());
            assert_eq!(verify(&token, &published(&key), &expectation()), Ok(claims()), "{typ}");
        }
    }

    #[test]
    fn an_algorithm_that_is_not_on_the_list_is_refused() {
        let key = key(Algorithm::Es256);
        let token = key.sign(TokenType::AccessToken, &claims()).expect("a token");
        for algorithms in [&[][..], &[Algorithm::Rs256, Algorithm::EdDsa]] {
            let expected = Expectation { algorithms, ..expectation() };
            let refused = verify::<Value>(&token, &published(&key), &expected);
            assert_eq!(refused, Err(JwsRefused::AlgorithmNotAllowed));
        }
    }

    #[test]
    fn another_key_under_the_same_kid_has_not_signed_it() {
        let pem = [generate(Algorithm::EdDsa), generate(Algorithm::EdDsa)];
        let [own, other] = pem.map(|pem| {
            SigningKey::from_pem(pem.as_bytes(), Algorithm::EdDsa, Some("one".to_owned())).expect("a key of ours")
        });
        let token = own.sign(TokenType::AccessToken, &claims()).expect("a token");
        assert_eq!(verify::<Value>(&token, &published(&other), &expectation()), Err(JwsRefused::BadSignature));
    }

    #[test]
    fn a_key_that_came_with_the_token_is_not_used() {
        let (own, foreign) = (key(Algorithm::EdDsa), key(Algorithm::EdDsa));
        let mut header = header(&own);
        header["jwk"] = serde_json::to_value(foreign.public_jwk()).expect("JSON");
        let token = signed_under(&foreign, &header.to_string(), &claims());
        assert_eq!(verify::<Value>(&token, &published(&own), &expectation()), Err(JwsRefused::BadSignature));
    }

    #[test]
    fn claims_that_are_wrong_or_out_of_their_time_are_refused() {
        let key = key(Algorithm::EdDsa);
        let seconds = NOW.as_seconds();
        let without = |name: &str| {
            let mut claims = claims();
            claims.as_object_mut().expect("an object").remove(name);
            claims
        };
        let expired = |at| JwsRefused::Expired { at: Timestamp::from_seconds(at) };
        for (claims, why) in [
            (changed("iss", json!("https://login.example.com/")), JwsRefused::WrongIssuer),
            (without("iss"), JwsRefused::WrongIssuer),
            (changed("iss", json!([ISSUER])), JwsRefused::MalformedClaims),
            (changed("aud", json!("https://other.example.com")), JwsRefused::WrongAudience),
            (changed("aud", json!([])), JwsRefused::WrongAudience),
            (without("aud"), JwsRefused::WrongAudience),
            (changed("aud", json!({ "a": API })), JwsRefused::MalformedClaims),
            // Ten seconds of leeway, and on the instant itself it is over.
            (changed("exp", json!(seconds - 10)), expired(seconds - 10)),
            (changed("exp", json!(0)), expired(0)),
            (
                changed("nbf", json!(seconds + 11)),
                JwsRefused::NotYetValid { from: Timestamp::from_seconds(seconds + 11) },
            ),
            (without("exp"), JwsRefused::MalformedClaims),
            (changed("exp", Value::Null), JwsRefused::MalformedClaims),
            (changed("exp", json!("1800000300")), JwsRefused::MalformedClaims),
            (changed("exp", json!(-1)), JwsRefused::MalformedClaims),
            (changed("exp", json!(1e300)), JwsRefused::MalformedClaims),
            (changed("nbf", json!("now")), JwsRefused::MalformedClaims),
            (json!([ISSUER, API, seconds + 300, 0]), JwsRefused::MalformedClaims),
        ] {
            let token = key.sign(TokenType::AccessToken, &claims).expect("a token");
            assert_eq!(verify::<Value>(&token, &published(&key), &expectation()), Err(why), "{claims}");
        }
    }

    #[test]
    fn claims_in_their_other_forms_are_accepted() {
        let key = key(Algorithm::EdDsa);
        let seconds = NOW.as_seconds();
        for claims in [
            changed("aud", json!(["https://other.example.com", API])),
            changed("exp", json!(seconds - 9)),
            changed("exp", json!(1_800_000_000.5)),
            changed("nbf", json!(seconds + 10)),
        ] {
            let token = key.sign(TokenType::AccessToken, &claims).expect("a token");
            assert_eq!(verify(&token, &published(&key), &expectation()), Ok(claims));
        }
        let token = key.sign(TokenType::AccessToken, &json!({ "exp": seconds + 1 })).expect("a token");
        let anyone = Expectation { issuer: None, audience: None, ..expectation() };
        assert!(verify::<Value>(&token, &published(&key), &anyone).is_ok());
    }
}
