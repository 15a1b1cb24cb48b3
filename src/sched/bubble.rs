//! Bubbles: goroutines with a clock of their own, which jumps when all of them wait.
//!
//! 1. A goroutine of the bubble is `running` unless it waits durably (`WaitReason::is_durable`): for what only goroutines of the bubble, or its clock, can bring about. It is counted
//!    off before it leaves its stack, and counted again by who makes it ready, before anybody can run it.
//! 2. Between counting off and having left its stack a goroutine counts as `leaving`. So when `running` and `leaving` are 0, all have left their stacks, and nobody but
//!    the bubble will make one of them ready.
//! 3. Who brings both to 0 makes one ready: the root, if a timer is due; else who waits for just this (`wait`); else the root. That one counts as running from then on, under the same lock.
//! 4. The root is the goroutine that called `run`. It waits durably too, moves the clock to the first timer, runs what is due, and ends the bubble: when only it is left, or there is no
//!    timer, or the main goroutine has ended, for then time stops.
//! 5. What a goroutine does to the bubble for the last time (`ended`, `left`) is under the lock, and a `ready` of somebody whom the caller owns: the bubble may be gone right after.
//! 6. Locks: a timer's, then the bubble's, which has the rank `Sync`. Timers fire without the bubble's lock, on the root, or, if they are due as they are armed, on who arms them.
//!
//! An entry of `timers` is there exactly if its timer is armed: unlike in the heaps of Ps, stop and reset take it out. Those of the same time are in an order by chance, as in Go.
//! A `ready_queue` in a program with a bubble looks at each goroutine, with preemption disabled; and memory is allocated under the bubble's lock: R1's bound is not for tests.
//!
//! Rejected: virtual time for the heaps of Ps (each look at a clock would ask whose); a goroutine that polls (what is the last moment?).
//!
//! Source: Go package testing/synctest.

use super::group::{self, Bubble, Due, Group};
use super::park::no_commit;
use super::{park, queue, random_below, ready, ready_last, spawn, wake};
use crate::base::lock::{Lock, LockGuard, Rank};
use crate::base::tune::STACK_CLASS_DEFAULT;
use crate::base::{NoPreempt, throw};
use crate::gmp::sched::GQueue;
use crate::gmp::{G, P, WaitReason};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry::Vacant;
use alloc::sync::Arc;
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

/// Where a bubble's clock begins: 2000-01-01 00:00:00 UTC, in nanoseconds since 1970.
const BEGIN_NS: u64 = 946_684_800_000_000_000;

/// When, and a number by chance that no other entry of the same time has.
type Key = (u64, u32);

/// Whose time comes.
enum Entry {
    Sleeper(*mut G),
    Timer(Arc<dyn Due>),
}

struct State {
    total: u32,
    running: u32,
    leaving: u32,
    root: *mut G,
    waiter: *mut G,
    main_has_ended: bool,
    timers: BTreeMap<Key, Entry>,
}

// SAFETY: goroutines in it wait, and are the bubble's to wake.
unsafe impl Send for State {}

/// See the head of this file.
struct Inner {
    now_ns: AtomicU64,
    /// The number of the main goroutine.
    main: AtomicU64,
    /// Has the function returned?
    finished: AtomicBool,
    state: Lock<State>,
    /// Written once, before a goroutine has it.
    group: UnsafeCell<Group>,
}

// SAFETY: `group` is written before anybody else can see it.
unsafe impl Sync for Inner {}

/// How a bubble has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// All its goroutines have ended. `finished`: the function has returned; else its goroutine ended by `goexit`.
    Done {
        /// See above.
        finished: bool,
    },
    /// All that are left wait for ever.
    Deadlock {
        /// Has the main goroutine ended?
        main_has_ended: bool,
        /// See `Done`.
        finished: bool,
        /// The number of the bubble.
        bubble: u32,
    },
    /// The caller is in a bubble: nothing was done.
    Nested,
}

/// Calls `f` in a goroutine of a new bubble, and waits for the end of the bubble.
pub fn run<F: FnOnce() + Send>(made_at: usize, f: F) -> Ending {
    let outer = group::current();
    if outer.is_some_and(|outer| outer.bubble.is_some()) {
        return Ending::Nested;
    }
    let root = G::current().as_ptr();
    let id = group::LAST_BUBBLE.fetch_add(1, Relaxed) + 1;
    let state = State { total: 1, running: 1, leaving: 0, root, waiter: ptr::null_mut(), main_has_ended: false, timers: BTreeMap::new() };
    let bubble: *mut Inner = Box::into_raw(Box::new(Inner {
        now_ns: AtomicU64::new(BEGIN_NS),
        main: AtomicU64::new(0),
        finished: AtomicBool::new(false),
        state: Lock::new(Rank::Sync, state),
        group: UnsafeCell::new(Group { trial: None, bubble: None, bubble_id: id }),
    }));
    // SAFETY: it stays until the end of this function, and for ever if goroutines of it are left. Nobody else knows it yet.
    let bubble: &'static Inner = unsafe {
        (*(*bubble).group.get()) = Group { trial: outer.and_then(|outer| outer.trial), bubble: Some(&*bubble), bubble_id: id };
        &*bubble
    };
    group::BUBBLES.fetch_add(1, Relaxed);
    // SAFETY: as above.
    group::enter(unsafe { &*bubble.group.get() });
    let f = Handed(UnsafeCell::new(Some(f)));
    let main = || {
        // SAFETY: R1: the running goroutine is ours.
        bubble.main.store(unsafe { G::current().as_ref() }.id(), Relaxed);
        // SAFETY: only this goroutine takes it.
        if let Some(f) = unsafe { f.take() } {
            f();
        }
        bubble.finished.store(true, Release);
    };
    // SAFETY: what `f` borrows is there until this function returns, and it does so once the goroutine has ended; or else, if that never does, the caller must not go on. The
    // caller of this function ends its goroutine or the process then, and its stack is kept (R17).
    unsafe { spawn::spawn_unbounded(STACK_CLASS_DEFAULT, made_at, main) }.unwrap_or_else(|error| spawn::no_stack(error));
    let total = bubble.rule();
    group::leave_for(outer);
    group::BUBBLES.fetch_sub(1, Relaxed);
    let finished = bubble.finished.load(Acquire);
    if total != 1 {
        return Ending::Deadlock { main_has_ended: bubble.state.lock().main_has_ended, finished, bubble: id };
    }
    bubble.let_timers_go();
    // SAFETY: invariant 5: the root alone is left, so nobody knows it any more.
    drop(unsafe { Box::from_raw(ptr::from_ref(bubble).cast_mut()) });
    Ending::Done { finished }
}

/// A closure that another goroutine takes, once.
struct Handed<F>(UnsafeCell<Option<F>>);

// SAFETY: it is used by the one who takes it.
unsafe impl<F: Send> Sync for Handed<F> {}

impl<F> Handed<F> {
    /// # Safety
    /// One goroutine alone does this.
    unsafe fn take(&self) -> Option<F> {
        // SAFETY: the caller's contract.
        unsafe { (*self.0.get()).take() }
    }
}

/// Why `wait` is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// The caller is in no bubble.
    Outside,
    /// Somebody waits already.
    Twice,
}

/// Waits until all other goroutines of the bubble wait durably.
pub fn wait() -> Result<(), Refused> {
    let Some(bubble) = group::bubble() else { return Err(Refused::Outside) };
    let nopreempt = NoPreempt::new();
    if !bubble.begin_wait(G::current().as_ptr()) {
        return Err(Refused::Twice);
    }
    // SAFETY: invariants 2 and 3: nobody wakes it before it has left its stack, and then the bubble alone.
    unsafe { park(&nopreempt, WaitReason::BubbleWait, no_commit(&nopreempt)) };
    Ok(())
}

impl Inner {
    /// What the root does. Returns how many goroutines are left.
    fn rule(&self) -> u32 {
        loop {
            self.run_due();
            let nopreempt = NoPreempt::new();
            // SAFETY: as in `wait`.
            unsafe { park(&nopreempt, WaitReason::BubbleRun, no_commit(&nopreempt)) };
            let state = self.state.lock();
            let first = state.timers.first_key_value().map(|(key, _)| key.0);
            match first {
                Some(when) if !state.main_has_ended => self.now_ns.store(when.max(self.now_ns.load(Relaxed)), Relaxed),
                _ => return state.total,
            }
        }
    }

    /// On the root: runs what is due.
    fn run_due(&self) {
        loop {
            let now = self.now_ns.load(Relaxed);
            let (key, entry) = {
                let mut state = self.state.lock();
                match state.timers.first_entry() {
                    Some(first) if first.key().0 <= now => first.remove_entry(),
                    _ => return,
                }
            };
            match entry {
                // SAFETY: R3, invariant 2: it has left its stack, and the entry was its only owner.
                Entry::Sleeper(g) => unsafe { ready_last(&NoPreempt::new(), g) },
                Entry::Timer(timer) => self.come_up(timer, key),
            }
        }
    }

    /// The entry of `timer` is out. Perhaps somebody has stopped it meanwhile.
    fn come_up(&self, timer: Arc<dyn Due>, key: Key) {
        let mut state = timer.state();
        if (state.entry_ns, state.entry_p) != key {
            drop(state);
            return timer.clone().let_go();
        }
        state.entry_ns = 0;
        self.fire(&timer, state);
        timer.let_go();
    }

    /// Its time has come, its state is locked, and it has no entry.
    fn fire(&self, timer: &Arc<dyn Due>, mut state: LockGuard<'_, crate::timer::State>) {
        let now = self.now_ns.load(Relaxed);
        let late = now - state.when_ns;
        state.when_ns = late.checked_div(state.period_ns).map_or(0, |missed| state.when_ns + state.period_ns * (missed + 1));
        if state.when_ns != 0 {
            self.put_in(timer.clone(), &mut state);
        }
        let mut out = GQueue::new();
        timer.clone().fire(now, &mut out);
        drop(state);
        let nopreempt = NoPreempt::new();
        loop {
            let g = out.pop();
            if g.is_null() {
                break;
            }
            queue::push(P::current(&nopreempt), g);
            wake::one_more();
        }
    }

    /// Makes an entry for the timer's `when_ns`.
    fn put_in(&self, timer: Arc<dyn Due>, state: &mut crate::timer::State) {
        let key = self.insert(state.when_ns, Entry::Timer(timer));
        (state.entry_ns, state.entry_p) = key;
    }

    fn insert(&self, when_ns: u64, entry: Entry) -> Key {
        let mut state = self.state.lock();
        let nopreempt = NoPreempt::new();
        loop {
            let key = (when_ns, random_below(&nopreempt, u32::MAX));
            if let Vacant(place) = state.timers.entry(key) {
                place.insert(entry);
                return key;
            }
        }
    }

    /// Takes the timer's entry out, if it has one.
    fn take_out(&self, state: &mut crate::timer::State) -> Option<Entry> {
        let key = (core::mem::replace(&mut state.entry_ns, 0), state.entry_p);
        self.state.lock().timers.remove(&key)
    }

    /// The bubble has ended: its timers will never fire.
    fn let_timers_go(&self) {
        let timers = core::mem::take(&mut self.state.lock().timers);
        for entry in timers.into_values() {
            let Entry::Timer(timer) = entry else { throw!("bubble: somebody sleeps in a bubble that has ended") };
            let mut state = timer.state();
            (state.when_ns, state.entry_ns) = (0, 0);
            drop(state);
            timer.let_go();
        }
    }

    /// Invariant 3. What is returned is to be made ready without the lock; null: nobody.
    fn next(&self, state: &mut State) -> *mut G {
        if state.running != 0 || state.leaving != 0 {
            return ptr::null_mut();
        }
        let is_due = state.timers.first_key_value().is_some_and(|(key, _)| key.0 <= self.now_ns.load(Relaxed));
        let waiter = if is_due { ptr::null_mut() } else { core::mem::replace(&mut state.waiter, ptr::null_mut()) };
        let g = if waiter.is_null() { state.root } else { waiter };
        state.running = 1;
        // SAFETY: invariant 2: it has left its stack, and is ours. It is counted: so it is not to be counted by `ready`.
        unsafe { (*g).set_reason(WaitReason::None) };
        g
    }

    /// The last step of `ended` and `left`.
    fn go_on(&self, mut state: LockGuard<'_, State>) {
        let g = self.next(&mut state);
        let nopreempt = NoPreempt::new();
        drop(state);
        if !g.is_null() {
            // SAFETY: R3: it waits, and `next` gave it to us.
            unsafe { ready(&nopreempt, g) };
        }
    }
}

impl Bubble for Inner {
    fn now_ns(&self) -> u64 {
        self.now_ns.load(Relaxed)
    }

    fn made(&self) {
        let mut state = self.state.lock();
        state.total += 1;
        state.running += 1;
    }

    fn ended(&self, g: &G) {
        let mut state = self.state.lock();
        state.total -= 1;
        state.running -= 1;
        state.main_has_ended |= g.id() == self.main.load(Relaxed);
        self.go_on(state);
    }

    fn parks(&self) {
        let mut state = self.state.lock();
        state.leaving += 1;
        if state.running == 0 {
            throw!("bubble: a goroutine begins to wait, and none was running");
        }
        state.running -= 1;
    }

    fn left(&self) {
        let mut state = self.state.lock();
        state.leaving -= 1;
        self.go_on(state);
    }

    fn wakes(&self) {
        self.state.lock().running += 1;
    }

    fn begin_wait(&self, g: *mut G) -> bool {
        let mut state = self.state.lock();
        let is_free = state.waiter.is_null();
        if is_free {
            state.waiter = g;
        }
        is_free
    }

    fn sleep_until(&self, when_ns: u64) {
        let nopreempt = NoPreempt::new();
        // Time does not move before this goroutine has left its stack.
        self.insert(when_ns, Entry::Sleeper(G::current().as_ptr()));
        // SAFETY: R3: the root is its only waker, once it has left its stack.
        unsafe { park(&nopreempt, WaitReason::Sleep, no_commit(&nopreempt)) };
    }

    fn arm(&self, timer: Arc<dyn Due>, when_ns: u64, period_ns: u64) -> bool {
        let _nopreempt = NoPreempt::new();
        let mut state = timer.state();
        let was_armed = state.when_ns != 0;
        let before = self.take_out(&mut state);
        (state.when_ns, state.period_ns) = (when_ns, period_ns);
        if when_ns <= self.now_ns.load(Relaxed) {
            self.fire(&timer, state);
        } else {
            self.put_in(timer.clone(), &mut state);
            drop(state);
        }
        let_go(before);
        timer.let_go();
        was_armed
    }

    fn disarm(&self, timer: &dyn Due) -> bool {
        let mut state = timer.state();
        let was_armed = core::mem::replace(&mut state.when_ns, 0) != 0;
        let entry = self.take_out(&mut state);
        drop(state);
        let_go(entry);
        was_armed
    }
}

fn let_go(entry: Option<Entry>) {
    if let Some(Entry::Timer(timer)) = entry {
        timer.let_go();
    }
}
