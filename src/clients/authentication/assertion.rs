//! Client assertions, `private_key_jwt` (RFC 7523 §2.2 and §3): a JWT that the client signed proves who it is, once.
//!
//! Stricter than RFC 7523 where that is known to be too wide: `aud` is our issuer and nothing besides, for an assertion
//! that another server could be given too could be carried on from there to us (draft-ietf-oauth-rfc7523bis §4). The
//! signature is verified by `keys/jws`: with the client's own keys alone, never with one that the token brings along.
//!
//! `jti` is required and good for once. It is remembered only after everything else holds, so nobody but the client can
//! use up its names or our disk.

use std::time::Duration;

use serde::Deserialize;

use crate::foundation::clock::Timestamp;
use crate::foundation::digest::{self, SHA256_BYTES};
use crate::foundation::once::{OnceStore, Remembered};
use crate::keys::jws::{self, JwsRefused, numeric_date};
use crate::keys::token_type;
use crate::protocol::issuer::Issuer;

use super::ClientRejected;
use crate::clients::client::{AssertionKeys, Client};

/// The only `client_assertion_type` (RFC 7523 §2.2).
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How far ahead `exp` may lie: what a widely used client library sends. Bounds how long a `jti` is remembered.
const LONGEST_LIFE: Duration = Duration::from_hours(1);

/// How far the client's clock may be off.
const LEEWAY: Duration = Duration::from_secs(30);

/// The longest `jti`, in bytes.
const LONGEST_JTI: usize = 128;

/// What `typ` may say, where it is there at all: most libraries send `JWT` (RFC 7519 §5.1) or nothing, and newer ones the
/// type of its own that draft-ietf-oauth-rfc7523bis §4 registers. A token that was made for something else says so.
const TYPES: [&str; 2] = ["JWT", "client-authentication+jwt"];

/// Why an assertion proves nothing. Only the log learns which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssertionRejected {
    /// It is not one that this client signed.
    #[error("{0}")]
    Jws(#[from] JwsRefused),
    /// `iss` is not the client (RFC 7523 §3, 1).
    #[error("its `iss` is not the client_id")]
    WrongIssuer,
    /// `sub` is not the client (RFC 7523 §3, 2B).
    #[error("its `sub` is not the client_id")]
    WrongSubject,
    /// `aud` is not our issuer alone.
    #[error("its `aud` is not the issuer alone")]
    WrongAudience,
    /// `exp` has come.
    #[error("it expired at {at}")]
    Expired {
        /// Its `exp`.
        at: Timestamp,
    },
    /// `exp` lies further ahead than may be.
    #[error("its `exp` is more than 60 minutes ahead")]
    TooLongLived,
    /// `nbf` or `iat` has not come.
    #[error("its `nbf` or `iat` lies in the future")]
    NotYetValid,
    /// There is no `jti`.
    #[error("it has no `jti`")]
    NoJti,
    /// `jti` is longer than may be.
    #[error("its `jti` is longer than {LONGEST_JTI} bytes")]
    LongJti,
    /// It was shown before.
    #[error("its `jti` was used before")]
    Replayed,
}

/// Verifies client assertions that are made out to one issuer.
#[derive(Debug, Clone)]
pub struct AssertionVerifier {
    issuer: Issuer,
    token_endpoint: String,
}

/// The claims that decide (RFC 7523 §3).
#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Audience>,
    #[serde(deserialize_with = "numeric_date")]
    exp: Timestamp,
    #[serde(default, deserialize_with = "numeric_date")]
    nbf: Timestamp,
    #[serde(default, deserialize_with = "numeric_date")]
    iat: Timestamp,
    jti: Option<String>,
}

/// One audience, or several (RFC 7519 §4.1.3).
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn sole(&self) -> Option<&str> {
        match self {
            Self::One(one) => Some(one),
            Self::Several(several) => match &several[..] {
                [one] => Some(one),
                _ => None,
            },
        }
    }
}

/// Who an assertion says it comes from, believed by nobody: which client's keys are to be tried.
pub fn claimed_client(assertion: &str) -> Option<String> {
    let token = jws::decode_unverified(assertion).ok()?;
    Some(token.claims.get("sub")?.as_str()?.to_owned())
}

impl AssertionVerifier {
    /// For assertions that are made out to `issuer`, or to its `token_endpoint` where a client's registration allows it.
    pub const fn new(issuer: Issuer, token_endpoint: String) -> Self {
        Self { issuer, token_endpoint }
    }

    /// Whether `assertion` proves that the request comes from `client`, whose keys are `keys`; and never again.
    pub(super) async fn verify(
        &self,
        assertion: &str,
        client: &Client,
        keys: &AssertionKeys,
        once: &dyn OnceStore,
        now: Timestamp,
    ) -> Result<(), ClientRejected> {
        let claims = self.check(assertion, client, keys, now).map_err(ClientRejected::Assertion)?;
        // Longer than it is good by as much as a clock may step back, or a request may wait for the store.
        let until = claims.exp + LEEWAY + LEEWAY;
        match once.remember_once(name(client, &claims.jti), until, now).await? {
            Remembered::Now => Ok(()),
            Remembered::Before => Err(ClientRejected::Assertion(AssertionRejected::Replayed)),
        }
    }

    fn check(
        &self,
        assertion: &str,
        client: &Client,
        keys: &AssertionKeys,
        now: Timestamp,
    ) -> Result<Accepted, AssertionRejected> {
        use AssertionRejected as Why;
        let (set, algorithms) = (keys.keys.verification_keys(), keys.keys.algorithms());
        let is_type = |typ: &str| TYPES.into_iter().any(|known| token_type::names(typ, known));
        let claims: Claims = jws::verify_signature(assertion, set, algorithms, is_type)?;
        if claims.iss.as_deref() != Some(client.id.as_str()) {
            return Err(Why::WrongIssuer);
        }
        if claims.sub.as_deref() != Some(client.id.as_str()) {
            return Err(Why::WrongSubject);
        }
        let audience = claims.aud.as_ref().and_then(Audience::sole).ok_or(Why::WrongAudience)?;
        let is_token_endpoint = keys.accept_token_endpoint_audience && audience == self.token_endpoint;
        if audience != self.issuer.as_str() && !is_token_endpoint {
            return Err(Why::WrongAudience);
        }
        // RFC 7523 §3, 4: on `exp` itself it is no longer accepted.
        if claims.exp + LEEWAY <= now {
            return Err(Why::Expired { at: claims.exp });
        }
        if now + LONGEST_LIFE + LEEWAY < claims.exp {
            return Err(Why::TooLongLived);
        }
        if now + LEEWAY < claims.nbf.max(claims.iat) {
            return Err(Why::NotYetValid);
        }
        let jti = claims.jti.filter(|jti| !jti.is_empty()).ok_or(Why::NoJti)?;
        if jti.len() > LONGEST_JTI {
            return Err(Why::LongJti);
        }
        Ok(Accepted { exp: claims.exp, jti })
    }
}

/// What is left of an assertion that holds.
struct Accepted {
    exp: Timestamp,
    jti: String,
}

/// What an assertion is remembered by. A client's identifier has no NUL, so no two pairs give the same.
fn name(client: &Client, jti: &str) -> [u8; SHA256_BYTES] {
    digest::sha256(["client-assertion", client.id.as_str(), jti].join("\0"))
}
