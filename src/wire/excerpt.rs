//! Excerpts of texts that a server sent, short enough for an error message. They are made by a
//! [`Redactor`](super::Redactor), which removes the secrets first.

/// The maximum number of characters of an unexpected body that a snippet is made from.
pub(crate) const MAX_SNIPPET_INPUT: usize = 1024;
/// The maximum number of characters of a snippet.
const MAX_SNIPPET: usize = 200;

/// Returns the part of a server's text that an error may contain.
pub(super) fn excerpt(text: &str) -> String {
    shortened(text, 1000)
}

/// Truncates a text to a number of characters, and marks the cut with an ellipsis.
pub(super) fn shortened(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// Returns the first words of a body, on one line and without HTML tags.
pub(super) fn snippet(text: &str) -> String {
    let text: String = text.chars().take(MAX_SNIPPET_INPUT).collect();
    let mut visible = String::new();
    let mut in_tag = false;
    let is_page = text.trim_start().starts_with('<');
    for character in text.chars() {
        match character {
            '<' if is_page => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                visible.push(' ');
            }
            _ if in_tag => {}
            _ => visible.push(character),
        }
    }
    let words: Vec<_> = visible.split_whitespace().collect();
    let line = words.join(" ");
    shortened(&line, MAX_SNIPPET)
}
