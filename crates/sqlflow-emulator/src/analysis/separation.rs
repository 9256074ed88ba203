//! Finds the statements of a script that lacks the semicolons between them.
//!
//! T-SQL does not need semicolons, and the body of a routine without a grammar may consist of statements that the
//! parser can read. A script that the parser refuses is therefore tried again in parts, which begin where a line
//! begins with the first word of a statement.

use std::ops::Range;

use sqlparser::ast::Statement;
use sqlparser::parser::ParserError;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::dialect::Dialect;
use super::script::parse;

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

/// The maximum number of tokens of one piece that are parsed, counting tokens that are tried several times as often.
const MAX_TOKENS: usize = 20_000_000;

/// A statement of a piece, or a part of it that is none.
pub(super) struct Part {
    /// The tokens, by their index.
    pub(super) tokens: Range<usize>,
    pub(super) statements: Result<Vec<Statement>, ParserError>,
}

/// Returns the parts of a piece that does not parse as a whole, or `None` if none of them parses either.
pub(super) fn separate(tokens: &[TokenWithSpan], dialect: Dialect) -> Option<Vec<Part>> {
    let mut search = StatementSearch { dialect, tokens, edges: edges(tokens), allowed: MAX_TOKENS, found: Vec::new() };
    let mut begin = 0;
    for end in 0..=tokens.len() {
        if tokens.get(end).is_none_or(|token| token.token == Token::SemiColon) {
            search.part(begin..end);
            begin = end + 1;
        }
    }
    let found = search.found;
    found.iter().any(|part| part.statements.is_ok()).then_some(found)
}

/// Returns the tokens at which a statement may begin or end: the first of their line, or the first in a block.
fn edges(tokens: &[TokenWithSpan]) -> Vec<usize> {
    let mut depth = 0_usize;
    let mut found = Vec::new();
    let mut before: Option<&TokenWithSpan> = None;
    for (index, token) in tokens.iter().enumerate() {
        match &token.token {
            Token::Whitespace(_) => continue,
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            Token::SemiColon => depth = 0,
            _ if depth > 0 => {}
            word => {
                let first = before.is_none_or(|before| {
                    before.span.end.line < token.span.start.line || is_one_of(&before.token, &["begin", "then"])
                });
                if first && (is_one_of(word, &BEGINNINGS) || is_one_of(word, &ENDINGS)) {
                    found.push(index);
                }
            }
        }
        before = Some(token);
    }
    found
}

fn is_one_of(token: &Token, words: &[&str]) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none()
        && words.iter().any(|known| word.value.eq_ignore_ascii_case(known)))
}

struct StatementSearch<'a> {
    dialect: Dialect,
    tokens: &'a [TokenWithSpan],
    edges: Vec<usize>,
    allowed: usize,
    found: Vec<Part>,
}

impl StatementSearch<'_> {
    /// Separates the statements between two semicolons.
    fn part(&mut self, whole: Range<usize>) {
        let mut begin = whole.start;
        while begin < whole.end {
            if self.tokens[begin..whole.end].iter().all(|token| matches!(token.token, Token::Whitespace(_))) {
                return;
            }
            let next = match self.statement(begin, whole.end) {
                Some((end, statements)) => {
                    self.record(begin..end, Ok(statements));
                    end
                }
                None => {
                    let next = self.next_statement(begin, whole.end).unwrap_or(whole.end);
                    let error = parse(&self.tokens[begin..next], self.dialect);
                    self.record(begin..next, error);
                    next
                }
            };
            begin = next;
        }
    }

    /// Records a part, without the white space around it.
    fn record(&mut self, tokens: Range<usize>, statements: Result<Vec<Statement>, ParserError>) {
        let is_blank = |index: &usize| matches!(self.tokens[*index].token, Token::Whitespace(_));
        let start = tokens.clone().find(|index| !is_blank(index)).unwrap_or(tokens.start);
        let end = tokens.clone().rev().find(|index| !is_blank(index)).map_or(tokens.end, |last| last + 1);
        self.found.push(Part { tokens: start..end, statements });
    }

    /// Returns the statement that begins at a token, if there is one, and its end.
    fn statement(&mut self, begin: usize, limit: usize) -> Option<(usize, Vec<Statement>)> {
        let ends = self.edges_within(begin, limit).into_iter().take(MAX_ENDS).chain([limit]);
        ends.into_iter().find_map(|end| Some((end, self.parsed(begin..end)?)))
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

    fn parsed(&mut self, tokens: Range<usize>) -> Option<Vec<Statement>> {
        self.allowed = self.allowed.checked_sub(tokens.len())?;
        parse(self.tokens.get(tokens)?, self.dialect).ok()
    }
}

#[cfg(test)]
mod tests {
    use sqlparser::tokenizer::Tokenizer;

    use super::*;

    /// Returns the parts as they are written, each with `!` if it is no statement.
    fn separated(sql: &str, dialect: Dialect) -> Option<Vec<String>> {
        let tokens = Tokenizer::new(dialect.grammar(), sql).tokenize_with_location().unwrap();
        let parts = separate(&tokens, dialect)?;
        let written = parts.into_iter().map(|part| {
            let text: String = tokens[part.tokens].iter().map(|token| token.token.to_string()).collect();
            format!("{}{text}", if part.statements.is_ok() { "" } else { "!" })
        });
        Some(written.collect())
    }

    #[test]
    fn t_sql_statements_are_separated_by_their_first_words() {
        let sql = "insert into t(a)\nselect b from s\n\ninsert into u(a) select c from s2\nupdate t\nset a = 1";
        assert_eq!(
            separated(sql, Dialect::Mssql).unwrap(),
            ["insert into t(a)\nselect b from s", "insert into u(a) select c from s2", "update t\nset a = 1"]
        );
    }

    #[test]
    fn the_statement_after_a_broken_one_is_found() {
        let sql = "insrt into t select 1\ncreate view v as\nselect a from s";
        assert_eq!(
            separated(sql, Dialect::Postgres).unwrap(),
            ["!insrt into t select 1", "create view v as\nselect a from s"]
        );
        assert_eq!(separated("selec a\nselect b from t", Dialect::Postgres), None);
    }

    #[test]
    fn the_statements_of_a_body_without_a_grammar_are_found() {
        let sql = "create or replace procedure p(x number) is\nbegin\n  insert into t select a from s;\nend;";
        let parts = separated(sql, Dialect::Oracle).unwrap();
        assert!(parts.contains(&"insert into t select a from s".to_owned()), "{parts:?}");
    }
}
