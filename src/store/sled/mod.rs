//! The embedded store: sled 0.34.7 behind one committer (`committer.rs`), so that an answer is given only when what it
//! rests on is durable.
//!
//! Every verb is a step over a view of the records, decided inside the committer by the pure rules of the concepts; the
//! reads beside it see only what is durable. Whatever fails in a commit answers all that took part with
//! [`StoreUnavailable`], and the database is opened anew.

mod batch;
mod codec;
mod codes;
mod committer;
mod counting;
mod durable;
mod expiry;
mod export;
mod generations;
mod grants;
mod helper;
mod import;
mod kept;
mod mark;
mod once;
mod opening;
mod published;
mod queue;
mod records;
mod rewrite;
mod rewriting;
mod selection;
mod sessions;
mod tally;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use self::batch::View;
use self::committer::Committer;
use self::durable::Durable;
pub use self::import::{ImportFailed, ImportTerms, Imported, import, import_with_probe};
use self::mark::{Mark, Marked};
use self::opening::Database;
pub use self::opening::OpenFailed;
use self::queue::Queue;
use self::records::Fault;
use super::StoreOptions;
use crate::foundation::clock::Clock;
use crate::foundation::storage::{StoreHealth, StoreUnavailable, Stored};

/// The embedded store. Dropping it makes the last steps durable and closes the database.
pub struct SledStore {
    queue: Queue,
    durable: Arc<Durable>,
    /// The key up to which the sweeper has come.
    swept: Mutex<sled::IVec>,
    figures: Arc<Mutex<Figures>>,
    is_new: bool,
}

/// How much a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// How many records live.
    pub live_records: u64,
    /// How many bytes they and their keys have.
    pub live_bytes: u64,
    /// How many bytes the file of the records has on the disk.
    pub disk_bytes: u64,
}

impl SledStore {
    /// Opens the store of a folder, which is made where it is missing, and locks it. Reads all that is there once.
    pub fn open(options: StoreOptions, clock: Arc<dyn Clock>) -> Result<Self, OpenFailed> {
        Self::open_with_probe(options, clock, Box::new(NoProbe))
    }

    /// The same, with a probe between the steps of every commit.
    pub fn open_with_probe(
        options: StoreOptions,
        clock: Arc<dyn Clock>,
        probe: Box<dyn Probe>,
    ) -> Result<Self, OpenFailed> {
        let folder = options.path.clone();
        opening::make_folder(&folder)?;
        let (mark, marked) = Mark::lock(&folder)?;
        opening::close_to_others(&folder)?;
        let probe = SharedProbe(Arc::new(Mutex::new(probe)));
        let database = open_trusted(&options, &mark, marked, &probe).inspect_err(|error| {
            if let (OpenFailed::Io { .. }, Some(marked)) = (error, marked) {
                mark.distrust(marked);
            }
        })?;
        let mut committer = Committer::new(options, clock, probe, mark, database, marked);
        let (durable, figures) = (committer.durable(), committer.figures());
        let failed = |cause: String| OpenFailed::Io { folder: folder.clone(), cause };
        if let Err(cause) = committer::guarded(|| committer.begin()) {
            // What shares the database goes first.
            drop(durable);
            if marked.is_some() {
                committer.distrust();
            }
            committer::drop_guarded(committer);
            return Err(failed(cause));
        }
        let queue = Queue::start(|jobs| committer.run(jobs)).map_err(|cause| OpenFailed::io(&folder, &cause))?;
        Ok(Self { queue, durable, swept: Mutex::default(), figures, is_new: marked.is_none() })
    }

    /// Whether there was no store before it was opened.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Closes it: makes what waits durable, and takes no further step. To be called before a process ends, for its other
    /// threads may still hold the store when it does.
    pub fn close(&self) {
        self.queue.close();
    }

    /// How much it holds, with every step that was answered.
    pub fn figures(&self) -> Figures {
        *self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes all records anew, so that the disk holds hardly more than what lives; requests go on meanwhile. The store
    /// does this by itself where there is need.
    pub fn rewrite(&self) -> Stored<'_, ()> {
        Box::pin(self.queue.rewrite())
    }

    /// Makes a step, durably.
    async fn make<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut View<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreUnavailable> {
        self.queue.make(step).await
    }

    /// Reads what is durable.
    async fn read<T>(&self, read: impl FnOnce(&durable::Tree) -> Result<T, Fault>) -> Result<T, StoreUnavailable> {
        if self.durable.is_closed() {
            // A step that does nothing, for every step first opens the database anew.
            self.make(|_| Ok(())).await?;
        }
        self.durable.read(read)
    }
}

/// Opens the records that count. Where a write or a sync of their file has failed before, they are written into a fresh
/// one: this start would be told of none of it.
fn open_trusted(
    options: &StoreOptions,
    mark: &Mark,
    marked: Option<Marked>,
    probe: &SharedProbe,
) -> Result<Database, OpenFailed> {
    let StoreOptions { path, cache_bytes, .. } = options;
    let database = opening::open(path, *cache_bytes, marked, probe)?;
    let Some(marked) = marked.filter(|marked| marked.is_distrusted) else { return Ok(database) };
    tracing::warn!(folder = %path.display(), "the store failed before it was closed, and its records are written anew");
    // What earlier attempts have left takes room that this one needs. First the disk must name none of them.
    let named = mark.write_and_sync(marked).and_then(|()| generations::remove_others(path, &[marked.generation]));
    if let Err(cause) = named {
        committer::drop_guarded(database);
        return Err(OpenFailed::io(path, &cause));
    }
    let fresh = rewrite::rewrite(path, *cache_bytes, database, probe);
    fresh.map_err(|cause| OpenFailed::Io { folder: path.clone(), cause })
}

impl fmt::Debug for SledStore {
    /// Not what it holds, which sled would print.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledStore").field("is_new", &self.is_new).finish_non_exhaustive()
    }
}

impl StoreHealth for SledStore {
    fn health(&self) -> Result<(), StoreUnavailable> {
        self.durable.read(|_| Ok(()))
    }
}

/// Whether nothing was ever stored in a folder: it is not there, or holds nothing.
pub fn is_new(folder: &Path) -> io::Result<bool> {
    match mark::has_content(folder) {
        Ok(has_content) => Ok(!has_content),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(cause) => Err(cause),
    }
}

/// Where a commit is about to go on; or an import, which copies, completes and switches too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommitStep {
    /// The database is being opened and was read; the disk will be asked for all that its file holds.
    Open,
    /// The steps are decided; the batch will be written into the tree.
    Apply,
    /// The batch is in the tree; it will be written to the operating system.
    Flush,
    /// The operating system has it; the disk will be asked for it.
    Sync,
    /// It is durable; the steps will be answered.
    Answer,
    /// A commit failed; the database will be opened anew.
    Reopen,
    /// All records are being written anew; more of them will be copied.
    Copy,
    /// All were copied; those that were changed meanwhile will be.
    CatchUp,
    /// Few are left; the committer will copy these and ask the disk for them.
    Complete,
    /// The fresh database has all; the mark will name it.
    Switch,
    /// The mark names it; from now on it counts. Also where the database was opened anew after a failure.
    Switched,
    /// The old one will be removed.
    Remove,
}

/// Stands between the steps of every commit: a look at what a crash at that point would leave, and the way to make a disk
/// fail that does not.
pub trait Probe: Send {
    /// The commit is about to take this step. With an error it fails there.
    fn reach(&mut self, step: CommitStep) -> io::Result<()>;

    /// How much room the disk has for a rewriting, in bytes, where the system says `free`. With less it has less.
    fn free_bytes(&mut self, free: u64) -> u64 {
        free
    }
}

/// The probe, for all threads that have steps.
#[derive(Clone)]
struct SharedProbe(Arc<Mutex<Box<dyn Probe>>>);

impl SharedProbe {
    fn reach(&self, step: CommitStep) -> Result<(), String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).reach(step).map_err(|cause| cause.to_string())
    }

    fn free_bytes(&self, free: u64) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).free_bytes(free)
    }
}

/// Lets every commit pass.
struct NoProbe;

impl Probe for NoProbe {
    fn reach(&mut self, _: CommitStep) -> io::Result<()> {
        Ok(())
    }
}

/// How long a caller is told to wait after a failure.
const RETRY_AFTER_FAILURE: Duration = Duration::from_secs(1);

fn unavailable(cause: &impl ToString) -> StoreUnavailable {
    StoreUnavailable { cause: cause.to_string(), retry_after: RETRY_AFTER_FAILURE }
}
