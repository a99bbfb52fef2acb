//! The committer: one thread that owns all writes.
//!
//! It takes all steps that wait, decides each in order (a step sees what those before it did), writes them as one atomic
//! batch, makes that durable with one sync, and only then answers them all. So of two that race one is decided after the
//! other, and many share the price of one sync.
//!
//! sled's `flush` alone asks the disk for no barrier; the `fdatasync` of ours after it does. Nothing else calls `flush`,
//! `flush_async` or `transaction`.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use super::durable::Durable;
use super::mark::{Mark, Marked};
use super::opening::{self, Database};
use super::queue::{Job, gone};
use super::records::{self, COMMITS, Kind, View, Writes};
use super::rewrite;
use super::{CommitStep, Probe, codec, unavailable};
use crate::foundation::clock::Clock;
use crate::foundation::storage::StoreUnavailable;
use crate::store::{Durability, StoreOptions};

/// How many steps one batch may hold.
const LARGEST_BATCH_STEPS: usize = 1024;

/// How many bytes of records a batch may hold before it takes no further step. Within it one sync costs the same.
const LARGEST_BATCH_BYTES: usize = 128 * 1024;

/// How long what was answered may stay volatile with [`Durability::Periodic`].
const SYNC_EVERY: Duration = Duration::from_millis(500);

/// How long after a failed reopening the next is tried, at first and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// What the thread owns.
pub(super) struct Committer {
    options: StoreOptions,
    clock: Arc<dyn Clock>,
    probe: Box<dyn Probe>,
    mark: Mark,
    durable: Arc<Durable>,
    state: State,
    /// The number of the last batch that is durable.
    commits: u64,
    /// Whether batches were answered that the database may not have.
    has_lost_moments: bool,
}

enum State {
    Open {
        database: Database,
        /// The oldest batch that was answered and is not durable yet; only with [`Durability::Periodic`].
        volatile_since: Option<Instant>,
    },
    /// Something failed. sled keeps an error for the life of its handle, and a sync after a failed one may claim what is
    /// not so: the handle is gone, and a new one is needed.
    Broken { cause: String, next_try: Instant, back_off: Duration },
}

impl Committer {
    /// On a database that was just opened. `has_lost_moments`: something that was answered may be missing from
    /// it, so that refresh tokens may be ahead of it.
    pub(super) fn new(
        options: StoreOptions,
        clock: Arc<dyn Clock>,
        probe: Box<dyn Probe>,
        mark: Mark,
        database: Database,
        has_lost_moments: bool,
    ) -> Self {
        let durable = Arc::new(Durable::new((*database.tree).clone()));
        let commits = database.commits;
        let state = State::Open { database, volatile_since: None };
        Self { options, clock, probe, mark, durable, state, commits, has_lost_moments }
    }

    /// What readers share with it.
    pub(super) fn durable(&self) -> Arc<Durable> {
        Arc::clone(&self.durable)
    }

    /// Takes a database into use that was just opened, durably.
    pub(super) fn begin(&mut self) -> Result<(), String> {
        let mut writes = Writes::new();
        if self.has_lost_moments {
            tracing::warn!("the store was not closed in good order and may have lost its last 500 ms");
            let recovered = codec::encode(&self.clock.now()).expect("a time takes few bytes");
            writes.insert(Kind::Recovered.key(&[]), Some(recovered));
        }
        self.apply(writes)?;
        self.sync()?;
        self.durable.release();
        let marked = Marked { in_use: Some(self.options.durability), commits: self.commits };
        self.mark.write_and_sync(marked).map_err(|cause| cause.to_string())?;
        self.has_lost_moments = false;
        Ok(())
    }

    /// Makes all steps that come, and closes the database when none can come any more.
    pub(super) fn run(mut self, jobs: &Receiver<Box<dyn Job>>) {
        loop {
            let first = match self.volatile_for() {
                None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(volatile) => jobs.recv_timeout(SYNC_EVERY.saturating_sub(volatile)),
            };
            match first {
                Ok(first) => self.serve(first, jobs),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.volatile_for().is_some_and(|volatile| volatile >= SYNC_EVERY) {
                let synced = guarded(|| self.sync());
                // Nobody waits for it: whoever comes next is told.
                let _ = self.note(synced);
            }
        }
        self.close();
    }

    /// One batch: `first` and all that wait.
    fn serve(&mut self, first: Box<dyn Job>, jobs: &Receiver<Box<dyn Job>>) {
        if let Err(refused) = self.reopen_if_broken() {
            first.answer(Err(refused));
            return;
        }
        let begun = now();
        let mut batch = vec![first];
        let committed = guarded(|| self.commit(&mut batch, jobs));
        #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
        metrics::histogram!("jotsmith_store_batch_steps").record(batch.len() as f64);
        metrics::histogram!("jotsmith_store_commit_seconds").record(begun.elapsed().as_secs_f64());
        let outcome = self.note(committed);
        for job in batch {
            job.answer(outcome.clone());
        }
    }

    fn commit(&mut self, batch: &mut Vec<Box<dyn Job>>, jobs: &Receiver<Box<dyn Job>>) -> Result<(), String> {
        let State::Open { database, .. } = &self.state else { return Err("the database is closed".to_owned()) };
        let mut writes = Writes::new();
        let mut bytes = 0;
        let mut decided = 0;
        loop {
            let mut view = View::new(&database.tree, &writes);
            batch[decided].decide(&mut view).map_err(|cause| cause.to_string())?;
            decided += 1;
            for (key, value) in view.into_writes() {
                bytes += key.len() + value.as_ref().map_or(0, Vec::len);
                writes.insert(key, value);
            }
            if bytes >= LARGEST_BATCH_BYTES || decided >= LARGEST_BATCH_STEPS {
                break;
            }
            match jobs.try_recv() {
                Ok(job) => batch.push(job),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        if writes.is_empty() {
            return Ok(());
        }
        self.apply(writes)?;
        match self.options.durability {
            Durability::Fsync => self.sync()?,
            Durability::Periodic => {
                if let State::Open { volatile_since, .. } = &mut self.state {
                    volatile_since.get_or_insert_with(now);
                }
            }
        }
        self.durable.release();
        Ok(())
    }

    /// Writes a batch into the tree, as a whole or not at all.
    fn apply(&mut self, writes: Writes) -> Result<(), String> {
        let State::Open { database, .. } = &mut self.state else { return Err("the database is closed".to_owned()) };
        self.probe.reach(CommitStep::Apply).map_err(|cause| cause.to_string())?;
        self.durable.hold(&writes).map_err(|cause| cause.to_string())?;
        let mut batch = sled::Batch::default();
        for (key, value) in writes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        batch.insert(COMMITS, records::encode_commits(database.commits + 1));
        database.tree.apply_batch(batch).map_err(|cause| cause.to_string())?;
        database.commits += 1;
        Ok(())
    }

    /// Makes all that was applied durable.
    fn sync(&mut self) -> Result<(), String> {
        let State::Open { database, volatile_since } = &mut self.state else {
            return Err("the database is closed".to_owned());
        };
        self.probe.reach(CommitStep::Flush).map_err(|cause| cause.to_string())?;
        database.tree.flush().map_err(|cause| cause.to_string())?;
        self.probe.reach(CommitStep::Sync).map_err(|cause| cause.to_string())?;
        rustix::fs::fdatasync(&database.file).map_err(|cause| cause.to_string())?;
        self.probe.reach(CommitStep::Answer).map_err(|cause| cause.to_string())?;
        self.commits = database.commits;
        *volatile_since = None;
        let marked = Marked { in_use: Some(self.options.durability), commits: self.commits };
        self.mark.write(marked).map_err(|cause| cause.to_string())
    }

    /// How long ago the oldest batch was answered that is not durable.
    fn volatile_for(&self) -> Option<Duration> {
        match &self.state {
            State::Open { volatile_since, .. } => volatile_since.map(|since| since.elapsed()),
            State::Broken { .. } => None,
        }
    }

    /// Where something failed, gives up the handle: nothing that it says can be trusted any more.
    fn note(&mut self, outcome: Result<(), String>) -> Result<(), StoreUnavailable> {
        let Err(cause) = outcome else { return Ok(()) };
        tracing::error!(%cause, "the store failed and is opened anew");
        self.break_with(cause, Duration::ZERO)
    }

    fn break_with(&mut self, cause: String, back_off: Duration) -> Result<(), StoreUnavailable> {
        let refused = StoreUnavailable { retry_after: back_off.max(super::RETRY_AFTER_FAILURE), ..unavailable(&cause) };
        self.durable.close(refused.clone());
        self.has_lost_moments |= self.volatile_for().is_some();
        let broken = State::Broken { cause, next_try: now() + back_off, back_off };
        let old = std::mem::replace(&mut self.state, broken);
        // sled syncs once more when it is dropped, and panics where that fails. The failure is known already.
        let _ = guarded(|| {
            drop(old);
            Ok(())
        });
        Err(refused)
    }

    fn reopen_if_broken(&mut self) -> Result<(), StoreUnavailable> {
        let State::Broken { cause, next_try, back_off } = &self.state else { return Ok(()) };
        let retry_after = next_try.saturating_duration_since(now());
        if !retry_after.is_zero() {
            return Err(StoreUnavailable { cause: cause.clone(), retry_after });
        }
        let back_off = (*back_off * 2).clamp(BACK_OFF.0, BACK_OFF.1);
        if let Err(cause) = guarded(|| self.reopen()) {
            tracing::error!(%cause, "the store cannot be opened anew");
            return self.break_with(cause, back_off);
        }
        tracing::info!(folder = %self.options.path.display(), "the store works again");
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), String> {
        self.probe.reach(CommitStep::Reopen).map_err(|cause| cause.to_string())?;
        let marked = Marked { in_use: Some(self.options.durability), commits: self.commits };
        let StoreOptions { path, cache_bytes, .. } = &self.options;
        let open = || opening::open(path, *cache_bytes, Some(marked)).map_err(|cause| cause.to_string());
        rewrite::rewrite(path, *cache_bytes, open()?)?;
        let database = open()?;
        let tree = (*database.tree).clone();
        self.state = State::Open { database, volatile_since: None };
        self.begin()?;
        self.durable.open(tree);
        Ok(())
    }

    /// Makes the last batches durable and closes the database in good order, if it can.
    fn close(mut self) {
        if self.volatile_for().is_some() {
            let synced = guarded(|| self.sync());
            // Told where it failed; nobody waits for it.
            let _ = self.note(synced);
        }
        self.durable.close(gone());
        let Self { state, mark, commits, .. } = self;
        let State::Open { database, .. } = state else { return };
        let closed = guarded(|| {
            drop(database);
            mark.write_and_sync(Marked { in_use: None, commits }).map_err(|cause| cause.to_string())
        });
        if let Err(cause) = closed {
            tracing::warn!(%cause, "the store was not closed in good order");
        }
    }
}

/// sled asserts where it cannot go on. That is a failure like any other: it ends the handle, not the thread.
fn guarded(act: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    panic::catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|_| Err("sled panicked".to_owned()))
}

#[expect(clippy::disallowed_methods, reason = "measures spans on this machine, and decides nothing of the protocol")]
fn now() -> Instant {
    Instant::now()
}
