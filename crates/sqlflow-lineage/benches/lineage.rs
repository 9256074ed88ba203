//! Reading lineage and asking it questions, each beside its peers: `cargo bench --bench lineage`.
//!
//! Times hold on one machine only; what is required is printed as ratios by `cargo bench --bench table`.
//! `SQLFLOW_BENCH_RELATIONSHIPS` sets the size.

mod generator;
mod peers;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use serde::de::IgnoredAny;
use serde_json::Value;
use sqlflow_lineage::Lineage;

use self::generator::{LARGE, Layout};
use self::peers::{closure, lineage, parsed};

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(500));
    targets = read, index, upstream
}
criterion_main!(benches);

/// The smaller answer is this much smaller.
const SMALLER: usize = 10;

fn relationships() -> usize {
    let setting = std::env::var("SQLFLOW_BENCH_RELATIONSHIPS").ok();
    setting.and_then(|setting| setting.parse().ok()).unwrap_or(LARGE).max(SMALLER)
}

fn read(criterion: &mut Criterion) {
    let (body, _) = generator::body(Layout::Tree, relationships());
    let (flat, _) = generator::body(Layout::Flat, relationships());
    let mut group = criterion.benchmark_group("read");
    group.throughput(Throughput::Bytes(body.len() as u64));
    time(&mut group, "a scan that keeps nothing", || parsed::<IgnoredAny>(&body));
    time(&mut group, "derived structs", || parsed::<peers::Answer>(&body));
    time(&mut group, "serde_json::Value", || parsed::<Value>(&body));
    time(&mut group, "Lineage from a slice", || lineage(&body));
    time(&mut group, "Lineage from a reader", || Lineage::from_reader(&*body).expect("the generator writes lineage"));
    group.throughput(Throughput::Bytes(flat.len() as u64));
    time(&mut group, "flat: a scan that keeps nothing", || parsed::<IgnoredAny>(&flat));
    time(&mut group, "flat: Lineage from a slice", || lineage(&flat));
    group.finish();
}

/// Times what makes something large, of which one is in memory at a time; freeing it is not part of the time.
fn time<T>(group: &mut BenchmarkGroup<'_, criterion::measurement::WallTime>, name: &str, work: impl Fn() -> T) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|times| {
            (0..times)
                .map(|_| {
                    let start = Instant::now();
                    let made = black_box(work());
                    let took = start.elapsed();
                    drop(made);
                    took
                })
                .sum()
        });
    });
}

/// The first question, which makes the index, of answers that were only read.
fn index(criterion: &mut Criterion) {
    let (body, written) = generator::body(Layout::Tree, relationships());
    let mut group = criterion.benchmark_group("index");
    group.bench_function("first question", |bencher| {
        bencher.iter_batched(
            || lineage(&body),
            |lineage| {
                closure(&lineage, &written.deep_column);
                lineage
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// The same question, with an answer of the same size, of a file and of one ten times as large.
fn upstream(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("upstream of one column");
    for relationships in [relationships() / SMALLER, relationships()] {
        let (body, written) = generator::body(Layout::Tree, relationships);
        let lineage = lineage(&body);
        group.bench_function(BenchmarkId::new("relationships", relationships), |bencher| {
            bencher.iter(|| closure(&lineage, &written.deep_column));
        });
    }
    group.finish();
}
