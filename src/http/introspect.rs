//! The introspection endpoint (RFC 7662 §2).

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use crate::protocol::error::OAuthError;
use crate::tokens::introspection::{IntrospectionPorts, IntrospectionRequest};

use super::client_request::{self, ClientRequest};
use super::headers::json;
use super::state::State;

/// `POST /introspect`.
pub(super) async fn introspect(request: HttpRequest, body: Payload, state: Data<State>) -> HttpResponse {
    client_request::answer(&request, body, &state, respond).await
}

async fn respond(request: &ClientRequest<'_>) -> Result<HttpResponse, OAuthError> {
    let asked = IntrospectionRequest::parse(&request.parameters)?;
    let ports = IntrospectionPorts {
        tokens: request.token_reader(),
        grants: &*request.state.stores.grants,
        directory: &*request.live.login.directory,
        clients: &request.live.clients,
        resources: &request.live.resources,
    };
    let answer = asked.respond(&request.client, &ports, request.now).await?;
    Ok(json(&answer.into_body()))
}
