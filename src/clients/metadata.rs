//! Client metadata as it is written down (RFC 7591 §2), before anybody judged it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::foundation::duration;

/// A client's entry: the names of RFC 7591, and a few of our own that are marked so.
///
/// Everything is text here; [`Client::new`](super::Client::new) judges it.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientMetadata {
    /// The identifier (RFC 6749 §2.2).
    pub client_id: String,
    /// A name for people.
    pub client_name: Option<String>,
    /// Ours: hashes of the live secrets, at most two.
    #[serde(default)]
    pub client_secrets: Vec<String>,
    /// How the client authenticates; `client_secret_basic` when it is not given.
    pub token_endpoint_auth_method: Option<String>,
    /// The public keys of a `private_key_jwt` client, as a JWK Set (RFC 7517 §5).
    pub jwks: Option<Value>,
    /// What a `private_key_jwt` client signs with (OpenID Connect Dynamic Client Registration §2); any algorithm that one
    /// of its keys is for when it is not given.
    pub token_endpoint_auth_signing_alg: Option<String>,
    /// Ours: whether the `aud` of an assertion may be the token endpoint; no when it is not given.
    pub accept_token_endpoint_audience: Option<bool>,
    /// Where the answers of the authorization endpoint may go.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// The grant types the client may use; `authorization_code` when it is not given.
    pub grant_types: Option<Vec<String>>,
    /// The response types the client may use; `code` when it is not given and the client has a code grant.
    pub response_types: Option<Vec<String>>,
    /// The scope the client may ask for.
    #[serde(default)]
    pub scope: String,
    /// Ours: the scope of a request that names none; all of `scope` when it is not given.
    pub default_scope: Option<String>,
    /// Ours: what of `scope` a person may leave out when they consent; nothing when it is not given.
    pub optional_scope: Option<String>,
    /// Ours: the resources the client may ask for; all whose scope it has when it is not given.
    pub resources: Option<Vec<String>>,
    /// `web` or `native` (OpenID Connect Dynamic Client Registration §2); `web` when it is not given.
    pub application_type: Option<String>,
    /// Ours: whether a person is asked; yes when it is not given.
    pub require_consent: Option<bool>,
    /// Ours: whether a code needs PKCE; yes when it is not given.
    pub require_pkce: Option<bool>,
    /// Ours: the origins whose scripts may read answers.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
    /// Ours: added to the client's access tokens.
    #[serde(default)]
    pub claims: Map<String, Value>,
    /// Ours: how long the client's access tokens live.
    #[serde(default, deserialize_with = "duration::deserialize_optional")]
    pub access_token_lifetime: Option<Duration>,
    /// Ours: how long a lost answer to a refresh may be asked for again.
    #[serde(default, deserialize_with = "duration::deserialize_optional")]
    pub refresh_retry_window: Option<Duration>,
    /// The client's home page.
    pub client_uri: Option<String>,
    /// The client's logo, which our pages never load.
    pub logo_uri: Option<String>,
    /// How the client treats a person's data.
    pub policy_uri: Option<String>,
    /// The client's terms of service.
    pub tos_uri: Option<String>,
    /// Ours: the file of the picture that our pages show.
    pub logo: Option<String>,
    /// Ours: the colour of buttons and links on pages for the client, as `#rrggbb`.
    pub color: Option<String>,
}
