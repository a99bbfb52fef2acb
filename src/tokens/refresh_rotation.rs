//! Refresh token rotation (RFC 9700 §4.14.2): rotate, retry, or reuse. A pure function of the record, the generation
//! that was presented, and the time; every store calls it inside its atomic step.
//!
//! | presented | within the retry window | answer | the record |
//! |---|---|---|---|
//! | the current generation | | the next one | moves on |
//! | the one before | yes | the current one again | unchanged |
//! | the one before | no | refused as reuse | revoked |
//! | an older one | | refused as reuse | revoked |
//! | a later one | | refused: the store is older than its tokens | revoked, or moves on once a recovery of the store |
//! | any | the clock stands before the last rotation | refused | unchanged |

use std::time::Duration;

use crate::foundation::clock::Timestamp;

use super::grant::Grant;

/// What a client's rotations go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationPolicy {
    /// How long a lost answer may be asked for again; zero: never.
    pub retry_window: Duration,
    /// How long a refresh token lives that nobody uses.
    pub idle: Duration,
}

/// What becomes of a presented refresh token, and of its grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is good: this is the grant from now on.
    Rotate(Grant),
    /// Its answer was lost: the current one is given again, and nothing changes.
    Retry,
    /// Somebody has it who should not: this is the grant from now on, revoked.
    Reuse(Grant),
    /// The store is older than the token: this is the grant from now on, revoked.
    Ahead(Grant),
    /// The grant was taken back.
    Revoked,
    /// The grant is over.
    Expired,
    /// The clock stands before the last rotation, so nobody can tell a retry from reuse.
    ClockBehind,
    /// There is no further generation.
    Exhausted,
}

/// Decides on a refresh token of generation `presented`. `recovered_at`: when the store was last restored from a copy, or
/// lost its last moments, if tokens may still be ahead of it for that.
pub fn decide(
    grant: &Grant,
    presented: u32,
    now: Timestamp,
    policy: &RotationPolicy,
    recovered_at: Option<Timestamp>,
) -> Decision {
    if grant.revoked_at.is_some() {
        return Decision::Revoked;
    }
    if !grant.is_live(now) {
        return Decision::Expired;
    }
    let was_let_through = was_let_through(grant, now, recovered_at);
    if presented > grant.generation {
        return if recovered_at.is_some() && !was_let_through {
            rotate(grant, presented, now, policy, true)
        } else {
            Decision::Ahead(revoke(grant, now))
        };
    }
    if presented == grant.generation {
        return rotate(grant, presented, now, policy, was_let_through);
    }
    if grant.generation - presented > 1 {
        return Decision::Reuse(revoke(grant, now));
    }
    if grant.rotated_at.is_ahead_of(now) {
        return Decision::ClockBehind;
    }
    if !policy.retry_window.is_zero() && now.since(grant.rotated_at) <= policy.retry_window {
        return Decision::Retry;
    }
    Decision::Reuse(revoke(grant, now))
}

/// Whether a token that was ahead of the store has been let through since it was recovered: once a recovery. Where the
/// clock stands before that nobody can tell since when it was, and any time counts.
fn was_let_through(grant: &Grant, now: Timestamp, recovered_at: Option<Timestamp>) -> bool {
    let is_since = |recovered_at| grant.rotated_at >= recovered_at || now < recovered_at;
    grant.is_resynchronised && recovered_at.is_none_or(is_since)
}

fn rotate(grant: &Grant, presented: u32, now: Timestamp, policy: &RotationPolicy, is_resynchronised: bool) -> Decision {
    let Some(generation) = presented.checked_add(1) else { return Decision::Exhausted };
    let expires_at = (now + policy.idle).min(grant.absolute_expires_at);
    Decision::Rotate(Grant { generation, rotated_at: now, expires_at, is_resynchronised, ..grant.clone() })
}

fn revoke(grant: &Grant, now: Timestamp) -> Grant {
    Grant { revoked_at: Some(now), ..grant.clone() }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::clients::ClientId;
    use crate::protocol::scope::Scope;

    const POLICY: RotationPolicy =
        RotationPolicy { retry_window: Duration::from_secs(30), idle: Duration::from_hours(24) };
    const ROTATED: Timestamp = Timestamp::from_seconds(1_000_000);

    fn after(seconds: u64) -> Timestamp {
        ROTATED + Duration::from_secs(seconds)
    }

    fn grant(generation: u32) -> Grant {
        Grant {
            id: Uuid::nil(),
            client_id: ClientId::parse("client").expect("valid"),
            subject: "alice".into(),
            scope: Scope::empty(),
            resources: Vec::new(),
            auth_time: ROTATED,
            created_at: ROTATED,
            expires_at: after(86_400),
            absolute_expires_at: after(10 * 86_400),
            generation,
            rotated_at: ROTATED,
            code_challenge: None,
            redirect_uri: None,
            is_resynchronised: false,
            revoked_at: None,
        }
    }

    fn decide(grant: &Grant, presented: u32, now: Timestamp) -> Decision {
        super::decide(grant, presented, now, &POLICY, None)
    }

    #[test]
    fn the_current_generation_moves_on_and_lives_anew() {
        let now = after(100);
        let next = Grant { generation: 6, rotated_at: now, expires_at: now + POLICY.idle, ..grant(5) };
        assert_eq!(decide(&grant(5), 5, now), Decision::Rotate(next));
    }

    #[test]
    fn no_rotation_reaches_beyond_the_absolute_end() {
        let last = Grant { expires_at: after(1000), absolute_expires_at: after(1000), ..grant(5) };
        let Decision::Rotate(next) = decide(&last, 5, after(999)) else { panic!("not rotated") };
        assert_eq!(next.expires_at, after(1000));
    }

    #[test]
    fn the_generation_before_is_a_retry_within_the_window_and_reuse_after_it() {
        assert_eq!(decide(&grant(5), 4, ROTATED), Decision::Retry);
        assert_eq!(decide(&grant(5), 4, after(30)), Decision::Retry);
        let now = after(30) + Duration::from_millis(1);
        assert_eq!(decide(&grant(5), 4, now), Decision::Reuse(Grant { revoked_at: Some(now), ..grant(5) }));
    }

    #[test]
    fn a_window_of_zero_is_strict_even_in_the_same_millisecond() {
        let strict = RotationPolicy { retry_window: Duration::ZERO, ..POLICY };
        let decision = super::decide(&grant(5), 4, ROTATED, &strict, None);
        assert_eq!(decision, Decision::Reuse(Grant { revoked_at: Some(ROTATED), ..grant(5) }));
    }

    #[test]
    fn an_older_generation_is_reuse_whatever_the_window() {
        let now = after(1);
        assert_eq!(decide(&grant(5), 3, now), Decision::Reuse(Grant { revoked_at: Some(now), ..grant(5) }));
    }

    #[test]
    fn a_generation_that_the_store_has_not_seen_revokes_unless_the_store_was_recovered() {
        let now = after(1);
        assert_eq!(decide(&grant(5), 6, now), Decision::Ahead(Grant { revoked_at: Some(now), ..grant(5) }));
        let recovered_at = Some(after(1));
        let served = super::decide(&grant(5), 9, now, &POLICY, recovered_at);
        let Decision::Rotate(next) = served else { panic!("not served: {served:?}") };
        assert_eq!((next.generation, next.is_resynchronised), (10, true));
        // Once a grant: from then on the store knows the grant's generation.
        let again = super::decide(&next, 11, now, &POLICY, recovered_at);
        assert_eq!(again, Decision::Ahead(Grant { revoked_at: Some(now), ..next }));
    }

    #[test]
    fn a_store_that_is_recovered_once_more_lets_a_grant_through_once_more() {
        let through = |grant: &Grant, presented, now, recovered_at| match super::decide(
            grant,
            presented,
            now,
            &POLICY,
            Some(recovered_at),
        ) {
            Decision::Rotate(next) => Some(next),
            _ => None,
        };
        let first = through(&grant(5), 9, after(1), after(1)).expect("the first recovery");
        let ordinary = through(&first, first.generation, after(2), after(1)).expect("the current one");
        assert_eq!(through(&ordinary, 20, after(3), after(1)), None, "once a recovery, also after an ordinary one");
        let second = through(&ordinary, 20, after(11), after(10)).expect("the second recovery");
        assert_eq!(through(&second, 30, after(12), after(10)), None);
        // An ordinary rotation after the second recovery uses up nothing of it.
        let ordinary = through(&ordinary, ordinary.generation, after(11), after(10)).expect("the current one");
        assert!(through(&ordinary, 20, after(12), after(10)).is_some());
        // By a clock that stands before the recovery nobody can tell.
        assert_eq!(through(&first, 20, after(9), after(10)), None);
    }

    #[test]
    fn a_clock_that_went_back_revokes_nothing() {
        let slightly = ROTATED.before(Duration::from_mins(1));
        assert_eq!(decide(&grant(5), 4, slightly), Decision::Retry);
        let far = slightly.before(Duration::from_millis(1));
        assert_eq!(decide(&grant(5), 4, far), Decision::ClockBehind);
        assert!(matches!(decide(&grant(5), 5, far), Decision::Rotate(_)));
    }

    #[test]
    fn the_last_generation_never_rotates() {
        assert_eq!(decide(&grant(u32::MAX), u32::MAX, after(1)), Decision::Exhausted);
        let recovered = super::decide(&grant(5), u32::MAX, after(1), &POLICY, Some(after(1)));
        assert_eq!(recovered, Decision::Exhausted);
    }

    #[test]
    fn what_is_revoked_or_over_stays_so_for_every_generation() {
        let revoked = Grant { revoked_at: Some(ROTATED), ..grant(5) };
        let idle = after(86_400);
        for presented in [3, 4, 5, 6] {
            assert_eq!(decide(&revoked, presented, after(1)), Decision::Revoked);
            assert_eq!(decide(&grant(5), presented, idle), Decision::Expired);
        }
    }
}
