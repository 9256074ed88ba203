//! The questions about one lineage.

use std::collections::{BTreeMap, BTreeSet};

use sqlflow_client::lineage::{Lineage, Resolution};
use tempfile::TempDir;

use crate::duck::{self, Question, Rows, set};
use crate::estate::{SQL, analyzed, generated};
use crate::known::{KnownLineage, is_shown, shown_statement, shown_statements};

const REVENUE: &str = "report.best_of_country.best_revenue";
const QUANTITY: &str = "sales.order_lines.quantity";

/// Returns a directory with the tables of a lineage, where the guide expects them.
fn written(lineage: &Lineage) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    lineage.tables().job("nightly").write_parquet_directory(directory.path().join("tables")).unwrap();
    directory
}

/// Asks about each name, and compares the rows with those expected for it.
struct Comparison {
    what: String,
    questions: Vec<Question>,
    expected: Vec<(Vec<String>, Vec<BTreeSet<String>>)>,
}

impl Comparison {
    fn new(what: &str) -> Self {
        let opened = Question::of("Open the tables");
        let steps = Question::of("Steps");
        let nothing = || (Vec::new(), Vec::new());
        Self { what: what.to_owned(), questions: vec![opened, steps], expected: vec![nothing(), nothing()] }
    }

    fn about<T: Copy>(
        &mut self,
        heading: &'static str,
        replaces: &'static str,
        things: &[(T, String)],
        answer: impl Fn(T) -> BTreeSet<String>,
    ) {
        let names: Vec<String> = things.iter().map(|(_, key)| key.clone()).collect();
        self.questions.push(Question::about(heading, replaces, &names));
        self.expected.push((names, things.iter().map(|(thing, _)| answer(*thing)).collect()));
    }

    fn of(&mut self, heading: &'static str, answer: BTreeSet<String>) {
        self.questions.push(Question::of(heading));
        self.expected.push((vec!["everything".to_owned()], vec![answer]));
    }

    /// Returns the number of rows that were compared.
    fn check(self, directory: &TempDir) -> usize {
        let answers = duck::ask(directory.path(), &self.questions);
        let mut rows = 0;
        for ((question, (names, expected)), found) in self.questions.iter().zip(&self.expected).zip(&answers) {
            for ((name, expected), found) in names.iter().zip(expected).zip(found) {
                assert_eq!(&set(found), expected, "{}: {} of {name}", self.what, question.heading);
                rows += expected.len();
            }
        }
        rows
    }
}

/// Asks every question of the guide about everything in a lineage.
fn compare(what: &str, lineage: &Lineage) {
    let directory = written(lineage);
    let tables = lineage.tables().job("nightly");
    let known = KnownLineage::new(lineage, &tables);
    let columns = known.shown_columns();
    let objects = known.stored_objects();
    let mut comparison = Comparison::new(what);
    comparison.about("Everything upstream of a column", REVENUE, &columns, |column| known.found(column.upstream()));
    comparison.about("Everything downstream of a column, with the distance", QUANTITY, &columns, |column| {
        known.distances(&column.downstream())
    });
    comparison
        .about("Ultimate sources, with cycles", REVENUE, &columns, |column| known.found(column.upstream().ultimate()));
    comparison.about("Impact of a column", "sales.orders.status", &columns, |column| {
        let impact = column.impact();
        assert_eq!(impact.columns, column.downstream().to_vec(), "{what}: no relationship is of the type fddi");
        impact.objects.iter().map(|object| format!("{}\t{}", known.object(*object), object.kind().as_str())).collect()
    });
    comparison.about("Readers of a table", "sales.orders", &objects, |object| shown_statements(&object.readers()));
    comparison
        .about("Writers of a table", "report.customer_revenue", &objects, |object| shown_statements(&object.writers()));
    comparison.of("Busiest tables", busiest(&known));
    comparison.of("The statement that makes a flow", flow_statements(&known));
    comparison.of("Tables that nobody reads", unread(&known));
    let rows = comparison.check(&directory);
    assert!(rows > columns.len() * 3, "{what}: only {rows} rows were compared");
    paths_are_equal(what, &directory, &known);
    missing_is_equal(what, &directory, &known);
}

fn busiest(known: &KnownLineage<'_>) -> BTreeSet<String> {
    let mut counts: BTreeMap<String, [u32; 2]> = BTreeMap::new();
    for flow in known.lineage.column_flows() {
        counts.entry(known.object(flow.target.object())).or_default()[0] += 1;
        counts.entry(known.object(flow.source.object())).or_default()[1] += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(key, [flows_in, flows_out])| (std::cmp::Reverse(flows_in + flows_out), key.clone()));
    counts.truncate(20);
    counts.into_iter().map(|(key, [flows_in, flows_out])| format!("{key}\t{flows_in}\t{flows_out}")).collect()
}

fn flow_statements(known: &KnownLineage<'_>) -> BTreeSet<String> {
    let flows = known.lineage.column_flows().into_iter();
    let rows = flows.flat_map(|flow| {
        let pair = format!("{}\t{}", known.column(flow.source), known.column(flow.target));
        let statements = flow.statements().into_iter();
        statements.map(move |statement| format!("{pair}\t{}", shown_statement(&statement)))
    });
    rows.collect()
}

/// Every relationship of these lineages has a statement, so that the readers tell whether something is read.
fn unread(known: &KnownLineage<'_>) -> BTreeSet<String> {
    let objects = known.stored_objects().into_iter();
    let unread = objects.filter(|(object, _)| object.readers().is_empty());
    unread.map(|(object, key)| format!("{key}\t{}", object.kind().as_str())).collect()
}

/// Paths that end inside a cycle that values leave are known only to the query.
fn paths_are_equal(what: &str, directory: &TempDir, known: &KnownLineage<'_>) {
    let columns = known.shown_columns();
    let names: Vec<String> = columns.iter().map(|(_, key)| key.clone()).collect();
    let questions = [Question::of("Open the tables"), Question::about("Paths", QUANTITY, &names)];
    let answers = duck::ask(directory.path(), &questions);
    for ((column, key), rows) in columns.iter().zip(&answers[1]) {
        let trace = column.downstream();
        let ends = known.found(trace.clone().ultimate());
        let mut found = set(rows);
        found.retain(|path| path.rsplit(" → ").next().is_some_and(|end| ends.contains(end)));
        assert_eq!(found, known.paths(&trace), "{what}: paths of {key}");
    }
}

fn missing_is_equal(what: &str, directory: &TempDir, known: &KnownLineage<'_>) {
    let questions = [Question::of("Open the tables"), Question::of("What is missing")];
    let rows: &Rows = &duck::ask(directory.path(), &questions)[1][0];
    let lost = rows.iter().filter(|row| row[2] == "unresolved_endpoint").count();
    let is_unknown = known.lineage.unresolved().filter(|end| end.resolution() == Resolution::Unknown);
    assert_eq!(lost, is_unknown.count(), "{what}: {rows:?}");
}

#[tokio::test]
async fn the_queries_of_the_guide_answer_as_the_library_does_for_the_shipped_example() {
    if !duck::is_installed() {
        return;
    }
    let lineage = analyzed(SQL).await;
    compare("the example", &lineage);

    // Nothing flows in a cycle there, so the short query of the ultimate sources is enough, and every path has an end.
    let directory = written(&lineage);
    let tables = lineage.tables().job("nightly");
    let known = KnownLineage::new(&lineage, &tables);
    let columns = known.shown_columns();
    let mut comparison = Comparison::new("the example");
    comparison.about("Ultimate sources", REVENUE, &columns, |column| known.found(column.upstream().ultimate()));
    comparison.about("Paths", QUANTITY, &columns, |column| known.paths(&column.downstream()));
    assert!(comparison.check(&directory) > 0);
}

#[test]
fn the_queries_of_the_guide_answer_as_the_library_does_for_lineages_with_cycles_and_any_names() {
    if !duck::is_installed() {
        return;
    }
    for seed in 0..6 {
        let lineage = generated(seed);
        assert!(lineage.columns().any(|column| column.upstream().to_vec().contains(&column)), "there is a cycle");
        assert!(lineage.objects().any(|object| object.is_result_set()));
        assert!(lineage.objects().any(|object| !is_shown(object)));
        compare(&format!("generated lineage {seed}"), &lineage);
    }
}
