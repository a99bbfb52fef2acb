//! The token endpoint (RFC 6749 §3.2).

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use crate::foundation::request_scope::note_grant_type;
use crate::grant_types::TokenRequest;
use crate::protocol::error::OAuthError;

use super::client_request::{self, ClientRequest};
use super::cors;
use super::headers::json;
use super::notes::Notes;
use super::state::State;

/// `POST /token`.
pub(super) async fn token(request: HttpRequest, body: Payload, state: Data<State>) -> HttpResponse {
    let answer = client_request::answer(&request, body, &state, respond).await;
    cors::for_clients(&request, answer)
}

/// What the client asks for, whether it may, and then the grant itself.
async fn respond(request: &ClientRequest<'_>) -> Result<HttpResponse, OAuthError> {
    let ClientRequest { client, parameters, live, network, state, now, .. } = request;
    let asked = TokenRequest::parse(parameters)?;
    note_grant_type(asked.grant_type().as_str());
    Notes::add(request.http, |notes| notes.grant_type = Some(asked.grant_type()));
    let_others_catch_up().await;
    let answer = asked.respond(client, &state.ports(live, *network), *now).await?;
    let_others_catch_up().await;
    Ok(json(&answer))
}

/// Lets the other requests that wait for this thread come as far as this one. Reading, signing and answering together
/// run through several times the code that the first cache of a core holds: where each request goes all the way by itself,
/// that code is fetched again for every one. So all are read, then all signed, then all answered. Whoever is alone waits for
/// nobody (`benches/README.md` has what both cost).
async fn let_others_catch_up() {
    tokio::task::yield_now().await;
}
