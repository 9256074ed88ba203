use super::super::Relationship;
use super::super::fixtures::{FIXTURES, LAYOUT_A, LAYOUT_B, LAYOUT_C1, ROUTINES, read, read_model};

#[test]
fn a_document_does_not_differ_from_itself_in_another_layout() {
    for body in FIXTURES {
        assert!(read(body).diff(&read(body)).is_empty());
        assert!(read(body).diff_all(&read(body)).is_empty());
    }
    assert!(read(LAYOUT_B).diff(&read(LAYOUT_C1)).is_empty());
    assert!(read(LAYOUT_B).diff_all(&read(LAYOUT_C1)).is_empty());
}

#[test]
fn ids_and_the_case_of_names_are_not_compared() {
    let changed = LAYOUT_C1.replace(r#""id": ""#, r#""id": "1000"#).replace(r#"Id": ""#, r#"Id": "1000"#);
    assert_ne!(read(LAYOUT_C1), read(&changed));
    assert!(read(LAYOUT_C1).diff(&read(&changed)).is_empty());
    assert!(read(LAYOUT_C1).diff_all(&read(&changed)).is_empty());
    let uppercase = LAYOUT_C1.replace(r#""name": "orders""#, r#""name": "\"ORDERS\"""#);
    assert_ne!(uppercase, LAYOUT_C1);
    assert!(read(LAYOUT_C1).diff(&read(&uppercase)).is_empty());
    assert!(read(LAYOUT_C1).diff_all(&read(&uppercase)).is_empty());
}

const OLD: &str = r#"
    {"id": "1", "name": "ORDERS", "schema": "SALES", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
    {"id": "3", "name": "RS-1", "type": "select_list", "columns": [{"id": "4", "name": "TOTAL"}]},
    {"id": "5", "name": "RS-1", "type": "select_list", "columns": [{"id": "6", "name": "TOTAL"}]}"#;
const FLOWS: &str = r#"{"id": "7", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]},
    {"id": "8", "type": "fdd", "target": {"id": "6"}, "sources": [{"id": "2"}]}"#;

#[test]
fn the_full_diff_displays_each_difference_on_its_own_line() {
    let old = read_model(OLD, FLOWS);
    let new = OLD.replace(r#""type": "table""#, r#""type": "view""#).replace(
        "TOTAL\"}]},\n    {\"id\": \"3\"",
        "TOTAL\"}, {\"id\": \"9\", \"name\": \"a\\n  + b\"}]},\n    {\"id\": \"3\"",
    );
    let flows = FLOWS.replace(r#""type": "fdd", "target": {"id": "6"}"#, r#""type": "fdr", "target": {"id": "6"}"#);
    let new = read_model(&new, &flows);
    let diff = old.diff_all(&new);
    assert_eq!(
        diff.to_string(),
        "- table SALES.ORDERS\n+ view SALES.ORDERS\n+ column SALES.ORDERS.a + b\n\
         - fdd SALES.ORDERS.TOTAL → RS-1.TOTAL\n+ fdr SALES.ORDERS.TOTAL → RS-1.TOTAL\n"
    );
    assert_eq!((diff.objects().added.len(), diff.columns().removed.len()), (1, 0));
    assert_eq!(diff.relationships().added.first().map(Relationship::id), Some("8"));
    let back = new.diff_all(&old);
    assert_eq!(back.to_string().lines().count(), diff.to_string().lines().count());
    assert_eq!(back.columns().removed.len(), 1);
}

#[test]
fn records_of_equal_name_are_counted() {
    let old = read_model(OLD, FLOWS);
    let (less, _) = OLD.rsplit_once(",\n").unwrap();
    let new = read_model(less, FLOWS.split_once(",\n").unwrap().0);
    assert_eq!(
        old.diff_all(&new).to_string(),
        "- select_list RS-1\n- column RS-1.TOTAL\n- fdd SALES.ORDERS.TOTAL → RS-1.TOTAL\n"
    );
    assert_eq!(new.diff_all(&old).to_string().matches('+').count(), 3);
}

#[test]
fn unresolved_endpoints_and_calls_are_identified_by_name() {
    let old = read(ROUTINES);
    let new = read(&ROUTINES.replace("gone", "lost"));
    assert_eq!(
        old.diff_all(&new).to_string(),
        "- call hr.nightly → gone, hr.run\n+ call hr.nightly → hr.run, lost\n\
         note: the old lineage has 1 unresolved endpoint, so flows may be missing\n\
         note: the new lineage has 1 unresolved endpoint, so flows may be missing\n"
    );
    let other = read(&ROUTINES.replace(r#""name": "pay""#, r#""name": "tax""#));
    assert_eq!(old.diff_all(&other).objects().added.len(), 3, "the objects of a package are identified by its name");
}

#[test]
fn everything_is_added_to_an_empty_lineage() {
    let (a, b) = (read(LAYOUT_A), read(LAYOUT_B));
    let nothing = read_model("", "");
    let diff = nothing.diff_all(&b);
    assert_eq!(diff.objects().added.len(), b.objects().len());
    assert_eq!(diff.columns().added.len(), b.columns().len());
    assert_eq!(diff.relationships().added.len(), b.relationships().len());
    assert!(diff.objects().removed.is_empty() && !a.diff_all(&b).is_empty());
}
