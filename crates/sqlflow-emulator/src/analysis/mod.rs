//! From SQL to lineage.
//!
//! `flowscope-core` reads the scripts: it splits and parses them in the vendor's dialect, keeps the schema that the
//! scripts imply, finds out which table a bare column belongs to, and reports what it cannot read. Its own lineage
//! graph keeps only tables, CTEs and columns, though, while SQLFlow's records every step in between: select lists,
//! unions, functions, the rows a filter decides. So `statement`, `query` and `expression` walk the syntax tree that
//! `flowscope-core` parsed and write each step into a `builder`, asking its graph where the tree alone does not tell.
//! Before that, `client_commands` blanks what is meant for a command-line client_commands and `separation` finds statements without
//! semicolons between them.

mod builder;
mod change;
mod client_commands;
mod definition;
mod expression;
mod from_clause;
mod identifier;
mod line_index;
mod lineage;
mod nesting;
mod query;
mod resolution;
mod row_filter;
mod script;
mod select_list;
mod separation;
mod statement;
mod vendor;
mod walker;

#[cfg(test)]
mod tests;

pub(super) use lineage::{
    Clause, Column, ColumnIndex, Diagnostic, DiagnosticKind, Effect, Endpoint, Lineage, Namespace, Object, ObjectIndex,
    ObjectKind, Process, RELATION_ROWS, Relationship, RelationshipKind, SourceRange, UNNAMED,
};
pub(super) use vendor::Vendor;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use builder::LineageBuilder;

/// Deeply nested SQL makes deep recursion, here and in the parser. The memory is only used if it is needed.
const STACK_BYTES: usize = 512 * 1024 * 1024;

/// What is known about scripts before they are read.
#[derive(Debug, Clone)]
pub(super) struct AnalysisSettings {
    pub(super) vendor: Vendor,
    /// Holds the tables whose database no statement names.
    pub(super) database: Option<String>,
    /// Holds the tables whose schema no statement names.
    pub(super) schema: Option<String>,
}

/// Reads scripts one after the other. What an earlier one defines is known in the later ones, and what was defined_scripts is
/// known in all of them.
pub(super) struct Analyzer {
    builder: LineageBuilder,
}

impl Analyzer {
    fn new(settings: AnalysisSettings) -> Self {
        let mut builder = LineageBuilder::new(settings);
        if let Some(message) = builder.settings.vendor.substitution() {
            builder.add_diagnostic(DiagnosticKind::SyntaxHint, "", message, None);
        }
        Self { builder }
    }

    /// Looks through a script for the tables it defines. To be done with all scripts before the first is read.
    pub(super) fn collect_definitions(&mut self, text: &str) {
        if !self.builder.is_abandoned() {
            script::collect_definitions(&mut self.builder, text);
        }
    }

    /// Reads a script. `damaged` tells that its text is not quite what was uploaded.
    pub(super) fn read(&mut self, name: &str, text: &str, damaged: bool) {
        if self.builder.is_abandoned() {
            return;
        }
        if damaged {
            let message = format!("{name}: the file is not valid UTF-8; what could not be decoded was replaced.");
            self.builder.add_diagnostic(DiagnosticKind::SyntaxHint, name, message, None);
        }
        script::read(&mut self.builder, name, text);
    }

    /// Notes a file that gave no script.
    pub(super) fn unreadable(&mut self, name: &str, message: &str) {
        self.builder.add_diagnostic(DiagnosticKind::SyntaxError, name, message.to_owned(), None);
    }

    fn finish(self) -> Lineage {
        self.builder.finish()
    }
}

/// Tells an analysis that nobody waits for it any more.
struct AbandonOnDrop(Arc<AtomicBool>);

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs an analysis without holding up the threads that serve requests. A panic in it is an error like any other. Once
/// the future is dropped it ends with the statement it is at.
pub(super) async fn run_off_thread(
    settings: AnalysisSettings,
    read: impl FnOnce(&mut Analyzer) + Send + 'static,
) -> Result<Lineage, String> {
    let abandon = AbandonOnDrop(Arc::default());
    let abandoned = Arc::clone(&abandon.0);
    let analysis = move || {
        let mut analyzer = Analyzer::new(settings);
        analyzer.builder.abandoned = abandoned;
        read(&mut analyzer);
        analyzer.finish()
    };
    let blocking = tokio::task::spawn_blocking(move || {
        let thread = std::thread::Builder::new().name("sqlflow-analysis".into()).stack_size(STACK_BYTES);
        let analysis = thread.spawn(analysis).map_err(|error| format!("The analysis could not be started: {error}"))?;
        analysis.join().map_err(|panic| format!("The analysis broke down: {}", panic_message(panic.as_ref())))
    });
    blocking.await.map_err(|error| format!("The analysis was abandoned: {error}"))?
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason was given")
}

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
