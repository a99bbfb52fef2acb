//! The shape of the metadata document (RFC 8414 §2).

use serde::Serialize;

/// What clients learn about the server. A member that would be empty and may be left out is left out.
#[derive(Debug, Serialize)]
pub struct ServerMetadata {
    /// The issuer identifier.
    pub issuer: String,
    /// Where people sign in and consent, where some client may send them there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_endpoint: Option<String>,
    /// Where tokens are had.
    pub token_endpoint: String,
    /// Where the key set is.
    pub jwks_uri: String,
    /// The scope tokens that somebody may ask for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes_supported: Vec<String>,
    /// The response types of the authorization endpoint: required, and empty where there is no such endpoint.
    pub response_types_supported: Vec<&'static str>,
    /// How an answer of the authorization endpoint travels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub response_modes_supported: Vec<&'static str>,
    /// The grant types. Always sent: left out, it would mean authorization code and implicit.
    pub grant_types_supported: Vec<&'static str>,
    /// How clients authenticate at the token endpoint.
    pub token_endpoint_auth_methods_supported: Vec<&'static str>,
    /// What assertions of clients may be signed with; required where some client has such (RFC 8414 §2).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub token_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    /// The languages of the pages (RFC 8414 §2, tags of RFC 5646).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ui_locales_supported: Vec<String>,
    /// Where a token is given up (RFC 7009).
    pub revocation_endpoint: String,
    /// How clients authenticate there: left out, it would mean `client_secret_basic` alone.
    pub revocation_endpoint_auth_methods_supported: Vec<&'static str>,
    /// What their assertions may be signed with there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub revocation_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    /// Where a client learns whether a token is good (RFC 7662).
    pub introspection_endpoint: String,
    /// How clients authenticate there.
    pub introspection_endpoint_auth_methods_supported: Vec<&'static str>,
    /// What their assertions may be signed with there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub introspection_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    /// The methods of PKCE (RFC 7636 §4.3).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub code_challenge_methods_supported: Vec<&'static str>,
    /// Whether every answer of the authorization endpoint names the issuer (RFC 9207 §3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_response_iss_parameter_supported: Option<bool>,
}
