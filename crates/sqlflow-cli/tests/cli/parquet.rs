//! `--format parquet`: lineages as tables for query engines.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use sqlflow_client::emulator::Emulator;

use crate::environment::{Ended, Home, ended, ended_with_input};

const SQL: &str = "create table report as select id, total from orders;\n";
const LINEAGE: &str = r#"{"dbobjs": [
    {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
    {"id": "3", "name": "REPORT", "type": "table", "columns": [{"id": "4", "name": "TOTAL"}]}],
  "relationships": [{"id": "5", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]}]}"#;
const TABLES: [&str; 6] = ["columns", "flows", "notes", "objects", "relationships", "statements"];

/// Returns the texts of the rows of a table.
fn rows(directory: &Path, table: &str) -> Vec<BTreeMap<String, String>> {
    let file = File::open(directory.join(format!("{table}.parquet"))).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let texts = |row: parquet::record::Row| {
        let cells = row.get_column_iter().filter_map(|(name, field)| match field {
            Field::Str(text) => Some((name.clone(), text.clone())),
            _ => None,
        });
        cells.collect()
    };
    reader.get_row_iter(None).unwrap().map(|row| texts(row.unwrap())).collect()
}

fn names_in(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn flows(directory: &Path) -> Vec<[String; 3]> {
    let rows = rows(directory, "flows");
    rows.into_iter().map(|row| ["label", "source", "target"].map(|name| row[name].clone())).collect()
}

#[test]
fn inspect_and_merge_write_a_directory_with_all_tables() {
    let home = Home::new();
    home.write("lineage.json", LINEAGE);
    home.run(&["inspect", "lineage.json", "--format", "parquet", "-o", "tables"]).with_code(0);
    let files: BTreeSet<String> = TABLES.iter().map(|table| format!("{table}.parquet")).collect();
    assert_eq!(names_in(&home.path("tables")), files);
    assert_eq!(flows(&home.path("tables")), [["lineage.json", "orders.total", "report.total"]]);
    home.write("empty.json", r#"{"dbobjs": []}"#);
    home.run(&["merge", "lineage.json", "empty.json", "--format", "parquet", "-o", "tables"]).with_code(0);
    assert_eq!(flows(&home.path("tables")), [["tables", "orders.total", "report.total"]]);
    assert!(names_in(&home.path(".")).iter().all(|name| !name.ends_with(".tables-part")), "nothing is left behind");
}

#[test]
fn the_name_of_a_partition_is_the_label_of_its_tables() {
    let home = Home::new();
    home.write("lineage.json", LINEAGE);
    home.write("lake/readme", "");
    let label_in = |directory: &str, file: &str, input: &str| {
        let command = home.command(["inspect", file, "--format", "parquet", "-o", directory]);
        ended_with_input(command, input).with_code(0);
        flows(&home.path(directory))[0][0].clone()
    };
    assert_eq!(label_in("lake/job=orders", "lineage.json", ""), "orders");
    assert_eq!(label_in("orders", "lineage.json", ""), "lineage.json");
    // The lineage of a pipe has no name.
    assert_eq!(label_in("stock", "-", LINEAGE), "stock");
}

#[test]
fn the_current_directory_is_not_replaced() {
    let home = Home::new();
    let file = home.write("lineage.json", LINEAGE);
    fs::create_dir(home.path("empty")).unwrap();
    let mut command = home.command(["inspect", file.to_str().unwrap(), "--format", "parquet", "-o", "."]);
    command.current_dir(home.path("empty"));
    ended(&mut command).with_code(2).says("it is the current directory").says("name a directory inside of it");
    home.run(&["inspect", "lineage.json", "--format", "parquet", "-o", "no/such"]).with_code(2).says("no/such");
}

#[test]
fn flags_that_make_no_sense_with_tables_are_refused_with_help() {
    let home = Home::new();
    home.write("lineage.json", LINEAGE);
    home.write("mine/diary.txt", "dear diary");
    let refused = |flags: &[&str], message: &str| {
        home.run(&[&["inspect", "lineage.json"], flags].concat()).with_code(2).says(message);
    };
    let parquet = ["--format", "parquet"];
    let with = |flags: &[&'static str]| [&parquet[..], flags].concat();
    refused(&parquet, "--format parquet needs a directory to write to");
    refused(&parquet, "help: write --format parquet -o DIR");
    refused(&with(&["-o", "-"]), "not to standard output");
    refused(&with(&["-o", "x.parquet"]), "x.parquet is the name of one file");
    refused(&["-o", "x.parquet"], "write --format parquet -o DIR");
    for flags in [["--upstream", "orders.total"], ["--impact", "orders.total"], ["--targets", "orders"]] {
        refused(&[&with(&["-o", "t"]), &flags[..]].concat(), "--format parquet writes the whole lineage");
    }
    refused(&with(&["-o", "t", "--upstream", "report.total", "--paths"]), "ask in SQL");
    for flag in ["--by-object", "--intermediates", "--foreign-keys"] {
        refused(&with(&["-o", "t", flag]), "--format parquet always writes the whole lineage");
    }
    refused(&with(&["-o", "t", "--relation-types", "fdd"]), "--relation-types");
    refused(&with(&["-o", "t", "--json"]), "--format cannot be used with --json");
    refused(&with(&["-o", "mine"]), "it holds \"diary.txt\"; choose another directory");
    refused(&with(&["-o", "lineage.json"]), "it is not a directory");
    assert_eq!(names_in(&home.path("mine")), BTreeSet::from(["diary.txt".to_owned()]));
    assert!(!home.path("t").exists() && !home.path("x.parquet").exists());
}

#[test]
fn a_lineage_with_gaps_says_so_and_fails_if_it_must_be_whole() {
    let home = Home::new();
    home.write(
        "lost.json",
        &LINEAGE.replace(r#"[{"id": "2"}]"#, r#"[{"id": "404", "column": "X", "parentName": "LOST"}]"#),
    );
    let lost = ["inspect", "lost.json", "--format", "parquet", "-o", "lost"];
    home.run(&lost)
        .with_code(0)
        .says("1 edge could not be followed: LOST.X")
        .says("the table `notes` lists all of them");
    home.run(&[&lost[..], &["--strict"]].concat()).with_code(7);
    let notes = rows(&home.path("lost"), "notes");
    assert!(notes.iter().any(|note| note["kind"] == "unresolved_endpoint"), "{notes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lineage_and_export_write_the_tables_of_a_job() {
    let (home, emulator) = (Home::new(), Emulator::start().await.unwrap());
    home.write("etl/load.sql", SQL);
    let url = emulator.url();
    home.write("mine/diary.txt", "dear diary");
    let lineage = |directory| {
        let arguments =
            ["lineage", "etl", "--vendor", "oracle", "--server", &url, "--format", "parquet", "-o", directory];
        home.run(&arguments)
    };
    lineage("mine").with_code(2).says("diary.txt");
    assert!(emulator.jobs().is_empty(), "nothing is sent if the result cannot be written");
    lineage("tables").with_code(0);
    let id = emulator.jobs()[0].id.clone();
    let expected = flows(&home.path("tables"));
    assert!(!expected.is_empty() && expected.iter().all(|[label, ..]| *label == id), "{expected:?}");
    home.run(&["export", &id, "--server", &url, "--format", "parquet", "-o", "exported"]).with_code(0);
    assert_eq!(flows(&home.path("exported")), expected);
}

fn batch(home: &Home, emulator: &Emulator, arguments: &[&str]) -> Ended {
    let url = emulator.url();
    let all = ["batch", "jobs.toml", "--journal", "j", "--vendor", "oracle", "--server", &url, "--format", "parquet"];
    home.run(&[&all, arguments].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_one_data_set_whose_partitions_are_the_jobs() {
    let (home, emulator) = (Home::new(), Emulator::start().await.unwrap());
    home.write("load.sql", SQL);
    let keys = ["orders", "etl/a b=1:2", "größe"];
    let job = |key: &str| format!("[[job]]\nkey = \"{key}\"\npath = \"load.sql\"\n");
    home.write("jobs.toml", &keys.map(job).concat());
    // Two machines share the jobs, and no step puts their results together.
    for shard in ["1/2", "2/2"] {
        batch(&home, &emulator, &["-o", "lake", "--shard", shard]).with_code(0);
    }
    let partitions = ["job=orders", "job=etl%2Fa%20b%3D1%3A2", "job=größe"];
    assert_eq!(names_in(&home.path("lake")), partitions.map(str::to_owned).into());
    for (key, partition) in keys.into_iter().zip(partitions) {
        let directory = home.path("lake").join(partition);
        assert_eq!(names_in(&directory).len(), TABLES.len());
        let flows = flows(&directory);
        assert!(!flows.is_empty() && flows.iter().all(|[label, ..]| label == key), "{flows:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_of_a_job_that_succeeded_in_part_say_so() {
    let (home, emulator) = (Home::new(), Emulator::start().await.unwrap());
    home.write("load.sql", &format!("{SQL}selec nonsense frm;\n"));
    home.write("jobs.toml", "[[job]]\nkey = \"a\"\npath = \"load.sql\"\n");
    batch(&home, &emulator, &["-o", "lake"]).with_code(0).says("warning: a: the job succeeded in part only: ");
    let notes = rows(&home.path("lake/job=a"), "notes");
    let says_so = |note: &BTreeMap<String, String>| note.values().any(|text| text.contains("succeeded in part only"));
    assert!(notes.iter().any(says_so), "{notes:?}");
    batch(&home, &emulator, &["-o", "lake", "--strict"]).with_code(7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_runs_again_writes_the_tables_that_are_missing_and_no_others() {
    let (home, emulator) = (Home::new(), Emulator::start().await.unwrap());
    home.write("load.sql", SQL);
    home.write("jobs.toml", "[[job]]\nkey = \"a\"\npath = \"load.sql\"\n[[job]]\nkey = \"b\"\npath = \"load.sql\"\n");
    batch(&home, &emulator, &["--export", "csv"]).with_code(0).prints("a  done         lineage/a.csv  lineage/job=a");
    let written = |key: &str| home.path(&format!("lineage/job={key}/flows.parquet"));
    let modified = |key: &str| fs::metadata(written(key)).unwrap().modified().unwrap();
    let before = modified("a");
    fs::remove_file(written("b")).unwrap();
    batch(&home, &emulator, &["--export", "csv"]).with_code(0).prints("b  done before  lineage/b.csv  lineage/job=b");
    assert_eq!(modified("a"), before);
    assert!(written("b").exists());
    assert_eq!(emulator.jobs().len(), 2);

    fs::write(home.path("lineage/job=b/diary.txt"), "mine").unwrap();
    let refused = batch(&home, &emulator, &[]).with_code(2);
    refused.says("b: lineage/job=b is not replaced").says("it holds \"diary.txt\"").says("1 failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_name_a_directory_is_refused_before_anything_is_sent() {
    let (home, emulator) = (Home::new(), Emulator::start().await.unwrap());
    home.write("load.sql", SQL);
    home.write("jobs.toml", &format!("[[job]]\nkey = \"{}\"\npath = \"load.sql\"\n", "/".repeat(100)));
    batch(&home, &emulator, &[])
        .with_code(2)
        .says("its directory would have a name of 304 bytes")
        .says("a shorter key");
    assert!(emulator.requests().is_empty());
}
