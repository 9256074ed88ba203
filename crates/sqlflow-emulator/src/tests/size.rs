//! The memory that an export needs, measured where Linux tells it. Run with `--run-ignored only`.

use std::fmt::Write as _;
use std::io::Write as _;

use futures_util::StreamExt as _;

use super::*;

const STATEMENTS: usize = 500;
const COLUMNS: usize = 100;

/// Returns the resident memory of this process and its peak since the last call, in KiB.
fn memory() -> [u64; 2] {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let value = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_matches([':', '\t', ' ', 'k', 'B']).parse::<u64>().unwrap()
    };
    let found = [value("VmRSS"), value("VmHWM")];
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    found
}

/// Returns statements whose lineage has two relationships for each column: into the record set, and out of it.
fn large_script() -> String {
    let columns = |prefix: char| (0..COLUMNS).map(|n| format!("{prefix}_column_{n}")).collect::<Vec<_>>().join(", ");
    let (into, from) = (columns('t'), columns('s'));
    let mut script = String::new();
    for number in 0..STATEMENTS {
        writeln!(script, "insert into target_{number} ({into}) select {from} from source_{number};").unwrap();
    }
    script
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures memory, which takes a minute and is only meaningful alone"]
async fn an_export_needs_little_more_memory_than_its_lineage() {
    let server = server(Emulator::builder());
    let script = large_script();
    let (token, id) = server.job_on(&script).await;
    println!("script: {} KiB, after the analysis: {:?} KiB", script.len() / 1024, memory());
    for (operation, more) in [
        ("exportLineageAsCsv", ""),
        ("exportFullLineageAsJson", ""),
        ("exportLineageAsJson", ""),
        ("exportLineageAsJson", "&containGraphML=true"),
        ("exportLineageAsGraphml", ""),
    ] {
        memory();
        let [before, _] = memory();
        let path = format!("/gspLive_backend/sqlflow/job/{operation}");
        let body = format!("userId=ann&token={token}&jobId={id}{more}");
        let request = Request::builder().method(Method::POST).uri(path);
        let response = server.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let mut pieces = response.into_body().into_data_stream();
        let mut bytes = 0;
        while let Some(piece) = pieces.next().await {
            bytes += piece.unwrap().len();
        }
        let [_, peak] = memory();
        let report = format!("{operation}{more}: {} KiB, peak {} KiB above {before} KiB", bytes / 1024, peak - before);
        writeln!(std::io::stdout(), "{report}").unwrap();
    }
}
