//! A fetcher for tests: it answers what it was told to, and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::http_fetcher::{Fetch, FetchAnswer, FetchFailed, FetchRequest, Fetching};

/// Answers in the order in which they were added; where none is left the issuer is away.
#[derive(Debug, Clone, Default)]
pub(super) struct Script(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    answers: Mutex<VecDeque<FetchAnswer>>,
    asked: Mutex<Vec<(String, Option<String>)>>,
    gate: Mutex<Option<Arc<Notify>>>,
}

impl Script {
    pub(super) fn answer(&self, answer: FetchAnswer) {
        self.0.answers.lock().expect("no panic").push_back(answer);
    }

    /// What was asked for, with the validator that went along.
    pub(super) fn asked(&self) -> Vec<(String, Option<String>)> {
        self.0.asked.lock().expect("no panic").clone()
    }

    /// Every fetch from now on waits at this gate.
    pub(super) fn hold(&self) -> Arc<Notify> {
        let gate = Arc::new(Notify::new());
        *self.0.gate.lock().expect("no panic") = Some(Arc::clone(&gate));
        gate
    }
}

impl Fetch for Script {
    fn fetch<'a>(&'a self, request: FetchRequest<'a>) -> Fetching<'a> {
        let asked = (request.url.to_owned(), request.if_none_match.map(str::to_owned));
        self.0.asked.lock().expect("no panic").push(asked);
        let gate = self.0.gate.lock().expect("no panic").clone();
        Box::pin(async move {
            if let Some(gate) = gate {
                gate.notified().await;
            }
            let next = self.0.answers.lock().expect("no panic").pop_front();
            next.ok_or_else(|| FetchFailed("the issuer is away".to_owned()))
        })
    }
}

/// A 200 with a body.
pub(super) fn ok(body: impl Into<String>) -> FetchAnswer {
    FetchAnswer { status: 200, body: body.into().into_bytes(), ..FetchAnswer::default() }
}
