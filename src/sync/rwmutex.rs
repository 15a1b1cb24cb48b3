//! `RwMutex<T>`: a lock with the value that it protects, for many readers or one writer. Unsafe code is allowed here: the guards lend the value out.

#![allow(unsafe_code)]

use super::raw_rwmutex::RawRwMutex;
use core::cell::UnsafeCell;
use core::fmt;
use core::ops::{Deref, DerefMut};

/// A mutual exclusion lock for many readers or one writer. Waiting parks the goroutine.
///
/// Once a writer waits no new reader gets in, so that writers get their turn; and readers that came while it wrote get in before the next one. So a
/// goroutine that reads must not call `read` again: if a writer comes in between, both wait for ever.
///
/// There is no poisoning: a panic ends the process.
///
/// Source: Go package sync, RWMutex.
pub struct RwMutex<T: ?Sized> {
    raw: RawRwMutex,
    value: UnsafeCell<T>,
}

// SAFETY: the lock gives out one reference to write with, or some to read with.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwMutex<T> {}
// SAFETY: it owns its value.
unsafe impl<T: ?Sized + Send> Send for RwMutex<T> {}

/// Nobody writes while this is alive. It may be dropped by another goroutine than the one that locked, as in Go.
#[must_use]
pub struct RwMutexReadGuard<'a, T: ?Sized> {
    mutex: &'a RwMutex<T>,
}

/// Nobody else reads or writes while this is alive. It may be dropped by another goroutine than the one that locked, as in Go.
#[must_use]
pub struct RwMutexWriteGuard<'a, T: ?Sized> {
    mutex: &'a RwMutex<T>,
}

impl<T> RwMutex<T> {
    /// An unlocked mutex.
    pub const fn new(value: T) -> RwMutex<T> {
        RwMutex { raw: RawRwMutex::new(), value: UnsafeCell::new(value) }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwMutex<T> {
    /// Locks it to read; waits while somebody writes or waits to write. Go's `RLock`.
    ///
    /// Panics if 2²⁹ guards have been forgotten.
    #[inline]
    pub fn read(&self) -> RwMutexReadGuard<'_, T> {
        self.raw.read();
        RwMutexReadGuard { mutex: self }
    }

    /// Locks it to read, if nobody writes or waits to. Go's `TryRLock`.
    #[inline]
    pub fn try_read(&self) -> Option<RwMutexReadGuard<'_, T>> {
        self.raw.try_read().then(|| RwMutexReadGuard { mutex: self })
    }

    /// Locks it to write; waits until nobody else reads or writes. Go's `Lock`.
    #[inline]
    pub fn write(&self) -> RwMutexWriteGuard<'_, T> {
        self.raw.write();
        RwMutexWriteGuard { mutex: self }
    }

    /// Locks it to write, if nobody reads or writes. Go's `TryLock`.
    #[inline]
    pub fn try_write(&self) -> Option<RwMutexWriteGuard<'_, T>> {
        self.raw.try_write().then(|| RwMutexWriteGuard { mutex: self })
    }

    /// The value, without locking: nobody else can have it.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<'a, T: ?Sized> RwMutexReadGuard<'a, T> {
    pub(super) fn raw(&self) -> &'a RawRwMutex {
        &self.mutex.raw
    }
}

impl<'a, T: ?Sized> RwMutexWriteGuard<'a, T> {
    pub(super) fn raw(&self) -> &'a RawRwMutex {
        &self.mutex.raw
    }
}

impl<T: ?Sized> Deref for RwMutexReadGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> Deref for RwMutexWriteGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for RwMutexWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the lock for itself alone, and is borrowed for writing.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for RwMutexReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.raw.unlock_read();
    }
}

impl<T: ?Sized> Drop for RwMutexWriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.raw.unlock_write();
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwMutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_read() {
            Some(guard) => f.debug_tuple("RwMutex").field(&&*guard).finish(),
            None => f.write_str("RwMutex(locked)"),
        }
    }
}

impl<T: Default> Default for RwMutex<T> {
    fn default() -> RwMutex<T> {
        RwMutex::new(T::default())
    }
}
