//! Damaged documents never panic the reader: real layouts, damaged at random, are read or refused.

use std::fs;

use sqlflow_lineage::Lineage;

/// What is put in place of some bytes, or between two.
const PIECES: [&str; 20] = [
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

/// One to four changes at random places: bytes cut out, doubled, replaced.
fn damaged(random: &mut fastrand::Rng, sound: &[u8]) -> Vec<u8> {
    let mut bytes = sound.to_vec();
    for _ in 0..random.usize(1..=4) {
        let place = random.usize(0..=bytes.len());
        let end = (place + random.usize(0..40)).min(bytes.len());
        let piece = PIECES[random.usize(0..PIECES.len())].bytes();
        match random.u8(0..5) {
            0 => drop(bytes.drain(place..end)),
            1 => bytes.truncate(place),
            2 => bytes.extend_from_within(place..end),
            3 => drop(bytes.splice(place..end, piece)),
            _ => drop(bytes.splice(place..place, piece)),
        }
    }
    bytes
}

#[test]
fn damaged_lineage_is_read_or_refused_and_can_be_asked() {
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
    assert!(read > 100 && refused > 100, "{read} read, {refused} refused: the damage is too small or too great");
}
