//! The port for authorization codes: kept once, redeemed once.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clients::ClientId;
use crate::foundation::clock::Timestamp;
use crate::foundation::storage::Stored;
use crate::protocol::pkce::CodeChallenge;
use crate::protocol::resource::ResourceIndicator;
use crate::protocol::scope::Scope;
use crate::tokens::grant::Grant;

/// What stands behind a code that nobody has redeemed yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationCode {
    /// Its name, `UUIDv7`, and that of the grant to come.
    pub id: Uuid,
    /// Who may redeem it.
    pub client_id: ClientId,
    /// The person who allowed it.
    pub subject: Arc<str>,
    /// What was allowed.
    pub scope: Scope,
    /// Where it was allowed.
    pub resources: Vec<ResourceIndicator>,
    /// When the person signed in.
    pub auth_time: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// What the redeemer must know (RFC 7636 §4.4).
    pub code_challenge: Option<CodeChallenge>,
    /// Where it was sent.
    pub redirect_uri: String,
    /// Whether the authorization request named that address: then the token request must too (RFC 6749 §4.1.3).
    pub is_redirect_uri_sent: bool,
}

/// What became of a presented code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redemption {
    /// It is gone, and the grant is there.
    Redeemed,
    /// It was redeemed before; the grant that came of it.
    AlreadyRedeemed(Grant),
    /// It is over, or all from before a time was ended for its subject; nothing changed.
    Expired,
    /// There is no such code.
    Unknown,
}

/// A store of codes.
pub trait CodeStore: Send + Sync {
    /// Keeps a code.
    fn put_code(&self, code: AuthorizationCode) -> Stored<'_, ()>;

    /// The code of this id, if it has not been redeemed.
    fn read_code(&self, id: Uuid) -> Stored<'_, Option<AuthorizationCode>>;

    /// Removes the code of the grant's id and inserts the grant, as one. Of several that race, one redeems.
    fn redeem(&self, grant: Grant, now: Timestamp) -> Stored<'_, Redemption>;
}
