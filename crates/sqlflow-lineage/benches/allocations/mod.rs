//! A global allocator that counts the memory which a piece of work leaves allocated, and its peak.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};

/// `true` while memory is measured. Work that is only timed pays for no more than reading this flag.
static IS_COUNTING: AtomicBool = AtomicBool::new(false);
/// The bytes that were allocated and not freed since the measurement began.
static LIVE: AtomicIsize = AtomicIsize::new(0);
/// The highest value of [`LIVE`].
static PEAK: AtomicIsize = AtomicIsize::new(0);

/// The system allocator, with counters.
#[derive(Debug)]
pub(crate) struct CountingAllocator;

// The allocator trait is unsafe, and there is no other way to count allocations. Every call is passed on unchanged to
// the system allocator.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        allocated(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        allocated(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        freed(layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Not all systems can move a large block without holding it twice; this counts the worst case.
        allocated(size);
        freed(layout.size());
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn allocated(bytes: usize) {
    if IS_COUNTING.load(Ordering::Relaxed) {
        let bytes = bytes.cast_signed();
        let live = LIVE.fetch_add(bytes, Ordering::Relaxed) + bytes;
        PEAK.fetch_max(live, Ordering::Relaxed);
    }
}

fn freed(bytes: usize) {
    if IS_COUNTING.load(Ordering::Relaxed) {
        LIVE.fetch_sub(bytes.cast_signed(), Ordering::Relaxed);
    }
}

/// The memory that a piece of work took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryUse {
    /// The bytes that are still allocated after it.
    pub(crate) live: usize,
    /// The highest number of bytes that were allocated at once.
    pub(crate) peak: usize,
}

/// Measures the memory of `work`, including its result. Allocations of other threads at the same time are counted too.
pub(crate) fn measured<T>(work: impl FnOnce() -> T) -> (T, MemoryUse) {
    LIVE.store(0, Ordering::Relaxed);
    PEAK.store(0, Ordering::Relaxed);
    IS_COUNTING.store(true, Ordering::Relaxed);
    let result = work();
    IS_COUNTING.store(false, Ordering::Relaxed);
    let bytes = |count: &AtomicIsize| usize::try_from(count.load(Ordering::Relaxed)).unwrap_or(0);
    (result, MemoryUse { live: bytes(&LIVE), peak: bytes(&PEAK) })
}
