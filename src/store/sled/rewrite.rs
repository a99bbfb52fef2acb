//! All records, written anew into a fresh database that takes the place of the old one.
//!
//! Two reasons. sled gives hardly any space back by itself, so a store would grow with every refresh. And after a failed
//! sync the operating system may hold for written what the disk never got, and no later sync of the same file says
//! otherwise: what is read and written into new files is on the disk when their sync says so.
//!
//! For space it happens beside the requests ([`Rewrite`]). A thread copies all records while the committer goes on and
//! notes which keys it changes; then the thread copies those of them that it had passed, until few are left; the committer
//! copies these itself between two batches, and one write of the mark makes the fresh database the one that counts. A
//! record is copied whatever its kind, known or not. Until that write the old database has all that was answered; from
//! then on the fresh one has. The tallies of both must agree, or the old one stays.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sled::IVec;

use super::committer::{drop_guarded, guarded, now};
use super::generations::{self, records_of};
use super::opening::{self, DATABASE, Database};
use super::records::COMMITS;
use super::rewriting::{OVERHEAD, expected};
use super::tally::Tally;
use super::{CommitStep, SharedProbe};

/// How many records are copied before anything else is looked at: about a millisecond.
const SLICE: usize = 128;

/// How long the thread that copies beside the requests leaves its core to others after each slice. Where cores are few, the
/// committer would wait for the end of a time slice of the system, which are several milliseconds.
const PAUSE: Duration = Duration::from_micros(100);

/// How many bytes of records are written before the disk is asked for them: much at once would keep the committer's own
/// syncs waiting.
pub(super) const SYNC_BYTES: u64 = 2 << 20;

/// How few changed records are not worth another round of copying.
const FEW: usize = 64;

/// How many changed records the thread leaves to the committer at most, where further rounds make them no fewer: while one
/// waits for the disk a batch is made, of all who call. What the committer changes until it takes them comes to it: a batch
/// or two. Requests wait while these are copied. At some ten microseconds each that is about ten milliseconds, and only
/// where hundreds call at once: as long again as their batch.
const MOST_LEFT: usize = 1024;

/// How often the thread copies what was changed meanwhile before it gives up on a committer that is faster.
const MOST_ROUNDS: usize = if cfg!(test) { 20 } else { 1000 };

/// The memory that the fresh database gets while it is filled, in bytes.
pub(super) const CACHE_WHILE_FILLED: u64 = 8 << 20;

/// What must stay free on the disk, in bytes.
const RESERVE: u64 = 32 << 20;

/// A rewriting on its way.
pub(super) struct Rewrite {
    shared: Arc<Shared>,
    outcome: Receiver<Result<Database, String>>,
    generation: u64,
    pub begun: Instant,
}

#[derive(Default)]
struct Shared {
    /// The keys that were changed since they may have been copied.
    changed: Mutex<BTreeSet<IVec>>,
    is_given_up: AtomicBool,
    is_done: AtomicBool,
}

impl Shared {
    fn take_changed(&self) -> BTreeSet<IVec> {
        std::mem::take(&mut *self.changed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Forgets the keys after this one, or all of them: their records are still to be copied, as they are by then.
    fn forget_after(&self, copied: Option<&IVec>) {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        while changed.last() > copied {
            changed.pop_last();
        }
    }

    fn left(&self) -> usize {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// A rewriting of what is in `old` into `generation`, and the part of it that a thread beside the committer must do.
/// `bytes`: how many it will take, about.
pub(super) fn begin(
    folder: &Path,
    generation: u64,
    cache_bytes: u64,
    old: sled::Tree,
    bytes: u64,
    probe: SharedProbe,
) -> (Rewrite, impl FnOnce() + Send + 'static) {
    let shared = Arc::new(Shared::default());
    let copying =
        Copying { folder: folder.to_owned(), generation, cache_bytes, old, bytes, probe, shared: Arc::clone(&shared) };
    let (ended, outcome) = mpsc::channel();
    let done = DoneOnceDropped(Arc::clone(&shared));
    let copy = move || {
        // Nobody waits any more where it was given up.
        let _ = ended.send(copying.run());
        drop(done);
    };
    (Rewrite { shared, outcome, generation, begun: now() }, copy)
}

/// Says that the thread has done what it can: also where it panicked, or never began.
struct DoneOnceDropped(Arc<Shared>);

impl Drop for DoneOnceDropped {
    fn drop(&mut self) {
        self.0.is_done.store(true, Ordering::SeqCst);
    }
}

impl Rewrite {
    /// Takes note that these keys were changed. To be called after they were, for what is noted may be copied at once.
    pub(super) fn note<'a>(&self, keys: impl Iterator<Item = &'a IVec>) {
        self.shared.changed.lock().unwrap_or_else(PoisonError::into_inner).extend(keys.cloned());
    }

    /// Whether the thread has done what it can.
    pub(super) fn is_done(&self) -> bool {
        self.shared.is_done.load(Ordering::SeqCst)
    }

    /// The fresh database, which lacks what [`Changed`] holds and the number of the last batch.
    pub(super) fn end(self) -> Result<(Database, Changed), String> {
        let ended = self.outcome.recv().unwrap_or_else(|_| Err("the thread that rewrites has ended".to_owned()));
        ended.map(|database| (database, Changed(self.shared.take_changed())))
    }

    /// Gives it up, and removes what there is of it.
    pub(super) fn give_up(self, folder: &Path) {
        self.shared.is_given_up.store(true, Ordering::SeqCst);
        let generation = self.generation;
        drop_guarded(self.end());
        remove(folder, generation);
    }
}

/// The keys that are to be copied last.
pub(super) struct Changed(BTreeSet<IVec>);

impl Changed {
    /// Completes a fresh database with what stands under them, and with the number of the last batch: durably, and only
    /// where it then holds what the old one holds.
    pub(super) fn complete(self, old: &Database, fresh: &mut Database) -> Result<(), String> {
        copy_changed(&old.tree, fresh, &self.0)?;
        let commits = super::records::encode_commits(old.commits);
        fresh.tree.insert(COMMITS, commits).map_err(|cause| cause.to_string())?;
        fresh.commits = old.commits;
        sync(fresh)?;
        if fresh.tally == old.tally {
            Ok(())
        } else {
            Err(format!("the fresh database holds {:?} and the old one {:?}", fresh.tally, old.tally))
        }
    }
}

/// Removes a generation that does not count.
pub(super) fn remove(folder: &Path, generation: u64) {
    if let Err(cause) = generations::remove(&records_of(folder, generation)) {
        tracing::warn!(folder = %folder.display(), %cause, "what is left of a rewriting cannot be removed yet");
    }
}

/// What the thread has.
struct Copying {
    folder: PathBuf,
    generation: u64,
    cache_bytes: u64,
    old: sled::Tree,
    bytes: u64,
    probe: SharedProbe,
    shared: Arc<Shared>,
}

impl Copying {
    fn run(self) -> Result<Database, String> {
        let outcome = guarded(|| self.copy());
        if outcome.is_err() {
            remove(&self.folder, self.generation);
        }
        outcome
    }

    fn copy(&self) -> Result<Database, String> {
        check_space(&self.folder, self.bytes, &self.probe)?;
        let records = records_of(&self.folder, self.generation);
        let io = |cause: io::Error| cause.to_string();
        generations::create(&records).map_err(io)?;
        let mut fresh = open_fresh(&records, self.generation, CACHE_WHILE_FILLED)?;
        fill(&self.old, &mut fresh, |copied| {
            pause();
            self.shared.forget_after(copied);
            self.go_on(CommitStep::Copy)
        })?;
        // Opened once more: so the next start finds a snapshot, and need not read the whole log.
        let Database { tally, .. } = fresh;
        drop(fresh);
        opening::wait_until_released(&self.folder, &records.join(DATABASE)).map_err(|cause| cause.to_string())?;
        let mut fresh = Database { tally, ..open_fresh(&records, self.generation, self.cache_bytes)? };
        // Once, for it takes long: all names are there by now, and what is still written goes into the one file.
        generations::sync(&records).map_err(io)?;
        let mut left_before = usize::MAX;
        for _ in 0..MOST_ROUNDS {
            self.go_on(CommitStep::CatchUp)?;
            let left = self.shared.left();
            if left <= FEW || (left <= MOST_LEFT && left >= left_before) {
                return Ok(fresh);
            }
            left_before = left;
            copy_changed(&self.old, &mut fresh, &self.shared.take_changed())?;
            sync(&fresh)?;
        }
        Err("more is changed than can be copied".to_owned())
    }

    fn go_on(&self, step: CommitStep) -> Result<(), String> {
        if self.shared.is_given_up.load(Ordering::SeqCst) {
            return Err("it was given up".to_owned());
        }
        self.probe.reach(step)?;
        check_space(&self.folder, 0, &self.probe)
    }
}

#[expect(clippy::disallowed_methods, reason = "waits for nothing: it makes way")]
fn pause() {
    thread::sleep(PAUSE);
}

/// Writes all records of a database anew while nobody changes any, and closes it. The new generation counts when the mark
/// says so; where this fails, nothing is left of it.
pub(super) fn rewrite(folder: &Path, cache_bytes: u64, old: Database, probe: &SharedProbe) -> Result<Database, String> {
    let outcome = generations::next(folder).map_err(|cause| cause.to_string()).and_then(|generation| {
        let outcome = guarded(|| rewrite_into(folder, generation, cache_bytes, &old, probe));
        if outcome.is_err() {
            // Now, and not at the next attempt: whatever room somebody makes until then is for that one.
            remove(folder, generation);
        }
        outcome
    });
    drop_guarded(old);
    outcome
}

fn rewrite_into(
    folder: &Path,
    generation: u64,
    cache_bytes: u64,
    old: &Database,
    probe: &SharedProbe,
) -> Result<Database, String> {
    check_space(folder, expected(old.tally.bytes, OVERHEAD), probe)?;
    let records = records_of(folder, generation);
    generations::create(&records).map_err(|cause| cause.to_string())?;
    let mut fresh = open_fresh(&records, generation, cache_bytes)?;
    fill(&old.tree, &mut fresh, |_| check_space(folder, 0, probe))?;
    Changed(BTreeSet::new()).complete(old, &mut fresh)?;
    generations::sync(&records).map_err(|cause| cause.to_string())?;
    Ok(fresh)
}

/// A database in a folder that was just made.
pub(super) fn open_fresh(records: &Path, generation: u64, cache_bytes: u64) -> Result<Database, String> {
    let tree = opening::open_tree(records, cache_bytes).map_err(|cause| cause.to_string())?;
    let file = OpenOptions::new().write(true).open(records.join(DATABASE)).map_err(|cause| cause.to_string())?;
    Ok(Database { tree, file, commits: 0, generation, tally: Tally::default() })
}

/// Copies all records but the number of the last batch, in the order of their keys. Now and then, while nothing is read, it
/// asks `go_on`, to which it says up to which key it has come.
///
/// One by one and not in batches: sled lets nobody into any database of the process while it writes a batch.
fn fill(
    old: &sled::Tree,
    fresh: &mut Database,
    mut go_on: impl FnMut(Option<&IVec>) -> Result<(), String>,
) -> Result<(), String> {
    let mut copied: Option<IVec> = None;
    let mut synced = 0;
    loop {
        go_on(copied.as_ref())?;
        let mut last = None;
        let from = copied.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        for entry in old.range::<&[u8], _>((from, Bound::Unbounded)).take(SLICE) {
            let (key, value) = entry.map_err(|cause| cause.to_string())?;
            put(fresh, &key, Some(&value))?;
            last = Some(key);
        }
        if last.is_none() {
            break;
        }
        copied = last;
        if fresh.tally.bytes - synced >= SYNC_BYTES {
            synced = fresh.tally.bytes;
            sync(fresh)?;
        }
    }
    sync(fresh)
}

fn copy_changed(old: &sled::Tree, fresh: &mut Database, changed: &BTreeSet<IVec>) -> Result<(), String> {
    for key in changed {
        let value = old.get(key).map_err(|cause| cause.to_string())?;
        put(fresh, key, value.as_deref())?;
    }
    Ok(())
}

/// Writes one record, or removes it. The number of the last batch is left alone.
pub(super) fn put(fresh: &mut Database, key: &[u8], value: Option<&[u8]>) -> Result<(), String> {
    if key == COMMITS {
        return Ok(());
    }
    let before = match value {
        Some(value) => fresh.tree.insert(key, value),
        None => fresh.tree.remove(key),
    };
    let before = before.map_err(|cause| cause.to_string())?;
    fresh.tally.replace(key, before.as_deref(), value);
    Ok(())
}

/// Nobody else has this database yet, so nobody else's flush is in the way.
pub(super) fn sync(fresh: &Database) -> Result<(), String> {
    fresh.tree.flush().map_err(|cause| cause.to_string())?;
    rustix::fs::fdatasync(&fresh.file).map_err(|cause| cause.to_string())
}

/// A rewriting that filled the disk would take the old database down with it.
fn check_space(folder: &Path, bytes: u64, probe: &SharedProbe) -> Result<(), String> {
    let disk = rustix::fs::statvfs(folder).map_err(|cause| cause.to_string())?;
    let free = probe.free_bytes(disk.f_bavail.saturating_mul(disk.f_frsize));
    let needed = bytes.saturating_add(RESERVE);
    if free < needed {
        return Err(format!("the disk has {free} bytes left, and {needed} are needed; make room on it"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::super::Probe;
    use super::*;

    /// Changes so many records before each round of copying what was changed, and before all others the last number.
    struct Busy {
        changes: &'static [usize],
        shared: Arc<Mutex<Option<Arc<Shared>>>>,
        rounds: Arc<AtomicUsize>,
    }

    impl Probe for Busy {
        fn reach(&mut self, step: CommitStep) -> io::Result<()> {
            if step == CommitStep::CatchUp {
                let round = self.rounds.fetch_add(1, Ordering::SeqCst);
                let count = self.changes[round.min(self.changes.len() - 1)];
                let shared = self.shared.lock().expect("unpoisoned");
                let mut changed = shared.as_ref().expect("begun").changed.lock().expect("unpoisoned");
                changed.extend((0..count).map(|number| IVec::from(&number.to_be_bytes())));
            }
            Ok(())
        }
    }

    /// Changes one record each time before more are copied, and looks how many are remembered.
    struct OneEachTime {
        number: usize,
        shared: Arc<Mutex<Option<Arc<Shared>>>>,
        remembered: Arc<Mutex<Vec<usize>>>,
    }

    impl Probe for OneEachTime {
        fn reach(&mut self, step: CommitStep) -> io::Result<()> {
            if step == CommitStep::Copy {
                let shared = self.shared.lock().expect("unpoisoned");
                let shared = shared.as_ref().expect("begun");
                self.remembered.lock().expect("unpoisoned").push(shared.left());
                shared.changed.lock().expect("unpoisoned").insert(IVec::from(&self.number.to_be_bytes()));
            }
            Ok(())
        }
    }

    /// The thread that copies [`MOST_LEFT`] records and one more has done what it can, with a probe that is told what it
    /// shares: the number of records it has copied, and of those it has left.
    fn copied_with(probe: impl Probe + 'static, shared: &Mutex<Option<Arc<Shared>>>) -> Result<(u64, usize), String> {
        let folder = tempfile::tempdir().expect("a folder");
        let old = sled::Config::new().path(folder.path().join("old")).flush_every_ms(None).open().expect("it opens");
        for number in 0..=MOST_LEFT {
            old.insert(number.to_be_bytes(), b"a record").expect("inserted");
        }
        let probe = SharedProbe(Arc::new(Mutex::new(Box::new(probe))));
        let (rewrite, copy) = begin(folder.path(), 1, 1 << 20, (*old).clone(), 0, probe);
        *shared.lock().expect("unpoisoned") = Some(Arc::clone(&rewrite.shared));
        copy();
        assert!(rewrite.is_done());
        let generation = records_of(folder.path(), 1);
        let ended = rewrite.end().map(|(fresh, Changed(left))| (fresh.tally.records, left.len()));
        assert_eq!(generation.exists(), ended.is_ok(), "what was given up is removed");
        ended
    }

    /// How many rounds were begun while records were changed like this, and how many records were left.
    fn rounds_of(changes: &'static [usize]) -> (usize, usize) {
        let (shared, rounds) = (Arc::default(), Arc::default());
        let busy = Busy { changes, shared: Arc::clone(&shared), rounds: Arc::clone(&rounds) };
        let (copied, left) = copied_with(busy, &shared).expect("copied");
        assert_eq!(copied, MOST_LEFT as u64 + 1);
        (rounds.load(Ordering::SeqCst), left)
    }

    #[test]
    fn a_rewriting_is_given_up_where_more_is_changed_than_can_be_copied() {
        let (shared, rounds) = (Arc::default(), Arc::default());
        let busy = Busy { changes: &[MOST_LEFT + 1], shared: Arc::clone(&shared), rounds: Arc::clone(&rounds) };
        assert_eq!(copied_with(busy, &shared), Err("more is changed than can be copied".to_owned()));
        assert_eq!(rounds.load(Ordering::SeqCst), MOST_ROUNDS);
    }

    #[test]
    fn a_change_is_remembered_only_once_its_record_was_copied() {
        let (shared, remembered) = (Arc::default(), Arc::default());
        // The last one of the fifth slice.
        let number = 5 * SLICE - 1;
        let probe = OneEachTime { number, shared: Arc::clone(&shared), remembered: Arc::clone(&remembered) };
        assert_eq!(copied_with(probe, &shared), Ok((MOST_LEFT as u64 + 1, 1)));
        assert_eq!(*remembered.lock().expect("unpoisoned"), [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn changed_records_are_copied_until_few_are_left() {
        assert_eq!(rounds_of(&[0]), (1, 0));
        assert_eq!(rounds_of(&[FEW]), (1, FEW));
        assert_eq!(rounds_of(&[MOST_LEFT + 1, MOST_LEFT, 300, FEW]), (4, FEW));
    }

    #[test]
    fn a_rewriting_ends_where_so_many_call_that_more_than_a_few_are_always_left() {
        assert_eq!(rounds_of(&[128]), (2, 128));
        assert_eq!(rounds_of(&[MOST_LEFT + 1, MOST_LEFT]), (3, MOST_LEFT));
    }

    #[test]
    fn more_than_the_committer_may_copy_at_once_is_never_left_to_it() {
        assert_eq!(rounds_of(&[MOST_LEFT + 1, MOST_LEFT + 1, MOST_LEFT + 1, 400, 400]), (5, 400));
    }

    #[test]
    fn a_fresh_database_that_lacks_a_change_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let filled = |name, value: &[u8]| {
            let mut database = open_fresh(&folder.path().join(name), 0, 1 << 20).expect("it opens");
            put(&mut database, b"g1", Some(value)).expect("put");
            database
        };
        let (old, mut fresh) = (filled("old", b"after"), filled("fresh", b"befor"));
        assert!(Changed(BTreeSet::new()).complete(&old, &mut fresh).is_err());
        assert_eq!(Changed([IVec::from(b"g1")].into()).complete(&old, &mut fresh), Ok(()));
    }
}
