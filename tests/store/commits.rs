//! What a commit promises: answers share a sync and come after it, reads see only what is durable, and a disk that fails is
//! never believed again.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};

use jotsmith::foundation::storage::{StoreHealth as _, StoreUnavailable};
use jotsmith::login::store::SessionStore as _;
use jotsmith::store::Durability;
use jotsmith::store::sled::{CommitStep, OpenFailed, SledStore};
use jotsmith::tokens::grant::Grant;
use jotsmith::tokens::store::{GrantStore as _, Rotation};
use tempfile::TempDir;

use crate::sled::{At, clock, copy, folder, generations, open, open_with_probe, options, records, try_open};
use crate::suite::{self, POLICY, Shared, after, answer, code_of, grant_of, new_id, try_answer};

/// A store in which the next commit fails at a step, each time that `fails` is set; and how often it was opened anew.
fn failing(data: &Path, at: CommitStep, fails: &Arc<AtomicBool>) -> (Shared, Arc<AtomicUsize>) {
    let reopened = Arc::new(AtomicUsize::new(0));
    let probe = {
        let (fails, reopened) = (Arc::clone(fails), Arc::clone(&reopened));
        move |step| {
            if step == CommitStep::Reopen {
                reopened.fetch_add(1, Ordering::SeqCst);
            }
            if step == at && fails.swap(false, Ordering::SeqCst) {
                return Err(io::Error::other("the disk is on fire"));
            }
            Ok(())
        }
    };
    (open_with_probe(data, Durability::Fsync, At(probe)), reopened)
}

#[test]
fn a_commit_that_fails_is_not_answered_and_the_store_works_again() {
    for at in [CommitStep::Apply, CommitStep::Flush, CommitStep::Sync, CommitStep::Answer] {
        let folder = folder();
        let data = folder.path().join("data");
        let fails = Arc::new(AtomicBool::new(false));
        let (store, reopened) = failing(&data, at, &fails);
        let grant = suite::put_grant(&store, 0);
        let before = file_of(&data);

        fails.store(true, Ordering::SeqCst);
        let refused = try_answer(store.rotate(grant.id, 0, after(1), POLICY)).expect_err("the disk failed");
        assert!(refused.cause.contains("on fire"), "{refused}");
        assert!(!refused.retry_after.is_zero());

        // Whether the step was made is not known: it is rotated now, or was and this is the retry.
        let rotation = answer(store.rotate(grant.id, 0, after(2), POLICY));
        let (Rotation::Rotated(next) | Rotation::Retried(next)) = rotation else { panic!("{at:?}: {rotation:?}") };
        assert_eq!(next.generation, 1);
        assert_eq!(reopened.load(Ordering::SeqCst), 1);
        assert_eq!(answer(store.read_grant(grant.id)), Some(next.clone()));
        // A file whose sync failed once is never trusted again.
        assert_ne!(file_of(&data), before);
        assert_eq!(generations(&data), 1);
        drop(store);
        assert_eq!(answer(open(&data).read_grant(grant.id)), Some(next));
    }
}

/// Which file the records that count are in.
fn file_of(data: &Path) -> u64 {
    fs::metadata(records(data).join("db")).expect("there").ino()
}

fn in_use(data: &Path) -> String {
    let mark = fs::read_to_string(data.join("jotsmith.store")).expect("a mark");
    mark.lines().find_map(|line| line.strip_prefix("in use ")).expect("a word").to_owned()
}

/// Opens a store on a disk that fails at a step, for as long as there is one.
fn open_on(
    data: &Path,
    durability: Durability,
    failing: &Arc<Mutex<Option<CommitStep>>>,
) -> Result<SledStore, OpenFailed> {
    let failing = Arc::clone(failing);
    let probe = move |step| match *failing.lock().expect("unpoisoned") {
        Some(at) if at == step => Err(io::Error::other("the disk is on fire")),
        _ => Ok(()),
    };
    SledStore::open_with_probe(options(data, durability), clock(), Box::new(At(probe)))
}

#[test]
fn a_file_whose_sync_failed_is_not_trusted_by_the_next_start_either() {
    let folder = folder();
    let data = folder.path().join("data");
    let failing = Arc::default();
    let store: Shared = Arc::new(open_on(&data, Durability::Fsync, &failing).expect("it opens"));
    let grants: Vec<_> = (0..20).map(|_| suite::put_grant(&store, 0)).collect();
    let before = file_of(&data);
    *failing.lock().expect("unpoisoned") = Some(CommitStep::Sync);
    assert!(try_answer(store.rotate(grants[0].id, 0, after(1), POLICY)).is_err());
    drop(store);
    assert_eq!(file_of(&data), before);
    assert_eq!(in_use(&data), "failed f");

    let store = open(&data);
    let recovered = file_of(&data);
    assert_ne!(recovered, before);
    assert_eq!(generations(&data), 1);
    assert!(grants[1..].iter().all(|grant| answer(store.read_grant(grant.id)).as_ref() == Some(grant)));
    let rotation = answer(store.rotate(grants[0].id, 0, after(2), POLICY));
    assert!(matches!(rotation, Rotation::Rotated(_) | Rotation::Retried(_)), "{rotation:?}");
    drop(store);
    // All is well again, and there is nothing to write anew.
    assert_eq!(in_use(&data), "closed  ");
    let store = open(&data);
    assert_eq!(file_of(&data), recovered);
    assert_eq!(answer(store.read_grant(grants[0].id)).map(|grant| grant.generation), Some(1));
}

#[test]
fn a_start_whose_sync_failed_is_not_trusted_by_the_next_one() {
    for at in [CommitStep::Open, CommitStep::Sync] {
        let folder = folder();
        let data = folder.path().join("data");
        let grant = suite::put_grant(&open(&data), 0);
        let before = file_of(&data);
        let failing = Arc::new(Mutex::new(Some(at)));
        // As a supervisor does it: again and again.
        for _ in 0..3 {
            let refused = open_on(&data, Durability::Fsync, &failing).expect_err("the disk fails");
            assert!(matches!(&refused, OpenFailed::Io { cause, .. } if cause.contains("on fire")), "{refused}");
        }
        *failing.lock().expect("unpoisoned") = None;
        let store = open_on(&data, Durability::Fsync, &failing).expect("it opens");
        let recovered = file_of(&data);
        assert_ne!(recovered, before, "{at:?}");
        assert_eq!(generations(&data), 1);
        assert_eq!(answer(store.read_grant(grant.id)).as_ref(), Some(&grant));
        drop(store);
        assert_eq!(answer(open(&data).read_grant(grant.id)), Some(grant));
        assert_eq!(file_of(&data), recovered);
    }
}

#[test]
fn a_start_whose_sync_failed_forgets_nothing_of_how_the_store_was_left() {
    let steps = [CommitStep::Open, CommitStep::Apply, CommitStep::Sync];
    for (at, is_cut_off) in steps.into_iter().flat_map(|at| [(at, false), (at, true)]) {
        let folder = folder();
        let [running, left] = ["running", "left"].map(|name| folder.path().join(name));
        let store = open_on(&running, Durability::Periodic, &Arc::default()).expect("it opens");
        let grant = grant_of(&code_of("alice"));
        answer(store.put_grant(grant.clone()));
        // Makes it durable.
        answer(store.rewrite());
        if is_cut_off {
            copy(&running, &left);
        }
        drop(store);
        if !is_cut_off {
            copy(&running, &left);
        }
        let failing = Arc::new(Mutex::new(Some(at)));
        assert!(open_on(&left, Durability::Fsync, &failing).is_err());
        // What was given out since may be ahead of what is stored, only where the last moments may be missing.
        let rotation = answer(open(&left).rotate(grant.id, 3, after(1), POLICY));
        assert_eq!(matches!(rotation, Rotation::Rotated(_)), is_cut_off, "{at:?}: {rotation:?}");
    }
}

#[test]
fn a_first_start_whose_sync_failed_leaves_nothing_that_the_next_one_builds_on() {
    for at in [CommitStep::Open, CommitStep::Sync] {
        let folder = folder();
        let data = folder.path().join("data");
        assert!(open_on(&data, Durability::Fsync, &Arc::new(Mutex::new(Some(at)))).is_err());
        let left = data.join("records/left");
        fs::write(&left, "beside the file that is not trusted").expect("written");
        let store = try_open(&data).expect("it opens");
        assert!(store.is_new(), "{at:?}");
        assert!(!left.exists(), "{at:?}");
    }
}

#[test]
fn a_read_opens_a_failed_store_anew_too() {
    let folder = folder();
    let fails = Arc::new(AtomicBool::new(false));
    let (store, reopened) = failing(&folder.path().join("data"), CommitStep::Apply, &fails);
    let grant = suite::put_grant(&store, 0);
    fails.store(true, Ordering::SeqCst);
    assert!(try_answer(store.revoke_grant(grant.id, after(1))).is_err());
    assert_eq!(answer(store.read_grant(grant.id)), Some(grant));
    assert_eq!(reopened.load(Ordering::SeqCst), 1);
}

/// A store whose commits can be held before they change anything, and the steps that they take.
struct Held {
    store: Shared,
    gate: Arc<Mutex<()>>,
    steps: Receiver<CommitStep>,
    _folder: TempDir,
}

impl Held {
    /// With a disk that fails at one of its syncs, the opening's not counted.
    fn new(failing_sync: Option<usize>) -> Self {
        let folder = folder();
        let gate = Arc::new(Mutex::new(()));
        let (reached, steps) = mpsc::channel();
        let probe = {
            let gate = Arc::clone(&gate);
            let mut syncs = 0;
            move |step| {
                // Nobody may listen any more.
                let _ = reached.send(step);
                if step == CommitStep::Apply {
                    drop(gate.lock().expect("unpoisoned"));
                }
                if step == CommitStep::Sync {
                    syncs += 1;
                    if failing_sync.is_some_and(|failing| syncs == failing + 1) {
                        return Err(io::Error::other("the disk is on fire"));
                    }
                }
                Ok(())
            }
        };
        let store = open_with_probe(&folder.path().join("data"), Durability::Fsync, At(probe));
        Self { store, gate, steps, _folder: folder }
    }

    /// Makes `waiting` steps that have all come while one commit was on its way; what they got.
    fn make_together(&self, waiting: usize) -> Vec<Result<(), StoreUnavailable>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let _ = self.steps.try_iter().count();
        let put = || {
            let store = Arc::clone(&self.store);
            async move { store.put_grant(grant_of(&code_of("alice"))).await }
        };
        let held = self.gate.lock().expect("unpoisoned");
        let (first, steps) = runtime.block_on(async {
            let first = tokio::spawn(put());
            tokio::task::yield_now().await;
            assert_eq!(self.steps.recv(), Ok(CommitStep::Apply));
            let steps: Vec<_> = (0..waiting).map(|_| tokio::spawn(put())).collect();
            // The runtime takes up a few tasks at each turn.
            for _ in 0..waiting {
                tokio::task::yield_now().await;
            }
            (first, steps)
        });
        drop(held);
        runtime.block_on(async {
            first.await.expect("no panic").expect("the first one is answered");
            let mut answers = Vec::new();
            for step in steps {
                answers.push(step.await.expect("no panic"));
            }
            answers
        })
    }
}

#[test]
fn all_that_wait_share_one_sync() {
    let held = Held::new(None);
    assert!(held.make_together(100).iter().all(Result::is_ok));
    let syncs = held.steps.try_iter().filter(|step| *step == CommitStep::Sync).count();
    assert_eq!(syncs, 2, "one for the first step and one for the hundred that waited");
}

#[test]
fn everybody_in_a_batch_that_fails_is_refused() {
    let answers = Held::new(Some(2)).make_together(8);
    assert!(answers.iter().all(Result::is_err), "{answers:?}");
}

#[test]
fn more_steps_than_may_wait_are_refused_at_once() {
    let held = Held::new(None);
    let answers = held.make_together(5000);
    let (answered, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((answered.len(), refused.len()), (4096, 5000 - 4096));
    assert!(refused.iter().all(|answer| answer.as_ref().is_err_and(|refused| !refused.retry_after.is_zero())));
}

#[test]
fn a_store_that_cannot_be_opened_anew_says_when_to_come_again_and_does_not_try_at_every_request() {
    let folder = folder();
    let data = folder.path().join("data");
    let (is_broken, tries) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let probe = {
        let (is_broken, tries) = (Arc::clone(&is_broken), Arc::clone(&tries));
        move |step| {
            tries.fetch_add(usize::from(step == CommitStep::Reopen), Ordering::SeqCst);
            if is_broken.load(Ordering::SeqCst) { Err(io::Error::other("no disk")) } else { Ok(()) }
        }
    };
    let store = open_with_probe(&data, Durability::Fsync, At(probe));
    let grant = suite::put_grant(&store, 0);
    is_broken.store(true, Ordering::SeqCst);
    for _ in 0..20 {
        let refused = try_answer(store.put_grant(grant.clone())).expect_err("there is no disk");
        assert!(!refused.retry_after.is_zero());
    }
    let count = tries.load(Ordering::SeqCst);
    assert!((1..10).contains(&count), "tried {count} times");
    drop(store);
    assert_eq!(answer(open(&data).read_grant(grant.id)), Some(grant));
}

#[test]
fn a_read_sees_nothing_that_is_not_durable() {
    let folder = folder();
    let id = new_id();
    let seen: Arc<Mutex<Vec<Option<u32>>>> = Arc::default();
    let shared: Arc<Mutex<Option<Shared>>> = Arc::default();
    let probe = {
        let (shared, seen) = (Arc::clone(&shared), Arc::clone(&seen));
        move |_| {
            if let Some(store) = &*shared.lock().expect("unpoisoned") {
                let found = answer(store.read_grant(id)).map(|grant| grant.generation);
                seen.lock().expect("unpoisoned").push(found);
            }
            Ok(())
        }
    };
    let store = open_with_probe(&folder.path().join("data"), Durability::Fsync, At(probe));
    *shared.lock().expect("unpoisoned") = Some(Arc::clone(&store));
    answer(store.put_grant(Grant { id, ..grant_of(&code_of("alice")) }));
    assert!(matches!(answer(store.rotate(id, 0, after(1), POLICY)), Rotation::Rotated(_)));
    *shared.lock().expect("unpoisoned") = None;
    assert_eq!(*seen.lock().expect("unpoisoned"), [[None; 4], [Some(0); 4]].concat());
    assert_eq!(answer(store.read_grant(id)).map(|grant| grant.generation), Some(1));
}

#[test]
fn a_periodic_store_answers_before_the_sync_and_keeps_everything_when_it_is_closed() {
    let folder = folder();
    let data = folder.path().join("data");
    let syncs = Arc::new(AtomicUsize::new(0));
    let probe = {
        let syncs = Arc::clone(&syncs);
        move |step| {
            syncs.fetch_add(usize::from(step == CommitStep::Sync), Ordering::SeqCst);
            Ok(())
        }
    };
    let store = open_with_probe(&data, Durability::Periodic, At(probe));
    let grant = suite::put_grant(&store, 0);
    for presented in 0..200 {
        assert!(matches!(answer(store.rotate(grant.id, presented, after(1), POLICY)), Rotation::Rotated(_)));
        assert_eq!(answer(store.read_grant(grant.id)).map(|grant| grant.generation), Some(presented + 1));
    }
    drop(store);
    // One at the opening, one at the end, and one every half second.
    let syncs = syncs.load(Ordering::SeqCst);
    assert!((2..100).contains(&syncs), "{syncs} syncs for 201 steps");
    let store = open(&data);
    assert_eq!(answer(store.read_grant(grant.id)).map(|grant| grant.generation), Some(200));
    // It was closed in good order, so it is not behind its tokens.
    assert!(matches!(answer(store.rotate(grant.id, 201, after(2), POLICY)), Rotation::Ahead(_)));
}

#[test]
fn a_periodic_store_that_failed_takes_itself_for_recovered() {
    let folder = folder();
    let fails = Arc::new(AtomicBool::new(false));
    let probe = {
        let fails = Arc::clone(&fails);
        move |step| {
            if step == CommitStep::Apply && fails.swap(false, Ordering::SeqCst) {
                return Err(io::Error::other("the disk is on fire"));
            }
            Ok(())
        }
    };
    let store = open_with_probe(&folder.path().join("data"), Durability::Periodic, At(probe));
    let grant = suite::put_grant(&store, 0);
    fails.store(true, Ordering::SeqCst);
    assert!(try_answer(store.rotate(grant.id, 0, after(1), POLICY)).is_err());
    assert!(matches!(answer(store.rotate(grant.id, 3, after(2), POLICY)), Rotation::Rotated(_)));
}

#[test]
fn a_store_that_failed_says_that_it_cannot_be_used_until_it_works_again() {
    let folder = folder();
    let is_broken = Arc::new(AtomicBool::new(false));
    let probe = {
        let is_broken = Arc::clone(&is_broken);
        move |_| if is_broken.load(Ordering::SeqCst) { Err(io::Error::other("no disk")) } else { Ok(()) }
    };
    let store = SledStore::open_with_probe(
        options(&folder.path().join("data"), Durability::Fsync),
        clock(),
        Box::new(At(probe)),
    );
    let store = store.expect("it opens");
    assert!(store.health().is_ok());
    is_broken.store(true, Ordering::SeqCst);
    assert!(try_answer(store.end_all("alice", after(1))).is_err());
    assert!(store.health().is_err());
    is_broken.store(false, Ordering::SeqCst);
    // The next attempt is made when the pause after the failure is over; each request asks.
    while try_answer(store.end_all("alice", after(1))).is_err() {}
    assert!(store.health().is_ok());
}

#[test]
fn a_store_that_was_closed_takes_no_step_and_was_closed_in_good_order() {
    let folder = folder();
    let data = folder.path().join("data");
    let store = SledStore::open(options(&data, Durability::Periodic), clock()).expect("it opens");
    answer(store.end_all("alice", after(1)));
    store.close();
    assert!(try_answer(store.end_all("bob", after(1))).is_err());
    let mark = std::fs::read_to_string(data.join("jotsmith.store")).expect("a mark");
    assert!(mark.contains("in use closed"), "{mark}");
}
