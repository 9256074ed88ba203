//! A global allocator that can count what a piece of work leaves alive and the most it held at once.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};

/// Off except while something is counted, so that what is only timed pays no more than a look at this.
static IS_COUNTING: AtomicBool = AtomicBool::new(false);
/// Bytes that came and did not go since counting began.
static LIVE: AtomicIsize = AtomicIsize::new(0);
/// The most that [`LIVE`] was.
static PEAK: AtomicIsize = AtomicIsize::new(0);

/// The allocator of the system, counted on demand.
#[derive(Debug)]
pub(crate) struct Counting;

// The trait of allocators is unsafe, and no other way counts what was allocated. Every call goes to the system's
// allocator as it came.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        came(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        came(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        went(layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Systems move large blocks without holding them twice, but not all can: this counts the worst.
        came(size);
        went(layout.size());
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn came(bytes: usize) {
    if IS_COUNTING.load(Ordering::Relaxed) {
        let bytes = bytes.cast_signed();
        let live = LIVE.fetch_add(bytes, Ordering::Relaxed) + bytes;
        PEAK.fetch_max(live, Ordering::Relaxed);
    }
}

fn went(bytes: usize) {
    if IS_COUNTING.load(Ordering::Relaxed) {
        LIVE.fetch_sub(bytes.cast_signed(), Ordering::Relaxed);
    }
}

/// What a piece of work took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    /// The bytes of what it made that are alive after it.
    pub(crate) live: usize,
    /// The most bytes it held at once.
    pub(crate) peak: usize,
}

/// Counts what `work` takes, the result included. Whatever other threads do meanwhile is counted too.
pub(crate) fn counted<T>(work: impl FnOnce() -> T) -> (T, Counted) {
    LIVE.store(0, Ordering::Relaxed);
    PEAK.store(0, Ordering::Relaxed);
    IS_COUNTING.store(true, Ordering::Relaxed);
    let result = work();
    IS_COUNTING.store(false, Ordering::Relaxed);
    let bytes = |count: &AtomicIsize| usize::try_from(count.load(Ordering::Relaxed)).unwrap_or(0);
    (result, Counted { live: bytes(&LIVE), peak: bytes(&PEAK) })
}
