//! The channel itself: a lock, a ring of values, two wait queues. Unsafe code is allowed here, for values move between stacks.
//!
//! 1. Everything is used under `lock`, which is held with preemption disabled and released by the commit of the goroutine that parks.
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
use crate::gmp::WaitReason;
use crate::sched::waitq::{WaitQueue, Waiter};
use crate::sched::{park, poll, ready, ready_queue};
use alloc::boxed::Box;
use core::cell::{Cell, UnsafeCell};
use core::mem::{ManuallyDrop, MaybeUninit};

/// See the head of this file.
#[repr(align(64))]
pub struct Raw<T> {
    lock: RawLock,
    closed: Cell<bool>,
    len: Cell<usize>,
    read: Cell<usize>,
    buffer: Box<[UnsafeCell<MaybeUninit<T>>]>,
    receivers: WaitQueue,
    senders: WaitQueue,
}

// SAFETY: invariant 1: the lock orders all use.
unsafe impl<T: Send> Sync for Raw<T> {}
// SAFETY: as above; waiters are in it only while their goroutines hold a handle.
unsafe impl<T: Send> Send for Raw<T> {}

/// How an attempt that does not wait can end otherwise.
enum Blocked {
    Wait,
    Closed,
}

impl<T> Raw<T> {
    pub fn new(capacity: usize) -> Raw<T> {
        let buffer = (0..capacity).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect();
        Raw {
            lock: RawLock::new(),
            closed: Cell::new(false),
            len: Cell::new(0),
            read: Cell::new(0),
            buffer,
            receivers: WaitQueue::new(),
            senders: WaitQueue::new(),
        }
    }

    pub fn capacity(&self) -> usize {
        self.buffer.len()
    }

    pub fn len(&self) -> usize {
        let nopreempt = NoPreempt::new();
        self.lock.lock_raw(Rank::Sync);
        let len = self.len.get();
        self.lock.unlock_raw(Rank::Sync);
        drop(nopreempt);
        len
    }

    #[inline(always)]
    fn unlock(&self) {
        self.lock.unlock_raw(Rank::Sync);
    }

    /// Lock held: puts `value` at the end of the buffer, which has room.
    #[inline(always)]
    fn put(&self, value: T) {
        let mut at = self.read.get() + self.len.get();
        if at >= self.buffer.len() {
            at -= self.buffer.len();
        }
        // SAFETY: invariant 1; the slot is free.
        unsafe { (*self.buffer[at].get()).write(value) };
        self.len.set(self.len.get() + 1);
    }

    /// Lock held: takes the oldest value of the buffer, which is not empty.
    #[inline(always)]
    fn take(&self) -> T {
        let at = self.read.get();
        self.read.set(if at + 1 == self.buffer.len() { 0 } else { at + 1 });
        self.len.set(self.len.get() - 1);
        // SAFETY: invariant 1; the slot holds a value, which is not read again.
        unsafe { (*self.buffer[at].get()).assume_init_read() }
    }

    /// Lock held: tries to send; lets go of the lock unless that would have to wait.
    #[inline(always)]
    fn send_locked(&self, nopreempt: &NoPreempt, value: T) -> Result<(), (T, Blocked)> {
        if self.closed.get() {
            self.unlock();
            return Err((value, Blocked::Closed));
        }
        // SAFETY: the lock is held.
        let receiver = unsafe { self.receivers.pop() };
        if !receiver.is_null() {
            // SAFETY: invariant 3: the receiver waits with a slot for a `T`.
            let g = unsafe {
                (*receiver).slot.cast::<T>().write(value);
                (*receiver).served.set(true);
                (*receiver).g()
            };
            self.unlock();
            // SAFETY: R3: it came out of the queue under the lock.
            unsafe { ready(nopreempt, g) };
            return Ok(());
        }
        if self.len.get() < self.buffer.len() {
            self.put(value);
            self.unlock();
            return Ok(());
        }
        Err((value, Blocked::Wait))
    }

    /// Sends; waits if it has to. The value comes back if the channel is closed.
    #[inline]
    pub fn send(&self, value: T) -> Result<(), T> {
        let nopreempt = NoPreempt::new();
        self.lock.lock_raw(Rank::Sync);
        let value = match self.send_locked(&nopreempt, value) {
            Ok(()) => {
                drop(nopreempt);
                poll();
                return Ok(());
            }
            Err((value, Blocked::Closed)) => return Err(value),
            Err((value, Blocked::Wait)) => value,
        };
        let mut slot = ManuallyDrop::new(value);
        let mut waiter = Waiter::new((&raw mut slot).cast());
        // SAFETY: the lock is held; the waiter and its slot stay here until somebody has taken the waiter out; the commit frees the lock.
        unsafe {
            self.senders.push(&raw mut waiter);
            park(&nopreempt, WaitReason::ChanSend, Commit::store(self.lock.hand_to_commit(Rank::Sync), FREE));
        }
        if waiter.served.get() { Ok(()) } else { Err(ManuallyDrop::into_inner(slot)) }
    }

    /// Sends if nobody has to wait.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let nopreempt = NoPreempt::new();
        self.lock.lock_raw(Rank::Sync);
        let result = self.send_locked(&nopreempt, value).map_err(|(value, blocked)| match blocked {
            Blocked::Closed => TrySendError::Closed(value),
            Blocked::Wait => {
                self.unlock();
                TrySendError::Full(value)
            }
        });
        drop(nopreempt);
        poll();
        result
    }

    /// Lock held: tries to receive; lets go of the lock unless that would have to wait.
    #[inline(always)]
    fn recv_locked(&self, nopreempt: &NoPreempt) -> Result<T, Blocked> {
        let buffered = if self.len.get() > 0 { Some(self.take()) } else { None };
        // SAFETY: the lock is held.
        let sender = unsafe { self.senders.pop() };
        if sender.is_null() {
            return match buffered {
                Some(value) => {
                    self.unlock();
                    Ok(value)
                }
                None if self.closed.get() => {
                    self.unlock();
                    Err(Blocked::Closed)
                }
                None => Err(Blocked::Wait),
            };
        }
        // SAFETY: invariant 3: the sender waits with a `T` in its slot, which is not used there again.
        let (sent, g) = unsafe {
            (*sender).served.set(true);
            ((*sender).slot.cast::<T>().read(), (*sender).g())
        };
        let value = match buffered {
            Some(value) => {
                self.put(sent); // invariant 2: its turn comes after what was buffered
                value
            }
            None => sent,
        };
        self.unlock();
        // SAFETY: R3: it came out of the queue under the lock.
        unsafe { ready(nopreempt, g) };
        Ok(value)
    }

    /// Receives; waits if it has to. None if the channel is closed and empty.
    #[inline]
    pub fn recv(&self) -> Option<T> {
        let nopreempt = NoPreempt::new();
        self.lock.lock_raw(Rank::Sync);
        match self.recv_locked(&nopreempt) {
            Ok(value) => {
                drop(nopreempt);
                poll();
                return Some(value);
            }
            Err(Blocked::Closed) => return None,
            Err(Blocked::Wait) => {}
        }
        let mut slot = MaybeUninit::<T>::uninit();
        let mut waiter = Waiter::new(slot.as_mut_ptr().cast());
        // SAFETY: as in `send`.
        unsafe {
            self.receivers.push(&raw mut waiter);
            park(&nopreempt, WaitReason::ChanReceive, Commit::store(self.lock.hand_to_commit(Rank::Sync), FREE));
        }
        // SAFETY: invariant 3: served means that a sender has written the slot.
        waiter.served.get().then(|| unsafe { slot.assume_init() })
    }

    /// Receives if nobody has to wait.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        let nopreempt = NoPreempt::new();
        self.lock.lock_raw(Rank::Sync);
        let result = self.recv_locked(&nopreempt).map_err(|blocked| match blocked {
            Blocked::Closed => TryRecvError::Closed,
            Blocked::Wait => {
                self.unlock();
                TryRecvError::Empty
            }
        });
        drop(nopreempt);
        poll();
        result
    }

    /// Closes. False, and nothing changed, if it was closed.
    pub fn close(&self) -> bool {
        let nopreempt = NoPreempt::new();
        self.lock.lock_raw(Rank::Sync);
        if self.closed.replace(true) {
            self.unlock();
            return false;
        }
        // SAFETY: the lock is held.
        let (receivers, senders) = unsafe { (self.receivers.take_all(), self.senders.take_all()) };
        self.unlock();
        // SAFETY: R3: they came out of the queues under the lock.
        unsafe {
            ready_queue(&nopreempt, receivers);
            ready_queue(&nopreempt, senders);
        }
        true
    }
}

impl<T> Drop for Raw<T> {
    fn drop(&mut self) {
        while self.len.get() > 0 {
            drop(self.take());
        }
    }
}
