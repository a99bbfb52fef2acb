//! `[[clients]]`: RFC 7591 client metadata, judged by [`Client::new`].

use crate::clients::{Client, ClientMetadata};
use crate::protocol::grant_type::GrantType;

use super::layers::JoinedList;
use super::reading::{Entry, Reading, Taken};

/// The clients, each with its place; those that are refused are noted and left out.
pub(super) fn read(reading: &Reading<'_>) -> Vec<Entry<Client>> {
    let mut taken = Taken::new();
    let mut clients = Vec::new();
    for Entry { place, value } in reading.entries::<ClientMetadata>(JoinedList::Clients) {
        match Client::new(value) {
            Ok(client) => {
                taken.take("client_id", client.id.clone(), &place, reading.problems());
                clients.push(Entry { place, value: client });
            }
            Err(refused) => reading.problems().add(place.problem(refused)),
        }
    }
    clients
}

/// What is allowed although the best current practice advises against it, in one sentence a client.
pub(super) fn warnings(clients: &[Entry<Client>]) -> impl Iterator<Item = String> {
    const IMPLICIT: &str = "grant_types has implicit, which RFC 9700 §2.1.2 advises against, for the access token passes \
         through the browser's address; use authorization_code, with PKCE, which pages without a server can too";
    let has_implicit = clients.iter().filter(|entry| entry.value.grant_types.contains(&GrantType::Implicit));
    has_implicit.map(|entry| entry.place.problem(IMPLICIT).to_string())
}
