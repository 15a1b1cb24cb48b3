//! A program that dies holds still, so that its goroutines can be traced: every other thread that may run one stops where it is, for ever.
//!
//! 1. By one who prints the death of the program, once; nothing is ever thawed.
//! 2. It takes no lock that the broken program may hold, but by trying; it waits for a bounded time. What has not stopped by then is not traced.
//! 3. A thread that has stopped is in the handler of SIGURG, its registers in that handler's frame (`M::frozen`).
//! 4. Threads without a P are left alone: their goroutines are in system calls, and have noted where (`syscalls::call`). When they come back they get no P.

use super::preempt;
use crate::arch::tls;
use crate::gmp::sched::STOPPING;
use crate::gmp::{G, M, P, SCHED};
use crate::sys::clock::monotonic_ns;
use crate::sys::cpu::sched_yield;
use crate::sys::futex;
use crate::sys::signal::UContext;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Acquire, Ordering::Relaxed, Ordering::Release, Ordering::SeqCst};

/// For as long the others have to stop.
const WAIT_NS: u64 = 200_000_000;

static FREEZING: AtomicBool = AtomicBool::new(false);
static FOREVER: AtomicU32 = AtomicU32::new(0);

/// The Ms that hold a P, but this one.
#[inline(never)]
fn others(visit: &mut dyn FnMut(&'static M)) {
    let me = tls::m().cast::<M>();
    SCHED.for_each_p(|p: &P| {
        let m = p.m.load(Acquire);
        if !m.is_null() && m != me {
            // SAFETY: an M that a P names lives; if the lock could be had, none ends meanwhile.
            visit(unsafe { &*m });
        }
    });
}

/// Stops all others, as far as that goes.
#[cold]
#[inline(never)]
pub fn all_others() {
    SCHED.idle.0.fetch_or(STOPPING, SeqCst);
    FREEZING.store(true, SeqCst);
    // For ever, if it can be had: then no M ends while it is looked at.
    for _ in 0..1000 {
        if let Some(guard) = SCHED.locked.try_lock() {
            core::mem::forget(guard);
            break;
        }
        sched_yield();
    }
    if preempt::can_stop_threads() {
        others(&mut |m| preempt::send_to(m.tid.load(Relaxed)));
        let end = monotonic_ns() + WAIT_NS;
        let mut waits = true;
        while waits && monotonic_ns() < end {
            waits = false;
            others(&mut |m| waits |= m.frozen.load(Acquire).is_null());
            if waits {
                sched_yield();
            }
        }
    }
}

/// In the handler of SIGURG: is the program dying? Then this does not return.
#[inline(always)]
pub fn hold(m: &M, context: *mut UContext) {
    // SeqCst: who dies takes a thread that `glance` holds for one that stands still. It has read `frozen` before that was cleared, so this is seen.
    if FREEZING.load(SeqCst) {
        hold_for_ever(m, context);
    }
}

#[cold]
#[inline(never)]
fn hold_for_ever(m: &M, context: *mut UContext) -> ! {
    m.frozen.store(context, Release);
    loop {
        let _ = futex::wait(&FOREVER, 0, None);
    }
}

/// The M that runs `g`; none if none does.
pub fn m_of(g: *const G) -> Option<&'static M> {
    let mut found = None;
    others(&mut |m| {
        // SAFETY: a word of the thread's block: the last one if it stands still; else it is a guess.
        if ptr::eq(unsafe { (&raw const m.tls.g).read_volatile() }.cast(), g) {
            found = Some(m);
        }
    });
    found
}

/// Where it was stopped, if it was.
pub fn registers(m: &M) -> Option<&'static UContext> {
    // SAFETY: null, or the kernel's frame on a signal stack whose thread stands still.
    unsafe { m.frozen.load(Acquire).as_ref() }
}
