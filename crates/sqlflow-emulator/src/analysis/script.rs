//! A script: it is split into statements, each of which is parsed and walked before the next.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use sqlparser::ast::{Expr, Statement};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, TokenizerError};

use super::builder::LineageBuilder;
use super::dialect::Dialect;
use super::line_index::LineIndex;
use super::separation::{self, Content, Part};
use super::splitter::{self, Piece};
use super::walker::StatementWalker;
use super::{DiagnosticKind, SourceRange, clauses, client_commands, nesting, recovery, without_lineage};

/// Reads a script into the builder.
pub(super) fn read(builder: &mut LineageBuilder, name: &str, text: &str) {
    let script = builder.next_script();
    let readable = client_commands::without_commands(text, builder.dialect());
    let lines = LineIndex::of(&readable, script);
    let session = builder.settings.clone();
    let abandoned = Arc::clone(&builder.abandoned);
    for piece in splitter::pieces(&readable, builder.dialect()) {
        if abandoned.load(Ordering::Relaxed) {
            break;
        }
        read_piece(builder, name, &lines, &readable, &piece);
    }
    // The effect of `USE` ends with the script.
    builder.settings = session;
}

fn read_piece(builder: &mut LineageBuilder, file: &str, lines: &LineIndex<'_>, script: &str, piece: &Piece) {
    let source = &script[piece.bytes.clone()];
    builder.base = SourceRange { start: piece.start, end: lines.position(piece.bytes.end), script: lines.script };
    let tokens = match tokenize(source, piece.start, builder.dialect()) {
        Ok(tokens) => tokens,
        Err(error) => return syntax_error(builder, file, &error.message, Some(error.location)),
    };
    if nesting::is_too_deep(source.len(), &tokens) {
        let (line, column) = piece.start;
        let message = format!(
            "{file}: not analysed: an expression has too many operators, or a query too many parts, in the statement \
             at line {line}, column {column}; divide it"
        );
        return builder.add_diagnostic(DiagnosticKind::SyntaxError, file, message, Some(builder.base));
    }
    match understand(&tokens, builder.dialect()) {
        Ok(statements) => walk(builder, file, lines, source, &statements),
        Err(error) => take_apart(builder, file, lines, script, &tokens, &error),
    }
}

/// Parses a statement, if necessary without the clauses that change nothing, and with the grammar of a related dialect.
fn understand(tokens: &[TokenWithSpan], dialect: Dialect) -> Result<Vec<Statement>, ParserError> {
    let error = match parse(tokens, dialect) {
        Ok(statements) => return Ok(statements),
        Err(error) => error,
    };
    let reduced = clauses::without_clauses(tokens, dialect);
    let reduced = reduced.as_deref().unwrap_or(tokens);
    if let Ok(statements) = parse(reduced, dialect) {
        return Ok(statements);
    }
    let related = dialect.related().iter();
    related.copied().find_map(|related| parse(reduced, related).ok()).ok_or(error)
}

/// Reads the parts of a piece that does not parse as a whole.
fn take_apart(
    builder: &mut LineageBuilder,
    file: &str,
    lines: &LineIndex<'_>,
    script: &str,
    tokens: &[TokenWithSpan],
    error: &ParserError,
) {
    if without_lineage::is_without_lineage(tokens, builder.dialect()) {
        return builder.understood();
    }
    let reduced = clauses::without_clauses(tokens, builder.dialect());
    let tokens = reduced.as_deref().unwrap_or(tokens);
    let mut routine = None;
    let parts = separation::separate(tokens, builder.dialect());
    let is_whole = matches!(parts.as_slice(), [Part { content: Content::Unreadable(_), .. }]);
    for part in parts {
        let (Some(first), Some(last)) = (tokens.get(part.tokens.start), tokens.get(part.tokens.end - 1)) else {
            continue;
        };
        let position = |place: Location| (place.line, place.column);
        let (start, end) = (position(first.span.start), position(last.span.end));
        builder.base = SourceRange { start, end, script: lines.script };
        let bytes = lines.byte(start.0, start.1).zip(lines.byte(end.0, end.1));
        let source = bytes.and_then(|(start, end)| script.get(start..end)).unwrap_or_default();
        let mut walker = StatementWalker::new(builder, file, lines);
        walker.routine.clone_from(&routine);
        match part.content {
            Content::Statements(statements) => {
                for statement in &statements {
                    walker.builder.understood();
                    walker.statement(statement, source);
                }
            }
            Content::Routine { name, parameters } => {
                routine = name.map(|name| tokens[name].iter().map(|token| token.token.to_string()).collect());
                walker.builder.understood();
                walker.routine.clone_from(&routine);
                parameters.iter().for_each(|parameter| drop(walker.declare(parameter)));
            }
            Content::Query { name, statements } => {
                for statement in &statements {
                    match statement {
                        Statement::Query(query) => walker.open_cursor(name.as_ref(), query),
                        other => walker.statement(other, source),
                    }
                }
            }
            Content::Declaration(name) => drop(walker.declare(&name)),
            Content::Assignment { variable, value } => walker.assign_variable(&variable, &value),
            Content::Fetch { cursor, into } => walker.fetch(&cursor, &into),
            Content::Unreadable(failed) => {
                let failed = if is_whole { error } else { &failed };
                unreadable(builder, file, lines, source, &tokens[part.tokens], failed);
            }
        }
    }
}

/// Reads what it can of a statement that does not parse, and reports the rest.
fn unreadable(
    builder: &mut LineageBuilder,
    file: &str,
    lines: &LineIndex<'_>,
    source: &str,
    tokens: &[TokenWithSpan],
    error: &ParserError,
) {
    if without_lineage::is_without_lineage(tokens, builder.dialect()) {
        return builder.understood();
    }
    if let Ok(statements) = understand(tokens, builder.dialect()) {
        return walk(builder, file, lines, source, &statements);
    }
    let Some(recovered) = recovery::recover(tokens, builder.dialect(), error) else {
        return parser_error(builder, file, error);
    };
    walk(builder, file, lines, source, &recovered.statements);
    for skipped in recovered.skipped {
        let (line, column) = (skipped.at.line, skipped.at.column);
        let message = format!(
            "{file}: the clause '{}' at line {line}, column {column} was skipped, because it is not known; the rest \
             of its statement was read",
            skipped.text
        );
        let at = SourceRange { start: (line, column), ..builder.base };
        builder.add_diagnostic(DiagnosticKind::AnalyzeError, file, message, Some(at));
    }
}

fn walk(builder: &mut LineageBuilder, file: &str, lines: &LineIndex<'_>, source: &str, statements: &[Statement]) {
    for statement in statements {
        builder.understood();
        StatementWalker::new(builder, file, lines).statement(statement, source);
    }
}

/// Collects the tables that a script defines column by column, so that scripts read before it know them too. Must be
/// called for the scripts in the order in which they are read.
pub(super) fn collect_definitions(builder: &mut LineageBuilder, text: &str) {
    let script = builder.next_script_of_definitions();
    let text = client_commands::without_commands(text, builder.dialect());
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
        builder.base = SourceRange { start: piece.start, end: lines.position(piece.bytes.end), script };
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
    let tokens = tokens.into_iter().map(|mut token| {
        token.span.start = moved(token.span.start);
        token.span.end = moved(token.span.end);
        token
    });
    Ok(tokens.collect())
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

fn parser_error(builder: &mut LineageBuilder, file: &str, error: &ParserError) {
    let (ParserError::ParserError(message) | ParserError::TokenizerError(message)) = error else {
        return syntax_error(builder, file, "the statement is nested too deeply; divide it", None);
    };
    let reason = message.rsplit_once(" at Line: ").map_or(message.as_str(), |(reason, _)| reason);
    syntax_error(builder, file, reason, position_of(error));
}

/// Reports a statement that could not be parsed, at the position where the parser stopped.
fn syntax_error(builder: &mut LineageBuilder, file: &str, reason: &str, position: Option<Location>) {
    let position = position.filter(|place| place.line > 0).map(|place| (place.line, place.column));
    let (line, column) = position.unwrap_or(builder.base.start);
    let at =
        SourceRange { start: (line, column), end: builder.base.end.max((line, column)), script: builder.base.script };
    let message = format!("{file}: {reason} near line {line}, column {column}");
    builder.add_diagnostic(DiagnosticKind::SyntaxError, file, message, Some(at));
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
