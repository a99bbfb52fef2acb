//! How a client, or the server itself, looks on our pages: a colour and a logo. Both are settings of ours; a `logo_uri`
//! (RFC 7591 §2) is never fetched and never shown, for no request of a page leaves our origin.
//!
//! Refused: a colour that is not written as `#rrggbb`, and a logo that is no picture by its content or too large.

use std::fmt;
use std::sync::Arc;

use crate::foundation::base64url;
use crate::foundation::digest::sha256;

/// What people see of a client besides its name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Appearance {
    /// The colour of buttons and links on pages for it.
    pub color: Option<Color>,
    /// The picture beside its name. Whoever read the registration puts it here: it lies in a file.
    pub logo: Option<Logo>,
    /// The client's own page.
    pub client_uri: Option<String>,
    /// How the client treats a person's data.
    pub policy_uri: Option<String>,
    /// The client's terms of service.
    pub tos_uri: Option<String>,
}

/// The largest logo, in bytes.
pub const LARGEST_LOGO: usize = 128 * 1024;

/// A colour in the sRGB space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Color([u8; 3]);

/// The text is no colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no colour; write one as #1a56b0")]
pub struct InvalidColor;

/// The least contrast of text (WCAG 2.2, success criterion 1.4.3).
pub const CONTRAST_OF_TEXT: f64 = 4.5;

/// The least contrast of what tells a control from what is around it (WCAG 2.2, success criterion 1.4.11).
pub const CONTRAST_OF_CONTROLS: f64 = 3.0;

impl Color {
    /// Black.
    pub const BLACK: Self = Self([0, 0, 0]);
    /// White.
    pub const WHITE: Self = Self([255, 255, 255]);

    /// A colour of its red, green and blue.
    pub const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self([red, green, blue])
    }

    /// Reads `#rrggbb`.
    pub fn parse(text: &str) -> Result<Self, InvalidColor> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6).ok_or(InvalidColor)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(InvalidColor);
        }
        let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| InvalidColor);
        Ok(Self([part(0)?, part(2)?, part(4)?]))
    }

    /// The relative luminance (WCAG 2.2, "relative luminance"), from 0 to 1.
    pub fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126f64.mul_add(red, 0.7152f64.mul_add(green, 0.0722 * blue))
    }

    /// The contrast ratio of two colours (WCAG 2.2, "contrast ratio"), from 1 to 21.
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// Black or white, whichever is easier to read on this colour. On any colour one of them has a contrast of 4.58 or
    /// more: the product of both is always 21.
    #[must_use]
    pub fn text_on(self) -> Self {
        if self.contrast(Self::WHITE) >= self.contrast(Self::BLACK) { Self::WHITE } else { Self::BLACK }
    }

    /// This colour, as far towards black or white as it takes to be read on `ground`.
    #[must_use]
    pub fn readable_on(self, ground: Self) -> Self {
        let end = ground.text_on();
        let mixed = |step: u16| {
            let mix = |own: u8, end: u8| {
                let mixed = (u16::from(own) * (20 - step) + u16::from(end) * step) / 20;
                u8::try_from(mixed).unwrap_or(end)
            };
            Self([0, 1, 2].map(|at| mix(self.0[at], end.0[at])))
        };
        (0..=20).map(mixed).find(|color| color.contrast(ground) >= CONTRAST_OF_TEXT).unwrap_or(end)
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

/// A picture that our pages show: what is in it, its type by its content, and a name that changes with it. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Logo {
    content: Arc<[u8]>,
    media_type: &'static str,
    name: Arc<str>,
}

/// Why a file is no logo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogoRefused {
    /// It would make every page slow.
    #[error("is larger than 128 KiB; make the picture smaller")]
    TooLarge,
    /// Nothing in it says that it is a picture.
    #[error("is no PNG, JPEG, WebP or SVG picture by its content")]
    NoPicture,
}

impl Logo {
    /// Takes a picture, whatever its file is called.
    pub fn new(content: Vec<u8>) -> Result<Self, LogoRefused> {
        if content.len() > LARGEST_LOGO {
            return Err(LogoRefused::TooLarge);
        }
        let (media_type, extension) = recognise(&content).ok_or(LogoRefused::NoPicture)?;
        let digest = sha256(&content);
        let name = format!("{}.{extension}", base64url::encode(&digest[..16])).into();
        Ok(Self { content: content.into(), media_type, name })
    }

    /// The bytes of the file.
    pub const fn content(&self) -> &Arc<[u8]> {
        &self.content
    }

    /// The media type.
    pub const fn media_type(&self) -> &'static str {
        self.media_type
    }

    /// A name made of a digest of the content, for an address.
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }
}

impl fmt::Debug for Logo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Logo").field(&self.name).finish()
    }
}

/// The media type and the extension, by the signatures of the MIME Sniffing Standard §6.1; an SVG is XML whose first
/// element is `svg`.
fn recognise(content: &[u8]) -> Option<(&'static str, &'static str)> {
    match content {
        [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => Some(("image/png", "png")),
        [0xFF, 0xD8, 0xFF, ..] => Some(("image/jpeg", "jpg")),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(("image/webp", "webp")),
        _ => is_svg(std::str::from_utf8(content).ok()?).then_some(("image/svg+xml", "svg")),
    }
}

/// Whether the first element is `svg`, after declarations, comments and processing instructions.
fn is_svg(text: &str) -> bool {
    let mut rest = text.trim_start_matches('\u{FEFF}').trim_start();
    loop {
        let end = match rest {
            _ if rest.starts_with("<?") => "?>",
            _ if rest.starts_with("<!--") => "-->",
            _ if rest.starts_with("<!DOCTYPE") && !rest.split('>').next().is_some_and(|head| head.contains('[')) => ">",
            _ => break,
        };
        let Some((_, after)) = rest.split_once(end) else { return false };
        rest = after.trim_start();
    }
    rest.strip_prefix("<svg").is_some_and(|rest| rest.starts_with(|next: char| next.is_whitespace() || next == '>'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_written_in_one_way() {
        assert_eq!(Color::parse("#1A56b0"), Ok(Color::new(0x1a, 0x56, 0xb0)));
        assert_eq!(Color::new(0x1a, 0x56, 0xb0).to_string(), "#1a56b0");
        for text in ["", "#", "#123", "1a56b0", "#1a56b0f", "#+a56b0", "red", "#ääa", "#1a56b0;}"] {
            assert_eq!(Color::parse(text), Err(InvalidColor), "{text}");
        }
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        assert!((Color::BLACK.contrast(Color::WHITE) - 21.0).abs() < 1e-9);
        // The grey that is widely known as the lightest one that may be read on white.
        let grey = Color::new(0x76, 0x76, 0x76);
        assert!((4.54..4.55).contains(&grey.contrast(Color::WHITE)), "{}", grey.contrast(Color::WHITE));
    }

    #[test]
    fn text_on_any_colour_and_any_colour_as_text_can_be_read() {
        let grounds = [Color::WHITE, Color::BLACK, Color::new(0x1e, 0x21, 0x26), Color::new(0x77, 0x77, 0x77)];
        for red in (0..=255).step_by(15) {
            for green in (0..=255).step_by(15) {
                for blue in (0..=255).step_by(15) {
                    let color = Color::new(red, green, blue);
                    assert!(color.contrast(color.text_on()) >= CONTRAST_OF_TEXT, "{color}");
                    for ground in grounds {
                        assert!(color.readable_on(ground).contrast(ground) >= CONTRAST_OF_TEXT, "{color} on {ground}");
                    }
                }
            }
        }
        assert_eq!(Color::new(0, 0, 128).readable_on(Color::WHITE), Color::new(0, 0, 128), "what can be read stays");
    }

    #[test]
    fn a_logo_is_what_is_in_it() {
        let media_type = |content: &[u8]| Logo::new(content.to_vec()).map(|logo| logo.media_type());
        assert_eq!(media_type(b"\x89PNG\r\n\x1a\n..."), Ok("image/png"));
        assert_eq!(media_type(b"\xFF\xD8\xFF\xE0"), Ok("image/jpeg"));
        assert_eq!(media_type(b"RIFF\0\0\0\0WEBPVP8 "), Ok("image/webp"));
        for svg in [
            "<svg xmlns='http://www.w3.org/2000/svg'/>",
            "\u{FEFF}<?xml version='1.0'?>\n<!-- made by hand -->\n<!DOCTYPE svg>\n<svg>",
        ] {
            assert_eq!(media_type(svg.as_bytes()), Ok("image/svg+xml"), "{svg}");
        }
        for other in [&b""[..], b"<html><svg>", b"<!DOCTYPE html><svg", b"<svgx>", b"<script>", b"GIF89a", b"\xFF<svg>"]
        {
            assert_eq!(media_type(other), Err(LogoRefused::NoPicture), "{other:?}");
        }
        assert_eq!(Logo::new(vec![0; LARGEST_LOGO + 1]), Err(LogoRefused::TooLarge));
    }

    #[test]
    fn another_picture_has_another_name() {
        let name = |content: &[u8]| Logo::new(content.to_vec()).expect("a picture").name().clone();
        assert_ne!(name(b"<svg >1"), name(b"<svg >2"));
        assert_eq!(name(b"<svg >1"), name(b"<svg >1"));
        assert!(name(b"<svg >1").ends_with(".svg"));
    }
}
