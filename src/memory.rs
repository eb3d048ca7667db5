//! The allocator's setting. A request needs up to 15 MB for a few milliseconds, and the next needs them again.

use std::hint::black_box;

/// The largest buffer that raises glibc's thresholds: 32 MiB (`DEFAULT_MMAP_THRESHOLD_MAX`), less what glibc
/// itself needs in it.
const LARGEST: usize = (32 << 20) - (64 << 10);

/// Has glibc keep the memory that it was given, once a process. Otherwise it maps each large buffer anew and
/// gives it back after use, and the page faults of that take as long as all other work of a request.
///
/// glibc raises the size above which it maps a buffer by itself to the largest such buffer that was freed,
/// and the free memory above which it gives some back to twice that (mallopt(3), `M_MMAP_THRESHOLD`). So a
/// buffer is freed here that was never touched: it takes no memory. Other allocators are not affected.
pub fn keep() {
    drop(black_box(Vec::<u8>::with_capacity(LARGEST)));
}
