//! Whole documents: the fixtures of this crate, or those of real servers in the directory that `SQLFLOW_SAMPLES` names.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::{env, fs};

use sqlflow_lineage::{Lineage, Vertex};

/// Returns every sample with its path. There is at least one.
fn samples() -> Vec<(PathBuf, Vec<u8>)> {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/lineage");
    let directory = env::var_os("SQLFLOW_SAMPLES").map_or_else(|| PathBuf::from(fixtures), PathBuf::from);
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let samples: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "json"))
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    assert!(!samples.is_empty(), "{} holds no samples", directory.display());
    samples
}

#[test]
fn every_sample_is_read_without_unknown_fields_and_unresolved_endpoints() {
    // One fixture has an unresolved endpoint on purpose; real documents have none.
    let are_real = env::var_os("SQLFLOW_SAMPLES").is_some();
    for (path, body) in samples() {
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
    }
}

#[test]
fn every_sample_is_equal_after_it_was_written_and_read_again() {
    for (path, body) in samples() {
        let reader = Lineage::reader().keep_graph();
        let lineage = reader.read_slice(&body).unwrap();
        let mut written = Vec::new();
        lineage.write_json(&mut written).unwrap();
        let again = reader.read_slice(&written).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(lineage, again, "{}", path.display());
        assert_eq!(again.unknown_fields().len(), 0, "{}", path.display());
        assert_eq!(metadata(&lineage), metadata(&again), "{}", path.display());
        for object in lineage.objects() {
            let same = again.object_by_id(object.id()).unwrap();
            assert_eq!(object.is_routine(), same.is_routine(), "{}: {object:?}", path.display());
            assert_eq!(object.is_intermediate(), same.is_intermediate(), "{}: {object:?}", path.display());
            assert_eq!(object.display_name(), same.display_name(), "{}: {object:?}", path.display());
            assert_eq!(object.ui_visible(), same.ui_visible(), "{}: {object:?}", path.display());
        }
        let mut twice = Vec::new();
        again.write_json(&mut twice).unwrap();
        assert!(written == twice, "{} changes when it is written again", path.display());
    }
}

/// Returns the properties that `==` does not compare.
fn metadata(lineage: &Lineage) -> Vec<String> {
    let mut all = vec![
        format!("{:?} {:?} {:?}", lineage.code(), lineage.job_id(), lineage.session_id()),
        format!("{:?} {:?} {:?}", lineage.mode(), lineage.vendor(), lineage.created_by()),
        format!("{:?} {:?}", lineage.graph_json(), lineage.job_json()),
        format!("{:?} {:?}", lineage.summary(), lineage.trailing_text()),
    ];
    all.extend(lineage.warnings().map(str::to_owned));
    all.extend(lineage.errors().map(|error| format!("{error} {:?}", error.coordinates().collect::<Vec<_>>())));
    all.extend(lineage.processes().map(|process| format!("{process:?} {:?}", process.kind())));
    all
}

#[test]
fn merged_samples_have_the_flows_of_every_sample() {
    let lineages: Vec<Lineage> = samples().iter().map(|(_, body)| Lineage::from_slice(body).unwrap()).collect();
    let merged = Lineage::merge(&lineages).unwrap();
    // A merged lineage shows the first of several spellings of a name.
    let flows = |lineage: &Lineage| -> BTreeSet<String> {
        lineage.column_flows().iter().map(|flow| flow.to_string().to_lowercase()).collect()
    };
    let all: BTreeSet<String> = lineages.iter().flat_map(flows).collect();
    let missing: Vec<_> = all.difference(&flows(&merged)).cloned().collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(merged.relationships().len(), lineages.iter().map(|it| it.relationships().len()).sum::<usize>());
    assert_eq!(merged.unresolved().count(), lineages.iter().map(|it| it.unresolved().count()).sum::<usize>());
    for lineage in &lineages {
        assert!(merged.diff(lineage).columns().added.is_empty(), "{}", merged.diff(lineage));
        assert!(lineage.diff(lineage).is_empty());
    }
}

#[test]
fn the_lookup_name_of_every_object_and_column_of_a_sample_finds_exactly_it() {
    for (path, body) in samples() {
        let lineage = Lineage::from_slice(&body).unwrap();
        for object in lineage.objects() {
            let name = object.lookup_name();
            assert_eq!(lineage.find(&name), Ok(Vertex::Object(object)), "{name} in {}", path.display());
            assert_eq!(lineage.object(&name), Ok(object), "{name} in {}", path.display());
        }
        for column in lineage.columns() {
            let name = column.lookup_name();
            assert_eq!(lineage.find(&name), Ok(Vertex::Column(column)), "{name} in {}", path.display());
        }
    }
}
