//! The API that the playground calls: a person's notes, protected by access tokens that are verified offline (RFC 9068 §4).
//!
//! A refusal is the answer of RFC 6750 §3. Nothing is written to disk, and little is kept: a note is short, and only the
//! newest stay.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Json, JsonConfig, ServiceConfig};
use serde::Deserialize;
use serde_json::json;

use crate::resource_server::actix::{Authorized, Protection, RequiredScope};
use crate::resource_server::{InvalidVerifier, ProtectedResource, Verifier};

use super::{API, Playground};

/// How many notes one subject has; the oldest goes.
const MOST_NOTES: usize = 10;
/// The longest note, in characters.
const LONGEST_NOTE: usize = 100;
/// The largest body, in bytes.
const LARGEST_BODY: usize = 1024;

struct Read;

impl RequiredScope for Read {
    const SCOPE: &'static str = "read";
}

struct Write;

impl RequiredScope for Write {
    const SCOPE: &'static str = "write";
}

struct Delete;

impl RequiredScope for Delete {
    const SCOPE: &'static str = super::DELETE;
}

/// The notes of every subject.
#[derive(Default)]
pub(super) struct Notes(Mutex<BTreeMap<String, Vec<String>>>);

#[derive(Deserialize)]
struct NewNote {
    text: String,
}

impl Notes {
    /// Does something with the notes of one subject, who begins with one.
    fn of<T>(&self, subject: &str, act: impl FnOnce(&mut Vec<String>) -> T) -> T {
        // No step between the lock and its end leaves the notes half changed.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        act(all.entry(subject.to_owned()).or_insert_with(|| vec!["Try Jotsmith".to_owned()]))
    }
}

/// What takes the tokens of the playground.
pub(super) fn protection(playground: &Playground) -> Result<Protection, InvalidVerifier> {
    // One machine has one clock, and the page counts down to the very second.
    let verifier = Verifier::builder(&playground.issuer, &playground.resource).leeway(Duration::ZERO).build()?;
    let resource = ProtectedResource::new(&playground.resource, &playground.issuer);
    let protection = Protection::new(verifier);
    Ok(match resource {
        Ok(resource) => protection.with_metadata(&resource.name("The notes of the demo")),
        // Only an identifier that is no URL of this machine has no metadata; tokens are verified all the same.
        Err(_) => protection,
    })
}

pub(super) fn configure(config: &mut ServiceConfig, protection: &Protection) {
    let notes = web::resource(format!("{API}/notes"))
        .app_data(JsonConfig::default().limit(LARGEST_BODY).error_handler(|error, _| {
            let answer = bad_note();
            actix_web::error::InternalError::from_response(error, answer).into()
        }))
        .route(web::get().to(read))
        .route(web::post().to(write))
        .route(web::delete().to(delete));
    protection.configure(config);
    config.service(notes);
}

async fn read(token: Authorized<Read>, notes: Data<Notes>) -> HttpResponse {
    let notes = notes.of(token.subject(), |notes| notes.clone());
    HttpResponse::Ok().json(json!({ "subject": token.subject(), "notes": notes }))
}

async fn write(token: Authorized<Write>, notes: Data<Notes>, note: Json<NewNote>) -> HttpResponse {
    let NewNote { text } = note.into_inner();
    if text.trim().is_empty() || text.chars().count() > LONGEST_NOTE {
        return bad_note();
    }
    notes.of(token.subject(), |notes| {
        notes.push(text.clone());
        let surplus = notes.len().saturating_sub(MOST_NOTES);
        notes.drain(..surplus);
    });
    HttpResponse::Created().json(json!({ "subject": token.subject(), "note": text }))
}

async fn delete(token: Authorized<Delete>, notes: Data<Notes>) -> HttpResponse {
    notes.of(token.subject(), Vec::clear);
    HttpResponse::NoContent().finish()
}

fn bad_note() -> HttpResponse {
    let text = format!("Send JSON with \"text\", 1 to {LONGEST_NOTE} characters.");
    HttpResponse::BadRequest().json(json!({ "error": "bad_note", "error_description": text }))
}
