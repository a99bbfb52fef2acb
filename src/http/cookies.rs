//! The four cookies: the session, the browser's mark that login forms are bound to, the consents that are remembered,
//! and for whom the browser is known.
//!
//! Each is sealed, so what comes back is what we wrote. Where the issuer is https they are `Secure` with the prefix
//! `__Host-` (RFC 6265bis §4.1.3.2), which no neighbour can set. On loopback the name carries a digest of the issuer, for
//! cookies do not know ports: two servers on one machine would overwrite each other's.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration as CookieDuration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::{self, HeaderValue};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::foundation::clock::Timestamp;
use crate::foundation::random::Random;
use crate::foundation::{base64url, digest};
use crate::keys::sealing_ring::{SealPurpose, SealingRing};
use crate::protocol::cookie_header;
use crate::protocol::issuer::Issuer;

/// Which cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CookieKind {
    /// Who is signed in.
    Session,
    /// Which browser a login form was shown to. It says nothing of who is signed in, and stays when somebody does: a
    /// form in another tab is still good.
    Browser,
    /// What was consented to.
    Consents,
    /// Who has signed in here before.
    Known,
}

impl CookieKind {
    const fn base_name(self) -> &'static str {
        match self {
            Self::Session => "jotsmith-session",
            Self::Browser => "jotsmith-browser",
            Self::Consents => "jotsmith-consents",
            Self::Known => "jotsmith-known",
        }
    }

    const fn purpose(self) -> SealPurpose {
        match self {
            Self::Session => SealPurpose::Session,
            Self::Browser => SealPurpose::AuthorizationRequest,
            Self::Consents => SealPurpose::Consent,
            Self::Known => SealPurpose::KnownBrowser,
        }
    }

    fn name(self, issuer: &Issuer) -> String {
        let base = self.base_name();
        if issuer.is_secure() {
            return format!("__Host-{base}");
        }
        let digest = base64url::encode(&digest::sha256(issuer.as_str())[..6]);
        format!("{base}-{digest}")
    }
}

/// Reads and writes the cookies of one issuer.
#[derive(Clone, Copy)]
pub(super) struct Cookies<'a> {
    pub(super) issuer: &'a Issuer,
    pub(super) sealing: &'a SealingRing,
}

impl Cookies<'_> {
    /// What a cookie holds, if it came and we sealed it.
    pub(super) fn read<T: DeserializeOwned>(self, kind: CookieKind, request: &HttpRequest) -> Option<T> {
        let name = kind.name(self.issuer);
        self.sealing.open(kind.purpose(), &name, sent(&name, request)?).ok()
    }

    /// A cookie that holds `value` for `life`.
    pub(super) fn write<T: Serialize>(
        self,
        kind: CookieKind,
        value: &T,
        life: Duration,
        now: Timestamp,
        random: &dyn Random,
    ) -> Cookie<'static> {
        let name = kind.name(self.issuer);
        let text = self.sealing.seal(kind.purpose(), &name, value, now, random);
        let seconds = i64::try_from(life.as_secs()).unwrap_or(i64::MAX);
        self.cookie(name, text, CookieDuration::seconds(seconds))
    }

    /// A cookie that takes the place of `kind` and ends at once.
    pub(super) fn remove(self, kind: CookieKind) -> Cookie<'static> {
        self.cookie(kind.name(self.issuer), String::new(), CookieDuration::ZERO)
    }

    fn cookie(self, name: String, value: String, max_age: CookieDuration) -> Cookie<'static> {
        Cookie::build(name, value)
            .path("/")
            .http_only(true)
            // A person comes from the client's page by a link: Strict would hide the session from that first request.
            .same_site(SameSite::Lax)
            .secure(self.issuer.is_secure())
            .max_age(max_age)
            .finish()
    }
}

/// The value of the first cookie of this name, as it was sent.
fn sent<'a>(name: &str, request: &'a HttpRequest) -> Option<&'a str> {
    cookie_header::value_of(name, request.headers().get_all(header::COOKIE).map(HeaderValue::as_bytes))
}
