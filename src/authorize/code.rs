//! Authorization codes (RFC 6749 §4.1.2): what one says, and who may redeem it (§4.1.3, RFC 7636 §4.6).
//!
//! The check knows nothing of codes that are used up or too old: the store's `redeem` decides on that. So the very same
//! check tells whether a code that is presented again is otherwise valid, which ends its grant, or not, which harms
//! nobody.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clients::{Client, ClientId};
use crate::foundation::clock::Timestamp;
use crate::foundation::id::uuid_v7;
use crate::foundation::random::Random;
use crate::foundation::secret::SecretString;
use crate::keys::sealing_ring::SealingRing;
use crate::login::session::Session;
use crate::protocol::error::{ErrorCode, OAuthError};
use crate::protocol::pkce::{CodeChallenge, CodeVerifier};
use crate::protocol::resource::ResourceIndicator;
use crate::protocol::scope::Scope;
use crate::tokens::handle::{Handle, HandleKind};

use super::request::AuthorizationRequest;

/// Who let which client do what: what a code stands for until it is redeemed. What the client presents is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationCode {
    /// Its name, and the name of the grant that comes from it.
    pub id: Uuid,
    /// The client it was made for.
    pub client_id: ClientId,
    /// The person who allowed it.
    pub subject: Arc<str>,
    /// What is allowed.
    pub scope: Scope,
    /// Where it is allowed.
    pub resources: Vec<ResourceIndicator>,
    /// When the person proved who they are.
    pub auth_time: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is over.
    pub expires_at: Timestamp,
    /// What it is bound to.
    pub code_challenge: Option<CodeChallenge>,
    /// The redirect URI that the request named, if it named one.
    pub redirect_uri: Option<Arc<str>>,
}

impl AuthorizationCode {
    /// A code that is made `now` and good for `lifetime`, for a request to which the person of `session` has consented.
    pub fn new(
        request: &AuthorizationRequest,
        session: &Session,
        lifetime: Duration,
        now: Timestamp,
        random: &dyn Random,
    ) -> Self {
        let terms = request.terms();
        Self {
            id: uuid_v7(now, random),
            client_id: request.client().id.clone(),
            subject: Arc::clone(&session.subject),
            scope: terms.scope.clone(),
            resources: terms.resources.clone(),
            auth_time: session.auth_time,
            created_at: now,
            expires_at: now + lifetime,
            code_challenge: terms.code_challenge,
            redirect_uri: request.is_redirect_uri_sent().then(|| request.to().target.as_str().into()),
        }
    }

    /// What the client presents to redeem it.
    pub fn handle(&self, ring: &SealingRing) -> SecretString {
        Handle { kind: HandleKind::Code, id: self.id, generation: 0 }.seal(ring, self.created_at)
    }

    /// What its redemption must agree with.
    pub fn binding(&self) -> CodeBinding<'_> {
        CodeBinding {
            client_id: &self.client_id,
            redirect_uri: self.redirect_uri.as_deref(),
            code_challenge: self.code_challenge.as_ref(),
        }
    }
}

/// What a redemption must agree with: of a code, or of the grant that came from one.
#[derive(Debug, Clone, Copy)]
pub struct CodeBinding<'a> {
    /// The client that the code was made for.
    pub client_id: &'a ClientId,
    /// The redirect URI that the authorization request named, if it named one.
    pub redirect_uri: Option<&'a str>,
    /// The challenge of the authorization request, if it had one.
    pub code_challenge: Option<&'a CodeChallenge>,
}

/// What a client sends with a code.
#[derive(Debug, Clone, Copy, Default)]
pub struct RedemptionRequest<'a> {
    /// `redirect_uri`.
    pub redirect_uri: Option<&'a str>,
    /// `code_verifier`.
    pub code_verifier: Option<&'a CodeVerifier>,
}

/// Why a code is not for whoever presents it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedemptionRefused {
    /// It was made for another client.
    #[error("the code is another client's")]
    OtherClient,
    /// The authorization request named a redirect URI, and nothing else binds the code.
    #[error("redirect_uri is missing")]
    RedirectUriMissing,
    /// It is not the one of the authorization request.
    #[error("redirect_uri is not the one of the authorization request")]
    RedirectUriMismatch,
    /// The code is bound to a challenge.
    #[error("code_verifier is missing")]
    VerifierMissing,
    /// It does not belong to the challenge.
    #[error("code_verifier does not belong to the code_challenge")]
    VerifierMismatch,
    /// RFC 9700 §2.1.1: somebody took the challenge out of the authorization request.
    #[error("code_verifier for a code without code_challenge")]
    VerifierUnexpected,
}

impl From<RedemptionRefused> for OAuthError {
    fn from(reason: RedemptionRefused) -> Self {
        // One sentence for all: whoever tries a stolen code learns nothing about it.
        Self::new(ErrorCode::InvalidGrant, "The code is unknown, used up, too old, or not for this request.")
            .because(reason)
    }
}

impl CodeBinding<'_> {
    /// Whether `client`, which has authenticated, may redeem with what it presents. Changes nothing.
    pub fn check(&self, client: &Client, presented: &RedemptionRequest<'_>) -> Result<(), RedemptionRefused> {
        if client.id != *self.client_id {
            return Err(RedemptionRefused::OtherClient);
        }
        self.check_redirect_uri(client, presented.redirect_uri)?;
        self.check_verifier(presented.code_verifier)
    }

    fn check_redirect_uri(&self, client: &Client, presented: Option<&str>) -> Result<(), RedemptionRefused> {
        match (self.redirect_uri, presented) {
            (Some(named), Some(presented)) if named == presented => Ok(()),
            // Clients of OAuth 2.1 leave it out: PKCE does what it was for. RFC 6749 §4.1.3 requires it of the others.
            (Some(_), None) if self.code_challenge.is_some() => Ok(()),
            (Some(_), None) => Err(RedemptionRefused::RedirectUriMissing),
            (None, None) => Ok(()),
            // The request named none, so the client had exactly one.
            (None, Some(presented)) if is_only_redirect_uri(client, presented) => Ok(()),
            (Some(_) | None, Some(_)) => Err(RedemptionRefused::RedirectUriMismatch),
        }
    }

    fn check_verifier(&self, presented: Option<&CodeVerifier>) -> Result<(), RedemptionRefused> {
        match (self.code_challenge, presented) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err(RedemptionRefused::VerifierUnexpected),
            (Some(_), None) => Err(RedemptionRefused::VerifierMissing),
            (Some(challenge), Some(verifier)) if challenge.verify(verifier) => Ok(()),
            (Some(_), Some(_)) => Err(RedemptionRefused::VerifierMismatch),
        }
    }
}

fn is_only_redirect_uri(client: &Client, presented: &str) -> bool {
    matches!(client.authorization.redirect_uris.as_slice(), [only] if only.as_str() == presented)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::fixture::{NOW, Registered, session};
    use crate::foundation::random::OsRandom;
    use crate::foundation::sealing::SealingKey;
    use crate::foundation::secret::ExposeSecret as _;
    use crate::keys::schedule::{Lifecycle, Scheduled};
    use crate::protocol::issuer::Issuer;

    // RFC 7636 appendix B; its challenge is the fixture's.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const LIFETIME: Duration = Duration::from_mins(1);

    fn code(request: &AuthorizationRequest) -> AuthorizationCode {
        AuthorizationCode::new(request, &session(NOW.before(LIFETIME)), LIFETIME, NOW, &OsRandom)
    }

    /// Redeems a code that was made for the request `query`.
    fn redeem(
        query: &str,
        client_id: &str,
        redirect_uri: Option<&str>,
        verifier: Option<&str>,
    ) -> Result<(), RedemptionRefused> {
        let registered = Registered::default();
        let code = code(&registered.parse(&format!("response_type=code&{query}")).expect("a sound request"));
        let verifier = verifier.map(|text| CodeVerifier::parse(text).expect("a valid verifier"));
        let client = registered.registrations().clients.find(client_id).expect("registered");
        code.binding().check(client, &RedemptionRequest { redirect_uri, code_verifier: verifier.as_ref() })
    }

    const PKCE: &str = "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
    const URI: &str = "https://old.example/cb";

    #[test]
    fn a_code_says_what_was_consented_to_and_who_signed_in_when() {
        let query = "client_id=web&redirect_uri=https://web.example/cb&scope=read+write";
        let request = Registered::default().request(query);
        let code = code(&request);
        assert_eq!((code.client_id.as_str(), &*code.subject), ("web", "alice"));
        assert_eq!((&code.scope, &code.resources), (&request.terms().scope, &request.terms().resources));
        assert_eq!(code.code_challenge, request.terms().code_challenge);
        assert_eq!(code.redirect_uri.as_deref(), Some("https://web.example/cb"));
        let times = (code.auth_time, code.created_at, code.expires_at);
        assert_eq!(times, (NOW.before(LIFETIME), NOW, NOW + LIFETIME));
        assert_eq!(self::code(&Registered::default().request("client_id=web")).redirect_uri, None);
    }

    #[test]
    fn what_the_client_gets_opens_as_this_code() {
        let code = code(&Registered::default().request("client_id=web"));
        let key = Scheduled { name: "a".to_owned(), lifecycle: Lifecycle::default(), key: SealingKey::new(&[7; 32]) };
        let issuer = Issuer::parse("https://as.example").expect("a valid issuer");
        let ring = SealingRing::new(&issuer, vec![key], NOW).expect("a sound ring");
        let handle = Handle::open(code.handle(&ring).expose_secret(), HandleKind::Code, &ring).expect("ours");
        assert_eq!(handle, Handle { kind: HandleKind::Code, id: code.id, generation: 0 });
    }

    #[test]
    fn only_the_client_it_was_made_for_redeems_a_code() {
        let query = format!("client_id=web&{PKCE}");
        assert_eq!(redeem(&query, "web", None, Some(VERIFIER)), Ok(()));
        assert_eq!(redeem(&query, "spa", None, Some(VERIFIER)), Err(RedemptionRefused::OtherClient));
    }

    #[test]
    fn a_code_with_a_challenge_needs_its_verifier() {
        let query = format!("client_id=old&{PKCE}");
        let redeem = |verifier| redeem(&query, "old", None, verifier);
        assert_eq!(redeem(Some(VERIFIER)), Ok(()));
        assert_eq!(redeem(None), Err(RedemptionRefused::VerifierMissing));
        assert_eq!(redeem(Some(&VERIFIER.replace('k', "K"))), Err(RedemptionRefused::VerifierMismatch));
    }

    #[test]
    fn a_verifier_without_a_challenge_is_a_downgrade_and_refused() {
        assert_eq!(redeem("client_id=old", "old", None, None), Ok(()));
        let downgraded = redeem("client_id=old", "old", None, Some(VERIFIER));
        assert_eq!(downgraded, Err(RedemptionRefused::VerifierUnexpected));
    }

    #[test]
    fn a_redirect_uri_that_was_named_is_named_again_and_is_the_same() {
        let query = format!("client_id=old&redirect_uri={URI}");
        let redeem = |redirect_uri| redeem(&query, "old", redirect_uri, None);
        assert_eq!(redeem(Some(URI)), Ok(()));
        assert_eq!(redeem(None), Err(RedemptionRefused::RedirectUriMissing));
        assert_eq!(redeem(Some("https://old.example/cb/")), Err(RedemptionRefused::RedirectUriMismatch));
    }

    #[test]
    fn with_pkce_a_redirect_uri_may_be_left_out_but_is_never_another() {
        let query = format!("client_id=old&redirect_uri={URI}&{PKCE}");
        let redeem = |redirect_uri| redeem(&query, "old", redirect_uri, Some(VERIFIER));
        assert_eq!(redeem(None), Ok(()));
        assert_eq!(redeem(Some(URI)), Ok(()));
        assert_eq!(redeem(Some("https://evil.example/cb")), Err(RedemptionRefused::RedirectUriMismatch));
    }

    #[test]
    fn a_redirect_uri_that_was_not_named_is_the_registered_one_or_none() {
        let redeem = |redirect_uri| redeem("client_id=old", "old", redirect_uri, None);
        assert_eq!(redeem(None), Ok(()));
        assert_eq!(redeem(Some(URI)), Ok(()));
        assert_eq!(redeem(Some("https://evil.example/cb")), Err(RedemptionRefused::RedirectUriMismatch));
    }

    #[test]
    fn a_native_client_redeems_with_the_port_it_named() {
        let query = format!("client_id=cli&redirect_uri=http://127.0.0.1:7/cb&{PKCE}");
        let redeem = |redirect_uri| redeem(&query, "cli", Some(redirect_uri), Some(VERIFIER));
        assert_eq!(redeem("http://127.0.0.1:7/cb"), Ok(()));
        assert_eq!(redeem("http://127.0.0.1:8/cb"), Err(RedemptionRefused::RedirectUriMismatch));
    }

    #[test]
    fn every_refusal_is_an_invalid_grant_that_says_no_more() {
        use RedemptionRefused as Why;
        let all = [Why::OtherClient, Why::RedirectUriMissing, Why::RedirectUriMismatch, Why::VerifierMismatch];
        let errors = all.map(OAuthError::from);
        assert!(errors.iter().all(|error| error.code == ErrorCode::InvalidGrant));
        assert!(errors.iter().all(|error| error.description == errors[0].description));
    }
}
