//! A crash at any point, and a clean end: what was answered is there, and nothing is half there.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use jotsmith::authorize::code::AuthorizationCode;
use jotsmith::authorize::store::Redemption;
use jotsmith::foundation::once::Remembered;
use jotsmith::foundation::random::OsRandom;
use jotsmith::login::session::{EarlyEnd, SessionId};
use jotsmith::store::Durability;
use jotsmith::store::sled::{CommitStep, OpenFailed};
use jotsmith::tokens::grant::Grant;
use jotsmith::tokens::store::Rotation;
use uuid::Uuid;

use crate::sled::{At, copy, folder, generations, open, open_with_probe};
use crate::suite::{self, BEGIN, POLICY, Shared, after, answer, code_of, grant_of};

/// All that one person's records say.
type Seen = (Option<AuthorizationCode>, Option<Grant>, EarlyEnd);

fn see(store: &Shared, id: Uuid, sid: SessionId) -> Seen {
    (answer(store.read_code(id)), answer(store.read_grant(id)), answer(store.early_end(sid, "alice")))
}

/// A verb, and what it must answer.
type Verb = Box<dyn Fn(&Shared)>;

/// One person's way through every verb, one step at a time.
fn steps(code: &AuthorizationCode, sid: SessionId) -> Vec<Verb> {
    let (id, code) = (code.id, code.clone());
    let rotate = |presented, now| {
        move |store: &Shared| {
            assert!(matches!(answer(store.rotate(id, presented, now, POLICY)), Rotation::Rotated(_)));
        }
    };
    let redeem = {
        let grant = grant_of(&code);
        move |store: &Shared| assert_eq!(answer(store.redeem(grant.clone(), BEGIN)), Redemption::Redeemed)
    };
    vec![
        Box::new(move |store| answer(store.put_code(code.clone()))),
        Box::new(redeem),
        Box::new(rotate(0, after(1))),
        Box::new(rotate(1, after(2))),
        Box::new(move |store| assert!(matches!(answer(store.rotate(id, 0, after(3), POLICY)), Rotation::Reused(_)))),
        Box::new(move |store| answer(store.end_session(sid, after(100)))),
        Box::new(|store| answer(store.end_all("alice", after(4)))),
        Box::new(|store| assert_eq!(answer(store.sweep(BEGIN + 2 * suite::ABSOLUTE, suite::IDLE, 100)).removed, 2)),
    ]
}

#[test]
fn a_crash_between_any_two_steps_loses_nothing_that_was_answered_and_leaves_nothing_half() {
    let folder = folder();
    let data = folder.path().join("data");
    let answered = Arc::new(AtomicUsize::new(0));
    let left: Arc<Mutex<Vec<(CommitStep, usize, PathBuf)>>> = Arc::default();
    let probe = {
        let (answered, left, data) = (Arc::clone(&answered), Arc::clone(&left), data.clone());
        move |step| {
            let mut left = left.lock().expect("unpoisoned");
            let to = data.with_file_name(format!("left-{}", left.len()));
            copy(&data, &to);
            left.push((step, answered.load(Ordering::SeqCst), to));
            Ok(())
        }
    };
    let store = open_with_probe(&data, Durability::Fsync, At(probe));
    let (code, sid) = (code_of("alice"), SessionId::new(&OsRandom));
    let mut states = vec![see(&store, code.id, sid)];
    for step in steps(&code, sid) {
        step(&store);
        answered.fetch_add(1, Ordering::SeqCst);
        states.push(see(&store, code.id, sid));
    }
    drop(store);

    let left = left.lock().expect("unpoisoned");
    // First the opening, with a commit of its own; then three points a step have copies, and so has the answer.
    assert_eq!(left.len(), 1 + (1 + 8) * 4);
    for (step, answered, path) in left.iter().skip(1 + 4) {
        let found = see(&open(path), code.id, sid);
        let is_before = found == states[*answered];
        let is_after = found == states[*answered + 1];
        let is_right = match step {
            CommitStep::Apply => is_before,
            CommitStep::Flush | CommitStep::Sync => is_before || is_after,
            CommitStep::Answer => is_after,
            other => panic!("nothing was written anew, and yet there was {other:?}"),
        };
        assert!(is_right, "a crash before {step:?} after {answered} answers left {found:?}");
    }
}

#[test]
fn a_crash_during_the_very_first_start_is_no_obstacle_to_the_next() {
    let folder = folder();
    let data = folder.path().join("data");
    let left = Arc::new(AtomicUsize::new(0));
    let probe = {
        let (data, left) = (data.clone(), Arc::clone(&left));
        move |_| {
            copy(&data, &data.with_file_name(format!("left-{}", left.fetch_add(1, Ordering::SeqCst))));
            Ok(())
        }
    };
    drop(open_with_probe(&data, Durability::Fsync, At(probe)));
    for number in 0..left.load(Ordering::SeqCst) {
        let left = folder.path().join(format!("left-{number}"));
        let store = crate::sled::try_open(&left).expect("it opens");
        assert!(store.is_new(), "nothing was answered yet");
    }
    assert!(!crate::sled::try_open(&data).expect("it opens").is_new());
}

#[test]
fn a_crash_under_load_loses_no_refresh_that_was_answered() {
    const CALLERS: usize = 16;
    const ROTATIONS: u32 = 60;
    let folder = folder();
    let data = folder.path().join("data");
    let answered: Arc<[AtomicU32; CALLERS]> = Arc::new([const { AtomicU32::new(0) }; CALLERS]);
    let left = Arc::new(Mutex::new(Vec::<(PathBuf, [u32; CALLERS])>::new()));
    let probe = {
        let (answered, left, data) = (Arc::clone(&answered), Arc::clone(&left), data.clone());
        let mut reached = 0;
        move |_| {
            reached += 1;
            if reached % 19 == 0 {
                let seen = std::array::from_fn(|caller| answered[caller].load(Ordering::SeqCst));
                let mut left = left.lock().expect("unpoisoned");
                let to = data.with_file_name(format!("left-{}", left.len()));
                copy(&data, &to);
                left.push((to, seen));
            }
            Ok(())
        }
    };
    let store = open_with_probe(&data, Durability::Fsync, At(probe));
    let grants: Vec<_> = (0..CALLERS).map(|_| suite::put_grant(&store, 0)).collect();
    thread::scope(|scope| {
        for (grant, answered) in grants.iter().zip(answered.iter()) {
            let store = &store;
            scope.spawn(move || {
                for presented in 0..ROTATIONS {
                    let rotation = answer(store.rotate(grant.id, presented, after(1), POLICY));
                    let Rotation::Rotated(next) = rotation else { panic!("not rotated: {rotation:?}") };
                    answered.store(next.generation, Ordering::SeqCst);
                }
            });
        }
    });
    drop(store);
    let left = left.lock().expect("unpoisoned");
    assert!(left.len() > 5, "{} copies say little", left.len());
    for (path, answered) in left.iter() {
        let store = open(path);
        for (grant, answered) in grants.iter().zip(answered) {
            let found = answer(store.read_grant(grant.id)).map_or(0, |grant| grant.generation);
            assert!(found >= *answered, "{found} of {answered} refreshes survived");
            assert!(found <= answered + 1, "more than what was on its way survived");
        }
    }
}

#[test]
fn reopening_keeps_everything() {
    let folder = folder();
    let (code, sid) = (code_of("alice"), SessionId::new(&OsRandom));
    let grant = grant_of(&code_of("bob"));
    let mut seen = Vec::new();
    for round in 0..20 {
        let store = open(folder.path());
        let remembered = answer(store.remember_once([7; 32], after(100), after(round)));
        assert_eq!(remembered, if round == 0 { Remembered::Now } else { Remembered::Before });
        if round == 0 {
            answer(store.put_code(code.clone()));
            answer(store.put_grant(grant.clone()));
            answer(store.end_session(sid, after(100)));
            answer(store.end_all("alice", after(0)));
        }
        seen.push((see(&store, code.id, sid), see(&store, grant.id, sid)));
    }
    assert_eq!(seen[0].0.0, Some(code));
    assert_eq!(seen[0].1.1, Some(grant));
    assert!(seen.iter().all(|round| *round == seen[0]));
}

#[test]
fn a_crash_while_records_are_rewritten_is_no_obstacle() {
    let folder = folder();
    let data = folder.path().join("data");
    let store = open(&data);
    let grant = suite::put_grant(&store, 0);
    drop(store);
    // Cut short before the switch: half a database. Or by an earlier version, which had another name for it.
    for left in ["records.1", "rewritten"] {
        fs::create_dir_all(data.join(left).join("blobs")).expect("created");
        fs::write(data.join(left).join("db"), [1; 100]).expect("written");
    }
    let store = open(&data);
    assert_eq!(answer(store.read_grant(grant.id)), Some(grant));
    assert_eq!(generations(&data), 1);
    assert!(!data.join("rewritten").exists());
}

/// What an opening of records keeps: which they are, the length of the file, the snapshots, and the parts of the file with
/// their places.
fn keep(data: &Path, generation: u64, database: &[u8]) {
    let length = (database.len() as u64).to_le_bytes();
    let parts = [&generation.to_le_bytes()[..], &length, &[0; 8], &[0; 8], &length].concat();
    fs::write(data.join("before-opening"), [b"jotsmith parts 3", &parts[..], database].concat()).expect("written");
}

#[test]
fn a_crash_while_other_records_were_opened_leaves_those_that_count_as_they_are() {
    let folder = folder();
    let data = folder.path().join("data");
    let store = open(&data);
    let grant = suite::put_grant(&store, 0);
    drop(store);
    // The mark was to name records.2 and the disk has not got that far: these were opened, and these count.
    keep(&data, 2, &vec![7; 512 * 1024]);
    assert_eq!(answer(open(&data).read_grant(grant.id)), Some(grant));
    assert!(!data.join("before-opening").exists());
}

#[test]
fn a_crash_while_the_database_was_opened_brings_back_what_was_there_before() {
    let folder = folder();
    let data = folder.path().join("data");
    let store = open(&data);
    let grant = suite::put_grant(&store, 0);
    drop(store);
    keep(&data, 0, &fs::read(data.join("records/db")).expect("readable"));
    for entry in fs::read_dir(data.join("records")).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("snap.")) {
            fs::remove_file(path).expect("removed");
        }
    }
    fs::write(data.join("records/snap.0000000000ffffff"), b"of what sled made of it").expect("written");
    fs::write(data.join("records/db"), [0; 100]).expect("written");
    fs::write(data.join("before-opening.part"), [0; 100]).expect("written");
    assert_eq!(answer(open(&data).read_grant(grant.id)), Some(grant));
    assert!(!data.join("before-opening").exists() && !data.join("before-opening.part").exists());
}

#[test]
fn nothing_is_brought_back_into_a_file_that_a_thread_of_an_earlier_opening_still_has() {
    let folder = folder();
    let data = folder.path().join("data");
    drop(open(&data));
    let database = data.join("records/db");
    let before = fs::read(&database).expect("readable");
    keep(&data, 0, &vec![7; before.len()]);
    // As sled has it, until its last thread has ended.
    let held = fs::File::open(&database).expect("there");
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).expect("free in the end");
    let refused = crate::sled::try_open(&data).expect_err("somebody has it");
    assert!(matches!(refused, OpenFailed::InUse { .. }), "{refused}");
    assert!(fs::read(&database).expect("readable") == before, "it was written into");
    assert!(data.join("before-opening").exists(), "the next start has nothing to bring back");
}
