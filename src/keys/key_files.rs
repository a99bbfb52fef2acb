//! Files that hold a private or sealing key.
//!
//! A file is read only when no other user of the machine may touch it; its group may, for Kubernetes mounts secrets as
//! `0440`, behind symbolic links that are followed. A new one is created with mode 0600 in one step, never over an old one, and is
//! on disk when its making is reported. Errors name the file and what mends it, never what stands in it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use zeroize::Zeroizing;

/// The most that a key file may hold, in bytes: an RSA key of 8192 bits takes 6,400.
const LARGEST: usize = 64 * 1024;

/// The permissions of everybody who is neither the owner nor in the group.
const OTHERS: u32 = 0o007;

/// Why a key file could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileRefused {
    /// The operating system refuses to read it.
    #[error("cannot read the key file {}: {reason}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        reason: io::Error,
    },
    /// It is a folder or a device.
    #[error("the key file {} is not a regular file", .file.display())]
    NotAFile {
        /// The file.
        file: PathBuf,
    },
    /// Every user of the machine may read or change it.
    #[error("other users may use the key file {} (mode {mode:04o}): `chmod o= {}` takes that from them", .file.display(), .file.display())]
    OpenToOthers {
        /// The file.
        file: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It holds more than any key.
    #[error("the key file {} is larger than any key: give the right file", .file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
    },
    /// There is a file of that name already.
    #[error("there is a file {} already: choose another name, keys are never overwritten", .file.display())]
    Exists {
        /// The file.
        file: PathBuf,
    },
    /// The operating system refuses to create or write it.
    #[error("cannot create the key file {}: {reason}", .file.display())]
    NotCreated {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        reason: io::Error,
    },
}

/// Reads a key file, following symbolic links, when other users have no access to it.
pub fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileRefused> {
    let unreadable = |reason| KeyFileRefused::Unreadable { file: file.to_owned(), reason };
    // Not blocking: to open a pipe would otherwise wait for somebody to write into it.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = rustix::fs::open(file, flags, Mode::empty()).map_err(|errno| unreadable(errno.into()))?;
    let opened = File::from(opened);
    // Asked of what is open, not of the name: between two looks at a name it may come to mean another file.
    let metadata = opened.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(KeyFileRefused::NotAFile { file: file.to_owned() });
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err(KeyFileRefused::OpenToOthers { file: file.to_owned(), mode });
    }
    // Room for all of it from the start: a buffer that grows leaves copies of the key behind.
    let mut content = Zeroizing::new(Vec::with_capacity(LARGEST + 1));
    opened.take(LARGEST as u64 + 1).read_to_end(&mut content).map_err(unreadable)?;
    if content.len() > LARGEST {
        return Err(KeyFileRefused::TooLarge { file: file.to_owned() });
    }
    Ok(content)
}

/// Creates a key file that its owner alone may use, and returns when it is on disk. A file that is there already stays
/// as it is.
pub fn create(file: &Path, content: &[u8]) -> Result<(), KeyFileRefused> {
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let mut created = created.map_err(|reason| match reason.kind() {
        io::ErrorKind::AlreadyExists => KeyFileRefused::Exists { file: file.to_owned() },
        _ => KeyFileRefused::NotCreated { file: file.to_owned(), reason },
    })?;
    let written = created.write_all(content).and_then(|()| created.sync_all()).and_then(|()| sync_folder_of(file));
    written.map_err(|reason| {
        // Half a key would only be in the way. That it cannot be removed either is not the news.
        let _ = std::fs::remove_file(file);
        KeyFileRefused::NotCreated { file: file.to_owned(), reason }
    })
}

/// Makes the name of a new file durable, which syncing the file alone does not.
fn sync_folder_of(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder")
    }

    fn file_with_mode(folder: &Path, mode: u32) -> PathBuf {
        let file = folder.join(format!("{mode:o}.pem"));
        fs::write(&file, "key material").expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("permitted");
        file
    }

    #[test]
    fn a_created_file_is_its_owners_alone_and_reads_back() {
        let folder = folder();
        let file = folder.path().join("new.pem");
        create(&file, b"key material").expect("created");
        assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o7777, 0o600);
        assert_eq!(read(&file).expect("read").as_slice(), b"key material");
    }

    #[test]
    fn a_file_that_is_there_is_never_overwritten() {
        let folder = folder();
        let file = folder.path().join("new.pem");
        create(&file, b"old").expect("created");
        let dangling = folder.path().join("dangling.pem");
        symlink(folder.path().join("nowhere"), &dangling).expect("linked");
        for file in [&file, &dangling] {
            let refused = create(file, b"new").expect_err("there is one");
            assert!(matches!(refused, KeyFileRefused::Exists { .. }), "{refused}");
        }
        assert_eq!(fs::read(&file).expect("read"), b"old");
        assert!(!folder.path().join("nowhere").exists());
    }

    #[test]
    fn a_file_that_others_may_use_is_refused_and_one_for_the_group_is_not() {
        let folder = folder();
        for mode in [0o604, 0o644, 0o602, 0o601, 0o777] {
            let file = file_with_mode(folder.path(), mode);
            let refused = read(&file).expect_err("open to others").to_string();
            assert!(refused.contains(&format!("(mode {mode:04o}): `chmod o= {}`", file.display())), "{refused}");
            assert!(!refused.contains("material"), "{refused}");
        }
        for mode in [0o600, 0o400, 0o440, 0o640, 0o660] {
            assert!(read(&file_with_mode(folder.path(), mode)).is_ok(), "{mode:o}");
        }
    }

    #[test]
    fn a_symbolic_link_is_followed_and_its_target_judged() {
        let folder = folder();
        for (mode, is_read) in [(0o440, true), (0o444, false)] {
            let link = folder.path().join(format!("link-{mode:o}"));
            symlink(file_with_mode(folder.path(), mode), &link).expect("linked");
            assert_eq!(read(&link).is_ok(), is_read, "{mode:o}");
        }
    }

    #[test]
    fn what_is_no_file_of_a_key_is_refused_by_name() {
        let folder = folder();
        let large = folder.path().join("large.pem");
        create(&large, &vec![b'a'; LARGEST + 1]).expect("created");
        assert!(matches!(read(&large), Err(KeyFileRefused::TooLarge { .. })));
        assert!(matches!(read(folder.path()), Err(KeyFileRefused::NotAFile { .. })));

        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, Mode::RUSR, 0).expect("a pipe");
        assert!(matches!(read(&pipe), Err(KeyFileRefused::NotAFile { .. })));

        let missing = folder.path().join("missing").join("a.pem");
        for refused in [read(&missing).map(drop), create(&missing, b"key material")] {
            let refused = refused.expect_err("no folder").to_string();
            assert!(refused.contains(missing.to_str().expect("UTF-8")), "{refused}");
            assert!(refused.contains("No such file or directory"), "{refused}");
        }
    }
}
