//! Keys that change while everything goes on: the commands, the server before, during and after, and a restart between.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use jotsmith::foundation::clock::{Clock as _, SystemClock};
use jotsmith::keys::algorithm::Algorithm;
use rustix::process::Signal;
use serde_json::Value;

use crate::harness::people::{WEB, people};
use crate::harness::program::{self, Outcome, Running};
use crate::harness::requests::{ask_of_web, redemption, refresh};
use crate::harness::{START, Site, TestServer, header, machine};

const DAY: Duration = Duration::from_hours(24);
const JWKS: &str = "/.well-known/jwks.json";

fn keys(site: &Site, arguments: &[&str]) -> Outcome {
    program::run(site.folder(), &[&["keys"], arguments, &["--config", "config.toml"]].concat())
}

fn done(site: &Site, arguments: &[&str]) -> String {
    let outcome = keys(site, arguments);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{arguments:?}: {}", outcome.stdout);
    outcome.stdout
}

/// What a command may change: all but the store, in which the server works.
fn content(site: &Site) -> BTreeMap<PathBuf, Vec<u8>> {
    let store = site.folder().join("data");
    site.content().into_iter().filter(|(path, _)| !path.starts_with(&store)).collect()
}

/// What a command says that fails, with what it prints; it has changed nothing.
fn refused(site: &Site, arguments: &[&str]) -> (String, String) {
    let before = content(site);
    let Outcome { code, stdout, stderr } = keys(site, arguments);
    assert_eq!((code, stderr.lines().count()), (Some(1), 1), "{arguments:?}: {stdout}{stderr}");
    assert!(content(site) == before, "{arguments:?}: something was changed");
    (stdout, stderr)
}

/// A server with keys of its own making, whose clock shows the time of the commands.
fn server(config: &str) -> TestServer {
    let server = TestServer::start(config);
    server.clock.set(SystemClock.now());
    server
}

async fn kids(server: &TestServer) -> Vec<String> {
    let set = server.get(JWKS).await.json();
    set["keys"].as_array().expect("a list").iter().map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
}

async fn signing(server: &TestServer) -> String {
    header(&server.access_token("").await)["kid"].as_str().expect("a kid").to_owned()
}

#[tokio::test]
async fn a_rotation_changes_the_key_by_the_clock_and_a_restart_in_it_changes_nothing() {
    let mut server = server(&machine());
    let old = signing(&server).await;
    let planned = done(&server.site, &["rotate", "--dry-run"]);
    assert!(planned.contains("Nothing was changed"), "{planned}");
    let said = done(&server.site, &["rotate"]);
    for part in [
        "follows first-es256.pem",
        "now: the new key is in the key set",
        "in 1day: the new key signs",
        "in 1day 22m: the old key leaves",
    ] {
        assert!(said.contains(part), "{said}");
    }
    let before = content(&server.site);
    let again = done(&server.site, &["rotate"]);
    assert!(again.contains("is under way, and nothing was changed"), "{again}");
    assert!(content(&server.site) == before);
    // A second for the folding of time into whole seconds.
    server.clock.set(SystemClock.now() + Duration::from_secs(1));
    server.reload(&machine()).await.expect("a good change");
    let published = kids(&server).await;
    assert_eq!((published.len(), signing(&server).await == old), (2, true));
    let new = published.into_iter().find(|kid| *kid != old).expect("the new key");

    server.advance(DAY.saturating_sub(Duration::from_secs(30)));
    assert_eq!(signing(&server).await, old);
    server.restart(|_| ());
    assert_eq!((signing(&server).await, kids(&server).await.len()), (old.clone(), 2));
    server.advance(Duration::from_secs(30));
    assert_eq!((signing(&server).await, kids(&server).await.len()), (new.clone(), 2));
    server.restart(|_| ());
    assert_eq!((signing(&server).await, kids(&server).await.len()), (new.clone(), 2));
    // Five minutes of life, a minute for clocks, sixteen for a server that is late.
    server.advance(Duration::from_mins(22));
    assert_eq!((signing(&server).await, kids(&server).await), (new.clone(), vec![new]));
}

#[tokio::test]
async fn whatever_was_sealed_survives_a_rotation_of_the_sealing_key_and_a_restart_in_it() {
    let mut server = server(&people());
    let asked = ask_of_web();
    let said = done(&server.site, &["rotate", "--sealing"]);
    // A day until it seals, ninety for a consent, and the margins.
    assert!(said.contains("in 91days 17m: the old key has nothing left to open"), "{said}");
    server.clock.set(SystemClock.now() + Duration::from_secs(1));
    server.reload(&people()).await.expect("a good change");
    server.advance(DAY.saturating_sub(Duration::from_secs(20)));

    // Ten to twenty seconds before the change ..
    let mut signed_in = server.browser();
    let code = signed_in.code(&asked).await;
    let first = server.tokens_for(&asked).await.refresh_token();
    let mut waiting = server.browser();
    let login = waiting.authorize(&asked).await;
    assert!(login.is_login());
    let second = server.token(WEB, &refresh(&first)).await.refresh_token();

    // .. and as much after it, on another process.
    server.advance(Duration::from_secs(25));
    server.restart(|_| ());
    let retried = server.token(WEB, &refresh(&first)).await.refresh_token();
    assert_eq!(retried, second, "a lost answer is the same, to the byte");
    let redeemed = server.token(WEB, &redemption(&asked, &code)).await.refresh_token();
    let page = waiting.sign_in(&login).await;
    assert!(waiting.allow(&page).await.code().starts_with("jsc_"), "a request that waited for a person");
    let answer = signed_in.authorize(&asked).await;
    assert!(answer.code().starts_with("jsc_"), "neither sign-in nor consent is asked for again");
    let third = server.token(WEB, &refresh(&second)).await.refresh_token();
    server.restart(|_| ());
    assert_eq!(server.token(WEB, &refresh(&second)).await.refresh_token(), third);
    server.token(WEB, &refresh(&redeemed)).await.access_token();
    server.advance(Duration::from_hours(29 * 24));
    server.token(WEB, &refresh(&third)).await.access_token();
}

#[test]
fn a_rotation_that_verifiers_could_not_follow_is_refused_with_the_least_time() {
    let server = server(&machine());
    let (_, said) = refused(&server.site, &["rotate", "--sign-in", "15m 59s"]);
    assert!(said.contains("--sign-in is too short: let it be 16m or more"), "{said}");
    done(&server.site, &["rotate", "--sign-in", "16m"]);
    let (_, said) = refused(&server.site, &["rotate", "--algorithm", "RS256"]);
    assert!(said.contains("jotsmith keys generate"), "{said}");
    assert_eq!(keys(&server.site, &["rotate", "--sign-in", "soon"]).code, Some(2));
    assert_eq!(keys(&server.site, &["rotate", "--sealing", "--algorithm", "ES256"]).code, Some(2));
}

#[test]
fn the_old_key_stays_for_the_longest_token_of_any_resource() {
    let resource = "[[resources]]\nidentifier = \"https://slow.example.com\"\naccess_token_lifetime = \"2h\"\n";
    let server = server(&format!("{}{resource}", machine()));
    let said = done(&server.site, &["rotate"]);
    assert!(said.contains("in 1day 2h 17m: the old key leaves the key set"), "{said}");
}

#[test]
fn what_stands_elsewhere_is_told_and_nothing_is_touched() {
    let site = Site::new();
    let key = site.add_key(Algorithm::Es256);
    site.write_config(&(machine() + &key.entry));
    for arguments in [&["rotate"][..], &["kill", &key.kid, "--yes"]] {
        let (printed, said) = refused(&site, arguments);
        assert!(said.contains("stands elsewhere (config.toml:") && said.contains("nothing was changed"), "{said}");
        assert!(printed.contains("jotsmith keys generate --algorithm ES256 --out keys/es256-"), "{printed}");
        assert!(printed.contains("[[keys.signing]]\nfile = \"es256-"), "{printed}");
    }
}

#[tokio::test]
async fn a_killed_key_is_out_at_once_and_never_comes_back() {
    let mut server = server(&machine());
    let old = signing(&server).await;
    let schedule = server.site.folder().join("keys/schedule.toml");
    let (printed, said) = refused(&server.site, &["kill", &old]);
    assert!(said.contains("run it again with --yes"), "{said}");
    for part in [
        "of the last 5m, die",
        "up to 15m after every server",
        "A new ES256 key is made",
        "Refresh tokens, codes and sessions stay",
    ] {
        assert!(printed.contains(part), "{printed}");
    }
    let (_, said) = refused(&server.site, &["kill", "no-such-key", "--yes"]);
    assert!(said.contains("`jotsmith keys list` shows them"), "{said}");

    let printed = done(&server.site, &["kill", &old, "--yes"]);
    server.reload(&machine()).await.expect("a good change");
    let new = signing(&server).await;
    assert_eq!(kids(&server).await, std::slice::from_ref(&new));
    assert!(new != old && printed.contains(&new), "{printed}");
    server.restart(|_| ());
    assert_eq!(signing(&server).await, new);

    let killed = fs::read_to_string(&schedule).expect("a schedule");
    let back =
        "[[keys.signing]]\nfile = \"first-es256.pem\"\nalgorithm = \"ES256\"\nsign_from = \"2001-01-01T00:00:00Z\"\n";
    fs::write(&schedule, format!("{killed}\n{back}")).expect("it is brought back");
    let refused = server.reload(&machine()).await.expect_err("the key was killed");
    assert!(refused.contains("was killed") && refused.contains("schedule.toml:"), "{refused}");
}

#[tokio::test]
async fn a_killed_sealing_key_ends_what_it_sealed_and_nothing_else() {
    let server = server(&people());
    let asked = ask_of_web();
    let mut browser = server.browser();
    let code = browser.code(&asked).await;
    let tokens = server.token(WEB, &redemption(&asked, &code)).await;
    let refresh_token = tokens.refresh_token();
    let (printed, _) = refused(&server.site, &["kill", "first.seal"]);
    assert!(printed.contains("sign in again") && printed.contains("Access tokens stay"), "{printed}");
    done(&server.site, &["kill", "first.seal", "--yes"]);
    server.reload(&people()).await.expect("a good change");
    server.token(WEB, &refresh(&refresh_token)).await.assert_error(400, "invalid_grant");
    assert!(browser.authorize(&asked).await.is_login());
    let again = server.tokens_for(&asked).await.refresh_token();
    server.token(WEB, &refresh(&again)).await.access_token();
}

#[tokio::test]
async fn a_key_that_was_only_on_paper_waits_until_verifiers_know_it_and_a_restart_agrees() {
    let site = Site::new();
    let (old, new) = (site.add_key(Algorithm::Es256), site.add_key(Algorithm::Es256));
    let config = format!("{}{}", machine(), old.entry);
    let both = format!(
        "{}{}retire_at = \"{}\"\n{}publish_at = \"{}\"\nsign_from = \"{}\"\n",
        machine(),
        old.entry,
        START + DAY,
        new.entry,
        START.before(DAY),
        START.before(Duration::from_hours(1)),
    );
    let elsewhere = Site::new();
    for key in [&old, &new] {
        fs::copy(&key.file, elsewhere.folder().join("keys").join(key.file.file_name().expect("a name")))
            .expect("copied");
    }
    let mut server = TestServer::start_at(site, &config);
    server.reload(&both).await.expect("held back, not refused");
    assert_eq!((signing(&server).await, kids(&server).await.len()), (old.kid.clone(), 2));
    server.advance(Duration::from_mins(8));
    server.restart(|_| ());
    server.advance(Duration::from_mins(8).saturating_sub(Duration::from_secs(1)));
    assert_eq!(signing(&server).await, old.kid);
    server.advance(Duration::from_secs(1));
    assert_eq!(signing(&server).await, new.kid, "sixteen minutes after it was first published");

    // Another server, which knows nothing of before, believes what is written.
    let other = TestServer::start_at(elsewhere, &both);
    assert_eq!(signing(&other).await, new.kid);
}

#[tokio::test]
async fn a_key_is_not_taken_out_while_its_tokens_are_in_use() {
    let site = Site::new();
    let (old, new) = (site.add_key(Algorithm::Es256), site.add_key(Algorithm::Es256));
    let mut server = TestServer::start_at(site, &(machine() + &old.entry));
    let only_new = format!("{}{}", machine(), new.entry);
    let refused = server.reload(&only_new).await.expect_err("tokens of the old key are in use");
    assert!(refused.contains(&old.kid) && refused.contains(&(START + Duration::from_mins(6)).to_string()), "{refused}");
    assert_eq!(signing(&server).await, old.kid);

    // Neither where another lifetime is configured with the next change.
    let longer = format!("{}{}[lifetimes]\naccess_token = \"2h\"\n", machine(), old.entry);
    server.reload(&longer).await.expect("a good change");
    server.advance(Duration::from_mins(1));
    server.reload(&format!("{}{}", machine(), old.entry)).await.expect("a good change");
    server.advance(Duration::from_mins(30));
    let retired = format!(
        "{}{}retire_at = \"{}\"\n{}sign_from = \"{}\"\n",
        machine(),
        old.entry,
        START + Duration::from_mins(100),
        new.entry,
        START + Duration::from_mins(90),
    );
    let refused = server.reload(&retired).await.expect_err("tokens of two hours are about");
    assert!(refused.contains(&(START + Duration::from_mins(122)).to_string()), "{refused}");
    server.reload(&format!("{}{}", machine(), old.entry)).await.expect("a good change");
    server.restart(|_| ());
    let refused = server.reload(&retired).await.expect_err("a restart does not forget it");
    assert!(refused.contains(&old.kid), "{refused}");
}

#[test]
fn a_server_that_was_stopped_does_not_start_without_the_key_of_its_tokens_and_one_that_crashed_warns() {
    for crashes in [false, true] {
        let site = Site::new();
        let (old, new) = (site.add_key(Algorithm::Es256), site.add_key(Algorithm::Es256));
        site.write_config(&(machine() + &old.entry));
        let (serving, _) = Running::serve(&site);
        if crashes {
            drop(serving);
        } else {
            serving.signal(Signal::TERM);
            assert!(serving.end().0.success());
        }
        site.write_config(&(machine() + &new.entry));
        let mut next = Running::start(site.folder(), &["serve", "--config", "config.toml"]);
        let said = next.wait_for_log("goes while tokens that it signed are in use");
        assert!(said.contains(&old.kid), "{said}");
        if crashes {
            // It may have stopped long ago.
            next.wait_for_log("\"serving\"");
        } else {
            assert_eq!(next.end().0.code(), Some(1));
        }
    }
}

#[test]
fn the_list_is_in_words_and_has_the_sealing_keys() {
    let server = server(&machine());
    let on_paper = "signs with it later: its log says from when";
    assert!(!done(&server.site, &["list"]).contains(on_paper), "the only key is never held back");
    done(&server.site, &["rotate"]);
    let listed = done(&server.site, &["list"]);
    for part in [
        on_paper,
        "signing: signs new tokens; from ",
        "published: is in the key set and does not sign yet",
        "sealing",
        "first.seal",
        "seals what is new; as long as",
    ] {
        assert!(listed.contains(part), "{listed}");
    }
    let rows: Vec<Value> = serde_json::from_str(&done(&server.site, &["list", "--json"])).expect("JSON");
    let uses: Vec<_> = rows.iter().map(|row| row["use"].as_str().expect("a use")).collect();
    assert_eq!(uses, ["sig", "sig", "seal"]);
}

#[test]
fn where_the_folder_is_read_only_the_block_is_printed() {
    use std::os::unix::process::CommandExt as _;
    const NOBODY: u32 = 65_534;
    let server = server(&machine());
    let folder = server.site.folder();
    let mode =
        |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
    let keys = folder.join("keys");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_jotsmith"));
    command.args(["keys", "rotate", "--config", "config.toml"]).current_dir(folder).env_clear();
    if rustix::process::geteuid().is_root() {
        // No permission stops root: another user tries, who may read all of it.
        mode(folder, 0o755);
        for file in fs::read_dir(&keys).expect("a folder") {
            let file = file.expect("an entry").path();
            std::os::unix::fs::chown(&file, Some(NOBODY), None).expect("given away");
        }
        command.uid(NOBODY).gid(NOBODY);
    }
    mode(&keys, 0o555);
    // Whether the store is new is looked at.
    mode(&folder.join("data"), 0o755);
    let before = content(&server.site);
    let outcome = program::outcome(&mut command, "");
    mode(&keys, 0o755);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("may not be written here, so nothing was changed"), "{}", outcome.stderr);
    assert!(
        outcome.stdout.contains("[[keys.signing]]") && outcome.stdout.contains("retire_at = "),
        "{}",
        outcome.stdout
    );
    assert!(content(&server.site) == before);
}

#[tokio::test]
async fn a_key_whose_name_begins_with_a_hyphen_can_be_killed() {
    let server = server(&machine());
    let outcome = keys(&server.site, &["kill", "-3VRahDXn5HoeYpbm7h7_E7eRC6nRlV7X79EapULXac", "--yes"]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("-3VRahDXn5"), "there is none, and it is named: {}", outcome.stderr);
}

#[tokio::test]
async fn the_commands_of_the_documentation_work_as_they_are_written() {
    let server = server(&machine());
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/keys.md")).expect("the documentation");
    let lines: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("    jotsmith keys ")).collect();
    assert_eq!(lines.len(), 7, "{lines:?}");
    for line in lines {
        let kid = if line.contains("--lost") { "long-lost".to_owned() } else { signing(&server).await };
        let line = line.replace("KID", &kid);
        let outcome = keys(&server.site, &line.split(' ').collect::<Vec<_>>());
        let fails = line.starts_with("kill") && !line.contains("--yes");
        assert_eq!(outcome.code, Some(i32::from(fails)), "{line}: {}", outcome.stderr);
        server.clock.set(SystemClock.now() + Duration::from_secs(1));
        server.reload(&machine()).await.unwrap_or_else(|refused| panic!("{line}: {refused}"));
        server.access_token("").await;
    }
}
