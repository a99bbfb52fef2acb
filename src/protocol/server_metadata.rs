//! The shape of the metadata document (RFC 8414 §2).

use serde::Serialize;

/// What clients learn about the server. A member that would be empty and may be left out is left out.
#[derive(Debug, Serialize)]
pub struct ServerMetadata {
    /// The issuer identifier.
    pub issuer: String,
    /// Where tokens are had.
    pub token_endpoint: String,
    /// Where the key set is.
    pub jwks_uri: String,
    /// The scope tokens that somebody may ask for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes_supported: Vec<String>,
    /// The response types of the authorization endpoint: required, and empty where there is no such endpoint.
    pub response_types_supported: Vec<&'static str>,
    /// The grant types. Always sent: left out, it would mean authorization code and implicit.
    pub grant_types_supported: Vec<&'static str>,
    /// How clients authenticate at the token endpoint.
    pub token_endpoint_auth_methods_supported: Vec<&'static str>,
}
