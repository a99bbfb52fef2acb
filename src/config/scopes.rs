//! `[scopes.<token>]`: what a scope means, in the words of people.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::protocol::language::LanguageTag;

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
    for (token, scope) in &scopes {
        for tag in scope.description.keys() {
            // Written otherwise, it would never be found.
            if LanguageTag::parse(tag).map_or(true, |read| read.as_str() != tag) {
                let what = format!("{tag:?} is no language tag; write one as en, pt-BR or zh-Hans");
                reading.problems().add(reading.place(&["scopes", token]).problem(what));
            }
        }
    }
    scopes
}
