//! A disk that is full, read-only or failing: who asks is told when to come again, nothing that was answered is lost, and
//! the store works again by itself when the cause has gone.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use jotsmith::foundation::storage::StoreHealth as _;
use jotsmith::login::store::SessionStore as _;
use jotsmith::store::sled::{CommitStep, OpenFailed, Probe, SledStore};
use jotsmith::store::{Durability, Store as _};
use jotsmith::tokens::grant::Grant;
use jotsmith::tokens::store::{GrantStore as _, Rotation};
use rustix::io::Errno;

use crate::sled::{At, clock, folder, generations, options, try_open};
use crate::suite::{IDLE, POLICY, after, answer, code_of, grant_of, try_answer};

/// A store whose disk has a trouble, for as long as there is one.
fn troubled(data: &Path, at: CommitStep) -> (SledStore, Arc<Mutex<Option<Errno>>>) {
    let trouble: Arc<Mutex<Option<Errno>>> = Arc::default();
    let probe = {
        let trouble = Arc::clone(&trouble);
        move |step| match *trouble.lock().expect("unpoisoned") {
            // Where a commit fails, opening anew fails too, for it writes more.
            Some(errno) if step == at || step == CommitStep::Reopen => Err(io::Error::from(errno)),
            _ => Ok(()),
        }
    };
    let store = SledStore::open_with_probe(options(data, Durability::Fsync), clock(), Box::new(At(probe)));
    (store.expect("it opens"), trouble)
}

#[test]
fn a_disk_in_trouble_refuses_with_a_time_to_come_again_and_loses_nothing() {
    let troubles = [
        (CommitStep::Apply, Errno::NOSPC, "No space left on device"),
        (CommitStep::Flush, Errno::ROFS, "Read-only file system"),
        (CommitStep::Sync, Errno::IO, "Input/output error"),
    ];
    for (at, errno, said) in troubles {
        let folder = folder();
        let data = folder.path().join("data");
        let (store, trouble) = troubled(&data, at);
        let grants: Vec<_> = (0..20).map(|_| grant_of(&code_of("alice"))).collect();
        for grant in &grants {
            answer(store.put_grant(grant.clone()));
        }
        *trouble.lock().expect("unpoisoned") = Some(errno);
        for _ in 0..5 {
            let refused = try_answer(store.rotate(grants[0].id, 0, after(1), POLICY)).expect_err("it is in trouble");
            assert!(refused.cause.contains(said), "{at:?}: {refused}");
            assert!(!refused.retry_after.is_zero());
            let health = store.health().expect_err("it is in trouble");
            assert!(health.cause.contains(said), "{at:?}: {health}");
        }
        *trouble.lock().expect("unpoisoned") = None;
        // What the timer does, where no request comes: it is enough to make the store work again.
        while try_answer(store.sweep(after(1), IDLE, 10)).is_err() {}
        assert!(store.health().is_ok());
        for grant in &grants[1..] {
            assert_eq!(answer(store.read_grant(grant.id)).as_ref(), Some(grant));
        }
        let rotation = answer(store.rotate(grants[0].id, 0, after(2), POLICY));
        assert!(matches!(rotation, Rotation::Rotated(_) | Rotation::Retried(_)), "{at:?}: {rotation:?}");
        answer(store.end_all("bob", after(3)));
        drop(store);
        assert_eq!(generations(&data), 1);
        let store = try_open(&data).expect("it opens");
        assert!(grants.iter().all(|grant| answer(store.read_grant(grant.id)).is_some()));
    }
}

/// A disk whose room is as the test says, one after the other for each look at it and then from the beginning; where
/// nothing is said it is as the system says.
#[derive(Clone, Default)]
struct Disk {
    room: Arc<Mutex<VecDeque<u64>>>,
    fails_next_sync: Arc<AtomicBool>,
    copies: Arc<AtomicUsize>,
}

impl Disk {
    fn has(&self, room: impl IntoIterator<Item = u64>) {
        *self.room.lock().expect("unpoisoned") = room.into_iter().collect();
    }

    fn open(&self, data: &Path) -> Result<SledStore, OpenFailed> {
        SledStore::open_with_probe(options(data, Durability::Fsync), clock(), Box::new(self.clone()))
    }

    /// A store on it, with some grants, whose next step will fail.
    fn with_a_store(&self, data: &Path) -> (SledStore, Vec<Grant>) {
        let store = self.open(data).expect("it opens");
        let grants: Vec<_> = (0..20).map(|_| grant_of(&code_of("alice"))).collect();
        for grant in &grants {
            answer(store.put_grant(grant.clone()));
        }
        self.fails_next_sync.store(true, Ordering::SeqCst);
        (store, grants)
    }
}

impl Probe for Disk {
    fn reach(&mut self, step: CommitStep) -> io::Result<()> {
        self.copies.fetch_add(usize::from(step == CommitStep::Copy), Ordering::SeqCst);
        if step == CommitStep::Sync && self.fails_next_sync.swap(false, Ordering::SeqCst) {
            return Err(Errno::IO.into());
        }
        Ok(())
    }

    fn free_bytes(&mut self, free: u64) -> u64 {
        let mut room = self.room.lock().expect("unpoisoned");
        let Some(now) = room.pop_front() else { return free };
        room.push_back(now);
        now
    }
}

/// Twice what lives, for that is what a fresh file takes, and what must stay free.
fn needed(store: &SledStore) -> u64 {
    2 * store.figures().live_bytes + (32 << 20)
}

#[test]
fn a_store_in_trouble_without_room_says_how_much_it_needs_and_takes_none_of_what_is_made() {
    let cut_off = [u64::MAX, 1000];
    for room in [&[1000][..], &cut_off] {
        let (folder, disk) = (folder(), Disk::default());
        let data = folder.path().join("data");
        let (store, grants) = disk.with_a_store(&data);
        let needed = if room == cut_off { 32 << 20 } else { needed(&store) };
        disk.has(room.iter().copied());
        assert!(try_answer(store.rotate(grants[0].id, 0, after(1), POLICY)).is_err());
        for _ in 0..5 {
            let refused = try_answer(store.end_all("bob", after(1))).expect_err("there is no room");
            let said = format!("the disk has 1000 bytes left, and {needed} are needed; make room on it");
            assert!(refused.cause.ends_with(&said), "{refused}");
            assert_eq!(generations(&data), 1, "half of a copy was left");
        }
        disk.has([]);
        while try_answer(store.sweep(after(1), IDLE, 10)).is_err() {}
        assert!(store.health().is_ok());
        assert!(grants[1..].iter().all(|grant| answer(store.read_grant(grant.id)).as_ref() == Some(grant)));
    }
}

#[test]
fn an_attempt_that_fails_after_its_copy_leaves_none() {
    let folder = folder();
    let data = folder.path().join("data");
    let is_full = Arc::new(AtomicBool::new(false));
    let probe = {
        let is_full = Arc::clone(&is_full);
        move |step| match step {
            CommitStep::Apply if is_full.load(Ordering::SeqCst) => Err(Errno::NOSPC.into()),
            _ => Ok(()),
        }
    };
    let store = SledStore::open_with_probe(options(&data, Durability::Fsync), clock(), Box::new(At(probe)));
    let store = store.expect("it opens");
    let grant = grant_of(&code_of("alice"));
    answer(store.put_grant(grant.clone()));
    is_full.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        assert!(try_answer(store.end_all("bob", after(1))).is_err());
        assert_eq!(generations(&data), 1, "a copy was left");
    }
    is_full.store(false, Ordering::SeqCst);
    while try_answer(store.sweep(after(1), IDLE, 10)).is_err() {}
    assert_eq!(answer(store.read_grant(grant.id)), Some(grant));
}

#[test]
fn a_start_after_a_failure_says_how_much_room_it_needs_and_takes_none() {
    let cut_off = [u64::MAX, 1000];
    for room in [&[1000][..], &cut_off] {
        let (folder, disk) = (folder(), Disk::default());
        let data = folder.path().join("data");
        let (store, grants) = disk.with_a_store(&data);
        assert!(try_answer(store.put_grant(grants[0].clone())).is_err());
        drop(store);
        disk.has(room.iter().copied());
        for _ in 0..3 {
            let refused = disk.open(&data).expect_err("there is no room");
            assert!(
                matches!(&refused, OpenFailed::Io { cause, .. } if cause.contains("bytes left, and ")),
                "{refused}"
            );
            assert_eq!(generations(&data), 1, "half of a copy was left");
        }
        disk.has([]);
        let store = disk.open(&data).expect("it opens");
        assert!(grants.iter().all(|grant| answer(store.read_grant(grant.id)).as_ref() == Some(grant)));
    }
}

#[test]
fn a_rewriting_is_not_begun_on_a_disk_without_room_and_the_store_goes_on() {
    let (folder, disk) = (folder(), Disk::default());
    let data = folder.path().join("data");
    let store = disk.open(&data).expect("it opens");
    let grant = grant_of(&code_of("alice"));
    answer(store.put_grant(grant.clone()));
    disk.has([1000]);
    for presented in 0..3 {
        let refused = try_answer(store.rewrite()).expect_err("there is no room");
        let said = format!("the disk has 1000 bytes left, and {} are needed", needed(&store));
        assert!(refused.cause.contains(&said), "{refused}");
        let rotation = answer(store.rotate(grant.id, presented, after(1), POLICY));
        assert!(matches!(rotation, Rotation::Rotated(_)), "{rotation:?}");
        assert!(store.health().is_ok());
        assert_eq!(generations(&data), 1);
    }
    assert_eq!(disk.copies.load(Ordering::SeqCst), 0, "it was begun");
    disk.has([]);
    answer(store.rewrite());
    assert_eq!(answer(store.read_grant(grant.id)).map(|grant| grant.generation), Some(3));
}

#[test]
fn a_rewriting_is_given_up_where_the_room_goes_meanwhile_and_the_store_goes_on() {
    let (folder, disk) = (folder(), Disk::default());
    let data = folder.path().join("data");
    let store = disk.open(&data).expect("it opens");
    let grant = grant_of(&code_of("alice"));
    answer(store.put_grant(grant.clone()));
    disk.has([u64::MAX, 1000]);
    let refused = try_answer(store.rewrite()).expect_err("there is no room any more");
    assert!(refused.cause.contains("the disk has 1000 bytes left"), "{refused}");
    assert_eq!(disk.copies.load(Ordering::SeqCst), 1);
    assert_eq!(generations(&data), 1, "half of a rewriting was left");
    assert_eq!(answer(store.read_grant(grant.id)), Some(grant));
    disk.has([]);
    answer(store.rewrite());
}

#[test]
fn a_step_that_panics_costs_no_more_than_a_failed_commit() {
    let folder = folder();
    let data = folder.path().join("data");
    let panics = Arc::new(AtomicBool::new(false));
    let probe = {
        let panics = Arc::clone(&panics);
        move |step| {
            assert!(!(step == CommitStep::Flush && panics.swap(false, Ordering::SeqCst)), "as sled does now and then");
            Ok(())
        }
    };
    let store = SledStore::open_with_probe(options(&data, Durability::Fsync), clock(), Box::new(At(probe)));
    let store = store.expect("it opens");
    let grant = grant_of(&code_of("alice"));
    answer(store.put_grant(grant.clone()));
    panics.store(true, Ordering::SeqCst);
    assert!(try_answer(store.end_all("bob", after(1))).is_err());
    assert_eq!(answer(store.read_grant(grant.id)), Some(grant));
}

#[test]
fn a_rewriting_that_panics_at_any_step_costs_no_more_than_a_failed_commit() {
    let steps = [
        CommitStep::Copy,
        CommitStep::CatchUp,
        CommitStep::Complete,
        CommitStep::Switch,
        CommitStep::Switched,
        CommitStep::Remove,
    ];
    for panicking in steps {
        let folder = folder();
        let data = folder.path().join("data");
        let panics = Arc::new(AtomicBool::new(false));
        let probe = {
            let panics = Arc::clone(&panics);
            move |step| {
                assert!(!(step == panicking && panics.swap(false, Ordering::SeqCst)), "as sled does now and then");
                Ok(())
            }
        };
        let store = SledStore::open_with_probe(options(&data, Durability::Fsync), clock(), Box::new(At(probe)));
        let store = store.expect("it opens");
        let grant = grant_of(&code_of("alice"));
        answer(store.put_grant(grant.clone()));
        panics.store(true, Ordering::SeqCst);
        // When it is answered, the old one may not be removed yet.
        assert_eq!(try_answer(store.rewrite()).is_ok(), panicking == CommitStep::Remove, "{panicking:?}");
        // One step may be told of the failure; the next opens the database anew.
        let first = try_answer(store.end_all("bob", after(1)));
        assert!(first.is_ok() || try_answer(store.end_all("bob", after(1))).is_ok(), "{panicking:?}: {first:?}");
        answer(store.rewrite());
        assert_eq!(answer(store.read_grant(grant.id)).as_ref(), Some(&grant), "{panicking:?}");
        drop(store);
        let store = try_open(&data).expect("it opens");
        assert_eq!(answer(store.read_grant(grant.id)), Some(grant), "{panicking:?}");
        assert_eq!(generations(&data), 1, "{panicking:?}");
    }
}

#[test]
fn a_file_where_the_folder_should_be_is_told_in_one_sentence() {
    let folder = folder();
    let file = folder.path().join("data");
    std::fs::write(&file, "a file").expect("written");
    let refused = try_open(&file.join("store")).expect_err("it is a file");
    assert!(matches!(refused, OpenFailed::Io { .. }), "{refused}");
    assert!(refused.to_string().ends_with("name a folder in store.url"), "{refused}");
}
