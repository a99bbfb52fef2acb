//! Redirect URIs (RFC 6749 §3.1.2, RFC 8252 §7): what may be registered, what a request may name, and the answer's address.
//!
//! Exact string comparison and nothing else (RFC 9700 §2.1), but for the port of a native client on loopback. Refused at
//! registration: fragments, wildcards, user info, http to another machine, schemes such as `javascript:`, and queries
//! that hold a parameter of the answer.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use url::{Position, Url};

/// The longest redirect URI, in bytes.
pub const LONGEST_REDIRECT_URI: usize = 1024;

/// The query parameters that an answer may hold (RFC 6749 §4.1.2, RFC 9207 §2, and `response` of JARM): where a registered URI has
/// one already, a client could not tell whose it is.
const ANSWER_PARAMETERS: [&str; 7] = ["code", "state", "iss", "error", "error_description", "error_uri", "response"];

/// The hosts that are this very machine, as they stand in a URI (RFC 8252 §7.3 and §8.3).
const LOOPBACK_HOSTS: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

/// Where a client runs (OpenID Connect Dynamic Client Registration §2, `application_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ApplicationType {
    /// In a browser or on a server.
    #[default]
    Web,
    /// On a person's device, as an app of its own.
    Native,
}

/// The text names no application type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such application type")]
pub struct UnknownApplicationType;

impl ApplicationType {
    /// Every application type.
    pub const ALL: [Self; 2] = [Self::Web, Self::Native];

    /// The name as it stands in a client's `application_type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Native => "native",
        }
    }
}

impl FromStr for ApplicationType {
    type Err = UnknownApplicationType;

    fn from_str(text: &str) -> Result<Self, UnknownApplicationType> {
        Self::ALL.into_iter().find(|known| known.as_str() == text).ok_or(UnknownApplicationType)
    }
}

/// A redirect URI that may be registered. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RedirectUri {
    text: Arc<str>,
    reach: Reach,
}

/// Who can receive what is sent to a redirect URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reach {
    /// The owner of the host (RFC 8252 §7.2).
    Https,
    /// Whatever program listens on this machine (RFC 8252 §7.3).
    Loopback,
    /// Whatever app claimed the scheme on this device (RFC 8252 §7.1).
    PrivateUse,
}

/// Why a redirect URI may not be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRedirectUri {
    /// Longer than [`LONGEST_REDIRECT_URI`].
    #[error("a redirect URI has at most {LONGEST_REDIRECT_URI} bytes")]
    TooLong,
    /// Not an absolute URI (RFC 6749 §3.1.2), or with characters that no URI has.
    #[error("a redirect URI is an absolute URI such as https://client.example.com/callback")]
    NotAUri,
    /// A fragment (RFC 6749 §3.1.2).
    #[error("a redirect URI has no fragment")]
    Fragment,
    /// An asterisk, which would match nothing but itself.
    #[error("a redirect URI has no wildcard: it is compared as it is written; register each one")]
    Wildcard,
    /// A name or password before the host.
    #[error("a redirect URI has no user and no password")]
    UserInfo,
    /// Plain http to another machine.
    #[error("a redirect URI is https; http is for 127.0.0.1, [::1] and localhost alone")]
    NotSecure,
    /// A scheme that is neither https, http nor private-use (RFC 8252 §8.4).
    #[error(
        "a redirect URI is https, http on loopback, or has a scheme with a dot in it such as com.example.app:/callback"
    )]
    Scheme,
    /// Browsers would rewrite the scheme, host or port, so what is registered is not where the answer goes.
    #[error("write this redirect URI in its normal form: {0}")]
    NotNormal(String),
    /// A query parameter that the answer has too.
    #[error("a redirect URI has no query parameter `{0}`: the answer may have one")]
    AnswerParameter(&'static str),
}

impl RedirectUri {
    /// Reads a redirect URI that is to be registered, or says why it cannot be.
    ///
    /// A private-use scheme is for native clients: the client's registration checks that with
    /// [`is_private_use`](Self::is_private_use).
    pub fn parse(text: &str) -> Result<Self, InvalidRedirectUri> {
        if text.len() > LONGEST_REDIRECT_URI {
            return Err(InvalidRedirectUri::TooLong);
        }
        if text.contains('#') {
            return Err(InvalidRedirectUri::Fragment);
        }
        if text.contains('*') {
            return Err(InvalidRedirectUri::Wildcard);
        }
        // A URL parser forgives what RFC 3986 does not: spaces around, backslashes, line breaks within.
        if !text.bytes().all(is_uri_byte) {
            return Err(InvalidRedirectUri::NotAUri);
        }
        let url = Url::parse(text).map_err(|_| InvalidRedirectUri::NotAUri)?;
        let reach = match url.scheme() {
            "https" => Reach::Https,
            "http" => Reach::Loopback,
            // RFC 8252 §8.4: a private-use scheme without a dot is rejected. With it goes all that a browser would run
            // or read itself: `javascript:`, `data:`, `file:`, `blob:`, `about:`.
            scheme if scheme.contains('.') => Reach::PrivateUse,
            _ => return Err(InvalidRedirectUri::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidRedirectUri::UserInfo);
        }
        let rest = text.strip_prefix(&url[..Position::BeforePath]);
        if !rest.is_some_and(|rest| reach == Reach::PrivateUse || rest.is_empty() || rest.starts_with(['/', '?'])) {
            return Err(InvalidRedirectUri::NotNormal(url.into()));
        }
        if reach == Reach::Loopback && without_port(text).is_none() {
            return Err(InvalidRedirectUri::NotSecure);
        }
        if let Some(name) = answer_parameter(&url) {
            return Err(InvalidRedirectUri::AnswerParameter(name));
        }
        Ok(Self { text: text.into(), reach })
    }

    /// The URI as it was registered.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is `http` on this very machine, where any program may listen.
    pub fn is_loopback(&self) -> bool {
        self.reach == Reach::Loopback
    }

    /// Whether its scheme is private-use, which any app may claim.
    pub fn is_private_use(&self) -> bool {
        self.reach == Reach::PrivateUse
    }

    /// Whether a request of a client of this type may name `presented`: the very same text (RFC 6749 §3.1.2.3); on
    /// loopback a native client may have any port, for the system gives it one (RFC 8252 §7.3).
    pub fn matches(&self, presented: &str, application_type: ApplicationType) -> bool {
        if *self.text == *presented {
            return true;
        }
        let any_port = self.reach == Reach::Loopback && application_type == ApplicationType::Native;
        any_port && without_port(presented).is_some_and(|without| without_port(&self.text) == Some(without))
    }

    /// Where an answer may go when a request names `presented`, if it [`matches`](Self::matches).
    pub fn accept(&self, presented: &str, application_type: ApplicationType) -> Option<RedirectTarget> {
        self.matches(presented, application_type)
            .then(|| RedirectTarget(Self { text: presented.into(), reach: self.reach }))
    }

    /// Where an answer goes when a request names no redirect URI and this is the only one (RFC 6749 §3.1.2.3).
    pub fn as_target(&self) -> RedirectTarget {
        RedirectTarget(self.clone())
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A redirect URI that a registered one allows: the only address to which an answer is sent.
///
/// It comes from [`RedirectUri::accept`] or [`RedirectUri::as_target`] and from nowhere else, so that a redirect to an
/// unchecked URI does not compile.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RedirectTarget(RedirectUri);

impl RedirectTarget {
    /// The URI as the request named it.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether nothing shows that the client we know receives what is sent there: any program may listen on loopback,
    /// any app may claim a private-use scheme (RFC 8252 §8.6).
    pub fn is_claimable(&self) -> bool {
        self.0.is_loopback() || self.0.is_private_use()
    }

    /// Whether its scheme is an app's, to which a browser hands the address and no form.
    pub fn is_private_use(&self) -> bool {
        self.0.is_private_use()
    }

    /// What a person knows the address by: its host with the port, or the scheme of an app.
    pub fn host_to_show(&self) -> &str {
        let text = self.as_str();
        let (scheme, rest) = text.split_once(':').unwrap_or((text, ""));
        match rest.strip_prefix("//") {
            Some(rest) if !self.0.is_private_use() => rest.split(['/', '?']).next().unwrap_or(rest),
            _ => scheme,
        }
    }

    /// The URI with `parameters` added to its query, form-encoded (RFC 6749 §4.1.2 and appendix B). What its query has
    /// already is retained (§3.1.2).
    pub fn with_query<'a>(&self, parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        self.with(parameters, '?')
    }

    /// The URI with `parameters` as its fragment, form-encoded (RFC 6749 §4.2.2). It never has one of its own (§3.1.2).
    pub fn with_fragment<'a>(&self, parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        self.with(parameters, '#')
    }

    fn with<'a>(&self, parameters: impl IntoIterator<Item = (&'a str, &'a str)>, mark: char) -> String {
        let mut text = self.as_str().to_owned();
        for (name, value) in parameters {
            match text.find(mark) {
                None => text.push(mark),
                // A question mark within the query is a character of it like any other (RFC 3986 §3.4).
                Some(at) if at + 1 == text.len() || text.ends_with('&') => {}
                Some(_) => text.push('&'),
            }
            text.extend(form_urlencoded::byte_serialize(name.as_bytes()));
            text.push('=');
            text.extend(form_urlencoded::byte_serialize(value.as_bytes()));
        }
        text
    }
}

// RFC 3986 §2: unreserved, reserved, and the percent sign of an encoded byte.
fn is_uri_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

/// The host, and the path with the query, of an http URI on loopback; `None` for every other text.
fn without_port(text: &str) -> Option<(&str, &str)> {
    let after = text.strip_prefix("http://")?;
    let (authority, rest) = after.split_at(after.find(['/', '?']).unwrap_or(after.len()));
    let host = LOOPBACK_HOSTS.into_iter().find(|host| authority.starts_with(host))?;
    let is_host_alone = match authority[host.len()..].split_once(':') {
        None => authority == host,
        Some((before, port)) => before.is_empty() && is_port(port),
    };
    is_host_alone.then_some((host, rest))
}

/// A port from 1 to 65535 in its one spelling.
fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port != 0 && port.to_string() == text)
}

fn answer_parameter(url: &Url) -> Option<&'static str> {
    let has = |name: &str| url.query_pairs().any(|(own, _)| own == name);
    ANSWER_PARAMETERS.into_iter().find(|name| has(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> RedirectUri {
        RedirectUri::parse(text).expect("a valid redirect URI")
    }

    #[test]
    fn https_loopback_and_private_use_may_be_registered() {
        for text in [
            "https://client.example.com/cb",
            "https://client.example.com",
            "https://client.example.com:8443/cb?tenant=acme&x=%2F",
            "http://127.0.0.1/cb",
            "http://[::1]:49152/cb",
            "http://localhost:3000",
            "com.example.app:/oauth2redirect/example-provider",
            "com.example.app://callback",
        ] {
            assert_eq!(uri(text).as_str(), text);
        }
        assert!(uri("http://localhost/cb").is_loopback());
        assert!(!uri("https://localhost/cb").is_loopback());
        assert!(uri("com.example.app:/cb").is_private_use());
    }

    #[test]
    fn what_could_carry_an_answer_elsewhere_is_refused() {
        use InvalidRedirectUri as Why;
        for (text, why) in [
            ("", Why::NotAUri),
            ("/cb", Why::NotAUri),
            ("client.example.com/cb", Why::NotAUri),
            ("https://", Why::NotAUri),
            (" https://h/cb", Why::NotAUri),
            ("https://h\\@evil.example/", Why::NotAUri),
            ("https://h/cb\r\nSet-Cookie:x", Why::NotAUri),
            ("https://h/ä", Why::NotAUri),
            ("https://h/cb#", Why::Fragment),
            ("https://*.example.com/cb", Why::Wildcard),
            ("https://h/*", Why::Wildcard),
            ("https://me@h/cb", Why::UserInfo),
            ("https://@h/cb", Why::NotNormal("https://h/cb".to_owned())),
            ("http://localhost@evil.example/cb", Why::UserInfo),
            ("com.example.app://me:pw@h/cb", Why::UserInfo),
            ("http://h/cb", Why::NotSecure),
            ("http://127.0.0.2/cb", Why::NotSecure),
            ("http://localhost.evil.example/cb", Why::NotSecure),
            ("http://localhost:0/cb", Why::NotSecure),
            ("javascript:alert(1)", Why::Scheme),
            ("data:text/html,x", Why::Scheme),
            ("file:///etc/passwd", Why::Scheme),
            ("vbscript:x", Why::Scheme),
            ("blob:https://h/1", Why::Scheme),
            ("myapp:/cb", Why::Scheme),
            ("HTTPS://h/cb", Why::NotNormal("https://h/cb".to_owned())),
            ("https:h/cb", Why::NotNormal("https://h/cb".to_owned())),
            ("https:///h/cb", Why::NotNormal("https://h/cb".to_owned())),
            ("https://H/cb", Why::NotNormal("https://h/cb".to_owned())),
            ("https://h:443/cb", Why::NotNormal("https://h/cb".to_owned())),
            ("http://127.1/cb", Why::NotNormal("http://127.0.0.1/cb".to_owned())),
        ] {
            assert_eq!(RedirectUri::parse(text), Err(why), "{text:?}");
        }
        assert_eq!(RedirectUri::parse(&format!("https://h/{}", "x".repeat(1015))), Err(Why::TooLong));
    }

    #[test]
    fn a_query_with_a_parameter_of_the_answer_is_refused_however_it_is_encoded() {
        for (query, name) in [("code=1", "code"), ("a=b&state", "state"), ("%69ss=x", "iss"), ("error=", "error")] {
            let refused = RedirectUri::parse(&format!("https://h/cb?{query}"));
            assert_eq!(refused, Err(InvalidRedirectUri::AnswerParameter(name)));
        }
        assert_eq!(uri("https://h/cb?codec=1").as_str(), "https://h/cb?codec=1");
    }

    #[test]
    fn a_redirect_uri_is_compared_as_it_is_written() {
        let registered = uri("https://h/cb?a=b");
        assert!(registered.matches("https://h/cb?a=b", ApplicationType::Web));
        for presented in [
            "https://h/cb",
            "https://h/cb?a=b&c=d",
            "https://h/cb/?a=b",
            "https://H/cb?a=b",
            "https://h:8443/cb?a=b",
            "",
        ] {
            assert!(!registered.matches(presented, ApplicationType::Native), "{presented}");
        }
    }

    #[test]
    fn a_native_client_on_loopback_may_have_any_port_and_nothing_else() {
        for registered in ["http://127.0.0.1/cb?a=b", "http://[::1]:7/cb?a=b", "http://localhost:8080/cb?a=b"] {
            let (host, _) = without_port(registered).expect("loopback");
            let registered = uri(registered);
            for port in ["", ":1", ":80", ":51004", ":65535"] {
                let presented = format!("http://{host}{port}/cb?a=b");
                assert!(registered.matches(&presented, ApplicationType::Native), "{presented}");
            }
            for port in [":", ":0", ":080", ":65536", ":+1", ":1@evil.example", ":x", "0", ".evil.example", ":1:2"] {
                let presented = format!("http://{host}{port}/cb?a=b");
                assert!(!registered.matches(&presented, ApplicationType::Native), "{presented}");
            }
            assert!(!registered.matches(&format!("http://{host}:1/CB?a=b"), ApplicationType::Native));
            assert!(!registered.matches(&format!("http://{host}:1/cb"), ApplicationType::Native));
            assert!(!registered.matches(&format!("https://{host}:1/cb?a=b"), ApplicationType::Native));
        }
        assert!(!uri("http://127.0.0.1/cb").matches("http://localhost:1/cb", ApplicationType::Native));
    }

    #[test]
    fn a_web_client_has_the_port_it_registered() {
        let registered = uri("http://127.0.0.1:3000/cb");
        assert!(registered.matches("http://127.0.0.1:3000/cb", ApplicationType::Web));
        assert!(!registered.matches("http://127.0.0.1:3001/cb", ApplicationType::Web));
    }

    #[test]
    fn parameters_are_added_behind_what_the_query_has() {
        for (registered, whole) in [
            ("https://h/cb", "https://h/cb?a=1&b=2"),
            ("https://h", "https://h?a=1&b=2"),
            ("https://h/cb?", "https://h/cb?a=1&b=2"),
            ("https://h/cb?x=%2f", "https://h/cb?x=%2f&a=1&b=2"),
            ("https://h/cb?x&", "https://h/cb?x&a=1&b=2"),
            ("com.example.app:/cb", "com.example.app:/cb?a=1&b=2"),
        ] {
            assert_eq!(uri(registered).as_target().with_query([("a", "1"), ("b", "2")]), whole);
        }
    }

    #[test]
    fn a_question_mark_at_the_end_of_the_query_belongs_to_it() {
        for (text, expected) in [
            ("https://h/cb?", "https://h/cb?code=x"),
            ("https://h/cb?a=b&", "https://h/cb?a=b&code=x"),
            ("https://h/cb?a=b?", "https://h/cb?a=b?&code=x"),
            ("https://h/cb??", "https://h/cb??&code=x"),
        ] {
            assert_eq!(uri(text).as_target().with_query([("code", "x")]), expected);
        }
    }

    #[test]
    fn a_value_is_encoded_as_rfc_6749_appendix_b_writes_it() {
        let target = uri("https://h/cb").as_target();
        assert_eq!(
            target.with_query([("value", " %&+\u{a3}\u{20ac}")]),
            "https://h/cb?value=+%25%26%2B%C2%A3%E2%82%AC"
        );
        assert_eq!(target.with_query([]), "https://h/cb");
    }

    #[test]
    fn the_target_is_the_uri_that_was_named() {
        let registered = uri("http://127.0.0.1/cb");
        let target = registered.accept("http://127.0.0.1:51004/cb", ApplicationType::Native).expect("accepted");
        assert_eq!(target.as_str(), "http://127.0.0.1:51004/cb");
        assert!(target.is_claimable());
        assert!(!uri("https://h/cb").as_target().is_claimable());
        assert_eq!(registered.accept("http://127.0.0.1:51004/cb", ApplicationType::Web), None);
    }
}
