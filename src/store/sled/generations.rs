//! The folders that records have been in: `records`, then `records.1`, `records.2`, one after each rewriting. Which of
//! them counts stands in the mark; the others are remains.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::opening::DATABASE;

/// Where records are at first, and what the later names begin with.
const RECORDS: &str = "records";

/// Where an earlier version wrote records anew. What is in it is never what counts.
const REWRITTEN: &str = "rewritten";

/// The folder of this generation of records.
pub(super) fn records_of(folder: &Path, generation: u64) -> PathBuf {
    if generation == 0 { folder.join(RECORDS) } else { folder.join(format!("{RECORDS}.{generation}")) }
}

/// Removes all generations but these: half of what is in them, or older.
pub(super) fn remove_others(folder: &Path, kept: &[u64]) -> io::Result<()> {
    let kept: Vec<_> = kept.iter().map(|generation| records_of(folder, *generation)).collect();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !kept.contains(&entry.path()) && is_one(&entry.file_name().to_string_lossy()) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Whether there is a database in any of them, whatever is in it.
pub(super) fn has_database(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if is_one(&entry.file_name().to_string_lossy()) && entry.path().join(DATABASE).try_exists()? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The number of a generation of which nothing is there yet.
pub(super) fn next(folder: &Path) -> io::Result<u64> {
    let mut highest = 0;
    for entry in fs::read_dir(folder)? {
        highest = highest.max(number(&entry?.file_name().to_string_lossy()).unwrap_or(0));
    }
    Ok(highest + 1)
}

fn is_one(name: &str) -> bool {
    name == RECORDS || name == REWRITTEN || number(name).is_some()
}

fn number(name: &str) -> Option<u64> {
    name.strip_prefix(RECORDS)?.strip_prefix('.')?.parse().ok()
}

/// Removes one, if it is there.
pub(super) fn remove(records: &Path) -> io::Result<()> {
    match fs::remove_dir_all(records) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
        _ => Ok(()),
    }
}

/// Makes a new one, with nothing in it.
pub(super) fn create(records: &Path) -> io::Result<()> {
    remove(records)?;
    DirBuilder::new().mode(0o700).create(records)
}

/// Makes a new one durable: every file, then the folder that names them, then the one that names it.
pub(super) fn sync(records: &Path) -> io::Result<()> {
    sync_all(records)?;
    File::open(records.parent().unwrap_or(records))?.sync_all()
}

fn sync_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sync_all(&path)?;
        } else {
            File::open(path)?.sync_all()?;
        }
    }
    File::open(folder)?.sync_all()
}
