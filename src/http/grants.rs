//! `/admin/grants`: what people have allowed, and its end by person, by client, or both. See [`super::admin`] for who may.
//!
//! Shown is never a token, nor anything from which one could be made. A parameter that is unknown, empty or there twice is
//! refused: one that was meant and not understood would show, or end, more than was meant.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clients::ClientId;
use crate::login::account::is_subject;
use crate::protocol::error::{ErrorCode, OAuthError};
use crate::tokens::grant::Grant;
use crate::tokens::store::Whose;

use super::headers::not_stored;
use super::state::State;
use super::{admin, error_response};

/// The path on the admin port.
pub const PATH: &str = "/admin/grants";

/// How many grants one page has at most.
pub const LONGEST_PAGE: usize = 1000;

/// How many it has where nobody says.
const PAGE: usize = 100;

/// How many records are looked at in one step of the store.
const SLICE: usize = 500;

/// How many slices are looked at for one page: about a tenth of a second. A page may so have fewer grants than were asked
/// for, and none; the last one is the one without `next`.
const SLICES: usize = 200;

/// A grant as it is shown. Times are RFC 3339 in UTC.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownGrant {
    /// Its name.
    pub id: Uuid,
    /// Who was allowed something.
    pub client_id: String,
    /// Who allowed it.
    pub subject: String,
    /// What.
    pub scope: String,
    /// Where.
    pub resources: Vec<String>,
    /// Since when.
    pub created_at: String,
    /// When it was last refreshed, if it ever was.
    pub refreshed_at: Option<String>,
    /// When it ends unless it is refreshed before.
    pub expires_at: String,
    /// When it was taken back, if it was.
    pub revoked_at: Option<String>,
}

impl ShownGrant {
    fn of(grant: &Grant) -> Self {
        Self {
            id: grant.id,
            client_id: grant.client_id.as_str().to_owned(),
            subject: grant.subject.as_ref().to_owned(),
            scope: grant.scope.to_string(),
            resources: grant.resources.iter().map(|resource| resource.as_str().to_owned()).collect(),
            created_at: grant.created_at.to_string(),
            refreshed_at: (grant.generation > 0).then(|| grant.rotated_at.to_string()),
            expires_at: grant.expires_at.min(grant.absolute_expires_at).to_string(),
            revoked_at: grant.revoked_at.map(|at| at.to_string()),
        }
    }
}

/// What `GET` answers.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// In the order in which they were made.
    pub grants: Vec<ShownGrant>,
    /// The `after` of the next page; none: this is the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Uuid>,
}

/// What `DELETE` answers.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Grants that were revoked, and might still have been used.
    pub revoked_grants: u64,
    /// Codes that were removed before anybody redeemed them.
    pub removed_codes: u64,
    /// Whether every session, pending request and remembered consent of the subject was ended as well.
    pub ended_sessions: bool,
}

/// What is asked for.
#[derive(Debug, Default)]
struct Asked {
    subject: Option<Arc<str>>,
    client_id: Option<Arc<str>>,
    after: Option<Uuid>,
    limit: Option<usize>,
}

/// Why a query is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum BadQuery {
    #[error("a parameter is unknown")]
    Unknown,
    #[error("a parameter is repeated")]
    Repeated,
    #[error("a parameter is empty or malformed")]
    Malformed,
    #[error("neither subject nor client_id is there")]
    Nobody,
}

impl From<BadQuery> for OAuthError {
    fn from(reason: BadQuery) -> Self {
        let description = match reason {
            BadQuery::Unknown => "A parameter is unknown.",
            BadQuery::Repeated => "A parameter is sent more than once.",
            BadQuery::Malformed => "A parameter is empty or malformed.",
            BadQuery::Nobody => "Name a subject, a client_id, or both.",
        };
        Self::new(ErrorCode::InvalidRequest, description).because(reason)
    }
}

impl Asked {
    fn parse(query: &str) -> Result<Self, BadQuery> {
        let mut asked = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let is_first = match &*name {
                "subject" if is_subject(&value) => asked.subject.replace(value.as_ref().into()).is_none(),
                "client_id" if ClientId::parse(&value).is_ok() => {
                    asked.client_id.replace(value.as_ref().into()).is_none()
                }
                "after" => asked.after.replace(value.parse().map_err(|_| BadQuery::Malformed)?).is_none(),
                "limit" => asked.limit.replace(limit(&value).ok_or(BadQuery::Malformed)?).is_none(),
                "subject" | "client_id" => return Err(BadQuery::Malformed),
                _ => return Err(BadQuery::Unknown),
            };
            if !is_first {
                return Err(BadQuery::Repeated);
            }
        }
        Ok(asked)
    }
}

fn limit(text: &str) -> Option<usize> {
    text.parse().ok().filter(|limit| (1..=LONGEST_PAGE).contains(limit))
}

/// `GET /admin/grants?subject=..&client_id=..&after=..&limit=..`.
pub(super) async fn list(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let live = state.live_for_long();
    if let Err(denied) = admin::admit(&request, &live, state.now()) {
        return denied.render(&live);
    }
    let page = match Asked::parse(request.query_string()) {
        Ok(asked) => page(asked, &state).await,
        Err(refused) => Err(refused.into()),
    };
    page.map_or_else(|error| error_response::render(&request, &error), |page| not_stored(StatusCode::OK).json(page))
}

async fn page(asked: Asked, state: &State) -> Result<Page, OAuthError> {
    let (whose, limit) = (Whose::of(asked.subject, asked.client_id), asked.limit.unwrap_or(PAGE));
    let (mut grants, mut next) = (Vec::new(), asked.after);
    for _ in 0..SLICES {
        let found = state.stores.grants.find_grants(whose.clone(), next, SLICE).await?;
        let room = limit - grants.len();
        grants.extend(found.grants.iter().take(room).map(ShownGrant::of));
        let is_cut = found.grants.len() > room;
        next = if is_cut { grants.last().map(|last| last.id) } else { found.reached };
        if next.is_none() || grants.len() == limit {
            break;
        }
        // The store has answered without waiting, and health is asked for on this thread too.
        tokio::task::yield_now().await;
    }
    Ok(Page { grants, next })
}

/// `DELETE /admin/grants?subject=..&client_id=..`: with a subject alone, all of that person's sessions, pending requests
/// and remembered consents are ended too.
pub(super) async fn revoke(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let live = state.live_for_long();
    let operator = match admin::admit(&request, &live, state.now()) {
        Ok(operator) => operator,
        Err(denied) => return denied.render(&live),
    };
    let ended = match whose(request.query_string()) {
        Ok(whose) => end(whose, &operator, &state).await,
        Err(refused) => Err(refused.into()),
    };
    ended.map_or_else(|error| error_response::render(&request, &error), |ended| not_stored(StatusCode::OK).json(ended))
}

fn whose(query: &str) -> Result<Whose, BadQuery> {
    match Asked::parse(query)? {
        Asked { subject, client_id, after: None, limit: None } => Whose::of(subject, client_id).ok_or(BadQuery::Nobody),
        Asked { .. } => Err(BadQuery::Unknown),
    }
}

async fn end(whose: Whose, operator: &str, state: &State) -> Result<Ended, OAuthError> {
    let now = state.now();
    let ended_sessions = if let Whose::Subject(subject) = &whose {
        // First of all, and in one step: from here on nothing of this person is good, whatever becomes of the rest.
        state.stores.sessions.end_all(subject, now).await?;
        true
    } else {
        false
    };
    let taken = state.stores.grants.revoke_where(whose, now).await?;
    // Not of whom: the log has no people in it.
    tracing::warn!(operator, grants = taken.grants, codes = taken.codes, ended_sessions, "grants were revoked");
    Ok(Ended { revoked_grants: taken.grants, removed_codes: taken.codes, ended_sessions })
}
