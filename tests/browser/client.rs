//! A client's website on a loopback port of its own: a page that asks for access, and the address to which the browser
//! comes back, by a link or by a form.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

/// How long an answer is waited for before the test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a browser brought back.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) method: String,
    pub(crate) parameters: BTreeMap<String, String>,
    /// What the browser says of where it comes from.
    pub(crate) headers: BTreeMap<String, String>,
}

/// The website. It listens on `127.0.0.1` and is called `localhost`, so that it is another site than the server.
pub(crate) struct ClientSite {
    port: u16,
    arrivals: Receiver<Arrival>,
}

impl ClientSite {
    /// Listens from now on until the test ends.
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (sender, arrivals) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // A browser opens connections that it does not use: each has a thread, so that none is waited for.
                let sender = sender.clone();
                std::thread::spawn(move || {
                    if let Some(arrival) = answer(stream) {
                        let _ = sender.send(arrival);
                    }
                });
            }
        });
        Self { port, arrivals }
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// Its registered redirect URI.
    pub(crate) fn callback(&self) -> String {
        format!("{}/cb", self.origin())
    }

    /// A page of it with a link to `url`.
    pub(crate) fn page_with_link(&self, url: &str) -> String {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("to", url).finish();
        format!("{}/?{query}", self.origin())
    }

    /// The next browser that came back.
    pub(crate) fn arrival(&self) -> Arrival {
        self.arrivals.recv_timeout(PATIENCE).expect("a browser comes back")
    }

    /// All that have come back and were not looked at.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.arrivals.try_iter().collect()
    }
}

impl Arrival {
    pub(crate) fn get(&self, name: &str) -> &str {
        self.parameters.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}"))
    }
}

/// Answers one request; what it brought where it was for the redirect URI.
fn answer(mut stream: TcpStream) -> Option<Arrival> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let (method, rest) = line.split_once(' ')?;
    let target = rest.split(' ').next()?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let encoded = if method == "POST" { body } else { query.as_bytes().to_vec() };
    let parameters: BTreeMap<String, String> = form_urlencoded::parse(&encoded).into_owned().collect();
    let (status, page) = match path {
        "/cb" => ("200 OK", page("Back at the shop", "<p>The shop has its answer.</p>")),
        "/" => {
            let to = parameters.get("to").map_or("", String::as_str).replace('&', "&amp;").replace('"', "&quot;");
            ("200 OK", page("The shop", &format!("<p><a href=\"{to}\">Sign in</a></p>")))
        }
        _ => ("404 Not Found", page("Nothing", "")),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}", page.len());
    stream.write_all(format!("{head}\r\nConnection: close\r\n\r\n{page}").as_bytes()).ok()?;
    (path == "/cb").then(|| Arrival { method: method.to_owned(), parameters, headers })
}

/// With an icon of its own, else browsers ask for one.
fn page(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=en><head><meta charset=utf-8><title>{title}</title><link rel=icon href=data:,>\
         </head><body><h1>{title}</h1>{body}</body></html>"
    )
}
