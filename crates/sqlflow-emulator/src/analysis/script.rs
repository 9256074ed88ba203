//! A script: it is split into statements, each of which is parsed and walked before the next.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use sqlparser::ast::{Expr, Statement};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, TokenizerError};

use super::body::{self, Body};
use super::builder::LineageBuilder;
use super::dialect::Dialect;
use super::line_index::LineIndex;
use super::separation::{self, Content, Head, Part};
use super::splitter::{self, Piece};
use super::tokens::is_one_of;
use super::walker::StatementWalker;
use super::{DiagnosticKind, SourceRange, clauses, client_commands, nesting, recovery, templates, without_lineage};

/// Reads a script into the builder.
pub(super) fn read(builder: &mut LineageBuilder, name: &str, text: &str) {
    let script = builder.next_script();
    let (text, templates) = templates::without_templates(text, builder.dialect());
    let (text, commands) = client_commands::without_commands(&text, builder.dialect());
    let lines = LineIndex::of(&text, script);
    let session = builder.settings.clone();
    let abandoned = Arc::clone(&builder.abandoned);
    let mut reader = ScriptReader { dialect: builder.dialect(), builder, file: name, text: &text, lines: &lines };
    for template in templates {
        reader.builder.templates.insert(template.name.to_lowercase());
        let outcome = match template.name.as_str() {
            "" => "was left out".to_owned(),
            name => format!("was read as the name {name}"),
        };
        reader.hint(template.at, &format!("the template {} {outcome}; submit the rendered SQL", template.text));
    }
    for command in commands {
        let what = format!("the command '{}' was not run; submit the file it needs as well", command.text);
        reader.hint(command.at, &what);
    }
    for piece in splitter::pieces(&text, reader.dialect) {
        if abandoned.load(Ordering::Relaxed) {
            break;
        }
        reader.piece(&piece);
    }
    // The effect of `USE` ends with the script.
    builder.settings = session;
}

/// Reads the pieces of one script.
struct ScriptReader<'a> {
    builder: &'a mut LineageBuilder,
    dialect: Dialect,
    file: &'a str,
    text: &'a str,
    lines: &'a LineIndex<'a>,
}

impl<'a> ScriptReader<'a> {
    /// Reports something that the script stands for and does not contain.
    fn hint(&mut self, byte: usize, what: &str) {
        let start = self.lines.position(byte);
        let (line, column) = start;
        let at = SourceRange { start, end: start, script: self.lines.script };
        let message = format!("{}: {what} (line {line}, column {column})", self.file);
        self.builder.add_diagnostic(DiagnosticKind::SyntaxHint, self.file, message, Some(at));
    }

    fn piece(&mut self, piece: &Piece) {
        let source = &self.text[piece.bytes.clone()];
        self.builder.base = SourceRange { start: piece.start, end: piece.end, script: self.lines.script };
        let tokens = match tokenize(source, piece.start, self.dialect) {
            Ok(tokens) => tokens,
            Err(error) => return self.syntax_error(&error.message, Some(error.location)),
        };
        if nesting::is_too_deep(source.len(), &tokens) {
            return self.too_deep();
        }
        match body::of(&tokens) {
            Some(Body::Foreign { language }) => {
                self.builder.understood();
                let what = format!("the body of a routine in {language} is not SQL and was not read");
                self.hint(piece.bytes.start, &what);
            }
            Some(Body::Quoted { text, start }) => self.quoted_body(&tokens, text, start),
            Some(Body::Following) => self.body(&tokens, None, "Expected: what the trigger does"),
            None => match understand(&tokens, self.dialect) {
                Ok(statements) => self.walk(None, source, &statements),
                Err(refused) => self.take_apart(&refused.reduced, None, &refused.error),
            },
        }
    }

    fn too_deep(&mut self) {
        let (line, column) = self.builder.base.start;
        let message = format!(
            "{}: not analyzed: an expression has too many operators, or a query too many parts, in the statement at \
             line {line}, column {column}; divide it",
            self.file
        );
        let at = Some(self.builder.base);
        self.builder.add_diagnostic(DiagnosticKind::SyntaxError, self.file, message, at);
    }

    /// Reads a routine whose body is a string.
    fn quoted_body(&mut self, head: &[TokenWithSpan], text: &str, start: (u64, u64)) {
        self.builder.understood();
        let tokens = match tokenize(text, start, self.dialect) {
            Ok(tokens) => tokens,
            Err(error) => return self.syntax_error(&error.message, Some(error.location)),
        };
        if nesting::is_too_deep(text.len(), &tokens) {
            return self.too_deep();
        }
        // A function may have an expression as its body, and then only computes.
        if parse_expression(&tokens, self.dialect).is_ok() {
            return;
        }
        let mut routine = separation::head(head, self.dialect);
        // A block without a name has variables of its own too.
        routine.name.get_or_insert_with(|| "DO".to_owned());
        self.body(&tokens, Some(routine), "Expected: a statement");
    }

    /// Reads the body of a routine. `expected` is the error if it has no part that can be read.
    fn body(&mut self, tokens: &[TokenWithSpan], head: Option<Head>, expected: &str) {
        let reduced = clauses::reduced(tokens, self.dialect);
        self.take_apart(&reduced, head, &ParserError::ParserError(expected.to_owned()));
    }

    /// Reads the parts of a piece that does not parse as a whole, or those of the body of a routine, from their
    /// [reduced](clauses::reduced) tokens.
    fn take_apart(&mut self, tokens: &[TokenWithSpan], head: Option<Head>, error: &ParserError) {
        let parts = separation::separate(tokens, self.dialect, head.is_some());
        let is_whole = matches!(parts.as_slice(), [Part { content: Content::Unreadable(_), .. }]);
        let nothing_read = parts.iter().all(|part| matches!(part.content, Content::Unreadable(_)));
        if nothing_read && head.is_none() && without_lineage::is_without_lineage(tokens, self.dialect) {
            return self.builder.understood();
        }
        if parts.is_empty() {
            self.builder.understood();
        }
        let mut routine = None;
        if let Some(head) = head {
            routine = self.enter(head);
        }
        for part in parts {
            let Some(source) = self.set_base(tokens, &part.tokens) else { continue };
            let mut walker = StatementWalker::new(self.builder, self.file, self.lines);
            walker.routine.clone_from(&routine);
            match part.content {
                Content::Statements(statements) => self.walk(routine.as_deref(), source, &statements),
                Content::Routine(head) => {
                    self.builder.understood();
                    routine = self.enter(head);
                }
                Content::Query { name, statements } => {
                    for statement in &statements {
                        match statement {
                            Statement::Query(query) => walker.open_cursor(name.as_ref(), query),
                            other => walker.statement(other, source),
                        }
                    }
                }
                Content::Declaration(name) => {
                    walker.declare_variable(&name);
                }
                Content::Assignment { variable, value } => walker.assign_variable(&variable, &value),
                Content::Fetch { cursor, into } => walker.fetch(&cursor, &into),
                Content::CursorLoop { record, cursor } => walker.loop_over_cursor(&record, &cursor),
                Content::Call(name) => walker.call_without_a_word(&name),
                Content::Unreadable(failed) => {
                    let failed = if is_whole { error } else { &failed };
                    self.unreadable(routine.as_deref(), source, &tokens[part.tokens], failed);
                }
            }
        }
    }

    /// Enters a routine: its parameters are variables. Returns its name.
    fn enter(&mut self, head: Head) -> Option<String> {
        let mut walker = StatementWalker::new(self.builder, self.file, self.lines);
        walker.routine.clone_from(&head.name);
        if let Some(table) = &head.table {
            walker.enter_trigger(table);
        }
        for parameter in &head.parameters {
            walker.declare_variable(parameter);
        }
        head.name
    }

    /// Makes some tokens the current statement. Returns their text.
    fn set_base(&mut self, tokens: &[TokenWithSpan], part: &Range<usize>) -> Option<&'a str> {
        let (first, last) = (tokens.get(part.start)?, tokens.get(part.end.checked_sub(1)?)?);
        let position = |place: Location| (place.line, place.column);
        let (start, end) = (position(first.span.start), position(last.span.end));
        self.builder.base = SourceRange { start, end, script: self.lines.script };
        let bytes = self.lines.byte(start.0, start.1).zip(self.lines.byte(end.0, end.1));
        Some(bytes.and_then(|(start, end)| self.text.get(start..end)).unwrap_or_default())
    }

    fn walk(&mut self, routine: Option<&str>, source: &str, statements: &[Statement]) {
        for statement in statements {
            self.builder.understood();
            let mut walker = StatementWalker::new(self.builder, self.file, self.lines);
            walker.routine = routine.map(str::to_owned);
            walker.statement(statement, source);
        }
    }

    /// Reads what it can of a statement that does not parse, and reports the rest.
    fn unreadable(&mut self, routine: Option<&str>, source: &str, tokens: &[TokenWithSpan], error: &ParserError) {
        if without_lineage::is_without_lineage(tokens, self.dialect) {
            return self.builder.understood();
        }
        if let Ok(statements) = understand(tokens, self.dialect) {
            return self.walk(routine, source, &statements);
        }
        if inserts_from_routine(tokens) {
            self.builder.understood();
            let advice = "submit its query as the source of the insert";
            return StatementWalker::new(self.builder, self.file, self.lines)
                .skip_statement_with("the result of the routine in INSERT … EXEC is", advice);
        }
        let Some(recovered) = recovery::recover(tokens, self.dialect, error) else {
            return self.parser_error(error);
        };
        self.walk(routine, source, &recovered.statements);
        for skipped in recovered.skipped {
            let (line, column) = (skipped.at.line, skipped.at.column);
            let message = format!(
                "{}: the clause '{}' at line {line}, column {column} was skipped, because it is not known; the rest \
                 of its statement was read",
                self.file, skipped.text
            );
            let at = SourceRange { start: (line, column), ..self.builder.base };
            self.builder.add_diagnostic(DiagnosticKind::AnalyzeError, self.file, message, Some(at));
        }
    }

    fn parser_error(&mut self, error: &ParserError) {
        let (ParserError::ParserError(message) | ParserError::TokenizerError(message)) = error else {
            return self.syntax_error("the statement is nested too deeply; divide it", None);
        };
        let reason = message.rsplit_once(" at Line: ").map_or(message.as_str(), |(reason, _)| reason);
        self.syntax_error(reason, position_of(error));
    }

    /// Reports a statement that could not be parsed, at the position where the parser stopped.
    fn syntax_error(&mut self, reason: &str, position: Option<Location>) {
        let base = self.builder.base;
        let position = position.filter(|place| place.line > 0).map(|place| (place.line, place.column));
        let (line, column) = position.unwrap_or(base.start);
        let at = SourceRange { start: (line, column), end: base.end.max((line, column)), script: base.script };
        let message = format!("{}: {reason} near line {line}, column {column}", self.file);
        self.builder.add_diagnostic(DiagnosticKind::SyntaxError, self.file, message, Some(at));
    }
}

/// Returns `true` for `INSERT INTO t EXEC p`.
fn inserts_from_routine(tokens: &[TokenWithSpan]) -> bool {
    tokens.first().is_some_and(|first| is_one_of(&first.token, &["insert"]))
        && tokens.iter().any(|token| is_one_of(&token.token, &["exec", "execute"]))
}

/// A statement that no grammar reads.
struct Refused {
    /// The error of the dialect's own grammar.
    error: ParserError,
    /// The tokens without the clauses that change nothing.
    reduced: Vec<TokenWithSpan>,
}

/// Parses a statement, if necessary without the clauses that change nothing, and with the grammar of a related dialect.
fn understand(tokens: &[TokenWithSpan], dialect: Dialect) -> Result<Vec<Statement>, Refused> {
    let respelled = clauses::respelled(tokens, dialect);
    let tokens = respelled.as_deref().unwrap_or(tokens);
    let error = match parse(tokens, dialect) {
        Ok(statements) => return Ok(statements),
        Err(error) => error,
    };
    let reduced = clauses::without_clauses(tokens, dialect).unwrap_or_else(|| tokens.to_vec());
    let grammars = std::iter::once(&dialect).chain(dialect.related());
    let understood = grammars.copied().find_map(|grammar| parse(&reduced, grammar).ok());
    understood.ok_or(Refused { error, reduced })
}

/// Collects the tables that a script defines column by column, so that scripts read before it know them too. Must be
/// called for the scripts in the order in which they are read.
pub(super) fn collect_definitions(builder: &mut LineageBuilder, text: &str) {
    let script = builder.next_script_of_definitions();
    let (text, _) = templates::without_templates(text, builder.dialect());
    let (text, _) = client_commands::without_commands(&text, builder.dialect());
    let lines = LineIndex::of(&text, script);
    let session = builder.settings.clone();
    let abandoned = Arc::clone(&builder.abandoned);
    for piece in splitter::pieces(&text, builder.dialect()) {
        if abandoned.load(Ordering::Relaxed) {
            break;
        }
        let source = &text[piece.bytes.clone()];
        if !defines(source) {
            continue;
        }
        builder.base = SourceRange { start: piece.start, end: piece.end, script };
        let tokens = tokenize(source, piece.start, builder.dialect()).unwrap_or_default();
        if nesting::is_too_deep(source.len(), &tokens) {
            continue;
        }
        for statement in &understand(&tokens, builder.dialect()).unwrap_or_default() {
            StatementWalker::new(builder, "", &lines).definition(statement);
        }
    }
    builder.settings = session;
}

/// Returns `true` if a statement may define a table or change the default namespace.
fn defines(statement: &str) -> bool {
    let mut words = statement.split_ascii_whitespace().take(5).map(str::to_ascii_lowercase);
    match words.next().as_deref() {
        Some("use") => true,
        Some("create") => words.any(|word| word == "table"),
        _ => false,
    }
}

/// Returns the tokens of a piece, with their positions in the script.
fn tokenize(source: &str, (line, column): (u64, u64), dialect: Dialect) -> Result<Vec<TokenWithSpan>, TokenizerError> {
    let moved = |place: Location| {
        let column = if place.line == 1 { place.column + column - 1 } else { place.column };
        Location::new(place.line + line - 1, column)
    };
    let tokens = Tokenizer::new(dialect.grammar(), source).tokenize_with_location();
    let tokens = tokens.map_err(|error| TokenizerError { location: moved(error.location), ..error })?;
    let mut moved_tokens: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    for mut token in tokens {
        token.span.start = moved(token.span.start);
        token.span.end = moved(token.span.end);
        // `:new.id` is a field of a row. A colon after a value begins a path in it instead.
        if token.token == Token::Period
            && matches!(dialect, Dialect::Oracle | Dialect::Snowflake)
            && let [.., before, colon, name] = moved_tokens.as_slice()
            && is_row_of_record(before, colon, name)
        {
            let colon = moved_tokens.len() - 2;
            moved_tokens.remove(colon);
        }
        moved_tokens.push(token);
    }
    Ok(moved_tokens)
}

/// Returns `true` for a colon and the name of a record, rather than for a path in the value before.
fn is_row_of_record(before: &TokenWithSpan, colon: &TokenWithSpan, name: &TokenWithSpan) -> bool {
    let follows_value = matches!(before.token, Token::Word(_) | Token::RParen | Token::RBracket);
    colon.token == Token::Colon && matches!(name.token, Token::Word(_)) && !follows_value
}

/// Parses the statements that tokens consist of.
pub(super) fn parse(tokens: &[TokenWithSpan], dialect: Dialect) -> Result<Vec<Statement>, ParserError> {
    Parser::new(dialect.grammar()).with_tokens_with_locations(tokens.to_vec()).parse_statements()
}

/// Parses an expression that tokens consist of.
pub(super) fn parse_expression(tokens: &[TokenWithSpan], dialect: Dialect) -> Result<Expr, ParserError> {
    let mut parser = Parser::new(dialect.grammar()).with_tokens_with_locations(tokens.to_vec());
    let expression = parser.parse_expr()?;
    match parser.peek_token().token {
        Token::EOF | Token::SemiColon => Ok(expression),
        other => Err(ParserError::ParserError(format!("Expected: end of the value, found: {other}"))),
    }
}

/// Returns the position that the message of the parser names.
pub(super) fn position_of(error: &ParserError) -> Option<Location> {
    let (ParserError::ParserError(message) | ParserError::TokenizerError(message)) = error else { return None };
    parse_position(message.rsplit_once(" at Line: ")?.1)
}

/// Parses `3, Column: 7`.
fn parse_position(text: &str) -> Option<Location> {
    let (line, column) = text.split_once(", Column: ")?;
    Some(Location::new(line.trim().parse().ok()?, column.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_their_positions_in_the_script() {
        let tokens = tokenize("a\n b", (10, 5), Dialect::Ansi).unwrap();
        assert_eq!(tokens.first().unwrap().span.start, Location::new(10, 5));
        assert_eq!(tokens.last().unwrap().span.start, Location::new(11, 2));
        let error = tokenize("a\n 'b", (10, 5), Dialect::Ansi).unwrap_err();
        assert_eq!(error.location.line, 11);
    }

    #[test]
    fn the_position_of_an_error_is_read_from_its_message() {
        assert_eq!(parse_position("2, Column: 3"), Some(Location::new(2, 3)));
    }
}
