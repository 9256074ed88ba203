//! Any bytes as a lineage: read or refused, never a panic, a hang, or more memory than the bytes can account for; what
//! is JSON is decided as `serde_json` decides it, and what was read can be written and read again.
//!
//! ```text
//! mkdir -p fuzz/corpus/lineage
//! cargo +nightly fuzz run -s none lineage fuzz/corpus/lineage tests/fixtures/lineage -- \
//!     -dict=fuzz/lineage.dict -max_len=4096 -malloc_limit_mb=512 -timeout=10 -runs=10000000
//! ```
//! There is no unsafe code to watch over, so that the fuzzer runs faster without a sanitizer.

#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use sqlflow_lineage::Lineage;
use sqlflow_lineage::ReadErrorKind;

/// What the smallest record costs: `{},` in an array becomes an object of 88 bytes in an arena that grows by doubling.
const BYTES_PER_BYTE: usize = 100;
/// What an empty lineage takes, generously.
const BYTES_AT_LEAST: usize = 16 * 1024;

fuzz_target!(|body: &[u8]| {
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let is_json =
        || serde_json::Deserializer::from_slice(text).into_iter::<Value>().next().is_some_and(|it| it.is_ok());
    let lineage = match Lineage::from_slice(body) {
        Ok(lineage) => lineage,
        Err(error) => {
            assert!(error.to_string().len() < 2000, "{error}");
            let denies_json = matches!(error.kind(), ReadErrorKind::Malformed | ReadErrorKind::Truncated);
            assert!(!denies_json || !is_json(), "serde_json reads what is refused: {error}");
            return;
        }
    };
    assert!(is_json(), "serde_json refuses what was read");
    assert!(lineage.heap_bytes() <= BYTES_AT_LEAST + body.len() * BYTES_PER_BYTE, "{} bytes", lineage.heap_bytes());
    assert!(Lineage::from_reader(body).is_ok_and(|read| read == lineage), "a slice and a reader disagree");

    for column in lineage.columns().take(3) {
        assert!(column.upstream().to_vec().len() <= lineage.columns().len());
    }
    let mut written = Vec::new();
    lineage.write_json(&mut written).expect("a vector takes any bytes");
    let again = Lineage::from_slice(&written).expect("what was written can be read");
    // Objects of one id are told apart by their order, which a tree may not be able to keep.
    let ids: HashSet<&str> = lineage.objects().map(|object| object.id()).collect();
    assert!(again == lineage || ids.len() < lineage.objects().len(), "what was written is read as another lineage");
});
