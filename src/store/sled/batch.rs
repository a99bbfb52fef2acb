//! The steps of one batch: what they see, and what they do.
//!
//! A step sees what those before it in the batch did, and below that the tree. Nobody but the committer writes into that,
//! so what was looked up there once is what stands there until the batch is written; and it is what readers are shown until
//! the batch is answered.
//!
//! What a crash leaves of a batch is whole steps, the first few of them, or none. Where each step has written one record,
//! no record was written twice, and all of it is small, that is so when they are written one after the other: sled's log
//! keeps their order, as far as it is not longer than one of its segments. Everything else is written as one batch of
//! sled's, which costs a write to the disk of its own and wakes sled's threads once more.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use serde::Serialize;
use sled::IVec;

use super::codec;
use super::records::{Fault, Kind, Records};

/// How many bytes of records may be written one after the other. With what sled adds, whole pages of them now and then, that
/// is far from one of its segments of 512 KiB.
const MOST_IN_TURN_BYTES: usize = 32 * 1024;

/// New values by key; none: removed.
pub(super) type Writes = BTreeMap<IVec, Option<IVec>>;

/// What the tree held under some keys; none: nothing.
pub(super) type Before = HashMap<IVec, Option<IVec>>;

/// A key and what is under it.
pub(super) type Entry = (IVec, Option<IVec>);

/// A batch that is being decided.
pub(super) struct Batch<'a> {
    tree: &'a sled::Tree,
    before: RefCell<Before>,
    writes: Writes,
    bytes: usize,
    /// The keys that were written, in their order.
    in_turn: Vec<IVec>,
    /// Whether the first few of its writes may be less than whole steps.
    is_indivisible: bool,
}

/// A batch that was decided.
pub(super) struct Decided {
    /// What is to be written.
    pub(super) writes: Writes,
    /// What stands in the tree, under the keys of what is to be written at least.
    pub(super) before: Before,
    /// In which order one after the other may be written; none: all must be written at once.
    pub(super) in_turn: Option<Vec<IVec>>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(tree: &'a sled::Tree) -> Self {
        Self {
            tree,
            before: RefCell::default(),
            writes: Writes::new(),
            bytes: 0,
            in_turn: Vec::new(),
            is_indivisible: false,
        }
    }

    /// What the next step sees.
    pub(super) const fn view(&self) -> View<'_> {
        View { batch: self, own: Writes::new() }
    }

    /// Takes over what a step did.
    pub(super) fn add(&mut self, own: Writes) {
        self.is_indivisible |= own.len() > 1;
        for (key, value) in own {
            self.bytes += key.len() + value.as_ref().map_or(0, |value| value.len());
            self.in_turn.push(key.clone());
            self.is_indivisible |= self.writes.insert(key, value).is_some();
        }
    }

    /// How many bytes its steps have written.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes no further step.
    pub(super) fn end(self) -> Result<Decided, sled::Error> {
        let Self { tree, before, writes, bytes, in_turn, is_indivisible } = self;
        let mut before = before.into_inner();
        for key in writes.keys() {
            if !before.contains_key(key) {
                before.insert(key.clone(), tree.get(key)?);
            }
        }
        let may_be_cut_off = !is_indivisible && bytes <= MOST_IN_TURN_BYTES;
        Ok(Decided { writes, before, in_turn: may_be_cut_off.then_some(in_turn) })
    }

    fn before(&self, key: &[u8]) -> Result<Option<IVec>, sled::Error> {
        if let Some(known) = self.before.borrow().get(key) {
            return Ok(known.clone());
        }
        let found = self.tree.get(key)?;
        self.before.borrow_mut().insert(key.into(), found.clone());
        Ok(found)
    }
}

/// The records as one step sees them: what is in the tree, then what the steps before it in the batch did, then what it
/// did itself.
pub(super) struct View<'a> {
    batch: &'a Batch<'a>,
    own: Writes,
}

impl View<'_> {
    /// What the step did.
    pub(super) fn into_writes(self) -> Writes {
        self.own
    }

    /// Forgets what the step did.
    pub(super) fn undo(&mut self) {
        self.own.clear();
    }

    /// Writes a record over the one of this kind and name, if there is one.
    pub(super) fn put<R: Serialize>(&mut self, kind: Kind, name: &[u8], record: &R) -> Result<(), Fault> {
        self.own.insert(kind.key(name), Some(codec::encode(record)?));
        Ok(())
    }

    /// Removes a record.
    pub(super) fn remove(&mut self, kind: Kind, name: &[u8]) {
        self.remove_key(kind.key(name));
    }

    /// Removes what is under a key.
    pub(super) fn remove_key(&mut self, key: IVec) {
        self.own.insert(key, None);
    }

    /// Up to `limit` keys in their order after `key`, each with its value, none where the batch has removed it. What the
    /// batch has added is left out.
    pub(super) fn following(&self, key: &[u8], limit: usize) -> Result<Vec<Entry>, Fault> {
        let range = (Bound::Excluded(key), Bound::Unbounded);
        let entries = self.batch.tree.range::<&[u8], _>(range).take(limit).map(|entry| {
            let (key, value) = entry?;
            let value = self.written(&key).cloned().unwrap_or(Some(value));
            Ok((key, value))
        });
        entries.collect()
    }

    /// The keys of a kind that the batch has written, or removed.
    pub(super) fn touched(&self, kind: Kind) -> impl Iterator<Item = &IVec> {
        self.batch.writes.keys().chain(self.own.keys()).filter(move |key| Kind::of(key) == Some(kind))
    }

    /// What the batch has made of a key, if it has touched it.
    fn written(&self, key: &[u8]) -> Option<&Option<IVec>> {
        self.own.get(key).or_else(|| self.batch.writes.get(key))
    }
}

impl Records for View<'_> {
    fn bytes(&self, key: &[u8]) -> Result<Option<IVec>, Fault> {
        match self.written(key) {
            Some(value) => Ok(value.clone()),
            None => Ok(self.batch.before(key)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The order in which a batch of these steps may be written, each of which writes these keys and values of so many bytes.
    fn in_turn(steps: &[&[&str]], bytes: usize) -> Option<Vec<IVec>> {
        let tree = sled::Config::new().temporary(true).flush_every_ms(None).open().expect("it opens");
        let mut batch = Batch::new(&tree);
        for step in steps {
            batch.add(step.iter().map(|key| (IVec::from(*key), Some(IVec::from(vec![0; bytes])))).collect());
        }
        batch.end().expect("read").in_turn
    }

    #[test]
    fn steps_of_one_record_each_are_written_in_their_order_and_no_others() {
        let keys = |keys: &[&str]| Some(keys.iter().map(|key| IVec::from(*key)).collect());
        assert_eq!(in_turn(&[], 1), keys(&[]));
        assert_eq!(in_turn(&[&["b"], &[], &["c"], &["a"]], 1), keys(&["b", "c", "a"]));
        assert_eq!(in_turn(&[&["a", "b"]], 1), None);
        assert_eq!(in_turn(&[&["c"], &["a", "b"], &["d"]], 1), None);
        assert_eq!(in_turn(&[&["a"], &["b"], &["a"]], 1), None);
    }

    #[test]
    fn steps_that_might_fill_more_than_a_segment_are_written_at_once() {
        let half = MOST_IN_TURN_BYTES / 2 - 1;
        assert!(in_turn(&[&["a"], &["b"]], half).is_some());
        assert_eq!(in_turn(&[&["a"], &["b"]], half + 1), None);
    }
}
