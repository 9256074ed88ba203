//! Recognizing an HTML page in the place of a file: the page of a proxy, of a login, of a failing server.

use crate::{Error, ErrorKind};

/// The number of bytes in which a page may follow a text, such as a warning of the server.
pub(super) const TEXT_BEFORE_PAGE: usize = 16 * 1024;

/// The tags and declarations with which a page begins.
const PAGE_STARTS: [&[u8]; 4] = [b"<!doctype html", b"<html", b"<head", b"<body"];

/// The kind of text that the first bytes of a body begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Page,
    /// Markup that is not a page, with its first tag at this place.
    Markup(usize),
    /// Anything else, with its first byte that is no blank at this place.
    Text(usize),
    /// Only blanks, comments and declarations: more bytes are needed.
    Unknown,
}

/// Returns the error of a page in the place of anything else.
pub(super) fn error() -> Error {
    let text = "the response is an HTML page: check that the base URL is that of a SQLFlow backend, and whether there is \
                a login page in front of it";
    Error::new(ErrorKind::Protocol, text)
}

/// Returns the kind of text that a body begins with, after byte order marks, blanks, comments and declarations.
pub(super) fn start_of(body: &[u8]) -> Start {
    let mut at = 0;
    let mut markup = None;
    loop {
        at = skip_blanks(body, at);
        let rest = &body[at..];
        let end = if rest.is_empty() {
            None
        } else if !rest.starts_with(b"<") {
            return markup.map_or(Start::Text(at), Start::Markup);
        } else if is_page_start(rest) {
            return Start::Page;
        } else if rest.starts_with(b"<!--") {
            find(rest, b"-->").map(|end| end + 3)
        } else if rest.starts_with(b"<?") {
            find(rest, b"?>").map(|end| end + 2)
        } else if rest.starts_with(b"<!") {
            find(rest, b">").map(|end| end + 1)
        } else if rest.len() < PAGE_STARTS[0].len() + 1 {
            None
        } else {
            return Start::Markup(markup.unwrap_or(at));
        };
        let Some(length) = end else { return Start::Unknown };
        markup = markup.or(Some(at));
        at += length;
    }
}

/// Returns `true` if a text is followed by a page. `is_declared` is `true` if the response says that it is a page.
///
/// A table may contain any text, and so the tags of a page: but not in its header, and not at the beginning of a row,
/// unless in quotes.
pub(super) fn page_follows(text: &[u8], is_declared: bool) -> bool {
    let text = &text[skip_blanks(text, 0)..];
    let text = &text[..text.len().min(TEXT_BEFORE_PAGE)];
    if text.contains(&0) {
        return false;
    }
    let (mut is_quoted, mut is_row_start, mut is_header) = (false, true, true);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\n' | b'\r' => {
                is_row_start = true;
                is_header = false;
                continue;
            }
            b' ' | b'\t' => continue,
            b'<' if !is_quoted && (is_row_start || is_header || is_declared) && is_page_start(&text[at..]) => {
                return true;
            }
            _ => {}
        }
        is_row_start = false;
    }
    false
}

/// Returns `true` if a text begins with a tag or a declaration of a page, in upper or lower case.
fn is_page_start(text: &[u8]) -> bool {
    PAGE_STARTS.iter().any(|start| {
        let is_start = text.get(..start.len()).is_some_and(|begun| begun.eq_ignore_ascii_case(start));
        // `<header>` is no `<head>`.
        is_start && text.get(start.len()).is_none_or(|next| next.is_ascii_whitespace() || matches!(next, b'>' | b'/'))
    })
}

/// Returns the first place from `at` on that is neither a blank nor part of a byte order mark.
fn skip_blanks(text: &[u8], mut at: usize) -> usize {
    loop {
        let rest = &text[at..];
        let blank = match rest {
            [0xef, 0xbb, 0xbf, ..] => 3,
            // A no-break space, which `trim` of most languages takes for a blank.
            [0xc2, 0xa0, ..] => 2,
            [byte, ..] if byte.is_ascii_whitespace() || *byte == 0x0b => 1,
            _ => return at,
        };
        at += blank;
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_recognized_however_it_begins() {
        let blanks = " \r\n\t".repeat(50_000);
        let comment = format!("<!-- {} -->", "licence ".repeat(50_000));
        for begun in
            ["", "\u{feff}", "\u{feff}\u{feff}\n", &blanks, &comment, "<?xml version='1.0'?>\n", "<!DOCTYPE x>"]
        {
            for page in ["<html>", "<HTML lang='en'>", "<!DocType HTML PUBLIC>", "<!doctype html>", "<head/>", "<BODY>"]
            {
                let body = format!("{begun}{page}<p>Sign in</p>");
                assert_eq!(start_of(body.as_bytes()), Start::Page, "{page}");
            }
        }
    }

    #[test]
    fn other_markup_and_text_are_no_page() {
        assert_eq!(start_of(b"<?xml version='1.0'?><graphml xmlns='x'>"), Start::Markup(0));
        assert_eq!(start_of(b" <header>and so on</header>"), Start::Markup(1));
        assert_eq!(start_of(b"\xef\xbb\xbf a,b\n"), Start::Text(4));
        for unknown in ["", " \n", "<!-- not", "<?xml", "<!doc", "<ht"] {
            assert_eq!(start_of(unknown.as_bytes()), Start::Unknown, "{unknown}");
        }
    }

    #[test]
    fn a_page_after_a_text_is_distinguished_from_a_table_with_tags_in_it() {
        for page in [
            "Warning: no session in login.php <html><body>",
            "Warning: no session\n\n  <!DOCTYPE html>\n<html>",
            "notice,with,commas\r\n<HTML>",
        ] {
            assert!(page_follows(page.as_bytes(), false), "{page}");
        }
        for table in ["a,b\nd,'<html><body>'\n", "a,b\n\"x\n<html>\",y\n", "a,b\nd,<header>\n", "a,b\n<header>,c\n"] {
            assert!(!page_follows(table.as_bytes(), false), "{table}");
        }
        assert!(page_follows(b"one\ntwo <html>", true));
        assert!(!page_follows(b"one\ntwo \"<html>\"", true));
    }
}
