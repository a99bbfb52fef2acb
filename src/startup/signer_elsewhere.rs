//! A whole server whose signing key lies elsewhere, while that cannot be asked and when it can again: what a client sees.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use actix_web::web::Data;
use actix_web::{App, test};
use serde_json::Value;

use super::publications::Publications;
use super::reload::build_live;
use super::{Environment, Foundations, Source, keys, store};
use crate::clients::ClientSecretHash;
use crate::foundation::base64url;
use crate::foundation::clock::{Clock as _, SystemClock};
use crate::http::public_routes;
use crate::http::state::State;
use crate::keys::algorithm::Algorithm;
use crate::keys::history::History;
use crate::keys::key_ring::{KeyRing, Occasion, RingDemands};
use crate::keys::schedule::{Lifecycle, Scheduled};
use crate::keys::signer::{RemoteSigner, SignerUnavailable, Signing};
use crate::keys::signing_key::SigningKey;
use crate::login::throttle::Throttle;
use crate::telemetry;
use crate::tokens::issuer::TokenIssuer;

const SECRET: &str = "cGxlYXNlIGRvIG5vdCB0ZWxsIGFueWJvZHkgYWJvdXQgaXQ";

/// The public key of RFC 8037, appendix A.2.
const PUBLIC_KEY: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

/// Signs with nothing, which no one here verifies; is away while it is said so.
struct Elsewhere(Arc<AtomicBool>);

impl RemoteSigner for Elsewhere {
    fn sign<'a>(&'a self, _message: &'a [u8]) -> Signing<'a> {
        Box::pin(async move {
            // As over a network: it answers at another moment.
            tokio::task::yield_now().await;
            if self.0.load(Ordering::SeqCst) {
                let (cause, retry_after) = ("no route to 10.1.2.3".to_owned(), Duration::from_secs(7));
                return Err(SignerUnavailable { cause, retry_after });
            }
            Ok(vec![0; 64])
        })
    }
}

fn ring(is_away: &Arc<AtomicBool>) -> KeyRing {
    let public_key = base64url::decode(PUBLIC_KEY).expect("base64url");
    let signer = Arc::new(Elsewhere(Arc::clone(is_away)));
    let key = SigningKey::remote(Algorithm::EdDsa, &public_key, None, signer).expect("a public key");
    let entry = Scheduled { name: "elsewhere".to_owned(), lifecycle: Lifecycle::default(), key };
    let demands = RingDemands {
        jwks_max_age: Duration::from_mins(15),
        longest_lifetime: Duration::from_mins(5),
        algorithms: &[Algorithm::EdDsa],
        now: SystemClock.now(),
        history: History::none(),
        occasion: Occasion::Start,
        killed: &[],
    };
    KeyRing::new(vec![entry], &demands).expect("a ring")
}

/// A process whose configuration lies in `folder`, but for its signing key.
fn state(folder: &Path, is_away: &Arc<AtomicBool>) -> Data<State> {
    static METRICS: LazyLock<metrics_exporter_prometheus::PrometheusHandle> = LazyLock::new(telemetry::metrics::start);
    let config = format!(
        "issuer = \"https://login.example.com\"\n[keys]\ndefault_algorithm = \"EdDSA\"\n[[clients]]\nclient_id = \"machine\"\n\
         client_secrets = [{:?}]\ngrant_types = [\"client_credentials\"]\nresponse_types = []\nscope = \"read\"\n",
        ClientSecretHash::of_generated(SECRET.as_bytes())
    );
    let file = folder.join("config.toml");
    std::fs::write(&file, config).expect("a configuration");
    let environment = Environment {
        variables: BTreeMap::new(),
        not_utf8: BTreeSet::new(),
        working_directory: folder.to_owned(),
        system_directory: PathBuf::from("/nonexistent"),
    };
    let source = Source { files: vec![file], environment };
    let foundations = Foundations::of_the_machine();
    let settings = source.load().expect("a configuration");
    let settings = keys::make_if_missing(settings, || source.load(), &*foundations.random).expect("keys");
    let store = store::open(&settings.store, Arc::clone(&foundations.clock)).expect("a store");
    let publications = Publications::open(Arc::clone(&store) as _, Arc::clone(&foundations.clock)).expect("it answers");
    let throttle = Arc::new(Throttle::new(&*foundations.random));
    let live = build_live(settings, &foundations, &throttle, &publications, Occasion::Start);
    let mut live = live.expect("a good configuration");
    let (clock, random) = (Arc::clone(&foundations.clock), Arc::clone(&foundations.random));
    live.tokens = TokenIssuer::new(live.issuer.clone(), Arc::new(ring(is_away)), Arc::clone(&random));
    Data::new(State::new(live, clock, random, store::ports(&store), METRICS.clone()))
}

#[test]
fn a_signer_that_is_away_is_a_503_with_retry_after_and_the_next_request_may_succeed() {
    let folder = tempfile::tempdir().expect("a folder");
    let is_away = Arc::new(AtomicBool::new(true));
    let state = state(folder.path(), &is_away);
    let issuer = state.live().issuer.clone();
    actix_web::rt::System::new().block_on(async {
        let app = test::init_service(App::new().app_data(state).configure(public_routes(&issuer))).await;
        let ask = || {
            let form = format!("grant_type=client_credentials&client_id=machine&client_secret={SECRET}");
            let request = test::TestRequest::post().uri("/token").peer_addr(([127, 0, 0, 1], 4711).into());
            request.insert_header((CONTENT_TYPE, "application/x-www-form-urlencoded")).set_payload(form).to_request()
        };
        let refused = test::call_service(&app, ask()).await;
        assert_eq!(refused.status(), 503);
        assert_eq!(refused.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()), Some("7"));
        let body = String::from_utf8(test::read_body(refused).await.to_vec()).expect("UTF-8");
        assert!(body.contains("\"temporarily_unavailable\"") && !body.contains("10.1.2.3"), "{body}");

        is_away.store(false, Ordering::SeqCst);
        let answer = test::call_service(&app, ask()).await;
        assert_eq!(answer.status(), 200);
        let token: Value = test::read_body_json(answer).await;
        let token = token["access_token"].as_str().expect("a token").to_owned();
        assert!(token.ends_with(&format!(".{}", base64url::encode([0; 64]))), "signed elsewhere: {token}");
    });
}
