//! Grants: one record each, whatever the number of refreshes.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use super::SledStore;
use super::batch::View;
use super::codec;
use super::records::{Fault, Kind, Records};
use super::{selection, sessions};
use crate::foundation::clock::Timestamp;
use crate::foundation::storage::Stored;
use crate::tokens::grant::Grant;
use crate::tokens::refresh_rotation::{self, Decision, RotationPolicy};
use crate::tokens::store::{CountedGrants, FoundGrants, GrantStore, Rotation, TakenBack, Whose};

impl GrantStore for SledStore {
    fn put_grant(&self, grant: Grant) -> Stored<'_, ()> {
        Box::pin(self.make(move |view| put(view, &grant)))
    }

    fn read_grant(&self, id: Uuid) -> Stored<'_, Option<Grant>> {
        Box::pin(self.read(move |records| read(records, id)))
    }

    fn rotate(&self, id: Uuid, presented: u32, now: Timestamp, policy: RotationPolicy) -> Stored<'_, Rotation> {
        Box::pin(async move {
            let rotation = self.make(move |view| rotate(view, id, presented, now, &policy)).await?;
            metrics::counter!("jotsmith_refresh_rotations_total", "outcome" => outcome(&rotation)).increment(1);
            Ok(rotation)
        })
    }

    fn revoke_grant(&self, id: Uuid, now: Timestamp) -> Stored<'_, bool> {
        Box::pin(self.make(move |view| revoke(view, id, now)))
    }

    fn count_live(
        &self,
        clients: Arc<BTreeSet<String>>,
        now: Timestamp,
        after: Option<Uuid>,
        limit: usize,
    ) -> Stored<'_, CountedGrants> {
        Box::pin(self.make(move |view| count_live(view, &clients, now, after, limit)))
    }

    fn find_grants(&self, whose: Option<Whose>, after: Option<Uuid>, limit: usize) -> Stored<'_, FoundGrants> {
        Box::pin(self.read(move |records| selection::find(records, whose.as_ref(), after, limit)))
    }

    fn revoke_where(&self, whose: Whose, now: Timestamp) -> Stored<'_, TakenBack> {
        Box::pin(self.take_back(whose, now))
    }
}

pub(super) fn put(view: &mut View<'_>, grant: &Grant) -> Result<(), Fault> {
    view.put(Kind::Grant, grant.id.as_bytes(), grant)
}

/// The grant of this id. One that rests on a sign-in from before all of its subject was ended is revoked, without its
/// record being touched.
pub(super) fn read(records: &impl Records, id: Uuid) -> Result<Option<Grant>, Fault> {
    let grant = records.get::<Grant>(Kind::Grant, id.as_bytes())?;
    grant.map(|grant| with_end_of_subject(records, grant)).transpose()
}

/// The grant of a record, revoked where all of its subject was ended since.
pub(super) fn with_end_of_subject(records: &impl Records, grant: Grant) -> Result<Grant, Fault> {
    let ended = sessions::valid_from(records, &grant.subject)?.filter(|valid_from| grant.auth_time <= *valid_from);
    Ok(Grant { revoked_at: grant.revoked_at.or(ended), ..grant })
}

fn rotate(
    view: &mut View<'_>,
    id: Uuid,
    presented: u32,
    now: Timestamp,
    policy: &RotationPolicy,
) -> Result<Rotation, Fault> {
    let Some(grant) = read(view, id)? else { return Ok(Rotation::Unknown) };
    let recovered_at: Option<Timestamp> = view.get(Kind::Recovered, &[])?;
    // After that no token from before it is good any more.
    let recovered_at = recovered_at.filter(|recovered_at| now.since(*recovered_at) < policy.idle);
    let rotation = match refresh_rotation::decide(&grant, presented, now, policy, recovered_at) {
        Decision::Rotate(next) => Rotation::Rotated(next),
        Decision::Reuse(revoked) => Rotation::Reused(revoked),
        Decision::Ahead(revoked) => Rotation::Ahead(revoked),
        Decision::Retry => Rotation::Retried(grant),
        Decision::Revoked => Rotation::Revoked,
        Decision::Expired => Rotation::Expired,
        Decision::ClockBehind => Rotation::ClockBehind,
        Decision::Exhausted => Rotation::Exhausted,
    };
    if let Rotation::Rotated(changed) | Rotation::Reused(changed) | Rotation::Ahead(changed) = &rotation {
        put(view, changed)?;
    }
    Ok(rotation)
}

fn revoke(view: &mut View<'_>, id: Uuid, now: Timestamp) -> Result<bool, Fault> {
    let Some(grant) = read(view, id)?.filter(|grant| grant.revoked_at.is_none()) else { return Ok(false) };
    // One that is over is taken back all the same: its last access token may still be shown to somebody.
    let was_live = grant.is_live(now);
    put(view, &Grant { revoked_at: Some(now), ..grant })?;
    Ok(was_live)
}

fn count_live(
    view: &View<'_>,
    clients: &BTreeSet<String>,
    now: Timestamp,
    after: Option<Uuid>,
    limit: usize,
) -> Result<CountedGrants, Fault> {
    let from = Kind::Grant.key(after.as_ref().map_or(&[], |id| id.as_bytes().as_slice()));
    let slice = view.following(&from, limit)?;
    let mut counted = CountedGrants::default();
    let is_full = slice.len() == limit;
    for (key, value) in slice {
        let id = key.get(1..).and_then(|id| Uuid::from_slice(id).ok());
        let (Some(Kind::Grant), Some(id)) = (Kind::of(&key), id) else {
            return Ok(CountedGrants { reached: None, ..counted });
        };
        counted.reached = Some(id);
        // One that cannot be read is the sweeper's to tell of.
        let Some(grant) = value.and_then(|value| codec::decode::<Grant>(&value).ok()) else { continue };
        if !clients.contains(grant.client_id.as_str()) {
            continue;
        }
        // Read again, for all of its subject may have been ended.
        if read(view, id)?.is_some_and(|grant| grant.is_live(now)) {
            *counted.live.entry(grant.client_id.as_str().to_owned()).or_default() += 1;
        }
    }
    Ok(CountedGrants { reached: counted.reached.filter(|_| is_full), ..counted })
}

const fn outcome(rotation: &Rotation) -> &'static str {
    match rotation {
        Rotation::Rotated(_) => "rotated",
        Rotation::Retried(_) => "retried",
        Rotation::Reused(_) => "reused",
        Rotation::Ahead(_) => "ahead_of_store",
        Rotation::Revoked => "revoked",
        Rotation::Expired => "expired",
        Rotation::ClockBehind => "clock_behind",
        Rotation::Exhausted => "exhausted",
        Rotation::Unknown => "unknown",
    }
}
