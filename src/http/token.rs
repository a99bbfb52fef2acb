//! The token endpoint (RFC 6749 §3.2).

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use crate::grant_types::TokenRequest;
use crate::protocol::error::OAuthError;

use super::client_request::{self, ClientRequest};
use super::headers::not_stored;
use super::metrics;
use super::state::State;

/// `POST /token`.
pub(super) async fn token(request: HttpRequest, body: Payload, state: Data<State>) -> HttpResponse {
    client_request::answer(&request, body, &state, respond).await
}

/// What the client asks for, whether it may, and then the grant itself.
async fn respond(request: &ClientRequest<'_>) -> Result<HttpResponse, OAuthError> {
    let ClientRequest { client, parameters, live, network, state, now, .. } = request;
    let asked = TokenRequest::parse(parameters)?;
    tracing::Span::current().record("grant.type", asked.grant_type().as_str());
    metrics::note_grant_type(request.http, asked.grant_type());
    let answer = asked.respond(client, &state.ports(live, *network), *now).await?;
    Ok(not_stored(StatusCode::OK).json(answer))
}
