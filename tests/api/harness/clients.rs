//! Entries for configurations: the client of most tests, and others like it.

use jotsmith::clients::ClientSecretHash;

/// The client of most tests, and its secret.
pub(crate) const MACHINE: &str = "machine";
pub(crate) const SECRET: &str = "cGxlYXNlIGRvIG5vdCB0ZWxsIGFueWJvZHkgYWJvdXQgaXQ";

/// A configuration with one machine client that may `read` and `write`. What is appended to it belongs to the client.
pub(crate) fn machine() -> String {
    machine_with_secrets(&[&ClientSecretHash::of_generated(SECRET.as_bytes())])
}

/// The same with other secrets, each as its hash.
pub(crate) fn machine_with_secrets(hashes: &[&str]) -> String {
    format!(
        r#"
        [[clients]]
        client_id = "{MACHINE}"
        client_secrets = {hashes:?}
        grant_types = ["client_credentials"]
        response_types = []
        scope = "read write"
        "#
    )
}

/// A public client, which has a code grant and no secret.
pub(crate) fn public_client(client_id: &str) -> String {
    format!(
        r#"
        [[clients]]
        client_id = "{client_id}"
        token_endpoint_auth_method = "none"
        redirect_uris = ["http://127.0.0.1/cb"]
        application_type = "native"
        grant_types = ["authorization_code"]
        response_types = ["code"]
        scope = "read"
        "#
    )
}
