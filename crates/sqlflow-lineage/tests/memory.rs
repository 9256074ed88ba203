//! The memory that a lineage takes, counted by a global allocator. This program has only one test, because the memory
//! of others would be counted too.

#[path = "../benches/allocations/mod.rs"]
mod allocations;
#[path = "../benches/generator/mod.rs"]
#[allow(dead_code)]
mod generator;

use sqlflow_lineage::{Lineage, Reader};

use self::allocations::{CountingAllocator, MemoryUse, measured};
use self::generator::{DocumentStats, Kind, LARGE, Layout};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// The proportions do not depend on the size, so a tenth of the large document is enough.
const RELATIONSHIPS: usize = LARGE / 10;

#[test]
fn lineage_takes_less_memory_than_its_json() {
    for layout in [Layout::Tree, Layout::Flat] {
        for kind in [Kind::Full, Kind::Drawn] {
            let (body, stats) = generator::document_of_kind(kind, layout, RELATIONSHIPS);
            has_the_proportions_of_real_documents(layout, kind, &body, &stats);
            takes_less_than_its_document(&format!("{layout:?}, {kind:?}"), &body);
        }
    }
    small_documents_know_their_size();
}

fn has_the_proportions_of_real_documents(layout: Layout, kind: Kind, body: &[u8], stats: &DocumentStats) {
    let [coordinates, graph] = [stats.coordinate_bytes, stats.graph_bytes].map(|bytes| usize::try_from(bytes).unwrap());
    let coordinates = percent(coordinates, body.len() - graph);
    let graph = percent(graph, body.len());
    let (expected_coordinates, expected_graph) = match kind {
        Kind::Full => (60..=70, 0..=0),
        Kind::Drawn => (33..=42, 36..=44),
    };
    assert!(expected_coordinates.contains(&coordinates), "{layout:?}, {kind:?}: {coordinates} % are coordinates");
    assert!(expected_graph.contains(&graph), "{layout:?}, {kind:?}: {graph} % are the graph section");
}

fn takes_less_than_its_document(name: &str, body: &[u8]) {
    let (lineage, of_slice) = measured(|| Lineage::from_slice(body).unwrap());
    assert_eq!(lineage.relationships().len(), RELATIONSHIPS);
    assert_eq!(lineage.unresolved().count(), 0);
    assert_eq!(lineage.unknown_fields().len(), 0);
    knows_its_size(name, &lineage, of_slice);
    drop(lineage);
    let (lineage, of_stream) = measured(|| Lineage::from_reader(body).unwrap());
    drop(lineage);
    let [held, peak] = [of_slice.live, of_stream.peak].map(|bytes| percent(bytes, body.len()));
    println!("{name}: holds {held} %, peak {peak} %");
    assert!(held <= 35, "{name}: the lineage takes {held} % of the size of the document");
    assert!(peak <= 60, "{name}: the peak is {peak} % of the size of the document");
}

/// Checks the memory of documents whose size is not in their records: in a graph section that is kept, in fields that are
/// not understood, in warnings, in text after the JSON, and in almost nothing.
fn small_documents_know_their_size() {
    let fields = (0..700).map(|n| format!(r#","field_{n}": {n}"#)).collect::<Vec<_>>().concat();
    let busiest = vec![r#"{"table": "t"}"#; 1000].join(",");
    let graph = vec![r#"{"id": "n0"}"#; 1000].join(",");
    for (name, document) in [
        ("nothing", r#"{"dbobjs": []}"#.to_owned()),
        ("unknown fields", format!(r#"{{"dbobjs": []{fields}}}"#)),
        ("a summary", format!(r#"{{"mode": "other words", "summary": {{"mostRelationTables": [{busiest}]}}}}"#)),
        ("a graph", format!(r#"{{"dbobjs": [], "graph": [{graph}]}}"#)),
        ("warnings", format!(r#"{{"code": 203, "data": {{"dbobjs": []}}, "error": "{}"}}"#, "word ".repeat(3000))),
        ("a log", format!(r#"{{"dbobjs": []}} Error log: {}"#, "word ".repeat(3000))),
    ] {
        let reader = Reader::new().keep_graph().label("a label");
        let (lineage, of_slice) = measured(|| reader.read_slice(document.as_bytes()).unwrap());
        knows_its_size(name, &lineage, of_slice);
        let (merged, of_merge) = measured(|| Lineage::merge([&lineage, &lineage]).unwrap());
        knows_its_size(&format!("{name}, merged"), &merged, of_merge);
    }
}

fn knows_its_size(name: &str, lineage: &Lineage, counted: MemoryUse) {
    let difference = counted.live.abs_diff(lineage.heap_bytes());
    println!("{name}: heap_bytes() is off by {difference} of {} bytes", counted.live);
    assert!(difference * 20 <= counted.live, "{name}: heap_bytes() is off by {difference} of {} bytes", counted.live);
}

fn percent(part: usize, whole: usize) -> usize {
    (100 * part).div_ceil(whole)
}
