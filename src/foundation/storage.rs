//! What every port of a store answers with.

use std::pin::Pin;
use std::time::Duration;

/// An answer of a store that is on its way. It comes when what it rests on is durable.
pub type Stored<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreUnavailable>> + Send + 'a>>;

/// The store cannot answer now. Whether the step was made is not known; what was answered before is safe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the store cannot be used: {cause}")]
pub struct StoreUnavailable {
    /// Why, for the log.
    pub cause: String,
    /// How long to wait before trying again.
    pub retry_after: Duration,
}

/// A store that tells whether it can be used.
pub trait StoreHealth: Send + Sync {
    /// Whether it can be used now. Asks no disk.
    fn health(&self) -> Result<(), StoreUnavailable>;
}
