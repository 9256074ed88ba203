//! The JSON of each command against its schema in `schemas/`.

use crate::environment::assert_fits as check;
use crate::server::{Server, sql};

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
    check("submitted", &server.run(&format!("{submit} --json")).value());
    check_lines("submitted", &server.run(&format!("{submit} --jsonl")).stdout);
    let job = server.finished_job();
    check("ended", &server.run(&format!("wait {job} 0 --json")).value());
    check_lines("ended-job", &server.run(&format!("wait {job} 0 --jsonl")).stdout);
    check("changes", &server.run(&format!("watch {job} 0 --json")).value());
    check_lines("change", &server.run(&format!("watch {job} 0 --jsonl")).stdout);
    check("jobs", &server.run("jobs --json").value());
    check_lines("job", &server.run("jobs --jsonl").stdout);
    check("jobs", &server.run(&format!("job show {job} --json")).value());
    check("jobs", &server.run("schedule list --json").value());
    check("changed", &server.run(&format!("job rerun {job} 0 --json")).value());
    check_lines("changed-job", &server.run(&format!("job rerun {job} 0 --jsonl")).stdout);
    check("changed", &server.run("job delete --name none* --yes --json").value());
    check("changed", &server.run(&format!("schedule pause {job} --json")).value());
    let bad = server.file("bad.sql", "select 1;\nselekt 2;\n");
    check("check", &server.run(&format!("check --vendor postgresql {bad} --json")).value());
    check_lines("check-error", &server.run(&format!("check --vendor postgresql {bad} --jsonl")).stdout);
    check("lineage", &server.run(&format!("lineage --vendor postgresql {} --json", sql())).value());
    check("lineage", &server.run(&format!("lineage --vendor postgresql {bad} {} --json", sql())).value());
    check("lineage", &server.run(&format!("analyze --vendor postgresql {}/3_report.sql --json", sql())).value());
    check_lines("flow", &server.run(&format!("export {job} --jsonl")).stdout);
    check("lineage", &server.run(&format!("export {job} --relation-types fdd,fdr --json")).value());
    check_lines("edge", &server.run(&format!("export {job} --relation-types fdr --jsonl")).stdout);
    check("lineage", &server.run(&format!("export {job} --table-level --json")).value());
    check_lines("edge", &server.run(&format!("export {job} --table-level --jsonl")).stdout);
    let question = format!("export {job} --upstream report.customer_revenue.revenue");
    check("answer", &server.run(&format!("{question} --json")).value());
    check("answer", &server.run(&format!("{question} --paths --json")).value());
    check_lines("vertex", &server.run(&format!("{question} --jsonl")).stdout);
    let impact = format!("lineage --vendor postgresql {} --impact sales.orders.status", sql());
    check("impact", &server.run(&format!("{impact} --json")).value());
    check_lines("vertex", &server.run(&format!("{impact} --jsonl")).stdout);
}
