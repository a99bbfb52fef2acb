//! The rules of `interface.md` about configuration, one test a rule; each drives [`load`] on files of its own.

mod judgements;
mod layering;
mod secret_values;
mod shown_settings;
mod wrong_values;

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::{Environment, Settings, load};

/// A folder in which a configuration is written, and in which the program runs.
struct Folder {
    folder: TempDir,
    environment: Environment,
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let environment = Environment {
            working_directory: folder.path().to_owned(),
            system_directory: folder.path().join("etc"),
            ..Environment::default()
        };
        Self { folder, environment }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder above it")).expect("folders");
        fs::write(path, text).expect("a file");
        self
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Loads these files; none: the usual ones.
    fn load(&self, files: &[&str]) -> Settings {
        self.try_load(files).unwrap_or_else(|errors| panic!("refused: {errors}"))
    }

    /// The errors, one a line, without the path of the folder.
    fn errors(&self, files: &[&str]) -> String {
        self.try_load(files).expect_err("a configuration with a problem")
    }

    fn try_load(&self, files: &[&str]) -> Result<Settings, String> {
        let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
        let folder = format!("{}/", self.folder.path().display());
        load(&files, &self.environment).map_err(|errors| errors.to_string().replace(&folder, ""))
    }
}

/// Loads one file with this text.
fn load_text(text: &str) -> Settings {
    Folder::new().write("a.toml", text).load(&["a.toml"])
}

/// The errors of one file with this text.
fn errors_of(text: &str) -> String {
    Folder::new().write("a.toml", text).errors(&["a.toml"])
}

/// A client's entry.
fn client(id: &str) -> String {
    format!(
        "[[clients]]\nclient_id = \"{id}\"\ntoken_endpoint_auth_method = \"none\"\nredirect_uris = [\"https://c.example/cb\"]\n"
    )
}

/// A user's entry; nobody knows the password.
fn user(username: &str, subject: &str) -> String {
    const HASH: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$w0uOPciYyQaOWZuo75D+1g$oCJEpi8WBvcSZJjhq8BgP1ihECiJDdFhnt3JhGxDWKk";
    format!("[[users]]\nusername = \"{username}\"\nsubject = \"{subject}\"\npassword_hash = \"{HASH}\"\n")
}
