//! Idle threads that nobody has needed for a while end, down to GOMAXPROCS and a few.
//!
//! 1. `Locked::idle_m_low` is the smallest number of idle Ms since sysmon looked last. So many were of no use all that time; those of them beyond what
//!    is kept end. A burst of blocking calls each few milliseconds needs all its threads each time, so it makes and ends none.
//! 2. An M that is to end leaves the idle list and the number of Ms in one step, under the scheduler's lock: who counts the sleepers for a deadlock never
//!    sees one that is nowhere. Then it is woken without a P.
//! 3. sysmon looks each few seconds while more Ms are idle than are kept, and not at all after that: the second look of an idle program is the last.
//! 4. Only who makes calls that block, locks goroutines to threads or changes GOMAXPROCS can have so many Ms: those begin it.
//! 5. The initial thread never ends: a process whose first thread is gone is a zombie to /proc.
//! 6. It may take an M that has just become idle and takes its last look at the queues (`idle`, invariant 2). What that one finds it can take no P for;
//!    so it wakes somebody in its place before it ends.
//!
//! Rejected: to end as soon as too many are idle (each burst makes its threads anew); a timeout of each idle M (a timed wait for each sleep, and an M
//! that fell asleep before GOMAXPROCS went down has none).

use super::appointment::Appointment;
use super::chore::Chore;
use super::{idle, sysmon};
use crate::base::tune::{REAP_AT_ONCE, REAP_EACH_NS, SPARE_THREADS};
use crate::gmp::sched::Locked;
use crate::gmp::{M, SCHED};
use crate::sys::alarm::NEVER;
use core::ptr;
use core::sync::atomic::Ordering::Relaxed;

static TIME: Appointment = Appointment::new();

/// See `begin`.
pub static CHORE: Chore = Chore::new();

/// Invariant 4.
#[inline]
pub fn begin() {
    CHORE.begin(look);
}

/// How many idle Ms are kept.
fn kept() -> u32 {
    SCHED.procs.load(Relaxed) + SPARE_THREADS
}

/// So many Ms are idle now, without the lock.
#[inline]
pub fn soon(idle: u32) {
    if idle > kept() && CHORE.has_begun() && sysmon::is_running() {
        TIME.make_if_none(REAP_EACH_NS);
    }
}

/// On sysmon. Returns when to look again.
fn look(now: u64) -> u64 {
    if let Err(at) = TIME.keep(now) {
        return at;
    }
    loop {
        let (mut end, idle) = take(&mut SCHED.locked.lock());
        if end.is_null() {
            soon(idle);
            return NEVER;
        }
        // SAFETY: invariant 2: nobody else knows of them; each ends after its wake-up, and not before.
        while let Some(m) = unsafe { end.as_ref() } {
            end = m.idle_next.get();
            m.note.wake();
        }
    }
}

/// Takes Ms that are to end, linked by `idle_next`; null, and a new count begins, if there are no more. And how many are idle.
fn take(locked: &mut Locked) -> (*mut M, u32) {
    let mut end: *mut M = ptr::null_mut();
    for _ in 0..locked.idle_m_low.saturating_sub(kept()).min(REAP_AT_ONCE) {
        // SAFETY: `idle::take_m`.
        let Some(m) = (unsafe { locked.idle_ms.as_ref().and_then(|m| if m.id == 0 { m.idle_next.get().as_ref() } else { Some(m) }) }) else { break };
        leaves(locked, m);
        locked.idle_m_low -= 1;
        m.idle_next.set(end);
        end = ptr::from_ref(m).cast_mut();
    }
    if end.is_null() {
        locked.idle_m_low = locked.idle_m_count;
    }
    (end, locked.idle_m_count)
}

/// Invariant 2: `m`, which is idle, is to end.
fn leaves(locked: &mut Locked, m: &M) {
    idle::remove_m(locked, m);
    locked.m_goes(m);
    m.ends.set(true);
}

/// For a test: the same for this M alone, on its g0, as it becomes idle. False: it is idle no more, or the initial one.
pub(super) fn take_now(m: &M) -> bool {
    {
        let mut locked = SCHED.locked.lock();
        if !m.is_idle.get() || m.id == 0 {
            return false;
        }
        leaves(&mut locked, m);
    }
    m.note.wake();
    true
}
