//! `[scopes.<token>]`: what a scope means, in the words of people.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::reading::Reading;
use super::text::is_scope_token;

/// What is said about a scope token.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ScopeDescription {
    /// A sentence for the consent page, by language tag (RFC 5646).
    pub description: BTreeMap<String, String>,
}

pub(super) fn read(reading: &Reading<'_>) -> BTreeMap<String, ScopeDescription> {
    let scopes: BTreeMap<String, ScopeDescription> = reading.optional("scopes").unwrap_or_default();
    for token in scopes.keys().filter(|token| !is_scope_token(token)) {
        let what = "is no scope token: printable ASCII without space, quotation mark or backslash";
        reading.problems().add(reading.place(&["scopes", token]).problem(what));
    }
    scopes
}
