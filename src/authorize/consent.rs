//! Consent: whether a person must be asked, and what is remembered of an answer.
//!
//! What is remembered lies in one sealed cookie and nowhere else. It is for one person, one client as that person saw
//! it, and one redirect URI, and it covers no more scope and no more resources than were consented to.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::foundation::clock::Timestamp;
use crate::foundation::digest::{SHA256_BYTES, sha256};
use crate::protocol::resource::ResourceIndicator;
use crate::protocol::response_type::ResponseType;
use crate::protocol::scope::Scope;

use super::request::AuthorizationRequest;

/// How long a consent is remembered at most.
pub const LONGEST_CONSENT: Duration = Duration::from_hours(90 * 24);

/// How many consents one cookie holds.
const MOST_CONSENTS: usize = 16;

/// How many bytes of consents one cookie holds. Browsers keep cookies of 4,096 bytes (RFC 6265 §6.1); sealing and
/// base64url add a third.
const MOST_BYTES: usize = 2_600;

/// Whether the client that receives the answer is surely the one that is registered.
///
/// RFC 8252 §8.6: a public client on loopback or with a private-use scheme may be any program on that device, so the
/// person is asked each time, whatever was consented to or configured before. The same holds for every client that is
/// sent an access token: nobody asks for its secret.
pub fn is_client_assured(request: &AuthorizationRequest) -> bool {
    let is_proof_asked = match request.terms().response_type {
        ResponseType::Code => !request.client().is_public(),
        ResponseType::Token => false,
    };
    is_proof_asked || !request.to().target.is_claimable()
}

/// One consent that is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedConsent {
    /// A digest of who consented, to which client, and where its answers go.
    binding: [u8; SHA256_BYTES],
    scope: Scope,
    /// What was asked for and left out. It is left out again, without a question.
    left_out: Scope,
    resources: Vec<ResourceIndicator>,
    given_at: Timestamp,
    /// All consents of the person from this time and before had been ended when it was given.
    valid_from: Option<Timestamp>,
}

impl RememberedConsent {
    /// The consent that the person `subject` has given `now` to all that a request asks for but `left_out`; `None` where it
    /// must not be remembered.
    pub fn given(request: &AuthorizationRequest, left_out: &Scope, subject: &str, now: Timestamp) -> Option<Self> {
        let asked = &request.terms().scope;
        is_client_assured(request).then(|| Self {
            binding: binding(request, subject),
            scope: asked.tokens().filter(|token| !left_out.contains(token)).collect(),
            left_out: asked.intersection(left_out),
            resources: request.terms().resources.clone(),
            given_at: now,
            valid_from: None,
        })
    }

    /// The same, given after all consents of the person from `valid_from` and before had been ended.
    #[must_use]
    pub fn after(self, valid_from: Option<Timestamp>) -> Self {
        Self { valid_from, ..self }
    }

    /// What the person `subject` left out of what a request asks for, where they have answered all of it. All consents of
    /// this person from `valid_from` and before were ended.
    fn covers(
        &self,
        request: &AuthorizationRequest,
        subject: &str,
        valid_from: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Scope> {
        let terms = request.terms();
        let left_out = terms.scope.intersection(&self.left_out);
        // Where all of it was left out, asking again is the only way to have any; where some of it may no longer be left
        // out, it is another question.
        let is_something_left = terms.scope.is_empty() || !terms.scope.is_subset_of(&self.left_out);
        let is_answer = self.is_live(now)
            && self.is_of(request, subject, valid_from)
            && terms.scope.tokens().all(|token| self.scope.contains(token) || left_out.contains(token))
            && is_something_left
            && left_out.is_subset_of(&request.optional_scope())
            && terms.resources.iter().all(|resource| self.resources.contains(resource));
        is_answer.then_some(left_out)
    }

    /// Whether it is this person's about this client and way back, and was not ended since: also not by an end that is
    /// later and says an earlier time, as a clock was ahead when the consent was given.
    fn is_of(&self, request: &AuthorizationRequest, subject: &str, valid_from: Option<Timestamp>) -> bool {
        let is_ended = valid_from > self.valid_from || valid_from >= Some(self.given_at);
        !is_ended && self.binding == binding(request, subject)
    }

    fn is_live(&self, now: Timestamp) -> bool {
        !self.given_at.is_ahead_of(now) && now.since(self.given_at) <= LONGEST_CONSENT
    }

    /// Whether this one, which is younger, stands for `other`: nothing of it is lost, or the person has changed their mind
    /// about some of it.
    fn replaces(&self, other: &Self) -> bool {
        let is_now = |one: &Scope, other: &Scope| !one.intersection(other).is_empty();
        let is_other_mind = is_now(&self.left_out, &other.scope) || is_now(&self.scope, &other.left_out);
        self.binding == other.binding && (self.includes(other) || is_other_mind)
    }

    /// Whether nothing of `other` is lost when this one stands for it.
    fn includes(&self, other: &Self) -> bool {
        other.scope.is_subset_of(&self.scope)
            && other.resources.iter().all(|resource| self.resources.contains(resource))
    }

    /// About as many bytes as it has in the cookie.
    fn weight(&self) -> usize {
        let scope: usize = self.scope.tokens().chain(self.left_out.tokens()).map(|token| token.len() + 1).sum();
        let resources: usize = self.resources.iter().map(|resource| resource.as_str().len() + 2).sum();
        SHA256_BYTES + 2 * size_of::<Timestamp>() + 7 + scope + resources
    }
}

/// The consents of one browser, the latest first, as they are sealed into its cookie. Never more than fit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RememberedConsents(Vec<RememberedConsent>);

impl RememberedConsents {
    /// What the person `subject` left out of what a request asks for, where they have answered all of it in one consent;
    /// `None`: they have not. All consents of this person from `valid_from` and before were ended.
    pub fn cover(
        &self,
        request: &AuthorizationRequest,
        subject: &str,
        valid_from: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Scope> {
        // The latest answer counts.
        self.0.iter().find_map(|consent| consent.covers(request, subject, valid_from, now))
    }

    /// Whether the person `subject` left out some of what a request asks for, and may still: so they must be asked.
    pub fn was_left_out(
        &self,
        request: &AuthorizationRequest,
        subject: &str,
        valid_from: Option<Timestamp>,
        now: Timestamp,
    ) -> bool {
        let optional = request.optional_scope();
        let is_left_out = |consent: &RememberedConsent| !consent.left_out.intersection(&optional).is_empty();
        let mut own =
            self.0.iter().filter(|consent| consent.is_live(now) && consent.is_of(request, subject, valid_from));
        own.any(is_left_out)
    }

    /// Adds a consent that was just given. What it replaces and what has ended goes, then the oldest until all fit. One
    /// that is too large by itself is not remembered.
    pub fn remember(&mut self, consent: RememberedConsent) {
        if consent.weight() > MOST_BYTES {
            return;
        }
        let now = consent.given_at;
        self.0.retain(|old| old.is_live(now) && !consent.replaces(old));
        self.0.insert(0, consent);
        self.0.sort_by_key(|consent| std::cmp::Reverse(consent.given_at));
        let mut bytes = 0;
        let fitting = self.0.iter().take(MOST_CONSENTS).take_while(|consent| {
            bytes += consent.weight();
            bytes <= MOST_BYTES
        });
        self.0.truncate(fitting.count());
    }
}

/// Who consents, to whom as the person sees it, and what goes where. Every part has its length before it, so that
/// no two give the same digest.
fn binding(request: &AuthorizationRequest, subject: &str) -> [u8; SHA256_BYTES] {
    let client = request.client();
    let parts = [
        subject,
        client.id.as_str(),
        request.to().target.as_str(),
        client.name.as_deref().unwrap_or_default(),
        client.appearance.logo.as_ref().map_or("", |logo| logo.name()),
        client.appearance.client_uri.as_deref().unwrap_or_default(),
        client.appearance.policy_uri.as_deref().unwrap_or_default(),
        client.appearance.tos_uri.as_deref().unwrap_or_default(),
        client.authorization.application_type.as_str(),
        if client.is_public() { "public" } else { "confidential" },
        // Who let a server have a code has not let a page have a token.
        request.terms().response_type.as_str(),
    ];
    let mut message = Vec::new();
    for part in parts {
        message.extend_from_slice(&(part.len() as u64).to_be_bytes());
        message.extend_from_slice(part.as_bytes());
    }
    sha256(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::fixture::{NOW, Registered};
    use crate::foundation::clock::CLOCK_TOLERANCE;

    const ALICE: &str = "alice";

    fn later(span: Duration) -> Timestamp {
        NOW + span
    }

    /// Whether a consent to the request `given` covers the request `asked`.
    fn covers(given: &str, asked: &str) -> bool {
        let registered = Registered::default();
        let mut remembered = RememberedConsents::default();
        if let Some(consent) = RememberedConsent::given(&registered.request(given), &Scope::empty(), ALICE, NOW) {
            remembered.remember(consent);
        }
        remembered.cover(&registered.request(asked), ALICE, None, NOW).is_some()
    }

    #[test]
    fn a_consent_covers_the_same_request_and_less() {
        assert!(covers("client_id=web&scope=read+write", "client_id=web&scope=read+write"));
        assert!(covers("client_id=web&scope=read+write", "client_id=web&scope=read&state=x"));
    }

    #[test]
    fn a_consent_covers_no_more_scope_and_no_other_resource() {
        assert!(!covers("client_id=web&scope=read", "client_id=web&scope=read+write"));
        let other = "client_id=web&scope=read&resource=https://other.example";
        assert!(!covers("client_id=web&scope=read", other));
        assert!(covers(other, other));
    }

    #[test]
    fn a_consent_is_for_one_client_one_redirect_uri_and_one_person() {
        assert!(!covers("client_id=web&scope=read", "client_id=old&scope=read"));
        let (one, other) = ("client_id=spa&redirect_uri=https://a/cb", "client_id=spa&redirect_uri=https://b/cb");
        assert!(covers(one, one));
        assert!(!covers(one, other));

        let request = Registered::default().request("client_id=web");
        let mut remembered = RememberedConsents::default();
        remembered
            .remember(RememberedConsent::given(&request, &Scope::empty(), ALICE, NOW).expect("may be remembered"));
        assert!(remembered.cover(&request, "bob", None, NOW).is_none());
    }

    #[test]
    fn a_consent_to_a_code_is_none_to_a_token() {
        let (code, token) =
            ("client_id=spa&redirect_uri=https://a/cb", "client_id=page&redirect_uri=https://page.example/cb");
        assert!(covers(code, code));
        let token = |rest: &str| format!("{token}&response_type=token{rest}");
        assert!(covers(&token(""), &token("&response_mode=form_post")));
        let of_code = "client_id=page&redirect_uri=https://page.example/cb";
        assert!(covers(of_code, of_code));
        assert!(!covers(of_code, &token("")));
        assert!(!covers(&token(""), of_code));
    }

    #[test]
    fn a_client_that_calls_itself_otherwise_is_another_client() {
        let before = Registered::default().request("client_id=web");
        let mut remembered = RememberedConsents::default();
        remembered.remember(RememberedConsent::given(&before, &Scope::empty(), ALICE, NOW).expect("may be remembered"));
        let renamed = Registered::with(|metadata| metadata.client_name = Some("Your bank".to_owned()));
        assert!(remembered.cover(&renamed.request("client_id=web"), ALICE, None, NOW).is_none());
    }

    #[test]
    fn a_consent_ends_after_90_days_or_with_everything_of_the_person() {
        let request = Registered::default().request("client_id=web");
        let mut remembered = RememberedConsents::default();
        let end = NOW.before(Duration::from_millis(1));
        let consent = RememberedConsent::given(&request, &Scope::empty(), ALICE, NOW).expect("may be remembered");
        remembered.remember(consent.after(Some(end)));
        let covers = |valid_from, now| remembered.cover(&request, ALICE, valid_from, now).is_some();
        assert!(covers(None, later(LONGEST_CONSENT)));
        assert!(!covers(None, later(LONGEST_CONSENT + Duration::from_millis(1))));
        assert!(covers(Some(end), NOW));
        assert!(!covers(Some(NOW), NOW));
    }

    #[test]
    fn a_consent_from_a_clock_that_was_ahead_is_not_taken_until_then_nor_after_an_end_of_everything() {
        let request = Registered::default().request("client_id=web");
        let mut remembered = RememberedConsents::default();
        remembered
            .remember(RememberedConsent::given(&request, &Scope::empty(), ALICE, NOW).expect("may be remembered"));
        let covers = |valid_from, now| remembered.cover(&request, ALICE, valid_from, now).is_some();
        let earliest = NOW.before(CLOCK_TOLERANCE);
        assert!(covers(None, earliest));
        assert!(!covers(None, earliest.before(Duration::from_millis(1))));
        assert!(!covers(Some(NOW.before(Duration::from_hours(1))), later(Duration::from_secs(1))));
    }

    #[test]
    fn nothing_is_remembered_of_a_public_client_that_any_program_could_be() {
        for (query, is_remembered) in [
            ("client_id=cli&redirect_uri=http://127.0.0.1:7/cb", false),
            ("client_id=cli&redirect_uri=com.example.app:/cb", false),
            ("client_id=cli&redirect_uri=https://a/cb", true),
            ("client_id=desktop", true),
            // A secret is no proof where nobody asks for it.
            ("client_id=page&redirect_uri=http://127.0.0.1:7/cb", true),
            ("client_id=page&redirect_uri=http://127.0.0.1:7/cb&response_type=token", false),
            ("client_id=page&redirect_uri=https://page.example/cb&response_type=token", true),
        ] {
            let request = Registered::default().request(query);
            assert_eq!(
                RememberedConsent::given(&request, &Scope::empty(), ALICE, NOW).is_some(),
                is_remembered,
                "{query}"
            );
            assert_eq!(covers(query, query), is_remembered, "{query}");
        }
    }

    #[test]
    fn the_oldest_consents_make_room_for_the_latest() {
        let registered = Registered::default();
        let mut remembered = RememberedConsents::default();
        let subject = |n: usize| format!("person {n}");
        let request = registered.request("client_id=web");
        for n in 0..MOST_CONSENTS + 2 {
            let now = later(Duration::from_secs(n as u64));
            remembered.remember(
                RememberedConsent::given(&request, &Scope::empty(), &subject(n), now).expect("may be remembered"),
            );
        }
        assert_eq!(remembered.0.len(), MOST_CONSENTS);
        assert!(remembered.0.is_sorted_by(|one, next| one.given_at >= next.given_at));
        let now = later(Duration::from_mins(1));
        assert!(remembered.cover(&request, &subject(1), None, now).is_none());
        assert!(remembered.cover(&request, &subject(2), None, now).is_some());
        assert!(remembered.cover(&request, &subject(MOST_CONSENTS + 1), None, now).is_some());
    }

    #[test]
    fn one_consent_stands_for_those_it_includes_and_none_for_those_that_ended() {
        let registered = Registered::default();
        let mut remembered = RememberedConsents::default();
        let mut remember = |query, now| {
            let consent = RememberedConsent::given(&registered.request(query), &Scope::empty(), ALICE, now);
            remembered.remember(consent.expect("may be remembered"));
            remembered.0.len()
        };
        assert_eq!(remember("client_id=web&scope=read", NOW), 1);
        assert_eq!(remember("client_id=web&scope=read+write", NOW), 1);
        assert_eq!(remember("client_id=web&scope=read", NOW), 2);
        let much_later = later(LONGEST_CONSENT + Duration::from_secs(1));
        assert_eq!(remember("client_id=old", much_later), 1);
    }

    #[test]
    fn all_consents_fit_into_a_cookie() {
        let registered = Registered::default();
        let mut remembered = RememberedConsents::default();
        let consent = |bytes: usize| {
            let mut consent =
                RememberedConsent::given(&registered.request("client_id=web"), &Scope::empty(), ALICE, NOW)
                    .expect("some");
            consent.binding = sha256(bytes.to_be_bytes());
            consent.scope = "x".repeat(bytes).parse().expect("a valid scope");
            consent
        };
        for bytes in 600..620 {
            remembered.remember(consent(bytes));
        }
        let kept = remembered.0.len();
        assert!((2..=4).contains(&kept), "{kept}");
        let written = postcard::to_stdvec(&remembered).expect("it is written");
        assert!(written.len() <= MOST_BYTES);
        assert_eq!(postcard::from_bytes::<RememberedConsents>(&written).expect("it is read"), remembered);

        remembered.remember(consent(MOST_BYTES));
        assert_eq!(remembered.0.len(), kept, "one that never fits drives out no other");
    }

    #[test]
    fn what_was_left_out_is_left_out_again_and_asked_for_alone_it_is_asked() {
        let optional = |scope: &str| {
            let scope = scope.to_owned();
            Registered::with(move |metadata| metadata.optional_scope = Some(scope))
        };
        let registered = optional("write");
        let left_out = |text: &str| text.parse::<Scope>().expect("a scope");
        let given = |left: &str, after: Duration| {
            let request = registered.request("client_id=web&scope=read+write");
            RememberedConsent::given(&request, &left_out(left), ALICE, later(after)).expect("may be remembered")
        };
        let second = Duration::from_secs(1);
        let mut remembered = RememberedConsents::default();
        remembered.remember(given("write", Duration::ZERO));
        let cover = |registered: &Registered, remembered: &RememberedConsents, scope: &str| {
            let request = registered.request(&format!("client_id=web&scope={scope}"));
            remembered.cover(&request, ALICE, None, later(second)).map(|scope| scope.to_string())
        };
        assert_eq!(cover(&registered, &remembered, "read+write").as_deref(), Some("write"));
        assert_eq!(cover(&registered, &remembered, "read").as_deref(), Some(""));
        assert_eq!(cover(&registered, &remembered, "write"), None);
        // What may no longer be left out is another question.
        assert_eq!(cover(&optional(""), &remembered, "read+write"), None);
        // A later answer takes the place of an earlier one, whichever is the narrower.
        remembered.remember(given("", second));
        assert_eq!(cover(&registered, &remembered, "write").as_deref(), Some(""));
        remembered.remember(given("write", second));
        assert_eq!(cover(&registered, &remembered, "write"), None);
        assert_eq!(cover(&registered, &remembered, "read+write").as_deref(), Some("write"));
    }

    #[test]
    fn what_a_page_shows_of_a_client_is_part_of_what_was_consented_to() {
        type Change = fn(&mut crate::clients::ClientMetadata);
        let request = Registered::default().request("client_id=web");
        let mut remembered = RememberedConsents::default();
        remembered
            .remember(RememberedConsent::given(&request, &Scope::empty(), ALICE, NOW).expect("may be remembered"));
        let changes: [Change; 3] = [
            |m| m.client_uri = Some("https://other.example".to_owned()),
            |m| m.policy_uri = Some("https://other.example".to_owned()),
            |m| m.tos_uri = Some("https://other.example".to_owned()),
        ];
        for change in changes {
            let other = Registered::with(change).request("client_id=web");
            assert_eq!(remembered.cover(&other, ALICE, None, NOW), None);
        }
    }
}
