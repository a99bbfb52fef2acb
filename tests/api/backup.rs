//! `jotsmith store export` and `import`, by the program itself: what a client meets whose server was restored, and that
//! nothing in a backup can be presented.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jotsmith::clients::ClientSecretHash;
use jotsmith::foundation::clock::{Clock as _, SystemClock};
use jotsmith::foundation::random::OsRandom;
use jotsmith::foundation::secret::ExposeSecret as _;
use jotsmith::keys::schedule::{Lifecycle, Scheduled};
use jotsmith::keys::sealing_files;
use jotsmith::keys::sealing_ring::SealingRing;
use jotsmith::protocol::issuer::Issuer;
use jotsmith::tokens::handle::{Handle, HandleKind};
use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::browser::Browser;
use crate::harness::people::{
    ALICE, ALICES_SUBJECT, APP, BOB, BOBS_PASSWORD, BOBS_SUBJECT, PASSWORD, WEB, people, with_bob,
};
use crate::harness::program::{self, Outcome, Running};
use crate::harness::requests::{Parameters, ask_of_app, ask_of_web, redemption, refresh};
use crate::harness::{Answer, SECRET, Site, TestServer, free_port};

const PATH: &str = "/admin/store";

fn config() -> String {
    let (secret, people) = (ClientSecretHash::of_generated(SECRET.as_bytes()), with_bob(&people()));
    format!(
        r#"{people}
        [[resources]]
        identifier = "<origin>/admin"
        scope = "jotsmith:admin read"
        [[clients]]
        client_id = "ops"
        client_secrets = ["{secret}"]
        grant_types = ["client_credentials"]
        response_types = []
        scope = "jotsmith:admin read"
        resources = ["<origin>/admin"]
        [[clients]]
        client_id = "legacy"
        client_secrets = ["{secret}"]
        grant_types = ["password", "refresh_token"]
        scope = "read write"
        "#
    )
}

/// The program, in a folder that outlives its restarts.
struct Served {
    site: Site,
    server: Option<Running>,
    http: reqwest::Client,
}

impl Served {
    fn start() -> Self {
        let site = Site::new();
        // So that a retry is told from a reuse without waiting.
        let lifetimes = "lifetimes.refresh_retry_window = \"0s\"\n";
        let admin = format!("server.admin_listen = \"127.0.0.1:{}\"\n", free_port());
        site.write_config(&format!("{admin}{lifetimes}{}", config()));
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).pool_max_idle_per_host(0);
        let mut served = Self { site, server: None, http: http.build().expect("a client") };
        served.go_on();
        served
    }

    fn go_on(&mut self) {
        self.server = Some(Running::serve(&self.site).0);
    }

    fn stop(&mut self) {
        let server = self.server.take().expect("it serves");
        server.signal(Signal::TERM);
        assert!(server.end().0.success());
    }

    /// Stops it, loses the store, and makes another one of this file, with these flags; what the command said.
    fn restore(&mut self, file: &str, flags: &[&str]) -> String {
        self.stop();
        fs::remove_dir_all(self.site.folder().join("data")).expect("removed");
        let Outcome { stdout, stderr, .. } = self.command(0, &[&["import", file], flags].concat());
        assert_eq!(stderr, "");
        self.go_on();
        stdout
    }

    fn command(&self, code: i32, arguments: &[&str]) -> Outcome {
        self.command_with(code, arguments, "")
    }

    fn command_with(&self, code: i32, arguments: &[&str], input: &str) -> Outcome {
        let arguments = [&["store"], arguments, &["--config", "config.toml"]].concat();
        let outcome = program::run_with_input(self.site.folder(), &arguments, input);
        assert_eq!(outcome.code, Some(code), "{arguments:?}: {outcome:?}");
        outcome
    }

    /// The one sentence with which a command fails.
    fn failure(&self, arguments: &[&str]) -> String {
        let Outcome { stdout, stderr, .. } = self.command(1, arguments);
        assert_eq!((stdout.as_str(), stderr.lines().count()), ("", 1), "{stderr}");
        stderr
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.site.folder().join(name)).expect("readable")
    }

    async fn token(&self, client_id: &str, form: &Parameters) -> Answer {
        let mut form = form.clone();
        let mut request = self.http.post(format!("{}/token", self.site.origin()));
        if client_id == APP {
            form = form.and("client_id", APP);
        } else {
            request = request.basic_auth(client_id, Some(SECRET));
        }
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form.encoded());
        Answer::of(request).await
    }

    async fn sign_in(&self, username: &str, password: &str) -> String {
        let form = [("grant_type", "password"), ("username", username), ("password", password), ("scope", "read")];
        self.token("legacy", &Parameters::new(form)).await.refresh_token()
    }

    async fn refreshed(&self, token: &str) -> String {
        self.token("legacy", &refresh(token)).await.refresh_token()
    }

    async fn is_dead(&self, client_id: &str, form: &Parameters) {
        self.token(client_id, form).await.assert_error(400, "invalid_grant");
    }

    fn browser(&self) -> Browser {
        Browser::new(&self.http, &self.site.origin())
    }

    fn revoke(&self, subject: &str) {
        let arguments = ["grants", "revoke", "--subject", subject, "--config", "config.toml"];
        assert_eq!(program::run(self.site.folder(), &arguments).code, Some(0));
    }
}

#[tokio::test]
async fn tokens_from_before_and_after_a_backup_are_good_once_it_is_restored_and_codes_are_dead() {
    let mut served = Served::start();
    let before = served.sign_in(ALICE, PASSWORD).await;
    let rotated = served.sign_in(ALICE, PASSWORD).await;
    let spent = served.sign_in(ALICE, PASSWORD).await;
    let revoked_before = served.sign_in(BOB, BOBS_PASSWORD).await;
    served.revoke(BOBS_SUBJECT);
    let revoked_after = served.refreshed(&served.sign_in(ALICE, PASSWORD).await).await;
    let mut browser = served.browser();
    let code = browser.code(&ask_of_web()).await;

    let said = served.command(0, &["export", "backup.jsonl"]).stderr;
    assert!(said.contains("5 grants") && said.contains("keep keys.directory"), "{said}");
    let rotated = served.refreshed(&served.refreshed(&rotated).await).await;
    let ahead = served.refreshed(&served.refreshed(&spent).await).await;
    served.revoke(ALICES_SUBJECT);
    served.is_dead("legacy", &refresh(&revoked_after)).await;
    let unknown = served.sign_in(ALICE, PASSWORD).await;

    let said = served.restore("backup.jsonl", &[]);
    assert!(said.contains("4 grants that are good and 1 revoked") && said.contains("old."), "{said}");
    assert!(said.contains("once a grant, for 30days") && said.contains("--revoke-all"), "{said}");
    served.refreshed(&before).await;
    let next = served.refreshed(&rotated).await;
    served.refreshed(&next).await;
    served.is_dead("legacy", &refresh(&revoked_before)).await;
    // It is good again, for the backup is older than its end.
    served.refreshed(&revoked_after).await;
    served.is_dead("legacy", &refresh(&unknown)).await;
    served.is_dead(WEB, &redemption(&ask_of_web(), &code)).await;
    // Whoever has a token that was spent since then is found out when the client comes.
    let stolen = served.refreshed(&spent).await;
    served.refreshed(&ahead).await;
    served.is_dead("legacy", &refresh(&stolen)).await;
    served.is_dead("legacy", &refresh(&ahead)).await;
}

#[tokio::test]
async fn a_store_of_which_nothing_goes_into_the_file_is_exported_whole() {
    let served = Served::start();
    assert!(served.command(0, &["export", "empty.jsonl"]).stderr.contains(" 0 grants among"));
    // More than are read in one go, before the first grant.
    let mut browser = served.browser();
    for _ in 0..200 {
        browser.code(&ask_of_web()).await;
    }
    served.sign_in(ALICE, PASSWORD).await;
    assert!(served.command(0, &["export", "backup.jsonl"]).stderr.contains(" 1 grant among"));
}

#[tokio::test]
async fn what_is_logged_of_an_export_names_its_request_until_the_end_of_the_answer() {
    let mut served = Served::start();
    served.command(0, &["export", "backup.jsonl"]);
    let log = served.server.as_mut().expect("it serves");
    let lines = ["the store is being exported", "the store was exported"].map(|said| log.wait_for_log(said));
    let [begun, done] = lines.map(|line| serde_json::from_str::<Value>(&line).expect("JSON")["span"].clone());
    assert_eq!((&begun["http.method"], &begun["http.route"]), (&json!("GET"), &json!(PATH)));
    assert!(begun["request.id"].is_string() && begun == done, "{begun} {done}");
}

#[tokio::test]
async fn with_revoke_all_nothing_from_before_is_good_and_everybody_signs_in_again() {
    let mut served = Served::start();
    let before = served.sign_in(ALICE, PASSWORD).await;
    let revoked = served.sign_in(BOB, BOBS_PASSWORD).await;
    let mut browser = served.browser();
    let code = browser.code(&ask_of_web()).await;
    let redeemed = browser.code(&ask_of_app()).await;
    let app = served.token(APP, &redemption(&ask_of_app(), &redeemed)).await.refresh_token();
    served.command(0, &["export", "backup.jsonl"]);
    let rotated = served.refreshed(&before).await;
    served.revoke(BOBS_SUBJECT);

    let said = served.restore("backup.jsonl", &["--revoke-all"]);
    assert!(said.contains("0 grants that are good and 3 revoked") && said.contains("signs in again"), "{said}");
    for token in [&before, &rotated, &revoked] {
        served.is_dead("legacy", &refresh(token)).await;
    }
    served.is_dead(APP, &refresh(&app)).await;
    served.is_dead(WEB, &redemption(&ask_of_web(), &code)).await;
    // Neither the session nor the consent is remembered.
    let page = browser.authorize(&ask_of_web()).await;
    assert!(page.is_login());
    let page = browser.sign_in(&page).await;
    assert!(page.is_consent());
    let fresh = browser.allow(&page).await.code();
    let fresh = served.token(WEB, &redemption(&ask_of_web(), &fresh)).await.refresh_token();
    served.token(WEB, &refresh(&fresh)).await.refresh_token();
}

#[tokio::test]
async fn a_session_that_was_signed_out_before_the_backup_stays_so() {
    let mut served = Served::start();
    let mut browser = served.browser();
    browser.code(&ask_of_web()).await;
    let mut other = served.browser();
    other.code(&ask_of_web()).await;
    let mut thief = browser.clone();
    let page = browser.get("/logout").await;
    browser.submit(&page.form()).await;
    served.command(0, &["export", "backup.jsonl"]);
    served.restore("backup.jsonl", &[]);
    assert!(thief.authorize(&ask_of_web()).await.is_login());
    assert!(other.authorize(&ask_of_web()).await.code().starts_with("jsc_"));
}

#[tokio::test]
async fn a_backup_that_is_taken_while_tokens_rotate_is_whole_and_each_of_them_goes_on_after_it() {
    const CLIENTS: usize = 4;
    let mut served = Served::start();
    let mut tokens = Vec::new();
    for _ in 0..CLIENTS {
        tokens.push(served.sign_in(ALICE, PASSWORD).await);
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let exports = {
        let (folder, is_over) = (served.site.folder().to_owned(), Arc::clone(&is_over));
        std::thread::spawn(move || {
            let exports = (0..5).map(|number| {
                let file = format!("backup-{number}.jsonl");
                program::run(&folder, &["store", "export", &file, "--config", "config.toml"])
            });
            let exports: Vec<_> = exports.collect();
            is_over.store(true, Ordering::SeqCst);
            exports
        })
    };
    let mut rotated = 0;
    while !is_over.load(Ordering::SeqCst) {
        for token in &mut tokens {
            *token = served.refreshed(token).await;
            rotated += 1;
        }
    }
    for outcome in exports.join().expect("no panic") {
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
    }
    assert!(rotated > CLIENTS);
    served.restore("backup-2.jsonl", &[]);
    for token in &tokens {
        let next = served.refreshed(token).await;
        served.refreshed(&next).await;
    }
}

#[tokio::test]
async fn a_stopped_server_is_backed_up_from_its_folder_and_a_running_one_by_its_port() {
    let mut served = Served::start();
    let token = served.sign_in(ALICE, PASSWORD).await;
    let source = |served: &Served, file: &str| {
        let first: Value = serde_json::from_str(served.file(file).lines().next().expect("a line")).expect("JSON");
        let header = first["jotsmith-export"].clone();
        assert_eq!((&header["format"], &header["issuer"]), (&json!(1), &json!(served.site.origin())));
        assert_eq!(header["sealing_keys"].as_array().map(Vec::len), Some(1));
        header["store"].as_str().expect("a text").to_owned()
    };
    served.command(0, &["export", "running.jsonl"]);
    assert_eq!(source(&served, "running.jsonl"), "running");
    assert!(served.failure(&["export", "--stopped", "no.jsonl"]).contains("in use by another process"));
    let output = served.command(0, &["export", "-"]).stdout;
    assert!(output.starts_with("{\"jotsmith-export\"") && output.ends_with("\"}}\n"), "{output}");
    served.command(2, &["export", "--running", "--stopped", "no.jsonl"]);
    served.command(2, &["export"]);

    served.stop();
    served.command(0, &["export", "stopped.jsonl"]);
    assert_eq!(source(&served, "stopped.jsonl"), "stopped");
    assert_eq!(served.command(0, &["export", "--stopped", "-"]).stdout.lines().count(), output.lines().count());
    assert!(served.failure(&["export", "--running", "no.jsonl"]).contains("is it running"));
    assert!(!served.site.folder().join("no.jsonl").exists());
    served.go_on();
    served.refreshed(&token).await;
}

#[tokio::test]
async fn the_file_is_its_owners_alone_whole_or_not_there_and_never_written_over_unasked() {
    let mut served = Served::start();
    served.sign_in(ALICE, PASSWORD).await;
    let folder = served.site.folder().to_owned();
    let names = || {
        let names = fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
        names.filter(|name| name.to_string_lossy().contains("jsonl")).count()
    };
    served.command(0, &["export", "backup.jsonl"]);
    let mode = fs::metadata(folder.join("backup.jsonl")).expect("there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    let before = served.file("backup.jsonl");
    served.sign_in(ALICE, PASSWORD).await;
    assert!(served.failure(&["export", "backup.jsonl"]).contains("--overwrite"));
    assert_eq!(served.file("backup.jsonl"), before);
    assert!(served.failure(&["export", "nowhere/backup.jsonl"]).contains("cannot be written"));
    served.command(0, &["export", "--overwrite", "backup.jsonl"]);
    assert_eq!(served.file("backup.jsonl").lines().count(), before.lines().count() + 1);
    assert_eq!(names(), 1, "nothing is left beside it");

    served.stop();
    // What fails leaves what was there, and nothing else.
    assert!(served.failure(&["export", "--running", "--overwrite", "backup.jsonl"]).contains("is it running"));
    assert_eq!(names(), 1);
    fs::remove_dir_all(folder.join("data")).expect("removed");
    assert!(served.failure(&["export", "other.jsonl"]).contains("there is no store in"));
    assert!(!folder.join("data").exists() && names() == 1);
}

#[tokio::test]
async fn an_import_is_refused_where_a_server_runs_or_has_run_and_where_the_file_is_not_whole() {
    let mut served = Served::start();
    let token = served.sign_in(ALICE, PASSWORD).await;
    served.command(0, &["export", "backup.jsonl"]);
    assert!(served.failure(&["import", "backup.jsonl"]).contains("in use by another process"));
    served.stop();
    assert!(served.failure(&["import", "backup.jsonl"]).contains("there is a store in"));
    served.go_on();
    let token = served.refreshed(&token).await;
    served.stop();
    fs::remove_dir_all(served.site.folder().join("data")).expect("removed");
    let file = served.file("backup.jsonl");
    fs::write(served.site.folder().join("half.jsonl"), &file[..file.len() / 2]).expect("written");
    let said = served.failure(&["import", "half.jsonl"]);
    assert!(said.contains("half.jsonl was cut off"), "{said}");
    assert!(served.failure(&["import", "missing.jsonl"]).contains("missing.jsonl cannot be read"));
    assert!(served.failure(&["import", "config.toml"]).contains("is no file that `jotsmith store export`"));
    let other = served.file("config.toml").replace("issuer = \"http://127.0.0.1", "issuer = \"http://localhost");
    fs::write(served.site.folder().join("other.toml"), other).expect("written");
    let arguments = ["store", "import", "backup.jsonl", "--config", "other.toml"];
    let said = program::run(served.site.folder(), &arguments).stderr;
    assert!(said.contains("is a backup of http://127.0.0.1"), "{said}");
    assert!(!served.site.folder().join("data").exists());

    let Outcome { stderr, .. } = served.command_with(0, &["import", "-"], &file);
    assert_eq!(stderr, "");
    served.go_on();
    served.refreshed(&token).await;
}

#[tokio::test]
async fn without_its_sealing_keys_a_backup_is_of_no_use_and_with_none_of_its_text_can_anything_be_made() {
    let mut served = Served::start();
    let mut browser = served.browser();
    let code = browser.code(&ask_of_web()).await;
    let answer = served.token(WEB, &redemption(&ask_of_web(), &code)).await;
    let refreshed = served.token(WEB, &refresh(&answer.refresh_token())).await;
    let waiting = browser.code(&ask_of_web()).await;
    let cookie = browser.cookie("session").expect("a session").to_owned();
    served.command(0, &["export", "backup.jsonl"]);
    let file = served.file("backup.jsonl");

    // None of what can be presented is in it, nor what it is made from.
    let tokens = [answer.refresh_token(), refreshed.refresh_token(), answer.access_token(), refreshed.access_token()];
    for secret in tokens.iter().map(String::as_str).chain([&*code, &*waiting, &*cookie, SECRET, PASSWORD]) {
        // Of a handle and of a signed token, what comes last is what proves it.
        let proof = &secret[secret.len().saturating_sub(20)..];
        assert!(!file.contains(secret) && !file.contains(proof), "{secret} is in the file");
    }
    for name in ["jsr_", "jsc_", "eyJ", "argon2", "sha256:", "PRIVATE"] {
        assert!(!file.contains(name), "{name} is in the file");
    }
    let keys = fs::read_dir(served.site.folder().join("keys")).expect("a folder");
    for key in keys.map(|entry| entry.expect("an entry").path()) {
        let text = fs::read(&key).expect("readable");
        let text = String::from_utf8_lossy(&text).lines().map(str::to_owned).collect::<Vec<_>>();
        assert!(text.iter().all(|line| line.len() < 20 || !file.contains(line)), "{}", key.display());
    }

    // What stands in it makes no token with keys that are not the server's.
    let grant = file.lines().find_map(|line| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        line.get("grant").cloned()
    });
    let grant = grant.expect("a grant");
    let id = grant["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
    let generation = grant["generation"].as_u64().and_then(|number| u32::try_from(number).ok()).expect("a number");
    let own = served.site.folder().join("thief.seal");
    sealing_files::generate(&own, &OsRandom).expect("a key");
    let key = sealing_files::read(&own).expect("a key");
    let lifecycle = Lifecycle { publish_at: None, sign_from: None, retire_at: None };
    let issuer = Issuer::parse(&served.site.origin()).expect("an issuer");
    let now = SystemClock.now();
    let ring = SealingRing::new(&issuer, vec![Scheduled { name: "thief".to_owned(), lifecycle, key }], now);
    let ring = ring.expect("a ring");
    for kind in [HandleKind::Refresh, HandleKind::Code] {
        let forged = Handle { kind, id, generation }.seal(&ring, now);
        let form = match kind {
            HandleKind::Refresh => refresh(forged.expose_secret()),
            HandleKind::Code => redemption(&ask_of_web(), forged.expose_secret()),
        };
        served.is_dead(WEB, &form).await;
    }
    // It was the key alone that was missing.
    served.token(WEB, &refresh(&refreshed.refresh_token())).await.refresh_token();

    // And with other keys the backup is restored, which says so, and nothing of it is good.
    served.stop();
    fs::remove_dir_all(served.site.folder().join("data")).expect("removed");
    fs::rename(served.site.folder().join("keys"), served.site.folder().join("lost")).expect("renamed");
    fs::create_dir(served.site.folder().join("keys")).expect("created");
    let Outcome { stderr, .. } = served.command(0, &["import", "backup.jsonl"]);
    assert!(stderr.contains("warning: the sealing keys cannot be loaded"), "{stderr}");
    // The store is not new, so no keys are made in the place of those that are lost.
    let refused = TestServer::try_start(served.site).err().expect("it does not start");
    assert!(refused.contains("key"), "{refused}");
}

async fn operator(server: &TestServer, scope: &str) -> String {
    let admin = format!("{}/admin", server.site.origin());
    let asked = [("grant_type", "client_credentials"), ("scope", scope), ("resource", admin.as_str())];
    server.token("ops", &Parameters::new(asked)).await.access_token()
}

async fn ask(server: &TestServer, method: Method, query: &str, token: &str) -> Answer {
    let request = server.http().request(method, server.admin_url(&format!("{PATH}{query}")));
    Answer::of(request.bearer_auth(token)).await
}

#[tokio::test]
async fn only_who_may_administer_gets_an_export_and_only_by_our_names() {
    let server = TestServer::start(&config());
    server.tokens_for(&ask_of_web()).await;
    let good = operator(&server, "jotsmith:admin").await;
    let answer = ask(&server, Method::GET, "", &good).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/x-ndjson"));
    answer.assert_is_not_stored();
    assert_eq!(answer.header("access-control-allow-origin"), "");
    assert!(answer.body.ends_with("\"}}\n") && answer.body.contains(ALICES_SUBJECT), "{}", answer.body);

    let refused = |answer: &Answer, status: u16, error: Option<&str>| {
        assert_eq!((answer.status.as_u16(), answer.json()["error"].as_str()), (status, error), "{}", answer.body);
        assert!(!answer.body.contains(ALICES_SUBJECT));
        answer.assert_is_not_stored();
    };
    let request = || server.http().get(server.admin_url(PATH));
    refused(&Answer::of(request()).await, 401, None);
    refused(&Answer::of(request().basic_auth("ops", Some(SECRET))).await, 401, None);
    let no_scope = operator(&server, "read").await;
    refused(&ask(&server, Method::GET, "", &no_scope).await, 403, Some("insufficient_scope"));
    let persons = server.tokens_for(&ask_of_web()).await.access_token();
    refused(&ask(&server, Method::GET, "", &persons).await, 401, Some("invalid_token"));
    refused(&ask(&server, Method::GET, &format!("?access_token={good}"), &good).await, 400, Some("invalid_request"));
    refused(&ask(&server, Method::GET, "?subject=alice", &good).await, 400, Some("invalid_request"));
    for host in ["evil.example", "localhost.evil.example", "x@127.0.0.1"] {
        refused(&Answer::of(request().header("host", host).bearer_auth(&good)).await, 421, Some("invalid_request"));
    }
    for method in [Method::POST, Method::HEAD, Method::DELETE, Method::OPTIONS] {
        let answer = ask(&server, method, "", &good).await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "GET"));
    }
    let public = server.http().get(server.url(PATH)).bearer_auth(&good);
    assert_eq!(Answer::of(public).await.status, 404, "not on the public port");
    server.advance(std::time::Duration::from_mins(5));
    refused(&ask(&server, Method::GET, "", &good).await, 401, Some("invalid_token"));

    let fresh = operator(&server, "jotsmith:admin").await;
    server.lose_store().await;
    assert_eq!(ask(&server, Method::GET, "", &fresh).await.status, 503);
}

#[test]
fn what_is_said_about_backups_names_flags_and_routes_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs =
        ["docs/store.md", "docs/operations.md"].map(|name| fs::read_to_string(root.join(name)).expect("a document"));
    let site = Site::new();
    let help =
        ["export", "import"].map(|command| program::run(site.folder(), &["store", command, "--help"]).stdout).concat();
    let said = docs.concat();
    for flag in ["--running", "--stopped", "--overwrite", "--revoke-all"] {
        assert!(said.contains(flag) && help.contains(flag), "{flag}");
    }
    assert!(said.contains(PATH));
}
