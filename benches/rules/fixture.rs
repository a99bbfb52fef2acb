//! A configuration in memory, for the benches of single rules.

use std::sync::Arc;
use std::time::Duration;

use jotsmith::clients::authentication::{AssertionVerifier, Authenticator, PresentedCredentials, SecretVerifier};
use jotsmith::clients::{Client, ClientMetadata, ClientRegistry, ClientSecretHash};
use jotsmith::foundation::clock::Timestamp;
use jotsmith::foundation::digest::SHA256_BYTES;
use jotsmith::foundation::id;
use jotsmith::foundation::once::{OnceStore, Remembered};
use jotsmith::foundation::random::OsRandom;
use jotsmith::foundation::sealing::{KEY_BYTES, SealingKey};
use jotsmith::foundation::slow_hash::{PoolSize, SlowHash};
use jotsmith::foundation::storage::Stored;
use jotsmith::keys::algorithm::Algorithm;
use jotsmith::keys::history::History;
use jotsmith::keys::key_ring::{KeyRing, Occasion, RingDemands};
use jotsmith::keys::schedule::{Lifecycle, Scheduled};
use jotsmith::keys::sealing_ring::SealingRing;
use jotsmith::keys::signing_key::{self, SigningKey};
use jotsmith::protocol::basic_credentials::BasicCredentials;
use jotsmith::protocol::issuer::Issuer;
use jotsmith::protocol::pkce::CodeChallenge;
use jotsmith::protocol::resource::ResourceIndicator;
use jotsmith::tokens::audience::{Audience, ProtectedResource, ProtectedResources};
use jotsmith::tokens::grant::Grant;
use jotsmith::tokens::issuer::{Authorization, TokenIssuer};
use jotsmith::tokens::lifetimes::Lifetimes;

pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const SECRET: &str = "bench-secret-0123456789abcdef0123456789abcd";

/// Everything that a rule looks at.
pub(crate) struct Fixture {
    pub(crate) clients: ClientRegistry,
    pub(crate) resources: ProtectedResources,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) sealing: SealingRing,
    pub(crate) issuer: TokenIssuer,
    secrets: SecretVerifier,
    assertions: AssertionVerifier,
}

/// Nobody shows an assertion here.
struct NoStore;

impl OnceStore for NoStore {
    fn remember_once(&self, _: [u8; SHA256_BYTES], _: Timestamp, _: Timestamp) -> Stored<'_, Remembered> {
        unreachable!("no assertion is shown")
    }
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let issuer = Issuer::parse("https://login.example.com").expect("an issuer");
        let client = Client::new(ClientMetadata {
            client_id: "s6BhdRkqt3".to_owned(),
            client_secrets: vec![ClientSecretHash::of_generated(SECRET.as_bytes())],
            redirect_uris: vec!["https://client.example.com/callback".to_owned()],
            scope: "read write".to_owned(),
            ..ClientMetadata::default()
        });
        let clients = ClientRegistry::new([client.expect("a client")]).expect("one");
        let resources = Algorithm::ALL.map(|algorithm| ProtectedResource {
            identifier: resource(algorithm),
            scope: Some("read write".parse().expect("a scope")),
            access_token_lifetime: None,
            algorithm,
            introspected_by: Vec::new(),
        });
        let resources = ProtectedResources::new(resources, resource(Algorithm::Es256), Algorithm::Es256);
        let sealing = Scheduled {
            name: "bench".to_owned(),
            lifecycle: Lifecycle::default(),
            key: SealingKey::new(&[7; KEY_BYTES]),
        };
        Self {
            clients,
            resources: resources.expect("three"),
            lifetimes: Lifetimes::default(),
            sealing: SealingRing::new(&issuer, vec![sealing], NOW).expect("a ring"),
            issuer: TokenIssuer::new(issuer.clone(), Arc::new(signing_keys()), Arc::new(OsRandom)),
            secrets: SecretVerifier::new(SlowHash::new(PoolSize::for_this_machine()), &OsRandom),
            assertions: AssertionVerifier::new(issuer, "https://login.example.com/token".to_owned()),
        }
    }

    pub(crate) fn client(&self) -> &Arc<Client> {
        self.clients.find("s6BhdRkqt3").expect("there")
    }

    /// Reads a Basic header and lets the client in.
    pub(crate) async fn authenticate(&self, header: &str) -> bool {
        let BasicCredentials { client_id, client_secret } = BasicCredentials::parse(header).expect("well-formed");
        let client_secret = client_secret.expect("a secret");
        let presented = PresentedCredentials::Secret { client_id, client_secret };
        let authenticator = Authenticator {
            registry: &self.clients,
            secrets: &self.secrets,
            assertions: &self.assertions,
            once: &NoStore,
        };
        let network = std::net::IpAddr::from([192, 0, 2, 1]).into();
        authenticator.authenticate(&presented, network, NOW).await.is_ok()
    }

    /// Mints a token of client credentials.
    pub(crate) async fn mint(&self, algorithm: Algorithm) -> String {
        let resources = self.resources.for_request(self.client(), [resource(algorithm).as_str()]).expect("for it");
        let audience = Audience::new(self.client(), resources, &self.lifetimes).expect("one");
        let scope = &self.client().scope;
        let authorization = Authorization { client: self.client(), person: None, scope, audience: &audience };
        self.issuer.issue(&authorization, None, NOW).await.expect("minted").access_token
    }
}

/// The header of the client of the fixture.
pub(crate) fn basic_header() -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("s6BhdRkqt3:{SECRET}")))
}

fn resource(algorithm: Algorithm) -> ResourceIndicator {
    let identifier = format!("https://{}.example.com/v1", algorithm.as_str().to_lowercase());
    ResourceIndicator::parse(&identifier).expect("a resource")
}

fn signing_keys() -> KeyRing {
    let keys = Algorithm::ALL.map(|algorithm| Scheduled {
        name: algorithm.as_str().to_owned(),
        lifecycle: Lifecycle::default(),
        key: SigningKey::from_pem(signing_key::generate(algorithm).as_bytes(), algorithm, None).expect("a key"),
    });
    let demands = RingDemands {
        jwks_max_age: Duration::from_mins(15),
        longest_lifetime: Duration::from_hours(1),
        algorithms: &Algorithm::ALL,
        now: NOW,
        history: History::none(),
        occasion: Occasion::Start,
        killed: &[],
    };
    KeyRing::new(keys.into(), &demands).expect("a ring")
}

/// A grant that was refreshed a few times.
pub(crate) fn grant() -> Grant {
    let day = Duration::from_hours(24);
    Grant {
        id: id::uuid_v7(NOW, &OsRandom),
        client_id: jotsmith::clients::ClientId::parse("s6BhdRkqt3").expect("valid"),
        subject: "248289761001".into(),
        scope: "read write".parse().expect("valid"),
        resources: vec![resource(Algorithm::Es256)],
        auth_time: NOW,
        created_at: NOW,
        expires_at: NOW + day,
        absolute_expires_at: NOW + 300 * day,
        generation: 3,
        rotated_at: NOW,
        code_challenge: CodeChallenge::parse(Some(&"A".repeat(43)), Some("S256")).expect("valid"),
        redirect_uri: Some("https://client.example.com/callback".into()),
        is_resynchronised: false,
        revoked_at: None,
    }
}
