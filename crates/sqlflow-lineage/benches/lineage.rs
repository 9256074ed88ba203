//! The time of reading and questions, compared with peers: `cargo bench --bench lineage`.
//!
//! Times are valid for one machine only; `cargo bench --bench table` prints ratios.
//! `SQLFLOW_BENCH_RELATIONSHIPS` sets the size.

mod generator;
mod peers;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use serde::de::IgnoredAny;
use serde_json::Value;
use sqlflow_lineage::Lineage;

use self::generator::{Kind, LARGE, Layout};
use self::peers::{count_upstream, lineage, parsed};

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(500));
    targets = read, index, upstream
}
criterion_main!(benches);

/// The ratio between the sizes of the large and the small document.
const SIZE_RATIO: usize = 10;

fn relationships() -> usize {
    let setting = std::env::var("SQLFLOW_BENCH_RELATIONSHIPS").ok();
    setting.and_then(|setting| setting.parse().ok()).unwrap_or(LARGE).max(SIZE_RATIO)
}

fn read(criterion: &mut Criterion) {
    let (body, _) = generator::document(Layout::Tree, relationships());
    let (flat, _) = generator::document(Layout::Flat, relationships());
    let (drawn, _) = generator::document_of_kind(Kind::Drawn, Layout::Tree, relationships());
    let mut group = criterion.benchmark_group("read");
    group.throughput(Throughput::Bytes(body.len() as u64));
    time(&mut group, "a scan that keeps nothing", || parsed::<IgnoredAny>(&body));
    time(&mut group, "derived structs", || parsed::<peers::Document>(&body));
    time(&mut group, "serde_json::Value", || parsed::<Value>(&body));
    time(&mut group, "Lineage from a slice", || lineage(&body));
    time(&mut group, "Lineage from a reader", || Lineage::from_reader(&*body).expect("the generator writes lineage"));
    group.throughput(Throughput::Bytes(flat.len() as u64));
    time(&mut group, "flat: a scan that keeps nothing", || parsed::<IgnoredAny>(&flat));
    time(&mut group, "flat: Lineage from a slice", || lineage(&flat));
    group.throughput(Throughput::Bytes(drawn.len() as u64));
    time(&mut group, "drawn: a scan that keeps nothing", || parsed::<IgnoredAny>(&drawn));
    time(&mut group, "drawn: Lineage from a slice", || lineage(&drawn));
    group.finish();
}

/// Times work with a large result. Only one result is in memory at a time, and freeing it is not timed.
fn time<T>(group: &mut BenchmarkGroup<'_, criterion::measurement::WallTime>, name: &str, work: impl Fn() -> T) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|times| {
            (0..times)
                .map(|_| {
                    let start = Instant::now();
                    let result = black_box(work());
                    let elapsed = start.elapsed();
                    drop(result);
                    elapsed
                })
                .sum()
        });
    });
}

/// Times the first question about a lineage, which builds the index.
fn index(criterion: &mut Criterion) {
    let (body, stats) = generator::document(Layout::Tree, relationships());
    let mut group = criterion.benchmark_group("index");
    group.bench_function("first question", |bencher| {
        bencher.iter_batched(
            || lineage(&body),
            |lineage| {
                count_upstream(&lineage, &stats.deep_column);
                lineage
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// Times the same question, with a result of the same size, about a document and about one ten times as large.
fn upstream(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("upstream of one column");
    for relationships in [relationships() / SIZE_RATIO, relationships()] {
        let (body, stats) = generator::document(Layout::Tree, relationships);
        let lineage = lineage(&body);
        group.bench_function(BenchmarkId::new("relationships", relationships), |bencher| {
            bencher.iter(|| count_upstream(&lineage, &stats.deep_column));
        });
    }
    group.finish();
}
