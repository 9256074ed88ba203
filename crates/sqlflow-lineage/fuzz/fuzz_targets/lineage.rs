//! Reads any bytes as a lineage document.
//!
//! The document is read or refused, without a panic, a hang, or more memory than its size explains. The reader accepts
//! the same JSON as `serde_json`, and a lineage that was read can be written and read again.
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
use sqlflow_lineage::{Lineage, ReadErrorKind};

/// The memory for each byte of the smallest record: `{},` in an array becomes an object of 88 bytes in an arena that grows
/// by doubling.
const MAX_BYTES_PER_BYTE: usize = 100;
/// A generous bound on the memory of an empty lineage.
const EMPTY_BYTES: usize = 16 * 1024;

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

    for column in lineage.columns().take(3) {
        assert!(column.upstream().to_vec().len() <= lineage.columns().len());
    }
    let mut written = Vec::new();
    lineage.write_json(&mut written).expect("a vector accepts any bytes");
    let again = Lineage::from_slice(&written).expect("a written lineage can be read");
    // Objects with the same id differ only in their order, which a tree cannot always keep.
    let ids: HashSet<&str> = lineage.objects().map(|object| object.id()).collect();
    assert!(again == lineage || ids.len() < lineage.objects().len(), "a written lineage is read as another one");
});
