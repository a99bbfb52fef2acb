//! Who failed when, in memory that is bounded whatever an attacker does.
//!
//! Times are kept one by one, so a wait is exact to the millisecond, and whoever is refused has no more of them than the
//! limit. Nothing runs on a timer: what the window has left behind is dropped when it is looked at, or when room is
//! needed.
//!
//! **Forgetting cannot be bought.** A table that is full of failures within the window forgets the entry with the
//! fewest, of those the one that failed longest ago. Each failure costs a whole slow hash, so to have one guess at one
//! account forgotten takes a guess at each of as many others as the table has room for, from hundreds of networks. With
//! 65,536 entries, ten guesses in five minutes and fifty hashes a second a core, waiting is faster below forty cores;
//! above that, every further guess at one account still costs 65,536 at others. An account at its limit is worth ten
//! times that. To refuse newcomers instead would let the same attacker keep everyone out.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use crate::foundation::clock::Timestamp;

/// When each of so many keys failed, oldest first. A key without failures has no entry.
#[derive(Debug)]
pub(super) struct FailureTable<K> {
    failures: HashMap<K, VecDeque<Timestamp>>,
    capacity: usize,
}

impl<K: Eq + Hash + Copy> FailureTable<K> {
    /// An empty table with room for so many keys.
    pub(super) fn new(capacity: usize) -> Self {
        Self { failures: HashMap::new(), capacity }
    }

    /// How long until there are fewer than `limit` failures within the window, where there are not now.
    pub(super) fn wait(&mut self, key: &K, limit: usize, window: Duration, now: Timestamp) -> Option<Duration> {
        let failures = self.failures.get_mut(key)?;
        keep_window(failures, window, now);
        if failures.is_empty() {
            self.failures.remove(key);
            return None;
        }
        let last_to_leave = failures.len().checked_sub(limit)?;
        Some((failures[last_to_leave] + window).since(now))
    }

    /// Counts a failure, and forgets another entry if there is no room for this one.
    pub(super) fn add(&mut self, key: K, window: Duration, now: Timestamp) {
        if self.failures.len() >= self.capacity && !self.failures.contains_key(&key) {
            self.make_room(window, now);
        }
        self.failures.entry(key).or_default().push_back(now);
    }

    fn make_room(&mut self, window: Duration, now: Timestamp) {
        self.failures.retain(|_, failures| {
            keep_window(failures, window, now);
            !failures.is_empty()
        });
        if self.failures.len() >= self.capacity {
            let lightest = self.failures.iter().min_by_key(|(_, failures)| (failures.len(), failures.back().copied()));
            if let Some(key) = lightest.map(|(&key, _)| key) {
                self.failures.remove(&key);
            }
        }
    }

    /// Uncounts the failure of that time.
    pub(super) fn take_back(&mut self, key: &K, at: Timestamp) {
        let Some(failures) = self.failures.get_mut(key) else { return };
        if let Some(index) = failures.iter().rposition(|&failure| failure == at) {
            failures.remove(index);
        }
        if failures.is_empty() {
            self.failures.remove(key);
        }
    }
}

/// Drops what the window has left behind. A clock that was set back makes failures of the future into ones of now, so
/// that nobody waits longer than one window.
fn keep_window(failures: &mut VecDeque<Timestamp>, window: Duration, now: Timestamp) {
    if failures.back().is_some_and(|&last| last > now) {
        for failure in failures.iter_mut() {
            *failure = (*failure).min(now);
        }
    }
    while failures.front().is_some_and(|&first| first + window <= now) {
        failures.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_mins(5);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(1_000_000 + seconds)
    }

    fn table(failures: &[(char, u64)]) -> FailureTable<char> {
        let mut table = FailureTable::new(3);
        for &(key, seconds) in failures {
            table.add(key, WINDOW, at(seconds));
        }
        table
    }

    fn keys(table: &FailureTable<char>) -> String {
        let mut keys: Vec<char> = table.failures.keys().copied().collect();
        keys.sort_unstable();
        keys.into_iter().collect()
    }

    #[test]
    fn the_wait_ends_when_the_oldest_failure_leaves_the_window_and_not_before() {
        let mut table = table(&[('a', 0), ('a', 10), ('a', 20)]);
        let mut wait = |limit, now| table.wait(&'a', limit, WINDOW, now);
        assert_eq!(wait(4, at(20)), None);
        assert_eq!(wait(3, at(20)), Some(Duration::from_secs(280)));
        assert_eq!(wait(2, at(20)), Some(Duration::from_secs(290)), "a lowered limit waits for two to leave");
        assert_eq!(wait(3, at(300).before(Duration::from_millis(1))), Some(Duration::from_millis(1)));
        assert_eq!(wait(3, at(300)), None);
    }

    #[test]
    fn within_any_window_there_are_never_more_than_the_limit() {
        let mut table = table(&[]);
        let mut tried: Vec<Timestamp> = Vec::new();
        for seconds in 0..2000 {
            if table.wait(&'a', 7, WINDOW, at(seconds)).is_none() {
                table.add('a', WINDOW, at(seconds));
                tried.push(at(seconds));
            }
        }
        assert!(tried.windows(8).all(|eight| eight[7].since(eight[0]) >= WINDOW), "{tried:?}");
        assert_eq!(tried.len(), 7 * 7, "and all that are allowed are");
    }

    #[test]
    fn a_full_table_forgets_what_the_window_has_left_first() {
        let mut table = table(&[('a', 0), ('a', 1), ('b', 200), ('c', 200)]);
        table.add('d', WINDOW, at(301));
        assert_eq!(keys(&table), "bcd");
    }

    #[test]
    fn a_table_full_of_failures_forgets_the_fewest_and_of_those_the_oldest() {
        let mut table = table(&[('a', 0), ('a', 0), ('b', 1), ('c', 2)]);
        table.add('d', WINDOW, at(3));
        assert_eq!(keys(&table), "acd");
        table.add('d', WINDOW, at(4));
        table.add('e', WINDOW, at(5));
        assert_eq!(keys(&table), "ade");
    }

    #[test]
    fn a_flood_of_single_failures_does_not_free_an_entry_that_has_more() {
        let mut table = table(&[('a', 0), ('a', 0)]);
        for number in 0..1000 {
            let key = char::from_u32(0x4E00 + number).expect("a character");
            table.add(key, WINDOW, at(1));
            assert!(table.failures.len() <= 3);
        }
        assert_eq!(table.wait(&'a', 2, WINDOW, at(1)), Some(Duration::from_secs(299)));
    }

    #[test]
    fn one_more_failure_of_a_known_key_forgets_nobody() {
        let mut table = table(&[('a', 0), ('a', 0), ('b', 0), ('c', 0)]);
        table.add('a', WINDOW, at(1));
        assert_eq!(keys(&table), "abc");
    }

    #[test]
    fn keys_without_failures_take_no_room() {
        let mut table = table(&[('a', 0), ('b', 0), ('c', 0)]);
        table.take_back(&'a', at(0));
        table.take_back(&'b', at(0));
        assert_eq!(table.wait(&'c', 1, WINDOW, at(300)), None);
        assert_eq!(keys(&table), "");
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nobody_wait_longer_than_one_window() {
        let mut table = table(&[('a', 86_400)]);
        assert_eq!(table.wait(&'a', 1, WINDOW, at(0)), Some(WINDOW));
        assert_eq!(table.wait(&'a', 1, WINDOW, at(300)), None);
    }
}
