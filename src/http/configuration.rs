//! `POST /admin/configuration`: what is live, for `jotsmith check --diff`.
//!
//! Question and answer are sealed with the server's sealing keys, which whoever may read the configuration has: nobody
//! else can ask, and to nobody else the answer says anything; one who listens can only have it said again. So the
//! endpoint needs neither a token nor a look at `Host`: a page in a browser has no key either. It changes nothing. A
//! question is good for a minute, and the answer names it, so that an old one is not taken for a new one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};

use crate::foundation::clock::Timestamp;
use crate::foundation::fingerprints::Fingerprints;
use crate::foundation::random::Random;
use crate::foundation::storage::StoreUnavailable;
use crate::keys::sealing_ring::{SealPurpose, SealRefused, SealingRing};
use crate::protocol::error::OAuthError;

use super::error_response;
use super::live::Live;
use super::state::State;

/// The path on the admin port.
pub const PATH: &str = "/admin/configuration";

/// The longest question, in bytes.
const LONGEST_QUESTION: usize = 1024 * 1024;

/// The most clients whose grants are counted for one question.
pub const MOST_COUNTED: usize = 1000;

/// How long a question is good, and how far the clock of whoever asks may be off.
const LIFETIME: Duration = Duration::from_mins(1);

/// How many records are looked at in one step of the store.
const SLICE: usize = 1000;

/// What is asked.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Tells questions apart.
    pub nonce: [u8; 16],
    /// When.
    pub asked_at: Timestamp,
    /// The clients whose live grants are to be counted; at most [`MOST_COUNTED`].
    pub count_grants_of: BTreeSet<String>,
}

/// What is answered.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// That of the question.
    pub nonce: [u8; 16],
    /// The version of the program that serves.
    pub version: String,
    /// What is live. Of settings that wait for a restart, what was there at the start.
    pub fingerprints: Fingerprints,
    /// How many live grants the clients of the question have; those that have none are left out.
    pub grants: BTreeMap<String, u64>,
}

/// The places in which the two are sealed: neither is good for the other.
const QUESTION: &str = "question 1";
const ANSWER: &str = "answer 1";

impl Question {
    /// The question as it is sent.
    pub fn seal(&self, ring: &SealingRing, random: &dyn Random) -> String {
        ring.seal(SealPurpose::Configuration, QUESTION, self, self.asked_at, random)
    }

    fn open(ring: &SealingRing, text: &str) -> Result<Self, SealRefused> {
        ring.open(SealPurpose::Configuration, QUESTION, text)
    }
}

impl Answer {
    fn seal(&self, ring: &SealingRing, now: Timestamp, random: &dyn Random) -> String {
        ring.seal(SealPurpose::Configuration, ANSWER, self, now, random)
    }

    /// The answer that was sent.
    pub fn open(ring: &SealingRing, text: &str) -> Result<Self, SealRefused> {
        ring.open(SealPurpose::Configuration, ANSWER, text)
    }
}

/// `POST /admin/configuration`.
pub(super) async fn configuration(request: HttpRequest, body: Payload, state: Data<State>) -> HttpResponse {
    let Ok(Ok(body)) = body.to_bytes_limited(LONGEST_QUESTION).await else { return refuse("the body cannot be read") };
    let live = state.live_for_long();
    let question = match open(&body, &live, state.now()) {
        Ok(question) => question,
        Err(cause) => return refuse(&cause),
    };
    let grants = match count(question.count_grants_of, &state).await {
        Ok(grants) => grants,
        Err(unavailable) => return error_response::render(&request, &OAuthError::from(unavailable)),
    };
    let (nonce, version) = (question.nonce, env!("CARGO_PKG_VERSION").to_owned());
    let answer = Answer { nonce, version, fingerprints: live.fingerprints.clone(), grants };
    let sealed = answer.seal(&live.sealing, state.now(), &*state.random);
    HttpResponse::Ok().insert_header(("cache-control", "no-store")).content_type("text/plain").body(sealed)
}

fn open(body: &[u8], live: &Live, now: Timestamp) -> Result<Question, String> {
    let text = std::str::from_utf8(body).map_err(|_| "it is no text".to_owned())?;
    let question = Question::open(&live.sealing, text).map_err(|refused| refused.to_string())?;
    if now.since(question.asked_at) > LIFETIME || question.asked_at.since(now) > LIFETIME {
        return Err("it is too old, or a clock is wrong".to_owned());
    }
    if question.count_grants_of.len() > MOST_COUNTED {
        return Err("it has too many clients".to_owned());
    }
    Ok(question)
}

fn refuse(cause: &str) -> HttpResponse {
    tracing::info!(error.cause = cause, "a question about the configuration was refused");
    HttpResponse::Forbidden()
        .content_type("text/plain")
        .body("This is for whoever has the sealing keys of this server.\n")
}

async fn count(clients: BTreeSet<String>, state: &State) -> Result<BTreeMap<String, u64>, StoreUnavailable> {
    let mut counted = BTreeMap::new();
    if clients.is_empty() {
        return Ok(counted);
    }
    let (clients, now) = (Arc::new(clients), state.now());
    let mut after = None;
    loop {
        let slice = state.stores.grants.count_live(Arc::clone(&clients), now, after, SLICE).await?;
        for (client_id, count) in slice.live {
            *counted.entry(client_id).or_default() += count;
        }
        after = slice.reached;
        if after.is_none() {
            return Ok(counted);
        }
    }
}
