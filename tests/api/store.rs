//! The store from outside: what survives a restart, and who may have the folder.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::harness::people::{WEB, people};
use crate::harness::requests::{ask_of_web, redemption, refresh};
use crate::harness::{START, Site, TestServer, log};

#[tokio::test]
async fn a_restart_loses_no_grant_and_brings_nothing_back_that_was_spent() {
    let mut server = TestServer::start(&people());
    let asked = ask_of_web();
    let spent_code = redemption(&asked, &server.code_for(&asked).await);
    let first = server.token(WEB, &spent_code).await.refresh_token();
    let second = server.token(WEB, &refresh(&first)).await.refresh_token();
    let replayed = server.tokens_for(&asked).await.refresh_token();
    let after_replay = server.token(WEB, &refresh(&replayed)).await.refresh_token();
    server.advance(Duration::from_mins(1));
    server.token(WEB, &refresh(&replayed)).await.assert_error(400, "invalid_grant");
    let waiting = redemption(&asked, &server.code_for(&asked).await);

    server.restart(|_| ());
    // A retry within the window would be a retry; now the token before the last one is one that was spent.
    let third = server.token(WEB, &refresh(&second)).await.refresh_token();
    server.token(WEB, &refresh(&after_replay)).await.assert_error(400, "invalid_grant");
    server.token(WEB, &waiting).await.access_token();

    server.restart(|_| ());
    assert_eq!(server.token(WEB, &refresh(&second)).await.refresh_token(), third, "a retry across a restart");
    server.token(WEB, &spent_code).await.assert_error(400, "invalid_grant");
    server.token(WEB, &refresh(&third)).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn a_session_that_was_signed_out_stays_so_after_a_restart() {
    let mut server = TestServer::start(&people());
    let mut browser = server.browser();
    browser.code(&ask_of_web()).await;
    let mut other = server.browser();
    other.code(&ask_of_web()).await;
    let mut thief = browser.clone();
    let page = browser.get("/logout").await;
    browser.submit(&page.form()).await;

    server.restart(|_| ());
    assert!(thief.authorize(&ask_of_web()).await.is_login());
    assert!(other.authorize(&ask_of_web()).await.code().starts_with("jsc_"), "sealed by a key that is still there");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (path, copied) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &copied);
        } else {
            fs::copy(&path, &copied).expect("a copy");
        }
    }
}

#[tokio::test]
async fn a_refresh_token_from_after_the_copy_that_was_brought_back_ends_its_grant_and_is_an_error_in_the_log() {
    let mut server = TestServer::start(&people());
    let first = server.tokens_for(&ask_of_web()).await.refresh_token();
    server.restart(|site| copy(&site.folder().join("data"), &site.folder().join("copy")));
    let second = server.token(WEB, &refresh(&first)).await.refresh_token();
    server.restart(|site| {
        fs::remove_dir_all(site.folder().join("data")).expect("removed");
        fs::rename(site.folder().join("copy"), site.folder().join("data")).expect("brought back");
    });
    let answer = server.token(WEB, &refresh(&second)).await;
    answer.assert_error(400, "invalid_grant");
    let lines = log::lines_with(answer.header("x-request-id"));
    let is_told = lines.iter().any(|line| {
        line["level"] == json!("ERROR")
            && line["message"].as_str().is_some_and(|text| text.contains("ahead of the store"))
    });
    assert!(is_told, "{lines:?}");
    server.token(WEB, &refresh(&first)).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_is_refused_and_the_first_goes_on() {
    let server = TestServer::start(&people());
    let first = server.tokens_for(&ask_of_web()).await.refresh_token();
    let folder = server.site.folder().display().to_string();
    let second = Site::new();
    second.write_config(&format!(
        "{}\n[store]\nurl = \"sled://{folder}/data\"\n[keys]\ndirectory = \"{folder}/keys\"\n",
        people()
    ));
    let refused = TestServer::try_start(second).err().expect("it does not start");
    assert!(refused.contains(&folder) && refused.contains("in use by another process"), "{refused}");
    assert_eq!(server.token(WEB, &refresh(&first)).await.status, 200);
}

#[tokio::test]
async fn a_clock_that_is_set_far_forward_brings_no_signed_out_session_back_and_ends_no_grant() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let code = browser.code(&ask_of_web()).await;
    let tokens = server.token(WEB, &redemption(&ask_of_web(), &code)).await;
    let mut thief = browser.clone();
    let page = browser.get("/logout").await;
    browser.submit(&page.form()).await;

    let ahead = Duration::from_hours(24 * 365);
    server.clock.set(START + ahead);
    for _ in 0..3 {
        server.sweep().await;
    }
    server.advance(Duration::from_mins(59));
    server.sweep().await;
    server.clock.set(START + Duration::from_mins(59));
    server.sweep().await;
    assert!(thief.authorize(&ask_of_web()).await.is_login());
    assert_eq!(server.token(WEB, &refresh(&tokens.refresh_token())).await.status, 200);

    // One that goes on with the time was set right.
    server.clock.set(START + ahead);
    server.sweep().await;
    server.advance(Duration::from_hours(1));
    server.sweep().await;
    server.clock.set(START + Duration::from_hours(2));
    assert!(!thief.authorize(&ask_of_web()).await.is_login(), "it was forgotten, with the grant");
    server.token(WEB, &refresh(&tokens.refresh_token())).await.assert_error(400, "invalid_grant");
}
