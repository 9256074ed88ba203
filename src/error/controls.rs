//! Characters that act on a terminal or reorder a line instead of showing something.

use std::borrow::Cow;

/// Returns a text with its control characters escaped, line breaks among them: `\n`, `\u{1b}`.
///
/// Texts of servers end up on terminals and in logs, where an escape sequence would hide or forge what stands there.
pub(crate) fn escape_controls(text: &str) -> Cow<'_, str> {
    escape_controls_except(text, |_| false)
}

/// Returns a text with its control characters escaped, except for some.
pub(crate) fn escape_controls_except(text: &str, is_kept: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_escaped = |letter: char| is_control(letter) && !is_kept(letter);
    let Some(first) = text.find(is_escaped) else { return text.into() };
    let mut escaped = String::with_capacity(text.len() + 16);
    escaped.push_str(&text[..first]);
    for letter in text[first..].chars() {
        if is_escaped(letter) {
            escaped.extend(letter.escape_default());
        } else {
            escaped.push(letter);
        }
    }
    escaped.into()
}

/// Returns `true` for the control characters of ASCII and Latin-1, and for those of Unicode that break or reorder lines
/// or are never visible. The joiners, which spell words of some languages, are not among them.
fn is_control(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_everything_else_is_kept() {
        let text = "a\u{1b}[31mb\r\n\t\u{7}\u{9b}\u{7f}\u{202e}\u{2066}\u{feff}\u{e0041}z";
        let escaped = r"a\u{1b}[31mb\r\n\t\u{7}\u{9b}\u{7f}\u{202e}\u{2066}\u{feff}\u{e0041}z";
        assert_eq!(escape_controls(text), escaped);
        let kept = "größe ‰ 表 می\u{200c}خواهم 👩\u{200d}💻";
        assert!(matches!(escape_controls(kept), Cow::Borrowed(same) if same == kept));
        assert_eq!(escape_controls_except("a\r\nb", |letter| letter == '\n'), "a\\r\nb");
    }
}
