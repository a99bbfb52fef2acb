//! The load itself: one thread that never sleeps, many connections.
//!
//! It looks for answers all the time instead of waiting to be woken: waking a sleeping core is work that a server on the
//! same machine would do for each answer, and one on another machine never does. Tools that exist (wrk, oha) sleep, cannot
//! use a token of one answer in the next request without an interpreter, or keep time in milliseconds.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::OwnedFd;

use super::load::{Asks, Load, Pace, Pool, Request, Run};

/// The longest answer.
const LONGEST_ANSWER: usize = 64 << 10;

/// Asks for as long as `span`.
pub(crate) fn run(load: Load, span: Duration) -> io::Result<Run> {
    let Load { authority, connections, asks, pace } = load;
    let connections = (0..connections).map(|_| Connection::open(&authority)).collect::<io::Result<Vec<_>>>()?;
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    for (at, connection) in (0..).zip(&connections) {
        epoll::add(&epoll, &connection.stream, EventData::new_u64(at), EventFlags::IN)?;
    }
    let idle = (0..connections.len()).collect();
    let questions = Questions::new(asks, &authority);
    let mut generator = Generator { connections, idle, questions, waits: Vec::new(), refused: 0 };
    let begun = Instant::now();
    match pace {
        Pace::AsAnswered => generator.ask_again_and_again(&epoll, begun + span)?,
        Pace::Evenly(rate) => {
            let pause = Duration::from_secs_f64(1.0 / rate);
            generator.ask_at_times(&epoll, begun, begun + span, || pause)?;
        }
        Pace::ByChance(rate) => {
            let mut chance = fastrand::Rng::with_seed(1);
            let pause = || Duration::from_secs_f64(-(1.0 - chance.f64()).ln() / rate);
            generator.ask_at_times(&epoll, begun, begun + span, pause)?;
        }
    }
    Ok(generator.result(begun.elapsed()))
}

struct Generator {
    connections: Vec<Connection>,
    /// Those that wait for no answer.
    idle: Vec<usize>,
    questions: Questions,
    /// How long each answer took, in microseconds.
    waits: Vec<u64>,
    refused: u64,
}

impl Generator {
    fn ask_again_and_again(&mut self, epoll: &OwnedFd, end: Instant) -> io::Result<()> {
        while Instant::now() < end {
            while let Some(at) = self.idle.pop() {
                self.ask(at, Instant::now())?;
            }
            self.take_answers(epoll)?;
        }
        Ok(())
    }

    /// A request that finds no idle connection waits for one, and that counts as its time: it is the server that is late.
    fn ask_at_times(
        &mut self,
        epoll: &OwnedFd,
        begun: Instant,
        end: Instant,
        mut pause: impl FnMut() -> Duration,
    ) -> io::Result<()> {
        let mut next = begun + pause();
        let mut waiting = VecDeque::new();
        loop {
            let now = Instant::now();
            if now >= end {
                return Ok(());
            }
            while next <= now {
                waiting.push_back(next);
                next += pause();
            }
            while !waiting.is_empty()
                && let Some(at) = self.idle.pop()
            {
                self.ask(at, waiting.pop_front().expect("one waits"))?;
            }
            self.take_answers(epoll)?;
        }
    }

    fn ask(&mut self, at: usize, since: Instant) -> io::Result<()> {
        let connection = &mut self.connections[at];
        connection.since = since;
        // A request is shorter than what the system takes at once.
        connection.stream.write_all(self.questions.next())
    }

    fn take_answers(&mut self, epoll: &OwnedFd) -> io::Result<()> {
        const AT_ONCE: usize = 64;
        let mut events = [const { epoll::Event { flags: EventFlags::empty(), data: EventData::new_u64(0) } }; AT_ONCE];
        let count = epoll::wait(epoll, &mut events[..], Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
        for event in &events[..count] {
            let at = usize::try_from(event.data.u64()).expect("one of ours");
            let connection = &mut self.connections[at];
            let Some(answer) = connection.read()? else { continue };
            let wait = connection.since.elapsed().as_micros();
            self.waits.push(u64::try_from(wait).unwrap_or(u64::MAX));
            self.refused += u64::from(answer.status >= 400);
            self.questions.learn(&connection.received[answer.body_at..answer.length]);
            connection.received.drain(..answer.length);
            self.idle.push(at);
        }
        Ok(())
    }

    fn result(mut self, span: Duration) -> Run {
        self.waits.sort_unstable();
        let of_hundred = |part: usize| self.waits.get(self.waits.len() * part / 100).copied().unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "a few hundred thousand")]
        let rate = self.waits.len() as f64 / span.as_secs_f64();
        Run {
            rate,
            p50_us: of_hundred(50),
            p90_us: of_hundred(90),
            p99_us: of_hundred(99),
            max_us: self.waits.last().copied().unwrap_or_default(),
            refused: self.refused,
            requests: self.waits.len() as u64,
            stolen: 0.0,
        }
    }
}

struct Connection {
    stream: TcpStream,
    /// Since when the answer is waited for.
    since: Instant,
    received: Vec<u8>,
}

/// Where an answer lies in what was received.
struct Answer {
    status: u16,
    body_at: usize,
    length: usize,
}

impl Connection {
    fn open(authority: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(authority)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, since: Instant::now(), received: Vec::with_capacity(LONGEST_ANSWER) })
    }

    /// Reads what is there; gives the answer when all of it is.
    fn read(&mut self) -> io::Result<Option<Answer>> {
        let length = self.received.len();
        self.received.resize(LONGEST_ANSWER, 0);
        let read = self.stream.read(&mut self.received[length..]);
        self.received.truncate(length + read.as_ref().map_or(0, |read| *read));
        match read {
            Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "the server closed a connection")),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(&self.received).map_err(io::Error::other)?;
        let httparse::Status::Complete(body_at) = parsed else { return Ok(None) };
        let told = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
        let told = told.and_then(|header| str::from_utf8(header.value).ok()?.parse::<usize>().ok());
        let length = body_at + told.ok_or_else(|| io::Error::other("an answer without Content-Length"))?;
        let status = response.code.unwrap_or_default();
        Ok((self.received.len() >= length).then_some(Answer { status, body_at, length }))
    }
}

/// What is asked next.
enum Questions {
    Same(Vec<u8>),
    Refresh(Tokens),
    Redeem(Tokens),
    Mix { refresh: Tokens, machine: Vec<u8>, document: Vec<u8>, count: usize },
}

/// Tokens that wait, and the request that is made with one.
struct Tokens {
    authority: String,
    form: String,
    waiting: VecDeque<String>,
    request: Vec<u8>,
}

impl Questions {
    fn new(asks: Asks, authority: &str) -> Self {
        let tokens = |Pool { form, tokens }| Tokens {
            authority: authority.to_owned(),
            form,
            waiting: tokens.into(),
            request: Vec::new(),
        };
        match asks {
            Asks::Same(request) => Self::Same(render(&request, authority)),
            Asks::Refresh(pool) => Self::Refresh(tokens(pool)),
            Asks::Redeem(pool) => Self::Redeem(tokens(pool)),
            Asks::Mix { refresh, machine, document } => Self::Mix {
                refresh: tokens(refresh),
                machine: render(&machine, authority),
                document: render(&document, authority),
                count: 0,
            },
        }
    }

    fn next(&mut self) -> &[u8] {
        match self {
            Self::Same(request) => request,
            Self::Refresh(tokens) | Self::Redeem(tokens) => tokens.next(),
            Self::Mix { refresh, machine, document, count } => {
                *count += 1;
                match *count % 10 {
                    3 | 7 => machine,
                    9 => document,
                    _ => refresh.next(),
                }
            }
        }
    }

    /// Keeps the refresh token of an answer.
    fn learn(&mut self, answer: &[u8]) {
        const NAME: &str = r#""refresh_token":""#;
        if let Self::Refresh(tokens) | Self::Mix { refresh: tokens, .. } = self
            && let Ok(text) = str::from_utf8(answer)
            && let Some((_, after)) = text.split_once(NAME)
        {
            tokens.waiting.push_back(after.split('"').next().unwrap_or_default().to_owned());
        }
    }
}

impl Tokens {
    /// # Panics
    /// When none is left: the plan has too few for its span.
    fn next(&mut self) -> &[u8] {
        let token = self.waiting.pop_front().expect("a token is left");
        let form = self.form.replace("{}", &token);
        self.request = render(&Request::Post { path: "/token".to_owned(), authorization: None, form }, &self.authority);
        &self.request
    }
}

fn render(request: &Request, authority: &str) -> Vec<u8> {
    let text = match request {
        Request::Get { path } => format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\n\r\n"),
        Request::Post { path, authorization, form } => {
            let authorization =
                authorization.as_ref().map_or_else(String::new, |value| format!("Authorization: {value}\r\n"));
            let length = form.len();
            format!(
                "POST {path} HTTP/1.1\r\nHost: {authority}\r\n{authorization}Content-Type: \
                 application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{form}"
            )
        }
    };
    text.into_bytes()
}
