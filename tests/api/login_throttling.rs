//! What a guess costs: too many wrong passwords for one account or from one network have to wait.

use std::time::Duration;

use crate::harness::browser::FROM_OUR_PAGE;
use crate::harness::people::{ALICE, BOB, BOBS_PASSWORD, PASSWORD, people, with_bob};
use crate::harness::requests::ask_of_web;
use crate::harness::{Answer, TestServer};

/// Tries a password from a network.
async fn attempt(server: &TestServer, network: &str, username: &str, password: &str) -> Answer {
    let mut browser = server.browser();
    let form = browser.authorize(&ask_of_web()).await.form().fill("username", username).fill("password", password);
    let [origin, site] = FROM_OUR_PAGE;
    browser.submit_from(&[origin, site, ("x-forwarded-for", network)], &form).await
}

fn throttled(limit: &str) -> String {
    format!("{}\n[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\n[login]\n{limit}\n", with_bob(&people()))
}

#[tokio::test]
async fn too_many_wrong_passwords_for_an_account_make_it_wait_and_no_other() {
    let server = TestServer::start(&throttled("max_failures_per_account = 3\nfailure_window = \"5m\""));
    for (username, right) in [(ALICE, PASSWORD), ("nobody", "none")] {
        for network in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
            assert_eq!(attempt(&server, network, username, "wrong").await.status, 403);
            server.advance(Duration::from_secs(10));
        }
        // From whatever network, with whatever password; a name that nobody has is no different.
        for password in ["wrong", right] {
            let answer = attempt(&server, "192.0.2.4", username, password).await;
            assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, "270"), "{username}");
            answer.page().assert_says("There were too many attempts.");
            assert!(answer.is_login());
            assert!(!answer.cookies().iter().any(|cookie| cookie.name().contains("session")));
        }
        assert!(attempt(&server, "192.0.2.1", BOB, BOBS_PASSWORD).await.is_consent());
        server.advance(Duration::from_secs(270));
        let after = attempt(&server, "192.0.2.1", username, right).await;
        assert_eq!(after.status.as_u16(), if username == ALICE { 200 } else { 403 });
    }
}

#[tokio::test]
async fn the_right_password_counts_as_no_failure_and_forgives_none() {
    let server = TestServer::start(&throttled("max_failures_per_account = 3"));
    for _ in 0..2 {
        assert_eq!(attempt(&server, "192.0.2.1", ALICE, "wrong").await.status, 403);
    }
    // However often she signs in, a guesser gains nothing by it.
    for _ in 0..5 {
        assert!(attempt(&server, "192.0.2.1", ALICE, PASSWORD).await.is_consent());
    }
    assert_eq!(attempt(&server, "192.0.2.2", ALICE, "wrong").await.status, 403);
    assert_eq!(attempt(&server, "192.0.2.2", ALICE, "wrong").await.status, 429);
}

#[tokio::test]
async fn too_many_wrong_passwords_from_a_network_make_it_wait_and_no_other() {
    let server = TestServer::start(&throttled("max_failures_per_network = 3\nfailure_window = \"1m\""));
    for username in ["one", "two", ALICE] {
        assert_eq!(attempt(&server, "2001:db8::1", username, "wrong").await.status, 403);
    }
    // The same /64, and a right password.
    let answer = attempt(&server, "2001:db8::ffff:2", BOB, BOBS_PASSWORD).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, "60"));
    assert!(attempt(&server, "2001:db8:0:1::1", BOB, BOBS_PASSWORD).await.is_consent());
    server.advance(Duration::from_mins(1));
    assert!(attempt(&server, "2001:db8::1", BOB, BOBS_PASSWORD).await.is_consent());
}

#[tokio::test]
async fn a_reload_forgets_no_failure() {
    let config = throttled("max_failures_per_account = 1");
    let server = TestServer::start(&config);
    assert_eq!(attempt(&server, "192.0.2.1", ALICE, "wrong").await.status, 403);
    server.reload(&config).await.expect("a good change");
    assert_eq!(attempt(&server, "192.0.2.1", ALICE, PASSWORD).await.status, 429);
}
