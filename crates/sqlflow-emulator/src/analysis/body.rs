//! Routines that the grammar cannot read as a whole: those whose body is a string (`AS $$ … $$`), triggers, and the
//! bodies of types.

use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use super::tokens::is_one_of;

/// The languages of routines that consist of SQL.
const LANGUAGES: [&str; 3] = ["sql", "plpgsql", "plsql"];

/// The body of a routine.
pub(super) enum Body<'a> {
    /// A string. `start` is the line and column of its first character in the script.
    Quoted { text: &'a str, start: (u64, u64) },
    /// The body of a procedure in a language other than SQL. A function in such a language only computes.
    Foreign { language: String },
    /// Statements in the same piece, although the grammar may read less than that: those of a trigger or of the body of
    /// a type.
    Following,
}

/// Returns the body of the routine, or of the block `DO`, that tokens define.
pub(super) fn of(tokens: &[TokenWithSpan]) -> Option<Body<'_>> {
    let first = tokens.iter().find(|token| matches!(token.token, Token::Word(_)))?;
    // Most statements end here.
    if !is_one_of(&first.token, &["create", "alter", "do", "execute"]) {
        return None;
    }
    let words: Vec<&Word> = tokens
        .iter()
        .filter_map(|token| match &token.token {
            Token::Word(word) => Some(word),
            _ => None,
        })
        .collect();
    let creates = is(words[0], &["create"]);
    let kind = |kinds: &[&str]| creates && words.iter().take(6).any(|word| is(word, kinds));
    let language = words.windows(2).find(|pair| is(pair[0], &["language"])).map(|pair| pair[1]);
    match language.filter(|language| !is(language, &LANGUAGES)) {
        Some(foreign) => {
            let is_string = |token: &TokenWithSpan| {
                matches!(token.token, Token::DollarQuotedString(_) | Token::SingleQuotedString(_))
            };
            if kind(&["procedure"]) && tokens.iter().any(is_string) {
                return Some(Body::Foreign { language: foreign.value.to_ascii_lowercase() });
            }
        }
        None if is(words[0], &["do", "execute"]) || kind(&["function", "procedure", "task"]) => {
            if let Some(body) = tokens.iter().find_map(dollar_quoted) {
                return Some(body);
            }
        }
        None => {}
    }
    follows(&words).then_some(Body::Following)
}

fn dollar_quoted(token: &TokenWithSpan) -> Option<Body<'_>> {
    let Token::DollarQuotedString(body) = &token.token else { return None };
    let tag = body.tag.as_ref().map_or(0, |tag| tag.chars().count()) as u64 + 2;
    Some(Body::Quoted { text: &body.value, start: (token.span.start.line, token.span.start.column + tag) })
}

/// Returns `true` for the words of a trigger or of the body of a type. A trigger may also run a function.
fn follows(words: &[&Word]) -> bool {
    let plain: Vec<&Word> = words.iter().copied().filter(|word| word.quote_style.is_none()).collect();
    let pair = |words: &[&Word], first: &[&str], second: &[&str]| {
        words.windows(2).any(|pair| is(pair[0], first) && is(pair[1], second))
    };
    let head = &plain[..plain.len().min(8)];
    let is_one =
        head.iter().any(|word| is(word, &["trigger"])) || pair(&plain[..plain.len().min(6)], &["type"], &["body"]);
    is(plain[0], &["create", "alter"]) && is_one && !pair(&plain, &["execute"], &["function", "procedure"])
}

/// Returns `true` for one of some words, with or without quotes.
fn is(word: &Word, words: &[&str]) -> bool {
    words.iter().any(|known| word.value.eq_ignore_ascii_case(known))
}
