//! The process that Lambda starts: its memory and its threads.

use std::env;
use std::hint::black_box;
use std::io;

use tokio::runtime::{Builder, Runtime};

/// Returns the runtime: a single thread if Lambda sends one request at a time, or a thread per processor if it sends
/// several, so that decoding one doesn't hold up the others. `lambda_runtime` reads the same variable.
pub fn runtime() -> io::Result<Runtime> {
    let variable = env::var("AWS_LAMBDA_MAX_CONCURRENCY").ok();
    let most: Option<u32> = variable.and_then(|most| most.parse().ok());
    let mut threads = if most.is_some_and(|most| most > 1) {
        Builder::new_multi_thread()
    } else {
        touch_heap();
        Builder::new_current_thread()
    };
    threads.enable_all().build()
}

/// Has glibc reuse the heap for a request's large buffers. Otherwise glibc maps and unmaps each buffer over a
/// threshold, and the page faults take as much CPU time as everything else that a request does. Freeing one large
/// buffer raises the threshold (mallopt(3), `M_MMAP_THRESHOLD`). The buffer is never touched, so it takes no memory.
pub fn keep_freed_memory() {
    drop(black_box(Vec::<u8>::with_capacity((32 << 20) - (64 << 10))));
}

/// Touches the memory that a request with the largest event needs, while Lambda gives the process a whole CPU: touching
/// a page for the first time costs more than anything else that a request does with it. The heap keeps freed memory up
/// to twice the threshold (`M_TRIM_THRESHOLD`).
fn touch_heap() {
    drop(black_box(vec![1_u8; 30 << 20]));
}
