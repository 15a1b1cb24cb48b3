//! GOMAXPROCS: making Ps, and changing how many there are.
//!
//! 1. Ps are made in order and never freed: one that goes away waits as `Dead`, with empty queues, for GOMAXPROCS to grow again.
//! 2. What was runnable on a P that goes away moves to the global queue; its caches go back.
//! 3. Where the kernel has no memory for more Ps, there are fewer: GOMAXPROCS is what could be made.
//! 4. It follows the CPUs that may be used only where the environment asks for it (`updatemaxprocs=1`), and until a call or the environment sets it.
//!    sysmon counts them, at most once a second; an M with a P makes the change, on g0, for sysmon has no P and cannot stop the world. While it is to be
//!    made sysmon asks each time that it looks: somebody else may have the world nearly all the time.

use super::world::Owner;
use super::{find, idle, queue, reap, sysmon, world};
use crate::arch::cpu;
use crate::base::NoPreempt;
use crate::base::heap::TimeHeap;
use crate::base::lock::{Lock, Rank};
use crate::base::rng::Rng;
use crate::base::tune::{COUNT_CPUS_EACH_NS, MAX_PROCS};
use crate::gmp::p::PStatus;
use crate::gmp::{G, P, SCHED, cpus, env, sampling};
use crate::sys::alarm::NEVER;
use crate::sys::clock::monotonic_ns;
use crate::sys::{self, Errno, memory};
use core::ptr;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};

/// Does GOMAXPROCS follow the CPUs that may be used? Once false it stays so. Changed by the world's owner.
static FOLLOWS: AtomicBool = AtomicBool::new(false);
/// When sysmon counts them next.
static COUNT_AT: AtomicU64 = AtomicU64::new(NEVER);
/// What sysmon wants GOMAXPROCS to be; 0: nothing.
static WANTED: AtomicU32 = AtomicU32::new(0);

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
        (*p).sample_left = AtomicU32::new(sampling::first_countdown());
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

/// How many Ps there are to be at first. Only if the environment does not say it, the quota's files are read now.
pub fn first_count() -> u32 {
    SCHED.by_affinity.store(sys::cpu::count(), Relaxed);
    if let Some(given) = env::var(b"GOMAXPROCS").and_then(env::positive) {
        return given;
    }
    FOLLOWS.store(env::godebug_number(b"updatemaxprocs") != 0, Relaxed);
    num_cpu()
}

/// The CPUs that this process could use at its start, or, as far as the quota goes, when this was first asked.
pub fn num_cpu() -> u32 {
    let known = SCHED.cpus.load(Relaxed);
    if known != 0 {
        return known;
    }
    let counted = cpus::usable(SCHED.by_affinity.load(Relaxed));
    // The first of several who ask at once is right.
    SCHED.cpus.compare_exchange(0, counted, Relaxed, Relaxed).map_or_else(|first| first, |_| counted)
}

/// Has sysmon watch the CPUs, if GOMAXPROCS is to follow them. Called by main's goroutine as it begins.
pub fn follow() {
    if FOLLOWS.load(Relaxed) {
        COUNT_AT.store(monotonic_ns() + COUNT_CPUS_EACH_NS, Relaxed);
        sysmon::ensure();
    }
}

/// On sysmon: counts the CPUs if it is time. True: GOMAXPROCS is to change; an M that holds a P must call `change_if_wanted`.
#[inline(never)]
pub fn is_to_change(now: u64) -> bool {
    if COUNT_AT.load(Relaxed) <= now {
        count_again();
    }
    WANTED.load(Relaxed) != 0
}

#[cold]
fn count_again() {
    if !FOLLOWS.load(Relaxed) {
        return COUNT_AT.store(NEVER, Relaxed);
    }
    let count = cpus::usable(sys::cpu::count());
    COUNT_AT.store(monotonic_ns() + COUNT_CPUS_EACH_NS, Relaxed);
    // Also where nothing has changed: what was wanted a second ago, and not done yet, is void.
    WANTED.store(if count == SCHED.procs.load(Relaxed) { 0 } else { count }, Release);
}

/// On g0: makes the change that sysmon wants, if any. The M may hold another P afterwards.
#[cold]
pub fn change_if_wanted(nopreempt: &NoPreempt) {
    if WANTED.load(Relaxed) == 0 {
        return;
    }
    let Some(owner) = world::try_own() else { return };
    let wanted = WANTED.swap(0, AcqRel);
    if wanted != 0 && FOLLOWS.load(Relaxed) {
        resize(&owner, nopreempt, wanted);
    }
}

/// Sets GOMAXPROCS from now on to `count`, whatever becomes of the CPUs. Returns the number before.
pub fn set(count: u32) -> u32 {
    let owner = world::own();
    FOLLOWS.store(false, Relaxed);
    let before = SCHED.procs.load(Relaxed);
    if count != before {
        resize(&owner, &NoPreempt::new(), count);
    }
    before
}

/// Changes the number of Ps.
#[cold]
fn resize(_: &Owner, nopreempt: &NoPreempt, count: u32) {
    reap::begin();
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
    let idle = SCHED.locked.lock().idle_m_count;
    reap::soon(idle);
}
