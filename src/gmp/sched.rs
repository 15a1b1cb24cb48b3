//! `SCHED`: what all Ms and Ps share.
//!
//! 1. `locked` is under the scheduler's lock; no allocation and no user code under it.
//! 2. `idle` holds the number of idle Ps, the number of spinning Ms and the request to stop the world, in one word: one atomic step moves an
//!    M from spinning to idle, and one load, of zero as a rule, tells a P that nobody wants anything of it.
//! 3. `idle_mask` has a bit for each idle P: thieves skip those.

use super::counters::{Counter, Counters};
use super::{M, P};
use crate::base::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering, fence};
use crate::base::bitmask::Bitmask;
use crate::base::idle_word::IdleWord;
use crate::base::lock::{Lock, Rank};
use crate::base::note::Note;
use crate::base::tune::{MAX_PROCS, MAX_THREADS};
use core::ptr;

pub use super::gqueue::GQueue;
pub use crate::base::idle_word::{HIDE_NOTHING, IDLE_P, SPINNING_M, STOPPING, idle_ps, spinning_ms};

/// Under the scheduler's lock.
pub struct Locked {
    /// Idle Ps.
    pub idle_ps: *mut P,
    /// Idle Ms, asleep or about to be.
    pub idle_ms: *mut M,
    /// How many.
    pub idle_m_count: u32,
    /// The smallest that number has been since `sched::reap` looked.
    pub idle_m_low: u32,
    /// How many Ms there are.
    pub m_count: u32,
    /// All of them, linked by `all_next`, the newest first.
    pub all_ms: *mut M,
    /// Where a walk over them that lets go of the lock in between goes on: `walk_ms`.
    pub walk_at: *mut M,
    /// The number of the next M.
    pub next_m_id: u32,
    /// The global queue.
    pub global: GQueue,
    /// Ms that have come back from a system call and wait for a P, with their goroutines: the first and the last.
    pub line: (*mut M, *mut M),
    /// Ms that sleep until their locked goroutine is to run, or for ever.
    pub locked_m_count: u32,
    /// Ms whose threads the template thread is to make, linked by `idle_next`.
    pub to_clone: *mut M,
    /// While the world is being stopped: Ps that still run.
    pub stop_wait: u32,
    /// Main has called `goexit`.
    pub main_exited: bool,
}

// SAFETY: the pointers are to Ms and Ps, which are used under the lock that this is in.
unsafe impl Send for Locked {}

impl Locked {
    /// Does every M sleep, so that no goroutine will ever make another one ready?
    pub fn all_asleep(&self) -> bool {
        self.idle_m_count + self.locked_m_count == self.m_count
    }

    /// `m` has been made and counted: it is among `all_ms` from now on.
    pub fn m_comes(&mut self, m: &M) {
        let this = ptr::from_ref(m).cast_mut();
        m.all_next.set(self.all_ms);
        // SAFETY: what is in the list lives: it leaves the list first.
        if let Some(next) = unsafe { self.all_ms.as_ref() } {
            next.all_prev.set(this);
        }
        self.all_ms = this;
    }

    /// `m` counts no more, and is not among `all_ms`.
    #[inline(never)]
    pub fn m_goes(&mut self, m: &M) {
        self.m_count -= 1;
        let next = m.all_next.get();
        if ptr::eq(self.walk_at, m) {
            self.walk_at = next;
        }
        // SAFETY: its neighbours are in the list.
        unsafe {
            match m.all_prev.get().as_ref() {
                Some(previous) => previous.all_next.set(next),
                None => self.all_ms = next,
            }
            if let Some(next) = next.as_ref() {
                next.all_prev.set(m.all_prev.get());
            }
        }
    }

    /// The next M of the one walk over all that there is at a time; begun by setting `walk_at` to `all_ms`. Ms that are made meanwhile are not met.
    pub fn walk_ms(&mut self) -> Option<&'static M> {
        // SAFETY: as in `m_comes`; `m_goes` moves the place.
        let m = unsafe { self.walk_at.as_ref() }?;
        self.walk_at = m.all_next.get();
        Some(m)
    }

    /// `m` waits for a P, behind those that wait already.
    pub fn wait_in_line(&mut self, m: &M) {
        let m = ptr::from_ref(m).cast_mut();
        // SAFETY: an M that waits in line lives; it is in no list of idle ones, so the link is free.
        unsafe {
            (*m).idle_next.set(ptr::null_mut());
            match self.line.1.as_ref() {
                Some(last) => last.idle_next.set(m),
                None => self.line.0 = m,
            }
        }
        self.line.1 = m;
        SCHED.in_line.fetch_add(1, Ordering::Relaxed);
    }

    /// Gives `p` to the first M that waits in line; the caller wakes it, without the lock.
    #[inline(never)]
    pub fn first_in_line(&mut self, p: &'static P) -> Option<&'static M> {
        // SAFETY: as above.
        let m = unsafe { self.line.0.as_ref() }?;
        self.line.0 = m.idle_next.get();
        if self.line.0.is_null() {
            self.line.1 = ptr::null_mut();
        }
        SCHED.in_line.fetch_sub(1, Ordering::Relaxed);
        p.status.store(super::p::PStatus::Running as u8, Ordering::Relaxed);
        p.m.store(ptr::from_ref(m).cast_mut(), Ordering::Relaxed);
        m.next_p.store(ptr::from_ref(p).cast_mut(), Ordering::Relaxed);
        Some(m)
    }
}

/// See the head of this file.
pub struct Sched {
    /// Under the scheduler's lock.
    pub locked: Lock<Locked>,
    /// Idle Ps, spinning Ms, and `STOPPING`.
    pub idle: Apart<IdleWord>,
    /// The length of the global queue, for a look without the lock.
    pub global_len: AtomicU32,
    /// How many Ms wait in line, for a look without the lock.
    pub in_line: AtomicU32,
    /// GOMAXPROCS.
    pub procs: AtomicU32,
    /// Woken when the last running P has stopped.
    pub stop_note: Note,
    /// The number of hand-offs that pass before the next attempt to have a runnext stolen; doubled when in vain.
    pub handoff_backoff: AtomicU32,
    /// Until this time (monotonic ns) no thread is made: the last attempts failed (R8).
    pub no_threads_until_ns: AtomicU64,
    /// Ms at most.
    pub max_threads: AtomicU32,
    /// Stacks kept because a goroutine ended by `goexit` (R17).
    pub kept_stacks: AtomicU32,
    /// The next goroutine id that no P has.
    pub next_goid: AtomicU64,
    /// The process-wide canary.
    pub canary: AtomicU64,
    /// Bytes that a signal stack needs on this CPU.
    pub signal_stack_bytes: AtomicU32,
    /// The CPUs that affinity allowed at start.
    pub by_affinity: AtomicU32,
    /// NumCPU; 0 while the quota has not been read.
    pub cpus: AtomicU32,
}

/// A word on cache lines of its own.
#[repr(align(128))]
pub struct Apart<T>(pub T);

/// The one.
pub static SCHED: Sched = Sched {
    locked: Lock::new(
        Rank::Sched,
        Locked {
            idle_ps: ptr::null_mut(),
            idle_ms: ptr::null_mut(),
            idle_m_count: 0,
            idle_m_low: 0,
            m_count: 0,
            all_ms: ptr::null_mut(),
            walk_at: ptr::null_mut(),
            next_m_id: 0,
            global: GQueue::new(),
            line: (ptr::null_mut(), ptr::null_mut()),
            locked_m_count: 0,
            to_clone: ptr::null_mut(),
            stop_wait: 0,
            main_exited: false,
        },
    ),
    idle: Apart(IdleWord::new()),
    global_len: AtomicU32::new(0),
    in_line: AtomicU32::new(0),
    procs: AtomicU32::new(0),
    stop_note: Note::new(),
    handoff_backoff: AtomicU32::new(0),
    no_threads_until_ns: AtomicU64::new(0),
    max_threads: AtomicU32::new(MAX_THREADS),
    kept_stacks: AtomicU32::new(0),
    next_goid: AtomicU64::new(1),
    canary: AtomicU64::new(0),
    signal_stack_bytes: AtomicU32::new(0),
    by_affinity: AtomicU32::new(1),
    cpus: AtomicU32::new(0),
};

static ALL_PS: [AtomicPtr<P>; MAX_PROCS as usize] = [const { AtomicPtr::new(ptr::null_mut()) }; MAX_PROCS as usize];
static IDLE_MASK: [AtomicU64; MAX_PROCS as usize / 64] = [const { AtomicU64::new(0) }; MAX_PROCS as usize / 64];

impl Sched {
    /// The table of Ps; those never made are null. Most of it is never touched, so it costs nothing.
    pub fn all_ps(&self) -> &'static [AtomicPtr<P>] {
        &ALL_PS
    }

    /// P number `id`, which has been made.
    #[inline]
    pub fn p(&self, id: u32) -> &'static P {
        // SAFETY: Ps are never freed; whoever knows a number below GOMAXPROCS knows that it was made.
        unsafe { &*ALL_PS[id as usize].load(Ordering::Acquire) }
    }

    /// Which Ps are idle.
    pub fn idle_mask(&self) -> Bitmask<'static> {
        Bitmask::new(&IDLE_MASK)
    }

    /// How many goroutines exist.
    ///
    /// The counters are read one after another, the finished first: one that ends meanwhile is counted, not one that was not there. If the kernel takes this
    /// thread off its CPU between the two, all that were made meanwhile are counted. So while some end it is done again, four times at most, since a busy
    /// program has no quiet moment, and the result is that amid which the fewest ended.
    pub fn goroutines(&self) -> u64 {
        let sum = |counter: fn(&Counters) -> &Counter| {
            let mut sum = 0;
            self.for_each_p(|p| sum += counter(&p.counters).get());
            fence(Ordering::Acquire);
            sum
        };
        let mut finished = sum(|counters| &counters.finished);
        let mut best = (u64::MAX, 0);
        for _ in 0..4 {
            let count = sum(|counters| &counters.created) - finished;
            let finished_now = sum(|counters| &counters.finished);
            best = best.min((finished_now - finished, count));
            if finished_now == finished {
                break;
            }
            finished = finished_now;
        }
        best.1
    }

    /// Calls `visit` with every P that was ever made.
    pub fn for_each_p(&self, mut visit: impl FnMut(&'static P)) {
        for word in &ALL_PS {
            // SAFETY: Ps are never freed. They are made in order, without gaps.
            match unsafe { word.load(Ordering::Acquire).as_ref() } {
                Some(p) => visit(p),
                None => return,
            }
        }
    }
}
