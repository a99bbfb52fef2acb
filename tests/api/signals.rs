//! The real program under signals: SIGHUP loads the configuration again, SIGTERM ends what runs and stops.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::program::Running;
use crate::harness::{Answer, CLIENT_CREDENTIALS, MACHINE, SECRET, Site, claims, machine};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(future)
}

async fn token(http: &reqwest::Client, origin: &str) -> Answer {
    let request = http.post(format!("{origin}/token")).basic_auth(MACHINE, Some(SECRET));
    let media_type = "application/x-www-form-urlencoded";
    Answer::of(request.header("content-type", media_type).body(CLIENT_CREDENTIALS)).await
}

/// Asks for tokens until it is told to end; gives the scope of each, in order.
fn keep_asking(origin: String, is_over: Arc<AtomicBool>) -> JoinHandle<Vec<String>> {
    thread::spawn(move || {
        block_on(async {
            let http = reqwest::Client::new();
            let mut scopes = Vec::new();
            while !is_over.load(Ordering::SeqCst) {
                let token = token(&http, &origin).await.access_token();
                scopes.push(claims(&token)["scope"].as_str().expect("a scope").to_owned());
            }
            scopes
        })
    })
}

fn readiness(admin: &str) -> Value {
    let answer = block_on(Answer::of(reqwest::Client::new().get(format!("{admin}/health/ready"))));
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

#[test]
fn sighup_makes_a_good_file_live_and_leaves_a_bad_one_out_while_requests_go_on() {
    let site = Site::new();
    site.write_config(&machine());
    let (mut server, admin) = Running::serve(&site);
    let is_over = Arc::new(AtomicBool::new(false));
    let requests = keep_asking(site.origin(), Arc::clone(&is_over));

    site.write_config(&machine().replace("read write", "read delete"));
    server.signal(Signal::HUP);
    server.wait_for_log("the configuration is live");
    let ready = readiness(&admin);
    assert_eq!(
        (&ready["status"], &ready["reload"], &ready["reload_error"]),
        (&json!("ready"), &json!("loaded"), &Value::Null)
    );

    site.write_raw_config("[clients]\n");
    server.signal(Signal::HUP);
    let line: Value = serde_json::from_str(&server.wait_for_log("the one before stays live")).expect("JSON");
    let ready = readiness(&admin);
    assert_eq!((&line["level"], &line["error.cause"]), (&json!("ERROR"), &ready["reload_error"]));
    assert_eq!(ready["reload"], "refused");
    assert!(line["error.cause"].as_str().is_some_and(|text| text.contains("begin each with [[clients]]")), "{line}");

    site.write_config(&machine());
    server.signal(Signal::HUP);
    server.wait_for_log("the configuration is live");
    assert_eq!(readiness(&admin)["reload"], "loaded");

    is_over.store(true, Ordering::SeqCst);
    let mut scopes = requests.join().expect("every request succeeds");
    // The first file was live, then the second, and the first again: never the bad one, and no answer of another time.
    scopes.dedup();
    let scopes: Vec<_> = scopes.iter().map(String::as_str).collect();
    let possible = ["read write", "delete read", "read write"];
    assert!(possible.windows(scopes.len()).any(|window| window == scopes), "{scopes:?}");
}

#[test]
fn sigterm_answers_the_request_in_flight_and_ends_with_success() {
    let site = Site::new();
    site.write_config(&machine());
    let (mut server, _admin) = Running::serve(&site);
    let address = site.origin().replace("http://", "");
    let body = format!("{CLIENT_CREDENTIALS}&client_id={MACHINE}&client_secret={SECRET}");
    let mut request = TcpStream::connect(&address).expect("it listens");
    write!(
        request,
        "POST /token HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        body.len()
    )
    .expect("sent");
    // The server has read the head of the request when it asks for the body (RFC 9110 §10.1.1).
    let mut interim = [0; 25];
    request.read_exact(&mut interim).expect("an interim answer");
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");

    server.signal(Signal::TERM);
    server.wait_for_log("stopping");
    request.write_all(body.as_bytes()).expect("sent");
    let mut answer = String::new();
    request.read_to_string(&mut answer).expect("an answer, and the end of the connection");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("access_token"), "{answer}");

    let (status, rest) = server.end();
    assert!(status.success(), "{status}: {rest:?}");
    assert!(TcpStream::connect(&address).is_err(), "nobody listens any more");
}

#[test]
fn sigint_stops_as_sigterm_does() {
    let site = Site::new();
    site.write_config(&machine());
    let (server, _admin) = Running::serve(&site);
    server.signal(Signal::INT);
    let (status, rest) = server.end();
    assert!(status.success(), "{status}: {rest:?}");
}

#[test]
fn a_second_start_uses_the_keys_that_the_first_one_made() {
    let site = Site::new();
    // A folder that is not there yet is made too.
    site.write_config(&(machine() + "[keys]\ndirectory = \"new/keys\"\n"));
    let kid = || {
        let (server, _admin) = Running::serve(&site);
        let token = block_on(token(&reqwest::Client::new(), &site.origin())).access_token();
        server.signal(Signal::TERM);
        assert!(server.end().0.success());
        crate::harness::header(&token)["kid"].clone()
    };
    assert_eq!(kid(), kid());
}
