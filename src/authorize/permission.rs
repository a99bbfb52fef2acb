//! What a client may have: where its answers go, and for which response type, scope and resources it may ask. The same
//! rules hold when a request comes, when it comes back from a person, and when a person has left some of it out.

use crate::clients::{Client, ClientRegistry};
use crate::protocol::error::OAuthError;
use crate::protocol::pkce::CodeChallenge;
use crate::protocol::redirect_uri::RedirectTarget;
use crate::protocol::resource::ResourceIndicator;
use crate::protocol::response_type::{ResponseType, UnknownResponseType};
use crate::protocol::scope::Scope;
use crate::tokens::audience::{Audience, ProtectedResources};
use crate::tokens::grant::check_length;
use crate::tokens::granted_scope::{requested_scope, scope_of_resources, scope_of_token};
use crate::tokens::lifetimes::Lifetimes;

use super::request::RequestRefused;

/// What a request is judged against.
#[derive(Debug, Clone, Copy)]
pub struct Registrations<'a> {
    /// Who may ask.
    pub clients: &'a ClientRegistry,
    /// What may be asked for.
    pub resources: &'a ProtectedResources,
    /// How long tokens live, which decides whether one can be for several resources.
    pub lifetimes: &'a Lifetimes,
}

/// The address of the answer (RFC 6749 §3.1.2.3): the one that was sent, or the only one that there is.
pub(super) fn redirect_target(client: &Client, sent: Option<&str>) -> Result<RedirectTarget, RequestRefused> {
    let settings = &client.authorization;
    match (sent, settings.redirect_uris.as_slice()) {
        (Some(sent), registered) => registered
            .iter()
            .find_map(|uri| uri.accept(sent, settings.application_type))
            .ok_or(RequestRefused::RedirectUriMismatch),
        (None, [only]) => Ok(only.as_target()),
        (None, _) => Err(RequestRefused::RedirectUriMissing),
    }
}

/// What a client wants to have.
pub(super) struct Wish<'a> {
    pub(super) response_type: ResponseType,
    pub(super) code_challenge: Option<CodeChallenge>,
    pub(super) scope: Option<&'a str>,
    pub(super) resources: Vec<&'a str>,
}

/// Whether a client may have what it wants; for which scope and resources.
pub(super) fn permit(
    client: &Client,
    registrations: Registrations<'_>,
    wish: &Wish<'_>,
) -> Result<(Scope, Vec<ResourceIndicator>), OAuthError> {
    let is_registered = |client: &Client| client.authorization.response_types.contains(&wish.response_type);
    if !is_registered(client) {
        // What nobody may have is off, and the metadata does not name it either.
        let is_on = registrations.clients.iter().any(|client| is_registered(client));
        return Err(if is_on { RequestRefused::ResponseTypeNotForClient.into() } else { UnknownResponseType.into() });
    }
    // RFC 9700 §2.1.1: public clients must use PKCE, whatever else is configured.
    let is_pkce_asked = client.is_public() || client.authorization.require_pkce;
    if wish.response_type == ResponseType::Code && wish.code_challenge.is_none() && is_pkce_asked {
        return Err(RequestRefused::ChallengeMissing.into());
    }
    let scope = requested_scope(client, wish.scope)?;
    let resources = registrations.resources.for_request(client, wish.resources.iter().copied())?;
    let scope = scope_of_resources(&scope, &resources)?;
    let identifiers: Vec<_> = resources.iter().map(|resource| resource.identifier.clone()).collect();
    check_length(&scope, &identifiers)?;
    if wish.response_type == ResponseType::Token {
        // A code may lead to a token for each; here is one token or none.
        let audience = Audience::new(client, resources, registrations.lifetimes)?;
        scope_of_token(&scope, audience.resources())?;
    }
    Ok((scope, identifiers))
}
