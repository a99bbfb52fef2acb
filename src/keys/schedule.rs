//! When each key of one purpose is published, works and goes: `publish_at` -> `sign_from` -> `retire_at`.
//!
//! The same rules serve the signing keys (one schedule an algorithm) and the sealing keys (one schedule). States follow
//! from the clock alone, so every server with the same configuration changes keys at the same instant, with no call
//! between them. A key that a successor has replaced never works again. Refused are times out of order, two keys that
//! would start at the same instant, and a schedule that would break a verifier (see [`Schedule::judge`]).

use std::time::Duration;

use crate::foundation::clock::{CLOCK_TOLERANCE, Timestamp};

/// The moments in the life of a key. Without any it is published and signs, always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lifecycle {
    /// From when others may see the key; none: since ever.
    pub publish_at: Option<Timestamp>,
    /// From when it signs; none: since ever.
    pub sign_from: Option<Timestamp>,
    /// From when it is gone; none: never.
    pub retire_at: Option<Timestamp>,
}

impl Lifecycle {
    pub(super) fn published_from(&self) -> Timestamp {
        self.publish_at.unwrap_or_default()
    }

    pub(super) fn signs_from(&self) -> Timestamp {
        self.sign_from.unwrap_or_default()
    }

    pub(super) fn is_gone(&self, now: Timestamp) -> bool {
        self.retire_at.is_some_and(|retire_at| retire_at <= now)
    }

    pub(super) fn is_published(&self, now: Timestamp) -> bool {
        self.published_from() <= now && !self.is_gone(now)
    }

    fn is_in_order(&self) -> bool {
        let is_signing_before_gone = self.retire_at.is_none_or(|retire_at| self.signs_from() < retire_at);
        self.published_from() <= self.signs_from() && is_signing_before_gone
    }
}

/// A key with its times, and the name by which the operator knows it: its file.
#[derive(Debug, Clone)]
pub struct Scheduled<K> {
    /// What an error calls it.
    pub name: String,
    /// When it does what.
    pub lifecycle: Lifecycle,
    /// The key.
    pub key: K,
}

/// What a key does at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyState {
    /// Not published yet.
    Pending,
    /// Others may see it; it does not sign yet.
    Published,
    /// It signs what is new.
    Signing,
    /// A successor signs; what this one signed is still accepted.
    Retiring,
    /// Neither published nor accepted any more.
    Gone,
}

impl KeyState {
    /// The state's name, as `jotsmith keys list` prints it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Published => "published",
            Self::Signing => "signing",
            Self::Retiring => "retiring",
            Self::Gone => "gone",
        }
    }
}

/// A key, what it does now, and what it does next.
#[derive(Debug)]
pub struct Standing<'a, K> {
    /// The key with its times.
    pub entry: &'a Scheduled<K>,
    /// What it does now.
    pub state: KeyState,
    /// When its state changes next, and into what; none when it stays as it is.
    pub next: Option<(Timestamp, KeyState)>,
}

/// A key that signs later than is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HeldBack {
    /// Which entry it is.
    pub(super) at: usize,
    /// Its configured `sign_from`.
    on_paper: Option<Timestamp>,
    /// When it does sign.
    pub(super) until: Timestamp,
}

/// What the rest of the configuration asks of a schedule.
#[derive(Debug, Clone, Copy)]
pub struct Demands {
    /// How long a key must have been published before it signs: the longest time a reader keeps an old set, and
    /// [`CLOCK_TOLERANCE`].
    pub lead: Duration,
    /// The longest time for which something that was signed is accepted.
    pub longest_lifetime: Duration,
    /// Whether something relies on a key that signs from now on without end.
    pub is_needed: bool,
    /// The time now: what cannot do harm any more is not judged.
    pub now: Timestamp,
}

/// Why keys do not make a schedule, or the schedule would break those who rely on it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleRefused {
    /// `publish_at` <= `sign_from` < `retire_at` does not hold.
    #[error(
        "key `{key}`: its times must be in order: publish_at, then sign_from, then retire_at; with publish_at it needs sign_from"
    )]
    OutOfOrder {
        /// The key's name.
        key: String,
    },
    /// Two keys start to sign at one instant, so that none is the newest.
    #[error("keys `{key}` and `{other}` would start to sign at the same instant: give one of them another sign_from")]
    SameStart {
        /// The name of one key.
        key: String,
        /// The name of the other.
        other: String,
    },
    /// A verifier may meet a token of this key before it has seen the key.
    #[error(
        "key `{key}` signs too soon after it is published: let sign_from be {earliest} or later, or publish_at earlier"
    )]
    PublishedTooLate {
        /// The key's name.
        key: String,
        /// The first moment at which it may sign.
        earliest: Timestamp,
    },
    /// It is on paper that verifiers know the key, and this server has not published it for long enough.
    #[error(
        "key `{key}` has not been published for long enough to sign: let its sign_from be {earliest} or later, and its predecessor retire as much later"
    )]
    NotPublishedYet {
        /// The key's name.
        key: String,
        /// The first moment at which it may sign.
        earliest: Timestamp,
    },
    /// A token of this key may outlive the key.
    #[error("key `{key}` retires while what it signed is still in use: let retire_at be {earliest} or later")]
    RetiredTooEarly {
        /// The key's name.
        key: String,
        /// The first moment at which it may retire.
        earliest: Timestamp,
    },
    /// No key signs now.
    #[error("no key signs before {first}: let the sign_from of key `{key}` be in the past")]
    NothingSignsYet {
        /// The name of the key that signs first.
        key: String,
        /// When it starts.
        first: Timestamp,
    },
    /// The last key retires.
    #[error("no key signs after key `{key}` retires: give it a successor, or leave out its retire_at")]
    NothingSignsAfter {
        /// The name of the last key.
        key: String,
    },
    /// There is no key at all.
    #[error(
        "there is no key: `jotsmith keys generate` with `--algorithm` or `--sealing` makes one and prints its entry"
    )]
    NoKey,
}

/// Keys of one purpose in the order in which they sign, no two at the same instant.
#[derive(Debug, Clone)]
pub struct Schedule<K> {
    entries: Vec<Scheduled<K>>,
}

impl<K> Schedule<K> {
    /// Puts keys in the order in which they sign, or says what their times contradict.
    pub fn new(mut entries: Vec<Scheduled<K>>) -> Result<Self, ScheduleRefused> {
        if let Some(entry) = entries.iter().find(|entry| !entry.lifecycle.is_in_order()) {
            return Err(ScheduleRefused::OutOfOrder { key: entry.name.clone() });
        }
        entries.sort_by_key(|entry| entry.lifecycle.signs_from());
        for [entry, next] in entries.array_windows() {
            if entry.lifecycle.signs_from() == next.lifecycle.signs_from() {
                return Err(ScheduleRefused::SameStart { key: entry.name.clone(), other: next.name.clone() });
            }
        }
        Ok(Self { entries })
    }

    /// Refuses a schedule that would break those who rely on it from now on.
    ///
    /// - A key that follows another one is published `lead` before it signs: a reader that has kept the old set till
    ///   then would not know it. The first key need not be. Nothing else could sign in its place, so that waiting would
    ///   help nobody, and where it is the first in truth no verifier has an older set. Whether its predecessor was
    ///   only cut out of the configuration cannot be seen here: what a running server has really published is judged
    ///   on reload.
    /// - A key that is followed by another one stays until the last thing that it signed has ended: its successor's
    ///   `sign_from`, the longest lifetime and [`CLOCK_TOLERANCE`] after it.
    /// - Where it is needed, a key signs now and the last one does not retire. Between the two no gap is left, for by
    ///   the rule above no key goes before its successor signs.
    ///
    /// What could have done harm only in the past passes: longer lifetimes or caches than an old change of keys had in
    /// mind must not make the configuration unusable.
    pub fn judge(&self, demands: &Demands) -> Result<(), ScheduleRefused> {
        for [entry, successor] in self.entries.array_windows() {
            let known = successor.lifecycle.published_from() + demands.lead;
            if successor.lifecycle.signs_from() < known && demands.now < known {
                return Err(ScheduleRefused::PublishedTooLate { key: successor.name.clone(), earliest: known });
            }
            let spent = successor.lifecycle.signs_from() + demands.longest_lifetime + CLOCK_TOLERANCE;
            if entry.lifecycle.is_gone(spent.before(Duration::from_millis(1))) && demands.now < spent {
                return Err(ScheduleRefused::RetiredTooEarly { key: entry.name.clone(), earliest: spent });
            }
        }
        if demands.is_needed { self.judge_need(demands.now) } else { Ok(()) }
    }

    fn judge_need(&self, now: Timestamp) -> Result<(), ScheduleRefused> {
        let (Some(first), Some(last)) = (self.entries.first(), self.entries.last()) else {
            return Err(ScheduleRefused::NoKey);
        };
        if now < first.lifecycle.signs_from() {
            let key = first.name.clone();
            return Err(ScheduleRefused::NothingSignsYet { key, first: first.lifecycle.signs_from() });
        }
        if last.lifecycle.retire_at.is_some() {
            return Err(ScheduleRefused::NothingSignsAfter { key: last.name.clone() });
        }
        Ok(())
    }

    /// Lets keys sign no earlier than `not_before` says, their predecessors going on meanwhile; gives what was changed, to
    /// [put back](Self::put_back). The first key is left alone: nothing could sign in its place. Refused where a key would
    /// sign no earlier than its successor, or not before it is gone.
    pub(super) fn hold_back(
        &mut self,
        not_before: impl Fn(&Scheduled<K>) -> Option<Timestamp>,
    ) -> Result<Vec<HeldBack>, ScheduleRefused> {
        let mut held_back = Vec::new();
        for at in 1..self.entries.len() {
            let entry = &mut self.entries[at];
            let on_paper = entry.lifecycle.sign_from;
            if let Some(earliest) = not_before(entry).filter(|earliest| *earliest > entry.lifecycle.signs_from()) {
                entry.lifecycle.sign_from = Some(earliest);
                held_back.push(HeldBack { at, on_paper, until: earliest });
            }
        }
        let is_in_order =
            self.entries.is_sorted_by(|one, next| one.lifecycle.signs_from() < next.lifecycle.signs_from());
        if is_in_order && self.entries.iter().all(|entry| entry.lifecycle.is_in_order()) {
            return Ok(held_back);
        }
        let late = held_back.first().expect("what was in order is out of it by what was changed");
        let refused =
            ScheduleRefused::NotPublishedYet { key: self.entries[late.at].name.clone(), earliest: late.until };
        self.put_back(&held_back);
        Err(refused)
    }

    /// Lets keys sign again when their `sign_from` says.
    pub(super) fn put_back(&mut self, held_back: &[HeldBack]) {
        for HeldBack { at, on_paper, .. } in held_back {
            self.entries[*at].lifecycle.sign_from = *on_paper;
        }
    }

    /// Every key with its times, in the order in which they sign.
    pub(super) fn entries(&self) -> &[Scheduled<K>] {
        &self.entries
    }

    /// The key that signs: the newest whose time has come. When that one is gone, none does: an older key has long
    /// been replaced and never comes back.
    pub fn signing(&self, now: Timestamp) -> Option<&K> {
        let newest = self.entries.iter().rfind(|entry| entry.lifecycle.signs_from() <= now)?;
        (!newest.lifecycle.is_gone(now)).then_some(&newest.key)
    }

    /// The keys that others may see, in the order in which they sign: `publish_at` has come and `retire_at` has not.
    pub fn published(&self, now: Timestamp) -> impl Iterator<Item = &K> {
        self.entries.iter().filter(move |entry| entry.lifecycle.is_published(now)).map(|entry| &entry.key)
    }

    /// Every key in the order in which they sign, with what it does now and next.
    pub fn standings(&self, now: Timestamp) -> impl Iterator<Item = Standing<'_, K>> {
        (0..self.entries.len()).map(move |at| Standing {
            entry: &self.entries[at],
            state: self.state(at, now),
            next: self.next_change(at, now),
        })
    }

    /// Every key in the order in which they sign, whatever its state.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.entries.iter().map(|entry| &entry.key)
    }

    /// Every instant at which the published keys or the signing key change, in order.
    pub fn changes(&self) -> Vec<Timestamp> {
        let times = |entry: &Scheduled<K>| {
            let Lifecycle { publish_at, sign_from, retire_at } = entry.lifecycle;
            [publish_at, sign_from, retire_at]
        };
        let mut instants: Vec<_> = self.entries.iter().flat_map(times).flatten().collect();
        instants.sort_unstable();
        instants.dedup();
        instants
    }

    fn state(&self, at: usize, now: Timestamp) -> KeyState {
        let own = &self.entries[at].lifecycle;
        let is_replaced = self.entries.get(at + 1).is_some_and(|next| next.lifecycle.signs_from() <= now);
        if own.is_gone(now) {
            KeyState::Gone
        } else if is_replaced {
            KeyState::Retiring
        } else if own.signs_from() <= now {
            KeyState::Signing
        } else if own.is_published(now) {
            KeyState::Published
        } else {
            KeyState::Pending
        }
    }

    fn next_change(&self, at: usize, now: Timestamp) -> Option<(Timestamp, KeyState)> {
        let state = self.state(at, now);
        let later = self.changes().into_iter().filter(|&instant| instant > now);
        later.map(|instant| (instant, self.state(at, instant))).find(|&(_, then)| then != state)
    }
}

#[cfg(test)]
mod tests {
    use super::KeyState::{Gone, Pending, Published, Retiring, Signing};
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn minute(count: u64) -> Timestamp {
        Timestamp::from_seconds(count * 60)
    }

    /// A key named `name` with its three times in minutes.
    fn key(name: &str, times: [Option<u64>; 3]) -> Scheduled<&str> {
        let [publish_at, sign_from, retire_at] = times.map(|time| time.map(minute));
        Scheduled { name: name.to_owned(), lifecycle: Lifecycle { publish_at, sign_from, retire_at }, key: name }
    }

    fn schedule<'a>(entries: impl IntoIterator<Item = Scheduled<&'a str>>) -> Schedule<&'a str> {
        Schedule::new(entries.into_iter().collect()).expect("times without contradiction")
    }

    /// Needed from minute 100 on, with a lead of 16 minutes and a lifetime of 5.
    fn demands() -> Demands {
        Demands { lead: 16 * MINUTE, longest_lifetime: 5 * MINUTE, is_needed: true, now: minute(100) }
    }

    #[test]
    fn a_key_without_times_is_published_and_signs_always() {
        let schedule = schedule([key("a", [None; 3])]);
        for now in [minute(0), minute(100), Timestamp::from_millis(u64::MAX)] {
            assert_eq!(schedule.signing(now), Some(&"a"));
            assert_eq!(schedule.published(now).collect::<Vec<_>>(), [&"a"]);
        }
        assert_eq!(schedule.judge(&demands()), Ok(()));
        assert!(schedule.changes().is_empty());
    }

    #[test]
    fn a_key_walks_through_its_five_states_at_the_instants_of_its_times() {
        let schedule = schedule([key("b", [Some(200), Some(220), None]), key("a", [Some(10), Some(20), Some(226)])]);
        assert_eq!(schedule.changes(), [10, 20, 200, 220, 226].map(minute));

        let just_before = |count| minute(count).before(Duration::from_millis(1));
        for (now, first, second, signing, published) in [
            (just_before(10), Pending, Pending, None, &[][..]),
            (minute(10), Published, Pending, None, &["a"]),
            (just_before(20), Published, Pending, None, &["a"]),
            (minute(20), Signing, Pending, Some("a"), &["a"]),
            (minute(200), Signing, Published, Some("a"), &["a", "b"]),
            (just_before(220), Signing, Published, Some("a"), &["a", "b"]),
            (minute(220), Retiring, Signing, Some("b"), &["a", "b"]),
            (just_before(226), Retiring, Signing, Some("b"), &["a", "b"]),
            (minute(226), Gone, Signing, Some("b"), &["b"]),
        ] {
            let states: Vec<_> = schedule.standings(now).map(|standing| standing.state).collect();
            assert_eq!(states, [first, second], "{now:?}");
            assert_eq!(schedule.signing(now).copied(), signing, "{now:?}");
            assert_eq!(schedule.published(now).copied().collect::<Vec<_>>(), published, "{now:?}");
        }
    }

    #[test]
    fn the_next_change_of_a_signing_key_is_its_successor() {
        let schedule = schedule([key("a", [None, None, Some(226)]), key("b", [Some(200), Some(220), None])]);
        let next = |now| schedule.standings(now).map(|standing| standing.next).collect::<Vec<_>>();
        let (retiring, gone) = ((minute(220), Retiring), (minute(226), Gone));
        assert_eq!(next(minute(100)), [Some(retiring), Some((minute(200), Published))]);
        assert_eq!(next(minute(200)), [Some(retiring), Some((minute(220), Signing))]);
        assert_eq!(next(minute(220)), [Some(gone), None]);
        assert_eq!(next(minute(226)), [None, None]);
    }

    #[test]
    fn a_key_that_was_replaced_never_signs_again() {
        let schedule = schedule([key("a", [None; 3]), key("b", [None, Some(50), Some(60)])]);
        assert_eq!(schedule.signing(minute(59)), Some(&"b"));
        assert_eq!(schedule.signing(minute(60)), None);
        assert_eq!(schedule.published(minute(60)).collect::<Vec<_>>(), [&"a"]);
    }

    #[test]
    fn times_out_of_order_are_refused_by_name() {
        for times in [
            [Some(2), Some(1), None],
            [None, Some(2), Some(2)],
            [None, Some(2), Some(1)],
            // Published late but signing since ever.
            [Some(2), None, None],
        ] {
            let refused = Schedule::new(vec![key("good", [None; 3]), key("bad", times)]).expect_err("out of order");
            assert_eq!(refused, ScheduleRefused::OutOfOrder { key: "bad".to_owned() });
        }
    }

    #[test]
    fn two_keys_that_start_at_one_instant_are_refused() {
        for times in [[None; 3], [None, Some(7), None]] {
            let refused = Schedule::new(vec![key("a", times), key("b", times)]).expect_err("the same start");
            assert_eq!(refused, ScheduleRefused::SameStart { key: "a".to_owned(), other: "b".to_owned() });
        }
    }

    #[test]
    fn a_successor_is_published_the_whole_lead_before_it_signs() {
        let judge =
            |sign_from| schedule([key("a", [None; 3]), key("b", [Some(200), Some(sign_from), None])]).judge(&demands());
        assert_eq!(judge(216), Ok(()));
        let refused = ScheduleRefused::PublishedTooLate { key: "b".to_owned(), earliest: minute(216) };
        assert_eq!(judge(215), Err(refused));
    }

    #[test]
    fn the_first_key_need_not_be_published_ahead() {
        assert_eq!(schedule([key("a", [Some(100), Some(100), None])]).judge(&demands()), Ok(()));
    }

    #[test]
    fn a_key_stays_until_the_last_token_that_it_signed_has_ended() {
        let judge = |retire_at| {
            schedule([key("a", [None, None, Some(retire_at)]), key("b", [None, Some(220), None])]).judge(&demands())
        };
        // Five minutes of life and one of tolerance after the successor's start.
        assert_eq!(judge(226), Ok(()));
        for retire_at in [225, 219, 101] {
            let refused = ScheduleRefused::RetiredTooEarly { key: "a".to_owned(), earliest: minute(226) };
            assert_eq!(judge(retire_at), Err(refused), "{retire_at}");
        }
    }

    #[test]
    fn where_a_key_is_needed_one_signs_now_and_without_end() {
        let needed = demands();
        let unneeded = Demands { is_needed: false, ..needed };

        let late = schedule([key("a", [None, Some(101), None])]);
        let refused = ScheduleRefused::NothingSignsYet { key: "a".to_owned(), first: minute(101) };
        assert_eq!(late.judge(&needed), Err(refused));
        assert_eq!(late.judge(&unneeded), Ok(()));

        let ends = schedule([key("a", [None, None, Some(900)])]);
        let refused = ScheduleRefused::NothingSignsAfter { key: "a".to_owned() };
        assert_eq!(ends.judge(&needed), Err(refused));
        assert_eq!(ends.judge(&unneeded), Ok(()));

        assert_eq!(schedule([]).judge(&needed), Err(ScheduleRefused::NoKey));
        assert_eq!(schedule([]).judge(&unneeded), Ok(()));
    }

    #[test]
    fn what_can_do_no_harm_any_more_is_not_judged() {
        // Published a minute ahead and followed by a retirement a minute later, but long ago.
        let old = schedule([key("a", [None, None, Some(51)]), key("b", [Some(49), Some(50), None])]);
        assert_eq!(old.judge(&demands()), Ok(()));
        // Every cache has turned over at 49 + 16, the last token has ended at 50 + 5 + 1.
        let refused = ScheduleRefused::PublishedTooLate { key: "b".to_owned(), earliest: minute(65) };
        assert_eq!(old.judge(&Demands { now: minute(64), ..demands() }), Err(refused));
        assert_eq!(old.judge(&Demands { now: minute(65), ..demands() }), Ok(()));
    }
}
