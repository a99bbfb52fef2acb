//! The revocation endpoint (RFC 7009 §2).

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use crate::protocol::error::OAuthError;
use crate::tokens::revocation::RevocationRequest;

use super::client_request::{self, ClientRequest};
use super::cors;
use super::headers::not_stored;
use super::state::State;

/// `POST /revoke`.
pub(super) async fn revoke(request: HttpRequest, body: Payload, state: Data<State>) -> HttpResponse {
    let answer = client_request::answer(&request, body, &state, respond).await;
    cors::for_clients(&request, answer)
}

/// RFC 7009 §2.2: 200 whatever became of the token, and the status says it all.
async fn respond(request: &ClientRequest<'_>) -> Result<HttpResponse, OAuthError> {
    let asked = RevocationRequest::parse(&request.parameters)?;
    let grants = &*request.state.stores.grants;
    asked.respond(&request.client, request.token_reader(), grants, request.now).await?;
    Ok(not_stored(StatusCode::OK).finish())
}
