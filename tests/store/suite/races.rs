//! Of many that make the same step at the same time, one wins; and whoever reads meanwhile finds what is there.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use jotsmith::authorize::store::Redemption;
use jotsmith::foundation::digest::sha256;
use jotsmith::foundation::once::Remembered;
use jotsmith::foundation::storage::Stored;
use jotsmith::tokens::grant::Grant;
use jotsmith::tokens::store::Rotation;

use super::{BEGIN, IDLE, POLICY, STRICT, Shared, after, answer, code_of, grant_of};

pub(super) const ROUNDS: usize = 1000;
const RACERS: usize = 8;

/// Lets [`RACERS`] threads make the same step for each of [`ROUNDS`] subjects of the race at the same time; what each
/// subject's racers got.
fn race<T, A>(store: &Shared, subjects: &[T], step: fn(Shared, T) -> Stored<'static, A>) -> Vec<Vec<A>>
where
    T: Clone + Send + Sync,
    A: Send + 'static,
{
    let start = Barrier::new(RACERS);
    let racer = || {
        start.wait();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let mut answers = Vec::new();
            for slice in subjects.chunks(100) {
                let steps = slice.iter().map(|subject| tokio::spawn(step(Arc::clone(store), subject.clone())));
                for answered in steps.collect::<Vec<_>>() {
                    answers.push(answered.await.expect("no panic").expect("the store answers"));
                }
            }
            answers
        })
    };
    let mut columns = thread::scope(|scope| {
        let threads: Vec<_> = (0..RACERS).map(|_| scope.spawn(racer)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic").into_iter()).collect::<Vec<_>>()
    });
    subjects
        .iter()
        .map(|_| columns.iter_mut().map(|column| column.next().expect("one answer a round")).collect())
        .collect()
}

pub(crate) fn of_racing_redeemers_one_wins(store: &Shared) {
    let codes: Vec<_> = (0..ROUNDS).map(|_| code_of("alice")).collect();
    put_all(store, &codes, |store, code| Box::pin(async move { store.put_code(code).await }));
    let rounds = race(store, &codes, |store, code| Box::pin(async move { store.redeem(grant_of(&code), BEGIN).await }));
    assert_eq!(rounds.len(), ROUNDS);
    for (code, answers) in codes.iter().zip(rounds) {
        let grant = grant_of(code);
        assert_eq!(answers.iter().filter(|answer| **answer == Redemption::Redeemed).count(), 1);
        let others = answers.into_iter().filter(|answer| *answer != Redemption::Redeemed);
        assert!(others.into_iter().all(|answer| answer == Redemption::AlreadyRedeemed(grant.clone())));
    }
}

pub(super) fn put_all<T: Clone + Send + 'static>(
    store: &Shared,
    subjects: &[T],
    put: fn(Shared, T) -> Stored<'static, ()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let puts = subjects.iter().map(|subject| tokio::spawn(put(Arc::clone(store), subject.clone())));
        for put in puts.collect::<Vec<_>>() {
            put.await.expect("no panic").expect("the store answers");
        }
    });
}

pub(super) fn put_grants(store: &Shared) -> Vec<Grant> {
    let grants: Vec<_> = (0..ROUNDS).map(|_| grant_of(&code_of("alice"))).collect();
    put_all(store, &grants, |store, grant| Box::pin(async move { store.put_grant(grant).await }));
    grants
}

pub(crate) fn of_racing_rememberers_one_is_first(store: &Shared) {
    let digests: Vec<[u8; 32]> = (0..ROUNDS).map(|round| sha256(round.to_be_bytes())).collect();
    let rounds = race(store, &digests, |store, digest| {
        Box::pin(async move { store.remember_once(digest, BEGIN + IDLE, BEGIN).await })
    });
    assert_eq!(rounds.len(), ROUNDS);
    for answers in rounds {
        assert_eq!(answers.iter().filter(|answer| **answer == Remembered::Now).count(), 1);
        assert_eq!(answers.iter().filter(|answer| **answer == Remembered::Before).count(), RACERS - 1);
    }
}

pub(crate) fn of_racing_rotators_one_wins_and_the_others_retry(store: &Shared) {
    let grants = put_grants(store);
    let rounds =
        race(store, &grants, |store, grant| Box::pin(async move { store.rotate(grant.id, 0, BEGIN, POLICY).await }));
    for (grant, answers) in grants.iter().zip(rounds) {
        let next = Grant { generation: 1, ..grant.clone() };
        let count = |expected: Rotation| answers.iter().filter(|answer| **answer == expected).count();
        assert_eq!(count(Rotation::Rotated(next.clone())), 1);
        assert_eq!(count(Rotation::Retried(next)), RACERS - 1);
    }
}

pub(crate) fn of_racing_strict_rotators_one_wins(store: &Shared) {
    let grants = put_grants(store);
    let rounds =
        race(store, &grants, |store, grant| Box::pin(async move { store.rotate(grant.id, 0, BEGIN, STRICT).await }));
    for answers in rounds {
        let is = |kind: fn(&Rotation) -> bool| answers.iter().filter(|answer| kind(answer)).count();
        assert_eq!(is(|answer| matches!(answer, Rotation::Rotated(_))), 1);
        assert_eq!(is(|answer| matches!(answer, Rotation::Reused(_))), 1);
        assert_eq!(is(|answer| matches!(answer, Rotation::Revoked)), RACERS - 2);
    }
}

/// How many times the sweeper may go through all until it has found what is over.
const SWEEPS: usize = 1000;

pub(crate) fn whoever_reads_finds_what_stays_while_others_come_and_go(store: &Shared) {
    let mut stay = put_grants(store);
    stay.sort_by_key(|grant| grant.id);
    // Their ids stand between those that stay, so that what holds these is divided and joined again.
    let pass: Vec<_> = (0..ROUNDS).map(|_| Grant { expires_at: after(1), ..grant_of(&code_of("bob")) }).collect();
    thread::scope(|scope| {
        scope.spawn(|| {
            for pass in pass.chunks(100) {
                put_all(store, pass, |store, grant| Box::pin(async move { store.put_grant(grant).await }));
            }
        });
        let sweeper = scope.spawn(|| {
            let (mut removed, mut sweeps) = (0, 0);
            while removed < pass.len() && sweeps < SWEEPS {
                let swept = answer(store.sweep(after(3600), Duration::ZERO, 1));
                removed += swept.removed;
                sweeps += usize::from(swept.is_at_end);
            }
            assert_eq!(removed, pass.len());
        });
        while !sweeper.is_finished() {
            assert_eq!(staying(store), stay);
            for grant in &stay {
                assert_eq!(answer(store.read_grant(grant.id)).as_ref(), Some(grant));
            }
        }
    });
    assert_eq!(answer(store.find_grants(None, None, 2 * ROUNDS)).grants, stay);
}

/// Goes through all grants, a slice at a time; those of the person whose grants stay.
fn staying(store: &Shared) -> Vec<Grant> {
    let (mut found, mut from) = (Vec::new(), None);
    loop {
        let slice = answer(store.find_grants(None, from, 100));
        found.extend(slice.grants.into_iter().filter(|grant| grant.subject.as_ref() == "alice"));
        from = slice.reached;
        if from.is_none() {
            return found;
        }
    }
}
