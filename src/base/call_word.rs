//! The word that wires a P to the M that is in a system call with it, and the flag of a signal that is under way to an M (R6).
//!
//! 1. Whoever sets the word back to null by compare-and-swap has the P: the M as it returns, or a taker under the scheduler's lock.
//! 2. `enter` sets the word, then looks at the flag; `announce` sets the flag, then looks at the word. Both have a full fence between: the M sees
//!    that a signal is under way and waits for it, or the sender sees that the M is in a call and sends none.
//!
//! | word | the P is                         | left by                                                    |
//! |------|----------------------------------|------------------------------------------------------------|
//! | null | held by an M, idle, or stopped   | `enter` to its M                                           |
//! | M    | wired to M, which is in a call   | `leave` to null (held), `take` to null (the taker's)       |

use super::atomic::{AtomicBool, AtomicPtr, Ordering, fence_of_rmw};
use core::ptr;

/// See the head of this file. All zero bytes are null.
#[repr(transparent)]
pub struct CallWord<M> {
    word: AtomicPtr<M>,
}

impl<M> CallWord<M> {
    /// Null. The real ones are made of zero bytes.
    #[cfg(loom)]
    pub fn new() -> CallWord<M> {
        CallWord { word: AtomicPtr::new(ptr::null_mut()) }
    }

    /// `m`, which holds the P, is in a call from here on. It looks at its flag next.
    #[inline(always)]
    pub fn enter(&self, m: &M) {
        self.word.swap(ptr::from_ref(m).cast_mut(), Ordering::SeqCst);
        fence_of_rmw();
    }

    /// `m` comes back. True: the P is still its own. Then it looks at what is wanted of it: who saw it in the call has sent no signal.
    #[inline(always)]
    pub fn leave(&self, m: &M) -> bool {
        let is_own = self.word.compare_exchange(ptr::from_ref(m).cast_mut(), ptr::null_mut(), Ordering::SeqCst, Ordering::Relaxed).is_ok();
        fence_of_rmw();
        is_own
    }

    /// Under the scheduler's lock: takes the P from an M that is in a call. True: it is the caller's.
    #[inline]
    pub fn take(&self) -> bool {
        let m = self.word.load(Ordering::Acquire);
        !m.is_null() && self.word.compare_exchange(m, ptr::null_mut(), Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Is an M in a call with this P?
    #[inline]
    pub fn is_set(&self) -> bool {
        !self.word.load(Ordering::SeqCst).is_null()
    }

    /// Says by `flag` that a signal is under way to the M that holds the P. False, and none is to be sent: it is in a call.
    #[inline]
    pub fn announce(&self, flag: &AtomicBool) -> bool {
        flag.swap(true, Ordering::SeqCst);
        fence_of_rmw();
        if self.is_set() {
            flag.store(false, Ordering::Release);
            return false;
        }
        true
    }
}

/// What `signal_has_come` found.
pub struct Received {
    /// It is one of ours.
    pub ours: bool,
    /// Nobody has acted on the request yet that it was sent for.
    pub pending: bool,
}

/// A signal has come; from here on none is under way. Is it one of ours? Its mark says so; where the kernel kept none (`sys::signal::send_to_thread`),
/// the flag does. The flag alone would not do: two who announced one each may have had the first signal take it back for both.
#[inline]
pub fn signal_has_come(flag: &AtomicBool, has_mark: bool) -> Received {
    let pending = flag.swap(false, Ordering::AcqRel);
    Received { ours: pending || has_mark, pending }
}
