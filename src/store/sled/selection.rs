//! Grants by whose they are: found, and taken back.
//!
//! No record says which grants a person has: all are gone through, a slice at a time, beside the committer. What is taken
//! back is decided once more inside it, a few at a time, so requests wait for a few records at most.

use std::ops::Bound;
use std::sync::Arc;

use sled::IVec;
use uuid::Uuid;

use super::batch::View;
use super::durable::Tree;
use super::records::{Fault, Kind, Records as _};
use super::{SledStore, codec, grants};
use crate::authorize::code::AuthorizationCode;
use crate::foundation::clock::Timestamp;
use crate::foundation::storage::StoreUnavailable;
use crate::tokens::grant::Grant;
use crate::tokens::store::{FoundGrants, TakenBack, Whose};

/// How many records are looked at in one go: less than a millisecond, in which no batch can begin.
const SLICE: usize = 500;

/// How many grants one step of the committer takes back: about a millisecond of its time.
const TAKEN_BACK_AT_ONCE: usize = 128;

/// Looks at one slice of the grants after `after`, as they are durable.
pub(super) fn find(
    records: &Tree,
    whose: Option<&Whose>,
    after: Option<Uuid>,
    limit: usize,
) -> Result<FoundGrants, Fault> {
    let is_meant = |grant: &Grant| whose.is_none_or(|whose| whose.has(&grant.subject, grant.client_id.as_str()));
    let from = Kind::Grant.key(after.as_ref().map_or(&[], |id| id.as_bytes().as_slice()));
    let (mut found, mut seen) = (FoundGrants::default(), 0);
    for entry in following(records, &from, Kind::Grant).take(limit) {
        let (key, value) = entry?;
        seen += 1;
        let Some(id) = id_of(&key) else { continue };
        found.reached = Some(id);
        // One that cannot be read is the sweeper's to tell of.
        if !codec::decode::<Grant>(&value).is_ok_and(|grant| is_meant(&grant)) {
            continue;
        }
        // Read again: as it is durable, and for all of its subject may have been ended.
        found.grants.extend(grants::read(records, id)?);
    }
    Ok(FoundGrants { reached: found.reached.filter(|_| seen == limit), ..found })
}

impl SledStore {
    /// Codes come first: one that is redeemed meanwhile becomes a grant, and those are gone through after it.
    pub(super) async fn take_back(&self, whose: Whose, now: Timestamp) -> Result<TakenBack, StoreUnavailable> {
        let whose = Arc::new(whose);
        let mut taken = TakenBack::default();
        for kind in [Kind::Code, Kind::Grant] {
            let mut from = kind.key(&[]);
            loop {
                let Meant { ids, reached } = self.read(|records| look(records, kind, &from, &whose)).await?;
                for ids in ids.chunks(TAKEN_BACK_AT_ONCE) {
                    let (ids, whose) = (ids.to_vec(), Arc::clone(&whose));
                    let step = self.make(move |view| take_back(view, &ids, &whose, now)).await?;
                    taken.grants += step.grants;
                    taken.codes += step.codes;
                }
                let Some(reached) = reached else { break };
                from = reached;
                // A slice without any that is meant waits for nothing else.
                tokio::task::yield_now().await;
            }
        }
        Ok(taken)
    }
}

/// What a slice has shown.
struct Meant {
    /// The ids that are meant, as far as could be seen from here.
    ids: Vec<Uuid>,
    /// The key that was reached; none at the end.
    reached: Option<IVec>,
}

/// Looks at one slice of codes or grants after the key `from`. What is not durable yet counts too, for nothing rests on it.
fn look(records: &Tree, kind: Kind, from: &[u8], whose: &Whose) -> Result<Meant, Fault> {
    let (mut ids, mut reached, mut seen) = (Vec::new(), None, 0);
    for entry in following(records, from, kind).take(SLICE) {
        let (key, value) = entry?;
        seen += 1;
        let is_meant = match kind {
            Kind::Code => codec::decode(&value)
                .is_ok_and(|code: AuthorizationCode| whose.has(&code.subject, code.client_id.as_str())),
            _ => codec::decode(&value).is_ok_and(|grant: Grant| {
                grant.revoked_at.is_none() && whose.has(&grant.subject, grant.client_id.as_str())
            }),
        };
        ids.extend(id_of(&key).filter(|_| is_meant));
        if seen == SLICE {
            reached = Some(key);
        }
    }
    Ok(Meant { ids, reached })
}

/// Takes back the codes and grants of these ids that are still meant. A code may have become the grant of the same id.
fn take_back(view: &mut View<'_>, ids: &[Uuid], whose: &Whose, now: Timestamp) -> Result<TakenBack, Fault> {
    let mut taken = TakenBack::default();
    for id in ids {
        let name = id.as_bytes();
        let code: Option<AuthorizationCode> = view.get(Kind::Code, name)?;
        if code.is_some_and(|code| whose.has(&code.subject, code.client_id.as_str())) {
            view.remove(Kind::Code, name);
            taken.codes += 1;
        }
        // The record itself and not what the end of its subject makes of it: it is counted once, and marked.
        let Some(grant) = view.get::<Grant>(Kind::Grant, name)? else { continue };
        if grant.revoked_at.is_some() || !whose.has(&grant.subject, grant.client_id.as_str()) {
            continue;
        }
        // One that is over is taken back all the same: its last access token may still be shown to somebody.
        taken.grants += u64::from(grant.is_live(now));
        let ended = grants::read(view, *id)?.and_then(|grant| grant.revoked_at);
        grants::put(view, &Grant { revoked_at: Some(ended.unwrap_or(now)), ..grant })?;
    }
    Ok(taken)
}

/// The records of a kind after a key, in their order.
fn following<'a>(
    records: &'a Tree,
    from: &'a [u8],
    kind: Kind,
) -> impl Iterator<Item = sled::Result<(IVec, IVec)>> + 'a {
    let range = records.tree().range::<&[u8], _>((Bound::Excluded(from), Bound::Unbounded));
    range.take_while(move |entry| entry.as_ref().map_or(true, |(key, _)| Kind::of(key) == Some(kind)))
}

fn id_of(key: &[u8]) -> Option<Uuid> {
    key.get(1..).and_then(|id| Uuid::from_slice(id).ok())
}
