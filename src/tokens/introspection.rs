//! Introspection (RFC 7662): whether a token is good now, for those whom it concerns.
//!
//! Those are the client that it was issued to and, for an access token, the clients that one of its resources names in
//! `introspected_by`. Everybody else, and everything that is not good, gets `{"active":false}` and no reason (§2.2, §4):
//! nobody learns anything about a token that is not for them, not even that it exists. Public clients may not ask at all,
//! for anybody could in their name (§2.1).
//!
//! An answer says what the token itself says, and that it is good. It does not name the person's `username`: a resource
//! server learns no more of people than their tokens tell it (§5).
//!
//! | a token is not good | |
//! |---|---|
//! | forged, expired, of a killed key | any |
//! | its client is not registered any more | any |
//! | its person has no account any more | with a person |
//! | its grant is revoked, or not there | with a grant |
//! | its grant is over, or a refresh token of another generation is the good one | refresh tokens |
//! | its client may not refresh any more | refresh tokens |
//!
//! A grant that is over by itself does not end its access tokens: each ends at its own `exp`.

use serde_json::{Map, Value, json};

use crate::clients::authentication::AuthenticatedClient;
use crate::clients::{Client, ClientRegistry};
use crate::foundation::clock::Timestamp;
use crate::login::directory::Directory;
use crate::protocol::error::{ErrorCode, OAuthError};
use crate::protocol::grant_type::GrantType;
use crate::protocol::issuer::Issuer;
use crate::protocol::parameters::{InvalidParameters, Parameters};
use crate::protocol::resource::ResourceIndicator;

use super::audience::ProtectedResources;
use super::grant::Grant;
use super::handle::Handle;
use super::presented_token::{NotOurToken, PresentedAccessToken, PresentedToken, TokenReader};
use super::store::GrantStore;

/// The parameters of RFC 7662 §2.1. `token_type_hint` is not among them: the token says what it is.
#[derive(Debug)]
pub struct IntrospectionRequest<'a> {
    token: &'a str,
}

/// What introspection works with.
#[derive(Clone, Copy)]
pub struct IntrospectionPorts<'a> {
    /// Tells our tokens from others.
    pub tokens: TokenReader<'a>,
    /// What tokens stand on.
    pub grants: &'a dyn GrantStore,
    /// Whose tokens they are.
    pub directory: &'a dyn Directory,
    /// Who they were issued to.
    pub clients: &'a ClientRegistry,
    /// Whom they are for.
    pub resources: &'a ProtectedResources,
}

/// What is answered about a token.
#[derive(Debug, Clone, PartialEq)]
pub enum Introspection {
    /// It is good, and says this.
    Active(Map<String, Value>),
    /// It is not good, or not for the client that asks.
    Inactive(NotActive),
}

/// Why a token is not good: for the log. The client learns that it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotActive {
    /// It is no token of ours, or none any more.
    #[error(transparent)]
    NoToken(#[from] NotOurToken),
    /// It does not concern the client that asks.
    #[error("the token is not for the client that asks")]
    NotForClient,
    /// The client that it was issued to is not registered any more.
    #[error("the client of the token is not registered")]
    NoClient,
    /// The client that it was issued to may not refresh any more.
    #[error("the client may not refresh")]
    MayNotRefresh,
    /// Its grant is not there.
    #[error("the grant is unknown")]
    Unknown,
    /// Its grant was taken back.
    #[error("the grant is revoked")]
    Revoked,
    /// Its grant is over.
    #[error("the grant has expired")]
    Expired,
    /// Another generation is the good one.
    #[error("the refresh token is not the one of the grant's generation")]
    OtherGeneration,
    /// Its person has no account any more.
    #[error("the subject has no account any more")]
    NoAccount,
}

/// Why a client may not ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a public client may not introspect")]
pub struct PublicClientAsks;

impl From<PublicClientAsks> for OAuthError {
    fn from(reason: PublicClientAsks) -> Self {
        // RFC 7662 §2.3: who does not authenticate sufficiently is answered as RFC 6749 §5.2 says.
        Self::new(ErrorCode::InvalidClient, "Client authentication failed.").because(reason)
    }
}

impl Introspection {
    /// The body of the answer (RFC 7662 §2.2).
    pub fn into_body(self) -> Map<String, Value> {
        let is_active = matches!(self, Self::Active(_));
        let mut body = match self {
            Self::Active(members) => members,
            Self::Inactive(_) => Map::new(),
        };
        // After everything else: a claim that a configuration adds may have this name.
        body.insert("active".to_owned(), is_active.into());
        body
    }
}

impl<'a> IntrospectionRequest<'a> {
    /// Reads the parameters.
    pub fn parse(parameters: &'a Parameters<'a>) -> Result<Self, InvalidParameters> {
        Ok(Self { token: parameters.required("token")? })
    }

    /// Says whether the token is good, as far as it concerns `client`.
    pub async fn respond(
        &self,
        client: &AuthenticatedClient,
        ports: &IntrospectionPorts<'_>,
        now: Timestamp,
    ) -> Result<Introspection, OAuthError> {
        if client.is_public() {
            return Err(PublicClientAsks.into());
        }
        let judged = match ports.tokens.read(self.token, now) {
            Ok(PresentedToken::Refresh(handle)) => refresh_token(handle, client, ports, now).await?,
            Ok(PresentedToken::Access(token)) => access_token(token, client, ports).await?,
            Err(reason) => Err(reason.into()),
        };
        let is_active = judged.is_ok();
        metrics::counter!("jotsmith_introspections_total", "active" => if is_active { "true" } else { "false" })
            .increment(1);
        Ok(judged.map_or_else(
            |reason| {
                tracing::debug!(%reason, "introspected: not active");
                Introspection::Inactive(reason)
            },
            Introspection::Active,
        ))
    }
}

/// What is said of a token, or why it is not good. That it cannot be told is neither.
type Judged = Result<Result<Map<String, Value>, NotActive>, OAuthError>;

async fn refresh_token(handle: Handle, client: &Client, ports: &IntrospectionPorts<'_>, now: Timestamp) -> Judged {
    let Some(grant) = ports.grants.read_grant(handle.id).await? else { return Ok(Err(NotActive::Unknown)) };
    let reason = if grant.client_id != client.id {
        Some(NotActive::NotForClient)
    } else if !client.grant_types.contains(&GrantType::RefreshToken) {
        Some(NotActive::MayNotRefresh)
    } else if grant.revoked_at.is_some() {
        Some(NotActive::Revoked)
    } else if !grant.is_live(now) {
        Some(NotActive::Expired)
    } else if handle.generation != grant.generation {
        // One that would be taken as a retry is spent all the same.
        Some(NotActive::OtherGeneration)
    } else {
        no_account(&grant.subject, ports).await?
    };
    Ok(reason.map_or_else(|| Ok(of_refresh_token(&grant, ports.tokens.issuer)), Err))
}

/// Neither `token_type` nor `aud`: nobody may take it for an access token.
fn of_refresh_token(grant: &Grant, issuer: &Issuer) -> Map<String, Value> {
    let mut members = Map::new();
    let mut say = |name: &str, value: Value| members.insert(name.to_owned(), value);
    say("iss", issuer.as_str().into());
    say("sub", (*grant.subject).into());
    say("client_id", grant.client_id.as_str().into());
    say("iat", grant.rotated_at.as_seconds().into());
    say("exp", grant.expires_at.min(grant.absolute_expires_at).as_seconds().into());
    if !grant.scope.is_empty() {
        say("scope", json!(grant.scope));
    }
    members
}

async fn access_token(token: PresentedAccessToken, client: &Client, ports: &IntrospectionPorts<'_>) -> Judged {
    // First of all, so that the time it takes tells nobody whether a grant is there.
    if token.client_id != client.id.as_str() && !is_audience(client, &token.audience, ports.resources) {
        return Ok(Err(NotActive::NotForClient));
    }
    if ports.clients.find(&token.client_id).is_none() {
        return Ok(Err(NotActive::NoClient));
    }
    if let Some(id) = token.grant {
        // A grant is kept until its last access token has expired, so one that is not there never was, or was lost.
        let Some(grant) = ports.grants.read_grant(id).await? else { return Ok(Err(NotActive::Unknown)) };
        if grant.revoked_at.is_some() {
            return Ok(Err(NotActive::Revoked));
        }
    }
    // Of a token that no person stands behind, the subject is the client, and there is no time at which it signed in.
    let has_person = token.claims.contains_key("auth_time");
    if has_person
        && let Some(subject) = token.claims.get("sub").and_then(Value::as_str)
        && let Some(reason) = no_account(subject, ports).await?
    {
        return Ok(Err(reason));
    }
    let mut members = token.claims;
    // After everything else: a claim that a configuration adds may have this name.
    members.insert("token_type".to_owned(), "Bearer".into());
    Ok(Ok(members))
}

/// Whether one of the resources that the token is for is introspected by this client.
fn is_audience(client: &Client, audience: &[String], resources: &ProtectedResources) -> bool {
    let resources = audience.iter().filter_map(|one| resources.find(&ResourceIndicator::parse(one).ok()?));
    resources.into_iter().any(|resource| resource.introspected_by.contains(&client.id))
}

async fn no_account(subject: &str, ports: &IntrospectionPorts<'_>) -> Result<Option<NotActive>, OAuthError> {
    let account = ports.directory.by_subject(subject).await?;
    Ok(account.is_none().then_some(NotActive::NoAccount))
}
