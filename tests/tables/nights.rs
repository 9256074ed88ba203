//! The questions about many jobs and several nights.

use std::collections::BTreeSet;
use std::fs;

use sqlflow_client::lineage::Lineage;
use tempfile::TempDir;

use crate::duck::{self, Question, set};
use crate::estate::{SQL, analyzed, changed_example, generated};
use crate::known::KnownLineage;

const LAST_NIGHT: &str = "2026-07-01";
const TONIGHT: &str = "2026-07-02";

/// A data set of several jobs in each of two nights.
pub(crate) struct Lake {
    pub(crate) directory: TempDir,
    last_night: Vec<(&'static str, Lineage)>,
    pub(crate) tonight: Vec<(&'static str, Lineage)>,
}

impl Lake {
    pub(crate) async fn new() -> Self {
        let lake = Self {
            directory: tempfile::tempdir().unwrap(),
            last_night: vec![("example", analyzed(SQL).await), ("0042", generated(1)), ("load.eu", generated(2))],
            tonight: vec![("example", changed_example().await), ("0042", generated(1)), ("load.eu", generated(3))],
        };
        for (night, jobs) in [(LAST_NIGHT, &lake.last_night), (TONIGHT, &lake.tonight)] {
            let night = lake.directory.path().join(format!("lake/night={night}"));
            fs::create_dir_all(&night).unwrap();
            for (job, lineage) in jobs {
                lineage.tables().job(*job).write_parquet_directory(night.join(format!("job={job}"))).unwrap();
            }
        }
        lake
    }
}

fn merged(jobs: &[(&str, Lineage)]) -> Lineage {
    Lineage::merge(jobs.iter().map(|(_, lineage)| lineage)).unwrap()
}

/// Returns the rows without those that hold the key of a result inside a statement, which has the id of its job.
fn stored(rows: BTreeSet<String>) -> BTreeSet<String> {
    rows.into_iter().filter(|row| !row.split('\t').any(|key| key.starts_with('@'))).collect()
}

#[tokio::test]
async fn the_flows_of_many_jobs_are_those_of_their_merged_lineage() {
    if !duck::is_installed() {
        return;
    }
    let lake = Lake::new().await;
    let merged = merged(&lake.tonight);
    let known = KnownLineage::new(&merged, &merged.tables());
    let columns: Vec<_> = known.shown_columns().into_iter().filter(|(_, key)| !key.starts_with('@')).collect();
    let names: Vec<String> = columns.iter().map(|(_, key)| key.clone()).collect();
    let questions = [
        Question::of("One data set of many jobs"),
        Question::of("All questions over all jobs"),
        Question::about("Everything upstream of a column", "report.best_of_country.best_revenue", &names),
        Question::about("Everything downstream of a column, with the distance", "sales.order_lines.quantity", &names),
    ];
    let answers = duck::ask(lake.directory.path(), &questions);
    for (at, (column, key)) in columns.iter().enumerate() {
        assert_eq!(set(&answers[2][at]), known.found(column.upstream()), "upstream of {key}");
        let downstream = stored(known.distances(&column.downstream()));
        assert_eq!(stored(set(&answers[3][at])), downstream, "downstream of {key}");
    }
}

#[tokio::test]
async fn jobs_and_nights_become_columns_as_they_are_written() {
    if !duck::is_installed() {
        return;
    }
    let lake = Lake::new().await;
    let rows = set(&duck::ask(lake.directory.path(), &[Question::of("One data set of many jobs")])[0][0]);
    let mut expected = BTreeSet::new();
    for (night, jobs) in [(LAST_NIGHT, &lake.last_night), (TONIGHT, &lake.tonight)] {
        for (job, lineage) in jobs {
            let flows = lineage.column_flows();
            let tables: BTreeSet<_> = flows.iter().map(|flow| flow.target.object()).collect();
            expected.insert(format!("{night}\t{job}\t{}\t{}", flows.len(), tables.len()));
        }
    }
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn the_changes_between_two_nights_are_those_of_the_library() {
    if !duck::is_installed() {
        return;
    }
    let lake = Lake::new().await;
    let (old, new) = (merged(&lake.last_night), merged(&lake.tonight));
    let (known_old, known_new) = (KnownLineage::new(&old, &old.tables()), KnownLineage::new(&new, &new.tables()));
    let diff = old.diff(&new);
    let flows = diff.column_flows();
    let mut expected = BTreeSet::new();
    for (change, known, flows) in [("added", &known_new, &flows.added), ("removed", &known_old, &flows.removed)] {
        for flow in flows {
            // The lineages are borrowed for as long as the difference.
            expected.insert(format!("{change}\t{}\t{}", known.column(flow.source), known.column(flow.target)));
        }
    }
    assert!(!flows.added.is_empty() && !flows.removed.is_empty());
    let rows = set(&duck::ask(lake.directory.path(), &[Question::of("What changed between two nights")])[0][0]);
    assert_eq!(rows, expected);
}
