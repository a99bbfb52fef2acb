//! The languages of the pages: messages in Fluent files, one a language, those of `locales/` built in.
//!
//! A message that a language lacks, or that cannot be written with what it is given, is said in English: a page is never
//! without words.

use std::sync::Arc;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

use crate::protocol::language::{LanguageTag, Preferences};

use super::theme::{ThemeFile, ThemeRefused};

/// The built-in languages. The first one is spoken where no other is wanted, and has every message.
const BUILT_IN: [(&str, &str); 2] =
    [("en", include_str!("locales/en.ftl")), ("zh-Hans", include_str!("locales/zh-Hans.ftl"))];

/// The tags of the languages that are built in.
#[cfg(test)]
pub(super) const BUILT_IN_FILES: [(&str, &str); 2] = BUILT_IN;

/// All languages of the pages, English first.
pub(super) struct Languages {
    tags: Vec<LanguageTag>,
    all: Vec<Arc<Language>>,
}

/// One language.
pub(in crate::http) struct Language {
    tag: LanguageTag,
    messages: FluentBundle<Arc<FluentResource>>,
    english: Option<Arc<Self>>,
}

/// What a message is told, by name.
pub(super) type Told<'a> = (&'a str, FluentValue<'a>);

impl Languages {
    /// The languages that are built in.
    #[cfg(test)]
    pub(super) fn built_in() -> Self {
        Self::with(&[]).expect("the files of this folder are sound")
    }

    /// The same with the files of a theme, whose messages stand in the place of ours.
    pub(super) fn with(files: &[(LanguageTag, ThemeFile)]) -> Result<Self, ThemeRefused> {
        let mut tags: Vec<LanguageTag> =
            BUILT_IN.iter().map(|(tag, _)| LanguageTag::parse(tag).expect("a tag")).collect();
        tags.extend(files.iter().map(|(tag, _)| tag.clone()));
        let mut seen = Vec::new();
        tags.retain(|tag| {
            !seen.contains(tag) && {
                seen.push(tag.clone());
                true
            }
        });
        let mut all: Vec<Arc<Language>> = Vec::new();
        for tag in &tags {
            let id: LanguageIdentifier = tag.as_str().parse().map_err(|_| ThemeRefused::Language(tag.to_string()))?;
            let mut messages = FluentBundle::new_concurrent(vec![id]);
            // Names that are written from right to left are isolated where they are put in; the marks would stand in
            // every title otherwise.
            messages.set_use_isolating(false);
            let built_in = BUILT_IN.iter().find(|(own, _)| *own == tag.as_str());
            if let Some((_, text)) = built_in {
                messages.add_resource_overriding(Arc::new(FluentResource::try_new((*text).to_owned()).expect("sound")));
            }
            for (_, file) in files.iter().filter(|(own, _)| own == tag) {
                messages.add_resource_overriding(Arc::new(read(file)?));
            }
            all.push(Arc::new(Language { tag: tag.clone(), messages, english: all.first().cloned() }));
        }
        Ok(Self { tags, all })
    }

    /// The language that is spoken where no other is wanted.
    #[cfg(test)]
    pub(super) fn english(&self) -> &Arc<Language> {
        &self.all[0]
    }

    /// The first language that one of these asks for.
    pub(super) fn choose(&self, preferences: &[Preferences]) -> &Arc<Language> {
        let best = preferences.iter().find_map(|preferences| preferences.best(&self.tags));
        &self.all[best.unwrap_or(0)]
    }

    /// The tags, as clients are told them.
    pub(super) fn tags(&self) -> &[LanguageTag] {
        &self.tags
    }

    /// The messages that a language should have and has not, by its tag.
    pub(super) fn missing(&self) -> Vec<(&LanguageTag, Vec<&'static str>)> {
        let keys = keys(BUILT_IN[0].1);
        let of = |language: &Language| keys.iter().copied().filter(|key| !language.messages.has_message(key)).collect();
        let missing = self.all.iter().map(|language| (&language.tag, of(language)));
        missing.filter(|(_, missing): &(_, Vec<_>)| !missing.is_empty()).collect()
    }
}

fn read(file: &ThemeFile) -> Result<FluentResource, ThemeRefused> {
    FluentResource::try_new(file.text.clone()).map_err(|(_, errors)| {
        let first = errors.first();
        // Where the entry begins that cannot be read: what is wrong in it may show only where the next one begins.
        let at = first.map_or(0, |error| error.slice.as_ref().unwrap_or(&error.pos).start).min(file.text.len());
        let (before, rest) = file.text.split_at(at);
        let blank = rest.len() - rest.trim_start().len();
        let line = before.matches('\n').count() + rest[..blank].matches('\n').count() + 1;
        let what = first.map_or_else(|| "is no Fluent file".to_owned(), |error| error.kind.to_string());
        ThemeRefused::at(&file.path, Some(line), what)
    })
}

/// The keys of the messages in a file of ours.
pub(super) fn keys(text: &'static str) -> Vec<&'static str> {
    let is_key = |key: &&str| key.starts_with(|first: char| first.is_ascii_alphabetic());
    text.lines().filter_map(|line| line.split_once(" =").map(|(key, _)| key)).filter(is_key).collect()
}

impl Language {
    /// Its tag.
    pub(in crate::http) const fn tag(&self) -> &LanguageTag {
        &self.tag
    }

    /// Whether there is a message of this key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.messages.has_message(key) || self.english.as_ref().is_some_and(|english| english.has(key))
    }

    /// The words of a message; the key itself where there are none.
    pub(super) fn say(&self, key: &str, told: &[Told<'_>]) -> String {
        if let (Some(english), false) = (&self.english, self.messages.has_message(key)) {
            // The log has said at the start which ones a language lacks.
            return english.say(key, told);
        }
        match (self.words(key, told), &self.english) {
            (Ok(words), _) => words,
            (Err(cause), Some(english)) => {
                tracing::warn!(message.key = key, language = %self.tag, error.cause = cause, "said in English");
                english.say(key, told)
            }
            (Err(cause), None) => {
                tracing::error!(message.key = key, error.cause = cause, "a page has no words for something");
                key.to_owned()
            }
        }
    }

    fn words(&self, key: &str, told: &[Told<'_>]) -> Result<String, String> {
        let message = self.messages.get_message(key).ok_or("there is no such message")?;
        let pattern = message.value().ok_or("the message has no words")?;
        let told: FluentArgs<'_> = told.iter().map(|(name, value)| (*name, isolated(value.clone()))).collect();
        let mut errors = Vec::new();
        let words = self.messages.format_pattern(pattern, Some(&told), &mut errors);
        match errors.first() {
            None => Ok(words.into_owned()),
            Some(error) => Err(error.to_string()),
        }
    }
}

/// A name that would turn the direction of the words around it, isolated (Unicode Standard Annex #9 §2.4) and without the
/// characters that do nothing else.
fn isolated(value: FluentValue<'_>) -> FluentValue<'_> {
    match value {
        FluentValue::String(text) if text.chars().any(is_right_to_left) || text.chars().any(turns) => {
            let text: String = text.chars().filter(|character| !turns(*character)).collect();
            format!("\u{2068}{text}\u{2069}").into()
        }
        value => value,
    }
}

/// Characters that turn the direction of writing (Unicode Standard Annex #9 §2).
const fn turns(character: char) -> bool {
    matches!(character, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// The blocks of the scripts that are written from right to left.
const fn is_right_to_left(character: char) -> bool {
    matches!(
        character,
        '\u{590}'..='\u{8FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFF}' | '\u{10800}'..='\u{10FFF}'
            | '\u{1E800}'..='\u{1EFFF}'
    )
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use fluent_syntax::ast::{Entry, Expression, InlineExpression, Pattern, PatternElement};

    use super::*;
    use crate::http::pages::messages::Message;
    use crate::http::pages::templates::BUILT_IN_TEMPLATES;

    /// Every message of a file, with the variables that it is told.
    fn messages(text: &str) -> BTreeMap<String, BTreeSet<String>> {
        let resource = fluent_syntax::parser::parse(text).expect("sound");
        let mut messages = BTreeMap::new();
        for entry in resource.body {
            if let Entry::Message(message) = entry {
                let mut variables = BTreeSet::new();
                of_pattern(&message.value.expect("words"), &mut variables);
                let is_new = messages.insert(message.id.name.to_owned(), variables).is_none();
                assert!(is_new, "{} is there twice", message.id.name);
            }
        }
        messages
    }

    fn of_pattern(pattern: &Pattern<&str>, variables: &mut BTreeSet<String>) {
        for element in &pattern.elements {
            if let PatternElement::Placeable { expression } = element {
                match expression {
                    Expression::Inline(inline) => of_inline(inline, variables),
                    Expression::Select { selector, variants } => {
                        of_inline(selector, variables);
                        for variant in variants {
                            of_pattern(&variant.value, variables);
                        }
                    }
                }
            }
        }
    }

    fn of_inline(inline: &InlineExpression<&str>, variables: &mut BTreeSet<String>) {
        if let InlineExpression::VariableReference { id } = inline {
            variables.insert(id.name.to_owned());
        }
    }

    /// Every key that stands as `t("key")` in a template.
    fn named_in_templates() -> BTreeSet<&'static str> {
        let of = |text: &'static str| text.split("t(\"").skip(1).filter_map(|rest| rest.split('"').next());
        BUILT_IN_TEMPLATES.iter().flat_map(|(_, text)| of(text)).collect()
    }

    #[test]
    fn no_message_is_missing_in_any_language_and_each_is_told_the_same() {
        let model = messages(BUILT_IN_FILES[0].1);
        assert!(model.len() > 40, "{}", model.len());
        for (tag, text) in BUILT_IN_FILES {
            assert_eq!(messages(text), model, "{tag}");
        }
        assert!(Languages::built_in().missing().is_empty());
    }

    #[test]
    fn every_message_that_is_said_is_there_and_every_one_that_is_there_is_said() {
        let mut said = named_in_templates();
        said.extend(Message::ALL.iter().map(|message| message.key()));
        let there = keys(BUILT_IN_FILES[0].1).into_iter().collect::<BTreeSet<_>>();
        assert_eq!(said, there);
    }

    #[test]
    fn numbers_are_said_by_the_rules_of_the_language() {
        let languages = Languages::built_in();
        let say = |at: usize, count: u64| languages.all[at].say("consent-lasts-days", &[("count", count.into())]);
        assert_eq!(say(0, 1), "This lasts at most 1 day.");
        assert_eq!(say(0, 365), "This lasts at most 365 days.");
        assert_eq!(say(1, 365), "授权最长持续 365 天。");
    }

    #[test]
    fn a_name_cannot_turn_the_words_around_it() {
        let languages = Languages::built_in();
        let say = |name: &'static str| languages.english().say("consent-heading", &[("client", name.into())]);
        assert_eq!(say("Web shop"), "Web shop asks for access");
        assert_eq!(say("\u{202E}knab"), "\u{2068}knab\u{2069} asks for access");
        assert_eq!(say("בנק"), "\u{2068}בנק\u{2069} asks for access");
    }

    #[test]
    fn a_theme_adds_a_language_and_changes_words_and_the_rest_is_english() {
        let file = |tag: &str, text: &str| {
            let file = ThemeFile { path: format!("{tag}.ftl").into(), text: text.to_owned() };
            (LanguageTag::parse(tag).expect("a tag"), file)
        };
        let files = [
            file("en", "login-title = Log in\n"),
            file("de", "login-title = Anmelden\nlogin-heading = Zu { $klient }\n"),
        ];
        let languages = Languages::with(&files).expect("sound");
        let german = languages.choose(&[Preferences::of_accept_language("de-AT")]);
        assert_eq!(german.say("login-title", &[]), "Anmelden");
        assert_eq!(german.say("login-submit", &[]), "Sign in");
        assert_eq!(german.say("login-heading", &[("client", "X".into())]), "Sign in to continue to X");
        assert_eq!(german.say("nonsense", &[]), "nonsense");
        assert_eq!(languages.english().say("login-title", &[]), "Log in");
        let missing = languages.missing();
        assert_eq!(missing.len(), 1);
        assert_eq!((missing[0].0.as_str(), missing[0].1.contains(&"login-submit")), ("de", true));
        let broken = Languages::with(&[file("fr", "a = b\n\nlogin-title = { $x\n")]).err().expect("refused");
        assert!(broken.to_string().starts_with("fr.ftl:3: "), "{broken}");
    }
}
