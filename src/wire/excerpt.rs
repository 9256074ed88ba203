//! Excerpts of texts that a server sent, short enough for an error message.

/// The number of characters of an unexpected body that are looked at.
pub(crate) const SNIPPET: usize = 1024;
/// The number of characters of it that are shown.
pub(crate) const SHOWN: usize = 200;

/// As much of a server's text as an error may carry.
pub(crate) fn excerpt(text: &str) -> String {
    shortened(text, 1000)
}

/// A text of so many letters at most.
pub(crate) fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// The first words of a body, on one line and without markup.
pub(crate) fn snippet(text: &str) -> String {
    let text: String = text.chars().take(SNIPPET).collect();
    let mut plain = String::new();
    let mut in_tag = false;
    let is_page = text.trim_start().starts_with('<');
    for letter in text.chars() {
        match letter {
            '<' if is_page => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                plain.push(' ');
            }
            _ if in_tag => {}
            _ => plain.push(letter),
        }
    }
    let words: Vec<_> = plain.split_whitespace().collect();
    let line = words.join(" ");
    shortened(&line, SHOWN)
}
