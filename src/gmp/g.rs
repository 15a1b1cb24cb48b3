//! G: a goroutine. Its descriptor lies in the top page of its own stack (R9).
//!
//! 1. All zero bytes are a goroutine that does not exist yet: what a fresh or scavenged slot holds.
//! 2. Whoever makes a G runnable or runs it owns it at that moment; the lists it may be in are the run queues, one wait queue, or one free list.
//! 3. `status` is written by the owner. A waker owns a waiting G because it took it out of the wait queue.
//!
//! | status     | who has it                     | left by                                                      |
//! |------------|--------------------------------|--------------------------------------------------------------|
//! | `Dead`     | a free list, or nobody         | `spawn` to `Runnable`                                        |
//! | `Runnable` | a run queue                    | the M that takes it, to `Running`                            |
//! | `Running`  | an M, with a P                 | `park` to `Waiting`, yield to `Runnable`, exit to `Dead`     |
//! | `Syscall`  | an M, without a P              | the same goroutine to `Running`                              |
//! | `Waiting`  | a wait queue                   | `ready` to `Runnable`                                        |

use super::M;
use crate::arch::{GHeader, tls};
use crate::base::NoPreempt;
use crate::base::wake_word::WakeWord;
use crate::mem::stack::DESCRIPTOR_BYTES;
use core::cell::Cell;
use core::ptr;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

/// See the table in this file's head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Status {
    /// Does not exist.
    Dead,
    /// Waits for a P.
    Runnable,
    /// Runs.
    Running,
    /// Waits for something else: `WaitReason` says for what.
    Waiting,
    /// In a system call, on its M.
    Syscall,
}

/// What a goroutine waits for; Go's words, as traces print them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum WaitReason {
    /// Not waiting.
    None,
    /// A channel to receive from.
    ChanReceive,
    /// A channel to send on.
    ChanSend,
    /// A mutex.
    MutexLock,
    /// A reader-writer mutex that somebody writes, to read.
    RwMutexRead,
    /// A reader-writer mutex, to write.
    RwMutexWrite,
    /// A condition's signal.
    CondWait,
    /// A permit of a semaphore.
    Semacquire,
    /// A wait group's counter.
    WaitGroupWait,
    /// The goroutines of a scope.
    ScopeWait,
    /// A spawned goroutine's result.
    Join,
    /// A change of GOMAXPROCS by another goroutine.
    StopTheWorld,
    /// A time.
    Sleep,
    /// Its turn to make a system call (`sched::soft_cap`).
    CallTurn,
    /// One of several channels.
    Select,
    /// Nothing: a select without cases.
    SelectNoCases,
    /// Nothing: a receive from a nil channel.
    ChanReceiveNil,
    /// Nothing: a send on a nil channel.
    ChanSendNil,
    /// The finalizer goroutine: something to finalize.
    FinalizerWait,
    /// A future: to be woken by its waker.
    Future,
    /// As those of the same name, in a bubble and for what belongs to it (`sched::bubble`).
    ChanReceiveDurable,
    /// See `ChanReceiveDurable`.
    ChanSendDurable,
    /// See `ChanReceiveDurable`.
    SelectDurable,
    /// See `ChanReceiveDurable`.
    WaitGroupWaitDurable,
    /// See `ChanReceiveDurable`.
    JoinDurable,
    /// The end of a bubble.
    BubbleRun,
    /// That all others of the bubble wait.
    BubbleWait,
}

impl WaitReason {
    /// Each with its text, in the order of their numbers.
    pub const ALL: [(WaitReason, &'static str); 27] = [
        (WaitReason::None, ""),
        (WaitReason::ChanReceive, "chan receive"),
        (WaitReason::ChanSend, "chan send"),
        (WaitReason::MutexLock, "sync.Mutex.Lock"),
        (WaitReason::RwMutexRead, "sync.RWMutex.RLock"),
        (WaitReason::RwMutexWrite, "sync.RWMutex.Lock"),
        (WaitReason::CondWait, "sync.Cond.Wait"),
        (WaitReason::Semacquire, "semacquire"),
        (WaitReason::WaitGroupWait, "sync.WaitGroup.Wait"),
        (WaitReason::ScopeWait, "scope"),
        (WaitReason::Join, "join"),
        (WaitReason::StopTheWorld, "stop the world"),
        (WaitReason::Sleep, "sleep"),
        (WaitReason::CallTurn, "thread soft cap"),
        (WaitReason::Select, "select"),
        (WaitReason::SelectNoCases, "select (no cases)"),
        (WaitReason::ChanReceiveNil, "chan receive (nil chan)"),
        (WaitReason::ChanSendNil, "chan send (nil chan)"),
        (WaitReason::FinalizerWait, "finalizer wait"),
        (WaitReason::Future, "future"),
        (WaitReason::ChanReceiveDurable, "chan receive (durable)"),
        (WaitReason::ChanSendDurable, "chan send (durable)"),
        (WaitReason::SelectDurable, "select (durable)"),
        (WaitReason::WaitGroupWaitDurable, "sync.WaitGroup.Wait (durable)"),
        (WaitReason::JoinDurable, "join (durable)"),
        (WaitReason::BubbleRun, "synctest.Run"),
        (WaitReason::BubbleWait, "synctest.Wait"),
    ];

    /// In a bubble: can only its own goroutines end this wait, or its clock? A scope's goroutines are of the bubble that the scope was opened in.
    pub fn is_durable(self) -> bool {
        use WaitReason::*;
        matches!(self, ChanReceiveDurable | ChanSendDurable | SelectDurable | WaitGroupWaitDurable | JoinDurable | BubbleRun | BubbleWait)
            || matches!(self, Sleep | CondWait | ScopeWait | SelectNoCases | ChanReceiveNil | ChanSendNil)
    }

    /// As traces print it.
    pub fn text(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// The descriptor.
#[repr(C)]
pub struct G {
    /// What the low floors know of it.
    pub header: GHeader,
    status: AtomicU8,
    reason: AtomicU8,
    /// Has it ever run?
    pub started: Cell<bool>,
    /// Is it the goroutine of `main`?
    pub is_main: Cell<bool>,
    /// Is it the finalizer goroutine?
    pub is_finalizer: Cell<bool>,
    /// Does it run on `locked_m` only (`sched::locked`)?
    pub locked: Cell<bool>,
    /// Not 0: it is runnable, and how long it is will be recorded; as what multiple of a sample (`sampling`).
    pub sampled: Cell<u8>,
    /// How often it has called `lock_os_thread` without calling `unlock_os_thread`.
    pub locks: Cell<u32>,
    /// While it waits: what it waits for; the lock of that, as a rule. In a system call: its M.
    pub at: Cell<usize>,
    /// The test and the bubble that it belongs to (`sched::group`); null for nearly all.
    pub group: Cell<*const ()>,
    /// Its number: 1 is main. Never reused, so it tells a new goroutine in an old slot from the old one.
    pub id: AtomicU64,
    /// The goroutine that made it.
    pub parent: Cell<u64>,
    /// Where that was: an address in the function.
    pub made_at: Cell<usize>,
    /// When it began to wait, as `since` has it.
    pub waits_since: Cell<u32>,
    /// The goroutines that it descends from; null but with `GODEBUG=tracebackancestors` (`sched::ancestry`).
    pub ancestors: Cell<*mut usize>,
    /// The M that it is locked to; null if it is not.
    pub locked_m: Cell<*const M>,
    /// Deferred calls, the last first (`sched::defer`).
    pub defers: Cell<*mut ()>,
    /// The panic whose deferred calls run, the innermost (`observe::crash`, on its stack); null if there is none.
    pub panicking: Cell<*const ()>,
    /// What to call if the goroutine ends by `goexit`: tells those who wait for it (`sched::exit::OnGoexit`, on its stack).
    pub on_goexit: Cell<*const ()>,
    /// The innermost call of C that it is in (`sched::foreign`); null if it is in none.
    pub foreign: Cell<*const ()>,
    /// How many callbacks from C are under way on it: it stays on its M.
    pub callbacks: Cell<u32>,
    /// Scopes that are open on its stack (`sched::scope`): `goexit` waits for them.
    pub scopes: Cell<*const ()>,
    /// What wakers of the future that it waits for change (`sched::waker`).
    pub wake_word: WakeWord,
    /// When it became runnable, if `sampled` says so.
    pub ready_ns: Cell<u64>,
    /// In a system call: where it is, and rbp there; `header.sp` goes with them. For traces.
    pub call: Cell<[usize; 2]>,
}

static_assertions::const_assert!(size_of::<G>() <= DESCRIPTOR_BYTES);
static_assertions::const_assert_eq!(core::mem::offset_of!(G, header), 0);

/// Where `status` and `reason` are, for debuggers (`observe::debugger`).
pub const STATUS_AT: usize = core::mem::offset_of!(G, status);
/// See `STATUS_AT`.
pub const REASON_AT: usize = core::mem::offset_of!(G, reason);

/// A G that exists, as a pointer: the currency of queues and lists.
pub type GPtr = ptr::NonNull<G>;

impl G {
    /// A descriptor for a stack that belongs to an M, with one raise open for ever (R1).
    pub const fn of_m(header: GHeader) -> G {
        G {
            header,
            status: AtomicU8::new(Status::Dead as u8),
            reason: AtomicU8::new(0),
            started: Cell::new(true),
            is_main: Cell::new(false),
            is_finalizer: Cell::new(false),
            locked: Cell::new(false),
            sampled: Cell::new(0),
            locks: Cell::new(0),
            at: Cell::new(0),
            group: Cell::new(ptr::null()),
            id: AtomicU64::new(0),
            parent: Cell::new(0),
            made_at: Cell::new(0),
            waits_since: Cell::new(0),
            ancestors: Cell::new(ptr::null_mut()),
            locked_m: Cell::new(ptr::null()),
            defers: Cell::new(ptr::null_mut()),
            panicking: Cell::new(ptr::null()),
            on_goexit: Cell::new(ptr::null()),
            foreign: Cell::new(ptr::null()),
            callbacks: Cell::new(0),
            scopes: Cell::new(ptr::null()),
            wake_word: WakeWord::new(),
            ready_ns: Cell::new(0),
            call: Cell::new([0; 2]),
        }
    }

    /// The running goroutine, or the g0 that this code runs on. A G does not move, so the pointer stays right wherever it goes.
    #[inline(always)]
    pub fn current() -> GPtr {
        // SAFETY: R1: `fs:8` is never null, and everything it points to is a G.
        unsafe { GPtr::new_unchecked(tls::g().cast()) }
    }

    /// What it is now.
    #[inline(always)]
    pub fn status(&self) -> Status {
        match self.status.load(Relaxed) {
            0 => Status::Dead,
            1 => Status::Runnable,
            2 => Status::Running,
            3 => Status::Waiting,
            _ => Status::Syscall,
        }
    }

    /// Changes what it is. The owner does; see the table in the head of this file.
    #[inline(always)]
    pub fn set_status(&self, status: Status) {
        self.status.store(status as u8, Relaxed);
    }

    /// Owner, `nopreempt` raised: whoever lowers it to 0 gives way (R5).
    #[inline(always)]
    pub fn mark(&self) {
        self.header.mark();
    }

    /// What it waits for.
    pub fn reason(&self) -> WaitReason {
        WaitReason::ALL[usize::from(self.reason.load(Relaxed)) % WaitReason::ALL.len()].0
    }

    /// Says what it will wait for.
    #[inline(always)]
    pub fn set_reason(&self, reason: WaitReason) {
        self.reason.store(reason as u8, Relaxed);
    }

    /// Its number.
    #[inline(always)]
    pub fn id(&self) -> u64 {
        self.id.load(Relaxed)
    }

    /// The next one in the list that it is in.
    #[inline(always)]
    pub fn link(&self) -> *mut G {
        self.header.link.get().cast()
    }

    /// Sets the next one.
    #[inline(always)]
    pub fn set_link(&self, next: *mut G) {
        self.header.link.set(next.cast());
    }

    /// The M that runs this goroutine, for as long as preemption is disabled.
    #[inline(always)]
    pub fn current_m(_: &NoPreempt) -> &M {
        // SAFETY: R1, R2: preemption is disabled, so this thread stays ours; `fs:16` is its M.
        unsafe { &*tls::m().cast() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_reasons_are_listed_in_the_order_of_their_numbers() {
        for (number, (reason, _)) in WaitReason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, number);
        }
    }
}
