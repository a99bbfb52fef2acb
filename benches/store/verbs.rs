//! What each step of the protocol costs, by itself: every caller does one after the other, each of something of its own.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use jotsmith::authorize::code::AuthorizationCode;
use jotsmith::authorize::store::{CodeStore as _, Redemption};
use jotsmith::foundation::digest;
use jotsmith::foundation::once::{OnceStore as _, Remembered};
use jotsmith::foundation::random::OsRandom;
use jotsmith::login::session::SessionId;
use jotsmith::login::store::SessionStore as _;
use jotsmith::store::sled::SledStore;
use jotsmith::tokens::grant::Grant;
use jotsmith::tokens::store::{GrantStore as _, Whose};

use super::filled::{BEGIN, DAY, fill, grant, open, runtime};
use super::refreshes::{Latencies, SPAN, head, row};

/// How many grants are there before, so that none of the steps finds an empty store.
const GRANTS: u64 = 10_000;

/// Prints a row for each step, with one caller and with 64.
pub(crate) fn measure(root: &Path) {
    let folder = tempfile::tempdir_in(root).expect("a folder");
    let (store, syncs) = open(&folder.path().join("data"));
    fill(&store, GRANTS);
    let number = Arc::new(AtomicU64::new(GRANTS));
    head(&format!("steps, {GRANTS} grants and what the steps before have left"), "steps");
    let run = Run { store, syncs, number };
    run.rows("keep a code, redeem it", &async |store, number| {
        let code = code(number);
        store.put_code(code.clone()).await.expect("answered");
        let redemption = store.redeem(grant_of(&code), BEGIN).await.expect("answered");
        assert_eq!(redemption, Redemption::Redeemed);
    });
    run.rows("keep a grant", &async |store, number| store.put_grant(grant(number)).await.expect("answered"));
    run.rows("keep a grant, revoke it", &async |store, number| {
        let grant = grant(number);
        store.put_grant(grant.clone()).await.expect("answered");
        assert!(store.revoke_grant(grant.id, BEGIN).await.expect("answered"), "it was live");
    });
    run.rows("remember an assertion", &async |store, number| {
        let digest = digest::sha256(number.to_be_bytes());
        let remembered = store.remember_once(digest, BEGIN + DAY, BEGIN).await.expect("answered");
        assert_eq!(remembered, Remembered::Now);
    });
    run.rows("end a session", &async |store, _| {
        store.end_session(SessionId::new(&OsRandom), BEGIN + DAY).await.expect("answered");
    });
    run.rows("look whether one was ended", &async |store, number| {
        let early_end = store.early_end(SessionId::new(&OsRandom), &subject(number)).await.expect("answered");
        assert!(!early_end.is_signed_out);
    });
    // These two look at every record.
    run.row("find a person's grants", 1, &async |store, number| {
        let (whose, mut after) = (Whose::Subject(subject(number).into()), None);
        loop {
            let found = store.find_grants(Some(whose.clone()), after, 1000).await.expect("answered");
            after = found.reached;
            if after.is_none() {
                break;
            }
        }
    });
    run.row("end all of a person", 1, &async |store, number| {
        let subject = subject(number);
        store.end_all(&subject, BEGIN).await.expect("answered");
        store.revoke_where(Whose::Subject(subject.into()), BEGIN).await.expect("answered");
    });
}

fn subject(number: u64) -> String {
    format!("person-{number:07}")
}

fn code(number: u64) -> AuthorizationCode {
    let Grant { id, client_id, subject, scope, resources, auth_time, created_at, code_challenge, redirect_uri, .. } =
        grant(number);
    AuthorizationCode {
        id,
        client_id,
        subject,
        scope,
        resources,
        auth_time,
        created_at,
        expires_at: BEGIN + DAY,
        code_challenge,
        redirect_uri,
    }
}

fn grant_of(code: &AuthorizationCode) -> Grant {
    Grant { id: code.id, subject: Arc::clone(&code.subject), ..grant(0) }
}

/// A store that is asked, and how often it has synced.
struct Run {
    store: Arc<SledStore>,
    syncs: Arc<AtomicU64>,
    /// Of the next that is made.
    number: Arc<AtomicU64>,
}

impl Run {
    fn rows(&self, what: &str, step: &impl AsyncFn(&SledStore, u64)) {
        for callers in [1, 64] {
            self.row(what, callers, step);
        }
    }

    fn row(&self, what: &str, callers: usize, step: &impl AsyncFn(&SledStore, u64)) {
        let (begun, before) = (Instant::now(), self.syncs.load(Ordering::Relaxed));
        let caller = async || {
            let mut took = Latencies::default();
            while begun.elapsed() < SPAN {
                let asked = Instant::now();
                step(&self.store, self.number.fetch_add(1, Ordering::Relaxed)).await;
                took.add(asked.elapsed());
                // What is only read never waits, and the others want their turn.
                tokio::task::yield_now().await;
            }
            took
        };
        let took = runtime().block_on(futures_util::future::join_all((0..callers).map(|_| caller())));
        let mut all = Latencies(took.into_iter().flat_map(|Latencies(took)| took).collect());
        let syncs = self.syncs.load(Ordering::Relaxed) - before;
        row(what, callers, &mut all, begun.elapsed(), syncs);
    }
}
