//! The metadata of a protected resource (RFC 9728): where a client that was refused learns who gives tokens for it.

use serde::Serialize;
use url::{Position, Url};

use crate::protocol::issuer::is_loopback;
use crate::protocol::scope::Scope;

/// What a client may know about an API (RFC 9728 §2). An empty list is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[must_use]
pub struct ProtectedResource {
    resource: String,
    authorization_servers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_supported: Vec<String>,
    bearer_methods_supported: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_documentation: Option<String>,
    #[serde(skip)]
    origin: String,
    #[serde(skip)]
    path: String,
}

/// The identifier cannot have metadata (RFC 9728 §1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a resource with metadata is an https URL without a fragment, such as https://api.example.com/v1; http is for loopback alone"
)]
pub struct InvalidProtectedResource;

impl ProtectedResource {
    /// The metadata of `resource`, whose tokens `issuer` gives.
    ///
    /// # Errors
    /// When the resource is no https URL, or has a fragment.
    pub fn new(resource: &str, issuer: &str) -> Result<Self, InvalidProtectedResource> {
        let url = Url::parse(resource).map_err(|_| InvalidProtectedResource)?;
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
        if !is_safe || url.fragment().is_some() {
            return Err(InvalidProtectedResource);
        }
        Ok(Self {
            resource: resource.to_owned(),
            authorization_servers: vec![issuer.to_owned()],
            scopes_supported: Vec::new(),
            bearer_methods_supported: ["header"],
            resource_name: None,
            resource_documentation: None,
            origin: url[..Position::BeforePath].to_owned(),
            path: url[Position::BeforePath..].to_owned(),
        })
    }

    /// The scope that clients may ask for.
    pub fn scopes(mut self, scope: &Scope) -> Self {
        self.scopes_supported = scope.tokens().map(str::to_owned).collect();
        self
    }

    /// A name that people understand.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.resource_name = Some(name.into());
        self
    }

    /// A page for developers.
    pub fn documentation(mut self, url: impl Into<String>) -> Self {
        self.resource_documentation = Some(url.into());
        self
    }

    /// The path at which the document is served: the well-known name stands between the host and the path of the
    /// resource (RFC 9728 §3.1).
    pub fn well_known_path(&self) -> String {
        const NAME: &str = "/.well-known/oauth-protected-resource";
        let suffix = self.suffix();
        format!("{NAME}{}", suffix.split('?').next().unwrap_or_default())
    }

    /// The address of the document, with the query of the resource where it has one.
    pub fn well_known_url(&self) -> String {
        format!("{}/.well-known/oauth-protected-resource{}", self.origin, self.suffix())
    }

    /// Path and query without the slash that ends the host.
    fn suffix(&self) -> &str {
        let path_ends = self.path.find('?').unwrap_or(self.path.len());
        if &self.path[..path_ends] == "/" { &self.path[1..] } else { &self.path }
    }

    /// The document.
    ///
    /// # Panics
    /// Never: a document of strings is always JSON.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings are always JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(text: &str) -> ProtectedResource {
        ProtectedResource::new(text, "https://login.example.com").expect("a resource")
    }

    #[test]
    fn the_well_known_name_stands_between_host_and_path() {
        const NAME: &str = "/.well-known/oauth-protected-resource";
        for (text, suffix, query) in [
            // RFC 9728 §3.1, both examples.
            ("https://resource.example.com", "", ""),
            ("https://resource.example.com/resource1", "/resource1", ""),
            ("https://resource.example.com/", "", ""),
            ("https://resource.example.com/a/", "/a/", ""),
            ("https://resource.example.com/?k=v", "", "?k=v"),
            ("https://resource.example.com?k=v", "", "?k=v"),
            ("https://resource.example.com/a?k=v/w", "/a", "?k=v/w"),
        ] {
            let resource = resource(text);
            assert_eq!(resource.well_known_path(), format!("{NAME}{suffix}"), "{text}");
            assert_eq!(
                resource.well_known_url(),
                format!("https://resource.example.com{NAME}{suffix}{query}"),
                "{text}"
            );
        }
    }

    #[test]
    fn the_document_has_the_resource_as_it_was_written_and_no_empty_list() {
        let document = |resource: &ProtectedResource| -> serde_json::Value {
            serde_json::from_slice(&resource.to_json()).expect("JSON")
        };
        let bare = resource("https://api.example.com/");
        assert_eq!(
            document(&bare),
            serde_json::json!({
                "resource": "https://api.example.com/",
                "authorization_servers": ["https://login.example.com"],
                "bearer_methods_supported": ["header"],
            })
        );
        let full = document(&bare.scopes(&"write read".parse().expect("a scope")).name("Notes"));
        assert_eq!(full["scopes_supported"], serde_json::json!(["read", "write"]));
        assert_eq!(full["resource_name"], "Notes");
    }

    #[test]
    fn what_is_no_safe_address_has_no_metadata() {
        for text in ["urn:example:api", "http://api.example.com", "https://api.example.com#a", "api", ""] {
            assert_eq!(
                ProtectedResource::new(text, "https://l.example").err(),
                Some(InvalidProtectedResource),
                "{text}"
            );
        }
        assert!(ProtectedResource::new("http://127.0.0.1:3000/notes", "https://l.example").is_ok());
    }
}
