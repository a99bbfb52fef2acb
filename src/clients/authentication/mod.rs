//! Client authentication (RFC 6749 §2.3): exactly one method, and its proof as a type.
//!
//! An [`AuthenticatedClient`] can be made here alone, so that no grant can be asked for without one.

pub mod assertion;
mod secret;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::foundation::clock::Timestamp;
use crate::foundation::network::Network;
use crate::foundation::once::OnceStore;
use crate::foundation::secret::{ExposeSecret as _, SecretString};
use crate::foundation::storage::StoreUnavailable;
use crate::protocol::error::{ErrorCode, OAuthError};

use super::client::{AuthenticationMethod, Client};
use super::registry::ClientRegistry;

pub use assertion::{AssertionRejected, AssertionVerifier};
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
    /// A JWT that the client signed (RFC 7523 §2.2).
    Assertion {
        /// Who it says it is.
        client_id: String,
        /// What it proves it with: good for once, and a secret until then.
        assertion: SecretString,
    },
}

impl PresentedCredentials {
    /// Who the request says it comes from.
    pub fn client_id(&self) -> &str {
        match self {
            Self::None { client_id } | Self::Secret { client_id, .. } | Self::Assertion { client_id, .. } => client_id,
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

/// Why a client is not let in. On the wire all but [`ClientRejected::Busy`] and [`ClientRejected::Unavailable`] are one and
/// the same.
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
    /// A client without keys sent an assertion.
    UnexpectedAssertion,
    /// A client with keys sent none.
    NoAssertion,
    /// The assertion proves nothing.
    Assertion(AssertionRejected),
    /// Whether the assertion was used before cannot be told now.
    Unavailable(StoreUnavailable),
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
            Self::UnexpectedSecret => "a client that has no secret sent one",
            Self::NoSecret => "a confidential client sent no secret",
            Self::UnexpectedAssertion => "a client that has no keys sent an assertion",
            Self::NoAssertion => "a client with private_key_jwt sent no assertion",
            Self::Assertion(why) => return write!(f, "the client assertion is refused: {why}"),
            Self::Unavailable(unavailable) => return unavailable.fmt(f),
            Self::Busy { .. } => "too many slow hashes are waiting",
        })
    }
}

impl From<StoreUnavailable> for ClientRejected {
    fn from(unavailable: StoreUnavailable) -> Self {
        Self::Unavailable(unavailable)
    }
}

impl From<ClientRejected> for OAuthError {
    fn from(reason: ClientRejected) -> Self {
        match reason {
            ClientRejected::Unavailable(unavailable) => return unavailable.into(),
            ClientRejected::Busy { retry_after } => {
                Self::new(ErrorCode::TemporarilyUnavailable, "The server is busy.").retry_after(retry_after)
            }
            _ => Self::new(ErrorCode::InvalidClient, "Client authentication failed."),
        }
        .because(&reason)
    }
}

/// What clients are authenticated with.
#[derive(Clone, Copy)]
pub struct Authenticator<'a> {
    /// Who is registered.
    pub registry: &'a ClientRegistry,
    /// Checks secrets.
    pub secrets: &'a SecretVerifier,
    /// Checks assertions.
    pub assertions: &'a AssertionVerifier,
    /// Remembers which assertions were used.
    pub once: &'a dyn OnceStore,
}

impl Authenticator<'_> {
    /// Lets a client in, or says why not. `network` is where the request comes from.
    pub async fn authenticate(
        &self,
        presented: &PresentedCredentials,
        network: Network,
        now: Timestamp,
    ) -> Result<AuthenticatedClient, ClientRejected> {
        use AuthenticationMethod as Method;
        use PresentedCredentials as Presented;
        let client = self.registry.find(presented.client_id()).ok_or(ClientRejected::Unknown)?;
        match (&client.authentication, presented) {
            (Method::None, Presented::None { .. }) => {}
            (Method::None, Presented::Secret { .. }) => return Err(ClientRejected::UnexpectedSecret),
            (Method::Secret(_), Presented::None { .. }) => return Err(ClientRejected::NoSecret),
            (Method::Secret(hashes), Presented::Secret { client_secret, .. }) => {
                if !self.secrets.verify(client_secret, hashes, network).await? {
                    return Err(ClientRejected::WrongSecret);
                }
            }
            (Method::PrivateKeyJwt(keys), Presented::Assertion { assertion, .. }) => {
                // As large as all the rest of a request, and rarer.
                Box::pin(self.assertions.verify(assertion.expose_secret(), client, keys, self.once, now)).await?;
            }
            (Method::PrivateKeyJwt(_), Presented::None { .. } | Presented::Secret { .. }) => {
                return Err(ClientRejected::NoAssertion);
            }
            (Method::None | Method::Secret(_), Presented::Assertion { .. }) => {
                return Err(ClientRejected::UnexpectedAssertion);
            }
        }
        Ok(AuthenticatedClient(Arc::clone(client)))
    }
}
