//! The embedded store keeps every rule of the suite.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use jotsmith::foundation::clock::ManualClock;
use jotsmith::store::sled::{CommitStep, OpenFailed, Probe, SledStore};
use jotsmith::store::{Durability, StoreOptions};
use tempfile::TempDir;

use crate::suite::{self, BEGIN, Shared};

suite::every_rule_for!(backend);

mod backend {
    pub(super) use super::{fresh, recovered};
}

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

pub(crate) fn options(path: &Path, durability: Durability) -> StoreOptions {
    StoreOptions { path: path.to_owned(), durability, cache_bytes: 8 << 20 }
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(BEGIN))
}

pub(crate) fn try_open(path: &Path) -> Result<SledStore, OpenFailed> {
    SledStore::open(options(path, Durability::Fsync), clock())
}

pub(crate) fn open(path: &Path) -> Shared {
    Arc::new(try_open(path).expect("it opens"))
}

pub(crate) fn open_with_probe(path: &Path, durability: Durability, probe: impl Probe + 'static) -> Shared {
    let store = SledStore::open_with_probe(options(path, durability), clock(), Box::new(probe));
    Arc::new(store.expect("it opens"))
}

/// A probe that is a function.
pub(crate) struct At<F>(pub(crate) F);

impl<F: FnMut(CommitStep) -> io::Result<()> + Send> Probe for At<F> {
    fn reach(&mut self, step: CommitStep) -> io::Result<()> {
        self.0(step)
    }
}

/// What a crash would leave of a store. Not by `cp`: a child process holds our locks until it has become `cp`.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("copied");
        }
    }
}

fn fresh() -> (Shared, TempDir) {
    let folder = folder();
    (open(&folder.path().join("data")), folder)
}

/// A store that was cut off at `BEGIN` while an answer could be ahead of the disk.
fn recovered() -> (Shared, TempDir) {
    let folder = folder();
    let [running, left] = ["running", "left"].map(|name| folder.path().join(name));
    let store = SledStore::open(options(&running, Durability::Periodic), clock()).expect("it opens");
    copy(&running, &left);
    drop(store);
    (open(&left), folder)
}
