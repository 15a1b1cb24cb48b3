//! System calls that may block: while one runs, its P runs other goroutines (R6).
//!
//! 1. Between `enter` and `leave` the goroutine is on its M, preemption disabled, and its M holds no P: the allocator takes its central path there,
//!    and whatever needs a P is a fatal error (`observe::fault` names it).
//! 2. A call that is known or has turned out to block gives its P away before it starts. Any other leaves it wired: `P::in_call` names the M. Whoever
//!    sets that back to null by compare-and-swap has the P: the M as it returns, or a retaker under the scheduler's lock.
//! 3. A returning M without its P takes an idle one, its old one first; else it waits in line with its goroutine, and a P that passes through g0, or
//!    that another call gives away, is handed to it. No P is idle while an M waits in line.
//! 4. No preemption signal of ours ends a call: none is sent to an M in one; `enter` waits for one that is under way; and where one slips through, the
//!    handler has the call made again (`arch::syscall::restart`), unless somebody has cancelled it (`cancel`). Who comes out of a call with its P looks at what is wanted of it instead.
//!
//! | `in_call` | the P is                         | left by                                                    |
//! |-----------|----------------------------------|------------------------------------------------------------|
//! | null      | held by an M, idle, or stopped   | `enter` to its M                                           |
//! | M         | wired to M, which is in a call   | `leave` to null (held), `take` to null (the taker's)       |
//!
//! Rejected: a tick of 20 µs to retake (the worst of the policies tried); the goroutine to a queue as its call returns (a second thread must
//! then be woken for each call).

use super::{find, idle, reap, sysmon, wake};
use crate::arch::here::note;
use crate::arch::{cpu, tls};
use crate::base::NoPreempt;
use crate::base::tune::{CALL_IS_QUICK_NS, CALL_QUICK_TIMES, RETAKE_NS, SIGNAL_UNDER_WAY_NS};
use crate::gmp::p::GIVE_WAY;
use crate::gmp::sched::{Locked, STOPPING};
use crate::gmp::{G, M, P, SCHED, Status, sampling, since};
use crate::sys::clock::monotonic_ns;
use crate::sys::cpu::sched_yield;
use core::ptr;
use core::sync::atomic::{AtomicU8, Ordering::Acquire, Ordering::Relaxed, Ordering::Release, Ordering::SeqCst};

const SITES: usize = 256;
/// How often in a row a call that was said to block has returned at once.
static QUICK: [AtomicU8; SITES] = [const { AtomicU8::new(0) }; SITES];
/// How often a call that was not said to block is still to give its P away: set when it was retaken.
static EAGER: [AtomicU8; SITES] = [const { AtomicU8::new(0) }; SITES];

/// Where a call is made, and what is known of it. Sites share an entry now and then; the worst of it is a P given away in vain, or late.
#[derive(Clone, Copy)]
pub struct Site {
    entry: &'static AtomicU8,
    said_to_block: bool,
}

impl Site {
    /// The site at `address`, of a call that usually blocks, or usually does not.
    pub fn new(address: usize, said_to_block: bool) -> Site {
        let index = (address >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (usize::BITS - 8);
        Site { entry: &(if said_to_block { &QUICK } else { &EAGER })[index % SITES], said_to_block }
    }

    fn gives_away(self) -> bool {
        let count = self.entry.load(Relaxed);
        if self.said_to_block { count < CALL_QUICK_TIMES } else { count != 0 }
    }

    fn was_quick(self) {
        let count = self.entry.load(Relaxed);
        self.entry.store(if self.said_to_block { (count + 1).min(CALL_QUICK_TIMES) } else { count.saturating_sub(1) }, Relaxed);
    }

    fn has_blocked(self) {
        self.entry.store(if self.said_to_block { 0 } else { CALL_QUICK_TIMES }, Relaxed);
    }
}

/// Makes the calls in `f`, with the P given away or ready to be taken.
#[inline(always)]
pub fn call<T>(site: Site, f: impl FnOnce() -> T) -> T {
    if !sysmon::was_wanted() {
        // Nobody else is there who could use the P.
        return f();
    }
    let nopreempt = NoPreempt::new();
    if tls::p().is_null() {
        // A call inside a call: the P is given away already, and the outer one keeps us on this M.
        drop(nopreempt);
        return f();
    }
    let inside = enter(&nopreempt, site);
    let result = f();
    leave(&nopreempt, inside);
    result
}

/// What is known of a call while it lasts.
pub struct Inside {
    p: &'static P,
    site: Site,
    /// If the P was given away: when.
    entered_ns: Option<u64>,
}

/// Begins a call, with a P. From here to `leave` there is none.
#[inline(always)]
pub fn enter(nopreempt: &NoPreempt, site: Site) -> Inside {
    let m: &M = G::current_m(nopreempt);
    let p: &'static P = SCHED.p(P::current(nopreempt).id);
    // SAFETY: R1: the running goroutine is ours.
    let g = unsafe { &*G::current().as_ptr() };
    g.at.set(ptr::from_ref(m).addr());
    // From here on a trace finds it, whatever its thread does.
    note(&g.header.sp, &g.call);
    g.waits_since.set(since::now());
    g.set_status(Status::Syscall);
    let entered_ns = if site.gives_away() { Some(monotonic_ns()) } else { None };
    idle::release();
    if entered_ns.is_some() {
        p.counters.handed_off.add(1);
        hand_off(p);
        // Now no P names this M any more, so that no further signal comes.
        wait_for_signal(m);
    } else {
        p.calls.store(p.calls.load(Relaxed).wrapping_add(1), Relaxed);
        // The full fence: either the sender of a signal sees that we are in a call, or we see that one is under way.
        p.in_call.enter(m);
        wait_for_signal(m);
    }
    Inside { p, site, entered_ns }
}

/// Invariant 4. The handler clears the flag.
#[inline]
fn wait_for_signal(m: &M) {
    let mut left = 10_000;
    while m.preempt_pending.load(Acquire) {
        left -= 1;
        if left == 0 {
            return wait_longer_for_signal(m);
        }
        cpu::pause();
    }
}

/// The kernel has descheduled the thread that is about to send it. Where signals are refused, nobody ever will: that is known after the first one
/// (`preempt::send`), for which this gives up.
#[cold]
#[inline(never)]
fn wait_longer_for_signal(m: &M) {
    let start = monotonic_ns();
    while m.preempt_pending.load(Acquire) {
        if monotonic_ns() - start > SIGNAL_UNDER_WAY_NS {
            // The next call is not to wait for it again.
            return m.preempt_pending.store(false, Release);
        }
        sched_yield();
    }
}

/// Ends a call, on the M on which it began. Returns with a P.
#[inline(always)]
pub fn leave(nopreempt: &NoPreempt, inside: Inside) {
    let Inside { p, site, entered_ns } = inside;
    let m: &M = G::current_m(nopreempt);
    // SAFETY: R1: the running goroutine is ours.
    let g = unsafe { G::current().as_ref() };
    let wired = entered_ns.is_none() && p.in_call.leave(m);
    if wired {
        // SAFETY: R1: the P is ours again, and was never anybody else's.
        unsafe { tls::set_p(ptr::from_ref(p).cast_mut().cast(), p.heap.get().cast()) };
        // The other half of `preempt::ask`: it has seen us in the call and sent no signal, or we see here what it wants.
        if p.request.load(SeqCst) & GIVE_WAY != 0 {
            g.mark();
        }
    } else {
        leave_without_p(nopreempt, g, m, p, site, entered_ns);
    }
    g.set_status(Status::Running);
}

#[cold]
#[inline(never)]
fn leave_without_p(_: &NoPreempt, g: &G, m: &M, old: &'static P, site: Site, entered_ns: Option<u64>) {
    reap::begin();
    let now = monotonic_ns();
    match entered_ns {
        Some(entered) if now.saturating_sub(entered) < CALL_IS_QUICK_NS => site.was_quick(),
        _ => site.has_blocked(),
    }
    let p = {
        let mut locked = SCHED.locked.lock();
        let p = if SCHED.idle.0.load(Acquire) & STOPPING != 0 { None } else { idle::take_this_p(&mut locked, old).or_else(|| idle::take_p(&mut locked)) };
        if p.is_none() {
            locked.wait_in_line(m);
        }
        p
    };
    let waits = p.is_none();
    let p = p.unwrap_or_else(|| {
        // Somebody gives way to us: who runs for longest, now or when sysmon looks.
        sysmon::somebody_waits_in_line(now);
        m.note.sleep();
        m.note.clear();
        let p = m.next_p.swap(ptr::null_mut(), Acquire);
        // SAFETY: the waker stored a P that it took for us.
        unsafe { p.as_ref() }.unwrap_or_else(|| crate::base::throw!("syscalls: M{} was woken without a P", m.id))
    });
    idle::acquire(m, p);
    if waits {
        sampling::waited(p, g, now);
    }
    super::find::begin_slice(m, p, 0);
}

/// Gives `p` away, which nobody holds: to an M that waits in line, to one that runs what is runnable on it, or to the idle ones.
pub fn hand_off(p: &'static P) {
    let next = {
        let mut locked = SCHED.locked.lock();
        p.m.store(ptr::null_mut(), Relaxed);
        if SCHED.idle.0.load(Acquire) & STOPPING != 0 {
            return idle::stopped(&mut locked, p);
        }
        let batch = p.batch.get();
        if batch != 0 && !find::wokens_turn(p) || (p.runnable() == 0 && SCHED.global_len.load(Relaxed) == 0) {
            if batch != 0 {
                p.batch.set(batch - 1);
                p.normals_turn.set(batch == 1);
            }
            locked.first_in_line(p)
        } else {
            None
        }
    };
    if let Some(m) = next {
        return m.note.wake();
    }
    if p.runnable() != 0 || SCHED.global_len.load(Relaxed) != 0 {
        return wake::start_for(p);
    }
    let next = idle::put_away(&mut SCHED.locked.lock(), p);
    match next {
        Some(m) => m.note.wake(),
        None => {
            // Its timers: nobody holds it any more who would look at them.
            sysmon::arm(p.next_timer_ns.load(Acquire));
            if SCHED.global_len.load(Acquire) != 0 {
                wake::one_more();
            }
        }
    }
}

/// Under the scheduler's lock: takes `p` from an M that is in a call. The caller hands it off.
pub fn take(_: &Locked, p: &P) -> bool {
    let taken = p.in_call.take();
    if taken {
        // The M has its own way from here on, and may end before the P is handed off: invariant 3 of `gmp::P`.
        p.m.store(ptr::null_mut(), Relaxed);
        p.counters.retaken.add(1); // the P is the taker's
    }
    taken
}

/// sysmon looks at a P that is in a call. True: it is to be taken, for somebody waits and it has been in the same call for long enough.
pub fn is_stuck(p: &P, now: u64, somebody_waits: bool) -> bool {
    let calls = p.calls.load(Relaxed);
    if p.watch.calls.get() != calls || p.watch.call_seen_ns.get() == 0 {
        p.watch.calls.set(calls);
        p.watch.call_seen_ns.set(now);
        return false;
    }
    somebody_waits && now.saturating_sub(p.watch.call_seen_ns.get()) >= RETAKE_NS
}
