//! What a configuration was read from, so that a change of it can be told from a change of anything else nearby.
//!
//! Noted is what was read and what was looked for: a file that is missing may appear, and a pattern may match one more.
//! Files are told apart by a digest of what is in them, and not by their times: of two changes within one tick of the
//! file system's clock the second is seen too, and a file that was only touched has not changed.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use zeroize::Zeroizing;

use crate::foundation::digest;

use super::files;

/// The files and patterns that a configuration came from, as they were when it was read. Holds no content.
#[derive(Debug, Default)]
pub struct Inputs(RefCell<Noted>);

#[derive(Debug, Default)]
struct Noted {
    files: BTreeMap<PathBuf, Stamp>,
    patterns: BTreeMap<(PathBuf, String), Option<Vec<PathBuf>>>,
}

/// What was found in the place of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stamp {
    /// A file with this content, and who may read it: a key file that is opened to others is refused.
    File { content: [u8; digest::SHA256_BYTES], mode: u32, owner: u32 },
    /// A pipe, or something else that cannot be read twice.
    Stream,
    /// Nothing that can be read.
    Unreadable(io::ErrorKind),
}

/// How many links a path may go through; Linux follows as many.
const MOST_LINKS: usize = 40;

impl Inputs {
    /// Reads a file of text, and notes what was in it.
    pub(super) fn read(&self, path: &Path) -> io::Result<String> {
        String::from_utf8(self.read_bytes(path)?)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
    }

    /// Reads a file of whatever, and notes what was in it.
    pub(super) fn read_bytes(&self, path: &Path) -> io::Result<Vec<u8>> {
        let (stamp, bytes) = stamp(path, true);
        self.0.borrow_mut().files.insert(path.to_owned(), stamp);
        bytes
    }

    /// Notes a file that something else reads after this, or that is not there.
    pub fn look(&self, path: &Path) {
        self.0.borrow_mut().files.insert(path.to_owned(), stamp_alone(path));
    }

    /// Notes which files a pattern matches in a folder; none: it could not be told.
    pub(super) fn list(&self, folder: &Path, pattern: &str, found: Option<&[PathBuf]>) {
        let key = (folder.to_owned(), pattern.to_owned());
        self.0.borrow_mut().patterns.insert(key, found.map(<[_]>::to_vec));
    }

    /// Notes, as they are now, the files that others came from too: those that a refused configuration does not come to
    /// may be what mends it.
    pub fn look_at_all_of(&self, others: &Self) {
        let known = |path: &PathBuf| self.0.borrow().files.contains_key(path);
        let missing: Vec<PathBuf> = others.0.borrow().files.keys().filter(|path| !known(path)).cloned().collect();
        for path in &missing {
            self.look(path);
        }
    }

    /// Whether all of it is as it was. A configuration that came through a pipe cannot be read again, so it counts as
    /// unchanged.
    pub fn are_current(&self) -> bool {
        let noted = self.0.borrow();
        if noted.files.values().any(|noted| *noted == Stamp::Stream) {
            return true;
        }
        noted.files.iter().all(|(path, noted)| *noted == stamp_alone(path))
            && noted.patterns.iter().all(|((folder, pattern), found)| *found == files::matching(folder, pattern).ok())
    }

    /// Where a change of it would be noticed: the folder of each file, and of each link on the way to it; where one does
    /// not exist, the nearest folder above it.
    pub fn folders(&self) -> BTreeSet<PathBuf> {
        let noted = self.0.borrow();
        let mut folders = BTreeSet::new();
        let patterns = noted.patterns.keys().map(|(folder, pattern)| folder.join(pattern));
        for path in noted.files.keys().cloned().chain(patterns) {
            add_folders(&path, &mut folders, MOST_LINKS);
        }
        folders
    }

    /// The files themselves.
    pub fn files(&self) -> Vec<PathBuf> {
        self.0.borrow().files.keys().cloned().collect()
    }
}

/// The stamp of what may be a private key: what was read is wiped.
fn stamp_alone(path: &Path) -> Stamp {
    let (stamp, bytes) = stamp(path, false);
    drop(bytes.map(Zeroizing::new));
    stamp
}

fn stamp(path: &Path, reads_streams: bool) -> (Stamp, io::Result<Vec<u8>>) {
    let read = || -> io::Result<(fs::Metadata, Vec<u8>)> {
        let metadata = fs::metadata(path)?;
        if !metadata.is_file() && !metadata.is_dir() && !reads_streams {
            return Ok((metadata, Vec::new()));
        }
        Ok((metadata, fs::read(path)?))
    };
    match read() {
        Ok((metadata, bytes)) if metadata.is_file() => {
            let (mode, owner) = (metadata.mode(), metadata.uid());
            (Stamp::File { content: digest::sha256(&bytes), mode, owner }, Ok(bytes))
        }
        Ok((_, bytes)) => (Stamp::Stream, Ok(bytes)),
        Err(error) => (Stamp::Unreadable(error.kind()), Err(error)),
    }
}

fn add_folders(path: &Path, folders: &mut BTreeSet<PathBuf>, links: usize) {
    let mut walked = PathBuf::new();
    let mut rest = path.components();
    while let Some(part) = rest.next() {
        let folder = if walked.as_os_str().is_empty() { PathBuf::from(".") } else { walked.clone() };
        walked.push(part);
        // What a pattern leaves open has no folder of its own.
        let is_open = matches!(part, Component::Normal(name) if files::is_pattern(&name.to_string_lossy()));
        match fs::symlink_metadata(&walked) {
            _ if is_open => {
                folders.insert(folder);
                return;
            }
            Ok(metadata) if metadata.is_symlink() && links > 0 => {
                folders.insert(folder.clone());
                if let Ok(target) = fs::read_link(&walked) {
                    add_folders(&folder.join(target).join(rest.as_path()), folders, links - 1);
                }
                return;
            }
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) | Err(_) => {
                folders.insert(folder);
                return;
            }
        }
    }
    folders.insert(walked);
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a folder"))
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.path(name), text).expect("a file");
        }
    }

    #[test]
    fn a_change_of_content_or_mode_is_one_and_a_touch_is_none() {
        let folder = Folder::new();
        folder.write("a", "one");
        let inputs = Inputs::default();
        inputs.read(&folder.path("a")).expect("a file");
        folder.write("a", "one");
        folder.write("b", "a neighbour");
        assert!(inputs.are_current());
        // Of the same length, and perhaps within one tick of the clock.
        folder.write("a", "two");
        assert!(!inputs.are_current());
        folder.write("a", "one");
        fs::set_permissions(folder.path("a"), fs::Permissions::from_mode(0o400)).expect("a mode");
        assert!(!inputs.are_current());
    }

    #[test]
    fn a_file_that_was_missing_and_appears_is_a_change_and_so_is_one_more_match() {
        let folder = Folder::new();
        let inputs = Inputs::default();
        inputs.look(&folder.path("later"));
        inputs.list(folder.0.path(), "*.toml", Some(&[]));
        assert!(inputs.are_current());
        folder.write("x.toml", "");
        assert!(!inputs.are_current());
        fs::remove_file(folder.path("x.toml")).expect("removed");
        assert!(inputs.are_current());
        folder.write("later", "");
        assert!(!inputs.are_current());
    }

    #[test]
    fn a_pipe_is_read_once_and_never_again() {
        let folder = Folder::new();
        let pipe = folder.path("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).expect("a pipe");
        let writer = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::write(pipe, "one")
        });
        let inputs = Inputs::default();
        assert_eq!(inputs.read(&pipe).expect("what was written"), "one");
        writer.join().expect("no panic").expect("written");
        // Nobody writes: whoever opened it would wait.
        assert!(inputs.are_current());
    }

    #[test]
    fn every_link_on_the_way_is_watched_and_what_is_missing_at_the_nearest_folder() {
        let folder = Folder::new();
        let at = |name: &str| folder.path(name);
        for name in ["mount", "mount/..one", "elsewhere"] {
            fs::create_dir(at(name)).expect("a folder");
        }
        folder.write("mount/..one/a.toml", "");
        symlink("..one", at("mount/..data")).expect("a link");
        symlink("..data/a.toml", at("mount/a.toml")).expect("a link");
        let folders = |path: PathBuf| {
            let mut found = BTreeSet::new();
            add_folders(&path, &mut found, MOST_LINKS);
            found
        };
        let expected = [at("mount"), at("mount/..one")];
        assert_eq!(folders(at("mount/a.toml")), expected.into());
        assert_eq!(folders(at("elsewhere/not/there/a.toml")), [at("elsewhere")].into());
        assert_eq!(folders(at("elsewhere/c.d/*.toml")), [at("elsewhere")].into());
        assert_eq!(folders(at("mount/*.toml")), [at("mount")].into());
        symlink("circle", at("circle")).expect("a link");
        assert_eq!(folders(at("circle/a.toml")), [folder.0.path().to_owned()].into());
        assert_eq!(folders(PathBuf::from("Cargo.toml")), [PathBuf::from(".")].into());
    }
}
