//! Calls of C, on the C stack of the M, and callbacks from there (R18).
//!
//! 1. A call of C is a system call as the scheduler sees it (`syscalls`): the goroutine stays on its M, without a P, preemption disabled, no signal of
//!    ours sent. A call that lasts has its P taken, and its site marked.
//! 2. A callback goes back to the goroutine's stack, below the frames that wait there for C, gets a P, and runs as any goroutine does; but it stays on
//!    its M (`locked`), for C's frames are on the C stack of that one.
//! 3. Both stacks are used as stacks: each call and each callback begins below the last one, and ends before it. Nobody else uses the C stack meanwhile: a
//!    goroutine without a callback keeps its M to itself by invariant 1, one with a callback by 2.
//!
//! ```text
//!   goroutine's stack                 C stack of the M
//!   +---------------------+           +---------------------+
//!   | go code             |   call    | f, C's frames       |
//!   | Call                | --------> | extern "C" fn …     |
//!   +---------------------+ <-------- | callback            |
//!   | f of the callback   | callback  +---------------------+
//!   | Call                | --------> | f, C's frames       |
//!   +---------------------+   call    +---------------------+
//! ```
//!
//! | the goroutine               | status    | P   | preemption | its M                           |
//! |-----------------------------|-----------|-----|------------|---------------------------------|
//! | runs C                      | `Syscall` | no  | disabled   | its own, by being in a call     |
//! | runs a callback, or waits in it | any   | yes | enabled    | its own, by being locked to it  |
//!
//! Rejected: to keep the P during short calls (C takes no part in preemption: it would hold everybody up behind it); to run callbacks on goroutines of their
//! own (C's thread-local state and its frames belong to this thread, and it waits for the result).

use super::locked;
use super::syscalls::{self, Inside, Site};
use crate::arch::foreign::{gort_call_on, stack_pointer};
use crate::arch::tls;
use crate::base::NoPreempt;
use crate::base::throw;
use crate::gmp::counters::FFI_CALLS_WITHOUT_P;
use crate::gmp::{G, P};
use crate::sys::Errno;
use core::cell::Cell;
use core::mem::{ManuallyDrop, MaybeUninit};
use core::ptr;
use core::sync::atomic::Ordering::Relaxed;

/// A call of C that is under way, on the goroutine's stack.
struct Call {
    site: Site,
    /// Below this nothing of the goroutine's stack is in use while C runs.
    sp: Cell<usize>,
    /// None while a callback runs; and always, if it is made inside `syscall::blocking`.
    inside: Cell<Option<Inside>>,
}

/// A closure that is called on another stack, and its result.
struct Slot<F, T> {
    f: ManuallyDrop<F>,
    result: MaybeUninit<T>,
}

impl<F: FnOnce() -> T, T> Slot<F, T> {
    fn new(f: F) -> Slot<F, T> {
        Slot { f: ManuallyDrop::new(f), result: MaybeUninit::uninit() }
    }

    /// # Safety
    /// `slot` is one, not yet run.
    unsafe extern "C" fn run(slot: *mut u8) {
        // SAFETY: the caller's contract.
        let slot = unsafe { &mut *slot.cast::<Slot<F, T>>() };
        // SAFETY: it is taken once.
        slot.result.write(unsafe { ManuallyDrop::take(&mut slot.f) }());
    }
}

/// Calls `f` on the C stack of this M. `site`: where in the program the call is made. An error: there is no memory for the stack.
#[inline]
pub fn call<F: FnOnce() -> T, T>(site: usize, f: F) -> Result<T, Errno> {
    let nopreempt = NoPreempt::new();
    let m = G::current_m(&nopreempt);
    m.c_stack.ensure()?;
    // SAFETY: R1: the running goroutine is ours, and stays on this stack.
    let g = unsafe { &*G::current().as_ptr() };
    let mut inside = None;
    let site = Site::new(site, false);
    if let Some(p) = P::current_or_none(&nopreempt) {
        p.counters.ffi_calls.add(1);
        inside = Some(syscalls::enter(&nopreempt, site));
    } else {
        FFI_CALLS_WITHOUT_P.fetch_add(1, Relaxed);
        if m.c_stack.contains(stack_pointer()) {
            // A call inside a call: this is the C stack.
            return Ok(f());
        }
    }
    let call = Call { site, sp: Cell::new(0), inside: Cell::new(inside) };
    let outer = g.foreign.replace((&raw const call).cast());
    let mut slot = Slot::new(f);
    // SAFETY: invariant 3: below its `sp` the C stack is free. The slot is one.
    unsafe { gort_call_on(m.c_stack.sp().get() & !15, Slot::<F, T>::run, (&raw mut slot).cast(), call.sp.as_ptr()) };
    g.foreign.set(outer);
    if let Some(inside) = call.inside.take() {
        syscalls::leave(&nopreempt, inside);
    }
    // SAFETY: `run` has returned.
    Ok(unsafe { slot.result.assume_init() })
}

/// A callback on its way to the goroutine's stack.
struct Back<F, T> {
    slot: Slot<F, T>,
    call: *const Call,
    inside: MaybeUninit<Inside>,
}

/// From C: calls `f` as the goroutine that called C. On a goroutine's own stack it just calls `f`.
pub fn callback<F: FnOnce() -> T, T>(f: F) -> T {
    if !tls::p().is_null() {
        return f();
    }
    // Without a P, so in a call: preemption is disabled by it, and this M is ours.
    // SAFETY: that raise is lowered by who made it.
    let in_call = ManuallyDrop::new(unsafe { NoPreempt::adopt() });
    let m = G::current_m(&in_call);
    // SAFETY: R1: the running goroutine is ours.
    let g = unsafe { &*G::current().as_ptr() };
    // SAFETY: invariant 3: the record stays on its stack until its call has returned.
    let call = unsafe { g.foreign.get().cast::<Call>().as_ref() }.filter(|_| m.c_stack.contains(stack_pointer()));
    let Some((call, inside)) = call.and_then(|call| Some((call, call.inside.take()?))) else {
        throw!("ffi: goroutine {} calls back from inside syscall::blocking, where it has no P to run with", g.id());
    };
    let mut back = Back { slot: Slot::new(f), call, inside: MaybeUninit::new(inside) };
    let sp = m.c_stack.sp();
    let before = sp.get();
    // SAFETY: invariant 3: below the record's pointer the goroutine's stack is free; there is no red zone at a call.
    unsafe { gort_call_on(call.sp.get() & !15, run_back::<F, T>, (&raw mut back).cast(), sp.as_ptr()) };
    sp.set(before);
    // SAFETY: `run_back` has returned.
    unsafe { back.slot.result.assume_init() }
}

/// On the goroutine's stack: invariant 2.
///
/// # Safety
/// `back` is a `Back`, not yet run.
unsafe extern "C" fn run_back<F: FnOnce() -> T, T>(back: *mut u8) {
    // SAFETY: the caller's contract; the record stands until C returns.
    let (back, call) = unsafe { (&mut *back.cast::<Back<F, T>>(), &*(*back.cast::<Back<F, T>>()).call) };
    {
        // SAFETY: the raise of the call; it is lowered here, and open again when C goes on.
        let nopreempt = unsafe { NoPreempt::adopt() };
        // SAFETY: written by `callback`, and read once.
        syscalls::leave(&nopreempt, unsafe { ptr::from_ref(&back.inside).cast::<Inside>().read() });
        locked::callback_begins(&nopreempt);
    }
    // SAFETY: as the caller's contract says.
    unsafe { Slot::<F, T>::run((&raw mut back.slot).cast()) };
    let nopreempt = ManuallyDrop::new(NoPreempt::new());
    locked::callback_ends(&nopreempt);
    call.inside.set(Some(syscalls::enter(&nopreempt, call.site)));
}

/// Below this nothing of the stack of `g` is in use, which runs C; none if it does not.
pub fn stack_pointer_of(g: &G) -> Option<usize> {
    // SAFETY: invariant 3; the goroutine stands still, or is the caller's.
    unsafe { g.foreign.get().cast::<Call>().as_ref() }.map(|call| call.sp.get() & !7)
}
