//! Records are written anew beside the requests: nothing is lost or half there whenever it ends, and the space comes back.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use futures_util::future::join_all;
use jotsmith::foundation::storage::StoreHealth as _;
use jotsmith::login::store::SessionStore as _;
use jotsmith::store::sled::{CommitStep, SledStore};
use jotsmith::store::{Durability, Store as _};
use jotsmith::tokens::grant::Grant;
use jotsmith::tokens::store::{GrantStore as _, Rotation};

use crate::sled::{At, clock, copy, folder, generations, open, options, promise_no_content, records, try_open};
use crate::suite::{ABSOLUTE, IDLE, POLICY, after, answer, code_of, grant_of, try_answer};

/// Every step that a rewriting takes.
const STEPS: [CommitStep; 6] = [
    CommitStep::Copy,
    CommitStep::CatchUp,
    CommitStep::Complete,
    CommitStep::Switch,
    CommitStep::Switched,
    CommitStep::Remove,
];

fn open_at(
    data: &Path,
    durability: Durability,
    probe: impl FnMut(CommitStep) -> io::Result<()> + Send + 'static,
) -> Arc<SledStore> {
    let store = SledStore::open_with_probe(options(data, durability), clock(), Box::new(At(probe)));
    Arc::new(store.expect("it opens"))
}

fn put(store: &SledStore) -> Grant {
    let grant = grant_of(&code_of("alice"));
    answer(store.put_grant(grant.clone()));
    grant
}

fn rotate(store: &SledStore, grant: &Grant, presented: u32) -> u32 {
    match answer(store.rotate(grant.id, presented, after(1), POLICY)) {
        Rotation::Rotated(next) => next.generation,
        other => panic!("not rotated: {other:?}"),
    }
}

fn generation(store: &SledStore, grant: &Grant) -> u32 {
    answer(store.read_grant(grant.id)).expect("there").generation
}

/// Every record of a closed store as it lies there, but the number of the last batch.
fn raw(data: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let tree = ::sled::open(records(data)).expect("it opens");
    let entries = tree.iter().map(|entry| entry.expect("readable"));
    entries.map(|(key, value)| (key.to_vec(), value.to_vec())).filter(|(key, _)| key != b"m").collect()
}

#[test]
fn whoever_is_answered_finds_their_step_in_the_figures() {
    for durability in [Durability::Fsync, Durability::Periodic] {
        let folder = folder();
        let store = open_at(&folder.path().join("data"), durability, |_| Ok(()));
        let before = store.figures();
        for more in 1..=100 {
            put(&store);
            assert_eq!(store.figures().live_records, before.live_records + more);
        }
    }
}

#[test]
fn what_is_written_anew_is_what_there_was_and_takes_less_space() {
    let folder = folder();
    let data = folder.path().join("data");
    let store = try_open(&data).expect("it opens");
    let grants: Vec<_> = (0..100).map(|_| put(&store)).collect();
    for presented in 0..40 {
        for grant in &grants {
            rotate(&store, grant, presented);
        }
    }
    drop(store);
    // Records of a later version, which this one knows nothing of.
    let tree = ::sled::open(records(&data)).expect("it opens");
    for number in 0..1000_u32 {
        tree.insert([b"x".as_slice(), &number.to_be_bytes()].concat(), vec![9; 40]).expect("inserted");
    }
    tree.insert(b"zebra", b"striped").expect("inserted");
    drop(tree);
    promise_no_content(&data);
    let before = raw(&data);

    let store = try_open(&data).expect("it opens");
    let held = store.figures();
    assert_eq!(held.live_records, before.len() as u64);
    assert_eq!(held.live_bytes, before.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum::<u64>());
    answer(store.rewrite());
    let now = store.figures();
    assert_eq!((now.live_records, now.live_bytes), (held.live_records, held.live_bytes));
    assert!(now.disk_bytes < held.disk_bytes, "{now:?} after {held:?}");
    // And it goes on like any other.
    assert_eq!(rotate(&store, &grants[0], 40), 41);
    drop(store);
    assert_eq!(generations(&data), 1);
    let mut after = raw(&data);
    let key = [b"g", &grants[0].id.as_bytes()[..]].concat();
    assert_ne!(after.insert(key.clone(), before[&key].clone()), None);
    assert_eq!(after, before);
}

/// Rotates the grants of a store from as many threads until `is_over`; how far each came.
fn rotate_until(store: &SledStore, grants: &[Grant], answered: &[AtomicU32], is_over: &AtomicBool) {
    thread::scope(|scope| {
        for (grant, answered) in grants.iter().zip(answered) {
            scope.spawn(move || {
                while !is_over.load(Ordering::SeqCst) {
                    let next = rotate(store, grant, answered.load(Ordering::SeqCst));
                    answered.store(next, Ordering::SeqCst);
                }
            });
        }
    });
}

#[test]
fn a_crash_at_any_step_of_a_rewriting_under_load_leaves_all_that_was_answered_and_never_a_mix() {
    const CALLERS: usize = 6;
    for durability in [Durability::Fsync, Durability::Periodic] {
        let folder = folder();
        let data = folder.path().join("data");
        let answered: Arc<[AtomicU32; CALLERS]> = Arc::new([const { AtomicU32::new(0) }; CALLERS]);
        let left = Arc::new(Mutex::new(Vec::<(CommitStep, PathBuf, [u32; CALLERS])>::new()));
        let is_filled = Arc::new(AtomicBool::new(false));
        let probe = {
            let (answered, left, data) = (Arc::clone(&answered), Arc::clone(&left), data.clone());
            let is_filled = Arc::clone(&is_filled);
            let mut commits = 0;
            move |step| {
                commits += usize::from(step == CommitStep::Sync);
                // And some commits between: those of a rewriting that is on its way.
                let is_seen = STEPS.contains(&step) || (step == CommitStep::Sync && commits % 40 == 0);
                if is_seen && is_filled.load(Ordering::SeqCst) {
                    let mut left = left.lock().expect("unpoisoned");
                    let seen = std::array::from_fn(|caller| answered[caller].load(Ordering::SeqCst));
                    let to = data.with_file_name(format!("left-{}", left.len()));
                    copy(&data, &to);
                    left.push((step, to, seen));
                }
                Ok(())
            }
        };
        let store = open_at(&data, durability, probe);
        let grants: Vec<_> = (0..CALLERS).map(|_| put(&store)).collect();
        let others: Vec<_> = (0..300).map(|_| put(&store)).collect();
        // Makes them durable, with periodic syncs too.
        answer(store.rewrite());
        is_filled.store(true, Ordering::SeqCst);
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| rotate_until(&store, &grants, &*answered, &is_over));
            let outcomes = [(); 3].map(|()| try_answer(store.rewrite()));
            // First of all, for the other threads would go on for ever.
            is_over.store(true, Ordering::SeqCst);
            assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        });
        drop(store);
        let left = left.lock().expect("unpoisoned");
        for step in STEPS {
            assert!(left.iter().filter(|(seen, ..)| *seen == step).count() >= 3, "{step:?} was not reached");
        }
        for (step, path, answered) in left.iter() {
            let store = try_open(path).unwrap_or_else(|error| panic!("a crash before {step:?}: {error}"));
            assert_eq!(generations(path), 1, "a crash before {step:?}");
            for other in &others {
                let found = answer(store.read_grant(other.id));
                assert_eq!(found.as_ref(), Some(other), "a crash before {step:?}");
            }
            for (grant, answered) in grants.iter().zip(answered) {
                let found = generation(&store, grant);
                assert!(found >= *answered || durability == Durability::Periodic, "{found} of {answered} at {step:?}");
            }
        }
    }
}

#[test]
fn a_rewriting_ends_while_more_callers_write_at_once_than_records_may_be_left() {
    const CALLERS: usize = 128;
    let folder = folder();
    let store = try_open(&folder.path().join("data")).expect("it opens");
    let grants: Vec<_> = (0..CALLERS).map(|_| put(&store)).collect();
    let answered = [const { AtomicU32::new(0) }; CALLERS];
    let is_over = AtomicBool::new(false);
    let outcomes = thread::scope(|scope| {
        scope.spawn(|| rotate_until(&store, &grants, &answered, &is_over));
        // Until all of them call.
        while answered.iter().any(|answered| answered.load(Ordering::SeqCst) == 0) {
            thread::yield_now();
        }
        let outcomes = [(); 3].map(|()| try_answer(store.rewrite()));
        is_over.store(true, Ordering::SeqCst);
        outcomes
    });
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    for (grant, answered) in grants.iter().zip(&answered) {
        assert_eq!(generation(&store, grant), answered.load(Ordering::SeqCst));
    }
}

#[test]
fn a_rewriting_that_fails_at_any_step_leaves_the_store_as_it_was() {
    for failing in STEPS {
        let folder = folder();
        let data = folder.path().join("data");
        let (fails, syncs_failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let probe = {
            let (fails, reopened) = (Arc::clone(&fails), Arc::clone(&syncs_failed));
            move |step| {
                reopened.fetch_add(usize::from(step == CommitStep::Reopen), Ordering::SeqCst);
                if step == failing && fails.swap(false, Ordering::SeqCst) {
                    return Err(io::Error::other("No space left on device"));
                }
                Ok(())
            }
        };
        let store = open_at(&data, Durability::Fsync, probe);
        let grant = put(&store);
        fails.store(true, Ordering::SeqCst);
        let outcome = try_answer(store.rewrite());
        if failing == CommitStep::Remove {
            // It counts already; the next start removes what is left.
            outcome.expect("done");
        } else {
            let refused = outcome.expect_err("it failed");
            assert!(refused.cause.contains("No space left"), "{failing:?}: {refused}");
        }
        // Only where nobody can know what the mark says on the disk is the store opened anew.
        let mut retried = try_answer(store.rotate(grant.id, 0, after(1), POLICY));
        while retried.is_err() {
            retried = try_answer(store.rotate(grant.id, 0, after(1), POLICY));
        }
        let reopened = syncs_failed.load(Ordering::SeqCst);
        assert_eq!(reopened, usize::from(failing == CommitStep::Switched), "{failing:?}");
        assert!(store.health().is_ok());
        answer(store.rewrite());
        assert_eq!(rotate(&store, &grant, 1), 2);
        drop(store);
        let store = try_open(&data).expect("it opens");
        assert_eq!(generation(&store, &grant), 2);
        assert_eq!(generations(&data), 1, "{failing:?}");
    }
}

#[test]
fn whichever_folder_the_disk_names_after_failed_switches_is_there_and_has_all_that_was_answered() {
    const FAILURES: usize = 3;
    let folder = folder();
    let data = folder.path().join("data");
    let read_mark = |data: &Path| fs::read_to_string(data.join("jotsmith.store")).expect("a mark");
    // What the disk may hold: the mark of before, and each of which it is not known whether it got there.
    let marks: Arc<Mutex<Vec<String>>> = Arc::default();
    let (failures, left) = (Arc::new(AtomicUsize::new(0)), folder.path().join("left"));
    let probe = {
        let (marks, failures, left, data) = (Arc::clone(&marks), Arc::clone(&failures), left.clone(), data.clone());
        move |step| {
            let mut marks = marks.lock().expect("unpoisoned");
            if step == CommitStep::Switched && failures.load(Ordering::SeqCst) > 0 {
                failures.fetch_sub(1, Ordering::SeqCst);
                marks.push(read_mark(&data));
                return Err(io::Error::other("the mark could not be synced"));
            }
            if step == CommitStep::Apply && marks.len() > FAILURES && !left.exists() {
                copy(&data, &left);
            }
            Ok(())
        }
    };
    let store = open_at(&data, Durability::Fsync, probe);
    let grant = put(&store);
    for presented in 0..5 {
        rotate(&store, &grant, presented);
    }
    marks.lock().expect("unpoisoned").push(read_mark(&data));
    failures.store(FAILURES, Ordering::SeqCst);
    assert!(try_answer(store.rewrite()).is_err());
    let mut retried = try_answer(store.end_all("bob", after(1)));
    while retried.is_err() {
        retried = try_answer(store.end_all("bob", after(1)));
    }
    drop(store);
    assert_eq!(generations(&data), 1);

    let marks = marks.lock().expect("unpoisoned");
    assert_eq!(marks.len(), 1 + FAILURES);
    for (number, mark) in marks.iter().enumerate() {
        let started = folder.path().join(format!("started-{number}"));
        copy(&left, &started);
        fs::write(started.join("jotsmith.store"), mark).expect("written");
        let store = try_open(&started).unwrap_or_else(|error| panic!("the disk has the mark {mark}: {error}"));
        assert_eq!(generation(&store, &grant), 5, "the disk has the mark {mark}");
        assert_eq!(generations(&started), 1);
    }
}

#[test]
fn a_commit_that_fails_ends_the_rewriting_and_neither_loses_anything() {
    let folder = folder();
    let data = folder.path().join("data");
    let (fails, is_copying) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let probe = {
        let (fails, is_copying) = (Arc::clone(&fails), Arc::clone(&is_copying));
        move |step| {
            is_copying.fetch_or(step == CommitStep::Copy, Ordering::SeqCst);
            if step == CommitStep::Sync && fails.swap(false, Ordering::SeqCst) {
                return Err(io::Error::other("the disk is on fire"));
            }
            Ok(())
        }
    };
    let store = open_at(&data, Durability::Fsync, probe);
    let grants: Vec<_> = (0..3000).map(|_| put(&store)).collect();
    thread::scope(|scope| {
        let rewriting = scope.spawn(|| try_answer(store.rewrite()));
        while !is_copying.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        fails.store(true, Ordering::SeqCst);
        assert!(try_answer(store.put_grant(grants[0].clone())).is_err());
        assert!(rewriting.join().expect("no panic").is_err());
    });
    assert!(grants.iter().all(|grant| generation(&store, grant) == 0));
    drop(store);
    assert_eq!(generations(&data), 1);
    let store = open(&data);
    assert!(grants.iter().all(|grant| answer(store.read_grant(grant.id)).is_some()));
}

#[test]
fn a_store_that_is_closed_while_it_rewrites_keeps_the_old_records() {
    let folder = folder();
    let data = folder.path().join("data");
    let shared: Arc<Mutex<Option<Arc<SledStore>>>> = Arc::default();
    let is_copying = Arc::new(AtomicBool::new(false));
    let probe = {
        let is_copying = Arc::clone(&is_copying);
        move |step| {
            is_copying.fetch_or(step == CommitStep::Copy, Ordering::SeqCst);
            Ok(())
        }
    };
    let store = open_at(&data, Durability::Fsync, probe);
    *shared.lock().expect("unpoisoned") = Some(Arc::clone(&store));
    let grants: Vec<_> = (0..2000).map(|_| put(&store)).collect();
    thread::scope(|scope| {
        let rewriting = scope.spawn(|| try_answer(store.rewrite()));
        while !is_copying.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        store.close();
        // It may have been faster.
        let _ = rewriting.join().expect("no panic");
    });
    assert_eq!(generations(&data), 1);
    let store = try_open(&data).expect("it opens");
    assert!(grants.iter().all(|grant| generation(&store, grant) == 0));
}

#[test]
fn space_comes_back_by_itself_when_much_of_what_lived_is_over() {
    const FLOOR: u64 = 32 << 20;
    /// Grants that are being put at once.
    const AT_ONCE: usize = 32;
    let folder = folder();
    let data = folder.path().join("data");
    let (is_copied, is_removed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let probe = {
        let (is_copied, is_removed) = (Arc::clone(&is_copied), Arc::clone(&is_removed));
        move |step| {
            is_copied.fetch_or(step == CommitStep::Copy, Ordering::SeqCst);
            is_removed.fetch_or(step == CommitStep::Remove, Ordering::SeqCst);
            Ok(())
        }
    };
    let store = open_at(&data, Durability::Periodic, probe);
    let kept =
        Grant { expires_at: after(u32::MAX.into()), absolute_expires_at: after(u32::MAX.into()), ..large_grant() };
    answer(store.put_grant(kept.clone()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    while store.figures().disk_bytes < FLOOR {
        let grants = std::iter::repeat_with(large_grant).take(AT_ONCE);
        let answers = runtime.block_on(join_all(grants.map(|grant| store.put_grant(grant))));
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    }
    let full = store.figures();
    assert!(full.live_bytes > full.disk_bytes / 3, "{full:?} is more than what lives takes");
    assert!(!is_copied.load(Ordering::SeqCst), "there was nothing to be had");

    // All but one are over.
    while answer(store.sweep(after(1) + 2 * ABSOLUTE, IDLE, 10_000)).removed > 0 {}
    // It goes on beside the steps of everybody else.
    let mut steps = 0;
    while !is_removed.load(Ordering::SeqCst) {
        steps += 1;
        assert!(steps < 100_000, "the space does not come back: {:?}", store.figures());
        answer(store.end_all("bob", after(1)));
    }
    let figures = store.figures();
    // It may have begun while something was still to be removed.
    assert!(figures.disk_bytes < full.disk_bytes / 3 * 2, "{figures:?} after {full:?}");
    assert_eq!(answer(store.read_grant(kept.id)), Some(kept));
    drop(store);
    assert_eq!(generations(&data), 1);
}

/// One that takes most of what a record may take.
fn large_grant() -> Grant {
    Grant { scope: "s".repeat(3000).parse().expect("valid"), ..grant_of(&code_of("alice")) }
}

#[test]
fn a_mark_that_names_records_that_are_gone_is_damage_and_the_others_stay() {
    let folder = folder();
    let data = folder.path().join("data");
    drop(open(&data));
    let mark = data.join("jotsmith.store");
    let text = fs::read_to_string(&mark).expect("text");
    let zero = format!("generation {:020}", 0);
    fs::write(&mark, text.replace(&zero, &zero.replace("generation 0", "generation 7"))).expect("written");
    assert!(try_open(&data).is_err());
    assert!(data.join("records/db").exists());
}
