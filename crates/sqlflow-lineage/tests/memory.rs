//! The memory that a lineage takes, counted by a global allocator. This program has only one test, because the memory
//! of others would be counted too.

#[path = "../benches/allocations/mod.rs"]
mod allocations;
#[path = "../benches/generator/mod.rs"]
#[allow(dead_code)]
mod generator;

use sqlflow_lineage::Lineage;

use self::allocations::{CountingAllocator, measured};
use self::generator::{LARGE, Layout};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// The proportions do not depend on the size, so a tenth of the large document is enough.
const RELATIONSHIPS: usize = LARGE / 10;

#[test]
fn lineage_takes_less_memory_than_its_json() {
    for layout in [Layout::Tree, Layout::Flat] {
        let (body, stats) = generator::document(layout, RELATIONSHIPS);
        let percent = |bytes: usize| 100 * bytes / body.len();
        let coordinates = percent(usize::try_from(stats.coordinate_bytes).unwrap());
        assert!((60..=70).contains(&coordinates), "{layout:?}: {coordinates} % are coordinates instead of two thirds");

        let (lineage, of_slice) = measured(|| Lineage::from_slice(&body).unwrap());
        assert_eq!(lineage.relationships().len(), RELATIONSHIPS);
        assert_eq!(lineage.unresolved().count(), 0);
        assert_eq!(lineage.unknown_fields().len(), 0);
        assert!(
            percent(of_slice.live) <= 60,
            "{layout:?}: the lineage takes {} % of the size of the document",
            percent(of_slice.live)
        );
        let difference = of_slice.live.abs_diff(lineage.heap_bytes());
        assert!(difference <= of_slice.live / 100, "{layout:?}: heap_bytes() is off by {difference} bytes");
        drop(lineage);

        let (lineage, of_stream) = measured(|| Lineage::from_reader(&*body).unwrap());
        drop(lineage);
        assert!(
            percent(of_stream.peak) <= 90,
            "{layout:?}: the peak is {} % of the size of the document",
            percent(of_stream.peak)
        );
    }
}
