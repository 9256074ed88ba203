//! Analysis of SQL scripts into lineage.
//!
//! `script` takes the statements of a script one by one: `client_commands` blanks what is meant for a command-line
//! client, `splitter` finds where a statement ends, `nesting` refuses trees that are too deep to walk, and the parser of
//! `sqlparser` makes a syntax tree in the vendor's `dialect`. What it refuses is taken apart by `separation`, which finds
//! statements without semicolons between them. A `walker` walks each tree and records every step that SQLFlow's lineage
//! has (select lists, unions, functions, the rows that a filter decides) in a `builder`. The walker's methods are spread
//! over the files `statement`, `definition`, `copies`, `change`, `conflict`, `output`, `transfer`, `variables`, `query`,
//! `pipe`, `from_clause`, `table_functions`, `pivot`, `select_list`, `star`, `window`, `row_filter`, `expression`,
//! `lambda` and `resolution`, one for each part of the syntax.

mod body;
mod builder;
mod change;
mod clauses;
mod client_commands;
mod conflict;
mod copies;
mod definition;
mod dialect;
mod expression;
mod from_clause;
mod identifier;
mod inert;
mod keyword_argument;
mod lambda;
mod line_index;
mod lineage;
mod nesting;
mod output;
mod pipe;
mod pivot;
mod procedural;
mod query;
mod recovery;
mod resolution;
mod row_filter;
mod script;
mod select_list;
mod separation;
mod splitter;
mod star;
mod statement;
mod table_functions;
mod templates;
mod tokens;
mod transfer;
mod triggers;
mod variables;
mod vendor;
mod walker;
mod window;
mod without_lineage;

#[cfg(test)]
mod specification;
#[cfg(test)]
mod tests;

pub(super) use lineage::{
    Clause, Column, ColumnIndex, Diagnostic, DiagnosticKind, Effect, Endpoint, Lineage, Namespace, Object, ObjectIndex,
    ObjectKind, Process, RELATION_ROWS, Relationship, RelationshipKind, SourceRange, UNNAMED,
};
pub(super) use vendor::Vendor;
pub use vendor::{vendor_aliases, vendors};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use builder::LineageBuilder;

/// The size of the stack of an analysis. Deeply nested SQL causes deep recursion, here and in the parser. The memory
/// is only used when it is needed.
const STACK_BYTES: usize = 512 * 1024 * 1024;

/// The settings of an analysis, which apply to all its scripts.
#[derive(Debug, Clone)]
pub(super) struct AnalysisSettings {
    pub(super) vendor: Vendor,
    /// The database of tables that no statement qualifies with one.
    pub(super) database: Option<String>,
    /// The schema of tables that no statement qualifies with one.
    pub(super) schema: Option<String>,
}

/// Reads scripts one after the other. The definitions in a script are known in the later ones, and those that were
/// collected before are known in all of them.
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

    /// Collects the tables that a script defines. Must be called for all scripts before the first is read.
    pub(super) fn collect_definitions(&mut self, text: &str) {
        if !self.builder.is_abandoned() {
            script::collect_definitions(&mut self.builder, text);
        }
    }

    /// Reads a script. `damaged` is `true` if some bytes of the upload were not valid text.
    pub(super) fn read(&mut self, name: &str, text: &str, damaged: bool) {
        if self.builder.is_abandoned() {
            return;
        }
        if damaged {
            let message =
                format!("{name}: the file is not valid UTF-8; bytes that could not be decoded were replaced.");
            self.builder.add_diagnostic(DiagnosticKind::SyntaxHint, name, message, None);
        }
        script::read(&mut self.builder, name, text);
    }

    /// Records a file that gave no script.
    pub(super) fn unreadable(&mut self, name: &str, message: &str) {
        self.builder.add_diagnostic(DiagnosticKind::SyntaxError, name, message.to_owned(), None);
    }

    fn finish(self) -> Lineage {
        self.builder.finish()
    }
}

/// Marks an analysis as abandoned when dropped.
struct AbandonOnDrop(Arc<AtomicBool>);

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs an analysis off the threads that serve requests. A panic in it becomes an error. If the future is dropped,
/// the analysis ends after the current statement.
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
        analysis.join().map_err(|panic| format!("The analysis panicked: {}", panic_message(panic.as_ref())))
    });
    blocking.await.map_err(|error| format!("The analysis was abandoned: {error}"))?
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason was given")
}

/// Formats bytes as lower-case hexadecimal digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
