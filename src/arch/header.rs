//! The part of a goroutine that the low floors need: the preemption counter, the stack's bounds, the saved stack pointer (R16).
//!
//! 1. `fs:8` always points to one: of the running goroutine, of the M's g0, or of its signal stack. It is never null (R1).
//! 2. Only the goroutine itself changes `nopreempt`, on whatever thread it runs; the signal handler on that thread may clear the pending bit.
//!
//! | `nopreempt`            | meaning                                                           |
//! |------------------------|-------------------------------------------------------------------|
//! | bit 31 set, low bits n | n raises are open, nothing is pending                             |
//! | bit 31 clear           | a request came while it was raised: whoever lowers it to 0 yields |
//!
//! The bit is inverted, as Linux inverts NEED_RESCHED: lowering is one decrement and one branch on zero for both questions.
//! Rejected: a counter on the M (a goroutine may move between reading `m` and adding); two words (a second load on every unlock).

use core::cell::Cell;

/// Bit 31 of `nopreempt`: set while nothing is pending.
pub const NOTHING_PENDING: u32 = 1 << 31;

/// What floors 0 to 3 may know of a goroutine. The rest of it (`gmp::G`) follows in memory.
#[repr(C)]
pub struct GHeader {
    /// See the table above.
    pub nopreempt: Cell<u32>,
    /// Debug builds: the ranks of the runtime locks that this goroutine holds, a bit each (R12).
    pub ranks: Cell<u32>,
    /// The stack pointer of a suspended goroutine; stale while it runs.
    pub sp: Cell<usize>,
    /// The next one in whatever list this one is in: a free list or a run queue.
    pub link: Cell<*mut GHeader>,
    /// The lowest usable byte of the stack, just above the guard.
    pub stack_lo: usize,
    /// One past the highest.
    pub stack_hi: usize,
    /// Where the guard begins, below `stack_lo`.
    pub guard_lo: usize,
    /// Which slot of which arena the stack is (`mem::stack`); `NO_SLOT` for the stacks of an M.
    pub slot: u32,
    /// Its stack class.
    pub class: u8,
}

/// `GHeader::slot` of a stack that no arena has.
pub const NO_SLOT: u32 = u32::MAX;

impl GHeader {
    /// A header for the stack `[stack_lo, stack_hi)` whose guard begins at `guard_lo`, with one raise open.
    pub const fn new(guard_lo: usize, stack_lo: usize, stack_hi: usize) -> GHeader {
        GHeader {
            nopreempt: Cell::new(NOTHING_PENDING | 1),
            ranks: Cell::new(0),
            sp: Cell::new(0),
            link: Cell::new(core::ptr::null_mut()),
            stack_lo,
            stack_hi,
            guard_lo,
            slot: NO_SLOT,
            class: 0,
        }
    }

    /// Marks the goroutine: whoever lowers the counter to zero gives way. By the signal handler on its thread.
    #[inline]
    pub fn mark(&self) {
        self.nopreempt.set(self.nopreempt.get() & !NOTHING_PENDING);
    }

    /// Is this `nopreempt` such that a call may be injected here?
    #[inline]
    pub fn may_be_preempted(&self) -> bool {
        self.nopreempt.get() & !NOTHING_PENDING == 0
    }

    /// Is `addr` on this stack, or its end?
    pub fn stack_holds(&self, addr: usize) -> bool {
        (self.stack_lo..=self.stack_hi).contains(&addr)
    }

    /// Is `addr` in the guard below this stack?
    pub fn guards(&self, addr: usize) -> bool {
        (self.guard_lo..self.stack_lo).contains(&addr)
    }
}

/// Offset of `sp`, for the assembly.
pub const SP: usize = core::mem::offset_of!(GHeader, sp);
static_assertions::const_assert_eq!(core::mem::offset_of!(GHeader, nopreempt), 0);
