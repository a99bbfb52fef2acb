//! Where a request comes from, as coarse as one party's reach: what is counted and shared out is counted by this.

use std::net::{IpAddr, Ipv6Addr};

/// One IPv4 address, or the /64 that an IPv6 address lies in.
///
/// RFC 4291 §2.5.1 gives every interface 64 bits of its own, so one machine can speak from any address of its /64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        // A socket that serves both families shows an IPv4 peer as ::ffff:a.b.c.d; all of those would share one /64.
        Self(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> Network {
        address.parse::<IpAddr>().expect("an address").into()
    }

    #[test]
    fn ipv6_addresses_of_one_64_are_one_network_and_ipv4_addresses_are_each_their_own() {
        assert_eq!(network("2001:db8:0:1::1"), network("2001:db8:0:1:ffff:ffff:ffff:ffff"));
        assert_ne!(network("2001:db8:0:1::1"), network("2001:db8:0:2::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }

    #[test]
    fn an_ipv4_address_is_the_same_network_in_its_ipv6_spelling() {
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("::ffff:192.0.2.1"), network("::ffff:192.0.2.2"));
    }
}
