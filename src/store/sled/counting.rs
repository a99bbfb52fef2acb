//! All records, read once: how many there are, and whether all can be read.
//!
//! Damage is found while nothing was promised yet. With a million grants that takes longer than all else at a start, so
//! several threads do it. Nobody knows beforehand where the middle of the records is: whoever still has some gives half of
//! the keys that could come to one that has none, and of what is left half again.

use std::ops::Bound;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use sled::IVec;

use super::opening::in_words;
use super::records::{self, COMMITS};
use super::tally::Tally;

/// How many threads read at most.
const MOST_READERS: usize = 4;

/// How many records are read before somebody else is given a part: about a millisecond.
const SLICE: usize = 512;

/// The number of the last batch and what there is, after every page was read once.
pub(super) fn count(tree: &sled::Db) -> Result<(u64, Tally), String> {
    let readers = thread::available_parallelism().map_or(1, usize::from).min(MOST_READERS);
    let commits = || {
        let commits = tree.get(COMMITS).map_err(|cause| in_words(&cause))?;
        commits.map_or(Ok(0), |bytes| records::decode_commits(&bytes)).map_err(|cause| cause.to_string())
    };
    // sled asserts where a file says what no sled has written.
    let counted =
        panic::catch_unwind(AssertUnwindSafe(|| tally(tree, readers).and_then(|tally| Ok((commits()?, tally)))));
    counted.unwrap_or_else(|_| Err("sled cannot read its files".to_owned()))
}

/// What so many threads find, of which this is one. Where the system gives no more threads, fewer read.
fn tally(tree: &sled::Tree, readers: usize) -> Result<Tally, String> {
    let work = Work::new();
    let read = || read(tree, &work);
    thread::scope(|scope| {
        let start = |_| thread::Builder::new().name("store reader".to_owned()).spawn_scoped(scope, read).ok();
        let others: Vec<_> = (1..readers).filter_map(start).collect();
        let own = panic::catch_unwind(AssertUnwindSafe(read));
        // All of them, so that none panics when nobody looks; and what says more before what says less.
        let ended: Vec<_> =
            std::iter::once(own).chain(others.into_iter().map(thread::ScopedJoinHandle::join)).collect();
        let (mut sum, mut panicked) = (Tally::default(), None);
        for found in ended {
            match found {
                Ok(found) => sum = sum.with(found?),
                Err(panic) => panicked = Some(panic),
            }
        }
        panicked.map_or(Ok(sum), |panic| panic::resume_unwind(panic))
    })
}

/// Reads one part after the other, until none is left, or somebody has found what cannot be read.
fn read(tree: &sled::Tree, work: &Work) -> Result<Tally, String> {
    let mut tally = Tally::default();
    while let Some(mut taken) = work.take() {
        while !work.is_over() {
            let mut last = None;
            for entry in tree.range::<IVec, _>(taken.part.clone()).take(SLICE) {
                let (key, value) = entry.map_err(|cause| in_words(&cause))?;
                tally.add(&key, &value);
                last = Some(key);
            }
            let Some(last) = last else {
                taken.is_read = true;
                break;
            };
            taken.part.0 = Bound::Excluded(last);
            taken.share();
        }
    }
    Ok(tally)
}

/// The keys that somebody reads.
type Part = (Bound<IVec>, Bound<IVec>);

/// Takes the upper half from a part; none: it has too few keys.
fn halve(part: &mut Part) -> Option<Part> {
    let middle = middle(part)?;
    let to = std::mem::replace(&mut part.1, Bound::Excluded(middle.clone()));
    Some((Bound::Included(middle), to))
}

/// A key in the middle of those that a part could have, as numbers; none: they are too close.
fn middle((from, to): &Part) -> Option<IVec> {
    let number = |bound: &Bound<IVec>, without: u128| match bound {
        Bound::Included(key) | Bound::Excluded(key) => {
            let mut bytes = [0; size_of::<u128>()];
            bytes.iter_mut().zip(key.iter()).for_each(|(byte, of_key)| *byte = *of_key);
            u128::from_be_bytes(bytes)
        }
        Bound::Unbounded => without,
    };
    let (from, to) = (number(from, 0), number(to, u128::MAX));
    let middle = from + to.checked_sub(from)? / 2;
    (middle > from).then(|| IVec::from(&middle.to_be_bytes()))
}

/// What is left to read, for all who read.
struct Work {
    left: Mutex<Left>,
    changed: Condvar,
}

struct Left {
    parts: Vec<Part>,
    /// How many are being read, of which more may come.
    taken: usize,
    /// How many readers have none.
    idle: usize,
    /// Whether a reader could not go on, so that nobody need.
    is_over: bool,
}

/// A part that is being read.
struct Taken<'a> {
    part: Part,
    is_read: bool,
    work: &'a Work,
}

impl Work {
    fn new() -> Self {
        let parts = vec![(Bound::Unbounded, Bound::Unbounded)];
        Self { left: Mutex::new(Left { parts, taken: 0, idle: 0, is_over: false }), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next part; none: all is read, or a reader could not go on.
    fn take(&self) -> Option<Taken<'_>> {
        let mut left = self.lock();
        left.idle += 1;
        let waited = self.changed.wait_while(left, |left| left.parts.is_empty() && left.taken > 0);
        let mut left = waited.unwrap_or_else(PoisonError::into_inner);
        left.idle -= 1;
        let part = if left.is_over { None } else { left.parts.pop() }?;
        left.taken += 1;
        Some(Taken { part, is_read: false, work: self })
    }

    /// Whether nothing more need be read.
    fn is_over(&self) -> bool {
        self.lock().is_over
    }

    fn give(&self, part: Part) {
        self.lock().parts.push(part);
        self.changed.notify_one();
    }
}

impl Taken<'_> {
    /// Gives half of it to a reader that has nothing to read, if there is one.
    fn share(&mut self) {
        if self.work.lock().idle > 0
            && let Some(half) = halve(&mut self.part)
        {
            self.work.give(half);
        }
    }
}

impl Drop for Taken<'_> {
    /// It was read; or its reader failed or panicked, or stopped for another one that did.
    fn drop(&mut self) {
        let mut left = self.work.lock();
        left.is_over |= !self.is_read;
        left.taken -= 1;
        drop(left);
        self.work.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::ops::RangeBounds as _;

    use proptest::prelude::*;

    use super::*;

    fn tree(keys: impl IntoIterator<Item = Vec<u8>>) -> (sled::Db, Tally) {
        let tree = sled::Config::new().temporary(true).flush_every_ms(None).open().expect("it opens");
        let mut expected = Tally::default();
        for key in keys {
            let before = tree.insert(&key, &key[..]).expect("inserted");
            expected.replace(&key, before.as_deref(), Some(&key));
        }
        (tree, expected)
    }

    /// As grants: one kind, a time that begins with the same bytes, and all of them of one week; and a few others.
    fn keys() -> impl Iterator<Item = Vec<u8>> {
        let grants = (0..20_000_u64).map(|number| {
            let time = (1_800_000_000_000 + number % 7 * 86_400_000 + number / 7).to_be_bytes();
            [&b"g"[..], &time[2..], &number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes(), b"xy"].concat()
        });
        grants.chain([&b"a"[..], b"m", b"r", b"v", b"valice", b"\xff\xff\xff"].map(<[u8]>::to_vec))
    }

    #[test]
    fn nothing_is_lost_where_half_is_given_after_each_slice() {
        let (tree, expected) = tree(keys());
        let work = Work::new();
        // Somebody who never comes for it, so that the only reader takes each half itself.
        work.lock().idle = 1;
        assert_eq!(read(&tree, &work), Ok(expected));
    }

    #[test]
    fn several_threads_find_what_one_finds() {
        let (tree, expected) = tree(keys());
        for readers in [1, 2, 3, 4, 16] {
            assert_eq!(tally(&tree, readers), Ok(expected), "{readers}");
        }
    }

    #[test]
    fn an_empty_tree_is_counted_by_any_number() {
        let (tree, expected) = tree([]);
        for readers in [1, 4] {
            assert_eq!(tally(&tree, readers), Ok(expected));
        }
    }

    #[test]
    fn whoever_has_nothing_is_given_half() {
        let work = Work::new();
        let mut first = work.take().expect("all of it");
        first.share();
        assert_eq!(work.lock().parts.len(), 0, "nobody wants any");
        work.lock().idle = 1;
        first.share();
        assert_eq!(work.lock().parts.len(), 1);
        let mut second = work.take().expect("the other half");
        assert_eq!(first.part.1, Bound::Excluded(IVec::from(&(u128::MAX / 2).to_be_bytes())));
        assert_eq!(second.part.1, Bound::Unbounded);
        (first.is_read, second.is_read) = (true, true);
        drop((first, second));
        assert!(work.take().is_none());
        assert!(!work.is_over());
    }

    #[test]
    fn a_reader_that_panics_keeps_nobody_waiting_and_ends_it_for_all() {
        let work = Work::new();
        let taken = work.take();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| work.take().is_none());
            while work.lock().idle == 0 {
                thread::yield_now();
            }
            let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
                let _taken = taken;
                panic!("as sled does");
            }));
            assert!(outcome.is_err());
            assert!(waiting.join().expect("no panic"));
        });
        work.give((Bound::Unbounded, Bound::Unbounded));
        assert!(work.take().is_none());
    }

    proptest! {
        #[test]
        fn a_key_is_in_one_half_and_both_are_smaller(
            from in proptest::collection::vec(any::<u8>(), 0..20),
            to in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20)),
            other in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            let to = to.map_or(Bound::Unbounded, |to| Bound::Excluded(IVec::from(to)));
            let whole = (Bound::Excluded(IVec::from(&*from)), to);
            prop_assume!(!matches!(&whole.1, Bound::Excluded(to) if to[..] <= from[..]));
            let mut lower = whole.clone();
            if let Some(upper) = halve(&mut lower) {
                let Bound::Included(middle) = &upper.0 else { panic!("{upper:?}") };
                prop_assert!(middle[..] > from[..]);
                prop_assert!(whole.contains(middle));
                for key in [&other, &from, &middle.to_vec()] {
                    let has = |part: &Part| part.contains(&IVec::from(&**key));
                    prop_assert_eq!(u8::from(has(&lower)) + u8::from(has(&upper)), u8::from(has(&whole)));
                }
            }
        }
    }
}
