//! Another site in the same browser gets nothing of the port: not by another name for it, not by asking it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use reqwest::header::HOST;

use super::Demo;
use crate::harness::Answer;

const PATHS: [&str; 6] = ["/", "/config.json", "/callback?code=x&state=y", "/api/notes", "/main.js", "/nothing"];

#[tokio::test]
async fn under_any_other_name_the_port_says_nothing() {
    let demo = Demo::start(&[]).await;
    let own = demo.origin.strip_prefix("http://").expect("loopback");
    let port = own.rsplit_once(':').expect("a port").1;
    for host in [
        format!("localhost:{port}"),
        format!("evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        format!("[::1]:{port}"),
        "127.0.0.1".to_owned(),
        "127.0.0.1:1".to_owned(),
        format!("127.1:{port}"),
    ] {
        for path in PATHS {
            let answer = Answer::of(demo.get(path).header(HOST, &host)).await;
            assert_eq!(answer.status.as_u16(), 421, "{host} {path}");
            assert_eq!(answer.body, format!("This is the demo of Jotsmith. It answers at {}/ alone.\n", demo.origin));
        }
    }
}

/// The first line of the answer to a request that is written by hand.
fn first_line(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(request.as_bytes()).expect("it is read");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("an answer");
    line.trim().to_owned()
}

#[tokio::test]
async fn a_request_names_its_host_once() {
    let demo = Demo::start(&[]).await;
    let own = demo.origin.strip_prefix("http://").expect("loopback").to_owned();
    let line = |headers: String| first_line(&own, &format!("GET /config.json HTTP/1.0\r\n{headers}\r\n"));
    assert!(line(format!("Host: {own}\r\n")).ends_with(" 200 OK"));
    for headers in [String::new(), format!("Host: {own}\r\nHost: {own}\r\n"), "Host:\r\n".to_owned()] {
        let line = line(headers.clone());
        assert!(line.contains(" 421 ") || line.contains(" 400 "), "{headers:?}: {line}");
    }
}

#[tokio::test]
async fn a_page_of_another_origin_may_link_here_and_read_nothing() {
    let demo = Demo::start(&[]).await;
    let token = demo.tokens("alice", "read write").await.access_token;
    // Another port of this machine is `same-site`.
    for site in ["cross-site", "same-site", "nonsense"] {
        for path in ["/config.json", "/main.js", "/api/notes", "/.well-known/oauth-protected-resource/api"] {
            let request = demo.get(path).header("sec-fetch-site", site).bearer_auth(&token);
            let answer = Answer::of(request).await;
            assert_eq!(answer.status.as_u16(), 403, "{site} {path}");
            assert_eq!(answer.body, "A page of another origin gets nothing here.\n");
        }
        let note = demo.write(&token, &serde_json::json!({ "text": "x" }));
        let answer = Answer::of(note.header("sec-fetch-site", site)).await;
        assert_eq!(answer.status.as_u16(), 403, "{site}");
        for page in ["/", "/signed-in?code=x", "/callback?code=x"] {
            let answer = Answer::of(demo.get(page).header("sec-fetch-site", site)).await;
            assert_eq!(answer.status.as_u16(), 200, "a link: {page}");
            assert!(!answer.body.contains(demo.told("password")));
            let posted = demo.http.post(format!("{}{page}", demo.origin)).header("sec-fetch-site", site);
            assert_eq!(Answer::of(posted).await.status.as_u16(), 403, "a form is no link: {page}");
        }
    }
    for site in ["same-origin", "none"] {
        let answer = Answer::of(demo.get("/config.json").header("sec-fetch-site", site)).await;
        assert_eq!(answer.status.as_u16(), 200, "{site}");
    }
    let notes = Answer::of(demo.get("/api/notes").bearer_auth(&token)).await.json();
    assert_eq!(notes["notes"], serde_json::json!(["Try Jotsmith"]), "what was refused has changed nothing");
}

#[tokio::test]
async fn no_preflight_is_ever_granted() {
    let demo = Demo::start(&[]).await;
    for path in PATHS {
        for origin in ["https://evil.example", "http://127.0.0.1:1", "null", demo.told("issuer")] {
            let request = demo.http.request(reqwest::Method::OPTIONS, format!("{}{path}", demo.origin));
            let request = request.header("origin", origin).header("access-control-request-method", "GET");
            let answer = Answer::of(request.header("access-control-request-headers", "authorization")).await;
            assert!(answer.status.is_client_error(), "{path}");
            assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("access-control-")), "{path}");
        }
    }
}
