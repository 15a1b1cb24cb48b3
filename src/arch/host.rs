//! The double of `tls` in a process of std (`cfg(test)`, `cfg(loom)`): the same names over std's own thread-locals (R2), or loom's: its threads
//! share one of std's.

use super::header::{GHeader, NOTHING_PENDING};
use std::cell::{Cell, UnsafeCell};

struct Host {
    g: UnsafeCell<GHeader>,
    p: Cell<*mut u8>,
    cache: Cell<*mut u8>,
}

#[cfg(loom)]
loom::thread_local! {
    static HOST: Host = Host { g: UnsafeCell::new(GHeader::new(0, 0, usize::MAX)), p: Cell::new(core::ptr::null_mut()), cache: Cell::new(core::ptr::null_mut()) };
}

#[cfg(not(loom))]
std::thread_local! {
    static HOST: Host =
        const { Host { g: UnsafeCell::new(GHeader::new(0, 0, usize::MAX)), p: Cell::new(core::ptr::null_mut()), cache: Cell::new(core::ptr::null_mut()) } };
}

/// A model that has failed is being torn down: its threads are gone, and their data with them.
pub fn has_failed() -> bool {
    cfg!(loom) && std::thread::panicking()
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
    if has_failed() {
        return;
    }
    // SAFETY: this thread's own header.
    unsafe { (*g()).nopreempt.set((*g()).nopreempt.get() + 1) }
}

/// As the real one.
#[must_use]
pub fn lower() -> bool {
    if has_failed() {
        return false;
    }
    // SAFETY: this thread's own header.
    unsafe {
        let count = (*g()).nopreempt.get();
        assert!(count & !NOTHING_PENDING > 0, "lowered more often than raised");
        (*g()).nopreempt.set(count - 1);
        count - 1 == 0
    }
}
