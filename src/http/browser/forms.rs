//! What a form carries from a page to the endpoint that it is posted to: the request that waits, sealed, and a token that
//! binds both to the browser or the session that was shown the page.

use serde::{Deserialize, Serialize};

use crate::authorize::pending::PendingRequest;
use crate::authorize::request::{AuthorizationError, AuthorizationRequest};
use crate::foundation::digest;
use crate::http::cookies::CookieKind;
use crate::keys::csrf::CsrfBinding;
use crate::keys::sealing_ring::SealPurpose;
use crate::protocol::error::{ErrorCode, OAuthError};
use crate::protocol::parameters::Parameters;
use crate::protocol::scope::Scope;

use super::Step;

/// Where the pending request stands in a form; part of what it is sealed with.
pub(in crate::http) const REQUEST_FIELD: &str = "request";
pub(in crate::http) const CSRF_FIELD: &str = "csrf";

/// What stands before a scope token in the name of its box.
pub(super) const SCOPE_FIELD: &str = "scope:";

/// The mark of a browser that was shown a login form, which is bound to it. It proves nothing about a person, so it stays
/// when somebody signs in: a form in another tab, or a second click, is still good. What a session is bound to is its
/// `sid`, which is new with each sign-in.
#[derive(Serialize, Deserialize)]
pub(super) struct BrowserMark(pub(super) [u8; 16]);

/// What a form does; part of its CSRF token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum FormAction {
    Login,
    Consent,
    Logout,
}

impl FormAction {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Consent => "consent",
            Self::Logout => "logout",
        }
    }
}

impl Step<'_> {
    /// The request as it travels in a form or an address.
    pub(super) fn seal(&self, request: &AuthorizationRequest) -> String {
        let pending = PendingRequest::new(request);
        let purpose = SealPurpose::AuthorizationRequest;
        self.live.sealing.seal(purpose, REQUEST_FIELD, &pending, self.now, &*self.state.random)
    }

    /// The request that waits in a form or an address. Whose it is, it does not say: everybody may begin a request, and
    /// have it sealed. So nothing is given for it before the CSRF token beside it was checked, and who brings it without
    /// a good one is only asked, as if they came from the client.
    pub(in crate::http) fn resume(&self, sealed: &str) -> Result<AuthorizationRequest, AuthorizationError> {
        let pending: PendingRequest = self
            .live
            .sealing
            .open(SealPurpose::AuthorizationRequest, REQUEST_FIELD, sealed)
            .map_err(|refused| AuthorizationError::ShowToUser(stale_form().because(refused)))?;
        pending.resume(self.live.registrations(), self.now)
    }

    /// The mark of this browser, which a login form is bound to.
    pub(in crate::http) fn browser_mark(&self) -> Option<[u8; 16]> {
        self.cookies().read::<BrowserMark>(CookieKind::Browser, self.request).map(|mark| mark.0)
    }

    pub(in crate::http) fn csrf_token(&self, holder: &[u8], sealed: &str, action: FormAction) -> String {
        let request = digest::sha256(sealed);
        let binding = CsrfBinding { session: holder, request: &request, action: action.as_str() };
        binding.token(&self.live.sealing, self.now)
    }

    pub(in crate::http) fn check_csrf(
        &self,
        token: &str,
        holder: &[u8],
        sealed: &str,
        action: FormAction,
    ) -> Result<(), OAuthError> {
        let request = digest::sha256(sealed);
        let binding = CsrfBinding { session: holder, request: &request, action: action.as_str() };
        binding.verify(token, &self.live.sealing).map_err(|refused| stale_form().because(refused))
    }
}

/// What a form leaves out: what may be left out and has no mark in its box. A box for anything else says nothing.
pub(in crate::http) fn left_out(request: &AuthorizationRequest, parameters: &Parameters<'_>) -> Scope {
    let optional = request.optional_scope();
    let is_marked = |token: &&str| parameters.optional(&format!("{SCOPE_FIELD}{token}")).is_some();
    optional.tokens().filter(|token| !is_marked(token)).collect()
}

/// A form that this browser was not shown, or in another session, or too long ago.
pub(in crate::http) fn stale_form() -> OAuthError {
    OAuthError::new(
        ErrorCode::InvalidRequest,
        "This page is too old, or was opened in another browser. Go back to the application and start again.",
    )
}

/// A form that another site's page sent. `Sec-Fetch-Site` is the browser's own word; where it is not sent, `Origin` is,
/// but not always with a value: our pages say `no-referrer`, which makes it `null`. The CSRF token decides then.
pub(in crate::http) fn is_from_elsewhere(step: &Step<'_>) -> bool {
    let text = |name: &str| step.request.headers().get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text("sec-fetch-site") {
        return site != "same-origin";
    }
    text("origin").is_some_and(|origin| origin != "null" && origin != step.live.issuer.origin())
}
