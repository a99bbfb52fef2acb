//! What a program asked of the file system, call by call, as strace has seen it.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const STRACE: &str = "/usr/bin/strace";

/// All calls that change files or folders, or ask the disk for them; those that we do not know how to replay, too.
const CALLS: &str = "openat,open,creat,write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,sync_file_range,ftruncate,\
                     truncate,fallocate,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat,\
                     symlink,symlinkat,copy_file_range,sendfile,lseek,mmap";

/// More than any one write has.
const LONGEST_WRITE: &str = "2000000";

/// One call, or one line of the program's own.
#[derive(Debug, Clone)]
pub(super) struct Event {
    /// When it began and when it returned: lines of the recording.
    pub begun: usize,
    pub ended: usize,
    pub what: What,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    Folder(PathBuf),
    Open {
        path: PathBuf,
        creates: bool,
        truncates: bool,
    },
    Write {
        path: PathBuf,
        at: usize,
        bytes: Vec<u8>,
    },
    Length {
        path: PathBuf,
        length: usize,
    },
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    /// The disk was asked for a file or a folder, and has said that it has it.
    Sync(PathBuf),
    /// What the program wrote into its file of tidings.
    Told(String),
}

/// The file into which a recorded program writes what it has asked and what was answered.
pub(super) fn tidings(root: &Path) -> PathBuf {
    root.join("tidings")
}

/// Whether calls can be recorded here. Where tools are required and strace is missing, that is a failure.
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
pub(super) fn is_possible() -> bool {
    let is_there = Path::new(STRACE).exists();
    if !is_there {
        let otherwise = format!("{STRACE} is missing; `apt-get install strace` brings it");
        assert!(std::env::var_os("JOTSMITH_TEST_REQUIRE_TOOLS").is_none(), "{otherwise}");
        eprintln!("left out: {otherwise}");
    }
    is_there
}

/// Runs one test of this program with these variables, and records what it does below `root`. The events follow those
/// of `before`.
pub(super) fn record(root: &Path, test: &str, variables: &[(&str, String)], before: &mut Vec<Event>) {
    let log = root.with_extension("strace");
    let mut traced = Command::new(STRACE);
    traced.args(["-f", "-y", "-xx", "-e", "signal=none", "--seccomp-bpf", "-s", LONGEST_WRITE, "-o"]);
    traced.arg(&log).args(["-e", &format!("trace={CALLS}")]);
    traced.arg(std::env::current_exe().expect("this program")).args(["--exact", test, "--nocapture"]);
    traced.envs(variables.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
    let ended = traced.output().expect("strace starts");
    let said = [ended.stdout, ended.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(ended.status.success(), "the recorded program failed: {said:?}");
    let lines = fs::read_to_string(&log).expect("a recording");
    let mut reader = Reader { root, positions: HashMap::new(), events: before };
    reader.read(&lines);
    fs::remove_file(log).expect("removed");
}

struct Reader<'a> {
    root: &'a Path,
    /// Up to where each descriptor has written that has no place in its calls.
    positions: HashMap<String, usize>,
    events: &'a mut Vec<Event>,
}

/// The file of a descriptor, or of a name.
struct Named {
    number: String,
    path: PathBuf,
    is_removed: bool,
}

impl Reader<'_> {
    fn read(&mut self, text: &str) {
        let offset = self.events.iter().map(|event| event.ended + 1).max().unwrap_or(0);
        let mut unfinished: HashMap<&str, (usize, &str)> = HashMap::new();
        for (line, text) in text.lines().enumerate() {
            let line = offset + line;
            let (process, text) = text.split_once(' ').expect("a process");
            let text = text.trim_start();
            if let Some(begin) = text.strip_suffix(" <unfinished ...>") {
                unfinished.insert(process, (line, begin));
            } else if let Some(resumed) = text.strip_prefix("<... ") {
                let (_, rest) = resumed.split_once(" resumed>").expect("of what");
                let (begun, first) = unfinished.remove(process).expect("begun");
                self.call(begun, line, &format!("{first}{rest}"));
            } else if !text.starts_with(['+', '-']) {
                self.call(line, line, text);
            }
        }
        // Calls that end later may have begun before.
        self.events.sort_by_key(|event| if event.is_sync() { event.ended } else { event.begun });
    }

    fn call(&mut self, begun: usize, ended: usize, text: &str) {
        let (name, rest) = text.split_once('(').expect("a call");
        let (arguments, result) = rest.rsplit_once(" = ").unwrap_or((rest, "?"));
        let arguments = arguments.trim_end();
        let arguments = arguments.strip_suffix(')').unwrap_or(arguments);
        // What failed changed nothing.
        if result.starts_with(['-', '?']) {
            return;
        }
        let arguments: Vec<&str> = arguments.split(", ").collect();
        if let Some(what) = self.what(name, &arguments, result) {
            self.events.push(Event { begun, ended, what });
        }
    }

    fn what(&mut self, name: &str, arguments: &[&str], result: &str) -> Option<What> {
        match name {
            "openat" => {
                let flags = arguments[2];
                let opened = named(result);
                let path = self.below(arguments[0], arguments[1])?;
                // Reading would move it too, and is not recorded.
                if flags.contains("O_WRONLY") {
                    self.positions.insert(opened.number, 0);
                } else {
                    self.positions.remove(&opened.number);
                }
                assert!(!flags.contains("O_APPEND") || path == tidings(self.root), "{} is appended to", path.display());
                let (creates, truncates) = (flags.contains("O_CREAT"), flags.contains("O_TRUNC"));
                ((creates || truncates) && path != tidings(self.root)).then_some(What::Open {
                    path,
                    creates,
                    truncates,
                })
            }
            "write" | "pwrite64" => {
                let Named { number, path, is_removed } = self.open_file(arguments[0])?;
                let mut bytes = unhex(arguments[1]);
                bytes.truncate(result.parse().expect("a length"));
                if path == tidings(self.root) {
                    return Some(What::Told(String::from_utf8(bytes).expect("text").trim().to_owned()));
                }
                let at = if name == "write" {
                    let position = self
                        .positions
                        .get_mut(&number)
                        .unwrap_or_else(|| panic!("{} {number} is read too", path.display()));
                    *position += bytes.len();
                    *position - bytes.len()
                } else {
                    arguments[3].parse().expect("a place")
                };
                (!is_removed).then_some(What::Write { path, at, bytes })
            }
            "lseek" => {
                let position = self.positions.get_mut(&self.open_file(arguments[0])?.number)?;
                *position = result.parse().expect("a place");
                None
            }
            "ftruncate" => {
                let Named { path, is_removed, .. } = self.open_file(arguments[0])?;
                (!is_removed).then(|| What::Length { path, length: arguments[1].parse().expect("a length") })
            }
            "fsync" | "fdatasync" => {
                let Named { path, is_removed, .. } = self.open_file(arguments[0])?;
                (!is_removed).then_some(What::Sync(path))
            }
            "rename" => self.is_ours(arguments[0]).map(|from| What::Rename(from, path(arguments[1]))),
            "renameat" | "renameat2" => {
                let (from, to) = (self.below(arguments[0], arguments[1])?, self.below(arguments[2], arguments[3]));
                Some(What::Rename(from, to.expect("from one of our folders to another")))
            }
            "unlink" | "rmdir" => self.is_ours(arguments[0]).map(What::Remove),
            "unlinkat" => self.below(arguments[0], arguments[1]).map(What::Remove),
            "mkdir" => self.is_ours(arguments[0]).map(What::Folder),
            "mkdirat" => self.below(arguments[0], arguments[1]).map(What::Folder),
            // No promise of the disk: neither what the drive holds back nor the length of the file is asked for.
            "sync_file_range" => None,
            "mmap" => {
                let is_ours = arguments.get(4).is_some_and(|file| file.contains('<') && self.open_file(file).is_some());
                assert!(!is_ours, "a file of ours is mapped into memory, and what is written there was not recorded");
                None
            }
            other => {
                let is_ours = |argument: &&&str| {
                    let is_file = argument.contains('<') && self.open_file(argument).is_some();
                    is_file || (argument.starts_with('"') && self.is_ours(argument).is_some())
                };
                let ours = arguments.iter().find(is_ours);
                assert!(ours.is_none(), "{other} of one of our files cannot be replayed: {arguments:?}");
                None
            }
        }
    }

    /// The file of a descriptor, if it is one of ours.
    fn open_file(&self, descriptor: &str) -> Option<Named> {
        Some(named(descriptor)).filter(|named| named.path.starts_with(self.root))
    }

    /// A name, if it is one of ours.
    fn is_ours(&self, name: &str) -> Option<PathBuf> {
        Some(path(name)).filter(|path| path.starts_with(self.root))
    }

    /// The same, in the folder of a descriptor.
    fn below(&self, folder: &str, name: &str) -> Option<PathBuf> {
        Some(named(folder).path.join(path(name))).filter(|path| path.starts_with(self.root))
    }
}

impl Event {
    pub(super) fn is_sync(&self) -> bool {
        matches!(self.what, What::Sync(_))
    }

    /// The call in words, short.
    pub(super) fn describe(&self, root: &Path) -> String {
        let what = format!("{:?}", self.what).replace(&format!("{}/", root.display()), "");
        let short: String = what.chars().take(110).collect();
        format!("line {}: {short}", self.begun)
    }
}

/// `5<path>`, with `(deleted)` where it was removed.
fn named(descriptor: &str) -> Named {
    let (number, rest) = descriptor.split_once('<').unwrap_or((descriptor, ""));
    let is_removed = rest.contains("(deleted)");
    let hex = rest.split_once('>').map_or("", |(hex, _)| hex);
    Named { number: number.to_owned(), path: path(hex), is_removed }
}

fn path(hex: &str) -> PathBuf {
    PathBuf::from(String::from_utf8(unhex(hex)).expect("our names are text"))
}

/// `"\x61\x62"`, with or without the quotes.
fn unhex(text: &str) -> Vec<u8> {
    assert!(!text.ends_with("..."), "a write was not recorded in full");
    let digit = |digit: u8| if digit <= b'9' { digit - b'0' } else { digit - b'a' + 10 };
    let bytes = text.as_bytes().strip_prefix(b"\"").map_or(text.as_bytes(), |rest| &rest[..rest.len() - 1]);
    bytes.chunks_exact(4).map(|hex| digit(hex[2]) << 4 | digit(hex[3])).collect()
}
