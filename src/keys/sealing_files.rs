//! Files of sealing keys: 32 random bytes, nothing before and nothing after them.
//!
//! A file of any other length is refused, never cut or padded: a key of a text editor's making is none.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::foundation::random::Random;
use crate::foundation::sealing::{KEY_BYTES, SealingKey};

use super::key_files::{self, KeyFileRefused};

/// Why a file gives no sealing key.
#[derive(Debug, thiserror::Error)]
pub enum SealingFileRefused {
    /// The file cannot be read, or others may.
    #[error(transparent)]
    File(#[from] KeyFileRefused),
    /// It does not hold exactly 32 bytes.
    #[error(
        "the file {} holds {length} bytes, a sealing key is exactly {KEY_BYTES}: \
         make one with `jotsmith keys generate --sealing`", .file.display()
    )]
    WrongLength {
        /// The file.
        file: PathBuf,
        /// How many bytes it holds.
        length: usize,
    },
}

/// Reads a sealing key.
pub fn read(file: &Path) -> Result<SealingKey, SealingFileRefused> {
    let content = key_files::read(file)?;
    let bytes: &[u8; KEY_BYTES] = content
        .as_slice()
        .try_into()
        .map_err(|_| SealingFileRefused::WrongLength { file: file.to_owned(), length: content.len() })?;
    Ok(SealingKey::new(bytes))
}

/// Makes a new sealing key and its file, and gives the key when the file is on disk.
pub fn generate(file: &Path, random: &dyn Random) -> Result<SealingKey, KeyFileRefused> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    random.fill(&mut *bytes);
    key_files::create(file, &*bytes)?;
    Ok(SealingKey::new(&bytes))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::foundation::random::OsRandom;

    #[test]
    fn a_generated_key_is_the_one_that_its_file_gives() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("2026-11.seal");
        let generated = generate(&file, &OsRandom).expect("made");
        assert_eq!(fs::metadata(&file).expect("there").len(), 32);
        assert_eq!(read(&file).expect("read").id(), generated.id());

        let other = generate(&folder.path().join("other.seal"), &OsRandom).expect("made");
        assert_ne!(other.id(), generated.id());
    }

    #[test]
    fn a_file_of_another_length_is_refused_without_showing_it() {
        let folder = tempfile::tempdir().expect("a folder");
        for length in [0, 31, 33, 64] {
            let file = folder.path().join(format!("{length}.seal"));
            key_files::create(&file, &vec![b's'; length]).expect("made");
            let refused = read(&file).expect_err("not 32 bytes");
            assert!(matches!(refused, SealingFileRefused::WrongLength { length: is, .. } if is == length), "{refused}");
            assert!(refused.to_string().contains(&format!("{length}.seal holds {length} bytes")), "{refused}");
            assert!(!format!("{refused} {refused:?}").contains("sss"), "{refused:?}");
        }
    }

    #[test]
    fn a_file_that_is_there_is_not_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("2026-11.seal");
        let generated = generate(&file, &OsRandom).expect("made");
        assert!(matches!(generate(&file, &OsRandom), Err(KeyFileRefused::Exists { .. })));
        assert_eq!(read(&file).expect("read").id(), generated.id());
    }
}
