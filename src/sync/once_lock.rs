//! `OnceLock<T>`: a cell that is filled once, and lent out ever after. Unsafe code is allowed here: the value is there or not.
//!
//! 1. The value is there as soon as `once` is done, and changes no more. Who runs the `once` writes it, alone.

#![allow(unsafe_code)]

use super::Once;
use core::cell::{Cell, UnsafeCell};
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;

/// A cell that is filled once, by whoever comes first; the others wait.
///
/// Source: none in Go, where a `sync.Once` beside the variable does it; Rust's `std::sync::OnceLock`.
pub struct OnceLock<T> {
    once: Once,
    value: UnsafeCell<MaybeUninit<T>>,
    /// It drops a `T`.
    owns: PhantomData<T>,
}

// SAFETY: invariant 1; a value may come from another goroutine than the one that drops it.
unsafe impl<T: Send + Sync> Sync for OnceLock<T> {}
// SAFETY: it owns its value.
unsafe impl<T: Send> Send for OnceLock<T> {}

impl<T> OnceLock<T> {
    /// An empty cell.
    pub const fn new() -> OnceLock<T> {
        OnceLock { once: Once::new(), value: UnsafeCell::new(MaybeUninit::uninit()), owns: PhantomData }
    }

    /// The value, if it is there.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        // SAFETY: invariant 1.
        self.once.is_completed().then(|| unsafe { (*self.value.get()).assume_init_ref() })
    }

    /// The value, to change it: nobody else can have it.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        // SAFETY: invariant 1.
        self.once.is_completed().then(|| unsafe { self.value.get_mut().assume_init_mut() })
    }

    /// Fills the cell. `value` comes back if it is full; if somebody fills it just now, that is waited for.
    pub fn set(&self, value: T) -> Result<(), T> {
        let mut value = Some(value);
        self.fill(|| value.take().expect("it is called once"));
        value.map_or(Ok(()), Err)
    }

    /// The value; if it is not there, that of `f`. Many may come at once, and one `f` is called; so it must not come back here, or it waits for ever.
    ///
    /// If `f` ends its goroutine (`goexit`) the cell is as empty as before, and the next one calls its own.
    #[inline]
    pub fn get_or_init(&self, f: impl FnOnce() -> T) -> &T {
        if !self.once.is_completed() {
            self.fill(f);
        }
        // SAFETY: invariant 1.
        unsafe { (*self.value.get()).assume_init_ref() }
    }

    #[cold]
    fn fill(&self, f: impl FnOnce() -> T) {
        let filled = Cell::new(false);
        self.once.run(&filled, || {
            let value = f();
            // SAFETY: invariant 1.
            unsafe { (*self.value.get()).write(value) };
            filled.set(true);
        });
    }

    /// The value, if it is there.
    pub fn into_inner(mut self) -> Option<T> {
        self.take()
    }

    /// Takes the value out: the cell is empty.
    pub fn take(&mut self) -> Option<T> {
        let is_full = self.once.is_completed();
        self.once = Once::new();
        // SAFETY: invariant 1; it is not there any more.
        is_full.then(|| unsafe { self.value.get_mut().assume_init_read() })
    }
}

impl<T> Drop for OnceLock<T> {
    fn drop(&mut self) {
        self.take();
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> OnceLock<T> {
        OnceLock::new()
    }
}

impl<T> From<T> for OnceLock<T> {
    fn from(value: T) -> OnceLock<T> {
        OnceLock { once: Once::completed(), value: UnsafeCell::new(MaybeUninit::new(value)), owns: PhantomData }
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Some(value) => f.debug_tuple("OnceLock").field(value).finish(),
            None => f.write_str("OnceLock(empty)"),
        }
    }
}
