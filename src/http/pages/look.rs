//! How a page looks: one stylesheet in the page itself, and the policy that allows it by its digest and nothing else.
//!
//! A colour of a client is a stylesheet of its own, made when the configuration is loaded: no page needs a style attribute.

use actix_web::http::header::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::Value;

use crate::clients::appearance::{CONTRAST_OF_CONTROLS, Color};
use crate::foundation::digest;

/// The stylesheet that is built in.
pub(super) const STYLE: &str = include_str!("style.css");

/// The only script: constant, so that its digest allows it and nothing that a request sends.
pub(super) const FORM_POST_SCRIPT: &str = include_str!("form_post.js");

/// The colour of buttons and links where nobody has chosen another.
pub(super) const ACCENT: Color = Color::new(0x1a, 0x56, 0xb0);

/// What text stands on in our stylesheet: `--card`, light and dark.
const GROUNDS: [Color; 2] = [Color::WHITE, Color::new(0x1e, 0x21, 0x26)];

/// What tells one look from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LookKey {
    pub(super) color: Option<Color>,
    /// Whether there is a picture, which the policy must allow.
    pub(super) has_logo: bool,
}

/// A stylesheet and its policies.
pub(super) struct Look {
    pub(super) style: Value,
    pub(super) policy: HeaderValue,
    pub(super) policy_with_script: HeaderValue,
}

impl Look {
    /// The look of a stylesheet with these colours.
    pub(super) fn new(style: &str, key: LookKey) -> Self {
        // What a browser hashes has the line ends of the HTML standard (§13.2.3.5), whichever the file has.
        let style = style.replace("\r\n", "\n").replace('\r', "\n");
        let style = format!("{}\n{}", style.trim_end(), colors(key.color.unwrap_or(ACCENT)));
        let images = if key.has_logo { " img-src 'self';" } else { "" };
        let policy = |script: &str| {
            let style = source_digest(&style);
            let text = format!(
                "default-src 'none'; style-src '{style}';{images}{script} base-uri 'none'; frame-ancestors 'none'"
            );
            HeaderValue::try_from(text).expect("ASCII")
        };
        let script = format!(" script-src '{}';", source_digest(FORM_POST_SCRIPT));
        let (policy, policy_with_script) = (policy(""), policy(&script));
        Self { style: Value::from_safe_string(style), policy, policy_with_script }
    }
}

/// What stands for an inline element in a policy (Content Security Policy Level 3 §2.3.1, `hash-source`).
fn source_digest(source: &str) -> String {
    format!("sha256-{}", STANDARD.encode(digest::sha256(source)))
}

/// The variables of a colour: of buttons, of the text on them, of their edge, and of links and marks, light and dark.
///
/// Text on a button is black or white, links are the colour as far as it can be read, and a button that would be lost on
/// its ground has an edge that is not.
fn colors(accent: Color) -> String {
    let on = |ground: Color| {
        let link = accent.readable_on(ground);
        let edge = if accent.contrast(ground) >= CONTRAST_OF_CONTROLS { accent } else { link };
        format!("--link:{link};--rim:{edge}")
    };
    let [light, dark] = GROUNDS.map(on);
    format!(
        ":root{{--accent:{accent};--on-accent:{};{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}",
        accent.text_on()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of a variable in a rule.
    fn variable(css: &str, name: &str) -> Color {
        let (_, rest) = css.split_once(&format!("--{name}:")).unwrap_or_else(|| panic!("no {name} in {css}"));
        let value = rest.split([';', '}']).next().expect("a value").trim();
        let long = if value.len() == 4 {
            format!("#{0}{0}{1}{1}{2}{2}", &value[1..2], &value[2..3], &value[3..4])
        } else {
            value.to_owned()
        };
        Color::parse(&long).unwrap_or_else(|_| panic!("{name}: {value}"))
    }

    /// Our stylesheet, light and dark.
    fn halves() -> [&'static str; 2] {
        let (light, rest) = STYLE.split_once("@media (prefers-color-scheme:dark)").expect("a dark half");
        [light, rest.split_once("}}").expect("its end").0]
    }

    #[test]
    fn what_the_stylesheet_writes_can_be_read_light_and_dark() {
        for (half, ground) in halves().into_iter().zip(GROUNDS) {
            let (page, card) = (variable(half, "page"), variable(half, "card"));
            assert_eq!(card, ground, "the ground that colours are judged on");
            for text in ["text", "muted", "bad"] {
                for ground in [page, card] {
                    assert!(variable(half, text).contrast(ground) >= 4.5, "{text} on {ground}");
                }
            }
            assert!(variable(half, "bad").contrast(variable(half, "bad-fill")) >= 4.5);
            assert!(variable(half, "text").contrast(variable(half, "bad-fill")) >= 4.5);
            assert!(variable(half, "edge").contrast(card) >= 3.0, "the edge of a field");
        }
    }

    #[test]
    fn the_line_ends_of_a_file_make_no_difference_for_a_browser_has_its_own() {
        let key = LookKey { color: None, has_logo: false };
        let [unix, windows, old] = ["a{}\nb{}", "a{}\r\nb{}", "a{}\rb{}"].map(|style| Look::new(style, key).policy);
        assert_eq!((&windows, &old), (&unix, &unix));
    }

    #[test]
    fn a_button_of_any_colour_can_be_seen_and_read() {
        for text in ["#ffffff", "#000000", "#ffe600", "#1e2126", "#777777", "#1a56b0", "#c8102e", "#00ff88"] {
            let accent = Color::parse(text).expect("a colour");
            let css = colors(accent);
            let (light, dark) = css.split_once("@media").expect("a dark half");
            assert!(variable(light, "on-accent").contrast(variable(light, "accent")) >= 4.5, "{text}");
            for (half, ground) in [(light, GROUNDS[0]), (dark, GROUNDS[1])] {
                assert!(variable(half, "link").contrast(ground) >= 4.5, "{text}");
                assert!(variable(half, "rim").contrast(ground) >= 3.0, "{text}");
            }
        }
    }
}
