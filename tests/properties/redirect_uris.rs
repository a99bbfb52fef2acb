//! Redirect URIs: nothing but what was registered is accepted, and an answer's parameters come back as they were sent.

use jotsmith::protocol::redirect_uri::{ApplicationType, RedirectUri};
use proptest::prelude::*;
use url::Url;

fn application_types() -> impl Strategy<Value = ApplicationType> {
    prop::sample::select(&ApplicationType::ALL[..])
}

/// Redirect URIs that may be registered.
fn redirect_uris() -> impl Strategy<Value = RedirectUri> {
    let origins = prop_oneof![
        "https://[a-z]{1,8}\\.example(:8[0-9]{3})?",
        "http://(127\\.0\\.0\\.1|\\[::1\\]|localhost)(:[1-9][0-9]{3})?",
        "com\\.[a-z]{1,8}:",
    ];
    let whole = (origins, "/[a-zA-Z0-9/._~-]{0,12}", "(\\?[a-b]=[a-z0-9%2F]{0,6})?");
    whole.prop_filter_map("may not be registered", |(origin, path, query)| {
        RedirectUri::parse(&format!("{origin}{path}{query}")).ok()
    })
}

/// Loopback redirect URIs as host and as path with query, without a port.
fn loopback() -> impl Strategy<Value = (&'static str, String)> {
    (prop::sample::select(&["127.0.0.1", "[::1]", "localhost"][..]), "/[a-z]{0,8}(\\?[a-b]=[a-z]{0,4})?")
}

/// `text` with one character replaced, dropped or added.
fn with_one_change(text: &str, at: prop::sample::Index, change: &Change) -> String {
    let at = at.index(text.len());
    let (before, after) = text.split_at(at);
    match change {
        Change::Replace(by) => format!("{before}{by}{}", &after[1..]),
        Change::Drop => format!("{before}{}", &after[1..]),
        Change::Add(what) => format!("{before}{what}{after}"),
    }
}

#[derive(Debug, Clone)]
enum Change {
    Replace(char),
    Drop,
    Add(char),
}

fn changes() -> impl Strategy<Value = Change> {
    let character = || prop::char::range(' ', '~');
    prop_oneof![character().prop_map(Change::Replace), Just(Change::Drop), character().prop_map(Change::Add)]
}

proptest! {
    #[test]
    fn no_text_panics_and_what_is_registered_is_kept_as_it_is(text in "\\PC{0,40}") {
        if let Ok(uri) = RedirectUri::parse(&text) {
            prop_assert_eq!(uri.as_str(), text);
        }
    }

    #[test]
    fn what_is_registered_is_where_a_browser_goes(uri in redirect_uris()) {
        let url = Url::parse(uri.as_str()).expect("a browser reads it");
        prop_assert!(url.fragment().is_none() && url.username().is_empty());
        match url.scheme() {
            "https" => prop_assert!(!uri.is_loopback() && !uri.is_private_use()),
            "http" => prop_assert!(matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"))),
            scheme => prop_assert!(scheme.contains('.') && uri.is_private_use()),
        }
    }

    #[test]
    fn a_web_client_may_name_the_registered_text_and_no_other(
        uri in redirect_uris(),
        at: prop::sample::Index,
        change in changes(),
    ) {
        prop_assert!(uri.matches(uri.as_str(), ApplicationType::Web));
        let other = with_one_change(uri.as_str(), at, &change);
        prop_assert_eq!(uri.matches(&other, ApplicationType::Web), other == uri.as_str());
    }

    #[test]
    fn a_native_client_may_change_the_port_on_loopback_and_nothing_else(
        uri in redirect_uris(),
        at: prop::sample::Index,
        change in changes(),
    ) {
        let other = with_one_change(uri.as_str(), at, &change);
        if uri.matches(&other, ApplicationType::Native) && other != uri.as_str() {
            prop_assert!(uri.is_loopback());
            let without_port = |text: &str| {
                let mut url = Url::parse(text).expect("a URL");
                url.set_port(None).expect("it has a host");
                url
            };
            prop_assert_eq!(without_port(&other), without_port(uri.as_str()));
        }
    }

    #[test]
    fn a_native_client_on_loopback_may_have_any_port((host, rest) in loopback(), one: u16, other: u16) {
        let [one, other] = [one.max(1), other.max(1)].map(|port| format!("http://{host}:{port}{rest}"));
        // Port 80 is not written in a URI's normal form.
        let Ok(registered) = RedirectUri::parse(&one) else { return Ok(()) };
        prop_assert!(registered.matches(&other, ApplicationType::Native));
        prop_assert_eq!(registered.matches(&other, ApplicationType::Web), one == other);
    }

    #[test]
    fn what_was_accepted_is_where_the_answer_goes(uri in redirect_uris(), kind in application_types()) {
        let target = uri.accept(uri.as_str(), kind).expect("accepted");
        prop_assert_eq!(target.as_str(), uri.as_str());
        prop_assert_eq!(target, uri.as_target());
    }

    #[test]
    fn parameters_come_back_as_they_were_added_behind_those_that_were_there(
        uri in redirect_uris(),
        values in prop::collection::vec("\\PC{0,20}", 0..4),
    ) {
        let location = uri.as_target().with_query(values.iter().map(|value| ("state", value.as_str())));
        prop_assert!(location.starts_with(uri.as_str()));
        prop_assert!(location.bytes().all(|byte| byte.is_ascii_graphic()));

        let url = Url::parse(&location).expect("a browser reads it");
        let back: Vec<String> =
            url.query_pairs().filter(|(name, _)| name == "state").map(|(_, value)| value.into_owned()).collect();
        prop_assert_eq!(back, values);
        let registered = Url::parse(uri.as_str()).expect("a URL");
        let before: Vec<_> = registered.query_pairs().collect();
        prop_assert!(url.query_pairs().take(before.len()).eq(before));
    }
}
