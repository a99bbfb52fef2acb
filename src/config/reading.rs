//! Takes the merged values apart into sections and entries, each with the place that an error about it names.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;

use serde::de::DeserializeOwned;

use super::deserializer;
use super::error::{KeyPath, Place, Problems};
use super::layers::{JoinedList, Merged};
use super::value::{Origin, Value, ValueKind};

/// The merged values while they are read and judged.
pub(super) struct Reading<'m> {
    merged: &'m Merged,
    problems: &'m Problems,
}

/// An entry of a list of tables.
pub(super) struct Entry<T> {
    /// Where it begins.
    pub(super) place: Place,
    /// What it says.
    pub(super) value: T,
}

impl<'m> Reading<'m> {
    pub(super) fn new(merged: &'m Merged, problems: &'m Problems) -> Self {
        Self { merged, problems }
    }

    /// Where problems are noted.
    pub(super) fn problems(&self) -> &Problems {
        self.problems
    }

    /// Whether something stands under a key of the root.
    pub(super) fn has(&self, key: &str) -> bool {
        self.find(&[key]).is_some()
    }

    /// What stands under a key of the root; nothing when it is not there, or is wrong, which is then noted.
    pub(super) fn optional<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let keys = [key];
        deserializer::read(self.find(&keys)?, &KeyPath::Keys(&keys), self.problems)
    }

    /// What stands under a key of the root that must be there.
    pub(super) fn section<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        if !self.has(key) {
            self.problems.add(self.place(&[key]).problem("is missing"));
        }
        self.optional(key)
    }

    /// The sound entries of a list.
    pub(super) fn entries<T: DeserializeOwned>(&self, list: JoinedList) -> Vec<Entry<T>> {
        let entries = self.merged.lists.entries(list).iter().enumerate();
        entries.filter_map(|(index, value)| self.entry(list, index, value)).collect()
    }

    /// The same, each as what its raw form becomes.
    pub(super) fn entries_as<Raw: DeserializeOwned, T: From<Raw>>(&self, list: JoinedList) -> Vec<Entry<T>> {
        let raw = self.entries::<Raw>(list).into_iter();
        raw.map(|Entry { place, value }| Entry { place, value: value.into() }).collect()
    }

    fn entry<T: DeserializeOwned>(&self, list: JoinedList, index: usize, value: &Value) -> Option<Entry<T>> {
        let keys = KeyPath::Keys(list.path());
        let id = list.id(value);
        let path = KeyPath::entry(&keys, id, index);
        let place = Place::of_entry(value, list.path(), id, index);
        deserializer::read(value, &path, self.problems).map(|value| Entry { place, value })
    }

    /// Where the value under these keys stands.
    pub(super) fn place(&self, keys: &[&str]) -> Place {
        let path = KeyPath::Keys(keys);
        self.find(keys).map_or_else(|| Place::missing(&path), |value| Place::of(value, &path))
    }

    fn find(&self, keys: &[&str]) -> Option<&'m Value> {
        keys.iter().try_fold(&self.merged.root, |value, key| match &value.kind {
            ValueKind::Table(table) => table.get(key),
            _ => None,
        })
    }
}

/// What may be there once, and where it was.
pub(super) struct Taken<K>(HashMap<K, Origin>);

impl<K: Eq + Hash + fmt::Display> Taken<K> {
    pub(super) fn new() -> Self {
        Self(HashMap::new())
    }

    /// Notes a problem when `id`, which is a `what`, is there already.
    pub(super) fn take(&mut self, what: &str, id: K, place: &Place, problems: &Problems) {
        if let Some(other) = self.0.get(&id) {
            problems.add(place.problem(format!("the {what} {id} is taken by {other}: each is there once")));
        } else {
            self.0.insert(id, place.origin().clone());
        }
    }
}
