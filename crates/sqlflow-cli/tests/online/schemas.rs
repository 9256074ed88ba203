//! The JSON of each command against its schema in `schemas/`.

use serde_json::Value;

use crate::server::{Server, sql};

/// Checks a value against the schema of this name.
fn check(name: &str, value: &Value) {
    let path = format!("{}/schemas/v1/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(&path).expect(&path)).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let problems: Vec<_> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(problems.is_empty(), "{name}: {problems:?}: {value:#}");
}

fn check_lines(name: &str, lines: &str) {
    assert_ne!(lines, "", "{name}");
    for line in lines.lines() {
        check(name, &serde_json::from_str(line).unwrap());
    }
}

#[test]
fn json_follows_the_schemas() {
    let server = Server::start();
    let submit = format!("submit --vendor postgresql {}", sql());
    check("submitted", &server.run(&format!("{submit} --json")).json());
    check_lines("submitted", &server.run(&format!("{submit} --jsonl")).stdout);
    let job = server.finished_job();
    check("ended", &server.run(&format!("wait {job} 0 --json")).json());
    check_lines("ended-job", &server.run(&format!("wait {job} 0 --jsonl")).stdout);
    check("changes", &server.run(&format!("watch {job} 0 --json")).json());
    check_lines("change", &server.run(&format!("watch {job} 0 --jsonl")).stdout);
    check("jobs", &server.run("jobs --json").json());
    check_lines("job", &server.run("jobs --jsonl").stdout);
    check("jobs", &server.run(&format!("job show {job} --json")).json());
    check("jobs", &server.run("schedule list --json").json());
    check("changed", &server.run(&format!("job rerun {job} 0 --json")).json());
    check_lines("changed-job", &server.run(&format!("job rerun {job} 0 --jsonl")).stdout);
    check("changed", &server.run("job delete --name none* --yes --json").json());
    check("changed", &server.run(&format!("schedule pause {job} --json")).json());
    let bad = server.file("bad.sql", "select 1;\nselekt 2;\n");
    check("check", &server.run(&format!("check --vendor postgresql {bad} --json")).json());
    check_lines("check-error", &server.run(&format!("check --vendor postgresql {bad} --jsonl")).stdout);
    check("lineage", &server.run(&format!("lineage --vendor postgresql {} --json", sql())).json());
    check("lineage", &server.run(&format!("lineage --vendor postgresql {bad} {} --json", sql())).json());
    check("lineage", &server.run(&format!("analyze --vendor postgresql {}/3_report.sql --json", sql())).json());
    check_lines("flow", &server.run(&format!("export {job} --jsonl")).stdout);
    let question = format!("export {job} --upstream report.customer_revenue.revenue");
    check("answer", &server.run(&format!("{question} --json")).json());
    check("answer", &server.run(&format!("{question} --paths --json")).json());
    check_lines("vertex", &server.run(&format!("{question} --jsonl")).stdout);
    let impact = format!("lineage --vendor postgresql {} --impact sales.orders.status", sql());
    check("impact", &server.run(&format!("{impact} --json")).json());
    check_lines("vertex", &server.run(&format!("{impact} --jsonl")).stdout);
}
