//! What an endpoint tells those who stand around it: who measures it, and who says which pages may read its answer.

use actix_web::{HttpMessage as _, HttpRequest};

use crate::clients::authentication::AuthenticatedClient;
use crate::protocol::error::ErrorCode;
use crate::protocol::grant_type::GrantType;

/// What became known of a request while it was answered.
#[derive(Debug, Clone, Default)]
pub(super) struct Notes {
    /// The client, once it has proved who it is.
    pub(super) client: Option<AuthenticatedClient>,
    /// The grant type that was asked for.
    pub(super) grant_type: Option<GrantType>,
    /// The error that it was answered with.
    pub(super) error: Option<ErrorCode>,
}

impl Notes {
    /// Notes something about a request.
    pub(super) fn add(request: &HttpRequest, write: impl FnOnce(&mut Self)) {
        let mut extensions = request.extensions_mut();
        if let Some(notes) = extensions.get_mut::<Self>() {
            return write(notes);
        }
        let mut notes = Self::default();
        write(&mut notes);
        extensions.insert(notes);
    }

    /// What was noted, if anything was.
    pub(super) fn read<T>(request: &HttpRequest, read: impl FnOnce(&Self) -> Option<T>) -> Option<T> {
        request.extensions().get::<Self>().and_then(read)
    }
}
