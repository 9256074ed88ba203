//! Routines whose body is a string: `AS $$ … $$`, or in quotes where the dialect has no other form.

use sqlparser::tokenizer::{Token, TokenWithSpan};

/// The body of a routine.
pub(super) struct QuotedBody<'a> {
    pub(super) text: &'a str,
    /// The line and column of its first character in the script.
    pub(super) start: (u64, u64),
}

/// The languages of routines that consist of SQL.
const LANGUAGES: [&str; 3] = ["sql", "plpgsql", "plsql"];

/// Returns the body of the routine, or of the block `DO`, that tokens define.
pub(super) fn in_string(tokens: &[TokenWithSpan]) -> Option<QuotedBody<'_>> {
    let words: Vec<(usize, String)> = tokens
        .iter()
        .enumerate()
        .filter_map(|(index, token)| match &token.token {
            Token::Word(word) => Some((index, word.value.to_ascii_lowercase())),
            _ => None,
        })
        .collect();
    let is_routine = match words.first()?.1.as_str() {
        "do" | "execute" => true,
        "create" => words.iter().take(6).any(|(_, word)| matches!(word.as_str(), "function" | "procedure" | "task")),
        _ => false,
    };
    let language = words.windows(2).find(|pair| pair[0].1 == "language").map(|pair| pair[1].1.as_str());
    if !is_routine || language.is_some_and(|language| !LANGUAGES.contains(&language)) {
        return None;
    }
    tokens.iter().find_map(|token| match &token.token {
        Token::DollarQuotedString(body) => {
            let tag = body.tag.as_ref().map_or(0, |tag| tag.chars().count()) as u64 + 2;
            Some(QuotedBody { text: &body.value, start: (token.span.start.line, token.span.start.column + tag) })
        }
        _ => None,
    })
}
