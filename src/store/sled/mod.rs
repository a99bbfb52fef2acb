//! The embedded store: sled 0.34.7, one committer thread, an answer only when it is durable.

mod codec;
