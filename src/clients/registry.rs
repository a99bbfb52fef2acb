//! Who is registered.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::client::{Client, ClientId};

/// Every client of a configuration, by its identifier.
#[derive(Debug, Default)]
pub struct ClientRegistry {
    by_id: HashMap<ClientId, Arc<Client>>,
    allowed_origins: HashSet<Box<str>>,
}

/// Two entries have this identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("client_id {0} is registered twice")]
pub struct DuplicateClient(pub ClientId);

impl ClientRegistry {
    /// Takes clients whose identifiers are all different.
    pub fn new(clients: impl IntoIterator<Item = Client>) -> Result<Self, DuplicateClient> {
        let clients = clients.into_iter();
        let mut by_id = HashMap::with_capacity(clients.size_hint().0);
        for client in clients {
            match by_id.entry(client.id.clone()) {
                Entry::Occupied(taken) => return Err(DuplicateClient(taken.key().clone())),
                Entry::Vacant(free) => free.insert(Arc::new(client)),
            };
        }
        let allowed_origins = by_id.values().flat_map(|client: &Arc<Client>| client.allowed_origins.iter().cloned());
        Ok(Self { allowed_origins: allowed_origins.collect(), by_id })
    }

    /// The client of this identifier.
    pub fn find(&self, client_id: &str) -> Option<&Arc<Client>> {
        self.by_id.get(client_id)
    }

    /// Every client, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Client>> {
        self.by_id.values()
    }

    /// Whether pages of this origin may speak for some client.
    pub fn is_allowed_origin(&self, origin: &str) -> bool {
        self.allowed_origins.contains(origin)
    }
}
