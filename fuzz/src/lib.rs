//! What is fuzzed: a function for each parser that meets the outside, which asserts what must hold for every input.
//!
//! The functions know no engine. The binaries in `fuzz_targets` give them to libFuzzer; `tests/fuzz_seeds.rs` of the
//! server gives them the seeds in `seeds/`, with every `cargo test`.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jotsmith::authorize::pending::PendingRequest;
use jotsmith::authorize::request::{AuthorizationError, AuthorizationRequest, Registrations};
use jotsmith::clients::authentication::assertion::claimed_client;
use jotsmith::config::{self, Environment, Settings};
use jotsmith::foundation::base64url;
use jotsmith::foundation::clock::Timestamp;
use jotsmith::foundation::random::OsRandom;
use jotsmith::foundation::sealing::{KEY_BYTES, SealingKey};
use jotsmith::foundation::secret::ExposeSecret as _;
use jotsmith::keys::algorithm::Algorithm;
use jotsmith::keys::csrf::CsrfBinding;
use jotsmith::keys::history::History;
use jotsmith::keys::jws::{Expectation, decode_unverified};
use jotsmith::keys::key_ring::{KeyRing, Occasion, RingDemands};
use jotsmith::keys::registered_keys::RegisteredKeys;
use jotsmith::keys::schedule::{Lifecycle, Scheduled};
use jotsmith::keys::sealing_ring::{SealPurpose, SealingRing};
use jotsmith::keys::signing_key::{self, SigningKey};
use jotsmith::keys::token_type::TokenType;
use jotsmith::login::session::Session;
use jotsmith::protocol::basic_credentials::BasicCredentials;
use jotsmith::protocol::issuer::Issuer;
use jotsmith::protocol::language::{LanguageTag, Preferences};
use jotsmith::protocol::parameters::{LONGEST_VALUE, MOST_PARAMETERS, Parameters, UncheckedParameters};
use jotsmith::protocol::redirect_uri::{ApplicationType, LONGEST_REDIRECT_URI, RedirectUri};
use jotsmith::protocol::resource::ResourceIndicator;
use jotsmith::protocol::scope::Scope;
use jotsmith::tokens::handle::{Handle, HandleKind};
use jotsmith::tokens::presented_token::{PresentedToken, TokenReader};
use serde::Serialize;
use serde::ser::{SerializeTuple as _, Serializer};
use serde_json::Value;
use url::Url;
use uuid::Uuid;

/// A target, by its name.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 13] = [
    ("form_body", form_body),
    ("basic_header", basic_header),
    ("redirect_uri", redirect_uri),
    ("authorize_query", authorize_query),
    ("handle", handle),
    ("token", token),
    ("client_assertion", client_assertion),
    ("sealed_value", sealed_value),
    ("cookie_header", cookie_header),
    ("languages", languages),
    ("resource_indicator", resource_indicator),
    ("scope", scope),
    ("configuration", configuration),
];

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const NOW_SECONDS: f64 = 1_800_000_000.0;
const ISSUER: &str = "https://login.example.com";

/// The body of a form (RFC 6749 appendix B): within its bounds, no name twice, and written anew it is the same.
pub fn form_body(data: &[u8]) {
    let Ok(unchecked) = UncheckedParameters::parse(data) else { return };
    // Neither view of a body allows what the other refuses.
    let decoded: Vec<_> = form_urlencoded::parse(data).filter(|(_, value)| !value.is_empty()).collect();
    assert!(decoded.len() <= MOST_PARAMETERS);
    for (name, _) in &decoded {
        if let Ok(value) = unchecked.optional(name) {
            let value = value.expect("it is there");
            assert!(!value.is_empty() && value.len() <= LONGEST_VALUE && value.len() <= data.len());
            assert!(decoded.iter().filter(|(other, _)| other == name).count() == 1);
        }
    }
    let Ok(parameters) = Parameters::parse(data) else { return };
    let names: HashSet<_> = decoded.iter().map(|(name, _)| name.as_ref()).filter(|name| *name != "resource").collect();
    assert_eq!(names.len(), decoded.iter().filter(|(name, _)| name != "resource").count());
    let anew = form_urlencoded::Serializer::new(String::new()).extend_pairs(&decoded).finish();
    let again = Parameters::parse(anew.as_bytes()).expect("what was taken is taken again");
    for (name, _) in &decoded {
        assert!(parameters.all(name).eq(again.all(name)));
    }
}

/// The value of an `Authorization` header (RFC 6749 §2.3.1): written anew it is the same.
pub fn basic_header(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // The header as it came, and what stands in it without its base64, which no engine guesses.
    for value in [text.to_owned(), format!("Basic {}", STANDARD.encode(text))] {
        let Some(read) = BasicCredentials::parse(&value) else { continue };
        assert!(!read.client_id.is_empty() && read.client_id.len() <= value.len());
        assert_eq!(form_decoded_id(&value).as_deref(), Some(&*read.client_id));
        let secret = read.client_secret.as_ref().map_or("", |secret| secret.expose_secret());
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let anew = format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(&read.client_id), encode(secret))));
        let again = BasicCredentials::parse(&anew).expect("what was read is read again");
        assert_eq!(again.client_id, read.client_id);
        assert_eq!(again.client_secret.as_ref().map_or("", |secret| secret.expose_secret()), secret);
    }
}

/// The identifier in a Basic header, decoded by a library for forms.
fn form_decoded_id(value: &str) -> Option<String> {
    let joined = STANDARD.decode(value.split_once(' ')?.1.trim_start_matches(' ')).ok()?;
    let id = joined.split(|byte| *byte == b':').next()?;
    // What has a meaning in a form and none here.
    let id: Vec<u8> = id
        .iter()
        .flat_map(|byte| match byte {
            b'&' => b"%26".to_vec(),
            b'=' => b"%3D".to_vec(),
            byte => vec![*byte],
        })
        .collect();
    form_urlencoded::parse(&id).next().map(|(name, _)| name.into_owned())
}

/// A redirect URI that is to be registered, and on the next line one that a request names.
pub fn redirect_uri(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (registered, named) = text.split_once('\n').unwrap_or((text, text));
    let Ok(uri) = RedirectUri::parse(registered) else { return };
    assert!(uri.as_str() == registered && registered.len() <= LONGEST_REDIRECT_URI);
    let url = Url::parse(registered).expect("a browser reads it");
    assert!(url.fragment().is_none() && url.username().is_empty() && url.password().is_none());
    assert!(["https", "http"].contains(&url.scheme()) || url.scheme().contains('.'));
    assert_eq!(uri.matches(named, ApplicationType::Web), named == registered);
    if uri.matches(named, ApplicationType::Native) && named != registered {
        let mut other = Url::parse(named).expect("a browser reads it");
        let mut own = url.clone();
        assert!(uri.is_loopback() && other.set_port(None).is_ok() && own.set_port(None).is_ok());
        assert_eq!(other, own);
    }
    for kind in ApplicationType::ALL {
        let Some(target) = uri.accept(named, kind) else { continue };
        let location = target.with_query([("state", named), ("code", "x y&=%")]);
        assert!(location.starts_with(target.as_str()) && location.bytes().all(|byte| byte.is_ascii_graphic()));
        let back = Url::parse(&location).expect("a browser reads it");
        assert_eq!((back.host_str(), back.path()), (url.host_str(), url.path()));
        let sent: Vec<_> = back.query_pairs().collect();
        let [.., (state, value), (code, _)] = &sent[..] else { panic!("two parameters were added to {location}") };
        assert_eq!((&**state, &**value, &**code), ("state", named, "code"));
    }
}

/// The parameters of an authorization request (RFC 6749 §4.1.1): no answer goes anywhere but to a registered address, and
/// what was judged sound is judged so again when it comes back out of its form field.
pub fn authorize_query(data: &[u8]) {
    let settings = &*SETTINGS;
    let registrations = registrations();
    let request = match AuthorizationRequest::parse(data, registrations, NOW) {
        Ok(request) => request,
        Err(AuthorizationError::ShowToUser(error)) => return assert!(!error.description.is_empty()),
        Err(AuthorizationError::RedirectToClient { to, .. }) => return assert_is_registered(to.target.as_str()),
        Err(AuthorizationError::Expired { .. }) => panic!("it has only just come"),
    };
    assert_is_registered(request.to().target.as_str());
    let (client, terms) = (request.client(), request.terms());
    assert!(terms.scope.is_subset_of(&client.scope));
    assert!(!terms.resources.is_empty() && terms.resources.len() <= data.len());
    assert!(terms.resources.iter().all(|resource| settings.resources.find(resource).is_some()));
    assert!(terms.code_challenge.is_some() || !(client.is_public() || client.authorization.require_pkce));
    let back = PendingRequest::new(&request).resume(registrations, NOW).expect("it is as sound as it was");
    assert_eq!((back.to(), back.terms()), (request.to(), request.terms()));
}

/// The client of [`authorize_query`] that may come back at any port of loopback, and its redirect URI.
const LOOPBACK: (&str, &str) = ("http://127.0.0.1", "/cb");

fn registrations() -> Registrations<'static> {
    Registrations { clients: &SETTINGS.clients, resources: &SETTINGS.resources, lifetimes: &SETTINGS.lifetimes }
}

fn assert_is_registered(address: &str) {
    let is_loopback = address.strip_prefix(LOOPBACK.0).and_then(|rest| rest.strip_suffix(LOOPBACK.1));
    let is_port = |port: &str| port.strip_prefix(':').is_some_and(|digits| digits.parse::<u16>().is_ok());
    let is_registered = ["https://web.example.com/cb", "https://old.example.com/a?b=c", "https://old.example.com/b"]
        .contains(&address)
        || is_loopback.is_some_and(|port| port.is_empty() || is_port(port));
    assert!(is_registered, "{address}");
}

static SETTINGS: LazyLock<Settings> = LazyLock::new(|| {
    load(&format!(
        r#"
        issuer = "{ISSUER}"
        [[resources]]
        identifier = "https://api.example.com"
        [[resources]]
        identifier = "https://write.example.com/path"
        scope = "write"
        [[clients]]
        client_id = "web"
        client_secrets = ["sha256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"]
        redirect_uris = ["https://web.example.com/cb"]
        scope = "read write"
        [[clients]]
        client_id = "old"
        client_secrets = ["sha256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"]
        redirect_uris = ["https://old.example.com/a?b=c", "https://old.example.com/b"]
        scope = "read"
        require_pkce = false
        [[clients]]
        client_id = "app"
        token_endpoint_auth_method = "none"
        application_type = "native"
        redirect_uris = ["{}{}"]
        scope = "write"
        "#,
        LOOPBACK.0, LOOPBACK.1
    ))
    .expect("sound")
});

/// A code or refresh token: no text is one but what we sealed, unchanged, as what it was sealed as.
pub fn handle(data: &[u8]) {
    let ring = &*SEALING;
    if let Ok(text) = std::str::from_utf8(data) {
        for kind in [HandleKind::Code, HandleKind::Refresh] {
            assert!(
                Handle::open(text, kind, ring).is_err()
                    && Handle::open(&[kind.prefix(), text].concat(), kind, ring).is_err()
            );
        }
    }
    // The same bytes as the parts of a handle, and what to do to it.
    let Some((id, rest)) = data.split_first_chunk::<16>() else { return };
    let Some((generation, rest)) = rest.split_first_chunk::<4>() else { return };
    let kind = if id[0] & 1 == 0 { HandleKind::Code } else { HandleKind::Refresh };
    let own = Handle { kind, id: Uuid::from_bytes(*id), generation: u32::from_be_bytes(*generation) };
    let sealed = own.seal(ring, NOW);
    assert_eq!(Handle::open(sealed.expose_secret(), kind, ring).expect("ours"), own);
    let mut changed = sealed.expose_secret().as_bytes().to_vec();
    for change in rest.chunks_exact(2) {
        let at = usize::from(change[0]) % (changed.len() + 1);
        if at == changed.len() { changed.push(change[1]) } else { changed[at] = change[1] }
    }
    let Ok(changed) = String::from_utf8(changed) else { return };
    if changed != sealed.expose_secret() {
        assert!(Handle::open(&changed, kind, ring).is_err(), "{changed}");
    }
}

static SEALING: LazyLock<SealingRing> = LazyLock::new(|| {
    let issuer = Issuer::parse(ISSUER).expect("an issuer");
    let key = SealingKey::new(&[7; KEY_BYTES]);
    let key = Scheduled { name: "key".to_owned(), lifecycle: Lifecycle::default(), key };
    SealingRing::new(&issuer, vec![key], NOW).expect("a schedule without gaps")
});

/// A token that is introspected, revoked or verified: no text is one but what we signed; and of what we signed, only what
/// has claims that are right.
pub fn token(data: &[u8]) {
    let expected = Expectation {
        typ: TokenType::AccessToken,
        algorithms: &[Algorithm::EdDsa],
        issuer: Some(ISSUER),
        audience: Some("https://api.example.com"),
        now: NOW,
        leeway: Duration::from_mins(1),
    };
    let Ok(text) = std::str::from_utf8(data) else { return };
    assert!(SIGNING.verify::<Value>(text, &expected).is_err());
    // As it is asked about or given up, where a refresh token may be one too.
    let issuer = Issuer::parse(ISSUER).expect("an issuer");
    let reader = TokenReader { issuer: &issuer, keys: &SIGNING, sealing: &SEALING };
    assert!(reader.read(text, NOW).is_err());
    if let Ok(read) = decode_unverified(text) {
        assert!(text.split('.').count() == 3 && read.header.len() <= text.len());
    }
    let Ok(claims @ Value::Object(_)) = serde_json::from_str::<Value>(text) else { return };
    let signed = at_once(SIGNING.sign(Algorithm::EdDsa, expected.typ, NOW, &claims)).expect("it signs");
    let shown = decode_unverified(&signed).expect("it is a token");
    if let Ok(PresentedToken::Access(access_token)) = reader.read(&signed, NOW) {
        assert_eq!(Value::Object(access_token.claims), claims);
        assert_eq!((&claims["client_id"], &claims["iss"]), (&Value::from(access_token.client_id), &ISSUER.into()));
    }
    let Ok(read) = SIGNING.verify::<Value>(&signed, &expected) else { return };
    assert_eq!((&read, Value::Object(shown.claims)), (&claims, claims.clone()));
    assert_eq!(read["iss"], ISSUER);
    let audience = &read["aud"];
    assert!(
        audience == "https://api.example.com"
            || audience.as_array().is_some_and(|list| list.contains(&"https://api.example.com".into()))
    );
    let seconds = |name: &str| read[name].as_f64();
    assert!(seconds("exp").expect("a number") + 60.0 > NOW_SECONDS);
    assert!(seconds("nbf").is_none_or(|from| from - 60.0 < 1.0 + NOW_SECONDS));
    // Not for another issuer, and not when it is over.
    let later = Timestamp::from_seconds(u64::MAX / 2_000);
    for other in
        [Expectation { issuer: Some("https://other.example.com"), ..expected }, Expectation { now: later, ..expected }]
    {
        assert!(SIGNING.verify::<Value>(&signed, &other).is_err() || seconds("exp") > Some(1e14));
    }
}

/// What a future gives that has nothing to wait for: a key in memory signs at once.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

static SIGNING: LazyLock<KeyRing> = LazyLock::new(|| {
    let pem = signing_key::generate(Algorithm::EdDsa);
    let key = SigningKey::from_pem(pem.as_bytes(), Algorithm::EdDsa, None).expect("a key of ours");
    let key = Scheduled { name: "key".to_owned(), lifecycle: Lifecycle::default(), key };
    let demands = RingDemands {
        jwks_max_age: Duration::from_mins(15),
        longest_lifetime: Duration::from_mins(5),
        algorithms: &[Algorithm::EdDsa],
        now: NOW,
        history: History::none(),
        occasion: Occasion::Start,
        killed: &[],
    };
    KeyRing::new(vec![key], &demands).expect("a ring")
});

/// A client assertion before anything is believed of it, its claims alone, and the keys that a client registers.
pub fn client_assertion(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // The text as it came, and as the claims of a token that nobody has signed.
    let unsigned = format!("eyJhbGciOiJFUzI1NiJ9.{}.AAAA", base64url::encode(text));
    for assertion in [text, &unsigned] {
        let Some(client_id) = claimed_client(assertion) else { continue };
        let token = decode_unverified(assertion).expect("it was read");
        assert_eq!(token.claims["sub"], *client_id);
        assert!(client_id.len() <= assertion.len());
    }
    let Ok(set) = serde_json::from_str::<Value>(text) else { return };
    if RegisteredKeys::judge(&set, None).is_ok() {
        let keys = set["keys"].as_array().expect("it is a set");
        assert!((1..=16).contains(&keys.len()));
        assert!(keys.iter().all(|key| key.get("d").is_none() && key.get("k").is_none() && key["kty"].is_string()));
    }
}

/// The value of a cookie or form field: nothing opens but what we sealed; and what a later version of ours has sealed is
/// read as what it is, or refused.
pub fn sealed_value(data: &[u8]) {
    const CONTEXT: &str = "__Host-jotsmith-session";
    let ring = &*SEALING;
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(ring.open::<Session>(SealPurpose::Session, CONTEXT, text).is_err());
        assert!(ring.open::<PendingRequest>(SealPurpose::AuthorizationRequest, "request", text).is_err());
        let binding = CsrfBinding { session: b"session", request: b"request", action: "login" };
        assert!(binding.verify(text, ring).is_err());
        let of_form = CsrfBinding { session: data, request: data, action: "login" };
        assert!(of_form.verify(&of_form.token(ring, NOW), ring).is_ok());
    }
    let sealed = ring.seal(SealPurpose::Session, CONTEXT, &Raw(data), NOW, &OsRandom);
    if let Ok(session) = ring.open::<Session>(SealPurpose::Session, CONTEXT, &sealed) {
        let anew = ring.seal(SealPurpose::Session, CONTEXT, &session, NOW, &OsRandom);
        assert_eq!(ring.open::<Session>(SealPurpose::Session, CONTEXT, &anew).expect("ours"), session);
    }
    assert!(ring.open::<Session>(SealPurpose::Consent, CONTEXT, &sealed).is_err());
    assert!(ring.open::<Session>(SealPurpose::Session, "another", &sealed).is_err());
    let sealed = ring.seal(SealPurpose::AuthorizationRequest, "request", &Raw(data), NOW, &OsRandom);
    let Ok(pending) = ring.open::<PendingRequest>(SealPurpose::AuthorizationRequest, "request", &sealed) else {
        return;
    };
    let registrations = registrations();
    match pending.resume(registrations, NOW) {
        Ok(request) => assert_is_registered(request.to().target.as_str()),
        Err(AuthorizationError::RedirectToClient { to, .. } | AuthorizationError::Expired { to, .. }) => {
            assert_is_registered(to.target.as_str());
        }
        Err(AuthorizationError::ShowToUser(_)) => {}
    }
}

/// Bytes that are sealed as they are, whatever type they are then read as.
struct Raw<'a>(&'a [u8]);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        self.0.iter().try_for_each(|byte| tuple.serialize_element(byte))?;
        tuple.end()
    }
}

/// `Cookie` headers, a line each: a value is found exactly where its name stands byte by byte.
pub fn cookie_header(data: &[u8]) {
    const NAME: &str = "__Host-jotsmith-session";
    let find = |headers: &[&[u8]]| {
        jotsmith::protocol::cookie_header::value_of(NAME, headers.iter().copied()).map(str::to_owned)
    };
    let headers: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let found = find(&headers);
    if let Some(value) = &found {
        assert!(!value.contains([';', '\n']) && value.len() < data.len());
        let pair = format!("{NAME}={value}");
        assert!(data.windows(pair.len()).any(|part| part == pair.as_bytes()));
    }
    // What stands before ours never hides it, unless it bears our name.
    let own = format!("{NAME}=own");
    if !data.windows(NAME.len()).any(|part| part == NAME.as_bytes()) {
        assert_eq!(found, None);
        let joined = [data, b";", own.as_bytes()].concat();
        assert_eq!(find(&[&joined]).as_deref(), Some("own"));
    }
    assert_eq!(find(&[own.as_bytes(), data]).as_deref(), Some("own"));
}

/// A resource indicator (RFC 8707 §2): kept as it is written, and equal to what differs in a lone slash alone.
pub fn resource_indicator(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(resource) = ResourceIndicator::parse(text) else { return };
    assert!(resource.as_str() == text && text.is_ascii() && !text.contains('#'));
    assert!(Url::parse(text).is_ok_and(|url| url.fragment().is_none()));
    let json = serde_json::to_string(&resource).expect("a text");
    assert_eq!(serde_json::from_str::<ResourceIndicator>(&json).expect("its own form").as_str(), text);
    let hash = |resource: &ResourceIndicator| {
        let mut hasher = DefaultHasher::new();
        resource.hash(&mut hasher);
        hasher.finish()
    };
    let others = [format!("{text}/"), format!("{text}x"), format!("{text}?"), text.trim_end_matches('/').to_owned()];
    for other in others.iter().filter_map(|other| ResourceIndicator::parse(other).ok()) {
        let (one_way, other_way) = (resource == other, other == resource);
        assert_eq!(one_way, other_way);
        if one_way {
            assert_eq!(hash(&resource), hash(&other));
            assert_eq!(text.trim_end_matches('/'), other.as_str().trim_end_matches('/'));
        }
    }
}

/// Scope (RFC 6749 §3.3), two of them, a line each: the laws of sets, and written anew it is the same.
pub fn scope(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (one, other) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(one) = one.parse::<Scope>() else { return };
    let written = one.to_string();
    assert!(written.len() <= text.len() && written.parse::<Scope>() == Ok(one.clone()));
    assert!(one.tokens().is_sorted_by(|before, after| before < after));
    assert!(
        one.tokens().all(|token| token.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\'))
    );
    let Ok(other) = other.parse::<Scope>() else { return };
    let (both, either) = (one.intersection(&other), one.union(&other));
    assert!(both.is_subset_of(&one) && both.is_subset_of(&other));
    assert!(one.is_subset_of(&either) && other.is_subset_of(&either));
    assert_eq!(either.tokens().count() + both.tokens().count(), one.tokens().count() + other.tokens().count());
}

/// `Accept-Language`, `ui_locales` and a tag, a line each: what is chosen is there, and a tag that is read is written so.
pub fn languages(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let of_browser = Preferences::of_accept_language(line());
    let of_client = Preferences::of_ui_locales(line());
    if let Ok(tag) = LanguageTag::parse(line()) {
        assert_eq!(LanguageTag::parse(tag.as_str()), Ok(tag.clone()), "{tag}");
        assert!(
            tag.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') && tag.as_str().len() <= 35
        );
        assert!(matches!(tag.direction(), "ltr" | "rtl"));
        // Whoever asks for exactly what is there gets it.
        assert_eq!(Preferences::of_ui_locales(tag.as_str()).best(std::slice::from_ref(&tag)), Some(0), "{tag}");
    }
    let there = ["en", "zh-Hans", "zh-Hant", "pt-PT"].map(|tag| LanguageTag::parse(tag).expect("a tag"));
    for preferences in [of_browser, of_client] {
        assert!(preferences.best(&there).is_none_or(|at| at < there.len()));
        assert_eq!(preferences.best(&[]), None);
    }
}

/// A file of configuration: refused with a place and a sentence, or read to the same twice.
pub fn configuration(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // These name other files of this machine, which may be devices that never end.
    if ["include", "file", "logo", "\\u", "\\U", "\\x"].iter().any(|word| text.contains(word)) {
        return;
    }
    let read = || {
        load(text).map(|settings| {
            let mut clients: Vec<_> = settings.clients.iter().map(|client| format!("{client:?}")).collect();
            clients.sort_unstable();
            format!("{:?} {clients:?} {:?}", settings.issuer, settings.lifetimes)
        })
    };
    match (read(), read()) {
        (Ok(one), Ok(other)) => assert_eq!(one, other),
        (Err(one), Err(other)) => {
            assert!(one.lines().count() >= 1 && one.lines().all(|line| line.contains(": ")), "{one}");
            assert_eq!(one, other);
        }
        (one, other) => panic!("{one:?} and {other:?}"),
    }
}

/// Reads a configuration in a folder of its own, as `serve` does.
fn load(text: &str) -> Result<Settings, String> {
    static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));
    let file = FOLDER.path().join(format!("{:?}.toml", std::thread::current().id()));
    std::fs::write(&file, text).expect("a file");
    let environment = Environment { working_directory: FOLDER.path().to_owned(), ..Environment::default() };
    config::load(&[file], &environment).map_err(|errors| errors.to_string())
}
