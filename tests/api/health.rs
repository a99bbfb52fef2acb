//! Health, on the admin port alone.

use std::time::Duration;

use jotsmith::keys::algorithm::Algorithm;
use serde_json::json;

use crate::harness::{CLIENT_CREDENTIALS, START, Site, TestServer, machine};

#[tokio::test]
async fn a_server_that_runs_is_live_and_ready() {
    let server = TestServer::start(&machine());
    let live = server.get_admin("/health/live").await;
    assert_eq!((live.status.as_u16(), live.json()), (200, json!({ "status": "live" })));
    let ready = server.get_admin("/health/ready").await;
    assert_eq!(
        (ready.status.as_u16(), ready.json()),
        (200, json!({ "status": "ready", "reload": "loaded", "loaded_at": START.to_string() }))
    );
    assert_eq!(ready.header("content-type"), "application/json");
}

#[tokio::test]
async fn health_is_not_on_the_public_port_and_tokens_are_not_on_the_admin_port() {
    let server = TestServer::start(&machine());
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(server.get(path).await.status, 404, "{path}");
    }
    for path in ["/token", "/.well-known/jwks.json", "/.well-known/oauth-authorization-server"] {
        assert_eq!(server.get_admin(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_server_that_can_sign_nothing_is_live_but_not_ready() {
    const HOUR: Duration = Duration::from_hours(1);
    let site = Site::new();
    let key = site.add_key(Algorithm::Es256);
    let config = format!("{}{}sign_from = \"{}\"\n", machine(), key.entry, START.before(HOUR));
    let server = TestServer::start_at(site, &config);
    // A schedule without a key for what is asked for is refused, but a clock can be set back.
    server.clock.set(START.before(2 * HOUR));
    let ready = server.get_admin("/health/ready").await;
    assert_eq!((ready.status.as_u16(), &ready.json()["status"]), (503, &json!("no signing key")));
    assert_eq!(server.get_admin("/health/live").await.status, 200);
    server.machine_token(CLIENT_CREDENTIALS).await.assert_error(500, "server_error");

    server.clock.set(START);
    assert_eq!(server.get_admin("/health/ready").await.status, 200);
    server.machine_token(CLIENT_CREDENTIALS).await.access_token();
}
