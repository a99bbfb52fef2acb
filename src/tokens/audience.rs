//! The audience of an access token: which protected resources it is for (RFC 8707, RFC 9068 §3).
//!
//! A grant may be for any number of resources; one token is for several only where they agree on its lifetime and its
//! algorithm. Its scope is what each of them understands (`granted_scope`).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::clients::{Client, ClientId};
use crate::keys::algorithm::Algorithm;
use crate::protocol::error::{ErrorCode, OAuthError};
use crate::protocol::resource::ResourceIndicator;
use crate::protocol::scope::Scope;

use super::lifetimes::Lifetimes;

/// An API that takes our access tokens.
#[derive(Debug, Clone)]
pub struct ProtectedResource {
    /// Its name, and the `aud` of its tokens.
    pub identifier: ResourceIndicator,
    /// The scope that means something to it; `None`: any.
    pub scope: Option<Scope>,
    /// How long its access tokens live; `None`: as the server's.
    pub access_token_lifetime: Option<Duration>,
    /// What its access tokens are signed with.
    pub algorithm: Algorithm,
    /// The clients that may introspect its tokens (RFC 7662 §2.1).
    pub introspected_by: Vec<ClientId>,
}

/// Every protected resource of a configuration, and the one that is meant when none is named.
#[derive(Debug)]
pub struct ProtectedResources {
    by_identifier: HashMap<ResourceIndicator, Arc<ProtectedResource>>,
    default: Arc<ProtectedResource>,
}

/// Two entries have this identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("resource {0} is registered twice (a lone slash after the host makes no difference)")]
pub struct DuplicateResource(pub ResourceIndicator);

/// What a client does that wants more than one access token gives.
pub(super) const ASK_FOR_EACH: &str =
    "One access token cannot be for all of these resources. Ask for each with a token request of its own.";

/// Why no audience can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AudienceRefused {
    /// `resource` is not an absolute URI without a fragment.
    #[error("resource is malformed")]
    Malformed,
    /// No resource has this identifier.
    #[error("resource is unknown")]
    Unknown,
    /// None is asked for, and the default one is not on the client's list.
    #[error("no resource is asked for, and the default one is not in the client's resources")]
    Missing,
    /// The client may not ask for it.
    #[error("the client may not ask for this resource")]
    NotForClient,
    /// It was not granted.
    #[error("resource was not granted")]
    BeyondGrant,
    /// Of what was granted, the client may have nothing any more.
    #[error("nothing is left of the resources that were granted")]
    NothingLeft,
    /// Several, whose tokens do not live equally long or are not signed alike.
    #[error("the resources have no common lifetime and algorithm, so one token cannot be for all of them")]
    Unlike,
}

impl From<AudienceRefused> for OAuthError {
    fn from(reason: AudienceRefused) -> Self {
        let (code, description) = match reason {
            AudienceRefused::NothingLeft => (ErrorCode::InvalidGrant, "The grant is not usable any more."),
            AudienceRefused::Unlike => (ErrorCode::InvalidTarget, ASK_FOR_EACH),
            // RFC 8707 §2: invalid_target covers missing, malformed, unknown and not permitted alike.
            _ => (
                ErrorCode::InvalidTarget,
                "The requested resource is missing, unknown, malformed or not for this client.",
            ),
        };
        Self::new(code, description).because(reason)
    }
}

impl ProtectedResources {
    /// Takes resources whose identifiers are all different. `default` is what a request without `resource` means: one
    /// of them, or a name of its own that is signed with `algorithm` and takes any scope.
    pub fn new(
        resources: impl IntoIterator<Item = ProtectedResource>,
        default: ResourceIndicator,
        algorithm: Algorithm,
    ) -> Result<Self, DuplicateResource> {
        let mut by_identifier = HashMap::new();
        for resource in resources {
            match by_identifier.entry(resource.identifier.clone()) {
                Entry::Occupied(taken) => return Err(DuplicateResource(taken.key().clone())),
                Entry::Vacant(free) => free.insert(Arc::new(resource)),
            };
        }
        let default = by_identifier.entry(default).or_insert_with_key(|identifier| {
            Arc::new(ProtectedResource {
                identifier: identifier.clone(),
                scope: None,
                access_token_lifetime: None,
                algorithm,
                introspected_by: Vec::new(),
            })
        });
        Ok(Self { default: Arc::clone(default), by_identifier })
    }

    /// The resources that a client's request is for, at least one: those that it names, each once, or the default one.
    pub fn for_request<'a>(
        &self,
        client: &Client,
        requested: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<Arc<ProtectedResource>>, AudienceRefused> {
        let named = self.named(requested)?;
        if named.is_empty() {
            return Ok(vec![Arc::clone(self.default_for(client)?)]);
        }
        let permitted = |identifier| {
            let resource = self.find(identifier).ok_or(AudienceRefused::Unknown)?;
            if self.is_for(client, resource) { Ok(Arc::clone(resource)) } else { Err(AudienceRefused::NotForClient) }
        };
        named.iter().map(permitted).collect()
    }

    /// The resources that a token from a grant is for, at least one: those of the granted ones that are asked for, or
    /// all of them, as far as the client may still have them. What was granted stays the bound, so a token for one
    /// does not narrow the next one (RFC 8707 §2.2).
    pub fn for_grant<'a>(
        &self,
        client: &Client,
        granted: &[ResourceIndicator],
        requested: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<Arc<ProtectedResource>>, AudienceRefused> {
        let named = self.named(requested)?;
        if named.iter().any(|identifier| !granted.contains(identifier)) {
            return Err(AudienceRefused::BeyondGrant);
        }
        let asked = if named.is_empty() { granted } else { &named };
        let still = |identifier| self.find(identifier).filter(|resource| self.is_for(client, resource)).cloned();
        let left: Vec<_> = asked.iter().filter_map(still).collect();
        if left.is_empty() { Err(AudienceRefused::NothingLeft) } else { Ok(left) }
    }

    /// The resources that a request names, each once, in the order in which they came.
    fn named<'a>(
        &self,
        requested: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<ResourceIndicator>, AudienceRefused> {
        let mut named = Vec::new();
        for text in requested {
            // A name that is registered was read then; another one may be none at all.
            let identifier = match self.by_identifier.get(ResourceIndicator::comparable(text)) {
                Some(resource) => resource.identifier.clone(),
                None => ResourceIndicator::parse(text).map_err(|_| AudienceRefused::Malformed)?,
            };
            if !named.contains(&identifier) {
                named.push(identifier);
            }
        }
        Ok(named)
    }

    /// The resource of this identifier.
    pub fn find(&self, identifier: &ResourceIndicator) -> Option<&Arc<ProtectedResource>> {
        self.by_identifier.get(identifier)
    }

    /// Whether it is the one that is meant when none is named.
    pub fn is_default(&self, identifier: &ResourceIndicator) -> bool {
        self.default.identifier == *identifier
    }

    /// Every resource, in no order, the default one among them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ProtectedResource>> {
        self.by_identifier.values()
    }

    /// A client whose resources are listed does not get past its list by naming none.
    fn default_for(&self, client: &Client) -> Result<&Arc<ProtectedResource>, AudienceRefused> {
        let is_listed = client.resources.as_ref().is_none_or(|listed| listed.contains(&self.default.identifier));
        if is_listed { Ok(&self.default) } else { Err(AudienceRefused::Missing) }
    }

    /// Naming the default resource is as good as naming none.
    fn is_for(&self, client: &Client, resource: &Arc<ProtectedResource>) -> bool {
        match (&client.resources, &resource.scope) {
            (Some(listed), _) => listed.contains(&resource.identifier),
            (None, _) if Arc::ptr_eq(resource, &self.default) => true,
            (None, Some(scope)) => scope.tokens().any(|token| client.scope.contains(token)),
            (None, None) => false,
        }
    }
}

/// What one access token is for: at least one resource, and several only where their tokens live equally long and are signed
/// alike.
///
/// Serialized as the claim `aud` (RFC 7519 §4.1.3): a string for one, an array for several, as they are registered.
#[derive(Debug, Clone)]
pub struct Audience {
    resources: Vec<Arc<ProtectedResource>>,
    lifetime: Duration,
    algorithm: Algorithm,
}

impl Audience {
    /// What a token of `client` for these resources would be, if there is one token that is right for all of them.
    pub fn new(
        client: &Client,
        resources: Vec<Arc<ProtectedResource>>,
        lifetimes: &Lifetimes,
    ) -> Result<Self, AudienceRefused> {
        let terms =
            |resource: &Arc<ProtectedResource>| (lifetimes.of_access_token(client, resource), resource.algorithm);
        let mut all = resources.iter().map(terms);
        let (lifetime, algorithm) = all.next().ok_or(AudienceRefused::Missing)?;
        if all.any(|other| other != (lifetime, algorithm)) {
            return Err(AudienceRefused::Unlike);
        }
        Ok(Self { resources, lifetime, algorithm })
    }

    /// The resources.
    pub fn resources(&self) -> &[Arc<ProtectedResource>] {
        &self.resources
    }

    /// How long the token lives.
    pub const fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// What the token is signed with.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Serialize for Audience {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &*self.resources {
            [only] => only.identifier.serialize(serializer),
            several => serializer.collect_seq(several.iter().map(|resource| &resource.identifier)),
        }
    }
}
