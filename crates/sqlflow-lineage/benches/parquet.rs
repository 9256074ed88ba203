//! The time and memory of writing a lineage as Parquet, relative to reading it from JSON, in one run over the same
//! bytes: `cargo bench --features arrow --bench parquet`.
//!
//! Each time is the best of several rounds that alternate. Each measurement has a process of its own, like a program
//! that reads one document. `SQLFLOW_BENCH_RELATIONSHIPS` sets the size, `SQLFLOW_BENCH_ROUNDS` the number of rounds.

#[allow(dead_code)]
mod allocations;
mod generator;

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use sqlflow_lineage::{Lineage, TableName};

use self::allocations::{CountingAllocator, measured};
use self::generator::{LARGE, Layout};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// The environment variables that make a process of this program do one piece of work, with this document.
const WORK: &str = "SQLFLOW_BENCH_WORK";
const DOCUMENT: &str = "SQLFLOW_BENCH_DOCUMENT";

fn main() {
    if let (Ok(work), Some(document)) = (std::env::var(WORK), std::env::var_os(DOCUMENT)) {
        println!("{}", time_of(&work, Path::new(&document)).as_nanos());
        return;
    }
    let relationships = setting("SQLFLOW_BENCH_RELATIONSHIPS").unwrap_or(LARGE);
    let rounds = setting("SQLFLOW_BENCH_ROUNDS").unwrap_or(7).max(1);
    let folder = tempfile::tempdir().expect("a directory for the files");
    for layout in [Layout::Tree, Layout::Flat] {
        report(layout, relationships, rounds, folder.path());
    }
}

fn report(layout: Layout, relationships: usize, rounds: usize, folder: &Path) {
    let (body, _) = generator::document(layout, relationships);
    let document = folder.join("lineage.json");
    fs::write(&document, &body).expect("writing the document");
    println!("{layout:?}: {relationships} relationships, {:.1} MB; best of {rounds} rounds", megabytes(body.len()));
    let mut times = vec![Vec::new(); TableName::ALL.len() + 2];
    let names = || ["read", "all"].into_iter().chain(TableName::ALL.map(TableName::as_str));
    for _ in 0..rounds {
        for (work, times) in names().zip(&mut times) {
            times.push(in_new_process(work, &document));
        }
    }
    let best: Vec<Duration> = times.iter().map(|times| times.iter().min().copied().unwrap_or_default()).collect();
    let read = best.first().copied().unwrap_or_default();
    let of_read = |time: Duration| time.as_secs_f64() / read.as_secs_f64();
    println!("  read                      1     ({} ms)", read.as_millis());
    for (name, time) in names().zip(&best).skip(1) {
        println!("  read and write {name:<13} {:.2}  ({} ms)", of_read(*time), time.as_millis());
    }
    sizes(&document, folder, body.len());
}

/// Prints the sizes of the files, and the memory that writing them takes in addition to the lineage.
fn sizes(document: &Path, folder: &Path, bytes: usize) {
    let lineage = read(document);
    let _ = lineage.column_flows().len();
    let directory = folder.join("tables");
    let ((), of_writing) =
        measured(|| lineage.tables().job("bench").write_parquet_directory(&directory).expect("writing tables"));
    println!(
        "  the model takes {:.1} MB, and writing {:.1} MB more",
        megabytes(lineage.heap_bytes()),
        megabytes(of_writing.peak)
    );
    let mut total = 0;
    for table in TableName::ALL {
        let size = fs::metadata(directory.join(table.file_name())).map_or(0, |file| file.len());
        let rows: usize = lineage.tables().batches(table).map(|batch| batch.map_or(0, |batch| batch.num_rows())).sum();
        println!("  {table:<14} {rows:>9} rows  {:>7.2} MB", megabytes(usize::try_from(size).unwrap_or(0)));
        total += size;
    }
    println!(
        "  all files      {:.1} % of the JSON\n",
        100.0 * megabytes(usize::try_from(total).unwrap_or(0)) / megabytes(bytes)
    );
}

fn in_new_process(work: &str, document: &Path) -> Duration {
    let program = std::env::current_exe().expect("the path of the running program");
    let output = Command::new(program).env(WORK, work).env(DOCUMENT, document).output().expect("starting this program");
    let nanoseconds = String::from_utf8_lossy(&output.stdout).trim().parse();
    Duration::from_nanos(nanoseconds.unwrap_or_else(|error| panic!("{work} failed: {error}: {output:?}")))
}

// A profiler can collect this function alone.
#[inline(never)]
fn time_of(work: &str, document: &Path) -> Duration {
    let folder = tempfile::tempdir().expect("a directory for the files");
    let start = Instant::now();
    let lineage = read(document);
    let tables = lineage.tables().job("bench");
    match work {
        "read" => {}
        "all" => tables.write_parquet_directory(folder.path().join("tables")).expect("writing tables"),
        name => {
            let table = TableName::ALL.into_iter().find(|table| table.as_str() == name).expect("the name of a table");
            let file = File::create(folder.path().join(name)).expect("creating a file");
            tables.write_parquet(table, file).expect("writing a table");
        }
    }
    start.elapsed()
}

fn read(document: &Path) -> Lineage {
    Lineage::from_reader(File::open(document).expect("the document")).expect("the generator writes lineage")
}

fn setting(name: &str) -> Option<usize> {
    std::env::var(name).ok()?.parse().ok()
}

#[allow(clippy::cast_precision_loss)]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1_000_000.0
}
