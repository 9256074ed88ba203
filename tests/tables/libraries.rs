//! Other libraries read the files, and the files hold only what every engine reads.

use std::collections::BTreeSet;

use serde_json::Value;
use sqlflow_client::lineage::TableName;

use crate::duck::{self, FileReading};
use crate::known::KnownLineage;
use crate::nights::Lake;

fn rows<'a>(file: &'a FileReading, library: &str) -> &'a Vec<Value> {
    file.rows[library].as_array().unwrap()
}

#[tokio::test]
async fn duckdb_pandas_polars_and_pyarrow_read_the_same_rows() {
    if !duck::is_installed() {
        return;
    }
    let lake = Lake::new().await;
    let read = duck::run(lake.directory.path(), &[], &[("pandas", "upstream"), ("polars", "upstream")], true);
    assert_eq!(read.files.len(), 2 * 3 * TableName::ALL.len());
    for file in &read.files {
        for library in ["pandas", "polars", "pyarrow"] {
            assert_eq!(rows(file, library), rows(file, "duckdb"), "{library} reads {}", file.path);
        }
    }
    for (job, lineage) in &lake.tonight {
        let tables = lineage.tables().job(*job);
        let known = KnownLineage::new(lineage, &tables);
        let path = format!("lake/night=2026-07-02/job={job}/flows.parquet");
        let file = read.files.iter().find(|file| file.path == path).unwrap();
        let text = |row: &Value, column: &str| row[column].as_str().unwrap().to_owned();
        let flows = rows(file, "polars").iter();
        let flows: BTreeSet<String> =
            flows.map(|row| format!("{}\t{}", text(row, "source"), text(row, "target"))).collect();
        assert_eq!(flows, known.flows(), "{path}");
    }

    let (_, example) = &lake.tonight[0];
    let tables = example.tables();
    let known = KnownLineage::new(example, &tables);
    let upstream = known.found(example.column("report.best_of_country", "best_revenue").unwrap().upstream());
    let upstream = Value::from(upstream.into_iter().collect::<Vec<_>>());
    assert_eq!(read.python, [upstream.clone(), upstream], "pandas and polars run as the guide says");
}

#[tokio::test]
async fn the_files_hold_only_what_every_engine_reads() {
    if !duck::is_installed() {
        return;
    }
    let lake = Lake::new().await;
    for file in duck::run(lake.directory.path(), &[], &[], true).files {
        // A table without rows has no pages.
        assert!(file.compressions.iter().all(|it| it == "SNAPPY"), "{}: {:?}", file.path, file.compressions);
        for leaf in &file.leaves {
            let names: Vec<&str> = leaf.path.split('.').collect();
            let is_plain = |name: &&str| {
                name.starts_with(|c: char| c.is_ascii_lowercase())
                    && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            };
            assert!(names.iter().all(is_plain), "{}: {leaf:?}", file.path);
            // A list has three levels, and there are neither lists of lists nor structures nor maps.
            let is_list = leaf.repetitions == 1 && names[1..] == ["list", "element"];
            assert!(is_list || (leaf.repetitions == 0 && names.len() == 1), "{}: {leaf:?}", file.path);
            let kind = (leaf.physical.as_str(), leaf.logical.as_str());
            let readable = [("BYTE_ARRAY", "STRING"), ("BOOLEAN", "NONE"), ("INT32", "NONE"), ("INT64", "NONE")];
            assert!(readable.contains(&kind), "{}: {leaf:?}", file.path);
        }
    }
}

#[tokio::test]
async fn every_query_of_the_guide_is_tested() {
    if !duck::is_installed() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let headings = duck::run(directory.path(), &[], &[], false).headings;
    let tests = [include_str!("questions.rs"), include_str!("nights.rs")].concat();
    for heading in headings {
        assert!(tests.contains(&format!("{heading:?}")), "no test asks: {heading}");
    }
}
