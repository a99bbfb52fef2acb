//! `[[resources]]`: the APIs that take our access tokens.

use std::time::Duration;

use serde::Deserialize;

use crate::clients::ClientId;
use crate::keys::algorithm::Algorithm;
use crate::protocol::resource::ResourceIndicator;
use crate::protocol::scope::Scope;
use crate::tokens::audience::ProtectedResource;

use super::error::ConfigError;
use super::layers::JoinedList;
use super::lifetimes::SHORTEST;
use super::reading::{Entry, Reading, Taken};
use super::text;

#[derive(Deserialize)]
pub(super) struct RawResource {
    identifier: String,
    scope: Option<Scope>,
    #[serde(default, deserialize_with = "text::optional_duration")]
    access_token_lifetime: Option<Duration>,
    algorithm: Option<Algorithm>,
    #[serde(default)]
    introspected_by: Vec<String>,
}

/// The resources, each with its place; `default_algorithm` signs where an entry names none.
pub(super) fn read(reading: &Reading<'_>, default_algorithm: Algorithm) -> Vec<Entry<ProtectedResource>> {
    let mut taken = Taken::new();
    let mut resources = Vec::new();
    for entry in reading.entries::<RawResource>(JoinedList::Resources) {
        let Some(resource) = reading.problems().note(judge(&entry, default_algorithm)) else { continue };
        taken.take("resource", resource.identifier.clone(), &entry.place, reading.problems());
        resources.push(Entry { place: entry.place, value: resource });
    }
    resources
}

fn judge(entry: &Entry<RawResource>, default_algorithm: Algorithm) -> Result<ProtectedResource, ConfigError> {
    let Entry { place, value: raw } = entry;
    let identifier = ResourceIndicator::parse(&raw.identifier).map_err(|refused| place.problem(refused))?;
    if raw.access_token_lifetime.is_some_and(|lifetime| lifetime < SHORTEST) {
        return Err(place.problem("access_token_lifetime: write one second or more"));
    }
    let introspected_by = raw.introspected_by.iter().map(|id| ClientId::parse(id));
    Ok(ProtectedResource {
        identifier,
        scope: raw.scope.clone(),
        access_token_lifetime: raw.access_token_lifetime,
        algorithm: raw.algorithm.unwrap_or(default_algorithm),
        introspected_by: introspected_by
            .collect::<Result<_, _>>()
            .map_err(|refused| place.problem(format!("introspected_by: {refused}")))?,
    })
}
