//! `check`.

use crate::server::Server;

#[test]
fn errors_have_file_line_column_and_the_line_of_the_script() {
    let server = Server::start();
    let good = server.file("sql/good.sql", "select 1;");
    let bad = server.file("sql/sub/bad.sql", "select 1;\n\tselekt ä, 2;\n");
    let ran = server.run(&format!("check --vendor postgresql {}/sql", server.home.path().display()));
    assert_eq!(ran.code, 8, "{ran:?}");
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert!(lines[0].starts_with(&format!("{bad}:2:2: ")), "{ran:?}");
    assert_eq!(lines[1..], ["  2 |  selekt ä, 2;", "    |  ^"], "{ran:?}");
    assert!(ran.stderr.contains("2 files checked, 1 error"), "{ran:?}");
    assert_eq!(server.run(&format!("check --vendor postgresql {good}")).code, 0);
}

#[test]
fn github_annotations_and_sarif_name_the_place() {
    let server = Server::start();
    let bad = server.file("bad.sql", "select 1;\nselekt 2;\n");
    let github = server.run(&format!("check --vendor postgresql --format github {bad}"));
    assert!(github.stdout.starts_with(&format!("::error file={bad},line=2,col=1::")), "{github:?}");
    let sarif = server.run(&format!("check --vendor postgresql --format sarif {bad}"));
    assert_eq!(sarif.code, 8);
    let result = &sarif.value()["runs"][0]["results"][0];
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 2);
    let json = server.run(&format!("check --vendor postgresql --json {bad}")).value();
    assert_eq!((&json["files"], &json["errors"][0]["line"]), (&1.into(), &2.into()));
}

#[test]
fn one_file_that_is_no_sql_hides_no_errors_in_the_others() {
    let server = Server::start();
    server.file("sql/binary.sql", "a\0b");
    server.file("sql/bad.sql", "selekt 1;");
    server.file("sql/proc.prc", "selekt 2;");
    let ran = server.run(&format!("check --vendor postgresql {}/sql", server.home.path().display()));
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stdout.contains("bad.sql:1:1: "), "{ran:?}");
    assert!(ran.stderr.contains("binary.sql") && ran.stderr.contains("1 other file is not checked"), "{ran:?}");
    assert!(ran.stderr.contains("1 file checked, 1 error"), "{ran:?}");
}

#[test]
fn a_file_without_sql_has_no_errors_and_a_warning() {
    let server = Server::start();
    server.file("sql/empty.sql", " \n");
    let check = || server.run(&format!("check --vendor postgresql {}/sql", server.home.path().display()));
    let ran = check();
    assert!(ran.code == 0 && ran.stderr.contains("empty.sql: there is no SQL in it"), "{ran:?}");
    server.file("sql/bad.sql", "selekt 1;");
    let ran = check();
    assert!(ran.code == 8 && ran.stderr.contains("2 files checked, 1 error"), "{ran:?}");
}

#[test]
fn files_that_are_no_sql_are_named() {
    let server = Server::start();
    for (name, content, part) in [
        ("binary.sql", b"a\0b".as_slice(), "binary"),
        ("latin.sql", b"select '\xe4'", "not UTF-8"),
        ("utf16.sql", b"\xff\xfes\0", "UTF-16"),
    ] {
        let file = server.file(name, content);
        let ran = server.run(&format!("check --vendor postgresql {file}"));
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains(name) && ran.stderr.contains(part), "{ran:?}");
    }
    let ran = server.run("check --vendor postgresql missing.sql");
    assert!(ran.code == 2 && ran.stderr.contains("missing.sql: "), "{ran:?}");
}
