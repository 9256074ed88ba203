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

/// Returns `true` for a trigger or the body of a type: its statements follow in the same piece, although the grammar may
/// read less than that. A trigger may also run a function.
pub(super) fn follows(tokens: &[TokenWithSpan]) -> bool {
    let words: Vec<String> = tokens
        .iter()
        .filter_map(|token| match &token.token {
            Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_ascii_lowercase()),
            _ => None,
        })
        .collect();
    let creates = words.first().is_some_and(|word| matches!(word.as_str(), "create" | "alter"));
    let runs =
        words.windows(2).any(|pair| pair[0] == "execute" && matches!(pair[1].as_str(), "function" | "procedure"));
    let is_one = words.iter().take(8).any(|word| word == "trigger")
        || words.iter().take(6).collect::<Vec<_>>().windows(2).any(|pair| pair[0] == "type" && pair[1] == "body");
    creates && !runs && is_one
}

/// Returns the language of a procedure whose body is a string and no SQL. A function in such a language only computes.
pub(super) fn foreign_language(tokens: &[TokenWithSpan]) -> Option<String> {
    let words: Vec<String> = tokens
        .iter()
        .filter_map(|token| match &token.token {
            Token::Word(word) => Some(word.value.to_ascii_lowercase()),
            _ => None,
        })
        .collect();
    let creates =
        words.first().is_some_and(|word| word == "create") && words.iter().take(6).any(|word| word == "procedure");
    let has_string =
        tokens.iter().any(|token| matches!(token.token, Token::DollarQuotedString(_) | Token::SingleQuotedString(_)));
    let language = words.windows(2).find(|pair| pair[0] == "language").map(|pair| pair[1].clone());
    language.filter(|language| creates && has_string && !LANGUAGES.contains(&language.as_str()))
}

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
