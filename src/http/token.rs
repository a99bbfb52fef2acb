//! The token endpoint (RFC 6749 §3.2).

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use crate::clients::authentication::authenticate;
use crate::grant_types::{Ports, TokenRequest};
use crate::protocol::error::OAuthError;
use crate::protocol::parameters::Parameters;
use crate::tokens::response::TokenResponse;

use super::headers::{NO_SNIFF, NO_STORE};
use super::state::State;
use super::{error_response, form, metrics, network, presented_credentials};

/// `POST /token`.
pub(super) async fn token(request: HttpRequest, body: Payload, state: Data<State>) -> HttpResponse {
    let body = match form::read(&request, body).await {
        Ok(body) => body,
        Err(refusal) => return error_response::render_refusal(&request, refusal),
    };
    match respond(&request, &body, &state).await {
        Ok(answer) => render(&answer),
        Err(error) => error_response::render(&request, &error),
    }
}

/// In this order: who asks, what they ask for, whether they may, and then the grant itself.
async fn respond(request: &HttpRequest, body: &[u8], state: &State) -> Result<TokenResponse, OAuthError> {
    let parameters = Parameters::parse(body)?;
    let presented = presented_credentials::read(request.headers(), &parameters)?;
    // The snapshot is held across an await, so it is a counted reference and not a guard of the moment.
    let live = state.live_for_long();
    let network = network::of(request, &live.trusted_proxies);
    let span = tracing::Span::current();
    // The name of a client that is there; anything else may be a secret in the wrong place.
    if let Some(client) = live.clients.find(presented.client_id()) {
        span.record("client.id", client.id.as_str());
    }
    let client = authenticate(&presented, &live.clients, &live.secrets, network).await?;
    let asked = TokenRequest::parse(&parameters)?;
    span.record("grant.type", asked.grant_type().as_str());
    metrics::note_grant_type(request, asked.grant_type());
    let ports = Ports {
        resources: &live.resources,
        issuer: &live.tokens,
        directory: &*live.login.directory,
        codes: &*state.stores.codes,
        grants: &*state.stores.grants,
        sealing: &live.sealing,
        lifetimes: &live.lifetimes,
    };
    asked.respond(&client, &ports, state.now()).await
}

fn render(answer: &TokenResponse) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    for header in NO_STORE {
        response.insert_header(header);
    }
    response.insert_header(NO_SNIFF).json(answer)
}
