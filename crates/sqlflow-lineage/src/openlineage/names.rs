//! The names of datasets and jobs, in a form that readers can build URIs of.

use std::borrow::Cow;
use std::fmt::Write;

/// Replaces the characters that the path of a URI cannot hold, and the percent sign, by percent-encoded UTF-8.
///
/// Different texts stay different, and decoding gives the text back.
pub(super) fn percent_encoded(text: &str) -> Cow<'_, str> {
    encoded(text, &[])
}

/// Encodes one level of the name of a job, in which a colon and an at sign separate levels.
pub(super) fn job_level(text: &str) -> Cow<'_, str> {
    encoded(text, b":@")
}

fn encoded<'t>(text: &'t str, separators: &[u8]) -> Cow<'t, str> {
    let is_kept = |byte: u8| is_allowed_in_paths(byte) && !separators.contains(&byte);
    if text.bytes().all(is_kept) {
        return Cow::Borrowed(text);
    }
    let mut encoded = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if is_kept(byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a `String` does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    Cow::Owned(encoded)
}

/// Returns `true` for the characters of a path in RFC 3986, section 3.3.
fn is_allowed_in_paths(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_path_cannot_hold_is_encoded() {
        for (name, expected) in [
            ("Shop.dbo.ORDERS_2024$", "Shop.dbo.ORDERS_2024$"),
            ("Order Lines", "Order%20Lines"),
            ("#t", "%23t"),
            ("50%", "50%25"),
            ("50%25", "50%2525"),
            ("a/b:c@d", "a/b:c@d"),
            ("\"q\"", "%22q%22"),
            ("[a]?{b}|\\^`<c>", "%5Ba%5D%3F%7Bb%7D%7C%5C%5E%60%3Cc%3E"),
            ("Umsätze", "Ums%C3%A4tze"),
            ("🦀", "%F0%9F%A6%80"),
            ("שלום", "%D7%A9%D7%9C%D7%95%D7%9D"),
            ("a\nb\0", "a%0Ab%00"),
            ("", ""),
        ] {
            assert_eq!(percent_encoded(name), expected);
        }
        assert_eq!(job_level("a/b:c@d"), "a/b%3Ac%40d");
    }
}
