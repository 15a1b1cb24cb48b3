//! Wait queues: goroutines that wait for the same thing, linked through a `Waiter` on each one's stack. First in first out.
//!
//! 1. A queue is used under the lock of what it belongs to. A waiter is in one from before its goroutine parks until somebody takes it out.
//! 2. Who takes a waiter out owns its goroutine, and makes it ready once; after that the waiter may be gone.
//! 3. The goroutines are linked in the same order as their waiters, so a whole queue becomes a run queue in constant time. A goroutine that waits in
//!    several queues at once (`Choice`) has one link only, and it is for none of them: next to its waiters nothing is linked, and a queue that has some
//!    is emptied one by one.
//! 4. Who takes a waiter of a choice out must win the choice too, once for all its waiters; who does not, leaves the goroutine alone. The loser waiters stay
//!    in their queues until the goroutine takes them out, or somebody takes them out in vain.
//!
//! | a choice  | its goroutine             | left by                                                      |
//! |-----------|---------------------------|--------------------------------------------------------------|
//! | `LEAVING` | is still on its stack     | the commit of its switch, to `OPEN`; who would win it spins  |
//! | `OPEN`    | waits                     | `win`, to `WON`                                              |
//! | `WON`     | belongs to who has won it | it is over                                                   |

use crate::base::atomic::{self, AtomicU32, Ordering};
use crate::gmp::G;
use crate::gmp::sched::GQueue;
use core::cell::Cell;
use core::ptr;
// Not loom's: the lock orders it.
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

const LEAVING: u32 = 0;
/// What the commit of a goroutine stores that waits in several queues.
pub const OPEN: u32 = 1;
const WON: u32 = 2;

/// A goroutine waits in several queues, for whatever comes first.
pub struct Choice {
    word: AtomicU32,
    winner: Cell<*const Waiter>,
}

impl Choice {
    /// One whose goroutine is still on its stack.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Choice {
        Choice { word: AtomicU32::new(LEAVING), winner: Cell::new(ptr::null()) }
    }

    /// The word that the commit sets to `OPEN`.
    pub fn word(&self) -> *mut u32 {
        atomic::word(&self.word)
    }

    /// The waiter that was served, once the goroutine goes on.
    pub fn winner(&self) -> *const Waiter {
        self.winner.get()
    }

    /// Invariant 4. Whoever leaves its stack holds no lock, and is done in a moment.
    #[inline(never)]
    fn win(&self, waiter: &Waiter) -> bool {
        loop {
            match self.word.compare_exchange(OPEN, WON, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    self.winner.set(waiter);
                    return true;
                }
                Err(WON) => return false,
                Err(_) => self.spin(),
            }
        }
    }

    #[cfg(loom)]
    fn spin(&self) {
        crate::base::model::spin::wait(&self.word);
    }

    #[cfg(not(loom))]
    #[cold]
    fn spin(&self) {
        let mut spun = 0;
        while self.word.load(Ordering::Relaxed) == LEAVING {
            crate::arch::cpu::pause();
            spun += 1;
            if spun % crate::base::tune::LOCK_SPINS_BEFORE_YIELD == 0 {
                crate::sys::cpu::sched_yield();
            }
        }
    }
}

/// A place in a wait queue, on the stack of the goroutine that waits.
pub struct Waiter {
    g: *mut G,
    next: Cell<*mut Waiter>,
    previous: Cell<*mut Waiter>,
    /// Where a value is to be put, or taken from.
    pub slot: *mut u8,
    /// Has a value been put or taken? Else the channel was closed.
    pub served: Cell<bool>,
    /// Null, or what its goroutine has several waiters for.
    choice: *const Choice,
    /// Is it in a queue? Kept for waiters of a choice only.
    queued: Cell<bool>,
}

impl Waiter {
    /// A place for the running goroutine, for a value at `slot`.
    #[inline(always)]
    pub fn new(slot: *mut u8) -> Waiter {
        Waiter {
            g: G::current().as_ptr(),
            next: Cell::new(ptr::null_mut()),
            previous: Cell::new(ptr::null_mut()),
            slot,
            served: Cell::new(false),
            choice: ptr::null(),
            queued: Cell::new(false),
        }
    }

    /// From now on it is one of several waiters of this goroutine.
    ///
    /// # Safety
    /// `choice` stays where it is until the waiter is in no queue any more.
    pub unsafe fn choose_by(&mut self, choice: *const Choice) {
        self.choice = choice;
    }

    /// The goroutine that waits.
    #[inline(always)]
    pub fn g(&self) -> *mut G {
        self.g
    }
}

/// Invariant 3, for two neighbours.
///
/// # Safety
/// Both are in the same queue, whose lock is held.
#[inline(always)]
unsafe fn link(first: &Waiter, second: &Waiter) {
    if first.choice.is_null() && second.choice.is_null() {
        // SAFETY: the goroutine waits in this queue only.
        unsafe { (*first.g).set_link(second.g) };
    }
}

/// See the head of this file. All zero bytes are an empty queue.
pub struct WaitQueue {
    /// Atomic for `seems_used` alone.
    head: AtomicPtr<Waiter>,
    tail: Cell<*mut Waiter>,
    len: Cell<u32>,
    /// How many of them are of a choice.
    choices: Cell<u32>,
}

// SAFETY: invariant 1: a lock orders all use.
unsafe impl Send for WaitQueue {}

impl WaitQueue {
    /// An empty queue.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> WaitQueue {
        WaitQueue { head: AtomicPtr::new(ptr::null_mut()), tail: Cell::new(ptr::null_mut()), len: Cell::new(0), choices: Cell::new(0) }
    }

    /// Is nobody in it?
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.head.load(Relaxed).is_null()
    }

    /// The first, who stays in it; null if there is none.
    pub fn first(&self) -> *mut Waiter {
        self.head.load(Relaxed)
    }

    /// Moves all into `other`, which is empty.
    ///
    /// # Safety
    /// The lock is held, which is that of `other` too.
    pub unsafe fn move_to(&self, other: &WaitQueue) {
        other.head.store(self.head.swap(ptr::null_mut(), Relaxed), Relaxed);
        other.tail.set(self.tail.replace(ptr::null_mut()));
        other.len.set(self.len.replace(0));
        other.choices.set(self.choices.replace(0));
    }

    /// Is somebody in it? A guess, without the lock.
    #[inline(always)]
    pub fn seems_used(&self) -> bool {
        !self.head.load(Relaxed).is_null()
    }

    /// Puts `waiter` at the end.
    ///
    /// # Safety
    /// The lock is held. `waiter` stays where it is until it has been taken out.
    #[inline]
    pub unsafe fn push(&self, waiter: *mut Waiter) {
        // SAFETY: the caller's contract; the tail is in the queue (invariant 1).
        unsafe {
            (*waiter).previous.set(self.tail.get());
            if (*waiter).choice.is_null() {
                (*(*waiter).g).set_link(ptr::null_mut());
            } else {
                (*waiter).queued.set(true);
                self.choices.set(self.choices.get() + 1);
            }
            match self.tail.get().as_ref() {
                None => self.head.store(waiter, Relaxed),
                Some(tail) => {
                    tail.next.set(waiter);
                    link(tail, &*waiter);
                }
            }
        }
        self.tail.set(waiter);
        self.len.set(self.len.get() + 1);
    }

    /// Puts `waiter` at the head: it has waited before.
    ///
    /// # Safety
    /// As for `push`.
    pub unsafe fn push_front(&self, waiter: *mut Waiter) {
        // SAFETY: the caller's contract; the head is in the queue (invariant 1).
        unsafe {
            let Some(head) = self.head.load(Relaxed).as_ref() else { return self.push(waiter) };
            (*waiter).next.set(self.head.load(Relaxed));
            link(&*waiter, head);
            head.previous.set(waiter);
        }
        self.head.store(waiter, Relaxed);
        self.len.set(self.len.get() + 1);
    }

    /// Takes the first out; null if there is none.
    ///
    /// # Safety
    /// The lock is held.
    #[inline]
    pub unsafe fn pop(&self) -> *mut Waiter {
        let first = self.head.load(Relaxed);
        // SAFETY: the caller's contract and invariant 1.
        if let Some(waiter) = unsafe { first.as_ref() } {
            self.head.store(waiter.next.get(), Relaxed);
            // SAFETY: as above.
            match unsafe { waiter.next.get().as_ref() } {
                None => self.tail.set(ptr::null_mut()),
                Some(next) => next.previous.set(ptr::null_mut()),
            }
            self.len.set(self.len.get() - 1);
        }
        first
    }

    /// Takes the first out whose goroutine is the caller's then: invariant 4. Null if there is none.
    ///
    /// # Safety
    /// The lock is held.
    #[inline(always)]
    pub unsafe fn pop_won(&self) -> *mut Waiter {
        loop {
            // SAFETY: the caller's contract.
            let waiter = unsafe { self.pop() };
            // SAFETY: it was in the queue until now, so it is there.
            match unsafe { waiter.as_ref() } {
                Some(waiter) if !waiter.choice.is_null() && !self.wins(waiter) => {}
                _ => return waiter,
            }
        }
    }

    #[cold]
    fn wins(&self, waiter: &Waiter) -> bool {
        self.choices.set(self.choices.get() - 1);
        waiter.queued.set(false);
        // SAFETY: the choice lives until its goroutine has seen that the waiter is in no queue, which takes the lock that the caller holds.
        unsafe { (*waiter.choice).win(waiter) }
    }

    /// Takes `waiter`, which is of a choice, out if it is still in here.
    ///
    /// # Safety
    /// The lock is held.
    pub unsafe fn remove_if_queued(&self, waiter: &Waiter) {
        if waiter.queued.replace(false) {
            self.choices.set(self.choices.get() - 1);
            // SAFETY: the caller's contract; it is in here.
            unsafe { self.remove(waiter) };
        }
    }

    /// Are there waiters of a choice in it?
    pub fn has_choices(&self) -> bool {
        self.choices.get() != 0
    }

    /// Takes `waiter` out, which is in here.
    ///
    /// # Safety
    /// The lock is held.
    pub unsafe fn remove(&self, waiter: &Waiter) {
        let (previous, next) = (waiter.previous.get(), waiter.next.get());
        // SAFETY: its neighbours are in the queue (invariant 1).
        unsafe {
            match previous.as_ref() {
                None => self.head.store(next, Relaxed),
                Some(previous) => {
                    previous.next.set(next);
                    if let Some(next) = next.as_ref() {
                        link(previous, next);
                    }
                }
            }
            match next.as_ref() {
                None => self.tail.set(previous),
                Some(next) => next.previous.set(previous),
            }
        }
        self.len.set(self.len.get() - 1);
    }

    /// Takes all out at once, as a queue of goroutines to be made ready.
    ///
    /// # Safety
    /// The lock is held, and there are none of a choice.
    pub unsafe fn take_all(&self) -> GQueue {
        let (head, tail) = (self.head.swap(ptr::null_mut(), Relaxed), self.tail.replace(ptr::null_mut()));
        let len = self.len.replace(0);
        if head.is_null() {
            return GQueue::new();
        }
        // SAFETY: invariants 1 and 3.
        unsafe { GQueue::of_linked((*head).g, (*tail).g, len) }
    }
}
