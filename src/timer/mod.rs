//! Floor 5: timers. What is due, and who is to be told; nobody is scheduled here.
//!
//! 1. Each P has a heap of times (`gmp::P::timers`). An entry is a sleeping goroutine, or holds one count of a `Node`.
//! 2. A node has at most one entry that counts, the one whose time is `entry_ns`, in the heap of `entry_p`; others are dropped as they come up.
//! 3. A node is cancelled, or put off, by a change of its own fields alone: the entry comes up at its old time and is dropped or goes back with
//!    the new one. Only what is brought forward needs a new entry. So a deadline that each operation moves on costs no work in the heap.
//! 4. Cancelled entries are counted; when they are a quarter of a heap, they are taken out together.
//! 5. Locks: a node's, then a heap's. A node's `fire` is called under the node's lock: whoever stops the timer knows that it has fired or never will.
//!
//! | `when_ns` | `entry_ns` | the node                                          |
//! |-----------|------------|---------------------------------------------------|
//! | 0         | 0          | idle                                              |
//! | t         | t          | armed                                             |
//! | t         | s < t      | put off: at `s` the entry goes back for `t`       |
//! | 0         | s          | cancelled: the entry is a zombie                  |
//!
//! Rejected: to remove at once (each entry's place must then be kept in its node: a miss for every level of a sift).

use crate::base::heap::Entry;
use crate::base::lock::{Lock, LockGuard, Rank};
use crate::base::tune::TIMERS_AT_ONCE;
use crate::gmp::sched::GQueue;
use crate::gmp::{G, P, SCHED, Status};
use crate::sys::alarm::NEVER;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::{Acquire, Relaxed};

/// Set in an entry's word if it is a goroutine.
const SLEEPER: usize = 1;
/// Nodes that are fired between two looks at a heap.
const NODES_AT_ONCE: usize = 32;
/// Fewer zombies are left alone.
const ZOMBIES_MIN: u32 = if cfg!(loom) { 1 } else { 64 };

/// What a timer does when its time comes.
pub trait Fire: Send + Sync {
    /// Its time, `at_ns`, has come; it is `now_ns`. Under the node's lock, preemption disabled, perhaps on g0: it may make goroutines
    /// ready, and puts those it makes into `out`. `last`: the timer is idle now.
    fn fire(this: &Arc<Node<Self>>, now_ns: u64, out: &mut GQueue)
    where
        Self: Sized;
    /// The heap drops its hold, on g0 perhaps.
    fn let_go(this: Arc<Node<Self>>)
    where
        Self: Sized;
}

/// See the table in the head of this file.
pub struct State {
    /// When it is to fire; 0: not at all.
    pub when_ns: u64,
    /// How often after that; 0: once.
    pub period_ns: u64,
    /// When its entry comes up; 0: it has none.
    pub entry_ns: u64,
    /// In whose heap that is. By the clock of a bubble: what tells it from others of the same time (`sched::bubble`).
    pub entry_p: u32,
}

struct Actions {
    come_up: unsafe fn(*const Head, &P, &P, Entry, u64, &mut GQueue),
    let_go: unsafe fn(*const Head),
}

/// What heaps know of a node.
#[repr(C)]
struct Head {
    state: Lock<State>,
    actions: &'static Actions,
}

/// A timer: its state, and what it does.
#[repr(C)]
pub struct Node<T> {
    head: Head,
    /// What it does.
    pub body: T,
}

impl<T: Fire> Node<T> {
    const ACTIONS: Actions = Actions { come_up: come_up::<T>, let_go: let_go::<T> };

    /// An idle one.
    pub fn new(body: T) -> Arc<Node<T>> {
        let state = State { when_ns: 0, period_ns: 0, entry_ns: 0, entry_p: 0 };
        Arc::new(Node { head: Head { state: Lock::new(Rank::Timer, state), actions: &Self::ACTIONS }, body })
    }

    /// Its state, locked: it does not fire meanwhile.
    pub fn lock(&self) -> LockGuard<'_, State> {
        self.head.state.lock()
    }

    /// Arms it, or changes when it fires. The caller holds `p`, and has locked `state`, which is its own. True: `p` has a new first time.
    pub fn arm(self: &Arc<Self>, state: &mut State, p: &P, when_ns: u64, period_ns: u64) -> bool {
        let was_zombie = state.entry_ns != 0 && state.when_ns == 0;
        (state.when_ns, state.period_ns) = (when_ns, period_ns);
        if was_zombie {
            SCHED.p(state.entry_p).zombies.fetch_sub(1, Relaxed);
        }
        if state.entry_ns != 0 && state.entry_ns <= when_ns {
            return false; // invariant 3
        }
        if state.entry_ns != 0 {
            SCHED.p(state.entry_p).zombies.fetch_add(1, Relaxed);
        }
        (state.entry_ns, state.entry_p) = (when_ns, p.id);
        push(p, Entry { when: when_ns, word: Arc::into_raw(self.clone()) as usize })
    }

    /// Disarms it. True if it was armed.
    pub fn disarm(&self, state: &mut State) -> bool {
        if state.when_ns == 0 {
            return false;
        }
        state.when_ns = 0;
        let owner = SCHED.p(state.entry_p);
        owner.zombies.fetch_add(1, Relaxed);
        true
    }

    /// The P in whose heap its entry is. After a `disarm`, without the lock: `clean` it.
    pub fn owner(state: &State) -> &'static P {
        SCHED.p(state.entry_p)
    }
}

/// Puts an entry in. True if it is the first now.
fn push(p: &P, entry: Entry) -> bool {
    let mut timers = p.timers.lock();
    timers.push(entry);
    let first = timers.first() == Some(entry.when) && p.next_timer_ns.load(Relaxed) != entry.when;
    p.timers_changed(&timers);
    first
}

/// An entry of a node has come up out of the heap of `owner`.
///
/// # Safety
/// `head` is that of a `Node<T>` of which the entry holds a count; it is taken over.
unsafe fn come_up<T: Fire>(head: *const Head, owner: &P, p: &P, entry: Entry, now: u64, out: &mut GQueue) {
    // SAFETY: the caller's contract.
    let node = unsafe { Arc::from_raw(head.cast::<Node<T>>()) };
    let mut state = node.lock();
    if state.entry_ns != entry.when || state.entry_p != owner.id {
        // One that was brought forward, since.
        owner.zombies.fetch_update(Relaxed, Relaxed, |n| n.checked_sub(1)).ok();
        drop(state);
        return T::let_go(node);
    }
    if state.when_ns == 0 {
        state.entry_ns = 0;
        owner.zombies.fetch_update(Relaxed, Relaxed, |n| n.checked_sub(1)).ok();
        drop(state);
        return T::let_go(node);
    }
    let fires = state.when_ns <= now;
    if fires {
        let late = now - state.when_ns;
        // Ticks that were missed are missed, as in Go.
        state.when_ns = late.checked_div(state.period_ns).map_or(0, |missed| state.when_ns + state.period_ns * (missed + 1));
    }
    state.entry_ns = state.when_ns;
    if state.when_ns != 0 {
        state.entry_p = p.id;
        push(p, Entry { when: state.when_ns, word: Arc::into_raw(node.clone()) as usize });
    }
    if fires {
        T::fire(&node, now, out);
    }
    drop(state);
    T::let_go(node);
}

/// # Safety
/// As for `come_up`.
unsafe fn let_go<T: Fire>(head: *const Head) {
    // SAFETY: the caller's contract.
    T::let_go(unsafe { Arc::from_raw(head.cast::<Node<T>>()) });
}

/// Puts the running goroutine into the heap of `p`, which the caller holds. The heap stays locked: its guard goes to the commit of a park.
///
/// # Safety
/// The goroutine parks, and nobody else makes it ready.
pub unsafe fn put_sleeper(p: &P, g: *mut G, when_ns: u64) -> LockGuard<'_, crate::base::heap::TimeHeap> {
    let mut timers = p.timers.lock();
    timers.push(Entry { when: when_ns, word: g as usize | SLEEPER });
    p.timers_changed(&timers);
    timers
}

/// Takes what is due out of the heap of `owner`: sleepers go to `out`, timers fire; new entries go to `p`, which the caller holds. Some at a time:
/// `next_timer_ns` says whether there are more. Returns how many.
pub fn run_due(owner: &P, p: &P, now: u64, out: &mut GQueue) -> usize {
    if owner.next_timer_ns.load(Acquire) > now {
        return 0;
    }
    let (mut nodes, mut node_count, mut count) = ([Entry { when: 0, word: 0 }; NODES_AT_ONCE], 0, 0);
    {
        let mut timers = owner.timers.lock();
        while node_count < NODES_AT_ONCE && count < TIMERS_AT_ONCE {
            let Some(entry) = timers.pop_due(now) else { break };
            count += 1;
            if entry.word & SLEEPER == 0 {
                nodes[node_count] = entry;
                node_count += 1;
                continue;
            }
            let g = (entry.word & !SLEEPER) as *mut G;
            // SAFETY: R3: it has left its stack, since its commit freed the lock that we hold; the entry was its only owner.
            unsafe {
                (*g).set_status(Status::Runnable);
                out.push(g);
            }
        }
        timers.shrink();
        owner.timers_changed(&timers);
    }
    for entry in &nodes[..node_count] {
        let head = entry.word as *const Head;
        // SAFETY: invariant 1: the entry holds a count, and is out of the heap.
        unsafe { ((*head).actions.come_up)(head, owner, p, *entry, now, out) };
    }
    count
}

/// Takes the cancelled entries of `owner` out, if they are many. Not on g0, no lock held.
pub fn clean(owner: &P) {
    let zombies = owner.zombies.load(Relaxed);
    if zombies < ZOMBIES_MIN || (zombies as usize) < owner.timers.lock().len() / 4 {
        return;
    }
    let mut gone: Vec<*const Head> = Vec::new();
    {
        let mut timers = owner.timers.lock();
        gone.reserve(zombies as usize);
        timers.retain(|entry| {
            let head = entry.word as *const Head;
            let keep = entry.word & SLEEPER != 0 || gone.len() == gone.capacity() || !retire(head, entry.when, owner.id);
            if !keep {
                gone.push(head);
            }
            keep
        });
        timers.shrink();
        owner.timers_changed(&timers);
        owner.zombies.fetch_update(Relaxed, Relaxed, |n| Some(n.saturating_sub(gone.len() as u32))).ok();
    }
    for head in gone {
        // SAFETY: its entry is out of the heap, and held a count.
        unsafe { ((*head).actions.let_go)(head) };
    }
}

/// Is the entry a zombie? Then its node forgets it. A node that somebody has locked is not asked: its lock comes before the heap's.
fn retire(head: *const Head, entry_ns: u64, owner: u32) -> bool {
    // SAFETY: invariant 1: the entry holds a count.
    let head = unsafe { &*head };
    let Some(mut state) = head.state.try_lock() else { return false };
    if state.entry_ns != entry_ns || state.entry_p != owner {
        return true;
    }
    if state.when_ns == 0 {
        state.entry_ns = 0;
        return true;
    }
    false
}

/// The first time of all heaps, those of Ps above GOMAXPROCS too.
pub fn earliest() -> u64 {
    let mut first = NEVER;
    SCHED.for_each_p(|p| first = first.min(p.next_timer_ns.load(Acquire)));
    first
}

/// Is there an entry that has not been cancelled? Exact if every M is idle, and stays so: under the scheduler's lock.
pub fn any_armed() -> bool {
    let mut armed = false;
    SCHED.for_each_p(|p| armed |= p.timer_count.load(Relaxed) > p.zombies.load(Relaxed));
    armed
}
