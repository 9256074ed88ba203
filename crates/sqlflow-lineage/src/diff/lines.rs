//! Differences as lines of text.

use std::borrow::Cow;
use std::fmt;

use super::Changes;
use super::note::DiffNote;

/// A change without its sign.
pub(super) struct ChangeLine {
    kind: String,
    name: String,
    /// The text in parentheses after the name.
    detail: String,
}

impl ChangeLine {
    pub(super) fn new(kind: &str, name: &str) -> Self {
        Self { kind: one_line(kind).into_owned(), name: one_line(name).into_owned(), detail: String::new() }
    }

    pub(super) fn with_detail(self, detail: &str) -> Self {
        Self { detail: format!(" ({})", one_line(detail)), ..self }
    }
}

/// Returns a kind, or `other` if there is none.
pub(super) fn kind_or<'t>(kind: &'t str, other: &'t str) -> &'t str {
    if kind.is_empty() { other } else { kind }
}

/// Writes a line for each change, sorted by name. For equal names, removals come first.
pub(super) fn write_sorted(f: &mut fmt::Formatter<'_>, changes: Changes<ChangeLine>) -> fmt::Result {
    let removed = changes.removed.into_iter().map(|line| (line, '-'));
    let mut lines: Vec<(ChangeLine, char)> = removed.chain(changes.added.into_iter().map(|line| (line, '+'))).collect();
    lines.sort_by(|(a, a_sign), (b, b_sign)| {
        (&a.name, *a_sign == '+', &a.kind, &a.detail).cmp(&(&b.name, *b_sign == '+', &b.kind, &b.detail))
    });
    let mut lines = lines.iter();
    lines.try_for_each(|(ChangeLine { kind, name, detail }, sign)| writeln!(f, "{sign} {kind} {name}{detail}"))
}

pub(super) fn write_notes(f: &mut fmt::Formatter<'_>, notes: &[DiffNote]) -> fmt::Result {
    notes.iter().try_for_each(|note| writeln!(f, "note: {note}"))
}

/// Returns a name on one line. The name of a column can be several lines of SQL.
pub(super) fn one_line(name: &str) -> Cow<'_, str> {
    // A reader of the lines may take these for the end of one.
    let is_break = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if !name.contains(is_break) {
        return name.into();
    }
    let words = name.split(|c: char| is_break(c) || c.is_whitespace()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").into()
}
