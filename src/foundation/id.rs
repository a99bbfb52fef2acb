//! UUIDv7 identifiers (RFC 9562 §5.7): ordered by time of birth, so records lie on disk in the order they came.

use uuid::Uuid;

use super::clock::Timestamp;
use super::random::Random;

/// A new identifier that was born at `now`, with 74 random bits.
pub fn uuid_v7(now: Timestamp, random: &dyn Random) -> Uuid {
    let mut bytes = [0; 10];
    random.fill(&mut bytes);
    uuid::Builder::from_unix_timestamp_millis(now.as_millis(), &bytes).into_uuid()
}
