//! `/metrics`: each metric is documented and there, in both directions, and no label takes what a request brings.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use jotsmith::foundation::clock::Timestamp;
use jotsmith::foundation::random::OsRandom;
use jotsmith::keys::algorithm::Algorithm;
use jotsmith::keys::sealing_files;
use saphyr::{LoadableYamlNode as _, Yaml};
use serde_json::Value;

use crate::harness::people::{WEB, people};
use crate::harness::program::Running;
use crate::harness::requests::{ask_of_web, refresh};
use crate::harness::{
    Answer, CLIENT_CREDENTIALS, MACHINE, SECRET, START, Site, TestServer, header, machine, machine_with_secrets,
};

/// What `/metrics` answered.
struct Metrics(String);

/// A metric: its type, and the names of its labels.
type Shape = (String, BTreeSet<String>);

impl Metrics {
    async fn of(server: &TestServer) -> Self {
        let answer = server.get_admin("/metrics").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        Self(answer.body)
    }

    /// The value of a series, written as it stands there.
    fn value(&self, series: &str) -> Option<f64> {
        let line = self.0.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map(|value| value.parse().expect("a number"))
    }

    /// Every metric.
    fn shapes(&self) -> BTreeMap<String, Shape> {
        let mut shapes: BTreeMap<String, Shape> = BTreeMap::new();
        let mut helped = BTreeSet::new();
        for line in self.0.lines().filter(|line| !line.is_empty()) {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, text) = help.split_once(' ').expect("a name and a text");
                assert!(!text.is_empty() && helped.insert(name.to_owned()), "{line}");
            } else if let Some(typed) = line.strip_prefix("# TYPE ") {
                let (name, kind) = typed.split_once(' ').expect("a name and a type");
                let other = shapes.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
                assert!(other.is_none(), "a name stands once in an answer: {line}");
            } else {
                let (series, value) = line.rsplit_once(' ').expect("a series and a value");
                value.parse::<f64>().unwrap_or_else(|_| panic!("no number: {line}"));
                let (name, labels) = series.split_once('{').unwrap_or((series, ""));
                let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
                let name = of_histogram.filter(|name| shapes.contains_key(*name)).unwrap_or(name);
                let shape = shapes.get_mut(name).unwrap_or_else(|| panic!("a type comes first: {line}"));
                let names =
                    labels.split(',').filter_map(|label| label.split_once('=')).map(|(name, _)| name.to_owned());
                shape.1.extend(names.filter(|name| name != "le"));
            }
        }
        let described: BTreeSet<_> = shapes.keys().cloned().collect();
        assert_eq!(helped, described, "each has a help");
        shapes
    }
}

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).expect("a document")
}

/// What `docs/metrics.md` names.
fn documented() -> BTreeMap<String, Shape> {
    let text = document("metrics.md");
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let rows = rows.map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, says, _] = cells[..] else { panic!("five cells: {line}") };
        assert!(!says.is_empty(), "{line}");
        let plain = |text: &str| text.trim().trim_matches('`').to_owned();
        let labels = labels.split(',').map(plain).filter(|label| !label.is_empty()).collect();
        (plain(name), (kind.to_owned(), labels))
    });
    let (count, shapes) = (rows.clone().count(), rows.collect::<BTreeMap<_, _>>());
    assert_eq!(shapes.len(), count, "each stands there once");
    shapes
}

/// The metrics that an expression names, without what Prometheus adds to a histogram's name.
fn named(expression: &str) -> Vec<String> {
    let words = expression.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let names = words.filter(|word| word.starts_with("jotsmith_") || word.starts_with("process_"));
    names.map(|name| name.strip_suffix("_bucket").unwrap_or(name).to_owned()).collect()
}

fn assert_all_exist(expressions: &[String]) {
    let known = documented();
    let names: BTreeSet<_> = expressions.iter().flat_map(|expression| named(expression)).collect();
    assert!(names.len() > 5, "{names:?}");
    for name in names {
        assert!(known.contains_key(&name), "{name} is no metric of docs/metrics.md");
    }
}

#[tokio::test]
async fn the_document_names_every_metric_and_the_server_has_each_of_them() {
    let site = Site::new();
    let (old, new) = (site.add_key(Algorithm::Es256), site.add_key(Algorithm::Es256));
    let hour = |count: u64| START + Duration::from_hours(count);
    let keys = format!(
        "{}retire_at = \"{}\"\n{}publish_at = \"{}\"\nsign_from = \"{}\"\n",
        old.entry,
        hour(3),
        new.entry,
        hour(1),
        hour(2)
    );
    let keys = keys + &sealing_keys(&site, hour(1));
    let server = TestServer::start_at(site, &(people() + &keys));
    // All that a server does: the pages, a code, its tokens, a refresh, errors, every document, a reload.
    let mut browser = server.browser();
    let page = browser.authorize(&ask_of_web()).await;
    browser.sign_in_as(&page, "nobody", "wrong").await;
    let tokens = server.tokens_for(&ask_of_web()).await;
    server.token(WEB, &refresh(&tokens.refresh_token())).await;
    server.post_token(CLIENT_CREDENTIALS).await;
    browser.get("/logout").await;
    for path in ["/.well-known/jwks.json", "/.well-known/oauth-authorization-server", "/nothing"] {
        server.get(path).await;
    }
    for path in ["/health/live", "/health/ready", "/metrics"] {
        server.get_admin(path).await;
    }
    server.reload(&(people() + &keys)).await.expect("a good change");

    let (shown, documented) = (Metrics::of(&server).await.shapes(), documented());
    for (name, shape) in &shown {
        let row = documented.get(name).unwrap_or_else(|| panic!("docs/metrics.md has no row for {name}: {shape:?}"));
        assert_eq!(row, shape, "{name}: what docs/metrics.md says, and what the server shows");
    }
    let missing: Vec<_> = documented.keys().filter(|name| !shown.contains_key(*name)).collect();
    assert!(missing.is_empty(), "docs/metrics.md names what the server does not have: {missing:?}");
}

/// Two sealing keys, of which the second takes over then.
fn sealing_keys(site: &Site, then: Timestamp) -> String {
    for name in ["first.seal", "second.seal"] {
        sealing_files::generate(&site.folder().join("keys").join(name), &OsRandom).expect("a key");
    }
    let second = format!("[[keys.sealing]]\nfile = \"second.seal\"\nsign_from = \"{then}\"\n");
    format!("[[keys.sealing]]\nfile = \"first.seal\"\n{second}")
}

#[tokio::test]
async fn the_next_change_of_a_sealing_key_is_shown_as_it_is_now() {
    let site = Site::new();
    let keys = sealing_keys(&site, START + Duration::from_hours(1));
    let server = TestServer::start_at(site, &(machine() + &keys));
    let changes = |metrics: &Metrics| {
        let mut changes: Vec<(String, String)> = Vec::new();
        for line in metrics.0.lines() {
            let Some(rest) = line.strip_prefix("jotsmith_sealing_key_next_change_seconds{id=\"") else { continue };
            let (_, labels) = rest.split_once("\",").expect("more labels");
            let (labels, value) = labels.rsplit_once(' ').expect("a value");
            changes.push((labels.to_owned(), value.to_owned()));
        }
        changes.sort();
        changes
    };
    let change =
        |state: &str, next: &str, value: &str| (format!("state=\"{state}\",next=\"{next}\"}}"), value.to_owned());
    let before = Metrics::of(&server).await;
    assert_eq!(before.value("jotsmith_sealing_keys{state=\"signing\"}"), Some(1.0), "{}", before.0);
    server.advance(Duration::from_mins(50));
    let near = changes(&Metrics::of(&server).await);
    assert!(near.contains(&change("signing", "retiring", "600")), "{near:?}");
    server.advance(Duration::from_mins(20));
    let after = Metrics::of(&server).await;
    assert_eq!(after.value("jotsmith_sealing_keys{state=\"signing\"}"), Some(1.0), "{}", after.0);
    assert!(changes(&after).iter().all(|(labels, _)| !labels.contains("signing")), "{}", after.0);
}

#[test]
fn whatever_the_source_counts_is_documented() {
    fn collect(folder: &Path, names: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                collect(&path, names);
            } else {
                let source = fs::read_to_string(path).expect("our source");
                names.extend(source.split('"').flat_map(named).filter(|name| !name.ends_with('_')));
            }
        }
    }
    let mut names = BTreeSet::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut names);
    let known = documented();
    let unknown: Vec<_> = names.iter().filter(|name| !known.contains_key(*name)).collect();
    assert!(names.len() > 10 && unknown.is_empty(), "docs/metrics.md has no row for {unknown:?}");
}

#[test]
fn the_dashboard_and_the_alerts_name_only_what_exists() {
    let dashboard: Value = serde_json::from_str(&document("grafana-dashboard.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default());
    let shown: Vec<String> = targets.map(|target| target["expr"].as_str().expect("an expression").to_owned()).collect();
    assert_all_exist(&shown);

    let text = document("alerts.yml");
    let alerts = Yaml::load_from_str(&text).expect("YAML");
    let rules = alerts[0]["groups"][0]["rules"].as_vec().expect("rules");
    let expressions = rules.iter().map(|rule| {
        assert!(rule["alert"].as_str().is_some() && rule["annotations"]["summary"].as_str().is_some(), "{rule:?}");
        assert!(rule["labels"]["severity"].as_str().is_some(), "{rule:?}");
        rule["expr"].as_str().expect("an expression").to_owned()
    });
    assert_all_exist(&expressions.collect::<Vec<_>>());
}

#[test]
fn requests_are_counted_by_route_grant_type_and_outcome_and_tokens_by_key() {
    let site = Site::new();
    site.write_config(&machine());
    let (_server, admin) = Running::serve(&site);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let http = reqwest::Client::new();
        let ask = |secret: &'static str, form: &str| {
            let request = http.post(format!("{}/token", site.origin())).basic_auth(MACHINE, Some(secret));
            Answer::of(request.header("content-type", "application/x-www-form-urlencoded").body(form.to_owned()))
        };
        let mut kid = String::new();
        for _ in 0..3 {
            let token = ask(SECRET, CLIENT_CREDENTIALS).await.access_token();
            header(&token)["kid"].as_str().expect("a kid").clone_into(&mut kid);
        }
        ask("wrong", CLIENT_CREDENTIALS).await.assert_error(401, "invalid_client");
        ask(SECRET, "grant_type=client_credentials&scope=none-such").await.assert_error(400, "invalid_scope");
        for path in ["/no-such-path-of-ours", "/token/below"] {
            assert_eq!(Answer::of(http.get(format!("{}{path}", site.origin()))).await.status, 404);
        }
        assert_eq!(Answer::of(http.get(format!("{}/token", site.origin()))).await.status, 405);

        let metrics = Metrics(Answer::of(http.get(format!("{admin}/metrics"))).await.body);
        let requests = |route: &str, grant_type: &str, outcome: &str| {
            let labels = format!("route=\"{route}\",grant_type=\"{grant_type}\",outcome=\"{outcome}\"");
            metrics.value(&format!("jotsmith_http_requests_total{{{labels}}}"))
        };
        assert_eq!(requests("/token", "client_credentials", "ok"), Some(3.0), "{}", metrics.0);
        assert_eq!(requests("/token", "none", "invalid_client"), Some(1.0));
        assert_eq!(requests("/token", "client_credentials", "invalid_scope"), Some(1.0));
        assert_eq!(requests("/token", "none", "invalid_request"), Some(1.0), "another method");
        assert_eq!(requests("other", "none", "refused"), Some(2.0));
        let count = "jotsmith_http_request_duration_seconds_count{route=\"/token\",grant_type=\"client_credentials\"}";
        assert_eq!(metrics.value(count), Some(4.0));
        let minted = format!("jotsmith_access_tokens_total{{kid=\"{kid}\",algorithm=\"ES256\"}}");
        assert_eq!(metrics.value(&minted), Some(3.0));
        assert_eq!(metrics.value("jotsmith_signing_keys{algorithm=\"ES256\",state=\"signing\"}"), Some(1.0));
        assert_eq!((metrics.value("jotsmith_ready"), metrics.value("jotsmith_clients")), (Some(1.0), Some(1.0)));
        for name in ["process_resident_memory_bytes", "process_start_time_seconds"] {
            assert!(metrics.value(name).is_some_and(|value| value > 0.0), "{name}");
        }
    });
}

#[tokio::test]
async fn no_label_takes_what_a_request_brings() {
    let server = TestServer::start(&machine());
    for marker in ["marker-one", "marker-two"] {
        server.get(&format!("/{marker}?{marker}=1")).await;
        let form = format!("grant_type={marker}&client_id={marker}&client_secret={marker}&scope={marker}");
        server.post_token(&form).await;
        server.machine_token(&format!("grant_type={marker}")).await;
        server.http().request(marker.parse().expect("a method"), server.url("/token")).send().await.expect("an answer");
        server.get_admin(&format!("/metrics?{marker}")).await;
    }
    // Every character of a path may be written in two ways.
    for path in ["/.well-known/jwks.json", "/.well-known/%6Awks.json", "/.well-known/j%77ks.json"] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    let metrics = Metrics::of(&server).await;
    assert!(!metrics.0.contains('%'), "{}", metrics.0);
    let labels = "route=\"/.well-known/jwks.json\",grant_type=\"none\",outcome=\"ok\"";
    assert!(metrics.value(&format!("jotsmith_http_requests_total{{{labels}}}")) >= Some(3.0), "{}", metrics.0);
    assert!(!metrics.0.contains("marker"), "{}", metrics.0);
    assert!(!metrics.0.contains(&format!("\"{MACHINE}\"")), "no client is a label");
}

#[tokio::test]
async fn keys_and_configuration_are_shown_as_they_are_now() {
    let site = Site::new();
    let (old, new) = (site.add_key(Algorithm::Es256), site.add_key(Algorithm::Es256));
    let hour = |count: u64| START + Duration::from_hours(count);
    let old_entry = format!("{}retire_at = \"{}\"\n", old.entry, hour(3));
    let new_entry = format!("{}publish_at = \"{}\"\nsign_from = \"{}\"\n", new.entry, hour(1), hour(2));
    let server = TestServer::start_at(site, &(machine() + &old_entry + &new_entry));
    let change = |kid: &str, state: &str, next: &str| {
        let labels = format!("kid=\"{kid}\",algorithm=\"ES256\",state=\"{state}\",next=\"{next}\"");
        format!("jotsmith_signing_key_next_change_seconds{{{labels}}}")
    };
    let metrics = Metrics::of(&server).await;
    assert_eq!(metrics.value(&change(&old.kid, "signing", "retiring")), Some(7200.0), "{}", metrics.0);
    assert_eq!(metrics.value(&change(&new.kid, "pending", "published")), Some(3600.0));
    server.advance(Duration::from_mins(90));
    let metrics = Metrics::of(&server).await;
    assert_eq!(metrics.value(&change(&old.kid, "signing", "retiring")), Some(1800.0));
    assert_eq!(metrics.value(&change(&new.kid, "published", "signing")), Some(1800.0));
    assert_eq!(metrics.value(&change(&new.kid, "pending", "published")), None, "it is not so any more");

    assert_eq!(metrics.value("jotsmith_config_last_reload_successful"), Some(1.0));
    let loaded = |metrics: &Metrics| metrics.value("jotsmith_config_loaded_timestamp_seconds").expect("a time");
    let first = loaded(&metrics);
    server.reload("clients = 1\n").await.expect_err("a bad file");
    let metrics = Metrics::of(&server).await;
    assert_eq!(metrics.value("jotsmith_config_last_reload_successful"), Some(0.0));
    assert!((loaded(&metrics) - first).abs() < f64::EPSILON, "nothing was loaded");
    // Without the old key, which was killed: it is gone from the list at once.
    let alone = format!("{}[[keys.killed]]\nkid = \"{}\"\n", new.entry, old.kid);
    server
        .reload(
            &(machine()
                + &machine_with_secrets(&[]).replace(MACHINE, "x").replace(
                    "client_secrets = []",
                    "client_secrets = [\"sha256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU\"]",
                )
                + &alone),
        )
        .await
        .expect("a good change");
    let metrics = Metrics::of(&server).await;
    assert!(!metrics.0.contains(&format!("kid=\"{}\",algorithm=\"ES256\",state", old.kid)), "{}", metrics.0);
    assert_eq!(metrics.value("jotsmith_clients"), Some(2.0));
    assert!((loaded(&metrics) - first - 5400.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn metrics_are_not_on_the_public_port() {
    let server = TestServer::start(&machine());
    assert_eq!(server.get("/metrics").await.status, 404);
}
