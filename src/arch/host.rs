//! The double of `tls` in a process of std (`cfg(test)`, `cfg(loom)`): the same names over std's own thread-locals (R2).

use super::header::{GHeader, NOTHING_PENDING};
use std::cell::{Cell, UnsafeCell};

struct Host {
    g: UnsafeCell<GHeader>,
    p: Cell<*mut u8>,
    cache: Cell<*mut u8>,
}

std::thread_local! {
    static HOST: Host =
        const { Host { g: UnsafeCell::new(GHeader::new(0, 0, usize::MAX)), p: Cell::new(core::ptr::null_mut()), cache: Cell::new(core::ptr::null_mut()) } };
}

/// This thread's header.
pub fn g() -> *mut GHeader {
    HOST.with(|h| h.g.get())
}

/// There is no M here.
pub fn m() -> *mut u8 {
    core::ptr::null_mut()
}

/// What `set_p` set.
pub fn cache() -> *mut u8 {
    HOST.with(|h| h.cache.get())
}

/// What `set_p` set.
pub fn p() -> *mut u8 {
    HOST.with(|h| h.p.get())
}

/// # Safety
/// As the real one.
pub unsafe fn set_p(p: *mut u8, cache: *mut u8) {
    HOST.with(|h| (h.p.set(p), h.cache.set(cache)));
}

/// As the real one.
pub fn raise() {
    // SAFETY: this thread's own header.
    unsafe { (*g()).nopreempt.set((*g()).nopreempt.get() + 1) }
}

/// As the real one.
#[must_use]
pub fn lower() -> bool {
    // SAFETY: this thread's own header.
    unsafe {
        let count = (*g()).nopreempt.get();
        assert!(count & !NOTHING_PENDING > 1, "lowered more often than raised");
        (*g()).nopreempt.set(count - 1);
        count - 1 == 0
    }
}
