//! The text of labels: names of a length that fits, in characters that can be shown.

use std::borrow::Cow;

use crate::{Object, ObjectKind};

/// The length from which a name is cut, in characters. A name can be several lines of SQL.
const MAX_LABEL_CHARACTERS: usize = 80;

/// Returns the kind of an object for its label, or nothing for a table, which is the usual kind.
pub(super) fn kind_label(object: Object<'_>) -> &str {
    match object.kind() {
        ObjectKind::Table => "",
        _ => object.kind_text(),
    }
}

/// Returns a name, cut if it is too long for a label.
pub(super) fn shorten(name: &str) -> Cow<'_, str> {
    match name.char_indices().nth(MAX_LABEL_CHARACTERS) {
        Some(_) => {
            let kept = name.char_indices().nth(MAX_LABEL_CHARACTERS - 1).map_or(name.len(), |(end, _)| end);
            Cow::Owned(format!("{}…", name.get(..kept).unwrap_or(name)))
        }
        None => Cow::Borrowed(name),
    }
}

/// Returns a character that XML 1.0 can hold: a control character that XML forbids becomes its picture (`␀`).
pub(super) fn printable(character: char) -> char {
    match character {
        '\t' | '\n' | '\r' => character,
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(character)).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\u{fffe}' | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
        _ => character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_between_two_characters() {
        assert_eq!(shorten("short"), "short");
        let longest = "é".repeat(MAX_LABEL_CHARACTERS);
        assert_eq!(shorten(&longest), longest);
        let cut = shorten(&"é".repeat(MAX_LABEL_CHARACTERS + 1)).into_owned();
        assert_eq!(cut.chars().count(), MAX_LABEL_CHARACTERS);
        assert!(cut.ends_with("é…"));
    }

    #[test]
    fn characters_that_xml_forbids_are_replaced() {
        assert_eq!(printable('\0'), '␀');
        assert_eq!(printable('\u{1b}'), '␛');
        assert_eq!(printable('\u{ffff}'), '\u{fffd}');
        for kept in ['\n', '\t', '\u{7f}', '\u{85}', 'é', '\u{202e}', '🙂'] {
            assert_eq!(printable(kept), kept);
        }
    }
}
