//! How the process uses memory and threads.

use std::env;
use std::hint::black_box;
use std::io;

use tokio::runtime::Builder;

/// Has glibc reuse the heap for a request's large buffers. Otherwise glibc maps and unmaps each buffer over a
/// threshold, and the page faults take as much CPU time as everything else that a request does. Freeing one large
/// buffer raises the threshold (mallopt(3), `M_MMAP_THRESHOLD`). The buffer is never touched, so it takes no memory.
pub fn keep_freed_memory() {
    drop(black_box(Vec::<u8>::with_capacity((32 << 20) - (64 << 10))));
}

/// Runs the function to its end: on one thread, or on all processors if Lambda sends this process several requests at a
/// time, so that decoding one doesn't hold up the others.
///
/// # Errors
///
/// If the operating system doesn't give what tokio needs.
pub fn run<T>(function: impl Future<Output = T>) -> io::Result<T> {
    let mut threads = if has_many_requests() {
        Builder::new_multi_thread()
    } else {
        touch_heap();
        Builder::new_current_thread()
    };
    Ok(threads.enable_all().build()?.block_on(function))
}

/// Decides it as `lambda_runtime` does.
fn has_many_requests() -> bool {
    let most = env::var("AWS_LAMBDA_MAX_CONCURRENCY").ok();
    most.and_then(|most| most.parse::<u32>().ok())
        .is_some_and(|most| most > 1)
}

/// Touches the memory that a request with the largest event needs, while Lambda gives the process a whole CPU: touching
/// a page for the first time costs more than anything else that a request does with it. The heap keeps freed memory up
/// to twice the threshold (`M_TRIM_THRESHOLD`).
fn touch_heap() {
    drop(black_box(vec![1_u8; 30 << 20]));
}
