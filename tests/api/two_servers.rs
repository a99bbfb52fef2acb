//! Two processes with one configuration and a store each: they change keys at the same second, with no word between them.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use jotsmith::foundation::clock::{Clock as _, SystemClock, Timestamp};
use jotsmith::keys::algorithm::Algorithm;
use reqwest::Client;

use crate::harness::program::Running;
use crate::harness::{Answer, CLIENT_CREDENTIALS, MACHINE, SECRET, Site, claims, header, machine};

/// How long the old key still signs when the processes start: enough for the start of both.
const UNTIL_CHANGE: Duration = Duration::from_secs(8);

/// How often each process is asked at most, and how long after each time.
const MOST_TURNS: usize = 400;
const PAUSE: Duration = Duration::from_millis(50);

async fn token(http: &Client, site: &Site) -> String {
    let request = http.post(format!("{}/token", site.origin())).basic_auth(MACHINE, Some(SECRET));
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(CLIENT_CREDENTIALS);
    Answer::of(request).await.access_token()
}

/// The clock decides, so no token needs to be caught at a certain moment: each says itself when it was issued and with what
/// key.
#[tokio::test]
async fn two_processes_with_one_configuration_change_keys_at_the_same_second() {
    let sites = [Site::new(), Site::new()];
    let (old, new) = (sites[0].add_key(Algorithm::Es256), sites[0].add_key(Algorithm::Es256));
    for key in [&old, &new] {
        let name = key.file.file_name().expect("a name");
        fs::copy(&key.file, sites[1].folder().join("keys").join(name)).expect("copied");
    }
    let change = Timestamp::from_seconds((SystemClock.now() + UNTIL_CHANGE).as_seconds());
    let config = format!(
        "issuer = \"https://login.example.com\"\n{}{}{}publish_at = \"{}\"\nsign_from = \"{change}\"\n",
        machine(),
        old.entry,
        new.entry,
        change.before(Duration::from_mins(16)),
    );
    let _processes = sites.each_ref().map(|site| {
        site.write_config(&config);
        Running::serve(site)
    });
    let http = Client::builder().pool_max_idle_per_host(0).build().expect("an HTTP client");
    let mut seen_of_each = [(); 2].map(|()| BTreeMap::new());
    for turn in 0..MOST_TURNS {
        for (site, seen) in sites.iter().zip(&mut seen_of_each) {
            let token = token(&http, site).await;
            let issued = claims(&token)["iat"].as_u64().expect("a time");
            let kid = header(&token)["kid"].as_str().expect("a kid").to_owned();
            let expected = if issued < change.as_seconds() { &old.kid } else { &new.kid };
            assert_eq!(kid, *expected, "issued at {issued}, and the change is at {change}");
            *seen.entry(kid).or_insert(0) += 1;
        }
        if seen_of_each.iter().all(|seen| seen.get(&new.kid).is_some_and(|count| *count > 3)) {
            break;
        }
        assert!(turn + 1 < MOST_TURNS, "the change does not come: {seen_of_each:?}");
        tokio::time::sleep(PAUSE).await;
    }
    assert!(seen_of_each.iter().all(|seen| seen.len() == 2), "each signed with both: {seen_of_each:?}");
}
