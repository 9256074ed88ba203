//! How much memory lineage takes, counted by a global allocator. The only test of its program: others would be counted.

#[path = "../benches/allocations/mod.rs"]
mod allocations;
#[path = "../benches/generator/mod.rs"]
#[allow(dead_code)]
mod generator;

use sqlflow_lineage::Lineage;

use self::allocations::{Counting, counted};
use self::generator::{LARGE, Layout};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The proportions do not depend on the size: a tenth of the large answer tells.
const RELATIONSHIPS: usize = LARGE / 10;

#[test]
fn lineage_takes_less_memory_than_its_json() {
    for layout in [Layout::Tree, Layout::Flat] {
        let (body, written) = generator::body(layout, RELATIONSHIPS);
        let percent = |bytes: usize| 100 * bytes / body.len();
        let coordinates = percent(usize::try_from(written.coordinate_bytes).unwrap());
        assert!((60..=70).contains(&coordinates), "{layout:?}: two thirds are coordinates, not {coordinates} %");

        let (lineage, of_slice) = counted(|| Lineage::from_slice(&body).unwrap());
        assert_eq!(lineage.relationships().len(), RELATIONSHIPS);
        assert_eq!(lineage.unresolved().count(), 0);
        assert_eq!(lineage.unknown_fields().len(), 0);
        assert!(percent(of_slice.live) <= 60, "{layout:?}: holds {} % of the body", percent(of_slice.live));
        let difference = of_slice.live.abs_diff(lineage.heap_bytes());
        assert!(difference <= of_slice.live / 100, "{layout:?}: heap_bytes() is off by {difference} bytes");
        drop(lineage);

        let (lineage, of_stream) = counted(|| Lineage::from_reader(&*body).unwrap());
        drop(lineage);
        assert!(percent(of_stream.peak) <= 90, "{layout:?}: {} % of the body at the peak", percent(of_stream.peak));
    }
}
