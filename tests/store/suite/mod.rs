//! What every store must do, written against its ports alone.

mod races;
mod selection;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jotsmith::authorize::code::AuthorizationCode;
use jotsmith::authorize::store::Redemption;
use jotsmith::clients::ClientId;
use jotsmith::foundation::clock::{CLOCK_TOLERANCE, Timestamp};
use jotsmith::foundation::once::Remembered;
use jotsmith::foundation::random::OsRandom;
use jotsmith::foundation::{id, storage::Stored};
use jotsmith::keys::history::{Kept, PublishedKey, Served};
use jotsmith::login::session::{EarlyEnd, SessionId};
use jotsmith::protocol::pkce::CodeChallenge;
use jotsmith::protocol::resource::ResourceIndicator;
use jotsmith::protocol::scope::Scope;
use jotsmith::store::{Store, Swept};
use jotsmith::tokens::grant::Grant;
use jotsmith::tokens::refresh_rotation::RotationPolicy;
use jotsmith::tokens::store::Rotation;
pub(crate) use races::*;
pub(crate) use selection::*;
use uuid::Uuid;

/// Makes a test of every rule for the backend in the module `$backend`, which has `fresh()`, a new store, and
/// `recovered()`, one that may be older than its tokens since [`BEGIN`]; each with what must outlive it.
macro_rules! every_rule_for {
    ($backend:ident) => {
        $crate::suite::every_rule_for! { $backend, fresh:
            what_was_put_is_read_and_nothing_else
            the_current_generation_rotates_and_changes_nothing_else
            the_generation_before_is_retried_without_a_change
            reuse_after_the_window_revokes
            reuse_of_an_older_generation_revokes_at_once
            a_strict_window_retries_nothing
            a_generation_ahead_of_the_store_revokes
            a_clock_that_went_back_changes_nothing
            the_last_generation_is_exhausted
            what_is_revoked_expired_or_unknown_does_not_rotate
            a_grant_that_is_over_is_taken_back_all_the_same
            idle_and_absolute_ends_hold
            live_grants_are_counted_by_client_slice_by_slice
            a_code_is_redeemed_once_and_is_recognised_at_any_age
            an_expired_code_is_not_redeemed
            an_unknown_code_makes_no_grant
            a_signed_out_session_is_known_and_no_other
            ending_all_ends_what_began_before_and_nothing_else
            ending_all_at_an_earlier_time_changes_nothing
            what_is_remembered_is_remembered_once_and_until_its_time
            publications_are_read_as_they_were_last_kept
            the_sweeper_removes_what_is_over_and_nothing_else
            the_sweeper_goes_on_where_it_stopped
            the_sweeper_forgets_nothing_by_a_clock_that_is_a_little_ahead
            of_racing_redeemers_one_wins
            of_racing_rememberers_one_is_first
            of_racing_rotators_one_wins_and_the_others_retry
            of_racing_strict_rotators_one_wins
            whoever_reads_finds_what_stays_while_others_come_and_go
            grants_are_found_by_whose_they_are_a_slice_at_a_time
            grants_and_codes_are_taken_back_by_whose_they_are_and_no_others
            what_is_over_is_taken_back_and_not_counted
            what_ended_with_its_subject_is_marked_with_that_end_and_counted_once
            no_rotation_outlives_what_is_taken_back_meanwhile
            no_code_outlives_what_is_taken_back_meanwhile
        }
        $crate::suite::every_rule_for! { $backend, recovered:
            a_recovered_store_lets_a_token_ahead_of_it_through_once
            a_store_is_recovered_for_one_idle_lifetime
        }
    };
    ($backend:ident, $store:ident: $($rule:ident)*) => { $(
        #[test]
        fn $rule() {
            let (store, _kept) = $backend::$store();
            $crate::suite::$rule(&store);
        }
    )* };
}
pub(crate) use every_rule_for;

pub(crate) type Shared = Arc<dyn Store>;

pub(crate) const BEGIN: Timestamp = Timestamp::from_seconds(1_800_000_000);
pub(crate) const IDLE: Duration = Duration::from_hours(24);
pub(crate) const ABSOLUTE: Duration = Duration::from_hours(240);
pub(crate) const POLICY: RotationPolicy = RotationPolicy { retry_window: Duration::from_secs(30), idle: IDLE };
pub(crate) const STRICT: RotationPolicy = RotationPolicy { retry_window: Duration::ZERO, idle: IDLE };
const CODE_LIFETIME: Duration = Duration::from_mins(1);
const TOMBSTONE: Duration = Duration::from_hours(1);

/// Waits for an answer.
pub(crate) fn answer<T>(stored: Stored<'_, T>) -> T {
    try_answer(stored).expect("the store answers")
}

pub(crate) fn try_answer<T>(stored: Stored<'_, T>) -> Result<T, jotsmith::foundation::storage::StoreUnavailable> {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(stored)
}

pub(crate) fn after(seconds: u64) -> Timestamp {
    BEGIN + Duration::from_secs(seconds)
}

pub(crate) fn new_id() -> Uuid {
    id::uuid_v7(BEGIN, &OsRandom)
}

fn client() -> ClientId {
    ClientId::parse("client").expect("valid")
}

pub(crate) fn code_of(subject: &str) -> AuthorizationCode {
    AuthorizationCode {
        id: new_id(),
        client_id: client(),
        subject: subject.into(),
        scope: "read write".parse::<Scope>().expect("valid"),
        resources: vec![ResourceIndicator::parse("https://api.example").expect("valid")],
        auth_time: BEGIN,
        created_at: BEGIN,
        expires_at: BEGIN + CODE_LIFETIME,
        code_challenge: CodeChallenge::parse(Some(&"A".repeat(43)), Some("S256")).expect("valid"),
        redirect_uri: Some("https://client.example/callback".into()),
    }
}

pub(crate) fn grant_of(code: &AuthorizationCode) -> Grant {
    Grant {
        id: code.id,
        client_id: code.client_id.clone(),
        subject: Arc::clone(&code.subject),
        scope: code.scope.clone(),
        resources: code.resources.clone(),
        auth_time: code.auth_time,
        created_at: code.created_at,
        expires_at: code.created_at + IDLE,
        absolute_expires_at: code.created_at + ABSOLUTE,
        generation: 0,
        rotated_at: code.created_at,
        code_challenge: code.code_challenge,
        redirect_uri: code.redirect_uri.clone(),
        is_resynchronised: false,
        revoked_at: None,
    }
}

/// A grant in the store, of this generation since [`BEGIN`].
pub(crate) fn put_grant(store: &Shared, generation: u32) -> Grant {
    let grant = Grant { generation, ..grant_of(&code_of("alice")) };
    answer(store.put_grant(grant.clone()));
    grant
}

fn rotate(store: &Shared, grant: &Grant, presented: u32, now: Timestamp) -> Rotation {
    answer(store.rotate(grant.id, presented, now, POLICY))
}

fn read(store: &Shared, grant: &Grant) -> Grant {
    answer(store.read_grant(grant.id)).expect("there")
}

fn revoked(grant: &Grant, at: Timestamp) -> Grant {
    Grant { revoked_at: Some(at), ..grant.clone() }
}

pub(crate) fn what_was_put_is_read_and_nothing_else(store: &Shared) {
    let code = code_of("alice");
    answer(store.put_code(code.clone()));
    assert_eq!(answer(store.read_code(code.id)), Some(code.clone()));
    assert_eq!(answer(store.read_grant(code.id)), None);
    let grant = put_grant(store, 7);
    assert_eq!(read(store, &grant), grant);
    assert_eq!(answer(store.read_code(grant.id)), None);
    assert_eq!(answer(store.read_grant(new_id())), None);
}

pub(crate) fn the_current_generation_rotates_and_changes_nothing_else(store: &Shared) {
    let grant = put_grant(store, 5);
    let now = after(100);
    let next = Grant { generation: 6, rotated_at: now, expires_at: now + IDLE, ..grant.clone() };
    assert_eq!(rotate(store, &grant, 5, now), Rotation::Rotated(next.clone()));
    assert_eq!(read(store, &grant), next);
    let later = after(200);
    let further = Grant { generation: 7, rotated_at: later, expires_at: later + IDLE, ..next };
    assert_eq!(rotate(store, &grant, 6, later), Rotation::Rotated(further.clone()));
    assert_eq!(read(store, &grant), further);
}

pub(crate) fn the_generation_before_is_retried_without_a_change(store: &Shared) {
    let grant = put_grant(store, 5);
    for now in [BEGIN, after(1), after(30)] {
        assert_eq!(rotate(store, &grant, 4, now), Rotation::Retried(grant.clone()));
    }
    assert_eq!(read(store, &grant), grant);
}

pub(crate) fn reuse_after_the_window_revokes(store: &Shared) {
    let grant = put_grant(store, 5);
    let dead = revoked(&grant, after(31));
    assert_eq!(rotate(store, &grant, 4, after(31)), Rotation::Reused(dead.clone()));
    assert_eq!(read(store, &grant), dead);
    assert_eq!(rotate(store, &grant, 5, after(32)), Rotation::Revoked);
    assert_eq!(read(store, &grant), dead);
}

pub(crate) fn reuse_of_an_older_generation_revokes_at_once(store: &Shared) {
    let grant = put_grant(store, 5);
    assert_eq!(rotate(store, &grant, 3, after(1)), Rotation::Reused(revoked(&grant, after(1))));
    assert_eq!(read(store, &grant), revoked(&grant, after(1)));
}

pub(crate) fn a_strict_window_retries_nothing(store: &Shared) {
    let grant = put_grant(store, 5);
    assert_eq!(answer(store.rotate(grant.id, 4, BEGIN, STRICT)), Rotation::Reused(revoked(&grant, BEGIN)));
}

pub(crate) fn a_generation_ahead_of_the_store_revokes(store: &Shared) {
    let grant = put_grant(store, 5);
    assert_eq!(rotate(store, &grant, 6, after(1)), Rotation::Ahead(revoked(&grant, after(1))));
    assert_eq!(read(store, &grant), revoked(&grant, after(1)));
}

pub(crate) fn a_clock_that_went_back_changes_nothing(store: &Shared) {
    let grant = put_grant(store, 5);
    assert_eq!(rotate(store, &grant, 4, BEGIN.before(Duration::from_secs(61))), Rotation::ClockBehind);
    assert_eq!(read(store, &grant), grant);
}

pub(crate) fn the_last_generation_is_exhausted(store: &Shared) {
    let grant = put_grant(store, u32::MAX);
    assert_eq!(rotate(store, &grant, u32::MAX, after(1)), Rotation::Exhausted);
    assert_eq!(read(store, &grant), grant);
}

pub(crate) fn a_grant_that_is_over_is_taken_back_all_the_same(store: &Shared) {
    let grant = put_grant(store, 0);
    let late = grant.absolute_expires_at + Duration::from_secs(1);
    assert!(!answer(store.revoke_grant(grant.id, late)), "it was not live");
    assert_eq!(read(store, &grant), revoked(&grant, late));
}

pub(crate) fn what_is_revoked_expired_or_unknown_does_not_rotate(store: &Shared) {
    let grant = put_grant(store, 5);
    assert!(answer(store.revoke_grant(grant.id, after(1))));
    assert_eq!(read(store, &grant), revoked(&grant, after(1)));
    assert!(!answer(store.revoke_grant(grant.id, after(2))));
    assert_eq!(read(store, &grant), revoked(&grant, after(1)));
    let idle = put_grant(store, 5);
    for presented in [3, 4, 5, 6] {
        assert_eq!(rotate(store, &grant, presented, after(3)), Rotation::Revoked);
        assert_eq!(rotate(store, &idle, presented, BEGIN + IDLE), Rotation::Expired);
    }
    assert_eq!(read(store, &idle), idle);
    assert_eq!(answer(store.rotate(new_id(), 0, BEGIN, POLICY)), Rotation::Unknown);
    assert!(!answer(store.revoke_grant(new_id(), BEGIN)));
}

/// Counts in slices of `limit`, and says how many there were.
fn counted(store: &Shared, clients: &[&str], now: Timestamp, limit: usize) -> (BTreeMap<String, u64>, usize) {
    let clients: Arc<BTreeSet<String>> = Arc::new(clients.iter().map(|id| (*id).to_owned()).collect());
    let (mut live, mut slices, mut reached) = (BTreeMap::new(), 0, None);
    loop {
        let slice = answer(store.count_live(Arc::clone(&clients), now, reached, limit));
        slices += 1;
        for (client_id, count) in slice.live {
            assert!(count > 0, "one without a grant is left out");
            *live.entry(client_id).or_default() += count;
        }
        assert!(slice.reached.is_none() || slice.reached > reached, "it goes on");
        reached = slice.reached;
        if reached.is_none() {
            return (live, slices);
        }
    }
}

pub(crate) fn live_grants_are_counted_by_client_slice_by_slice(store: &Shared) {
    assert_eq!(counted(store, &["client"], BEGIN, 10), (BTreeMap::new(), 1), "an empty store");
    let put = |client_id: &str, subject: &str| {
        let grant = grant_of(&code_of(subject));
        let client_id = ClientId::parse(client_id).expect("valid");
        answer(store.put_grant(Grant { client_id, ..grant.clone() }));
        grant.id
    };
    let mine: Vec<Uuid> = (0..5).map(|_| put("client", "alice")).collect();
    for _ in 0..3 {
        put("other", "alice");
    }
    put("client", "bob");
    put("third", "carol");
    assert!(answer(store.revoke_grant(mine[0], after(1))));
    let expected = |counts: &[(&str, u64)]| counts.iter().map(|(id, count)| ((*id).to_owned(), *count)).collect();
    let both: BTreeMap<String, u64> = expected(&[("client", 5), ("other", 3)]);
    for (limit, slices) in [(1, 11), (3, 4), (10, 2), (11, 1)] {
        let asked = ["client", "other", "nobody"];
        assert_eq!(counted(store, &asked, after(2), limit), (both.clone(), slices), "{limit} at once");
    }
    // Whoever ended all of their sessions has no live grant, though no record of a grant says so.
    answer(store.end_all("alice", after(3)));
    assert_eq!(counted(store, &["client", "other"], after(4), 3).0, expected(&[("client", 1)]));
    let over = BEGIN + IDLE;
    assert_eq!(counted(store, &["client", "third"], over, 3).0, BTreeMap::new(), "what is over is not live");
}

pub(crate) fn idle_and_absolute_ends_hold(store: &Shared) {
    let grant = put_grant(store, 0);
    let mut now = BEGIN;
    let mut generation = 0;
    while now + IDLE < BEGIN + ABSOLUTE {
        now = now + IDLE.checked_sub(Duration::from_secs(1)).expect("longer");
        assert!(matches!(rotate(store, &grant, generation, now), Rotation::Rotated(_)));
        generation += 1;
    }
    assert_eq!(read(store, &grant).expires_at, BEGIN + ABSOLUTE);
    assert_eq!(rotate(store, &grant, generation, BEGIN + ABSOLUTE), Rotation::Expired);
}

pub(crate) fn a_code_is_redeemed_once_and_is_recognised_at_any_age(store: &Shared) {
    let code = code_of("alice");
    let grant = grant_of(&code);
    answer(store.put_code(code.clone()));
    assert_eq!(answer(store.redeem(grant.clone(), after(59))), Redemption::Redeemed);
    assert_eq!(answer(store.read_code(code.id)), None);
    assert_eq!(read(store, &grant), grant);
    // Whoever redeems again brings a grant of its own; the first one stays.
    let other = Grant { created_at: after(70), scope: Scope::empty(), ..grant.clone() };
    for now in [after(59), after(60), BEGIN + ABSOLUTE] {
        assert_eq!(answer(store.redeem(other.clone(), now)), Redemption::AlreadyRedeemed(grant.clone()));
    }
    let Rotation::Rotated(next) = rotate(store, &grant, 0, after(100)) else { panic!("not rotated") };
    assert_eq!(answer(store.redeem(other, after(200))), Redemption::AlreadyRedeemed(next));
}

pub(crate) fn an_expired_code_is_not_redeemed(store: &Shared) {
    let code = code_of("alice");
    answer(store.put_code(code.clone()));
    assert_eq!(answer(store.redeem(grant_of(&code), after(60))), Redemption::Expired);
    assert_eq!(answer(store.read_grant(code.id)), None);
    assert_eq!(answer(store.read_code(code.id)), Some(code));
}

pub(crate) fn an_unknown_code_makes_no_grant(store: &Shared) {
    let grant = grant_of(&code_of("alice"));
    assert_eq!(answer(store.redeem(grant.clone(), BEGIN)), Redemption::Unknown);
    assert_eq!(answer(store.read_grant(grant.id)), None);
}

pub(crate) fn a_signed_out_session_is_known_and_no_other(store: &Shared) {
    let [sid, other] = [SessionId::new(&OsRandom), SessionId::new(&OsRandom)];
    answer(store.end_session(sid, after(100)));
    assert_eq!(answer(store.early_end(sid, "alice")), EarlyEnd { is_signed_out: true, valid_from: None });
    assert_eq!(answer(store.early_end(other, "alice")), EarlyEnd::default());
}

pub(crate) fn ending_all_ends_what_began_before_and_nothing_else(store: &Shared) {
    let end = after(10);
    let [mine, others] = ["alice", "bob"].map(code_of);
    let later = AuthorizationCode { auth_time: after(11), created_at: after(11), ..code_of("alice") };
    for code in [&mine, &others, &later] {
        answer(store.put_code(code.clone()));
    }
    let grants = ["alice", "bob"].map(|subject| grant_of(&code_of(subject)));
    for grant in &grants {
        answer(store.put_grant(grant.clone()));
    }
    answer(store.end_all("alice", end));

    let sid = SessionId::new(&OsRandom);
    assert_eq!(answer(store.early_end(sid, "alice")), EarlyEnd { is_signed_out: false, valid_from: Some(end) });
    assert_eq!(answer(store.early_end(sid, "bob")), EarlyEnd::default());
    assert_eq!(answer(store.redeem(grant_of(&mine), after(20))), Redemption::Expired);
    assert_eq!(answer(store.redeem(grant_of(&others), after(20))), Redemption::Redeemed);
    assert_eq!(answer(store.redeem(grant_of(&later), after(20))), Redemption::Redeemed);
    let [alices, bobs] = grants;
    assert_eq!(read(store, &alices), revoked(&alices, end));
    assert_eq!(rotate(store, &alices, 0, after(20)), Rotation::Revoked);
    assert!(!answer(store.revoke_grant(alices.id, after(20))));
    assert!(matches!(rotate(store, &bobs, 0, after(20)), Rotation::Rotated(_)));
    assert!(matches!(rotate(store, &grant_of(&later), 0, after(20)), Rotation::Rotated(_)));
}

pub(crate) fn ending_all_at_an_earlier_time_changes_nothing(store: &Shared) {
    answer(store.end_all("alice", after(10)));
    answer(store.end_all("alice", after(5)));
    let sid = SessionId::new(&OsRandom);
    assert_eq!(answer(store.early_end(sid, "alice")).valid_from, Some(after(10)));
    answer(store.end_all("alice", after(15)));
    assert_eq!(answer(store.early_end(sid, "alice")).valid_from, Some(after(15)));
}

pub(crate) fn what_is_remembered_is_remembered_once_and_until_its_time(store: &Shared) {
    let [mine, other] = [[7; 32], [8; 32]];
    let remember = |digest, until, now| answer(store.remember_once(digest, until, now));
    assert_eq!(remember(mine, after(10), BEGIN), Remembered::Now);
    assert_eq!(remember(other, after(20), BEGIN), Remembered::Now);
    for now in [BEGIN, after(9), after(10).before(Duration::from_millis(1))] {
        assert_eq!(remember(mine, after(1000), now), Remembered::Before);
    }
    // Who is refused prolongs nothing.
    assert_eq!(remember(mine, after(30), after(10)), Remembered::Now);
    assert_eq!(remember(mine, after(30), after(29)), Remembered::Before);
    assert_eq!(remember(other, after(30), after(19)), Remembered::Before);
    // A clock that went back forgets nothing.
    assert_eq!(remember(other, after(30), BEGIN.before(Duration::from_hours(1))), Remembered::Before);

    assert_eq!(sweep(store, after(20).before(Duration::from_millis(1)), 1000).removed, 0);
    assert_eq!(sweep(store, after(20), 1000).removed, 1);
    assert_eq!(remember(mine, after(40), after(20)), Remembered::Before);
    assert_eq!(remember(other, after(40), after(20)), Remembered::Now);
}

/// Sweeps what is over at `over_at`. The store does so a little later, for the clock may be ahead.
fn sweep(store: &Shared, over_at: Timestamp, limit: usize) -> Swept {
    answer(store.sweep(over_at + CLOCK_TOLERANCE, TOMBSTONE, limit))
}

pub(crate) fn the_sweeper_forgets_nothing_by_a_clock_that_is_a_little_ahead(store: &Shared) {
    let sid = SessionId::new(&OsRandom);
    answer(store.end_session(sid, after(100)));
    let is_known = || answer(store.early_end(sid, "alice")).is_signed_out;
    let ahead = after(100) + CLOCK_TOLERANCE;
    assert_eq!(answer(store.sweep(ahead.before(Duration::from_millis(1)), TOMBSTONE, 1000)).removed, 0);
    assert!(is_known());
    assert_eq!(answer(store.sweep(ahead, TOMBSTONE, 1000)).removed, 1);
    assert!(!is_known());
}

pub(crate) fn the_sweeper_removes_what_is_over_and_nothing_else(store: &Shared) {
    let code = code_of("alice");
    let [ended, idle] = [put_grant(store, 0), put_grant(store, 0)];
    let sid = SessionId::new(&OsRandom);
    answer(store.put_code(code.clone()));
    answer(store.end_session(sid, after(100)));
    answer(store.end_all("bob", BEGIN));
    answer(store.revoke_grant(ended.id, after(10)));

    // Nor with a clock that went back.
    assert_eq!(sweep(store, Timestamp::default(), 1000), Swept { removed: 0, is_at_end: true });
    assert_eq!(sweep(store, after(59), 1000), Swept { removed: 0, is_at_end: true });
    assert_eq!(sweep(store, after(60), 1000), Swept { removed: 1, is_at_end: true });
    assert_eq!(answer(store.read_code(code.id)), None);
    assert_eq!(sweep(store, after(100), 1000).removed, 1);
    assert_eq!(answer(store.early_end(sid, "alice")), EarlyEnd::default());
    // A tombstone stays for as long as an access token of the grant may still be shown to somebody.
    let forgotten = after(10) + TOMBSTONE;
    assert_eq!(sweep(store, forgotten.before(Duration::from_millis(1)), 1000).removed, 0);
    assert_eq!(sweep(store, forgotten, 1000).removed, 1);
    assert_eq!(answer(store.read_grant(ended.id)), None);
    assert_eq!(read(store, &idle), idle);
    assert_eq!(sweep(store, BEGIN + IDLE + TOMBSTONE, 1000).removed, 1);
    assert_eq!(answer(store.read_grant(idle.id)), None);
    assert_eq!(answer(store.early_end(sid, "bob")).valid_from, Some(BEGIN));
}

fn published(kid: &str, seconds: u64) -> PublishedKey {
    PublishedKey {
        kid: kid.to_owned(),
        digest: [7; 32],
        first_published: after(seconds),
        known_from: after(seconds + 960),
        tokens_until: None,
        is_signing: true,
    }
}

pub(crate) fn publications_are_read_as_they_were_last_kept(store: &Shared) {
    assert_eq!(answer(store.publications()), Kept::default());
    let served =
        Served { jwks_max_age: 900_000, longest_lifetime: 300_000, caches_until: after(5), stopped_at: Some(after(9)) };
    // More than are read at once, and names that other records' keys could be taken for.
    let many = (0..150).map(|number| published(&format!("{number:03}"), number));
    let keys: Vec<_> =
        many.chain([published("g", 1), published("p", 2), published("pp", 3), published("\u{e9}", 4)]).collect();
    let kept = Kept { served: Some(served), keys };
    answer(store.keep_publications(kept.clone()));
    put_grant(store, 0);
    assert_eq!(sweep(store, BEGIN + ABSOLUTE, 1000).removed, 1, "the grant goes, publications stay");
    assert_eq!(answer(store.publications()), kept);

    let kept = Kept { keys: vec![published("p", 3), published("q", 8)], ..kept };
    answer(store.keep_publications(kept.clone()));
    assert_eq!(answer(store.publications()), kept);
    answer(store.keep_publications(Kept::default()));
    assert_eq!(answer(store.publications()), Kept::default());
}

pub(crate) fn the_sweeper_goes_on_where_it_stopped(store: &Shared) {
    for _ in 0..50 {
        answer(store.put_code(code_of("alice")));
        put_grant(store, 0);
    }
    let mut removed = 0;
    let mut slices = 1;
    loop {
        let swept = sweep(store, after(60), 7);
        assert!(swept.removed <= 7);
        removed += swept.removed;
        if swept.is_at_end {
            break;
        }
        slices += 1;
        assert!(slices < 100, "the sweeper does not come to an end");
    }
    assert_eq!(removed, 50);
    assert!(slices >= 100 / 7, "{slices} slices of 7 cannot have seen 100 records");
    // And from the start again.
    answer(store.put_code(code_of("alice")));
    assert_eq!(sweep(store, after(60), 1000).removed, 1);
}

pub(crate) fn a_recovered_store_lets_a_token_ahead_of_it_through_once(store: &Shared) {
    let grant = put_grant(store, 5);
    let Rotation::Rotated(next) = rotate(store, &grant, 8, after(1)) else { panic!("not served") };
    assert_eq!((next.generation, next.is_resynchronised), (9, true));
    assert_eq!(read(store, &grant), next);
    assert_eq!(rotate(store, &grant, 11, after(2)), Rotation::Ahead(revoked(&next, after(2))));
}

pub(crate) fn a_store_is_recovered_for_one_idle_lifetime(store: &Shared) {
    let late = Grant { expires_at: BEGIN + ABSOLUTE, ..grant_of(&code_of("alice")) };
    answer(store.put_grant(late.clone()));
    assert_eq!(rotate(store, &late, 1, BEGIN + IDLE), Rotation::Ahead(revoked(&late, BEGIN + IDLE)));
    let in_time = Grant { id: new_id(), ..late };
    answer(store.put_grant(in_time.clone()));
    let now = (BEGIN + IDLE).before(Duration::from_millis(1));
    assert!(matches!(rotate(store, &in_time, 1, now), Rotation::Rotated(_)));
}
