//! Secrets that stand elsewhere.

use super::{Folder, errors_of};

const HASH: &str = "sha256:q-xZhD4nPcfvPfhorVci2K214qAOC7U1X0T6oJdzWq0";
const PHC: &str = "$argon2id$v=19$m=19456,t=2,p=1$w0uOPciYyQaOWZuo75D+1g$oCJEpi8WBvcSZJjhq8BgP1ihECiJDdFhnt3JhGxDWKk";

fn client(secret: &str) -> String {
    format!(
        "[[clients]]\nclient_id = \"c\"\ngrant_types = [\"client_credentials\"]\nclient_secrets = [{secret}]\nscope = \"read\"\n"
    )
}

#[test]
fn a_secret_may_stand_in_a_file_whose_last_newline_is_not_part_of_it() {
    for ending in ["", "\n", "\r\n"] {
        let folder = Folder::new();
        folder.write("a.toml", &client("{ file = \"s/hash\" }")).write("s/hash", &format!("{HASH}{ending}"));
        let settings = folder.load(&["a.toml"]);
        assert!(settings.clients.find("c").is_some());
        assert!(settings.sources.contains(&folder.path("s/hash")), "a new secret is a reason to reload");
    }
    let folder = Folder::new();
    folder.write("a.toml", &client("{ file = \"s\" }")).write("s", &format!("{HASH}\n\n"));
    folder.errors(&["a.toml"]);
}

#[test]
fn a_secret_may_stand_in_a_variable() {
    let folder = Folder::new().set("CLIENT_HASH", HASH).set("ALICE", PHC);
    let user = "[[users]]\nusername = \"alice\"\nsubject = \"1\"\npassword_hash = { env = \"ALICE\" }\n";
    folder.write("a.toml", &(client("{ env = \"CLIENT_HASH\" }") + user));
    let settings = folder.load(&["a.toml"]);
    assert!(settings.clients.find("c").is_some());
    assert_eq!(settings.users[0].password_hash().to_phc_string(), PHC);
}

#[test]
fn a_secret_that_is_not_there_is_refused_by_the_name_of_its_file_or_variable() {
    let folder = Folder::new().set("EMPTY", "");
    folder
        .write("a.toml", &client("{ file = \"gone\" }, { env = \"EMPTY\" }, { file = \"empty\" }"))
        .write("empty", "\n");
    let errors = folder.errors(&["a.toml"]);
    let lines: Vec<_> = errors.lines().collect();
    assert!(lines[0].starts_with("a.toml:4: clients[\"c\"].client_secrets[0]: gone cannot be read: "), "{errors}");
    assert!(
        lines[1].ends_with("client_secrets[1]: the environment variable EMPTY is not set, or is empty"),
        "{errors}"
    );
    assert!(lines[2].ends_with("client_secrets[2]: empty is empty"), "{errors}");
}

#[test]
fn a_secret_is_a_value_or_one_of_two_names() {
    for secret in ["{ file = \"a\", env = \"b\" }", "{ path = \"a\" }", "{}", "{ file = 1 }"] {
        assert!(errors_of(&client(secret)).contains("write the value, or { file = "), "{secret}");
    }
}

#[test]
fn nothing_but_a_secret_may_stand_elsewhere() {
    let folder = Folder::new().set("ISSUER", "https://h");
    folder.write("a.toml", "issuer = { env = \"ISSUER\" }\n");
    assert_eq!(folder.errors(&["a.toml"]), "a.toml:1: issuer: this is a table; write a string in quotation marks");
}

#[test]
fn no_error_repeats_a_secret() {
    let folder = Folder::new().set("VARIABLE", "hunter2-variable");
    let user = |hash: &str| format!("[[users]]\nusername = \"u\"\nsubject = \"1\"\npassword_hash = {hash}\n");
    folder.write("secret", "hunter2-file");
    for text in [
        client("\"hunter2\""),
        client("\"hunter2\", 1"),
        client("{ env = \"VARIABLE\" }"),
        client("{ file = \"secret\" }"),
        client("").replace("[]", "\"hunter2\""),
        user("\"hunter2\""),
        user("[\"hunter2\"]"),
        user("{ env = \"VARIABLE\" }"),
        user("{ file = \"secret\" }"),
    ] {
        let errors = folder.write("a.toml", &text).errors(&["a.toml"]);
        assert!(!errors.contains("hunter2"), "{errors}");
        assert!(errors.starts_with("a.toml:"), "{errors}");
    }
    assert!(!format!("{:?}", folder.environment).contains("hunter2"));
}

#[test]
fn a_secret_in_a_variable_that_is_no_utf8_is_refused_by_its_name() {
    let mut folder = Folder::new();
    folder.environment.not_utf8.insert("WEB_SECRET".to_owned());
    folder.write("a.toml", "[[clients]]\nclient_id = \"web\"\nclient_secrets = [{ env = \"WEB_SECRET\" }]\n");
    let errors = folder.errors(&["a.toml"]);
    assert!(
        errors
            .contains("a.toml:3: clients[\"web\"].client_secrets[0]: the environment variable WEB_SECRET is no UTF-8"),
        "{errors}"
    );
}
