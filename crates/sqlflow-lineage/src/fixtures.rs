//! Hand-written documents for the tests: one statement in each of the layouts.

use super::Lineage;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/lineage/", $name))
    };
}

/// A flat document without an envelope, with `relations` and with integers as ids: `select region from sales.customers where id > 7`.
pub(super) const LAYOUT_A: &str = fixture!("layout_a.json");
/// The same lineage as a tree.
pub(super) const LAYOUT_A_AS_TREE: &str = fixture!("layout_a_as_tree.json");
/// A flat document in `data.sqlflow`, with the process among the objects: `insert into sales.report (region, total) select c.region,
/// sum(o.amount) from sales.orders o join sales.customers c on o.customer_id = c.id where o.amount > 0`.
pub(super) const LAYOUT_B: &str = fixture!("layout_b.json");
/// The same lineage as a tree in `data`.
pub(super) const LAYOUT_C1: &str = fixture!("layout_c1.json");
/// The same lineage as a tree in `sqlflow` without an envelope, with the coordinates of processes as text.
pub(super) const LAYOUT_C2: &str = fixture!("layout_c2.json");
/// A document that exceeds the limit of the server.
pub(super) const SUMMARY: &str = fixture!("summary.json");
/// A document with a package, a trigger, arguments and a call.
pub(super) const ROUTINES: &str = fixture!("routines.json");

pub(super) const FIXTURES: [&str; 7] = [LAYOUT_A, LAYOUT_A_AS_TREE, LAYOUT_B, LAYOUT_C1, LAYOUT_C2, ROUTINES, SUMMARY];

/// Reads a document that must be sound.
pub(super) fn read(document: &str) -> Lineage {
    document.parse().unwrap()
}

/// Reads a flat document with some objects and relationships.
pub(super) fn read_model(objects: &str, relationships: &str) -> Lineage {
    read(&format!(r#"{{"dbobjs": [{objects}], "relationships": [{relationships}]}}"#))
}
