//! Cancelling system calls: a call that blocks is ended by EINTR.
//!
//! 1. A call that can be cancelled is in a list from before it begins until it has ended: in that of its `Cancel`, and after the cancel in `BROKEN`.
//!    Cancelling moves the whole list, in one step under both locks, so a call is always in exactly one.
//! 2. SIGURG ends the call. It may land too early: before the `syscall` instruction, or between two calls. So each call in `BROKEN` gets it again and
//!    again, with growing pauses, by sysmon, until it has left the list.
//! 3. `BROKEN` is locked while a signal is sent: who has left the list gets none any more. What was sent by then is pending, and comes as the thread next
//!    returns from the kernel: who was sent one makes a system call that cannot block before anything else. So no signal of a cancel hits another call.
//! 4. The handler cuts the goroutine's own calls, not the runtime's (an allocation in there may map memory): those have raised `nopreempt` further.
//! 5. A call that the kernel would begin anew after the handler (SA_RESTART) and one that has not begun yet look the same: the thread is at a `syscall`
//!    instruction. The handler steps over it, with EINTR as the result.
//!
//! | a call         | is in                    | left by                                             |
//! |----------------|--------------------------|-----------------------------------------------------|
//! | not cancelled  | its `Cancel`             | its end; `cancel`, to `BROKEN`                      |
//! | cancelled      | `BROKEN`                 | its end                                             |
//!
//! Rejected: a signal of its own (one more handler, and programs have theirs); an atomic look at a flag before the instruction, as POSIX threads do it (the
//! calls are whoever's code, not ours alone).

use super::chore::Chore;
use super::soft_cap::{self, Ticket, TurnedAway, Waiting};
use super::{preempt, sysmon};
use crate::arch::header::NOTHING_PENDING;
use crate::arch::syscall::restart;
use crate::arch::tls;
use crate::base::NoPreempt;
use crate::base::lock::{Lock, Rank};
use crate::base::throw;
use crate::base::tune::{CANCEL_AGAIN_MAX_NS, CANCEL_AGAIN_NS, CANCELS_AT_ONCE};
use crate::gmp::{G, M};
use crate::sys::alarm::NEVER;
use crate::sys::clock::monotonic_ns;
use crate::sys::signal::UContext;
use crate::sys::{Errno, thread};
use core::cell::Cell;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

/// Sends again.
pub static CHORE: Chore = Chore::new();

/// A call that can be cancelled, on the stack of who makes it.
struct Call {
    m: &'static M,
    /// In which round it was last sent a signal; 0: in none.
    round: Cell<u32>,
    next: Cell<*const Call>,
    previous: Cell<*const Call>,
}

/// Calls, linked both ways.
struct Calls {
    first: *const Call,
    last: *const Call,
}

// SAFETY: invariant 1: the calls in a list are used under its lock.
unsafe impl Send for Calls {}

impl Calls {
    const fn new() -> Calls {
        Calls { first: ptr::null(), last: ptr::null() }
    }

    /// Puts `call`, which is in no list, at the end.
    fn push(&mut self, call: *const Call) {
        // SAFETY: invariant 1: it stays where it is until it has left the list.
        let node = unsafe { &*call };
        node.next.set(ptr::null());
        node.previous.set(self.last);
        // SAFETY: the last is in the list.
        match unsafe { self.last.as_ref() } {
            Some(last) => last.next.set(call),
            None => self.first = call,
        }
        self.last = call;
    }

    /// Takes `call` out, which is in here.
    fn remove(&mut self, call: *const Call) {
        // SAFETY: invariant 1, for it and its neighbours.
        unsafe {
            let (next, previous) = ((*call).next.get(), (*call).previous.get());
            match previous.as_ref() {
                Some(previous) => previous.next.set(next),
                None => self.first = next,
            }
            match next.as_ref() {
                Some(next) => next.previous.set(previous.cast()),
                None => self.last = previous,
            }
        }
    }

    /// Puts all of `others` before the first.
    fn put_before(&mut self, others: Calls) {
        // SAFETY: invariant 1.
        match unsafe { (self.first.as_ref(), others.last.as_ref()) } {
            (_, None) => {}
            (None, _) => *self = others,
            (Some(first), Some(last)) => {
                first.previous.set(last);
                last.next.set(first);
                self.first = others.first;
            }
        }
    }
}

/// Calls that were cancelled and have not ended: those that were sent no signal yet, then those of earlier rounds, then those of this round.
struct Broken {
    calls: Calls,
    round: u32,
    /// When the next round begins, and the pause after it.
    next_ns: u64,
    pause_ns: u64,
}

static BROKEN: Lock<Broken> = Lock::new(Rank::Broken, Broken { calls: Calls::new(), round: 1, next_ns: NEVER, pause_ns: CANCEL_AGAIN_NS });

/// What the handles of one cancel share.
pub struct Cancel {
    canceled: AtomicBool,
    calls: Lock<Calls>,
    waiting: Waiting,
}

impl Cancel {
    /// Not cancelled. From now on this process can cancel.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Cancel {
        sysmon::ensure();
        preempt::ensure_handler().unwrap_or_else(|error| throw!("cancel: no handler of SIGURG: {error}"));
        CHORE.begin(look);
        Cancel { canceled: AtomicBool::new(false), calls: Lock::new(Rank::Sync, Calls::new()), waiting: Waiting::new() }
    }

    /// Has it been cancelled?
    pub fn is_canceled(&self) -> bool {
        self.canceled.load(Acquire)
    }

    /// Before `run`: waits for its turn under the soft cap.
    #[inline(always)]
    pub fn wait_for_turn(&self) -> Result<Option<Ticket>, TurnedAway> {
        soft_cap::enter_unless(&self.waiting, || self.is_canceled())
    }

    /// Ends all calls that are running with it, and lets none begin any more, nor wait for its turn.
    pub fn cancel(&self) {
        if self.end_calls() {
            soft_cap::turn_away(&self.waiting);
        }
    }

    /// Ends all calls that are running with it. False: it was cancelled before.
    fn end_calls(&self) -> bool {
        {
            let mut calls = self.calls.lock();
            if self.canceled.swap(true, Release) {
                return false;
            }
            if calls.first.is_null() {
                return true;
            }
            let mut broken = BROKEN.lock();
            broken.calls.put_before(core::mem::replace(&mut *calls, Calls::new()));
            broken.pause_ns = CANCEL_AGAIN_NS;
            broken.next_ns = monotonic_ns() + CANCEL_AGAIN_NS;
        }
        // Where there was no sysmon, it is tried again to make one.
        sysmon::ensure();
        while send_some(|round, _| round == 0) {}
        sysmon::arm(monotonic_ns() + CANCEL_AGAIN_NS);
        true
    }

    /// Calls `f`, which makes a system call, in a system call's surroundings (`syscalls::call`). None: it was cancelled before.
    pub fn run<T>(&self, f: impl FnOnce() -> T) -> Option<T> {
        // SAFETY: an M lives as long as its thread; this goroutine stays on it, since it is in a system call.
        let m: &'static M = unsafe { &*ptr::from_ref(G::current_m(&NoPreempt::new())) };
        let call = Call { m, round: Cell::new(0), next: Cell::new(ptr::null()), previous: Cell::new(ptr::null()) };
        let outer = m.cutter.replace(Some(cut));
        let outer_depth = m.cut_depth.replace(depth());
        let begins = self.begin(&call);
        let result = begins.then(f);
        if begins {
            self.end(&call);
        }
        m.cut_depth.set(outer_depth);
        m.cutter.set(outer);
        result
    }

    #[inline(never)]
    fn begin(&self, call: &Call) -> bool {
        let mut calls = self.calls.lock();
        let begins = !self.is_canceled();
        if begins {
            calls.push(call);
        }
        begins
    }

    #[inline(never)]
    fn end(&self, call: &Call) {
        {
            let mut calls = self.calls.lock();
            if !self.is_canceled() {
                return calls.remove(call);
            }
        }
        BROKEN.lock().calls.remove(call);
        if call.round.get() != 0 {
            call.m.cancels.fetch_sub(1, Relaxed);
            thread::gettid(); // invariant 3
        }
    }
}

/// How often `nopreempt` is raised.
fn depth() -> u32 {
    // SAFETY: R1: the running goroutine's own header.
    unsafe { (*tls::g()).nopreempt.get() & !NOTHING_PENDING }
}

/// Sends signals to the first of `BROKEN`, as long as `is_next` says so of the round of the call and the present one. False: it did not for the next one.
fn send_some(is_next: impl Fn(u32, u32) -> bool) -> bool {
    let mut broken = BROKEN.lock();
    for _ in 0..CANCELS_AT_ONCE {
        let first = broken.calls.first;
        // SAFETY: invariant 1.
        let Some(call) = (unsafe { first.as_ref() }) else { return false };
        if !is_next(call.round.get(), broken.round) {
            return false;
        }
        broken.calls.remove(first);
        broken.calls.push(first);
        if call.round.replace(broken.round) == 0 {
            call.m.cancels.fetch_add(1, Relaxed);
        }
        preempt::send_to(call.m.tid.load(Relaxed));
    }
    true
}

/// On sysmon: a round, if it is time.
fn look(now: u64) -> u64 {
    let next = {
        let mut broken = BROKEN.lock();
        if broken.calls.first.is_null() {
            return NEVER;
        }
        if now < broken.next_ns {
            return broken.next_ns;
        }
        broken.round = broken.round.wrapping_add(1).max(1);
        broken.next_ns = now + broken.pause_ns;
        broken.pause_ns = (broken.pause_ns * 2).min(CANCEL_AGAIN_MAX_NS);
        broken.next_ns
    };
    while send_some(|round, now| round != now) {}
    next
}

/// For the handler, on a thread that is in a call which can be cancelled: invariants 4 and 5.
fn cut(m: &M, context: &mut UContext) {
    if m.cancels.load(Relaxed) == 0 {
        let [_, _, _, _, r12, .., rax, _, _, rip, _] = &mut context.registers;
        // SAFETY: they are what it will restore.
        unsafe { restart(rip, *r12, rax) };
        return;
    }
    const SYSCALL: [u8; 2] = [0x0f, 0x05];
    let [.., rax, _, _, rip, _] = &mut context.registers;
    if depth() != m.cut_depth.get() || preempt::is_in_vdso(*rip as usize) {
        return;
    }
    // SAFETY: code was running there: the next instruction can be read, and none that begins with the first of these bytes has only one.
    let at_call = (0..SYSCALL.len()).all(|n| unsafe { (*rip as *const u8).add(n).read_volatile() } == SYSCALL[n]);
    if at_call {
        *rip += SYSCALL.len() as u64;
        *rax = -i64::from(Errno::INTR.raw_os_error()) as u64;
    }
}
