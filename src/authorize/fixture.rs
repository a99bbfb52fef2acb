//! Clients, resources and a person for the tests of this room.

use std::time::Duration;

use crate::clients::{Client, ClientMetadata, ClientRegistry, ClientSecretHash};
use crate::foundation::clock::Timestamp;
use crate::foundation::password_hash::{Cost, PasswordHash};
use crate::foundation::random::OsRandom;
use crate::keys::algorithm::Algorithm;
use crate::login::account::Account;
use crate::login::session::Session;
use crate::protocol::claims::CustomClaims;
use crate::protocol::error::ErrorCode;
use crate::protocol::resource::ResourceIndicator;
use crate::tokens::audience::{ProtectedResource, ProtectedResources};
use crate::tokens::lifetimes::Lifetimes;

use super::request::{AuthorizationError, AuthorizationRequest, Registrations};

/// When every request of these tests comes.
pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// The challenge of RFC 7636 appendix B.
const CHALLENGE: &str = "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";

/// The code of an error, and the state with which it goes back to the client.
#[derive(Debug, PartialEq)]
pub(super) enum Refusal {
    Shown(ErrorCode),
    SentBack(ErrorCode, Option<String>),
    Expired(String, Option<String>),
}

impl From<AuthorizationError> for Refusal {
    fn from(error: AuthorizationError) -> Self {
        match error {
            AuthorizationError::ShowToUser(error) => Self::Shown(error.code),
            AuthorizationError::RedirectToClient { to, error } => Self::SentBack(error.code, to.state),
            AuthorizationError::Expired { client, to } => Self::Expired(client.id.to_string(), to.state),
        }
    }
}

/// Who may ask, and what may be asked for.
pub(super) struct Registered {
    clients: ClientRegistry,
    resources: ProtectedResources,
    lifetimes: Lifetimes,
}

impl Default for Registered {
    /// | client | is |
    /// |---|---|
    /// | `web` | confidential, one redirect URI |
    /// | `old` | the same, without PKCE |
    /// | `trusted` | the same, without consent |
    /// | `spa` | public, two redirect URIs |
    /// | `cli` | public, native: loopback, private-use and https |
    /// | `trusted-cli` | public, native on loopback, without consent |
    /// | `desktop` | confidential, native on loopback |
    /// | `page` | confidential, native, may have a code or a token; https and loopback |
    /// | `machine`, `machine-with-uri` | client credentials alone |
    fn default() -> Self {
        Self::new(Self::entries())
    }
}

impl Registered {
    /// The same with one thing about `web` changed.
    pub(super) fn with(change: impl FnOnce(&mut ClientMetadata)) -> Self {
        let mut entries = Self::entries();
        entries.truncate(1);
        change(&mut entries[0]);
        Self::new(entries)
    }

    pub(super) fn registrations(&self) -> Registrations<'_> {
        Registrations { clients: &self.clients, resources: &self.resources, lifetimes: &self.lifetimes }
    }

    pub(super) fn parse(&self, query: &str) -> Result<AuthorizationRequest, AuthorizationError> {
        AuthorizationRequest::parse(query.as_bytes(), self.registrations(), NOW)
    }

    /// A sound request with `query` in it, for a code where it does not say.
    pub(super) fn request(&self, query: &str) -> AuthorizationRequest {
        let response_type = if query.contains("response_type=") { "" } else { "response_type=code&" };
        self.parse(&format!("{response_type}{CHALLENGE}&{query}")).expect("a sound request")
    }

    fn new(entries: Vec<ClientMetadata>) -> Self {
        let clients = entries.into_iter().map(|entry| Client::new(entry).expect("a sound client"));
        let resource = |identifier, scope: Option<&str>, minutes: Option<u64>| ProtectedResource {
            identifier: ResourceIndicator::parse(identifier).expect("a valid resource"),
            scope: scope.map(|text| text.parse().expect("a valid scope")),
            access_token_lifetime: minutes.map(Duration::from_mins),
            algorithm: Algorithm::Es256,
            introspected_by: Vec::new(),
        };
        let resources = [
            resource("https://api.example", None, None),
            resource("https://other.example", Some("read"), None),
            resource("https://quick.example", Some("read write"), Some(1)),
        ];
        let default = resources[0].identifier.clone();
        Self {
            clients: ClientRegistry::new(clients).expect("different clients"),
            resources: ProtectedResources::new(resources, default, Algorithm::Es256).expect("different resources"),
            lifetimes: Lifetimes::default(),
        }
    }

    fn entries() -> Vec<ClientMetadata> {
        let confidential = |id: &str| ClientMetadata {
            client_id: id.to_owned(),
            client_secrets: vec![ClientSecretHash::of_generated(b"secret")],
            redirect_uris: vec![format!("https://{id}.example/cb")],
            scope: "read write".to_owned(),
            default_scope: Some("read".to_owned()),
            ..ClientMetadata::default()
        };
        let public = |id: &str, redirect_uris: &[&str]| ClientMetadata {
            client_secrets: Vec::new(),
            token_endpoint_auth_method: Some("none".to_owned()),
            redirect_uris: redirect_uris.iter().copied().map(str::to_owned).collect(),
            ..confidential(id)
        };
        let native = || Some("native".to_owned());
        let machine = || Some(vec!["client_credentials".to_owned()]);
        vec![
            confidential("web"),
            ClientMetadata { require_pkce: Some(false), ..confidential("old") },
            ClientMetadata { require_consent: Some(false), ..confidential("trusted") },
            public("spa", &["https://a/cb", "https://b/cb"]),
            ClientMetadata {
                application_type: native(),
                ..public("cli", &["http://127.0.0.1/cb", "com.example.app:/cb", "https://a/cb"])
            },
            ClientMetadata {
                application_type: native(),
                require_consent: Some(false),
                ..public("trusted-cli", &["http://127.0.0.1/cb"])
            },
            ClientMetadata {
                application_type: native(),
                redirect_uris: vec!["http://localhost/cb".to_owned()],
                ..confidential("desktop")
            },
            ClientMetadata {
                application_type: native(),
                redirect_uris: vec!["https://page.example/cb".to_owned(), "http://127.0.0.1/cb".to_owned()],
                grant_types: Some(vec!["authorization_code".to_owned(), "implicit".to_owned()]),
                response_types: Some(vec!["code".to_owned(), "token".to_owned()]),
                ..confidential("page")
            },
            ClientMetadata { redirect_uris: Vec::new(), grant_types: machine(), ..confidential("machine") },
            ClientMetadata { grant_types: machine(), ..confidential("machine-with-uri") },
        ]
    }
}

/// A session of Alice, who signed in at `auth_time`.
pub(super) fn session(auth_time: Timestamp) -> Session {
    let password_hash = PasswordHash::unmatchable(Cost::CHEAPEST, &OsRandom);
    let alice = Account::new("alice", "alice", password_hash, CustomClaims::default()).expect("a valid account");
    Session::begin(&alice, Duration::from_hours(12), auth_time, &OsRandom)
}
