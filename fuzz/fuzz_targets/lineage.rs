//! Any bytes as a lineage: read or refused, never a panic, a hang, or more memory than the bytes can account for.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sqlflow_client::Lineage;

/// What the smallest record costs: `{},` in an array becomes an object of 88 bytes in an arena that grows by doubling.
const BYTES_PER_BYTE: usize = 100;
/// What an empty lineage takes, generously.
const BYTES_AT_LEAST: usize = 16 * 1024;

fuzz_target!(|body: &[u8]| {
    let lineage = match Lineage::from_slice(body) {
        Ok(lineage) => lineage,
        Err(error) => {
            assert!(error.to_string().len() < 2000, "{error}");
            return;
        }
    };
    assert!(lineage.heap_bytes() <= BYTES_AT_LEAST + body.len() * BYTES_PER_BYTE, "{} bytes", lineage.heap_bytes());
    assert!(Lineage::from_reader(body).is_ok_and(|read| read == lineage), "a slice and a reader disagree");

    for column in lineage.columns().take(3) {
        assert!(column.upstream().to_vec().len() <= lineage.columns().len());
    }
    let mut written = Vec::new();
    lineage.write_json(&mut written).expect("a vector takes any bytes");
    let again = Lineage::from_slice(&written).expect("what was written can be read");
    assert!(again == lineage, "what was written is read as another lineage");
});
