//! What a schedule becomes when a key is to be followed by a new one, or has leaked: decided here, written elsewhere.
//!
//! The same rules serve signing and sealing keys. Refused are a change that comes sooner than those who rely on the keys
//! can follow, and whatever [`Schedule::judge`] refuses.

use std::time::Duration;

use super::schedule::{Demands, KeyState, Lifecycle, Schedule, ScheduleRefused, Scheduled};
use crate::foundation::clock::{CLOCK_TOLERANCE, Timestamp};

/// What becomes of a schedule that is to have a new key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// A new key is on its way already: nothing is to be done.
    UnderWay {
        /// The name of the newest key.
        newest: String,
    },
    /// A new key follows the one that signs.
    Follow {
        /// The times of the new key.
        new: Lifecycle,
        /// The name of the key that it follows.
        old: String,
        /// The times of that one.
        old_lifecycle: Lifecycle,
    },
}

/// Why a schedule gets no new key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RotationRefused {
    /// There is no key to follow.
    #[error("there is no key that a new one could follow: `jotsmith keys generate` makes the first")]
    NothingToFollow,
    /// The new key would work before those who rely on it know it.
    #[error("--sign-in is too short: let it be {} or more, for so long a verifier may use the keys that it has", humantime::format_duration(*.least))]
    TooSoon {
        /// The least time.
        least: Duration,
    },
    /// The schedule would be refused.
    #[error(transparent)]
    Schedule(#[from] ScheduleRefused),
}

/// What becomes of a schedule without a key that has leaked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Keys with other times.
    pub changed: Vec<(String, Lifecycle)>,
    /// Keys that are long gone, and in the way of the one that takes over.
    pub removed: Vec<String>,
    /// What signs next.
    pub successor: Successor,
}

/// What signs after a key was taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Successor {
    /// The key of this name, as before or again: verifiers know it.
    Known(String),
    /// The key of this name, sooner than was meant: some verifiers may not know it yet.
    Early(String),
    /// A key that is to be made.
    New,
    /// None, and nothing needs one.
    Nobody,
}

/// Lets a new key follow the last one: from `sign_in` after now on it signs, and the old one goes when nothing that it
/// signed can be in use, and a server that hears of it late has caught up.
pub fn rotate(
    entries: &[Scheduled<()>],
    sign_in: Duration,
    is_published: bool,
    demands: &Demands,
) -> Result<Rotation, RotationRefused> {
    let mut entries = entries.to_vec();
    entries.sort_by_key(|entry| entry.lifecycle.signs_from());
    let last = entries.last().ok_or(RotationRefused::NothingToFollow)?;
    if last.lifecycle.signs_from() > demands.now {
        return Ok(Rotation::UnderWay { newest: last.name.clone() });
    }
    if sign_in < demands.lead {
        return Err(RotationRefused::TooSoon { least: demands.lead });
    }
    // Times are written in whole seconds.
    let now = Timestamp::from_seconds(demands.now.as_seconds());
    let sign_from = now + sign_in;
    let old_lifecycle = Lifecycle {
        retire_at: last.lifecycle.retire_at.max(Some(end_of_predecessor(sign_from, demands))),
        ..last.lifecycle
    };
    let new = Lifecycle { publish_at: is_published.then_some(now), sign_from: Some(sign_from), retire_at: None };
    let old = last.name.clone();
    if let Some(last) = entries.last_mut() {
        last.lifecycle = old_lifecycle;
    }
    entries.push(Scheduled { name: "the new key".to_owned(), lifecycle: new, key: () });
    Schedule::new(entries)?.judge(demands)?;
    Ok(Rotation::Follow { new, old, old_lifecycle })
}

/// Takes a key out at once, and lets the one work that breaks least: the key before it if it is still there, else the next
/// one, else a new one.
pub fn remove(entries: &[Scheduled<()>], name: &str, demands: &Demands) -> Removal {
    let now = demands.now;
    let mut rest: Vec<_> = entries.iter().filter(|entry| entry.name != name).cloned().collect();
    rest.sort_by_key(|entry| entry.lifecycle.signs_from());
    let was_signing = entries
        .iter()
        .filter(|entry| entry.lifecycle.signs_from() <= now)
        .max_by_key(|entry| entry.lifecycle.signs_from())
        .is_some_and(|newest| newest.name == name && !newest.lifecycle.is_gone(now));
    let mut removal = Removal { changed: Vec::new(), removed: Vec::new(), successor: Successor::Nobody };
    let started = rest.iter().rposition(|entry| entry.lifecycle.signs_from() <= now);
    if let Some(at) = started.filter(|at| !rest[*at].lifecycle.is_gone(now)) {
        let Scheduled { name, lifecycle, .. } = &rest[at];
        let retire_at = match rest.get(at + 1) {
            // The last key goes on without end.
            None => None,
            Some(next) => lifecycle
                .retire_at
                .map(|retire_at| retire_at.max(end_of_predecessor(next.lifecycle.signs_from(), demands))),
        };
        if retire_at != lifecycle.retire_at {
            removal.changed.push((name.clone(), Lifecycle { retire_at, ..*lifecycle }));
        }
        removal.successor = Successor::Known(name.clone());
        return removal;
    }
    if !was_signing && !demands.is_needed {
        return removal;
    }
    let first_to_come = started.map_or(0, |at| at + 1);
    removal.removed = rest[..first_to_come].iter().map(|entry| entry.name.clone()).collect();
    removal.successor = match rest.get(first_to_come) {
        Some(next) => {
            let lifecycle = Lifecycle { retire_at: next.lifecycle.retire_at, ..Lifecycle::default() };
            removal.changed.push((next.name.clone(), lifecycle));
            Successor::Early(next.name.clone())
        }
        None => Successor::New,
    };
    removal
}

/// When a key may go whose successor starts at `sign_from`. Later than it must: a server that publishes the successor late
/// lets it sign as much later.
fn end_of_predecessor(sign_from: Timestamp, demands: &Demands) -> Timestamp {
    sign_from + demands.longest_lifetime + CLOCK_TOLERANCE + demands.lead
}

/// What a key does at a moment among the others of its schedule.
pub fn state_of(entries: &[Scheduled<()>], name: &str, now: Timestamp) -> Option<KeyState> {
    let schedule = Schedule::new(entries.to_vec()).ok()?;
    schedule.standings(now).find(|standing| standing.entry.name == name).map(|standing| standing.state)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn minute(count: u64) -> Timestamp {
        Timestamp::from_seconds(count * 60)
    }

    fn key(name: &str, times: [Option<u64>; 3]) -> Scheduled<()> {
        let [publish_at, sign_from, retire_at] = times.map(|time| time.map(minute));
        Scheduled { name: name.to_owned(), lifecycle: Lifecycle { publish_at, sign_from, retire_at }, key: () }
    }

    fn demands(now: u64) -> Demands {
        Demands { lead: 16 * MINUTE, longest_lifetime: 5 * MINUTE, is_needed: true, now: minute(now) }
    }

    /// The keys after a removal, judged.
    fn after(mut entries: Vec<Scheduled<()>>, name: &str, now: u64) -> (Removal, Result<(), ScheduleRefused>) {
        let removal = remove(&entries, name, &demands(now));
        entries.retain(|entry| entry.name != name && !removal.removed.contains(&entry.name));
        for (name, lifecycle) in &removal.changed {
            let entry = entries.iter_mut().find(|entry| entry.name == *name).expect("one of the keys");
            entry.lifecycle = *lifecycle;
        }
        if removal.successor == Successor::New {
            entries.push(key("new", [None; 3]));
        }
        let judged = Schedule::new(entries).and_then(|schedule| schedule.judge(&demands(now)));
        (removal, judged)
    }

    #[test]
    fn a_new_key_follows_the_last_one_and_the_last_one_goes_when_its_tokens_have_ended() {
        let keys = [key("a", [None, None, Some(90)]), key("b", [Some(50), Some(70), None])];
        let rotated = rotate(&keys, 60 * MINUTE, true, &demands(100));
        let new = Lifecycle { publish_at: Some(minute(100)), sign_from: Some(minute(160)), retire_at: None };
        // Five minutes of life, one of tolerance, sixteen for a server that is late.
        let old_lifecycle =
            Lifecycle { publish_at: Some(minute(50)), sign_from: Some(minute(70)), retire_at: Some(minute(182)) };
        assert_eq!(rotated, Ok(Rotation::Follow { new, old: "b".to_owned(), old_lifecycle }));
    }

    #[test]
    fn a_rotation_that_is_under_way_is_not_piled_upon() {
        let keys = [key("a", [None, None, Some(300)]), key("b", [Some(100), Some(120), None])];
        for now in [99, 100, 119] {
            let under_way = Rotation::UnderWay { newest: "b".to_owned() };
            assert_eq!(rotate(&keys, 60 * MINUTE, true, &demands(now)), Ok(under_way));
        }
        assert!(matches!(rotate(&keys, 60 * MINUTE, true, &demands(120)), Ok(Rotation::Follow { .. })));
    }

    #[test]
    fn a_change_that_verifiers_cannot_follow_is_refused_with_the_least_time() {
        let keys = [key("a", [None; 3])];
        let refused = rotate(&keys, Duration::from_secs(16 * 60 - 1), true, &demands(100)).expect_err("too soon");
        assert_eq!(refused, RotationRefused::TooSoon { least: 16 * MINUTE });
        assert!(refused.to_string().contains("16m or more"), "{refused}");
        assert!(rotate(&keys, 16 * MINUTE, true, &demands(100)).is_ok());
        assert_eq!(rotate(&[], 60 * MINUTE, true, &demands(100)), Err(RotationRefused::NothingToFollow));
    }

    #[test]
    fn of_a_key_that_leaks_the_one_before_takes_the_place_while_it_is_there() {
        let keys = vec![key("a", [None, None, Some(130)]), key("b", [Some(50), Some(90), None])];
        let (removal, judged) = after(keys, "b", 100);
        assert_eq!(removal.successor, Successor::Known("a".to_owned()));
        assert_eq!((removal.changed, judged), (vec![("a".to_owned(), Lifecycle::default())], Ok(())));
    }

    #[test]
    fn of_a_key_that_leaks_the_next_one_takes_the_place_where_none_is_before_it() {
        let keys = || {
            vec![
                key("old", [None, None, Some(80)]),
                key("b", [None, Some(60), Some(300)]),
                key("c", [Some(95), Some(200), None]),
            ]
        };
        let (removal, judged) = after(keys(), "b", 100);
        assert_eq!((removal.successor, judged), (Successor::Early("c".to_owned()), Ok(())));
        assert_eq!(
            (removal.removed, removal.changed),
            (vec!["old".to_owned()], vec![("c".to_owned(), Lifecycle::default())])
        );
        // Before it is gone, the old one does.
        let (removal, judged) = after(keys(), "b", 70);
        assert_eq!((removal.successor, judged), (Successor::Known("old".to_owned()), Ok(())));
    }

    #[test]
    fn where_the_only_key_leaks_a_new_one_is_made() {
        for keys in
            [vec![key("a", [None; 3])], vec![key("old", [None, None, Some(80)]), key("a", [None, Some(60), None])]]
        {
            let (removal, judged) = after(keys, "a", 100);
            assert_eq!((removal.successor, judged), (Successor::New, Ok(())));
        }
    }

    #[test]
    fn of_a_key_that_does_not_sign_nothing_takes_the_place() {
        let keys = || vec![key("a", [None, None, Some(300)]), key("b", [Some(100), Some(200), None])];
        let (removal, judged) = after(keys(), "b", 100);
        assert_eq!((removal.successor, judged), (Successor::Known("a".to_owned()), Ok(())));
        let (removal, judged) = after(keys(), "a", 250);
        assert_eq!((removal.successor, judged), (Successor::Known("b".to_owned()), Ok(())));
        assert!(removal.changed.is_empty());
    }
}
