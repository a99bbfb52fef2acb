//! What a guess costs: too many wrong passwords for one account or from one network have to wait.

use std::time::Duration;

use crate::harness::browser::{Browser, FROM_OUR_PAGE};
use crate::harness::people::{ALICE, ALICES_SUBJECT, BOB, BOBS_PASSWORD, PASSWORD, people, with_bob, with_password};
use crate::harness::requests::ask_of_web;
use crate::harness::{Answer, TestServer};

/// Tries a password from a network.
async fn attempt(server: &TestServer, network: &str, username: &str, password: &str) -> Answer {
    attempt_in(&mut server.browser(), network, username, password).await
}

/// The same in a browser that may have been here before; it is asked for the password whoever is signed in.
async fn attempt_in(browser: &mut Browser, network: &str, username: &str, password: &str) -> Answer {
    browser.forget("session");
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

/// A browser in which somebody has signed in before.
async fn known_browser(server: &TestServer, username: &str, password: &str) -> Browser {
    let mut browser = server.browser();
    assert!(attempt_in(&mut browser, "192.0.2.50", username, password).await.is_consent());
    browser
}

/// Somebody uses up the failures of an account, and of the network that they are in.
async fn attack(server: &TestServer, network: &str, username: &str) {
    for _ in 0..3 {
        assert_eq!(attempt(server, network, username, "guess").await.status, 403);
    }
    assert_eq!(attempt(server, network, username, "guess").await.status, 429);
}

const THREE: &str = "max_failures_per_account = 3\nmax_failures_per_network = 3\nfailure_window = \"5m\"";

#[tokio::test]
async fn who_signed_in_here_before_gets_in_while_others_guess_even_beside_them() {
    let server = TestServer::start(&throttled(THREE));
    let mut owner = known_browser(&server, ALICE, PASSWORD).await;
    attack(&server, "192.0.2.1", ALICE).await;
    assert_eq!(attempt(&server, "192.0.2.2", ALICE, PASSWORD).await.status, 429, "a stranger's browser");
    // From elsewhere, and from behind the attacker's own address.
    for network in ["192.0.2.50", "192.0.2.1"] {
        assert!(attempt_in(&mut owner, network, ALICE, PASSWORD).await.is_consent(), "{network}");
    }
    // A wrong password is told as wrong, and the right one gets in after it.
    assert_eq!(attempt_in(&mut owner, "192.0.2.1", ALICE, "mistyped").await.status, 403);
    assert!(attempt_in(&mut owner, "192.0.2.1", ALICE, PASSWORD).await.is_consent());
}

#[tokio::test]
async fn a_stolen_cookie_gives_as_many_guesses_as_an_account_has_and_no_copy_has_its_own() {
    let server = TestServer::start(&throttled(THREE));
    let mut owner = known_browser(&server, ALICE, PASSWORD).await;
    let mut thieves = [owner.clone(), owner.clone(), owner.clone()];
    for thief in &mut thieves {
        assert_eq!(attempt_in(thief, "192.0.2.1", ALICE, "guess").await.status, 403);
    }
    for browser in thieves.iter_mut().chain([&mut owner]) {
        let answer = attempt_in(browser, "192.0.2.9", ALICE, PASSWORD).await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, "300"));
        answer.page().assert_says("There were too many attempts.");
    }
    // It is the cookie that waits: account and networks have no failure more for it.
    assert!(attempt(&server, "192.0.2.1", ALICE, PASSWORD).await.is_consent());
    server.advance(Duration::from_mins(5));
    assert!(attempt_in(&mut owner, "192.0.2.9", ALICE, PASSWORD).await.is_consent());
}

#[tokio::test]
async fn a_browser_is_known_for_its_own_people_alone_and_who_signs_in_there_frees_nobody_else() {
    let server = TestServer::start(&throttled(THREE));
    let mut bobs = known_browser(&server, BOB, BOBS_PASSWORD).await;
    attack(&server, "192.0.2.1", ALICE).await;
    assert_eq!(attempt_in(&mut bobs, "192.0.2.2", ALICE, PASSWORD).await.status, 429);
    assert_eq!(attempt_in(&mut bobs, "192.0.2.2", "nobody", "x").await.status, 403);
    // A browser of both: Bob's right password between guesses at Alice's gives him no more of them.
    server.advance(Duration::from_mins(5));
    assert!(attempt_in(&mut bobs, "192.0.2.2", ALICE, PASSWORD).await.is_consent());
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(attempt_in(&mut bobs, "192.0.2.2", ALICE, "guess").await.status.as_u16());
        assert!(attempt_in(&mut bobs, "192.0.2.2", BOB, BOBS_PASSWORD).await.is_consent());
    }
    assert_eq!(statuses, [403, 403, 403, 429]);
}

#[tokio::test]
async fn a_browser_is_no_longer_known_after_ninety_days_a_new_password_or_an_end_of_all_sessions() {
    let config = throttled(THREE);
    let server = TestServer::start(&config);
    let is_let_in = async |browser: &Browser, password: &str| {
        let answer = attempt_in(&mut browser.clone(), "192.0.2.50", ALICE, password).await;
        assert!(answer.is_consent() || answer.status == 429, "{}", answer.status);
        answer.is_consent()
    };
    let owner = known_browser(&server, ALICE, PASSWORD).await;
    let day = Duration::from_hours(24);
    server.advance(89 * day + Duration::from_secs(86_399));
    attack(&server, "192.0.2.1", ALICE).await;
    assert!(is_let_in(&owner, PASSWORD).await);
    server.advance(Duration::from_secs(1));
    assert!(!is_let_in(&owner, PASSWORD).await);

    server.advance(day);
    let owner = known_browser(&server, ALICE, PASSWORD).await;
    server.reload(&with_password(&config, "another one")).await.expect("a good change");
    attack(&server, "192.0.2.1", ALICE).await;
    assert!(!is_let_in(&owner, "another one").await);

    server.advance(day);
    let owner = known_browser(&server, ALICE, "another one").await;
    server.advance(Duration::from_secs(1));
    server.end_all(ALICES_SUBJECT).await;
    attack(&server, "192.0.2.1", ALICE).await;
    assert!(!is_let_in(&owner, "another one").await);
}

#[tokio::test]
async fn a_cookie_that_was_changed_or_is_another_one_makes_nobody_known() {
    let server = TestServer::start(&throttled(THREE));
    let owner = known_browser(&server, ALICE, PASSWORD).await;
    attack(&server, "192.0.2.1", ALICE).await;
    let sealed = owner.cookie("known").expect("a cookie").to_owned();
    let flipped = if sealed.ends_with('A') { "B" } else { "A" };
    let changed = format!("{}{flipped}", &sealed[..sealed.len() - 1]);
    let consents = owner.cookie("browser").expect("a mark").to_owned();
    for value in [changed.as_str(), &consents, "", "x"] {
        let mut thief = owner.clone();
        thief.plant("known", value);
        assert_eq!(attempt_in(&mut thief, "192.0.2.50", ALICE, PASSWORD).await.status, 429);
    }
    assert!(attempt_in(&mut owner.clone(), "192.0.2.50", ALICE, PASSWORD).await.is_consent());
}
