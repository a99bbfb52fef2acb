//! Keys: which of them works when, where they lie, and what is signed and verified with them.

pub mod schedule;
