//! The double of `gmp` in a model: as much of G, P and `SCHED` as channels, countdowns and timers use.
//!
//! 1. A goroutine is a thread of loom's. Its stack is a cell that loom watches: whoever runs on it changes it, so two who run on one stack, or
//!    one who goes on with it without having seen that the other has left, are found.
//! 2. `GQueue` is the real file. P's fields are those of the real one, with loom's atomics; `timers_changed` is a copy.

use crate::arch::tls;
use crate::base::NoPreempt;
use crate::base::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::Release};
use crate::base::heap::TimeHeap;
use crate::base::lock::{Lock, Rank};
use crate::base::wake_word::WakeWord;
use core::cell::Cell;
use core::ptr;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

#[path = "../../gmp/gqueue.rs"]
mod gqueue;

pub mod sched {
    //! As `gmp::sched`.
    pub use super::gqueue::GQueue;
}

/// As `gmp::g::Status`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Status {
    Runnable,
    Running,
    Waiting,
}

/// As `gmp::g::WaitReason`.
#[derive(Clone, Copy)]
pub enum WaitReason {
    ChanReceive,
    ChanSend,
    ChanReceiveNil,
    ChanSendNil,
    Join,
    MutexLock,
    RwMutexRead,
    RwMutexWrite,
    Semacquire,
    Select,
    SelectNoCases,
    CallTurn,
    Future,
    ChanReceiveDurable,
    ChanSendDurable,
    SelectDurable,
}

/// A goroutine.
pub struct G {
    status: AtomicU8,
    link: Cell<*mut G>,
    stack: loom::cell::UnsafeCell<u32>,
    thread: loom::thread::Thread,
    runs: AtomicBool,
    /// As in the real one.
    pub wake_word: WakeWord,
}

/// As `gmp::g::GPtr`.
pub type GPtr = ptr::NonNull<G>;

loom::thread_local! {
    static CURRENT: G = G {
        status: AtomicU8::new(Status::Running as u8),
        link: Cell::new(ptr::null_mut()),
        stack: loom::cell::UnsafeCell::new(0),
        thread: loom::thread::current(),
        runs: AtomicBool::new(true),
        wake_word: WakeWord::new(),
    };
}

impl G {
    /// The goroutine of this thread.
    pub fn current() -> GPtr {
        CURRENT.with(|g| GPtr::from(g))
    }

    /// As the real one.
    pub fn status(&self) -> Status {
        match self.status.load(Relaxed) {
            0 => Status::Runnable,
            1 => Status::Running,
            _ => Status::Waiting,
        }
    }

    /// As the real one.
    pub fn set_status(&self, status: Status) {
        self.status.store(status as u8, Relaxed);
    }

    /// As the real one.
    pub fn set_reason(&self, _: WaitReason) {}

    /// As the real one.
    pub fn id(&self) -> u64 {
        ptr::from_ref(self).addr() as u64
    }

    /// As the real one.
    pub fn link(&self) -> *mut G {
        self.link.get()
    }

    /// As the real one.
    pub fn set_link(&self, next: *mut G) {
        self.link.set(next);
    }

    /// Whoever calls this runs on the stack of this goroutine.
    pub fn touch_stack(&self) {
        // SAFETY: loom checks that nobody else is at it.
        self.stack.with_mut(|depth| unsafe { *depth += 1 });
    }

    /// This thread has left the stack: until `run`.
    pub fn wait_until_run(&self) {
        while !self.runs.swap(false, SeqCst) {
            loom::thread::park();
        }
    }

    /// The goroutine is about to leave its stack: from here on somebody may run it again.
    pub fn stop(&self) {
        self.runs.store(false, SeqCst);
    }

    /// This M goes on with the stack, as soon as it can: the earliest time at which a real one could.
    pub fn run(&self) {
        self.set_status(Status::Running);
        self.touch_stack();
        self.runs.store(true, SeqCst);
        self.thread.unpark();
    }
}

/// A P: its timers.
pub struct P {
    pub id: u32,
    pub next_timer_ns: AtomicU64,
    pub timer_count: AtomicU32,
    pub zombies: AtomicU32,
    pub timers: Lock<TimeHeap>,
}

// SAFETY: its data is atomic or under its lock.
unsafe impl Sync for P {}

impl P {
    fn new(id: u32) -> P {
        P {
            id,
            next_timer_ns: AtomicU64::new(u64::MAX),
            timer_count: AtomicU32::new(0),
            zombies: AtomicU32::new(0),
            timers: Lock::new(Rank::Timers, TimeHeap::new()),
        }
    }

    /// As the real one.
    pub fn timers_changed(&self, timers: &TimeHeap) {
        self.timer_count.store(timers.len() as u32, Relaxed);
        self.next_timer_ns.store(timers.first().unwrap_or(u64::MAX), Release);
    }
}

/// Two Ps.
pub struct Sched {
    ps: [P; 2],
}

impl Sched {
    /// As the real one.
    pub fn p(&'static self, id: u32) -> &'static P {
        &self.ps[id as usize]
    }

    /// As the real one.
    pub fn for_each_p(&'static self, visit: impl FnMut(&'static P)) {
        self.ps.iter().for_each(visit);
    }
}

loom::lazy_static! {
    pub static ref SCHED: Sched = Sched { ps: [P::new(0), P::new(1)] };
}

/// As the real one.
pub fn require_runtime() {}
