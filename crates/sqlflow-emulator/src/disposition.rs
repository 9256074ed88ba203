//! The file name in a `Content-Disposition` header, in each of the ways in which clients write a name that is not
//! ASCII: as UTF-8 or Latin-1 bytes, percent-encoded (RFC 5987), or as an encoded word of a mail (RFC 2047).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Returns the file name, if the header has one. `filename*` takes precedence over `filename`.
pub(super) fn file_name(header: &[u8]) -> Option<String> {
    let parameters = parameters(header);
    let value = |name: &str| {
        let found = parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()));
        found.map(|(_, value)| value.as_slice())
    };
    value("filename*").and_then(extended).or_else(|| value("filename").map(|bytes| unfolded(&text(bytes))))
}

/// Returns names and values without quotes.
fn parameters(header: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut quoted = false;
    let mut escaped = false;
    let parts = header.split(|byte| {
        match byte {
            b'"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = *byte == b'\\' && !escaped;
        *byte == b';' && !quoted
    });
    let pairs = parts.filter_map(|part| {
        let equals = part.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (part[..equals].trim_ascii(), part[equals + 1..].trim_ascii());
        let inner = value.strip_prefix(b"\"").map_or(value, |rest| rest.strip_suffix(b"\"").unwrap_or(rest));
        Some((name.to_vec(), unescaped(inner)))
    });
    pairs.collect()
}

/// Unescapes `\"`. Other backslashes belong to a Windows path.
fn unescaped(value: &[u8]) -> Vec<u8> {
    let mut rest = value;
    let mut plain = Vec::with_capacity(value.len());
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' || after.first() != Some(&b'"') {
            plain.push(*first);
        }
    }
    plain
}

/// Decodes UTF-8, or Latin-1 if the bytes are not valid UTF-8.
fn text(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| latin_1(bytes), str::to_owned)
}

fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// Decodes bytes in the character set that a header names.
fn decoded(charset: &str, bytes: Vec<u8>) -> Option<String> {
    match charset.to_ascii_lowercase().as_str() {
        "utf-8" | "utf8" | "us-ascii" => String::from_utf8(bytes).ok(),
        "iso-8859-1" | "latin1" | "windows-1252" => Some(latin_1(&bytes)),
        _ => None,
    }
}

/// Decodes a value such as `UTF-8'en'gr%C3%B6%C3%9Fe.sql`.
fn extended(value: &[u8]) -> Option<String> {
    let value = std::str::from_utf8(value).ok()?;
    let (charset, rest) = value.split_once('\'')?;
    let (_language, encoded) = rest.split_once('\'')?;
    decoded(charset, without_escapes(encoded, b'%'))
}

/// Replaces each escape character and the two hexadecimal digits after it with the byte they encode.
pub(super) fn without_escapes(encoded: &str, escape: u8) -> Vec<u8> {
    let mut rest = encoded.as_bytes();
    let mut bytes = Vec::with_capacity(rest.len());
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == escape);
        bytes.push(escaped.unwrap_or(*first));
        rest = &after[if escaped.is_some() { 2 } else { 0 }..];
    }
    bytes
}

/// Decodes `=?UTF-8?B?…?=`, which may consist of several words separated by white space.
fn unfolded(value: &str) -> String {
    let words: Option<Vec<String>> = value.split_ascii_whitespace().map(encoded_word).collect();
    words.filter(|words| !words.is_empty()).map_or_else(|| value.to_owned(), |words| words.concat())
}

fn encoded_word(word: &str) -> Option<String> {
    let mut parts = word.strip_prefix("=?")?.strip_suffix("?=")?.splitn(3, '?');
    let (charset, encoding, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = match encoding {
        "B" | "b" => STANDARD.decode(encoded).ok()?,
        "Q" | "q" => without_escapes(&encoded.replace('_', " "), b'='),
        _ => return None,
    };
    decoded(charset, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(header: &[u8]) -> Option<String> {
        file_name(&[b"form-data; name=\"sqlfiles\"; ", header].concat())
    }

    #[test]
    fn a_file_name_is_read_however_it_is_encoded() {
        for header in [
            "filename*=UTF-8''gr%C3%B6%C3%9Fe.sql".as_bytes(),
            b"filename*=iso-8859-1'de'gr%F6%DFe.sql",
            b"filename=\"gr\xf6\xdfe.sql\"",
            "filename=\"größe.sql\"".as_bytes(),
            b"filename=\"=?UTF-8?B?Z3LDtsOfZS5zcWw=?=\"",
            b"filename=\"=?utf-8?Q?gr=C3=B6=C3=9Fe.sql?=\"",
            b"filename=\"=?utf-8?Q?gr=C3=B6?= =?utf-8?B?w59lLnNxbA==?=\"",
            b"filename=plain.sql; filename*=UTF-8''gr%C3%B6%C3%9Fe.sql",
            b"filename*=UTF-8''gr%C3%B6%C3%9Fe.sql; filename=\"plain.sql\"",
        ] {
            assert_eq!(name(header).as_deref(), Some("größe.sql"), "{}", String::from_utf8_lossy(header));
        }
    }

    #[test]
    fn a_file_name_may_hold_anything() {
        assert_eq!(name(br#"filename="a;b \"c\" =?.sql""#).as_deref(), Some(r#"a;b "c" =?.sql"#));
        assert_eq!(name(br#"filename="C:\sql\a.sql""#).as_deref(), Some(r"C:\sql\a.sql"));
        assert_eq!(name(b"filename=\"\"").as_deref(), Some(""));
        assert_eq!(name(b"filename=100%.sql").as_deref(), Some("100%.sql"));
        assert_eq!(name(b"FileName = a.sql ").as_deref(), Some("a.sql"));
        assert_eq!(name(b"filename*=UTF-8''%FF; filename=a.sql").as_deref(), Some("a.sql"));
        assert_eq!(name(b"filename*=nonsense"), None);
        assert_eq!(name(b"filenames=a.sql"), None);
    }
}
