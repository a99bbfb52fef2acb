//! A store made of a backup (see [`backup`](crate::store::backup)): all of it, or nothing.
//!
//! Only where there is no store. The records go into a folder that does not count, while the mark says that an import is on
//! its way: a server refuses to start there, and the next import begins anew. One write of one sector in the mark, at the
//! end, makes a store of it. What is refused before is removed again.

use std::fs::{self, File};
use std::io::BufRead;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sled::IVec;

use super::generations::{self, records_of};
use super::mark::{self, Mark, Marked};
use super::opening::{self, DATABASE, Database};
use super::records::{self, COMMITS, Kind};
use super::rewrite::{self, CACHE_WHILE_FILLED, SYNC_BYTES};
use super::tally::Tally;
use super::{CommitStep, OpenFailed, Probe, codec, counting, kept};
use crate::foundation::clock::Timestamp;
use crate::keys::history::{Kept, PublishedKey, Served};
use crate::store::backup::{Backup, BackupRefused, Record};
use crate::tokens::grant::Grant;

/// Which folder the records of an import go into: not the one that counts where the mark says nothing.
const GENERATION: u64 = 1;

/// After how many records something else is looked at.
const SLICE: u64 = 256;

/// How a backup is made a store.
#[derive(Debug, Clone)]
pub struct ImportTerms {
    /// The folder of the store.
    pub folder: PathBuf,
    /// The issuer of the configuration, which must be that of the backup.
    pub issuer: String,
    /// The time.
    pub now: Timestamp,
    /// The longest time for which an access token of a grant that is over may still be shown to somebody.
    pub tombstone: Duration,
    /// Whether nothing from before `now` may be good any more.
    pub revoke_all: bool,
}

/// What was made of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Imported {
    /// Grants that may be used.
    pub live_grants: u64,
    /// Grants that were revoked, in the backup or by this import, or are over and still remembered.
    pub dead_grants: u64,
    /// Sessions of which it is known that they were ended.
    pub ended_sessions: u64,
    /// Subjects of which all was ended once.
    pub ended_subjects: u64,
    /// Digests of what may not be shown again.
    pub shown_once: u64,
    /// Keys of which it is known that they were published.
    pub published_keys: u64,
    /// Records that were left out, for they are over.
    pub left_out: u64,
}

/// Why nothing was imported. The folder is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ImportFailed {
    /// The file is refused: to be read after its name.
    #[error(transparent)]
    Backup(#[from] BackupRefused),
    /// The file is another server's: to be read after its name.
    #[error(
        "is a backup of {theirs}, and the issuer of this configuration is {ours}: no token of the one is good at the other; import it with the configuration of its server"
    )]
    OtherIssuer {
        /// The issuer of the backup.
        theirs: String,
        /// The issuer of the configuration.
        ours: String,
    },
    /// A record of the file is there twice, or too large: to be read after its name.
    #[error("is damaged in line {line}: {what}; take another backup")]
    BadRecord {
        /// Which line.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The folder cannot have it.
    #[error(transparent)]
    Folder(#[from] OpenFailed),
}

impl ImportFailed {
    /// Whether the file is at fault.
    pub const fn is_of_file(&self) -> bool {
        !matches!(self, Self::Folder(_))
    }
}

/// Makes a store of a backup, where none is.
pub fn import(terms: &ImportTerms, backup: Backup<impl BufRead>) -> Result<Imported, ImportFailed> {
    import_with_probe(terms, backup, &mut super::NoProbe)
}

/// The same, with a probe between its steps.
pub fn import_with_probe(
    terms: &ImportTerms,
    mut backup: Backup<impl BufRead>,
    probe: &mut dyn Probe,
) -> Result<Imported, ImportFailed> {
    let ImportTerms { folder, issuer, .. } = terms;
    let theirs = &backup.header().origin.issuer;
    if theirs != issuer {
        return Err(ImportFailed::OtherIssuer { theirs: theirs.clone(), ours: issuer.clone() });
    }
    let is_made = !folder.exists();
    opening::make_folder(folder)?;
    let outcome = Mark::lock_for_import(folder).map_err(Into::into).and_then(|(mark, is_begun)| {
        let outcome = fill(terms, &mut backup, &mark, probe);
        if outcome.is_err() {
            clear(folder, &mark, is_begun);
        }
        outcome
    });
    if outcome.is_err() && is_made {
        // Only if nothing is in it.
        let _ = fs::remove_dir(folder);
    }
    outcome
}

/// Removes what an import has made that failed. Whenever this ends, the mark says that an import is not finished for as
/// long as anything lies beside it. Where one before it was not finished it goes on saying so: whoever has begun to restore
/// wants no empty store.
fn clear(folder: &Path, mark: &Mark, is_begun: bool) {
    // Where its last write failed, the mark may name these records by now, and where that cannot be undone they stay.
    // Without records it names none, and a disk that is full need not take it once more.
    let is_unnamed = if records_of(folder, GENERATION).exists() { mark.begin_import() } else { Ok(()) };
    let removed = is_unnamed.and_then(|()| {
        generations::remove_others(folder, &[])?;
        // Before the mark goes, without which what came back would be somebody else's folder.
        File::open(folder)?.sync_all()?;
        if is_begun { Ok(()) } else { fs::remove_file(folder.join(mark::NAME)) }
    });
    if let Err(cause) = removed {
        tracing::warn!(folder = %folder.display(), %cause, "what is left of an import cannot be removed");
    }
}

fn fill(
    terms: &ImportTerms,
    backup: &mut Backup<impl BufRead>,
    mark: &Mark,
    probe: &mut dyn Probe,
) -> Result<Imported, ImportFailed> {
    let folder = &terms.folder;
    let io = |cause| OpenFailed::io(folder, &cause);
    let failed = |cause: String| OpenFailed::Io { folder: folder.clone(), cause };
    mark.begin_import().map_err(io)?;
    opening::close_to_others(folder)?;
    // Of an import, or a first start, that was cut short.
    generations::remove_others(folder, &[]).and_then(|()| kept::forget(folder)).map_err(io)?;
    let records = records_of(folder, GENERATION);
    generations::create(&records).map_err(io)?;
    let (imported, tally) = guarded(folder, || copy(terms, backup, &records, probe))?;
    probe.reach(CommitStep::Complete).map_err(io)?;
    // Read once more from what is on the disk. And so the first start finds a snapshot.
    opening::wait_until_released(folder, &records.join(DATABASE))?;
    let found = guarded(folder, || {
        let tree = opening::open_tree(&records, CACHE_WHILE_FILLED).map_err(|cause| failed(cause.to_string()))?;
        Ok(counting::count(&tree).map_err(failed)?)
    })?;
    if found != (1, tally) {
        return Err(failed("the records on the disk are not those that were written there".to_owned()).into());
    }
    opening::wait_until_released(folder, &records.join(DATABASE))?;
    generations::sync(&records).map_err(io)?;
    probe.reach(CommitStep::Switch).map_err(io)?;
    let tally = Some(tally);
    let marked = Marked { in_use: None, is_distrusted: false, commits: 1, generation: GENERATION, tally };
    // The folder may be new, of this import or of one that was killed.
    opening::sync_with_its_name(folder).map_err(io)?;
    mark.write_and_sync(marked).map_err(io)?;
    // From here on it is a store, whatever becomes of this process.
    let _ = probe.reach(CommitStep::Switched);
    Ok(imported)
}

/// sled asserts where it cannot go on.
fn guarded<T>(folder: &Path, act: impl FnOnce() -> Result<T, ImportFailed>) -> Result<T, ImportFailed> {
    panic::catch_unwind(AssertUnwindSafe(act))
        .unwrap_or_else(|_| Err(OpenFailed::Io { folder: folder.to_owned(), cause: "sled panicked".to_owned() }.into()))
}

/// Copies all records into a fresh database, durably.
fn copy(
    terms: &ImportTerms,
    backup: &mut Backup<impl BufRead>,
    records: &Path,
    probe: &mut dyn Probe,
) -> Result<(Imported, Tally), ImportFailed> {
    let folder = &terms.folder;
    let failed = |cause: String| OpenFailed::Io { folder: folder.clone(), cause };
    let io = |cause| OpenFailed::io(folder, &cause);
    let mut fresh = rewrite::open_fresh(records, GENERATION, CACHE_WHILE_FILLED).map_err(failed)?;
    let (mut imported, mut taken, mut synced) = (Imported::default(), 0, 0);
    while let Some(record) = backup.next_record()? {
        if taken % SLICE == 0 {
            probe.reach(CommitStep::Copy).map_err(io)?;
        }
        taken += 1;
        let bad = |what: String| ImportFailed::BadRecord { line: backup.line(), what };
        for (key, value) in entries(terms, record, &mut imported).map_err(|bad_record| bad(bad_record.to_string()))? {
            let known = fresh.tree.contains_key(&key).map_err(|cause| failed(cause.to_string()))?;
            if known {
                return Err(bad("what it says was said before".to_owned()));
            }
            rewrite::put(&mut fresh, &key, Some(&value)).map_err(failed)?;
        }
        if fresh.tally.bytes - synced >= SYNC_BYTES {
            synced = fresh.tally.bytes;
            rewrite::sync(&fresh).map_err(failed)?;
        }
    }
    mark_recovered(terms, &mut fresh).map_err(failed)?;
    rewrite::sync(&fresh).map_err(failed)?;
    Ok((imported, fresh.tally))
}

/// Says that the store is older than what clients hold, and revokes what it was told to; then that all is there.
fn mark_recovered(terms: &ImportTerms, fresh: &mut Database) -> Result<(), String> {
    let now = codec::encode(&terms.now).expect("a time takes few bytes");
    rewrite::put(fresh, &Kind::Recovered.key(&[]), Some(&now))?;
    if terms.revoke_all {
        // Of everybody: sessions of people of whom the backup knows nothing too, and grants of later than it.
        rewrite::put(fresh, &Kind::ValidFrom.key(&[]), Some(&now))?;
    }
    fresh.tree.insert(COMMITS, records::encode_commits(1)).map_err(|cause| cause.to_string())?;
    Ok(())
}

type Entry = (IVec, IVec);

/// What is written for a record; nothing where it is over.
fn entries(terms: &ImportTerms, record: Record, imported: &mut Imported) -> Result<Vec<Entry>, codec::BadRecord> {
    let now = terms.now;
    let until = |kind: Kind, name: &[u8], until: Timestamp, count: &mut u64, left_out: &mut u64| {
        if until <= now {
            *left_out += 1;
            return Ok(Vec::new());
        }
        *count += 1;
        Ok(vec![(kind.key(name), codec::encode(&until)?)])
    };
    match record {
        Record::Grant(grant) => {
            let revoked_at = if terms.revoke_all { grant.revoked_at.or(Some(now)) } else { grant.revoked_at };
            let grant = Grant { revoked_at, is_resynchronised: false, ..grant };
            if grant.forget_at(terms.tombstone) <= now {
                imported.left_out += 1;
                return Ok(Vec::new());
            }
            *(if grant.is_live(now) { &mut imported.live_grants } else { &mut imported.dead_grants }) += 1;
            Ok(vec![(Kind::Grant.key(grant.id.as_bytes()), codec::encode(&grant)?)])
        }
        Record::EndedSession { sid, until: end } => {
            until(Kind::EndedSession, &sid, end, &mut imported.ended_sessions, &mut imported.left_out)
        }
        Record::ShownOnce { digest, until: end } => {
            until(Kind::Once, &digest, end, &mut imported.shown_once, &mut imported.left_out)
        }
        // All of everybody is ended anew, later.
        Record::ValidFrom { subject: None, .. } if terms.revoke_all => Ok(Vec::new()),
        Record::ValidFrom { subject, at } => {
            imported.ended_subjects += u64::from(subject.is_some());
            let name = subject.as_deref().unwrap_or_default();
            Ok(vec![(Kind::ValidFrom.key(name.as_bytes()), codec::encode(&at)?)])
        }
        Record::Publications(Kept { served, keys }) => {
            imported.published_keys += keys.len() as u64;
            let served =
                served.map(|served| codec::encode::<Served>(&served).map(|value| (Kind::Served.key(&[]), value)));
            let keys = keys
                .iter()
                .map(|key| Ok((Kind::Published.key(key.kid.as_bytes()), codec::encode::<PublishedKey>(key)?)));
            served.into_iter().chain(keys).collect()
        }
    }
}
