//! All records, written anew into a fresh database that takes the place of the old one.
//!
//! After a failed sync the operating system may hold for written what the disk never got, and no later sync of the same
//! file says otherwise. What is read and written into new files is on the disk when their sync says so.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags};

use super::opening::{self, DATABASE, Database, RECORDS};

/// The database that will take the place of the old one, and the old one once it has.
const REWRITTEN: &str = "rewritten";

/// How many records are written at once.
const SLICE: usize = 1000;

/// Removes what a rewriting left that was cut short. Nothing in it is needed: before the exchange it is half of what is in
/// the records, afterwards it is older.
pub(super) fn remove_leftovers(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder.join(REWRITTEN)) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
        _ => Ok(()),
    }
}

/// Writes all records anew. The new database is to be opened afterwards; where this fails, it is the old one still.
pub(super) fn rewrite(folder: &Path, cache_bytes: u64, old: Database) -> Result<(), String> {
    let io = |cause: io::Error| cause.to_string();
    let rewritten = folder.join(REWRITTEN);
    remove_leftovers(folder).map_err(io)?;
    DirBuilder::new().mode(0o700).create(&rewritten).map_err(io)?;
    copy(&old.tree, &opening::open_tree(&rewritten, cache_bytes).map_err(|cause| cause.to_string())?)
        .map_err(|cause| cause.to_string())?;
    sync_all(&rewritten).map_err(io)?;
    drop(old);
    for database in [RECORDS, REWRITTEN] {
        opening::wait_until_released(folder, &folder.join(database).join(DATABASE))
            .map_err(|error| error.to_string())?;
    }
    // Both names at once: at no moment is there a store without records.
    rustix::fs::renameat_with(CWD, &rewritten, CWD, folder.join(RECORDS), RenameFlags::EXCHANGE)
        .map_err(|errno| format!("the rewritten database cannot take the place of the old one: {errno}"))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
    remove_leftovers(folder).map_err(io)
}

fn copy(from: &sled::Tree, to: &sled::Db) -> Result<(), sled::Error> {
    let mut records = from.iter().peekable();
    while records.peek().is_some() {
        let mut slice = sled::Batch::default();
        for record in records.by_ref().take(SLICE) {
            let (key, value) = record?;
            slice.insert(key, value);
        }
        to.apply_batch(slice)?;
    }
    // Nobody else has this database yet, so nobody else's flush is in the way.
    to.flush().map(|_| ())
}

/// Every file, then the folder that names them.
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
