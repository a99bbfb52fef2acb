//! A registered client (RFC 6749 §2), judged: what is inconsistent, or would be insecure, is refused here.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::keys::algorithm::Algorithm;
use crate::keys::registered_keys::{KeysRefused, RegisteredKeys};
use crate::protocol::claims::{CustomClaims, ReservedClaim};
use crate::protocol::grant_type::GrantType;
use crate::protocol::resource::{InvalidResource, ResourceIndicator};
use crate::protocol::scope::{InvalidScope, Scope};

use super::appearance::{Appearance, Color, InvalidColor};
use super::authorization::{AuthorizationSettings, InvalidAuthorizationSettings};
use super::metadata::ClientMetadata;
use super::secret_hash::{ClientSecretHash, InvalidSecretHash};

/// A client identifier (RFC 6749 §2.2): no secret, unique in a server. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(Arc<str>);

impl From<&ClientId> for Arc<str> {
    fn from(client_id: &ClientId) -> Self {
        Self::clone(&client_id.0)
    }
}

/// The name of the method of [`AuthenticationMethod::PrivateKeyJwt`].
const PRIVATE_KEY_JWT: &str = "private_key_jwt";

/// The longest client identifier, in bytes.
const LONGEST_CLIENT_ID: usize = 255;

/// The shortest lifetime of an access token: `expires_in` counts whole seconds.
const SHORTEST_LIFETIME: Duration = Duration::from_secs(1);

/// How much of its scope may be optional: each has a box in a form, and a form has 64 parameters at most.
const MOST_OPTIONAL: usize = 48;

/// How many secrets of one client may be live at once: the old one and the new one.
const MOST_SECRETS: usize = 2;

impl ClientId {
    /// Reads an identifier: 1 to 255 printable ASCII characters (RFC 6749 appendix A.1).
    pub fn parse(text: &str) -> Result<Self, InvalidClient> {
        let is_visible = text.bytes().all(|byte| matches!(byte, 0x20..=0x7E));
        if text.is_empty() || text.len() > LONGEST_CLIENT_ID || !is_visible {
            return Err(InvalidClient::ClientId);
        }
        Ok(Self(text.into()))
    }

    /// The identifier as it was registered.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for ClientId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// How a client proves at the token endpoint who it is (RFC 7591 §2, `token_endpoint_auth_method`).
#[derive(Debug, Clone)]
pub enum AuthenticationMethod {
    /// Not at all: a public client (RFC 6749 §2.1).
    None,
    /// With a secret, as HTTP Basic or in the body: either place is good, whichever was registered (RFC 6749 §2.3.1).
    Secret(Vec<ClientSecretHash>),
    /// With an assertion that it signed (RFC 7523 §2.2).
    PrivateKeyJwt(AssertionKeys),
}

/// What a client's assertions are verified with.
#[derive(Debug, Clone)]
pub struct AssertionKeys {
    /// Its public keys.
    pub keys: RegisteredKeys,
    /// Whether `aud` may be the token endpoint.
    pub accept_token_endpoint_audience: bool,
}

/// A client that may be served.
#[derive(Debug, Clone)]
pub struct Client {
    /// The identifier.
    pub id: ClientId,
    /// A name for people.
    pub name: Option<String>,
    /// How the client authenticates.
    pub authentication: AuthenticationMethod,
    /// The grant types it may use.
    pub grant_types: BTreeSet<GrantType>,
    /// What it may do at the authorization endpoint.
    pub authorization: AuthorizationSettings,
    /// The scope it may ask for.
    pub scope: Scope,
    /// The scope of a request that names none; part of `scope`.
    pub default_scope: Scope,
    /// What of `scope` a person may leave out.
    pub optional_scope: Scope,
    /// What people see of it besides its name.
    pub appearance: Appearance,
    /// The resources it may ask for; `None`: all whose scope it has.
    pub resources: Option<Vec<ResourceIndicator>>,
    /// The origins whose pages may read the answers that it gets (RFC 6454 §6.2).
    pub allowed_origins: Vec<Box<str>>,
    /// Added to its access tokens.
    pub claims: CustomClaims,
    /// How long its access tokens live; `None`: as the server's or the resource's.
    pub access_token_lifetime: Option<Duration>,
    /// How long a lost answer to a refresh may be asked for again; `None`: as the server's.
    pub refresh_retry_window: Option<Duration>,
}

/// Why a client's entry is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidClient {
    /// The identifier is empty, too long or not printable.
    #[error("client_id is 1 to 255 printable ASCII characters")]
    ClientId,
    /// `token_endpoint_auth_method` is none of ours.
    #[error(
        "token_endpoint_auth_method {0:?} is not one of client_secret_basic, client_secret_post, private_key_jwt, none"
    )]
    AuthenticationMethod(String),
    /// A secret client without a secret.
    #[error(
        "client_secrets is empty; `jotsmith client new` makes a secret, or say token_endpoint_auth_method = \"none\""
    )]
    NoSecret,
    /// More than two live secrets.
    #[error("client_secrets has more than two entries; two may be live at once, remove the oldest")]
    TooManySecrets,
    /// A public client with a secret.
    #[error("a public client (token_endpoint_auth_method = \"none\") has no client_secrets")]
    PublicWithSecret,
    /// A client that has keys, and a secret as well.
    #[error(
        "a client with token_endpoint_auth_method = \"private_key_jwt\" has no client_secrets: it has one way to authenticate"
    )]
    KeysWithSecret,
    /// A client that should have keys and has none.
    #[error(
        "token_endpoint_auth_method = \"private_key_jwt\" needs jwks; `jotsmith client new --private-key-jwt` writes it"
    )]
    NoKeys,
    /// What only a client with keys may say.
    #[error("{0} is for clients with token_endpoint_auth_method = \"private_key_jwt\"")]
    KeysOfOther(&'static str),
    /// `jwks` is refused.
    #[error("jwks: {0}")]
    Keys(#[from] KeysRefused),
    /// `token_endpoint_auth_signing_alg` is none of ours, or not asymmetric.
    #[error("token_endpoint_auth_signing_alg {0:?} is not one of ES256, RS256, EdDSA")]
    SigningAlgorithm(String),
    /// A secret that is not a hash.
    #[error(transparent)]
    SecretHash(#[from] InvalidSecretHash),
    /// A grant type that the server does not have.
    #[error("grant_types has {0:?}, which is none of {known}", known = known_grant_types())]
    GrantType(String),
    /// RFC 6749 §4.4: the client credentials grant is for confidential clients alone.
    #[error("a public client may not use client_credentials: anybody could (RFC 6749 §4.4)")]
    PublicWithClientCredentials,
    /// A refresh token is born in another grant.
    #[error("grant_types has refresh_token without authorization_code or password, so there would never be one")]
    RefreshTokenAlone,
    /// What it would do at the authorization endpoint is inconsistent or insecure.
    #[error(transparent)]
    Authorization(#[from] InvalidAuthorizationSettings),
    /// `scope` or `default_scope` is malformed.
    #[error("{0}: {1}")]
    Scope(&'static str, InvalidScope),
    /// `default_scope` has more than `scope`.
    #[error("default_scope has more than scope")]
    DefaultScope,
    /// `optional_scope` has more than `scope`.
    #[error("optional_scope has more than scope")]
    OptionalScope,
    /// `optional_scope` has more than a form can carry.
    #[error("optional_scope has more than {MOST_OPTIONAL} parts, which no form can carry: let some be fixed")]
    TooMuchOptional,
    /// `color` is none.
    #[error("color {0}")]
    Color(#[from] InvalidColor),
    /// An entry of `resources` is malformed.
    #[error("resources: {0}")]
    Resource(#[from] InvalidResource),
    /// An entry of `claims` would say what the server says.
    #[error("claims: {0}")]
    Claim(#[from] ReservedClaim),
    /// `access_token_lifetime` is too short to be used.
    #[error("access_token_lifetime: write one second or more")]
    ShortLifetime,
    /// An entry of `allowed_origins` is no origin.
    #[error("allowed_origins has {0:?}; an origin is a scheme and a host, such as https://app.example.com")]
    Origin(String),
    /// A page for people is no https address.
    #[error("{0} is no https address")]
    Link(&'static str),
}

fn known_grant_types() -> String {
    GrantType::ALL.map(GrantType::as_str).join(", ")
}

impl Client {
    /// Judges an entry.
    pub fn new(metadata: ClientMetadata) -> Result<Self, InvalidClient> {
        let id = ClientId::parse(&metadata.client_id)?;
        let authentication = authentication_method(&metadata)?;
        let grant_types = grant_types(metadata.grant_types.as_deref())?;
        let is_public = matches!(authentication, AuthenticationMethod::None);
        if is_public && grant_types.contains(&GrantType::ClientCredentials) {
            return Err(InvalidClient::PublicWithClientCredentials);
        }
        let gives_refresh_tokens = [GrantType::AuthorizationCode, GrantType::Password];
        if grant_types.contains(&GrantType::RefreshToken) && grant_types.is_disjoint(&gives_refresh_tokens.into()) {
            return Err(InvalidClient::RefreshTokenAlone);
        }
        let authorization = AuthorizationSettings::new(&metadata, &grant_types, is_public)?;
        let scope = scope("scope", &metadata.scope)?;
        let default_scope = match &metadata.default_scope {
            Some(text) => self::scope("default_scope", text)?,
            None => scope.clone(),
        };
        if !default_scope.is_subset_of(&scope) {
            return Err(InvalidClient::DefaultScope);
        }
        let optional_scope = self::scope("optional_scope", metadata.optional_scope.as_deref().unwrap_or_default())?;
        if !optional_scope.is_subset_of(&scope) {
            return Err(InvalidClient::OptionalScope);
        }
        if optional_scope.tokens().count() > MOST_OPTIONAL {
            return Err(InvalidClient::TooMuchOptional);
        }
        if metadata.access_token_lifetime.is_some_and(|lifetime| lifetime < SHORTEST_LIFETIME) {
            return Err(InvalidClient::ShortLifetime);
        }
        judge_origins(&metadata)?;
        judge_links(&metadata)?;
        Ok(Self {
            id,
            name: metadata.client_name,
            optional_scope,
            appearance: Appearance {
                color: metadata.color.as_deref().map(Color::parse).transpose()?,
                logo: None,
                client_uri: metadata.client_uri,
                policy_uri: metadata.policy_uri,
                tos_uri: metadata.tos_uri,
            },
            authentication,
            grant_types,
            authorization,
            scope,
            default_scope,
            resources: metadata.resources.map(|list| resources(&list)).transpose()?,
            allowed_origins: metadata.allowed_origins.into_iter().map(String::into_boxed_str).collect(),
            claims: CustomClaims::new(metadata.claims)?,
            access_token_lifetime: metadata.access_token_lifetime,
            refresh_retry_window: metadata.refresh_retry_window,
        })
    }

    /// Whether the client cannot keep a secret (RFC 6749 §2.1).
    pub const fn is_public(&self) -> bool {
        matches!(self.authentication, AuthenticationMethod::None)
    }
}

fn authentication_method(metadata: &ClientMetadata) -> Result<AuthenticationMethod, InvalidClient> {
    // RFC 7591 §2: "If unspecified or omitted, the default is client_secret_basic".
    let method = metadata.token_endpoint_auth_method.as_deref().unwrap_or("client_secret_basic");
    if method == PRIVATE_KEY_JWT {
        return Ok(AuthenticationMethod::PrivateKeyJwt(assertion_keys(metadata)?));
    }
    let of_keys = [
        ("jwks", metadata.jwks.is_some()),
        ("token_endpoint_auth_signing_alg", metadata.token_endpoint_auth_signing_alg.is_some()),
        ("accept_token_endpoint_audience", metadata.accept_token_endpoint_audience.is_some()),
    ];
    if let Some((name, _)) = of_keys.into_iter().find(|(_, is_there)| *is_there) {
        return Err(InvalidClient::KeysOfOther(name));
    }
    match method {
        "none" if metadata.client_secrets.is_empty() => Ok(AuthenticationMethod::None),
        "none" => Err(InvalidClient::PublicWithSecret),
        "client_secret_basic" | "client_secret_post" => match metadata.client_secrets.len() {
            0 => Err(InvalidClient::NoSecret),
            1..=MOST_SECRETS => {
                let hashes = metadata.client_secrets.iter().map(|text| ClientSecretHash::parse(text));
                Ok(AuthenticationMethod::Secret(hashes.collect::<Result<_, _>>()?))
            }
            _ => Err(InvalidClient::TooManySecrets),
        },
        other => Err(InvalidClient::AuthenticationMethod(other.to_owned())),
    }
}

fn assertion_keys(metadata: &ClientMetadata) -> Result<AssertionKeys, InvalidClient> {
    if !metadata.client_secrets.is_empty() {
        return Err(InvalidClient::KeysWithSecret);
    }
    let jwks = metadata.jwks.as_ref().ok_or(InvalidClient::NoKeys)?;
    let read = |name: &String| name.parse().map_err(|_| InvalidClient::SigningAlgorithm(name.clone()));
    let algorithm: Option<Algorithm> = metadata.token_endpoint_auth_signing_alg.as_ref().map(read).transpose()?;
    Ok(AssertionKeys {
        keys: RegisteredKeys::judge(jwks, algorithm)?,
        accept_token_endpoint_audience: metadata.accept_token_endpoint_audience.unwrap_or(false),
    })
}

fn grant_types(names: Option<&[String]>) -> Result<BTreeSet<GrantType>, InvalidClient> {
    // RFC 7591 §2: "If omitted, the default behavior is that the client will use only the authorization_code Grant Type".
    let Some(names) = names else { return Ok(BTreeSet::from([GrantType::AuthorizationCode])) };
    names.iter().map(|name| name.parse().map_err(|_| InvalidClient::GrantType(name.clone()))).collect()
}

fn scope(key: &'static str, text: &str) -> Result<Scope, InvalidClient> {
    text.parse().map_err(|error| InvalidClient::Scope(key, error))
}

fn resources(list: &[String]) -> Result<Vec<ResourceIndicator>, InvalidClient> {
    list.iter().map(|text| ResourceIndicator::parse(text).map_err(InvalidClient::from)).collect()
}

/// Origins are compared with what a browser sends, so they are written as it does (RFC 6454 §6.2). No pattern is one: a
/// URL may have an asterisk in its host, and no page has.
fn judge_origins(metadata: &ClientMetadata) -> Result<(), InvalidClient> {
    let is_origin = |text: &str| {
        Url::parse(text)
            .is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.origin().ascii_serialization() == text)
            && !text.contains('*')
    };
    match metadata.allowed_origins.iter().find(|text| !is_origin(text)) {
        Some(text) => Err(InvalidClient::Origin(text.clone())),
        None => Ok(()),
    }
}

/// People will follow these, so a script or a file is none.
fn judge_links(metadata: &ClientMetadata) -> Result<(), InvalidClient> {
    let links = [
        ("client_uri", &metadata.client_uri),
        ("logo_uri", &metadata.logo_uri),
        ("policy_uri", &metadata.policy_uri),
        ("tos_uri", &metadata.tos_uri),
    ];
    for (name, link) in links {
        let is_https = |text: &String| Url::parse(text).is_ok_and(|url| url.scheme() == "https");
        if link.as_ref().is_some_and(|text| !is_https(text)) {
            return Err(InvalidClient::Link(name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn machine() -> ClientMetadata {
        ClientMetadata {
            client_id: "machine".to_owned(),
            client_secrets: vec![ClientSecretHash::of_generated(b"secret")],
            grant_types: Some(vec!["client_credentials".to_owned()]),
            scope: "read write".to_owned(),
            ..ClientMetadata::default()
        }
    }

    fn refusal(change: impl FnOnce(&mut ClientMetadata)) -> InvalidClient {
        let mut metadata = machine();
        change(&mut metadata);
        Client::new(metadata).expect_err("refused")
    }

    #[test]
    fn a_client_without_a_default_scope_gets_all_it_may_ask_for() {
        let client = Client::new(machine()).expect("a sound client");
        assert_eq!(client.default_scope, client.scope);
        assert!(!client.is_public());
    }

    #[test]
    fn what_is_inconsistent_or_insecure_is_refused() {
        type Change = fn(&mut ClientMetadata);
        let cases: [(Change, InvalidClient); 12] = [
            (|m| m.client_id.clear(), InvalidClient::ClientId),
            (|m| m.client_id = "café".to_owned(), InvalidClient::ClientId),
            (|m| m.client_secrets.clear(), InvalidClient::NoSecret),
            (|m| m.client_secrets = vec![m.client_secrets[0].clone(); 3], InvalidClient::TooManySecrets),
            (|m| m.token_endpoint_auth_method = Some("none".to_owned()), InvalidClient::PublicWithSecret),
            (
                |m| {
                    m.token_endpoint_auth_method = Some("none".to_owned());
                    m.client_secrets.clear();
                },
                InvalidClient::PublicWithClientCredentials,
            ),
            (
                |m| m.token_endpoint_auth_method = Some("tls_client_auth".to_owned()),
                InvalidClient::AuthenticationMethod("tls_client_auth".to_owned()),
            ),
            (
                |m| m.grant_types = Some(vec!["client_credential".to_owned()]),
                InvalidClient::GrantType("client_credential".to_owned()),
            ),
            (|m| m.grant_types = Some(vec!["refresh_token".to_owned()]), InvalidClient::RefreshTokenAlone),
            (|m| m.default_scope = Some("read admin".to_owned()), InvalidClient::DefaultScope),
            (|m| m.scope = "read  write".to_owned(), InvalidClient::Scope("scope", InvalidScope)),
            (|m| m.access_token_lifetime = Some(Duration::from_millis(999)), InvalidClient::ShortLifetime),
        ];
        for (change, why) in cases {
            assert_eq!(refusal(change), why);
        }
    }

    fn signing(change: impl FnOnce(&mut ClientMetadata)) -> Result<AuthenticationMethod, InvalidClient> {
        let key = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
        let mut metadata = ClientMetadata {
            token_endpoint_auth_method: Some("private_key_jwt".to_owned()),
            client_secrets: Vec::new(),
            jwks: Some(json!({ "keys": [key] })),
            ..machine()
        };
        change(&mut metadata);
        Client::new(metadata).map(|client| client.authentication)
    }

    #[test]
    fn a_client_with_keys_takes_the_issuer_alone_unless_it_says_otherwise() {
        let Ok(AuthenticationMethod::PrivateKeyJwt(keys)) = signing(|_| {}) else { panic!("refused") };
        assert_eq!(keys.keys.algorithms(), [Algorithm::EdDsa]);
        assert!(!keys.accept_token_endpoint_audience);
        let change = |m: &mut ClientMetadata| {
            m.accept_token_endpoint_audience = Some(true);
            m.token_endpoint_auth_signing_alg = Some("EdDSA".to_owned());
        };
        let Ok(AuthenticationMethod::PrivateKeyJwt(keys)) = signing(change) else { panic!("refused") };
        assert!(keys.accept_token_endpoint_audience);
    }

    #[test]
    fn keys_and_secrets_are_two_ways_and_keys_alone_have_settings() {
        type Change = fn(&mut ClientMetadata);
        let cases: [(Change, InvalidClient); 5] = [
            (|m| m.client_secrets = machine().client_secrets, InvalidClient::KeysWithSecret),
            (|m| m.jwks = None, InvalidClient::NoKeys),
            (|m| m.jwks = Some(json!({ "keys": [] })), InvalidClient::Keys(KeysRefused::Empty)),
            (
                |m| m.token_endpoint_auth_signing_alg = Some("HS256".to_owned()),
                InvalidClient::SigningAlgorithm("HS256".to_owned()),
            ),
            (
                |m| m.token_endpoint_auth_signing_alg = Some("none".to_owned()),
                InvalidClient::SigningAlgorithm("none".to_owned()),
            ),
        ];
        for (change, why) in cases {
            assert_eq!(signing(change).err(), Some(why));
        }
        assert_eq!(refusal(|m| m.jwks = Some(json!({}))), InvalidClient::KeysOfOther("jwks"));
        let why = refusal(|m| m.token_endpoint_auth_signing_alg = Some("ES256".to_owned()));
        assert_eq!(why, InvalidClient::KeysOfOther("token_endpoint_auth_signing_alg"));
        let why = refusal(|m| m.accept_token_endpoint_audience = Some(false));
        assert_eq!(why, InvalidClient::KeysOfOther("accept_token_endpoint_audience"));
    }

    #[test]
    fn a_refresh_token_is_born_of_a_code_or_of_a_password() {
        let with = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            Client::new(ClientMetadata { grant_types: Some(names), ..machine() }).map(|_| ())
        };
        assert_eq!(with(&["password", "refresh_token"]), Ok(()));
        assert_eq!(with(&["client_credentials", "refresh_token"]), Err(InvalidClient::RefreshTokenAlone));
    }

    #[test]
    fn what_a_browser_or_a_person_would_follow_is_judged() {
        for text in [
            "https://app.example.com/",
            "https://app.example.com/path",
            "https://app.example.com:443",
            "https://user@app.example.com",
            "https://*.example.com",
            "https://App.example.com",
            "app.example.com",
            "file:///app",
            "not an origin/*",
            "null",
            "*",
            "",
        ] {
            let why = refusal(|m| m.allowed_origins = vec![text.to_owned()]);
            assert_eq!(why, InvalidClient::Origin(text.to_owned()));
        }
        assert_eq!(refusal(|m| m.logo_uri = Some("javascript:alert(1)".to_owned())), InvalidClient::Link("logo_uri"));
        assert_eq!(refusal(|m| m.tos_uri = Some(String::new())), InvalidClient::Link("tos_uri"));
    }

    #[test]
    fn what_may_be_left_out_is_part_of_what_may_be_asked_for() {
        assert_eq!(refusal(|m| m.optional_scope = Some("delete".to_owned())), InvalidClient::OptionalScope);
        assert_eq!(refusal(|m| m.color = Some("red".to_owned())), InvalidClient::Color(InvalidColor));
        let optional = Client::new(ClientMetadata { optional_scope: Some("write".to_owned()), ..machine() });
        assert_eq!(optional.expect("sound").optional_scope.to_string(), "write");
        assert!(Client::new(machine()).expect("sound").optional_scope.is_empty());
        let many = |count| (0..count).map(|number| format!("s{number}")).collect::<Vec<_>>().join(" ");
        let with = |count| move |m: &mut ClientMetadata| (m.scope, m.optional_scope) = (many(count), Some(many(count)));
        assert_eq!(refusal(with(MOST_OPTIONAL + 1)), InvalidClient::TooMuchOptional);
        let mut most = machine();
        with(MOST_OPTIONAL)(&mut most);
        Client::new(most).expect("as much as a form carries");
    }

    #[test]
    fn a_claim_that_the_server_sets_is_refused() {
        let why = refusal(|m| {
            m.claims.insert("sub".to_owned(), "root".into());
        });
        assert_eq!(why, InvalidClient::Claim(ReservedClaim("sub".to_owned())));
    }
}
