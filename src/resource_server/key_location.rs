//! Where the keys of an issuer are: at an address that is given, or where its metadata says (RFC 8414 §3).
//!
//! Refused are plain http to another machine, unless that is allowed, metadata of another issuer (§3.3: compared byte by
//! byte), and an https issuer whose keys would come over http.

use serde::Deserialize;
use url::{Position, Url};

use super::http_fetcher::{Fetch, FetchAnswer, FetchFailed, FetchRequest};
use crate::protocol::issuer::is_loopback;

/// An address that keys may be fetched from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SafeUrl(Url);

/// Why an address cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum UnsafeUrl {
    #[error("is not an absolute URL such as https://login.example.com")]
    NotAUrl,
    #[error("is not https; http is for loopback addresses alone, unless `allow_insecure_http` is called")]
    NotSecure,
    #[error("has a user, a query or a fragment")]
    Extra,
}

impl SafeUrl {
    pub(super) fn parse(text: &str, allow_http: bool) -> Result<Self, UnsafeUrl> {
        let url = Url::parse(text).map_err(|_| UnsafeUrl::NotAUrl)?;
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(UnsafeUrl::Extra);
        }
        match url.scheme() {
            "https" => Ok(Self(url)),
            "http" if allow_http || is_loopback(&url) => Ok(Self(url)),
            "http" => Err(UnsafeUrl::NotSecure),
            _ => Err(UnsafeUrl::NotAUrl),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// Where to look.
#[derive(Debug)]
pub(super) enum KeyLocation {
    /// At this address.
    Given(SafeUrl),
    /// Where the metadata of the issuer says.
    Discovered {
        /// The issuer, byte for byte.
        issuer: String,
        /// The same, parsed.
        url: SafeUrl,
        allow_http: bool,
    },
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: Option<String>,
}

impl KeyLocation {
    pub(super) fn discovered(issuer: &str, allow_http: bool) -> Result<Self, UnsafeUrl> {
        let url = SafeUrl::parse(issuer, allow_http)?;
        // RFC 8414 §2.
        if url.0.query().is_some() {
            return Err(UnsafeUrl::Extra);
        }
        Ok(Self::Discovered { issuer: issuer.to_owned(), url, allow_http })
    }

    /// The address of the key set.
    pub(super) async fn find(&self, fetcher: &dyn Fetch) -> Result<SafeUrl, FetchFailed> {
        let (issuer, url, allow_http) = match self {
            Self::Given(url) => return Ok(url.clone()),
            Self::Discovered { issuer, url, allow_http } => (issuer, url, *allow_http),
        };
        let place = metadata_url(&url.0);
        let FetchAnswer { status, body, .. } = fetcher.fetch(FetchRequest { url: &place, if_none_match: None }).await?;
        let refused = |why: &str| FetchFailed(format!("{place}: {why}"));
        if status != 200 {
            return Err(refused(&format!("status {status}")));
        }
        let metadata: Metadata = serde_json::from_slice(&body).map_err(|_| refused("no metadata (RFC 8414)"))?;
        if metadata.issuer != *issuer {
            return Err(refused("the metadata of another issuer"));
        }
        let jwks_uri = metadata.jwks_uri.ok_or_else(|| refused("metadata without `jwks_uri`"))?;
        let found = SafeUrl::parse(&jwks_uri, allow_http).map_err(|why| refused(&format!("its `jwks_uri` {why}")))?;
        if url.0.scheme() == "https" && found.0.scheme() != "https" {
            return Err(refused("its `jwks_uri` is not https"));
        }
        Ok(found)
    }
}

/// RFC 8414 §3.1: the well-known name stands between host and path, and a slash at the end goes.
fn metadata_url(issuer: &Url) -> String {
    let origin = &issuer[..Position::BeforePath];
    format!("{origin}/.well-known/oauth-authorization-server{}", issuer.path().trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource_server::scripted::{self, Script};

    #[test]
    fn the_metadata_of_an_issuer_with_a_path_is_before_it() {
        let place = |issuer: &str| metadata_url(&Url::parse(issuer).expect("an address"));
        // RFC 8414 §3.1, both examples.
        assert_eq!(place("https://example.com"), "https://example.com/.well-known/oauth-authorization-server");
        let of_path = "https://example.com/.well-known/oauth-authorization-server/issuer1";
        assert_eq!(place("https://example.com/issuer1"), of_path);
        assert_eq!(place("https://example.com/issuer1/"), of_path);
    }

    #[test]
    fn plain_http_is_for_this_machine_alone_unless_it_is_allowed() {
        for url in ["https://a.example", "http://127.0.0.1:8080/x", "http://[::1]", "http://localhost:1"] {
            assert!(SafeUrl::parse(url, false).is_ok(), "{url}");
        }
        for (url, why) in [
            ("http://login.example.com", UnsafeUrl::NotSecure),
            ("http://localhost.example.com", UnsafeUrl::NotSecure),
            ("http://10.0.0.1", UnsafeUrl::NotSecure),
            ("file:///etc/passwd", UnsafeUrl::NotAUrl),
            ("login.example.com", UnsafeUrl::NotAUrl),
            ("https://me:secret@a.example", UnsafeUrl::Extra),
            ("https://a.example/#x", UnsafeUrl::Extra),
        ] {
            assert_eq!(SafeUrl::parse(url, false), Err(why), "{url}");
        }
        assert!(SafeUrl::parse("http://login.example.com", true).is_ok());
    }

    #[tokio::test]
    async fn metadata_of_another_issuer_or_with_unsafe_keys_is_refused() {
        const ISSUER: &str = "https://login.example.com/a";
        let find = async |body: &str| {
            let script = Script::default();
            script.answer(scripted::ok(body));
            let location = KeyLocation::discovered(ISSUER, false).expect("an issuer");
            let found = location.find(&script).await.map(|url| url.as_str().to_owned());
            let asked = script.asked();
            assert_eq!(asked[0].0, "https://login.example.com/.well-known/oauth-authorization-server/a");
            found
        };
        let good = format!(r#"{{"issuer":"{ISSUER}","jwks_uri":"https://keys.example.com/k"}}"#);
        assert_eq!(find(&good).await.as_deref(), Ok("https://keys.example.com/k"));
        for bad in [
            good.replace("/a\"", "/a/\""),
            good.replace("/a\"", "/A\""),
            good.replace("https://keys.example.com", "http://keys.example.com"),
            good.replace("https://keys.example.com", "http://127.0.0.1"),
            format!(r#"{{"issuer":"{ISSUER}"}}"#),
            "[]".to_owned(),
            String::new(),
        ] {
            assert!(find(&bad).await.is_err(), "{bad}");
        }
    }
}
