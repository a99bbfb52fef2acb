//! What a configuration says, as digests by name: so that two can be compared where only one can be read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The length of a digest, in bytes: no two values of a configuration meet by chance.
pub const FINGERPRINT_BYTES: usize = 16;

/// The digest of one value, cut off.
pub type Fingerprint = [u8; FINGERPRINT_BYTES];

/// Digests by list and name, such as `clients` and a client's identifier. A digest of a secret's hash could be compared
/// with guesses by whoever has it, so these leave the process only under a seal.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprints(BTreeMap<String, BTreeMap<String, Fingerprint>>);

/// How one list differs from another one, each by name and in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// What the other one has not.
    pub added: Vec<String>,
    /// What both have, and is not the same.
    pub changed: Vec<String>,
    /// What the other one alone has.
    pub removed: Vec<String>,
}

impl Fingerprints {
    /// Notes a value; one of the same name is forgotten.
    pub fn note(&mut self, list: &str, name: &str, value: Fingerprint) {
        if let Some(list) = self.0.get_mut(list) {
            list.insert(name.to_owned(), value);
        } else {
            self.0.insert(list.to_owned(), BTreeMap::from([(name.to_owned(), value)]));
        }
    }

    /// Makes some names of a list what they are in another one: there, or not there.
    pub fn keep(&mut self, list: &str, names: &[&str], other: &Self) {
        for name in names {
            match other.0.get(list).and_then(|list| list.get(*name)) {
                Some(value) => self.note(list, name, *value),
                None => drop(self.0.get_mut(list).and_then(|list| list.remove(*name))),
            }
        }
    }

    /// How a list differs from that of `before`.
    pub fn changes(&self, before: &Self, list: &str) -> Changes {
        let empty = BTreeMap::new();
        let [now, before] = [self, before].map(|all| all.0.get(list).unwrap_or(&empty));
        let mut changes = Changes::default();
        for (name, value) in now {
            match before.get(name) {
                None => changes.added.push(name.clone()),
                Some(other) if other != value => changes.changed.push(name.clone()),
                Some(_) => {}
            }
        }
        changes.removed = before.keys().filter(|name| !now.contains_key(*name)).cloned().collect();
        changes
    }
}

impl Changes {
    /// Whether the lists are the same.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

impl std::fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(list, names)| (list, names.len()))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(values: &[(&str, u8)]) -> Fingerprints {
        let mut all = Fingerprints::default();
        for (name, value) in values {
            all.note("clients", name, [*value; FINGERPRINT_BYTES]);
        }
        all
    }

    #[test]
    fn a_difference_is_told_from_the_side_of_the_new_one() {
        let (before, now) = (noted(&[("a", 1), ("b", 1), ("c", 1)]), noted(&[("b", 2), ("c", 1), ("d", 1)]));
        let changes = now.changes(&before, "clients");
        let names = |name: &str| vec![name.to_owned()];
        assert_eq!(changes, Changes { added: names("d"), changed: names("b"), removed: names("a") });
        assert!(now.changes(&now, "clients").is_empty() && now.changes(&before, "users").is_empty());
    }

    #[test]
    fn what_is_kept_is_as_it_was_there_or_not_there() {
        let (before, mut now) = (noted(&[("a", 1)]), noted(&[("a", 2), ("b", 2), ("c", 2)]));
        now.keep("clients", &["a", "b"], &before);
        assert_eq!(now, noted(&[("a", 1), ("c", 2)]));
    }
}
