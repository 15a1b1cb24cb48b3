//! `NoPreempt`: the proof that preemption is disabled, as a value (R1).
//!
//! While one is alive this goroutine stays on its M, and its M keeps its P. It costs one instruction to make and two to drop.

use crate::arch::tls;
use core::marker::PhantomData;

/// Preemption is disabled while this is alive. It may not leave its goroutine.
#[must_use]
pub struct NoPreempt {
    not_send: PhantomData<*mut ()>,
}

impl NoPreempt {
    /// Raises the counter.
    #[inline(always)]
    pub fn new() -> NoPreempt {
        tls::raise();
        NoPreempt { not_send: PhantomData }
    }

    /// Takes over a raise that is open already: that of a new goroutine, or one passed through a park.
    ///
    /// # Safety
    /// A raise is open that nobody else will lower.
    #[inline(always)]
    pub const unsafe fn adopt() -> NoPreempt {
        NoPreempt { not_send: PhantomData }
    }
}

impl Drop for NoPreempt {
    #[inline(always)]
    fn drop(&mut self) {
        if tls::lower() {
            super::hooks::yield_now();
        }
    }
}
