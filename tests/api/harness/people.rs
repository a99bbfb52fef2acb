//! The configuration of flows with a person: their account, and the clients that ask.

use std::sync::LazyLock;

use jotsmith::clients::ClientSecretHash;
use jotsmith::foundation::password_hash::{Cost, Password, PasswordHash};
use jotsmith::foundation::random::OsRandom;
use toml_edit::{ArrayOfTables, DocumentMut};

use super::SECRET;

/// A confidential client on the web, which may refresh.
pub(crate) const WEB: &str = "web";
pub(crate) const WEB_CALLBACK: &str = "https://web.example.com/cb";

/// A public client on a person's device, which may refresh.
pub(crate) const APP: &str = "app";
pub(crate) const APP_CALLBACK: &str = "http://127.0.0.1:51004/cb";

/// A confidential client that nobody is asked about, that may do without PKCE, and that may not refresh.
pub(crate) const TRUSTED: &str = "trusted";
pub(crate) const TRUSTED_CALLBACK: &str = "https://trusted.example.com/cb";

/// The resource that tokens are for.
pub(crate) const API: &str = "https://api.example.com";

/// The resource itself, as a client: it asks about the tokens that come to it.
pub(crate) const API_SERVER: &str = "api-server";

/// The person.
pub(crate) const ALICE: &str = "alice";
pub(crate) const ALICES_SUBJECT: &str = "248289761001";
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Another person, who is only there where a test says so.
pub(crate) const BOB: &str = "bob";
pub(crate) const BOBS_SUBJECT: &str = "248289761002";
pub(crate) const BOBS_PASSWORD: &str = "hunter2hunter2";

/// The pair of RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// The hash of [`PASSWORD`], the same at every reload, else it would be a changed password.
static PASSWORD_HASH: LazyLock<String> = LazyLock::new(|| cheap_hash(PASSWORD));

/// The hash of a password at the least cost that a configuration may have.
pub(crate) fn cheap_hash(password: &str) -> String {
    let cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };
    let password = Password::new(password).expect("a password");
    PasswordHash::hash_blocking(&password, cost, &OsRandom).to_phc_string()
}

/// A configuration with a person, a resource, and three clients. What is appended to it belongs to the person.
pub(crate) fn people() -> String {
    let secret = ClientSecretHash::of_generated(SECRET.as_bytes());
    let password_hash = &*PASSWORD_HASH;
    format!(
        r#"
        default_resource = "{API}"
        [[resources]]
        identifier = "{API}"
        scope = "read write"

        [[clients]]
        client_id = "{WEB}"
        client_name = "Web shop"
        client_secrets = ["{secret}"]
        redirect_uris = ["{WEB_CALLBACK}"]
        grant_types = ["authorization_code", "refresh_token"]
        scope = "read write"

        [[clients]]
        client_id = "{APP}"
        client_name = "Phone app"
        token_endpoint_auth_method = "none"
        application_type = "native"
        redirect_uris = ["http://127.0.0.1/cb"]
        grant_types = ["authorization_code", "refresh_token"]
        scope = "read write"

        [[clients]]
        client_id = "{TRUSTED}"
        client_name = "Our own"
        client_secrets = ["{secret}"]
        redirect_uris = ["{TRUSTED_CALLBACK}"]
        grant_types = ["authorization_code"]
        scope = "read write"
        require_consent = false
        require_pkce = false

        [[users]]
        username = "{ALICE}"
        subject = "{ALICES_SUBJECT}"
        password_hash = "{password_hash}"
        "#
    )
}

/// A client that may have an access token from the authorization endpoint, and a code.
pub(crate) const PAGE: &str = "page";
pub(crate) const PAGE_CALLBACK: &str = "https://page.example.com/cb";

/// The same configuration with [`PAGE`], a public client. What is appended to it belongs to that one.
pub(crate) fn with_page(config: &str) -> String {
    format!(
        r#"{config}
        [[clients]]
        client_id = "{PAGE}"
        client_name = "Old page"
        token_endpoint_auth_method = "none"
        application_type = "native"
        redirect_uris = ["{PAGE_CALLBACK}", "http://127.0.0.1/page"]
        grant_types = ["authorization_code", "implicit", "refresh_token"]
        response_types = ["code", "token"]
        scope = "read write"
        "#
    )
}

/// The same configuration with another person. What is appended to it belongs to that one.
pub(crate) fn with_bob(config: &str) -> String {
    let password_hash = cheap_hash(BOBS_PASSWORD);
    format!(
        "{config}\n[[users]]\nusername = \"{BOB}\"\nsubject = \"{BOBS_SUBJECT}\"\npassword_hash = \"{password_hash}\"\n"
    )
}

/// The same configuration with [`API_SERVER`]. What is appended to it belongs to that client.
pub(crate) fn with_api_server(config: &str) -> String {
    let config = changed(config, "resources", |resources| {
        let api = resources.iter_mut().find(|entry| entry["identifier"].as_str() == Some(API)).expect("a resource");
        api["introspected_by"] = toml_edit::value(toml_edit::Array::from_iter([API_SERVER]));
    });
    let secret = ClientSecretHash::of_generated(SECRET.as_bytes());
    format!(
        r#"{config}
        [[clients]]
        client_id = "{API_SERVER}"
        client_secrets = ["{secret}"]
        grant_types = ["client_credentials"]
        response_types = []
        scope = "read"
        "#
    )
}

/// The same configuration, with other values in the entry of a client: `keys` is TOML.
pub(crate) fn with_client(config: &str, client_id: &str, keys: &str) -> String {
    changed(config, "clients", |clients| {
        let entry = clients.iter_mut().find(|entry| entry["client_id"].as_str() == Some(client_id)).expect("a client");
        entry.extend(keys.parse::<DocumentMut>().expect("TOML").as_table().clone());
    })
}

/// The same configuration without a client.
pub(crate) fn without_client(config: &str, client_id: &str) -> String {
    changed(config, "clients", |clients| clients.retain(|entry| entry["client_id"].as_str() != Some(client_id)))
}

/// The same configuration, in which the only person has another password.
pub(crate) fn with_password(config: &str, password: &str) -> String {
    changed(config, "users", |users| {
        let entry = users.iter_mut().next().expect("a person");
        entry["password_hash"] = toml_edit::value(cheap_hash(password));
    })
}

/// The same configuration without anybody who may sign in.
pub(crate) fn without_people(config: &str) -> String {
    changed(config, "users", ArrayOfTables::clear)
}

fn changed(config: &str, list: &str, change: impl FnOnce(&mut ArrayOfTables)) -> String {
    let mut document: DocumentMut = config.parse().expect("TOML");
    change(document[list].as_array_of_tables_mut().expect("a list"));
    document.to_string()
}
