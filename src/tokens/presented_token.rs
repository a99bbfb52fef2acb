//! Tokens that come back: which one it is, and that we made it, before anybody asks what it is worth.
//!
//! A refresh token proves itself by its MAC, an access token by its signature under a key that is published now, by its
//! issuer and by its time. Whatever does not hold is refused here, and no disk is touched for it. The shape of the token
//! decides what it is, never a hint of the client (RFC 7009 §2.1: the server looks at every kind it has in any case).

use serde_json::{Map, Value};
use std::time::Duration;
use uuid::Uuid;

use crate::foundation::clock::Timestamp;
use crate::keys::algorithm::Algorithm;
use crate::keys::jws::{Expectation, JwsRefused};
use crate::keys::key_ring::KeyRing;
use crate::keys::sealing_ring::SealingRing;
use crate::keys::token_type::TokenType;
use crate::protocol::issuer::Issuer;

use super::access_token::grant_of_jti;
use super::handle::{Handle, HandleKind, HandleRefused};

/// What tells our tokens from others.
#[derive(Clone, Copy)]
pub struct TokenReader<'a> {
    /// Who made them.
    pub issuer: &'a Issuer,
    /// What access tokens were signed with.
    pub keys: &'a KeyRing,
    /// What refresh tokens were sealed with.
    pub sealing: &'a SealingRing,
}

/// A token that we made. What it stands on may be gone.
#[derive(Debug)]
pub enum PresentedToken {
    /// A refresh token of some generation.
    Refresh(Handle),
    /// An access token whose time has not run out.
    Access(PresentedAccessToken),
}

/// An access token that we signed, and whose time has not run out.
#[derive(Debug)]
pub struct PresentedAccessToken {
    /// The client that it was issued to.
    pub client_id: String,
    /// Whom it is for.
    pub audience: Vec<String>,
    /// The grant that it stands on, where there is one.
    pub grant: Option<Uuid>,
    /// All that it says.
    pub claims: Map<String, Value>,
}

/// Why a text is no token of ours: for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOurToken {
    /// No refresh token. A code is none either.
    #[error("no refresh token: {0}")]
    Handle(#[from] HandleRefused),
    /// No access token, or one whose time has run out.
    #[error("no access token: {0}")]
    Jws(#[from] JwsRefused),
    /// Signed by us, and without what our access tokens say.
    #[error("no access token: its claims are not those of one")]
    Claims,
}

impl TokenReader<'_> {
    /// The token that `text` is. Touches no disk.
    pub fn read(&self, text: &str, now: Timestamp) -> Result<PresentedToken, NotOurToken> {
        // A JWS has dots (RFC 7515 §7.1); a handle, being base64url after its prefix, has none.
        if !text.contains('.') {
            return Ok(PresentedToken::Refresh(Handle::open(text, HandleKind::Refresh, self.sealing)?));
        }
        let expected = Expectation {
            typ: TokenType::AccessToken,
            algorithms: &Algorithm::ALL,
            issuer: Some(self.issuer.as_str()),
            audience: None,
            now,
            // Our own clock made it.
            leeway: Duration::ZERO,
        };
        let claims = self.keys.verify(text, &expected)?;
        PresentedAccessToken::of(claims).map(PresentedToken::Access).ok_or(NotOurToken::Claims)
    }
}

impl PresentedAccessToken {
    fn of(claims: Map<String, Value>) -> Option<Self> {
        let client_id = claims.get("client_id")?.as_str()?.to_owned();
        let audience = match claims.get("aud")? {
            Value::String(one) => vec![one.clone()],
            Value::Array(several) => {
                several.iter().map(|one| one.as_str().map(str::to_owned)).collect::<Option<_>>()?
            }
            _ => return None,
        };
        let grant = grant_of_jti(claims.get("jti")?.as_str()?);
        Some(Self { client_id, audience, grant, claims })
    }
}
