//! The port for sessions that ended early: all that is stored of a session.

use crate::foundation::clock::Timestamp;
use crate::foundation::storage::Stored;

use super::session::{EarlyEnd, SessionId};

/// A store of early ends.
pub trait SessionStore: Send + Sync {
    /// Ends one session. Kept until `until`, when the session would have been over by itself.
    fn end_session(&self, sid: SessionId, until: Timestamp) -> Stored<'_, ()>;

    /// Ends everything of a subject that began no later than `now`: sessions, consents, pending requests, codes and
    /// grants. Sessions and consents that have begun are ended also where they say a later time, from a clock that was
    /// ahead. An earlier `now` than one before changes nothing.
    fn end_all<'a>(&'a self, subject: &'a str, now: Timestamp) -> Stored<'a, ()>;

    /// What has been ended early of a session and its subject.
    fn early_end<'a>(&'a self, sid: SessionId, subject: &'a str) -> Stored<'a, EarlyEnd>;
}
