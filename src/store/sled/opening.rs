//! Opening the database: what must be cleared away first, what sled would spoil, and what must be on disk before the
//! first answer.
//!
//! ```text
//! data/                   the folder of the settings
//!   jotsmith.store        lock, format, and how much was promised
//!   records/              what sled owns: db, conf, blobs/, snap.*; records.1/ and so on once they were written anew
//!   before-opening        what sled may overwrite of the db that counts while it is being opened, never longer
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FlockOperation;

use super::committer::drop_guarded;
use super::generations::{self, records_of};
use super::kept;
use super::mark::Marked;
use super::tally::Tally;
use super::{CommitStep, SharedProbe, counting};

/// The file of all records in the folder that sled has.
pub(super) const DATABASE: &str = "db";

/// The file in which sled keeps how it was set up.
const CONFIGURATION: &str = "conf";

/// The least that sled can work with, in bytes; below it, it asserts.
const SMALLEST_CACHE: u64 = 64 * 1024;

/// What is wrong with a store whose mark says nothing.
const MARK_IS_EMPTY: &str = "its file jotsmith.store says nothing, and there are records";

/// How often, and after how long each time, it is asked whether a dropped handle is gone.
const RELEASE_TRIES: u32 = 400;
const RELEASE_WAIT: Duration = Duration::from_millis(5);

/// Why a store could not be opened. Nothing that it held is lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenFailed {
    /// Another process, or another part of this one, has it.
    #[error("the store in {} is in use by another process: stop that one, or give this one its own folder", .folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder holds something, and no store.
    #[error("the folder {} holds files and no jotsmith store: give an empty folder or one that is not there yet", .folder.display())]
    Foreign {
        /// The folder.
        folder: PathBuf,
    },
    /// A later version made it.
    #[error("{} says that this is a store of format {format}, which this version does not know: use the version that made it, or a later one", .file.display())]
    UnknownFormat {
        /// The file that says so.
        file: PathBuf,
        /// The format.
        format: u64,
    },
    /// Somebody changed the file.
    #[error("{} does not say that this is a store: bring back a copy of the folder", .file.display())]
    NoMark {
        /// The file that should say so.
        file: PathBuf,
    },
    /// An import was ended before its end, and nothing is served of half a backup.
    #[error("an import into {} was not finished: repeat it, or remove what is in the folder to begin with an empty store", .folder.display())]
    ImportCutOff {
        /// The folder.
        folder: PathBuf,
    },
    /// Something is to be imported, and there are records.
    #[error("there is a store in {} already, and nothing is imported over it: move that folder away, or name another one in store.url", .folder.display())]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
    },
    /// Records are gone or cannot be read.
    #[error("the store in {} is damaged: {cause}; bring back a copy of the folder", .folder.display())]
    Damaged {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The operating system refuses.
    #[error("cannot open the store in {}: {cause}", .folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// What the operating system says.
        cause: String,
    },
}

impl OpenFailed {
    pub(super) fn io(folder: &Path, cause: &io::Error) -> Self {
        Self::Io { folder: folder.to_owned(), cause: with_mending(cause) }
    }

    fn damaged(folder: &Path, cause: &impl ToString) -> Self {
        Self::Damaged { folder: folder.to_owned(), cause: cause.to_string() }
    }
}

/// What the operating system says, and what can be done about it.
fn with_mending(cause: &io::Error) -> String {
    let mending = match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room on its disk",
        io::ErrorKind::ReadOnlyFilesystem => "mount its file system for writing",
        io::ErrorKind::PermissionDenied => "give the folder to the user that the server runs as",
        io::ErrorKind::NotADirectory => "name a folder in store.url",
        _ => return cause.to_string(),
    };
    format!("{cause}; {mending}")
}

/// The database, open. Dropping it closes it.
pub(super) struct Database {
    pub tree: sled::Db,
    /// The same file once more, for the sync that sled leaves out.
    pub file: File,
    /// The number of the last batch that is in it.
    pub commits: u64,
    /// Which folder it is in.
    pub generation: u64,
    /// What is in it.
    pub tally: Tally,
}

/// Makes the folder where it is missing, for its owner alone, and those above it; and makes the names durable that are new:
/// a folder that a power cut takes away takes with it what was answered.
pub(super) fn make_folder(folder: &Path) -> Result<(), OpenFailed> {
    let failed = |cause| OpenFailed::io(folder, &cause);
    let missing: Vec<_> = folder.ancestors().take_while(|above| !is_here(above) && !above.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    missing.into_iter().try_for_each(sync_name).map_err(failed)
}

/// Whether a path, or what is left of one, is the folder of the process.
fn is_here(path: &Path) -> bool {
    path.as_os_str().is_empty()
}

/// Takes the folder of a store, whose lock is held, from other users. One that is somebody else's is left as it is.
pub(super) fn close_to_others(folder: &Path) -> Result<(), OpenFailed> {
    let failed = |cause| OpenFailed::io(folder, &cause);
    let permissions = fs::metadata(folder).map_err(failed)?.permissions();
    if permissions.mode() & 0o077 != 0
        && let Err(cause) = fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
    {
        // A mounted volume may belong to somebody else. The records lie in a folder of our own inside it.
        tracing::warn!(folder = %folder.display(), %cause, "other users may look into the store's folder");
    }
    Ok(())
}

/// Opens the records of a folder whose lock is held. `marked` is what was promised of them before. Where this fails by
/// [`OpenFailed::Io`], a sync may have failed.
pub(super) fn open(
    folder: &Path,
    cache_bytes: u64,
    marked: Option<Marked>,
    probe: &SharedProbe,
) -> Result<Database, OpenFailed> {
    let generation = marked.map_or(0, |marked| marked.generation);
    let records = records_of(folder, generation);
    let failed = |cause| OpenFailed::io(folder, &cause);
    if marked.is_none() && generations::next(folder).map_err(failed)? > 1 {
        // Which of them counted is not known.
        return Err(OpenFailed::damaged(folder, &MARK_IS_EMPTY));
    }
    let database = records.join(DATABASE);
    // Only where no thread of sled can write into the file any more, least of all after what is brought back.
    let put_back = || {
        wait_until_released(folder, &database)?;
        kept::put_back(folder, generation, &database).map_err(failed)
    };
    put_back()?;
    let is_there = database.exists();
    if marked.is_some() && !is_there {
        return Err(OpenFailed::damaged(folder, &format!("{} is gone", database.display())));
    }
    DirBuilder::new().recursive(true).mode(0o700).create(&records).map_err(failed)?;
    if marked.is_none() {
        // A first start that was cut short may have left half of it. It says nothing of what is stored.
        kept::remove_if_there(&records.join(CONFIGURATION)).map_err(failed)?;
    }
    if let Err(cause) = kept::keep(folder, generation, &database) {
        tracing::warn!(folder = %folder.display(), %cause, "the database is opened without a copy being kept");
    }
    let mut opened = open_checked(folder, &records, cache_bytes, marked, probe);
    if marked.is_none() && is_there {
        // A first start left it, of which a sync may have failed. It holds nothing, so another takes its place.
        opened = opened.and_then(|left| {
            drop_guarded(left);
            wait_until_released(folder, &database)?;
            kept::forget(folder).and_then(|()| generations::create(&records)).map_err(failed)?;
            open_checked(folder, &records, cache_bytes, marked, probe)
        });
    }
    let opened = opened.and_then(|opened| {
        // All that sled has made, which it does not sync itself, before the copy goes that could undo it. And that
        // durably, before anything is answered: the next start would bring it back.
        let synced = generations::sync(&records).and_then(|()| kept::forget(folder));
        match synced.and_then(|()| sync_with_its_name(folder)) {
            Ok(()) => Ok(opened),
            Err(cause) => {
                drop_guarded(opened);
                Err(failed(cause))
            }
        }
    });
    if opened.is_err()
        && let Err(cause) = put_back()
    {
        // The next attempt does it, before anything else.
        tracing::warn!(folder = %folder.display(), %cause, "what opening changed is not undone yet");
    }
    opened
}

/// Waits until a handle on the same file is gone that was just dropped. sled's threads let go of it one after the other,
/// and tell nobody.
pub(super) fn wait_until_released(folder: &Path, database: &Path) -> Result<(), OpenFailed> {
    let failed = |cause| OpenFailed::io(folder, &cause);
    let file = match File::open(database) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(failed)?,
    };
    for _ in 0..RELEASE_TRIES {
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            // Given back when the file is closed here, for sled to take.
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::WOULDBLOCK) => wait(),
            Err(errno) => return Err(failed(errno.into())),
        }
    }
    Err(OpenFailed::InUse { folder: folder.to_owned() })
}

#[expect(clippy::disallowed_methods, reason = "there is no event to wait for: sled tells nobody")]
fn wait() {
    std::thread::sleep(RELEASE_WAIT);
}

fn open_checked(
    folder: &Path,
    records: &Path,
    cache_bytes: u64,
    marked: Option<Marked>,
    probe: &SharedProbe,
) -> Result<Database, OpenFailed> {
    remove_unfinished_snapshots(records).map_err(|cause| OpenFailed::io(folder, &cause))?;
    let tree = match open_tree(records, cache_bytes) {
        Err(sled::Error::Io(cause)) => return Err(OpenFailed::io(folder, &cause)),
        Err(first) => {
            // A snapshot only spares reading the log. Without one the log rebuilds it all.
            tracing::warn!(folder = %folder.display(), cause = %first, "the database is opened without its snapshots");
            wait_until_released(folder, &records.join(DATABASE))?;
            set_snapshots_aside(records).map_err(|cause| OpenFailed::io(folder, &cause))?;
            open_tree(records, cache_bytes).map_err(|cause| OpenFailed::damaged(folder, &in_words(&cause)))?
        }
        Ok(tree) => tree,
    };
    let (commits, tally) = counting::count(&tree).map_err(|cause| OpenFailed::damaged(folder, &cause))?;
    match marked {
        Some(marked) => judge(commits, tally, marked).map_err(|cause| OpenFailed::damaged(folder, &cause))?,
        // No first start has ever put one there.
        None if tally.records > 0 => return Err(OpenFailed::damaged(folder, &MARK_IS_EMPTY)),
        None => {}
    }
    let file = match open_and_sync(folder, &records.join(DATABASE), probe) {
        Ok(file) => file,
        Err(error) => {
            drop_guarded(tree);
            return Err(error);
        }
    };
    remove_set_aside(records);
    Ok(Database { tree, file, commits, generation: marked.map_or(0, |marked| marked.generation), tally })
}

/// The file once more, when the disk has all that is in it.
fn open_and_sync(folder: &Path, database: &Path, probe: &SharedProbe) -> Result<File, OpenFailed> {
    probe.reach(CommitStep::Open).map_err(|cause| OpenFailed::Io { folder: folder.to_owned(), cause })?;
    let file = OpenOptions::new().write(true).open(database);
    file.and_then(|file| file.sync_all().map(|()| file)).map_err(|cause| OpenFailed::io(folder, &cause))
}

/// Whether a database holds what was promised of it. It may hold more: what was on its way to the disk when all ended.
fn judge(commits: u64, tally: Tally, promised: Marked) -> Result<(), String> {
    if commits < promised.commits {
        return Err(format!("of {} batches of records {} are gone", promised.commits, promised.commits - commits));
    }
    match promised.tally {
        Some(expected) if commits == promised.commits && tally.records != expected.records => {
            Err(format!("{} records are there and {} should be", tally.records, expected.records))
        }
        Some(expected) if commits == promised.commits && tally != expected => {
            Err("some of its records are older than they should be".to_owned())
        }
        _ => Ok(()),
    }
}

pub(super) fn open_tree(records: &Path, cache_bytes: u64) -> Result<sled::Db, sled::Error> {
    let config = sled::Config::new()
        .path(records)
        .cache_capacity(cache_bytes.max(SMALLEST_CACHE))
        .mode(sled::Mode::LowSpace)
        // The committer alone flushes, and knows when.
        .flush_every_ms(None);
    // sled asserts where a file says what no sled has written.
    let opened = panic::catch_unwind(AssertUnwindSafe(|| config.open()));
    opened.unwrap_or_else(|_| Err(sled::Error::ReportableBug("sled cannot read its files".to_owned())))
}

pub(super) fn in_words(cause: &sled::Error) -> String {
    match cause {
        sled::Error::Corruption { .. } => "a part of its database file is not what was written there".to_owned(),
        other => other.to_string(),
    }
}

/// A process that is killed while it writes a snapshot leaves one that sled takes for damage.
fn remove_unfinished_snapshots(records: &Path) -> io::Result<()> {
    for snapshot in snapshots(records)? {
        if snapshot.extension().is_some_and(|extension| extension == "generating") {
            fs::remove_file(snapshot)?;
        }
    }
    Ok(())
}

fn set_snapshots_aside(records: &Path) -> io::Result<()> {
    for snapshot in snapshots(records)? {
        let name = snapshot.file_name().unwrap_or_default().to_string_lossy();
        fs::rename(&snapshot, records.join(format!("aside.{name}")))?;
    }
    Ok(())
}

/// Removes the snapshots that were set aside, for the database was opened and found whole without them.
fn remove_set_aside(records: &Path) {
    let removed = named(records, b"aside.snap.").and_then(|aside| aside.iter().try_for_each(fs::remove_file));
    if let Err(cause) = removed {
        tracing::warn!(folder = %records.display(), %cause, "a snapshot that serves nobody cannot be removed");
    }
}

fn snapshots(records: &Path) -> io::Result<Vec<PathBuf>> {
    named(records, b"snap.")
}

fn named(records: &Path, prefix: &[u8]) -> io::Result<Vec<PathBuf>> {
    let paths = fs::read_dir(records)?.map(|entry| entry.map(|entry| entry.path()));
    let is_one = |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(prefix));
    paths.filter(|path| path.as_ref().map_or(true, is_one)).collect()
}

/// Makes the names in a folder durable, and its own.
pub(super) fn sync_with_its_name(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()?;
    sync_name(folder)
}

/// Makes the name of a folder durable.
fn sync_name(folder: &Path) -> io::Result<()> {
    let above = folder.parent().filter(|above| !is_here(above)).unwrap_or(Path::new("."));
    File::open(above)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_with_the_folder_says_how_to_mend_it() {
        let said = |errno: rustix::io::Errno| OpenFailed::io(Path::new("data"), &errno.into()).to_string();
        assert_eq!(
            said(rustix::io::Errno::NOSPC),
            "cannot open the store in data: No space left on device (os error 28); make room on its disk"
        );
        assert!(said(rustix::io::Errno::ROFS).ends_with("mount its file system for writing"));
        assert!(said(rustix::io::Errno::ACCESS).ends_with("the user that the server runs as"));
        assert!(said(rustix::io::Errno::NOTDIR).ends_with("name a folder in store.url"));
    }
}
