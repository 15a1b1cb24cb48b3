//! The soft cap: so many blocking calls at a time, the others wait their turn. Off by default.
//!
//! 1. `inside` counts the calls that were let in, from then until their goroutine runs again. Who leaves lets the first waiter in, in its place.
//! 2. First in, first out: nobody is let in while somebody waits.
//! 3. A call inside a call is not counted: it has no P to wait with.
//! 4. A call that began while there was no cap has no ticket, and is not counted. With the cap gone nobody waits.
//! 5. A call that waits and can be cancelled is in the queue and in the list of its `Cancel`, or in neither: both are under the gate's lock. Who cancels
//!    says so before it takes that lock, and who begins to wait looks under it: so one of them sees the other.
//!
//! | a call           | counted in `inside` | left by                                                                  |
//! |------------------|---------------------|--------------------------------------------------------------------------|
//! | waits            | no                  | a place gets free, the cap is raised or goes: `leave`, `set`; `turn_away` |
//! | let in           | yes                 | its end: `leave`                                                         |
//! | turned away      | no                  | it is not made                                                           |
//!
//! Rejected: to count the Ms that are in calls (each return and each retake would count, in programs without a cap too).

use super::park::park;
use super::ready::{ready_last, ready_queue};
use super::waitq::{WaitQueue, Waiter};
use crate::arch::switch::Commit;
use crate::arch::tls;
use crate::base::NoPreempt;
use crate::base::lock::{FREE, Rank, RawLock};
use crate::gmp::sched::GQueue;
use crate::gmp::{G, WaitReason};
use core::cell::Cell;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// How many waiters `set` lets in under one lock.
const AT_ONCE: u32 = 256;

struct Gate {
    /// 0: there is none. Changed under the lock.
    cap: AtomicU32,
    lock: RawLock,
    inside: Cell<u32>,
    waiters: WaitQueue,
}

// SAFETY: what is not atomic is used under the lock.
unsafe impl Sync for Gate {}

#[cfg(not(loom))]
static GATE: Gate = Gate { cap: AtomicU32::new(0), lock: RawLock::new(), inside: Cell::new(0), waiters: WaitQueue::new() };
#[cfg(loom)]
loom::lazy_static! {
    static ref GATE: Gate = Gate { cap: AtomicU32::new(0), lock: RawLock::new(), inside: Cell::new(0), waiters: WaitQueue::new() };
}

/// What a call holds that is counted.
#[must_use]
pub struct Ticket(());

/// The calls of one `Cancel` that wait here. Under the gate's lock.
pub struct Waiting(Cell<*const Turn>);

// SAFETY: the lock orders all use.
unsafe impl Send for Waiting {}
// SAFETY: as above.
unsafe impl Sync for Waiting {}

impl Waiting {
    /// None.
    pub const fn new() -> Waiting {
        Waiting(Cell::new(ptr::null()))
    }
}

/// A call that waits; its waiter's slot names it.
struct Turn {
    waiter: Waiter,
    /// The list that it is in, if it can be cancelled.
    list: *const Waiting,
    next: Cell<*const Turn>,
    previous: Cell<*const Turn>,
}

impl Turn {
    /// Under the lock: into its list.
    fn push(&self) {
        // SAFETY: the list's owner is who waits here; those in it wait too.
        if let Some(list) = unsafe { self.list.as_ref() } {
            let first = list.0.replace(self);
            self.next.set(first);
            // SAFETY: as above.
            if let Some(first) = unsafe { first.as_ref() } {
                first.previous.set(self);
            }
        }
    }

    /// Under the lock: out of its list.
    fn remove(&self) {
        // SAFETY: as in `push`.
        unsafe {
            let Some(list) = self.list.as_ref() else { return };
            match self.previous.get().as_ref() {
                Some(previous) => previous.next.set(self.next.get()),
                None => list.0.set(self.next.get()),
            }
            if let Some(next) = self.next.get().as_ref() {
                next.previous.set(self.previous.get());
            }
        }
    }
}

/// Before a call, with a P or inside another call. Waits for its turn, if there is a cap.
#[inline(always)]
pub fn enter() -> Option<Ticket> {
    if GATE.cap.load(Relaxed) == 0 { None } else { enter_capped(None).unwrap_or(None) }
}

/// It was cancelled as it waited, or before.
pub struct TurnedAway;

/// The same for a call that can be cancelled: `turn_away` with this list ends its waiting, after `is_canceled` has become true.
#[inline(always)]
pub fn enter_unless(list: &Waiting, is_canceled: impl Fn() -> bool) -> Result<Option<Ticket>, TurnedAway> {
    if GATE.cap.load(Relaxed) == 0 { Ok(None) } else { enter_capped(Some((list, &is_canceled))) }
}

#[cold]
#[inline(never)]
fn enter_capped(cancel: Option<(&Waiting, &dyn Fn() -> bool)>) -> Result<Option<Ticket>, TurnedAway> {
    let nopreempt = NoPreempt::new();
    if tls::p().is_null() {
        return Ok(None); // invariant 3
    }
    GATE.lock.lock_raw(Rank::Sync);
    let (cap, inside) = (GATE.cap.load(Relaxed), GATE.inside.get());
    if cap == 0 {
        GATE.lock.unlock_raw(Rank::Sync);
        return Ok(None);
    }
    if cancel.is_some_and(|(_, is_canceled)| is_canceled()) {
        GATE.lock.unlock_raw(Rank::Sync);
        return Err(TurnedAway);
    }
    if inside < cap && GATE.waiters.is_empty() {
        GATE.inside.set(inside + 1);
        GATE.lock.unlock_raw(Rank::Sync);
        return Ok(Some(Ticket(())));
    }
    let list = cancel.map_or(ptr::null(), |(list, _)| ptr::from_ref(list));
    let mut turn = Turn { waiter: Waiter::new(ptr::null_mut()), list, next: Cell::new(ptr::null()), previous: Cell::new(ptr::null()) };
    turn.waiter.slot = (&raw mut turn).cast();
    turn.push();
    // SAFETY: the lock is held; the waiter stays here until it has been taken out, for this goroutine parks. The commit frees the lock.
    unsafe {
        GATE.waiters.push(&raw mut turn.waiter);
        park(&nopreempt, WaitReason::CallTurn, Commit::store(GATE.lock.hand_to_commit(Rank::Sync), FREE));
    }
    if turn.waiter.served.get() { Ok(Some(Ticket(()))) } else { Err(TurnedAway) }
}

/// Under the lock: lets the first that waits in, whose goroutine the caller makes ready. None: nobody waits.
fn let_in_first() -> Option<*mut G> {
    // SAFETY: the lock is held; R3: who is taken out has left its stack, where its turn is.
    unsafe {
        let waiter = GATE.waiters.pop().as_ref()?;
        (*waiter.slot.cast::<Turn>()).remove();
        waiter.served.set(true);
        Some(waiter.g())
    }
}

/// Those of `list` that wait, wait no more: their calls are not made.
pub fn turn_away(list: &Waiting) {
    loop {
        let nopreempt = NoPreempt::new();
        let mut away = GQueue::new();
        GATE.lock.lock_raw(Rank::Sync);
        while away.len() < AT_ONCE {
            // SAFETY: what is in the list waits, so its turn is there; R3: who is taken out is ours.
            unsafe {
                let Some(turn) = list.0.get().as_ref() else { break };
                turn.remove();
                GATE.waiters.remove(&turn.waiter);
                away.push(turn.waiter.g());
            }
        }
        GATE.lock.unlock_raw(Rank::Sync);
        let done = away.len() < AT_ONCE;
        // SAFETY: as above.
        unsafe { ready_queue(&nopreempt, away) };
        if done {
            return;
        }
    }
}

/// After the call, once its goroutine has a P again.
#[inline(always)]
pub fn leave(ticket: Option<Ticket>) {
    if let Some(ticket) = ticket {
        leave_capped(ticket);
    }
}

#[cold]
#[inline(never)]
fn leave_capped(_: Ticket) {
    let nopreempt = NoPreempt::new();
    GATE.lock.lock_raw(Rank::Sync);
    // Has the cap gone down meanwhile? Then there is no place to pass on.
    let next = if GATE.inside.get() > GATE.cap.load(Relaxed) { None } else { let_in_first() };
    let Some(g) = next else {
        GATE.inside.set(GATE.inside.get() - 1);
        return GATE.lock.unlock_raw(Rank::Sync);
    };
    GATE.lock.unlock_raw(Rank::Sync);
    // SAFETY: R3: we took it out of the queue, so it has left its stack.
    unsafe { ready_last(&nopreempt, g) };
}

/// Sets the cap, 0 for none, and returns the one before.
pub fn set(cap: u32) -> u32 {
    let mut before = None;
    loop {
        let nopreempt = NoPreempt::new();
        let mut let_in = GQueue::new();
        GATE.lock.lock_raw(Rank::Sync);
        // Once: somebody else may set it between two pieces.
        before = before.or_else(|| Some(GATE.cap.swap(cap, Relaxed)));
        let cap = GATE.cap.load(Relaxed);
        while (cap == 0 || GATE.inside.get() < cap) && let_in.len() < AT_ONCE {
            let Some(g) = let_in_first() else { break };
            // SAFETY: R3: who is taken out is ours.
            unsafe { let_in.push(g) };
            GATE.inside.set(GATE.inside.get() + 1);
        }
        GATE.lock.unlock_raw(Rank::Sync);
        let done = let_in.len() < AT_ONCE;
        // SAFETY: as above.
        unsafe { ready_queue(&nopreempt, let_in) };
        if done {
            return before.unwrap_or(0);
        }
    }
}
