//! What a person must still do before a request is answered: sign in, consent, or nothing.
//!
//! One pure decision, taken again after every step: after the request came, after a login, after a consent.

use crate::foundation::clock::Timestamp;
use crate::login::session::Session;
use crate::protocol::error::{ErrorCode, OAuthError};
use crate::protocol::scope::Scope;

use super::consent::{RememberedConsents, is_client_assured};
use super::prompt::Prompt;
use super::request::{AuthorizationRequest, Terms};

/// What is known of the person at the browser.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The session, if [`Session::check`] found that it holds.
    pub session: Option<&'a Session>,
    /// All that the session's subject did at this time and before was ended.
    pub valid_from: Option<Timestamp>,
    /// What this browser remembers.
    pub remembered: &'a RememberedConsents,
    /// Whether the person has just consented, on the page of this very request and in this session.
    pub is_consent_given: bool,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interaction<'a> {
    /// The person signs in.
    ShowLogin,
    /// The person of this session is asked.
    ShowConsent(&'a Session),
    /// The client gets what it asked for, a code or a token, for the person of this session; without the scope that the
    /// person left out when they consented before.
    Issue(&'a Session, Scope),
    /// The client gets an error.
    Refuse(InteractionRefused),
}

/// Why a client gets an error instead of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InteractionRefused {
    /// The person would have to sign in, and may be shown nothing.
    #[error("nobody has signed in, or too long ago, and prompt is none")]
    LoginRequired,
    /// The person would have to consent, and may be shown nothing.
    #[error("the person has not consented, and prompt is none")]
    ConsentRequired,
    /// The person is asked each time, for nobody knows which program receives the answer (RFC 8252 §8.6).
    #[error("the client may be impersonated, and prompt is none")]
    InteractionRequired,
    /// The person said no.
    #[error("the person did not consent")]
    Denied,
    /// The person took longer than a [`PendingRequest`](super::pending::PendingRequest) waits, or a clock was ahead when
    /// the request came.
    #[error("the person took too long")]
    Expired,
    /// Everything of this person was ended after the request had come.
    #[error("the request is from before all sessions of the person were ended")]
    Ended,
}

impl From<InteractionRefused> for OAuthError {
    fn from(reason: InteractionRefused) -> Self {
        use InteractionRefused as Why;
        let (code, description) = match reason {
            Why::LoginRequired => (ErrorCode::LoginRequired, "The person must sign in."),
            Why::ConsentRequired => (ErrorCode::ConsentRequired, "The person must consent."),
            Why::InteractionRequired => (ErrorCode::InteractionRequired, "The person must be asked each time."),
            Why::Denied => (ErrorCode::AccessDenied, "The person did not consent."),
            Why::Expired | Why::Ended => (ErrorCode::AccessDenied, "The request is no longer good. Start again."),
        };
        Self::new(code, description).because(reason)
    }
}

/// Decides what comes next for a request.
pub fn decide<'a>(request: &AuthorizationRequest, evidence: &Evidence<'a>, now: Timestamp) -> Interaction<'a> {
    use InteractionRefused as Why;
    let terms = request.terms();
    let is_silent = terms.prompt == Prompt::Silent;
    let Some(session) = evidence.session.filter(|session| is_recent(session, terms, now)) else {
        return if is_silent { Interaction::Refuse(Why::LoginRequired) } else { Interaction::ShowLogin };
    };
    // Within one millisecond nobody can tell which came first, so the end wins.
    if evidence.valid_from.is_some_and(|valid_from| terms.created_at <= valid_from) {
        return Interaction::Refuse(Why::Ended);
    }
    if evidence.is_consent_given {
        return Interaction::Issue(session, Scope::empty());
    }
    if let Some(left_out) = without_asking(request, evidence, session, now) {
        return Interaction::Issue(session, left_out);
    }
    match (is_silent, is_client_assured(request)) {
        (false, _) => Interaction::ShowConsent(session),
        (true, true) => Interaction::Refuse(Why::ConsentRequired),
        (true, false) => Interaction::Refuse(Why::InteractionRequired),
    }
}

/// Whether the person proved who they are recently enough. A proof after the request came always is: so `prompt=login`
/// and a small `max_age` end in an answer, and nobody meets them by leaving them out.
fn is_recent(session: &Session, terms: &Terms, now: Timestamp) -> bool {
    let is_login_asked = matches!(terms.prompt, Prompt::Interactive { login: true, .. });
    let is_young = terms.max_age.is_none_or(|age| !age.is_zero() && now.since(session.auth_time) <= age);
    session.auth_time >= terms.created_at || (!is_login_asked && is_young)
}

/// What is left out of the answer where the person need not be asked; `None`: they must be.
fn without_asking(
    request: &AuthorizationRequest,
    evidence: &Evidence<'_>,
    session: &Session,
    now: Timestamp,
) -> Option<Scope> {
    let is_consent_asked = matches!(request.terms().prompt, Prompt::Interactive { consent: true, .. });
    if is_consent_asked || !is_client_assured(request) {
        return None;
    }
    let remembered = evidence.remembered.cover(request, &session.subject, evidence.valid_from, now);
    // What a person once left out stays so, also where they need not be asked.
    remembered.or_else(|| {
        let was_refused = || evidence.remembered.was_left_out(request, &session.subject, evidence.valid_from, now);
        (!request.client().authorization.require_consent && !was_refused()).then(Scope::empty)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::authorize::consent::RememberedConsent;
    use crate::authorize::fixture::{NOW, Registered, session};

    const SECOND: Duration = Duration::from_secs(1);

    /// What is known where nothing else is said: a session from an hour before the request, and a consent.
    struct Person {
        session: Option<Session>,
        has_consented: bool,
        is_consent_given: bool,
        valid_from: Option<Timestamp>,
        now: Timestamp,
    }

    impl Default for Person {
        fn default() -> Self {
            Self {
                session: Some(session(NOW.before(3600 * SECOND))),
                has_consented: true,
                is_consent_given: false,
                valid_from: None,
                now: NOW,
            }
        }
    }

    /// What comes next, without the session.
    #[derive(Debug, PartialEq)]
    enum Next {
        Login,
        Consent,
        Issue,
        Refuse(InteractionRefused),
    }

    fn next(query: &str, person: &Person) -> Next {
        let request = Registered::default().request(query);
        let mut remembered = RememberedConsents::default();
        let subject = session(NOW).subject;
        if let (true, Some(consent)) =
            (person.has_consented, RememberedConsent::given(&request, &Scope::empty(), &subject, NOW))
        {
            remembered.remember(consent);
        }
        let evidence = Evidence {
            session: person.session.as_ref(),
            valid_from: person.valid_from,
            remembered: &remembered,
            is_consent_given: person.is_consent_given,
        };
        match decide(&request, &evidence, person.now) {
            Interaction::ShowLogin => Next::Login,
            Interaction::ShowConsent(own) => {
                assert_eq!(Some(own), person.session.as_ref());
                Next::Consent
            }
            Interaction::Issue(own, _) => {
                assert_eq!(Some(own), person.session.as_ref());
                Next::Issue
            }
            Interaction::Refuse(why) => Next::Refuse(why),
        }
    }

    #[test]
    fn whoever_has_signed_in_and_consented_goes_straight_back() {
        assert_eq!(next("client_id=web", &Person::default()), Next::Issue);
        assert_eq!(next("client_id=web&prompt=none", &Person::default()), Next::Issue);
    }

    #[test]
    fn without_a_session_the_person_signs_in_first() {
        let person = Person { session: None, is_consent_given: true, ..Person::default() };
        assert_eq!(next("client_id=web", &person), Next::Login);
        assert_eq!(next("client_id=web&prompt=none", &person), Next::Refuse(InteractionRefused::LoginRequired));
    }

    #[test]
    fn without_a_consent_the_person_is_asked() {
        let person = Person { has_consented: false, ..Person::default() };
        assert_eq!(next("client_id=web", &person), Next::Consent);
        assert_eq!(next("client_id=web&prompt=none", &person), Next::Refuse(InteractionRefused::ConsentRequired));
        assert_eq!(next("client_id=web", &Person { is_consent_given: true, ..person }), Next::Issue);
    }

    #[test]
    fn a_client_that_needs_no_consent_asks_nobody() {
        let person = Person { has_consented: false, ..Person::default() };
        assert_eq!(next("client_id=trusted", &person), Next::Issue);
        assert_eq!(next("client_id=trusted&prompt=consent", &person), Next::Consent);
    }

    #[test]
    fn prompt_login_is_met_by_a_login_after_the_request_and_by_no_other() {
        for query in ["client_id=web&prompt=login", "client_id=web&prompt=select_account", "client_id=web&max_age=0"] {
            let signed_in =
                |auth_time, now| next(query, &Person { session: Some(session(auth_time)), now, ..Person::default() });
            let a_moment_before = NOW.before(Duration::from_millis(1));
            assert_eq!(signed_in(a_moment_before, NOW), Next::Login, "{query}");
            assert_eq!(signed_in(a_moment_before, a_moment_before), Next::Login, "{query}");
            assert_eq!(signed_in(NOW, NOW), Next::Issue, "{query}");
            assert_eq!(signed_in(NOW + SECOND, NOW + 600 * SECOND), Next::Issue, "{query}");
        }
        let silent = "client_id=web&prompt=none&max_age=0";
        assert_eq!(next(silent, &Person::default()), Next::Refuse(InteractionRefused::LoginRequired));
    }

    #[test]
    fn max_age_is_met_by_a_young_session_and_by_a_login_after_the_request_however_slow_the_person_is() {
        let signed_in = |auth_time, now| {
            next("client_id=web&max_age=60", &Person { session: Some(session(auth_time)), now, ..Person::default() })
        };
        assert_eq!(signed_in(NOW.before(60 * SECOND), NOW), Next::Issue);
        assert_eq!(signed_in(NOW.before(61 * SECOND), NOW), Next::Login);
        assert_eq!(signed_in(NOW + SECOND, NOW + 600 * SECOND), Next::Issue);
    }

    #[test]
    fn prompt_consent_is_met_by_a_consent_to_this_very_request_alone() {
        let query = "client_id=web&prompt=consent";
        assert_eq!(next(query, &Person::default()), Next::Consent);
        assert_eq!(next(query, &Person { is_consent_given: true, ..Person::default() }), Next::Issue);
    }

    #[test]
    fn a_public_client_that_any_program_could_be_is_asked_for_each_time() {
        for query in [
            "client_id=cli&redirect_uri=http://127.0.0.1:7/cb",
            "client_id=cli&redirect_uri=com.example.app:/cb",
            "client_id=trusted-cli",
        ] {
            assert_eq!(next(query, &Person::default()), Next::Consent, "{query}");
            assert_eq!(next(query, &Person { is_consent_given: true, ..Person::default() }), Next::Issue, "{query}");
            let silent = next(&format!("{query}&prompt=none"), &Person::default());
            assert_eq!(silent, Next::Refuse(InteractionRefused::InteractionRequired), "{query}");
        }
    }

    #[test]
    fn a_request_from_before_everything_was_ended_is_refused_even_with_a_consent() {
        let ended = |valid_from, is_consent_given| {
            let session = Some(session(NOW + 2 * SECOND));
            next(
                "client_id=web",
                &Person { session, valid_from, is_consent_given, now: NOW + 3 * SECOND, ..Person::default() },
            )
        };
        assert_eq!(ended(Some(NOW + SECOND), true), Next::Refuse(InteractionRefused::Ended));
        assert_eq!(ended(Some(NOW), true), Next::Refuse(InteractionRefused::Ended));
        assert_eq!(ended(Some(NOW.before(SECOND)), true), Next::Issue);
    }

    #[test]
    fn every_refusal_has_the_code_of_openid_connect_or_is_a_denial() {
        use InteractionRefused as Why;
        for (why, code) in [
            (Why::LoginRequired, "login_required"),
            (Why::ConsentRequired, "consent_required"),
            (Why::InteractionRequired, "interaction_required"),
            (Why::Denied, "access_denied"),
            (Why::Ended, "access_denied"),
        ] {
            assert_eq!(OAuthError::from(why).code.as_str(), code);
        }
    }
}
