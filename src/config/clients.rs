//! `[[clients]]`: RFC 7591 client metadata, judged by [`Client::new`].

use crate::clients::{Client, ClientMetadata};

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
