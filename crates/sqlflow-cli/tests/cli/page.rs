//! Pages: `--format html`, and `--open`.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::environment::Home;

const LINEAGE: &str = r#"{"dbobjs": [
    {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
    {"id": "3", "name": "REPORT", "type": "view", "columns": [{"id": "4", "name": "SUM"}]}],
  "relationships": [{"id": "5", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]}]}"#;

/// Returns the data that a page holds.
#[track_caller]
fn content(path: &Path) -> Value {
    let page = std::fs::read_to_string(path).unwrap();
    assert!(page.starts_with("<!doctype html>"), "{}", &page[..page.len().min(200)]);
    let (_, rest) = page.split_once("<script type=\"application/json\" id=\"lineage\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

fn home() -> Home {
    let home = Home::new();
    home.write("lineage.json", LINEAGE);
    home
}

fn example() -> String {
    format!("{}/../../examples/sql", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_page_is_written_by_its_format_or_by_the_name_of_its_file() {
    let home = home();
    home.run(&["inspect", "lineage.json", "--format", "html", "-o", "page"]).exits(0);
    home.run(&["inspect", "lineage.json", "-o", "page.html"]).exits(0);
    home.run(&["merge", "lineage.json", "-o", "merged.htm"]).exits(0);
    for page in ["page", "page.html", "merged.htm"] {
        let content = content(&home.path(page));
        assert_eq!(content["objects"]["name"].as_array().unwrap().len(), 2, "{page}");
        assert_eq!(content["openAt"], Value::Null, "{page}");
    }
    assert_eq!(content(&home.path("page.html"))["title"], "lineage.json");
}

#[test]
fn the_page_of_a_question_opens_at_what_it_is_about() {
    let home = home();
    home.run(&["inspect", "lineage.json", "--upstream", "report.sum", "-o", "page.html"]).exits(0);
    assert_eq!(content(&home.path("page.html"))["openAt"], 1, "the second column");
    let error = home.run(&["inspect", "lineage.json", "--upstream", "no.such", "-o", "page.html"]).fails(2);
    assert!(error.contains("no.such"), "{error}");
}

#[test]
fn the_page_of_a_submission_has_filters_and_joins_and_the_name_of_the_sql() {
    let home = Home::new();
    home.run(&["lineage", "--emulator", &example(), "--vendor", "postgresql", "-o", "page.html"]).exits(0);
    let content = content(&home.path("page.html"));
    assert_eq!(content["title"], "sql");
    assert!(content["texts"].as_array().unwrap().iter().any(|text| text == "fdr"));
}

#[test]
fn the_page_of_a_comparison_marks_what_changed() {
    let home = home();
    home.write("new.json", &LINEAGE.replace("SUM", "TOTAL"));
    home.run(&["diff", "lineage.json", "new.json", "-o", "changes.html"]).exits(8);
    let content = content(&home.path("changes.html"));
    assert_eq!(content["isComparison"], true);
    assert_eq!(content["columns"]["change"], serde_json::json!([0, 1, 2]));
    home.run(&["diff", "lineage.json", "new.json", "--all", "-o", "changes.html"]).says("leave out --all").exits(2);
}

#[test]
fn a_page_says_what_is_missing() {
    let home = Home::new();
    let summary = r#"{"code": 200, "data": {"mode": "summary", "summary": {"table": 7, "column": 80}}}"#;
    home.write("summary.json", summary);
    home.run(&["inspect", "summary.json", "-o", "page.html", "--strict"]).exits(7);
    let content = content(&home.path("page.html"));
    assert_eq!(content["reasons"].as_array().unwrap().len(), 1, "{}", content["reasons"]);
    assert!(content["reasons"][0].as_str().unwrap().starts_with("This is a summary"));
}

#[test]
fn flags_that_the_page_has_switches_for_are_refused() {
    let home = home();
    for flags in [["--upstream=report.sum", "--paths"], ["--upstream=report.sum", "--depth=2"]] {
        let arguments = [&["inspect", "lineage.json", "-o", "page.html"], &flags[..]].concat();
        home.run(&arguments).says("the page has switches for them").exits(2);
    }
    for flag in ["--intermediates", "--foreign-keys", "--by-object"] {
        home.run(&["inspect", "lineage.json", "-o", "page.html", flag]).says("the page has switches").exits(2);
    }
    home.run(&["inspect", "lineage.json", "--open", "--format", "csv"])
        .says("--open works only with --format html")
        .exits(2);
    home.run(&["inspect", "lineage.json", "--open", "--json"]).says("--json").exits(2);
    assert!(!home.path("page.html").exists());
}

/// Puts a program into the home that stands in for the one that opens files, and writes what it was given to a file.
#[cfg(target_os = "linux")]
fn with_opener(home: &Home) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;

    let (opened, pipe) = (home.path("opened"), home.path("opened.part"));
    let script = format!("#!/bin/sh\nprintf %s \"$1\" > '{0}' && mv '{0}' '{1}'\n", pipe.display(), opened.display());
    let program = home.write("bin/xdg-open", &script);
    std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
    opened
}

/// Returns what the opener was given, which it writes when it runs.
#[cfg(target_os = "linux")]
fn opened_path(opened: &Path) -> PathBuf {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !opened.exists() {
        assert!(std::time::Instant::now() < deadline, "nothing was opened");
        std::thread::yield_now();
    }
    PathBuf::from(std::fs::read_to_string(opened).unwrap())
}

#[cfg(target_os = "linux")]
#[test]
fn a_page_is_opened_from_its_file_or_from_a_temporary_one() {
    let path = |home: &Home| format!("{}:{}", home.path("bin").display(), std::env::var("PATH").unwrap());
    for arguments in
        [&["inspect", "lineage.json", "--open", "-o", "page.html"][..], &["inspect", "lineage.json", "--open"]]
    {
        let home = home();
        let opened = with_opener(&home);
        std::fs::create_dir(home.path("tmp")).unwrap();
        let mut command = home.command(arguments);
        command.env("PATH", path(&home)).env("TMPDIR", home.path("tmp")).env_remove("BROWSER");
        crate::environment::ended(&mut command).says("opened ").exits(0);
        let page = home.path("").join(opened_path(&opened));
        assert_eq!(content(&page)["objects"]["name"].as_array().unwrap().len(), 2);
        let is_temporary = page.starts_with(home.path("tmp"));
        assert_eq!(is_temporary, !arguments.contains(&"-o"), "{}", page.display());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_browser_that_cannot_be_opened_is_a_warning_and_the_page_stays() {
    let home = home();
    let mut command = home.command(["inspect", "lineage.json", "--open", "-o", "page.html"]);
    command.env("PATH", home.path("nothing"));
    crate::environment::ended(&mut command).says("cannot open a browser").says("page.html").exits(0);
    content(&home.path("page.html"));
}
