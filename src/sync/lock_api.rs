//! Locks for crates that are generic over the traits of the crate `lock_api`. Unsafe code is allowed here: its traits are unsafe.
//!
//! 1. The traits ask for mutual exclusion, which `raw_mutex` and `raw_rwmutex` give. Who calls `unlock` holds the lock: the traits' contract.

#![allow(unsafe_code)]

use super::{raw_mutex, raw_rwmutex};
use ::lock_api::GuardSend;

/// A mutex for goroutines, as [`Mutex`](super::Mutex) has it: the raw lock below the types of `lock_api`.
pub struct RawMutex {
    raw: raw_mutex::RawMutex,
}

/// A reader-writer mutex for goroutines, as [`RwMutex`](super::RwMutex) has it: the raw lock below the types of `lock_api`.
pub struct RawRwLock {
    raw: raw_rwmutex::RawRwMutex,
}

/// `lock_api::Mutex` for goroutines.
///
/// Source: none in Go. The waiting is that of Go package sync, Mutex.
pub type Mutex<T> = ::lock_api::Mutex<RawMutex, T>;
/// Its guard.
pub type MutexGuard<'a, T> = ::lock_api::MutexGuard<'a, RawMutex, T>;
/// Its guard, of a part of the value.
pub type MappedMutexGuard<'a, T> = ::lock_api::MappedMutexGuard<'a, RawMutex, T>;
/// `lock_api::RwLock` for goroutines.
///
/// Source: none in Go. The waiting is that of Go package sync, RWMutex.
pub type RwLock<T> = ::lock_api::RwLock<RawRwLock, T>;
/// Its guard to read.
pub type RwLockReadGuard<'a, T> = ::lock_api::RwLockReadGuard<'a, RawRwLock, T>;
/// Its guard to write.
pub type RwLockWriteGuard<'a, T> = ::lock_api::RwLockWriteGuard<'a, RawRwLock, T>;

// SAFETY: invariant 1.
unsafe impl ::lock_api::RawMutex for RawMutex {
    #[allow(clippy::declare_interior_mutable_const)] // it is what the trait asks for
    const INIT: RawMutex = RawMutex { raw: raw_mutex::RawMutex::new() };
    type GuardMarker = GuardSend;

    #[inline]
    fn lock(&self) {
        self.raw.lock();
    }

    #[inline]
    fn try_lock(&self) -> bool {
        self.raw.try_lock()
    }

    #[inline]
    unsafe fn unlock(&self) {
        self.raw.unlock();
    }

    fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }
}

// SAFETY: as above.
unsafe impl ::lock_api::RawMutexFair for RawMutex {
    unsafe fn unlock_fair(&self) {
        self.raw.unlock_fair();
    }
}

// SAFETY: as above.
unsafe impl ::lock_api::RawRwLock for RawRwLock {
    #[allow(clippy::declare_interior_mutable_const)] // as above
    const INIT: RawRwLock = RawRwLock { raw: raw_rwmutex::RawRwMutex::new() };
    type GuardMarker = GuardSend;

    #[inline]
    fn lock_shared(&self) {
        self.raw.read();
    }

    #[inline]
    fn try_lock_shared(&self) -> bool {
        self.raw.try_read()
    }

    #[inline]
    unsafe fn unlock_shared(&self) {
        self.raw.unlock_read();
    }

    #[inline]
    fn lock_exclusive(&self) {
        self.raw.write();
    }

    #[inline]
    fn try_lock_exclusive(&self) -> bool {
        self.raw.try_write()
    }

    #[inline]
    unsafe fn unlock_exclusive(&self) {
        self.raw.unlock_write();
    }

    fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }

    fn is_locked_exclusive(&self) -> bool {
        self.raw.is_written()
    }
}

// SAFETY: as above. Readers are fair as they are: the last one lets the writer in who waits.
unsafe impl ::lock_api::RawRwLockFair for RawRwLock {
    unsafe fn unlock_shared_fair(&self) {
        self.raw.unlock_read();
    }

    unsafe fn unlock_exclusive_fair(&self) {
        self.raw.unlock_write_fair();
    }
}

// SAFETY: as above.
unsafe impl ::lock_api::RawRwLockDowngrade for RawRwLock {
    unsafe fn downgrade(&self) {
        self.raw.downgrade();
    }
}
