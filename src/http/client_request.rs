//! The opening that token, revocation and introspection endpoint share: read the form, see which client asks, let it
//! prove that (RFC 7009 §2.1 and RFC 7662 §2.1: as at the token endpoint), and only then look at what it asks for.

use std::sync::Arc;

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};

use crate::clients::authentication::{AuthenticatedClient, Authenticator};
use crate::foundation::clock::Timestamp;
use crate::foundation::network::Network;
use crate::foundation::request_scope::note_client;
use crate::protocol::error::OAuthError;
use crate::protocol::parameters::Parameters;
use crate::tokens::presented_token::TokenReader;

use super::live::Live;
use super::notes::Notes;
use super::state::State;
use super::{error_response, form, network, presented_credentials};

/// A request of a client that has proved who it is.
pub(super) struct ClientRequest<'a> {
    /// Who asks.
    pub(super) client: AuthenticatedClient,
    /// What is asked for.
    pub(super) parameters: Parameters<'a>,
    /// What is configured, from the request's beginning to its end.
    pub(super) live: Arc<Live>,
    /// As it came.
    pub(super) http: &'a HttpRequest,
    /// Where it comes from.
    pub(super) network: Network,
    /// What lives longer.
    pub(super) state: &'a State,
    /// When.
    pub(super) now: Timestamp,
}

impl ClientRequest<'_> {
    /// Tells our tokens from others.
    pub(super) fn token_reader(&self) -> TokenReader<'_> {
        TokenReader { issuer: &self.live.issuer, keys: &self.live.keys, sealing: &self.live.sealing }
    }
}

/// Answers a POST of a client: with what `respond` makes of it, or with the error that comes first.
pub(super) async fn answer(
    request: &HttpRequest,
    body: Payload,
    state: &State,
    respond: impl AsyncFnOnce(&ClientRequest<'_>) -> Result<HttpResponse, OAuthError>,
) -> HttpResponse {
    let body = match form::read(request, body).await {
        Ok(body) => body,
        Err(refusal) => return error_response::render_refusal(request, refusal),
    };
    let answer = match open(request, &body, state).await {
        Ok(opened) => respond(&opened).await,
        Err(error) => Err(error),
    };
    answer.unwrap_or_else(|error| error_response::render(request, &error))
}

async fn open<'a>(request: &'a HttpRequest, body: &'a [u8], state: &'a State) -> Result<ClientRequest<'a>, OAuthError> {
    let parameters = Parameters::parse(body)?;
    // The snapshot is held across an await, so it is a counted reference and not a guard of the moment.
    let live = state.live_for_long();
    let network = network::of(request, &live.trusted_proxies);
    let now = state.now();
    let presented = presented_credentials::read(request.headers(), &parameters)?;
    let authenticator = Authenticator {
        registry: &live.clients,
        secrets: &live.secrets,
        assertions: &live.assertions,
        once: &*state.stores.once,
    };
    let client = authenticator.authenticate(&presented, network, now).await;
    // The name of a client that is there; anything else may be a secret in the wrong place.
    if let Some(client) =
        client.as_deref().ok().or_else(|| live.clients.find(presented.client_id()).map(|client| &**client))
    {
        note_client((&client.id).into());
    }
    let client = client?;
    // For `cors`, which decides on whose pages may read the answer.
    Notes::add(request, |notes| notes.client = Some(client.clone()));
    Ok(ClientRequest { http: request, client, parameters, live, network, state, now })
}
