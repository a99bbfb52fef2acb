//! The pages of a configuration, ready to be shown.

use crate::config::{PageFile, Settings};
use crate::http::{PageSettings, Pages, Theme, ThemeFile, ThemeRefused};

/// Judges the pages of a configuration: a theme is tried before anybody is shown it.
pub fn load(settings: &Settings) -> Result<Pages, ThemeRefused> {
    let pages = &settings.pages;
    let file = |file: &PageFile| ThemeFile { path: file.path.clone(), text: file.text.clone() };
    let named = |own: &PageFile| {
        let name = own.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (name, file(own))
    };
    let theme = Theme {
        templates: pages.templates.iter().map(named).collect(),
        style: pages.style.as_ref().map(file),
        locales: pages.locales.iter().map(|(tag, own)| (tag.clone(), file(own))).collect(),
    };
    let own = PageSettings { name: pages.name.clone(), color: pages.color, logo: pages.logo.clone(), theme };
    Pages::new(own, &settings.issuer, &settings.clients)
}
