//! The stall report: who keeps others waiting for longer than a limit, once for each time.
//!
//! 1. On sysmon, as it looks at the Ps. It looks often enough while somebody is asked to give way; what nobody is asked for, it sees at the end of a slice at the latest.
//! 2. A goroutine stalls if it was asked to give way (`P::request`) and runs on in the same slice: `asyncpreemptoff`, preemption disabled for long, registers that cannot
//!    be kept. Who computes alone stalls nobody. Who is in a call or in C neither: its P is taken.
//! 3. A goroutine that is first in the global queue, or in a P's ring, and stays it for the limit, has waited for too long.
//! 4. What it remembers of the Ps it keeps for the first `WATCHED` of them.
//!
//! Rejected: times in each goroutine (two looks at the clock a hand-off); a signal to who stalls for its stack (it refuses those).

use super::crash;
use crate::base::printer::Stderr;
use crate::gmp::p::{GIVE_WAY, PStatus};
use crate::gmp::{G, M, P, SCHED};
use crate::sched::sysmon;
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
            let start = p.slice_start_ns.load(Relaxed);
            if let Some(g) = running(p) {
                let waiting = p.runnable() + SCHED.global_len.load(Relaxed);
                let ms = now.saturating_sub(start) / 1_000_000;
                report(
                    g,
                    "running",
                    format_args!("has run for {ms} ms on P {} without giving way, asked to {} ms ago; {waiting} goroutines wait", p.id, limit / 1_000_000),
                );
            }
            NEVER
        }
    }
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

/// The goroutine that `p` runs; none if it is in the scheduler.
fn running(p: &P) -> Option<*mut G> {
    let _locked = SCHED.locked.lock();
    // SAFETY: P's invariant 3: an M lives as long as a P names it under the scheduler's lock.
    let m: &M = unsafe { p.m.load(Relaxed).as_ref() }?;
    // SAFETY: the word is written by the M's own switches, and always names a G.
    let g = unsafe { (&raw const m.tls.g).read_volatile() }.cast::<G>();
    // SAFETY: descriptors can be read whatever has become of them.
    (unsafe { (*g).id() } != 0).then_some(g)
}

/// `g` may have gone on meanwhile; its descriptor can be read all the same (R9).
fn report(g: *mut G, state: &str, what: core::fmt::Arguments) {
    // SAFETY: as above.
    let g = unsafe { &*g };
    let mut out = Stderr::new();
    let _ = writeln!(out, "gort: stall: goroutine {} {what}\n", g.id());
    // Who is in the global queue may still say that it waits (`ready_queue`): so the state is what was seen.
    let mut memory = [0; 4096];
    let trace = crash::write_other(g, state, &mut memory);
    let _ = writeln!(out, "{}", core::str::from_utf8(trace).unwrap_or(""));
    out.flush();
}
