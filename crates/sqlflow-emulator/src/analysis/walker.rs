//! The walker over the syntax tree of a statement: its state, the ranges of expressions, and reports of omissions.

use std::collections::HashMap;

use sqlparser::ast::{Expr, Spanned};
use sqlparser::tokenizer::Span;

use super::builder::LineageBuilder;
use super::line_index::LineIndex;
use super::{DiagnosticKind, Endpoint, ObjectIndex, SourceRange};

/// Walks the syntax tree of one statement.
pub(super) struct StatementWalker<'a> {
    pub(super) builder: &'a mut LineageBuilder,
    pub(super) file: &'a str,
    /// The index of the script that the parser's spans refer to.
    lines: &'a LineIndex<'a>,
    /// The common table expressions in scope, innermost last.
    pub(super) ctes: Vec<HashMap<String, ObjectIndex>>,
    /// The columns that the current query groups by.
    pub(super) grouping: Vec<Endpoint>,
    /// The parameters of the lambda functions around the current expression.
    pub(super) parameters: Vec<String>,
    pub(super) depth: usize,
    /// The number of statements around this one that contain it as text.
    pub(super) text_depth: usize,
    /// The procedure that contains the statement.
    pub(super) routine: Option<String>,
}

impl<'a> StatementWalker<'a> {
    pub(super) fn new(builder: &'a mut LineageBuilder, file: &'a str, lines: &'a LineIndex<'a>) -> Self {
        Self {
            builder,
            file,
            lines,
            ctes: Vec::new(),
            grouping: Vec::new(),
            parameters: Vec::new(),
            depth: 0,
            text_depth: 0,
            routine: None,
        }
    }

    pub(super) fn range(&self, span: Span) -> SourceRange {
        self.builder.range_of(span)
    }

    /// Returns the range of an expression, including its closing parentheses.
    pub(super) fn extent(&self, expression: &Expr) -> SourceRange {
        let span = expression.span();
        if span == Span::empty() {
            return self.range(span);
        }
        self.range(self.lines.closed(span, matches!(expression, Expr::Function(_))))
    }

    /// Reports a part of the statement that is missing from the lineage.
    pub(super) fn report_omission(&mut self, what: &str) {
        let (line, column) = self.builder.base.start;
        let message = format!("{}: {what} not analyzed in the statement at line {line}, column {column}", self.file);
        self.builder.add_diagnostic(DiagnosticKind::AnalyzeError, self.file, message, Some(self.builder.base));
    }

    /// Reports a part of the statement that is missing from the lineage, and what to do about it.
    pub(super) fn report_omission_with(&mut self, what: &str, advice: &str) {
        self.omission(DiagnosticKind::AnalyzeError, what, advice);
    }

    /// Reports a detail of the statement that is missing from the lineage without making it wrong, and what to do.
    pub(super) fn note_omission_with(&mut self, what: &str, advice: &str) {
        self.omission(DiagnosticKind::SyntaxHint, what, advice);
    }

    fn omission(&mut self, kind: DiagnosticKind, what: &str, advice: &str) {
        let (line, column) = self.builder.base.start;
        let message =
            format!("{}: {what} not analyzed in the statement at line {line}, column {column}; {advice}", self.file);
        self.builder.add_diagnostic(kind, self.file, message, Some(self.builder.base));
    }

    /// Reports a detail of the statement that is missing from the lineage without making it wrong.
    pub(super) fn note_omission(&mut self, what: &str) {
        let (line, column) = self.builder.base.start;
        let message = format!("{}: {what} not analyzed in the statement at line {line}, column {column}", self.file);
        self.builder.add_diagnostic(DiagnosticKind::SyntaxHint, self.file, message, Some(self.builder.base));
    }
}
