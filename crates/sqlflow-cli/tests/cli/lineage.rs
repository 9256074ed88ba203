//! `lineage`, `analyze` and `export`.

#[cfg(unix)]
use std::process::Stdio;

use crate::environment::{Ended, ended_with_input};
use crate::server::{Server, sql};

const FLOW: &str = ",sales,orders,order_id,,staging,order_totals,order_id,fdd,insert";

#[test]
fn the_whole_lineage_is_csv_when_nobody_watches() {
    let server = Server::start();
    let ran = server.run(&format!("lineage --vendor postgresql {}", sql()));
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert!(ran.stdout.starts_with("source_db,source_schema,"), "{ran:?}");
    assert!(ran.stdout.lines().any(|line| line == FLOW), "{ran:?}");
    assert_eq!(server.emulator.jobs().len(), 1);
}

#[test]
fn every_format_is_written_to_standard_output_and_to_files() {
    let server = Server::start();
    let job = server.finished_job();
    for (format, part) in [
        ("table", "SOURCE"),
        ("json", "\"relationships\""),
        ("csv", FLOW),
        ("graphml", "<graphml"),
        ("dot", "digraph"),
        ("mermaid", "flowchart"),
        ("openlineage", "\"eventType\":\"COMPLETE\""),
    ] {
        let printed = server.run(&format!("export {job} --format {format}"));
        assert_eq!(printed.code, 0, "{printed:?}");
        assert!(printed.stdout.contains(part), "{format}: {printed:?}");
        let path = server.home.path().join("out");
        let written = server.run(&format!("export {job} --format {format} -o {}", path.display()));
        assert_eq!((written.code, written.stdout.as_str()), (0, ""), "{written:?}");
        let content = std::fs::read_to_string(&path).unwrap();
        if format == "openlineage" {
            // Each run has an id and a time of its own.
            assert!(content.contains(part));
        } else {
            assert_eq!(content, printed.stdout, "{format}");
        }
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn raw_exports_are_the_files_of_the_server() {
    let server = Server::start();
    let job = server.finished_job();
    for (kind, part) in [("json", "\"code\""), ("csv", "source_db,"), ("graphml", "<graphml"), ("drawn", "\"code\"")] {
        let ran = server.run(&format!("export {job} --raw {kind}"));
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.stdout.contains(part), "{ran:?}");
    }
    let refused = server.run(&format!("export {job} --raw csv --format dot"));
    assert_eq!(refused.code, 2, "{refused:?}");
}

#[test]
fn questions_are_answered_with_names() {
    let server = Server::start();
    let ask = |question: &str| server.run(&format!("lineage --vendor postgresql {} {question}", sql()));
    let upstream = ask("--upstream report.customer_revenue.revenue");
    assert_eq!(
        upstream.stdout,
        "sales.order_lines.quantity\nsales.order_lines.unit_price\nstaging.order_totals.total\n"
    );
    let sources = ask("--sources report.customer_revenue.revenue");
    assert_eq!(sources.stdout, "sales.order_lines.quantity\nsales.order_lines.unit_price\n");
    let direct = ask("--upstream report.customer_revenue.revenue --depth 1");
    assert_eq!(direct.stdout, "staging.order_totals.total\n");
    let paths = ask("--downstream sales.order_lines.quantity --paths");
    assert!(paths.stdout.lines().all(|path| path.starts_with("sales.order_lines.quantity → ")), "{paths:?}");
    // An impact needs filters and joins, which are requested without being asked for.
    let impact = ask("--impact sales.orders.status");
    assert!(impact.stdout.contains("staging.order_totals (table)"), "{impact:?}");
    assert!(!impact.stdout.contains("incomplete"), "{impact:?}");
    let dot = ask("--upstream report.customer_revenue --format dot");
    assert!(dot.stdout.starts_with("digraph") && !dot.stdout.contains("best_of_country"), "{dot:?}");
}

#[test]
fn a_name_that_does_not_exist_is_refused_with_similar_ones() {
    let server = Server::start();
    let refused = server.run(&format!("lineage --vendor postgresql {} --upstream report.customer_revenu", sql()));
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("customer_revenue"), "{refused:?}");
    // The name of a column may have the mistake in its table.
    let refused = server.run(&format!("lineage --vendor postgresql {} --impact sales.ordrs.status", sql()));
    assert!(refused.code == 2 && refused.stderr.contains("did you mean sales.orders?"), "{refused:?}");
}

#[test]
fn a_file_that_cannot_be_written_is_refused_before_anything_is_sent() {
    let server = Server::start();
    for (output, reason) in [("missing/lineage.csv", "there is no directory missing"), (".", "it is a directory")] {
        for format in ["csv", "html", "json"] {
            let arguments = format!("lineage --vendor postgresql {} -o {output} --format {format}", sql());
            let refused = server.run(&arguments);
            assert!(refused.code == 2 && refused.stderr.contains(reason), "{refused:?}");
        }
    }
    assert_eq!(server.run("jobs --quiet").stdout, "");
}

#[test]
fn relation_types_are_requested_and_followed() {
    let server = Server::start();
    let ran = server.run(&format!("lineage --vendor postgresql {} --relation-types fdd,fdr", sql()));
    assert!(ran.stdout.contains(",fdr,"), "{ran:?}");
    let document = server.run(&format!("lineage --vendor postgresql {} --relation-types fdd,fdr --format json", sql()));
    assert!(document.stdout.contains("\"fdr\""), "{document:?}");
    let newest = server.run("jobs --quiet").stdout.lines().next().unwrap().to_owned();
    let document = server.run(&format!("export {newest} --format json"));
    assert!(document.stdout.contains("\"fdr\""), "an export has the types of the submission: {document:?}");
    let job = server.finished_job();
    let fdr = server.run(&format!("export {job} --relation-types fdr"));
    assert!(fdr.stdout.contains(",fdr,") && !fdr.stdout.contains(",fdd,"), "{fdr:?}");
}

#[test]
fn a_part_of_a_lineage_is_selected_by_the_server() {
    let server = Server::start();
    let job = server.finished_job();
    let part = server.run(&format!("export {job} --select staging.order_totals"));
    assert_eq!(part.code, 0, "{part:?}");
    assert!(part.stdout.contains(FLOW), "{part:?}");
    let tables = server.run(&format!("export {job} --table-level --format csv"));
    assert_eq!(tables.code, 0, "{tables:?}");
    let refused = server.run(&format!("export {job} --select a..b.c.d.e"));
    assert_eq!(refused.code, 2, "{refused:?}");
}

#[test]
fn sql_is_read_from_files_directories_zips_and_standard_input() {
    let server = Server::start();
    let file = server.file("load.sql", "insert into t (a) select b from s;");
    let check = |ran: &Ended| assert!(ran.code == 0 && ran.stdout.contains("s,b,,,t,a,fdd"), "{ran:?}");
    check(&server.run(&format!("lineage --vendor postgresql {file}")));
    check(&server.run(&format!("lineage --vendor dbvpostgresql {}", server.home.path().display())));
    check(&server.run(&format!("analyze --vendor postgres {file}")));
    for command in ["lineage --vendor postgresql -", "analyze --vendor postgresql", "analyze --vendor postgresql -"] {
        check(&ended_with_input(server.command(command), "insert into t (a) select b from s;"));
    }
}

#[test]
fn the_embedded_emulator_needs_no_settings() {
    let server = Server::start();
    let ran = Ended::of(
        crate::environment::program(server.home.path())
            .args(["lineage", "--emulator", &sql()])
            .env("SQLFLOW_URL", "http://127.0.0.1:1")
            .output()
            .unwrap(),
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains(FLOW) && ran.stderr.contains("embedded emulator"), "{ran:?}");
    assert_eq!(server.emulator.requests().len(), 0);
}

#[test]
fn nothing_but_the_result_is_on_standard_output() {
    let server = Server::start();
    let job = server.finished_job();
    for flags in ["--json", "--json -vv", "--json --log-format json -v", "--json --color always"] {
        let ran = server.run(&format!("export {job} {flags}"));
        assert_eq!(ran.value()["job"], job.as_str(), "{ran:?}");
    }
    let logged = server.run(&format!("export {job} --json --log-format json -v"));
    for line in logged.stderr.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_leaves_changes_no_exit_code() {
    let server = Server::start();
    let job = server.finished_job();
    let bad = server.file("bad.sql", "selekt 1;");
    let broken = server.file("half.sql", "insert into t (a) select b from s;\nselekt broken;\n");
    for (arguments, code) in [
        (format!("export {job}"), 0),
        (format!("wait {job} 0"), 1),
        (format!("check --vendor postgresql {bad}"), 8),
        (format!("lineage --vendor postgresql --strict {broken}"), 7),
        (format!("job show {job} 0"), 1),
    ] {
        let mut command = server.command(&arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ended = Ended::of(child.wait_with_output().unwrap());
        assert_eq!(ended.code, code, "{arguments}: {ended:?}");
        assert!(!ended.stderr.contains("roken pipe"), "{arguments}: {ended:?}");
    }
}

#[test]
fn the_name_of_a_file_tells_its_format() {
    let server = Server::start();
    let job = server.finished_job();
    for (name, part) in [
        ("a.json", "\"relationships\""),
        ("a.dot", "digraph"),
        ("a.graphml", "<graphml"),
        ("a.mmd", "flowchart"),
        ("a.csv", "source_db"),
        ("a.txt", "source_db"),
    ] {
        let path = server.home.path().join(name);
        let ran = server.run(&format!("export {job} -o {}", path.display()));
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(std::fs::read_to_string(&path).unwrap().contains(part), "{name}");
    }
}

#[test]
fn json_has_the_edges_that_were_asked_for() {
    let server = Server::start();
    let file = server.file("filter.sql", "insert into t (a) select b from s where c > 1;");
    let lineage = |flags: &str| server.run(&format!("lineage --vendor postgresql {file} {flags} --json")).value();
    let filtered = lineage("--relation-types fdr");
    assert_eq!(filtered["edges"][0]["relation"], "fdr", "{filtered}");
    assert_eq!(lineage("")["edges"], serde_json::Value::Null);
    let job = server.finished_job();
    let tables = server.run(&format!("export {job} --table-level --jsonl"));
    assert!(tables.stdout.lines().count() > 1, "{tables:?}");
}

#[cfg(unix)]
#[test]
fn a_file_that_is_not_submitted_is_named_and_not_whole() {
    let server = Server::start();
    server.file("sql/load.sql", "insert into t (a) select b from s;");
    let other = server.file("other.sql", "insert into u (a) select b from s;");
    std::os::unix::fs::symlink(&other, server.home.path().join("sql/link.sql")).unwrap();
    let directory = server.home.path().join("sql");
    let ran = server.run(&format!("lineage --vendor postgresql {}", directory.display()));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("warning: left out of the submission") && ran.stderr.contains("link.sql"), "{ran:?}");
    assert_eq!(server.run(&format!("lineage --vendor postgresql {} --strict", directory.display())).code, 7);
    let followed = server.run(&format!("lineage --vendor postgresql {} --follow-links", directory.display()));
    assert!(followed.stderr.is_empty() && followed.stdout.contains("u,a"), "{followed:?}");
}

#[test]
fn a_selection_of_nothing_is_refused() {
    let server = Server::start();
    let job = server.finished_job();
    let refused = server.run(&format!("export {job} --select nosuch"));
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("nothing of the name 'nosuch'"), "{refused:?}");
    for flags in
        ["--raw csv --relation-types fdr", "--raw json --table-level", "--format openlineage --relation-types fdr"]
    {
        assert_eq!(server.run(&format!("export {job} {flags}")).code, 2, "{flags}");
    }
}
