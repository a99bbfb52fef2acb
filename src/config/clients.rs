//! `[[clients]]`: RFC 7591 client metadata, judged by [`Client::new`].

use crate::clients::{Client, ClientMetadata};
use crate::protocol::grant_type::GrantType;

use super::environment::Environment;
use super::inputs::Inputs;
use super::layers::JoinedList;
use super::pages::read_logo;
use super::reading::{Entry, Reading, Taken};

/// What is allowed although the best current practice speaks against it, for some clients have no other way yet: one
/// sentence for each client and grant type.
pub(super) fn against_advice(clients: &[Entry<Client>]) -> Vec<String> {
    const IMPLICIT: &str = "grant_types has implicit, which RFC 9700 §2.1.2 advises against, for the access token passes \
                            through the browser's address; use authorization_code, with PKCE, which pages without a \
                            server can too";
    const PASSWORD: &str = "grant_types has password, which RFC 9700 §2.4 says MUST NOT be used, for the client sees people's \
                        passwords; let it send people to /authorize (authorization_code with PKCE), or use \
                        client_credentials where it acts for itself";
    let of_client = |entry: &Entry<Client>| {
        let told = [(GrantType::Implicit, IMPLICIT), (GrantType::Password, PASSWORD)];
        let told = told.into_iter().filter(|(grant_type, _)| entry.value.grant_types.contains(grant_type));
        told.map(|(_, what)| entry.place.problem(what).to_string()).collect::<Vec<_>>()
    };
    clients.iter().flat_map(of_client).collect()
}

/// The clients, each with its place; those that are refused are noted and left out.
pub(super) fn read(reading: &Reading<'_>, environment: &Environment, inputs: &Inputs) -> Vec<Entry<Client>> {
    let mut taken = Taken::new();
    let mut clients = Vec::new();
    for Entry { place, value } in reading.entries::<ClientMetadata>(JoinedList::Clients) {
        let logo = value.logo.clone();
        match Client::new(value) {
            Ok(mut client) => {
                let logo = logo.map(|path| read_logo(path.as_ref(), environment, inputs));
                let logo = logo.transpose().map_err(|what| place.problem(format!("logo: {what}")));
                client.appearance.logo = reading.problems().note(logo).flatten();
                taken.take("client_id", client.id.clone(), &place, reading.problems());
                clients.push(Entry { place, value: client });
            }
            Err(refused) => reading.problems().add(place.problem(refused)),
        }
    }
    clients
}
