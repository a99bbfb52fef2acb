//! The port for authorization codes: kept once, redeemed once.

use uuid::Uuid;

use crate::foundation::clock::Timestamp;
use crate::foundation::storage::Stored;
use crate::tokens::grant::Grant;

use super::code::AuthorizationCode;

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
