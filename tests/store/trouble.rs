//! A disk that is full, read-only or failing: who asks is told when to come again, nothing that was answered is lost, and
//! the store works again by itself when the cause has gone.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use jotsmith::foundation::storage::StoreHealth as _;
use jotsmith::login::store::SessionStore as _;
use jotsmith::store::sled::{CommitStep, OpenFailed, SledStore};
use jotsmith::store::{Durability, Store as _};
use jotsmith::tokens::store::{GrantStore as _, Rotation};
use rustix::io::Errno;

use crate::sled::{At, clock, folder, generations, options, try_open};
use crate::suite::{IDLE, POLICY, after, answer, code_of, grant_of, try_answer};

/// A store whose disk has a trouble, for as long as there is one.
fn troubled(data: &std::path::Path, at: CommitStep) -> (SledStore, Arc<Mutex<Option<Errno>>>) {
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

#[test]
fn a_rewriting_is_not_begun_on_a_disk_without_room_and_the_store_goes_on() {
    let folder = folder();
    let data = folder.path().join("data");
    let (store, trouble) = troubled(&data, CommitStep::Copy);
    let grant = grant_of(&code_of("alice"));
    answer(store.put_grant(grant.clone()));
    *trouble.lock().expect("unpoisoned") = Some(Errno::NOSPC);
    for presented in 0..3 {
        let refused = try_answer(store.rewrite()).expect_err("there is no room");
        assert!(refused.cause.contains("No space left on device"), "{refused}");
        let rotation = answer(store.rotate(grant.id, presented, after(1), POLICY));
        assert!(matches!(rotation, Rotation::Rotated(_)), "{rotation:?}");
        assert!(store.health().is_ok());
        assert_eq!(generations(&data), 1, "half of a rewriting was left");
    }
    *trouble.lock().expect("unpoisoned") = None;
    answer(store.rewrite());
    assert_eq!(answer(store.read_grant(grant.id)).map(|grant| grant.generation), Some(3));
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
