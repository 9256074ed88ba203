//! Positions in a script: bytes, lines and columns.

use sqlparser::tokenizer::{Location, Span};

/// The maximum number of bytes between an expression and its closing parenthesis.
const MAX_LOOKED_AHEAD: usize = 4096;

/// The maximum column up to which characters are counted one by one, since a script may be a single line.
const MAX_COUNTED: usize = 4096;

/// An index that converts a byte to a line and a column, and back.
pub(super) struct LineIndex<'a> {
    text: &'a str,
    starts: Vec<usize>,
    pub(super) script: usize,
    /// `true` if columns and bytes are the same.
    ascii: bool,
}

impl<'a> LineIndex<'a> {
    pub(super) fn of(text: &'a str, script: usize) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(index, _)| index + 1);
        Self { text, starts: std::iter::once(0).chain(breaks).collect(), script, ascii: text.is_ascii() }
    }

    pub(super) fn position(&self, byte: usize) -> (u64, u64) {
        let line = self.starts.partition_point(|start| *start <= byte).max(1);
        if self.ascii {
            return (line as u64, (byte.saturating_sub(self.starts[line - 1])) as u64 + 1);
        }
        let before = self.text.get(self.starts[line - 1]..byte).unwrap_or_default();
        (line as u64, before.chars().count() as u64 + 1)
    }

    /// Returns the byte at a line and a column, both counted from 1.
    pub(super) fn byte(&self, line: u64, column: u64) -> Option<usize> {
        let start = *self.starts.get(usize::try_from(line).ok()?.checked_sub(1)?)?;
        let column = usize::try_from(column).ok()?.checked_sub(1)?;
        if self.ascii {
            return Some(start + column);
        }
        let skipped = self.text.get(start..)?.chars().take(column);
        let skipped = (column <= MAX_COUNTED).then_some(skipped)?;
        Some(start + skipped.map(char::len_utf8).sum::<usize>())
    }

    /// Extends a span of the parser to the last of the parentheses that it opens. The span of a call does not contain
    /// its parentheses.
    pub(super) fn closed(&self, span: Span, is_call: bool) -> Span {
        let end = self.closing(span, is_call).map(|end| self.position(end));
        end.map_or(span, |(line, column)| Span::new(span.start, Location::new(line, column)))
    }

    fn closing(&self, span: Span, is_call: bool) -> Option<usize> {
        let start = self.byte(span.start.line, span.start.column)?;
        let end = self.byte(span.end.line, span.end.column)?;
        let looked_at = end.checked_sub(start)? + MAX_LOOKED_AHEAD;
        let mut open = 0_usize;
        let mut quote = None;
        // The parentheses of a call may follow right after the span.
        let mut awaited = is_call;
        for (at, byte) in self.text.get(start..)?.bytes().take(looked_at).enumerate() {
            let behind = start + at >= end;
            if let Some(opened) = quote {
                quote = (byte != opened).then_some(opened);
            } else if behind && open == 0 && !(awaited && (byte == b'(' || byte.is_ascii_whitespace())) {
                return None;
            } else {
                match byte {
                    b'\'' | b'"' | b'`' => quote = Some(byte),
                    b'(' => (open, awaited) = (open + 1, false),
                    b')' if behind && open == 1 => return Some(start + at + 1),
                    b')' => open = open.checked_sub(1)?,
                    _ => {}
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_found_in_its_line() {
        let lines = LineIndex::of("ä b\nsecond\n", 3);
        assert_eq!(lines.position(0), (1, 1));
        assert_eq!(lines.position(3), (1, 3));
        assert_eq!(lines.position(5), (2, 1));
        assert_eq!(lines.position(11), (2, 7));
        assert_eq!(lines.position(12), (3, 1));
        assert_eq!((lines.byte(1, 3), lines.byte(2, 2), lines.byte(9, 1)), (Some(3), Some(6), None));
    }

    #[test]
    fn a_call_ends_with_its_parenthesis() {
        let text = "select f(g(x, ')'), ä) , count ( * ) z, (a), b from t";
        let lines = LineIndex::of(text, 0);
        let ends = |from: u64, to: u64, is_call| {
            lines.closed(Span::new(Location::new(1, from), Location::new(1, to)), is_call).end.column
        };
        assert_eq!(ends(8, 22, true), 23);
        assert_eq!(ends(10, 13, true), 19);
        assert_eq!(ends(26, 31, true), 37);
        assert_eq!(ends(42, 43, false), 43);
        assert_eq!(ends(46, 47, true), 47);
    }
}
