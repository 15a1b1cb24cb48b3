//! The atomics of the structures that loom models: loom's under `cfg(loom)`, the real ones else.

#[cfg(not(loom))]
#[allow(unused_imports)]
pub use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
#[cfg(loom)]
#[allow(unused_imports)]
pub use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
