//! Client authentication (RFC 6749 §2.3): exactly one method, and its proof as a type.
//!
//! An [`AuthenticatedClient`] can be made here alone, so that no grant can be asked for without one.

mod secret;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::foundation::network::Network;
use crate::foundation::secret::SecretString;
use crate::protocol::error::{ErrorCode, OAuthError};

use super::client::{AuthenticationMethod, Client};
use super::registry::ClientRegistry;

pub use secret::SecretVerifier;

/// What a request presented to prove who it comes from.
#[derive(Debug)]
pub enum PresentedCredentials {
    /// A `client_id` alone.
    None {
        /// Who it says it is.
        client_id: String,
    },
    /// An identifier with a secret, from the `Authorization` header or the body: the place makes no difference.
    Secret {
        /// Who it says it is.
        client_id: String,
        /// What it proves it with.
        client_secret: SecretString,
    },
}

impl PresentedCredentials {
    /// Who the request says it comes from.
    pub fn client_id(&self) -> &str {
        match self {
            Self::None { client_id } | Self::Secret { client_id, .. } => client_id,
        }
    }
}

/// A client that has proved who it is, or a public one that has nothing to prove.
#[derive(Debug, Clone)]
pub struct AuthenticatedClient(Arc<Client>);

impl Deref for AuthenticatedClient {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.0
    }
}

/// Why a client is not let in. On the wire all but [`ClientRejected::Busy`] are one and the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientRejected {
    /// No client has this identifier.
    Unknown,
    /// The secret is wrong.
    WrongSecret,
    /// A public client sent a secret.
    UnexpectedSecret,
    /// A confidential client sent none.
    NoSecret,
    /// The queue for slow hashes is full; come back after this time.
    Busy {
        /// How long to wait.
        retry_after: Duration,
    },
}

impl fmt::Display for ClientRejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no client has this client_id",
            Self::WrongSecret => "the client secret is wrong",
            Self::UnexpectedSecret => "a public client sent a secret",
            Self::NoSecret => "a confidential client sent no secret",
            Self::Busy { .. } => "too many slow hashes are waiting",
        })
    }
}

impl From<ClientRejected> for OAuthError {
    fn from(reason: ClientRejected) -> Self {
        match reason {
            ClientRejected::Busy { retry_after } => {
                Self::new(ErrorCode::TemporarilyUnavailable, "The server is busy.").retry_after(retry_after)
            }
            _ => Self::new(ErrorCode::InvalidClient, "Client authentication failed."),
        }
        .because(&reason)
    }
}

/// Lets a client in, or says why not. `network` is where the request comes from.
pub async fn authenticate(
    presented: &PresentedCredentials,
    registry: &ClientRegistry,
    verifier: &SecretVerifier,
    network: Network,
) -> Result<AuthenticatedClient, ClientRejected> {
    let client = registry.find(presented.client_id()).ok_or(ClientRejected::Unknown)?;
    match (&client.authentication, presented) {
        (AuthenticationMethod::None, PresentedCredentials::None { .. }) => {}
        (AuthenticationMethod::None, PresentedCredentials::Secret { .. }) => {
            return Err(ClientRejected::UnexpectedSecret);
        }
        (AuthenticationMethod::Secret(_), PresentedCredentials::None { .. }) => return Err(ClientRejected::NoSecret),
        (AuthenticationMethod::Secret(hashes), PresentedCredentials::Secret { client_secret, .. }) => {
            if !verifier.verify(client_secret, hashes, network).await? {
                return Err(ClientRejected::WrongSecret);
            }
        }
    }
    Ok(AuthenticatedClient(Arc::clone(client)))
}
