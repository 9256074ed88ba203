//! `sqlflow batch`: manifests, outcomes, exit codes, shards, and runs that were killed.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;
use std::time::Duration;

use sqlflow_client::emulator::{Emulator, Fault};

use crate::environment::{Ended, Home};

const GOOD: &str = "create table report as select id, total from orders;\n";
const PARTLY_GOOD: &str = "create table report as select id, total from orders;\nselec nonsense frm;\n";
const BAD: &str = "selec nonsense frm;\n";

/// Returns a home with a folder `etl` of these jobs.
fn estate(jobs: &[(&str, &str)]) -> Home {
    let home = Home::new();
    for (key, sql) in jobs {
        home.write(&format!("etl/{key}/load.sql"), sql);
    }
    home
}

fn batch(home: &Home, emulator: &Emulator, arguments: &[&str]) -> Ended {
    let url = emulator.url();
    let all = ["batch", "--journal", "j", "--vendor", "oracle", "--server", &url];
    home.run(&[&all, arguments].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_folder_is_a_job_and_a_second_run_has_nothing_to_do() {
    let (home, emulator) = (estate(&[("orders", GOOD), ("stock", GOOD)]), Emulator::start().await.unwrap());
    let first = batch(&home, &emulator, &["etl", "--export", "csv", "--export", "full-json"]).with_code(0);
    first.prints("orders  done         lineage/orders.csv  lineage/orders.full.json").says("2 jobs: 2 done");
    assert!(fs::read_to_string(home.path("lineage/stock.csv")).unwrap().contains("source_"));
    let second = batch(&home, &emulator, &["etl", "--export", "csv", "--export", "full-json"]).with_code(0);
    second.prints("stock   done before").says("2 jobs: 2 done before");
    assert_eq!(emulator.jobs().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_are_json_that_the_schemas_describe() {
    let home = estate(&[("bad", BAD), ("orders", GOOD)]);
    let emulator = Emulator::start().await.unwrap();
    let whole = batch(&home, &emulator, &["etl", "--keep-going", "--json"]).with_code(3).json("batch");
    assert_eq!((&whole["total"], &whole["done"], &whole["failed"]), (&2.into(), &1.into(), &1.into()));
    let lines = batch(&home, &emulator, &["etl", "--keep-going", "--jsonl"]).with_code(3);
    let lines = lines.json_lines("batch-outcome", None);
    let states: BTreeSet<_> = lines.iter().map(|line| line["state"].as_str().unwrap()).collect();
    assert_eq!(states, BTreeSet::from(["done_before", "failed"]));
    let ids = batch(&home, &emulator, &["etl", "--quiet"]).with_code(3).stdout;
    assert!(ids.lines().count() == 2 && ids.lines().all(|id| id.len() == 32), "{ids}");
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_in_toml_and_csv_give_each_job_its_options() {
    let (home, emulator) = (estate(&[("orders", GOOD), ("stock", GOOD)]), Emulator::start().await.unwrap());
    home.write("etl/more.sql", GOOD);
    home.write(
        "etl/jobs.toml",
        "[defaults]\nvendor = \"hive\"\n\n[[job]]\nkey = \"orders\"\npaths = [\"orders\", \"more.sql\"]\n\n\
         [[job]]\nkey = \"stock\"\npath = \"stock\"\nvendor = \"dbvmysql\"\nname = \"nightly stock\"\n",
    );
    home.write("jobs.csv", "key,path,vendor,on_top\ncsv,etl/orders,snowflake,true\ncsv,etl/more.sql,,\n");
    batch(&home, &emulator, &["etl/jobs.toml"]).with_code(0);
    batch(&home, &emulator, &["jobs.csv"]).with_code(0).prints("csv  done");
    let jobs = emulator.jobs();
    let of = |name: &str| jobs.iter().find(|job| job.name.starts_with(name)).unwrap();
    assert_eq!((of("orders").vendor.as_str(), of("orders").file_names.len()), ("dbvhive", 2));
    assert_eq!(of("nightly stock").vendor, "dbvmysql");
    assert!(jobs.iter().any(|job| job.vendor == "dbvsnowflake" && job.file_names.len() == 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_manifest_is_refused_before_anything_is_sent() {
    let (home, emulator) = (estate(&[("orders", GOOD)]), Emulator::start().await.unwrap());
    fs::create_dir_all(home.path("hollow/empty")).unwrap();
    home.write("flat/a.sql", GOOD);
    let job = "[[job]]\nkey = \"orders\"\n";
    for (name, text, message) in [
        ("a.toml", format!("{job}path = \"etl/ordrs\"\n"), "a.toml:2: job 'orders': etl/ordrs: "),
        (
            "b.toml",
            format!("{job}path = \"etl\"\n{job}path = \"etl\"\n"),
            "b.toml:5: the key 'orders' is used twice, first in line 2",
        ),
        ("c.toml", format!("{job}paths = [\"etl\"]\nvendor = \"orcale\"\n"), "did you mean 'oracle'?"),
        (
            "d.toml",
            format!("{job}pahts = [\"etl\"]\n"),
            "d.toml:3: job 'orders': there is no key 'pahts'; did you mean 'paths'?",
        ),
        ("e.toml", String::new(), "e.toml: there are no jobs in this manifest"),
        ("f.toml", job.to_owned(), "f.toml:2: job 'orders': there are no paths"),
        ("g.csv", "key,path\n".to_owned(), "g.csv: there are no jobs in this manifest"),
        ("h.csv", "key,path\norders,etl/none\n".to_owned(), "h.csv:2: job 'orders': etl/none: "),
        (
            "i.csv",
            "key,path,vendr\norders,etl,x\n".to_owned(),
            "i.csv:1: there is no column 'vendr'; did you mean 'vendor'?",
        ),
        ("j.yaml", "job: x".to_owned(), "j.yaml: a manifest is a .toml or .csv file"),
    ] {
        home.write(name, &text);
        batch(&home, &emulator, &[name]).with_code(2).says(message);
    }
    batch(&home, &emulator, &["none"]).with_code(2).says("none: No such file");
    batch(&home, &emulator, &["flat"]).with_code(2).says("flat: there is SQL beside the folders: a.sql");
    batch(&home, &emulator, &["hollow"])
        .with_code(2)
        .says("hollow: job 'empty': hollow/empty: there are no files in it");
    batch(&home, &emulator, &["etl", "--shard", "3/2"]).with_code(2).says("parts are counted from 1");
    let url = emulator.url();
    let unknown = home.run(&["batch", "etl", "--journal", "j", "--server", &url]).with_code(2);
    unknown.says("etl: job 'orders': the dialect of the SQL is not known").says("pass --vendor");
    home.run(&["batch", "etl", "--server", &url]).with_code(2).says("--journal <FILE>");
    assert!(emulator.requests().is_empty() && !home.path("j").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_starts_no_further_job_and_a_later_run_goes_on() {
    let home = estate(&[("a_bad", BAD), ("b", GOOD), ("c", GOOD)]);
    let emulator = Emulator::start().await.unwrap();
    let one = ["etl", "--max-in-flight", "1"];
    let first = batch(&home, &emulator, &one).with_code(3);
    first
        .prints("a_bad  failed")
        .prints("b      not started")
        .says("--keep-going")
        .says("3 jobs: 1 failed, 2 not started");
    assert_eq!(emulator.jobs().len(), 1);
    // The old failure is reported, and does not stop the run again.
    let second = batch(&home, &emulator, &one).with_code(3);
    second.prints("c      done").says("--retry-failed");
    assert_eq!(emulator.jobs().len(), 3);
    home.write("etl/a_bad/load.sql", GOOD);
    batch(&home, &emulator, &one).with_code(3);
    batch(&home, &emulator, &["etl", "--retry-failed"]).with_code(0).says("3 jobs: 1 done, 2 done before");
    assert_eq!(emulator.jobs().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_jobs_run_with_keep_going() {
    let home = estate(&[("a_bad", BAD), ("b", GOOD), ("c", GOOD)]);
    let emulator = Emulator::start().await.unwrap();
    let ended = batch(&home, &emulator, &["etl", "--max-in-flight", "1", "--keep-going"]).with_code(3);
    ended.prints("c      done").says("error: a_bad: job ").says("3 jobs: 2 done, 1 failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_says_what_kind_of_error_it_was() {
    let home = estate(&[("orders", PARTLY_GOOD)]);
    let emulator = Emulator::builder().account("ann", "hush").start().await.unwrap();
    let key = home.write("key", "hush\n");
    let wrong = home.write("wrong", "other\n");
    let run = |arguments: &[&str], key: &std::path::Path| {
        let key = key.to_str().unwrap();
        batch(&home, &emulator, &[&["etl", "--user-id", "ann", "--secret-key-file", key], arguments].concat())
    };
    run(&[], &wrong).with_code(5).prints("orders  failed");
    run(&[], &key).with_code(0).prints("orders  done");
    run(&["--strict"], &key).with_code(7).says("warning: orders: the job succeeded in part only: ");
    let away = home.run(&["batch", "etl", "--journal", "k", "--vendor", "oracle", "--server", "http://127.0.0.1:9"]);
    away.with_code(6).says("cannot reach").says("sqlflow doctor");
    let slow = Emulator::builder().time_in_process(Duration::from_secs(60)).start().await.unwrap();
    let url = slow.url();
    let arguments = ["batch", "etl", "--journal", "l", "--vendor", "oracle", "--server", &url, "--timeout", "1s"];
    home.run(&arguments).with_code(4).says("orders: ");
}

#[tokio::test(flavor = "multi_thread")]
async fn partial_success_is_told_and_only_strict_makes_it_an_error() {
    let (home, emulator) = (estate(&[("orders", PARTLY_GOOD)]), Emulator::start().await.unwrap());
    let url = emulator.url();
    for format in ["full-json", "csv"] {
        let run = |more: &[&str]| {
            let all = ["batch", "etl", "--journal", format, "--vendor", "oracle", "--server", &url, "--json"];
            home.run(&[&all, &["--export", format][..], more].concat())
        };
        let limits = |ended: &Ended| ended.json("batch")["jobs"][0]["limits"].to_string();
        let lenient = run(&[]).with_code(0).says("warning: orders: the job succeeded in part only: ");
        assert!(limits(&lenient).contains("succeeded in part only"), "{format}");
        let strict = run(&["--strict"]).with_code(7);
        assert!(limits(&strict).contains("SyntaxError: "), "{format}: {}", limits(&strict));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_jobs_run_even_if_the_reader_of_the_output_leaves() {
    let home = estate(&[("a", GOOD), ("b", GOOD), ("c", BAD), ("d", GOOD)]);
    let emulator = Emulator::start().await.unwrap();
    let url = emulator.url();
    let mut command = home.command(["batch", "etl", "--journal", "j", "--vendor", "oracle", "--server", &url]);
    command.args(["--keep-going", "--max-in-flight", "1"]);
    let mut running = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(running.stdout.take());
    assert_eq!(running.wait().unwrap().code(), Some(3));
    assert_eq!(emulator.jobs().len(), 4);
    assert!(home.path("lineage/d.full.json").exists());
}

#[test]
fn shards_share_the_jobs_and_have_a_journal_each() {
    let names: Vec<String> = (0..20).map(|number| format!("schema_{number}")).collect();
    let home = estate(&names.iter().map(|name| (name.as_str(), GOOD)).collect::<Vec<_>>());
    let mut keys = Vec::new();
    for shard in ["1/3", "2/3", "3/3"] {
        let arguments =
            ["batch", "etl", "--journal", "j", "--vendor", "oracle", "--dry-run", "--json", "--shard", shard];
        let plan = home.run(&arguments).with_code(0).json("batch");
        assert_eq!(
            (&plan["shard"], &plan["journal"]),
            (&shard.into(), &format!("j.{}", shard.replace('/', "-of-")).into())
        );
        keys.extend(plan["jobs"].as_array().unwrap().iter().map(|job| job["key"].as_str().unwrap().to_owned()));
    }
    keys.sort();
    let mut names = names;
    names.sort();
    assert_eq!(keys, names);
    let table = home.run(&["batch", "etl", "--journal", "j", "--emulator", "--dry-run"]).with_code(0);
    table.prints("KEY        DIALECT     PATHS").prints("schema_0   postgresql  etl/schema_0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_belongs_to_one_server_and_a_batch_to_an_account() {
    let home = estate(&[("orders", GOOD)]);
    let (first, second) = (Emulator::start().await.unwrap(), Emulator::start().await.unwrap());
    batch(&home, &first, &["etl"]).with_code(0);
    batch(&home, &second, &["etl"]).with_code(2).says("the journal j belongs to the server ").says(&first.url());
    batch(&home, &first, &["etl", "--anonymous"])
        .with_code(2)
        .says("a batch needs an account")
        .says("flag --anonymous");
    assert!(second.jobs().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_in_use_is_no_mistake_in_the_arguments() {
    let home = estate(&[("orders", GOOD)]);
    let emulator = Emulator::start().await.unwrap();
    batch(&home, &emulator, &["etl"]).with_code(0);
    let journal = std::fs::File::open(home.path("j")).unwrap();
    journal.lock().unwrap();
    // A scheduler that tells mistakes by their exit code may try again.
    batch(&home, &emulator, &["etl"]).with_code(1).says("in use").says("wait until it ends");
}

#[test]
fn the_embedded_emulator_leaves_no_journal_behind() {
    let home = estate(&[("orders", GOOD)]);
    for _ in 0..2 {
        let ended = home.run(&["batch", "etl", "--journal", "j", "--emulator", "--json"]).with_code(0);
        assert_eq!(ended.json("batch")["journal"], serde_json::Value::Null);
    }
    assert!(home.path("lineage/orders.full.json").exists() && !home.path("j").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_goes_on_with_nothing_twice_and_nothing_lost() {
    let names: Vec<String> = (0..12).map(|number| format!("schema_{number:02}")).collect();
    let home = estate(&names.iter().map(|name| (name.as_str(), GOOD)).collect::<Vec<_>>());
    let emulator =
        Emulator::builder().fault(Fault::lose_response().on("submitUserJob").every(4)).start().await.unwrap();
    let url = emulator.url();
    let arguments = ["batch", "etl", "--journal", "j", "--vendor", "oracle", "--server", &url, "--max-in-flight", "3"];
    for jobs in [2, 7] {
        let mut killed = home.command(arguments).spawn().unwrap();
        while emulator.jobs().len() < jobs {
            assert!(killed.try_wait().unwrap().is_none(), "it ended too early");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        killed.kill().unwrap();
        killed.wait().unwrap();
        assert!(emulator.jobs().len() < names.len());
    }
    let ended = home.run(&arguments).with_code(0);
    assert_eq!(ended.stdout.lines().count(), names.len(), "{}", ended.stdout);
    for name in &names {
        assert!(ended.stdout.contains(name) && home.path(&format!("lineage/{name}.full.json")).exists(), "{name}");
    }
    let mut submitted: Vec<_> = emulator.jobs().into_iter().map(|job| job.name[..names[0].len()].to_owned()).collect();
    submitted.sort();
    assert_eq!(submitted, names);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_says_how_to_go_on() {
    let home = estate(&[("orders", GOOD)]);
    let emulator = Emulator::builder().time_in_process(Duration::from_secs(60)).start().await.unwrap();
    let url = emulator.url();
    let arguments = ["batch", "etl", "--journal", "j", "--vendor", "oracle", "--server", &url];
    let running = home.command(arguments).stderr(Stdio::piped()).spawn().unwrap();
    while emulator.jobs().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let sent = std::process::Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let ended = running.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(130), "{said}");
    assert!(said.contains("run the same command again to continue from j"), "{said}");
}
