//! The channel itself: a lock, a ring of values, two wait queues. Unsafe code is allowed here, for values move between stacks.
//!
//! 1. Everything is used under `lock`, which is held with preemption disabled and released by the commit of the goroutine that parks. `select` alone
//!    looks at `closed`, `len` and the queues' heads without it, for a guess: so these are atomics, used as plain words.
//! 2. Values wait in the buffer only while no receiver waits; senders wait only while the buffer is full.
//! 3. A waiter's value slot lies on the waiting goroutine's stack. Who takes the waiter out fills or empties it, then says so (`served`), then
//!    lets go of the lock, then makes the goroutine ready, and touches it no more.
//! 4. No user code runs under the lock: values are moved, never cloned or dropped there.
//!
//! Rejected: lock-free rings (the wait queues need the lock anyway, and one uncontended exchange is what a ring costs too).

#![allow(unsafe_code)]

use super::{TryRecvError, TrySendError};
use crate::arch::switch::Commit;
use crate::base::NoPreempt;
use crate::base::lock::{FREE, Rank, RawLock};
use crate::base::tune::{CHANNEL_MAX_BYTES, CLOSE_AT_ONCE};
use crate::gmp::sched::GQueue;
use crate::gmp::{G, WaitReason};
use crate::sched::group;
use crate::sched::waitq::{WaitQueue, Waiter};
use crate::sched::{park, poll, ready, ready_queue};
use alloc::boxed::Box;
use core::cell::{Cell, UnsafeCell};
use core::mem::{ManuallyDrop, MaybeUninit};
use core::ptr;
// Not loom's: the lock orders them.
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// See the head of this file.
#[repr(align(64))]
pub struct Raw<T> {
    lock: RawLock,
    closed: AtomicBool,
    /// The bubble that it was made in; 0: none.
    bubble: u32,
    len: AtomicUsize,
    read: Cell<usize>,
    buffer: Box<[UnsafeCell<MaybeUninit<T>>]>,
    receivers: WaitQueue,
    senders: WaitQueue,
}

// SAFETY: invariant 1: the lock orders all use.
unsafe impl<T: Send> Sync for Raw<T> {}
// SAFETY: as above; waiters are in it only while their goroutines hold a handle.
unsafe impl<T: Send> Send for Raw<T> {}

/// Panics if the running goroutine is not of this bubble.
#[cold]
#[inline(never)]
#[track_caller]
fn check_bubble(bubble: u32, doing: &str) {
    if bubble != group::bubble_id() {
        panic!("{doing} synctest channel from outside bubble");
    }
}

/// How an attempt that does not wait can end otherwise.
enum Blocked {
    Wait,
    Closed,
}

impl<T> Raw<T> {
    /// None if the buffer would be too large. Costs the same whatever the capacity is.
    pub fn new(capacity: usize) -> Option<Raw<T>> {
        // Less than half of what a usize holds, for `put` adds two places.
        let fits = capacity <= isize::MAX as usize && size_of::<T>().checked_mul(capacity).is_some_and(|bytes| bytes < CHANNEL_MAX_BYTES);
        if !fits {
            return None;
        }
        // SAFETY: a cell of `MaybeUninit` needs nothing to be initialised.
        let buffer = unsafe { Box::<[UnsafeCell<MaybeUninit<T>>]>::new_uninit_slice(capacity).assume_init() };
        Some(Raw {
            lock: RawLock::new(),
            closed: AtomicBool::new(false),
            bubble: group::bubble_id(),
            len: AtomicUsize::new(0),
            read: Cell::new(0),
            buffer,
            receivers: WaitQueue::new(),
            senders: WaitQueue::new(),
        })
    }

    /// Panics if it is used outside of its bubble: in a program without bubbles a look at a word.
    #[inline(always)]
    #[track_caller]
    pub fn check(&self, doing: &str) {
        if self.bubble != 0 {
            check_bubble(self.bubble, doing);
        }
    }

    pub fn capacity(&self) -> usize {
        self.buffer.len()
    }

    pub fn len(&self) -> usize {
        let nopreempt = NoPreempt::new();
        self.lock.lock_raw(Rank::Sync);
        let len = self.len.load(Relaxed);
        self.lock.unlock_raw(Rank::Sync);
        drop(nopreempt);
        len
    }

    /// Lets go of the lock.
    #[inline(always)]
    fn unlock(&self) {
        self.lock.unlock_raw(Rank::Sync);
    }

    /// Lock held: puts `value` at the end of the buffer, which has room.
    #[inline(always)]
    fn put(&self, value: T) {
        let mut at = self.read.get() + self.len.load(Relaxed);
        if at >= self.buffer.len() {
            at -= self.buffer.len();
        }
        // SAFETY: invariant 1; the slot is free.
        unsafe { (*self.buffer[at].get()).write(value) };
        self.len.store(self.len.load(Relaxed) + 1, Relaxed);
    }

    /// Lock held: takes the oldest value of the buffer, which is not empty.
    #[inline(always)]
    fn take(&self) -> T {
        let at = self.read.get();
        self.read.set(if at + 1 == self.buffer.len() { 0 } else { at + 1 });
        self.len.store(self.len.load(Relaxed) - 1, Relaxed);
        // SAFETY: invariant 1; the slot holds a value, which is not read again.
        unsafe { (*self.buffer[at].get()).assume_init_read() }
    }

    /// Lock held: hands `value` to a receiver, which is to be made ready then, or puts it into the buffer.
    #[inline(always)]
    fn offer(&self, value: T) -> Result<*mut G, (T, Blocked)> {
        if self.closed.load(Relaxed) {
            return Err((value, Blocked::Closed));
        }
        // SAFETY: the lock is held.
        let receiver = unsafe { self.receivers.pop_won() };
        if !receiver.is_null() {
            // SAFETY: invariant 3: the receiver waits with a slot for a `T`.
            return Ok(unsafe {
                (*receiver).slot.cast::<T>().write(value);
                (*receiver).served.set(true);
                (*receiver).g()
            });
        }
        if self.len.load(Relaxed) < self.buffer.len() {
            self.put(value);
            return Ok(ptr::null_mut());
        }
        Err((value, Blocked::Wait))
    }

    /// Lock held: takes a value out of the buffer or from a sender, which is to be made ready then.
    #[inline(always)]
    fn fetch(&self) -> Result<(T, *mut G), Blocked> {
        let buffered = if self.len.load(Relaxed) > 0 { Some(self.take()) } else { None };
        // SAFETY: the lock is held.
        let sender = unsafe { self.senders.pop_won() };
        if sender.is_null() {
            return match buffered {
                Some(value) => Ok((value, ptr::null_mut())),
                None if self.closed.load(Relaxed) => Err(Blocked::Closed),
                None => Err(Blocked::Wait),
            };
        }
        // SAFETY: invariant 3: the sender waits with a `T` in its slot, which is not used there again.
        let (sent, g) = unsafe {
            (*sender).served.set(true);
            ((*sender).slot.cast::<T>().read(), (*sender).g())
        };
        Ok(match buffered {
            Some(value) => {
                self.put(sent); // invariant 2: its turn comes after what was buffered
                (value, g)
            }
            None => (sent, g),
        })
    }

    /// Lets go of the lock, and makes `g` ready, if there is one.
    #[inline(always)]
    fn finish(&self, nopreempt: NoPreempt, g: *mut G) {
        self.unlock();
        if !g.is_null() {
            // SAFETY: R3: it came out of a queue under the lock.
            unsafe { ready(&nopreempt, g) };
        }
        drop(nopreempt);
        poll();
    }

    /// Sends; waits if it has to. The value comes back if the channel is closed.
    #[inline]
    pub fn send(&self, value: T) -> Result<(), T> {
        let nopreempt = NoPreempt::new();
        self.lock.lock_raw(Rank::Sync);
        let value = match self.offer(value) {
            Ok(g) => {
                self.finish(nopreempt, g);
                return Ok(());
            }
            Err((value, Blocked::Closed)) => {
                self.unlock();
                return Err(value);
            }
            Err((value, Blocked::Wait)) => value,
        };
        let mut slot = ManuallyDrop::new(value);
        let mut waiter = Waiter::new((&raw mut slot).cast());
        // SAFETY: the lock is held; the waiter and its slot stay here until somebody has taken the waiter out; the commit frees the lock.
        unsafe {
            self.senders.push(&raw mut waiter);
            let reason = if self.bubble == 0 { WaitReason::ChanSend } else { WaitReason::ChanSendDurable };
            park(&nopreempt, reason, Commit::store(self.lock.hand_to_commit(Rank::Sync), FREE));
        }
        if waiter.served.get() { Ok(()) } else { Err(ManuallyDrop::into_inner(slot)) }
    }

    /// Sends if nobody has to wait.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let nopreempt = NoPreempt::new();
        self.lock.lock_raw(Rank::Sync);
        let (g, result) = match self.offer(value) {
            Ok(g) => (g, Ok(())),
            Err((value, Blocked::Closed)) => (ptr::null_mut(), Err(TrySendError::Closed(value))),
            Err((value, Blocked::Wait)) => (ptr::null_mut(), Err(TrySendError::Full(value))),
        };
        self.finish(nopreempt, g);
        result
    }

    /// Receives; waits if it has to. None if the channel is closed and empty.
    #[inline]
    pub fn recv(&self) -> Option<T> {
        let nopreempt = NoPreempt::new();
        self.lock.lock_raw(Rank::Sync);
        match self.fetch() {
            Ok((value, g)) => {
                self.finish(nopreempt, g);
                return Some(value);
            }
            Err(Blocked::Closed) => {
                self.unlock();
                return None;
            }
            Err(Blocked::Wait) => {}
        }
        let mut slot = MaybeUninit::<T>::uninit();
        let mut waiter = Waiter::new(slot.as_mut_ptr().cast());
        // SAFETY: as in `send`.
        unsafe {
            self.receivers.push(&raw mut waiter);
            let reason = if self.bubble == 0 { WaitReason::ChanReceive } else { WaitReason::ChanReceiveDurable };
            park(&nopreempt, reason, Commit::store(self.lock.hand_to_commit(Rank::Sync), FREE));
        }
        // SAFETY: invariant 3: served means that a sender has written the slot.
        waiter.served.get().then(|| unsafe { slot.assume_init() })
    }

    /// Receives if nobody has to wait.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        let nopreempt = NoPreempt::new();
        self.lock.lock_raw(Rank::Sync);
        let (g, result) = match self.fetch() {
            Ok((value, g)) => (g, Ok(value)),
            Err(Blocked::Closed) => (ptr::null_mut(), Err(TryRecvError::Closed)),
            Err(Blocked::Wait) => (ptr::null_mut(), Err(TryRecvError::Empty)),
        };
        self.finish(nopreempt, g);
        result
    }

    /// Closes. False, and nothing changed, if it was closed.
    pub fn close(&self) -> bool {
        let nopreempt = NoPreempt::new();
        self.lock.lock_raw(Rank::Sync);
        if self.closed.swap(true, Relaxed) {
            self.unlock();
            return false;
        }
        if self.receivers.has_choices() || self.senders.has_choices() {
            return self.wake_one_by_one(nopreempt);
        }
        // SAFETY: the lock is held, and no goroutine waits elsewhere too.
        let (receivers, senders) = unsafe { (self.receivers.take_all(), self.senders.take_all()) };
        self.unlock();
        // SAFETY: R3: they came out of the queues under the lock.
        unsafe {
            ready_queue(&nopreempt, receivers);
            ready_queue(&nopreempt, senders);
        }
        true
    }

    /// The rest of `close`, with goroutines that wait elsewhere too. In pieces: nobody begins to wait any more.
    #[cold]
    #[inline(never)]
    fn wake_one_by_one(&self, mut nopreempt: NoPreempt) -> bool {
        loop {
            let mut out = GQueue::new();
            let done = loop {
                // SAFETY: the lock is held.
                let waiter = unsafe { [&self.receivers, &self.senders].into_iter().find_map(|queue| queue.pop_won().as_ref()) };
                let Some(waiter) = waiter else { break true };
                // SAFETY: invariant 4 of the queue: it is ours, and waits.
                unsafe { out.push(waiter.g()) };
                if out.len() == CLOSE_AT_ONCE {
                    break false;
                }
            };
            self.unlock();
            // SAFETY: as above.
            unsafe { ready_queue(&nopreempt, out) };
            drop(nopreempt);
            if done {
                return true;
            }
            nopreempt = NoPreempt::new();
            self.lock.lock_raw(Rank::Sync);
        }
    }
}

/// A channel of whatever type, for `select`, which has a slot for each case as a waiter has: where the value is, or is to be.
pub trait AnyChannel {
    /// Its lock, of rank `Sync`.
    fn lock(&self) -> &RawLock;

    /// The bubble that it was made in; 0: none.
    fn bubble(&self) -> u32;

    /// Could the case go on at once? Without the lock a guess. With it: no means no.
    fn seems_ready(&self, direction: Direction) -> bool;

    /// Lock held: does it, if nobody has to wait. The goroutine in the result, if there is one, is to be made ready after the lock was released.
    ///
    /// # Safety
    /// The slot is as the direction says, and has a value after a receive that was `Served`, none after such a send.
    unsafe fn attempt(&self, direction: Direction, slot: *mut u8) -> Attempt;

    /// Lock held: the queue in which such a case waits.
    fn queue(&self, direction: Direction) -> &WaitQueue;
}

/// What a case does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Receives, into an empty slot.
    Receive,
    /// Sends, from a full slot.
    Send,
}

/// What became of it.
pub enum Attempt {
    /// A value was moved.
    Served(*mut G),
    /// The channel is closed (and empty, for a receive).
    Closed,
    /// It would have to wait.
    Wait,
}

impl<T> AnyChannel for Raw<T> {
    fn lock(&self) -> &RawLock {
        &self.lock
    }

    fn bubble(&self) -> u32 {
        self.bubble
    }

    fn seems_ready(&self, direction: Direction) -> bool {
        self.closed.load(Relaxed)
            || match direction {
                Direction::Receive => self.len.load(Relaxed) != 0 || self.senders.seems_used(),
                Direction::Send => self.len.load(Relaxed) < self.buffer.len() || self.receivers.seems_used(),
            }
    }

    unsafe fn attempt(&self, direction: Direction, slot: *mut u8) -> Attempt {
        let slot = slot.cast::<T>();
        let blocked = match direction {
            Direction::Receive => match self.fetch() {
                Ok((value, g)) => {
                    // SAFETY: the caller's contract: it is empty.
                    unsafe { slot.write(value) };
                    return Attempt::Served(g);
                }
                Err(blocked) => blocked,
            },
            // SAFETY: the caller's contract: it is full; it is filled again if the value comes back.
            Direction::Send => match self.offer(unsafe { slot.read() }) {
                Ok(g) => return Attempt::Served(g),
                Err((value, blocked)) => {
                    // SAFETY: as above.
                    unsafe { slot.write(value) };
                    blocked
                }
            },
        };
        match blocked {
            Blocked::Closed => Attempt::Closed,
            Blocked::Wait => Attempt::Wait,
        }
    }

    fn queue(&self, direction: Direction) -> &WaitQueue {
        match direction {
            Direction::Receive => &self.receivers,
            Direction::Send => &self.senders,
        }
    }
}

impl<T> Drop for Raw<T> {
    fn drop(&mut self) {
        while self.len.load(Relaxed) > 0 {
            drop(self.take());
        }
    }
}
