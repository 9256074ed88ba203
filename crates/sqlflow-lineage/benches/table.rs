//! The speed and memory of reading lineage, compared with peers in one run over the same bytes:
//! `cargo bench --bench table`.
//!
//! Each time is the best of several rounds that alternate between the peers. Each reading has a process of its own,
//! like a program that reads one document, because memory that one peer leaves in the allocator would make the next one
//! faster. Times are printed as ratios, which are valid on other machines. `SQLFLOW_BENCH_RELATIONSHIPS` sets the size,
//! `SQLFLOW_BENCH_ROUNDS` the number of rounds.

mod allocations;
mod generator;
mod peers;

use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use serde::de::IgnoredAny;
use serde_json::Value;
use sqlflow_lineage::Lineage;

use self::allocations::{CountingAllocator, measured};
use self::generator::{Kind, LARGE, Layout};
use self::peers::{count_upstream, lineage, parsed};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// The ratio between the sizes of the large and the small document.
const SIZE_RATIO: usize = 10;

/// The kinds of answers, by their names in [`KIND_VARIABLE`]. The layout of the model does not depend on the kind.
const KINDS: [(&str, Kind); 2] = [("full", Kind::Full), ("drawn", Kind::Drawn)];

fn main() {
    let relationships = setting("SQLFLOW_BENCH_RELATIONSHIPS").unwrap_or(LARGE);
    let rounds = setting("SQLFLOW_BENCH_ROUNDS").unwrap_or(7).max(1);
    if let Ok(reader) = std::env::var(READER_VARIABLE) {
        let named = std::env::var(KIND_VARIABLE).ok();
        let kind =
            KINDS.into_iter().find(|(name, _)| named.as_deref() == Some(name)).map_or(Kind::Full, |(_, kind)| kind);
        let (body, _) = generator::document_of_kind(kind, Layout::Tree, relationships);
        println!("{}", time_reading(&reader, kind, &body).as_nanos());
        return;
    }
    for kind in KINDS {
        table(kind, relationships, rounds);
    }
}

/// Prints the rows for one kind of answers.
fn table((name, kind): (&str, Kind), relationships: usize, rounds: usize) {
    let (body, stats) = generator::document_of_kind(kind, Layout::Tree, relationships);
    let percent = |bytes: u64| 100.0 * ratio(usize::try_from(bytes).unwrap_or(0), body.len());
    println!(
        "{name} answer: {relationships} relationships, {:.1} MB, {:.0} % of them coordinates, {:.0} % the section \
         `graph`; best of {rounds} rounds\n",
        ratio(body.len(), 1_000_000),
        percent(stats.coordinate_bytes),
        percent(stats.graph_bytes),
    );

    let mut reading = ReadTimes::default();
    for _ in 0..rounds {
        reading.round(name);
    }
    let scan = reading.scan.best();
    let slice = reading.slice.best();
    let speed = ratio(body.len(), 1_000_000) / slice.as_secs_f64();
    row("read", "to reach", "measured");
    row("a scan that keeps nothing", "", &format!("1 ({} ms)", scan.as_millis()));
    row("derived structs", "", &in_scans(reading.derived.best(), scan));
    row("serde_json::Value", "", &in_scans(reading.value.best(), scan));
    row("Lineage from a slice", "2 scans", &format!("{} ({speed:.0} MB/s)", in_scans(slice, scan)));
    row("  relative to derived structs", "0.5", &format!("{:.2}", of(slice, reading.derived.best())));
    row("Lineage from a reader", "2 scans", &in_scans(reading.reader.best(), scan));

    memory(kind, &body);

    let (small_body, small_stats) =
        generator::document_of_kind(kind, Layout::Tree, (relationships / SIZE_RATIO).max(1));
    let small = questions(&small_body, &small_stats.deep_column, rounds);
    let large = questions(&body, &stats.deep_column, rounds);
    println!();
    row("questions", "to reach", "measured");
    row("index, relative to the reading time", "15 %", &format!("{:.1} %", 100.0 * of(large.index, slice)));
    row("upstream of one column, whole file", "", &format!("{} columns, {:.1?}", large.columns, large.upstream));
    let small_size = format!("upstream of it, {:.0} MB file", ratio(small_body.len(), 1_000_000));
    row(&small_size, "", &format!("{} columns, {:.1?}", small.columns, small.upstream));
    row("  large relative to small file", "about 1", &format!("{:.2}\n", of(large.upstream, small.upstream)));
}

/// The times of all readers.
#[derive(Default)]
struct ReadTimes {
    scan: Times,
    derived: Times,
    value: Times,
    slice: Times,
    reader: Times,
}

impl ReadTimes {
    fn round(&mut self, kind: &str) {
        let all = [&mut self.scan, &mut self.slice, &mut self.derived, &mut self.reader, &mut self.value];
        for (reader, times) in READERS.iter().zip(all) {
            times.0.push(read_in_new_process(kind, reader));
        }
    }
}

/// The environment variable that makes a process of this program read once, with one of the [`READERS`].
const READER_VARIABLE: &str = "SQLFLOW_BENCH_READS";
/// The environment variable that tells such a process the kind of the answer; a full one, if it is absent.
const KIND_VARIABLE: &str = "SQLFLOW_BENCH_KIND";
const READERS: [&str; 5] = ["scan", "slice", "derived", "reader", "value"];

fn read_in_new_process(kind: &str, reader: &str) -> Duration {
    let program = std::env::current_exe().expect("the path of the running program");
    let output = Command::new(program)
        .env(READER_VARIABLE, reader)
        .env(KIND_VARIABLE, kind)
        .output()
        .expect("starting this program again");
    let nanoseconds = String::from_utf8_lossy(&output.stdout).trim().parse();
    Duration::from_nanos(
        nanoseconds.unwrap_or_else(|error| panic!("reading with {reader} failed: {error}: {output:?}")),
    )
}

// A profiler can collect this function alone, without the time that the generator takes.
#[inline(never)]
fn time_reading(reader: &str, kind: Kind, body: &[u8]) -> Duration {
    let mut times = Times::default();
    match reader {
        "scan" => drop(times.time(|| parsed::<IgnoredAny>(body))),
        "slice" => drop(times.time(|| lineage(body))),
        "derived" => match kind {
            Kind::Full => drop(times.time(|| parsed::<peers::Document>(body))),
            Kind::Drawn => drop(times.time(|| parsed::<peers::DrawnDocument>(body))),
        },
        "reader" => drop(times.time(|| Lineage::from_reader(body).expect("the generator writes lineage"))),
        "value" => drop(times.time(|| parsed::<Value>(body))),
        other => panic!("unknown reader {other}: expected one of {READERS:?}"),
    }
    times.best()
}

fn memory(kind: Kind, body: &[u8]) {
    let size = body.len();
    println!();
    row("memory, relative to the document", "to reach", "measured");
    let of_derived = match kind {
        Kind::Full => measured(|| parsed::<peers::Document>(body)).1,
        Kind::Drawn => measured(|| parsed::<peers::DrawnDocument>(body)).1,
    };
    row("derived structs hold", "", &format!("{:.2}", ratio(of_derived.live, size)));
    let (value, of_value) = measured(|| parsed::<Value>(body));
    drop(value);
    row("serde_json::Value holds", "", &format!("{:.1}", ratio(of_value.live, size)));
    let (lineage, of_lineage) = measured(|| lineage(body));
    row("Lineage holds", "0.35", &format!("{:.2}", ratio(of_lineage.live, size)));
    let account = ratio(lineage.heap_bytes(), size);
    let difference = 100.0 * (ratio(lineage.heap_bytes(), of_lineage.live) - 1.0);
    row("  by its own account (heap_bytes)", "within 5 %", &format!("{account:.2} ({difference:+.1} %)"));
    drop(lineage);
    row("derived structs at their peak, with document", "", &format!("{:.2}", ratio(size + of_derived.peak, size)));
    let (lineage, of_stream) = measured(|| Lineage::from_reader(body).expect("the generator writes lineage"));
    drop(lineage);
    row("Lineage at its peak, from a reader", "0.6", &format!("{:.2}", ratio(of_stream.peak, size)));
}

struct QuestionTimes {
    /// The additional time of the first question.
    index: Duration,
    /// The time of a question after the first.
    upstream: Duration,
    columns: usize,
}

fn questions(body: &[u8], column: &str, rounds: usize) -> QuestionTimes {
    let (mut first, mut later) = (Times::default(), Times::default());
    let mut columns = 0;
    for _ in 0..rounds {
        let lineage = lineage(body);
        first.time(|| count_upstream(&lineage, column));
        for _ in 0..10 {
            columns = later.time(|| count_upstream(&lineage, column));
        }
    }
    QuestionTimes { index: first.best().saturating_sub(later.best()), upstream: later.best(), columns }
}

/// The times of one kind of work.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    /// Times the work once, without freeing its result.
    fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = black_box(work());
        self.0.push(start.elapsed());
        result
    }

    /// Returns the best time, because other programs can only add to it.
    fn best(&self) -> Duration {
        self.0.iter().min().copied().unwrap_or_default()
    }
}

fn setting(name: &str) -> Option<usize> {
    std::env::var(name).ok()?.parse().ok()
}

#[allow(clippy::cast_precision_loss)]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

fn of(part: Duration, whole: Duration) -> f64 {
    part.as_secs_f64() / whole.as_secs_f64()
}

fn in_scans(time: Duration, scan: Duration) -> String {
    format!("{:.2} scans", of(time, scan))
}

fn row(what: &str, target: &str, measured: &str) {
    println!("{what:<46} {target:<10} {measured}");
}
