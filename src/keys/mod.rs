//! Keys: which of them works when, where they lie, and what is signed and verified with them.

pub mod csrf;
pub mod schedule;
pub mod sealed_value;
pub mod sealing_ring;
