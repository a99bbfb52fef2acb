//! Implicit (RFC 6749 §4.2): the authorization endpoint gives an access token itself, without a refresh token and
//! without a grant that could be taken back. Off unless a client is registered for it, for RFC 9700 §2.1.2 advises
//! against it: the client does not authenticate, and the token passes through the browser.

use crate::authorize::request::AuthorizationRequest;
use crate::foundation::clock::Timestamp;
use crate::login::session::Session;
use crate::protocol::error::{ErrorCode, OAuthError};
use crate::tokens::audience::Audience;
use crate::tokens::granted_scope::scope_of_token;
use crate::tokens::issuer::{Authorization, Person};
use crate::tokens::response::TokenResponse;

use super::Ports;

/// Mints the access token of a request to which the person of `session` has consented. Stores nothing.
pub async fn respond(
    request: &AuthorizationRequest,
    session: &Session,
    ports: &Ports<'_>,
    now: Timestamp,
) -> Result<TokenResponse, OAuthError> {
    let (client, terms) = (request.client(), request.terms());
    let resources = ports.resources.for_grant(client, &terms.resources, [])?;
    let audience = Audience::new(client, resources, ports.lifetimes)?;
    let scope = scope_of_token(&terms.scope, audience.resources())?;
    let account = ports.directory.by_subject(&session.subject).await?.ok_or_else(|| {
        OAuthError::new(ErrorCode::AccessDenied, "The person may not sign in any more.")
            .because("the subject has no account any more")
    })?;
    let person = Person { account: &account, auth_time: session.auth_time, grant: None };
    let authorization = Authorization { client, person: Some(person), scope: &scope, audience: &audience };
    Ok(ports.issuer.issue(&authorization, None, now).await?)
}
