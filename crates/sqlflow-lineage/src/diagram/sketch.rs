//! What the pictures have in common: numbers for what is drawn, how each kind of object looks, and names in a length
//! and in characters that can be shown.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::{self, Write as _};

use super::Drawing;
use crate::{Object, ObjectKind, Vertex};

/// The longest name that is shown whole, in characters; a name can be several lines of SQL.
const LONGEST: usize = 80;

/// Where a vertex is in a drawing, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Object(usize),
    /// The number of the object, and of the column among those of it that are drawn.
    Column(usize, usize),
}

impl Place {
    pub(super) fn object(self) -> usize {
        match self {
            Self::Object(object) | Self::Column(object, _) => object,
        }
    }
}

/// The place of each vertex.
pub(super) fn places<'a>(drawing: &Drawing<'a>) -> HashMap<Vertex<'a>, Place> {
    let mut places = HashMap::new();
    for (at, drawn) in drawing.objects.iter().enumerate() {
        places.insert(Vertex::Object(drawn.object), Place::Object(at));
        let columns = drawn.columns.iter().enumerate();
        places.extend(columns.map(|(number, column)| (Vertex::Column(*column), Place::Column(at, number))));
    }
    places
}

/// How an object looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Table,
    View,
    Intermediate,
    Routine,
}

impl Look {
    pub(super) const ALL: [Self; 4] = [Self::Table, Self::View, Self::Intermediate, Self::Routine];

    pub(super) fn of(object: Object<'_>) -> Self {
        if object.is_routine() {
            Self::Routine
        } else if object.is_intermediate() {
            Self::Intermediate
        } else if object.kind() == ObjectKind::View {
            Self::View
        } else {
            Self::Table
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::View => "view",
            Self::Intermediate => "intermediate",
            Self::Routine => "routine",
        }
    }

    pub(super) fn fill(self) -> &'static str {
        match self {
            Self::Table => "#d6e6f5",
            Self::View => "#d9f0dd",
            Self::Intermediate => "#ededed",
            Self::Routine => "#f8e6c8",
        }
    }

    pub(super) fn border(self) -> &'static str {
        match self {
            Self::Table => "#4a7ba6",
            Self::View => "#4f9460",
            Self::Intermediate => "#8c8c8c",
            Self::Routine => "#b3812f",
        }
    }
}

/// What an object is, for people; nothing for a table, which needs no saying.
pub(super) fn kind_shown(object: Object<'_>) -> &str {
    match object.kind() {
        ObjectKind::Table => "",
        _ => object.kind_text(),
    }
}

/// A name as long as can be shown.
pub(super) fn short(name: &str) -> Cow<'_, str> {
    match name.char_indices().nth(LONGEST) {
        Some(_) => {
            let kept = name.char_indices().nth(LONGEST - 1).map_or(name.len(), |(end, _)| end);
            Cow::Owned(format!("{}…", name.get(..kept).unwrap_or(name)))
        }
        None => Cow::Borrowed(name),
    }
}

/// A character that XML 1.0 can hold: control characters that it cannot are shown by their pictures (`␀`).
pub(super) fn visible(character: char) -> char {
    match character {
        '\t' | '\n' | '\r' => character,
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(character)).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\u{fffe}' | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
        _ => character,
    }
}

/// A character as text or in an attribute of XML, where its line breaks and tabs are kept.
pub(super) fn xml_character(f: &mut fmt::Formatter<'_>, character: char) -> fmt::Result {
    match visible(character) {
        '&' => f.write_str("&amp;"),
        '<' => f.write_str("&lt;"),
        '>' => f.write_str("&gt;"),
        '"' => f.write_str("&quot;"),
        '\t' | '\n' | '\r' => write!(f, "&#{};", u32::from(character)),
        shown => f.write_char(shown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_at_a_character() {
        assert_eq!(short("short"), "short");
        let just = "é".repeat(LONGEST);
        assert_eq!(short(&just), just);
        let cut = short(&"é".repeat(LONGEST + 1)).into_owned();
        assert_eq!(cut.chars().count(), LONGEST);
        assert!(cut.ends_with("é…"));
    }

    #[test]
    fn what_xml_cannot_hold_is_shown_in_another_way() {
        assert_eq!(visible('\0'), '␀');
        assert_eq!(visible('\u{1b}'), '␛');
        assert_eq!(visible('\u{ffff}'), '\u{fffd}');
        for kept in ['\n', '\t', '\u{7f}', '\u{85}', 'é', '\u{202e}', '🙂'] {
            assert_eq!(visible(kept), kept);
        }
    }
}
