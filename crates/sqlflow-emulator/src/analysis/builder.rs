//! The lineage under construction. Owns the ids, the object of each table and the numbering of intermediate results.

mod columns;
mod objects;
mod session;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlparser::ast::Ident;
use sqlparser::tokenizer::{Location, Span};

use columns::PassThrough;

use super::dialect::Dialect;
use super::expression::{DataFlow, distinct};
use super::identifier::Identifier;
use super::lineage::JoinCondition;
use super::variables::Variables;
use super::{
    AnalysisSettings, ColumnIndex, Diagnostic, DiagnosticKind, Effect, Endpoint, Lineage, ObjectIndex, Process,
    Relationship, RelationshipKind, SourceRange,
};

/// A lineage under construction.
pub(super) struct LineageBuilder {
    pub(super) settings: AnalysisSettings,
    lineage: Lineage,
    next_id: u32,
    stored: HashMap<Vec<String>, ObjectIndex>,
    columns: HashMap<(ObjectIndex, String), usize>,
    counters: HashMap<String, usize>,
    complete: HashSet<ObjectIndex>,
    pass_throughs: HashMap<ObjectIndex, Vec<PassThrough>>,
    /// The columns that are part of what a `*` of the same object stands for.
    passed_columns: HashSet<ColumnIndex>,
    /// The entries of the FROM clause that the rows of an intermediate result come from.
    origins: HashMap<ObjectIndex, Vec<ObjectIndex>>,
    /// The flow into every column of a function that is used as a table.
    arguments: HashMap<ObjectIndex, DataFlow>,
    pub(super) variables: Variables,
    /// The names that templates were read as, in lower case. They are not columns.
    pub(super) templates: HashSet<String>,
    /// The trigger that was entered last, and its table.
    pub(super) trigger: Option<(String, ObjectIndex)>,
    scripts: usize,
    scripts_with_definitions: usize,
    /// The routine that contains the current statement. Its temporary tables are its own.
    pub(super) routine: Option<String>,
    /// The names of temporary tables, each with the session or the routine that it belongs to.
    temporary: HashSet<Vec<String>>,
    /// The routines that statements have defined so far.
    routines: HashSet<String>,
    /// The range of the current statement.
    pub(super) base: SourceRange,
    /// The process of the current statement, if the statement changes the database.
    pub(super) process: Option<usize>,
    /// `true` once nobody waits for the lineage any more.
    pub(super) abandoned: Arc<AtomicBool>,
}

impl LineageBuilder {
    pub(super) fn new(settings: AnalysisSettings) -> Self {
        let lineage = Lineage { vendor: settings.vendor.name().to_owned(), ..Lineage::default() };
        Self {
            settings,
            lineage,
            next_id: 1,
            stored: HashMap::new(),
            columns: HashMap::new(),
            counters: HashMap::new(),
            complete: HashSet::new(),
            pass_throughs: HashMap::new(),
            passed_columns: HashSet::new(),
            origins: HashMap::new(),
            arguments: HashMap::new(),
            variables: Variables::default(),
            templates: HashSet::new(),
            trigger: None,
            routine: None,
            temporary: HashSet::new(),
            routines: HashSet::new(),
            scripts: 0,
            scripts_with_definitions: 0,
            base: SourceRange::default(),
            process: None,
            abandoned: Arc::default(),
        }
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }

    pub(super) fn finish(mut self) -> Lineage {
        self.lineage.next_id = self.next_id;
        self.lineage
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.settings.vendor.dialect()
    }

    /// Counts a statement as understood.
    pub(super) fn understood(&mut self) {
        self.lineage.statements += 1;
    }

    /// Reverts the count of one understood statement.
    pub(super) fn not_understood(&mut self) {
        self.lineage.statements = self.lineage.statements.saturating_sub(1);
    }

    /// Returns the number of the next script.
    pub(super) fn next_script(&mut self) -> usize {
        self.scripts += 1;
        self.scripts - 1
    }

    /// Returns the number of the next script whose definitions are collected.
    pub(super) fn next_script_of_definitions(&mut self) -> usize {
        self.scripts_with_definitions += 1;
        self.scripts_with_definitions - 1
    }

    pub(super) fn add_diagnostic(
        &mut self,
        kind: DiagnosticKind,
        file: &str,
        message: String,
        at: Option<SourceRange>,
    ) {
        self.lineage.diagnostics.push(Diagnostic { kind, message, file: file.to_owned(), at });
    }

    /// Returns the range of a span, or that of the current statement if the span is empty.
    pub(super) fn range_of(&self, span: Span) -> SourceRange {
        if span == Span::empty() {
            return self.base;
        }
        let place = |place: Location| (place.line, place.column.max(1));
        SourceRange { start: place(span.start), end: place(span.end), script: self.base.script }
    }

    pub(super) fn name(&self, ident: &Ident) -> Identifier {
        Identifier::of(ident, self.dialect(), self.range_of(ident.span))
    }

    pub(super) fn made_up_identifier(&self, text: impl Into<String>, at: SourceRange) -> Identifier {
        Identifier::made_up(text, self.dialect(), at)
    }

    fn id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// Increments a counter and returns it, for example the 2 in `RS-2`.
    pub(super) fn count(&mut self, prefix: &str) -> usize {
        let counter = self.counters.entry(prefix.to_owned()).or_default();
        *counter += 1;
        *counter
    }

    /// Connects a flow to the column of a function.
    pub(super) fn function_flow(&mut self, column: ColumnIndex, function: &str, flow: DataFlow) {
        let parts = [
            (RelationshipKind::Fdd, flow.values),
            (RelationshipKind::Fdr, flow.deciding),
            (RelationshipKind::Frd, flow.rows),
        ];
        for (kind, sources) in parts {
            self.relate_by(kind, Effect::Function, column, sources, Some(function.to_owned()), None);
        }
    }

    /// Creates an endpoint of a relationship where its column is defined.
    pub(super) fn endpoint(&self, column: ColumnIndex) -> Endpoint {
        Endpoint { column, clause: None, at: self.lineage.column(column).at }
    }

    /// Adds a relationship, unless it has no source.
    pub(super) fn relate(
        &mut self,
        kind: RelationshipKind,
        effect: Effect,
        target: ColumnIndex,
        sources: Vec<Endpoint>,
    ) {
        self.relate_by(kind, effect, target, sources, None, None);
    }

    pub(super) fn relate_by(
        &mut self,
        kind: RelationshipKind,
        effect: Effect,
        target: ColumnIndex,
        sources: Vec<Endpoint>,
        function: Option<String>,
        join: Option<JoinCondition>,
    ) {
        let sources = distinct(sources);
        if sources.is_empty() {
            return;
        }
        let target = self.endpoint(target);
        // Steps inside a query are not attributed to the statement.
        let process = self.process.filter(|_| effect.changes_the_database());
        let id = self.id();
        self.lineage.relationships.push(Relationship { id, kind, effect, target, sources, process, function, join });
    }

    /// Starts the process of the current statement, for example `Query Insert-1`.
    pub(super) fn start_process(
        &mut self,
        routine: Option<&str>,
        step: &str,
        kind: &'static str,
        query_hash: String,
        at: SourceRange,
    ) {
        let prefix = format!("{} {step}", routine.unwrap_or("Query"));
        let name = format!("{prefix}-{}", self.count(&prefix));
        let id = self.id();
        self.lineage.processes.push(Process { id, name, kind, routine: routine.map(str::to_owned), query_hash, at });
        self.process = Some(self.lineage.processes.len() - 1);
    }
}
