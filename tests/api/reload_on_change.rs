//! Reload by itself: whatever a configuration came from is watched, however it is written.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use jotsmith::clients::ClientSecretHash;
use jotsmith::keys::algorithm::Algorithm;
use serde_json::Value;

use crate::harness::{Answer, CLIENT_CREDENTIALS, SECRET, Site, TestServer, log, machine};

/// How long an outcome is waited for before the test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks for health until it is as wanted, and gives it.
#[expect(clippy::disallowed_methods, reason = "bounds how long the test waits for another thread")]
async fn until(server: &TestServer, wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let answer = server.get_admin("/health/ready").await;
        assert_eq!(answer.status, 200, "what was live still serves: {}", answer.body);
        let health = answer.json();
        if wanted(&health) {
            return health;
        }
        assert!(begun.elapsed() < PATIENCE, "health stays {health}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Makes a change one second later, and waits until it is live.
async fn becomes_live(server: &TestServer, change: impl FnOnce(&Path)) {
    server.advance(Duration::from_secs(1));
    let before = server.get_admin("/health/ready").await.json()["loaded_at"].clone();
    change(server.site.folder());
    until(server, |health| health["reload"] == "loaded" && health["loaded_at"] != before).await;
}

/// Makes a change, and waits until it is refused; gives the reason.
async fn is_refused(server: &TestServer, change: impl FnOnce(&Path)) -> String {
    change(server.site.folder());
    let health = until(server, |health| health["reload"] == "refused").await;
    health["reload_error"].as_str().expect("a reason").to_owned()
}

async fn lets_in(server: &TestServer, client_id: &str) -> bool {
    let answer = Answer::of(server.token_request(CLIENT_CREDENTIALS).basic_auth(client_id, Some(SECRET))).await;
    answer.status == 200
}

fn client(client_id: &str) -> String {
    machine().replace("\"machine\"", &format!("\"{client_id}\""))
}

#[tokio::test]
async fn a_file_that_is_written_in_place_is_live() {
    let server = TestServer::start(&machine());
    becomes_live(&server, |_| server.site.write_config(&(machine() + &client("second")))).await;
    assert!(lets_in(&server, "second").await);
    becomes_live(&server, |_| server.site.write_config(&machine())).await;
    assert!(!lets_in(&server, "second").await);
}

#[tokio::test]
async fn a_file_that_is_put_in_the_place_of_the_old_one_is_live_again_and_again() {
    let server = TestServer::start(&machine());
    for turn in 0..3 {
        let id = format!("client{turn}");
        becomes_live(&server, |folder| {
            // As editors do: write beside it, then rename.
            let file = server.site.config_file();
            let old = fs::read_to_string(&file).expect("a file");
            let next = folder.join(".config.toml.swp");
            fs::write(&next, format!("{old}\n{}", client(&id))).expect("written");
            fs::rename(next, file).expect("renamed");
        })
        .await;
        assert!(lets_in(&server, &id).await, "{id}");
    }
}

#[tokio::test]
async fn a_link_that_kubernetes_swaps_is_followed() {
    let site = Site::new();
    site.write_config(&machine());
    let folder = site.folder().to_owned();
    let version = |name: &str, text: &str| {
        fs::create_dir(folder.join(name)).expect("a folder");
        fs::write(folder.join(name).join("config.toml"), text).expect("a file");
    };
    let text = fs::read_to_string(site.config_file()).expect("a file");
    version("..2026_1", &text);
    fs::remove_file(site.config_file()).expect("removed");
    symlink("..2026_1", folder.join("..data")).expect("a link");
    symlink("..data/config.toml", site.config_file()).expect("a link");
    let server = TestServer::try_start(site).expect("it starts");
    for turn in 2..4 {
        let id = format!("client{turn}");
        becomes_live(&server, |folder| {
            version(&format!("..2026_{turn}"), &format!("{text}\n{}", client(&id)));
            symlink(format!("..2026_{turn}"), folder.join("..data_tmp")).expect("a link");
            fs::rename(folder.join("..data_tmp"), folder.join("..data")).expect("swapped");
            fs::remove_dir_all(folder.join(format!("..2026_{}", turn - 1))).expect("removed");
        })
        .await;
        assert!(lets_in(&server, &id).await, "{id}");
    }
}

#[tokio::test]
async fn a_file_that_is_deleted_is_refused_until_it_is_back() {
    let server = TestServer::start(&machine());
    let file = server.site.config_file();
    let text = fs::read_to_string(&file).expect("a file");
    let refused = is_refused(&server, |_| fs::remove_file(&file).expect("removed")).await;
    assert!(refused.contains("config.toml: cannot be read"), "{refused}");
    assert!(lets_in(&server, "machine").await);
    becomes_live(&server, |_| fs::write(&file, text + &client("second")).expect("written")).await;
    assert!(lets_in(&server, "second").await);
}

#[tokio::test]
async fn a_new_file_that_an_include_matches_is_live_and_its_folder_may_be_new_too() {
    let server = TestServer::start(&format!("include = [\"clients.d/*.toml\"]\n{}", machine()));
    becomes_live(&server, |folder| {
        fs::create_dir(folder.join("clients.d")).expect("a folder");
        fs::write(folder.join("clients.d/a.toml"), client("a")).expect("a file");
    })
    .await;
    becomes_live(&server, |folder| fs::write(folder.join("clients.d/b.toml"), client("b")).expect("a file")).await;
    assert!(lets_in(&server, "a").await && lets_in(&server, "b").await);
    becomes_live(&server, |folder| fs::remove_dir_all(folder.join("clients.d")).expect("removed")).await;
    assert!(!lets_in(&server, "a").await);
    becomes_live(&server, |folder| {
        fs::create_dir(folder.join("clients.d")).expect("a folder");
        fs::write(folder.join("clients.d/c.toml"), client("c")).expect("a file");
    })
    .await;
    assert!(lets_in(&server, "c").await);
}

#[tokio::test]
async fn a_folder_that_takes_the_place_of_another_is_watched_in_its_place() {
    let site = Site::new();
    let folder = site.folder().to_owned();
    fs::create_dir(folder.join("clients.d")).expect("a folder");
    let server = TestServer::start_at(site, &format!("include = [\"clients.d/*.toml\"]\n{}", machine()));
    becomes_live(&server, |folder| {
        fs::create_dir(folder.join("next.d")).expect("a folder");
        fs::write(folder.join("next.d/a.toml"), client("a")).expect("a file");
        fs::rename(folder.join("clients.d"), folder.join("old.d")).expect("renamed");
        fs::rename(folder.join("next.d"), folder.join("clients.d")).expect("renamed");
    })
    .await;
    becomes_live(&server, |folder| fs::write(folder.join("clients.d/b.toml"), client("b")).expect("a file")).await;
    assert!(lets_in(&server, "a").await && lets_in(&server, "b").await);
}

#[tokio::test]
async fn a_secret_in_a_file_of_its_own_is_watched() {
    let site = Site::new();
    let secret = |text: &str| ClientSecretHash::of_generated(text.as_bytes());
    fs::create_dir(site.folder().join("secrets")).expect("a folder");
    fs::write(site.folder().join("secrets/machine"), secret("another one")).expect("a file");
    let hash = ClientSecretHash::of_generated(SECRET.as_bytes());
    let config = machine().replace(&format!("\"{hash}\""), "{ file = \"secrets/machine\" }");
    assert!(config.contains("secrets/machine"), "{config}");
    let server = TestServer::start_at(site, &config);
    assert!(!lets_in(&server, "machine").await);
    becomes_live(&server, |folder| fs::write(folder.join("secrets/machine"), secret(SECRET)).expect("a file")).await;
    assert!(lets_in(&server, "machine").await);
}

#[tokio::test]
async fn the_key_schedule_and_the_key_files_are_watched() {
    let site = Site::new();
    let old = site.add_key(Algorithm::Es256);
    let server = TestServer::start_at(site, &(machine() + &old.entry));
    let new = server.site.add_key(Algorithm::EdDsa);
    // The first sealing key stands in it already.
    let schedule = server.site.folder().join("keys/schedule.toml");
    let text = fs::read_to_string(&schedule).expect("a schedule");
    becomes_live(&server, |_| fs::write(&schedule, format!("{text}\n{}", new.entry)).expect("a file")).await;
    assert!(server.get("/.well-known/jwks.json").await.body.contains(&new.kid));

    let open = |mode| fs::set_permissions(&new.file, fs::Permissions::from_mode(mode)).expect("a mode");
    let refused = is_refused(&server, |_| open(0o644)).await;
    assert!(refused.contains(&new.kid), "{refused}");
    becomes_live(&server, |_| open(0o600)).await;
}

/// Makes a change, and waits until it is seen to be none of the configuration's.
#[expect(clippy::disallowed_methods, reason = "bounds how long the test waits for another thread")]
async fn is_no_change(server: &TestServer, write: impl FnOnce(&Path)) {
    let file = server.site.config_file();
    let looks = || {
        let lines = log::lines_with("nothing of the configuration has changed");
        lines
            .iter()
            .filter(|line| line["files"].as_str().is_some_and(|files| files.contains(&*file.to_string_lossy())))
            .count()
    };
    let (before, begun) = (looks(), Instant::now());
    write(server.site.folder());
    while looks() == before {
        assert!(begun.elapsed() < PATIENCE, "nobody looks");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_bad_file_is_told_once_however_often_it_is_written() {
    let server = TestServer::start(&machine());
    let bad = machine() + "told_once_and_never_again = 1\n";
    is_refused(&server, |_| server.site.write_config(&bad)).await;
    let told = || log::lines_with("told_once_and_never_again").len();
    assert_eq!(told(), 1);
    is_no_change(&server, |_| server.site.write_config(&bad)).await;
    is_no_change(&server, |folder| fs::write(folder.join("a neighbour"), "is no part of it").expect("a file")).await;
    assert_eq!(told(), 1);
    becomes_live(&server, |_| server.site.write_config(&machine())).await;
    assert_eq!(told(), 1);
}

#[tokio::test]
async fn what_has_not_changed_is_not_loaded_again() {
    let server = TestServer::start(&machine());
    let first = server.get_admin("/health/ready").await.json();
    server.advance(Duration::from_secs(1));
    is_no_change(&server, |_| server.site.write_config(&machine())).await;
    is_no_change(&server, |folder| fs::write(folder.join("a neighbour"), "is no part of it").expect("a file")).await;
    assert_eq!(server.get_admin("/health/ready").await.json(), first);
}
