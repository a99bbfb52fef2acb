//! What every port of a store answers with.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::clock::Timestamp;

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

/// A store that can be written out as a file while it is used.
pub trait ExportStore: Send + Sync {
    /// Begins to write it out; the file says where it comes from.
    fn export(self: Arc<Self>, origin: Origin) -> Box<dyn Export>;
}

/// A store that is being written out.
pub trait Export: Send {
    /// The next part of the file, some whole lines; none: it is whole. Where this fails the file never is.
    fn next(&mut self) -> Stored<'_, Option<Vec<u8>>>;
}

/// Where the file of a store comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The issuer of the server whose store it is.
    pub issuer: String,
    /// When the writing began. All that had been answered by then is in the file.
    pub begun_at: Timestamp,
    /// Whether the store was in use meanwhile.
    pub is_running: bool,
    /// The ids of the sealing keys that the server had; without them nothing in the file is of use. Not secret: one
    /// stands in every handle.
    pub sealing_keys: Vec<String>,
}
