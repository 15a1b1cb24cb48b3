//! Cancelling a call: one that is cancelled ends, whenever the signals land, and no signal of a cancel meets what comes after the call. The real `base::lock`.
//!
//! What it copies, and where it could drift: the order of the steps in `sched::cancel::{Cancel::begin, Cancel::end, Cancel::end_calls, send_some, look, cut}`.
//!
//! A signal is a word of the thread, as the kernel keeps it: one that is pending already is not pending twice. It is delivered between any two steps of the caller:
//! those that matter here are before the call's own instruction, where it ends nothing, and in the call.

use super::explore;
use crate::base::lock::{Lock, Rank};
use loom::sync::{Condvar, Mutex};
use loom::thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool as Fact, Ordering::SeqCst};
use std::vec::Vec;

/// A call in a list: whose it is, and in which round it was sent a signal; 0: in none.
struct Call {
    m: usize,
    round: u32,
}

struct Broken {
    calls: Vec<Call>,
    round: u32,
}

/// The thread of an M, as the kernel sees it.
struct Thread {
    signal: Mutex<Signal>,
    changed: Condvar,
    /// It is in a call that can be cancelled.
    in_call: Fact,
}

#[derive(Default)]
struct Signal {
    pending: bool,
    /// What comes now ends the call, if it was made at all.
    is_at_the_call: bool,
}

struct World {
    /// Of the one `Cancel`.
    calls: Lock<Vec<Call>>,
    /// `Cancel::canceled`: it is changed under the lock of `calls`.
    canceled: loom::sync::atomic::AtomicBool,
    broken: Lock<Broken>,
    threads: [Thread; 2],
}

impl World {
    fn new() -> Arc<World> {
        let thread = || Thread { signal: Mutex::new(Signal::default()), changed: Condvar::new(), in_call: Fact::new(false) };
        Arc::new(World {
            calls: Lock::new(Rank::Sync, Vec::new()),
            canceled: loom::sync::atomic::AtomicBool::new(false),
            broken: Lock::new(Rank::Broken, Broken { calls: Vec::new(), round: 1 }),
            threads: [thread(), thread()],
        })
    }

    /// `preempt::send_to`.
    fn send(&self, m: usize) {
        let thread = &self.threads[m];
        thread.signal.lock().unwrap().pending = true;
        thread.changed.notify_all();
    }

    /// The signal is delivered, if there is one: `cut` finds the thread somewhere else than in the call.
    fn deliver(&self, m: usize) {
        self.threads[m].signal.lock().unwrap().pending = false;
    }

    /// It is too late to come too early.
    fn reach_the_call(&self, m: usize) {
        self.threads[m].signal.lock().unwrap().is_at_the_call = true;
        self.threads[m].changed.notify_all();
    }

    /// Time passes, until it is.
    fn wait_for_the_call(&self, m: usize) {
        let mut signal = self.threads[m].signal.lock().unwrap();
        while !signal.is_at_the_call {
            signal = self.threads[m].changed.wait(signal).unwrap();
        }
    }

    /// A system call that blocks until a signal ends it.
    fn block(&self, m: usize) {
        let mut signal = self.threads[m].signal.lock().unwrap();
        while !signal.pending {
            signal = self.threads[m].changed.wait(signal).unwrap();
        }
        signal.pending = false;
    }

    fn assert_no_signal(&self, m: usize) {
        assert!(!self.threads[m].signal.lock().unwrap().pending, "a signal of the cancel meets what comes after the call");
    }

    /// `Cancel::begin`.
    fn begin(&self, m: usize) -> bool {
        let mut calls = self.calls.lock();
        let begins = !self.canceled.load(SeqCst);
        if begins {
            calls.push(Call { m, round: 0 });
        }
        begins
    }

    /// `Cancel::end`.
    fn end(&self, m: usize) {
        let is_this = |call: &Call| call.m == m;
        {
            let mut calls = self.calls.lock();
            if !self.canceled.load(SeqCst) {
                let at = calls.iter().position(is_this).expect("a call that is not cancelled is in the list of its Cancel");
                calls.remove(at);
                return;
            }
        }
        let call = {
            let mut broken = self.broken.lock();
            let at = broken.calls.iter().position(is_this).expect("a call that was cancelled is in `BROKEN`");
            broken.calls.remove(at)
        };
        if call.round != 0 {
            // A system call that cannot block: what is pending is delivered as it returns.
            self.deliver(m);
        }
    }

    /// `Cancel::run` of a call that blocks for ever, or returns by itself; then comes what nobody cancels. True: it was made.
    fn run(&self, m: usize, blocks: bool) -> bool {
        self.threads[m].in_call.store(true, SeqCst);
        let begins = self.begin(m);
        if begins {
            // Too early: the thread is not at its instruction yet.
            self.deliver(m);
        }
        self.reach_the_call(m);
        if begins {
            if blocks {
                self.block(m);
            }
            self.end(m);
        }
        self.threads[m].in_call.store(false, SeqCst);
        self.assert_no_signal(m);
        begins
    }

    /// `send_some`.
    fn send_some(&self, is_next: impl Fn(u32, u32) -> bool) -> bool {
        let mut broken = self.broken.lock();
        let round = broken.round;
        if !broken.calls.first().is_some_and(|call| is_next(call.round, round)) {
            return false;
        }
        let mut call = broken.calls.remove(0);
        call.round = round;
        let m = call.m;
        broken.calls.push(call);
        self.send(m);
        assert!(self.threads[m].in_call.load(SeqCst), "M{m} is sent a signal after its call");
        drop(broken);
        true
    }

    /// `Cancel::end_calls`.
    fn cancel(&self) {
        {
            let mut calls = self.calls.lock();
            if self.canceled.swap(true, SeqCst) || calls.is_empty() {
                return;
            }
            let mut broken = self.broken.lock();
            let calls = core::mem::take(&mut *calls);
            broken.calls.splice(0..0, calls);
        }
        while self.send_some(|round, _| round == 0) {}
    }

    /// `look`: a round.
    fn look(&self) {
        {
            let mut broken = self.broken.lock();
            if broken.calls.is_empty() {
                return;
            }
            broken.round += 1;
        }
        while self.send_some(|round, now| round != now) {}
    }
}

#[test]
fn a_call_that_is_cancelled_ends_whenever_the_signal_lands() {
    explore(3, || {
        let world = World::new();
        let caller = {
            let world = world.clone();
            thread::spawn(move || world.run(0, true))
        };
        world.cancel();
        // sysmon, again and again: a round that may still be too early, and one that is not.
        world.look();
        world.wait_for_the_call(0);
        world.look();
        caller.join().unwrap();
        assert!(world.broken.lock().calls.is_empty() && world.calls.lock().is_empty());
    });
}

#[test]
fn a_call_that_ends_as_it_is_cancelled_leaves_no_signal_behind() {
    explore(4, || {
        let world = World::new();
        let callers = [0, 1].map(|m| {
            let world = world.clone();
            thread::spawn(move || world.run(m, false))
        });
        world.cancel();
        world.look();
        callers.into_iter().for_each(|caller| _ = caller.join().unwrap());
        assert!(world.broken.lock().calls.is_empty() && world.calls.lock().is_empty());
        (0..2).for_each(|m| world.assert_no_signal(m));
    });
}

#[test]
fn of_two_who_cancel_one_does() {
    explore(3, || {
        let world = World::new();
        world.threads[0].in_call.store(true, SeqCst);
        assert!(world.begin(0));
        let other = {
            let world = world.clone();
            thread::spawn(move || world.cancel())
        };
        world.cancel();
        world.end(0);
        world.threads[0].in_call.store(false, SeqCst);
        other.join().unwrap();
        world.assert_no_signal(0);
        assert!(!world.begin(1), "a call begins that was cancelled before");
        assert!(world.broken.lock().calls.is_empty() && world.calls.lock().is_empty());
    });
}
