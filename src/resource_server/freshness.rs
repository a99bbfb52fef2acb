//! How long a fetched document may be used, as its headers say (RFC 9111 §4.2).

use std::time::Duration;

/// Where the issuer says nothing.
const DEFAULT: Duration = Duration::from_mins(5);
/// An issuer that asks for less would be asked with nearly every request.
const SHORTEST: Duration = Duration::from_secs(30);
/// A key that leaks is trusted for no longer than this, whatever was said when it was still good.
const LONGEST: Duration = Duration::from_hours(24);

/// The lifetime that is left: `max-age` less the `Age` that the answer has in a shared cache already. None where the
/// answer says nothing.
pub(super) fn said(cache_control: Option<&str>, age: Option<&str>) -> Option<Duration> {
    let mut lifetime = None;
    for directive in cache_control?.split(',') {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => return Some(SHORTEST),
            "max-age" => lifetime = Some(seconds(value.trim().trim_matches('"')).unwrap_or_default()),
            _ => {}
        }
    }
    let age = age.and_then(|age| seconds(age.trim())).unwrap_or_default();
    Some(bounded(lifetime?.saturating_sub(age)))
}

/// What holds where nothing is said.
pub(super) const fn default() -> Duration {
    DEFAULT
}

fn bounded(lifetime: Duration) -> Duration {
    lifetime.clamp(SHORTEST, LONGEST)
}

/// RFC 9111 §1.2.2: digits alone; what does not fit is taken for the greatest.
fn seconds(text: &str) -> Option<Duration> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Duration::from_secs(text.parse().unwrap_or(u64::from(u32::MAX))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lifetime_is_what_is_left_of_max_age_within_bounds() {
        for (cache_control, age, expected) in [
            ("public, max-age=900", None, Some(900)),
            ("Max-Age=900", Some("100"), Some(800)),
            ("max-age=\"900\"", Some("x"), Some(900)),
            ("max-age=900", Some("900"), Some(30)),
            ("max-age=0", None, Some(30)),
            ("max-age=-1", None, Some(30)),
            ("max-age=99999999999999999999999", None, Some(86_400)),
            ("no-store", None, Some(30)),
            ("max-age=900, no-cache", None, Some(30)),
            ("public", None, None),
            ("s-maxage=900", None, None),
        ] {
            assert_eq!(said(Some(cache_control), age), expected.map(Duration::from_secs), "{cache_control} {age:?}");
        }
        assert_eq!(said(None, Some("10")), None);
    }
}
