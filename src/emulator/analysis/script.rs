//! One script: has `flowscope-core` split, parse and analyse it, and passes each statement's syntax tree on.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use flowscope_core::{
    AnalyzeRequest, AnalyzeResult, EdgeType, Issue, ParseError, Severity, analyze, issue_codes, parse_sql_with_dialect,
};

use super::draft::Draft;
use super::nesting;
use super::query::Walker;
use super::{ProblemKind, Range};

/// Reads a script into the draft.
pub(super) fn read(draft: &mut Draft, name: &str, text: &str) {
    let lines = Lines::of(text, draft.next_script());
    if nesting::is_too_deep(text, draft.dialect()) {
        let message = format!(
            "{name}: not analysed: an expression has more operators, or a query more parts, than can be followed"
        );
        return draft.problem(ProblemKind::SyntaxError, name, message, None);
    }
    let result = analyze(&AnalyzeRequest {
        sql: text.to_owned(),
        files: None,
        dialect: draft.dialect(),
        source_name: None,
        options: None,
        schema: None,
    });
    for issue in &result.issues {
        report(draft, name, &lines, issue);
    }
    let owners = Owners::of(&result);
    let session = draft.settings.clone();
    let abandoned = Arc::clone(&draft.abandoned);
    for statement in result.statements.iter().take_while(|_| !abandoned.load(Ordering::Relaxed)) {
        let Some(span) = statement.span else { continue };
        let Some(source) = text.get(span.start..span.end) else { continue };
        draft.base = lines.range(span.start, span.end);
        match parse_sql_with_dialect(source, draft.dialect()) {
            Ok(parsed) => {
                for tree in &parsed {
                    draft.understood();
                    Walker::new(draft, name, &owners.of_statement(statement.statement_index)).statement(tree, source);
                }
            }
            Err(error) => syntax_error(draft, name, &error),
        }
    }
    adopt_types(draft, &result);
    // `USE` ends with the script.
    draft.settings = session;
}

/// Columns that `flowscope-core` gave to tables, statement by statement.
struct Owners {
    by_statement: HashMap<usize, Arc<HashSet<(String, String)>>>,
}

/// The tables and columns, both in lower case, that belong together in one statement.
pub(super) type Owned = Arc<HashSet<(String, String)>>;

impl Owners {
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

    fn of_statement(&self, index: usize) -> Owned {
        self.by_statement.get(&index).cloned().unwrap_or_default()
    }
}

/// Passes on what kept the analysis from understanding a part of the script. Its other remarks concern a schema that
/// the emulator keeps itself.
fn report(draft: &mut Draft, file: &str, lines: &Lines<'_>, issue: &Issue) {
    if let Some(span) = issue.span {
        draft.base = lines.range(span.start, span.end);
    } else {
        draft.base = lines.range(0, 0);
    }
    match issue.code.as_str() {
        issue_codes::PARSE_ERROR => syntax_error(draft, file, &ParseError::new(issue.message.clone())),
        issue_codes::UNSUPPORTED_SYNTAX | issue_codes::UNSUPPORTED_RECURSIVE_CTE => {
            let message = format!("{file}: {}", issue.message);
            draft.problem(
                ProblemKind::SyntaxHint,
                file,
                message,
                issue.span.map(|span| lines.range(span.start, span.end)),
            );
        }
        _ if issue.severity == Severity::Error && issue.code != issue_codes::INVALID_REQUEST => {
            draft.problem(ProblemKind::AnalyzeError, file, format!("{file}: {}", issue.message), Some(draft.base));
        }
        _ => {}
    }
}

/// Reports a statement that could not be parsed, where the parser stopped.
fn syntax_error(draft: &mut Draft, file: &str, error: &ParseError) {
    let message = &error.message;
    let reason = message.rsplit_once("sql parser error: ").map_or(message.as_str(), |(_, reason)| reason);
    let (reason, position) = match reason.rsplit_once(" at Line: ") {
        Some((reason, position)) => (reason, parse_position(position)),
        None => (reason, None),
    };
    let (line, column) = position.map_or(draft.base.start, |position| offset(draft.base, position));
    let at = Range { start: (line, column), end: draft.base.end.max((line, column)), script: draft.base.script };
    draft.problem(
        ProblemKind::SyntaxError,
        file,
        format!("{file}: {reason} near line {line}, column {column}"),
        Some(at),
    );
}

/// Reads `3, Column: 7`.
fn parse_position(text: &str) -> Option<(u64, u64)> {
    let (line, column) = text.split_once(", Column: ")?;
    Some((line.trim().parse().ok()?, column.trim().parse().ok()?))
}

fn offset(base: Range, (line, column): (u64, u64)) -> (u64, u64) {
    match line {
        0 => base.start,
        1 => (base.start.0, base.start.1 + column.saturating_sub(1)),
        _ => (base.start.0 + line - 1, column),
    }
}

/// Takes over the data types that the scripts imply.
fn adopt_types(draft: &mut Draft, result: &AnalyzeResult) {
    let tables = result.resolved_schema.iter().flat_map(|schema| &schema.tables);
    for table in tables {
        let qualified = [table.catalog.as_deref(), table.schema.as_deref(), Some(table.name.as_str())];
        let parts: Vec<&str> = qualified.into_iter().flatten().collect();
        for column in &table.columns {
            if let Some(data_type) = &column.data_type {
                draft.adopt_type(&parts, &column.name, data_type);
            }
        }
    }
}

/// Finds the line and column of a byte.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
    script: usize,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str, script: usize) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(index, _)| index + 1);
        Self { text, starts: std::iter::once(0).chain(breaks).collect(), script }
    }

    fn position(&self, byte: usize) -> (u64, u64) {
        let line = self.starts.partition_point(|start| *start <= byte).max(1);
        let before = self.text.get(self.starts[line - 1]..byte).unwrap_or_default();
        (line as u64, before.chars().count() as u64 + 1)
    }

    fn range(&self, start: usize, end: usize) -> Range {
        Range { start: self.position(start), end: self.position(end), script: self.script }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_found_in_its_line() {
        let lines = Lines::of("ä b\nsecond\n", 3);
        assert_eq!(lines.position(0), (1, 1));
        assert_eq!(lines.position(3), (1, 3));
        assert_eq!(lines.position(5), (2, 1));
        assert_eq!(lines.range(5, 11), Range { start: (2, 1), end: (2, 7), script: 3 });
        assert_eq!(lines.position(12), (3, 1));
    }

    #[test]
    fn the_place_of_a_syntax_error_counts_from_the_start_of_the_script() {
        let base = Range { start: (10, 5), end: (12, 1), script: 0 };
        assert_eq!(offset(base, (1, 3)), (10, 7));
        assert_eq!(offset(base, (2, 3)), (11, 3));
        assert_eq!(parse_position("2, Column: 3"), Some((2, 3)));
    }
}
