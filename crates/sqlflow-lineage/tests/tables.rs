//! Lineages as tables: Arrow record batches and Parquet files.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch, RecordBatchReader};
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sqlflow_lineage::{Column, Lineage, TableName, Tables, TablesError};

/// A row: the text of each column that is not null.
type Row = BTreeMap<String, String>;

fn cell(array: &dyn Array, at: usize) -> Option<String> {
    if array.is_null(at) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(at).to_owned(),
        DataType::Boolean => array.as_boolean().value(at).to_string(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(at).to_string(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(at).to_string(),
        DataType::Dictionary(..) => {
            let words = array.as_dictionary::<Int32Type>();
            words.values().as_string::<i32>().value(words.key(at).unwrap()).to_owned()
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>().value(at);
            let items: Vec<String> = (0..list.len()).map(|at| cell(&list, at).unwrap()).collect();
            format!("[{}]", items.join(", "))
        }
        other => panic!("no table has a column of type {other}"),
    })
}

fn rows_of(batch: &RecordBatch) -> Vec<Row> {
    let columns: Vec<_> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    let row = |at| {
        let cells = columns.iter().zip(batch.columns());
        cells.filter_map(|(name, array)| Some((name.clone(), cell(array, at)?))).collect()
    };
    (0..batch.num_rows()).map(row).collect()
}

fn rows(tables: &Tables<'_>, table: TableName) -> Vec<Row> {
    tables.batches(table).flat_map(|batch| rows_of(&batch.unwrap())).collect()
}

fn rows_of_file(path: &Path) -> Vec<Row> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap();
    reader.flat_map(|batch| rows_of(&batch.unwrap())).collect()
}

fn column(rows: &[Row], name: &str) -> Vec<String> {
    rows.iter().map(|row| row.get(name).cloned().unwrap_or_default()).collect()
}

fn lineage(objects: &str, relationships: &str) -> Lineage {
    format!(r#"{{"dbobjs": [{objects}], "relationships": [{relationships}]}}"#).parse().unwrap()
}

/// Returns every document of the fixtures, or of the directory that `SQLFLOW_SAMPLES` names.
fn samples() -> Vec<(PathBuf, Lineage)> {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/lineage");
    let mut directories = vec![PathBuf::from(fixtures)];
    directories.extend(std::env::var_os("SQLFLOW_SAMPLES").map(PathBuf::from));
    let paths = directories.iter().flat_map(|it| fs::read_dir(it).unwrap().map(|entry| entry.unwrap().path()));
    let documents = paths.filter(|path| path.extension().is_some_and(|it| it == "json"));
    let samples: Vec<_> = documents.map(|path| (path.clone(), Lineage::reader().read_path(&path).unwrap())).collect();
    assert!(!samples.is_empty());
    samples
}

const TWO_TABLES: &str = r#"
    {"id": "1", "name": "ORDERS", "type": "table", "database": "PROD", "schema": "SALES",
     "columns": [{"id": "2", "name": "TOTAL"}, {"id": "3", "name": "NOTE"}]},
    {"id": "4", "name": "REPORT", "type": "view", "schema": "SALES", "columns": [{"id": "5", "name": "Sum"}]}"#;
const ONE_FLOW: &str =
    r#"{"id": "6", "type": "fdd", "effectType": "create_view", "target": {"id": "5"}, "sources": [{"id": "2"}]}"#;

#[test]
fn the_schemas_are_those_of_the_documentation() {
    let described = |table: TableName| {
        let schema = table.schema();
        let fields = schema.fields().iter().map(|field| {
            let kind = match field.data_type() {
                DataType::Dictionary(..) => "words".to_owned(),
                DataType::List(element) => {
                    format!("[{}]", element.data_type()).replace("Dictionary(Int32, Utf8)", "words")
                }
                other => other.to_string().to_lowercase(),
            };
            format!("{} {kind}{}", field.name(), if field.is_nullable() { "?" } else { "" })
        });
        fields.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        described(TableName::Objects),
        "label words\nkey utf8\nid utf8\nserver words?\ndatabase words?\nschema words?\nname words\nqualified_name utf8\n\
         kind words?\nis_intermediate boolean\nis_result_set boolean\nis_routine boolean\npackage_id words?\n\
         columns int32\nstart_line int32?\nstart_column int32?\nend_line int32?\nend_column int32?"
    );
    assert_eq!(
        described(TableName::Columns),
        "label words\nkey utf8\nid utf8\nobject words\nobject_id words\nserver words?\ndatabase words?\nschema words?\n\
         name words\ncolumn_name words\nqualified_name utf8\nposition int32\ndata_type words?\nis_record_set boolean\n\
         is_system boolean\nis_primary_key boolean\nis_foreign_key boolean\nis_unique_key boolean"
    );
    assert_eq!(
        described(TableName::Relationships),
        "label words\nid utf8\ntype words?\neffect words?\ncarries_values boolean\nis_foreign_key boolean\n\
         statement_id words?\nsource words?\nsource_kind words?\nsource_object words?\nsource_id words?\n\
         source_name words?\nsource_resolution words?\ntarget words?\ntarget_kind words?\ntarget_object words?\n\
         target_id words?\ntarget_name words?\ntarget_resolution words?\nclause words?\nfunction words?\njoin_type words?\n\
         condition words?\ncall_sql words?"
    );
    assert_eq!(
        described(TableName::Flows),
        "label words\nsource words\nsource_object words\nsource_server words?\nsource_database words?\n\
         source_schema words?\nsource_name words\nsource_column words\nsource_id words\ntarget words\n\
         target_object words\ntarget_server words?\ntarget_database words?\ntarget_schema words?\ntarget_name words\n\
         target_column words\ntarget_id words\ntarget_is_result_set boolean\neffects [words]\nfunctions [words]\n\
         statement_ids [words]"
    );
    assert_eq!(
        described(TableName::Statements),
        "label words\nkey utf8\nid utf8\nname utf8?\nkind words?\nprocedure words?\nprocedure_id words?\ndatabase words?\n\
         schema words?\ndocument words?\nscript words?\nstart_line int32?\nstart_column int32?\nend_line int32?\n\
         end_column int32?\nquery_hash_id utf8?"
    );
    assert_eq!(
        described(TableName::Notes),
        "label words\nkind words\nseverity words\nis_incomplete boolean\nmessage utf8\nfile words?\ndocument words?\n\
         script words?\nstart_line int32?\nstart_column int32?\nrelationship_id utf8?\nsubject utf8?\ncount int64?"
    );
}

#[test]
fn a_flow_names_both_columns_their_effect_and_their_statement() {
    let lineage: Lineage = format!(
        r#"{{"dbobjs": [{TWO_TABLES}],
            "processes": [{{"id": "7", "name": "Query Create-1", "coordinate": "[3,1,0],[5,9,0]"}}],
            "relationships": [{{"id": "6", "type": "fdd", "effectType": "create_view", "processId": "7",
                "function": "sum", "target": {{"id": "5"}}, "sources": [{{"id": "2"}}]}}]}}"#
    )
    .parse()
    .unwrap();
    let tables = lineage.tables().job("nightly");
    let flows = rows(&tables, TableName::Flows);
    let expected = [
        ("label", "nightly"),
        ("source", "prod.sales.orders.total"),
        ("source_object", "prod.sales.orders"),
        ("source_database", "PROD"),
        ("source_schema", "SALES"),
        ("source_name", "ORDERS"),
        ("source_column", "TOTAL"),
        ("source_id", "2"),
        ("target", "sales.report.sum"),
        ("target_object", "sales.report"),
        ("target_schema", "SALES"),
        ("target_name", "REPORT"),
        ("target_column", "Sum"),
        ("target_id", "5"),
        ("target_is_result_set", "false"),
        ("effects", "[create_view]"),
        ("functions", "[sum]"),
        ("statement_ids", "[7]"),
    ];
    assert_eq!(flows, [expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into()]);
    let statements = rows(&tables, TableName::Statements);
    let place = ["key", "start_line", "start_column", "end_line", "end_column"];
    assert_eq!(place.map(|name| statements[0][name].as_str()), ["@nightly/statement:7", "3", "1", "5", "9"]);
}

#[test]
fn the_tables_have_the_answers_of_the_crate() {
    for (path, lineage) in samples() {
        let tables = lineage.tables().job("job");
        let at = path.display();
        let objects = rows(&tables, TableName::Objects);
        let names: Vec<String> = lineage.objects().map(|object| object.qualified_name()).collect();
        assert_eq!(column(&objects, "qualified_name"), names, "{at}");
        let intermediate: Vec<String> = lineage.objects().map(|it| it.is_intermediate().to_string()).collect();
        assert_eq!(column(&objects, "is_intermediate"), intermediate, "{at}");

        let columns = rows(&tables, TableName::Columns);
        let names: Vec<String> = lineage.columns().map(|column| column.qualified_name()).collect();
        assert_eq!(column(&columns, "qualified_name"), names, "{at}");
        let keys_of_objects: HashMap<&str, &str> = objects.iter().map(|row| (&*row["id"], &*row["key"])).collect();
        for row in &columns {
            assert_eq!(row["object"], keys_of_objects[&*row["object_id"]], "{at}");
        }

        let statements = rows(&tables, TableName::Statements);
        let ids: Vec<&str> = lineage.processes().map(|process| process.id()).collect();
        assert_eq!(column(&statements, "id"), ids, "{at}");

        the_flows_are_those_of_the_crate(&lineage, &tables, &columns);
        the_relationships_are_those_of_the_crate(&lineage, &tables, &columns);
    }
}

fn the_flows_are_those_of_the_crate(lineage: &Lineage, tables: &Tables<'_>, columns: &[Row]) {
    let keys: HashMap<&str, &str> = columns.iter().map(|row| (&*row["id"], &*row["key"])).collect();
    let list = |mut items: Vec<String>| {
        items.sort();
        format!("[{}]", items.join(", "))
    };
    let mut expected: Vec<[String; 6]> = lineage
        .column_flows()
        .into_iter()
        .map(|flow| {
            [
                keys[flow.source.id()].to_owned(),
                keys[flow.target.id()].to_owned(),
                flow.target.object().is_result_set().to_string(),
                list(flow.effects().iter().map(ToString::to_string).collect()),
                list(flow.functions().iter().map(ToString::to_string).collect()),
                list(flow.statements().iter().map(|statement| statement.id().to_owned()).collect()),
            ]
        })
        .collect();
    let names = ["source", "target", "target_is_result_set", "effects", "functions", "statement_ids"];
    let flows = rows(tables, TableName::Flows);
    let mut found: Vec<[String; 6]> = flows.iter().map(|row| names.map(|name| row[name].clone())).collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

fn the_relationships_are_those_of_the_crate(lineage: &Lineage, tables: &Tables<'_>, columns: &[Row]) {
    let keys: HashMap<&str, &str> = columns.iter().map(|row| (&*row["id"], &*row["key"])).collect();
    let key = |column: Option<Column<'_>>| column.map(|column| keys[column.id()].to_owned()).unwrap_or_default();
    let mut expected = Vec::new();
    for relationship in lineage.relationships().filter(|it| it.target().is_some()) {
        let target = relationship.target().and_then(|end| end.column());
        for source in relationship.sources() {
            expected.push([
                relationship.id().to_owned(),
                relationship.type_text().to_owned(),
                relationship.is_foreign_key().to_string(),
                source.id().to_owned(),
                key(source.column()),
                key(target),
            ]);
        }
    }
    let rows = rows(tables, TableName::Relationships);
    let with_both = rows.iter().filter(|row| row["type"] != "call" && row.contains_key("source_id"));
    let names = ["id", "type", "is_foreign_key", "source_id", "source", "target"];
    let of_columns = |row: &Row, name: &str| {
        let side = name.strip_suffix("_id").unwrap_or(name);
        let is_column = row.get(&format!("{side}_kind")).is_none_or(|kind| kind == "column");
        if is_column || name.ends_with("id") { row.get(name).cloned().unwrap_or_default() } else { String::new() }
    };
    let found: Vec<_> = with_both.map(|row| names.map(|name| of_columns(row, name))).collect();
    assert_eq!(found, expected);
    let ids: HashSet<&String> = rows.iter().map(|row| &row["id"]).collect();
    assert_eq!(ids.len(), lineage.relationships().map(|it| it.id()).collect::<HashSet<_>>().len());
}

#[test]
fn keys_are_unique_and_the_same_for_one_table_in_two_jobs() {
    for (path, lineage) in samples() {
        for table in [TableName::Objects, TableName::Columns, TableName::Statements] {
            let keys = column(&rows(&lineage.tables().job("a"), table), "key");
            let distinct: BTreeSet<&String> = keys.iter().collect();
            assert_eq!(distinct.len(), keys.len(), "{table} of {}", path.display());
        }
    }
    let first = lineage(
        r#"{"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
           {"id": "3", "name": "RS-1", "type": "select_list", "columns": [{"id": "4", "name": "TOTAL"}]}"#,
        r#"{"id": "5", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]}"#,
    );
    let second = lineage(
        r#"{"id": "9", "name": "\"orders\"", "type": "table", "schema": "DEFAULT", "columns": [{"id": "2", "name": "[total]"}]},
           {"id": "3", "name": "RS-1", "type": "select_list", "columns": [{"id": "4", "name": "TOTAL"}]}"#,
        r#"{"id": "5", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]}"#,
    );
    let flow = |lineage: &Lineage, label: &str| {
        let flows = rows(&lineage.tables().job(label), TableName::Flows);
        ["source", "target", "target_is_result_set"].map(|name| flows[0][name].clone())
    };
    assert_eq!(flow(&first, "a"), ["orders.total", "@a/id:3.total", "true"]);
    assert_eq!(flow(&second, "b/c"), ["orders.total", "@b\\/c/id:3.total", "true"]);
}

#[test]
fn different_columns_have_different_keys_whatever_their_names() {
    let long = "x".repeat(5000);
    let names = [
        r#""id": "10", "name": "a.b""#.to_owned(),
        r#""id": "11", "name": "\"a.b\"""#.to_owned(),
        r#""id": "12", "name": "\"Orders\"""#.to_owned(),
        r#""id": "13", "name": "ORDERS""#.to_owned(),
        r#""id": "14", "name": "\"orders\"""#.to_owned(),
        r#""id": "15", "name": "\"orders#2\"""#.to_owned(),
        r#""id": "16", "name": "load()""#.to_owned(),
        r#""id": "17", "name": "🦀 \"quoted\" и""#.to_owned(),
        r#""id": "18", "name": """#.to_owned(),
        r#""id": "19", "name": "@nightly/id:18""#.to_owned(),
        r#""id": "20", "name": "//srv/orders""#.to_owned(),
        r#""id": "21", "name": "orders", "server": "srv""#.to_owned(),
        format!(r#""id": "22", "name": "{long}""#),
        format!(r#""id": "23", "name": "[{long}.y]""#),
        r#""id": "24", "name": "a\\.b""#.to_owned(),
    ];
    let columns = r#"{"id": "C-1", "name": "x"}, {"id": "C-2", "name": "X"}, {"id": "C-3", "name": "\"X#2\""},
        {"id": "C-4", "name": ""}, {"id": "C-5", "name": "id:C-4"}, {"id": "C-6", "name": "SUM(a.b)"}"#;
    let object = |(at, name): (usize, &String)| {
        format!(r#"{{{name}, "type": "table", "columns": [{}]}}"#, columns.replace("C-", &format!("{at}-")))
    };
    let mut objects: Vec<String> = names.iter().enumerate().map(object).collect();
    objects.push(r#"{"id": "30", "name": "load", "type": "procedure"}"#.to_owned());
    objects.push(r#"{"id": "31", "name": "load", "type": "table"}"#.to_owned());
    let lineage = lineage(&objects.join(", "), "");
    let tables = lineage.tables().job("nightly");
    for table in [TableName::Objects, TableName::Columns] {
        let rows = rows(&tables, table);
        let keys: BTreeSet<String> = column(&rows, "key").into_iter().collect();
        assert_eq!(keys.len(), rows.len(), "{keys:#?}");
    }
    let objects = rows(&tables, TableName::Objects);
    assert_eq!(objects[7]["name"], "🦀 \"quoted\" и");
    assert_eq!(objects[7]["key"], "🦀 \"quoted\" и");
    assert_eq!(objects[12]["key"].len(), 5000);
    let folder = tempfile::tempdir().unwrap();
    tables.write_parquet_directory(folder.path().join("t")).unwrap();
    assert_eq!(rows_of_file(&folder.path().join("t/columns.parquet")), rows(&tables, TableName::Columns));
}

#[test]
fn files_have_the_rows_of_the_batches_and_say_what_wrote_them() {
    let folder = tempfile::tempdir().unwrap();
    for (at, (path, lineage)) in samples().into_iter().enumerate() {
        let tables = lineage.tables().job(path.display().to_string());
        let directory = folder.path().join(at.to_string());
        tables.write_parquet_directory(&directory).unwrap();
        assert_eq!(Tables::job_of_parquet_directory(&directory).unwrap(), Some(path.display().to_string()));
        for table in TableName::ALL {
            let file = directory.join(table.file_name());
            assert_eq!(rows_of_file(&file), rows(&tables, table), "{table} of {}", path.display());
            let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&file).unwrap()).unwrap();
            let entries = reader.metadata().file_metadata().key_value_metadata().unwrap();
            let entries: HashMap<&str, &str> =
                entries.iter().map(|entry| (&*entry.key, entry.value.as_deref().unwrap())).collect();
            assert_eq!(entries["sqlflow.table"], table.as_str());
            assert_eq!(entries["sqlflow.schema"], Tables::SCHEMA_VERSION.to_string());
            assert_eq!(entries["sqlflow.job"], path.display().to_string());
            assert!(entries["sqlflow.version"].starts_with("sqlflow-lineage "));
            // Engines get strings, nulls where the schema has them, and no types of Arrow.
            for (expected, found) in table.schema().fields().iter().zip(reader.schema().fields()) {
                assert_eq!((expected.name(), expected.is_nullable()), (found.name(), found.is_nullable()));
                assert!(!matches!(found.data_type(), DataType::Dictionary(..)));
            }
        }
    }
}

#[test]
fn an_empty_lineage_gives_tables_without_rows_and_with_all_columns() {
    let lineage: Lineage = r#"{"dbobjs": []}"#.parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("empty");
    lineage.tables().write_parquet_directory(&directory).unwrap();
    for table in TableName::ALL {
        let batches = lineage.tables().batches(table);
        assert_eq!(batches.schema(), table.schema());
        let file = File::open(directory.join(table.file_name())).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        assert_eq!(reader.schema().fields().len(), table.schema().fields().len());
        if table != TableName::Notes {
            assert_eq!(batches.count(), 0, "{table}");
            assert_eq!(reader.metadata().file_metadata().num_rows(), 0, "{table}");
        }
    }
}

#[test]
fn a_summary_and_endpoints_that_could_not_be_followed_are_notes() {
    let summary: Lineage = r#"{"code": 200, "data": {"mode": "summary", "summary": {"table": 1200, "column": 9000,
        "mostRelationTables": [{"schema": "SALES", "table": "ORDERS"}]}, "sqlflow": {"dbobjs": []}}}"#
        .parse()
        .unwrap();
    assert!(summary.is_summary());
    let notes = rows(&summary.tables(), TableName::Notes);
    assert_eq!((&*notes[0]["kind"], &*notes[0]["is_incomplete"]), ("summary", "true"));
    let count = notes.iter().find(|row| row.get("subject").is_some_and(|it| it == "tables")).unwrap();
    assert_eq!((&*count["kind"], &*count["count"]), ("summary_count", "1200"));
    assert!(notes.iter().any(|row| row["kind"] == "summary_busiest_table" && row["subject"] == "SALES.ORDERS"));

    let lost = lineage(
        TWO_TABLES,
        r#"{"id": "6", "type": "fdd", "target": {"id": "5"},
            "sources": [{"id": "404", "column": "AMOUNT", "parentName": "LOST"}, {"id": "2"}]}"#,
    );
    let notes = rows(&lost.tables(), TableName::Notes);
    let note = notes.iter().find(|row| row["kind"] == "unresolved_endpoint").unwrap();
    assert_eq!(note["message"], "LOST.AMOUNT (not in the document) could not be followed, in relationship 6");
    assert_eq!(["is_incomplete", "relationship_id", "subject"].map(|it| &*note[it]), ["true", "6", "LOST.AMOUNT"]);
    let relationships = rows(&lost.tables(), TableName::Relationships);
    assert_eq!(column(&relationships, "source"), ["", "prod.sales.orders.total"]);
    assert_eq!(column(&relationships, "source_resolution"), ["unknown", "id"]);
    assert_eq!(column(&relationships, "source_name"), ["LOST.AMOUNT", "PROD.SALES.ORDERS.TOTAL"]);
}

#[test]
fn messages_of_the_server_are_notes_with_their_place() {
    let lineage: Lineage = r#"{"code": 200, "error": "near line 3\nno metadata", "data": {"dbobjs": [], "errors": [
        {"errorMessage": "near line 3", "errorType": "SyntaxError", "file": "load.sql", "coordinate": "[3,7,0],[3,9,0]"}]}}"#
        .parse()
        .unwrap();
    let notes = rows(&lineage.tables(), TableName::Notes);
    let error = notes.iter().find(|row| row["severity"] == "error").unwrap_or_else(|| panic!("{notes:#?}"));
    assert_eq!(["kind", "message", "is_incomplete"].map(|it| &*error[it]), ["SyntaxError", "near line 3", "true"]);
    assert_eq!(["file", "start_line", "start_column"].map(|it| &*error[it]), ["load.sql", "3", "7"]);
    let warnings: Vec<_> = notes.iter().filter(|row| row["kind"] == "warning").map(|row| &*row["message"]).collect();
    assert_eq!(warnings, ["no metadata"]);
}

#[test]
fn a_relationship_without_sources_keeps_a_row_and_a_call_names_both_routines() {
    let lineage = lineage(
        r#"{"id": "1", "name": "outer", "type": "procedure"}, {"id": "2", "name": "inner", "type": "procedure"},
           {"id": "3", "name": "T", "type": "table", "columns": [{"id": "4", "name": "A"}]}"#,
        r#"{"id": "5", "type": "call", "caller": {"id": "1", "name": "outer"}, "callees": [{"id": "2", "name": "inner"}]},
           {"id": "6", "type": "fdd", "target": {"id": "4"}, "sources": []}"#,
    );
    let rows = rows(&lineage.tables(), TableName::Relationships);
    let sides = |row: &Row| ["source", "target", "target_kind"].map(|it| row.get(it).cloned().unwrap_or_default());
    assert_eq!(sides(&rows[0]), ["outer()", "inner()", "object"]);
    assert_eq!(sides(&rows[1]), ["", "t.a", "column"]);
}

/// Returns the number of texts of each column of words, after checking that no two are the same: pandas refuses such
/// categories.
fn words_of(tables: &Tables<'_>, table: TableName) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for batch in tables.batches(table).map(Result::unwrap) {
        for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
            if let DataType::Dictionary(..) = field.data_type() {
                let words = array.as_dictionary::<Int32Type>().values().as_string::<i32>();
                let distinct: HashSet<_> = words.iter().collect();
                assert_eq!(distinct.len(), words.len(), "{table}.{}", field.name());
                *counts.entry(field.name().clone()).or_default() += words.len();
            }
        }
    }
    counts
}

#[test]
fn records_without_a_name_have_different_keys_whatever_their_ids() {
    let result = |id: &str, column: &str| {
        format!(r#"{{"id": "{id}", "name": "RS", "type": "select_list", "columns": [{{"id": "{column}"}}]}}"#)
    };
    let objects = [result("5", "6"), result("5", "6"), result("5#2", "6#2"), result("", ""), result("#2", "#1")];
    let processes = r#"{"id": "7"}, {"id": "7#1"}, {"id": ""}, {}"#;
    let document = format!(r#"{{"dbobjs": [{}], "processes": [{processes}], "relationships": []}}"#, objects.join(","));
    let lineage: Lineage = document.parse().unwrap();
    for (table, count) in [(TableName::Objects, 5), (TableName::Columns, 5), (TableName::Statements, 4)] {
        let rows = rows(&lineage.tables(), table);
        let keys: BTreeSet<String> = column(&rows, "key").into_iter().collect();
        assert_eq!((rows.len(), keys.len()), (count, count), "{table}: {keys:?}");
        words_of(&lineage.tables(), table);
    }
    let rows = rows(&lineage.tables().job("j"), TableName::Objects);
    assert_eq!(column(&rows, "key")[..3], ["@j/id:5", "@j/id:5#2", r"@j/id:5\#2"].map(str::to_owned));
}

#[test]
fn ids_and_names_in_keys_are_not_taken_for_each_other() {
    let object = |id: &str, name: &str, kind: &str, columns: &str| {
        format!(r#"{{"id": "{id}", "name": "{name}", "type": "{kind}", "columns": [{columns}]}}"#)
    };
    let objects = [
        object("5", "RS", "select_list", r#"{"id": "a.b"}"#),
        object("5.id:a", "RS", "select_list", r#"{"id": "10", "name": "b"}"#),
        object(r"6\\", "RS", "select_list", r#"{"id": "11"}"#),
        object(r"6\\", "RS", "select_list", r#"{"id": "11"}"#),
        object("6#2", "RS", "select_list", r#"{"id": "11#2"}"#),
        object("7", "T", "table", r#"{"id": "12"}, {"id": "12"}, {"id": "13", "name": "id:12"}, {"id": "c.d"}"#),
        object("8", "U", "table", r#"{"id": "14", "name": "id:"}, {"id": "15", "name": "ID:"}, {}, {}"#),
        object("9", r#"T.\"id:c\""#, "table", r#"{"id": "16", "name": "d"}"#),
    ];
    let lineage = lineage(&objects.join(","), "");
    for table in [TableName::Objects, TableName::Columns] {
        let rows = rows(&lineage.tables(), table);
        let keys: BTreeSet<String> = column(&rows, "key").into_iter().collect();
        assert_eq!(keys.len(), rows.len(), "{table}: {keys:?}");
    }
    let keys = column(&rows(&lineage.tables().job("j"), TableName::Columns), "key");
    assert_eq!(keys[0], r"@j/id:5.id:a\.b");
    assert_eq!(keys[5..8], ["t.id:12", "t.id:12#2", r"t.\id:12"].map(str::to_owned));
}

#[test]
fn texts_that_are_given_and_empty_are_none() {
    let lineage = lineage(
        TWO_TABLES,
        r#"{"id": "6", "type": "fdd", "effectType": "", "function": "", "processId": "",
            "target": {"id": "5"}, "sources": [{"id": "2"}]},
           {"id": "7", "type": "fdd", "effectType": "", "target": {"id": "5"}, "sources": [{"id": ""}, {"column": "X"}]}"#,
    );
    let flows = rows(&lineage.tables(), TableName::Flows);
    assert_eq!(
        [column(&flows, "effects"), column(&flows, "functions"), column(&flows, "statement_ids")].concat(),
        ["[]"; 3]
    );
    let flow = lineage.column_flows()[0];
    assert!(flow.effects().is_empty() && flow.functions().is_empty());
    assert_eq!(words_of(&lineage.tables(), TableName::Relationships)["source_id"], 2);
}

#[test]
fn a_batch_has_each_word_once() {
    for (_, lineage) in samples() {
        for table in TableName::ALL {
            words_of(&lineage.tables(), table);
        }
    }
}

#[test]
fn a_column_that_is_found_by_its_id_and_by_its_name_has_one_key_and_one_name() {
    let by_id = r#"{"id": "2"}"#;
    let by_name = r#"{"id": "99", "parentId": "1", "column": "TOTAL"}"#;
    for sources in [[by_id, by_name, by_id], [by_name, by_id, by_name], [by_name, by_name, by_id]] {
        let relationships = (6..).zip(sources).map(|(id, source)| {
            format!(r#"{{"id": "{id}", "type": "fdd", "target": {{"id": "5"}}, "sources": [{source}]}}"#)
        });
        let lineage = lineage(TWO_TABLES, &relationships.collect::<Vec<_>>().join(","));
        let tables = lineage.tables();
        let rows = rows(&tables, TableName::Relationships);
        assert_eq!(column(&rows, "source"), ["prod.sales.orders.total"; 3]);
        assert_eq!(column(&rows, "source_name"), ["PROD.SALES.ORDERS.TOTAL"; 3]);
        let of_source = |source| if source == by_id { ["2", "id"] } else { ["99", "parent_id"] };
        let expected = sources.map(of_source).map(|said| said.map(str::to_owned).to_vec());
        let said = rows.iter().map(|row| vec![row["source_id"].clone(), row["source_resolution"].clone()]);
        assert_eq!(said.collect::<Vec<_>>(), expected);
        let words = words_of(&tables, TableName::Relationships);
        assert_eq!([words["source"], words["source_name"], words["source_id"]], [1, 1, 2]);
    }
}

#[test]
fn the_clause_and_the_function_of_a_row_are_those_of_its_own_source() {
    let lineage = lineage(
        TWO_TABLES,
        r#"{"id": "6", "type": "fdd", "target": {"id": "5"}, "sources": [{"id": "2", "clauseType": "where"}]},
           {"id": "7", "type": "fdd", "target": {"id": "5"}, "sources": [
               {"id": "2", "function": "SUM"}, {"id": "3"}, {"id": "3", "function": "MAX", "clauseType": "having"}]},
           {"id": "8", "type": "fdd", "function": "MIN", "target": {"id": "5"}, "sources": [{"id": "3"}]},
           {"id": "9", "type": "fdd", "target": {"id": "5", "function": "AVG"}, "sources": [{"id": "3"}]}"#,
    );
    let rows = rows(&lineage.tables(), TableName::Relationships);
    assert_eq!(column(&rows, "id"), ["6", "7", "7", "7", "8", "9"]);
    assert_eq!(column(&rows, "function"), ["", "SUM", "", "MAX", "MIN", "AVG"]);
    assert_eq!(column(&rows, "clause"), ["where", "", "", "having", "", ""]);
}

#[test]
fn a_large_table_comes_in_batches_of_bounded_size() {
    let columns: Vec<String> = (0..70_000).map(|at| format!(r#"{{"id": "c{at}", "name": "c{at}"}}"#)).collect();
    let wide =
        lineage(&format!(r#"{{"id": "1", "name": "wide", "type": "table", "columns": [{}]}}"#, columns.join(",")), "");
    let sizes: Vec<usize> = wide.tables().batches(TableName::Columns).map(|batch| batch.unwrap().num_rows()).collect();
    assert_eq!(sizes, [65_536, 4_464]);
    let long = "n".repeat(50_000);
    let tables: Vec<String> =
        (0..150).map(|at| format!(r#"{{"id": "{at}", "name": "{long}{at}", "type": "table"}}"#)).collect();
    let long = lineage(&tables.join(","), "");
    assert!(long.tables().batches(TableName::Objects).count() > 1, "long texts make a batch shorter");
}

#[test]
fn a_directory_is_replaced_if_it_is_ours_and_refused_if_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("job=a b");
    let one = lineage(TWO_TABLES, ONE_FLOW);
    fs::create_dir(&directory).unwrap();
    one.tables().write_parquet_directory(&directory).unwrap();
    assert_eq!(rows_of_file(&directory.join("flows.parquet")).len(), 1);
    lineage("", "").tables().write_parquet_directory(&directory).unwrap();
    assert_eq!(rows_of_file(&directory.join("flows.parquet")).len(), 0);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no other directory is left");

    let refused = |found: &str| {
        for error in [
            one.tables().write_parquet_directory(&directory).unwrap_err(),
            Tables::check_parquet_directory(&directory).unwrap_err(),
        ] {
            let TablesError::NotTables { path, found: text } = &error else { panic!("{error}") };
            assert_eq!((path, text.as_str()), (&directory, found));
            assert!(error.to_string().contains(found) && error.to_string().contains("job=a b"), "{error}");
        }
    };
    fs::write(directory.join("diary.txt"), "mine").unwrap();
    refused("it holds \"diary.txt\"");
    fs::remove_file(directory.join("diary.txt")).unwrap();
    fs::copy(directory.join("flows.parquet"), directory.join("notes.parquet")).unwrap();
    refused("its file \"notes.parquet\" was not written as the table notes");
    fs::write(directory.join("notes.parquet"), "PAR1 it is not").unwrap();
    refused("its file \"notes.parquet\" was not written as the table notes");
    assert_eq!(fs::read(directory.join("notes.parquet")).unwrap(), b"PAR1 it is not");
    fs::remove_dir_all(&directory).unwrap();
    fs::write(&directory, "a file").unwrap();
    let error = one.tables().write_parquet_directory(&directory).unwrap_err();
    assert!(error.to_string().contains("it is not a directory"), "{error}");
    let missing = one.tables().write_parquet_directory(folder.path().join("none/tables")).unwrap_err();
    assert!(matches!(missing, TablesError::Io { .. }), "{missing}");
}

#[cfg(unix)]
#[test]
fn what_a_killed_process_left_behind_is_removed_and_what_a_running_one_writes_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("lake");
    let lineage = lineage(TWO_TABLES, ONE_FLOW);
    lineage.tables().write_parquet_directory(&directory).unwrap();
    // A hidden directory has the name of that of the first run, whose random part is different each time.
    let hidden = |part: &str| {
        let name = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, b"lake").simple().to_string();
        folder.path().join(format!(".{name}.{part}.tables-part"))
    };
    for part in ["killed", "running"] {
        fs::create_dir(hidden(part)).unwrap();
        fs::write(hidden(part).join("flows.parquet"), "half").unwrap();
    }
    let running = File::open(hidden("running")).unwrap();
    rustix::fs::flock(&running, rustix::fs::FlockOperation::LockExclusive).unwrap();
    lineage.tables().write_parquet_directory(&directory).unwrap();
    assert!(!hidden("killed").exists() && hidden("running").exists());
    drop(running);
    lineage.tables().write_parquet_directory(&directory).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
#[test]
fn readers_find_whole_tables_while_they_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("lake");
    let one = lineage(TWO_TABLES, ONE_FLOW);
    one.tables().write_parquet_directory(&directory).unwrap();
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0;
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) || reads == 0 {
                assert!(File::open(directory.join("flows.parquet")).is_ok(), "there is always a directory");
                reads += 1;
            }
        });
        for _ in 0..20 {
            one.tables().write_parquet_directory(&directory).unwrap();
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        reader.join().unwrap();
    });
}

#[cfg(unix)]
#[test]
fn a_place_that_no_directory_can_be_put_in_is_told_before_anything_is_written() {
    let home = tempfile::tempdir().unwrap();
    let refused = |path: &Path, reason: &str| {
        let lineage = lineage(TWO_TABLES, "");
        let checked = Tables::check_parquet_directory(path).unwrap_err();
        let written = lineage.tables().write_parquet_directory(path).unwrap_err();
        for error in [checked, written] {
            let TablesError::Io { error, .. } = error else { panic!("{error:?}") };
            assert!(error.to_string().contains(reason), "{error}");
        }
    };
    refused(&home.path().join("no/such/tables"), "o such file");
    // The tests of the command try the current directory, which is one for all tests of a program.
    #[cfg(target_os = "linux")]
    if Path::new("/dev/shm").is_dir() && fs::read_dir("/dev/shm").unwrap().next().is_none() {
        refused(Path::new("/dev/shm"), "it is a mount point");
    }
}

#[test]
fn an_object_whose_name_is_nothing_but_left_out_levels_keeps_it() {
    for name in ["DEFAULT.", "DEFAULT.DEFAULT."] {
        let object =
            format!(r#"{{"id": "1", "name": "{name}", "type": "table", "columns": [{{"id": "2", "name": "A"}}]}}"#);
        let flow = r#"{"id": "3", "type": "fdd", "target": {"id": "2"}, "sources": [{"id": "2"}]}"#;
        let lineage = lineage(&object, flow);
        let tables = lineage.tables();
        let objects = rows(&tables, TableName::Objects);
        assert_eq!((&objects[0]["name"], &objects[0]["qualified_name"]), (&name.to_owned(), &name.to_owned()));
        assert_eq!(column(&rows(&tables, TableName::Flows), "source_name"), [name]);
    }
}

#[test]
fn a_link_and_the_permissions_of_a_directory_stay() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("real"), folder.path().join("link"));
    let lineage = lineage(TWO_TABLES, ONE_FLOW);
    lineage.tables().write_parquet_directory(&real).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o700)).unwrap();
    symlink(&real, &link).unwrap();
    lineage.tables().write_parquet_directory(&link).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn the_keys_of_relationships_are_those_of_the_other_tables() {
    let names = ["a", "@stage", "/data/x.csv", "//srv/t", "@job/id:1", "b"];
    let objects: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(at, name)| {
            format!(
                r#"{{"id": "{at}", "name": "{name}", "type": "table", "columns": [{{"id": "c{at}", "name": "{name}"}}]}}"#
            )
        })
        .collect();
    let relationship = |at: usize| {
        format!(
            r#"{{"id": "r{at}", "type": "fdd", "target": {{"id": "c{at}"}}, "sources": [{{"id": "c{}"}}]}}"#,
            at - 1
        )
    };
    let relationships: Vec<String> = (1..names.len()).map(relationship).collect();
    let document = format!(r#"{{"dbobjs": [{}], "relationships": [{}]}}"#, objects.join(","), relationships.join(","));
    let lineage: Lineage = document.parse().unwrap();
    let values = |table, name: &str| column(&rows(&lineage.tables(), table), name);
    let (objects, columns) = (values(TableName::Objects, "key"), values(TableName::Columns, "key"));
    assert_eq!(values(TableName::Relationships, "source"), columns[..columns.len() - 1]);
    assert_eq!(values(TableName::Relationships, "target"), columns[1..]);
    assert_eq!(values(TableName::Relationships, "target_object"), objects[1..]);
    assert_eq!(values(TableName::Flows, "target").len(), names.len() - 1);
}

#[test]
fn a_reason_from_outside_is_a_note() {
    let lineage: Lineage = r#"{"dbobjs": []}"#.parse().unwrap();
    let notes = rows(&lineage.tables().reason("the job succeeded in part only"), TableName::Notes);
    assert_eq!([&*notes[0]["kind"], &*notes[0]["message"]], ["reason", "the job succeeded in part only"]);
    assert_eq!(notes[0]["is_incomplete"], "true");
}
