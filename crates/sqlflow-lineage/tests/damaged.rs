//! Randomly damaged documents: the reader reads or refuses them, and never panics.

use std::fs;

use sqlflow_lineage::Lineage;

/// The texts that replace some bytes, or that are inserted.
const INSERTIONS: [&str; 20] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "null",
    "true",
    "0",
    "-1",
    "1e999",
    "99999999999999999999",
    "\"\"",
    "{}",
    "[]",
    "\\u0000",
    "\\ud800",
    "\u{feff}",
    "\u{0}",
];

/// Returns a document with one to four changes at random positions: bytes removed, duplicated or replaced.
fn damaged(random: &mut fastrand::Rng, sound: &[u8]) -> Vec<u8> {
    let mut bytes = sound.to_vec();
    for _ in 0..random.usize(1..=4) {
        let start = random.usize(0..=bytes.len());
        let end = (start + random.usize(0..40)).min(bytes.len());
        let insertion = INSERTIONS[random.usize(0..INSERTIONS.len())].bytes();
        match random.u8(0..5) {
            0 => drop(bytes.drain(start..end)),
            1 => bytes.truncate(start),
            2 => bytes.extend_from_within(start..end),
            3 => drop(bytes.splice(start..end, insertion)),
            _ => drop(bytes.splice(start..start, insertion)),
        }
    }
    bytes
}

#[test]
fn a_damaged_document_is_refused_or_gives_a_lineage_that_answers_questions() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/lineage");
    let entries = fs::read_dir(directory).unwrap();
    let fixtures: Vec<_> = entries.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect();
    let mut random = fastrand::Rng::with_seed(11);
    let (mut read, mut refused) = (0, 0);
    for _ in 0..3_000 {
        let sound = &fixtures[random.usize(0..fixtures.len())];
        match Lineage::from_slice(&damaged(&mut random, sound)) {
            Ok(lineage) => {
                read += 1;
                for flow in lineage.column_flows() {
                    assert!(!flow.to_string().is_empty());
                }
                let ends = lineage.relationships().flat_map(|relationship| relationship.endpoints());
                assert!(ends.count() >= lineage.unresolved().count());
                for object in lineage.objects() {
                    let _ = (
                        object.upstream().to_vec(),
                        object.downstream().to_vec(),
                        lineage.object(&object.qualified_name()),
                    );
                }
            }
            Err(error) => {
                refused += 1;
                assert!(error.to_string().len() < 1000, "{error}");
            }
        }
    }
    assert!(read > 100 && refused > 100, "{read} read, {refused} refused: the damage is too slight or too severe");
}
