//! The script of the page, as far as it needs no page: run by Node, against tokens that a server of ours has signed.

use std::fs;
use std::path::Path;
use std::process::Command;

use jotsmith::keys::algorithm::Algorithm;
use serde_json::json;

use crate::harness::program::{self, Outcome};
use crate::harness::tools;
use crate::offline_verification::{forgeries, server, token};

#[tokio::test]
async fn the_script_of_the_page_reads_and_verifies_tokens_as_it_says() {
    // Node is there where its modules are; the script itself needs none.
    if tools::find("JOTSMITH_TEST_NODE_MODULES").is_none() {
        return;
    }
    let server = server();
    let keys = server.get("/.well-known/jwks.json").await.json()["keys"].clone();
    let mut good = Vec::new();
    for algorithm in Algorithm::ALL {
        good.push(token(&server, algorithm).await);
    }
    let bad: Vec<String> = good.iter().flat_map(|token| forgeries(token)).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in fs::read_dir(root.join("src/demo/page")).expect("a folder") {
        let file = entry.expect("an entry").path();
        fs::copy(&file, folder.path().join(file.file_name().expect("a name"))).expect("a copy");
    }
    fs::copy(root.join("tests/api/playground/page.test.js"), folder.path().join("page.test.js")).expect("a copy");
    fs::write(folder.path().join("package.json"), r#"{"type":"module"}"#).expect("a file");
    let given = json!({ "keys": keys, "good": good, "bad": bad });
    fs::write(folder.path().join("given.json"), given.to_string()).expect("a file");
    let mut node = Command::new("node");
    node.args(["--test", "page.test.js"]).current_dir(folder.path());
    let Outcome { code, stdout, stderr } = program::outcome(&mut node, "");
    assert_eq!(code, Some(0), "{stdout}\n{stderr}");
}
