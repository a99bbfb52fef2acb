//! How values are written that TOML has no type for: durations, sizes, addresses, networks, times.
//!
//! Each refusal says how the value is written.

use std::net::{IpAddr, SocketAddr};

use bytesize::ByteSize;
use ipnet::IpNet;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::foundation::clock::Timestamp;
pub(super) use crate::foundation::duration::{deserialize as duration, deserialize_optional as optional_duration};
use crate::protocol::scope::Scope;

/// `32MiB`, in bytes.
pub(super) fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    let size: ByteSize =
        text.parse().map_err(|_| D::Error::custom(format!("{text:?} is no size; write one as 32MiB or 1GiB")))?;
    Ok(size.as_u64())
}

/// `127.0.0.1:8080`, `[::1]:8080`.
pub(super) fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        D::Error::custom(format!("{text:?} is no address and port; write one as 127.0.0.1:8080 or [::1]:8080"))
    })
}

/// A time in UTC that may be left out.
pub(super) fn optional_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(|error| D::Error::custom(format!("{text:?}: {error}")))
}

/// `10.0.0.0/8`, or one address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Network(pub(super) IpNet);

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let single = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse().or_else(|_| single()).map(Self).map_err(|_| {
            D::Error::custom(format!("{text:?} is no network; write one as 10.0.0.0/8, fd00::/8 or 10.0.0.1"))
        })
    }
}

/// Whether a text is one scope token (RFC 6749 §3.3).
pub(super) fn is_scope_token(text: &str) -> bool {
    text.parse::<Scope>().is_ok_and(|scope| scope.tokens().eq([text]))
}
