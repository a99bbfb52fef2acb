//! `[[clients]]`: RFC 7591 client metadata, judged by [`Client::new`].

use crate::clients::{Client, ClientMetadata};
use crate::protocol::grant_type::GrantType;

use super::layers::JoinedList;
use super::reading::{Entry, Reading, Taken};

/// Clients that may ask with a person's password: allowed, for some have no other way yet.
pub(super) fn with_password_grant(clients: &[Entry<Client>]) -> Vec<String> {
    const WHAT: &str = "grant_types has password, which RFC 9700 §2.4 says MUST NOT be used, for the client sees people's \
                        passwords; let it send people to /authorize (authorization_code with PKCE), or use \
                        client_credentials where it acts for itself";
    let listed = clients.iter().filter(|entry| entry.value.grant_types.contains(&GrantType::Password));
    listed.map(|entry| entry.place.problem(WHAT).to_string()).collect()
}

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
