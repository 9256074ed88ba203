//! Finds the statements of a script that lacks the semicolons between them.
//!
//! T-SQL does not need semicolons, and the body of a routine without a grammar may consist of statements that the
//! parser can read. A script that the parser refuses is therefore tried again in parts, which begin where a line
//! begins with the first word of a statement.

use std::ops::Range;

use flowscope_core::{Dialect, StatementSplitRequest, parse_sql_with_dialect, split_statements};
use sqlparser::dialect::Dialect as Grammar;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::line_index::LineIndex;

/// Words that begin a statement.
const BEGINNINGS: [&str; 18] = [
    "insert", "update", "delete", "merge", "create", "alter", "drop", "select", "with", "truncate", "declare", "set",
    "exec", "execute", "if", "begin", "use", "while",
];

/// Words that end a statement, since they cannot be part of it.
const ENDINGS: [&str; 8] = ["end", "else", "exception", "commit", "rollback", "return", "print", "go"];

/// Words that may continue a broken statement as well as begin a new one.
const DOUBTFUL: [&str; 3] = ["select", "with", "set"];

/// The maximum number of positions that are tried as the end of a statement.
const MAX_ENDS: usize = 100;

/// The maximum number of tokens of one script that are parsed, counting tokens that are tried several times as often.
/// The rest of the script is left unchanged.
const MAX_TOKENS: usize = 20_000_000;

/// Returns the script with a semicolon in place of a blank wherever one was missing, or `None` if none helps.
pub(super) fn separate(text: &str, dialect: Dialect) -> Option<String> {
    let split = split_statements(&StatementSplitRequest { sql: text.to_owned(), dialect });
    let mut separated = text.as_bytes().to_vec();
    let mut allowed = MAX_TOKENS;
    let mut changed = false;
    for span in split.statements {
        let piece = text.get(span.start..span.end).filter(|piece| parse_sql_with_dialect(piece, dialect).is_err());
        for place in piece.map(|piece| places(piece, dialect, &mut allowed)).into_iter().flatten() {
            if let Some(byte) = separated.get_mut(span.start + place).filter(|byte| byte.is_ascii_whitespace()) {
                *byte = b';';
                changed = true;
            }
        }
    }
    changed.then(|| String::from_utf8(separated).ok()).flatten()
}

/// Returns the bytes of a piece that should become semicolons.
fn places(piece: &str, dialect: Dialect, allowed: &mut usize) -> Vec<usize> {
    let grammar = dialect.to_sqlparser_dialect();
    let Ok(tokens) = Tokenizer::new(grammar.as_ref(), piece).tokenize_with_location() else { return Vec::new() };
    let tokens: Vec<TokenWithSpan> =
        tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect();
    let mut search = StatementSearch {
        grammar: grammar.as_ref(),
        tokens: &tokens,
        edges: edges(&tokens),
        allowed,
        found: Vec::new(),
    };
    let mut begin = 0;
    for end in 0..=tokens.len() {
        if tokens.get(end).is_none_or(|token| token.token == Token::SemiColon) {
            search.part(begin..end);
            begin = end + 1;
        }
    }
    let lines = LineIndex::of(piece, 0);
    let after_the_token_before = |index: usize| {
        let end = tokens[index.checked_sub(1)?].span.end;
        lines.byte(end.line, end.column)
    };
    search.found.into_iter().filter_map(after_the_token_before).collect()
}

/// Returns the tokens at which a statement may begin or end: the first of their line, or the first in a block.
fn edges(tokens: &[TokenWithSpan]) -> Vec<usize> {
    let mut depth = 0_usize;
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            Token::SemiColon => depth = 0,
            _ if depth > 0 => {}
            word => {
                let before = index.checked_sub(1).map(|before| &tokens[before]);
                let first = before.is_none_or(|before| {
                    before.span.end.line < token.span.start.line || is_one_of(&before.token, &["begin", "then"])
                });
                if first && (is_one_of(word, &BEGINNINGS) || is_one_of(word, &ENDINGS)) {
                    found.push(index);
                }
            }
        }
    }
    found
}

fn is_one_of(token: &Token, words: &[&str]) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none()
        && words.iter().any(|known| word.value.eq_ignore_ascii_case(known)))
}

struct StatementSearch<'a> {
    grammar: &'a dyn Grammar,
    tokens: &'a [TokenWithSpan],
    edges: Vec<usize>,
    allowed: &'a mut usize,
    /// The tokens that a semicolon is missing before.
    found: Vec<usize>,
}

impl StatementSearch<'_> {
    /// Separates the statements between two semicolons.
    fn part(&mut self, whole: Range<usize>) {
        let mut begin = whole.start;
        while begin < whole.end {
            let next = match self.statement(begin, whole.end) {
                Some(end) => end,
                None => match self.next_statement(begin, whole.end) {
                    Some(next) => next,
                    None => return,
                },
            };
            if next < whole.end {
                self.found.push(next);
            }
            begin = next;
        }
    }

    /// Returns the end of the statement that begins at a token, if there is one.
    fn statement(&mut self, begin: usize, limit: usize) -> Option<usize> {
        let ends = self.edges_within(begin, limit).into_iter().take(MAX_ENDS).chain([limit]);
        ends.into_iter().find(|end| self.parses(begin..*end))
    }

    /// Returns the beginning of the next statement after a broken one.
    fn next_statement(&mut self, broken: usize, limit: usize) -> Option<usize> {
        let edges = self.edges_within(broken, limit);
        edges.into_iter().find(|begin| {
            let word = &self.tokens[*begin].token;
            is_one_of(word, &BEGINNINGS) && !is_one_of(word, &DOUBTFUL) && self.statement(*begin, limit).is_some()
        })
    }

    fn edges_within(&self, after: usize, before: usize) -> Vec<usize> {
        let from = self.edges.partition_point(|edge| *edge <= after);
        let to = self.edges.partition_point(|edge| *edge < before);
        self.edges.get(from..to).unwrap_or_default().to_vec()
    }

    fn parses(&mut self, tokens: Range<usize>) -> bool {
        let Some(allowed) = self.allowed.checked_sub(tokens.len()) else { return false };
        *self.allowed = allowed;
        let tokens = self.tokens.get(tokens).unwrap_or_default().to_vec();
        Parser::new(self.grammar).with_tokens_with_locations(tokens).parse_statements().is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t_sql_statements_are_separated_by_their_first_words() {
        let sql = "insert into t(a)\nselect b from s\n\ninsert into u(a) select c from s2\nupdate t\nset a = 1";
        let separated = separate(sql, Dialect::Mssql).unwrap();
        assert_eq!(
            separated,
            "insert into t(a)\nselect b from s;\ninsert into u(a) select c from s2;update t\nset a = 1"
        );
    }

    #[test]
    fn the_statement_after_a_broken_one_is_found() {
        let sql = "insrt into t select 1\ncreate view v as\nselect a from s";
        let separated = separate(sql, Dialect::Postgres).unwrap();
        assert_eq!(separated, "insrt into t select 1;create view v as\nselect a from s");
        assert_eq!(separate("selec a\nselect b from t", Dialect::Postgres), None);
    }

    #[test]
    fn the_statements_of_a_body_without_a_grammar_are_found() {
        let sql = "create or replace procedure p(x number) is\nbegin\n  insert into t select a from s;\nend;";
        let separated = separate(sql, Dialect::Oracle).unwrap();
        assert!(separated.contains(";\n  insert") || separated.contains("begin; "), "{separated}");
    }
}
