//! The real program: run to its end, or kept serving while a test talks to it and sends it signals.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::Site;

/// How long a line or an end is waited for before the test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The program in a folder, with no variable of the test's own environment.
fn jotsmith(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jotsmith"));
    command.current_dir(folder).env_clear().env("TMPDIR", folder);
    command
}

/// Runs a command of the program to its end.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Outcome {
    run_with_input(folder, arguments, "")
}

/// Runs a command of the program to its end, with `input` as its standard input.
pub(crate) fn run_with_input(folder: &Path, arguments: &[&str], input: &str) -> Outcome {
    outcome(jotsmith(folder).args(arguments), input)
}

/// Runs any command to its end.
pub(crate) fn outcome(command: &mut Command, input: &str) -> Outcome {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    // A program that fails before it reads closes the pipe, which is its right.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("the program ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Outcome { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The program while it runs; killed when dropped.
pub(crate) struct Running {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    seen: Vec<String>,
}

impl Running {
    /// `jotsmith serve` with the configuration of a site, once it listens; and the address of its admin port.
    pub(crate) fn serve(site: &Site) -> (Self, String) {
        let file = site.config_file();
        let mut serving = Self::start(site.folder(), &["serve", "--config", file.to_str().expect("UTF-8")]);
        let line: Value = serde_json::from_str(&serving.wait_for_log("\"serving\"")).expect("a line of JSON");
        let admin = format!("http://{}", line["admin"].as_str().expect("an address"));
        (serving, admin)
    }

    /// Starts any command.
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = jotsmith(folder);
        command.args(arguments);
        Self::spawn(command)
    }

    /// Starts any program.
    pub(crate) fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let stdout = lines(child.stdout.take().expect("a pipe"));
        let stderr = lines(child.stderr.take().expect("a pipe"));
        Self { child, stdout, stderr, seen: Vec::new() }
    }

    /// Waits until a line of standard error holds `needle`, and gives the line.
    pub(crate) fn wait_for_log(&mut self, needle: &str) -> String {
        wait(&self.stderr, needle, &mut self.seen)
    }

    /// Waits until a line of standard output holds `needle`, and gives all lines up to it.
    pub(crate) fn wait_for_output(&mut self, needle: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let last = wait(&self.stdout, needle, &mut lines);
        lines.push(last);
        lines
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Waits for the end: how it exited, and what it had logged that no wait has taken.
    pub(crate) fn end(mut self) -> (ExitStatus, Vec<String>) {
        let mut rest = Vec::new();
        loop {
            match self.stderr.recv_timeout(PATIENCE) {
                Ok(line) => rest.push(line),
                Err(RecvTimeoutError::Disconnected) => return (self.child.wait().expect("it ends"), rest),
                Err(RecvTimeoutError::Timeout) => panic!("it does not end; it said:\n{}", rest.join("\n")),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a pipe, as they come.
fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

fn wait(lines: &Receiver<String>, needle: &str, seen: &mut Vec<String>) -> String {
    loop {
        let Ok(line) = lines.recv_timeout(PATIENCE) else {
            panic!("no line with {needle:?}; there were:\n{}", seen.join("\n"));
        };
        if line.contains(needle) {
            return line;
        }
        seen.push(line);
    }
}
