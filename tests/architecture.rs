//! The import rule of `src/lib.rs`, as a test: a room imports only rooms on lower floors, never one on its own, and each
//! outside crate has one home.
//!
//! The source is parsed, so that inline paths, grouped imports, re-exports and paths inside macros count too.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

/// The floors, from the top. A room may import what stands on a lower floor.
const FLOORS: [&[&str]; 13] = [
    &["main"],
    &["cli"],
    &["demo"],
    &["startup"],
    &["http", "store", "config", "telemetry", "resource_server"],
    &["grant_types"],
    &["authorize", "device"],
    &["tokens"],
    &["clients"],
    &["login", "proof_of_possession"],
    &["keys", "outbound"],
    &["protocol"],
    &["foundation"],
];

/// Where an outside crate may be named; a crate that is not listed may be named anywhere.
const HOMES: [(&str, &[&str]); 25] = [
    ("actix_web", &["http", "startup", "demo", "telemetry", "resource_server"]),
    ("arc_swap", &["http", "resource_server", "startup", "store"]),
    ("argon2", &["foundation"]),
    ("aws_lc_rs", &["keys"]),
    ("clap", &["cli"]),
    ("config", &["config"]),
    ("fluent_bundle", &["http"]),
    ("glob", &["config"]),
    ("jsonwebtoken", &["keys"]),
    ("metrics_exporter_prometheus", &["http", "startup", "telemetry"]),
    ("metrics_process", &["http"]),
    ("minijinja", &["http"]),
    ("notify", &["startup"]),
    ("reqwest", &["cli", "outbound", "resource_server"]),
    ("ring", &["foundation"]),
    ("rustls_pki_types", &["keys"]),
    ("secrecy", &["foundation"]),
    ("crc32fast", &["store"]),
    ("sled", &["store"]),
    ("subtle", &["foundation"]),
    ("thread_priority", &["store"]),
    ("tikv_jemallocator", &["main"]),
    ("toml_edit", &["cli", "config"]),
    ("tracing_subscriber", &["telemetry"]),
    ("unic_langid", &["http"]),
];

/// Every path that a file names, made absolute: `["crate", "keys", ..]` for ours, `["ring", ..]` for an outside one.
struct Paths {
    module: Vec<String>,
    found: BTreeSet<Vec<String>>,
}

impl Paths {
    fn of(module: Vec<String>, source: &str) -> BTreeSet<Vec<String>> {
        let mut paths = Self { module, found: BTreeSet::new() };
        paths.visit_file(&syn::parse_file(source).expect("our source parses"));
        paths.found
    }

    fn add(&mut self, written: &[String]) {
        let mut base = self.module.clone();
        let mut rest = written;
        match written.first().map(String::as_str) {
            Some("crate" | "jotsmith") => base.truncate(1),
            Some("self" | "super") => {}
            _ => {
                self.found.insert(written.to_vec());
                return;
            }
        }
        while let Some(segment) = rest.first() {
            match segment.as_str() {
                "crate" | "jotsmith" | "self" => {}
                "super" => {
                    base.pop();
                }
                _ => break,
            }
            rest = &rest[1..];
        }
        base.extend_from_slice(rest);
        self.found.insert(base);
    }

    fn add_use(&mut self, tree: &syn::UseTree, prefix: &[String]) {
        let with = |name: &syn::Ident| [prefix, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.add_use(&path.tree, &with(&path.ident)),
            // `use a::b::{self}` names `a::b`.
            syn::UseTree::Name(name) if name.ident == "self" => self.add(prefix),
            syn::UseTree::Name(name) => self.add(&with(&name.ident)),
            syn::UseTree::Rename(rename) => self.add(&with(&rename.ident)),
            syn::UseTree::Glob(_) => self.add(prefix),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_use(tree, prefix)),
        }
    }

    /// Inside a macro there are only tokens: every run of `name::name` is taken for a path.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut run: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.add_run(&mut run);
                    }
                    run.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' && !run.is_empty() => colons += 1,
                other => {
                    self.add_run(&mut run);
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.add_tokens(group.stream());
                    }
                }
            }
        }
        self.add_run(&mut run);
    }

    fn add_run(&mut self, run: &mut Vec<String>) {
        if run.len() > 1 {
            self.add(run);
        }
        run.clear();
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_use(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            let written: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.add(&written);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.add_tokens(item.tokens.clone());
        visit::visit_macro(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        // What an inline module names as `super` is the file that holds it.
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// What a file in `module` breaks; `module` starts with `crate`.
fn violations(module: &[&str], source: &str) -> Vec<String> {
    let room = module[1];
    let own = floor(room).unwrap_or_else(|| panic!("{room} has no floor: add it to FLOORS and to src/lib.rs"));
    let names: Vec<String> = module.iter().map(|name| (*name).to_owned()).collect();
    let mut broken = Vec::new();
    let paths = Paths::of(names, source);
    // A room of ours that is imported by its bare name is no outside crate, even where one is called alike.
    let is_ours = |name: &String| paths.contains(&["crate".to_owned(), name.clone()][..]);
    for path in &paths {
        let written = path.join("::");
        if path[0] == "crate" {
            let Some(other) = path.get(1).filter(|other| *other != room) else { continue };
            if let Some(floor) = floor(other)
                && floor <= own
            {
                broken.push(format!("{room} may not import {written}"));
            }
        } else if let Some((_, homes)) = HOMES.iter().find(|(name, _)| *name == path[0])
            && !is_ours(&path[0])
            && !homes.contains(&room)
        {
            broken.push(format!("{written} has no home in {room}, only in {}", homes.join(", ")));
        }
    }
    broken
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of our source") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn module_of(file: &Path, root: &Path) -> Vec<String> {
    let inside = file.strip_prefix(root).expect("below src").with_extension("");
    let parts = inside.iter().map(|part| part.to_str().expect("UTF-8").to_owned()).filter(|part| part != "mod");
    std::iter::once("crate".to_owned()).chain(parts).collect()
}

#[test]
fn no_room_imports_a_higher_floor_or_its_own() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 20, "the source was not found");
    let mut broken = Vec::new();
    for file in files {
        let module = module_of(&file, &root);
        if module[1] == "lib" {
            continue;
        }
        let module: Vec<&str> = module.iter().map(String::as_str).collect();
        let source = fs::read_to_string(&file).expect("UTF-8");
        broken.extend(violations(&module, &source).into_iter().map(|text| format!("{}: {text}", file.display())));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_rule_sees_every_way_to_name_a_room() {
    for source in [
        "use crate::http::state::State;",
        "use crate::{foundation::clock, http::state};",
        "pub use crate::http::state::State as S;",
        "use super::super::http::state::State;",
        "fn f() { crate::http::state::new() }",
        "fn f() { println!(\"{}\", crate::http::state::NAME) }",
        "mod tests { use super::super::super::http::state::State; }",
        "fn f(s: &crate::http::state::State) {}",
    ] {
        assert_eq!(violations(&["crate", "keys", "jws"], source).len(), 1, "{source}");
    }
}

#[test]
fn the_rule_sees_a_crate_away_from_home_and_a_neighbour_on_the_same_floor() {
    assert_eq!(violations(&["crate", "tokens", "issuer"], "use ring::hmac;").len(), 1);
    assert_eq!(violations(&["crate", "http", "token"], "use crate::store::sled::Store;").len(), 1);
    assert_eq!(violations(&["crate", "http", "token"], "use crate::tokens::issuer::TokenIssuer;").len(), 0);
    assert_eq!(violations(&["crate", "keys", "jws"], "use super::key_ring::KeyRing; use jsonwebtoken::jwk;").len(), 0);
}
