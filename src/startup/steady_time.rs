//! Whether the clock has run as time has passed. What forgets for good by the clock waits where somebody set it forward.
//!
//! A clock that is ahead is told from one that is right by nothing but how it got there: it went further than time did.
//! It may have been behind before, and so was set right; or the machine slept, and nothing but the clock went on. So it is
//! believed again when it has gone on with the time for a while. A server that is started with a wrong clock cannot know.

use std::time::Duration;

use crate::foundation::clock::Timestamp;

/// For how long a clock that was set forward must go on with the time before it is believed: long enough for whoever keeps
/// the clock, or reads the log, to set it right; and what is kept meanwhile costs some room on the disk.
const PROOF: Duration = Duration::from_hours(1);

/// What is known of how the clock runs beside the time that passes. Both are looked at as often as something is forgotten.
#[derive(Debug, Default)]
pub(super) struct SteadyTime {
    /// When the stopwatch began, by the clock as it was last believed.
    begun_at: Option<Timestamp>,
    doubt: Option<Doubt>,
}

/// The clock was set forward.
#[derive(Debug, Clone, Copy)]
struct Doubt {
    /// When the stopwatch began, by this clock.
    begun_at: Timestamp,
    /// When it was seen first, by the stopwatch.
    since: Duration,
}

impl SteadyTime {
    /// Whether `now` may be believed, `elapsed` after some fixed moment. The two are read one after the other, `elapsed`
    /// first: what comes between can then make the clock look ahead for one time only, never behind.
    pub(super) fn is_believed(&mut self, now: Timestamp, elapsed: Duration) -> bool {
        let begun_at = now.before(elapsed);
        let believed = *self.begun_at.get_or_insert(begun_at);
        if begun_at.is_ahead_of(believed) {
            return self.has_proved(now, believed, Doubt { begun_at, since: elapsed });
        }
        if self.doubt.take().is_some() {
            tracing::info!(clock = %now, "the clock was set back: what is over is removed again");
        }
        // Small steps, by which clocks are kept right, and a step back, after which less is over.
        self.begun_at = Some(begun_at);
        true
    }

    /// Whether a clock that is ahead has been so for long enough. `seen` is what is seen of it now.
    fn has_proved(&mut self, now: Timestamp, believed: Timestamp, seen: Doubt) -> bool {
        let is_same =
            |doubt: &Doubt| !seen.begun_at.is_ahead_of(doubt.begun_at) && !doubt.begun_at.is_ahead_of(seen.begun_at);
        let Some(doubt) = self.doubt.filter(is_same) else {
            let expected = believed + seen.since;
            tracing::warn!(clock = %now, %expected, "the clock has gone further than the time: nothing that is over is removed for an hour, unless it is set back");
            self.doubt = Some(seen);
            return false;
        };
        if seen.since < doubt.since + PROOF {
            return false;
        }
        tracing::info!(clock = %now, "the clock has gone on with the time since it was set forward: it is believed");
        *self = Self { begun_at: Some(seen.begun_at), doubt: None };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foundation::clock::CLOCK_TOLERANCE;

    const BEGIN: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const MOMENT: Duration = Duration::from_millis(1);
    const JUMP: Duration = Duration::from_hours(13);

    /// A clock beside a stopwatch: by how much it is ahead, and what has passed.
    struct Machine {
        time: SteadyTime,
        passed: Duration,
    }

    impl Machine {
        fn new() -> Self {
            let mut machine = Self { time: SteadyTime::default(), passed: Duration::from_secs(7) };
            assert!(machine.is_believed(Duration::ZERO));
            machine
        }

        /// Lets time pass, and looks.
        fn after(&mut self, span: Duration, ahead: Duration) -> bool {
            self.passed += span;
            self.is_believed(ahead)
        }

        fn is_believed(&mut self, ahead: Duration) -> bool {
            self.time.is_believed(BEGIN + self.passed + ahead, self.passed)
        }
    }

    #[test]
    fn a_clock_that_goes_with_the_time_is_believed_however_rarely_it_is_looked_at() {
        let mut machine = Machine::new();
        for span in [Duration::from_secs(1), JUMP, 1000 * JUMP, Duration::ZERO] {
            assert!(machine.after(span, Duration::ZERO));
        }
    }

    #[test]
    fn small_steps_are_believed() {
        let mut machine = Machine::new();
        assert!(machine.is_believed(CLOCK_TOLERANCE));
        assert!(machine.is_believed(Duration::ZERO));
        assert!(!machine.is_believed(CLOCK_TOLERANCE + MOMENT));
    }

    #[test]
    fn a_clock_that_is_set_forward_is_believed_after_an_hour_of_going_with_the_time() {
        let mut machine = Machine::new();
        assert!(!machine.is_believed(JUMP));
        assert!(!machine.after(PROOF.checked_sub(MOMENT).expect("longer"), JUMP));
        assert!(machine.after(MOMENT, JUMP));
        assert!(machine.after(Duration::from_secs(1), JUMP));
    }

    #[test]
    fn a_clock_that_is_set_right_again_is_believed_at_once() {
        let mut machine = Machine::new();
        assert!(!machine.is_believed(JUMP));
        assert!(machine.after(Duration::from_secs(1), Duration::ZERO));
        // And a later jump is one like the first.
        assert!(!machine.after(PROOF, JUMP));
    }

    #[test]
    fn a_clock_that_is_set_forward_once_more_or_half_way_back_begins_its_hour_anew() {
        for then in [2 * JUMP, JUMP / 2] {
            let mut machine = Machine::new();
            assert!(!machine.is_believed(JUMP));
            assert!(!machine.after(PROOF, then), "{then:?}");
            assert!(!machine.after(PROOF.checked_sub(MOMENT).expect("longer"), then), "{then:?}");
            assert!(machine.after(MOMENT, then), "{then:?}");
        }
    }

    #[test]
    fn a_clock_that_was_behind_and_is_set_right_waits_like_any_other() {
        let mut machine = Machine { time: SteadyTime::default(), passed: Duration::from_secs(7) };
        assert!(machine.is_believed(JUMP));
        assert!(machine.is_believed(Duration::ZERO), "less is over");
        assert!(!machine.is_believed(JUMP));
        assert!(machine.after(PROOF, JUMP));
    }
}
