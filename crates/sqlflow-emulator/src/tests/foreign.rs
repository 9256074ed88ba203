//! Programs in other languages: each runs a job from its token to its exports, where it is installed.

use std::process::{Command, Output};

use super::*;

const CLOUD: [&str; 2] = ["ann", "s3cret"];
const ON_PREMISE: [&str; 2] = ["gudu|0123456789", ""];

/// Runs a program, or returns `None` and says so if it is not installed.
async fn run(mut command: Command) -> Option<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    // A program behind a proxy would not find this computer.
    command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    match tokio::task::spawn_blocking(move || command.output()).await.unwrap() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("skipped: {name} is not installed");
            None
        }
        Err(error) => panic!("{name}: {error}"),
    }
}

fn script(name: &str) -> String {
    format!("{}/src/tests/foreign/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn text(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// An emulator whose jobs last long enough to be seen in each state.
async fn emulator() -> Emulator {
    let times = Duration::from_millis(200);
    Emulator::builder().time_in_create(times).time_in_process(times).start().await.unwrap()
}

/// Checks what a program printed: it saw all states, got all exports, and saw the fault.
fn check(printed: &str) {
    let printed: Value = serde_json::from_str(printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
    let mut statuses: Vec<&str> =
        printed["statuses"].as_array().unwrap().iter().map(|status| status.as_str().unwrap()).collect();
    statuses.dedup();
    assert_eq!(statuses, ["create", "process", "success"]);
    let export = |name: &str| printed["exports"][name].as_str().unwrap();
    let drawn: Value = serde_json::from_str(export("json")).unwrap();
    assert_eq!((&drawn["code"], &drawn["data"]["mode"]), (&json!(200), &json!("global")));
    let model: Value = serde_json::from_str(export("direct json")).unwrap();
    assert!(!model["data"]["relationships"].as_array().unwrap().is_empty());
    for csv in ["csv", "direct csv"] {
        assert!(export(csv).contains("\nDEFAULT,DEFAULT,s,x,DEFAULT,DEFAULT,t,a,fdd,insert\n"), "{}", export(csv));
    }
    roxmltree::Document::parse(export("graphml")).unwrap();
    assert!(export("fault").contains("503"), "{}", export("fault"));
}

#[tokio::test(flavor = "multi_thread")]
async fn python_gets_all_exports_as_the_vendors_client_does() {
    let emulator = emulator().await;
    let mut users = 0;
    for [user, secret] in [CLOUD, ON_PREMISE] {
        for library in ["urllib", "requests"] {
            let mut probe = Command::new("python3");
            probe.args(["-c", &format!("import {library}")]);
            match run(probe).await {
                None => return,
                Some(probed) if !probed.status.success() => {
                    println!("skipped: the Python module {library} is not installed");
                    continue;
                }
                Some(_) => {}
            }
            let mut program = Command::new("python3");
            program.args([&script("client.py"), &emulator.url(), library, user, secret]);
            let Some(output) = run(program).await else { return };
            check(&text(&output));
        }
        users += 1;
    }
    assert_eq!(users, 2);
    let asked: Vec<_> = emulator.requests().into_iter().filter_map(|request| request.operation).collect();
    assert!(asked.contains(&"exportLineageAsCsv") && asked.contains(&"generation/sqlflow/exportLineageAsCsv"));
}

#[tokio::test(flavor = "multi_thread")]
async fn node_gets_all_exports_with_fetch() {
    let emulator = emulator().await;
    for [user, secret] in [CLOUD, ON_PREMISE] {
        let mut probe = Command::new("node");
        probe.args(["-p", "typeof fetch"]);
        match run(probe).await {
            None => return,
            Some(probed) if text(&probed).trim() != "function" => return println!("skipped: this Node has no fetch"),
            Some(_) => {}
        }
        let mut program = Command::new("node");
        program.args([&script("client.mjs"), &emulator.url(), user, secret]);
        let Some(output) = run(program).await else { return };
        check(&text(&output));
    }
}

/// Runs curl, which fails on an HTTP error.
async fn curl(arguments: &[&str]) -> Option<Output> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--fail", "--noproxy", "*"]).args(arguments);
    run(command).await
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_gets_all_exports_and_sets_faults_as_the_documentation_shows() {
    let emulator = emulator().await;
    let url = emulator.url();
    let operation = |name: &str| format!("{url}/gspLive_backend/{name}");
    let login = operation("user/generateToken");
    let Some(output) = curl(&["-d", "userId=ann&secretKey=s3cret", &login]).await else { return };
    let answer: Value = serde_json::from_str(&text(&output)).unwrap();
    let token = format!("token={}", answer["token"].as_str().unwrap());
    let submit = operation("sqlflow/job/submitUserJob");
    let file = "sqlfiles=@-;filename=a.sql";
    let mut command = Command::new("sh");
    let pipe = format!(
        "printf '%s' '{INSERT}' | curl --silent --fail --noproxy '*' -F userId=ann -F {token} \
                        -F jobName=curl -F dbvendor=dbvoracle -F '{file}' {submit}"
    );
    command.args(["-c", &pipe]);
    let Some(output) = run(command).await else { return };
    let answer: Value = serde_json::from_str(&text(&output)).unwrap();
    let about = format!("userId=ann&{token}&jobId={}", answer["data"]["jobId"].as_str().unwrap());
    let mut statuses = Vec::new();
    while statuses.last().is_none_or(|last| last == "create" || last == "process") {
        let output = curl(&["-d", &about, &operation("sqlflow/job/displayUserJobSummary")]).await.unwrap();
        let answer: Value = serde_json::from_str(&text(&output)).unwrap();
        statuses.push(answer["data"]["status"].as_str().unwrap().to_owned());
    }
    let direct = format!("sqltext={INSERT}");
    let direct: Vec<&str> =
        ["-d", "userId=ann", "-d", &token, "-d", "dbvendor=oracle", "--data-urlencode", &direct].into();
    let mut exports = serde_json::Map::new();
    for (name, path) in [
        ("json", "sqlflow/job/exportLineageAsJson"),
        ("csv", "sqlflow/job/exportLineageAsCsv"),
        ("graphml", "sqlflow/job/exportLineageAsGraphml"),
        ("direct json", "sqlflow/generation/sqlflow"),
        ("direct csv", "sqlflow/generation/sqlflow/exportLineageAsCsv"),
    ] {
        let fields = if name.starts_with("direct") { direct.clone() } else { vec!["-d", about.as_str()] };
        let path = operation(path);
        let output = curl(&[&fields[..], &[path.as_str()]].concat()).await.unwrap();
        exports.insert(name.into(), text(&output).into());
    }
    let faults = format!("{url}/emulator/faults");
    text(&curl(&["-d", "503,on=displayUserJobSummary,times=1", &faults]).await.unwrap());
    let failed = curl(&["-d", &about, &operation("sqlflow/job/displayUserJobSummary")]).await.unwrap();
    exports.insert("fault".into(), String::from_utf8_lossy(&failed.stderr).into());
    text(&curl(&["-X", "DELETE", &faults]).await.unwrap());
    check(&json!({ "statuses": statuses, "exports": exports }).to_string());
}
