//! What one section says of another: names that must be there, and names that must not be the same.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::clients::Client;
use crate::login::account::Account;
use crate::protocol::grant_type::GrantType;
use crate::protocol::resource::ResourceIndicator;
use crate::protocol::scope::Scope;
use crate::tokens::audience::{ProtectedResource, ProtectedResources};
use crate::tokens::grant::check_length;
use crate::tokens::granted_scope::scope_of_resources;

use super::ScopeDescription;
use super::reading::{Entry, Reading};

/// What names something in another section names something that is there, and no client is taken for a person.
pub(super) fn judge(
    reading: &Reading<'_>,
    clients: &[Entry<Client>],
    users: &[Entry<Account>],
    resources: &[Entry<ProtectedResource>],
    default_resource: &ResourceIndicator,
) {
    let problems = reading.problems();
    let by_id: HashMap<&str, &Entry<Client>> = clients.iter().map(|entry| (entry.value.id.as_str(), entry)).collect();
    for Entry { place, value: user } in users {
        // Without a person a token's `sub` is the client's id (RFC 9068 §2.2): a client could pass for the person.
        if let Some(client) = by_id.get(&**user.subject()) {
            let other = client.place.origin();
            problems.add(place.problem(format!(
                "subject {} is the client_id at {other}: a token could be taken for the other's",
                user.subject()
            )));
        }
    }
    for Entry { place, value: resource } in resources {
        for id in &resource.introspected_by {
            match by_id.get(id.as_str()) {
                None => problems.add(place.problem(format!("introspected_by names {id}, which is no client"))),
                // RFC 7662 §2.1: introspection needs authorization, and a public client cannot prove who it is.
                Some(client) if client.value.is_public() => {
                    problems
                        .add(place.problem(format!("introspected_by names {id}, a public client: anybody could ask")));
                }
                Some(_) => {}
            }
        }
    }
    let mut known: HashSet<_> = resources.iter().map(|entry| &entry.value.identifier).collect();
    known.insert(default_resource);
    for Entry { place, value: client } in clients {
        for named in client.resources.iter().flatten().filter(|named| !known.contains(named)) {
            problems.add(
                place.problem(format!(
                    "resources names {named}, which is neither in [[resources]] nor default_resource"
                )),
            );
        }
    }
}

/// A client whose request says nothing asks for something that a grant can hold: else none of its requests would do.
pub(super) fn judge_defaults(reading: &Reading<'_>, clients: &[Entry<Client>], resources: &ProtectedResources) {
    let has_people = |client: &Client| {
        !client.authorization.response_types.is_empty() || client.grant_types.contains(&GrantType::Password)
    };
    let of_people = clients.iter().filter(|entry| has_people(&entry.value));
    for Entry { place, value: client } in of_people {
        // Where there is no default, each request names what it wants, and is judged by itself.
        let Ok(default) = resources.for_request(client, []) else { continue };
        let Ok(scope) = scope_of_resources(&client.default_scope, &default) else { continue };
        let identifiers: Vec<_> = default.iter().map(|resource| resource.identifier.clone()).collect();
        if let Err(too_long) = check_length(&scope, &identifiers) {
            reading.problems().add(place.problem(format!(
                "a request that names no scope is refused: {too_long}; write a shorter default_scope"
            )));
        }
    }
}

/// A client's scope that nothing else speaks of is perhaps misspelt; where nothing speaks of scope, all is.
pub(super) fn unknown_scopes(
    clients: &[Entry<Client>],
    resources: &[Entry<ProtectedResource>],
    scopes: &BTreeMap<String, ScopeDescription>,
) -> Vec<String> {
    let of_resources = resources.iter().filter_map(|entry| entry.value.scope.as_ref()).flat_map(Scope::tokens);
    let known: BTreeSet<&str> = of_resources.chain(scopes.keys().map(String::as_str)).collect();
    if known.is_empty() {
        return Vec::new();
    }
    let unknown = |entry: &Entry<Client>| {
        let tokens: Vec<_> = entry.value.scope.tokens().filter(|token| !known.contains(token)).collect();
        let what = format!("scope has {}, which no resource and no [scopes] entry knows", tokens.join(" "));
        (!tokens.is_empty()).then(|| entry.place.problem(what).to_string())
    };
    clients.iter().filter_map(unknown).collect()
}
