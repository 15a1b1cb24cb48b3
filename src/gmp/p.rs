//! P: the right to run goroutines, with what belongs to it: run queues, caches, counters.
//!
//! 1. The M that holds a P is its owner. Thieves touch `runnext` and `ring` only; everything else is the owner's.
//! 2. All zero bytes, but for `id` and `rng`, are a P with nothing to do. Ps are made once and never freed: GOMAXPROCS may come back.
//! 3. A P without an M is idle (in the idle list), stopped (the world is), or dead (above GOMAXPROCS); its former owner has let go of it
//!    under the scheduler's lock.

use super::counters::Counters;
use super::fresh::Fresh;
use super::{G, M};
use crate::arch::tls;
use crate::base::NoPreempt;
use crate::base::ring::Ring;
use crate::base::rng::Rng;
use crate::mem::heap::Cache;
use crate::mem::stack::StackList;
use core::cell::{Cell, UnsafeCell};
use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32};

/// What a P is. Changed under the scheduler's lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum PStatus {
    /// Above GOMAXPROCS.
    Dead,
    /// In the idle list.
    Idle,
    /// Held by an M.
    Running,
    /// The world is stopped.
    Stopped,
}

/// See the head of this file.
#[repr(C, align(128))]
pub struct P {
    /// The allocator's cache: `fs:24` of the M that holds this P.
    pub heap: UnsafeCell<Cache>,
    /// Its number, from 0.
    pub id: u32,
    /// Scheduler ticks: one each time a goroutine is chosen. Thieves look at it.
    pub tick: AtomicU32,
    /// New goroutines that nobody else knows of.
    pub fresh: Fresh,
    /// Free stacks of the default class.
    pub stacks: UnsafeCell<StackList>,
    /// The next goroutine id, and where this P's batch of them ends.
    pub next_id: Cell<u64>,
    /// See `next_id`.
    pub end_id: Cell<u64>,
    /// How many hand-offs into an empty runnext may pass before one wakes a spinner.
    pub handoffs_to_skip: Cell<u32>,
    /// For the order of stealing.
    pub rng: Rng,
    /// The paths taken.
    pub counters: Counters,
    /// Under the scheduler's lock: what it is.
    pub status: AtomicU8,
    /// Under the scheduler's lock: the next in the idle list.
    pub idle_link: Cell<*mut P>,
    /// The M that holds it.
    pub m: Cell<*mut M>,
    /// The goroutine that was made ready last: it runs next. Thieves may take it, late.
    pub runnext: Runnext,
    /// Ready goroutines, oldest first.
    pub ring: Ring<G>,
}

/// `runnext` on cache lines of its own: thieves look at it, the owner changes it all the time.
#[repr(C, align(128))]
pub struct Runnext(pub AtomicPtr<G>);

// SAFETY: invariant 1: what is not atomic is the owner's, or under the scheduler's lock.
unsafe impl Sync for P {}

impl P {
    /// The P of this M. There is one.
    #[inline(always)]
    pub fn current(_: &NoPreempt) -> &P {
        // SAFETY: R1: preemption is disabled, so the M keeps its P; a goroutine that runs has one.
        unsafe { &*tls::p().cast() }
    }

    /// The P of this M, or none.
    #[inline(always)]
    pub fn current_or_none(_: &NoPreempt) -> Option<&P> {
        // SAFETY: as in `current`.
        unsafe { tls::p().cast::<P>().as_ref() }
    }

    /// Owner: the list of free stacks.
    ///
    /// # Safety
    /// The caller holds this P, and lets go of the reference before anything else can use the list.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn stacks(&self) -> &mut StackList {
        // SAFETY: the caller's contract.
        unsafe { &mut *self.stacks.get() }
    }

    /// Goroutines in its queues, as far as can be seen.
    pub fn runnable(&self) -> u32 {
        let next = !self.runnext.0.load(core::sync::atomic::Ordering::Relaxed).is_null();
        self.ring.len() + self.fresh.len() + u32::from(next)
    }
}
