//! M: a thread that we made, with its TLS block, its g0 stack and its signal stack.
//!
//! ```text
//!   one mapping a thread
//!   +-------+--------------+-------+-----------------+-------+-------------+
//!   | guard | signal stack | guard | g0 stack        | image | M           |
//!   +-------+--------------+-------+-----------------+-------+-------------+
//!   base                                                     fs
//! ```
//!
//! 1. fs points to the M: its first field is the TLS block.
//! 2. g0 and the signal stack are Gs with preemption disabled for ever (R1).
//! 3. `next_p` is set by who wakes or makes the M, before it does; the M takes it over as it starts.
//! 4. The thread's copy of the `__thread` variables of linked C lies right below fs (`image`); without linked C nothing lies there. g0's stack
//!    begins below it, so that both share a page.

use super::image::Image;
use super::{G, P};
use crate::arch::GHeader;
use crate::arch::block::Tls;
use crate::base::note::Note;
use crate::base::tune::{G0_STACK_BYTES, GUARD_BYTES, SIGNAL_STACK_BYTES};
use crate::mem::stack::CStack;
use crate::sys::signal::{SigSet, UContext};
use crate::sys::{Errno, memory};
use core::cell::Cell;
use core::ffi::CStr;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32};

/// The name of a thread of the runtime's own, and what it does.
pub type Body = (&'static CStr, fn() -> !);

/// What a handler does with the registers that it will return to.
pub type Cutter = fn(&M, &mut UContext);

/// What g0 does for a goroutine that has left its stack, where one 32-bit store is not enough.
pub type G0Call = unsafe fn(*mut G);

/// See the head of this file.
#[repr(C)]
pub struct M {
    /// What fs points to.
    pub tls: Tls,
    /// The goroutine of the scheduler's own stack.
    pub g0: G,
    /// That of the signal stack.
    pub gsignal: G,
    /// Its number, from 0.
    pub id: u32,
    /// Its thread id, once it runs.
    pub tid: AtomicU32,
    /// Is it looking for work, counted in `SCHED.idle`?
    pub spinning: Cell<bool>,
    /// The P that it will hold as it wakes.
    pub next_p: AtomicPtr<P>,
    /// It sleeps here when there is nothing to do.
    pub note: Note,
    /// Has it been woken, and found nothing yet?
    pub just_woken: Cell<bool>,
    /// Under the scheduler's lock: the P that it let go of for a stop of the world, and gets back afterwards if it can; null else.
    pub stopped_with: Cell<*mut P>,
    /// Under the scheduler's lock: is it in the list of idle Ms?
    pub is_idle: Cell<bool>,
    /// Under the scheduler's lock: its neighbours there.
    pub idle_next: Cell<*mut M>,
    /// See `idle_next`.
    pub idle_prev: Cell<*mut M>,
    /// Under the scheduler's lock: its neighbours among all Ms.
    pub all_next: Cell<*mut M>,
    /// See `all_next`.
    pub all_prev: Cell<*mut M>,
    /// The goroutine that is locked to it; null if none is (`sched::locked`).
    pub locked_g: Cell<*mut G>,
    /// Its thread ends as soon as g0 runs: a goroutine that was locked to it has ended.
    pub ends: Cell<bool>,
    /// Under the scheduler's lock: does it sleep until its locked goroutine is to run?
    pub waits_for_turn: Cell<bool>,
    /// What g0 is to do first, for which goroutine.
    pub call: Cell<Option<(G0Call, *mut G)>>,
    /// The signal mask that its thread starts with: that of who made it.
    pub mask: Cell<SigSet>,
    /// What it does instead of running goroutines, and its name: sysmon, the template thread.
    pub body: Cell<Option<Body>>,
    /// Somebody wants the goroutine on this thread to give way, and has sent a signal to say so.
    pub preempt_pending: AtomicBool,
    /// Which slice of its P is to end.
    pub preempt_slice: AtomicU32,
    /// What its handler of SIGURG does while it is in a system call that can be cancelled (`sched::cancel`).
    pub cutter: Cell<Option<Cutter>>,
    /// Its thread stands still for a trace, for a moment (`sched::glance`) or for ever (`sched::freeze`): the registers that it was interrupted with.
    pub frozen: AtomicPtr<UContext>,
    /// So often `nopreempt` is raised where such a call is made.
    pub cut_depth: Cell<u32>,
    /// How many of the calls that this thread is in have been cancelled: one, as a rule.
    pub cancels: AtomicU32,
    /// Has this thread asked the kernel for exact timeouts?
    pub exact_timeouts: Cell<bool>,
    /// Where commits that commit nothing store.
    pub scratch: Cell<u32>,
    /// The stack that C runs on here (`sched::foreign`).
    pub c_stack: CStack,
    base: *mut u8,
    bytes: usize,
    signal_stack: (*mut u8, usize),
}

impl M {
    /// Maps and fills an M. Its thread does not exist yet.
    pub fn new(id: u32, signal_bytes: usize, canary: u64) -> Result<*mut M, Errno> {
        let image = Image::of_program();
        let layout = Layout::new(signal_bytes, &image);
        let base = memory::map(layout.bytes)?.as_ptr();
        let (signal, g0) = (base as usize + GUARD_BYTES, base as usize + layout.g0);
        for guard in [base as usize, g0 - GUARD_BYTES] {
            // SAFETY: the mapping is new. Without a guard (a limit of VMAs) the thread works all the same.
            unsafe { memory::guard(guard as *mut u8, GUARD_BYTES).or_else(|_| memory::protect(guard as *mut u8, GUARD_BYTES)) }.ok();
        }
        let m = (base as usize + layout.m).next_multiple_of(image.align) as *mut M;
        let g0_bytes = ((m as usize - image.distance) & !15) - g0;
        // SAFETY: the layout has room for the image below fs; the mapping is new, so nobody else has it, and it is zero.
        unsafe { image.write_below(m as usize) };
        let header = |lo: usize, len: usize| GHeader::new(lo - GUARD_BYTES, lo, lo + len);
        // SAFETY: the mapping has room for it, and nobody has seen it.
        unsafe {
            m.write(M {
                tls: Tls { this: m.cast(), g: &raw mut (*m).g0.header, m: m.cast(), cache: ptr::null_mut(), p: ptr::null_mut(), canary },
                g0: G::of_m(header(g0, g0_bytes)),
                gsignal: G::of_m(header(signal, layout.signal_bytes)),
                id,
                tid: AtomicU32::new(0),
                spinning: Cell::new(false),
                next_p: AtomicPtr::new(ptr::null_mut()),
                note: Note::new(),
                just_woken: Cell::new(false),
                stopped_with: Cell::new(ptr::null_mut()),
                is_idle: Cell::new(false),
                idle_next: Cell::new(ptr::null_mut()),
                idle_prev: Cell::new(ptr::null_mut()),
                all_next: Cell::new(ptr::null_mut()),
                all_prev: Cell::new(ptr::null_mut()),
                locked_g: Cell::new(ptr::null_mut()),
                ends: Cell::new(false),
                waits_for_turn: Cell::new(false),
                call: Cell::new(None),
                mask: Cell::new(SigSet::ALL),
                body: Cell::new(None),
                preempt_pending: AtomicBool::new(false),
                preempt_slice: AtomicU32::new(0),
                cutter: Cell::new(None),
                frozen: AtomicPtr::new(ptr::null_mut()),
                cut_depth: Cell::new(0),
                cancels: AtomicU32::new(0),
                exact_timeouts: Cell::new(false),
                scratch: Cell::new(0),
                c_stack: CStack::none(),
                base,
                bytes: layout.bytes,
                signal_stack: (signal as *mut u8, layout.signal_bytes),
            });
        }
        Ok(m)
    }

    /// The mapping, for the thread's end.
    pub fn mapping(&self) -> (*mut u8, usize) {
        (self.base, self.bytes)
    }

    /// May the program have changed this thread's state (namespaces, credentials, affinity, mask)? Then no thread is made from it.
    pub fn is_tainted(&self) -> bool {
        !self.locked_g.get().is_null() || self.ends.get()
    }

    /// The signal stack.
    pub fn signal_stack(&self) -> (*mut u8, usize) {
        self.signal_stack
    }
}

/// Where things lie in the mapping, from its begin.
#[derive(Debug, PartialEq, Eq)]
struct Layout {
    signal_bytes: usize,
    /// g0's stack.
    g0: usize,
    /// The M, or up to the image's alignment less a page before it.
    m: usize,
    /// All of it.
    bytes: usize,
}

impl Layout {
    fn new(signal_bytes: usize, image: &Image) -> Layout {
        let signal_bytes = signal_bytes.max(SIGNAL_STACK_BYTES).next_multiple_of(memory::PAGE);
        let g0 = GUARD_BYTES + signal_bytes + GUARD_BYTES;
        let m = g0 + G0_STACK_BYTES + image.distance.next_multiple_of(memory::PAGE);
        // A mapping begins at a page. Who needs more than that gets it by what is left over.
        let spare = image.align.saturating_sub(memory::PAGE);
        Layout { signal_bytes, g0, m, bytes: (m + spare + size_of::<M>()).next_multiple_of(memory::PAGE) }
    }
}

static_assertions::const_assert_eq!(core::mem::offset_of!(M, tls), 0);
static_assertions::const_assert!(align_of::<M>() <= memory::PAGE);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_makes_room_for_itself_and_none_takes_nothing() {
        let none = Layout::new(0, &Image::NONE);
        assert_eq!(none.m, none.g0 + G0_STACK_BYTES);
        assert_eq!(none.bytes, (none.m + size_of::<M>()).next_multiple_of(memory::PAGE));
        for (distance, align) in [(4, 4), (64, 64), (4096, 8), (4097, 1), (70_000, 4096), (1 << 16, 1 << 16)] {
            let with = Layout::new(0, &Image::of(distance, align));
            assert!(with.m - distance >= with.g0 + G0_STACK_BYTES);
            // Wherever the kernel maps it, the M is inside.
            for page in 0..32 {
                let base = 0x7000_0000_0000 + page * memory::PAGE;
                let m = (base + with.m).next_multiple_of(align);
                assert!(m + size_of::<M>() <= base + with.bytes, "{distance} {align} {page}");
            }
        }
    }
}
