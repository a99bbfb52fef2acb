//! Who is registered.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::client::{Client, ClientId};

/// Every client of a configuration, by its identifier.
#[derive(Debug, Default)]
pub struct ClientRegistry(HashMap<ClientId, Arc<Client>>);

/// Two entries have this identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("client_id {0} is registered twice")]
pub struct DuplicateClient(pub ClientId);

impl ClientRegistry {
    /// Takes clients whose identifiers are all different.
    pub fn new(clients: impl IntoIterator<Item = Client>) -> Result<Self, DuplicateClient> {
        let mut registry = HashMap::new();
        for client in clients {
            match registry.entry(client.id.clone()) {
                Entry::Occupied(taken) => return Err(DuplicateClient(taken.key().clone())),
                Entry::Vacant(free) => free.insert(Arc::new(client)),
            };
        }
        Ok(Self(registry))
    }

    /// The client of this identifier.
    pub fn find(&self, client_id: &str) -> Option<&Arc<Client>> {
        self.0.get(client_id)
    }

    /// Every client, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Client>> {
        self.0.values()
    }
}
