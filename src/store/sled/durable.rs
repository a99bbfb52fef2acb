//! Reads that see only what is durable, and wait for no disk.
//!
//! A batch changes the tree before it is durable. So the committer first lays down what stood under the keys that it
//! will write, and under those that it has read; until the batch is answered, a read finds that. A read through the
//! committer's queue would be as sound, and would wait for up to two syncs.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use sled::IVec;

use super::batch::Before;
use super::records::{Fault, Records};
use crate::foundation::storage::StoreUnavailable;

/// What readers share with the committer.
pub(super) struct Durable(RwLock<State>);

enum State {
    Open(Tree),
    Closed(StoreUnavailable),
}

/// The tree, as it was before the batch that is on its way.
pub(super) struct Tree {
    tree: sled::Tree,
    before: Before,
}

impl Tree {
    /// All records, those that are not durable yet too: only for who decides on nothing by them.
    pub(super) fn tree(&self) -> &sled::Tree {
        &self.tree
    }
}

impl Tree {
    /// What is durable under a key under which this was just found.
    pub(super) fn durable_of(&self, key: &[u8], found: IVec) -> Option<IVec> {
        self.before.get(key).map_or(Some(found), Clone::clone)
    }
}

impl Records for Tree {
    fn bytes(&self, key: &[u8]) -> Result<Option<IVec>, Fault> {
        match self.before.get(key) {
            Some(before) => Ok(before.clone()),
            None => Ok(self.tree.get(key)?),
        }
    }
}

impl Durable {
    pub(super) fn new(tree: sled::Tree) -> Self {
        Self(RwLock::new(State::Open(Tree { tree, before: Before::new() })))
    }

    /// Whether the database has failed and has to be opened anew first.
    pub(super) fn is_closed(&self) -> bool {
        matches!(&*self.lock(), State::Closed(_))
    }

    /// Reads. No batch begins to change the tree meanwhile.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Tree) -> Result<T, Fault>) -> Result<T, StoreUnavailable> {
        match &*self.lock() {
            State::Open(tree) => read(tree).map_err(|fault| super::unavailable(&fault)),
            State::Closed(unavailable) => Err(unavailable.clone()),
        }
    }

    /// From now on readers see this under these keys, whatever is written there; and nothing else is held.
    pub(super) fn hold(&self, mut held: Before) {
        if let State::Open(Tree { before, .. }) = &mut *self.write() {
            // What was held is dropped when readers may go on.
            std::mem::swap(before, &mut held);
        }
    }

    /// From now on readers see what was written.
    pub(super) fn release(&self) {
        self.hold(Before::new());
    }

    /// Lets go of the tree: readers are told this instead.
    pub(super) fn close(&self, unavailable: StoreUnavailable) {
        *self.write() = State::Closed(unavailable);
    }

    /// Readers see this tree, all of which is durable.
    pub(super) fn open(&self, tree: sled::Tree) {
        *self.write() = State::Open(Tree { tree, before: Before::new() });
    }

    fn lock(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        // A read that panicked changed nothing.
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
