//! A script: `flowscope-core` splits, parses and analyses it, and each statement's syntax tree is walked.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use flowscope_core::{
    AnalyzeRequest, AnalyzeResult, Dialect, EdgeType, Issue, ParseError, Severity, StatementSplitRequest, analyze,
    issue_codes, parse_sql_with_dialect, split_statements,
};

use super::builder::LineageBuilder;
use super::line_index::LineIndex;
use super::walker::StatementWalker;
use super::{DiagnosticKind, SourceRange, client_commands, nesting, separation};

/// Reads a script into the builder.
pub(super) fn read(builder: &mut LineageBuilder, name: &str, text: &str) {
    let script = builder.next_script();
    if client_commands::is_blank(text) {
        return;
    }
    let readable = client_commands::without_commands(text, builder.dialect());
    if nesting::is_too_deep(&readable, builder.dialect()) {
        let message = format!("{name}: not analysed: an expression has too many operators, or a query too many parts");
        return builder.add_diagnostic(DiagnosticKind::SyntaxError, name, message, None);
    }
    // A semicolon may replace a line break, so lines are counted in the text without added semicolons.
    let lines = LineIndex::of(&readable, script);
    let (result, separated) = analysed(&readable, builder.dialect());
    let text = separated.as_deref().unwrap_or(&readable);
    for issue in &result.issues {
        report(builder, name, &lines, issue);
    }
    let by_statement = OwnersByStatement::of(&result);
    let session = builder.settings.clone();
    let abandoned = Arc::clone(&builder.abandoned);
    for statement in result.statements.iter().take_while(|_| !abandoned.load(Ordering::Relaxed)) {
        let Some(span) = statement.span else { continue };
        let Some(source) = text.get(span.start..span.end).map(str::trim_start) else { continue };
        builder.base = lines.range(span.end - source.len(), span.end);
        match parse_sql_with_dialect(source, builder.dialect()) {
            Ok(parsed) => {
                for tree in &parsed {
                    builder.understood();
                    let owners = by_statement.of_statement(statement.statement_index);
                    StatementWalker::new(builder, name, &owners, source).statement(tree, source);
                }
            }
            Err(error) => syntax_error(builder, name, &error),
        }
    }
    adopt_types(builder, &result);
    // The effect of `USE` ends with the script.
    builder.settings = session;
}

/// Collects the tables that a script defines column by column, so that scripts read before it know them too. Must be
/// called for the scripts in the order in which they are read.
pub(super) fn collect_definitions(builder: &mut LineageBuilder, text: &str) {
    let script = builder.next_script_of_definitions();
    if client_commands::is_blank(text) {
        return;
    }
    let text = client_commands::without_commands(text, builder.dialect());
    if nesting::is_too_deep(&text, builder.dialect()) {
        return;
    }
    let lines = LineIndex::of(&text, script);
    let session = builder.settings.clone();
    let split = split_statements(&StatementSplitRequest { sql: text.clone(), dialect: builder.dialect() });
    let abandoned = Arc::clone(&builder.abandoned);
    for span in split.statements.iter().take_while(|_| !abandoned.load(Ordering::Relaxed)) {
        let Some(source) = text.get(span.start..span.end).map(str::trim_start) else { continue };
        let source = client_commands::without_leading_comments(source);
        if defines(source) {
            builder.base = lines.range(span.end - source.len(), span.end);
            let parsed = parse_sql_with_dialect(source, builder.dialect()).unwrap_or_default();
            let owners = ColumnOwners::default();
            for tree in &parsed {
                StatementWalker::new(builder, "", &owners, source).definition(tree);
            }
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

/// Analyses a script with `flowscope-core`. If it does not parse, adds semicolons that are missing and tries again.
fn analysed(text: &str, dialect: Dialect) -> (AnalyzeResult, Option<String>) {
    let analyse = |text: &str| {
        analyze(&AnalyzeRequest {
            sql: text.to_owned(),
            files: None,
            dialect,
            source_name: None,
            options: None,
            schema: None,
        })
    };
    let result = analyse(text);
    let refused = result.issues.iter().any(|issue| issue.code == issue_codes::PARSE_ERROR);
    match refused.then(|| separation::separate(text, dialect)).flatten() {
        Some(separated) => (analyse(&separated), Some(separated)),
        None => (result, None),
    }
}

/// The columns that `flowscope-core` assigned to tables, by statement.
struct OwnersByStatement {
    by_statement: HashMap<usize, Arc<HashSet<(String, String)>>>,
}

/// The pairs of a table and its column in one statement, in lower case.
pub(super) type ColumnOwners = Arc<HashSet<(String, String)>>;

impl OwnersByStatement {
    fn of(result: &AnalyzeResult) -> Self {
        let nodes: HashMap<&str, _> = result.nodes.iter().map(|node| (node.id.as_ref(), node)).collect();
        let mut found: HashMap<usize, HashSet<(String, String)>> = HashMap::new();
        for edge in result.edges.iter().filter(|edge| edge.edge_type == EdgeType::Ownership) {
            let (Some(table), Some(column)) = (nodes.get(edge.from.as_ref()), nodes.get(edge.to.as_ref())) else {
                continue;
            };
            for statement in &column.statement_ids {
                found.entry(*statement).or_default().insert((table.label.to_lowercase(), column.label.to_lowercase()));
            }
        }
        Self { by_statement: found.into_iter().map(|(statement, owned)| (statement, Arc::new(owned))).collect() }
    }

    fn of_statement(&self, index: usize) -> ColumnOwners {
        self.by_statement.get(&index).cloned().unwrap_or_default()
    }
}

/// Reports an issue that kept a part of the script from being understood. Other issues concern a schema that the
/// emulator tracks itself, and are ignored.
fn report(builder: &mut LineageBuilder, file: &str, lines: &LineIndex<'_>, issue: &Issue) {
    if let Some(span) = issue.span {
        builder.base = lines.range(span.start, span.end);
    } else {
        builder.base = lines.range(0, 0);
    }
    match issue.code.as_str() {
        issue_codes::PARSE_ERROR => syntax_error(builder, file, &ParseError::new(issue.message.clone())),
        issue_codes::UNSUPPORTED_SYNTAX | issue_codes::UNSUPPORTED_RECURSIVE_CTE => {
            let message = format!("{file}: {}", issue.message);
            builder.add_diagnostic(
                DiagnosticKind::SyntaxHint,
                file,
                message,
                issue.span.map(|span| lines.range(span.start, span.end)),
            );
        }
        _ if issue.severity == Severity::Error && issue.code != issue_codes::INVALID_REQUEST => {
            builder.add_diagnostic(
                DiagnosticKind::AnalyzeError,
                file,
                format!("{file}: {}", issue.message),
                Some(builder.base),
            );
        }
        _ => {}
    }
}

/// Reports a statement that could not be parsed, at the position where the parser stopped.
fn syntax_error(builder: &mut LineageBuilder, file: &str, error: &ParseError) {
    let message = &error.message;
    let reason = message.rsplit_once("sql parser error: ").map_or(message.as_str(), |(_, reason)| reason);
    let (reason, position) = match reason.rsplit_once(" at Line: ") {
        Some((reason, position)) => (reason, parse_position(position)),
        None => (reason, None),
    };
    let (line, column) = position.map_or(builder.base.start, |position| offset(builder.base, position));
    let at =
        SourceRange { start: (line, column), end: builder.base.end.max((line, column)), script: builder.base.script };
    builder.add_diagnostic(
        DiagnosticKind::SyntaxError,
        file,
        format!("{file}: {reason} near line {line}, column {column}"),
        Some(at),
    );
}

/// Parses `3, Column: 7`.
fn parse_position(text: &str) -> Option<(u64, u64)> {
    let (line, column) = text.split_once(", Column: ")?;
    Some((line.trim().parse().ok()?, column.trim().parse().ok()?))
}

fn offset(base: SourceRange, (line, column): (u64, u64)) -> (u64, u64) {
    match line {
        0 => base.start,
        1 => (base.start.0, base.start.1 + column.saturating_sub(1)),
        _ => (base.start.0 + line - 1, column),
    }
}

/// Adopts the data types that the scripts imply.
fn adopt_types(builder: &mut LineageBuilder, result: &AnalyzeResult) {
    let tables = result.resolved_schema.iter().flat_map(|schema| &schema.tables);
    for table in tables {
        let qualified = [table.catalog.as_deref(), table.schema.as_deref(), Some(table.name.as_str())];
        let parts: Vec<&str> = qualified.into_iter().flatten().collect();
        for column in &table.columns {
            if let Some(data_type) = &column.data_type {
                builder.adopt_type(&parts, &column.name, data_type);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_position_of_a_syntax_error_counts_from_the_start_of_the_script() {
        let base = SourceRange { start: (10, 5), end: (12, 1), script: 0 };
        assert_eq!(offset(base, (1, 3)), (10, 7));
        assert_eq!(offset(base, (2, 3)), (11, 3));
        assert_eq!(parse_position("2, Column: 3"), Some((2, 3)));
    }
}
