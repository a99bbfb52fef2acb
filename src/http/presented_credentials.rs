//! What a request presents to prove which client sent it (RFC 6749 §2.3): read here, judged in `clients::authentication`.
//!
//! Exactly one way: a header and a body that both carry credentials are refused, whatever they say.

use actix_web::http::header::{self, HeaderMap, HeaderValue};

use crate::clients::authentication::PresentedCredentials;
use crate::clients::authentication::assertion::{self, JWT_BEARER};
use crate::foundation::secret::SecretString;
use crate::protocol::basic_credentials::BasicCredentials;
use crate::protocol::error::{ErrorCode, OAuthError};
use crate::protocol::parameters::{InvalidParameters, Parameters};

/// Why no credentials can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum CredentialsRefused {
    /// Neither the header nor the body names a client.
    #[error("the request names no client")]
    Missing,
    /// The `Authorization` header is not Basic, or not well formed.
    #[error("the Authorization header is not well-formed Basic")]
    MalformedHeader,
    /// Credentials in the header and in the body, or two headers (RFC 6749 §2.3).
    #[error("the request authenticates in more than one way")]
    TwoMethods,
    /// `client_id` in the body is not the one in the header or in the assertion.
    #[error("client_id in the body is not the client of the Authorization header or of the assertion")]
    TwoClients,
    /// An assertion without its type, or a type without an assertion (RFC 7521 §4.2).
    #[error(transparent)]
    HalfAnAssertion(InvalidParameters),
    /// `client_assertion_type` is another one than [`JWT_BEARER`].
    #[error("the client_assertion_type is unknown")]
    UnknownAssertionType,
    /// The assertion is no JWT that says whose it is.
    #[error("the client assertion is no JWT with a `sub`")]
    MalformedAssertion,
}

impl From<CredentialsRefused> for OAuthError {
    fn from(reason: CredentialsRefused) -> Self {
        match reason {
            CredentialsRefused::HalfAnAssertion(invalid) => return invalid.into(),
            // RFC 6749 §5.2: "unknown client, no client authentication included, or unsupported authentication method".
            CredentialsRefused::Missing
            | CredentialsRefused::MalformedHeader
            | CredentialsRefused::UnknownAssertionType
            | CredentialsRefused::MalformedAssertion => {
                Self::new(ErrorCode::InvalidClient, "Client authentication failed.")
            }
            CredentialsRefused::TwoMethods => {
                Self::new(ErrorCode::InvalidRequest, "The request authenticates in more than one way.")
            }
            CredentialsRefused::TwoClients => {
                Self::new(ErrorCode::InvalidRequest, "The request names two different clients.")
            }
        }
        .because(reason)
    }
}

/// Reads the one way in which the request authenticates.
pub(super) fn read(
    headers: &HeaderMap,
    parameters: &Parameters<'_>,
) -> Result<PresentedCredentials, CredentialsRefused> {
    let mut authorization = headers.get_all(header::AUTHORIZATION);
    let in_body = parameters.optional("client_id");
    let secret_in_body = parameters.optional("client_secret");
    let assertion = read_assertion(parameters)?;
    let is_elsewhere = secret_in_body.is_some() || headers.contains_key(header::AUTHORIZATION);
    if assertion.is_some() && is_elsewhere {
        return Err(CredentialsRefused::TwoMethods);
    }
    if let Some(assertion) = assertion {
        return of_assertion(assertion, in_body);
    }
    match (authorization.next(), authorization.next()) {
        (Some(_), Some(_)) => Err(CredentialsRefused::TwoMethods),
        (Some(_), None) if secret_in_body.is_some() => Err(CredentialsRefused::TwoMethods),
        (Some(value), None) => {
            let presented = basic(value).ok_or(CredentialsRefused::MalformedHeader)?;
            match in_body {
                Some(client_id) if client_id != presented.client_id() => Err(CredentialsRefused::TwoClients),
                _ => Ok(presented),
            }
        }
        (None, _) => {
            let client_id = in_body.ok_or(CredentialsRefused::Missing)?.to_owned();
            Ok(match secret_in_body {
                Some(secret) => PresentedCredentials::Secret { client_id, client_secret: SecretString::from(secret) },
                None => PresentedCredentials::None { client_id },
            })
        }
    }
}

/// The assertion, where there is one (RFC 7521 §4.2).
fn read_assertion<'p>(parameters: &'p Parameters<'_>) -> Result<Option<&'p str>, CredentialsRefused> {
    const ASSERTION: &str = "client_assertion";
    const TYPE: &str = "client_assertion_type";
    match (parameters.optional(ASSERTION), parameters.optional(TYPE)) {
        (None, None) => Ok(None),
        (Some(assertion), Some(JWT_BEARER)) => Ok(Some(assertion)),
        (Some(_), Some(_)) => Err(CredentialsRefused::UnknownAssertionType),
        (None, Some(_)) => Err(CredentialsRefused::HalfAnAssertion(InvalidParameters::Missing(ASSERTION))),
        (Some(_), None) => Err(CredentialsRefused::HalfAnAssertion(InvalidParameters::Missing(TYPE))),
    }
}

/// RFC 7521 §4.2: `client_id` is unnecessary beside an assertion, which names the client; if sent, it names the same one.
fn of_assertion(text: &str, in_body: Option<&str>) -> Result<PresentedCredentials, CredentialsRefused> {
    let client_id = assertion::claimed_client(text).ok_or(CredentialsRefused::MalformedAssertion)?;
    if in_body.is_some_and(|in_body| in_body != client_id) {
        return Err(CredentialsRefused::TwoClients);
    }
    Ok(PresentedCredentials::Assertion { client_id, assertion: SecretString::from(text) })
}

fn basic(value: &HeaderValue) -> Option<PresentedCredentials> {
    let BasicCredentials { client_id, client_secret } = BasicCredentials::parse(value.to_str().ok()?)?;
    Some(match client_secret {
        Some(client_secret) => PresentedCredentials::Secret { client_id, client_secret },
        None => PresentedCredentials::None { client_id },
    })
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::foundation::secret::ExposeSecret as _;

    fn presented(header: Option<&str>, body: &str) -> Result<(String, Option<String>), CredentialsRefused> {
        let mut headers = HeaderMap::new();
        if let Some(text) = header {
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(text).expect("a header value"));
        }
        let parameters = Parameters::parse(body.as_bytes()).expect("a form");
        read(&headers, &parameters).map(|presented| match presented {
            PresentedCredentials::None { client_id } => (client_id, None),
            PresentedCredentials::Secret { client_id, client_secret } => {
                (client_id, Some(client_secret.expose_secret().to_owned()))
            }
            PresentedCredentials::Assertion { client_id, assertion } => {
                (client_id, Some(assertion.expose_secret().to_owned()))
            }
        })
    }

    fn client(client_id: &str, secret: Option<&str>) -> (String, Option<String>) {
        (client_id.to_owned(), secret.map(str::to_owned))
    }

    #[test]
    fn the_example_of_rfc_6749_section_2_3_1_is_read_from_header_and_body() {
        let header = "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3";
        assert_eq!(presented(Some(header), ""), Ok(client("s6BhdRkqt3", Some("7Fjfp0ZBr1KtDRbnfVdmIw"))));
        let body = "client_id=s6BhdRkqt3&client_secret=7Fjfp0ZBr1KtDRbnfVdmIw";
        assert_eq!(presented(None, body), Ok(client("s6BhdRkqt3", Some("7Fjfp0ZBr1KtDRbnfVdmIw"))));
    }

    #[test]
    fn both_halves_of_a_basic_header_are_form_decoded() {
        let header = format!("bAsIc {}", STANDARD.encode("a%3Ab+c:p%25%2Bw%C3%A9:x"));
        assert_eq!(presented(Some(&header), ""), Ok(client("a:b c", Some("p%+w\u{e9}:x"))));
    }

    #[test]
    fn an_empty_password_is_no_secret() {
        let header = format!("Basic {}", STANDARD.encode("public:"));
        assert_eq!(presented(Some(&header), ""), Ok(client("public", None)));
        assert_eq!(presented(None, "client_id=public&client_secret="), Ok(client("public", None)));
    }

    #[test]
    fn two_ways_at_once_are_refused_and_an_equal_client_id_is_not_a_second_way() {
        let header = format!("Basic {}", STANDARD.encode("one:secret"));
        assert_eq!(presented(Some(&header), "client_id=one"), Ok(client("one", Some("secret"))));
        assert_eq!(presented(Some(&header), "client_id=two"), Err(CredentialsRefused::TwoClients));
        assert_eq!(presented(Some(&header), "client_secret=secret"), Err(CredentialsRefused::TwoMethods));
    }

    #[test]
    fn an_assertion_names_its_client_and_is_the_only_way_of_a_request() {
        // {"alg":"ES256"} and {"sub":"one"}.
        let jwt = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJvbmUifQ.AAAA";
        let kind = "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
        let body = format!("{kind}&client_assertion={jwt}");
        assert_eq!(presented(None, &body), Ok(client("one", Some(jwt))));
        assert_eq!(presented(None, &format!("{body}&client_id=one")), Ok(client("one", Some(jwt))));
        assert_eq!(presented(None, &format!("{body}&client_id=two")), Err(CredentialsRefused::TwoClients));
        let two = Err(CredentialsRefused::TwoMethods);
        assert_eq!(presented(None, &format!("{body}&client_secret=s")), two);
        for header in [format!("Basic {}", STANDARD.encode("one:s")), "Basic b25lOg==".to_owned(), "x".to_owned()] {
            assert_eq!(presented(Some(&header), &body), two, "{header}");
        }
        let missing = |name| Err(CredentialsRefused::HalfAnAssertion(InvalidParameters::Missing(name)));
        assert_eq!(presented(None, kind), missing("client_assertion"));
        assert_eq!(presented(None, &format!("client_assertion={jwt}")), missing("client_assertion_type"));
        let saml = "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Asaml2-bearer";
        let unknown = presented(None, &format!("{saml}&client_assertion={jwt}"));
        assert_eq!(unknown, Err(CredentialsRefused::UnknownAssertionType));
        for text in ["a", "a.b.c", "e30.e30.", "e30.eyJzdWIiOjF9.", "..", "e30.eyJzdWIiOiJvbmUifQ"] {
            let body = format!("{kind}&client_assertion={text}");
            assert_eq!(presented(None, &body), Err(CredentialsRefused::MalformedAssertion), "{text}");
        }
    }

    #[test]
    fn a_header_that_is_not_well_formed_basic_is_refused() {
        for text in ["Basic", "Basic !", "Basic b25l", "Bearer b25lOnR3bw==", "Basic Og==", "Basic JWZmOmE="] {
            assert_eq!(presented(Some(text), ""), Err(CredentialsRefused::MalformedHeader), "{text}");
        }
        assert_eq!(presented(None, "scope=read"), Err(CredentialsRefused::Missing));
    }
}
