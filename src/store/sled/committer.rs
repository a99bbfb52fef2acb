//! The committer: one thread that owns all writes.
//!
//! It takes all steps that wait or are about to come, decides each in order (a step sees what those before it did), writes
//! them as one batch, makes that durable with one sync, and only then answers them all. So of two that race one is decided
//! after the other, and many share the price of one sync. Of a batch that was not answered a crash leaves whole steps.
//!
//! sled's `flush` alone asks the disk for no barrier; the `fdatasync` of ours after it does. Nothing else calls `flush`,
//! `flush_async` or `transaction`.

use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sled::IVec;

use super::batch::{Batch, Decided, Writes};
use super::durable::Durable;
use super::generations;
use super::mark::{Mark, Marked};
use super::opening::{self, Database};
use super::queue::{Asked, Gathering, Job, gone};
use super::records::{self, COMMITS, Kind};
use super::rewrite::{self, Rewrite};
use super::rewriting::{LOOK_EVERY, Rewriting};
use super::tally::Tally;
use super::{CommitStep, Figures, SharedProbe, codec, unavailable};
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
    probe: SharedProbe,
    mark: Mark,
    durable: Arc<Durable>,
    figures: Arc<Mutex<Figures>>,
    state: State,
    /// The number of the last batch that is durable, where it is, and what lived then.
    commits: u64,
    generation: u64,
    tally: Tally,
    /// The folders that the mark on the disk may name: the one that its last good sync made it name, and all that were
    /// written into it since.
    named: Vec<u64>,
    rewriting: Rewriting,
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
    /// On a database that was just opened, or written anew. `marked`: what was promised before.
    pub(super) fn new(
        options: StoreOptions,
        clock: Arc<dyn Clock>,
        probe: SharedProbe,
        mark: Mark,
        database: Database,
        marked: Option<Marked>,
    ) -> Self {
        let durable = Arc::new(Durable::new((*database.tree).clone()));
        let Database { commits, generation, tally, .. } = database;
        let state = State::Open { database, volatile_since: None };
        let rewriting = Rewriting::new(probe.clone());
        let figures = Arc::default();
        let named = vec![marked.map_or(generation, |marked| marked.generation)];
        // Something that was answered may be missing, so that refresh tokens may be ahead of what is stored.
        let has_lost_moments = marked.is_some_and(|marked| marked.in_use == Some(Durability::Periodic));
        Self {
            options,
            clock,
            probe,
            mark,
            durable,
            figures,
            state,
            commits,
            generation,
            tally,
            named,
            rewriting,
            has_lost_moments,
        }
    }

    /// What is known of how much it holds.
    pub(super) fn figures(&self) -> Arc<Mutex<Figures>> {
        Arc::clone(&self.figures)
    }

    /// What readers share with it.
    pub(super) fn durable(&self) -> Arc<Durable> {
        Arc::clone(&self.durable)
    }

    /// Takes a database into use that was just opened, durably.
    pub(super) fn begin(&mut self) -> Result<(), String> {
        let State::Open { database, .. } = &self.state else { return Err("the database is closed".to_owned()) };
        let mut batch = Batch::new(&database.tree);
        if self.has_lost_moments {
            tracing::warn!("the store was not closed in good order and may have lost its last 500 ms");
            let recovered = codec::encode(&self.clock.now()).expect("a time takes few bytes");
            batch.add([(Kind::Recovered.key(&[]), Some(recovered))].into());
        }
        self.apply(batch.end().map_err(|cause| cause.to_string())?)?;
        self.sync()?;
        self.durable.release();
        self.mark.write_and_sync(self.marked()).map_err(|cause| cause.to_string())?;
        if self.named != [self.generation] {
            self.probe.reach(CommitStep::Switched)?;
        }
        self.has_lost_moments = false;
        self.named = vec![self.generation];
        self.remove_others();
        self.measure();
        Ok(())
    }

    /// Removes all records but those that the mark on the disk may name; those that count are among them.
    fn remove_others(&self) {
        if let Err(cause) = generations::remove_others(&self.options.path, &self.named) {
            tracing::warn!(folder = %self.options.path.display(), %cause, "records that do not count cannot be removed yet");
        }
    }

    /// What is promised while it is in use.
    fn marked(&self) -> Marked {
        let Self { options, commits, generation, tally, .. } = self;
        Marked {
            in_use: Some(options.durability),
            is_distrusted: false,
            commits: *commits,
            generation: *generation,
            tally: Some(*tally),
        }
    }

    /// Notes for the next start that a write or a sync may have failed: it must not trust the file that this one does not
    /// trust either.
    pub(super) fn distrust(&self) {
        // What may be lost stays known.
        let in_use = if self.has_lost_moments { Durability::Periodic } else { self.options.durability };
        self.mark.distrust(Marked { in_use: Some(in_use), ..self.marked() });
    }

    /// Makes all steps that come, and closes the database when none can come any more.
    pub(super) fn run(mut self, jobs: &Receiver<Asked>) {
        loop {
            let until_sync = self.volatile_for().map(|volatile| SYNC_EVERY.saturating_sub(volatile));
            let until_look = self.rewriting.is_on().then_some(LOOK_EVERY);
            let first = match until_sync.into_iter().chain(until_look).min() {
                None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(wait) => jobs.recv_timeout(wait),
            };
            match first {
                Ok(Asked::Step(first)) => self.serve(first, jobs),
                Ok(Asked::Rewrite(answer)) => self.rewriting.ask(answer),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.volatile_for().is_some_and(|volatile| volatile >= SYNC_EVERY) {
                let synced = guarded(|| self.sync());
                // Nobody waits for it: whoever comes next is told.
                let _ = self.note(synced);
                self.measure();
            }
            let tended = guarded(|| {
                self.tend();
                Ok(())
            });
            // Nobody waits for it: whoever comes next is told.
            let _ = self.note(tended);
        }
        self.close();
    }

    /// One batch: `first`, all that wait, and those that come while it is gathered.
    fn serve(&mut self, first: Box<dyn Job>, jobs: &Receiver<Asked>) {
        if let Err(refused) = self.reopen_if_broken() {
            first.answer(Err(refused));
            return;
        }
        let begun = now();
        let mut steps = vec![first];
        let committed = guarded(|| self.commit(&mut steps, jobs));
        #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
        metrics::histogram!("jotsmith_store_batch_steps").record(steps.len() as f64);
        metrics::histogram!("jotsmith_store_commit_seconds").record(begun.elapsed().as_secs_f64());
        let outcome = self.note(committed);
        // Before anybody is answered, who will find their step in the figures.
        self.measure();
        for step in steps {
            step.answer(outcome.clone());
        }
    }

    fn commit(&mut self, steps: &mut Vec<Box<dyn Job>>, jobs: &Receiver<Asked>) -> Result<(), String> {
        let State::Open { database, .. } = &self.state else { return Err("the database is closed".to_owned()) };
        let mut batch = Batch::new(&database.tree);
        let mut gathering = Gathering::new(jobs);
        let mut decided = 0;
        loop {
            let mut view = batch.view();
            steps[decided].decide(&mut view).map_err(|cause| cause.to_string())?;
            decided += 1;
            let done = view.into_writes();
            batch.add(done);
            if batch.bytes() >= LARGEST_BATCH_BYTES || decided >= LARGEST_BATCH_STEPS {
                break;
            }
            match gathering.next() {
                Some(Asked::Step(step)) => steps.push(step),
                Some(Asked::Rewrite(answer)) => {
                    self.rewriting.ask(answer);
                    break;
                }
                None => break,
            }
        }
        let decided = batch.end().map_err(|cause| cause.to_string())?;
        if decided.writes.is_empty() {
            return Ok(());
        }
        self.apply(decided)?;
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

    /// Writes a batch into the tree.
    fn apply(&mut self, Decided { writes, before, in_turn }: Decided) -> Result<(), String> {
        let State::Open { database, .. } = &mut self.state else { return Err("the database is closed".to_owned()) };
        self.probe.reach(CommitStep::Apply)?;
        let mut tally = database.tally;
        for (key, value) in &writes {
            tally.replace(key, before.get(key).and_then(Option::as_deref), value.as_deref());
        }
        self.durable.hold(before);
        let commits = records::encode_commits(database.commits + 1);
        let written = match in_turn {
            Some(in_turn) => write_in_turn(&database.tree, commits, &in_turn, &writes),
            None => write_at_once(&database.tree, commits, &writes),
        };
        written.map_err(|cause| cause.to_string())?;
        database.commits += 1;
        database.tally = tally;
        self.rewriting.note(writes.keys());
        Ok(())
    }

    /// Makes all that was applied durable.
    fn sync(&mut self) -> Result<(), String> {
        let State::Open { database, volatile_since } = &mut self.state else {
            return Err("the database is closed".to_owned());
        };
        self.probe.reach(CommitStep::Flush)?;
        database.tree.flush().map_err(|cause| cause.to_string())?;
        self.probe.reach(CommitStep::Sync)?;
        rustix::fs::fdatasync(&database.file).map_err(|cause| cause.to_string())?;
        metrics::counter!("jotsmith_store_syncs_total").increment(1);
        self.probe.reach(CommitStep::Answer)?;
        *volatile_since = None;
        (self.commits, self.generation, self.tally) = (database.commits, database.generation, database.tally);
        note_named(&mut self.named, self.generation);
        self.mark.write(self.marked()).map_err(|cause| cause.to_string())
    }

    /// Sees to the rewriting of records: ends one that is done, begins one that is due.
    fn tend(&mut self) {
        let figures = *self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        let State::Open { database, .. } = &self.state else { return };
        let StoreOptions { path, cache_bytes, .. } = &self.options;
        match self.rewriting.done() {
            Some(done) => self.switch(done),
            None => self.rewriting.begin_if_due(path, *cache_bytes, database, figures),
        }
    }

    /// Completes a fresh database and makes it the one that counts.
    fn switch(&mut self, done: Rewrite) {
        let State::Open { database, volatile_since } = &mut self.state else { return };
        let StoreOptions { path, .. } = &self.options;
        let (begun, paused) = (done.begun, now());
        let (mut fresh, changed) = match done.end() {
            Ok(done) => done,
            Err(cause) => return self.rewriting.failed(&cause),
        };
        let probe = &self.probe;
        let completed = guarded(|| {
            probe.reach(CommitStep::Complete)?;
            changed.complete(database, &mut fresh)?;
            probe.reach(CommitStep::Switch)
        });
        if let Err(cause) = completed {
            self.rewriting.remove(path, fresh);
            return self.rewriting.failed(&cause);
        }
        let marked = Marked {
            in_use: Some(self.options.durability),
            is_distrusted: false,
            commits: fresh.commits,
            generation: fresh.generation,
            tally: Some(fresh.tally),
        };
        (self.commits, self.generation, self.tally) = (fresh.commits, fresh.generation, fresh.tally);
        note_named(&mut self.named, fresh.generation);
        let switched = self.mark.write_and_sync(marked).map_err(|cause| cause.to_string());
        if let Err(cause) = switched.and_then(|()| self.probe.reach(CommitStep::Switched)) {
            // Which one the mark on the disk names is not known. Each has all; none may get more before it is.
            self.rewriting.failed(&cause);
            // Nobody waits for it: whoever comes next is told.
            let _ = self.note(Err(cause));
            drop_guarded(fresh);
            return;
        }
        self.named = vec![self.generation];
        self.durable.open((*fresh.tree).clone());
        *volatile_since = None;
        let old = std::mem::replace(database, fresh);
        let pause = paused.elapsed();
        let figures = self.measure();
        self.rewriting.succeeded(&self.options.path, old, figures, begun, pause);
    }

    /// How much the store holds; told to whoever asks for it.
    fn measure(&self) -> Figures {
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        let State::Open { database, .. } = &self.state else { return *figures };
        let disk_bytes = database.file.metadata().map_or(figures.disk_bytes, |metadata| metadata.len());
        let Tally { records, bytes, .. } = database.tally;
        *figures = Figures { live_records: records, live_bytes: bytes, disk_bytes };
        #[expect(clippy::cast_precision_loss, reason = "nobody needs the last byte of what is beyond 2^53")]
        {
            metrics::gauge!("jotsmith_store_live_records").set(records as f64);
            metrics::gauge!("jotsmith_store_live_bytes").set(bytes as f64);
            metrics::gauge!("jotsmith_store_disk_bytes").set(disk_bytes as f64);
        }
        *figures
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
        self.rewriting.give_up(&self.options.path, &refused.cause);
        self.has_lost_moments |= self.volatile_for().is_some();
        self.distrust();
        let broken = State::Broken { cause, next_try: now() + back_off, back_off };
        let old = std::mem::replace(&mut self.state, broken);
        drop_guarded(old);
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
            let refused = self.break_with(cause, back_off);
            // Before whoever makes room until the next attempt: it is the room for that one.
            self.remove_others();
            return refused;
        }
        tracing::info!(folder = %self.options.path.display(), "the store works again");
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), String> {
        self.probe.reach(CommitStep::Reopen)?;
        // What is left of others takes room that this one needs.
        self.remove_others();
        let StoreOptions { path, cache_bytes, .. } = &self.options;
        let old =
            opening::open(path, *cache_bytes, Some(self.marked()), &self.probe).map_err(|cause| cause.to_string())?;
        let database = rewrite::rewrite(path, *cache_bytes, old, &self.probe)?;
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
        self.rewriting.give_up(&self.options.path, &gone().cause);
        let marked = self.marked();
        let Self { state, mark, .. } = self;
        let State::Open { database, .. } = state else { return };
        let closed = guarded(|| {
            drop(database);
            mark.write_and_sync(Marked { in_use: None, ..marked }).map_err(|cause| cause.to_string())
        });
        if let Err(cause) = closed {
            tracing::warn!(%cause, "the store was not closed in good order");
            mark.distrust(marked);
        }
    }
}

/// Writes one after the other; of which a crash may leave the first few. The number of the batch comes before them all: with
/// it nobody takes a part of the batch for what the one before had promised.
fn write_in_turn(tree: &sled::Tree, commits: IVec, in_turn: &[IVec], writes: &Writes) -> sled::Result<()> {
    tree.insert(COMMITS, commits)?;
    for key in in_turn {
        match &writes[key] {
            Some(value) => tree.insert(key, value)?,
            None => tree.remove(key)?,
        };
    }
    Ok(())
}

/// Writes all, of which a crash leaves all or nothing.
fn write_at_once(tree: &sled::Tree, commits: IVec, writes: &Writes) -> sled::Result<()> {
    let mut batch = sled::Batch::default();
    batch.insert(COMMITS, commits);
    for (key, value) in writes {
        match value {
            Some(value) => batch.insert(key, value),
            None => batch.remove(key),
        }
    }
    tree.apply_batch(batch)
}

/// sled asserts where it cannot go on. That is a failure like any other: it ends the handle, not the thread.
pub(super) fn guarded<T>(act: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|_| Err("sled panicked".to_owned()))
}

/// Takes note that the mark is about to name a folder.
fn note_named(named: &mut Vec<u64>, generation: u64) {
    if !named.contains(&generation) {
        named.push(generation);
    }
}

/// Drops what holds a database that counts no more, or is opened anew. sled syncs once more then, and panics where that
/// fails; nothing depends on it.
pub(super) fn drop_guarded<T>(held: T) {
    let _ = guarded(|| {
        drop(held);
        Ok(())
    });
}

#[expect(clippy::disallowed_methods, reason = "measures spans on this machine, and decides nothing of the protocol")]
pub(super) fn now() -> Instant {
    Instant::now()
}
