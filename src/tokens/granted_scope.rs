//! Which scope a request gets (RFC 6749 §3.3): what it asks for or the client's default, never more than the client
//! may have, and of that what the resources understand.

use std::sync::Arc;

use crate::clients::Client;
use crate::protocol::error::{ErrorCode, OAuthError};
use crate::protocol::scope::Scope;

use super::audience::{ASK_FOR_EACH, ProtectedResource};

/// Why a request gets no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScopeRefused {
    /// The text breaks the grammar.
    #[error("scope is malformed")]
    Malformed,
    /// The client is not registered for all of it.
    #[error("scope is unknown, or more than the client is registered for")]
    BeyondClient,
    /// More than was granted (RFC 6749 §6).
    #[error("scope is more than was granted")]
    BeyondGrant,
    /// Of what was granted, the client and the resources may have nothing any more.
    #[error("nothing is left of the scope that was granted")]
    NothingLeft,
    /// The resources understand none of it.
    #[error("no resource that is asked for has any of this scope")]
    NotOfResource,
    /// Each of the resources understands some of it, and no part is understood by all.
    #[error("no part of this scope means something to every resource, so one token cannot be for all of them")]
    NothingInCommon,
}

impl From<ScopeRefused> for OAuthError {
    fn from(reason: ScopeRefused) -> Self {
        match reason {
            ScopeRefused::NothingLeft => Self::new(ErrorCode::InvalidGrant, "The grant is not usable any more."),
            ScopeRefused::NothingInCommon => Self::new(ErrorCode::InvalidTarget, ASK_FOR_EACH),
            _ => {
                Self::new(ErrorCode::InvalidScope, "The requested scope is unknown, malformed or more than may be had.")
            }
        }
        .because(reason)
    }
}

/// The scope that a client's request is granted, before anybody narrows it further.
pub fn requested_scope(client: &Client, requested: Option<&str>) -> Result<Scope, ScopeRefused> {
    let Some(text) = requested else { return Ok(client.default_scope.clone()) };
    let scope: Scope = text.parse().map_err(|_| ScopeRefused::Malformed)?;
    if scope.is_subset_of(&client.scope) { Ok(scope) } else { Err(ScopeRefused::BeyondClient) }
}

/// The part of `scope` that means something to any of the resources: what may be granted for them together, while a token
/// gets its part by [`scope_of_token`]. Some must be left when there was any.
pub fn scope_of_resources(scope: &Scope, resources: &[Arc<ProtectedResource>]) -> Result<Scope, ScopeRefused> {
    let understood = || resources.iter().map(|resource| resource.scope.as_ref());
    if understood().any(|own| own.is_none_or(|own| scope.is_subset_of(own))) {
        return Ok(scope.clone());
    }
    let narrowed: Scope =
        scope.tokens().filter(|token| understood().flatten().any(|own| own.contains(token))).collect();
    if narrowed.is_empty() && !scope.is_empty() { Err(ScopeRefused::NotOfResource) } else { Ok(narrowed) }
}

/// The part of `scope` that a token for all of these resources may have: what means something to each of them. Else naming
/// one more resource would bring scope to the others that is none of theirs (RFC 8707 §2.2, RFC 9068 §5).
pub fn scope_of_token(scope: &Scope, resources: &[Arc<ProtectedResource>]) -> Result<Scope, ScopeRefused> {
    let understood = || resources.iter().filter_map(|resource| resource.scope.as_ref());
    if understood().all(|own| scope.is_subset_of(own)) {
        return Ok(scope.clone());
    }
    let of_each: Scope = scope.tokens().filter(|token| understood().all(|own| own.contains(token))).collect();
    if of_each.is_empty() {
        // Some of them may understand something: then it is to be asked for at each.
        scope_of_resources(scope, resources)?;
        return Err(ScopeRefused::NothingInCommon);
    }
    Ok(of_each)
}

/// The scope of a token that comes from a grant: what is asked for, or all that was `granted`, cut to what the client and
/// the resources may have now. What was granted stays the bound, so a narrow token does not narrow the next one.
pub fn scope_of_grant(
    granted: &Scope,
    requested: Option<&str>,
    client: &Client,
    resources: &[Arc<ProtectedResource>],
) -> Result<Scope, ScopeRefused> {
    let asked = match requested {
        Some(text) => text.parse().map_err(|_| ScopeRefused::Malformed)?,
        None => granted.clone(),
    };
    if !asked.is_subset_of(granted) {
        return Err(ScopeRefused::BeyondGrant);
    }
    match scope_of_token(&asked.intersection(&client.scope), resources) {
        Ok(scope) if !scope.is_empty() || asked.is_empty() => Ok(scope),
        Err(ScopeRefused::NothingInCommon) => Err(ScopeRefused::NothingInCommon),
        _ => Err(ScopeRefused::NothingLeft),
    }
}
