//! Where a request comes from, as far as it can be believed.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderValue};
use ipnet::IpNet;

use crate::foundation::network::Network;

/// The header in which proxies write whom they speak for, the nearest one last.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The network that a request comes from: the peer's, or what a trusted proxy says of it.
pub(super) fn of(request: &HttpRequest, trusted: &[IpNet]) -> Network {
    // A peer without an address is a Unix socket, which is this machine.
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip());
    origin(peer, request.headers(), trusted).into()
}

/// The list is read from its end: each entry is believed only when the proxy that wrote it is trusted, so a client that
/// writes a list of its own changes nothing.
fn origin(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address.to_canonical()));
    let mut believed = peer;
    if !is_trusted(believed) {
        return believed;
    }
    let lists: Vec<&[u8]> = headers.get_all(FORWARDED_FOR).map(HeaderValue::as_bytes).collect();
    for entry in lists.iter().rev().flat_map(|list| list.rsplit(|byte| *byte == b',')) {
        let entry = std::str::from_utf8(entry).ok().and_then(|entry| entry.trim().parse().ok());
        let Some(address) = entry else { break };
        believed = address;
        if !is_trusted(believed) {
            break;
        }
    }
    believed
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderName;

    fn origin_of(peer: &str, lists: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for list in lists {
            let value = HeaderValue::from_bytes(list.as_bytes()).expect("a header value");
            headers.append(HeaderName::from_static(FORWARDED_FOR), value);
        }
        let trusted = ["10.0.0.0/8".parse().expect("a network"), "fd00::/8".parse().expect("a network")];
        origin(peer.parse().expect("an address"), &headers, &trusted).to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        assert_eq!(origin_of("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
    }

    #[test]
    fn a_trusted_proxy_is_believed_for_the_entry_that_it_wrote_and_no_further() {
        assert_eq!(origin_of("10.0.0.1", &["203.0.113.9, 198.51.100.7"]), "198.51.100.7");
        assert_eq!(origin_of("10.0.0.1", &["203.0.113.9, 198.51.100.7, 10.0.0.2"]), "198.51.100.7");
        assert_eq!(origin_of("10.0.0.1", &["203.0.113.9", "198.51.100.7, fd00::1"]), "198.51.100.7");
        assert_eq!(origin_of("::ffff:10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
    }

    #[test]
    fn an_entry_that_is_no_address_ends_the_search() {
        assert_eq!(origin_of("10.0.0.1", &["198.51.100.7, unknown"]), "10.0.0.1");
        // A list that is no text ends it too: what the client wrote before it is not believed instead.
        assert_eq!(origin_of("10.0.0.1", &["198.51.100.7", "\u{ff}"]), "10.0.0.1");
        assert_eq!(origin_of("10.0.0.1", &[]), "10.0.0.1");
    }
}
