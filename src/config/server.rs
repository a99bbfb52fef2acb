//! `[server]`: where the server listens and whom it believes.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};

use super::reading::Reading;
use super::text;

/// Where the server listens, and how it runs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ServerSettings {
    /// The public address.
    #[serde(deserialize_with = "text::address")]
    pub listen: SocketAddr,
    /// The address for health, metrics and administration.
    #[serde(deserialize_with = "text::address")]
    pub admin_listen: SocketAddr,
    /// The scope that a token for the admin API has.
    pub admin_scope: String,
    /// The networks whose `X-Forwarded-For` is believed.
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// How many threads serve; 0: one a core.
    pub workers: usize,
    /// How long running requests may take to end when the server stops.
    #[serde(deserialize_with = "text::duration")]
    pub shutdown_timeout: Duration,
}

fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let networks = Vec::<text::Network>::deserialize(deserializer)?;
    Ok(networks.into_iter().map(|text::Network(network)| network).collect())
}

pub(super) fn read(reading: &Reading<'_>) -> Option<ServerSettings> {
    let server: ServerSettings = reading.section("server")?;
    let (listen, admin) = (server.listen, server.admin_listen);
    // Port 0 is a free port, another one each time.
    let is_same_port = listen.port() == admin.port() && listen.port() != 0;
    let is_on_all = |address: SocketAddr| address.ip().is_unspecified();
    if is_same_port && (listen.ip() == admin.ip() || is_on_all(listen) || is_on_all(admin)) {
        let what = "is the address of server.listen: give the admin port one of its own, for it is never public";
        reading.problems().add(reading.place(&["server", "admin_listen"]).problem(what));
    }
    if !text::is_scope_token(&server.admin_scope) {
        let what = "write one scope token, such as jotsmith:admin";
        reading.problems().add(reading.place(&["server", "admin_scope"]).problem(what));
    }
    Some(server)
}
