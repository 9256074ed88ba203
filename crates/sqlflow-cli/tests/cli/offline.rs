//! `sqlflow inspect`, `diff` and `merge`: files in, answers out, without a server.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::environment::{Ended, assert_fits, ended, ended_with_input, program};

/// A lineage in which `orders.total` feeds `report.total`.
const OLD: &str = r#"{"dbvendor": "dbvoracle", "dbobjs": [
    {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
    {"id": "3", "name": "REPORT", "type": "table", "columns": [{"id": "4", "name": "TOTAL"}]}],
  "relationships": [
    {"id": "5", "type": "fdd", "effectType": "insert", "target": {"id": "4"}, "sources": [{"id": "2"}]}]}"#;

/// The same with a column and a flow more, and with a view in place of a table.
const NEW: &str = r#"{"dbvendor": "dbvoracle", "dbobjs": [
    {"id": "1", "name": "ORDERS", "type": "table",
     "columns": [{"id": "2", "name": "TOTAL"}, {"id": "6", "name": "TAX"}]},
    {"id": "3", "name": "REPORT", "type": "view",
     "columns": [{"id": "4", "name": "TOTAL"}, {"id": "7", "name": "TAX"}]}],
  "relationships": [
    {"id": "5", "type": "fdd", "effectType": "insert", "target": {"id": "4"}, "sources": [{"id": "2"}]},
    {"id": "8", "type": "fdd", "effectType": "insert", "target": {"id": "7"}, "sources": [{"id": "6"}]}]}"#;

const TEXT_OF_CHANGES: &str = "\
~ view REPORT (was table)
+ column ORDERS.TAX
+ column REPORT.TAX
+ flow ORDERS.TAX → REPORT.TAX
";

fn fixture(name: &str) -> String {
    format!("{}/../sqlflow-lineage/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn layout(name: &str) -> String {
    fixture(&format!("lineage/{name}"))
}

fn command(arguments: &[&str]) -> Command {
    let mut command = program(&std::env::temp_dir());
    command.args(arguments);
    command
}

fn sqlflow(arguments: &[&str]) -> Ended {
    ended(&mut command(arguments))
}

fn sqlflow_with_input(arguments: &[&str], input: &str) -> Ended {
    ended_with_input(command(arguments), input)
}

fn inspect(file: &str, options: &[&str]) -> Ended {
    sqlflow(&[&["inspect", file], options].concat())
}

/// A folder with `old.json` and `new.json`.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("old.json", OLD);
        folder.write("new.json", NEW);
        folder
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// Returns the names of the files, sorted.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn diff(&self, options: &[&str]) -> Ended {
        sqlflow(&[&["diff", &self.path("old.json"), &self.path("new.json")], options].concat())
    }
}

/// Checks each line against a schema, and returns the number of lines.
#[track_caller]
fn assert_lines_fit(name: &str, lines: &str) -> usize {
    lines.lines().map(|line| assert_fits(name, &serde_json::from_str(line).unwrap())).count()
}

mod inspecting {
    use super::*;

    #[test]
    fn counts_are_one_json_object() {
        let expected = json!({
            "mode": null, "objects": 5, "columns": 11, "processes": 1, "relationships": 7,
            "relationships_by_type": {"fdd": 5, "fdr": 1, "join": 1},
            "unresolved": 0, "unknown_fields": {}, "errors": 1,
        });
        assert_eq!(inspect(&layout("layout_c1.json"), &["--json"]).value(), expected);
    }

    #[test]
    fn a_rewritten_lineage_has_the_same_counts() {
        for name in ["layout_a.json", "layout_b.json", "layout_c2.json", "routines.json", "summary.json"] {
            let file = layout(name);
            let rewritten = inspect(&file, &["--rewrite"]).exits(0);
            assert_eq!(inspect(&file, &["--format", "json"]).exits(0), rewritten);
            let counts = sqlflow_with_input(&["inspect", "-", "--json"], &rewritten).value();
            assert_eq!(counts, inspect(&file, &["--json"]).value(), "{name}");
        }
    }

    /// A lineage of which it is known, or not, that filters were requested, with a filter of another table.
    fn with_filter(folder: &Folder) -> String {
        let filter = r#"{"id": "9", "type": "fdr", "target": {"id": "4"}, "sources": [{"id": "8"}]}"#;
        let table = r#"{"id": "7", "name": "OTHER", "type": "table", "columns": [{"id": "8", "name": "C"}]}"#;
        let view = r#"{"id": "3", "name": "BOARD", "type": "view", "columns": [{"id": "4", "name": "N"}]}"#;
        folder.write(
            "filter.json",
            format!(r#"{{"dbvendor": "dbvoracle", "dbobjs": [{table}, {view}], "relationships": [{filter}]}}"#),
        )
    }

    #[test]
    fn a_merged_file_remembers_what_nobody_knows_of_its_parts() {
        let folder = Folder::new();
        let (old, other, merged) = (folder.path("old.json"), with_filter(&folder), folder.path("merged.json"));
        let ask = |files: &[&str]| sqlflow(&[&["inspect"], files, &["--impact", "ORDERS.TOTAL", "--strict"]].concat());
        ask(&[&old, &other])
            .with_code(7)
            .prints("incomplete: the document does not tell whether ")
            .says("--requested-types");
        sqlflow(&["merge", &old, &other, "-o", &merged]).exits(0);
        ask(&[&merged]).with_code(7).prints("incomplete: the document does not tell whether ");
        // Whoever knows what was requested says it once.
        let known = ["merge", &old, &other, "-o", &merged, "--requested-types", "fdd,fdr,frd,join"];
        sqlflow(&known).exits(0);
        ask(&[&merged]).with_code(0);
    }

    #[test]
    fn an_answer_says_that_the_relationships_it_follows_were_not_requested() {
        let folder = Folder::new();
        let (old, other) = (folder.path("old.json"), with_filter(&folder));
        let ask = |file: &str, options: &[&str]| {
            let column = if file == other { "OTHER.C" } else { "ORDERS.TOTAL" };
            let question = ["--downstream", column, "--relation-types", "fdd,fdr", "--strict"];
            inspect(file, &[&question, options].concat())
        };
        let unknown = ask(&old, &["--json"]).with_code(7).says("fdr relationships may be missing");
        let answer = unknown.json("answer");
        assert_eq!((&answer["complete"], answer["reasons"].as_array().map(Vec::len)), (&false.into(), Some(1)));
        ask(&old, &["--requested-types", "fdd"]).with_code(7).says("type fdr were not requested");
        ask(&old, &["--requested-types", "fdd,fdr"]).with_code(0).prints("REPORT.TOTAL");
        ask(&other, &["--requested-types", "fdd"]).with_code(0).prints("BOARD.N");
        // A diagram of these types too.
        inspect(&old, &["--format", "csv", "--relation-types", "fdd,fdr", "--strict"]).with_code(7);
        let nothing = ["--downstream", "REPORT.TOTAL", "--relation-types", "fdd"];
        inspect(&old, &nothing).with_code(0).says("no relationship of these types leads there");
    }

    #[test]
    fn upstream_and_downstream_print_one_name_on_each_line() {
        let file = layout("layout_c1.json");
        for (options, expected) in [
            (&["--upstream", "report"][..], "sales.customers\nsales.orders\n"),
            (&["--upstream", "sales.report.total"], "sales.orders.amount\n"),
            (&["--downstream", "orders.amount"], "sales.report.total\n"),
            (&["--downstream", "orders.amount", "--over", "fdd,fdr"], "sales.report.region\nsales.report.total\n"),
            (
                &["--downstream", "orders.amount", "--relation-types", "FDD, fdr"],
                "sales.report.region\nsales.report.total\n",
            ),
            (
                &["--upstream", "report.total", "--paths", "--intermediates"],
                "sales.orders.amount → sales.sum.sum → sales.INSERT-SELECT-1.sum(o.amount) → sales.report.total\n",
            ),
            (&["--upstream", "report.total", "--depth", "1"], "sales.orders.amount\n"),
            (&["--sources", "report"], "sales.customers\nsales.orders\n"),
            (&["--targets", "orders.amount"], "sales.report.total\n"),
        ] {
            assert_eq!(inspect(&file, options).exits(0), expected, "{options:?}");
        }
    }

    #[test]
    fn every_format_writes_the_whole_lineage_or_a_selection() {
        let file = layout("layout_c1.json");
        for (format, beginning) in [
            ("table", "SOURCE"),
            ("dot", "digraph"),
            ("mermaid", "flowchart"),
            ("csv", "source_db,"),
            ("graphml", "<?xml"),
            ("openlineage", "{"),
        ] {
            let all = inspect(&file, &["--format", format]).exits(0);
            assert!(all.starts_with(beginning) && all.contains("customers"), "{format}: {all}");
            if format != "table" {
                let some = inspect(&file, &["--format", format, "--upstream", "report.total"]).exits(0);
                assert!(some.starts_with(beginning) && !some.contains("customers"), "{format}: {some}");
            }
        }
        let objects = inspect(&file, &["--format", "csv", "--by-object"]).exits(0);
        assert!(objects.contains(",sales,orders,,,sales,report,,"), "{objects}");
    }

    #[test]
    fn options_without_effect_are_refused() {
        for options in [
            ["--json", "--rewrite"].as_slice(),
            &["--json", "--jsonl"],
            &["--json", "--format", "csv"],
            &["--upstream", "a", "--downstream", "a"],
            &["--rewrite", "--format", "dot"],
            &["--rewrite", "--upstream", "a"],
            &["--format", "json", "--upstream", "a"],
            &["--depth", "2"],
            &["--paths"],
            &["--paths", "--format", "dot"],
            &["--paths", "--upstream", "a", "--format", "dot"],
            &["--paths", "--upstream", "a", "--jsonl"],
            &["--by-object"],
            &["--by-object", "--upstream", "a"],
            &["--foreign-keys"],
            &["--intermediates", "--json"],
            &["--relation-types", "fdr"],
            &["--relation-types", "fdr", "--format", "json"],
            &["--impact", "a.b", "--depth", "2"],
            &["--impact", "a.b", "--paths"],
            &["--impact", "a.b", "--upstream", "a"],
            &["--impact", "a.b", "--format", "dot"],
            &["--impact", "a.b", "--intermediates"],
            &["--impact", "a.b", "--relation-types", "fdr"],
            &["--sources", "a", "--depth", "2"],
            &["--format", "pdf"],
            &["--upstream", "report", "--depth", "-1"],
        ] {
            let refused = inspect(&layout("layout_c1.json"), options).fails(2);
            assert!(refused.starts_with("error: "), "{options:?}: {refused}");
        }
    }

    #[test]
    fn a_type_that_does_not_exist_is_refused_with_those_that_do() {
        for flag in ["--relation-types", "--over", "--requested-types"] {
            let refused = inspect(&layout("layout_c1.json"), &[flag, "bogus", "--upstream", "report"]).fails(2);
            assert!(refused.contains("no relation type 'bogus'") && refused.contains("fdd, fdr"), "{refused}");
        }
    }

    #[test]
    fn the_report_lists_counts_and_flows() {
        let text = inspect(&layout("layout_c1.json"), &[]).exits(0);
        assert!(text.contains("relationships  7  (fdd 5, fdr 1, join 1)"), "{text}");
        assert!(text.contains("\nflows of values\n  sales.customers.region → sales.report.region\n"), "{text}");
        assert!(text.contains("frd relationships may be missing; no file says"), "{text}");
    }

    #[test]
    fn the_types_that_a_file_was_requested_with_end_the_doubt() {
        let text = inspect(&layout("layout_c1.json"), &["--requested-types", "fdd,fdr,frd,join"]).exits(0);
        assert!(!text.contains("may be missing"), "{text}");
    }

    #[test]
    fn every_answer_counts_the_edges_that_could_not_be_followed() {
        let file = fixture("stitched.json");
        let text = inspect(&file, &[]).exits(0);
        assert!(text.contains("1 endpoint of a relationship could not be followed:\n"), "{text}");
        assert!(text.contains("    RATES.FX (not in the document), in relationship 10\n"), "{text}");
        assert!(text.contains("\ntext after the JSON\n  Error log: a.sql was skipped\n"), "{text}");
        assert!(text.contains("\nflows of values into the results of queries\n  ORDERS.ID → RS-1.ID\n"), "{text}");
        assert!(text.contains("\nforeign keys\n  CUSTOMERS.ID → ORDERS.ID\n"), "{text}");
        for format in ["table", "dot", "mermaid", "csv", "graphml", "openlineage"] {
            let run = inspect(&file, &["--format", format]);
            assert_eq!(run.stderr.matches("1 edge could not be followed").count(), 1, "{format}: {run:?}");
        }
        let run = inspect(&file, &["--upstream", "report.total"]);
        assert_eq!(run.stdout, "ORDERS.TOTAL\n");
        assert!(run.stderr.contains("1 edge could not be followed"), "{run:?}");
        let run = inspect(&file, &["--upstream", "RS-1"]);
        assert_eq!(run.stderr, "", "this answer is complete");
        let run = inspect(&file, &["--upstream", "customers.id"]);
        assert!(run.stdout.is_empty() && run.stderr.contains("no value flows there"), "{run:?}");
        let run = inspect(&file, &["--upstream", "customers.id", "--quiet"]);
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
        let found = inspect(&file, &["--downstream", "customers.id", "--foreign-keys"]).exits(0);
        assert!(found.contains("ORDERS.ID"), "{found}");
    }

    #[test]
    fn the_impact_of_a_column_is_a_report_that_says_what_is_not_known() {
        let run = inspect(&fixture("stitched.json"), &["--impact", "orders.total"]);
        assert!(run.stderr.contains("the impact is not complete"), "{run:?}");
        let impact = run.exits(0);
        assert!(impact.starts_with("impact of ORDERS.TOTAL\ncolumns (1)\n  REPORT.TOTAL\n"), "{impact}");
        assert!(impact.contains("incomplete: the document does not tell whether fdr, frd, join"), "{impact}");
        let refused = inspect(&fixture("stitched.json"), &["--impact", "orders"]).fails(2);
        assert!(refused.contains("--impact needs a column") && refused.contains("ORDERS.COLUMN"), "{refused}");
    }

    #[test]
    fn a_name_that_does_not_exist_is_refused_with_the_one_that_was_meant() {
        let refused = inspect(&layout("layout_c1.json"), &["--upstream", "repotr"]).fails(2);
        assert!(refused.contains("`repotr`") && refused.contains("did you mean sales.report?"), "{refused}");
    }

    #[test]
    fn strict_fails_if_the_lineage_is_not_whole() {
        let whole = Folder::new();
        for options in [&[][..], &["--json"], &["--jsonl"], &["--format", "csv"], &["--upstream", "report"]] {
            let strict = [options, &["--strict"]].concat();
            inspect(&whole.path("old.json"), &strict).exits(0);
            let run = inspect(&fixture("stitched.json"), &[options, &["--strict"]].concat());
            assert!(run.stderr.contains("1 edge could not be followed"), "{options:?}: {run:?}");
            run.exits(7);
            inspect(&fixture("stitched.json"), options).exits(0);
        }
        let run = inspect(&layout("summary.json"), &["--strict"]);
        assert!(run.stderr.contains("this is a summary"), "{run:?}");
        run.exits(7);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_with_what_was_expected() {
        let folder = Folder::new();
        let latin = folder.write("latin1.json", b"{\"dbobjs\": [{\"name\": \"caf\xe9\"}]}");
        for (file, problem) in [
            (folder.path("none.json"), "cannot open the file"),
            (folder.write("empty.json", ""), "the document is empty"),
            (folder.write("binary.json", b"\x7fELF\x02\x01\x01\0"), "it is a binary file"),
            (folder.write("page.json", "<html>"), "expected lineage as JSON, found text that starts with `<"),
            (latin, "it is neither UTF-8 nor UTF-16"),
            (folder.write("list.json", "[1]"), "expected a JSON object that holds lineage"),
            (folder.write("cut.json", &OLD[..100]), ""),
        ] {
            let failed = inspect(&file, &[]).fails(1);
            assert!(failed.contains(&file) && failed.contains(problem), "{failed}");
            let is_missing = problem == "cannot open the file";
            assert_eq!(failed.contains("help: expected a lineage as JSON, in UTF-8"), !is_missing, "{failed}");
        }
        let failed = sqlflow_with_input(&["inspect", "-"], "").fails(1);
        assert!(failed.contains("cannot read standard input: the document is empty"), "{failed}");
    }

    #[test]
    fn other_encodings_and_compressed_files_are_read() {
        let folder = Folder::new();
        let utf16: Vec<u8> = std::iter::once(0xfeff).chain(OLD.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        let counts = inspect(&folder.path("old.json"), &["--json"]).value();
        assert_eq!(inspect(&folder.write("utf16.json", utf16), &["--json"]).value(), counts);
        assert_eq!(inspect(&folder.write("bom.json", format!("\u{feff}{OLD}")), &["--json"]).value(), counts);
    }

    #[test]
    fn directories_and_patterns_are_merged() {
        let folder = Folder::new();
        let (old, new) = (folder.path("old.json"), folder.path("new.json"));
        let both = sqlflow(&["inspect", &new, &old, "--json"]).value();
        assert_eq!(both["objects"], 2);
        assert_eq!(inspect(&folder.path(""), &["--json"]).value(), both);
        assert_eq!(inspect(&folder.path("*.json"), &["--json"]).value(), both);
        let refused = inspect(&folder.path("*.xml"), &[]).fails(2);
        assert!(refused.contains("*.xml: no file matches"), "{refused}");
        fs::create_dir(folder.path("none")).unwrap();
        let refused = inspect(&folder.path("none"), &[]).fails(2);
        assert!(refused.contains("no .json file in this directory"), "{refused}");
        let refused = sqlflow(&["inspect", "-", "-"]).fails(2);
        assert!(refused.contains("`-` is given twice"), "{refused}");
    }

    #[test]
    fn a_file_appears_complete_or_not_at_all() {
        let folder = Folder::new();
        let output = folder.write("out.csv", "yesterday");
        let file = folder.path("old.json");
        inspect(&file, &["--format", "csv", "--upstream", "none", "-o", &output]).fails(2);
        assert_eq!(fs::read_to_string(&output).unwrap(), "yesterday");
        assert_eq!(folder.names(), ["new.json", "old.json", "out.csv"]);
        assert_eq!(inspect(&file, &["--format", "csv", "-o", &output]).exits(0), "");
        assert!(fs::read_to_string(&output).unwrap().starts_with("source_db,"));
        let failed = inspect(&file, &["--json", "-o", &folder.path("no/such/folder.json")]).fails(2);
        assert!(failed.contains("cannot write") && failed.contains("folder.json"), "{failed}");
        let refused = inspect(&file, &["--json", "-o", &folder.path("")]).fails(2);
        assert!(refused.contains("it is a directory"), "{refused}");
        assert!(inspect(&file, &["--json", "-o", "-"]).exits(0).starts_with('{'));
    }

    #[test]
    fn a_reader_that_leaves_is_no_error() {
        for options in
            [&[][..], &["--json"], &["--jsonl"], &["--rewrite"], &["--format", "csv"], &["--upstream", "report"]]
        {
            let (reader, writer) = io::pipe().unwrap();
            drop(reader);
            let mut command = command(&["inspect", &layout("layout_c1.json")]);
            let output = command.args(options).stdout(writer).stderr(Stdio::piped()).output().unwrap();
            let run = Ended::of(output);
            assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{options:?}");
        }
    }

    #[test]
    fn colours_are_for_terminals_and_those_who_ask() {
        let colored = |arguments: &[&str], variables: &[(&str, &str)]| {
            let output = command(arguments).envs(variables.iter().copied()).output().unwrap();
            let run = Ended::of(output);
            run.stderr.contains('\x1b') || run.stdout.contains('\x1b')
        };
        let folder = Folder::new();
        for arguments in [
            vec!["inspect".to_owned(), "none.json".to_owned()],
            vec!["diff".to_owned(), folder.path("old.json"), folder.path("new.json")],
        ] {
            let plain: Vec<&str> = arguments.iter().map(String::as_str).collect();
            assert!(!colored(&plain, &[]));
            assert!(colored(&plain, &[("CLICOLOR_FORCE", "1")]));
            assert!(!colored(&plain, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
            assert!(colored(&[&plain[..], &["--color", "always"]].concat(), &[("NO_COLOR", "1")]));
            assert!(!colored(&[&plain[..], &["--color", "never"]].concat(), &[("CLICOLOR_FORCE", "1")]));
        }
    }

    #[test]
    fn messages_can_be_json() {
        let failed = inspect("none.json", &["--log-format", "json"]).fails(1);
        let message: Value = serde_json::from_str(&failed).unwrap();
        assert_eq!(message["level"], "error");
        assert!(message["message"].as_str().unwrap().contains("none.json"));
    }
}

mod comparing {
    use super::*;

    #[test]
    fn changes_are_lines_and_an_exit_code() {
        let folder = Folder::new();
        assert_eq!(folder.diff(&[]).exits(8), TEXT_OF_CHANGES);
        assert_eq!(folder.diff(&["--format", "text"]).exits(8), TEXT_OF_CHANGES);
        let same = sqlflow(&["diff", &folder.path("old.json"), &folder.path("old.json")]);
        assert_eq!((same.code, same.stdout.as_str(), same.stderr.as_str()), (0, "", ""));
        let back = sqlflow(&["diff", &folder.path("new.json"), &folder.path("old.json")]).exits(8);
        assert!(back.contains("- flow ORDERS.TAX → REPORT.TAX\n"), "{back}");
    }

    #[test]
    fn quiet_prints_only_what_is_asked_for() {
        let folder = Folder::new();
        assert_eq!(folder.diff(&["-q"]).exits(8), "");
        assert!(folder.diff(&["-q", "--json"]).exits(8).starts_with('{'));
        let output = folder.path("changes.txt");
        assert_eq!(folder.diff(&["-q", "-o", &output]).exits(8), "");
        assert_eq!(fs::read_to_string(output).unwrap(), TEXT_OF_CHANGES);
    }

    #[test]
    fn csv_has_every_change() {
        let csv = Folder::new().diff(&["--format", "csv"]).exits(8);
        assert_eq!(
            csv,
            "change,record,kind,old_kind,name,source,target,implied\n\
             changed,object,view,table,REPORT,,,\n\
             added,column,,,ORDERS.TAX,,,false\n\
             added,column,,,REPORT.TAX,,,false\n\
             added,column_flow,,,,ORDERS.TAX,REPORT.TAX,false\n"
        );
    }

    #[test]
    fn json_has_every_change() {
        let folder = Folder::new();
        let object = folder.diff(&["--json"]).value();
        assert_fits("diff", &object);
        assert_eq!(object["different"], true);
        assert_eq!(object["changed"][0]["old_kind"], "table");
        let lines = folder.diff(&["--jsonl"]).exits(8);
        let changes = object["added"].as_array().unwrap().len() + object["removed"].as_array().unwrap().len() + 1;
        assert_eq!(assert_lines_fit("diff-change", &lines), changes);
        assert!(lines.starts_with(r#"{"change":"changed","record":"object""#), "{lines}");
        let same = sqlflow(&["diff", &folder.path("old.json"), &folder.path("old.json"), "--json"]);
        let expected = json!({"different": false, "added": [], "removed": [], "changed": [], "notes": []});
        assert_eq!((same.code, same.value()), (0, expected));
    }

    #[test]
    fn everything_is_compared_if_asked_for() {
        let (old, new) = (layout("layout_a.json"), layout("layout_c1.json"));
        let run = sqlflow(&["diff", &old, &new, "--all"]);
        assert!(run.stderr.contains("only the new lineage has relationships of type join"), "{run:?}");
        let text = run.exits(8);
        assert!(text.contains("+ join ") && text.contains("- select_list RS-1\n"), "{text}");
        let object = sqlflow(&["diff", &old, &new, "--all", "--json"]).value();
        assert_fits("diff", &object);
        assert!(object.get("changed").is_none() && object["notes"] == json!([]), "a hint is no error: {object}");
        let lines = sqlflow(&["diff", &old, &new, "--all", "--jsonl"]).exits(8);
        assert_lines_fit("diff-change", &lines);
        assert!(lines.contains(r#""record":"relationship""#), "{lines}");
        let csv = sqlflow(&["diff", &old, &new, "--all", "--format", "csv"]).exits(8);
        assert!(csv.contains("added,relationship,join,"), "{csv}");
    }

    #[test]
    fn a_side_that_is_not_whole_is_a_warning_and_fails_if_strict() {
        let file = fixture("stitched.json");
        let run = sqlflow(&["diff", &file, &file]);
        assert!(run.stderr.contains("warning: the old lineage has 1 unresolved endpoint"), "{run:?}");
        assert_eq!(run.exits(0), "");
        sqlflow(&["diff", &file, &file, "--strict"]).exits(7);
        let folder = Folder::new();
        sqlflow(&["diff", &folder.path("old.json"), &folder.path("old.json"), "--strict"]).exits(0);
        // A change is found, whatever else there may be.
        sqlflow(&["diff", &folder.path("old.json"), &file, "--strict"]).exits(8);
    }

    #[test]
    fn a_side_is_a_file_a_directory_a_pattern_or_standard_input() {
        let folder = Folder::new();
        for (side, name) in [("a", "old"), ("b", "new")] {
            fs::create_dir(folder.path(side)).unwrap();
            fs::copy(folder.path(&format!("{name}.json")), folder.path(&format!("{side}/x.json"))).unwrap();
        }
        assert_eq!(sqlflow(&["diff", &folder.path("a"), &folder.path("b")]).exits(8), TEXT_OF_CHANGES);
        assert_eq!(sqlflow(&["diff", &folder.path("a/*"), &folder.path("b/?.json")]).exits(8), TEXT_OF_CHANGES);
        assert_eq!(sqlflow_with_input(&["diff", "-", &folder.path("b")], OLD).exits(8), TEXT_OF_CHANGES);
        assert_eq!(sqlflow_with_input(&["diff", &folder.path("a"), "-"], NEW).exits(8), TEXT_OF_CHANGES);
        let refused = sqlflow(&["diff", "-", "-"]).fails(2);
        assert!(refused.contains("both `-`"), "{refused}");
    }

    #[test]
    fn wrong_arguments_and_files_are_refused() {
        let folder = Folder::new();
        for arguments in [
            &["diff"][..],
            &["diff", "a"],
            &["diff", "a", "b", "c"],
            &["diff", "a", "b", "--json", "--jsonl"],
            &["diff", "a", "b", "--json", "--format", "csv"],
            &["diff", "a", "b", "--format", "dot"],
            &["diff", "no*", "b"],
        ] {
            sqlflow(arguments).fails(2);
        }
        let failed = sqlflow(&["diff", &folder.path("old.json"), &folder.path("none.json")]).fails(1);
        assert!(failed.contains("none.json"), "{failed}");
    }

    #[test]
    fn a_reader_that_leaves_is_no_error_and_the_change_is_still_found() {
        let folder = Folder::new();
        for options in [&[][..], &["--json"], &["--jsonl"], &["--format", "csv"]] {
            let (reader, writer) = io::pipe().unwrap();
            drop(reader);
            let mut command = command(&["diff", &folder.path("old.json"), &folder.path("new.json")]);
            let run = Ended::of(command.args(options).stdout(writer).stderr(Stdio::piped()).output().unwrap());
            assert_eq!((run.code, run.stderr.as_str()), (8, ""), "{options:?}");
        }
    }
}

mod merging {
    use super::*;

    #[test]
    fn a_flow_through_several_files_is_one() {
        let folder = Folder::new();
        let show = r#"{"dbvendor": "dbvoracle", "dbobjs": [
            {"id": "1", "name": "report", "type": "table", "columns": [{"id": "2", "name": "total"}]},
            {"id": "3", "name": "CHART", "type": "view", "columns": [{"id": "4", "name": "BAR"}]}],
          "relationships": [{"id": "5", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]}]}"#;
        folder.write("parts/load.json", OLD);
        folder.write("parts/show.json", show);
        let output = folder.path("all.json");
        assert_eq!(sqlflow(&["merge", &folder.path("parts"), "-o", &output]).exits(0), "");
        assert_eq!(inspect(&output, &["--upstream", "chart.bar"]).exits(0), "ORDERS.TOTAL\nREPORT.TOTAL\n");
        let pattern = folder.path("parts/*.json");
        let printed = sqlflow(&["merge", &pattern]).exits(0);
        assert_eq!(printed, fs::read_to_string(&output).unwrap());
        assert_eq!(sqlflow(&["merge", &pattern, "--format", "json"]).exits(0), printed);
        let from_input = sqlflow_with_input(&["merge", &folder.path("parts/load.json"), "-"], show).exits(0);
        assert_eq!(from_input, printed);
        let csv = sqlflow(&["merge", &pattern, "--format", "csv"]).exits(0);
        assert!(csv.contains(",,ORDERS,TOTAL,,,REPORT,TOTAL,fdd,insert\n"), "{csv}");
        for format in ["table", "graphml", "dot", "mermaid", "openlineage"] {
            assert!(sqlflow(&["merge", &pattern, "--format", format]).exits(0).contains("CHART"), "{format}");
        }
    }

    #[test]
    fn statements_are_labelled_with_their_file() {
        let run = sqlflow(&["merge", &layout("layout_b.json"), &layout("layout_c1.json"), "--jsonl"]);
        let lines = run.exits(0);
        assert_lines_fit("flow", &lines);
        for line in lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            for statement in line["statements"].as_array().unwrap() {
                let label = statement["location"]["label"].as_str().unwrap();
                assert!(label.ends_with("layout_b.json") || label.ends_with("layout_c1.json"), "{label}");
            }
        }
        assert!(lines.contains("layout_c1.json"), "{lines}");
    }

    #[test]
    fn counts_are_those_of_inspect() {
        let folder = Folder::new();
        let files = [folder.path("old.json"), folder.path("new.json")];
        let counts = sqlflow(&["merge", &files[0], &files[1], "--json"]).value();
        assert_eq!(counts, sqlflow(&["inspect", &files[0], &files[1], "--json"]).value());
        assert_fits("inspect", &counts);
    }

    #[test]
    fn the_result_of_an_earlier_merge_is_not_merged_again() {
        let folder = Folder::new();
        let output = folder.path("all.json");
        let merge = |input: &str| sqlflow(&["merge", input, "-o", &output]);
        merge(&folder.path("")).exits(0);
        let first = fs::read_to_string(&output).unwrap();
        for input in ["", "*.json"] {
            let run = merge(&folder.path(input));
            assert_eq!(run.stderr, "");
            assert_eq!(fs::read_to_string(&output).unwrap(), first, "{input}");
        }
        // A person who names it wants it.
        let run = sqlflow(&["merge", &output, &folder.path("new.json"), "-o", &output]);
        assert!(run.stderr.contains("is one of the inputs, and is replaced by the result"), "{run:?}");
        run.exits(0);
    }

    #[test]
    fn several_vendors_and_ids_of_several_records_are_warnings() {
        let folder = Folder::new();
        let other = folder.write("other.json", OLD.replace("dbvoracle", "dbvhive"));
        let run = sqlflow(&["merge", &folder.path("old.json"), &other, "--json"]);
        assert!(run.stderr.contains("several vendors (dbvhive, dbvoracle): the result says dbvoracle"), "{run:?}");
        run.exits(0);
        let twice = folder.write("twice.json", OLD.replace(r#""id": "3""#, r#""id": "1""#));
        let run = sqlflow(&["merge", &twice, "--json"]);
        assert!(run.stderr.contains("1 id belongs to several records within a file, such as 1"), "{run:?}");
    }

    #[test]
    fn strict_fails_if_the_lineage_is_not_whole() {
        let folder = Folder::new();
        for options in [&[][..], &["--json"], &["--jsonl"], &["--format", "csv"]] {
            let merge = |file: &str| sqlflow(&[&["merge", file, "--strict"], options].concat());
            merge(&folder.path("old.json")).exits(0);
            let run = merge(&fixture("stitched.json"));
            assert!(run.stderr.contains("1 edge could not be followed"), "{run:?}");
            run.exits(7);
        }
    }

    #[test]
    fn wrong_arguments_and_files_are_refused() {
        let folder = Folder::new();
        for arguments in [
            &["merge"][..],
            &["merge", "a", "--json", "--jsonl"],
            &["merge", "a", "--json", "--format", "csv"],
            &["merge", "a", "--format", "pdf"],
            &["merge", "a", "--upstream", "x"],
            &["merge", "no*"],
            &["merge", "-", "-"],
        ] {
            sqlflow(arguments).fails(2);
        }
        let output = folder.write("all.json", "yesterday");
        let failed = sqlflow(&["merge", &folder.path("old.json"), &folder.path("none.json"), "-o", &output]).fails(1);
        assert!(failed.contains("none.json"), "{failed}");
        assert_eq!(fs::read_to_string(&output).unwrap(), "yesterday");
    }
}

mod schemas {
    use super::*;

    #[test]
    fn every_schema_is_listed_and_describes_all_its_fields() {
        fn check(path: &str, schema: &Value) {
            if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
                let open = schema.get("additionalProperties");
                assert_eq!(open, Some(&Value::Bool(false)), "{path} accepts any field");
                assert!(schema.get("required").is_some_and(Value::is_array), "{path} does not say what is required");
                for (name, property) in properties {
                    let is_described = property.get("description").is_some() || property.get("const").is_some();
                    assert!(is_described, "{path}/{name} has no description");
                }
            }
            match schema {
                Value::Object(fields) => fields.iter().for_each(|(key, value)| check(&format!("{path}/{key}"), value)),
                Value::Array(items) => items.iter().for_each(|item| check(path, item)),
                _ => {}
            }
        }
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas");
        let readme = fs::read_to_string(folder.join("README.md")).unwrap();
        for entry in fs::read_dir(folder.join("v1")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(readme.contains(&format!("(v1/{name})")), "README.md does not list {name}");
            let schema: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            jsonschema::meta::validate(&schema).unwrap_or_else(|error| panic!("{name}: {error}"));
            check(name, &schema);
        }
    }

    #[test]
    fn what_inspect_prints_fits() {
        let files =
            ["layout_a.json", "layout_b.json", "layout_c1.json", "layout_c2.json", "routines.json", "summary.json"];
        for file in files.map(layout).into_iter().chain([fixture("stitched.json")]) {
            assert_fits("inspect", &inspect(&file, &["--json"]).value());
            assert_lines_fit("flow", &inspect(&file, &["--jsonl"]).exits(0));
        }
    }

    #[test]
    fn answers_fit() {
        let file = layout("layout_c1.json");
        for flag in ["--upstream", "--downstream", "--sources", "--targets"] {
            for name in ["report", "report.total", "orders", "orders.amount"] {
                let answer = inspect(&file, &[flag, name, "--json"]).value();
                assert_fits("answer", &answer);
                assert_eq!(answer["question"], flag.trim_start_matches("--"));
                assert!(answer.get("paths").is_none());
                let lines = inspect(&file, &[flag, name, "--jsonl"]).exits(0);
                assert_eq!(assert_lines_fit("vertex", &lines), answer["found"].as_array().unwrap().len());
            }
        }
        let answer = inspect(&file, &["--upstream", "report.total", "--paths", "--intermediates", "--json"]).value();
        assert_fits("answer", &answer);
        assert_eq!(answer["paths"][0].as_array().unwrap().len(), 4);
        let unresolved = inspect(&fixture("stitched.json"), &["--upstream", "report.total", "--json"]).value();
        assert_fits("answer", &unresolved);
        assert_eq!(unresolved["complete"], false);
        assert_eq!(unresolved["unresolved"][0]["kind"], "unresolved");
    }

    #[test]
    fn impacts_fit() {
        for (file, column) in [
            (layout("layout_c1.json"), "orders.amount"),
            (layout("layout_c1.json"), "customers.region"),
            (fixture("stitched.json"), "orders.total"),
            (fixture("stitched.json"), "customers.id"),
        ] {
            assert_fits("impact", &inspect(&file, &["--impact", column, "--json"]).value());
            assert_lines_fit("vertex", &inspect(&file, &["--impact", column, "--jsonl"]).exits(0));
        }
    }

    #[test]
    fn the_lineage_of_a_job_fits() {
        let sql = format!("{}/../../examples/sql", env!("CARGO_MANIFEST_DIR"));
        let lineage = |options: &[&str]| {
            let mut command = command(&[&["lineage", &sql, "--emulator"], options].concat());
            let none = PathBuf::from(&sql).join("no-config.toml");
            let names: Vec<_> = std::env::vars_os().map(|(name, _)| name).collect();
            for name in names.iter().filter(|name| name.to_string_lossy().starts_with("SQLFLOW_")) {
                command.env_remove(name);
            }
            command.env("XDG_CONFIG_HOME", none);
            Ended::of(command.stdin(Stdio::null()).output().unwrap())
        };
        let object = lineage(&["--json"]).value();
        assert_fits("lineage", &object);
        assert!(object["job"].is_string() && !object["flows"].as_array().unwrap().is_empty(), "{object:#}");
        assert_lines_fit("flow", &lineage(&["--jsonl"]).exits(0));
    }
}
