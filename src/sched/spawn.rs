//! `go`: a new goroutine (R9, R19).
//!
//! 1. The closure is moved to the top of the new stack, below the descriptor: no allocation. A large one is boxed by the caller.
//! 2. The child goes to the P's fresh spawns, and the parent goes on. With 32 or more spawns waiting the child runs at once instead and the
//!    parent takes its place among them: few stacks are ever started at a time. (In the ring, first in first out, the parents of a deep
//!    tree would take turns, and go across it.)
//! 3. If some P is idle or looks for work, the fresh spawns are published at once.

use super::park::{leave, no_commit};
use super::{exit, extras, pick, queue, wake};
use crate::arch::switch::prepare;
use crate::base::NoPreempt;
use crate::base::tune::{CLOSURE_ON_STACK_BYTES, GOID_BATCH, SPAWN_CHILD_FIRST, STACK_CLASS_DEFAULT};
use crate::gmp::sched::{HIDE_NOTHING, STOPPING};
use crate::gmp::{G, P, SCHED, Status, sampling};
use crate::mem::stack;
use crate::sys::Errno;
use alloc::boxed::Box;
use core::ptr;
use core::sync::atomic::Ordering::Relaxed;

/// How many free stacks a P takes from the central list at a time.
const REFILL: u32 = 32;

/// Starts a goroutine that calls `f` on a stack of the default class; a large closure is boxed.
#[inline]
pub fn go<F, R>(made_at: usize, f: F)
where
    F: FnOnce() -> R + Send + 'static,
{
    let result = if size_of::<F>() > CLOSURE_ON_STACK_BYTES {
        let f = Box::new(f);
        spawn(STACK_CLASS_DEFAULT, made_at, move || drop(f()))
    } else {
        spawn(STACK_CLASS_DEFAULT, made_at, move || drop(f()))
    };
    result.unwrap_or_else(|error| no_stack(error));
}

/// Makes a goroutine that calls `f` on a stack of `class`. Error: no memory for its stack.
#[inline]
pub fn spawn<F: FnOnce() + Send + 'static>(class: usize, made_at: usize, f: F) -> Result<(), Errno> {
    if class != STACK_CLASS_DEFAULT {
        // For the default class it is done where a first stack is needed.
        super::sysmon::ensure();
    }
    // SAFETY: `'static`: whatever `f` holds is there for as long as the goroutine runs.
    unsafe { spawn_unbounded(class, made_at, f) }
}

/// As `spawn`, for closures that borrow.
///
/// # Safety
/// What `f` borrows outlives the goroutine: the caller waits for it (`scope`).
#[inline]
pub unsafe fn spawn_unbounded<F: FnOnce() + Send>(class: usize, made_at: usize, f: F) -> Result<(), Errno> {
    let nopreempt = NoPreempt::new();
    let p = P::current(&nopreempt);
    // SAFETY: the caller's contract.
    let g = unsafe { make(p, class, made_at, f) }?;
    start(&nopreempt, p, g);
    Ok(())
}

/// Makes a runnable goroutine and gives it to the caller, who puts it into a queue. For those on g0, who must not switch.
///
/// `made_at` is an address in the function that makes it, for traces; 0: the runtime does.
///
/// # Safety
/// As for `spawn_unbounded`; the caller holds `p`.
#[inline(always)]
pub unsafe fn make<F: FnOnce() + Send>(p: &P, class: usize, made_at: usize, f: F) -> Result<*mut G, Errno> {
    let g = take_stack(p, class)?;
    // SAFETY: R9: the stack is ours alone; the closure fits, for its size is bounded by the callers.
    unsafe {
        let at = ((*g).header.stack_hi - size_of::<F>()) & !(align_of::<F>().max(16) - 1);
        (at as *mut F).write(f);
        prepare(g.cast(), at, exit::entry::<F>, at as *mut u8);
        (*g).started.set(false);
        (*g).id.store(next_id(p), Relaxed);
        (*g).parent.set(G::current().as_ref().id());
        (*g).made_at.set(made_at);
        (*g).set_status(Status::Runnable);
        extras::made(&*g);
    }
    sampling::runnable(p, g);
    p.counters.created.add(1);
    Ok(g)
}

/// Invariants 2 and 3. Inlined, as `child_first` and for its sake.
#[inline(always)]
fn start(nopreempt: &NoPreempt, p: &P, g: *mut G) {
    let idle = SCHED.idle.0.load(Relaxed);
    if p.fresh.len() + p.ring.len() >= SPAWN_CHILD_FIRST {
        return child_first(nopreempt, p, g);
    }
    p.fresh.push(g);
    if idle != 0 {
        queue::publish(p);
        wake::one_more();
    }
}

/// Runs the child now; the parent waits among the fresh spawns.
///
/// Inlined: a return after the switch is predicted wrong, which costs the parent 15 ns.
#[inline(always)]
fn child_first(nopreempt: &NoPreempt, p: &P, g: *mut G) {
    p.counters.child_first.add(1);
    let idle = SCHED.idle.0.load(Relaxed);
    if idle != 0 {
        queue::publish(p);
        wake::one_more();
    }
    let mut next = g;
    queue::make_room(p);
    if pick::tick(p) || idle & (STOPPING | HIDE_NOTHING) != 0 || p.request.load(Relaxed) != 0 {
        // g0 looks after the others first, or shows them.
        p.fresh.push(g);
        next = ptr::null_mut();
    }
    // The parent is the newest among the private ones, so it goes on before what is older: depth first. Nobody else sees it there, so it may
    // be in the queue before it has left its stack; thieves get it once this P publishes.
    let parent = G::current();
    p.fresh.push(parent.as_ptr());
    // SAFETY: R3: the parent is in a queue that only this P reads, and this P reads it next after the switch; the child is new and ours.
    unsafe {
        parent.as_ref().set_status(Status::Runnable);
        sampling::runnable(p, parent.as_ptr());
        leave(nopreempt, parent, next, no_commit(nopreempt));
    }
}

#[inline]
fn take_stack(p: &P, class: usize) -> Result<*mut G, Errno> {
    if class == STACK_CLASS_DEFAULT {
        // SAFETY: R1: this P is ours while preemption is disabled, and nothing below touches the list through another reference.
        let stacks = unsafe { p.stacks() };
        let mut header = stacks.pop();
        if header.is_null() {
            super::sysmon::ensure();
            stack::take_free(class, REFILL, stacks);
            header = stacks.pop();
        }
        if !header.is_null() {
            return Ok(header.cast());
        }
    }
    stack::alloc(class).map(|header| header.cast())
}

/// Goroutine ids are taken from the global counter in batches.
#[inline]
fn next_id(p: &P) -> u64 {
    if p.next_id.get() == p.end_id.get() {
        let first = SCHED.next_goid.fetch_add(GOID_BATCH, Relaxed);
        p.next_id.set(first);
        p.end_id.set(first + GOID_BATCH);
    }
    let id = p.next_id.get();
    p.next_id.set(id + 1);
    id
}

/// There is no memory for a goroutine's stack: fatal, as in Go.
#[cold]
pub fn no_stack(error: Errno) -> ! {
    crate::base::throw!("out of memory: no stack for a new goroutine: {error}")
}
