//! A store with grants in it.

use std::env;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jotsmith::clients::ClientId;
use jotsmith::foundation::clock::{SystemClock, Timestamp};
use jotsmith::foundation::id;
use jotsmith::foundation::random::OsRandom;
use jotsmith::protocol::pkce::CodeChallenge;
use jotsmith::protocol::resource::ResourceIndicator;
use jotsmith::protocol::scope::Scope;
use jotsmith::store::sled::{CommitStep, Probe, SledStore};
use jotsmith::store::{Durability, StoreOptions};
use jotsmith::tokens::grant::Grant;
use jotsmith::tokens::store::GrantStore as _;
use uuid::Uuid;

/// When all of them begin.
pub(crate) const BEGIN: Timestamp = Timestamp::from_seconds(1_800_000_000);
pub(crate) const DAY: Duration = Duration::from_hours(24);

/// Counts the syncs of commits.
struct Syncs(Arc<AtomicU64>);

impl Probe for Syncs {
    fn reach(&mut self, step: CommitStep) -> io::Result<()> {
        self.0.fetch_add(u64::from(step == CommitStep::Sync), Ordering::Relaxed);
        Ok(())
    }
}

/// Opens a store as the server does, with the number of its syncs.
pub(crate) fn open(folder: &Path) -> (Arc<SledStore>, Arc<AtomicU64>) {
    let syncs = Arc::new(AtomicU64::new(0));
    // The default of `store.cache`.
    let mebibytes = env::var("JOTSMITH_BENCH_CACHE_MIB").map_or(32, |text| text.parse().expect("a number"));
    let options = StoreOptions { path: folder.to_owned(), durability: Durability::Fsync, cache_bytes: mebibytes << 20 };
    let store = SledStore::open_with_probe(options, Arc::new(SystemClock), Box::new(Syncs(Arc::clone(&syncs))));
    (Arc::new(store.expect("it opens")), syncs)
}

/// A grant as an authorization makes it, of about 200 bytes.
pub(crate) fn grant(number: u64) -> Grant {
    Grant {
        id: id::uuid_v7(BEGIN + Duration::from_millis(number), &OsRandom),
        client_id: ClientId::parse("s6BhdRkqt3").expect("valid"),
        subject: format!("person-{number:07}").into(),
        scope: "read write".parse::<Scope>().expect("valid"),
        resources: vec![ResourceIndicator::parse("https://api.example.com").expect("valid")],
        auth_time: BEGIN,
        created_at: BEGIN,
        expires_at: BEGIN + DAY,
        absolute_expires_at: BEGIN + 300 * DAY,
        generation: 0,
        rotated_at: BEGIN,
        code_challenge: CodeChallenge::parse(Some(&"A".repeat(43)), Some("S256")).expect("valid"),
        redirect_uri: Some("https://client.example.com/callback".into()),
        is_resynchronised: false,
        revoked_at: None,
    }
}

/// For one thread, as a worker of the server has it.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
}

/// Puts this many grants, many at once.
pub(crate) fn fill(store: &Arc<SledStore>, grants: u64) -> Vec<Uuid> {
    let mut ids = Vec::new();
    runtime().block_on(async {
        let mut number = 0;
        while number < grants {
            let slice: Vec<_> = (number..grants.min(number + 1000)).map(grant).collect();
            number += slice.len() as u64;
            ids.extend(slice.iter().map(|grant| grant.id));
            let puts = slice.into_iter().map(|grant| {
                let store = Arc::clone(store);
                tokio::spawn(async move { store.put_grant(grant).await })
            });
            for put in puts.collect::<Vec<_>>() {
                put.await.expect("no panic").expect("the store answers");
            }
        }
    });
    ids
}
