//! The files with which an operator replaces ours: templates, the style, messages. They are read by the configuration and
//! judged here, before anybody is shown a page of them.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::protocol::language::LanguageTag;

/// A file of a theme, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThemeFile {
    /// Where it is, for errors.
    pub path: PathBuf,
    /// What is in it.
    pub text: String,
}

/// The files of a theme.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Theme {
    /// Templates by name, such as `login.html`.
    pub templates: Vec<(String, ThemeFile)>,
    /// In the place of our style.
    pub style: Option<ThemeFile>,
    /// Messages by language.
    pub locales: Vec<(LanguageTag, ThemeFile)>,
}

/// Why a theme is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ThemeRefused {
    /// Something is wrong in a file.
    #[error("{}{}: {what}", .path.display(), Line(*.line))]
    File {
        /// The file.
        path: PathBuf,
        /// The line, where it is known.
        line: Option<usize>,
        /// What is wrong, and how to mend it.
        what: String,
    },
    /// Nobody can say which language a file is in.
    #[error("locales/{0}.ftl names no language")]
    Language(String),
}

impl ThemeRefused {
    pub(super) fn at(path: &Path, line: Option<usize>, what: impl fmt::Display) -> Self {
        Self::File { path: path.to_owned(), line, what: what.to_string() }
    }
}

struct Line(Option<usize>);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}
