//! The `Cookie` header (RFC 6265 §4.2.1), as far as it is read: the value of the first cookie of a name.

/// The value of the first cookie of this name in the given `Cookie` headers, as it was sent.
///
/// Names are compared byte by byte and not percent-decoded: a browser lets any neighbour set
/// `%5F%5FHost-jotsmith-session`, and decoded it would pass for ours. What a neighbour sets, be it no text at all, hides
/// none of ours either.
pub fn value_of<'a>(name: &str, headers: impl IntoIterator<Item = &'a [u8]>) -> Option<&'a str> {
    let mut pairs = headers.into_iter().flat_map(|header| header.split(|byte| *byte == b';'));
    let value = pairs.find_map(|pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
    std::str::from_utf8(value).ok()
}
