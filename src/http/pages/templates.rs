//! The templates: ours, and those of a theme in their place. All that stands in a page is escaped.
//!
//! A theme's template that fails while somebody waits is replaced by ours, whole, and the log says so.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use fluent_bundle::FluentValue;
use minijinja::value::{Kwargs, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};

use super::languages::{Language, Told};
use super::look::FORM_POST_SCRIPT;
use super::theme::{ThemeFile, ThemeRefused};

/// The templates that are built in, by name.
pub(super) const BUILT_IN_TEMPLATES: [(&str, &str); 7] = [
    ("frame.html", include_str!("frame.html")),
    ("login.html", include_str!("login.html")),
    ("consent.html", include_str!("consent.html")),
    ("form_post.html", include_str!("form_post.html")),
    ("logout.html", include_str!("logout.html")),
    ("message.html", include_str!("message.html")),
    ("way_back.html", include_str!("way_back.html")),
];

static BUILT_IN: LazyLock<Environment<'static>> = LazyLock::new(built_in);

fn built_in() -> Environment<'static> {
    let mut templates = Environment::new();
    // A name that is misspelt is an error, and not a gap in a page.
    templates.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    // Whatever a file is called, HTML comes out of it.
    templates.set_auto_escape_callback(|_| AutoEscape::Html);
    for (name, source) in BUILT_IN_TEMPLATES {
        templates.add_template(name, source).expect("the templates in this folder parse");
    }
    templates.add_global("form_post_script", Value::from_safe_string(FORM_POST_SCRIPT.to_owned()));
    templates
}

/// What a page is rendered with.
pub(super) struct Templates {
    themed: Option<Environment<'static>>,
    paths: Vec<(String, PathBuf)>,
}

/// A page that was rendered, and whether as the theme has it.
pub(super) struct Rendered {
    pub(super) html: String,
    pub(super) is_themed: bool,
}

impl Templates {
    /// Our templates, with those of a theme in their place.
    pub(super) fn new(files: &[(String, ThemeFile)]) -> Result<Self, ThemeRefused> {
        if files.is_empty() {
            return Ok(Self { themed: None, paths: Vec::new() });
        }
        let mut themed = built_in();
        let paths: Vec<_> = files.iter().map(|(name, file)| (name.clone(), file.path.clone())).collect();
        for (name, file) in files {
            let is_page = BUILT_IN_TEMPLATES.iter().any(|(own, _)| own == name);
            if !is_page && !name.starts_with('_') {
                let pages = BUILT_IN_TEMPLATES.map(|(own, _)| own).join(", ");
                let what = format!("is no page; pages are {pages}; a part that others include begins with _");
                return Err(ThemeRefused::at(&file.path, None, what));
            }
            let added = themed.add_template_owned(name.clone(), file.text.clone());
            added.map_err(|error| refused(&file.path, &error))?;
        }
        Ok(Self { themed: Some(themed), paths })
    }

    /// Renders a page; `values` gives what it shows, for a theme or for our own style.
    pub(super) fn render(&self, name: &str, values: impl Fn(bool) -> Value) -> Rendered {
        if let Some(themed) = &self.themed {
            match render(themed, name, values(true)) {
                Ok(html) => return Rendered { html, is_themed: true },
                Err(error) => {
                    let template = error.name().unwrap_or(name);
                    let line = error.line().unwrap_or_default();
                    tracing::error!(
                        template, template.line = line, error.cause = %error,
                        "a template of the theme fails; the built-in page is shown"
                    );
                }
            }
        }
        let html = render(&BUILT_IN, name, values(false)).expect("our templates render what their pages give them");
        Rendered { html, is_themed: false }
    }

    /// Renders a page as the theme has it, to see whether it can be. `None`: there is no theme.
    pub(super) fn try_theme(&self, name: &str, values: Value) -> Option<Result<String, ThemeRefused>> {
        let themed = self.themed.as_ref()?;
        Some(render(themed, name, values).map_err(|error| refused(&self.path(error.name().unwrap_or(name)), &error)))
    }

    /// The file of a template, for errors: where it is ours, the one that brings it to fail is the theme's.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        let own = self.paths.iter().find(|(own, _)| own == name).or_else(|| self.paths.first());
        own.map_or_else(|| PathBuf::from(name), |(_, path)| path.clone())
    }
}

fn render(templates: &Environment<'static>, name: &str, values: Value) -> Result<String, Error> {
    templates.get_template(name)?.render(values)
}

fn refused(path: &Path, error: &Error) -> ThemeRefused {
    let what = error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()));
    ThemeRefused::at(path, error.line(), what)
}

/// The function `t` of the templates: the words of a message, told whatever else it is called with.
pub(super) fn speaker(language: Arc<Language>) -> Value {
    Value::from_function(move |key: &str, told: Kwargs| -> Result<String, Error> {
        if !language.has(key) {
            return Err(Error::new(ErrorKind::InvalidOperation, format!("there is no message {key:?}")));
        }
        let names: Vec<String> = told.args().map(str::to_owned).collect();
        let values = names.iter().map(|name| Ok((name.as_str(), fluent_value(&told.get::<Value>(name)?))));
        let values: Vec<Told<'_>> = values.collect::<Result<_, Error>>()?;
        Ok(language.say(key, &values))
    })
}

fn fluent_value(value: &Value) -> FluentValue<'static> {
    match i64::try_from(value.clone()) {
        Ok(number) if value.is_number() => number.into(),
        _ => value.to_string().into(),
    }
}
