//! `[pages]`: how the pages that people meet look and what they are called. The files of the theme are read here, so that a
//! change of one is noticed as any change of the configuration is; what is in them is judged by what renders them.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::clients::appearance::{Color, Logo};
use crate::protocol::language::LanguageTag;

use super::environment::Environment;
use super::files;
use super::inputs::Inputs;
use super::reading::Reading;

/// How the pages look and what they are called.
#[derive(Debug, Clone, Default)]
pub struct PageSettings {
    /// The name of the service.
    pub name: Option<String>,
    /// The colour of buttons and links.
    pub color: Option<Color>,
    /// The picture beside the name.
    pub logo: Option<Logo>,
    /// The templates of the theme, `*.html`.
    pub templates: Vec<PageFile>,
    /// The style of the theme, `style.css`.
    pub style: Option<PageFile>,
    /// The messages of the theme, `locales/*.ftl`, by language.
    pub locales: Vec<(LanguageTag, PageFile)>,
}

/// A file of the theme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageFile {
    /// Where it is.
    pub path: PathBuf,
    /// What is in it.
    pub text: String,
}

#[derive(Deserialize)]
pub(super) struct RawPages {
    name: Option<String>,
    color: Option<String>,
    logo: Option<PathBuf>,
    directory: Option<PathBuf>,
}

pub(super) fn read(reading: &Reading<'_>, environment: &Environment, inputs: &Inputs) -> Option<PageSettings> {
    let raw: RawPages = reading.section("pages")?;
    let problem = |key: &str, what: String| reading.problems().add(reading.place(&["pages", key]).problem(what));
    let color =
        raw.color.map(|text| Color::parse(&text).map_err(|refused| problem("color", format!("{text:?} {refused}"))));
    let logo = raw.logo.map(|path| read_logo(&path, environment, inputs).map_err(|what| problem("logo", what)));
    if raw.name.as_ref().is_some_and(|name| name.trim().is_empty()) {
        problem("name", "is empty: write the name of the service, or leave it out".to_owned());
    }
    let mut settings = PageSettings {
        name: raw.name,
        color: color.and_then(Result::ok),
        logo: logo.and_then(Result::ok),
        ..PageSettings::default()
    };
    if let Some(directory) = raw.directory {
        let directory = environment.working_directory.join(directory);
        if let Err(what) = read_theme(&directory, &mut settings, inputs) {
            problem("directory", what);
        }
    }
    Some(settings)
}

/// The picture in a file; an error is a sentence.
pub(super) fn read_logo(path: &Path, environment: &Environment, inputs: &Inputs) -> Result<Logo, String> {
    let path = environment.working_directory.join(path);
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        // A device would never end.
        inputs.look(&path);
        return Err(format!("{} is no file", path.display()));
    }
    let content = inputs.read_bytes(&path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    Logo::new(content).map_err(|refused| format!("{} {refused}", path.display()))
}

fn read_theme(directory: &Path, settings: &mut PageSettings, inputs: &Inputs) -> Result<(), String> {
    let read = |path: PathBuf| match inputs.read(&path) {
        Ok(text) => Ok(PageFile { path, text }),
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    };
    let templates = files::list(directory, "*.html", inputs)?;
    let locales = files::list(directory, "locales/*.ftl", inputs)?;
    if !directory.is_dir() {
        return Err(format!("{} is no folder", directory.display()));
    }
    settings.templates = templates.into_iter().map(read).collect::<Result<_, _>>()?;
    let style = directory.join("style.css");
    inputs.look(&style);
    if style.exists() {
        settings.style = Some(read(style)?);
    }
    for path in locales {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let tag = LanguageTag::parse(&name).map_err(|refused| format!("the name of {} {refused}", path.display()))?;
        if tag.as_str() != name {
            return Err(format!("{} is to be called {tag}.ftl", path.display()));
        }
        settings.locales.push((tag, read(path)?));
    }
    if settings.templates.is_empty() && settings.style.is_none() && settings.locales.is_empty() {
        return Err(format!("{} has neither *.html nor style.css nor locales/*.ftl", directory.display()));
    }
    Ok(())
}
