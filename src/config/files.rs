//! Which files a configuration consists of, in which order: the later one wins.
//!
//! A file that others include comes before the file that includes it, so that the one that names the other has the
//! last word. No file is read twice.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use super::environment::{self, Environment};
use super::error::{ConfigError, Problems};
use super::inputs::Inputs;
use super::toml_file::TomlFile;
use super::value::{Value, ValueKind};

/// A leading dot hides a file from patterns: editors and Kubernetes keep their own that way.
const MATCHING: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// Reads the files that were named, or those of the environment, or those at the usual places; with what they include.
pub(super) fn read(
    named: &[PathBuf],
    environment: &Environment,
    inputs: &Inputs,
    problems: &Problems,
) -> Vec<TomlFile> {
    let mut files = Files { read: Vec::new(), open: Vec::new(), known: HashMap::new(), inputs, problems };
    for (path, by) in roots(named, environment, inputs, problems) {
        files.add(&path, by, None);
    }
    files.read
}

fn roots(
    named: &[PathBuf],
    environment: &Environment,
    inputs: &Inputs,
    problems: &Problems,
) -> Vec<(PathBuf, &'static str)> {
    let from = |path: &Path| environment.working_directory.join(path);
    if !named.is_empty() {
        return named.iter().map(|path| (from(path), "--config")).collect();
    }
    if let Some(list) = environment.variable(environment::FILES) {
        let paths = list.split(':').filter(|path| !path.is_empty());
        return paths.map(|path| (from(Path::new(path)), environment::FILES)).collect();
    }
    let usual = ["config/default.toml", "config/local.toml"].map(|path| from(Path::new(path)));
    // One that is missing may come.
    for path in &usual {
        inputs.look(path);
    }
    // What cannot be looked at counts as there, so that it is refused and not passed over.
    let usual: Vec<_> =
        usual.into_iter().filter(|path| path.try_exists().unwrap_or(true)).map(|path| (path, "its place")).collect();
    if !usual.is_empty() {
        return usual;
    }
    let system = environment.system_directory.join("*.toml");
    let system = list(&environment.system_directory, "*.toml", inputs)
        .map_err(|error| ConfigError::new(error).at(Some(&system.display().to_string())));
    problems.note(system).unwrap_or_default().into_iter().map(|path| (path, "its place")).collect()
}

/// The same as [`matching`], noted.
pub(super) fn list(directory: &Path, pattern: &str, inputs: &Inputs) -> Result<Vec<PathBuf>, String> {
    let found = matching(directory, pattern);
    inputs.list(directory, pattern, found.as_deref().ok());
    found
}

/// The files in `directory` that a pattern means, sorted by name.
pub(super) fn matching(directory: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    // An absolute pattern replaces the folder, as an absolute path would.
    let directory = Pattern::escape(&directory.to_string_lossy());
    let pattern = Path::new(&directory).join(pattern);
    let paths = glob::glob_with(&pattern.to_string_lossy(), MATCHING).map_err(|error| error.to_string())?;
    // They come sorted.
    paths.collect::<Result<_, _>>().map_err(|error| error.to_string())
}

/// Whether a text stands for any number of files, and not for the one of this name.
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

struct Files<'p> {
    read: Vec<TomlFile>,
    /// The files that are being read, each included by the one before it.
    open: Vec<PathBuf>,
    /// Every file that was met, with who named it.
    known: HashMap<PathBuf, String>,
    inputs: &'p Inputs,
    problems: &'p Problems,
}

impl Files<'_> {
    /// `by` names the file; `at` is where it does, when that is another file.
    fn add(&mut self, path: &Path, by: &str, at: Option<&str>) {
        // Links are followed, so that one file under two names is known as one. What does not exist fails when read.
        let identity = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let by = at.unwrap_or(by);
        if self.open.contains(&identity) {
            let what = format!("includes {}, which is being read already: break the circle", path.display());
            return self.problems.add(ConfigError::new(what).with_key("include").at(at));
        }
        if let Some(other) = self.known.insert(identity.clone(), by.to_owned()) {
            let what = format!("{} is named twice, by {other} and by {by}: name it once", path.display());
            return self.problems.add(ConfigError::new(what));
        }
        let Some(mut file) = self.problems.note(TomlFile::read(path, self.inputs)) else { return };
        self.open.push(identity);
        if let Some(include) = file.values.remove("include") {
            self.include(&include, path.parent().unwrap_or(Path::new("")));
        }
        self.open.pop();
        self.read.push(file);
    }

    fn include(&mut self, include: &Value, directory: &Path) {
        let problem = |value: &Value, what: &str| {
            self.problems.add(ConfigError::new(what).with_key("include").at_origin(&value.origin));
        };
        let ValueKind::Array(patterns) = &include.kind else {
            return problem(include, "write a list of files or patterns, such as [\"clients.d/*.toml\"]");
        };
        for pattern in patterns {
            let ValueKind::String(text) = &pattern.kind else {
                problem(pattern, "write a file or a pattern in quotation marks, such as \"clients.d/*.toml\"");
                continue;
            };
            match list(directory, text, self.inputs) {
                Ok(paths) if paths.is_empty() && !is_pattern(text) => {
                    problem(pattern, &format!("there is no file {}", directory.join(text).display()));
                }
                Ok(paths) => {
                    let at = pattern.origin.text();
                    for path in &paths {
                        self.add(path, "", at.as_deref());
                    }
                }
                Err(what) => problem(pattern, &what),
            }
        }
    }
}
