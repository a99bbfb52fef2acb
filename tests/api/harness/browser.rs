//! A person's browser, as far as our pages need one: it keeps cookies, fills in forms, and follows redirects as long as
//! they stay with our server. An answer to a client ends the walk.

use actix_web::cookie::Cookie;
use actix_web::cookie::time::Duration;
use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, RequestBuilder};

use super::page::Form;
use super::{Answer, TestServer};

/// What browsers say of a form that a page of the same origin sends. Our pages have the policy `no-referrer`, which makes
/// the origin `null` (Fetch Standard, "append a request `Origin` header").
pub(crate) const FROM_OUR_PAGE: [(&str, &str); 2] = [("origin", "null"), ("sec-fetch-site", "same-origin")];

/// A browser. A clone is somebody who has copied its cookies.
#[derive(Clone)]
pub(crate) struct Browser {
    http: Client,
    /// Where the server listens.
    server: String,
    /// Where a person sees it: the issuer's origin, which is another one behind a proxy.
    origin: String,
    cookies: Vec<Cookie<'static>>,
}

impl TestServer {
    /// A browser that has never been here.
    pub(crate) fn browser(&self) -> Browser {
        self.browser_at(&self.url(""))
    }

    /// A browser that comes to the server by a proxy, which is `origin` to it.
    pub(crate) fn browser_at(&self, origin: &str) -> Browser {
        Browser { origin: origin.to_owned(), ..Browser::new(self.http(), &self.url("")) }
    }
}

impl Browser {
    /// A browser that has never been at the server that listens at `server`.
    pub(crate) fn new(http: &Client, server: &str) -> Self {
        Self { http: http.clone(), server: server.to_owned(), origin: server.to_owned(), cookies: Vec::new() }
    }

    /// Opens a path of the server, as somebody does who follows a client's link.
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let request = self.http.get(format!("{}{path}", self.server)).header("sec-fetch-site", "cross-site");
        self.send(request).await
    }

    /// Sends a form of a page that the server showed.
    pub(crate) async fn submit(&mut self, form: &Form) -> Answer {
        self.submit_from(&FROM_OUR_PAGE, form).await
    }

    /// Sends a form, and stops at the first answer.
    pub(crate) async fn submit_once(&mut self, form: &Form) -> Answer {
        let request = self.post(&FROM_OUR_PAGE, form);
        self.call(request).await
    }

    /// Sends a form, with what the browser says about the page that it is on.
    pub(crate) async fn submit_from(&mut self, page: &[(&str, &str)], form: &Form) -> Answer {
        let request = self.post(page, form);
        self.send(request).await
    }

    fn post(&self, page: &[(&str, &str)], form: &Form) -> RequestBuilder {
        let path = form.action.strip_prefix(&self.origin).unwrap_or_else(|| panic!("it goes to {}", form.action));
        let mut request = self.http.post(format!("{}{path}", self.server)).body(form.encoded());
        request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in page {
            request = request.header(*name, *value);
        }
        request
    }

    async fn send(&mut self, request: RequestBuilder) -> Answer {
        let mut answer = self.call(request).await;
        // Enough for any of our ways, and an end to a loop.
        for _ in 0..5 {
            let Some(path) = self.path_of_redirect(&answer) else { return answer };
            answer = self.call(self.http.get(format!("{}{path}", self.server))).await;
        }
        panic!("redirects without an end: {answer:?}");
    }

    async fn call(&mut self, request: RequestBuilder) -> Answer {
        let pairs: Vec<_> = self.cookies.iter().map(|cookie| cookie.stripped().to_string()).collect();
        let answer =
            Answer::of(if pairs.is_empty() { request } else { request.header(COOKIE, pairs.join("; ")) }).await;
        for cookie in answer.cookies() {
            self.keep(cookie);
        }
        answer
    }

    fn path_of_redirect(&self, answer: &Answer) -> Option<String> {
        let location = answer.headers.get(LOCATION)?.to_str().expect("ASCII");
        let path = location.strip_prefix(&self.origin)?;
        path.starts_with('/').then(|| path.to_owned())
    }

    /// What a browser refuses (the storage model of RFC 6265bis) ends the test. Ours are for the whole site.
    fn keep(&mut self, cookie: Cookie<'static>) {
        let (is_secure, path) = (cookie.secure() == Some(true), cookie.path());
        assert_eq!(path, Some("/"), "{cookie}");
        assert!(!is_secure || self.origin.starts_with("https://"), "a browser refuses {cookie}");
        let is_bound = is_secure && cookie.domain().is_none();
        assert!(is_bound || !cookie.name().starts_with("__Host-"), "a browser refuses {cookie}");
        assert!(cookie.to_string().len() <= 4096, "a browser refuses {cookie}");
        self.cookies.retain(|kept| kept.name() != cookie.name());
        if cookie.max_age().is_none_or(Duration::is_positive) {
            self.cookies.push(cookie);
        }
    }

    /// The value of the cookie whose name holds `name`.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|cookie| cookie.name().contains(name)).map(Cookie::value)
    }

    /// Removes the cookie whose name holds `name`, if there is one.
    pub(crate) fn forget(&mut self, name: &str) {
        self.cookies.retain(|cookie| !cookie.name().contains(name));
    }

    /// Puts another value into the cookie whose name holds `name`.
    pub(crate) fn plant(&mut self, name: &str, value: &str) {
        let cookie = self.cookies.iter_mut().find(|cookie| cookie.name().contains(name)).expect("a cookie");
        cookie.set_value(value.to_owned());
    }
}

impl Answer {
    /// The cookies that an answer sets.
    pub(crate) fn cookies(&self) -> Vec<Cookie<'static>> {
        let values = self.headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().expect("ASCII"));
        values.map(|value| Cookie::parse(value.to_owned()).expect("a cookie")).collect()
    }
}
