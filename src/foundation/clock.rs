//! The time of day, to the millisecond, from a clock that a test may hold in its hand.

use std::fmt;
use std::ops::Add;
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// How far two clocks may lie apart, or one may be set back, and count as right: added wherever one machine relies on what
/// another has read or signed, or on what itself wrote before.
pub const CLOCK_TOLERANCE: Duration = Duration::from_mins(1);

/// A moment: milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
///
/// Arithmetic saturates: no moment lies before 1970, and the far future stays the far future.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment that lies `millis` milliseconds after 1970-01-01T00:00:00Z.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// The moment that lies `seconds` seconds after 1970-01-01T00:00:00Z.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since 1970-01-01T00:00:00Z: a `NumericDate` (RFC 7519 §2), rounded down.
    pub const fn as_seconds(self) -> u64 {
        self.0 / 1000
    }

    /// How long after `earlier` this is, and zero when it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Whether it lies further after `now` than [`CLOCK_TOLERANCE`] explains: the clock that it was written by was ahead,
    /// or this one is behind.
    pub fn is_ahead_of(self, now: Self) -> bool {
        self > now + CLOCK_TOLERANCE
    }

    /// The moment `span` before this one, and 1970 when there is none.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// The latest moment that has a four-digit year, which is as far as RFC 3339 writes.
const LAST_RFC_3339: u64 = 253_402_300_799_999;

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, whole seconds: `2026-11-01T00:00:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = UNIX_EPOCH + Duration::from_millis(self.0.min(LAST_RFC_3339));
        humantime::format_rfc3339_seconds(moment).fmt(f)
    }
}

/// The text is not an RFC 3339 time in UTC such as `2026-11-01T00:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time in UTC such as 2026-11-01T00:00:00Z")]
pub struct NotATimestamp;

impl FromStr for Timestamp {
    type Err = NotATimestamp;

    fn from_str(text: &str) -> Result<Self, NotATimestamp> {
        let moment = humantime::parse_rfc3339(text).map_err(|_| NotATimestamp)?;
        let span = moment.duration_since(UNIX_EPOCH).map_err(|_| NotATimestamp)?;
        Ok(Self(millis(span)))
    }
}

/// Tells the time. The only way our code learns it.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// Tells how much time has passed, since a moment that is always the same one. Nobody can set it; where the machine
/// sleeps it may stand still.
pub trait Stopwatch: Send + Sync {
    /// The time since then.
    fn elapsed(&self) -> Duration;
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the operating system's clock")]
    fn now(&self) -> Timestamp {
        // A clock before 1970 is a machine without a clock: everything then looks expired, which is the safe side.
        let span = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(millis(span))
    }
}

impl Stopwatch for SystemClock {
    /// Since the first time that it was asked for in this process.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the operating system's clock")]
    fn elapsed(&self) -> Duration {
        static BEGUN: OnceLock<Instant> = OnceLock::new();
        BEGUN.get_or_init(Instant::now).elapsed()
    }
}

/// A clock that moves when it is told to, and a stopwatch beside it.
#[derive(Debug, Default)]
pub struct ManualClock {
    now: AtomicU64,
    elapsed: AtomicU64,
}

impl ManualClock {
    /// A clock that stands at `now`.
    pub const fn at(now: Timestamp) -> Self {
        Self { now: AtomicU64::new(now.0), elapsed: AtomicU64::new(0) }
    }

    /// Moves forward by `span`, for so much time has passed.
    pub fn advance(&self, span: Duration) {
        self.now.fetch_add(millis(span), Ordering::SeqCst);
        self.elapsed.fetch_add(millis(span), Ordering::SeqCst);
    }

    /// Jumps to `now`, backwards too, while no time passes.
    pub fn set(&self, now: Timestamp) {
        self.now.store(now.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }
}

impl Stopwatch for ManualClock {
    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.elapsed.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_reads_what_it_writes() {
        let moment: Timestamp = "2026-11-01T12:34:56Z".parse().expect("a valid time");
        assert_eq!(moment.as_seconds(), 1_793_536_496);
        assert_eq!(moment.to_string(), "2026-11-01T12:34:56Z");
    }

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let end = Timestamp::from_millis(u64::MAX);
        assert_eq!(end + Duration::from_secs(1), end);
        assert_eq!(end.to_string(), "9999-12-31T23:59:59Z");
        assert_eq!(Timestamp::from_seconds(1).before(Duration::from_secs(9)), Timestamp::default());
        assert_eq!(Timestamp::from_seconds(1).since(Timestamp::from_seconds(9)), Duration::ZERO);
    }

    #[test]
    fn a_time_is_ahead_when_it_lies_further_after_now_than_clocks_lie_apart() {
        let now = Timestamp::from_seconds(1000);
        assert!(!now.is_ahead_of(now) && !(now + CLOCK_TOLERANCE).is_ahead_of(now));
        assert!((now + CLOCK_TOLERANCE + Duration::from_millis(1)).is_ahead_of(now));
    }

    #[test]
    fn a_time_with_another_offset_is_refused() {
        assert_eq!("2026-11-01T12:34:56+01:00".parse::<Timestamp>(), Err(NotATimestamp));
        assert_eq!("2026-11-01".parse::<Timestamp>(), Err(NotATimestamp));
    }
}
