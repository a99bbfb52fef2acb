//! The audience of an access token: which protected resource it is for (RFC 8707, RFC 9068 §3).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use crate::clients::{Client, ClientId};
use crate::keys::algorithm::Algorithm;
use crate::protocol::error::{ErrorCode, OAuthError};
use crate::protocol::resource::ResourceIndicator;
use crate::protocol::scope::Scope;

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
    /// More than one, where one is answered.
    #[error("more than one resource is asked for")]
    Several,
}

impl From<AudienceRefused> for OAuthError {
    fn from(reason: AudienceRefused) -> Self {
        let (code, description) = match reason {
            AudienceRefused::NothingLeft => (ErrorCode::InvalidGrant, "The grant is not usable any more."),
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

    /// The resource that a client's request is for.
    pub fn for_request<'a>(
        &self,
        client: &Client,
        requested: impl IntoIterator<Item = &'a str>,
    ) -> Result<&Arc<ProtectedResource>, AudienceRefused> {
        let mut requested = requested.into_iter();
        let Some(first) = requested.next() else { return self.default_for(client) };
        let identifier = ResourceIndicator::parse(first).map_err(|_| AudienceRefused::Malformed)?;
        if requested.next().is_some() {
            return Err(AudienceRefused::Several);
        }
        let resource = self.find(&identifier).ok_or(AudienceRefused::Unknown)?;
        if self.is_for(client, resource) { Ok(resource) } else { Err(AudienceRefused::NotForClient) }
    }

    /// The resource that a token from a grant is for: the one of those granted that is asked for, or the first that the
    /// client may still have.
    pub fn for_grant<'a>(
        &self,
        client: &Client,
        granted: &[ResourceIndicator],
        requested: impl IntoIterator<Item = &'a str>,
    ) -> Result<&Arc<ProtectedResource>, AudienceRefused> {
        let mut requested = requested.into_iter();
        let still = |identifier| self.find(identifier).filter(|resource| self.is_for(client, resource));
        let Some(first) = requested.next() else {
            return granted.iter().find_map(still).ok_or(AudienceRefused::NothingLeft);
        };
        let identifier = ResourceIndicator::parse(first).map_err(|_| AudienceRefused::Malformed)?;
        if requested.next().is_some() {
            return Err(AudienceRefused::Several);
        }
        if !granted.contains(&identifier) {
            return Err(AudienceRefused::BeyondGrant);
        }
        still(&identifier).ok_or(AudienceRefused::NothingLeft)
    }

    /// The resource of this identifier.
    pub fn find(&self, identifier: &ResourceIndicator) -> Option<&Arc<ProtectedResource>> {
        self.by_identifier.get(identifier)
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
