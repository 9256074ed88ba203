//! Finds where the statements of a script begin and end, one after the other and without parsing them, so that the
//! memory for a script does not depend on the number of its statements.
//!
//! A semicolon ends a statement unless it is inside a routine or a block. Where the body of a routine ends cannot
//! always be told without its grammar; a piece that turns out to contain several statements is taken apart by
//! `separation`.

use std::ops::Range;

use super::dialect::Dialect;

/// A part of a script that contains a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// The bytes from the first token to the last, without the semicolon.
    pub(super) bytes: Range<usize>,
    /// The line and column of the first byte, counted from 1.
    pub(super) start: (u64, u64),
    /// The line and column after the last byte.
    pub(super) end: (u64, u64),
}

/// Returns the pieces of a script.
pub(super) fn pieces(text: &str, dialect: Dialect) -> Splitter<'_> {
    Splitter { text, dialect, at: 0, line: 1, column: 1 }
}

/// An iterator over the pieces of a script.
pub(super) struct Splitter<'a> {
    text: &'a str,
    dialect: Dialect,
    at: usize,
    line: u64,
    column: u64,
}

/// A lexical element that matters for finding the end of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lexeme<'a> {
    /// White space or a comment.
    Blank,
    Word(&'a str),
    Semicolon,
    /// The beginning or the end of a comment that the server executes.
    Bracket,
    /// A line that a client takes as the end of a batch.
    EndOfBatch,
    /// A quoted text, a number, or one other character.
    Other(u8),
}

impl Iterator for Splitter<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let mut blocks = Blocks::new(self.dialect);
        let mut piece: Option<Piece> = None;
        loop {
            let (at, start) = (self.at, (self.line, self.column));
            let Some(lexeme) = self.lexeme() else { return piece };
            match lexeme {
                Lexeme::EndOfBatch if piece.is_some() => return piece,
                Lexeme::Semicolon if blocks.ends_statement() => {
                    if piece.is_some() {
                        return piece;
                    }
                    continue;
                }
                Lexeme::Blank | Lexeme::EndOfBatch => continue,
                Lexeme::Bracket => {}
                Lexeme::Semicolon => blocks.semicolon(),
                Lexeme::Word(word) => blocks.word(word),
                Lexeme::Other(byte) => blocks.other(byte),
            }
            let piece = piece.get_or_insert(Piece { bytes: at..at, start, end: start });
            (piece.bytes.end, piece.end) = (self.at, (self.line, self.column));
        }
    }
}

impl<'a> Splitter<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    /// Moves over a number of bytes, which end between two characters.
    fn advance(&mut self, length: usize) {
        let end = (self.at + length).min(self.text.len());
        for byte in &self.text.as_bytes()[self.at..end] {
            if *byte == b'\n' {
                (self.line, self.column) = (self.line + 1, 1);
            } else if byte & 0xc0 != 0x80 {
                self.column += 1;
            }
        }
        self.at = end;
    }

    fn lexeme(&mut self) -> Option<Lexeme<'a>> {
        let rest = self.rest();
        let first = *rest.first()?;
        if self.column == 1
            && let Some(length) = self.end_of_batch()
        {
            self.advance(length);
            return Some(Lexeme::EndOfBatch);
        }
        let (length, lexeme) = match first {
            b';' => (1, Lexeme::Semicolon),
            b'-' if rest.starts_with(b"--") => (line_length(rest), Lexeme::Blank),
            b'#' if self.dialect.has_hash_comments() => (line_length(rest), Lexeme::Blank),
            // The server executes what is in `/*! … */`.
            b'/' if rest.starts_with(b"/*!") && self.dialect == Dialect::Mysql => {
                let version = rest[3..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                (3 + version, Lexeme::Bracket)
            }
            b'*' if rest.starts_with(b"*/") && self.dialect == Dialect::Mysql => (2, Lexeme::Bracket),
            b'/' if rest.starts_with(b"/*") => {
                (comment_length(rest, self.dialect.has_nested_comments()), Lexeme::Blank)
            }
            b'\'' if self.follows_oracle_quote() => (oracle_string_length(rest), Lexeme::Other(first)),
            quote @ (b'\'' | b'"' | b'`') => {
                let escapes = self.dialect.has_backslash_escapes() || self.follows_escape_prefix();
                (quoted_length(rest, quote, escapes && quote != b'`'), Lexeme::Other(first))
            }
            b'[' if self.dialect.has_bracket_quotes() => (quoted_length(rest, b']', false), Lexeme::Other(first)),
            b'$' if self.dialect.has_dollar_quotes() => (dollar_length(rest), Lexeme::Other(first)),
            byte if byte.is_ascii_whitespace() => {
                // One blank at a time would be slow; a line break is a step of its own, so that lines are noticed.
                let length = rest.iter().take_while(|byte| byte.is_ascii_whitespace() && **byte != b'\n').count();
                (length.max(1), Lexeme::Blank)
            }
            byte if is_word(byte) => {
                let length = rest.iter().take_while(|byte| is_word(**byte)).count();
                (length, Lexeme::Word(self.text.get(self.at..self.at + length).unwrap_or_default()))
            }
            other => (1, Lexeme::Other(other)),
        };
        self.advance(length);
        Some(lexeme)
    }

    /// Returns the length of a line that ends a batch: `GO`, perhaps with a number or a comment.
    fn end_of_batch(&self) -> Option<usize> {
        if self.dialect != Dialect::Mssql {
            return None;
        }
        let line = &self.rest()[..line_length(self.rest())];
        let said = std::str::from_utf8(line).ok()?;
        let said = said.split_once("--").map_or(said, |(said, _)| said);
        let mut words = said.trim().trim_end_matches(';').split_ascii_whitespace();
        let goes = words.next()?.eq_ignore_ascii_case("go")
            && words.next().is_none_or(|times| times.bytes().all(|byte| byte.is_ascii_digit()))
            && words.next().is_none();
        goes.then_some(line.len())
    }

    /// Returns `true` after the prefix `E` of a string with escapes.
    fn follows_escape_prefix(&self) -> bool {
        matches!(self.dialect, Dialect::Postgres | Dialect::Redshift | Dialect::Duckdb) && self.follows_letter(b'e')
    }

    fn follows_oracle_quote(&self) -> bool {
        self.dialect == Dialect::Oracle && self.follows_letter(b'q')
    }

    /// Returns `true` directly after a word that ends in the given letter and is a prefix of a string.
    fn follows_letter(&self, letter: u8) -> bool {
        let before = &self.text.as_bytes()[..self.at];
        let word = before.iter().rev().take_while(|byte| is_word(**byte)).count();
        (1..=2).contains(&word) && before.last().is_some_and(|byte| byte.eq_ignore_ascii_case(&letter))
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'@') || !byte.is_ascii()
}

/// Returns the length of the rest of a line, without its line break.
fn line_length(rest: &[u8]) -> usize {
    rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
}

fn comment_length(rest: &[u8], nested: bool) -> usize {
    let mut depth = 1_usize;
    let mut at = 2;
    while at < rest.len() {
        if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else if nested && rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// Returns the length of a quoted text that may contain its closing quote twice.
fn quoted_length(rest: &[u8], closing: u8, escapes: bool) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' if escapes => at += 2,
            byte if byte == closing && rest.get(at + 1) == Some(&closing) => at += 2,
            byte if byte == closing => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Returns the length of a string such as `'[it's]'`, which follows the prefix `q`.
fn oracle_string_length(rest: &[u8]) -> usize {
    let closing = match rest.get(1) {
        Some(b'[') => b']',
        Some(b'(') => b')',
        Some(b'{') => b'}',
        Some(b'<') => b'>',
        Some(other) => *other,
        None => return rest.len(),
    };
    let end = rest.windows(2).skip(2).position(|pair| pair == [closing, b'\'']);
    end.map_or(rest.len(), |end| end + 4)
}

/// Returns the length of a string between two equal tags, or 1 if there is no tag.
fn dollar_length(rest: &[u8]) -> usize {
    let name = rest[1..].iter().take_while(|byte| is_word(**byte)).count();
    let tag = &rest[..rest.len().min(name + 2)];
    if tag.last() != Some(&b'$') || tag.get(1).is_some_and(u8::is_ascii_digit) || tag.len() < 2 {
        return 1;
    }
    let body = &rest[tag.len()..];
    body.windows(tag.len()).position(|window| window == tag).map_or(rest.len(), |end| end + 2 * tag.len())
}

/// The form of a statement's body, as far as its first words tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    /// There is none, or it ends with its outermost block.
    Plain,
    /// It has not begun yet. A semicolon ends a declaration before it.
    Awaited,
    /// It ends with its batch.
    Batch,
}

/// The thing that stands before a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Something after which a statement may begin.
    Beginning,
    /// `BEGIN`, which begins a block or a transaction.
    Begin,
    /// `END`, whose next word may tell what it ends.
    End,
    Other,
}

/// The blocks of a routine that are open at a position.
struct Blocks {
    dialect: Dialect,
    /// The first words of the statement, in lower case, up to the kind of thing that it creates.
    head: Vec<String>,
    depth: usize,
    body: Body,
    before: Before,
}

/// The number of words that are looked at to find out what a statement creates.
const HEAD_WORDS: usize = 12;

impl Blocks {
    fn new(dialect: Dialect) -> Self {
        Self { dialect, head: Vec::new(), depth: 0, body: Body::Plain, before: Before::Beginning }
    }

    fn ends_statement(&mut self) -> bool {
        self.settle_begin("");
        self.depth == 0 && self.body == Body::Plain
    }

    fn semicolon(&mut self) {
        self.before = Before::Beginning;
    }

    fn other(&mut self, byte: u8) {
        self.settle_begin("");
        // The body is a string after `AS`.
        if self.body == Body::Awaited && self.before == Before::Beginning && matches!(byte, b'\'' | b'$') {
            self.body = Body::Plain;
        }
        // A label such as `<<name>>` or `name:` precedes a statement.
        self.before = if matches!(byte, b'>' | b':') { Before::Beginning } else { Before::Other };
    }

    /// Decides whether the `BEGIN` before a word begins a block or a transaction.
    fn settle_begin(&mut self, word: &str) {
        const TRANSACTIONS: [&str; 8] =
            ["", "transaction", "tran", "work", "deferred", "immediate", "exclusive", "isolation"];
        if self.before == Before::Begin {
            self.before = Before::Beginning;
            if !TRANSACTIONS.contains(&word) {
                self.depth += 1;
                self.body = if self.body == Body::Awaited { Body::Plain } else { self.body };
            }
        }
    }

    fn word(&mut self, word: &str) {
        let word = word.to_ascii_lowercase();
        self.settle_begin(&word);
        if self.head.len() < HEAD_WORDS && !self.head_is_decided() {
            self.head.push(word.clone());
            self.decide_head();
        }
        let before = std::mem::replace(&mut self.before, Before::Other);
        match word.as_str() {
            "end" => {
                self.depth = self.depth.saturating_sub(1);
                self.before = Before::End;
            }
            "if" | "loop" | "while" | "for" | "repeat" | "case" | "try" | "catch" if before == Before::End => {}
            // Only T-SQL reserves the word, so elsewhere it may be the name of a column.
            "begin" if before == Before::Beginning || self.head.len() > 1 || self.dialect == Dialect::Mssql => {
                self.before = Before::Begin;
            }
            "case" => self.depth += 1,
            "if" | "while" | "for" | "loop" | "repeat" if before == Before::Beginning && self.has_closed_loops() => {
                self.depth += 1;
            }
            "then" | "else" | "loop" | "do" | "as" | "is" | "declare" => self.before = Before::Beginning,
            _ => {}
        }
    }

    /// Returns `true` if `IF` and loops end with `END IF` and the like. T-SQL has none of these.
    fn has_closed_loops(&self) -> bool {
        self.dialect != Dialect::Mssql
    }

    fn head_is_decided(&self) -> bool {
        self.head
            .first()
            .is_some_and(|first| !matches!(first.as_str(), "create" | "alter" | "declare") || self.body != Body::Plain)
    }

    /// Finds out from the first words whether semicolons may be part of the statement.
    fn decide_head(&mut self) {
        let (Some(first), Some(last)) = (self.head.first(), self.head.last()) else { return };
        let creates = matches!(first.as_str(), "create" | "alter");
        let blocks_are_plain = matches!(
            self.dialect,
            Dialect::Oracle | Dialect::Snowflake | Dialect::Generic | Dialect::Teradata | Dialect::Ansi
        );
        match last.as_str() {
            "procedure" | "proc" | "function" | "trigger" if creates && self.dialect == Dialect::Mssql => {
                self.body = Body::Batch;
            }
            "procedure" | "function" | "trigger" if creates && blocks_are_plain => self.body = Body::Awaited,
            "body" if creates && self.head.iter().rev().nth(1).is_some_and(|word| word == "type") => self.depth += 1,
            "package" if creates => {
                self.body = Body::Plain;
                self.depth += 1;
            }
            // The declarations of an anonymous block.
            "declare" if self.head.len() == 1 && matches!(self.dialect, Dialect::Oracle | Dialect::Snowflake) => {
                self.body = Body::Awaited;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(dialect: Dialect, text: &str) -> Vec<&str> {
        pieces(text, dialect).map(|piece| &text[piece.bytes]).collect()
    }

    #[test]
    fn semicolons_end_statements_but_not_in_quotes_and_comments() {
        assert_eq!(split(Dialect::Ansi, " a ; b;;\n-- c;\n/* d; */ e "), ["a", "b", "e"]);
        assert_eq!(split(Dialect::Ansi, "a ';' b; c \"x;\"\"y\"; d"), ["a ';' b", "c \"x;\"\"y\"", "d"]);
        assert_eq!(split(Dialect::Mysql, r"a '\';' b; # it's; c\nd"), [r"a '\';' b"]);
        assert_eq!(
            split(Dialect::Postgres, r"a E'\';' b; do $x$ c; $y$; $x$; e '\'; f"),
            [r"a E'\';' b", "do $x$ c; $y$; $x$", r"e '\'", "f"]
        );
        assert_eq!(split(Dialect::Oracle, "a q'[it's; b]' c; d"), ["a q'[it's; b]' c", "d"]);
        assert_eq!(split(Dialect::Mssql, "select [a;]]b]; c"), ["select [a;]]b]", "c"]);
        assert_eq!(split(Dialect::Snowflake, "a $1 b; c"), ["a $1 b", "c"]);
    }

    #[test]
    fn an_executable_comment_is_part_of_a_statement() {
        assert_eq!(
            split(Dialect::Mysql, "/*!50001 create */ /*! view v */; a"),
            ["/*!50001 create */ /*! view v */", "a"]
        );
    }

    #[test]
    fn a_line_go_ends_a_batch() {
        assert_eq!(
            split(Dialect::Mssql, "a\nGO\nb\ngo 10\nc\n  GO --x\nd; e\nGO;\nsel go"),
            ["a", "b", "c", "d", "e", "sel go"]
        );
        assert_eq!(split(Dialect::Postgres, "a\ngo\nb"), ["a\ngo\nb"]);
    }

    #[test]
    fn a_routine_is_one_piece() {
        let oracle = "create or replace procedure p (x number) is v number; begin insert into t select 1; \
                      if a then b; elsif c then d; end if; for r in (select 1) loop e; end loop; end p; select 1";
        assert_eq!(split(Dialect::Oracle, oracle).len(), 2);
        let package =
            "create package body p as procedure a is begin b; end; procedure c is begin d; end; end; select 1";
        assert_eq!(split(Dialect::Oracle, package).len(), 2);
        assert_eq!(split(Dialect::Oracle, "declare v number; begin a; end; b").len(), 2);
        assert_eq!(split(Dialect::Mssql, "create proc p as a; b; begin c; end; d\ngo\ne").len(), 2);
        assert_eq!(
            split(Dialect::Mysql, "create procedure p() begin a; case x when 1 then b; end case; end; c").len(),
            2
        );
        assert_eq!(split(Dialect::Bigquery, "begin a; b; end; if x then c; end if; d").len(), 3);
    }

    #[test]
    fn a_body_that_is_a_string_ends_its_routine() {
        let sql = "create procedure p() language sql as $$ begin a; end $$; create function f() as 'x'; b";
        assert_eq!(split(Dialect::Snowflake, sql).len(), 3);
    }

    #[test]
    fn words_of_blocks_in_ordinary_statements_change_nothing() {
        assert_eq!(split(Dialect::Postgres, "begin; a; commit; b").len(), 4);
        assert_eq!(split(Dialect::Mssql, "begin tran; a; commit; b").len(), 4);
        assert_eq!(split(Dialect::Ansi, "select case when a then b end from t; c").len(), 2);
        assert_eq!(split(Dialect::Ansi, "create table if not exists t (a int); drop table if exists t; c").len(), 3);
        assert_eq!(split(Dialect::Mssql, "if @x = 1 begin a; b; end; c").len(), 2);
        assert_eq!(split(Dialect::Ansi, "insert into t select start, end from s; c").len(), 2);
    }

    #[test]
    fn lines_and_columns_count_characters() {
        let found: Vec<(u64, u64)> = pieces("ä; é\n  x;\n", Dialect::Ansi).map(|piece| piece.start).collect();
        assert_eq!(found, [(1, 1), (1, 4)]);
        let found: Vec<(u64, u64)> = pieces("a;\n  x;\n", Dialect::Ansi).map(|piece| piece.start).collect();
        assert_eq!(found, [(1, 1), (2, 3)]);
    }
}
