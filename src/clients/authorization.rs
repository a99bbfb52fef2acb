//! What a client may do at the authorization endpoint: where answers go, of which type, and what they rest on.

use std::collections::BTreeSet;

use crate::protocol::grant_type::GrantType;
use crate::protocol::redirect_uri::{ApplicationType, InvalidRedirectUri, RedirectUri};
use crate::protocol::response_type::ResponseType;

use super::metadata::ClientMetadata;

/// The part of a registration that the authorization endpoint reads. A machine has neither redirect URI nor response type.
#[derive(Debug, Clone)]
pub struct AuthorizationSettings {
    /// Where answers may go; at least one where there is a response type.
    pub redirect_uris: Vec<RedirectUri>,
    /// What the client may ask for.
    pub response_types: BTreeSet<ResponseType>,
    /// Where the client runs.
    pub application_type: ApplicationType,
    /// Whether a person is asked.
    pub require_consent: bool,
    /// Whether a code needs PKCE; always, where the client is public.
    pub require_pkce: bool,
}

/// Why the authorization part of a client's entry is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAuthorizationSettings {
    /// An entry of `redirect_uris` may not be registered.
    #[error("redirect_uris has {0:?}: {1}")]
    RedirectUri(String, InvalidRedirectUri),
    /// An app may claim any private-use scheme, a website none.
    #[error("redirect_uris has {0:?}, whose scheme is for apps: say application_type = \"native\"")]
    PrivateUseForWeb(String),
    /// RFC 7591 §2.1, for the other response type.
    #[error("the response type token and the grant type implicit go together: give both or none")]
    TokenAlone,
    /// Any app may claim the scheme, and whoever gets an access token needs nothing more to use it.
    #[error("redirect_uris has {0:?}, but a client with the response type token has https or loopback redirects alone")]
    TokenForApp(String),
    /// An answer would have nowhere to go.
    #[error("redirect_uris is empty; a client that sends people to /authorize needs at least one")]
    NoRedirectUri,
    /// `application_type` is none of ours.
    #[error("application_type {0:?} is not one of web, native")]
    ApplicationType(String),
    /// A response type that the server does not have.
    #[error("response_types has {0:?}, which is none of {known}", known = known_response_types())]
    ResponseType(String),
    /// RFC 7591 §2.1: the one is of no use without the other.
    #[error("the response type code and the grant type authorization_code go together: give both or none")]
    CodeAlone,
    /// RFC 9700 §2.1.1: public clients must use PKCE.
    #[error("require_pkce = false is for confidential clients: anybody could redeem the code of a public one")]
    PublicWithoutPkce,
}

fn known_response_types() -> String {
    ResponseType::ALL.map(ResponseType::as_str).join(", ")
}

impl AuthorizationSettings {
    /// Judges the authorization part of an entry, for a client that may use `grant_types`.
    pub fn new(
        metadata: &ClientMetadata,
        grant_types: &BTreeSet<GrantType>,
        is_public: bool,
    ) -> Result<Self, InvalidAuthorizationSettings> {
        use InvalidAuthorizationSettings as Why;
        let has_code_grant = grant_types.contains(&GrantType::AuthorizationCode);
        let response_types = match &metadata.response_types {
            Some(names) => response_types(names)?,
            // RFC 7591 §2: "If omitted, the default is that the client will use only the code response type."
            None if has_code_grant => BTreeSet::from([ResponseType::Code]),
            None => BTreeSet::new(),
        };
        if response_types.contains(&ResponseType::Code) != has_code_grant {
            return Err(Why::CodeAlone);
        }
        let has_token = response_types.contains(&ResponseType::Token);
        if has_token != grant_types.contains(&GrantType::Implicit) {
            return Err(Why::TokenAlone);
        }
        let application_type = match metadata.application_type.as_deref() {
            Some(name) => name.parse().map_err(|_| Why::ApplicationType(name.to_owned()))?,
            None => ApplicationType::default(),
        };
        let redirect_uris = redirect_uris(&metadata.redirect_uris, application_type)?;
        if let Some(uri) = redirect_uris.iter().find(|uri| has_token && uri.is_private_use()) {
            return Err(Why::TokenForApp(uri.to_string()));
        }
        if redirect_uris.is_empty() && !response_types.is_empty() {
            return Err(Why::NoRedirectUri);
        }
        let require_pkce = metadata.require_pkce.unwrap_or(true);
        if is_public && !require_pkce {
            return Err(Why::PublicWithoutPkce);
        }
        let require_consent = metadata.require_consent.unwrap_or(true);
        Ok(Self { redirect_uris, response_types, application_type, require_consent, require_pkce })
    }
}

fn response_types(names: &[String]) -> Result<BTreeSet<ResponseType>, InvalidAuthorizationSettings> {
    let unknown = |name: &String| InvalidAuthorizationSettings::ResponseType(name.clone());
    names.iter().map(|name| name.parse().map_err(|_| unknown(name))).collect()
}

fn redirect_uris(
    texts: &[String],
    application_type: ApplicationType,
) -> Result<Vec<RedirectUri>, InvalidAuthorizationSettings> {
    use InvalidAuthorizationSettings as Why;
    let judge = |text: &String| {
        let uri = RedirectUri::parse(text).map_err(|why| Why::RedirectUri(text.clone(), why))?;
        if uri.is_private_use() && application_type == ApplicationType::Web {
            return Err(Why::PrivateUseForWeb(text.clone()));
        }
        Ok(uri)
    };
    texts.iter().map(judge).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> ClientMetadata {
        ClientMetadata { redirect_uris: vec!["https://client.example.com/cb".to_owned()], ..ClientMetadata::default() }
    }

    fn judge(
        grant_types: &[GrantType],
        change: impl FnOnce(&mut ClientMetadata),
    ) -> Result<AuthorizationSettings, InvalidAuthorizationSettings> {
        let mut metadata = app();
        change(&mut metadata);
        let is_public = metadata.token_endpoint_auth_method.as_deref() == Some("none");
        AuthorizationSettings::new(&metadata, &grant_types.iter().copied().collect(), is_public)
    }

    #[test]
    fn an_entry_that_says_nothing_more_is_a_website_with_consent_and_pkce() {
        let settings = judge(&[GrantType::AuthorizationCode], |_| {}).expect("sound");
        assert_eq!(settings.application_type, ApplicationType::Web);
        assert_eq!(settings.response_types, BTreeSet::from([ResponseType::Code]));
        assert!(settings.require_consent && settings.require_pkce);
    }

    #[test]
    fn a_machine_needs_no_redirect_uri_and_has_no_response_type() {
        let settings = judge(&[GrantType::ClientCredentials], |m| m.redirect_uris.clear()).expect("sound");
        assert!(settings.response_types.is_empty());
    }

    #[test]
    fn what_is_inconsistent_or_insecure_is_refused() {
        use InvalidAuthorizationSettings as Why;
        type Change = fn(&mut ClientMetadata);
        let app_uri = "com.example.app:/cb".to_owned();
        let cases: [(Change, Why); 7] = [
            (|m| m.redirect_uris.clear(), Why::NoRedirectUri),
            (
                |m| m.redirect_uris.push("http://h/cb".to_owned()),
                Why::RedirectUri("http://h/cb".to_owned(), InvalidRedirectUri::NotSecure),
            ),
            (|m| m.redirect_uris.push("com.example.app:/cb".to_owned()), Why::PrivateUseForWeb(app_uri)),
            (|m| m.application_type = Some("desktop".to_owned()), Why::ApplicationType("desktop".to_owned())),
            (|m| m.response_types = Some(vec!["id_token".to_owned()]), Why::ResponseType("id_token".to_owned())),
            (|m| m.response_types = Some(Vec::new()), Why::CodeAlone),
            (
                |m| {
                    m.token_endpoint_auth_method = Some("none".to_owned());
                    m.require_pkce = Some(false);
                },
                Why::PublicWithoutPkce,
            ),
        ];
        for (change, why) in cases {
            assert_eq!(judge(&[GrantType::AuthorizationCode], change).err(), Some(why));
        }
        let machine = judge(&[GrantType::ClientCredentials], |m| m.response_types = Some(vec!["code".to_owned()]));
        assert_eq!(machine.err(), Some(Why::CodeAlone));
    }

    #[test]
    fn implicit_and_token_go_together_and_never_to_an_app() {
        use InvalidAuthorizationSettings as Why;
        let with = |names: &[&str]| {
            let names = Some(names.iter().map(|name| (*name).to_owned()).collect());
            move |m: &mut ClientMetadata| m.response_types = names
        };
        let (code, implicit) = (GrantType::AuthorizationCode, GrantType::Implicit);
        assert_eq!(judge(&[code], with(&["code", "token"])).err(), Some(Why::TokenAlone));
        assert_eq!(judge(&[code, implicit], with(&["code"])).err(), Some(Why::TokenAlone));
        assert_eq!(judge(&[implicit], |_| {}).err(), Some(Why::TokenAlone));
        assert_eq!(judge(&[implicit], with(&["code", "token"])).err(), Some(Why::CodeAlone));
        let both = judge(&[code, implicit], with(&["code", "token"])).expect("sound");
        assert_eq!(both.response_types, BTreeSet::from(ResponseType::ALL));
        for uri in ["com.example.app:/cb", "com.example.app://host/cb"] {
            let app = |m: &mut ClientMetadata| {
                with(&["token"])(m);
                m.application_type = Some("native".to_owned());
                m.redirect_uris = vec!["http://127.0.0.1/cb".to_owned(), uri.to_owned()];
            };
            assert_eq!(judge(&[implicit], app).err(), Some(Why::TokenForApp(uri.to_owned())));
        }
        let loopback = |m: &mut ClientMetadata| {
            with(&["token"])(m);
            m.redirect_uris = vec!["http://127.0.0.1/cb".to_owned()];
        };
        assert_eq!(judge(&[implicit], loopback).expect("sound").redirect_uris.len(), 1);
        assert_eq!(
            judge(&[implicit], |m| {
                with(&["token"])(m);
                m.redirect_uris.clear();
            })
            .err(),
            Some(Why::NoRedirectUri)
        );
    }

    #[test]
    fn a_native_client_may_have_a_private_use_scheme() {
        let change = |m: &mut ClientMetadata| {
            m.application_type = Some("native".to_owned());
            m.redirect_uris.push("com.example.app:/cb".to_owned());
        };
        assert_eq!(judge(&[GrantType::AuthorizationCode], change).expect("sound").redirect_uris.len(), 2);
    }
}
