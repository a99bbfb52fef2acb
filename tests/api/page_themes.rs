//! Names, pictures, colours and themes: what an operator puts in the place of ours, and what happens when it is wrong.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jotsmith::foundation::digest::sha256;

use crate::harness::people::{TRUSTED, WEB, people, with_client};
use crate::harness::program;
use crate::harness::requests::{ask_of_trusted, ask_of_web};
use crate::harness::{Answer, Site, TestServer, log};

const SVG: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and whatever follows";

fn site(files: &[(&str, &[u8])]) -> Site {
    let site = Site::new();
    for (name, content) in files {
        let path = site.folder().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(path, content).expect("a file");
    }
    site
}

fn assert_style_is_allowed(answer: &Answer) {
    let (_, style) = answer.body.split_once("<style>").expect("a style");
    let digest = STANDARD.encode(sha256(style.split_once("</style>").expect("its end").0));
    let policy = answer.header("content-security-policy");
    assert!(policy.contains(&format!("style-src 'sha256-{digest}';")), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.page().attributes("style"), Vec::<&str>::new());
}

#[tokio::test]
async fn a_picture_comes_from_here_for_ever_and_runs_nothing() {
    let config =
        with_client(&people(), WEB, "logo = \"shop.png\"") + "[pages]\nname = \"Example & Co\"\nlogo = \"a.svg\"\n";
    let server = TestServer::start_at(site(&[("shop.png", PNG), ("a.svg", SVG.as_bytes())]), &config);
    let login = server.browser().authorize(&ask_of_web()).await;
    login.page().assert_says("Example & Co");
    let policy = login.header("content-security-policy");
    assert!(policy.contains(" img-src 'self';"), "{policy}");
    let addresses: Vec<String> = login.page().attributes("src").into_iter().map(str::to_owned).collect();
    for (address, media_type, content) in
        [(&addresses[0], "image/svg+xml", SVG.as_bytes()), (&addresses[1], "image/png", PNG)]
    {
        let path = address.strip_prefix(&server.issuer).expect("an address of ours");
        let picture = server.http().get(server.url(path)).send().await.expect("an answer");
        let header = |name: &str| picture.headers()[name].to_str().expect("ASCII").to_owned();
        assert_eq!(picture.status(), 200);
        assert_eq!(header("content-type"), media_type);
        assert_eq!(header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin");
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("sandbox"), "{policy}");
        assert_eq!(picture.bytes().await.expect("a body"), content);
    }
    assert_eq!(addresses.len(), 2);
    for path in ["/logos/nothing.png", "/logos/", "/logos/..%2Fconfig.toml", "/logos/%2e%2e/config.toml"] {
        assert_eq!(server.get(path).await.status, 404, "{path}");
    }
    // A client without a picture has none, and the pages of the server itself have the server's.
    assert_eq!(server.browser().authorize(&ask_of_trusted()).await.page().count("img"), 1);
}

#[tokio::test]
async fn a_colour_is_a_style_of_its_own_and_no_page_needs_a_style_attribute() {
    let config = with_client(&people(), WEB, "color = \"#0b6e4f\"") + "[pages]\ncolor = \"#ffe600\"\n";
    let server = TestServer::start(&config);
    let web = server.browser().authorize(&ask_of_web()).await;
    let trusted = server.browser().authorize(&ask_of_trusted()).await;
    for (answer, colors) in [
        (&web, "--accent:#0b6e4f;--on-accent:#ffffff;"),
        // White on this yellow could not be read.
        (&trusted, "--accent:#ffe600;--on-accent:#000000;"),
    ] {
        assert_style_is_allowed(answer);
        assert!(answer.body.contains(colors), "{colors}");
    }
    let black = with_client(&config, TRUSTED, "color = \"#000000\"");
    server.reload(&black).await.expect("a good change");
    assert!(server.browser().authorize(&ask_of_trusted()).await.body.contains("--accent:#000000;--on-accent:#ffffff;"));
}

#[tokio::test]
async fn a_picture_that_looks_different_now_is_asked_about_again() {
    let config = with_client(&people(), WEB, "logo = \"shop.png\"");
    let server = TestServer::start_at(site(&[("shop.png", PNG)]), &config);
    let mut browser = server.browser();
    browser.code(&ask_of_web()).await;
    fs::write(server.site.folder().join("shop.png"), SVG).expect("a file");
    server.reload(&config).await.expect("a good change");
    assert!(browser.authorize(&ask_of_web()).await.is_consent());
}

const MESSAGE: &[u8] = b"{% extends \"frame.html\" %}{% block title %}{{ t(title) }}{% endblock %}\
    {% block main %}<h1>{{ t(title) }}</h1><p class=\"ours\">{{ t(text) }}</p>{% if error_id %}{{ error_id }}{% endif %}{% endblock %}";

const THEME: &str = "[pages]\ndirectory = \"theme\"\n";

#[tokio::test]
async fn a_theme_replaces_templates_style_and_words_and_adds_languages() {
    let files: [(&str, &[u8]); 4] = [
        ("theme/message.html", MESSAGE),
        ("theme/style.css", b"h1 { color: var(--link) }"),
        ("theme/locales/en.ftl", "error-title = Oh dear\n".as_bytes()),
        ("theme/locales/he.ftl", "login-submit = כניסה\n".as_bytes()),
    ];
    let server = TestServer::start_at(site(&files), &(people() + THEME));
    let error = server.get("/authorize").await;
    error.page().assert_says("Oh dear");
    error.page().assert_says("A required parameter is missing.");
    assert!(error.page().attributes("class").contains(&"ours"), "{}", error.body);
    assert!(error.body.contains("h1 { color: var(--link) }") && !error.body.contains("--card"), "{}", error.body);
    assert_style_is_allowed(&error);
    let login = server.browser().authorize(&ask_of_web().with("ui_locales", "he")).await;
    assert_eq!((login.page().attributes("lang"), login.page().attributes("dir")), (vec!["he"], vec!["rtl"]));
    login.page().assert_says("כניסה");
    login.page().assert_says("Password");
    let document = server.get("/.well-known/oauth-authorization-server").await.json();
    assert_eq!(document["ui_locales_supported"], serde_json::json!(["en", "zh-Hans", "he"]));
}

#[tokio::test]
async fn a_template_that_fails_while_somebody_waits_is_replaced_by_ours_whole_and_the_log_says_so() {
    let template = String::from_utf8(MESSAGE.to_vec()).expect("UTF-8").replace(
        "<h1>",
        "<h2>half a page</h2>{% if text == \"error-unknown-client\" %}{{ nothing_of_this_name }}{% endif %}<h1>",
    );
    let server = TestServer::start_at(site(&[("theme/message.html", template.as_bytes())]), &(people() + THEME));
    assert_eq!(server.get("/authorize").await.page().count("h2"), 1, "the theme's own");
    let answer = server.get("/authorize?client_id=nobody").await;
    assert_eq!((answer.status.as_u16(), answer.page().count("h2")), (400, 0), "{}", answer.body);
    answer.page().assert_says("The application is not registered here.");
    assert_style_is_allowed(&answer);
    let lines = log::lines_with("a template of the theme fails; the built-in page is shown");
    assert_eq!((lines.len(), &lines[0]["template"]), (1, &"message.html".into()), "{lines:?}");
}

#[test]
fn a_theme_that_would_break_a_page_is_refused_with_its_file_and_line() {
    let login = include_str!("../../src/http/pages/login.html");
    let consent = include_str!("../../src/http/pages/consent.html");
    let [post, late] =
        [include_str!("../../src/http/pages/form_post.html"), include_str!("../../src/http/pages/way_back.html")];
    // `state` is among those values, which anybody may choose.
    let unescaped = |template: &str| template.replace("{{ field.value }}", "{{ field.value|safe }}");
    for (file, content, expected) in [
        ("theme/form_post.html", unescaped(post), "unescaped"),
        ("theme/way_back.html", unescaped(late), "unescaped"),
        ("theme/login.html", "{% extends \"frame.html\" %}\n\n{% if %}".to_owned(), "theme/login.html:3: "),
        ("theme/login.html", login.replace("{{ csrf }}", ""), "lacks name=\"csrf\" value=\"sample-csrf\""),
        ("theme/login.html", login.replace("{{ username }}", "{{ username|safe }}"), "unescaped"),
        ("theme/login.html", login.replace("{{ username }}", "{{ usrname }}"), "theme/login.html:"),
        ("theme/login.html", login.replace("login-title", "login-titel"), "there is no message \"login-titel\""),
        ("theme/consent.html", consent.replace("choice.field", "choice.text"), "lacks name=\"scope:sample\""),
        (
            "theme/consent.html",
            consent.replace("{{ redirect_host }}", "").replace("host=redirect_host", "host=\"\""),
            "lacks sample-host",
        ),
        (
            "theme/login.html",
            login.replace("<h1>", "{% autoescape false %}<h1>").replace("</h1>", "</h1>{% endautoescape %}"),
            "unescaped",
        ),
        ("theme/signin.html", "x".to_owned(), "theme/signin.html: is no page; pages are frame.html"),
        ("theme/style.css", "</STYLE><script>".to_owned(), "theme/style.css: has </style in it"),
        ("theme/locales/en.ftl", "login-title = { $\n".to_owned(), "theme/locales/en.ftl:1: "),
        ("theme/locales/english_.ftl", "a = b\n".to_owned(), "is no language tag"),
        ("theme/readme.txt", "x".to_owned(), "pages.directory: "),
        ("a.svg", "<html>".to_owned(), "a.svg is no PNG, JPEG, WebP or SVG picture"),
        ("a.svg", "<svg>".to_owned() + &" ".repeat(128 * 1024), "a.svg is larger than 128 KiB"),
        ("b.svg", "<svg>".to_owned(), "a.svg cannot be read"),
    ] {
        let site = site(&[(file, content.as_bytes())]);
        let setting = if file.starts_with("theme") { "directory = \"theme\"" } else { "logo = \"a.svg\"" };
        site.write_config(&format!("{}\n[pages]\n{setting}\n", people()));
        let outcome = program::run(site.folder(), &["check", "--config", "config.toml"]);
        assert_eq!(outcome.code, Some(1), "{file}: {expected}");
        assert!(outcome.stderr.contains(expected), "{file}: {} has no {expected}", outcome.stderr);
    }
    let site = Site::new();
    site.write_config(&with_client(&people(), WEB, "color = \"blue\""));
    let outcome = program::run(site.folder(), &["check", "--config", "config.toml"]);
    assert!(
        outcome.stderr.contains("clients[\"web\"]: color is no colour; write one as #1a56b0"),
        "{}",
        outcome.stderr
    );
}

#[tokio::test]
async fn a_theme_that_is_refused_at_a_reload_leaves_the_old_one_live() {
    let server = TestServer::start_at(site(&[("theme/message.html", MESSAGE)]), &(people() + THEME));
    fs::write(server.site.folder().join("theme/message.html"), "{{ nothing }}").expect("a file");
    let refused = server.reload(&(people() + THEME)).await.expect_err("a bad theme");
    assert!(refused.contains("message.html:1"), "{refused}");
    assert!(server.get("/authorize").await.page().attributes("class").contains(&"ours"));
}

#[test]
fn a_language_that_lacks_messages_is_allowed_and_check_says_so() {
    let site = site(&[("theme/locales/de.ftl", "login-title = Anmelden\n".as_bytes())]);
    site.write_config(&(people() + THEME));
    let outcome = program::run(site.folder(), &["check", "--config", "config.toml"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("warning: locales/de.ftl lacks "), "{}", outcome.stderr);
}
