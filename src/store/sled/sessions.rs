//! Early ends: one record a session that was signed out, one a subject of which all was ended, and at most one for
//! everybody, from an import that revoked all. No subject is the empty text, under which that one stands.

use super::SledStore;
use super::batch::View;
use super::records::{Fault, Kind, Records};
use crate::foundation::clock::Timestamp;
use crate::foundation::storage::Stored;
use crate::login::session::{EarlyEnd, SessionId};
use crate::login::store::SessionStore;

impl SessionStore for SledStore {
    fn end_session(&self, sid: SessionId, until: Timestamp) -> Stored<'_, ()> {
        Box::pin(self.make(move |view| view.put(Kind::EndedSession, sid.as_bytes(), &until)))
    }

    fn end_all<'a>(&'a self, subject: &'a str, now: Timestamp) -> Stored<'a, ()> {
        let subject = subject.to_owned();
        Box::pin(self.make(move |view| end_all(view, &subject, now)))
    }

    fn early_end<'a>(&'a self, sid: SessionId, subject: &'a str) -> Stored<'a, EarlyEnd> {
        Box::pin(self.read(move |records| early_end(records, sid, subject)))
    }
}

fn end_all(view: &mut View<'_>, subject: &str, now: Timestamp) -> Result<(), Fault> {
    if valid_from(view, subject)?.is_some_and(|valid_from| valid_from >= now) {
        return Ok(());
    }
    view.put(Kind::ValidFrom, subject.as_bytes(), &now)
}

fn early_end(records: &impl Records, sid: SessionId, subject: &str) -> Result<EarlyEnd, Fault> {
    let is_signed_out = records.get::<Timestamp>(Kind::EndedSession, sid.as_bytes())?.is_some();
    Ok(EarlyEnd { is_signed_out, valid_from: valid_from(records, subject)? })
}

/// The time up to which all of a subject was ended, by itself or with everybody.
pub(super) fn valid_from(records: &impl Records, subject: &str) -> Result<Option<Timestamp>, Fault> {
    let own: Option<Timestamp> = records.get(Kind::ValidFrom, subject.as_bytes())?;
    let of_all = records.get(Kind::ValidFrom, &[])?;
    Ok(own.max(of_all))
}
