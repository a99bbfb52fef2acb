//! Which request this thread is answering, for the log: any room may write a line, and each line says what it is about.
//!
//! A span of `tracing` says the same, but is made, written and thrown away for each of the many requests of which no line
//! is ever written; that took a sixth of what a token request takes besides its signature. So a request has a span only
//! where somebody wants to see the finest lines, and everywhere else this, which costs next to nothing until a line is
//! written.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use uuid::Uuid;

thread_local! {
    static CURRENT: RefCell<Option<Rc<RequestScope>>> = const { RefCell::new(None) };
}

/// What the log says of a request: never its query, a header or its body.
#[derive(Debug)]
pub struct RequestScope {
    id: Uuid,
    method: Cow<'static, str>,
    route: Option<String>,
    client_id: RefCell<Option<Arc<str>>>,
    grant_type: Cell<Option<&'static str>>,
}

impl RequestScope {
    /// Of a request that is called `id`. The route is the pattern that matched, none where a path is not ours.
    pub fn new(id: Uuid, method: Cow<'static, str>, route: Option<String>) -> Rc<Self> {
        Rc::new(Self { id, method, route, client_id: RefCell::default(), grant_type: Cell::default() })
    }

    /// Of the request that this thread is answering, if it is.
    pub fn current() -> Option<Rc<Self>> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// What it is called, in the log and in its answer.
    pub const fn id(&self) -> Uuid {
        self.id
    }

    /// The pattern that matched.
    pub fn route(&self) -> Option<&str> {
        self.route.as_deref()
    }

    /// Waits for an answer to this request: whatever is logged meanwhile is about it.
    pub async fn hold<T>(self: &Rc<Self>, answering: impl Future<Output = T>) -> T {
        let mut answering = pin!(answering);
        poll_fn(|context| {
            let _entered = Entered::new(Some(Rc::clone(self)));
            answering.as_mut().poll(context)
        })
        .await
    }

    /// Tells every field that is known by now: its name and its value.
    pub fn tell(&self, mut tell: impl FnMut(&'static str, &str)) {
        tell("request.id", self.id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
        tell("http.method", &self.method);
        if let Some(route) = &self.route {
            tell("http.route", route);
        }
        if let Some(client_id) = &*self.client_id.borrow() {
            tell("client.id", client_id);
        }
        if let Some(grant_type) = self.grant_type.get() {
            tell("grant.type", grant_type);
        }
    }
}

/// Notes which client the request comes from that this thread is answering.
pub fn note_client(client_id: Arc<str>) {
    tracing::Span::current().record("client.id", &*client_id);
    if let Some(scope) = RequestScope::current() {
        *scope.client_id.borrow_mut() = Some(client_id);
    }
}

/// Notes which grant type it asks for.
pub fn note_grant_type(grant_type: &'static str) {
    tracing::Span::current().record("grant.type", grant_type);
    if let Some(scope) = RequestScope::current() {
        scope.grant_type.set(Some(grant_type));
    }
}

/// For as long as this lives, the thread is about another request, or about none.
#[derive(Debug)]
pub struct Entered {
    before: Option<Rc<RequestScope>>,
}

impl Entered {
    /// What is logged from now on is about the request of `scope`.
    pub fn new(scope: Option<Rc<RequestScope>>) -> Self {
        Self { before: CURRENT.replace(scope) }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.before.take());
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn scope(number: u128) -> Rc<RequestScope> {
        RequestScope::new(Uuid::from_u128(number), "GET".into(), None)
    }

    fn current() -> Option<u128> {
        RequestScope::current().map(|scope| scope.id.as_u128())
    }

    #[test]
    fn requests_that_wait_on_one_thread_do_not_get_mixed_up() {
        let (one, two) = (scope(1), scope(2));
        let waiting = async |expected: u128| {
            let mut polls = 0;
            poll_fn(|_| {
                assert_eq!(current(), Some(expected));
                polls += 1;
                if polls == 3 { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        };
        let (mut first, mut second) = (pin!(one.hold(waiting(1))), pin!(two.hold(waiting(2))));
        let context = &mut Context::from_waker(Waker::noop());
        for _ in 0..2 {
            assert_eq!((first.as_mut().poll(context), current()), (Poll::Pending, None));
            assert_eq!((second.as_mut().poll(context), current()), (Poll::Pending, None));
        }
        assert_eq!((second.as_mut().poll(context), first.as_mut().poll(context)), (Poll::Ready(()), Poll::Ready(())));
    }

    #[test]
    fn what_is_noted_is_about_the_request_that_is_being_answered() {
        note_client("nobody".into());
        let (outer, inner) = (scope(1), scope(2));
        let entered = Entered::new(Some(Rc::clone(&outer)));
        {
            let _entered = Entered::new(Some(Rc::clone(&inner)));
            note_client("s6BhdRkqt3".into());
        }
        note_grant_type("password");
        drop(entered);
        let told = |scope: &RequestScope| {
            let mut fields = Vec::new();
            scope.tell(|name, value| fields.push(format!("{name}={value}")));
            fields[1..].join(" ")
        };
        assert_eq!(told(&outer), "http.method=GET grant.type=password");
        assert_eq!(told(&inner), "http.method=GET client.id=s6BhdRkqt3");
        assert_eq!(current(), None);
    }
}
