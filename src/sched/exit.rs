//! The life of a goroutine between its first instruction and its end: `entry`, `exit`, `goexit`.
//!
//! 1. The usual end reuses the stack: it goes on top of the P's own list, and is left for the next goroutine in the same breath (R4).
//! 2. `goexit` ends a goroutine whose frames nobody unwinds. Deferred calls run, open scopes are waited for, and the stack is kept for ever:
//!    somebody may still borrow from it (R17).
//! 3. Main's goroutine ends by `goexit` only; its return ends the process (`start`).

use super::{defer, extras, locked, pick, scope};
use crate::arch::switch::jump;
use crate::base::tune::{STACK_CACHE, STACK_CLASS_DEFAULT};
use crate::base::{NoPreempt, throw};
use crate::gmp::g::GPtr;
use crate::gmp::{G, P, SCHED, Status};
use crate::mem::stack;
use core::sync::atomic::Ordering::Relaxed;

/// The first Rust function of a goroutine.
///
/// # Safety
/// Called by `gort_go` with the closure that `spawn` wrote, once.
pub unsafe extern "C" fn entry<F: FnOnce()>(closure: *mut u8) -> ! {
    // SAFETY: a new goroutine starts with one raise open; it is lowered here.
    drop(unsafe { NoPreempt::adopt() });
    // SAFETY: R1: the running goroutine is ours.
    unsafe { G::current().as_ref() }.started.set(true);
    // SAFETY: the caller's contract.
    let f = unsafe { closure.cast::<F>().read() };
    f();
    exit()
}

/// Ends the running goroutine, after its deferred calls. Its stack will be used again.
pub fn exit() -> ! {
    defer::run_all();
    let nopreempt = NoPreempt::new();
    let (g, p) = (G::current(), P::current(&nopreempt));
    retire(&nopreempt, g, p);
    let next = pick::pick(p);
    // SAFETY: R4: nobody else takes from this P's list of stacks before we have left this one; other classes go by way of g0.
    unsafe {
        if g.as_ref().header.class as usize == STACK_CLASS_DEFAULT {
            let stacks = p.stacks();
            if stacks.count() >= STACK_CACHE {
                let rest = stacks.split_off(STACK_CACHE / 2);
                stack::release(STACK_CLASS_DEFAULT, rest);
            }
            stacks.push(g.as_ptr().cast());
            leave_for_good(&nopreempt, next)
        }
        G::current_m(&nopreempt).call.set(Some((free_stack, g.as_ptr())));
        if !next.is_null() {
            // g0 runs first, so what was picked waits.
            super::queue::push(p, next);
        }
        leave_for_good(&nopreempt, core::ptr::null_mut())
    }
}

/// Ends the running goroutine: runs its deferred calls, waits for its scopes, and leaves its stack as it is.
pub fn goexit() -> ! {
    let g = G::current();
    // SAFETY: R1: the running goroutine is ours; it stays on this stack until the end.
    let me = unsafe { g.as_ref() };
    if !me.foreign.get().is_null() {
        throw!("goexit: goroutine {} is called by C, whose frames it cannot end", me.id());
    }
    defer::run_all();
    scope::wait_for_all(me);
    OnGoexit::call_all(me);
    let nopreempt = NoPreempt::new();
    if me.is_main.get() {
        SCHED.locked.lock().main_exited = true;
    }
    SCHED.kept_stacks.fetch_add(1, Relaxed);
    let p = P::current(&nopreempt);
    retire(&nopreempt, g, p);
    let next = pick::pick(p);
    // SAFETY: invariant 2: nobody uses this stack again.
    unsafe { leave_for_good(&nopreempt, next) }
}

#[inline]
fn retire(nopreempt: &NoPreempt, g: GPtr, p: &P) {
    // SAFETY: R1: the running goroutine is ours.
    let g = unsafe { g.as_ref() };
    if g.locked.get() {
        locked::ended(g, G::current_m(nopreempt));
    }
    g.set_status(Status::Dead);
    extras::ended(g);
    p.counters.finished.add(1);
}

/// Leaves the running stack, for `next` or g0.
///
/// # Safety
/// `next` is runnable and the caller's, or null; nothing on this stack is needed.
unsafe fn leave_for_good(nopreempt: &NoPreempt, next: *mut G) -> ! {
    // SAFETY: R4: as `park::leave`.
    unsafe {
        let to = if next.is_null() {
            &raw const G::current_m(nopreempt).g0.header
        } else {
            super::park::start_running(next);
            &raw const (*next).header
        };
        jump(to.cast_mut(), super::park::no_commit(nopreempt))
    }
}

/// On g0: the stack of a goroutine that has ended goes to its class.
unsafe fn free_stack(g: *mut G) {
    // SAFETY: R3: it has left its stack, and nobody knows it any more.
    unsafe { stack::free(g.cast()) };
}

/// A call that a goroutine makes if it ends by `goexit` inside `guard`: instead of what would have come after.
pub struct OnGoexit {
    call: unsafe fn(*const ()),
    word: *const (),
    outer: *const OnGoexit,
}

impl OnGoexit {
    /// Calls `body`. If the goroutine ends inside it, `call(word)` is made; else it is the caller's to make.
    ///
    /// # Safety
    /// `word` is right for `call` for as long as `body` runs.
    pub unsafe fn guard<T>(call: unsafe fn(*const ()), word: *const (), body: impl FnOnce() -> T) -> T {
        // SAFETY: R1: the running goroutine is ours.
        let g = unsafe { &*G::current().as_ptr() };
        let hook = OnGoexit { call, word, outer: g.on_goexit.get().cast() };
        g.on_goexit.set((&raw const hook).cast());
        let result = body();
        g.on_goexit.set(hook.outer.cast());
        result
    }

    /// Calls `body`, then `end`; `end` alone, if the goroutine ends by `goexit` inside `body`.
    pub fn in_any_case<F: Fn()>(body: impl FnOnce(), end: F) {
        unsafe fn call<F: Fn()>(end: *const ()) {
            // SAFETY: R17: it lies in the frame below, which stands.
            unsafe { (*end.cast::<F>())() }
        }
        // SAFETY: `end` stays here while `body` runs.
        unsafe { OnGoexit::guard(call::<F>, (&raw const end).cast(), body) };
        end();
    }

    fn call_all(g: &G) {
        while !g.on_goexit.get().is_null() {
            // SAFETY: R17: the frame of `guard` still stands; nothing unwinds.
            let hook = unsafe { &*g.on_goexit.get().cast::<OnGoexit>() };
            g.on_goexit.set(hook.outer.cast());
            // SAFETY: the contract of `guard`.
            unsafe { (hook.call)(hook.word) };
        }
    }
}
