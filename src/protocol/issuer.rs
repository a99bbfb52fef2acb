//! The issuer identifier (RFC 8414 §2): the server's name, and the start of every address it has.

use std::fmt;
use std::sync::Arc;

use url::{Host, Url};

/// An issuer identifier, kept byte for byte as it was configured: clients compare it as a string (RFC 8414 §3.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Issuer {
    text: Arc<str>,
    is_secure: bool,
    path_at: usize,
}

/// Why a text cannot be an issuer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIssuer {
    /// Not an absolute URL.
    #[error("an issuer is an absolute URL such as https://login.example.com")]
    NotAUrl,
    /// Plain http to another machine.
    #[error("an issuer is https; http is for loopback addresses alone")]
    NotSecure,
    /// A query, a fragment, or a name and password (RFC 8414 §2).
    #[error("an issuer has no query, no fragment and no user")]
    Extra,
    /// A slash at the end, which would double in every address.
    #[error("an issuer does not end in a slash")]
    TrailingSlash,
    /// The URL is not written in its normal form, so that clients may disagree about its bytes.
    #[error("write this issuer in its normal form: {0}")]
    NotNormal(String),
}

impl Issuer {
    /// Reads an issuer, or says why it cannot be one.
    pub fn parse(text: &str) -> Result<Self, InvalidIssuer> {
        let url = Url::parse(text).map_err(|_| InvalidIssuer::NotAUrl)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(InvalidIssuer::NotAUrl);
        }
        if url.scheme() == "http" && !is_loopback(&url) {
            return Err(InvalidIssuer::NotSecure);
        }
        if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidIssuer::Extra);
        }
        if text.ends_with('/') {
            return Err(InvalidIssuer::TrailingSlash);
        }
        let normal = url.as_str().trim_end_matches('/');
        if normal != text {
            return Err(InvalidIssuer::NotNormal(normal.to_owned()));
        }
        let path_at = url[..url::Position::BeforePath].len();
        Ok(Self { text: text.into(), is_secure: url.scheme() == "https", path_at })
    }

    /// The identifier as it was configured.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether people and clients reach the server over https: decides on `Secure` and `__Host-` cookies.
    pub const fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// The path of the identifier, empty or starting with a slash: the prefix of every endpoint.
    pub fn path(&self) -> &str {
        &self.text[self.path_at..]
    }

    /// Scheme, host and port: what a browser sends as `Origin` from our own pages (RFC 6454 §6.2).
    pub fn origin(&self) -> &str {
        &self.text[..self.path_at]
    }

    /// The address of an endpoint: `path` starts with a slash.
    pub fn endpoint(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// The path at which a well-known document of this issuer is served (RFC 8414 §3.1): the name stands between
    /// the host and the issuer's own path.
    pub fn well_known_path(&self, name: &str) -> String {
        format!("/.well-known/{name}{}", self.path())
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether an address is one of this machine: what goes there in plain http meets no network.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_with_a_path_puts_the_well_known_name_before_it() {
        let issuer = Issuer::parse("https://example.com/issuer1").expect("a valid issuer");
        // RFC 8414 §3.1, the example.
        let path = issuer.well_known_path("oauth-authorization-server");
        assert_eq!(path, "/.well-known/oauth-authorization-server/issuer1");
        assert_eq!(issuer.endpoint("/token"), "https://example.com/issuer1/token");
        assert_eq!(issuer.origin(), "https://example.com");
    }

    #[test]
    fn an_issuer_without_a_path_has_an_empty_prefix() {
        let issuer = Issuer::parse("http://127.0.0.1:8080").expect("a valid issuer");
        assert_eq!((issuer.path(), issuer.origin()), ("", "http://127.0.0.1:8080"));
        assert!(!issuer.is_secure());
    }

    #[test]
    fn what_clients_could_read_in_two_ways_is_refused() {
        for (text, why) in [
            ("login.example.com", InvalidIssuer::NotAUrl),
            ("ftp://example.com", InvalidIssuer::NotAUrl),
            ("http://example.com", InvalidIssuer::NotSecure),
            ("https://example.com/?a=b", InvalidIssuer::Extra),
            ("https://example.com#a", InvalidIssuer::Extra),
            ("https://me@example.com", InvalidIssuer::Extra),
            ("https://example.com/", InvalidIssuer::TrailingSlash),
            ("https://Example.com", InvalidIssuer::NotNormal("https://example.com".to_owned())),
            ("https://example.com:443", InvalidIssuer::NotNormal("https://example.com".to_owned())),
        ] {
            assert_eq!(Issuer::parse(text), Err(why), "{text}");
        }
    }
}
