//! The stall report: who keeps others waiting for longer than a limit, once for each time.
//!
//! 1. On sysmon, as it looks at the Ps. It looks often enough while somebody is asked to give way; what nobody is asked for, it sees at the end of a slice at the latest.
//! 2. A goroutine stalls if it was asked to give way (`P::request`) and runs on in the same slice: `asyncpreemptoff`, preemption disabled for long, registers that cannot
//!    be kept. Who computes alone stalls nobody. Who is in a call or in C neither: its P is taken.
//! 3. A goroutine that is first in the global queue, or in a P's ring, and stays it for the limit, has waited for too long.
//! 4. What it remembers of the Ps it keeps for the first `WATCHED` of them.
//! 5. The stack of who runs on is taken by a glance (`sched::glance`): no lock is taken meanwhile, what it says is printed afterwards.
//!
//! Rejected: times in each goroutine (two looks at the clock a hand-off).

use super::crash;
use crate::base::printer::Stderr;
use crate::gmp::p::{GIVE_WAY, PStatus};
use crate::gmp::{G, M, P, SCHED};
use crate::sched::{glance, sysmon};
use crate::sys::alarm::NEVER;
use core::fmt::Write;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The limit; 0: none.
static LIMIT_NS: AtomicU64 = AtomicU64::new(0);
const WATCHED: usize = 256;

/// Something that is watched: what it is, since when it is so, and whether that was reported. On sysmon alone; a second sysmon (`sysmon::set_or_replace`) may at worst
/// report once more.
struct Watch {
    what: AtomicU64,
    since_ns: AtomicU64,
}

/// `since_ns` of what was reported.
const REPORTED: u64 = u64::MAX;

impl Watch {
    const fn new() -> Watch {
        Watch { what: AtomicU64::new(0), since_ns: AtomicU64::new(0) }
    }

    /// It is `what` at `now`; 0: nothing. How long it has been, if that is longer than `limit` and has not been said yet; else when it will be.
    fn see(&self, what: u64, now: u64, limit: u64) -> Result<u64, u64> {
        if self.what.swap(what, Relaxed) != what {
            self.since_ns.store(now, Relaxed);
        }
        let since = self.since_ns.load(Relaxed);
        if what == 0 || since == REPORTED {
            return Err(NEVER);
        }
        if now < since + limit {
            return Err(since + limit);
        }
        self.since_ns.store(REPORTED, Relaxed);
        Ok(now - since)
    }
}

static RUNNING: [Watch; WATCHED] = [const { Watch::new() }; WATCHED];
static IN_RING: [Watch; WATCHED] = [const { Watch::new() }; WATCHED];
static IN_GLOBAL: Watch = Watch::new();

/// From now on whoever stalls for `limit_ns` is reported; 0: nobody any more. Returns the limit before.
pub fn set_limit(limit_ns: u64) -> u64 {
    let before = LIMIT_NS.swap(limit_ns, Relaxed);
    if limit_ns != 0 {
        sysmon::STALL.begin(look);
        sysmon::ensure();
    }
    before
}

/// On sysmon. Returns when to look again.
fn look(now: u64) -> u64 {
    let limit = LIMIT_NS.load(Relaxed);
    if limit == 0 {
        return NEVER;
    }
    let mut next = NEVER;
    for id in 0..SCHED.procs.load(Relaxed).min(WATCHED as u32) {
        let p = SCHED.p(id);
        next = next.min(look_at_running(p, now, limit)).min(look_at_ring(p, now, limit));
    }
    next.min(look_at_global(now, limit))
}

fn look_at_running(p: &P, now: u64, limit: u64) -> u64 {
    // Invariant 2. The slice, and that it was asked: both in one word.
    let asked = p.request.load(Relaxed) & GIVE_WAY != 0 && p.status.load(Relaxed) == PStatus::Running as u8 && !p.in_call.is_set();
    let what = if asked { 1 << 32 | u64::from(p.slice.load(Relaxed)) } else { 0 };
    match RUNNING[p.id as usize].see(what, now, limit) {
        Err(at) => at,
        Ok(_) => {
            report_running(p, now, limit);
            NEVER
        }
    }
}

fn report_running(p: &P, now: u64, limit: u64) {
    let start = p.slice_start_ns.load(Relaxed);
    let Some((m, tid, g)) = running(p) else { return };
    let waiting = p.runnable() + SCHED.global_len.load(Relaxed);
    let (ms, asked_ms) = (now.saturating_sub(start) / 1_000_000, limit / 1_000_000);
    let what = format_args!("has run for {ms} ms on P {} without giving way, asked to {asked_ms} ms ago; {waiting} goroutines wait", p.id);
    let mut memory = [0; 4096];
    let mut used = 0;
    let slice = p.slice.load(Relaxed);
    crash::read_program();
    glance::at(m, tid, &mut |context| {
        // It still runs what it ran: the thread stands still.
        if p.m.load(Relaxed) == m && p.slice.load(Relaxed) == slice && running_on(m) == g {
            // SAFETY: descriptors can be read whatever becomes of them (R9).
            used = crash::write_interrupted(unsafe { &*g }, context, &mut memory).len();
        }
    });
    if used == 0 {
        // SAFETY: as above.
        used = crash::write_other(unsafe { &*g }, "running", &mut memory).len();
    }
    let trace = &memory[..used];
    print(g, what, trace);
}

fn look_at_ring(p: &P, now: u64, limit: u64) -> u64 {
    let (head, first) = p.ring.first();
    // Which one it is: where it lies in the ring. A thief that takes it changes that.
    let what = if first.is_null() { 0 } else { 1 << 32 | u64::from(head) };
    match IN_RING[p.id as usize].see(what, now, limit) {
        Err(at) => at,
        Ok(waited) => {
            if p.ring.first() == (head, first) {
                report(first, "runnable", format_args!("has waited for {} ms, runnable, in the queue of P {}", waited / 1_000_000, p.id));
            }
            NEVER
        }
    }
}

fn look_at_global(now: u64, limit: u64) -> u64 {
    let first = if SCHED.global_len.load(Relaxed) == 0 {
        None
    } else {
        let locked = SCHED.locked.lock();
        // SAFETY: what is in the queue is a G, and stays in it while the lock is held.
        unsafe { locked.global.oldest().as_ref() }.map(|g| (g.id(), core::ptr::from_ref(g).cast_mut()))
    };
    let (id, g) = first.unwrap_or((0, core::ptr::null_mut()));
    match IN_GLOBAL.see(id, now, limit) {
        Err(at) => at,
        Ok(waited) => {
            report(g, "runnable", format_args!("has waited for {} ms, runnable, in the global queue", waited / 1_000_000));
            NEVER
        }
    }
}

/// The M that runs `p`, its thread, and the goroutine that it runs; none if it is in the scheduler.
fn running(p: &P) -> Option<(*mut M, u32, *mut G)> {
    let _locked = SCHED.locked.lock();
    let m = p.m.load(Relaxed);
    // SAFETY: P's invariant 3: an M lives as long as a P names it under the scheduler's lock.
    let tid = unsafe { m.as_ref() }?.tid.load(Relaxed);
    let g = running_on(m);
    // SAFETY: descriptors can be read whatever has become of them.
    (unsafe { (*g).id() } != 0).then_some((m, tid, g))
}

/// What `m` runs, which lives.
fn running_on(m: *const M) -> *mut G {
    // SAFETY: the word is written by the M's own switches, and always names a G.
    unsafe { (&raw const (*m).tls.g).read_volatile() }.cast::<G>()
}

/// `g` may have gone on meanwhile; its descriptor can be read all the same (R9).
fn report(g: *mut G, state: &str, what: core::fmt::Arguments) {
    let mut memory = [0; 4096];
    // Who is in the global queue may still say that it waits (`ready_queue`): so the state is what was seen.
    // SAFETY: as above.
    let trace = crash::write_other(unsafe { &*g }, state, &mut memory);
    print(g, what, trace);
}

fn print(g: *mut G, what: core::fmt::Arguments, trace: &[u8]) {
    let mut out = Stderr::new();
    // SAFETY: descriptors can be read whatever has become of them (R9).
    let _ = writeln!(out, "gort: stall: goroutine {} {what}\n", unsafe { (*g).id() });
    let _ = writeln!(out, "{}", core::str::from_utf8(trace).unwrap_or(""));
    out.flush();
}
