//! `jotsmith check --diff`: what a configuration would change for the server that runs, asked under a seal.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use jotsmith::config::Environment;
use jotsmith::foundation::clock::Timestamp;
use jotsmith::foundation::random::OsRandom;
use jotsmith::http::configuration::{self, MOST_COUNTED, PATH, Question};
use jotsmith::keys::sealing_ring::SealingRing;
use jotsmith::startup::{Source, load_sealing_ring};
use rustix::process::Signal;

use crate::harness::browser::Browser;
use crate::harness::people::{ALICE, WEB, people};
use crate::harness::program::{self, Outcome, Running};
use crate::harness::requests::{ask_of_web, redemption};
use crate::harness::{Answer, MACHINE, SECRET, START, Site, TestServer, free_port, machine, public_client};

/// A server whose admin port is known, and another configuration beside its own.
struct Asked {
    site: Site,
    admin: u16,
    server: Running,
}

impl Asked {
    fn start(config: &str) -> Self {
        let (site, admin) = (Site::new(), free_port());
        site.write_config(&with_admin(config, admin));
        let (server, _) = Running::serve(&site);
        Self { site, admin, server }
    }

    /// Checks another configuration against the server.
    fn check(&self, config: &str) -> Outcome {
        let text = self.site.with_defaults(&with_admin(config, self.admin));
        fs::write(self.site.folder().join("candidate.toml"), text).expect("a file");
        program::run(self.site.folder(), &["check", "--diff", "--config", "candidate.toml"])
    }

    /// The lines about the difference.
    fn diff(&self, config: &str) -> Vec<String> {
        lines(self.check(config))
    }

    fn nothing(&self) -> Vec<String> {
        vec![format!("The server at 127.0.0.1:{} has exactly this.", self.admin)]
    }

    fn heading(&self) -> String {
        format!("Against the server at 127.0.0.1:{}:", self.admin)
    }
}

fn with_admin(config: &str, port: u16) -> String {
    format!("server.admin_listen = \"127.0.0.1:{port}\"\n{config}")
}

fn lines(outcome: Outcome) -> Vec<String> {
    let Outcome { code, stdout, stderr } = outcome;
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    let mut lines = stdout.lines().map(|line| line.trim().to_owned());
    assert!(lines.next().is_some_and(|line| line.starts_with("The configuration is sound")), "{stdout}");
    lines.collect()
}

/// The sentence with which it fails.
fn failure(outcome: Outcome) -> String {
    let Outcome { code, stdout: _, stderr } = outcome;
    assert_eq!((code, stderr.lines().count()), (Some(1), 1), "{stderr}");
    stderr
}

#[test]
fn what_is_added_changed_and_removed_is_named_in_every_list() {
    // Both, for a scope that nothing speaks of is warned of.
    const SCOPE: &str = "[scopes.read]\ndescription = { en = \"Read\" }\n\
                         [scopes.write]\ndescription = { en = \"Write\" }\n";
    let asked = Asked::start(&(machine() + &public_client("goes") + SCOPE));
    // The keys that the start has made, and the order and place of what stands there, make no difference.
    assert_eq!(asked.diff(&(public_client("goes") + SCOPE + &machine())), asked.nothing());

    let after = machine().replace("read write", "read")
        + &public_client("comes")
        + "[[resources]]\nidentifier = \"https://api.example.com\"\nscope = \"read\"\n"
        + &SCOPE.replace("Read", "Read all")
        + "[login]\nmax_failures_per_account = 5\n[store]\ncache = \"64MiB\"\n";
    let heading = asked.heading();
    let expected = [
        heading.as_str(),
        "clients: 1 added, 1 changed, 1 removed",
        "+ comes",
        "~ machine",
        "- goes, with no live grant",
        "resources: 1 added, 0 changed, 0 removed",
        "+ https://api.example.com",
        "scopes: 0 added, 1 changed, 0 removed",
        "~ read",
        "settings: 0 added, 2 changed, 0 removed",
        "~ login.max_failures_per_account",
        "~ store.cache, after a restart",
    ];
    assert_eq!(asked.diff(&after), expected);
}

#[test]
fn the_grants_that_die_with_a_client_are_counted() {
    let asked = Asked::start(&people());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        for _ in 0..2 {
            let ask = ask_of_web();
            let code = Browser::new(&http, &asked.site.origin()).code(&ask).await;
            let request = http.post(format!("{}/token", asked.site.origin())).basic_auth(WEB, Some(SECRET));
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            assert_eq!(Answer::of(request.body(redemption(&ask, &code).encoded())).await.status, 200);
        }
    });
    let diff = asked.diff(&machine());
    assert!(diff.contains(&format!("- {WEB}, and 2 live grants with it")), "{diff:?}");
    assert!(diff.contains(&format!("+ {MACHINE}")) && diff.contains(&format!("- {ALICE}")), "{diff:?}");
}

#[test]
fn a_setting_that_waits_for_a_restart_differs_until_then_though_it_was_loaded() {
    let mut asked = Asked::start(&machine());
    let changed = format!("{}[store]\ncache = \"64MiB\"\n[lifetimes]\naccess_token = \"2m\"\n", machine());
    asked.site.write_config(&with_admin(&changed, asked.admin));
    asked.server.signal(Signal::HUP);
    asked.server.wait_for_log("the configuration is live");
    let heading = asked.heading();
    let expected = [heading.as_str(), "settings: 0 added, 1 changed, 0 removed", "~ store.cache, after a restart"];
    assert_eq!(asked.diff(&changed), expected);
}

#[test]
fn a_server_that_cannot_be_asked_is_a_failure_that_says_what_to_do() {
    let asked = Asked::start(&machine());
    let refused = failure(asked.check(&format!("issuer = \"http://127.0.0.1:1\"\n{}", machine())));
    assert!(refused.contains("sealing keys or issuer"), "{refused}");
    let refused = failure(asked.check("server.nonsense = 1\n"));
    assert!(refused.contains("server.nonsense: unknown key"), "{refused}");

    asked.server.signal(Signal::TERM);
    let (site, admin) = (asked.site, asked.admin);
    assert!(asked.server.end().0.success());
    let check = || program::run(site.folder(), &["check", "--diff", "--config", "config.toml"]);
    let refused = failure(check());
    assert!(refused.contains(&format!("127.0.0.1:{admin}")) && refused.contains("is it running"), "{refused}");
    site.write_config(&machine());
    let refused = failure(check());
    assert!(refused.contains("port 0"), "{refused}");
}

/// The sealing keys of a server, as `jotsmith check` has them.
fn ring(server: &TestServer) -> SealingRing {
    let environment = Environment {
        variables: BTreeMap::new(),
        working_directory: server.site.folder().to_owned(),
        system_directory: PathBuf::from("/nonexistent"),
        ..Environment::default()
    };
    let source = Source { files: vec![server.site.config_file()], environment };
    load_sealing_ring(&source.load().expect("it is served"), START).expect("keys")
}

fn question(asked_at: Timestamp) -> Question {
    Question { nonce: [7; 16], asked_at, count_grants_of: BTreeSet::new() }
}

async fn ask(server: &TestServer, body: String) -> Answer {
    Answer::of(server.http().post(server.admin_url(PATH)).body(body)).await
}

#[tokio::test]
async fn an_answer_is_sealed_for_whoever_asked_and_names_the_question() {
    let server = TestServer::start(&machine());
    let ring = ring(&server);
    let answer = ask(&server, question(START).seal(&ring, &OsRandom)).await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, "no-store"));
    assert!(!answer.body.contains(MACHINE) && !answer.body.contains(' '), "{}", answer.body);
    let opened = configuration::Answer::open(&ring, &answer.body).expect("sealed by the server");
    assert_eq!((opened.nonce, opened.version.as_str()), ([7; 16], env!("CARGO_PKG_VERSION")));
    // The lists of a configuration that has one client and nothing else.
    let nothing = jotsmith::foundation::fingerprints::Fingerprints::default();
    assert_eq!(opened.fingerprints.changes(&nothing, "clients").added, [MACHINE]);
}

#[tokio::test]
async fn nobody_else_is_told_anything() {
    let server = TestServer::start(&machine());
    let ring = ring(&server);
    let good = question(START).seal(&ring, &OsRandom);
    let answer = ask(&server, good.clone()).await.body;
    let mut bytes = good.clone().into_bytes();
    let last = bytes.last_mut().expect("a byte");
    *last = if *last == b'A' { b'B' } else { b'A' };
    let many = (0..=MOST_COUNTED).map(|number| number.to_string()).collect();
    let minute = Duration::from_secs(61);
    let other = TestServer::start(&machine());
    for refused in [
        String::new(),
        "not sealed".to_owned(),
        String::from_utf8(bytes).expect("ASCII"),
        // An answer is no question.
        answer,
        question(START.before(minute)).seal(&ring, &OsRandom),
        question(START + minute).seal(&ring, &OsRandom),
        Question { count_grants_of: many, ..question(START) }.seal(&ring, &OsRandom),
        question(START).seal(&self::ring(&other), &OsRandom),
    ] {
        let answer = ask(&server, refused.clone()).await;
        assert_eq!(answer.status, 403, "{refused}");
        assert_eq!(answer.body, "This is for whoever has the sealing keys of this server.\n");
    }
    assert_eq!(server.get_admin(PATH).await.status, 405);
    let elsewhere = server.http().post(server.url(PATH)).body(good.clone());
    assert_eq!(Answer::of(elsewhere).await.status, 404, "not on the public port");
    assert_eq!(ask(&server, good).await.status, 200);
}
