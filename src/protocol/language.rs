//! Languages: tags (RFC 5646 §2.1), what a person prefers (`Accept-Language`, RFC 9110 §12.5.4; `ui_locales`, OpenID
//! Connect Core §3.1.2.1), and which of the languages that are there suits best (RFC 4647 §3.4).
//!
//! Nothing here is refused to a person: what cannot be read is not a preference.

use std::fmt;

/// The longest tag, in bytes; RFC 5646 §4.4.1 speaks of 35.
const LONGEST_TAG: usize = 35;

/// The longest list of preferences that is read, in bytes, and how many of its members.
const LONGEST_LIST: usize = 1024;
const MOST_RANGES: usize = 32;

/// A language tag in the case that RFC 5646 §2.1.1 recommends: `zh-Hans`, `pt-BR`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LanguageTag(Box<str>);

/// The text is no language tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no language tag; write one as en, pt-BR or zh-Hans")]
pub struct InvalidLanguageTag;

impl LanguageTag {
    /// Reads a tag: a language of 2 to 8 letters, then subtags of 1 to 8 letters or digits.
    pub fn parse(text: &str) -> Result<Self, InvalidLanguageTag> {
        let mut subtags = text.split('-');
        let language = subtags.next().unwrap_or_default();
        let is_language = (2..=8).contains(&language.len()) && is_alphabetic(language);
        let is_subtag =
            |text: &str| (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if text.len() > LONGEST_TAG || !is_language || !subtags.clone().all(is_subtag) {
            return Err(InvalidLanguageTag);
        }
        let mut tag = language.to_ascii_lowercase();
        for subtag in subtags {
            tag.push('-');
            let lower = subtag.to_ascii_lowercase();
            match lower.len() {
                2 if is_alphabetic(&lower) => tag.push_str(&lower.to_ascii_uppercase()),
                4 if is_alphabetic(&lower) => {
                    tag.push_str(&lower[..1].to_ascii_uppercase());
                    tag.push_str(&lower[1..]);
                }
                _ => tag.push_str(&lower),
            }
        }
        Ok(Self(tag.into()))
    }

    /// The tag as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `rtl` or `ltr`: the direction in which it is written, for the attribute `dir`.
    pub fn direction(&self) -> &'static str {
        const SCRIPTS: [&str; 8] = ["Adlm", "Arab", "Hebr", "Mand", "Nkoo", "Rohg", "Syrc", "Thaa"];
        const LANGUAGES: [&str; 11] = ["ar", "ckb", "dv", "fa", "he", "ps", "sd", "syr", "ug", "ur", "yi"];
        let is_rtl = match self.script() {
            Some(script) => SCRIPTS.contains(&script),
            None => LANGUAGES.contains(&self.language()),
        };
        if is_rtl { "rtl" } else { "ltr" }
    }

    fn subtags(&self) -> impl Iterator<Item = &str> {
        self.0.split('-')
    }

    fn language(&self) -> &str {
        self.subtags().next().unwrap_or_default()
    }

    /// The script, where it is written or goes without saying. Chinese has two, and most tags name a region in its place.
    fn script(&self) -> Option<&str> {
        let written = self.subtags().skip(1).find(|subtag| subtag.len() == 4 && is_alphabetic(subtag));
        written.or_else(|| {
            (self.language() == "zh").then(|| {
                let is_traditional = self.subtags().any(|subtag| matches!(subtag, "TW" | "HK" | "MO"));
                if is_traditional { "Hant" } else { "Hans" }
            })
        })
    }

    /// Whether it says the language and nothing more.
    fn is_bare(&self) -> bool {
        !self.0.contains('-')
    }

    /// The same with the script that goes without saying, so that it can be cut from its end (RFC 4647 §3.4).
    fn with_script(&self, script: Option<&str>) -> String {
        let Some(script) = script else { return self.0.to_string() };
        let rest = self.subtags().skip(1).filter(|subtag| *subtag != script);
        [self.language(), script].into_iter().chain(rest).collect::<Vec<_>>().join("-")
    }

    fn full(&self) -> String {
        self.with_script(self.script())
    }
}

impl fmt::Display for LanguageTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_alphabetic(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// The languages that somebody prefers, the dearest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preferences {
    wanted: Vec<Range>,
    refused: Vec<LanguageTag>,
}

/// One member of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Range {
    /// `*`: any that is there.
    Any,
    /// A language, and the script in which it is read.
    Tag(LanguageTag, Option<String>),
}

impl Preferences {
    /// What `Accept-Language` says; what breaks its grammar is left out.
    pub fn of_accept_language(value: &str) -> Self {
        if value.len() > LONGEST_LIST {
            return Self::default();
        }
        let mut weighed: Vec<(&str, u16)> = value.split(',').take(MOST_RANGES).filter_map(weighed).collect();
        // A stable sort: of equals the one that was written first.
        weighed.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
        let refused = weighed.iter().filter(|(_, weight)| *weight == 0);
        let refused = refused.filter_map(|(range, _)| LanguageTag::parse(range).ok()).collect();
        Self { refused, ..Self::of(weighed.iter().filter(|(_, weight)| *weight > 0).map(|(range, _)| *range)) }
    }

    /// What `ui_locales` says: tags with one space between each two, in order of preference.
    pub fn of_ui_locales(value: &str) -> Self {
        if value.len() > LONGEST_LIST { Self::default() } else { Self::of(value.split(' ').take(MOST_RANGES)) }
    }

    fn of<'a>(ranges: impl Iterator<Item = &'a str>) -> Self {
        let mut wanted: Vec<Range> = Vec::new();
        for range in ranges {
            if range == "*" {
                wanted.push(Range::Any);
            } else if let Ok(tag) = LanguageTag::parse(range) {
                // Browsers write `zh-TW,zh`: the second is no wish for another script.
                let same = |other: &Range| match other {
                    Range::Tag(other, script) if tag.is_bare() && other.language() == tag.language() => script.clone(),
                    _ => None,
                };
                let script = wanted.iter().find_map(same).or_else(|| tag.script().map(str::to_owned));
                wanted.push(Range::Tag(tag, script));
            }
        }
        Self { wanted, refused: Vec::new() }
    }

    /// Which of the languages that are `there` suits best; none where none of the wanted is there.
    ///
    /// RFC 4647 §3.4, each range cut from its end until it is there. Where no range is, a language that is wanted is given
    /// in another region or script before a foreign one.
    pub fn best(&self, there: &[LanguageTag]) -> Option<usize> {
        let full: Vec<String> = there.iter().map(LanguageTag::full).collect();
        let is_refused = |at: &usize| self.refused.iter().any(|refused| is_prefix(&refused.full(), &full[*at]));
        let mut free = (0..there.len()).filter(|at| !is_refused(at));
        let find = |is_good: &dyn Fn(&str) -> bool| free.clone().find(|at| is_good(&full[*at]));
        for range in &self.wanted {
            let Range::Tag(tag, script) = range else { return free.next() };
            let mut wanted = &*tag.with_script(script.as_deref());
            // The language alone is not looked for where the script is known: another script is another reader's.
            let shortest = usize::from(script.is_some());
            while wanted.matches('-').count() >= shortest {
                if let Some(at) = find(&|there| there == wanted) {
                    return Some(at);
                }
                let Some((shorter, _)) = wanted.rsplit_once('-') else { break };
                wanted = shorter;
            }
            let least = tag.with_script(script.as_deref());
            if let Some(at) = find(&|there| is_prefix(&least, there)) {
                return Some(at);
            }
        }
        self.wanted.iter().find_map(|range| match range {
            Range::Any => None,
            Range::Tag(tag, _) => find(&|there| is_prefix(tag.language(), there)),
        })
    }
}

/// Whether `whole` begins with all subtags of `part`.
fn is_prefix(part: &str, whole: &str) -> bool {
    whole.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// A range and its weight in thousandths (RFC 9110 §12.4.2).
fn weighed(member: &str) -> Option<(&str, u16)> {
    let Some((range, parameter)) = member.split_once(';') else { return Some((member.trim(), 1000)) };
    let parameter = parameter.trim();
    let value = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="))?;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let is_short = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let weight: u16 = match whole {
        "0" if is_short => format!("{fraction:0<3}").parse().ok()?,
        "1" if is_short && fraction.bytes().all(|byte| byte == b'0') => 1000,
        _ => return None,
    };
    Some((range.trim(), weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(list: &[&str]) -> Vec<LanguageTag> {
        list.iter().map(|text| LanguageTag::parse(text).expect("a tag")).collect()
    }

    fn best(header: &str, there: &[&'static str]) -> Option<&'static str> {
        Preferences::of_accept_language(header).best(&tags(there)).map(|at| there[at])
    }

    #[test]
    fn a_tag_is_written_as_rfc_5646_recommends() {
        for (text, tag) in [("EN", "en"), ("zh-hans-cn", "zh-Hans-CN"), ("PT-br", "pt-BR"), ("es-419", "es-419")] {
            assert_eq!(LanguageTag::parse(text).map(|tag| tag.to_string()), Ok(tag.to_owned()));
        }
        for text in ["", "e", "*", "en_US", "en-", "-en", "x-private", "en--US", "12", "äö", "en-aaaaaaaaa"] {
            assert_eq!(LanguageTag::parse(text), Err(InvalidLanguageTag), "{text}");
        }
    }

    #[test]
    fn the_direction_is_that_of_the_script() {
        for (text, direction) in
            [("en", "ltr"), ("ar-EG", "rtl"), ("he", "rtl"), ("az-Arab", "rtl"), ("ur-Latn", "ltr")]
        {
            assert_eq!(LanguageTag::parse(text).expect("a tag").direction(), direction, "{text}");
        }
    }

    #[test]
    fn the_dearest_language_that_is_there_is_chosen() {
        const THERE: [&str; 2] = ["en", "zh-Hans"];
        for (header, chosen) in [
            ("en", Some("en")),
            ("en-GB", Some("en")),
            ("de-DE,de;q=0.9,en;q=0.8", Some("en")),
            ("zh", Some("zh-Hans")),
            ("zh-CN", Some("zh-Hans")),
            ("ZH-cn,en", Some("zh-Hans")),
            ("zh-SG", Some("zh-Hans")),
            ("zh-Hans-CN", Some("zh-Hans")),
            ("en;q=0.8,zh-CN", Some("zh-Hans")),
            ("en;q=0.5 , zh ; q=0.6", Some("zh-Hans")),
            ("en;q=0.500,zh;q=0.5", Some("en")),
            ("en;q=0, zh;q=0.1", Some("zh-Hans")),
            ("*", Some("en")),
            ("en;q=0, *", Some("zh-Hans")),
            ("de, *;q=0.1", Some("en")),
            ("zh;q=1.000", Some("zh-Hans")),
            ("de", None),
            ("zh;q=0", None),
            ("", None),
            (",;,", None),
            ("zh;q=2", None),
            ("zh;q=0.1234", None),
            ("zh;level=1", None),
            ("zh_CN", None),
        ] {
            assert_eq!(best(header, &THERE), chosen, "{header}");
        }
        assert_eq!(best(&format!("zh,{}", "x".repeat(LONGEST_LIST)), &THERE), None);
    }

    #[test]
    fn traditional_chinese_is_not_taken_for_simplified_while_anything_else_will_do() {
        const THERE: [&str; 2] = ["en", "zh-Hans"];
        const BOTH: [&str; 3] = ["en", "zh-Hans", "zh-Hant"];
        // What browsers in Taiwan and Hong Kong send: the bare `zh` repeats the first and asks for no other script.
        assert_eq!(best("zh-TW,zh;q=0.9,en-US;q=0.8,en;q=0.7", &THERE), Some("en"));
        assert_eq!(best("zh-HK,en;q=0.2", &THERE), Some("en"));
        // Whoever reads no other language reads the other script rather than English.
        assert_eq!(best("zh-TW", &THERE), Some("zh-Hans"));
        assert_eq!(best("zh-Hant,zh;q=0.5", &THERE), Some("zh-Hans"));
        assert_eq!(best("zh-TW,zh-CN;q=0.5,en;q=0.4", &THERE), Some("zh-Hans"));
        for header in ["zh-TW", "zh-HK,zh;q=0.9", "zh-Hant-MO", "zh-TW,zh;q=0.9,en;q=0.8"] {
            assert_eq!(best(header, &BOTH), Some("zh-Hant"), "{header}");
        }
        assert_eq!(best("zh", &BOTH), Some("zh-Hans"));
    }

    #[test]
    fn another_region_comes_before_another_language() {
        assert_eq!(best("pt-BR", &["en", "pt-PT"]), Some("pt-PT"));
        assert_eq!(best("pt,en;q=0.9", &["en", "pt-PT"]), Some("pt-PT"));
        assert_eq!(best("pt-BR,en;q=0.9", &["en", "pt-PT"]), Some("en"));
        assert_eq!(best("de-AT", &["en", "de", "de-AT"]), Some("de-AT"));
    }

    #[test]
    fn ui_locales_are_tags_in_order() {
        let there = tags(&["en", "zh-Hans"]);
        for (value, chosen) in
            [("fr zh-CN en", Some(1)), ("en zh", Some(0)), ("fr", None), ("", None), ("\u{202E}", None)]
        {
            assert_eq!(Preferences::of_ui_locales(value).best(&there), chosen, "{value}");
        }
    }
}
