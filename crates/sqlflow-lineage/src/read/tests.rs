//! Tests of reading, one for each thing that real documents do.

use std::io::{self, Read};

use super::super::fixtures::{LAYOUT_A, LAYOUT_B, LAYOUT_C1, LAYOUT_C2, ROUTINES, SUMMARY, read, read_model};
use super::super::{
    ClauseType, EffectType, EndpointRole, Lineage, Mode, ObjectKind, ReadError, ReadErrorKind, RelationType,
};

fn fails(document: &str) -> ReadError {
    let error = Lineage::from_slice(document.as_bytes()).unwrap_err();
    let streamed = Lineage::from_reader(document.as_bytes()).unwrap_err();
    assert_eq!(error.kind(), streamed.kind(), "slice and reader agree");
    assert_eq!(error.code(), streamed.code());
    assert!(error.to_string().chars().count() < 600, "{error}");
    error
}

fn unknown(lineage: &Lineage) -> Vec<(String, u64)> {
    lineage.unknown_fields().map(|(path, count)| (path.to_owned(), count)).collect()
}

#[test]
fn every_layout_is_read_completely_and_understood() {
    for (document, objects, columns, processes, relationships) in
        [(LAYOUT_A, 2, 4, 0, 2), (LAYOUT_B, 5, 11, 1, 7), (LAYOUT_C1, 5, 11, 1, 7), (LAYOUT_C2, 5, 11, 1, 7)]
    {
        let lineage = read(document);
        assert_eq!(lineage.objects().len(), objects);
        assert_eq!(lineage.columns().len(), columns);
        assert_eq!(lineage.processes().len(), processes);
        assert_eq!(lineage.relationships().len(), relationships);
        assert_eq!(lineage.unresolved().count(), 0);
        assert_eq!(unknown(&lineage), []);
    }
}

#[test]
fn a_slice_a_reader_and_a_json_value_give_equal_lineages() {
    for document in [LAYOUT_A, LAYOUT_B, LAYOUT_C1, LAYOUT_C2, ROUTINES, SUMMARY] {
        let lineage = read(document);
        assert_eq!(lineage, Lineage::from_reader(document.as_bytes()).unwrap());
        assert_eq!(lineage, Lineage::from_reader(OneByte(document.as_bytes())).unwrap());
        let value: serde_json::Value = serde_json::from_str(document).unwrap();
        assert_eq!(lineage, serde_json::from_value::<Lineage>(value).unwrap());
    }
}

#[test]
fn a_lineage_can_be_a_field_of_another_type() {
    #[derive(serde::Deserialize)]
    struct Kept {
        name: String,
        lineage: Option<Lineage>,
    }
    let kept: Kept = serde_json::from_str(&format!(r#"{{"lineage": {LAYOUT_C1}, "name": "n"}}"#)).unwrap();
    assert_eq!(kept.name, "n");
    assert_eq!(kept.lineage, Some(read(LAYOUT_C1)));
    let none: Kept = serde_json::from_str(r#"{"name": "n", "lineage": null}"#).unwrap();
    assert_eq!(none.lineage, None);
}

#[test]
fn the_model_is_found_in_all_four_places() {
    let model = r#"{"dbobjs": [{"id": "1", "name": "t", "type": "table"}], "relationships": []}"#;
    for document in [
        model.to_owned(),
        format!(r#"{{"code": 200, "data": {model}}}"#),
        format!(r#"{{"code": 200, "data": {{"sqlflow": {model}, "graph": {{}}}}}}"#),
        format!(r#"{{"mode": "global", "summary": {{}}, "sqlflow": {model}, "graph": {{}}}}"#),
    ] {
        assert_eq!(read(&document), read(model), "{document}");
    }
}

#[test]
fn keys_come_in_any_order() {
    let document = r#"{"msg": [{"errorType": "SyntaxError", "errorMessage": "m"}], "data": {"graph": {"a": 1}, "sqlflow": {
        "relationships": [{"sources": [{"coordinates": [], "id": "2"}], "target": {"id": "4"}, "type": "fdd", "id": "5"}],
        "dbobjs": [{"columns": [{"name": "x", "id": "2"}], "name": "s", "type": "table", "id": "1"},
                   {"columns": [{"name": "x", "id": "4"}], "type": "table", "id": "3", "name": "t"}]}}, "code": 200}"#;
    let lineage = read(document);
    assert_eq!(lineage.column_flows().len(), 1);
    assert_eq!(lineage.errors().len(), 1);
    let roles: Vec<EndpointRole> = lineage.relationships().flat_map(|r| r.endpoints()).map(|end| end.role()).collect();
    assert_eq!(roles, [EndpointRole::Source, EndpointRole::Target]);
}

#[test]
fn all_three_depths_of_the_tree_are_read() {
    let table = r#""tables": [{"id": "1", "name": "t", "type": "table"}]"#;
    for (inside, name) in [
        (format!(r#""databases": [{{"name": "d", "schemas": [{{"name": "s", {table}}}]}}]"#), "d.s.t"),
        (format!(r#""databases": [{{"name": "d", {table}}}]"#), "d.t"),
        (format!(r#""schemas": [{{"name": "s", {table}}}]"#), "s.t"),
    ] {
        let lineage = read(&format!(
            r#"{{"dbobjs": {{"servers": [{{{inside}, "name": "DEFAULT_SERVER", "dbVendor": "dbvhive"}}]}}}}"#
        ));
        let table = lineage.object_by_id("1").unwrap();
        assert_eq!(table.qualified_name(), name);
        assert_eq!(table.server(), Some("DEFAULT_SERVER"));
        assert_eq!(lineage.vendor(), Some("dbvhive"));
    }
}

#[test]
fn a_tree_without_servers_is_an_empty_lineage() {
    let lineage = read(r#"{"dbobjs": {"createdBy": "sqlflow v1.0.0"}, "relationships": []}"#);
    assert_eq!(lineage.objects().len(), 0);
    assert_eq!(lineage.created_by(), Some("sqlflow v1.0.0"));
}

#[test]
fn every_field_of_an_object_can_be_reached() {
    let lineage = read_model(
        r#"{"id": "1", "name": "v", "displayName": "V", "type": "variable", "subType": "record", "alias": "a",
            "queryHashId": "q", "procedureName": "p", "procedureId": "8", "uri": "u", "location": "l", "fileType": "csv",
            "parent": "x", "isTarget": true, "uiVisible": false, "database": "d", "schema": "s",
            "arguments": [{"id": "2", "name": "n", "dataType": "int", "inout": "out"}], "coordinates": [{"x": 1, "y": -1}],
            "columns": [{"id": "3", "name": "c", "datatype": "date", "source": "system", "uiVisible": false,
                "primaryKey": true, "foreignKey": true, "unqiueKey": true, "qualifiedTable": "s.t"}]}"#,
        "",
    );
    assert_eq!(unknown(&lineage), []);
    let object = lineage.object_by_id("1").unwrap();
    assert_eq!(object.name(), "v");
    assert_eq!(object.display_name(), Some("V"));
    assert_eq!(object.kind(), ObjectKind::Variable);
    assert_eq!(object.sub_type(), Some("record"));
    assert_eq!(object.alias(), Some("a"));
    assert_eq!(object.query_hash_id(), Some("q"));
    assert_eq!(object.procedure_name(), Some("p"));
    assert_eq!(object.procedure_id(), Some("8"));
    assert_eq!(object.uri(), Some("u"));
    assert_eq!(object.location(), Some("l"));
    assert_eq!(object.file_type(), Some("csv"));
    assert_eq!(object.parent(), Some("x"));
    assert_eq!(object.is_target(), Some(true));
    assert!(!object.ui_visible());
    assert_eq!((object.database(), object.schema()), (Some("d"), Some("s")));
    let place = object.coordinates().next().unwrap();
    assert_eq!((place.line(), place.column(), place.hash_code()), (1, -1, None));
    let argument = object.arguments().next().unwrap();
    assert_eq!((argument.id(), argument.name()), ("2", "n"));
    assert_eq!((argument.data_type(), argument.inout()), (Some("int"), Some("out")));
    let column = object.columns().next().unwrap();
    assert_eq!((column.name(), column.data_type()), ("c", Some("date")));
    assert_eq!(column.source(), Some("system"));
    assert!(column.is_primary_key() && column.is_foreign_key() && column.is_unique_key());
    assert!(!column.ui_visible() && column.is_system() && !column.is_record_set());
    assert_eq!(column.qualified_table(), Some("s.t"));
}

#[test]
fn every_field_of_a_relationship_can_be_reached() {
    let lineage = read(LAYOUT_C1);
    assert_eq!(lineage.relationships().len(), 7);
    let insert = lineage.relationships().find(|r| r.id() == "104").unwrap();
    assert_eq!(insert.relation_type(), RelationType::Fdd);
    assert_eq!(insert.effect_type(), Some(EffectType::Insert));
    assert_eq!(insert.process_id(), Some("60"));
    assert_eq!(insert.process_type(), Some("sstinsert"));
    assert_eq!(insert.process().unwrap().name(), "Query Insert-1");
    let sum = lineage.relationships().find(|r| r.id() == "102").unwrap();
    assert_eq!(sum.function(), Some("sum"));
    let source = sum.sources().next().unwrap();
    assert_eq!(source.relationship(), sum);
    assert_eq!(source.name(), Some("amount"));
    assert_eq!((source.parent_id(), source.parent_name()), (Some("20"), Some("SALES.ORDERS")));
    assert_eq!(source.column().unwrap().object().name(), "orders");
    let transform = source.transforms().next().unwrap();
    assert_eq!((transform.kind(), transform.code()), (Some("aggregate"), Some("sum(o.amount)")));
    assert_eq!(transform.coordinates().len(), 2);
    let filter = lineage.relationships().find(|r| r.id() == "106").unwrap();
    let clauses: Vec<_> = filter.sources().filter_map(|s| s.clause_type()).collect();
    assert_eq!(clauses, [ClauseType::Where, ClauseType::JoinCondition]);
    assert!(filter.target().unwrap().column().unwrap().is_record_set());
    let join = lineage.relationships().find(|r| r.id() == "107").unwrap();
    assert_eq!(join.join_type(), Some("inner"));
    assert_eq!(join.clause(), Some("on"));
    assert_eq!(join.condition(), Some("o.customer_id = c.id"));
}

#[test]
fn fields_that_are_documented_but_unseen_are_understood() {
    let lineage = read_model(
        "",
        r#"{"id": "1", "type": "frd", "timestampMin": 1, "timestampMax": 2, "target": {"id": "2", "targetId": "5", "targetName": "t"},
            "sources": [{"id": "3", "sourceId": "4", "sourceName": "s", "columnType": "int", "function": "f", "type": "k"}]}"#,
    );
    assert_eq!(unknown(&lineage), []);
    let relationship = lineage.relationships().next().unwrap();
    assert_eq!(relationship.timestamp_min(), Some("1"));
    assert_eq!(relationship.timestamp_max(), Some("2"));
    let source = relationship.sources().next().unwrap();
    assert_eq!((source.table_id(), source.table_name()), (Some("4"), Some("s")));
    assert_eq!((source.column_type(), source.function()), (Some("int"), Some("f")));
    assert_eq!(source.kind(), Some("k"));
}

#[test]
fn a_call_has_a_caller_and_callees_but_no_target_and_no_sources() {
    let lineage = read(ROUTINES);
    let call = lineage.relationships().next().unwrap();
    assert_eq!(call.relation_type(), RelationType::Call);
    assert!(call.target().is_none());
    assert_eq!(call.sources().count(), 0);
    assert_eq!(call.caller().unwrap().object().unwrap().name(), "nightly");
    let callees: Vec<_> = call.callees().map(|end| (end.id(), end.name())).collect();
    assert_eq!(callees, [("2", Some("run")), ("99_0", Some("gone"))]);
}

#[test]
fn an_endpoint_whose_id_is_unknown_is_kept_and_listed() {
    let lineage = read(ROUTINES);
    let lost: Vec<&str> = lineage.unresolved().map(|end| end.id()).collect();
    assert_eq!(lost, ["99_0"]);
}

#[test]
fn a_package_holds_its_routines() {
    let lineage = read(ROUTINES);
    let run = lineage.object_by_id("2").unwrap();
    assert_eq!(run.package().unwrap().name(), "pay");
    assert_eq!(run.schema(), Some("hr"));
    assert!(run.is_routine() && !run.is_intermediate());
    let net = lineage.object_by_id("4").unwrap();
    assert!(net.is_routine() && !net.is_intermediate());
    assert_eq!(net.kind(), ObjectKind::Function);
    assert_eq!(run.arguments().next().unwrap().inout(), Some("in"));
    assert_eq!(lineage.object_by_id("6").unwrap().kind(), ObjectKind::Trigger);
}

#[test]
fn a_function_of_a_flat_document_is_a_routine_if_it_has_arguments() {
    let lineage = read_model(
        r#"{"id": 1, "name": "sum", "type": "function"},
           {"id": 2, "name": "net", "type": "function", "arguments": [{"id": 3, "name": "gross"}]}"#,
        "",
    );
    let routines: Vec<bool> = lineage.objects().map(|o| o.is_routine()).collect();
    assert_eq!(routines, [false, true]);
    let intermediate: Vec<bool> = lineage.objects().map(|o| o.is_intermediate()).collect();
    assert_eq!(intermediate, [true, false]);
}

#[test]
fn the_name_decides_whether_an_object_without_a_type_is_intermediate() {
    let lineage =
        read_model(r#"{"id": 1, "name": "RS-1"}, {"id": 2, "name": "RESULT_OF_x-1"}, {"id": 3, "name": "t"}"#, "");
    let intermediate: Vec<bool> = lineage.objects().map(|o| o.is_intermediate()).collect();
    assert_eq!(intermediate, [true, true, false]);
}

#[test]
fn ids_may_be_integers_or_texts_that_are_not_numbers() {
    let lineage = read_model(
        r#"{"id": 7, "name": "t", "type": "table", "columns": [{"id": "99_0", "name": "*"}]}"#,
        r#"{"id": 8, "type": "fdd", "target": {"id": "7"}, "sources": [{"id": "99_0"}]}"#,
    );
    assert_eq!(lineage.object_by_id("7").unwrap().name(), "t");
    assert_eq!(lineage.column_by_id("99_0").unwrap().name(), "*");
    assert_eq!(lineage.relationships().next().unwrap().id(), "8");
    assert_eq!(lineage.unresolved().count(), 0);
}

#[test]
fn coordinates_are_objects_arrays_or_text() {
    let places = |json: &str| -> Vec<String> {
        let lineage = read_model(&format!(r#"{{"id": 1, "name": "t", {json}}}"#), "");
        assert_eq!(unknown(&lineage), [], "{json}");
        let object = lineage.objects().next().unwrap();
        object.coordinates().map(|place| format!("{place:?}")).collect()
    };
    let expected = ["9:9#0", "72:5#ab1"];
    for json in [
        r#""coordinates": [{"x": 9, "y": 9, "hashCode": "0"}, {"hashCode": "ab1", "y": 5, "x": 72}]"#,
        r#""coordinates": [[9, 9, "0"], [72, 5, "ab1"]]"#,
        r#""coordinates": [[[9, 9, "0"], [72, 5, "ab1"]]]"#,
        r#""coordinate": "[9,9,0],[72,5,ab1]""#,
        r#""coordinate": "[[9, 9, \"0\"], [72, 5, \"ab1\"]]""#,
        r#""coordinates": [{"x": "9", "y": 9.0, "hashCode": 0}, {"x": 72, "y": 5, "hashCode": "ab1"}]"#,
    ] {
        assert_eq!(places(json), expected, "{json}");
    }
    for json in [r#""coordinates": []"#, r#""coordinates": null"#, r#""coordinate": """#] {
        assert!(places(json).is_empty(), "{json}");
    }
    assert_eq!(places(r#""coordinates": [{"x": -1, "y": null}]"#), ["-1:-1"]);
    let many = vec![r#"{"x": 1, "y": 2, "hashCode": "0"}"#; 18].join(",");
    assert_eq!(places(&format!(r#""coordinates": [{many}]"#)).len(), 18);
}

#[test]
fn a_malformed_coordinate_is_counted_as_not_understood() {
    let lineage = read_model(
        r#"{"id": 1, "coordinates": [{"x": 99999999999, "y": 1}, 7, [1]], "columns": [{"id": 2, "coordinate": "[x]"}]}"#,
        "",
    );
    let expected =
        [("dbobjs[].columns[].coordinates", 1), ("dbobjs[].coordinates[]", 2), ("dbobjs[].coordinates[].x", 1)]
            .map(|(path, count)| (path.to_owned(), count));
    assert_eq!(unknown(&lineage), expected);
}

#[test]
fn a_process_that_is_listed_in_three_places_is_one_process_with_all_its_fields() {
    let lineage = read(LAYOUT_C2);
    assert_eq!(lineage.processes().len(), 1);
    let process = lineage.process_by_id("60").unwrap();
    assert_eq!(process.kind(), Some("sstinsert"));
    assert_eq!(process.procedure_name(), Some("batchQueries"));
    assert_eq!(process.procedure_id(), Some("7"));
    assert_eq!(process.query_hash_id(), Some("a1"));
    assert_eq!(process.schema(), Some("sales"));
    assert!(!process.ui_visible());
    assert_eq!(process.coordinates().len(), 2);
}

#[test]
fn processes_without_an_id_are_kept_apart_and_written_once() {
    for id in ["", r#""id": "", "#] {
        let process = |name: &str| format!(r#"{{{id}"name": "{name}", "type": "sstselect"}}"#);
        let document =
            format!(r#"{{"dbobjs": [], "relationships": [], "processes": [{}, {}]}}"#, process("A"), process("B"));
        let lineage = read(&document);
        let names = |lineage: &Lineage| lineage.processes().map(|one| one.name().to_owned()).collect::<Vec<_>>();
        assert_eq!(names(&lineage), ["A", "B"]);
        let mut written = Vec::new();
        lineage.write_json(&mut written).unwrap();
        assert_eq!(names(&Lineage::from_slice(&written).unwrap()), ["A", "B"]);
    }
}

#[test]
fn an_empty_vendor_does_not_hide_that_of_the_server() {
    let servers = r#"{"servers": [{"name": "S", "dbVendor": "dbvbigquery"}]}"#;
    for document in [
        format!(r#"{{"dbvendor": "", "dbobjs": {servers}, "relationships": []}}"#),
        format!(r#"{{"dbobjs": {servers}, "relationships": [], "dbvendor": ""}}"#),
    ] {
        assert_eq!(read(&document).vendor(), Some("dbvbigquery"));
    }
}

#[test]
fn a_process_among_the_objects_of_a_flat_document_is_not_an_object() {
    let lineage = read(LAYOUT_B);
    assert!(lineage.object_by_id("60").is_none());
    let process = lineage.process_by_id("60").unwrap();
    assert_eq!(process.query_hash_id(), Some("a1"));
    assert_eq!(process.kind(), None);
    assert_eq!(lineage.objects().filter(|o| o.query_hash_id().is_some()).count(), 0);
}

#[test]
fn the_record_set_column_is_recognised_by_name_and_source_in_any_case() {
    for document in [LAYOUT_A, LAYOUT_B, LAYOUT_C1] {
        let lineage = read(document);
        assert!(lineage.column_by_id("43").unwrap().is_record_set());
        assert!(!lineage.column_by_id("41").unwrap().is_record_set());
    }
}

#[test]
fn a_column_name_may_be_a_star_a_number_or_several_lines_of_sql() {
    let lineage = read_model(
        r#"{"id": 1, "name": "t", "columns": [{"id": 2, "name": "*"}, {"id": 3, "name": 1}, {"id": 4, "name": "case\n when a"}]}"#,
        "",
    );
    let names: Vec<&str> = lineage.columns().map(|column| column.name()).collect();
    assert_eq!(names, ["*", "1", "case\n when a"]);
}

#[test]
fn a_summary_is_recognised() {
    let lineage = read(SUMMARY);
    assert!(lineage.is_summary());
    assert_eq!(lineage.mode(), Some(&Mode::Summary));
    let summary = lineage.summary().unwrap();
    assert_eq!(summary.relationships(), Some(1734));
    assert_eq!(summary.tables(), Some(3));
    assert_eq!((summary.schemas(), summary.databases()), (Some(1), Some(0)));
    assert_eq!((summary.views(), summary.columns(), summary.processes()), (Some(0), Some(6), Some(1)));
    let busiest: Vec<_> = summary.busiest_tables().map(|t| (t.schema(), t.table())).collect();
    assert_eq!(busiest, [(Some("sales"), "report")]);
    assert!(!read(LAYOUT_B).is_summary());
    let old = read(r#"{"mode": "global", "summary": {"relation": 3}}"#);
    assert_eq!(old.summary().unwrap().relationships(), Some(3));
}

#[test]
fn errors_and_messages_are_kept() {
    let lineage = read(LAYOUT_B);
    let error = lineage.errors().next().unwrap();
    assert_eq!(error.message(), "1 column is looked up by position");
    assert_eq!(error.kind(), Some("SyntaxHint"));
    assert_eq!(error.coordinates().len(), 2);
    assert_eq!(error.origin_coordinates().next().unwrap().hash_code(), None);
    let lineage = read(LAYOUT_C2);
    let message = lineage.errors().next().unwrap();
    assert_eq!(message.occurrences(), Some(3));
    assert_eq!(message.file(), Some("report.sql"));
    assert_eq!(message.coordinates().len(), 2);
}

#[test]
fn the_error_text_of_a_partial_success_is_kept_as_warnings() {
    let document = LAYOUT_B.replace(r#""code": 200"#, r#""code": 203"#);
    let lineage = read(&document);
    assert_eq!(lineage.code(), Some(203));
    let warnings: Vec<&str> = lineage.warnings().collect();
    assert_eq!(warnings, ["1 column is looked up by position", "second thought"]);
    assert_eq!(lineage.relationships().len(), 7);
    assert_eq!(lineage.session_id(), Some("s-1_1667231780609"));
    assert_eq!(lineage.job_id(), Some("j-1"));
}

#[test]
fn a_message_in_a_successful_response_is_counted_and_is_not_a_warning() {
    let lineage = read(r#"{"code": 200, "message": "success", "data": {"dbobjs": []}}"#);
    assert_eq!(lineage.warnings().count(), 0);
    assert_eq!(unknown(&lineage), [("message".to_owned(), 1)]);
}

#[test]
fn a_coordinate_that_the_server_could_not_write_is_unknown() {
    let lineage =
        read_model(r#"{"id": 1, "coordinates": [{"x": {"infinite": false, "naN": false}, "y": {"odd": 1}}]}"#, "");
    let object = lineage.objects().next().unwrap();
    let place = object.coordinates().next().unwrap();
    assert_eq!((place.line(), place.column()), (-1, -1));
    assert_eq!(unknown(&lineage), [("dbobjs[].coordinates[].y".to_owned(), 1)]);
}

#[test]
fn a_process_that_is_listed_twice_takes_memory_once() {
    let process = r#"{"id": "1", "name": "p", "coordinates": [{"x": 1, "y": 1, "hashCode": "0"}]}"#;
    let once = read(&format!(r#"{{"dbobjs": {{}}, "processes": [{process}]}}"#));
    let twice = read(&format!(r#"{{"dbobjs": {{"processes": [{process}]}}, "processes": [{process}]}}"#));
    assert_eq!(once, twice);
    assert_eq!(once.heap_bytes(), twice.heap_bytes());
}

#[test]
fn an_object_field_of_a_process_is_counted_as_not_understood() {
    let lineage = read_model(r#"{"id": 1, "type": "process", "alias": "a"}"#, "");
    assert_eq!(lineage.processes().len(), 1);
    assert_eq!(lineage.unknown_fields().len(), 1);
}

#[test]
fn the_graph_section_is_kept_as_json_if_it_is_requested() {
    let with_graph = |document: &str| Lineage::reader().keep_graph().read_slice(document.as_bytes()).unwrap();
    let lineage = with_graph(LAYOUT_C2);
    let graph: serde_json::Value = serde_json::from_str(lineage.graph_json().unwrap()).unwrap();
    let whole: serde_json::Value = serde_json::from_str(LAYOUT_C2).unwrap();
    assert_eq!(graph, whole["graph"]);
    let lineage = with_graph(LAYOUT_B);
    assert!(lineage.graph_json().unwrap().contains("-30.000149"));
    assert!(with_graph(LAYOUT_A).graph_json().is_none());
}

#[test]
fn a_graph_section_that_is_not_kept_is_known_to_be_there() {
    for (document, has_graph) in [(LAYOUT_B, true), (LAYOUT_C2, true), (LAYOUT_A, false)] {
        let lineage = read(document);
        assert_eq!((lineage.has_graph(), lineage.graph_json()), (has_graph, None));
        let kept = Lineage::reader().keep_graph().read_slice(document.as_bytes()).unwrap();
        assert_eq!(kept.has_graph(), has_graph);
        assert_eq!(lineage, kept);
        assert_eq!(unknown(&lineage), []);
    }
    assert!(!read(r#"{"dbobjs": [], "graph": null}"#).has_graph());
}

#[test]
fn a_graph_section_that_is_not_kept_is_still_checked() {
    for graph in ["{\"a\": }", "[1 2]", "nul", "{\"a\""] {
        let document = format!(r#"{{"dbobjs": [], "graph": {graph}}}"#);
        assert!(Lineage::from_slice(document.as_bytes()).is_err(), "{document}");
    }
}

#[test]
fn a_job_next_to_the_data_is_kept() {
    let lineage = read(r#"{"data": {"dbobjs": []}, "job": {"jobId": "j", "subJobs": [ ]}, "code": 200}"#);
    assert_eq!(lineage.job_json(), Some(r#"{"jobId":"j","subJobs":[]}"#));
}

#[test]
fn text_after_the_json_is_kept() {
    for between in ["", "\n\n", " "] {
        let document = format!("{LAYOUT_A}{between}Error log: \n find orphan column {{x}}\n");
        let expected = Some("Error log: \n find orphan column {x}");
        let lineage = Lineage::from_slice(document.as_bytes()).unwrap();
        assert_eq!(lineage.trailing_text(), expected);
        let lineage = Lineage::from_reader(document.as_bytes()).unwrap();
        assert_eq!(lineage.trailing_text(), expected);
    }
    assert_eq!(read(LAYOUT_A).trailing_text(), None);
    assert_eq!(read("{\"dbobjs\": []} \n\t").trailing_text(), None);
    assert_eq!(read(r#"{"dbobjs": []}x"#).trailing_text(), Some("x"));
}

#[test]
fn fields_that_are_not_understood_are_counted_by_path() {
    let lineage = read(
        r#"{"code": 200, "newest": 1, "data": {"dbobjs": {"servers": [{"name": "s", "schemas": [{"stages": [1, 2],
            "tables": [{"id": 1, "shape": {"a": [1]}, "columns": [{"id": 2, "shape": 1}, {"id": 3, "shape": 2}]}]}]}]},
            "relationships": [{"id": {"odd": 1}, "type": "fdd"}, 7], "processes": "none", "errors": null}}"#,
    );
    let expected = [
        ("data.dbobjs.servers[].schemas[].stages", 1),
        ("data.dbobjs.servers[].schemas[].tables[].columns[].shape", 2),
        ("data.dbobjs.servers[].schemas[].tables[].shape", 1),
        ("data.processes", 1),
        ("data.relationships[]", 1),
        ("data.relationships[].id", 1),
        ("newest", 1),
    ]
    .map(|(path, count)| (path.to_owned(), count));
    assert_eq!(unknown(&lineage), expected);
    assert_eq!(lineage.relationships().len(), 1);
}

#[test]
fn relationships_that_are_not_a_list_are_an_error_and_never_an_empty_lineage() {
    for odd in [r#""none""#, "{}", "0", "true", r#"{"relationship": []}"#] {
        for document in [
            format!(r#"{{"dbobjs": {{}}, "relationships": {odd}}}"#),
            format!(r#"{{"code": 200, "data": {{"relations": {odd}, "dbobjs": []}}}}"#),
            format!(
                r#"{{"code": 200, "data": {{"mode": "global", "sqlflow": {{"dbobjs": {{}}, "relationships": {odd}}}}}}}"#
            ),
        ] {
            let error = Lineage::from_slice(document.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ReadErrorKind::NotLineage, "{document}");
            assert!(error.to_string().contains("relationships"), "{error}");
        }
        let failed = format!(r#"{{"code": 500, "error": "boom", "data": {{"dbobjs": {{}}, "relationships": {odd}}}}}"#);
        assert_eq!(Lineage::from_slice(failed.as_bytes()).unwrap_err().kind(), ReadErrorKind::Failed);
    }
    for none in ["null", "[]"] {
        assert_eq!(read(&format!(r#"{{"dbobjs": {{}}, "relationships": {none}}}"#)).relationships().len(), 0);
    }
    assert_eq!(read(r#"{"dbobjs": {}}"#).relationships().len(), 0);
}

#[test]
fn beyond_a_limit_unknown_fields_are_counted_without_their_paths() {
    let fields: Vec<String> = (0..5000).map(|n| format!(r#""field{n}": {n}"#)).collect();
    let lineage = read(&format!(r#"{{"dbobjs": [], {}}}"#, fields.join(",")));
    assert_eq!(lineage.unknown_fields().len(), 1001);
    assert_eq!(lineage.unknown_fields().map(|(_, count)| count).sum::<u64>(), 5000);
}

#[test]
fn absent_and_null_fields_are_the_same() {
    let lineage = read(
        r#"{"code": null, "error": null, "data": {"mode": null, "summary": null, "graph": null, "errors": null,
            "dbvendor": null, "dbobjs": [{"id": "1", "name": null, "columns": null, "coordinates": null, "alias": null}],
            "relationships": [{"id": "2", "type": null, "target": null, "sources": null}]}}"#,
    );
    assert_eq!(unknown(&lineage), []);
    let object = lineage.objects().next().unwrap();
    assert_eq!((object.name(), object.alias()), ("", None));
    assert_eq!(object.columns().len() + object.coordinates().len(), 0);
    assert_eq!(lineage.relationships().next().unwrap().endpoints().len(), 0);
    assert!(lineage.graph_json().is_none() && lineage.summary().is_none());
}

#[test]
fn an_envelope_that_reports_a_failure_is_an_error_with_its_code_and_message() {
    let error = fails(r#"{"code": 401, "error": "Invalid user or token, access deny.", "data": null}"#);
    assert_eq!(error.kind(), ReadErrorKind::Failed);
    assert_eq!(error.code(), Some(401));
    assert_eq!(error.message(), Some("Invalid user or token, access deny."));
    assert!(error.to_string().contains("401: Invalid user"), "{error}");
    let error = fails(r#"{"error": "no", "code": "401"}"#);
    assert_eq!((error.kind(), error.code()), (ReadErrorKind::Failed, Some(401)));
    let error = fails(r#"{"data": {"dbobjs": []}, "error": "half", "code": 500}"#);
    assert_eq!((error.kind(), error.code()), (ReadErrorKind::Failed, Some(500)));
    let error = fails(r#"{"error": "rate_limit_exceeded", "message": "50 a day"}"#);
    assert_eq!((error.kind(), error.code()), (ReadErrorKind::Failed, None));
    let error = fails(r#"{"code": "busy", "error": "later", "data": null}"#);
    assert_eq!((error.kind(), error.message()), (ReadErrorKind::Failed, Some("later")));
    let long = fails(&format!(r#"{{"code": 500, "error": "{}"}}"#, "word ".repeat(5000)));
    assert!(long.message().unwrap().len() < 3000);
}

#[test]
fn a_code_may_be_a_text() {
    let lineage = read(r#"{"code": "200", "data": {"dbobjs": []}}"#);
    assert_eq!(lineage.code(), Some(200));
}

#[test]
fn an_envelope_without_data_is_an_error_of_its_own_kind() {
    for document in [
        r#"{"code": 200, "data": null}"#,
        r#"{"code": 200}"#,
        r#"{"code": 200, "sessionId": "s", "error": "job is gone"}"#,
    ] {
        assert_eq!(fails(document).kind(), ReadErrorKind::NoData, "{document}");
    }
}

#[test]
fn json_that_is_not_lineage_is_an_error_of_its_own_kind() {
    for document in [
        "{}",
        "[]",
        "[1, 2]",
        "42",
        r#""text""#,
        r#"{"code": 200, "data": {"jobId": "j", "status": "success"}}"#,
        r#"{"code": 200, "data": "text"}"#,
        r#"{"code": 200, "data": {"errors": []}}"#,
    ] {
        assert_eq!(fails(document).kind(), ReadErrorKind::NotLineage, "{document}");
    }
    serde_json::from_str::<Lineage>("[]").unwrap_err();
    serde_json::from_str::<Lineage>("{}").unwrap_err();
}

#[test]
fn the_error_for_a_document_that_is_not_json_shows_only_its_beginning() {
    let page = format!("<html><h1>502 Bad Gateway</h1>{}</html>", "x".repeat(5000));
    let error = fails(&page);
    assert_eq!(error.kind(), ReadErrorKind::NotJson);
    assert!(error.to_string().contains("502 Bad Gateway"), "{error}");
    assert!(error.to_string().len() < 300, "{error}");
    assert_eq!(fails("source_db,source_schema").kind(), ReadErrorKind::NotJson);
    for empty in ["", " \n", "\u{feff}"] {
        assert_eq!(fails(empty).kind(), ReadErrorKind::Empty);
    }
}

#[test]
fn json_that_is_truncated_anywhere_is_an_error_with_its_position() {
    for end in 1..LAYOUT_A.trim_end().len() {
        let error = fails(&LAYOUT_A[..end]);
        assert_eq!(error.kind(), ReadErrorKind::Truncated, "{end}");
    }
    let document = "{\n \"dbobjs\": [";
    for error in [fails(document), Lineage::from_reader(document.as_bytes()).unwrap_err()] {
        let position = error.position().unwrap();
        assert_eq!((position.offset, position.line), (14, 2), "{error}");
        assert!(error.to_string().contains("\"dbobjs\": ["), "{error}");
    }
}

#[test]
fn malformed_json_is_an_error_with_its_position() {
    let document = "{\n\"dbobjs\": [},\n\"relationships\": []}";
    for error in [fails(document), Lineage::from_reader(document.as_bytes()).unwrap_err()] {
        assert_eq!(error.kind(), ReadErrorKind::Malformed);
        let position = error.position().unwrap();
        assert_eq!(position.line, 2, "{error}");
        assert!((12..=14).contains(&position.offset), "{error}");
    }
    assert_eq!(fails("{\"dbobjs\": \"\u{1}\"}").kind(), ReadErrorKind::Malformed);
}

#[test]
fn bytes_that_are_not_utf8_are_kept_after_the_json_and_refused_inside_it() {
    let document = [LAYOUT_A.as_bytes(), b"Error log: \xff \xc3"].concat();
    for lineage in [Lineage::from_slice(&document).unwrap(), Lineage::from_reader(OneByte(&document)).unwrap()] {
        assert_eq!(lineage.trailing_text(), Some("Error log: \u{fffd} \u{fffd}"));
    }
    for (document, kind) in [
        (&b"{\"dbobjs\": [\n{\"id\": \"\xff\"}]}"[..], ReadErrorKind::Malformed),
        (b"{\"dbobjs\": [\n{\"id\": \"\xc3", ReadErrorKind::Truncated),
        (b"\xff\xfe{", ReadErrorKind::NotJson),
        (b"\xc3", ReadErrorKind::NotJson),
    ] {
        let error = Lineage::from_slice(document).unwrap_err();
        let streamed = Lineage::from_reader(OneByte(document)).unwrap_err();
        assert_eq!((error.kind(), streamed.kind()), (kind, kind), "{error}");
        assert_eq!(error.position(), streamed.position());
        assert!(
            error.position().is_none_or(|position| (position.offset, position.line, position.column) == (21, 2, 9)),
            "{error}"
        );
    }
}

#[test]
fn a_byte_order_mark_and_white_space_before_the_json_are_skipped() {
    for before in ["\u{feff}", " \r\n", "\u{feff}\n "] {
        let document = format!("{before}{LAYOUT_A}");
        assert_eq!(read(&document), read(LAYOUT_A));
        assert_eq!(Lineage::from_reader(document.as_bytes()).unwrap(), read(LAYOUT_A));
    }
}

#[test]
fn deep_nesting_is_refused() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let bomb = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        for document in [
            format!(r#"{{"unknown": {bomb}}}"#),
            format!(r#"{{"graph": {bomb}}}"#),
            format!(r#"{{"dbobjs": [{{"coordinates": {bomb}}}]}}"#),
        ] {
            assert_eq!(fails(&document).kind(), ReadErrorKind::TooDeep);
        }
    }
    let frames = format!("{}1{}", r#"{"data":"#.repeat(50), "}".repeat(50));
    assert_eq!(fails(&frames).kind(), ReadErrorKind::NotLineage);
}

#[test]
fn a_document_that_exceeds_the_limit_is_refused() {
    let reader = Lineage::reader().max_bytes(LAYOUT_A.len() as u64);
    assert!(reader.read_slice(LAYOUT_A.as_bytes()).is_ok());
    assert!(reader.read(LAYOUT_A.as_bytes()).is_ok());
    let longer = format!("{LAYOUT_A} and more");
    for result in [reader.read_slice(longer.as_bytes()), reader.read(longer.as_bytes())] {
        assert_eq!(result.unwrap_err().kind(), ReadErrorKind::TooLarge);
    }
    // Reading of an endless document stops at the limit.
    let endless = br#"{"dbobjs": ["#.chain(io::repeat(b' '));
    let result = Lineage::reader().max_bytes(1 << 20).read(endless);
    assert_eq!(result.unwrap_err().kind(), ReadErrorKind::TooLarge);
}

#[test]
fn a_reader_that_fails_is_the_source_of_the_error() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::new(io::ErrorKind::ConnectionReset, "reset by peer"))
        }
    }
    let error = Lineage::from_reader(br#"{"dbobjs": ["#.chain(Broken)).unwrap_err();
    assert_eq!(error.kind(), ReadErrorKind::Io);
    assert!(error.to_string().contains("reset by peer"), "{error}");
    assert!(std::error::Error::source(&error).is_some());
    assert_eq!(Lineage::from_reader(Broken).unwrap_err().kind(), ReadErrorKind::Io);
}

#[test]
fn any_value_of_any_field_is_read_or_refused_without_a_panic() {
    let values = [
        "null",
        "true",
        "-1",
        "1e400",
        "1.5",
        "18446744073709551615",
        r#""""#,
        r#""[1,2""#,
        "[]",
        "{}",
        "[[]]",
        r#"[{"id": 1}]"#,
        r#"{"id": [1]}"#,
    ];
    for document in [LAYOUT_B, LAYOUT_C1, LAYOUT_C2, ROUTINES] {
        let keys: Vec<usize> = document.match_indices("\": ").map(|(at, _)| at + 3).collect();
        for at in keys.into_iter().step_by(13) {
            let rest = &document[at..];
            let mut values_there = serde_json::Deserializer::from_str(rest).into_iter::<serde::de::IgnoredAny>();
            assert!(values_there.next().unwrap().is_ok());
            let after = values_there.byte_offset();
            for value in values {
                let changed = format!("{}{value}{}", &document[..at], &rest[after..]);
                ask_everything(&changed);
            }
        }
    }
}

fn ask_everything(document: &str) {
    let Ok(lineage) = Lineage::from_slice(document.as_bytes()) else {
        return;
    };
    assert_eq!(lineage, Lineage::from_reader(document.as_bytes()).unwrap());
    for object in lineage.objects() {
        let _ = (object.upstream(), object.downstream(), format!("{object:?}"));
        let _ = lineage.object(&object.qualified_name());
    }
    let _ = (lineage.column_flows(), lineage.unresolved().count());
}

#[test]
fn debug_output_is_short() {
    let lineage = read(LAYOUT_C1);
    assert!(format!("{lineage:?}").len() < 120);
    for relationship in lineage.relationships() {
        assert!(format!("{relationship:?}").len() < 120);
        assert!(format!("{:?}", relationship.target()).len() < 120);
    }
    let error = fails(r#"{"code": 500, "error": "e"}"#);
    assert!(format!("{error:?}").len() < 200);
}

#[test]
fn everything_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    let lineage = read(LAYOUT_C1);
    shared(&lineage);
    shared(&lineage.objects().next());
    shared(&lineage.relationships().next());
    shared(&fails("x"));
}

/// Supplies one byte at a time, so that every token meets the end of a buffer.
struct OneByte<'a>(&'a [u8]);

impl Read for OneByte<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = 1.min(out.len());
        self.0.read(&mut out[..n])
    }
}
