//! The metadata document (RFC 8414): assembled from what is configured, so that it describes exactly what is there.

use std::collections::BTreeSet;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};

use crate::clients::{AuthenticationMethod, Client, ClientRegistry};
use crate::grant_types::TokenRequest;
use crate::keys::algorithm::Algorithm;
use crate::protocol::grant_type::GrantType;
use crate::protocol::issuer::Issuer;
use crate::protocol::pkce;
use crate::protocol::response_type::{ResponseMode, ResponseType};
use crate::protocol::server_metadata::ServerMetadata;

use super::endpoint;
use super::headers::NO_SNIFF;
use super::pages::Pages;
use super::state::State;

/// Assembles and renders the document.
///
/// # Panics
/// Never: a document of strings is always JSON.
pub fn render(issuer: &Issuer, clients: &ClientRegistry, pages: &Pages) -> Bytes {
    let response_types = response_types(clients);
    let has_people = !response_types.is_empty();
    let document = ServerMetadata {
        issuer: issuer.as_str().to_owned(),
        authorization_endpoint: has_people.then(|| issuer.endpoint(endpoint::AUTHORIZE)),
        token_endpoint: issuer.endpoint(endpoint::TOKEN),
        jwks_uri: issuer.endpoint(endpoint::JWKS),
        scopes_supported: scopes(clients),
        response_modes_supported: response_modes(&response_types),
        grant_types_supported: grant_types(clients),
        token_endpoint_auth_methods_supported: authentication_methods(clients, Asking::AnyClient),
        token_endpoint_auth_signing_alg_values_supported: assertion_algorithms(clients),
        ui_locales_supported: if has_people { pages.languages().map(str::to_owned).collect() } else { Vec::new() },
        revocation_endpoint: issuer.endpoint(endpoint::REVOKE),
        revocation_endpoint_auth_methods_supported: authentication_methods(clients, Asking::AnyClient),
        revocation_endpoint_auth_signing_alg_values_supported: assertion_algorithms(clients),
        introspection_endpoint: issuer.endpoint(endpoint::INTROSPECT),
        introspection_endpoint_auth_methods_supported: authentication_methods(clients, Asking::ConfidentialClient),
        introspection_endpoint_auth_signing_alg_values_supported: assertion_algorithms(clients),
        code_challenge_methods_supported: only_if(response_types.contains(&ResponseType::Code), [pkce::S256]),
        authorization_response_iss_parameter_supported: has_people.then_some(true),
        response_types_supported: response_types.into_iter().map(ResponseType::as_str).collect(),
    };
    serde_json::to_vec(&document).expect("strings are always JSON").into()
}

fn only_if<const N: usize>(is_there: bool, names: [&'static str; N]) -> Vec<&'static str> {
    if is_there { names.to_vec() } else { Vec::new() }
}

/// What the authorization endpoint answers with, as far as some client may ask for it.
fn response_types(clients: &ClientRegistry) -> Vec<ResponseType> {
    let is_used = |one: &ResponseType| clients.iter().any(|client| client.authorization.response_types.contains(one));
    ResponseType::ALL.into_iter().filter(is_used).collect()
}

fn response_modes(response_types: &[ResponseType]) -> Vec<&'static str> {
    let is_used = |mode: &ResponseMode| response_types.iter().any(|response_type| response_type.allows(*mode));
    ResponseMode::ALL.into_iter().filter(is_used).map(ResponseMode::as_str).collect()
}

/// What the token endpoint takes, and the one grant without a token request, as far as some client may use it.
fn grant_types(clients: &ClientRegistry) -> Vec<&'static str> {
    let is_used = |grant_type: &GrantType| clients.iter().any(|client| client.grant_types.contains(grant_type));
    let all = TokenRequest::GRANT_TYPES.into_iter().chain([GrantType::Implicit]);
    all.filter(is_used).map(GrantType::as_str).collect()
}

fn scopes(clients: &ClientRegistry) -> Vec<String> {
    let tokens: BTreeSet<&str> = clients.iter().flat_map(|client| client.scope.tokens()).collect();
    tokens.into_iter().map(str::to_owned).collect()
}

/// Who may ask at an endpoint.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asking {
    AnyClient,
    /// Not a public one.
    ConfidentialClient,
}

/// How clients prove who they are. It is the same wherever they ask, but for those who prove nothing.
fn authentication_methods(clients: &ClientRegistry, asking: Asking) -> Vec<&'static str> {
    let mut methods = vec!["client_secret_basic", "client_secret_post"];
    if asking == Asking::AnyClient
        && clients.iter().any(|client| matches!(client.authentication, AuthenticationMethod::None))
    {
        methods.push("none");
    }
    if !assertion_algorithms(clients).is_empty() {
        methods.push("private_key_jwt");
    }
    methods
}

/// What the assertions of some client may be signed with.
fn assertion_algorithms(clients: &ClientRegistry) -> Vec<&'static str> {
    let of_client = |client: &Client| match &client.authentication {
        AuthenticationMethod::PrivateKeyJwt(keys) => keys.keys.algorithms().to_vec(),
        AuthenticationMethod::None | AuthenticationMethod::Secret(_) => Vec::new(),
    };
    let algorithms: BTreeSet<Algorithm> = clients.iter().flat_map(|client| of_client(client)).collect();
    algorithms.into_iter().map(Algorithm::as_str).collect()
}

/// Answers with the document.
pub(super) fn answer(_: &HttpRequest, state: &State) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")))
        .insert_header(NO_SNIFF)
        .body(state.live().metadata.clone())
}
