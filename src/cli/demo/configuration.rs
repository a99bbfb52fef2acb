//! The demo's configuration: what a person would write, with a folder that goes away.

use std::path::Path;

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, value};

use crate::cli::Failure;
use crate::clients::ClientSecretHash;
use crate::foundation::password_hash::{Cost, Password, PasswordHash};
use crate::foundation::random::OsRandom;

use super::{APP, MACHINE, Made, PEOPLE, PLAYGROUND, RETRY_WINDOW, SCOPES};

/// The configuration of a demo that keeps everything in `folder`.
pub(super) fn of(made: &Made, folder: &Path) -> Result<String, Failure> {
    let path = |name: &str| folder.join(name).display().to_string();
    let listen = made.issuer.trim_start_matches("http://").to_owned();
    let mut document = DocumentMut::new();
    document["issuer"] = value(&made.issuer);
    document["server"] = table([("listen", listen), ("admin_listen", "127.0.0.1:0".to_owned())]);
    document["store"] = table([("url", format!("sled://{}", path("data")))]);
    document["keys"] = table([("directory", path("keys")), ("default_algorithm", made.algorithm.as_str().to_owned())]);
    // A person reads what came back before they go on.
    document["lifetimes"] = table([("authorization_code", "5m".to_owned())]);
    document["log"] = table([("level", "error".to_owned())]);
    document["scopes"] = scopes(SCOPES);
    document["resources"] = Item::ArrayOfTables([api(made)].into_iter().collect());
    document["clients"] = Item::ArrayOfTables([machine(made), app(made), playground(made)].into_iter().collect());
    document["users"] = Item::ArrayOfTables(users(made)?.into_iter().collect());
    Ok(document.to_string())
}

fn machine(made: &Made) -> Table {
    let mut client = Table::new();
    client["client_id"] = value(MACHINE);
    client["client_secrets"] = list([ClientSecretHash::of_generated(made.machine_secret.as_bytes())]);
    client["grant_types"] = list(["client_credentials".to_owned()]);
    client["response_types"] = list([]);
    client["scope"] = value("read write");
    client
}

fn app(made: &Made) -> Table {
    let mut client = Table::new();
    client["client_id"] = value(APP);
    client["client_name"] = value("Demo app");
    client["token_endpoint_auth_method"] = value("none");
    client["application_type"] = value("native");
    client["redirect_uris"] = list([made.redirect_uri()]);
    client["grant_types"] = list(["authorization_code".to_owned(), "refresh_token".to_owned()]);
    client["scope"] = value("read write");
    // Long enough for a person to paste the next line.
    client["refresh_retry_window"] = value("2m");
    client
}

/// The page of the playground: a client in a browser, so a public one that needs CORS. Its redirect URI has one port.
fn playground(made: &Made) -> Table {
    let mut client = Table::new();
    client["client_id"] = value(PLAYGROUND);
    client["client_name"] = value("Playground");
    client["token_endpoint_auth_method"] = value("none");
    client["redirect_uris"] = list([made.playground_redirect_uri()]);
    client["allowed_origins"] = list([made.origin.clone()]);
    client["grant_types"] = list(["authorization_code".to_owned(), "refresh_token".to_owned()]);
    client["scope"] = value(all_scopes());
    // What a person may leave out on the page of consent.
    client["optional_scope"] = value(SCOPES[1..].iter().map(|(scope, _)| *scope).collect::<Vec<_>>().join(" "));
    client["resources"] = list([made.resource()]);
    // Long enough to press a button, short enough to wait for its end.
    client["refresh_retry_window"] = value(format!("{}s", RETRY_WINDOW.as_secs()));
    client
}

/// The API that the playground calls.
fn api(made: &Made) -> Table {
    let mut resource = Table::new();
    resource["identifier"] = value(made.resource());
    resource["scope"] = value(all_scopes());
    resource
}

fn all_scopes() -> String {
    SCOPES.map(|(scope, _)| scope).join(" ")
}

/// They have one password, so one hash of it will do.
fn users(made: &Made) -> Result<Vec<Table>, Failure> {
    let hash = PasswordHash::hash_blocking(&Password::new(&made.password)?, Cost::RECOMMENDED, &OsRandom);
    let hash = hash.to_phc_string();
    let user = |(username, subject)| {
        let mut user = Table::new();
        user["username"] = value(username);
        user["subject"] = value(subject);
        user["password_hash"] = value(&hash);
        user
    };
    Ok(PEOPLE.into_iter().map(user).collect())
}

fn list<const N: usize>(names: [String; N]) -> Item {
    value(Array::from_iter(names))
}

fn table<const N: usize>(entries: [(&str, String); N]) -> Item {
    let mut table = Table::new();
    for (key, text) in entries {
        table[key] = value(text);
    }
    Item::Table(table)
}

fn scopes<const N: usize>(words: [(&str, &str); N]) -> Item {
    let mut scopes = Table::new();
    scopes.set_implicit(true);
    for (token, text) in words {
        let mut scope = Table::new();
        scope["description"] = value(InlineTable::from_iter([("en", text)]));
        scopes[token] = Item::Table(scope);
    }
    Item::Table(scopes)
}
