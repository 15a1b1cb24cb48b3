//! A chore of sysmon's that only some programs need: a pointer, so that the others do not carry it.

use crate::sys::alarm::NEVER;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

/// Does what is to be done at `now`, on sysmon, and returns when to look again. It sets no alarm for that time by itself.
pub type Look = fn(now_ns: u64) -> u64;

/// See the head of this file.
pub struct Chore {
    look: AtomicPtr<()>,
}

impl Chore {
    /// Not needed yet.
    pub const fn new() -> Chore {
        Chore { look: AtomicPtr::new(ptr::null_mut()) }
    }

    /// From now on sysmon calls `look` each time it looks.
    #[inline]
    pub fn begin(&self, look: Look) {
        self.look.store(look as *mut (), Release);
    }

    /// Is it needed?
    #[inline]
    pub fn has_begun(&self) -> bool {
        !self.look.load(Relaxed).is_null()
    }

    /// On sysmon.
    pub fn look(&self, now: u64) -> u64 {
        let look = self.look.load(Acquire);
        if look.is_null() {
            return NEVER;
        }
        // SAFETY: only `begin` writes the word, and only with a `Look`.
        let look: Look = unsafe { core::mem::transmute(look) };
        look(now)
    }
}
