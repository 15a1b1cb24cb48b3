//! The atomics of the structures that loom models: loom's under `cfg(loom)`, the real ones else; and what a model must be told that the CPU knows.

#[cfg(not(loom))]
#[allow(unused_imports)]
pub use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
#[cfg(loom)]
#[allow(unused_imports)]
pub use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

/// Stands behind a SeqCst read-modify-write whose full fence a protocol needs. On x86-64 the instruction is that fence, and this is nothing;
/// loom takes SeqCst accesses for weaker than they are, so there it is one.
#[inline(always)]
pub fn fence_of_rmw() {
    #[cfg(loom)]
    fence(Ordering::SeqCst);
}

/// The word of `atomic`, for a commit (`arch::switch::Commit`). loom's atomics are larger than their word: there, only `commit` may use it.
#[inline(always)]
pub fn word(atomic: &AtomicU32) -> *mut u32 {
    #[cfg(not(loom))]
    return atomic.as_ptr();
    #[cfg(loom)]
    return core::ptr::from_ref(atomic).cast_mut().cast();
}

/// What the switch does with a commit's word.
///
/// # Safety
/// `word` came from the function of that name, and its atomic is still there.
#[cfg(loom)]
pub unsafe fn commit(word: *mut u32, value: u32) {
    // SAFETY: the caller's contract.
    let word = unsafe { &*word.cast::<AtomicU32>() };
    word.store(value, Ordering::Release);
    super::model::spin::stored(word);
}
