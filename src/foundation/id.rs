//! Identifiers: of records `UUIDv7` (RFC 9562 §5.7), ordered by time of birth, so that they lie on disk in the order they came;
//! of requests `UUIDv4` (§5.4), which are nothing but random.

use uuid::Uuid;

use super::clock::Timestamp;
use super::random::{self, Random};

/// A new identifier that was born at `now`, with 74 random bits.
pub fn uuid_v7(now: Timestamp, random: &dyn Random) -> Uuid {
    let mut bytes = [0; 10];
    random.fill(&mut bytes);
    uuid::Builder::from_unix_timestamp_millis(now.as_millis(), &bytes).into_uuid()
}

/// A new identifier with 122 random bits.
pub fn uuid_v4(random: &dyn Random) -> Uuid {
    uuid::Builder::from_random_bytes(random::bytes(random)).into_uuid()
}
