//! Verifying access tokens (RFC 9068 §4, RFC 8725 §3).
//!
//! Checked are `typ`, `alg` against a list of ours and against the key, the signature, `crit` (none is understood), `iss`
//! and `aud` as exact strings, `exp` and `nbf`, and the claims that RFC 9068 §2.2 requires.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::access_token::AccessToken;
use super::http_fetcher::{Fetch, FetchFailed, HttpFetcher};
use super::key_cache::{Kept, KeyCache, Reason, State};
use super::key_location::{KeyLocation, SafeUrl};
use crate::foundation::clock::{Clock, SystemClock, Timestamp};
use crate::keys::algorithm::Algorithm;
use crate::keys::jws::{self, Expectation, JwsRefused};
use crate::keys::token_type::TokenType;

/// The bytes that a token may have; ours have less than one thousand.
const LONGEST_TOKEN: usize = 16 * 1024;
/// How far clocks may be apart, where nothing else is said.
const LEEWAY: Duration = Duration::from_secs(30);
/// RFC 7519 §4.1.4: "usually no more than a few minutes".
const LARGEST_LEEWAY: Duration = Duration::from_mins(5);
/// How long a stale set serves while the issuer is away, where nothing else is said.
const KEEP_WHEN_AWAY: Duration = Duration::from_hours(1);

/// Verifies the access tokens of one issuer for one audience. Cheap to clone: clones share the keys.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    issuer: String,
    audience: String,
    algorithms: Vec<Algorithm>,
    leeway: Duration,
    keys: Arc<KeyCache>,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    /// Its signature, header, times, issuer or audience.
    #[error(transparent)]
    Jws(#[from] JwsRefused),
    /// It has `cnf`: only the holder of a key may use it, and a bearer token shows no key (RFC 7800 §3.1).
    #[error("it is bound to a key (`cnf`), which a bearer token does not show")]
    BoundToAKey,
    /// More than 16 KiB.
    #[error("it has more than {LONGEST_TOKEN} bytes")]
    TooLong,
}

/// Why nothing is known of a token, or nothing good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The token is not accepted: 401 (RFC 6750 §3.1).
    #[error("the token is refused: {0}")]
    Token(#[from] TokenRefused),
    /// There are no keys that may be used: none came yet, or the issuer is away for longer than the bound.
    #[error("the issuer's keys cannot be had")]
    KeysUnavailable,
}

impl From<JwsRefused> for VerifyError {
    fn from(refused: JwsRefused) -> Self {
        Self::Token(refused.into())
    }
}

/// Why a verifier cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidVerifier {
    /// The issuer, or the address of its keys.
    #[error("{which} {url:?} {why}")]
    Url {
        /// Which of the two.
        which: &'static str,
        /// What was given.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// A token for anybody would be one for us.
    #[error("the audience is empty: it is the `resource` that clients ask for, such as https://api.example.com")]
    NoAudience,
    /// Nothing could be verified.
    #[error("no algorithm is allowed: name one of ES256, RS256 and EdDSA")]
    NoAlgorithm,
    /// Clocks that are that far apart are wrong.
    #[error("the leeway is more than 5 minutes: set the clocks")]
    LeewayTooLarge,
    /// TLS cannot be set up.
    #[error("no HTTP client: {0}")]
    Fetcher(#[from] FetchFailed),
}

/// Makes a [`Verifier`].
#[must_use]
pub struct VerifierBuilder {
    issuer: String,
    audience: String,
    jwks_uri: Option<String>,
    algorithms: Vec<Algorithm>,
    leeway: Duration,
    keep_when_away: Duration,
    allow_insecure_http: bool,
    clock: Arc<dyn Clock>,
    fetcher: Option<Box<dyn Fetch>>,
}

impl VerifierBuilder {
    /// Takes the keys from this address, and asks for no metadata.
    pub fn jwks_uri(mut self, url: impl Into<String>) -> Self {
        self.jwks_uri = Some(url.into());
        self
    }

    /// Allows these algorithms alone (RFC 8725 §3.1). Otherwise ES256, RS256 and `EdDSA`, each for keys of its own kind.
    pub fn algorithms(mut self, algorithms: impl Into<Vec<Algorithm>>) -> Self {
        self.algorithms = algorithms.into();
        self
    }

    /// How far the issuer's clock and ours may be apart: 30 seconds, unless it is said, and at most 5 minutes. A token is
    /// accepted for that long after its end.
    pub const fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// For how long after their time keys serve while the issuer is away: an hour, unless it is said. Beyond it every
    /// token is refused. It is also the time for which a key that was taken back may still be believed.
    pub const fn keep_when_away(mut self, bound: Duration) -> Self {
        self.keep_when_away = bound;
        self
    }

    /// Allows plain http to other machines: whoever is on the way can bring keys of their own. For networks where
    /// something else sees to that.
    pub const fn allow_insecure_http(mut self) -> Self {
        self.allow_insecure_http = true;
        self
    }

    /// Tells the time by another clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Fetches in another way.
    pub fn fetcher(mut self, fetcher: impl Fetch + 'static) -> Self {
        self.fetcher = Some(Box::new(fetcher));
        self
    }

    /// Makes the verifier. Nothing is fetched yet: see [`Verifier::prepare`].
    ///
    /// # Errors
    /// When a setting is not one that could verify anything safely.
    pub fn build(self) -> Result<Verifier, InvalidVerifier> {
        if self.audience.is_empty() {
            return Err(InvalidVerifier::NoAudience);
        }
        if self.algorithms.is_empty() {
            return Err(InvalidVerifier::NoAlgorithm);
        }
        if self.leeway > LARGEST_LEEWAY {
            return Err(InvalidVerifier::LeewayTooLarge);
        }
        let invalid = |which, url: &str, why: &dyn fmt::Display| InvalidVerifier::Url {
            which,
            url: url.to_owned(),
            why: why.to_string(),
        };
        // The issuer is judged in either case: it is what tokens are compared with.
        let discovered = KeyLocation::discovered(&self.issuer, self.allow_insecure_http)
            .map_err(|why| invalid("the issuer", &self.issuer, &why))?;
        let location = match &self.jwks_uri {
            Some(url) => KeyLocation::Given(
                SafeUrl::parse(url, self.allow_insecure_http).map_err(|why| invalid("the key set", url, &why))?,
            ),
            None => discovered,
        };
        let fetcher = match self.fetcher {
            Some(fetcher) => fetcher,
            None => Box::new(HttpFetcher::new()?),
        };
        let keys = Arc::new(KeyCache::new(location, fetcher, self.clock, self.keep_when_away));
        let Self { issuer, audience, algorithms, leeway, .. } = self;
        Ok(Verifier(Arc::new(Inner { issuer, audience, algorithms, leeway, keys })))
    }
}

/// What is known without a fetch.
enum Known {
    Outcome(Result<AccessToken, VerifyError>),
    NeedsKeys(Reason),
}

impl Verifier {
    /// Begins a verifier for tokens of `issuer`, byte for byte as the issuer writes itself, that are meant for
    /// `audience`, the resource identifier of this API (RFC 8707 §2).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use jotsmith::resource_server::{Algorithm, Verifier};
    ///
    /// let verifier = Verifier::builder("https://login.example.com", "https://api.example.com")
    ///     .algorithms([Algorithm::Es256])
    ///     .leeway(Duration::from_secs(10))
    ///     .build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder(issuer: impl Into<String>, audience: impl Into<String>) -> VerifierBuilder {
        VerifierBuilder {
            issuer: issuer.into(),
            audience: audience.into(),
            jwks_uri: None,
            algorithms: Algorithm::ALL.to_vec(),
            leeway: LEEWAY,
            keep_when_away: KEEP_WHEN_AWAY,
            allow_insecure_http: false,
            clock: Arc::new(SystemClock),
            fetcher: None,
        }
    }

    /// The issuer whose tokens are accepted.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Whom tokens must be for.
    pub fn audience(&self) -> &str {
        &self.0.audience
    }

    /// Fetches the keys now, where there are none that may be used: for an API that wants to know before the first
    /// request comes.
    ///
    /// # Errors
    /// When they cannot be had.
    pub async fn prepare(&self) -> Result<(), VerifyError> {
        if !self.has_keys() {
            self.0.keys.refresh(Reason::Missing).await;
        }
        if self.has_keys() { Ok(()) } else { Err(VerifyError::KeysUnavailable) }
    }

    /// Whether there are keys that may be used: for a readiness check.
    pub fn has_keys(&self) -> bool {
        let kept = self.0.keys.load();
        kept.as_ref().is_some_and(|kept| self.0.keys.state(kept, self.0.keys.now()) != State::Unusable)
    }

    /// Verifies an access token in its compact form. It waits only where keys must be fetched first.
    ///
    /// # Errors
    /// When the token is not accepted, or there are no keys.
    pub async fn verify(&self, token: &str) -> Result<AccessToken, VerifyError> {
        if token.len() > LONGEST_TOKEN {
            return Err(TokenRefused::TooLong.into());
        }
        match self.known(token, false) {
            Known::Outcome(outcome) => outcome,
            Known::NeedsKeys(reason) => {
                self.0.keys.refresh(reason).await;
                match self.known(token, true) {
                    Known::Outcome(outcome) => outcome,
                    Known::NeedsKeys(_) => Err(VerifyError::KeysUnavailable),
                }
            }
        }
    }

    /// What the keys that are there say. `after_fetch`: nothing better is to be had now.
    fn known(&self, token: &str, after_fetch: bool) -> Known {
        let cache = &self.0.keys;
        let now = cache.now();
        let kept = cache.load();
        let Some(kept) = &*kept else { return Known::NeedsKeys(Reason::Missing) };
        match cache.state(kept, now) {
            State::Fresh => {}
            State::Ageing | State::StaleAndAway => cache.refresh_in_background(now),
            State::Stale if after_fetch => {}
            State::Stale => return Known::NeedsKeys(Reason::Age),
            State::Unusable => return Known::NeedsKeys(Reason::Missing),
        }
        match self.verify_with(kept, token, now) {
            Err(VerifyError::Token(TokenRefused::Jws(JwsRefused::UnknownKey))) if !after_fetch => {
                Known::NeedsKeys(Reason::UnknownKey)
            }
            outcome => Known::Outcome(outcome),
        }
    }

    fn verify_with(&self, kept: &Kept, token: &str, now: Timestamp) -> Result<AccessToken, VerifyError> {
        let expected = Expectation {
            typ: TokenType::AccessToken,
            algorithms: &self.0.algorithms,
            issuer: Some(&self.0.issuer),
            audience: Some(&self.0.audience),
            now,
            leeway: self.0.leeway,
        };
        let claims = jws::verify_json(token, &kept.keys, &expected)?;
        Ok(AccessToken::of_verified(claims)?)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { issuer, audience, algorithms, leeway, .. } = &*self.0;
        f.debug_struct("Verifier")
            .field("issuer", issuer)
            .field("audience", audience)
            .field("algorithms", algorithms)
            .field("leeway", leeway)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "verifier_tests.rs"]
mod tests;
