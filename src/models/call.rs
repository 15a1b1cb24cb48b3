//! The system-call word: who owns the P when an M returns while others take it, and signals that are under way as an M enters. The real
//! `base::call_word` and `base::lock`.
//!
//! What it copies, and where it could drift: the order of the steps in `sched::syscalls::{call, leave, hand_off}`, in `sched::preempt::{ask, send, handler}`
//! and in the takers, `sched::sysmon::pass` and `sched::world::ask_all`.

use super::explore;
use crate::base::atomic::{AtomicBool, Ordering::Acquire, Ordering::Relaxed};
use crate::base::call_word::{self, CallWord};
use crate::base::lock::{Lock, Rank};
use loom::sync::Mutex;
use loom::thread;
use std::sync::Arc;
use std::sync::atomic::AtomicBool as Fact;

/// The M; what counts is that it has an address.
struct M {
    _id: u32,
}

struct Locked {
    /// `P::m`: does it name the M?
    named: bool,
}

struct World {
    locked: Lock<Locked>,
    call: CallWord<M>,
    m: M,
    /// What only the owner of the P uses.
    p: loom::cell::UnsafeCell<u32>,
    /// `M::preempt_pending`.
    flag: AtomicBool,
    /// Is a SIGURG pending for the thread, with the mark of ours?
    signal: Mutex<bool>,
    in_call: Fact,
    ended_by_signal: Fact,
    made_again: Fact,
}

// SAFETY: loom checks the use of the cell.
unsafe impl Sync for World {}
// SAFETY: as above.
unsafe impl Send for World {}

impl World {
    fn new() -> Arc<World> {
        Arc::new(World {
            locked: Lock::new(Rank::Sched, Locked { named: true }),
            call: CallWord::new(),
            m: M { _id: 1 },
            p: loom::cell::UnsafeCell::new(0),
            flag: AtomicBool::new(false),
            signal: Mutex::new(false),
            in_call: Fact::new(false),
            ended_by_signal: Fact::new(false),
            made_again: Fact::new(false),
        })
    }

    fn use_p(&self) {
        // SAFETY: loom checks that nobody else is at it.
        self.p.with_mut(|uses| unsafe { *uses += 1 });
    }

    /// The M makes a call with the P wired to it. True: it still has it.
    fn call(&self) -> bool {
        self.use_p();
        self.call.enter(&self.m);
        let kept = self.call.leave(&self.m);
        if kept {
            self.use_p();
        }
        kept
    }

    /// Somebody takes the P, if the M is in a call, and hands it to another one.
    fn retake(&self) -> bool {
        let locked = self.locked.lock();
        let taken = self.call.take();
        drop(locked);
        if taken {
            self.use_p();
        }
        taken
    }

    /// `preempt::ask` and `preempt::send`. True: a signal was sent.
    fn ask(&self) -> bool {
        {
            let locked = self.locked.lock();
            if !locked.named || !self.call.announce(&self.flag) {
                return false;
            }
        }
        *self.signal.lock().unwrap() = true;
        true
    }

    /// The kernel lets the thread run its handler, if a signal is pending.
    fn handler(&self) {
        if !core::mem::take(&mut *self.signal.lock().unwrap()) {
            return;
        }
        let in_call = self.in_call.load(Relaxed);
        if call_word::signal_has_come(&self.flag, true).ours {
            // `arch::syscall::restart`.
            self.made_again.fetch_or(in_call, Relaxed);
        } else {
            self.ended_by_signal.fetch_or(in_call, Relaxed);
        }
    }

    /// `syscalls::wait_for_signal`.
    fn wait_for_signal(&self) {
        while self.flag.load(Acquire) {
            self.handler();
            thread::yield_now();
        }
    }

    /// The call itself: signals may come.
    fn wait_in_kernel(&self) {
        self.in_call.store(true, Relaxed);
        self.handler();
        self.in_call.store(false, Relaxed);
    }
}

#[test]
fn the_p_of_a_call_has_one_owner() {
    explore(3, || {
        let world = World::new();
        let takers = [0, 1].map(|_| {
            let world = world.clone();
            thread::spawn(move || world.retake())
        });
        let kept = world.call() && world.call();
        let taken = takers.map(|taker| taker.join().unwrap()).into_iter().filter(|&taken| taken).count();
        assert_eq!(taken + usize::from(kept), 1, "the P has been lost, or has two owners");
    });
}

#[test]
fn no_signal_comes_in_a_call_whose_p_is_wired() {
    explore(8, || {
        let world = World::new();
        let sysmon = {
            let world = world.clone();
            thread::spawn(move || world.ask())
        };
        world.call.enter(&world.m);
        world.wait_for_signal();
        world.wait_in_kernel();
        world.call.leave(&world.m);
        sysmon.join().unwrap();
        let came = world.made_again.load(Relaxed) || world.ended_by_signal.load(Relaxed);
        assert!(!came, "a signal was sent to an M in a call");
    });
}

#[test]
fn no_signal_comes_in_a_call_whose_p_was_given_away() {
    explore(8, || {
        let world = World::new();
        let sysmon = {
            let world = world.clone();
            thread::spawn(move || world.ask())
        };
        // `syscalls::hand_off`, then the wait.
        world.locked.lock().named = false;
        world.wait_for_signal();
        world.wait_in_kernel();
        sysmon.join().unwrap();
        let came = world.made_again.load(Relaxed) || world.ended_by_signal.load(Relaxed);
        assert!(!came, "a signal was sent to an M in a call");
    });
}

#[test]
fn a_call_is_never_ended_by_a_signal_of_ours() {
    explore(3, || {
        let world = World::new();
        let askers = [0, 1].map(|_| {
            let world = world.clone();
            thread::spawn(move || world.ask())
        });
        world.handler();
        world.call.enter(&world.m);
        world.wait_for_signal();
        world.wait_in_kernel();
        world.call.leave(&world.m);
        askers.into_iter().for_each(|asker| assert!(asker.join().is_ok()));
        assert!(!world.ended_by_signal.load(Relaxed), "a signal of ours was taken for somebody else's");
    });
}
