//! Private keys outside of this process: the seam for a key management service or a hardware module.
//!
//! A call of such a place crosses the network, so it is asynchronous, and signing is for all who mint tokens. A key in a PEM
//! file stays what it was: [`SigningKey`](super::signing_key::SigningKey) calls it directly, without a box and without waiting.

use std::pin::Pin;
use std::time::Duration;

/// A signature that is on its way.
pub type Signing<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, SignerUnavailable>> + Send + 'a>>;

/// Signs with one private key that it does not give away.
pub trait RemoteSigner: Send + Sync {
    /// The signature over `message` (RFC 7515 §5.1), as the algorithm has it in a JWS: two numbers of 32 bytes for ES256
    /// (RFC 7518 §3.4), PKCS#1 v1.5 over SHA-256 for RS256 (§3.3), 64 bytes for `EdDSA` (RFC 8037 §3.1).
    ///
    /// It must end in bounded time: a request waits for it. Nothing is spent when it fails, so it need not try twice.
    fn sign<'a>(&'a self, message: &'a [u8]) -> Signing<'a>;
}

/// The place of the key cannot sign now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the signer of the key cannot be asked: {cause}")]
pub struct SignerUnavailable {
    /// Why, for the log; holds no secret.
    pub cause: String,
    /// How long to wait before trying again.
    pub retry_after: Duration,
}
