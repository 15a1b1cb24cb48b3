//! Locks, conditions, semaphores, wait groups, and what is done once, for goroutines: they park the goroutine, never its thread.
//!
//! Source: Go package sync, and golang.org/x/sync/semaphore.

#![deny(unsafe_code)]

mod cond;
#[cfg(feature = "critical-section")]
mod critical_section;
#[cfg(feature = "lock_api")]
pub mod lock_api;
pub mod map;
mod mutex;
mod once;
mod once_lock;
mod once_value;
mod pool;
mod raw_mutex;
mod raw_rwmutex;
mod rwmutex;
mod semaphore;
pub mod singleflight;
mod waitgroup;

pub use cond::{Cond, CondGuard};
pub use map::Map;
pub use mutex::{Mutex, MutexGuard};
pub use once::Once;
pub use once_lock::OnceLock;
pub use once_value::{once_func, once_value, once_values};
pub use pool::Pool;
pub use rwmutex::{RwMutex, RwMutexReadGuard, RwMutexWriteGuard};
#[doc(hidden)]
pub use semaphore::Request;
pub use semaphore::Semaphore;
pub use waitgroup::WaitGroup;
