//! The spellings in which a text may contain a secret: plain, percent-encoded, with HTML entities, as in JSON or another
//! quoted string, in base64, and several of these on top of each other.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// The minimum number of letters of a piece of base64 that is searched for.
const MIN_BASE64: usize = 4;

/// The number of times that an escape is undone: JSON in JSON in a page in a form.
const MAX_LAYERS: usize = 4;

/// One text to search for.
pub(super) struct Needle {
    text: String,
    /// For base64: `true` if the letter before or after the text may also hold bits of the secret.
    more: Option<(bool, bool)>,
}

/// A place where a text contains a needle.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    Whole(Range<usize>),
    /// The text ends within it, or is cut there with an ellipsis, after this number of its characters.
    Beginning {
        place: Range<usize>,
        matched: usize,
        length: usize,
    },
}

impl Needle {
    /// Returns everything to search for in order to find a secret: itself, and its base64 at every position within a
    /// longer text in base64.
    pub(super) fn all_of(secret: &str) -> Vec<Self> {
        let mut needles = vec![Self { text: secret.to_owned(), more: None }];
        for shift in 0..3 {
            let shifted = [&vec![0; shift][..], secret.as_bytes()].concat();
            for encoded in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
                // The letters whose bits all belong to the secret.
                let (first, last) = ((shift * 8).div_ceil(6), shifted.len() * 8 / 6);
                if last.saturating_sub(first) < MIN_BASE64 {
                    continue;
                }
                let text = encoded[first..last].to_owned();
                if !needles.iter().any(|known| known.text == text) {
                    needles.push(Self { text, more: Some((shift != 0, shifted.len() % 3 != 0)) });
                }
            }
        }
        needles
    }

    /// Returns the bytes with which the needle may begin in a text.
    pub(super) fn first_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![b'%', b'&', b'\\'];
        if self.text.starts_with(' ') {
            bytes.push(b'+');
        }
        bytes.extend(self.text.bytes().next());
        bytes.sort_unstable();
        bytes.dedup();
        bytes
    }

    /// Looks for the needle at a place of a text.
    pub(super) fn find_at(&self, text: &str, start: usize) -> Option<Found> {
        if !text.is_char_boundary(start) {
            return None;
        }
        let found = find(text, start, &self.text);
        match (found, self.more) {
            (Some(Found::Whole(range)), Some((before, after))) => {
                Some(Found::Whole(in_base64(text, range, before, after)))
            }
            // Letters of base64 may be any word.
            (Some(Found::Beginning { matched, .. }), Some(_)) if matched < 8 => None,
            (found, _) => found,
        }
    }
}

/// Adds the letters at the ends of a piece of base64 that hold bits of the secret, and the padding.
fn in_base64(text: &str, mut range: Range<usize>, before: bool, after: bool) -> Range<usize> {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte);
    let bytes = text.as_bytes();
    if before && range.start.checked_sub(1).is_some_and(|last| is_letter(bytes[last])) {
        range.start -= 1;
    }
    if after && bytes.get(range.end).is_some_and(|byte| is_letter(*byte)) {
        range.end += 1;
    }
    while bytes.get(range.end) == Some(&b'=') {
        range.end += 1;
    }
    range
}

/// Looks for a secret at a place of a text, each of its characters in any spelling.
fn find(text: &str, start: usize, secret: &str) -> Option<Found> {
    let length = secret.chars().count();
    // The places that the characters so far may end at: a character may be spelled in several ways.
    let mut ends = vec![start];
    let mut beginning = None;
    for (matched, wanted) in secret.chars().enumerate() {
        let mut next = Vec::new();
        for end in &ends {
            let rest = &text[*end..];
            spelled(rest, wanted, |length| next.push(end + length));
            if matched > 0 && (rest.is_empty() || is_broken_escape(rest)) {
                beginning = Some(Found::Beginning { place: start..text.len(), matched, length });
            } else if matched > 0 && (rest.starts_with('…') || rest.starts_with("...")) {
                beginning = Some(Found::Beginning { place: start..*end, matched, length });
            }
        }
        next.sort_unstable();
        next.dedup();
        if next.is_empty() {
            return beginning;
        }
        ends = next;
    }
    ends.last().map(|end| Found::Whole(start..*end))
}

/// Returns `true` if the rest of a text is the beginning of an escape.
fn is_broken_escape(rest: &str) -> bool {
    match rest.as_bytes() {
        [b'%', after @ ..] => after.len() < 2,
        [b'\\', after @ ..] => after.is_empty() || after.len() < 12 && matches!(after[0], b'u' | b'x'),
        [b'&', after @ ..] => after.len() < 10 && !after.contains(&b';'),
        _ => false,
    }
}

/// Reports the length of every spelling of a character with which a text begins.
fn spelled(text: &str, wanted: char, mut report: impl FnMut(usize)) {
    let Some(first) = text.chars().next() else { return };
    if first == wanted {
        report(wanted.len_utf8());
        // SQL doubles a quote.
        if matches!(wanted, '\'' | '"' | '`') && text[1..].starts_with(wanted) {
            report(2);
        }
    }
    let length = match first {
        '%' => percent_encoded(text, wanted),
        '&' => entity(text, wanted),
        '\\' => backslash_escape(text, wanted),
        '+' if wanted == ' ' => Some(1),
        _ => None,
    };
    if let Some(length) = length {
        report(length);
    }
}

fn percent_encoded(text: &str, wanted: char) -> Option<usize> {
    let mut buffer = [0; 4];
    let bytes = wanted.encode_utf8(&mut buffer).bytes();
    let mut length = 0;
    for byte in bytes {
        let escape = text.as_bytes().get(length..length + 3)?;
        let digits = std::str::from_utf8(&escape[1..]).ok()?;
        let is_same = escape[0] == b'%' && is_hex(digits) && u8::from_str_radix(digits, 16) == Ok(byte);
        if !is_same {
            return None;
        }
        length += 3;
    }
    Some(length)
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn entity(text: &str, wanted: char) -> Option<usize> {
    let name = &text[1..];
    if let Some(number) = name.strip_prefix('#') {
        let (digits, radix, before) = match number.strip_prefix(['x', 'X']) {
            Some(digits) => (digits, 16, 3),
            None => (number, 10, 2),
        };
        let length = digits.bytes().take_while(|byte| char::from(*byte).is_digit(radix)).count();
        let digits_only = digits[..length].trim_start_matches('0');
        let is_same = digits_only.len() <= 7 && u32::from_str_radix(digits_only, radix) == Ok(u32::from(wanted));
        return is_same.then(|| before + length + usize::from(digits[length..].starts_with(';')));
    }
    let name = names_of(wanted).find(|known| name.starts_with(known))?;
    Some(1 + name.len() + usize::from(text[1 + name.len()..].starts_with(';')))
}

/// Returns the names of a character in HTML, with the longer ones first.
fn names_of(wanted: char) -> impl Iterator<Item = &'static str> {
    let latin = u32::from(wanted).checked_sub(0xa0).and_then(|number| LATIN_1.get(usize::try_from(number).ok()?));
    let names = NAMES.iter().filter(move |(character, _)| *character == wanted).map(|(_, name)| *name);
    names.chain(latin.copied())
}

/// The names of the characters of ASCII.
const NAMES: [(char, &str); 47] = [
    ('\t', "Tab"),
    ('\n', "NewLine"),
    ('!', "excl"),
    ('"', "quot"),
    ('"', "QUOT"),
    ('#', "num"),
    ('$', "dollar"),
    ('%', "percnt"),
    ('&', "amp"),
    ('&', "AMP"),
    ('\'', "apos"),
    ('(', "lpar"),
    (')', "rpar"),
    ('*', "midast"),
    ('*', "ast"),
    ('+', "plus"),
    (',', "comma"),
    ('-', "hyphen"),
    ('-', "dash"),
    ('.', "period"),
    ('/', "sol"),
    (':', "colon"),
    (';', "semi"),
    ('<', "lt"),
    ('<', "LT"),
    ('=', "equals"),
    ('>', "gt"),
    ('>', "GT"),
    ('?', "quest"),
    ('@', "commat"),
    ('[', "lsqb"),
    ('[', "lbrack"),
    ('\\', "bsol"),
    (']', "rsqb"),
    (']', "rbrack"),
    ('^', "Hat"),
    ('_', "lowbar"),
    ('_', "UnderBar"),
    ('`', "grave"),
    ('`', "DiacriticalGrave"),
    ('{', "lcub"),
    ('{', "lbrace"),
    ('|', "verbar"),
    ('|', "vert"),
    ('|', "VerticalLine"),
    ('}', "rcub"),
    ('}', "rbrace"),
];

/// The names of the characters from U+00A0 on.
const LATIN_1: [&str; 96] = [
    "nbsp", "iexcl", "cent", "pound", "curren", "yen", "brvbar", "sect", "uml", "copy", "ordf", "laquo", "not", "shy",
    "reg", "macr", "deg", "plusmn", "sup2", "sup3", "acute", "micro", "para", "middot", "cedil", "sup1", "ordm",
    "raquo", "frac14", "frac12", "frac34", "iquest", "Agrave", "Aacute", "Acirc", "Atilde", "Auml", "Aring", "AElig",
    "Ccedil", "Egrave", "Eacute", "Ecirc", "Euml", "Igrave", "Iacute", "Icirc", "Iuml", "ETH", "Ntilde", "Ograve",
    "Oacute", "Ocirc", "Otilde", "Ouml", "times", "Oslash", "Ugrave", "Uacute", "Ucirc", "Uuml", "Yacute", "THORN",
    "szlig", "agrave", "aacute", "acirc", "atilde", "auml", "aring", "aelig", "ccedil", "egrave", "eacute", "ecirc",
    "euml", "igrave", "iacute", "icirc", "iuml", "eth", "ntilde", "ograve", "oacute", "ocirc", "otilde", "ouml",
    "divide", "oslash", "ugrave", "uacute", "ucirc", "uuml", "yacute", "thorn", "yuml",
];

/// Reads an escape of JSON, of Rust, or of another language with backslashes.
fn backslash_escape(text: &str, wanted: char) -> Option<usize> {
    let escaped = text[1..].chars().next()?;
    let same = |code: &str| is_hex(code) && u32::from_str_radix(code, 16) == Ok(u32::from(wanted));
    let fixed = match escaped {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'b' => '\u{8}',
        'f' => '\u{c}',
        '0' => '\0',
        'x' => return text.get(2..4).is_some_and(same).then_some(4),
        'u' => {
            if let Some(code) = text[2..].strip_prefix('{') {
                let length = code.find('}')?;
                return (length <= 6 && same(&code[..length])).then_some(length + 4);
            }
            let mut buffer = [0; 2];
            let mut length = 0;
            for unit in wanted.encode_utf16(&mut buffer) {
                let escape = text.get(length..length + 6)?;
                let digits = escape.strip_prefix("\\u").filter(|digits| is_hex(digits))?;
                if u16::from_str_radix(digits, 16) != Ok(*unit) {
                    return None;
                }
                length += 6;
            }
            return Some(length);
        }
        other if other.is_ascii_punctuation() => other,
        _ => return None,
    };
    (fixed == wanted).then_some(2)
}

/// A text whose escapes are escaped no more, and the places that its characters have in the original.
pub(super) struct Unescaped<'a> {
    text: Cow<'a, str>,
    /// For each byte, and for the end, its place in the original. Empty for the original itself.
    places: Vec<usize>,
}

impl<'a> Unescaped<'a> {
    /// Returns a text, and the texts that result from undoing the escapes of its escapes, one by one.
    pub(super) fn layers(text: &'a str) -> Vec<Self> {
        let mut layers = vec![Self { text: text.into(), places: Vec::new() }];
        while layers.len() <= MAX_LAYERS
            && let Some(next) = layers[layers.len() - 1].unescaped()
        {
            layers.push(next);
        }
        layers
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the range in the original that corresponds to a range of this text.
    pub(super) fn original(&self, range: Range<usize>) -> Range<usize> {
        if self.places.is_empty() { range } else { self.places[range.start]..self.places[range.end] }
    }

    /// Undoes the escapes of the characters that begin or end an escape. Returns `None` if there are none.
    fn unescaped(&self) -> Option<Self> {
        /// Not the quote, whose own escape is a spelling of it.
        const CHARACTERS_OF_ESCAPES: [char; 5] = ['%', '&', '\\', '#', ';'];
        if !self.text.contains(['%', '&', '\\']) {
            return None;
        }
        let (mut text, mut places, mut start) = (String::new(), Vec::new(), 0);
        let mut is_changed = false;
        while let Some(first) = self.text[start..].chars().next() {
            let rest = &self.text[start..];
            let mut found = None;
            if matches!(first, '%' | '&' | '\\') {
                for wanted in CHARACTERS_OF_ESCAPES {
                    spelled(rest, wanted, |length| {
                        if length > 1 {
                            found = Some((wanted, length));
                        }
                    });
                }
            }
            let (character, length) = found.unwrap_or((first, first.len_utf8()));
            is_changed |= found.is_some();
            text.push(character);
            places.extend(std::iter::repeat_n(self.original(start..start).start, character.len_utf8()));
            start += length;
        }
        places.push(self.original(start..start).start);
        is_changed.then_some(Self { text: text.into(), places })
    }
}

/// Returns the places of JSON web tokens, which a server may issue before the client knows them.
pub(super) fn tokens_in(text: &str) -> Vec<Range<usize>> {
    const MIN_PART: usize = 8;
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = token_start(text, from) {
        let part = |from: usize| from + text.as_bytes()[from..].iter().take_while(|byte| is_letter(byte)).count();
        let header = part(start);
        from = header;
        let payload = if text[header..].starts_with('.') { part(header + 1) } else { header };
        if header - start >= MIN_PART && payload >= header + 1 + MIN_PART {
            let end = if text[payload..].starts_with('.') { part(payload + 1) } else { payload };
            found.push(start..end);
            from = end;
        }
    }
    found
}

/// Returns the first place from `from` on where a web token may begin. Every header is an object, which begins with `{"`.
fn token_start(text: &str, from: usize) -> Option<usize> {
    const BEGINNING: &[u8] = b"eyJ";
    const RAREST: char = 'J';
    let before = BEGINNING.len() - 1;
    // Most texts are short, and to prepare a search for all three letters takes longer than a search for one.
    let found = text[from..].match_indices(RAREST).map(|(at, _)| from + at);
    let mut starts = found.filter_map(|at| at.checked_sub(before).filter(|start| *start >= from));
    starts.find(|start| text.as_bytes()[*start..].starts_with(BEGINNING))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the place of a secret in a text.
    fn place(text: &str, secret: &str) -> Option<Range<usize>> {
        let needles = Needle::all_of(secret);
        Unescaped::layers(text).iter().find_map(|layer| {
            (0..layer.text().len()).find_map(|start| {
                needles.iter().find_map(|needle| match needle.find_at(layer.text(), start) {
                    Some(Found::Whole(range)) => Some(layer.original(range)),
                    _ => None,
                })
            })
        })
    }

    #[test]
    fn a_secret_is_found_in_every_spelling() {
        const SECRET: &str = "tö=\"k e\\n&<+/%'";
        for spelling in [
            SECRET,
            "t%C3%B6%3D%22k+e%5Cn%26%3C%2B%2F%25%27",
            "t%c3%b6%3d%22k%20e%5cn%26%3c%2b%2f%25%27",
            "t%C3%B6=%22k%20e%5Cn&%3C+/%25'",
            "t&ouml;&equals;&quot;k e&bsol;n&amp;&lt;&plus;&sol;&percnt;&apos;",
            "tö&#61;&#34;k e&#92;n&#038;&#60;&#43;&#47;&#37;&#39;",
            "tö&#x3D;&#x22;k&#x20;e&#X5c;n&#x26;&#x0003C;&#x2b;&#x2F;&#x25;&#x27;",
            "t&#xf6=&quotk e\\n&amp&lt+/%&#39",
            r#"tö=\"k e\\n&<+\/%'"#,
            r#"t\u00f6\u003d\"k e\\n\u0026\u003C+/%\u0027"#,
            r"t\u{f6}\x3D\x22k e\x5cn\x26\x3c\x2B\x2f\x25\x27",
            "tö=\"k e\\n&<+/%''",
            // On top of each other: JSON in JSON, a page in a form, a form in a page, a page in JSON.
            r#"tö=\\\"k e\\\\n&<+/%'"#,
            r#"tö\\u003d\\\"k e\\\\n\\u0026\\u003c+/%'"#,
            "t%25C3%25B6%253D%2522k%2520e%255Cn%2526%253C%252B%252F%2525%2527",
            "tö=&amp;quot;k e\\n&amp;amp;&amp;lt;+/%&amp;#39;",
            "t%26ouml%3B%3D%26quot%3Bk+e%5Cn%26amp%3B%26lt%3B%2B%2F%25%26%2339%3B",
            r"tö\u003d\u0026quot;k e\\n\u0026amp;\u0026lt;+/%\u0026#39;",
        ] {
            let text = format!("a {spelling} z");
            assert_eq!(place(&text, SECRET), Some(2..text.len() - 2), "{spelling}");
        }
    }

    #[test]
    fn base64_of_a_secret_is_found_wherever_it_begins() {
        for secret in ["tiger", "hush-t0ken", "\u{3ff}\u{3fe}?>~~"] {
            for before in ["", "a", "ab", "abc"] {
                for after in ["", "x", "xy"] {
                    let all = format!("{before}{secret}{after}");
                    for (encoded, is_padded) in [
                        (base64::engine::general_purpose::STANDARD.encode(&all), true),
                        (base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&all), false),
                    ] {
                        let text = format!("Basic {encoded}.");
                        let place = place(&text, secret).unwrap_or_else(|| panic!("{text} of {all}"));
                        if before.is_empty() && after.is_empty() {
                            assert_eq!(place, 6..text.len() - 1, "{text} ({is_padded})");
                        }
                        let left = format!("{}{}", &text[6..place.start], &text[place.end..]);
                        let letters = left.trim_end_matches(['.', '=']).len();
                        assert!(letters <= ((before.len() + after.len()) * 4).div_ceil(3) + 1, "{left} of {text}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_text_without_the_secret_is_left_alone() {
        for text in
            ["", "a", "t%C3", "t%", "t&", "t&#", "t&#x", "t\\", "t\\u", "t\\u{", "t%C3%B", "&#99999999999;", "ö%ö"]
        {
            assert_eq!(place(text, "tö=x"), None, "{text}");
        }
    }

    #[test]
    fn the_beginning_of_a_secret_at_the_end_of_a_text_is_reported() {
        let found = |text: &str| Needle::all_of("t=ab")[0].find_at(text, 0);
        let beginning = |matched, end| Some(Found::Beginning { place: 0..end, matched, length: 4 });
        assert_eq!(found("t"), beginning(1, 1));
        assert_eq!(found("t&equ"), beginning(1, 5));
        assert_eq!(found("t%3"), beginning(1, 3));
        assert_eq!(found("t\\u003"), beginning(1, 6));
        assert_eq!(found("t%3Da"), beginning(3, 5));
        assert_eq!(found("t=a… more"), beginning(3, 3));
        assert_eq!(found("t=a... more"), beginning(3, 3));
        assert_eq!(found("tx"), None);
    }

    #[test]
    fn a_web_token_is_known_by_its_form() {
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl";
        let text = format!("issued {token}, {token}; eyJ is no token, nor is eyJhbGciOiJI.");
        let places: Vec<_> = tokens_in(&text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(places, [token, token]);
    }
}
