//! sysmon: a thread without a P that sees to it that nobody waits for long behind a goroutine that runs for long (R7).
//!
//! 1. It sleeps on one alarm. Who begins a slice sets the alarm earlier, if need be (`arm`): one load and compare as a rule. Nobody wakes the thread.
//! 2. `DEADLINE` is the time the alarm is set to. The thread first sets it to never, then looks at the Ps; a P first publishes its slice, then
//!    reads it. Both have a full fence between: either the thread sees the slice, or the P sees that it must set the alarm.
//! 3. A pass holds the scheduler's lock, and sends its signals after it. It makes no other system call but for its alarm; and once a second to count the
//!    CPUs, where the program asks for that.
//! 4. The alarm is set only while some P is busy: an idle program has none, and makes no system call.
//!
//! | it sees, on a busy P                                        | it does                                         |
//! |-------------------------------------------------------------|-------------------------------------------------|
//! | a woken goroutine or a due timer, minimum slice past        | asks the P's goroutine to give way              |
//! | the same, asked 100 µs ago                                  | asks the P whose slice is the longest as well   |
//! | hidden work and an idle P, minimum slice past               | asks: the P publishes on g0                     |
//! | work in a ring, and no signals to ask with                  | wakes an M for it, if a P is idle               |
//! | a slice of 10 ms past, and others wait                      | asks                                            |
//! | asked 2 ms ago, the same slice                              | asks again                                      |
//! | a system call for 20 µs, and somebody waits                 | takes its P, and gives it to them               |
//! | nobody busy, 100 ms after an M went idle                    | gives free memory back (`scavenge`)             |
//! | more Ms idle for 5 s than are kept                          | ends their threads (`reap`)                     |
//! | a cancelled system call that has not ended                  | sends its signal again (`cancel`)               |
//! | the CPUs that may be used have changed, if that matters     | has some P change GOMAXPROCS (`procs`)          |
//! | a line of `GODEBUG=schedtrace` due                          | has it printed (`SCHEDTRACE`)                   |
//! | somebody who keeps others waiting, if that is to be said   | says it (`STALL`)                               |
//! | all Ms in calls for 1 s, goroutines runnable, no thread     | one more attempt; else fatal (`exhaustion`)     |
//!
//! Rejected: a tick (20 µs of Go's: 27 000 wake-ups where this makes one look); POSIX timers a thread (a signal to a descheduled thread tells
//! nobody else: p90 3.9 ms against 0.08).

use super::chore::Chore;
use super::{cancel, exhaustion, hooks, preempt, procs, reap, scavenge, syscalls, thread, timers, wake};
use crate::base::NoPreempt;
use crate::base::asking::{self, Step};
use crate::base::deadline::Deadline;
use crate::base::note::Note;
use crate::base::tune::{ASK_AGAIN_NS, ESCALATE_NS, LINE_SLICE_NS, MIN_SLICE_NS, RETAKE_NS, SLICE_NS};
use crate::gmp::p::PStatus;
use crate::gmp::sched::{Locked, STOPPING, idle_ps};
use crate::gmp::{P, SCHED};
use crate::sys::alarm::{Alarm, NEVER};
use crate::sys::clock::monotonic_ns;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release, Ordering::SeqCst};

static ALARM: Alarm = Alarm::new();
static DEADLINE: Deadline = Deadline::new();
static STATE: AtomicU32 = AtomicU32::new(ABSENT);
/// No thread could be made for it: when to try again.
static TRY_AGAIN_NS: AtomicU64 = AtomicU64::new(0);
/// `GODEBUG=schedtrace`: prints, each so many milliseconds (`observe::schedtrace`).
pub static SCHEDTRACE: Chore = Chore::new();
/// The stall report (`observe::stall`).
pub static STALL: Chore = Chore::new();
/// Tests that run for long (`testing`).
pub static TESTS: Chore = Chore::new();
static PASSES: AtomicU64 = AtomicU64::new(0);

const ABSENT: u32 = 0;
const STARTING: u32 = 1;
const RUNNING: u32 = 2;
const FAILED: u32 = 3;

/// How many signals one pass sends before it looks again.
const TARGETS: usize = 32;

/// Is anybody watching? Until then nobody measures slices.
#[inline(always)]
pub fn is_running() -> bool {
    STATE.load(Relaxed) == RUNNING
}

/// Has there been a second goroutine, or a timer? Until then nobody could use a P that is given away.
#[inline(always)]
pub fn was_wanted() -> bool {
    STATE.load(Relaxed) != ABSENT
}

/// How often it has looked.
pub fn passes() -> u64 {
    PASSES.load(Relaxed)
}

/// Starts the thread, if it is not there. Called where a second goroutine is made, or a timer that is not just a sleep.
#[inline(always)]
pub fn ensure() {
    if matches!(STATE.load(Relaxed), ABSENT | FAILED) {
        start();
    }
}

#[cold]
fn start() {
    let _nopreempt = NoPreempt::new(); // nobody else starts it meanwhile, and all rely on it
    if STATE.compare_exchange(ABSENT, STARTING, Acquire, Relaxed).is_err() {
        return try_again();
    }
    ALARM.open();
    preempt::set_up().unwrap_or_else(|error| crate::base::throw!("sysmon: no handler of SIGURG: {error}"));
    start_thread();
}

/// Without a thread for it the program goes on (R8): goroutines give way at their calls. A second later somebody tries again.
#[inline(never)]
fn start_thread() {
    let started = thread::start_helper(c"gort-sysmon", run).is_ok();
    TRY_AGAIN_NS.store(monotonic_ns() + 1_000_000_000, Relaxed);
    STATE.store(if started { RUNNING } else { FAILED }, Release);
    if started {
        arm(monotonic_ns() + SLICE_NS);
    }
}

fn try_again() {
    if TRY_AGAIN_NS.load(Relaxed) < monotonic_ns() && STATE.compare_exchange(FAILED, STARTING, Acquire, Relaxed).is_ok() {
        start_thread();
    }
}

/// Sees to it that sysmon looks at `at_ns` or before.
#[inline(always)]
pub fn arm(at_ns: u64) {
    if DEADLINE.is_after(at_ns) {
        set_alarm(at_ns);
    }
}

#[cold]
#[inline(never)]
fn set_alarm(at_ns: u64) {
    DEADLINE.bring_forward(at_ns, set_or_replace);
}

/// Sets the alarm. If the thread can no longer be told by it, another one takes its place.
#[cold]
#[inline(never)]
fn set_or_replace(at_ns: u64) {
    if ALARM.set(at_ns) {
        STATE.store(STARTING, Relaxed);
        start_thread();
    }
}

/// When sysmon should next look at `p`, whose slice began at `start`; published before this is asked.
#[inline]
pub fn look_at(p: &P, start: u64) -> u64 {
    let due = if p.woken.len() != 0 { 0 } else { p.next_timer_ns.load(Acquire) };
    let slice_end = start + SLICE_NS.saturating_sub(p.slice_used_ns.load(Relaxed));
    let line = if SCHED.in_line.load(Relaxed) != 0 { start + LINE_SLICE_NS } else { NEVER };
    due.max(start + MIN_SLICE_NS).min(slice_end).min(line)
}

/// The thread: g0 of an M that never has a P.
fn run() -> ! {
    loop {
        if !ALARM.wait() {
            // Somebody has closed its timerfd while it slept, and another thread is sysmon since then. Nobody wakes this one again.
            Note::new().sleep();
        }
        // What is begun once some program needs it.
        const CHORES: [&Chore; 5] = [&reap::CHORE, &cancel::CHORE, &SCHEDTRACE, &STALL, &TESTS];
        let begun = || CHORES.iter().map(|chore| chore.look(monotonic_ns())).min().unwrap_or(NEVER);
        let chores = || scavenge::look(monotonic_ns()).min(exhaustion::look(monotonic_ns())).min(begun());
        DEADLINE.gone_off(|| pass().min(chores()), set_or_replace);
    }
}

/// Looks at all Ps. Returns when to look again.
#[inline(never)]
fn pass() -> u64 {
    PASSES.fetch_add(1, Relaxed);
    let mut found = Found {
        now: monotonic_ns(),
        next: NEVER,
        line: SCHED.in_line.load(Relaxed),
        orphans: false,
        shown: false,
        targets: [None; TARGETS],
        count: 0,
        taken: [None; TARGETS],
        taken_count: 0,
    };
    {
        let locked = SCHED.locked.lock();
        if SCHED.idle.0.load(Acquire) & STOPPING != 0 {
            // Who stops the world asks by itself. Its own slice goes on afterwards, and nobody but us looks at that.
            return found.now + ESCALATE_NS;
        }
        for id in 0..SCHED.procs.load(Relaxed) {
            let p = SCHED.p(id);
            if p.status.load(Relaxed) == PStatus::Running as u8 {
                found.look(&locked, p);
                found.shown |= !p.ring.is_empty();
            }
        }
        // The timers of a P that nobody holds, if no sleeping M looks at the clock for them.
        SCHED.for_each_p(|p| {
            let next = p.next_timer_ns.load(Acquire);
            if next < timers::keeper_until() && p.status.load(Relaxed) != PStatus::Running as u8 {
                found.again_at(next);
                found.orphans |= next <= found.now;
            }
        });
    }
    for target in found.targets.iter().flatten() {
        preempt::send(*target);
    }
    if found.shown && !preempt::is_possible() {
        // Whoever has pushed it may have missed an M that became idle just then (`wake`, invariant 2), and makes no call to see it later.
        wake::one_more();
    }
    for p in found.taken.iter().flatten() {
        syscalls::hand_off(p);
    }
    if found.orphans {
        // What is due now stays due until somebody has run it: no reason to look again at once.
        found.next = found.next.max(found.now + MIN_SLICE_NS);
        if !timers::run_errands() {
            // All Ps are busy: one of them is to run what is due.
            ask_longest(found.now);
        }
    }
    if procs::is_to_change(found.now) && !timers::run_errands() {
        // The same, each time until it is made.
        ask_longest(u64::MAX);
    }
    found.next
}

/// Asks the goroutine that has been running for longest, and past its minimum slice: its P runs the errands.
#[inline(never)]
fn ask_longest(now: u64) {
    let target = {
        let locked = SCHED.locked.lock();
        let running = (0..SCHED.procs.load(Relaxed)).map(|id| SCHED.p(id)).filter(|p| p.status.load(Relaxed) == PStatus::Running as u8);
        let longest = running.min_by_key(|p| p.slice_start_ns.load(Relaxed));
        longest.filter(|p| p.slice_start_ns.load(Relaxed) + MIN_SLICE_NS <= now).and_then(|p| {
            p.errands.store(true, Relaxed);
            preempt::ask(&locked, p)
        })
    };
    if let Some(target) = target {
        preempt::send(target);
    }
}

/// An M waits in line for a P: whoever runs for longest gives way to it, now or as soon as its slice has been long enough.
pub fn somebody_waits_in_line(now: u64) {
    let mut first_end = NEVER;
    let target = {
        let locked = SCHED.locked.lock();
        let mut target = None;
        for id in 0..SCHED.procs.load(Relaxed) {
            let p = SCHED.p(id);
            let end = p.slice_start_ns.load(Relaxed) + LINE_SLICE_NS;
            if p.status.load(Relaxed) != PStatus::Running as u8 || p.request.load(Relaxed) != 0 || end >= first_end {
                continue;
            }
            first_end = end;
            target = (end <= now).then_some(p);
        }
        target.and_then(|p| preempt::ask(&locked, p))
    };
    match target {
        Some(target) => preempt::send(target),
        None => arm(first_end.min(now + ASK_AGAIN_NS)),
    }
}

struct Found {
    now: u64,
    next: u64,
    /// Ms that wait in line and for whom nobody has been asked yet.
    line: u32,
    /// Timers are due at a P that nobody holds.
    orphans: bool,
    /// Something lies in a ring, for whoever has nothing to do.
    shown: bool,
    targets: [Option<preempt::Target>; TARGETS],
    count: usize,
    taken: [Option<&'static P>; TARGETS],
    taken_count: usize,
}

impl Found {
    #[inline(never)]
    fn look(&mut self, locked: &Locked, p: &'static P) {
        // A call that was not taken belongs to a slice like any other: who makes short calls in a loop is asked as well.
        if p.in_call.is_set() && self.takes_from_call(locked, p) {
            return;
        }
        let (slice, start) = (p.slice.load(Acquire), p.slice_start_ns.load(Acquire));
        if start == 0 {
            // Its slice began before there was a sysmon.
            let _ = p.slice_start_ns.compare_exchange(0, self.now, SeqCst, Relaxed);
            return self.again_at(self.now + MIN_SLICE_NS);
        }
        let storm = hooks::preemption_storm_ns();
        if storm != 0 {
            self.ask(locked, p);
            return self.again_at(self.now + storm);
        }
        let (waits, hidden) = waiting(p);
        let mut at = look_at(p, start);
        if hidden {
            at = at.min(start + MIN_SLICE_NS);
        }
        if at > self.now {
            return self.again_at(at);
        }
        let in_line = self.line != 0 && start + LINE_SLICE_NS <= self.now;
        let due = in_line || p.woken.len() != 0 || p.next_timer_ns.load(Acquire) <= self.now;
        if !(waits || due) {
            // Alone on its P for 10 ms: nothing to do, but somebody may come to wait, and those whose time comes wait already.
            return self.again_at((self.now + SLICE_NS).min(p.next_timer_ns.load(Acquire).max(start + MIN_SLICE_NS)));
        }
        self.line -= u32::from(in_line);
        let asked = if p.watch.slice.get() == slice { p.watch.asked_ns.get() } else { 0 };
        match asking::next(asked, self.now, due && !p.watch.escalated.get()) {
            Step::Ask => {
                p.watch.slice.set(slice);
                p.watch.asked_ns.set(self.now);
                p.watch.escalated.set(false);
                self.ask(locked, p);
            }
            Step::AskAgain => {
                p.watch.asked_ns.set(self.now);
                self.ask(locked, p);
            }
            Step::AskAnother => {
                p.watch.escalated.set(true);
                self.escalate(locked, p);
            }
            Step::Wait => {}
        }
        let wait = if due && !p.watch.escalated.get() { ESCALATE_NS } else { ASK_AGAIN_NS };
        self.again_at(p.watch.asked_ns.get() + wait);
    }

    /// The M of `p` is in a system call: takes the P, if the call lasts and somebody waits. True if it did.
    #[inline(never)]
    fn takes_from_call(&mut self, locked: &Locked, p: &'static P) -> bool {
        let (waits, _) = waiting(p);
        let waits = waits || SCHED.in_line.load(Relaxed) != 0 || p.next_timer_ns.load(Acquire) <= self.now;
        if !syscalls::is_stuck(p, self.now, waits) {
            let at = if waits { self.now } else { p.next_timer_ns.load(Acquire).min(self.now + SLICE_NS - RETAKE_NS) };
            self.again_at(at + RETAKE_NS);
            return false;
        }
        if self.taken_count == TARGETS {
            self.again_at(self.now);
            return true;
        }
        if !syscalls::take(locked, p) {
            return false;
        }
        self.taken[self.taken_count] = Some(p);
        self.taken_count += 1;
        true
    }

    /// Any other P may run what is due on `p`: the one that has been running for longest, if nobody has asked it yet.
    #[inline(never)]
    fn escalate(&mut self, locked: &Locked, p: &P) {
        let mut longest: Option<&P> = None;
        for id in 0..SCHED.procs.load(Relaxed) {
            let other = SCHED.p(id);
            let start = other.slice_start_ns.load(Relaxed);
            let asked = other.watch.asked_ns.get() != 0 && other.watch.slice.get() == other.slice.load(Relaxed);
            let eligible = other.id != p.id && other.status.load(Relaxed) == PStatus::Running as u8 && start != 0 && start + MIN_SLICE_NS <= self.now && !asked;
            if eligible && longest.is_none_or(|longest| start < longest.slice_start_ns.load(Relaxed)) {
                longest = Some(other);
            }
        }
        if let Some(other) = longest {
            other.watch.slice.set(other.slice.load(Relaxed));
            other.watch.asked_ns.set(self.now);
            other.watch.escalated.set(true);
            self.ask(locked, other);
        }
    }

    fn ask(&mut self, locked: &Locked, p: &P) {
        if self.count == TARGETS {
            // Next time, at once.
            p.watch.asked_ns.set(0);
            return self.again_at(self.now);
        }
        self.targets[self.count] = preempt::ask(locked, p);
        self.count += 1;
    }

    fn again_at(&mut self, at: u64) {
        self.next = self.next.min(at);
    }
}

/// Does anybody wait behind the goroutine of `p`? And is it somebody that an idle P cannot get at?
fn waiting(p: &P) -> (bool, bool) {
    let hidden = p.hides_work() && idle_ps(SCHED.idle.0.load(Relaxed)) != 0;
    let waits = hidden || p.runnable() != 0 || SCHED.global_len.load(Relaxed) != 0;
    (waits, hidden)
}
