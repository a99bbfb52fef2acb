//! What the port serves, and what a browser is told about it.

use std::collections::BTreeSet;

use serde_json::json;

use super::Demo;
use crate::harness::Answer;

/// The address of every file that a page or a script names.
fn named(text: &str) -> impl Iterator<Item = String> {
    let quoted = text.split('"').skip(1).step_by(2);
    let files = quoted.filter_map(|name| name.strip_prefix("./").or_else(|| name.strip_prefix('/')));
    files.filter(|name| name.contains('.')).map(|name| format!("/{name}"))
}

#[tokio::test]
async fn every_file_has_the_headers_that_keep_its_page_to_itself() {
    let demo = Demo::start(&[]).await;
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' {}; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        demo.told("issuer")
    );
    let mut paths: BTreeSet<String> = ["/", "/signed-in?code=x&state=y"].map(str::to_owned).into();
    let mut seen = BTreeSet::new();
    while let Some(path) = paths.pop_first() {
        let answer = Answer::of(demo.get(&path)).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-security-policy")), (200, &*policy), "{path}");
        let expected = match path.rsplit_once('.').map(|(_, extension)| extension) {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "text/html; charset=utf-8",
        };
        assert_eq!(answer.header("content-type"), expected, "{path}");
        seen.insert(path);
        paths.extend(named(&answer.body).filter(|name| !seen.contains(name) && name != "/config.json"));
    }
    assert_eq!(seen.len(), 14, "the page names every file: {seen:?}");
    seen.extend(["/config.json", "/callback?code=x", "/nothing", "/api/notes"].map(str::to_owned));
    for path in seen {
        let answer = Answer::of(demo.get(&path)).await;
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("access-control-allow-origin", ""),
        ] {
            assert_eq!(answer.header(name), value, "{path}: {name}");
        }
    }
}

#[tokio::test]
async fn the_page_has_no_script_or_style_within_and_asks_no_other_machine() {
    let demo = Demo::start(&[]).await;
    let page = Answer::of(demo.get("/")).await;
    let page = page.page();
    for within in ["style", "onclick", "onload", "onerror", "onchange", "oninput", "onsubmit", "onfocus", "srcdoc"] {
        assert!(page.attributes(within).is_empty() && page.count(within) == 0, "{within}");
    }
    assert_eq!(page.attributes("src"), ["/main.js", "/icon.svg"]);
    assert_eq!((page.count("script"), page.count("iframe"), page.count("form")), (1, 0, 0));
    let elsewhere = page.attributes("href").into_iter().filter(|href| href.contains(':'));
    for href in elsewhere {
        let is_a_text = href.starts_with("https://www.rfc-editor.org/rfc/") || href.starts_with("https://openid.net/");
        assert!(is_a_text, "a link to read, which is asked for when it is pressed: {href}");
    }
    for name in ["main", "clocks", "steps", "view", "exchange", "oauth", "words", "token", "memory", "base64url"] {
        let script = Answer::of(demo.get(&format!("/{name}.js"))).await.body;
        for sink in ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "http:", "import("] {
            assert!(!script.contains(sink), "{name}.js has {sink}");
        }
    }
}

#[tokio::test]
async fn the_page_is_told_where_the_server_is_and_learns_the_rest_from_its_metadata() {
    let demo = Demo::start(&[]).await;
    let names: Vec<_> = demo.config.as_object().expect("an object").keys().map(String::as_str).collect();
    let expected = [
        "client_id",
        "issuer",
        "password",
        "people",
        "redirect_uri",
        "refresh_retry_window",
        "resource",
        "run",
        "scopes",
    ];
    assert_eq!(names, expected);
    assert_eq!(demo.config["refresh_retry_window"], json!(15));
    let issuer = demo.told("issuer");
    let metadata = format!("{issuer}/.well-known/oauth-authorization-server");
    let answer = Answer::of(demo.http.get(metadata).header("origin", &demo.origin)).await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    let metadata = answer.json();
    assert_eq!(metadata["issuer"], json!(issuer));
    for name in ["authorization_endpoint", "token_endpoint", "revocation_endpoint", "jwks_uri"] {
        assert!(metadata[name].as_str().is_some_and(|url| url.starts_with(issuer)), "{name}");
    }
    let resource = Answer::of(demo.get("/.well-known/oauth-protected-resource/api")).await.json();
    assert_eq!(resource["resource"], demo.config["resource"]);
    assert_eq!(resource["authorization_servers"], json!([issuer]));
}

#[tokio::test]
async fn the_server_itself_has_no_route_of_the_demo() {
    let demo = Demo::start(&[]).await;
    for path in ["/", "/config.json", "/main.js", "/signed-in", "/callback", "/api/notes"] {
        let answer = Answer::of(demo.http.get(format!("{}{path}", demo.told("issuer")))).await;
        assert_eq!(answer.status.as_u16(), 404, "{path}");
    }
}
