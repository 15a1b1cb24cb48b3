//! Places where a test may step in: between two steps of a protocol that a test could not hit otherwise.
//!
//! A hook is a function pointer, null in every real program; looking at it costs one load on a path that ends in a system call.

use crate::base::NoPreempt;
use crate::gmp::G;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering::Relaxed};

/// A test's function.
pub type Hook = fn();

static BEFORE_IDLE: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());
static BEFORE_LAST_LOOK: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());
static GOING_ON: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());
static STORM_NS: AtomicU64 = AtomicU64::new(0);
static RECHECKS_THAT_FOUND_WORK: AtomicU64 = AtomicU64::new(0);

/// Has `hook` called by each spinning M that has found nothing, before it becomes idle: what is pushed then, while it still counts as
/// spinning, wakes nobody, and only its last look finds it. On g0: it must not switch.
pub fn set_before_idle(hook: Option<Hook>) {
    BEFORE_IDLE.store(hook.map_or(core::ptr::null_mut(), |hook| hook as *mut ()), Relaxed);
}

/// Has `hook` called by each M that has just become idle and no longer counts as spinning, before its last look. On g0: it must not switch.
pub fn set_before_last_look(hook: Option<Hook>) {
    BEFORE_LAST_LOOK.store(hook.map_or(core::ptr::null_mut(), |hook| hook as *mut ()), Relaxed);
}

/// For a hook before the last look: takes this M from among the idle ones, as if nobody had needed it for long. False: somebody has woken it, or it is the initial one.
pub fn reap_this_m() -> bool {
    super::reap::take_now(G::current_m(&NoPreempt::new()))
}

/// Has `hook` called by each goroutine that was made to give way, as it goes on and before its counter falls: who is asked to give way then is refused
/// for the last time. On its stack, preemption disabled.
pub fn set_going_on(hook: Option<Hook>) {
    GOING_ON.store(hook.map_or(core::ptr::null_mut(), |hook| hook as *mut ()), Relaxed);
}

/// How often the look after `before_idle` has found something.
pub fn rechecks_that_found_work() -> u64 {
    RECHECKS_THAT_FOUND_WORK.load(Relaxed)
}

/// Has sysmon ask every busy P to give way each `ns`, and half of those that do go to the global queue, so that they change threads; 0: as usual.
/// It begins with sysmon's next look.
pub fn storm_preemptions(ns: u64) {
    STORM_NS.store(ns, Relaxed);
}

pub(super) fn preemption_storm_ns() -> u64 {
    STORM_NS.load(Relaxed)
}

pub(super) fn before_idle() {
    call(&BEFORE_IDLE);
}

pub(super) fn before_last_look() {
    call(&BEFORE_LAST_LOOK);
}

pub(super) fn going_on() {
    call(&GOING_ON);
}

fn call(hook: &AtomicPtr<()>) {
    let hook = hook.load(Relaxed);
    if !hook.is_null() {
        // SAFETY: only the setters write the word, and only with a `Hook`.
        let hook: Hook = unsafe { core::mem::transmute(hook) };
        hook();
    }
}

pub(super) fn recheck_found_work() {
    RECHECKS_THAT_FOUND_WORK.fetch_add(1, Relaxed);
}

/// The length of a thread's block (M, g0, signal stack).
pub fn thread_block_bytes() -> usize {
    G::current_m(&NoPreempt::new()).mapping().1
}
