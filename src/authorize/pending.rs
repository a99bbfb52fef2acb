//! An authorization request that waits for a person to sign in and consent. Nothing about it is stored.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::foundation::clock::Timestamp;
use crate::protocol::resource::ResourceIndicator;
use crate::protocol::response_type::ResponseMode;

use super::permission::{Registrations, Wish, permit, redirect_target};
use super::request::{AuthorizationError, AuthorizationRequest, RequestRefused, Terms, shown};
use super::response::ReturnAddress;

/// How long a person has to sign in and consent.
pub const PENDING_LIFETIME: Duration = Duration::from_mins(30);

/// A request that waits for a person: sealed into a form field, judged again when it comes back.
///
/// It holds what was judged, not what was sent: a person consents to what they saw, whatever the defaults are later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingRequest {
    client_id: String,
    redirect_uri: String,
    is_redirect_uri_sent: bool,
    state: Option<String>,
    mode: ResponseMode,
    terms: Terms,
}

impl PendingRequest {
    /// `request`, to wait for a person.
    pub fn new(request: &AuthorizationRequest) -> Self {
        Self {
            client_id: request.client.id.as_str().to_owned(),
            redirect_uri: request.to.target.as_str().to_owned(),
            is_redirect_uri_sent: request.is_redirect_uri_sent,
            state: request.to.state.clone(),
            mode: request.to.mode,
            terms: request.terms.clone(),
        }
    }

    /// Judges the request again, for the configuration may be another one by now.
    pub fn resume(
        self,
        registrations: Registrations<'_>,
        now: Timestamp,
    ) -> Result<AuthorizationRequest, AuthorizationError> {
        let client = registrations.clients.find(&self.client_id).ok_or(RequestRefused::UnknownClient).map_err(shown)?;
        let target = redirect_target(client, Some(&self.redirect_uri)).map_err(shown)?;

        let to = ReturnAddress { target, state: self.state, mode: self.mode };
        let is_from_the_future = self.terms.created_at.is_ahead_of(now);
        if is_from_the_future || now.since(self.terms.created_at) > PENDING_LIFETIME {
            return Err(AuthorizationError::Expired { client: Arc::clone(client), to });
        }
        let scope = self.terms.scope.to_string();
        let wish = Wish {
            response_type: self.terms.response_type,
            code_challenge: self.terms.code_challenge,
            scope: Some(&scope),
            resources: self.terms.resources.iter().map(ResourceIndicator::as_str).collect(),
        };
        match permit(client, registrations, &wish) {
            Ok((scope, resources)) => Ok(AuthorizationRequest {
                client: Arc::clone(client),
                to,
                is_redirect_uri_sent: self.is_redirect_uri_sent,
                terms: Terms { scope, resources, ..self.terms },
            }),
            Err(error) => Err(AuthorizationError::RedirectToClient { to, error }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::fixture::{NOW, Refusal, Registered};
    use crate::clients::ClientMetadata;
    use crate::foundation::clock::CLOCK_TOLERANCE;
    use crate::protocol::error::ErrorCode;

    fn resume(query: &str, later: &Registered, span: Duration) -> Result<AuthorizationRequest, Refusal> {
        let pending = PendingRequest::new(&Registered::default().request(query));
        let sealed = postcard::to_stdvec(&pending).expect("it is written");
        let opened: PendingRequest = postcard::from_bytes(&sealed).expect("it is read");
        assert_eq!(opened, pending);
        opened.resume(later.registrations(), NOW + span).map_err(Refusal::from)
    }

    #[test]
    fn a_pending_request_comes_back_as_it_was_for_half_an_hour() {
        let query = "client_id=web&scope=read+write&state=xyz&prompt=login&max_age=9&login_hint=a&redirect_uri=https://web.example/cb&response_mode=form_post";
        let request = Registered::default().request(query);
        let resumed = resume(query, &Registered::default(), PENDING_LIFETIME).expect("still good");
        assert_eq!(resumed.terms(), request.terms());
        assert_eq!(resumed.to(), request.to());
        assert!(resumed.is_redirect_uri_sent());

        let too_late = PENDING_LIFETIME + Duration::from_millis(1);
        let refused = resume(query, &Registered::default(), too_late).expect_err("too old");
        assert_eq!(refused, Refusal::Expired("web".to_owned(), Some("xyz".to_owned())));
        // Nobody is led back to where the client is not registered any more.
        let moved = Registered::with(|metadata| metadata.redirect_uris = vec!["https://web.example/new".to_owned()]);
        let refused = resume(query, &moved, too_late).expect_err("too old");
        assert_eq!(refused, Refusal::Shown(ErrorCode::InvalidRequest));
    }

    #[test]
    fn a_pending_request_from_a_clock_that_was_ahead_is_over() {
        let registered = Registered::default();
        let resume =
            |now| PendingRequest::new(&registered.request("client_id=web")).resume(registered.registrations(), now);
        let earliest = NOW.before(CLOCK_TOLERANCE);
        assert!(resume(earliest).is_ok());
        let refused = resume(earliest.before(Duration::from_millis(1))).expect_err("from the future");
        assert_eq!(Refusal::from(refused), Refusal::Expired("web".to_owned(), None));
    }

    #[test]
    fn a_pending_request_is_judged_by_the_configuration_of_its_return() {
        let resume = |query, change: fn(&mut ClientMetadata)| {
            resume(query, &Registered::with(change), Duration::ZERO).map(|request| request.terms().scope.to_string())
        };
        let shown = Err(Refusal::Shown(ErrorCode::InvalidRequest));
        assert_eq!(resume("client_id=web", |m| m.client_id = "other".to_owned()), shown);
        assert_eq!(resume("client_id=web", |m| m.redirect_uris = vec!["https://web.example/new".to_owned()]), shown);
        let sent_back = |code| Err(Refusal::SentBack(code, Some("s".to_owned())));
        let query = "client_id=web&state=s&scope=read+write";
        assert_eq!(resume(query, |m| m.scope = "read".to_owned()), sent_back(ErrorCode::InvalidScope));
        assert_eq!(resume(query, |m| m.resources = Some(Vec::new())), sent_back(ErrorCode::InvalidTarget));
    }

    #[test]
    fn a_token_that_is_off_meanwhile_is_not_had_by_a_pending_request() {
        let pending = PendingRequest::new(
            &Registered::default().request("client_id=page&redirect_uri=https://page.example/cb&response_type=token"),
        );
        let later = Registered::with(|metadata| {
            metadata.client_id = "page".to_owned();
            metadata.redirect_uris = vec!["https://page.example/cb".to_owned()];
        });
        match pending.resume(later.registrations(), NOW).expect_err("refused") {
            AuthorizationError::RedirectToClient { to, error } => {
                assert_eq!((to.mode, error.code), (ResponseMode::Fragment, ErrorCode::UnsupportedResponseType));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_person_consents_to_what_was_shown_whatever_the_default_is_later() {
        let later = Registered::with(|metadata| metadata.default_scope = Some("read write".to_owned()));
        let resumed = resume("client_id=web", &later, Duration::ZERO).expect("still good");
        assert_eq!(resumed.terms().scope.to_string(), "read");
        assert!(!resumed.is_redirect_uri_sent());
    }

    #[test]
    fn pkce_that_is_required_meanwhile_is_required_of_a_pending_request() {
        let request = Registered::default().parse("client_id=old&response_type=code").expect("sound");
        let pending = PendingRequest::new(&request);
        let later = Registered::with(|metadata| {
            metadata.client_id = "old".to_owned();
            metadata.redirect_uris = vec!["https://old.example/cb".to_owned()];
        });
        let refused = pending.resume(later.registrations(), NOW).expect_err("refused");
        assert_eq!(Refusal::from(refused), Refusal::SentBack(ErrorCode::InvalidRequest, None));
    }
}
