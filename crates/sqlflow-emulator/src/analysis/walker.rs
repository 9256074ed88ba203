//! Walker.

use std::collections::HashMap;

use sqlparser::ast::{Expr, Spanned};
use sqlparser::tokenizer::Span;

use super::draft::Draft;
use super::line_index::Lines;
use super::script::Owned;
use super::{Endpoint, ObjectIndex, ProblemKind, Range};

/// Walks the syntax tree of one statement.
pub(super) struct Walker<'a> {
    pub(super) draft: &'a mut Draft,
    pub(super) file: &'a str,
    pub(super) owned: &'a Owned,
    /// The text that the parser's spans refer to.
    lines: Lines<'a>,
    /// Common table expressions in reach, innermost last.
    pub(super) ctes: Vec<HashMap<String, ObjectIndex>>,
    /// What the query being read groups by.
    pub(super) grouping: Vec<Endpoint>,
    pub(super) depth: usize,
    /// The procedure whose body is being read.
    pub(super) routine: Option<String>,
}

impl<'a> Walker<'a> {
    pub(super) fn new(draft: &'a mut Draft, file: &'a str, owned: &'a Owned, source: &'a str) -> Self {
        let lines = Lines::of(source, 0);
        Self { draft, file, owned, lines, ctes: Vec::new(), grouping: Vec::new(), depth: 0, routine: None }
    }

    pub(super) fn range(&self, span: Span) -> Range {
        self.draft.place(span)
    }

    /// Where an expression stands, with the parentheses it ends with.
    pub(super) fn extent(&self, expression: &Expr) -> Range {
        let span = expression.span();
        if span == Span::empty() {
            return self.range(span);
        }
        self.range(self.lines.closed(span, matches!(expression, Expr::Function(_))))
    }

    /// Says that a part of the statement is not reflected in the lineage.
    pub(super) fn not_analysed(&mut self, what: &str) {
        let (line, column) = self.draft.base.start;
        let message = format!("{}: {what} not analysed in the statement at line {line}, column {column}", self.file);
        self.draft.problem(ProblemKind::AnalyzeError, self.file, message, Some(self.draft.base));
    }

    /// Says that a detail of the statement is not reflected in the lineage, which is right without it.
    pub(super) fn remark(&mut self, what: &str) {
        let (line, column) = self.draft.base.start;
        let message = format!("{}: {what} not analysed in the statement at line {line}, column {column}", self.file);
        self.draft.problem(ProblemKind::SyntaxHint, self.file, message, Some(self.draft.base));
    }
}
