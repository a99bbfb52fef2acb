//! The embedded store keeps every rule of the suite.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jotsmith::foundation::clock::ManualClock;
use jotsmith::store::sled::{CommitStep, OpenFailed, Probe, SledStore};
use jotsmith::store::{Durability, StoreOptions};
use jotsmith::tokens::store::Rotation;
use tempfile::TempDir;

use crate::suite::{self, BEGIN, POLICY, Shared, after, answer};

suite::every_rule_for!(backend);

mod backend {
    pub(super) use super::{fresh, recovered};
}

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// A folder for what is looked at and thrown away, where its syncs cost nothing.
pub(crate) fn in_memory() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).expect("a folder")
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

/// The folder of the records that count.
pub(crate) fn records(data: &Path) -> PathBuf {
    let mark = fs::read_to_string(data.join("jotsmith.store")).expect("a mark");
    let generation = mark.lines().find_map(|line| line.strip_prefix("generation ")).unwrap_or("0");
    match generation.parse::<u64>().expect("a number") {
        0 => data.join("records"),
        generation => data.join(format!("records.{generation}")),
    }
}

/// How many folders of records there are.
pub(crate) fn generations(data: &Path) -> usize {
    let entries = fs::read_dir(data).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    entries.filter(|name| name.to_string_lossy().starts_with("records")).count()
}

/// Turns the mark into one of an earlier version, which promises no content.
pub(crate) fn promise_no_content(data: &Path) {
    let mark = data.join("jotsmith.store");
    let text = fs::read_to_string(&mark).expect("a mark");
    let (begin, _) = text.split_once("generation").expect("of this version");
    fs::write(mark, begin).expect("written");
}

/// What a crash would leave of a store. Not by `cp`: a child process holds our locks until it has become `cp`.
///
/// The mark comes first, for other threads go on meanwhile: so it promises no more than what is copied after it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a folder");
    let mark = "jotsmith.store";
    if from.join(mark).exists() {
        fs::copy(from.join(mark), to.join(mark)).expect("copied");
    }
    let Some(entries) = unless_gone(fs::read_dir(from)) else { return };
    for entry in entries.filter_map(unless_gone).filter(|entry| entry.file_name() != mark) {
        let to = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &to);
        } else {
            unless_gone(fs::copy(entry.path(), to));
        }
    }
}

/// What a thread that removes old records may have removed just now.
fn unless_gone<T>(found: io::Result<T>) -> Option<T> {
    match found {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => None,
        found => Some(found.expect("readable")),
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

/// Ends a server with [`Durability::Periodic`] at `seconds` uncleanly; what it leaves is in `to`.
fn end_uncleanly(from: &Path, to: &Path, seconds: u64) -> Shared {
    let open = |path, durability| {
        let clock = Arc::new(ManualClock::at(after(seconds)));
        SledStore::open(options(path, durability), clock).expect("it opens")
    };
    let running = open(from, Durability::Periodic);
    copy(from, to);
    drop(running);
    Arc::new(open(to, Durability::Fsync))
}

#[test]
fn after_each_unclean_end_a_grant_that_is_ahead_is_let_through_and_once_only() {
    let folder = folder();
    let [first, second, third] = ["first", "second", "third"].map(|name| folder.path().join(name));
    let rotate = |store: &Shared, id, generation, at| answer(store.rotate(id, generation, after(at), POLICY));

    let store = end_uncleanly(&first, &second, 100);
    let [one, other] = [5, 5].map(|generation| suite::put_grant(&store, generation));
    assert!(matches!(rotate(&store, one.id, 8, 101), Rotation::Rotated(_)));
    assert!(matches!(rotate(&store, other.id, 8, 101), Rotation::Rotated(_)));
    assert!(matches!(rotate(&store, other.id, 11, 102), Rotation::Ahead(_)), "once a recovery");
    drop(store);

    let store = end_uncleanly(&second, &third, 200);
    assert!(matches!(rotate(&store, one.id, 11, 201), Rotation::Rotated(_)), "in each");
    assert!(matches!(rotate(&store, one.id, 14, 202), Rotation::Ahead(_)));
}
