//! Names in documents with several servers, dialects, duplicate names and errors, and the lookup of all of them.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlflow_lineage::{Lineage, LookupError, Vertex};

mod hostile;

fn read(document: &Value) -> Lineage {
    document.to_string().parse().unwrap()
}

/// A tree of servers, each with the tables of the schema `dbo` in the database `Db1`. A table has the column `C`, and
/// its id is its server, a slash and its name.
fn on_servers(servers: &[(&str, &[&str])], flows: &[(&str, &str)]) -> Lineage {
    let servers: Vec<Value> = servers
        .iter()
        .map(|(name, tables)| {
            let tables = tables.iter().map(|table| {
                let id = format!("{name}/{table}");
                json!({"id": id, "name": table, "type": "table", "columns": [{"id": format!("{id}.C"), "name": "C"}]})
            });
            json!({"name": name, "dbVendor": "dbvmssql", "supportsCatalogs": true, "supportsSchemas": true,
                   "databases": [{"name": "Db1", "schemas": [{"name": "dbo", "tables": tables.collect::<Vec<_>>()}]}]})
        })
        .collect();
    let flows: Vec<Value> = flows
        .iter()
        .map(|(source, target)| json!({"type": "fdd", "target": {"id": target}, "sources": [{"id": source}]}))
        .collect();
    read(&json!({"dbobjs": {"servers": servers}, "relationships": flows}))
}

fn two_servers() -> Lineage {
    on_servers(&[("SRV1", &["T"]), ("SRV2", &["T", "U"])], &[("SRV2/T.C", "SRV1/T.C")])
}

#[test]
fn the_server_is_part_of_a_name_where_the_document_has_more_than_one() {
    let lineage = two_servers();
    let flows: Vec<String> = lineage.column_flows().iter().map(ToString::to_string).collect();
    assert_eq!(flows, ["SRV2.Db1.dbo.T.C → SRV1.Db1.dbo.T.C"]);
    let flows: Vec<String> = lineage.object_flows().iter().map(ToString::to_string).collect();
    assert_eq!(flows, ["SRV2.Db1.dbo.T → SRV1.Db1.dbo.T"]);
    let mut csv = Vec::new();
    lineage.diagram().write_csv(&mut csv).unwrap();
    assert_eq!(String::from_utf8(csv).unwrap().lines().nth(1), Some("SRV2.Db1,dbo,T,C,SRV1.Db1,dbo,T,C,fdd,"));
}

#[test]
fn the_only_server_and_the_stand_in_are_not_part_of_a_name() {
    for servers in [
        vec![("SRV2", &["T"][..])],
        vec![("DEFAULT_SERVER", &["T"][..])],
        vec![("SRV2", &["T"]), ("srv2", &[])],
        // A server without objects does not count.
        vec![("SRV2", &["T"]), ("SRV3", &[])],
        vec![("", &["T"]), ("DEFAULT_SERVER", &["U"])],
    ] {
        let lineage = on_servers(&servers, &[]);
        assert_eq!(lineage.objects().next().unwrap().qualified_name(), "Db1.dbo.T", "{servers:?}");
    }
    let lineage = on_servers(&[("DEFAULT_SERVER", &["T"]), ("SRV2", &["T"])], &[]);
    let names: Vec<String> = lineage.objects().map(|object| object.to_string()).collect();
    assert_eq!(names, ["Db1.dbo.T", "SRV2.Db1.dbo.T"]);
    assert_eq!(lineage.object("Db1.dbo.T").unwrap().id(), "DEFAULT_SERVER/T");
}

#[test]
fn results_inside_statements_do_not_make_the_server_part_of_a_name() {
    let table = json!({"id": "1", "name": "T", "type": "table", "server": "SRV1"});
    let result = json!({"id": "2", "name": "RS-1", "type": "select_list"});
    let lineage = read(&json!({"dbobjs": [result, table]}));
    assert_eq!(lineage.object_by_id("1").unwrap().qualified_name(), "T");
    // A stored object of which the document gives no server is on another one.
    let other = json!({"id": "3", "name": "U", "type": "table"});
    let lineage = read(&json!({"dbobjs": [result, table, other]}));
    assert_eq!(lineage.object_by_id("1").unwrap().qualified_name(), "SRV1.T");
    assert_eq!(lineage.object_by_id("3").unwrap().qualified_name(), "U");
}

#[test]
fn a_name_that_begins_with_its_server_has_it_once() {
    let lineage =
        on_servers(&[("SRV1", &["SRV1.Db1.dbo.T"]), ("SRV2", &["U"])], &[("SRV1/SRV1.Db1.dbo.T.C", "SRV2/U.C")]);
    assert_eq!(lineage.objects().next().unwrap().qualified_name(), "SRV1.Db1.dbo.T");
    let mut csv = Vec::new();
    lineage.diagram().write_csv(&mut csv).unwrap();
    assert_eq!(String::from_utf8(csv).unwrap().lines().nth(1), Some("SRV1.Db1,dbo,T,C,SRV2.Db1,dbo,U,C,fdd,"));
}

#[test]
fn a_lookup_takes_the_server_even_if_it_is_the_only_one() {
    let lineage = two_servers();
    assert_eq!(lineage.object("SRV2.Db1.dbo.T").unwrap().id(), "SRV2/T");
    assert_eq!(lineage.object("srv1.db1.DBO.[T]").unwrap().id(), "SRV1/T");
    assert_eq!(lineage.column("\"SRV2\".Db1.dbo.T", "c").unwrap().id(), "SRV2/T.C");
    assert_eq!(lineage.find("SRV2.Db1.dbo.T.C").unwrap().to_string(), "SRV2.Db1.dbo.T.C");
    assert_eq!(lineage.object("SRV2..dbo.T").unwrap().id(), "SRV2/T");
    // A name without a server is enough where only one server has it.
    assert_eq!(lineage.object("Db1.dbo.U").unwrap().id(), "SRV2/U");
    assert_eq!(lineage.object("u").unwrap().id(), "SRV2/U");
    assert!(lineage.object("SRV1.Db1.dbo.U").is_err());

    let lineage = on_servers(&[("SRV2", &["T"])], &[]);
    assert_eq!(lineage.object("SRV2.Db1.dbo.T").unwrap().id(), "SRV2/T");
    assert!(lineage.object("SRV1.Db1.dbo.T").is_err());
    let lineage = on_servers(&[("DEFAULT_SERVER", &["T"])], &[]);
    assert_eq!(lineage.object("DEFAULT_SERVER.Db1.dbo.T").unwrap().id(), "DEFAULT_SERVER/T");
}

#[test]
fn a_server_that_is_the_name_of_a_host_may_be_quoted_or_not() {
    let lineage = on_servers(&[("db.example.com:1433", &["T"]), ("HOST\\A", &["T"])], &[]);
    for name in
        ["db.example.com:1433.Db1.dbo.T", "[db.example.com:1433].Db1.dbo.T", "\"db.example.com:1433\".db1.dbo.t"]
    {
        assert_eq!(lineage.object(name).unwrap().id(), "db.example.com:1433/T", "{name}");
    }
    assert_eq!(lineage.object("host\\a.Db1.dbo.T").unwrap().id(), "HOST\\A/T");
}

#[test]
fn an_ambiguous_name_on_two_servers_offers_names_with_the_server() {
    let lineage = two_servers();
    let error = lineage.object("Db1.dbo.T").unwrap_err();
    assert_eq!(error.to_string(), "`Db1.dbo.T` could mean SRV1.Db1.dbo.T (table), SRV2.Db1.dbo.T (table)");
    assert_candidates_work(&lineage, "Db1.dbo.T");
}

/// Asserts that each name that an error offers finds its candidate, with the same lookup.
fn assert_candidates_work(lineage: &Lineage, name: &str) {
    let error = lineage.object(name).unwrap_err();
    assert!(error.candidates().len() > 1, "{error}");
    for candidate in error.candidates() {
        assert_eq!(lineage.object(&candidate.lookup_name).unwrap().id(), candidate.id, "{candidate:?}");
        assert_eq!(lineage.find(&candidate.lookup_name).unwrap().object().id(), candidate.id, "{candidate:?}");
        assert!(error.to_string().contains(&candidate.lookup_name), "{error}");
    }
}

fn results() -> Lineage {
    read(&json!({"dbobjs": [
        {"id": "6", "name": "RS-1", "type": "select_list", "columns": [{"id": "12", "name": "X"}]},
        {"id": "7", "name": "RS-1", "type": "select_list",
         "columns": [{"id": "13", "name": "X"}, {"id": "14", "name": "X"}]},
        {"id": "8", "name": "T", "type": "table", "columns": [{"id": "15", "name": "b"}]},
        {"id": "9", "name": "b", "schema": "T", "type": "table"},
        {"id": "10", "name": null, "type": "table", "columns": [{"id": "16", "name": ""}]},
        {"id": "11", "name": "id:7", "type": "view"},
    ]}))
}

#[test]
fn an_id_is_offered_and_taken_where_no_name_tells_records_apart() {
    let lineage = results();
    let error = lineage.object("rs-1").unwrap_err();
    assert!(error.to_string().contains("RS-1 (select_list): write id:6"), "{error}");
    assert_eq!(lineage.object("id:6").unwrap().id(), "6");
    assert_eq!(lineage.find("id:12").unwrap().to_string(), "RS-1.X");
    assert_eq!(lineage.column("id:6", "x").unwrap().id(), "12");
    assert_eq!(lineage.find("id:6.X").unwrap(), Vertex::Column(lineage.column_by_id("12").unwrap()));
    assert!(matches!(lineage.object("id:12"), Err(LookupError::ObjectNotFound { .. })), "this is the id of a column");
    assert!(lineage.object("id:404").is_err() && lineage.object("id:").is_err() && lineage.find("id:#").is_err());
}

#[test]
fn a_name_wins_over_an_id_in_the_form_of_a_name() {
    let lineage = results();
    assert_eq!(lineage.object("id:7").unwrap().id(), "11");
    let error = lineage.object("RS-1").unwrap_err();
    let names: Vec<&str> = error.candidates().iter().map(|one| one.lookup_name.as_str()).collect();
    assert_eq!(names, ["id:6", "id:7#1"]);
    assert_candidates_work(&lineage, "RS-1");
}

#[test]
fn ambiguous_columns_offer_names_for_the_same_lookup() {
    let lineage = results();
    let object = lineage.object_by_id("7").unwrap();
    let error = object.column("x").unwrap_err();
    assert_eq!(
        error.to_string(),
        "RS-1 has several columns named `x`: RS-1.X (column): write id:13, RS-1.X (column): write id:14"
    );
    for candidate in error.candidates() {
        assert_eq!(object.column(&candidate.lookup_name).unwrap().id(), candidate.id);
    }
    assert!(lineage.object_by_id("6").unwrap().column("id:13").is_err(), "the column of another object");
    let error = lineage.find("T.b").unwrap_err();
    for candidate in error.candidates() {
        let found = lineage.find(&candidate.lookup_name).unwrap();
        let id = match found {
            Vertex::Column(column) => column.id(),
            Vertex::Object(object) => object.id(),
        };
        assert_eq!(id, candidate.id, "{error}");
    }
    assert_eq!(error.candidates().len(), 2);
}

#[test]
fn an_object_or_column_without_a_name_is_displayed_as_its_id() {
    let lineage = results();
    let object = lineage.object_by_id("10").unwrap();
    assert_eq!(object.to_string(), "id:10");
    assert_eq!(lineage.object("id:10").unwrap(), object);
    assert_eq!(lineage.column_by_id("16").unwrap().to_string(), "id:10.id:16");
    assert_eq!(lineage.find("id:10.id:16").unwrap(), Vertex::Column(lineage.column_by_id("16").unwrap()));
    assert!(lineage.object("").is_err());

    let lineage = read(&json!({
        "dbobjs": [
            {"id": "1", "name": "", "database": "D", "type": "table", "columns": [{"id": "2", "name": "A"}]},
            {"id": "3", "name": "T", "type": "table", "columns": [{"id": "4", "name": ""}]},
        ],
        "relationships": [{"type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]}],
    }));
    assert_eq!(lineage.column_flows()[0].to_string(), "id:1.A → T.id:4");
    let mut csv = Vec::new();
    lineage.diagram().write_csv(&mut csv).unwrap();
    assert_eq!(String::from_utf8(csv).unwrap().lines().nth(1), Some("D,,id:1,A,,,T,id:4,fdd,"));
}

#[test]
fn records_that_share_an_id_or_have_none_are_told_apart_by_number() {
    let lineage = read(&json!({"dbobjs": [
        {"id": "1", "name": "RS-1", "type": "select_list",
         "columns": [{"id": "1", "name": "X"}, {"id": "5", "name": "X"}]},
        {"id": "1", "name": "RS-1", "type": "select_list", "columns": [{"id": "5", "name": "X"}]},
        {"name": "RS-1", "type": "select_list", "columns": [{"name": "X"}]},
        {"id": "", "name": "RS-1", "type": "select_list"},
    ]}));
    let names: Vec<String> = lineage.objects().map(|object| object.lookup_name()).collect();
    assert_eq!(names, ["id:1", "id:1#2", "id:#1", "id:#2"]);
    let names: Vec<String> = lineage.columns().map(|column| column.lookup_name()).collect();
    assert_eq!(names, ["id:1#3", "id:5", "id:5#2", "id:#3"]);
    assert_lookup_names_work(&lineage);
    assert!(
        lineage.object("id:1#4").is_err() && lineage.object("id:1#0").is_err() && lineage.object("id:#99").is_err()
    );
}

/// Asserts that the lookup name of every object and column finds exactly it.
fn assert_lookup_names_work(lineage: &Lineage) {
    for object in lineage.objects() {
        let name = object.lookup_name();
        assert_eq!(lineage.object(&name).unwrap(), object, "{name}");
        assert_eq!(lineage.find(&name).unwrap(), Vertex::Object(object), "{name}");
        assert!(!object.qualified_name().is_empty());
    }
    for column in lineage.columns() {
        let name = column.lookup_name();
        assert_eq!(lineage.find(&name).unwrap(), Vertex::Column(column), "{name}");
    }
}

#[test]
fn the_lookup_name_of_every_record_finds_it() {
    for lineage in [results(), two_servers(), hostile::hostile()] {
        assert_lookup_names_work(&lineage);
    }
}

#[test]
fn a_lookup_name_is_the_qualified_name_where_that_is_enough() {
    let lineage = two_servers();
    let names: Vec<String> = lineage.objects().map(|object| object.lookup_name()).collect();
    assert_eq!(names, ["SRV1.Db1.dbo.T", "SRV2.Db1.dbo.T", "SRV2.Db1.dbo.U"]);
    let lineage = read(&json!({"dbobjs": [
        {"id": "1", "name": "s", "type": "table"}, {"id": "2", "name": "S", "type": "table"},
        {"id": "3", "name": "RESULT_OF_a.b", "schema": "x", "type": "select_list"},
        {"id": "4", "name": "say \"hi\".you", "schema": "x", "type": "cursor"},
    ]}));
    let names: Vec<String> = lineage.objects().map(|object| object.lookup_name()).collect();
    assert_eq!(names[..3], ["s", "S", "x.\"RESULT_OF_a.b\""]);
    assert_lookup_names_work(&lineage);
}

fn back_quoted(vendor: Option<&str>) -> Lineage {
    read(&json!({"dbvendor": vendor, "dbobjs": [
        {"id": "1", "name": "`p.d.t`", "type": "table", "columns": [{"id": "2", "name": "c"}]},
    ]}))
}

#[test]
fn only_a_document_of_bigquery_splits_a_name_inside_one_pair_of_back_quotes() {
    let lineage = back_quoted(Some("dbvbigquery"));
    for name in ["t", "d.t", "p.d.t", "`p.d.t`", "`p.d`.t"] {
        assert_eq!(lineage.object(name).unwrap().id(), "1", "{name}");
    }
    assert_eq!(lineage.object("t").unwrap().qualified_name(), "p.d.t");
    for vendor in [None, Some("dbvmysql"), Some("dbvhive"), Some("dbvsparksql")] {
        let lineage = back_quoted(vendor);
        assert_eq!(lineage.object("`p.d.t`").unwrap().qualified_name(), "`p.d.t`", "{vendor:?}");
        assert!(lineage.object("t").is_err() && lineage.object("d.t").is_err(), "{vendor:?}");
        assert_eq!(lineage.find("`p.d.t`.c").unwrap().to_string(), "`p.d.t`.c", "{vendor:?}");
    }
}

#[test]
fn the_vendor_of_a_server_decides_about_its_objects() {
    let server = |name: &str, vendor: &str| {
        json!({"name": name, "dbVendor": vendor, "supportsCatalogs": false, "supportsSchemas": true,
               "schemas": [{"name": "DEFAULT", "tables": [{"id": name, "name": "`p.d.t`", "type": "table"}]}]})
    };
    let lineage = read(&json!({"dbobjs": {"servers": [server("A", "dbvmysql"), server("B", "dbvbigquery")]}}));
    let names: Vec<String> = lineage.objects().map(|object| object.qualified_name()).collect();
    assert_eq!(names, ["A.`p.d.t`", "B.p.d.t"]);
    assert_eq!(lineage.object("p.d.t").unwrap().id(), "B");
    assert_lookup_names_work(&lineage);
}

#[test]
fn a_name_that_is_not_found_in_a_document_with_errors_says_that_it_has_errors() {
    let document = |errors: usize, warnings: &str| {
        let errors: Vec<Value> = (0..errors).map(|_| json!({"errorMessage": "syntax error"})).collect();
        read(&json!({"code": 203, "error": warnings, "data": {
            "dbobjs": [{"id": "1", "name": "T", "type": "table"}], "errors": errors,
        }}))
    };
    let messages = |lineage: &Lineage| {
        [
            lineage.object("gone").unwrap_err(),
            lineage.find("gone").unwrap_err(),
            lineage.column("T", "gone").unwrap_err(),
        ]
        .map(|error| error.to_string())
    };
    let why = " (the document has 3 errors, so objects may be missing)";
    let [object, find, column] = messages(&document(3, ""));
    assert_eq!((object.as_str(), find.as_str()), (&*format!("no object is named `gone`{why}"), &*object));
    assert_eq!(column, "T has no column named `gone` (the document has 3 errors, so columns may be missing)");
    for message in messages(&document(0, "one\n\n")) {
        assert!(
            message.ends_with("(the document has 1 warning, so columns may be missing)")
                || message.ends_with("(the document has 1 warning, so objects may be missing)"),
            "{message}"
        );
    }
    let [object, ..] = messages(&document(1, "one\ntwo"));
    assert!(object.contains("has 1 error and 2 warnings, so objects may be missing"), "{object}");
    let [object, ..] = messages(&document(0, ""));
    assert_eq!(object, "no object is named `gone`");
    match document(2, "w").object("gone").unwrap_err() {
        LookupError::ObjectNotFound { errors, warnings, .. } => assert_eq!((errors, warnings), (2, 1)),
        other => panic!("{other}"),
    }
}

#[test]
fn a_column_that_is_not_found_in_a_summary_says_that_the_document_is_a_summary() {
    let lineage = read(&json!({"data": {"mode": "summary", "summary": {"tables": 1},
                         "dbobjs": [{"id": "1", "name": "T", "type": "table"}]}}));
    let error = lineage.column("t", "c").unwrap_err();
    assert!(error.to_string().contains("summary"), "{error}");
}

/// Returns a document of many objects, each of which has the name that a function makes of its number.
fn many(count: usize, name: impl Fn(usize) -> String) -> Lineage {
    let mut document = String::from(r#"{"dbobjs": ["#);
    for at in 0..count {
        let comma = if at > 0 { "," } else { "" };
        let name = serde_json::to_string(&name(at)).unwrap();
        write!(
            document,
            r#"{comma}{{"id": "{at}", "name": {name}, "type": "table", "columns": [{{"id": "c{at}", "name": "C"}}]}}"#
        )
        .unwrap();
    }
    document.push_str("]}");
    document.parse().unwrap()
}

#[test]
fn lookups_among_a_hundred_thousand_objects_are_fast() {
    const COUNT: usize = 100_000;
    let started = Instant::now();
    let lineage = many(COUNT, |at| format!("s.t{at}"));
    for at in (0..COUNT).step_by(20) {
        assert_eq!(lineage.find(&format!("S.T{at}.c")).unwrap().object().id(), at.to_string());
    }
    // One name for all of them, with or without a schema of their own.
    for lineage in [many(COUNT, |_| "T".to_owned()), many(COUNT, |at| format!("s{at}.T"))] {
        let error = lineage.find("t.c").unwrap_err();
        let LookupError::AmbiguousObject { count, candidates, .. } = &error else { panic!("{error}") };
        assert_eq!((*count, candidates.len()), (COUNT, 32));
        assert!(error.to_string().ends_with("99992 more"), "{error}");
        for candidate in error.candidates() {
            let found = lineage.find(&candidate.lookup_name).unwrap();
            assert_eq!(found.object().id(), candidate.id.trim_start_matches('c'));
        }
        let error = lineage.object("T").unwrap_err();
        assert_eq!(error.candidates().len(), 32);
    }
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

#[test]
fn finding_a_name_for_each_of_many_objects_takes_no_quadratic_time() {
    const COUNT: usize = 10_000;
    let started = Instant::now();
    let documents = [
        many(COUNT, |_| "T".to_owned()),
        many(COUNT, |at| format!("s{at}.T")),
        many(COUNT, |at| format!("s.t{at}")),
        // Names of dots, and names that may be read as a column of many objects.
        many(100, |at| format!("{at}{}", ".".repeat(10_000))),
        many(COUNT, |at| if at % 2 == 0 { "a".to_owned() } else { format!("a.b{at}") }),
        // Names that their own spelling does not find.
        many(COUNT, |at| format!("a\"b.\"c{at}\"x")),
    ];
    for lineage in documents {
        for object in lineage.objects() {
            assert!(!object.lookup_name().is_empty());
        }
    }
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

#[test]
fn merging_keeps_objects_of_different_servers_apart() {
    let names = |lineages: &[&Lineage]| {
        let merged = Lineage::merge(lineages.iter().copied()).unwrap();
        let mut names: Vec<String> = merged.objects().map(|object| object.qualified_name()).collect();
        names.sort_unstable();
        names
    };
    let (two, second) = (two_servers(), on_servers(&[("srv2", &["T"])], &[]));
    let both = ["SRV1.Db1.dbo.T", "SRV2.Db1.dbo.T", "SRV2.Db1.dbo.U"];
    assert_eq!(names(&[&two, &second]), both, "the table of the second server is joined with its like");
    assert_eq!(names(&[&second, &two])[0], "SRV1.Db1.dbo.T");
    assert_eq!(names(&[&second, &two]).len(), 3);
    let first = on_servers(&[("SRV1", &["T"])], &[]);
    assert_eq!(names(&[&first, &second]), ["SRV1.Db1.dbo.T", "srv2.Db1.dbo.T"]);
}

#[test]
fn merging_joins_an_object_of_an_unknown_server_unless_several_servers_have_its_name() {
    let flat = read(&json!({"dbobjs": [{"id": "1", "name": "db1.dbo.t", "type": "table"}]}));
    let stand_in = on_servers(&[("DEFAULT_SERVER", &["T"])], &[]);
    let (first, second) = (on_servers(&[("SRV1", &["T"])], &[]), on_servers(&[("SRV2", &["T"])], &[]));
    let names = |lineages: &[&Lineage]| {
        let merged = Lineage::merge(lineages.iter().copied()).unwrap();
        merged.objects().map(|object| object.qualified_name()).collect::<Vec<_>>()
    };
    for unknown in [&flat, &stand_in] {
        assert_eq!(names(&[unknown, &first]), ["Db1.dbo.T"]);
        assert_eq!(names(&[&first, unknown]), ["Db1.dbo.T"]);
        assert_eq!(names(&[unknown, &first, unknown, &first]), ["Db1.dbo.T"]);
        // The object has the server of the first that it was joined with, and is never joined with another.
        assert_eq!(names(&[unknown, &first, &second]), ["SRV1.Db1.dbo.T", "SRV2.Db1.dbo.T"]);
        assert_eq!(names(&[&first, &second, unknown]).len(), 3);
    }
    assert_eq!(names(&[&flat, &stand_in]).len(), 1);
}

#[test]
fn a_merged_lineage_splits_the_names_of_bigquery_as_before_whatever_the_other_vendors() {
    let other = read(&json!({"dbvendor": "dbvmysql", "dbobjs": [{"id": "1", "name": "`a.b`", "type": "table"}]}));
    let flat = back_quoted(Some("dbvbigquery"));
    let merged = Lineage::merge([&other, &flat]).unwrap();
    let names: Vec<String> = merged.objects().map(|object| object.qualified_name()).collect();
    assert_eq!(names, ["`a.b`", "p.d.t"]);
    assert_eq!(merged.find("d.t.c").unwrap().to_string(), "p.d.t.c");
    let merged = Lineage::merge([&flat, &flat]).unwrap();
    assert_eq!(merged.objects().map(|object| object.name()).collect::<Vec<_>>(), ["`p.d.t`"]);
}
