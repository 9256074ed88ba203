//! Finds the statements of a piece that the parser refuses as a whole.
//!
//! T-SQL does not need semicolons, and a routine has code around its statements. Such a piece is read in parts: code is
//! recognised by `procedural`, and a statement ends at the first place where the tokens so far can be parsed.

use std::ops::Range;

use sqlparser::ast::{Expr, Ident, ObjectName, Statement};
use sqlparser::parser::ParserError;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::dialect::Dialect;
use super::procedural::{Code, ProceduralReader, Step};
use super::script::{parse, parse_expression};
use super::tokens::{is_blank, is_one_of};

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

/// A part of a piece.
pub(super) struct Part {
    /// The tokens, by their index.
    pub(super) tokens: Range<usize>,
    pub(super) content: Content,
}

/// The content of a part.
pub(super) enum Content {
    Statements(Vec<Statement>),
    Routine(Head),
    /// The query of a cursor or a loop, with the name of the cursor or the record.
    Query {
        name: Option<Ident>,
        statements: Vec<Statement>,
    },
    Declaration(Ident),
    Assignment {
        variable: Ident,
        value: Box<Expr>,
    },
    Fetch {
        cursor: Ident,
        into: Vec<Ident>,
    },
    CursorLoop {
        record: Ident,
        cursor: Ident,
    },
    Call(ObjectName),
    /// Neither code nor a statement.
    Unreadable(ParserError),
}

/// The head of a routine.
pub(super) struct Head {
    pub(super) name: Option<String>,
    pub(super) parameters: Vec<Ident>,
    /// The table whose changes run a trigger.
    pub(super) table: Option<ObjectName>,
}

/// Returns the head of the routine that tokens begin with.
pub(super) fn head(tokens: &[TokenWithSpan], dialect: Dialect) -> Head {
    let reader = ProceduralReader { tokens, dialect, declares: false };
    match reader.step(0, tokens.len()) {
        Some(Step { code: Code::Routine { name, parameters, table }, .. }) => {
            named_head(tokens, name, &parameters, table)
        }
        _ => Head { name: None, parameters: Vec::new(), table: None },
    }
}

fn named_head(
    tokens: &[TokenWithSpan],
    name: Option<Range<usize>>,
    parameters: &[usize],
    table: Option<Range<usize>>,
) -> Head {
    Head {
        name: name.map(|name| tokens[name].iter().map(|token| token.token.to_string()).collect()),
        parameters: parameters.iter().filter_map(|index| ident(tokens, *index)).collect(),
        table: table.map(|table| {
            let idents: Vec<Ident> = table.filter_map(|index| ident(tokens, index)).collect();
            ObjectName::from(idents)
        }),
    }
}

fn ident(tokens: &[TokenWithSpan], index: usize) -> Option<Ident> {
    match &tokens.get(index)?.token {
        Token::Word(word) => Some(word.to_ident(tokens[index].span)),
        _ => None,
    }
}

/// Returns the parts of a piece that does not parse as a whole. Code without lineage is left out. `is_procedural` is
/// `true` for the body of a routine.
pub(super) fn separate(tokens: &[TokenWithSpan], dialect: Dialect, is_procedural: bool) -> Vec<Part> {
    let mut search = StatementSearch {
        dialect,
        tokens,
        reader: ProceduralReader { tokens, dialect, declares: false },
        edges: edges(tokens),
        allowed: MAX_TOKENS,
        is_procedural,
        found: Vec::new(),
    };
    let mut begin = 0;
    for end in 0..=tokens.len() {
        if tokens.get(end).is_none_or(|token| token.token == Token::SemiColon) {
            search.part(begin..end);
            begin = end + 1;
        }
    }
    search.found
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

struct StatementSearch<'a> {
    dialect: Dialect,
    tokens: &'a [TokenWithSpan],
    reader: ProceduralReader<'a>,
    edges: Vec<usize>,
    allowed: usize,
    /// `true` after code has been found. Before, text that is not a statement is an error rather than code.
    is_procedural: bool,
    found: Vec<Part>,
}

impl StatementSearch<'_> {
    /// Separates the statements and the code between two semicolons.
    fn part(&mut self, whole: Range<usize>) {
        let mut begin = whole.start;
        while begin < whole.end {
            if is_blank(&self.tokens[begin]) {
                begin += 1;
            } else if let Some(step) = self.code(begin, whole.end) {
                self.is_procedural = true;
                begin = step.end.max(begin + 1);
            } else if let Some((end, statements)) = self.statement(begin, whole.end) {
                self.record(begin..end, Content::Statements(statements));
                begin = end;
            } else {
                let next = self.next_statement(begin, whole.end).unwrap_or(whole.end);
                if let Err(error) = parse(&self.tokens[begin..next], self.dialect) {
                    self.record(begin..next, Content::Unreadable(error));
                }
                begin = next;
            }
        }
    }

    /// Reads code that begins at a token.
    fn code(&mut self, begin: usize, limit: usize) -> Option<Step> {
        let step = self.reader.step(begin, limit)?;
        match self.reader.word(begin).as_str() {
            "begin" => self.reader.declares = false,
            "declare" => self.reader.declares = true,
            _ if matches!(step.code, Code::Routine { .. }) => self.reader.declares = true,
            _ => {}
        }
        // Without a routine or a block around it, only words that cannot mean anything else are code.
        let is_certain = self.is_procedural || self.reader.is_certain(begin);
        match &step.code {
            Code::Control | Code::Declaration { .. } if !is_certain => return None,
            Code::Call { .. } if !self.is_procedural => return None,
            Code::Control => {}
            Code::Routine { name, parameters, table } => {
                let head = named_head(self.tokens, name.clone(), parameters, table.clone());
                self.record(begin..step.end, Content::Routine(head));
            }
            Code::Query { name, query } => {
                let content = match parse(&self.tokens[query.clone()], self.dialect) {
                    Ok(statements) => {
                        Content::Query { name: name.and_then(|index| ident(self.tokens, index)), statements }
                    }
                    Err(error) => Content::Unreadable(error),
                };
                self.record(query.clone(), content);
            }
            Code::Declaration { variable } => {
                if let Some(variable) = ident(self.tokens, *variable) {
                    self.record(begin..step.end, Content::Declaration(variable));
                }
            }
            Code::Call { name } => {
                let parts: Vec<Ident> = name.clone().filter_map(|index| ident(self.tokens, index)).collect();
                self.record(begin..step.end, Content::Call(ObjectName::from(parts)));
            }
            Code::CursorLoop { record, cursor } => {
                if let Some((record, cursor)) = ident(self.tokens, *record).zip(ident(self.tokens, *cursor)) {
                    self.record(begin..step.end, Content::CursorLoop { record, cursor });
                }
            }
            Code::Fetch { cursor, into } => {
                if let Some(cursor) = ident(self.tokens, *cursor) {
                    let into = into.iter().filter_map(|index| ident(self.tokens, *index)).collect();
                    self.record(begin..step.end, Content::Fetch { cursor, into });
                }
            }
            Code::Assignment { variable, value } => {
                let content = match (
                    ident(self.tokens, *variable),
                    parse_expression(&self.tokens[value.clone()], self.dialect),
                ) {
                    (Some(variable), Ok(value)) => Content::Assignment { variable, value: Box::new(value) },
                    _ if !is_certain => return None,
                    (_, Err(error)) => Content::Unreadable(error),
                    (None, _) => return Some(step),
                };
                self.record(begin..step.end, content);
            }
        }
        Some(step)
    }

    /// Records a part, without the white space around it.
    fn record(&mut self, tokens: Range<usize>, content: Content) {
        let is_written = |index: &usize| !is_blank(&self.tokens[*index]);
        let start = tokens.clone().find(is_written).unwrap_or(tokens.start);
        let end = tokens.clone().rev().find(is_written).map_or(tokens.end, |last| last + 1);
        self.found.push(Part { tokens: start..end, content });
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

    /// Returns the parts as they are written, each with a mark if it is not a statement.
    fn separated(sql: &str, dialect: Dialect) -> Vec<String> {
        let tokens = Tokenizer::new(dialect.grammar(), sql).tokenize_with_location().unwrap();
        let parts = separate(&tokens, dialect, false);
        let written = parts.into_iter().map(|part| {
            let text: String = tokens[part.tokens].iter().map(|token| token.token.to_string()).collect();
            let mark = match part.content {
                Content::Statements(_) => "",
                Content::Routine(_) => "routine: ",
                Content::Query { .. } => "query: ",
                Content::Declaration(_) => "declaration: ",
                Content::Fetch { .. } => "fetch: ",
                Content::CursorLoop { .. } => "loop: ",
                Content::Call(_) => "call: ",
                Content::Assignment { .. } => "assignment: ",
                Content::Unreadable(_) => "unreadable: ",
            };
            format!("{mark}{text}")
        });
        written.collect()
    }

    #[test]
    fn t_sql_statements_are_separated_by_their_first_words() {
        let sql = "insert into t(a)\nselect b from s\n\ninsert into u(a) select c from s2\nupdate t\nset a = 1";
        assert_eq!(
            separated(sql, Dialect::Mssql),
            ["insert into t(a)\nselect b from s", "insert into u(a) select c from s2", "update t\nset a = 1"]
        );
    }

    #[test]
    fn the_statement_after_a_broken_one_is_found() {
        let sql = "insrt into t select 1\ncreate view v as\nselect a from s";
        assert_eq!(
            separated(sql, Dialect::Postgres),
            ["unreadable: insrt into t select 1", "create view v as\nselect a from s"]
        );
    }

    #[test]
    fn a_routine_consists_of_code_and_statements() {
        let sql = "create or replace procedure p(x number) is v number := 1; cursor c is select a from s;\nbegin\n\
                   if x > 1 then insert into t select a from s; elsif x = 2 then v := v + 1; end if;\n\
                   for r in (select b from u) loop delete from t where a = 1; end loop; return; end p;";
        assert_eq!(
            separated(sql, Dialect::Oracle),
            [
                "routine: create or replace procedure p(x number) is",
                "assignment: v number := 1",
                "query: select a from s",
                "insert into t select a from s",
                "assignment: v := v + 1",
                "query: select b from u",
                "delete from t where a = 1",
            ]
        );
        let sql = "create proc p @a int as\nset nocount on\ndeclare @v int = 1\nif @a > 1 begin\n\
                   insert into t select a from s\nend else\nset @v = @a + 1\nselect b from u\nreturn 0";
        assert_eq!(
            separated(sql, Dialect::Mssql),
            [
                "routine: create proc p @a int as",
                "assignment: declare @v int = 1",
                "insert into t select a from s",
                "assignment: set @v = @a + 1",
                "select b from u",
            ]
        );
        let sql = "create procedure p(in x int)\nbegin\ndeclare v int default 0;\n\
                   declare c cursor for select a from s;\ndeclare continue handler for not found set done = 1;\n\
                   set v = v + 1;\nwhile v < 3 do insert into t select a from s; end while;\nend";
        assert_eq!(
            separated(sql, Dialect::Mysql),
            [
                "routine: create procedure p(in x int)",
                "assignment: declare v int default 0",
                "query: select a from s",
                "assignment: set done = 1",
                "assignment: set v = v + 1",
                "insert into t select a from s",
            ]
        );
    }
}
