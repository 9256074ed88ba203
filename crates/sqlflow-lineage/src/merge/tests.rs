use super::super::fixtures::{FIXTURES, LAYOUT_B, LAYOUT_C1, ROUTINES, SUMMARY, read, read_model};
use super::super::{Lineage, Mode};

fn merged(lineages: &[&Lineage]) -> Lineage {
    let merged = Lineage::merge(lineages.iter().copied()).unwrap();
    // The spans and ids of the merged lineage are consistent, or reading it again would differ.
    let mut json = Vec::new();
    merged.write_json(&mut json).unwrap();
    assert_eq!(Lineage::from_slice(&json).unwrap(), merged);
    for column in merged.columns() {
        assert!(column.object().columns().any(|own| own == column), "{column:?}");
    }
    merged
}

fn flows(lineage: &Lineage) -> Vec<String> {
    lineage.column_flows().iter().map(ToString::to_string).collect()
}

#[test]
fn merging_nothing_gives_an_empty_lineage_and_merging_one_returns_it() {
    let nothing = Lineage::merge(Vec::<Lineage>::new()).unwrap();
    assert_eq!((nothing.objects().len(), nothing.relationships().len()), (0, 0));
    for document in FIXTURES {
        let lineage = read(document);
        let one = Lineage::merge([&lineage]).unwrap();
        assert_eq!(one, lineage);
        assert_eq!((one.code(), one.mode()), (lineage.code(), lineage.mode()));
        // Merging with an empty lineage changes nothing.
        assert_eq!(merged(&[&lineage, &nothing]), lineage);
        assert_eq!(merged(&[&nothing, &lineage]), lineage);
    }
}

#[test]
fn a_lineage_merged_with_itself_has_its_stored_objects_once() {
    let lineage = read(LAYOUT_C1);
    let twice = merged(&[&lineage, &lineage]);
    let count = |lineage: &Lineage, intermediate: bool| {
        lineage.objects().filter(|object| object.is_intermediate() == intermediate).count()
    };
    assert_eq!(count(&twice, false), count(&lineage, false));
    assert_eq!(count(&twice, true), 2 * count(&lineage, true));
    assert_eq!(twice.relationships().len(), 2 * lineage.relationships().len());
    assert_eq!(twice.processes().len(), 2 * lineage.processes().len());
    assert_eq!(flows(&twice), flows(&lineage));
    assert_eq!(twice.unresolved().count(), 2 * lineage.unresolved().count());
    let mut ids: Vec<&str> = twice.columns().map(|column| column.id()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), twice.columns().len());
}

#[test]
fn a_routine_is_joined_with_the_routine_of_the_same_package() {
    let lineage = read(ROUTINES);
    let twice = merged(&[&lineage, &lineage]);
    assert_eq!(twice.objects().len(), lineage.objects().len());
    assert_eq!(twice.object_by_id("2").map(|run| run.arguments().len()), Some(1));
    assert_eq!(twice.unresolved().count(), 2);
    let other = read(&ROUTINES.replace(r#""name": "pay""#, r#""name": "tax""#));
    let both = merged(&[&lineage, &other]);
    assert_eq!(both.objects().len(), lineage.objects().len() + 3);
}

#[test]
fn values_flow_through_the_objects_that_two_lineages_share() {
    let load = read_model(
        r#"{"id": "1", "name": "A", "type": "table", "columns": [{"id": "2", "name": "X"}]},
           {"id": "3", "name": "s.B", "type": "table", "columns": [{"id": "4", "name": "Y"}]}"#,
        r#"{"id": "5", "type": "fdd", "target": {"id": "4", "parentId": "3"}, "sources": [{"id": "2", "parentId": "1"}]}"#,
    );
    let show = read_model(
        r#"{"id": "1", "name": "\"b\"", "schema": "S", "type": "view", "alias": "bee", "columns":
              [{"id": "3", "name": "Z"}, {"id": "4", "name": "y", "dataType": "int"}]},
           {"id": "2", "name": "c", "type": "view", "columns": [{"id": "5", "name": "y"}]}"#,
        r#"{"id": "6", "type": "fdd", "target": {"id": "5", "parentId": "2"}, "sources": [{"id": "4", "parentId": "1"}]}"#,
    );
    let both = merged(&[&load, &show]);
    assert_eq!(flows(&both), ["A.X → s.B.Y", "s.B.Y → c.y"]);
    let b = both.object("s.b").unwrap();
    assert_eq!((b.id(), b.kind_text(), b.alias()), ("3", "view", Some("bee")));
    let columns: Vec<_> = b.columns().map(|column| (column.name(), column.data_type())).collect();
    assert_eq!(columns, [("Y", Some("int")), ("Z", None)]);
    let second = both.relationships().nth(1).unwrap();
    assert_eq!(second.sources().next().unwrap().parent_id(), Some("3"));
    assert_eq!(second.target().unwrap().object().unwrap().name(), "c");
    // New ids are counted up from the largest one.
    let mut ids: Vec<&str> = both.objects().map(|object| object.id()).collect();
    ids.extend(both.columns().map(|column| column.id()));
    ids.extend(both.relationships().map(|relationship| relationship.id()));
    assert_eq!(ids, ["1", "3", "8", "2", "4", "7", "9", "5", "6"]);
}

#[test]
fn objects_that_one_lineage_keeps_apart_stay_apart() {
    let table = r#"{"id": "1", "name": "t", "type": "table"}"#;
    let one = read_model(table, "");
    let two = read_model(&format!(r#"{table}, {{"id": "2", "name": "T"}}, {{"id": "3", "name": "\"Tt\""}}"#), "");
    let three = read_model(r#"{"id": "1", "name": "tt"}, {"id": "2", "name": "t", "type": "procedure"}"#, "");
    assert_eq!(merged(&[&one, &two]).objects().len(), 3);
    assert_eq!(merged(&[&two, &one, &two]).objects().len(), 3);
    assert_eq!(merged(&[&one, &two, &three]).objects().len(), 5);
}

#[test]
fn an_unresolved_reference_stays_unresolved_if_another_lineage_has_its_id() {
    let table = |id: &str| format!(r#"{{"id": "{id}", "name": "t{id}", "type": "table"}}"#);
    let lost =
        |id: &str| format!(r#"{{"type": "fdd", "target": {{"id": "{id}", "parentId": "{id}0"}}, "sources": []}}"#);
    let one = read_model(&table("1"), &lost("2"));
    let two = read_model(&format!("{}, {}", table("2"), table("20")), &format!("{}, {}", lost("1"), lost("x")));
    for both in [merged(&[&one, &two]), merged(&[&two, &one])] {
        assert_eq!(both.unresolved().count(), 3);
        assert!(both.unresolved().all(|end| end.object().is_none()));
    }
}

#[test]
fn an_endpoint_without_an_id_does_not_mean_a_column_without_an_id() {
    let with = |id: &str| format!(r#"{{"id": "1", "name": "t", "type": "table", "columns": [{{{id}"name": "c"}}]}}"#);
    let one = read_model(&with(r#""id": "2", "#), "");
    for id in ["", r#""id": "", "#] {
        let end = format!(r#"{{"type": "fdd", "target": {{{id}"column": "c"}}, "sources": []}}"#);
        let two = read_model(&with(id), &end);
        assert_eq!(merged(&[&one, &two]).unresolved().count(), 1);
        let filled = merged(&[&two, &one]);
        assert_eq!((filled.unresolved().count(), filled.column("t", "c").unwrap().id()), (1, "2"));
    }
}

#[test]
fn an_empty_field_is_filled_by_the_other_lineage() {
    let with = |word: &str| {
        let routine = format!(
            r#"{{"id": "3", "name": "f", "type": "function", "arguments": [{{"name": "a", "datatype": "{word}", "inout": "{word}"}}]}}"#
        );
        let table = format!(
            r#"{{"id": "1", "name": "t", "type": "table", "displayName": "{word}",
                "columns": [{{"id": "2", "name": "c", "dataType": "{word}", "source": "{word}"}}]}}"#
        );
        read_model(&format!("{table}, {routine}"), "")
    };
    let (empty, given) = (with(""), with("word"));
    for both in [merged(&[&empty, &given]), merged(&[&given, &empty])] {
        let column = both.column("t", "c").unwrap();
        assert_eq!((column.data_type(), column.source()), (Some("word"), Some("word")));
        assert_eq!(both.object("t").unwrap().display_name(), Some("word"));
        let argument = both.object("f").unwrap().arguments().next().unwrap();
        assert_eq!((argument.data_type(), argument.inout()), (Some("word"), Some("word")));
    }
}

#[test]
fn merging_is_associative_except_for_ids() {
    let bodies = [LAYOUT_B, LAYOUT_C1, ROUTINES, SUMMARY].map(read);
    for a in &bodies {
        for b in &bodies {
            for c in &bodies {
                let all = merged(&[a, b, c]);
                let left = merged(&[&merged(&[a, b]), c]);
                let right = merged(&[a, &merged(&[b, c])]);
                assert_eq!(flows(&all), flows(&left));
                assert_eq!(flows(&all), flows(&right));
                assert_eq!(all, left);
                assert_eq!(all.columns().len(), right.columns().len());
            }
        }
    }
}

#[test]
fn properties_of_one_document_are_dropped_and_those_of_all_are_kept() {
    let both = merged(&[&read(LAYOUT_B), &read(SUMMARY)]);
    assert_eq!(both.mode(), Some(&Mode::Summary));
    assert!(both.summary().is_none() && both.code().is_none() && both.created_by().is_none());
    let warned = read(r#"{"error": "one", "dbobjs": [], "new": 1, "errors": [{"errorMessage": "m"}]}"#);
    let both = merged(&[&warned, &warned]);
    assert_eq!(both.warnings().collect::<Vec<_>>(), ["one", "one"]);
    assert_eq!(both.unknown_fields().collect::<Vec<_>>(), [("new", 2)]);
    assert_eq!(both.errors().len(), 2);
}

#[test]
fn the_coordinates_of_all_lineages_are_kept_in_order() {
    let at = |line: u32| {
        read_model(
            &format!(
                r#"{{"id": "1", "name": "t", "type": "table", "coordinates": [[{line}, 1, "0"]],
                    "columns": [{{"id": "2", "name": "c", "coordinates": [[{line}, 2, "0"], [{line}, 3, "0"]]}}]}}"#
            ),
            "",
        )
    };
    let all = merged(&[&at(1), &at(2), &at(3)]);
    let table = all.object("t").unwrap();
    assert_eq!(table.coordinates().map(|place| place.line()).collect::<Vec<_>>(), [1, 2, 3]);
    let column = table.column("c").unwrap();
    assert_eq!(column.coordinates().map(|place| place.line()).collect::<Vec<_>>(), [1, 1, 2, 2, 3, 3]);
}
