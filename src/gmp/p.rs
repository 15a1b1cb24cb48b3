//! P: the right to run goroutines, with what belongs to it: run queues, caches, counters.
//!
//! 1. The M that holds a P is its owner. Thieves touch `runnext` and `ring` only; everything else is the owner's.
//! 2. All zero bytes, but for what `sched::procs` fills in, are a P with nothing to do. Ps are made once and never freed: GOMAXPROCS may come back.
//! 3. `request`, `slice`, `slice_start_ns`, `next_timer_ns`, the lengths and `resume` may be read by anybody: sysmon looks at them. `m` and
//!    the watch are under the scheduler's lock, and `m` names an M that lives as long as that lock is held.
//! 4. A P without an M is idle (in the idle list), stopped (the world is), or dead (above GOMAXPROCS); its former owner has let go of it
//!    under the scheduler's lock.

use super::counters::Counters;
use super::fresh::Fresh;
use super::sched::GQueue;
use super::{G, M};
use crate::arch::tls;
use crate::base::NoPreempt;
use crate::base::call_word::CallWord;
use crate::base::heap::TimeHeap;
use crate::base::lock::Lock;
use crate::base::ring::Ring;
use crate::base::rng::Rng;
use crate::mem::heap::Cache;
use crate::mem::stack::StackList;
use core::cell::{Cell, UnsafeCell};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::Release};

/// Of `P::request`: the running goroutine is to give way.
pub const GIVE_WAY: u32 = 1;
/// Of `P::request`: the running goroutine is locked to its M, which nobody else may use.
pub const LOCKED: u32 = 2;

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
    /// Not zero: the next call into the scheduler goes by way of g0. `GIVE_WAY` is set by whoever wants something of this P, `LOCKED` while a locked
    /// goroutine runs. Both are set anew with each slice.
    pub request: AtomicU32,
    /// Samples latencies when it has counted down to 0 (`sampling`); 0: off.
    pub sample_left: AtomicU32,
    /// Counted up with each slice: a chain of goroutines that switch to each other directly, begun by g0.
    pub slice: AtomicU32,
    /// When the slice began (monotonic ns); 0 while nobody measures.
    pub slice_start_ns: AtomicU64,
    /// What its first goroutine had used of its 10 ms before.
    pub slice_used_ns: AtomicU64,
    /// Goroutines that waited for a time, and whose time has come.
    pub woken: OwnQueue,
    /// The goroutine that was preempted for the woken ones: it goes on next.
    pub resume: AtomicPtr<G>,
    /// What it has used of its 10 ms.
    pub resume_used_ns: Cell<u64>,
    /// So many of the woken run before the next normal goroutine.
    pub batch: Cell<u32>,
    /// The batch has run: a normal goroutine is next.
    pub normals_turn: Cell<bool>,
    /// When (monotonic ns) the oldest come first again, and which queue's: 0 the global one, 1 the ring, 2 the fresh.
    pub oldest_next_ns: Cell<u64>,
    /// See `oldest_next_ns`.
    pub oldest_turn: Cell<u32>,
    /// Goroutines that were made ready here and have a stack already: they run before new ones.
    pub started: OwnQueue,
    /// There are such goroutines in the ring too, for thieves: then it comes before new ones until it is empty.
    pub ring_is_urgent: Cell<bool>,
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
    /// The M that is in a system call with this P wired to it (`sched::syscalls`); null else.
    pub in_call: CallWord<M>,
    /// Counted up with each such call.
    pub calls: AtomicU32,
    /// The M that holds it.
    pub m: AtomicPtr<M>,
    /// What sysmon knows of it.
    pub watch: Watch,
    /// The first time in `timers`; `u64::MAX` if there is none.
    pub next_timer_ns: AtomicU64,
    /// How many entries there are in `timers`.
    pub timer_count: AtomicU32,
    /// Sysmon's errands wait here for an M that passes through g0: everybody's timers, and a change of GOMAXPROCS.
    pub errands: AtomicBool,
    /// Cancelled entries in `timers`.
    pub zombies: AtomicU32,
    /// Its timers.
    pub timers: Lock<TimeHeap>,
    /// The goroutine that was made ready last: it runs next. Thieves may take it, late.
    pub runnext: Runnext,
    /// Ready goroutines, oldest first.
    pub ring: Ring<G>,
    /// How often the sampling period has been doubled.
    pub sample_doublings: Cell<u8>,
    /// When it sampled last.
    pub sample_last_ns: Cell<u64>,
}

/// A queue of the owner's whose length others may look at. First in first out.
#[repr(C)]
pub struct OwnQueue {
    queue: UnsafeCell<GQueue>,
    len: AtomicU32,
}

impl OwnQueue {
    /// How many are in it. Others may ask too; they get a guess.
    #[inline(always)]
    pub fn len(&self) -> u32 {
        self.len.load(Relaxed)
    }

    /// Owner: puts a runnable goroutine at the end.
    ///
    /// # Safety
    /// The caller owns it.
    #[inline]
    pub unsafe fn push(&self, g: *mut G) {
        // SAFETY: as in `append`; the caller's contract.
        unsafe {
            let queue = &mut *self.queue.get();
            queue.push(g);
            self.len.store(queue.len(), Relaxed);
        }
    }

    /// Owner: puts runnable goroutines at the end.
    pub fn append(&self, goroutines: GQueue) {
        // SAFETY: the owner alone uses the queue, and no reference leaves this file.
        let queue = unsafe { &mut *self.queue.get() };
        queue.append(goroutines);
        self.len.store(queue.len(), Relaxed);
    }

    /// Owner: takes the first; null if there is none.
    #[inline]
    pub fn pop(&self) -> *mut G {
        if self.len() == 0 {
            return core::ptr::null_mut();
        }
        // SAFETY: as in `append`.
        let queue = unsafe { &mut *self.queue.get() };
        let g = queue.pop();
        self.len.store(queue.len(), Relaxed);
        g
    }
}

/// Under the scheduler's lock: what sysmon remembers of a P.
#[repr(C)]
pub struct Watch {
    /// The slice that it has asked to end.
    pub slice: Cell<u32>,
    /// Has it asked somebody else too?
    pub escalated: Cell<bool>,
    /// When it asked; 0: not in this slice.
    pub asked_ns: Cell<u64>,
    /// The system call that it has seen, by `P::calls`.
    pub calls: Cell<u32>,
    /// When it first saw it; 0: never.
    pub call_seen_ns: Cell<u64>,
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

    /// How many free stacks it keeps. Others may ask too; they get a guess.
    pub fn free_stacks(&self) -> u32 {
        // SAFETY: a word that its owner may change at any time, read whole.
        unsafe { (&raw const (*self.stacks.get()).count).read_volatile() }
    }

    /// Goroutines in its queues, as far as can be seen.
    pub fn runnable(&self) -> u32 {
        let next = !self.runnext.0.load(Relaxed).is_null();
        let resume = !self.resume.load(Relaxed).is_null();
        self.ring.len() + self.started.len() + self.fresh.len() + self.woken.len() + u32::from(next) + u32::from(resume)
    }

    /// Is there something runnable that only its owner can get at?
    #[inline(always)]
    pub fn hides_work(&self) -> bool {
        self.woken.len() != 0 || self.started.len() != 0 || !self.fresh.is_empty() || !self.resume.load(Relaxed).is_null()
    }

    /// Owner: takes the goroutine that was preempted; null if there is none.
    pub fn take_resume(&self) -> *mut G {
        let g = self.resume.load(Relaxed);
        self.resume.store(core::ptr::null_mut(), Relaxed);
        g
    }

    /// Under the lock of `timers`: publishes their first time.
    pub fn timers_changed(&self, timers: &TimeHeap) {
        self.timer_count.store(timers.len() as u32, Relaxed);
        self.next_timer_ns.store(timers.first().unwrap_or(u64::MAX), Release);
    }
}
