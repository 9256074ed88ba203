//! Answers of servers, read whole: those beside this test, or real ones in the directory `SQLFLOW_SAMPLES` names.

use std::path::PathBuf;
use std::{env, fs};

use sqlflow_client::Lineage;

#[test]
fn every_sample_is_understood_in_full_and_every_end_resolves() {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/lineage");
    let directory = env::var_os("SQLFLOW_SAMPLES").map_or_else(|| PathBuf::from(fixtures), PathBuf::from);
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    // The fixtures have an end that leads nowhere, on purpose; real answers have none.
    let are_real = env::var_os("SQLFLOW_SAMPLES").is_some();
    let mut read = 0;
    for path in
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|it| it == "json"))
    {
        let body = fs::read(&path).unwrap();
        let lineage = Lineage::from_slice(&body).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let streamed = Lineage::from_reader(body.as_slice()).unwrap();
        assert_eq!(lineage, streamed, "{}", path.display());
        assert!(lineage.objects().len() > 0 || lineage.is_summary(), "{} holds no objects", path.display());
        assert!(!are_real || lineage.unresolved().count() == 0, "{}", path.display());
        let unknown: Vec<_> = lineage.unknown_fields().collect();
        assert!(unknown.is_empty(), "{}: {unknown:?}", path.display());
        for column in lineage.columns() {
            assert_eq!(lineage.column_by_id(column.id()).map(|found| found.name()), Some(column.name()));
        }
        read += 1;
    }
    assert!(read > 0, "{} holds no samples", directory.display());
}
