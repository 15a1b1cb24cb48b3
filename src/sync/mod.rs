//! Locks and wait groups for goroutines: they park the goroutine, never its thread.

#![deny(unsafe_code)]

mod mutex;
mod raw_mutex;
mod waitgroup;

pub use mutex::{Mutex, MutexGuard};
pub use waitgroup::WaitGroup;
