//! Reads any bytes as a lineage document.
//!
//! The document is read or refused, without a panic, a hang, or more memory than its size explains. The reader accepts
//! the same JSON as `serde_json`, a lineage that was read can be written and read again, and questions about it agree with
//! each other: also about flows through processes, and about endpoints whose ids stand nowhere.
//!
//! ```text
//! mkdir -p fuzz/corpus/lineage
//! cargo +nightly fuzz run -s none lineage fuzz/corpus/lineage tests/fixtures/lineage -- \
//!     -dict=fuzz/lineage.dict -max_len=4096 -malloc_limit_mb=512 -timeout=10 -runs=10000000
//! ```
//!
//! The sanitizer is off because the crate has no unsafe code, and the fuzzer is faster without it.

#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use sqlflow_lineage::{Column, Lineage, ReadErrorKind};

/// The memory for each byte of the smallest record: `{},` in an array becomes an object of 88 bytes in an arena that grows
/// by doubling.
const MAX_BYTES_PER_BYTE: usize = 100;
/// A generous bound on the memory of an empty lineage.
const EMPTY_BYTES: usize = 16 * 1024;

/// Asks questions that must agree with each other: a source is upstream of what is downstream of it, and a list of flows
/// has the flows that traces find.
fn check_questions(lineage: &Lineage) {
    let is_shown = |column: &Column<'_>| {
        let object = column.object();
        (object.is_result_set() || !(object.is_intermediate() || object.is_routine())) && !column.is_record_set()
    };
    let flows = lineage.column_flows();
    assert!(flows.windows(2).all(|pair| (pair[0].source, pair[0].target) != (pair[1].source, pair[1].target)));
    for column in lineage.columns().take(3) {
        let upstream = column.upstream().to_vec();
        assert!(upstream.len() <= lineage.columns().len());
        for source in upstream.iter().take(3) {
            assert_eq!(source.downstream().to_vec().contains(&column), is_shown(&column));
        }
        for source in column.upstream().direct() {
            let is_listed = flows.iter().any(|flow| flow.source == source && flow.target == column);
            assert_eq!(is_listed, is_shown(&column));
        }
        let impact = column.impact();
        assert!(!impact.to_string().is_empty());
        assert!(impact.columns.iter().all(is_shown));
    }
    for flow in flows.iter().take(3) {
        let _ = (flow.effects(), flow.statements(), flow.functions());
    }
    for end in lineage.unresolved() {
        assert!(end.column().is_none() && end.process().is_none());
    }
    let edges = lineage.diagram().edges();
    let between_columns = edges.iter().filter(|edge| edge.source.column().is_some() && edge.target.column().is_some());
    let pairs: HashSet<_> = between_columns.map(|edge| (edge.source, edge.target)).collect();
    assert_eq!(pairs.len(), flows.len(), "a diagram and the list of flows disagree");
    let objects = lineage.object_flows();
    assert!(flows.iter().all(|flow| {
        objects.iter().any(|one| one.source == flow.source.object() && one.target == flow.target.object())
    }));
}

fuzz_target!(|document: &[u8]| {
    let text = document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document);
    let is_json =
        || serde_json::Deserializer::from_slice(text).into_iter::<Value>().next().is_some_and(|it| it.is_ok());
    let lineage = match Lineage::from_slice(document) {
        Ok(lineage) => lineage,
        Err(error) => {
            assert!(error.to_string().len() < 2000, "{error}");
            let denies_json = matches!(error.kind(), ReadErrorKind::Malformed | ReadErrorKind::Truncated);
            assert!(!denies_json || !is_json(), "serde_json accepts a document that was refused: {error}");
            return;
        }
    };
    assert!(is_json(), "serde_json refuses a document that was read");
    assert!(lineage.heap_bytes() <= EMPTY_BYTES + document.len() * MAX_BYTES_PER_BYTE, "{} bytes", lineage.heap_bytes());
    assert!(Lineage::from_reader(document).is_ok_and(|read| read == lineage), "a slice and a reader disagree");

    check_questions(&lineage);
    let mut written = Vec::new();
    lineage.write_json(&mut written).expect("a vector accepts any bytes");
    let again = Lineage::from_slice(&written).expect("a written lineage can be read");
    // Objects with the same id differ only in their order, which a tree cannot always keep.
    let ids: HashSet<&str> = lineage.objects().map(|object| object.id()).collect();
    assert!(again == lineage || ids.len() < lineage.objects().len(), "a written lineage is read as another one");
});
