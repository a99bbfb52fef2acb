//! What `README.md` shows is what is there.

use std::fs;
use std::path::Path;

use jotsmith::clients::ClientSecretHash;
use jotsmith::config::{self, Environment};

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("a file of this repository")
}

/// What stands between a heading and the next one of its rank.
fn section<'t>(text: &'t str, heading: &str) -> &'t str {
    let (_, section) = text.split_once(&format!("\n{heading}\n")).expect("the heading");
    section.split_once("\n## ").map_or(section, |(section, _)| section)
}

#[test]
fn the_rust_program_that_is_shown_is_the_one_that_is_compiled() {
    let program = read("examples/verify.rs");
    let (_, body) = program.split_once("\n\nuse ").expect("what the compiler needs, and then the program");
    let readme = read("README.md");
    let shown = section(&readme, "## Verify a token").split("\n```").find_map(|block| block.strip_prefix("rust\n"));
    assert_eq!(shown.map(|shown| format!("{shown}\n")), Some(format!("use {body}")));
}

#[test]
fn the_resource_server_that_is_shown_is_the_one_that_is_compiled() {
    let program = read("examples/resource_server.rs");
    let (_, body) = program.split_once("\n\nuse ").expect("what the compiler needs, and then the program");
    let page = read("docs/protect-an-api.md");
    let shown = section(&page, "## Rust").split("\n```").find_map(|block| block.strip_prefix("rust\n"));
    assert_eq!(shown.map(|shown| format!("{shown}\n")), Some(format!("use {body}")));
}

#[test]
fn the_configuration_that_is_shown_is_sound() {
    let readme = read("README.md");
    let section = section(&readme, "## Configuration");
    let blocks: Vec<&str> = section.split("\n```").filter_map(|block| block.strip_prefix("toml\n")).collect();
    let [server, client, key] = blocks[..] else { panic!("three blocks, not {}", blocks.len()) };
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file");
    let secrets = folder.path().display().to_string();
    fs::create_dir(folder.path().join("clients.d")).expect("a folder");
    write("clients.d/reports.toml", &client.replace("/run/secrets", &secrets));
    write("reports", &ClientSecretHash::of_generated(b"one"));
    write("local.toml", &format!("{server}\n{key}"));
    let next = ClientSecretHash::of_generated(b"the next");
    let environment = Environment { variables: [("REPORTS_NEXT".to_owned(), next)].into(), ..Environment::default() };
    let settings = config::load(&[folder.path().join("local.toml")], &environment).expect("sound");
    let clients: Vec<_> = settings.clients.iter().map(|client| client.id.as_str()).collect();
    assert_eq!((clients, settings.keys.signing.len()), (vec!["reports"], 1));
}

#[test]
fn the_pages_that_are_shown_are_sound() {
    let page = read("docs/pages.md");
    let blocks: Vec<&str> = page.split("\n```").filter_map(|block| block.strip_prefix("toml\n")).collect();
    let [own, theme] = blocks[..] else { panic!("two blocks, not {}", blocks.len()) };
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file");
    fs::create_dir(folder.path().join("theme")).expect("a folder");
    for name in ["logo.svg", "shop.svg"] {
        write(name, "<svg xmlns=\"http://www.w3.org/2000/svg\"/>");
    }
    write("theme/style.css", "h1 { color: var(--link) }");
    write("own.toml", own);
    write("theme.toml", theme);
    let files = ["own.toml", "theme.toml"].map(|name| folder.path().join(name));
    let environment = Environment { working_directory: folder.path().to_owned(), ..Environment::default() };
    let settings = config::load(&files, &environment).expect("sound");
    jotsmith::startup::judge_pages(&settings).expect("a sound theme");
    let client = settings.clients.find("shop").expect("the client");
    assert!(client.appearance.logo.is_some() && client.appearance.color.is_some() && settings.pages.style.is_some());
}

#[test]
fn the_files_of_a_theme_that_are_named_are_those_that_there_are() {
    let page = read("docs/pages.md");
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/pages")).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "html") {
            let name = path.file_name().expect("a name").to_string_lossy();
            assert!(page.contains(&format!("`{name}`")), "{name}");
        }
    }
}
