//! The commands: what each gives works where it is meant to be put, and secrets go nowhere else.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use jotsmith::foundation::network::Network;
use jotsmith::foundation::password_hash::{Password, PasswordHash};
use jotsmith::foundation::slow_hash::{PoolSize, SlowHash};
use serde_json::{Value, json};

use crate::harness::program::{self, Outcome};
use crate::harness::{Answer, CLIENT_CREDENTIALS, Site, TestServer, machine};

/// Every command.
const COMMANDS: [&[&str]; 22] = [
    &[],
    &["serve"],
    &["demo"],
    &["check"],
    &["keys"],
    &["keys", "generate"],
    &["keys", "rotate"],
    &["keys", "list"],
    &["keys", "kill"],
    &["client"],
    &["client", "new"],
    &["client", "hash-secret"],
    &["user"],
    &["user", "hash-password"],
    &["token"],
    &["token", "verify"],
    &["grants"],
    &["grants", "list"],
    &["grants", "revoke"],
    &["store"],
    &["store", "export"],
    &["store", "import"],
];

fn run(site: &Site, arguments: &[&str]) -> Outcome {
    program::run(site.folder(), arguments)
}

/// The standard output of a command that must succeed.
fn output(site: &Site, arguments: &[&str]) -> Outcome {
    let outcome = run(site, arguments);
    assert_eq!(outcome.code, Some(0), "{arguments:?}: {}", outcome.stderr);
    outcome
}

/// Asserts that a command fails with one sentence and gives it.
fn failure(site: &Site, arguments: &[&str]) -> String {
    let Outcome { code, stdout, stderr } = run(site, arguments);
    assert_eq!((code, stdout.as_str(), stderr.lines().count()), (Some(1), "", 1), "{arguments:?}: {stderr}");
    stderr.trim().strip_prefix("jotsmith: ").expect("who speaks").to_owned()
}

#[test]
fn every_command_explains_itself_with_an_example() {
    let site = Site::new();
    for command in COMMANDS {
        let name = ["jotsmith"].iter().chain(command).copied().collect::<Vec<_>>().join(" ");
        let help = output(&site, &[command, &["--help"]].concat());
        assert_eq!(help.stderr, "");
        let (usage, examples) = help.stdout.split_once("\nExample").unwrap_or_else(|| panic!("{name}: no example"));
        assert!(usage.contains(&format!("Usage: {name}")), "{usage}");
        assert!(examples.contains(&name), "an example calls it: {examples}");
    }
    assert!(output(&site, &["--version"]).stdout.starts_with("jotsmith "));
}

#[test]
fn a_command_that_is_called_wrongly_exits_with_2_and_says_how_it_is_called() {
    let site = Site::new();
    for arguments in [
        &[][..],
        &["nonsense"],
        &["keys"],
        &["serve", "--nonsense"],
        &["client", "new"],
        &["client", "new", "--id", "app", "--public"],
        &["keys", "generate"],
        &["keys", "generate", "--algorithm", "HS256"],
        &["demo", "--port", "70000"],
        &["demo", "--algorithm", "none"],
        &["grants", "revoke"],
    ] {
        let Outcome { code, stdout, stderr } = run(&site, arguments);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(stderr.contains("Usage: jotsmith") || stderr.contains("--help"), "{stderr}");
    }
}

/// Runs `client new` and puts its block behind the configuration, which must then be sound; gives the secret.
fn new_client(site: &Site, arguments: &[&str]) -> (Value, Option<String>) {
    let made = output(site, &[&["client", "new"], arguments].concat());
    let config = fs::read_to_string(site.config_file()).unwrap_or_default() + &made.stdout;
    site.write_raw_config(&config);
    let checked = output(site, &["check", "--config", "config.toml"]);
    assert!(checked.stdout.starts_with("The configuration is sound: "), "{}", checked.stdout);
    let secret = made.stderr.trim().rsplit(' ').next().filter(|secret| !secret.is_empty()).map(str::to_owned);
    if let Some(secret) = &secret {
        assert_eq!(secret.len(), 43, "256 bits in base64url");
        assert!(!made.stdout.contains(secret), "the secret is not in the block");
    }
    let block: toml_edit::DocumentMut = made.stdout.parse().expect("TOML");
    let text = block["clients"].as_array_of_tables().expect("a list").iter().next().expect("an entry").to_string();
    let entry: toml_edit::DocumentMut = text.parse().expect("TOML");
    let values = entry.iter().map(|(key, item)| (key.to_owned(), json!(item.to_string().trim().trim_matches('"'))));
    (values.collect::<serde_json::Map<_, _>>().into(), secret)
}

#[tokio::test]
async fn a_new_machine_gets_a_token_with_the_secret_that_is_shown_once() {
    let site = Site::new();
    let (entry, secret) = new_client(&site, &["--id", "reports", "--scope", "read write"]);
    assert_eq!((&entry["client_id"], &entry["scope"]), (&json!("reports"), &json!("read write")));
    let config = fs::read_to_string(site.config_file()).expect("a configuration");
    let server = TestServer::start_at(site, &config);
    let request = server.token_request(CLIENT_CREDENTIALS).basic_auth("reports", secret);
    Answer::of(request).await.access_token();
}

#[test]
fn new_clients_of_every_kind_are_sound_one_behind_the_other() {
    let site = Site::new();
    site.write_raw_config(&machine());
    let (machine, secret) = new_client(&site, &["--id", "reports"]);
    assert_eq!((&machine["grant_types"], secret.is_some()), (&json!("[\"client_credentials\"]"), true));
    let web = ["--id", "shop", "--redirect-uri", "https://shop.example.com/cb", "--redirect-uri", "https://a.example/"];
    let (web, secret) = new_client(&site, &web);
    assert_eq!((&web["response_types"], secret.is_some()), (&json!("[\"code\"]"), true));
    let app = ["--id", "app", "--public", "--native", "--redirect-uri", "http://127.0.0.1/cb", "--scope", "read"];
    let (app, secret) = new_client(&site, &app);
    assert_eq!((&app["token_endpoint_auth_method"], &app["application_type"]), (&json!("none"), &json!("native")));
    assert_eq!(secret, None);
    assert!(app.get("client_secrets").is_none());
    assert!(output(&site, &["check", "--config", "config.toml"]).stdout.contains("4 clients"));
}

#[test]
fn a_client_that_would_be_refused_is_not_printed() {
    let site = Site::new();
    assert_eq!(
        failure(&site, &["client", "new", "--id", "caf\u{e9}"]),
        "client_id is 1 to 255 printable ASCII characters"
    );
    assert!(failure(&site, &["client", "new", "--id", "a", "--scope", "read  write"]).starts_with("scope: "));
}

async fn is_hash_of(hash: &str, password: &str) -> bool {
    let hash = PasswordHash::parse(hash.trim()).expect("a hash that a configuration may hold");
    let network = Network::from(std::net::IpAddr::from([127, 0, 0, 1]));
    let pool = SlowHash::new(PoolSize::for_this_machine());
    pool.verify(network, Password::new(password).expect("a password"), &hash).await.expect("there is room")
}

#[tokio::test]
async fn what_is_hashed_is_standard_input_without_one_newline_at_the_end() {
    let site = Site::new();
    for (command, input, password) in [
        (["client", "hash-secret"], "correct horse", "correct horse"),
        (["user", "hash-password"], "correct horse\n", "correct horse"),
        (["user", "hash-password"], " two\n\n", " two\n"),
    ] {
        let hashed = program::run_with_input(site.folder(), &command, input);
        assert_eq!((hashed.code, hashed.stdout.lines().count()), (Some(0), 1), "{}", hashed.stderr);
        assert!(hashed.stdout.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hashed.stdout);
        assert!(is_hash_of(&hashed.stdout, password).await, "{input:?}");
    }
}

#[test]
fn an_empty_or_overlong_secret_is_not_hashed() {
    let site = Site::new();
    for command in [["client", "hash-secret"], ["user", "hash-password"]] {
        for input in ["", "\n", &"x".repeat(1025)] {
            let Outcome { code, stdout, stderr } = program::run_with_input(site.folder(), &command, input);
            assert_eq!((code, stdout.as_str(), stderr.lines().count()), (Some(1), "", 1), "{stderr}");
        }
    }
}

#[test]
fn a_generated_key_is_its_owners_alone_is_never_overwritten_and_serves_as_it_is_printed() {
    let site = Site::new();
    for algorithm in ["ES256", "RS256", "EdDSA"] {
        let made =
            output(&site, &["keys", "generate", "--algorithm", algorithm, "--out", &format!("keys/{algorithm}.pem")]);
        let file = site.folder().join(format!("keys/{algorithm}.pem"));
        assert_eq!(fs::metadata(&file).expect("a key").permissions().mode() & 0o7777, 0o600);
        let pem = fs::read_to_string(&file).expect("a key");
        assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        let secret = pem.lines().nth(1).expect("a line of the key");
        assert!(!made.stdout.contains(secret) && !made.stderr.contains(secret), "the key is in the file alone");
        let config = fs::read_to_string(site.config_file()).unwrap_or_default() + &made.stdout;
        site.write_raw_config(&config);

        let again = ["keys", "generate", "--algorithm", algorithm, "--out", &format!("keys/{algorithm}.pem")];
        let said = failure(&site, &again);
        assert!(said.contains("keys are never overwritten"), "{said}");
        assert_eq!(fs::read_to_string(&file).expect("a key"), pem);
    }
    let said = output(&site, &["keys", "generate", "--algorithm", "EdDSA"]).stderr;
    assert!(said.starts_with("keys/eddsa-"), "{said}");
    assert!(output(&site, &["check", "--config", "config.toml"]).stdout.contains("3 signing keys"));

    let listed = output(&site, &["keys", "list", "--json", "--config", "config.toml"]).stdout;
    let listed: Vec<Value> = serde_json::from_str(&listed).expect("JSON");
    let rows: Vec<_> = listed.iter().map(|row| (&row["algorithm"], &row["state"], &row["file"])).collect();
    for algorithm in ["ES256", "RS256", "EdDSA"] {
        let row = (&json!(algorithm), &json!("signing"), &json!(format!("{algorithm}.pem")));
        assert!(rows.contains(&row), "{rows:?}");
    }
    let for_people = output(&site, &["keys", "list", "--config", "config.toml"]).stdout;
    assert!(listed.iter().all(|row| for_people.contains(row["kid"].as_str().expect("a name"))), "{for_people}");
}

#[test]
fn keys_list_says_what_each_key_does_next_and_when() {
    let site = Site::new();
    let (old, new) = ["2999-01-01T00:00:00Z", "2999-01-02T00:00:00Z"].into();
    let algorithm = jotsmith::keys::algorithm::Algorithm::Es256;
    let (first, second) = (site.add_key(algorithm), site.add_key(algorithm));
    site.write_config(&format!("{}{}publish_at = \"{old}\"\nsign_from = \"{new}\"\n", first.entry, second.entry));
    let listed = output(&site, &["keys", "list", "--json", "--config", "config.toml"]).stdout;
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let expected = json!([
        {
            "use": "sig", "kid": first.kid, "algorithm": "ES256", "state": "signing", "file": format!("{}.pem", first.kid),
            "next": { "state": "retiring", "at": new },
        },
        {
            "use": "sig", "kid": second.kid, "algorithm": "ES256", "state": "pending", "file": format!("{}.pem", second.kid),
            "next": { "state": "published", "at": old },
        },
    ]);
    assert_eq!(listed, expected);
}
