//! Codes: redeemed once, in the same step that makes the grant. The grant has the code's id, so that a code which is
//! presented again is recognised at any age.

use uuid::Uuid;

use super::batch::View;
use super::records::{Fault, Kind, Records};
use super::{SledStore, grants, sessions};
use crate::authorize::code::AuthorizationCode;
use crate::authorize::store::{CodeStore, Redemption};
use crate::foundation::clock::Timestamp;
use crate::foundation::storage::Stored;
use crate::tokens::grant::Grant;

impl CodeStore for SledStore {
    fn put_code(&self, code: AuthorizationCode) -> Stored<'_, ()> {
        Box::pin(self.make(move |view| view.put(Kind::Code, code.id.as_bytes(), &code)))
    }

    fn read_code(&self, id: Uuid) -> Stored<'_, Option<AuthorizationCode>> {
        Box::pin(self.read(move |records| records.get(Kind::Code, id.as_bytes())))
    }

    fn redeem(&self, grant: Grant, now: Timestamp) -> Stored<'_, Redemption> {
        Box::pin(self.make(move |view| redeem(view, &grant, now)))
    }
}

fn redeem(view: &mut View<'_>, grant: &Grant, now: Timestamp) -> Result<Redemption, Fault> {
    let name = grant.id.as_bytes();
    let Some(code) = view.get::<AuthorizationCode>(Kind::Code, name)? else {
        let earlier = grants::read(view, grant.id)?;
        return Ok(earlier.map_or(Redemption::Unknown, Redemption::AlreadyRedeemed));
    };
    let is_ended = sessions::valid_from(view, &code.subject)?.is_some_and(|valid_from| code.auth_time <= valid_from);
    if is_ended || now >= code.expires_at {
        return Ok(Redemption::Expired);
    }
    view.remove(Kind::Code, name);
    grants::put(view, grant)?;
    Ok(Redemption::Redeemed)
}
