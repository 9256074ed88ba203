//! Procedural code around SQL statements: the heads of routines, blocks, conditions, loops, declarations, assignments.
//!
//! No grammar of a procedural language is needed to find the SQL in a routine. What may stand before a statement is
//! recognised by its first word and skipped up to the word that ends it, for example `IF … THEN`. What stands instead of
//! a statement is recognised in the same way, for example `x := …;` or `RETURN …;`.

use std::ops::Range;

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::dialect::Dialect;
use super::tokens::{self, outside_parentheses};

/// Code that is not an SQL statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Code {
    /// The head of a routine, with its name, those of its parameters, and that of the table of a trigger.
    Routine { name: Option<Range<usize>>, parameters: Vec<usize>, table: Option<Range<usize>> },
    /// The query of a cursor or a loop, with the name of the cursor or the record.
    Query { name: Option<usize>, query: Range<usize> },
    /// A variable without a value.
    Declaration { variable: usize },
    /// A value that is assigned to a variable.
    Assignment { variable: usize, value: Range<usize> },
    /// The call of a routine.
    Call { name: Range<usize> },
    /// A loop over a cursor that was declared before.
    CursorLoop { record: usize, cursor: usize },
    /// The variables that take the next row of a cursor.
    Fetch { cursor: usize, into: Vec<usize> },
    /// Control flow, or a command to the server, without lineage.
    Control,
}

/// A piece of procedural code, and the token after it.
pub(super) struct Step {
    pub(super) code: Code,
    pub(super) end: usize,
}

/// Reads the tokens of one piece.
pub(super) struct ProceduralReader<'a> {
    pub(super) tokens: &'a [TokenWithSpan],
    pub(super) dialect: Dialect,
    /// `true` between the head of a routine and its `BEGIN`.
    pub(super) declares: bool,
}

impl ProceduralReader<'_> {
    /// Returns the code at a token, or `None` if a statement may begin there. The token is not white space, and `limit`
    /// is the end of the statement, usually a semicolon.
    pub(super) fn step(&self, begin: usize, limit: usize) -> Option<Step> {
        let control = |end: usize| Some(Step { code: Code::Control, end: end.max(begin + 1).min(limit) });
        let after = |index: usize| control(index + 1);
        let word = self.word(begin);
        match word.as_str() {
            "<" | "<<" => self.find(begin, limit, &[">>", ">"]).and_then(|mut end| {
                while self.tokens.get(end + 1).is_some_and(|token| token.token == Token::Gt) {
                    end += 1;
                }
                after(end)
            }),
            "begin" => {
                let next = self.next(begin);
                match self.word(next).as_str() {
                    "try" | "catch" | "atomic" => after(next),
                    "tran" | "transaction" | "work" => control(self.end_of_command(next, limit)),
                    "not" => after(self.next(next)),
                    _ => after(begin),
                }
            }
            "else" | "loop" | "repeat" | "do" | "exception" | "atomic" | "then" => after(begin),
            "end" => control(self.end_of_end(begin, limit)),
            "if" | "elsif" | "elseif" if self.dialect != Dialect::Mssql => after(self.find(begin, limit, &["then"])?),
            "if" | "while" if self.dialect == Dialect::Mssql => control(self.next_statement(begin, limit)?),
            "when" => after(self.find(begin, limit, &["then"])?),
            "case" => control(self.find(begin, limit, &["when"])?),
            "while" => after(self.find(begin, limit, &["loop", "do"])?),
            "until" => control(self.find(begin, limit, &["end"]).unwrap_or(limit)),
            "for" | "foreach" => self.cursor_loop(begin, limit),
            "forall" => {
                let end = self.find(begin, limit, &["insert", "update", "delete", "merge", "execute"])?;
                Some(Step { code: Code::Declaration { variable: self.next(begin) }, end })
            }
            "declare" => self.declaration(begin, limit),
            "cursor" => self.query_after(&["is", "for", "as"], begin, limit),
            "open" => {
                let end = self.end_of_command(begin, limit);
                self.query_after(&["for"], begin, end).or_else(|| control(end))
            }
            "return" => match self.word(self.next(begin)).as_str() {
                "query" => control(self.next(self.next(begin))),
                "select" | "with" => after(begin),
                _ => control(self.end_of_command(begin, limit)),
            },
            "create" | "alter" | "procedure" | "function" | "package" | "constructor" | "member" => {
                self.routine(begin, limit)
            }
            "set" if self.dialect == Dialect::Mssql || self.in_procedure(begin) => {
                Some(self.assignment_after_set(begin, limit))
            }
            // The parser reads these, and the walker decides about them.
            "exec" | "call" | "execute" | "truncate" | "lock" => None,
            // `PERFORM f(x)` runs a query and drops its result.
            "perform" => control(limit),
            "let" => self.initial_value(self.next(begin), limit),
            "fetch" => Some(self.fetch(begin, limit)),
            "close" | "exit" | "continue" | "leave" | "iterate" | "null" | "raise" | "print" | "goto" | "raiserror"
            | "throw" | "waitfor" | "signal" | "resignal" | "pragma" | "type" | "subtype" | "deallocate" | "break"
            | "commit" | "rollback" | "save" | "savepoint" | "get" | "assert" | "go" | "pipe" => {
                control(self.end_of_command(begin, limit))
            }
            _ => self.assignment(begin, limit),
        }
    }

    /// Returns `true` for a word that begins code, whatever is around it.
    pub(super) fn is_certain(&self, begin: usize) -> bool {
        const WORDS: [&str; 21] = [
            "<<",
            "begin",
            "declare",
            "if",
            "while",
            "end",
            "else",
            "elsif",
            "elseif",
            "print",
            "raiserror",
            "throw",
            "return",
            "waitfor",
            "set",
            "loop",
            "for",
            "open",
            "fetch",
            "close",
            "deallocate",
        ];
        WORDS.contains(&self.word(begin).as_str())
    }

    /// Returns the end of a command that consists of words and values: the semicolon, or in T-SQL the next statement.
    fn end_of_command(&self, begin: usize, limit: usize) -> usize {
        if self.dialect == Dialect::Mssql { self.next_statement(begin, limit).unwrap_or(limit) } else { limit }
    }

    /// Returns the end of `END IF`, `END name` and the like.
    fn end_of_end(&self, begin: usize, limit: usize) -> usize {
        let next = self.next(begin);
        if self.dialect != Dialect::Mssql {
            return limit;
        }
        let suffix = matches!(self.word(next).as_str(), "try" | "catch" | "conversation");
        (if suffix { next + 1 } else { begin + 1 }).min(limit)
    }

    /// Reads the head of a routine up to its body.
    fn routine(&self, begin: usize, limit: usize) -> Option<Step> {
        let mut at = begin;
        let mut kind = None;
        for _ in 0..12 {
            match self.word(at).as_str() {
                "procedure" | "proc" | "function" | "trigger" | "package" | "event" | "task" => {
                    kind = Some(at);
                    break;
                }
                "type" if self.word(self.next(at)) == "body" => {
                    kind = Some(at);
                    break;
                }
                "table" | "view" | "index" | "" => return None,
                _ => at = self.next(at),
            }
        }
        let kind = kind?;
        let mut name = self.next(kind);
        if self.word(name) == "body" {
            name = self.next(name);
        }
        if self.word(name) == "if" {
            name = self.next(self.next(self.next(name)));
        }
        let end = self.end_of_name(name);
        let named = (end > name).then_some(name..end);
        let is_trigger = self.word(kind) == "trigger";
        let body = self.body_of_routine(kind, end, limit).unwrap_or(limit);
        let table = is_trigger.then(|| self.find(end.saturating_sub(1), body, &["on"])).flatten().map(|on| {
            let start = self.next(on);
            start..self.end_of_name(start)
        });
        let parameters = if is_trigger { Vec::new() } else { self.parameters(end, body) };
        Some(Step { code: Code::Routine { name: named, parameters, table }, end: body })
    }

    /// Returns the token after a name with its qualifiers, which contains no blanks.
    fn end_of_name(&self, begin: usize) -> usize {
        let rest = self.tokens.get(begin..).unwrap_or_default();
        begin + rest.iter().take_while(|token| matches!(token.token, Token::Word(_) | Token::Period)).count()
    }

    /// Returns the token at which the body of a routine begins.
    fn body_of_routine(&self, kind: usize, end: usize, limit: usize) -> Option<usize> {
        let kind = self.word(kind);
        let mut depth = 0_usize;
        let mut returned = None;
        for index in end..limit {
            match &self.tokens[index].token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                Token::Word(_) if depth == 0 => match self.word(index).as_str() {
                    // `EXECUTE AS OWNER` is an option.
                    "as" if self.word(self.previous(index)) == "execute" => {}
                    "is" | "as" => return Some(index + 1),
                    "begin" | "declare" if index > end => return Some(index),
                    // `RETURN number IS` is part of the head, `RETURN a + b` is a body.
                    "return" if index > end => returned = returned.or(Some(index)),
                    "do" if kind == "event" => return Some(index + 1),
                    "row" if kind == "trigger" && is_statement(&self.word(self.next(index))) => return Some(index + 1),
                    _ => {}
                },
                _ => {}
            }
        }
        returned
    }

    /// Returns the names of the parameters in the head of a routine.
    fn parameters(&self, begin: usize, body: usize) -> Vec<usize> {
        const MODES: [&str; 4] = ["in", "out", "inout", "variadic"];
        let first = self.next(begin.saturating_sub(1));
        let wrapped = self.word(first) == "(";
        let mut depth = usize::from(!wrapped);
        let mut awaited = !wrapped;
        let mut found = Vec::new();
        for index in first..body {
            match &self.tokens[index].token {
                Token::LParen => {
                    depth += 1;
                    awaited |= depth == 1;
                }
                Token::RParen if depth <= 1 && wrapped => break,
                Token::RParen => depth = depth.saturating_sub(1),
                Token::Comma if depth == 1 => awaited = true,
                Token::Word(word) if awaited && depth == 1 => {
                    awaited = MODES.iter().any(|mode| word.value.eq_ignore_ascii_case(mode));
                    if !awaited && (wrapped || word.value.starts_with('@')) {
                        found.push(index);
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// Reads `FETCH NEXT FROM c INTO a, b`.
    fn fetch(&self, begin: usize, limit: usize) -> Step {
        let end = self.end_of_command(begin, limit);
        let names = |from: usize, to: usize| {
            (from..to).filter(|index| matches!(self.tokens[*index].token, Token::Word(_))).collect::<Vec<_>>()
        };
        let into = self.find(begin, end, &["into"]);
        let targets = |into: usize| names(into + 1, self.find(into, end, &["limit"]).unwrap_or(end));
        match into.and_then(|into| Some((names(begin + 1, into).pop()?, targets(into)))) {
            Some((cursor, into)) => Step { code: Code::Fetch { cursor, into }, end },
            None => Step { code: Code::Control, end },
        }
    }

    /// Reads `FOR r IN (SELECT …) LOOP` and its kind.
    fn cursor_loop(&self, begin: usize, limit: usize) -> Option<Step> {
        let end = self.find(begin, limit, &["loop", "do"])?;
        let query = (begin..end).find(|index| matches!(self.word(*index).as_str(), "select" | "with"));
        let Some(query) = query else { return Some(self.loop_without_query(begin, end)) };
        let last = (query..end).rev().find(|index| !self.is_blank(*index))?;
        let wrapped = self.tokens[self.previous(query)].token == Token::LParen;
        let until = if wrapped && self.tokens[last].token == Token::RParen { last } else { last + 1 };
        Some(Step { code: Code::Query { name: Some(self.next(begin)), query: query..until }, end: end + 1 })
    }

    /// Reads `FOR i IN 1..10 LOOP` and `FOR r IN c LOOP`, where a cursor was declared before.
    fn loop_without_query(&self, begin: usize, end: usize) -> Step {
        let name = self.next(begin);
        let source = self.next(self.next(name));
        let is_name = matches!(self.tokens.get(source), Some(TokenWithSpan { token: Token::Word(_), .. }));
        let after = self.next(source);
        let is_cursor = is_name && (after == end || self.word(after) == "(");
        let code = if is_cursor {
            Code::CursorLoop { record: name, cursor: source }
        } else {
            Code::Declaration { variable: name }
        };
        Step { code, end: end + 1 }
    }

    fn declaration(&self, begin: usize, limit: usize) -> Option<Step> {
        let next = self.next(begin);
        if self.dialect == Dialect::Mssql {
            // `DECLARE c CURSOR FOR SELECT …` has a query; a table variable is a statement of the parser.
            if self.is_soon("table", next, 6, limit) {
                return None;
            }
            let stop = self.end_of_command(begin, limit);
            return self
                .query_after(&["for"], begin, limit)
                .filter(|_| self.is_soon("cursor", next, 12, limit))
                .or_else(|| self.initial_value(next, stop))
                .or(Some(Step { code: Code::Declaration { variable: next }, end: stop }));
        }
        // The declarations of these follow one by one.
        if matches!(self.dialect, Dialect::Oracle | Dialect::Snowflake | Dialect::Postgres) {
            return Some(Step { code: Code::Control, end: begin + 1 });
        }
        if self.is_soon("cursor", next, 12, limit) {
            return self.query_after(&["for", "is"], begin, limit).or(Some(Step { code: Code::Control, end: limit }));
        }
        if self.is_soon("handler", next, 4, limit) {
            let end = self.find(next, limit, &["for"])?;
            let start = self.next_statement(end, limit).unwrap_or(limit);
            return Some(Step { code: Code::Control, end: start });
        }
        self.initial_value(next, limit).or(Some(Step { code: Code::Declaration { variable: next }, end: limit }))
    }

    /// Returns `true` if a word is among the next tokens.
    fn is_soon(&self, word: &str, begin: usize, tokens: usize, limit: usize) -> bool {
        (begin..limit.min(begin + tokens)).any(|index| self.word(index) == word)
    }

    /// Reads `x type := value`, `x type DEFAULT value` and `x type = value`.
    fn initial_value(&self, name: usize, limit: usize) -> Option<Step> {
        let sign = self.find(name, limit, &[":=", "default", "="])?;
        let value = self.next(sign);
        (value < limit).then_some(Step { code: Code::Assignment { variable: name, value: value..limit }, end: limit })
    }

    /// Reads the query of the cursor whose name follows a word.
    fn query_after(&self, words: &[&str], begin: usize, limit: usize) -> Option<Step> {
        self.query_of_cursor(self.next(begin), words, begin, limit)
    }

    fn query_of_cursor(&self, name: usize, words: &[&str], begin: usize, limit: usize) -> Option<Step> {
        let name = Some(name);
        let query = self.next(self.find(begin, limit, words)?);
        if !matches!(self.word(query).as_str(), "select" | "with" | "(") {
            return None;
        }
        let end = self.end_of_command(query, limit);
        Some(Step { code: Code::Query { name, query: query..end }, end })
    }

    fn assignment_after_set(&self, begin: usize, limit: usize) -> Step {
        let name = self.next(begin);
        let sign = self.next(name);
        let end = self.end_of_command(begin, limit);
        match self.tokens.get(sign).map(|token| token.token.to_string()).as_deref() {
            Some("=" | ":=") => Step { code: Code::Assignment { variable: name, value: self.next(sign)..end }, end },
            _ => Step { code: Code::Control, end },
        }
    }

    /// Reads `x := value`, a declaration of PL/SQL, a call of a procedure or a label.
    fn assignment(&self, begin: usize, limit: usize) -> Option<Step> {
        let Token::Word(first) = &self.tokens.get(begin)?.token else { return None };
        if is_statement(&first.value) && first.quote_style.is_none() {
            return None;
        }
        let mut next = self.next(begin);
        while self.tokens.get(next).is_some_and(|token| token.token == Token::Period) {
            next = self.next(self.next(next));
        }
        let sign = self.tokens.get(next).map(|token| token.token.to_string()).unwrap_or_default();
        if self.declares && self.word(next) == "cursor" {
            return self.query_of_cursor(begin, &["for", "is"], next, limit);
        }
        match sign.as_str() {
            ":=" | "=" => {
                Some(Step { code: Code::Assignment { variable: begin, value: self.next(next)..limit }, end: limit })
            }
            ":" => Some(Step { code: Code::Control, end: next + 1 }),
            // A call such as `log_it('x');` or `p;`.
            "(" | ";" | "" if self.has_calls_without_a_word() => {
                Some(Step { code: Code::Call { name: begin..next }, end: limit })
            }
            _ if self.declares && self.has_declarations() && next < limit => self
                .initial_value(begin, limit)
                .or(Some(Step { code: Code::Declaration { variable: begin }, end: limit })),
            _ => None,
        }
    }

    fn has_calls_without_a_word(&self) -> bool {
        matches!(self.dialect, Dialect::Oracle | Dialect::Generic)
    }

    fn has_declarations(&self) -> bool {
        matches!(self.dialect, Dialect::Oracle | Dialect::Snowflake | Dialect::Postgres | Dialect::Generic)
    }

    /// Returns `true` if a `SET` is inside a routine, where it assigns a variable.
    fn in_procedure(&self, begin: usize) -> bool {
        (0..begin).any(|index| self.word(index) == "begin")
    }

    /// Returns the token at which the next statement of T-SQL begins.
    fn next_statement(&self, begin: usize, limit: usize) -> Option<usize> {
        self.find_word(begin, limit, |word| is_statement(word) || is_control(word))
    }

    /// Returns the first of some words outside of parentheses and `CASE … END`.
    fn find(&self, begin: usize, limit: usize, words: &[&str]) -> Option<usize> {
        self.find_word(begin, limit, |word| words.contains(&word))
    }

    /// Returns the first word that is meant, outside of parentheses and `CASE … END`.
    fn find_word(&self, begin: usize, limit: usize, is_meant: impl Fn(&str) -> bool) -> Option<usize> {
        let mut cases = 0_usize;
        let rest = self.tokens.get(begin + 1..limit)?;
        outside_parentheses(rest).map(|index| begin + 1 + index).find(|index| {
            let word = self.word(*index);
            if cases == 0 && is_meant(&word) {
                return true;
            }
            match word.as_str() {
                "case" => cases += 1,
                "end" => cases = cases.saturating_sub(1),
                _ => {}
            }
            false
        })
    }

    fn is_blank(&self, index: usize) -> bool {
        self.tokens.get(index).is_some_and(tokens::is_blank)
    }

    /// Returns the next token that is not white space.
    fn next(&self, index: usize) -> usize {
        let mut next = index + 1;
        while self.is_blank(next) {
            next += 1;
        }
        next
    }

    fn previous(&self, index: usize) -> usize {
        let mut previous = index.saturating_sub(1);
        while previous > 0 && self.is_blank(previous) {
            previous -= 1;
        }
        previous
    }

    /// Returns a word in lower case, or any other token as it is written.
    pub(super) fn word(&self, index: usize) -> String {
        match self.tokens.get(index).map(|token| &token.token) {
            Some(Token::Word(word)) if word.quote_style.is_none() => word.value.to_ascii_lowercase(),
            Some(Token::Whitespace(_)) | None => String::new(),
            Some(other) => other.to_string(),
        }
    }
}

/// Returns `true` for a word that begins an SQL statement.
fn is_statement(word: &str) -> bool {
    const WORDS: [&str; 19] = [
        "select", "with", "insert", "update", "delete", "merge", "create", "alter", "drop", "truncate", "execute",
        "exec", "call", "replace", "use", "copy", "unload", "sel", "explain",
    ];
    WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// Returns `true` for a word that begins control flow in T-SQL.
fn is_control(word: &str) -> bool {
    const WORDS: [&str; 22] = [
        "begin",
        "end",
        "if",
        "else",
        "while",
        "set",
        "declare",
        "return",
        "print",
        "raiserror",
        "throw",
        "break",
        "continue",
        "goto",
        "fetch",
        "open",
        "close",
        "deallocate",
        "commit",
        "rollback",
        "waitfor",
        "save",
    ];
    WORDS.contains(&word)
}
