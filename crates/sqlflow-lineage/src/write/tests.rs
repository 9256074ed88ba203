use super::super::Lineage;
use super::super::fixtures::{
    FIXTURES, LAYOUT_A_AS_TREE, LAYOUT_B, LAYOUT_C1, LAYOUT_C2, ROUTINES, SUMMARY, read, read_model,
};
use super::super::view::Object;

fn written(lineage: &Lineage) -> String {
    let mut json = Vec::new();
    lineage.write_json(&mut json).unwrap();
    String::from_utf8(json).unwrap()
}

/// Removes the name `DEFAULT`, which is the same as none.
fn named(name: Option<&str>) -> Option<&str> {
    name.filter(|name| *name != "DEFAULT")
}

/// Returns the details that equality ignores, and the order of records.
fn details(lineage: &Lineage) -> Vec<String> {
    let summary = lineage.summary().map(|s| {
        let counts = [s.schemas(), s.databases(), s.tables(), s.views(), s.columns(), s.processes(), s.relationships()];
        let busiest: Vec<_> = s.busiest_tables().map(|b| (b.table(), b.schema(), b.database())).collect();
        format!("{counts:?} {busiest:?}")
    });
    let mut lines = vec![
        format!("{:?} {:?} {:?}", lineage.code(), lineage.job_id(), lineage.session_id()),
        format!("{:?} {summary:?} {:?}", lineage.mode(), lineage.warnings().collect::<Vec<_>>()),
        format!("{:?} {:?} {:?}", lineage.vendor(), lineage.created_by(), lineage.trailing_text()),
        format!("{:?} {:?}", lineage.graph_json(), lineage.job_json()),
    ];
    for error in lineage.errors() {
        let places: Vec<_> = error.coordinates().collect();
        let origins: Vec<_> = error.origin_coordinates().collect();
        lines.push(format!("{error} {:?} {places:?} {origins:?}", error.occurrences()));
    }
    let mut objects: Vec<Object<'_>> = lineage.objects().collect();
    // The arrays that listed the objects may differ.
    objects.sort_by(|a, b| (a.is_routine(), a.kind_text(), a.id()).cmp(&(b.is_routine(), b.kind_text(), b.id())));
    for object in objects {
        lines.push(format!(
            "{object:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            object.is_routine(),
            object.is_intermediate(),
            object.ui_visible(),
            object.is_target(),
            object.display_name(),
            object.procedure_id(),
            object.package(),
            named(object.database()),
            named(object.schema()),
            object.columns().map(|c| (c.id(), c.name(), c.ui_visible(), c.source())).collect::<Vec<_>>(),
        ));
    }
    for process in lineage.processes() {
        lines.push(format!(
            "{process:?} {:?} {:?} {:?} {:?} {:?}",
            process.kind(),
            process.procedure_id(),
            process.ui_visible(),
            named(process.database()),
            named(process.schema()),
        ));
    }
    for relationship in lineage.relationships() {
        lines.push(format!("{relationship:?} {:?}", relationship.process_type()));
        for end in relationship.endpoints() {
            let names = [end.name(), end.parent_id(), end.parent_name(), end.table_id(), end.table_name(), end.kind()];
            lines.push(format!("{end:?} {names:?} {}", end.is_resolved()));
        }
    }
    lines
}

fn servers(lineage: &Lineage) -> Vec<String> {
    lineage
        .servers()
        .map(|s| format!("{} {:?} {:?} {:?}", s.name(), s.vendor(), s.supports_catalogs(), s.supports_schemas()))
        .collect()
}

/// Writes a lineage and reads it again, and checks that nothing is lost.
fn read_with_graph(document: &str) -> Lineage {
    Lineage::reader().keep_graph().read_slice(document.as_bytes()).unwrap()
}

fn survives(lineage: &Lineage) -> Lineage {
    let json = written(lineage);
    let reader = Lineage::reader().keep_graph();
    let again = reader.read_slice(json.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{json}"));
    assert_eq!(again, Lineage::from_reader(json.as_bytes()).unwrap());
    assert_eq!(*lineage, again, "{json}");
    assert_eq!(details(lineage), details(&again), "{json}");
    assert_eq!(again.unknown_fields().len(), 0, "{json}");
    assert_eq!(written(&again), json);
    let third = read(&written(&again));
    assert_eq!(servers(&again), servers(&third));
    again
}

#[test]
fn every_layout_survives_writing() {
    for document in FIXTURES {
        survives(&read(document));
    }
}

#[test]
fn the_servers_of_a_tree_stay_as_they_are() {
    for document in [LAYOUT_A_AS_TREE, LAYOUT_C1, LAYOUT_C2, ROUTINES] {
        let lineage = read(document);
        assert_eq!(servers(&lineage), servers(&survives(&lineage)));
    }
}

#[test]
fn levels_that_a_flat_document_does_not_name_are_named_default() {
    let lineage = read_model(r#"{"id": "1", "name": "t", "type": "table"}"#, "");
    let again = survives(&lineage);
    let object = again.object("t").unwrap();
    assert_eq!(
        (object.server(), object.database(), object.schema()),
        (Some("DEFAULT_SERVER"), Some("DEFAULT"), Some("DEFAULT"))
    );
    assert_eq!(servers(&again), ["DEFAULT_SERVER None Some(true) Some(true)"]);
    assert_eq!(
        written(&lineage),
        r#"{"dbobjs":{"servers":[{"name":"DEFAULT_SERVER","supportsCatalogs":true,"supportsSchemas":true,"databases":[{"name":"DEFAULT","schemas":[{"name":"DEFAULT","tables":[{"id":"1","name":"t","type":"table","columns":[],"coordinates":[]}]}]}]}]},"relationships":[]}"#
    );
}

#[test]
fn a_scope_that_skips_a_level_is_written_with_the_missing_level() {
    let lineage = read_model(
        r#"{"id": "1", "name": "a", "type": "table", "schema": "s"},
           {"id": "2", "name": "b", "type": "table", "server": "x", "schema": "s"},
           {"id": "3", "name": "c", "type": "table", "server": "x"},
           {"id": "4", "name": "d", "type": "table", "database": "d"},
           {"id": "5", "name": "e", "type": "table", "database": "DEFAULT"},
           {"id": "6", "name": "f", "type": "table", "server": "x", "database": "d", "schema": "s"},
           {"id": "7", "name": "g", "type": "table"},
           {"id": "8", "name": "p", "type": "process", "schema": "s"}"#,
        "",
    );
    let again = survives(&lineage);
    let place = |id: &str| {
        let object = again.object_by_id(id).unwrap();
        [object.server(), object.database(), object.schema()].map(Option::unwrap_or_default)
    };
    assert_eq!(place("1"), ["DEFAULT_SERVER", "DEFAULT", "s"]);
    assert_eq!(place("2"), ["x", "DEFAULT", "s"]);
    assert_eq!(place("3"), ["x", "DEFAULT", "DEFAULT"]);
    assert_eq!(place("4"), ["DEFAULT_SERVER", "d", "DEFAULT"]);
    assert_eq!(place("5"), ["DEFAULT_SERVER", "DEFAULT", "DEFAULT"]);
    assert_eq!(place("6"), ["x", "d", "s"]);
    assert_eq!(again.servers().count(), 2);
    assert_eq!(written(&lineage).matches(r#"{"name":"DEFAULT","#).count(), 4 + 1, "one for each place");
}

#[test]
fn levels_that_a_server_does_not_have_are_not_added() {
    let tree = r#"{"dbobjs": {"servers": [
        {"name": "m", "supportsCatalogs": true, "supportsSchemas": false, "databases": [
            {"name": "shop", "tables": [{"id": "1", "name": "a"}]}, {"name": "empty"}]},
        {"name": "o", "supportsCatalogs": false, "supportsSchemas": true, "schemas": [
            {"name": "hr", "tables": [{"id": "2", "name": "b"}]}, {"name": "empty", "processes": []}]},
        {"name": "n", "supportsCatalogs": false, "supportsSchemas": false, "tables": [{"id": "3", "name": "c"}]},
        {"tables": [{"id": "4", "name": "d"}]}
    ]}, "relationships": []}"#;
    let again = survives(&read(tree));
    let place = |id: &str| {
        let object = again.object_by_id(id).unwrap();
        (object.database(), object.schema())
    };
    assert_eq!(place("1"), (Some("shop"), None));
    assert_eq!(place("2"), (None, Some("hr")));
    assert_eq!(place("3"), (None, None));
    assert_eq!(written(&again).matches(r#"{"name":"empty"}"#).count(), 2);
}

#[test]
fn an_object_of_a_flat_document_stays_a_routine_or_a_result() {
    let lineage = read_model(
        r#"{"id": "1", "name": "f", "type": "function"},
           {"id": "2", "name": "g", "type": "function", "arguments": [{"id": "3", "name": "x"}]},
           {"id": "4", "name": "RS-1"},
           {"id": "5", "name": "plain"},
           {"id": "6", "name": "p", "type": "procedure"},
           {"id": "7", "name": "t", "type": "trigger"},
           {"id": "8", "name": "k", "type": "package"},
           {"id": "9", "name": "process", "type": "process", "columns": [{"id": "10", "name": "c"}]},
           {"id": "11", "name": "Q-1", "type": "process", "queryHashId": "h"},
           {"id": "12", "name": "v", "type": "view"},
           {"id": "13", "name": "x", "type": "stage"},
           {"id": "14", "name": "DEFAULT.y", "type": "path", "isTarget": true, "uiVisible": false}"#,
        "",
    );
    let again = survives(&lineage);
    assert_eq!(again.object_by_id("2").map(|object| object.is_routine()), Some(true));
    assert_eq!(again.object_by_id("1").map(|object| object.is_routine()), Some(false));
    assert_eq!(again.objects().len(), 11);
    assert_eq!(again.processes().len(), 1);
}

#[test]
fn routines_stay_in_their_packages() {
    let again = survives(&read(ROUTINES));
    assert_eq!(again.object_by_id("2").and_then(|run| run.package()).map(|package| package.id()), Some("1"));
    // A flat document does not give the schema of the routines in a package.
    let flat = read_model(
        r#"{"id": "1", "name": "k", "type": "package", "schema": "s", "database": "d",
            "functions": [{"id": "2", "name": "f"}, {"id": "3", "name": "g", "schema": "other"}]},
           {"id": "4", "name": "k", "type": "package", "procedures": [{"id": "5", "name": "p"}]}"#,
        "",
    );
    let names: Vec<String> = survives(&flat).objects().map(|object| object.qualified_name()).collect();
    assert_eq!(names, flat.objects().map(|object| object.qualified_name()).collect::<Vec<_>>());
}

#[test]
fn objects_of_a_tree_that_name_their_own_scope_keep_it() {
    let tree = r#"{"dbobjs": {"servers": [{"name": "x", "supportsCatalogs": true, "supportsSchemas": true, "databases": [
        {"name": "d", "schemas": [{"name": "s", "tables": [
            {"id": "1", "name": "a", "schema": "s"},
            {"id": "2", "name": "b", "schema": "t", "database": "e"},
            {"id": "3", "name": "c", "server": "y"}]}],
         "tables": [{"id": "4", "name": "d", "schema": "u"}]}
    ]}]}, "relationships": []}"#;
    let lineage = read(tree);
    let again = survives(&lineage);
    let places = |lineage: &Lineage| {
        lineage
            .objects()
            .map(|o| format!("{:?} {:?} {:?} {:?}", o.id(), o.server(), o.database(), o.schema()))
            .collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(places(&lineage), places(&again));
    assert_eq!(again.servers().count(), 2);
}

#[test]
fn unusual_relationships_survive_writing() {
    let lineage = read_model(
        r#"{"id": "1", "name": "a", "type": "table", "columns": [{"id": "2", "name": "*"}, {"id": "2", "name": "twice"}]}"#,
        r#"{"id": "10", "type": "fdd", "target": {"id": "2"}, "sources": [{"id": "404", "column": "gone"}]},
           {"id": "11", "type": "fdd", "sources": [{"id": "2"}, {"id": "1"}], "target": {"id": "2"}},
           {"type": "fdd", "target": {"id": "2"}, "target": {"id": "404"}},
           {"id": "12", "sources": [{"id": "2"}], "target": {"id": "2"}, "sources": [{"column": "no id"}]},
           {"id": "13", "type": "fdd", "target": {"targetId": "1", "targetName": "a"},
            "sources": [{"sourceId": "1", "sourceName": "a", "type": "x", "function": "f", "columnType": "int"}]},
           {"id": "14", "type": "call", "callees": [{"id": "1"}], "caller": {"id": "7"}, "target": {"id": "1"}},
           {"id": "15"}, {"id": "16", "type": "fdr", "target": {"id": "2"}, "sources": []},
           {"id": "17", "type": "join", "joinType": "left", "clause": "on", "condition": "a = b", "function": "f",
            "timestampMin": 1, "timestampMax": "2", "processId": "9", "processType": "p",
            "target": {"id": "2", "transforms": [{"type": "t", "code": "c", "coordinates": [[1, 2, "0"]]}, {}]},
            "sources": [{"id": "2", "clauseType": "where", "transforms": [{"code": "d"}]}]}"#,
    );
    let again = survives(&lineage);
    assert_eq!(again.relationships().nth(2).map(|both| both.endpoints().len()), Some(2));
    assert_eq!(again.unresolved().count(), lineage.unresolved().count());
}

#[test]
fn processes_keep_their_order_and_their_scope() {
    let tree = r#"{"processes": [{"id": "9", "name": "late"}, {"id": "1", "name": "early", "coordinate": "[1,2,0]"}],
        "dbobjs": {"processes": [{"id": "7", "name": "top", "uiVisible": false}], "servers": [{"name": "x", "schemas": [
        {"name": "s", "processes": [{"id": "1", "type": "sstinsert"}, {"name": "no id"}, {"id": "3", "name": "c"}]}]}]},
        "relationships": []}"#;
    let lineage = read(tree);
    let again = survives(&read(&written(&lineage)));
    let order = |lineage: &Lineage| lineage.processes().map(|p| p.name().to_owned()).collect::<Vec<_>>();
    assert_eq!(order(&lineage), ["late", "early", "top", "no id", "c"]);
    assert_eq!(order(&again), ["late", "early", "top", "c", "no id"]);
    assert_eq!(again, lineage);
    assert_eq!(written(&again), written(&lineage));
    assert_eq!(again.process_by_id("1").and_then(|early| early.schema()), Some("s"));
}

#[test]
fn the_envelope_summary_graph_and_trailing_text_are_kept() {
    let lineage = read_with_graph(
        r#"{"code": "203", "jobId": "j", "sessionId": 7, "error": "one\ntwo",
            "job": {"a": [1.50, 12345678901234567890, -0.0, "\u00e9\n"]},
            "data": {"mode": "other", "summary": {"table": 3}, "error": ["more"],
            "graph": {"b": null, "a": 1e300, "a": {}}, "sqlflow": {"dbobjs": [], "dbvendor": "dbvx",
            "msg": [{"errorMessage": "m", "errorType": "t", "occurrencesNumber": 3, "file": "f", "coordinate": "[1,2]"}],
            "errors": [{"originCoordinates": [{"x": 1, "y": 2}]}]}}}
          Error log: {"not": "read"}
          second line"#,
    );
    let again = survives(&lineage);
    assert_eq!(again.graph_json(), Some(r#"{"b":null,"a":1e+300,"a":{}}"#));
    assert_eq!(again.trailing_text(), lineage.trailing_text());
}

#[test]
fn other_json_serializers_write_the_same_lineage() {
    let lineage = read(SUMMARY);
    let value = serde_json::to_value(&lineage).unwrap();
    assert_eq!(value["data"]["summary"]["relationship"], 1734);
    assert_eq!(serde_json::from_value::<Lineage>(value).unwrap(), lineage);
    let pretty = serde_json::to_string_pretty(&read(LAYOUT_B)).unwrap();
    assert_eq!(details(&read(&pretty)), details(&read(LAYOUT_B)));
}

#[test]
fn the_error_of_the_writer_is_returned() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::from(std::io::ErrorKind::StorageFull))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let error = read(LAYOUT_B).write_json(Full).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
}
