//! The script for cron in `examples`, on three days.

use std::path::Path;
use std::process::Command;

use crate::environment::{Ended, ended, program};
use crate::server::Server;

/// Runs the script as cron does on this day.
fn night(server: &Server, day: &str) -> Ended {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let home = server.home.path();
    let environment = program(home);
    let mut script = Command::new("bash");
    script.arg(root.join("examples/nightly.sh")).args(["estate", "nightly"]).current_dir(home);
    for (name, value) in environment.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    let programs = Path::new(environment.get_program()).parent().unwrap();
    script.env("PATH", format!("{}:{}", programs.display(), std::env::var("PATH").unwrap()));
    script.env("SQLFLOW_URL", server.emulator.url()).env("SQLFLOW_NIGHTLY_ARGS", "--vendor postgresql");
    ended(script.env("SQLFLOW_NIGHTLY_DAY", day))
}

#[test]
fn the_exit_code_of_a_night_tells_whether_the_lineage_has_changed() {
    let server = Server::start();
    server.file("estate/orders/load.sql", "insert into orders (id) select id from raw_orders;");
    server.file("estate/report/load.sql", "insert into report (id) select id from orders;");
    let first = night(&server, "2030-01-30");
    assert_eq!(first.code, 0, "{first:?}");
    assert!(first.stderr.contains("no earlier lineage"), "{first:?}");
    let unchanged = night(&server, "2030-01-31");
    assert_eq!(unchanged.code, 0, "{unchanged:?}");
    server.file("estate/report/load.sql", "insert into report (id, total) select id, total from orders;");
    let changed = night(&server, "2030-02-01");
    assert_eq!(changed.code, 8, "{changed:?}");
    assert!(changed.stdout.contains("+ flow orders.total → report.total"), "{changed:?}");
    // The same day again continues with what is done, and says the same.
    let jobs = server.emulator.jobs().len();
    assert_eq!(night(&server, "2030-02-01").code, 8);
    assert_eq!(server.emulator.jobs().len(), jobs);
}
