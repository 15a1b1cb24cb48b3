//! GOMAXPROCS: making Ps, and changing how many there are.
//!
//! 1. Ps are made in order and never freed: one that goes away waits as `Dead`, with empty queues, for GOMAXPROCS to grow again.
//! 2. What was runnable on a P that goes away moves to the global queue; its caches go back.
//! 3. Where the kernel has no memory for more Ps, there are fewer: GOMAXPROCS is what could be made.

use super::{find, idle, queue, world};
use crate::arch::cpu;
use crate::base::NoPreempt;
use crate::base::heap::TimeHeap;
use crate::base::lock::{Lock, Rank};
use crate::base::rng::Rng;
use crate::base::tune::MAX_PROCS;
use crate::gmp::p::PStatus;
use crate::gmp::{G, P, SCHED};
use crate::sys::{Errno, memory};
use core::ptr;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Makes P number `id`, if it is not there yet.
fn make(id: u32) -> Result<&'static P, Errno> {
    let word = &SCHED.all_ps()[id as usize];
    // SAFETY: Ps are never freed.
    if let Some(p) = unsafe { word.load(Acquire).as_ref() } {
        return Ok(p);
    }
    let p = memory::map(size_of::<P>().next_multiple_of(memory::PAGE))?.cast::<P>().as_ptr();
    // SAFETY: the mapping is new and zero, which is a P with nothing to do but for these fields; nobody has seen it.
    unsafe {
        (*p).id = id;
        (&raw mut (*p).timers).write(Lock::new(Rank::Timers, TimeHeap::new()));
        (*p).next_timer_ns = AtomicU64::new(u64::MAX);
        (*p).rng = Rng::new(cpu::ticks() ^ u64::from(id).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }
    word.store(p, Release);
    // SAFETY: as above.
    Ok(unsafe { &*p })
}

/// Makes the first `count` Ps, at start. The first is for the caller, who holds it; the others are stopped.
pub fn init(count: u32) -> Result<&'static P, Errno> {
    let made = make_up_to(count.min(MAX_PROCS))?;
    SCHED.procs.store(made, Relaxed);
    Ok(SCHED.p(0))
}

/// Makes Ps until there are `count`, or no memory; says how many there are, one at least.
fn make_up_to(count: u32) -> Result<u32, Errno> {
    for id in 0..count {
        match make(id) {
            Ok(_) => {}
            Err(error) if id == 0 => return Err(error),
            Err(_) => return Ok(id),
        }
    }
    Ok(count)
}

/// Changes the number of Ps. The caller holds the world's lock.
pub fn resize(nopreempt: &NoPreempt, count: u32) {
    world::stop(nopreempt);
    let before = SCHED.procs.load(Relaxed);
    // There is a first one already, so this does not fail.
    let count = make_up_to(count.min(MAX_PROCS)).unwrap_or(before);
    for id in before..count {
        SCHED.p(id).status.store(PStatus::Stopped as u8, Relaxed);
    }
    for id in count..before {
        let p = SCHED.p(id);
        queue::drain(p, &mut SCHED.locked.lock());
        idle::flush_caches(p);
        p.status.store(PStatus::Dead as u8, Relaxed);
        p.m.store(ptr::null_mut(), Relaxed);
    }
    SCHED.procs.store(count, Release);
    if P::current(nopreempt).id >= count {
        let (m, p) = (G::current_m(nopreempt), SCHED.p(0));
        idle::acquire(m, p);
        find::begin_slice(m, p, 0);
    }
    world::start(nopreempt);
}
