//! A batch whose write to the disk is cut off anywhere: what is left of it is whole steps, the first few.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};

use futures_util::future::{BoxFuture, join, join_all};
use jotsmith::authorize::store::Redemption;
use jotsmith::store::Durability;
use jotsmith::store::sled::CommitStep;
use jotsmith::tokens::grant::Grant;
use jotsmith::tokens::store::Rotation;

use crate::sled::{At, copy, in_memory, open, open_with_probe};
use crate::suite::{BEGIN, POLICY, Shared, after, answer, code_of, grant_of};

/// After how many bytes the next cut is: fewer than a record has.
const EVERY: usize = 7;

/// A step that is asked together with others.
type Ask = Box<dyn FnOnce(Shared) -> BoxFuture<'static, ()>>;

fn rotate(grant: &Grant) -> Ask {
    let id = grant.id;
    Box::new(move |store| {
        Box::pin(async move {
            let rotation = store.rotate(id, 0, after(1), POLICY).await.expect("answered");
            assert!(matches!(rotation, Rotation::Rotated(_)), "{rotation:?}");
        })
    })
}

fn redeem(grant: Grant) -> Ask {
    Box::new(move |store| {
        Box::pin(async move {
            assert_eq!(store.redeem(grant, BEGIN).await.expect("answered"), Redemption::Redeemed);
        })
    })
}

fn put(store: &Shared) -> Grant {
    let grant = grant_of(&code_of("alice"));
    answer(store.put_grant(grant.clone()));
    grant
}

/// Makes these steps as one batch; every folder that is left where the write of it is cut off, opened, is looked at.
fn cut_off<T: Ord>(begin: impl FnOnce(&Shared) -> Vec<Ask>, look: impl Fn(&Shared) -> T) -> BTreeSet<T> {
    let folder = in_memory();
    let [data, before, left] = ["data", "before", "left"].map(|name| folder.path().join(name));
    let written = write(&data, &before, begin);
    let database = before.join("records/db");
    let mut unwritten = fs::read(&database).expect("there");
    unwritten.resize(written.len().max(unwritten.len()), 0);
    let differs: Vec<usize> = (0..written.len()).filter(|at| written[*at] != unwritten[*at]).collect();
    let (first, last) = (differs[0], differs[differs.len() - 1] + 1);
    let seen = (first..last).step_by(EVERY).chain([last]).map(|cut| {
        copy(&before, &left);
        fs::write(left.join("records/db"), [&written[..cut], &unwritten[cut..]].concat()).expect("written");
        let store = open(&left);
        let seen = look(&store);
        drop(store);
        fs::remove_dir_all(&left).expect("removed");
        seen
    });
    seen.collect()
}

/// Asks for the steps while a commit is on its way, so that the next one has them all: the database with it. What was there
/// without it is copied to `before`.
fn write(data: &Path, before: &Path, begin: impl FnOnce(&Shared) -> Vec<Ask>) -> Vec<u8> {
    let (gate, written) = (Arc::new(Mutex::new(())), Arc::new(Mutex::new(Vec::new())));
    let (waits, is_held) = mpsc::channel();
    let probe = {
        let (gate, written) = (Arc::clone(&gate), Arc::clone(&written));
        let (data, before): (PathBuf, PathBuf) = (data.to_owned(), before.to_owned());
        let (mut is_last, mut batches) = (false, 0);
        move |step| {
            match step {
                CommitStep::Apply if gate.try_lock().is_err() => {
                    waits.send(()).expect("somebody listens");
                    drop(gate.lock().expect("unpoisoned"));
                    is_last = true;
                }
                CommitStep::Apply if is_last => {
                    batches += 1;
                    if batches == 1 {
                        copy(&data, &before);
                    }
                }
                CommitStep::Answer if batches > 0 => {
                    let database = fs::read(data.join("records/db")).expect("there");
                    written.lock().expect("unpoisoned").push(database);
                }
                _ => {}
            }
            Ok(())
        }
    };
    let store = open_with_probe(data, Durability::Fsync, At(probe));
    let steps = begin(&store);
    let held = gate.lock().expect("unpoisoned");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let first = Arc::clone(&store);
        let first = tokio::spawn(async move { first.put_grant(grant_of(&code_of("the first"))).await });
        tokio::task::yield_now().await;
        is_held.recv().expect("it waits");
        let others = join_all(steps.into_iter().map(|step| step(Arc::clone(&store))));
        // Each has asked when it was polled once: then the first may go on.
        join(others, async { drop(held) }).await;
        first.await.expect("no panic").expect("answered");
    });
    drop(store);
    let mut written = std::mem::take(&mut *written.lock().expect("unpoisoned"));
    assert_eq!(written.len(), 1, "they were not one batch");
    written.remove(0)
}

#[test]
fn of_steps_of_one_record_each_the_first_few_are_left() {
    let grants = Mutex::new(Vec::new());
    let seen = cut_off(
        |store| {
            let mut some: Vec<_> = (0..6).map(|_| put(store)).collect();
            // Not in the order of their keys.
            some.sort_unstable_by_key(|grant| Reverse(grant.id));
            let steps = some.iter().map(rotate).collect();
            *grants.lock().expect("unpoisoned") = some;
            steps
        },
        |store| {
            let grants = grants.lock().expect("unpoisoned");
            let generation = |grant: &Grant| answer(store.read_grant(grant.id)).expect("there").generation;
            grants.iter().map(generation).collect::<Vec<_>>()
        },
    );
    let first: BTreeSet<Vec<u32>> = (0..=6).map(|few| (0..6).map(|grant| u32::from(grant < few)).collect()).collect();
    assert_eq!(seen, first);
}

#[test]
fn where_a_step_has_several_records_all_of_the_batch_or_nothing_is_left() {
    let (code, grants) = (code_of("alice"), Mutex::new(Vec::new()));
    let seen = cut_off(
        |store| {
            answer(store.put_code(code.clone()));
            let some = [put(store), put(store)];
            let steps = vec![rotate(&some[0]), redeem(grant_of(&code)), rotate(&some[1])];
            *grants.lock().expect("unpoisoned") = some.into();
            steps
        },
        |store| {
            let grants = grants.lock().expect("unpoisoned");
            let generation = |grant: &Grant| answer(store.read_grant(grant.id)).expect("there").generation;
            let generations: Vec<_> = grants.iter().map(generation).collect();
            let is_code_there = answer(store.read_code(code.id)).is_some();
            (is_code_there, answer(store.read_grant(code.id)).is_some(), generations)
        },
    );
    assert_eq!(seen, [(true, false, vec![0, 0]), (false, true, vec![1, 1])].into());
}

#[test]
fn where_a_record_is_written_twice_all_of_the_batch_or_nothing_is_left() {
    let grants = Mutex::new(Vec::new());
    let seen = cut_off(
        |store| {
            let some = [put(store), put(store)];
            let id = some[0].id;
            let again: Ask = Box::new(move |store| {
                Box::pin(async move {
                    assert!(store.revoke_grant(id, after(2)).await.expect("answered"), "it was live");
                })
            });
            let steps = vec![rotate(&some[0]), rotate(&some[1]), again];
            *grants.lock().expect("unpoisoned") = some.into();
            steps
        },
        |store| {
            let read = |grant: &Grant| answer(store.read_grant(grant.id)).expect("there");
            let all: Vec<_> = grants.lock().expect("unpoisoned").iter().map(read).collect();
            all.iter().map(|grant| (grant.generation, grant.revoked_at.is_some())).collect::<Vec<_>>()
        },
    );
    assert_eq!(seen, [vec![(0, false), (0, false)], vec![(1, true), (1, false)]].into());
}
