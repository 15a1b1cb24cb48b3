//! `GODEBUG=schedtrace=N`: a line about the scheduler each N ms, and with `scheddetail=1` one about each P, M and goroutine.
//!
//! 1. sysmon prints, by a `Chore`, so that nothing else of the program is slower or waits for standard error. A program that is idle wakes for it.
//! 2. A row is read under the scheduler's lock, which is let go of before it is formatted or written: Ms that end meanwhile are stepped over
//!    (`Locked::walk_ms`). Lengths of queues are each as of when they are read.
//! 3. Memory is bounded, and nothing is allocated: one buffer, and of the goroutines the first thousand.
//!
//! The line is the specification's to the letter. The details are Go's lines with gort's facts; docs/debugging.md lists what differs.
//!
//! Source: Go package runtime, "Environment Variables"; `schedtrace` in proc.go of Go 1.27.3.

use super::crash;
use crate::arch::header::NOTHING_PENDING;
use crate::base::idle_word::is_wanting;
use crate::base::lines::{Lines, NIL};
use crate::base::tune::{SCHEDTRACE_BYTES, TRACE_GOROUTINES};
use crate::gmp::sched::{Locked, STOPPING, idle_ps, spinning_ms};
use crate::gmp::{G, P, SCHED, Status};
use crate::mem::stack;
use crate::sched::{find, sysmon};
use crate::sys::clock::monotonic_ns;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

static EACH_NS: AtomicU64 = AtomicU64::new(0);
static DETAILED: AtomicBool = AtomicBool::new(false);
/// When the first line was printed: its `0ms`.
static START_NS: AtomicU64 = AtomicU64::new(0);
static NEXT_NS: AtomicU64 = AtomicU64::new(0);

/// Numbers of an M, of the goroutine that it runs, and of the one that is locked to it.
type Pair = [u64; 3];

/// What sysmon prints with.
struct Memory {
    text: [u8; SCHEDTRACE_BYTES],
    /// Who runs whom.
    pairs: [Pair; TRACE_GOROUTINES as usize],
}

struct OfSysmon(UnsafeCell<Memory>);

// SAFETY: only sysmon uses it, in `look`; there is one, and one that another has replaced never looks again.
unsafe impl Sync for OfSysmon {}

/// Untouched, and so no memory, until the first line.
static MEMORY: OfSysmon = OfSysmon(UnsafeCell::new(Memory { text: [0; SCHEDTRACE_BYTES], pairs: [[0; 3]; TRACE_GOROUTINES as usize] }));

/// From now on a line each `each_ms`.
pub fn begin(each_ms: u32, detailed: bool) {
    EACH_NS.store(u64::from(each_ms) * 1_000_000, Relaxed);
    DETAILED.store(detailed, Relaxed);
    sysmon::SCHEDTRACE.begin(look);
    sysmon::ensure();
    sysmon::arm(monotonic_ns());
}

/// On sysmon. Returns when to look again.
fn look(now: u64) -> u64 {
    let next = NEXT_NS.load(Relaxed);
    if now < next {
        return next;
    }
    let each = EACH_NS.load(Relaxed);
    if next == 0 {
        START_NS.store(now, Relaxed);
    }
    let age = now - START_NS.load(Relaxed);
    // On the grid of the first line; lines that were missed are missed.
    let next = now - age % each + each;
    NEXT_NS.store(next, Relaxed);
    // SAFETY: this is sysmon.
    print(unsafe { &mut *MEMORY.0.get() }, age / 1_000_000);
    next
}

/// What is known of the whole, of a P, or of an M: the numbers in the order in which they are printed.
type Row = [u64; 12];

/// Fills a row. `row[0]` says of which P.
type Facts = fn(&mut Locked, &mut Row);

/// Prints facts that are read together, under the scheduler's lock.
#[inline(never)]
fn put(lines: &mut Lines, text: &str, facts: Facts, row: &mut Row) {
    facts(&mut SCHED.locked.lock(), row);
    lines.put(text, row);
}

fn print(memory: &mut Memory, ms: u64) {
    let lines = &mut Lines::new(&mut memory.text);
    let mut row = [ms; 12];
    put(lines, "SCHED #ms: gomaxprocs=# idleprocs=# threads=# spinningthreads=# needspinning=# idlethreads=# runqueue=#", facts, &mut row);
    let procs = row[1] as u32;
    if DETAILED.load(Relaxed) {
        put(lines, " gcwaiting=? nmidlelocked=# stopwait=# sysmonwait=false\n  gort: guards=# mprotected=# unguarded=# keptstacks=#\n", more_facts, &mut row);
    }
    let mut id = 0;
    while id < procs {
        if DETAILED.load(Relaxed) {
            row[0] = id.into();
            put(lines, "  P#: status=# schedtick=# syscalltick=# m=# runqsize=# gfreecnt=# timerslen=#\n", facts_of_p, &mut row);
        } else {
            lines.put(if id == 0 { " [#" } else { " #" }, &[SCHED.p(id).runnable().into()]);
        }
        id += 1;
    }
    if DETAILED.load(Relaxed) {
        ms_and_goroutines(lines, &mut memory.pairs, &mut row);
    } else {
        lines.put("]\n", &[]);
    }
    lines.flush();
}

fn facts(locked: &mut Locked, row: &mut Row) {
    let (word, procs, global) = (SCHED.idle.0.load(Relaxed), SCHED.procs.load(Relaxed), locked.global.len());
    // A P is idle, nobody looks for work for it, and there is some that it could have. In passing only, unless no thread can be made.
    let needs = is_wanting(word) && (global != 0 || find::work_in_sight());
    row[1] = procs.into();
    row[2] = idle_ps(word).into();
    row[3] = locked.m_count.into();
    row[4] = spinning_ms(word).into();
    row[5] = needs.into();
    row[6] = locked.idle_m_count.into();
    row[7] = global.into();
}

fn more_facts(locked: &mut Locked, row: &mut Row) {
    locked.walk_at = locked.all_ms;
    let guards = stack::guards();
    row[0] = SCHED.idle.0.load(Relaxed) & STOPPING;
    row[1] = locked.locked_m_count.into();
    row[2] = locked.stop_wait.into();
    row[3] = guards.advised.into();
    row[4] = guards.protected.into();
    row[5] = guards.missing.into();
    row[6] = SCHED.kept_stacks.load(Relaxed).into();
}

fn facts_of_p(_: &mut Locked, row: &mut Row) {
    let p = SCHED.p(row[0] as u32);
    // Go's numbers of: dead, idle, running, stopped; and in a system call.
    let status = [4, 0, 1, 3][usize::from(p.status.load(Relaxed)) & 3];
    row[1] = if p.in_call.is_set() { 2 } else { status };
    row[2] = p.tick.load(Relaxed).into();
    row[3] = u64::from(p.calls.load(Relaxed)) + p.counters.handed_off.get();
    // SAFETY: P's invariant 3: an M lives as long as a P names it under the scheduler's lock.
    row[4] = unsafe { p.m.load(Relaxed).as_ref() }.map_or(NIL, |m| m.id.into());
    row[5] = p.runnable().into();
    row[6] = p.free_stacks().into();
    row[7] = p.timer_count.load(Relaxed).into();
}

/// Of the next M on the walk; `row[0]` is `NIL` if there is none.
fn facts_of_m(locked: &mut Locked, row: &mut Row) {
    row[0] = NIL;
    let Some(m) = locked.walk_ms() else { return };
    // SAFETY: The M lives while the lock is held. These are words of another thread, which may change them at any time: each is read once, whole. What they
    // point to stays: a P for ever, a goroutine's descriptor in an arena for ever, if only as zeros; g0 and the signal stack with the M.
    unsafe {
        let g = &*(&raw const m.tls.g).read_volatile().cast::<G>();
        // Its own stacks have number 0, and one raise open for ever.
        let id = g.id();
        row[0] = m.id.into();
        row[1] = (&raw const m.tls.p).read_volatile().cast::<P>().as_ref().map_or(NIL, |p| p.id.into());
        row[2] = if id == 0 { NIL } else { id };
        row[4] = u64::from(g.header.nopreempt.as_ptr().read_volatile() & !NOTHING_PENDING).saturating_sub(u64::from(id == 0));
        row[6] = m.spinning.as_ptr().read_volatile().into();
        row[8] = m.locked_g.as_ptr().read_volatile().as_ref().map_or(NIL, |g| g.id());
    }
    row[3] = crash::is_dying(m).into();
    row[5] = row[3];
    row[7] = (m.is_idle.get() || m.waits_for_turn.get()).into();
}

#[inline(never)]
fn ms_and_goroutines(lines: &mut Lines, pairs: &mut [Pair], row: &mut Row) {
    let mut count = 0;
    loop {
        let text = "  M#: p=# curg=# mallocing=0 throwing=# preemptoff= locks=# dying=# spinning=? blocked=? lockedg=#\n";
        facts_of_m(&mut SCHED.locked.lock(), row);
        if row[0] == NIL {
            break;
        }
        lines.put(text, row);
        if let Some(pair) = pairs.get_mut(count) {
            *pair = [row[0], row[2], row[8]];
            count += 1;
        }
    }
    let pairs = &pairs[..count];
    let mut met = 0;
    stack::for_each(&mut |header| {
        // SAFETY: R9: dirty slots keep their descriptor; a dead one is skipped.
        let g = unsafe { &*header.cast::<G>() };
        let (id, status) = (g.id(), g.status());
        met += u32::from(status != Status::Dead && id != 0);
        if status == Status::Dead || id == 0 || met > TRACE_GOROUTINES {
            return;
        }
        // Go's numbers of: dead, runnable, running, waiting, in a system call.
        lines.put("  G#: status=#(", &[id, [6, 1, 2, 4, 3][status as usize]]);
        if status == Status::Waiting {
            lines.put(g.reason().text(), &[]);
        }
        let runs = matches!(status, Status::Running | Status::Syscall);
        lines.put(") m=# lockedm=#\n", &[m_of(pairs, 1, id, runs), m_of(pairs, 2, id, g.locked.get())]);
    });
    if met > TRACE_GOROUTINES {
        lines.put("  # more goroutines\n", &[(met - TRACE_GOROUTINES).into()]);
    }
}

/// The M that `id` stands beside, in place `which`; `NIL` if there is none, or `looks` says so.
#[inline(never)]
fn m_of(pairs: &[Pair], which: usize, id: u64, looks: bool) -> u64 {
    for pair in pairs {
        if looks && pair[which] == id {
            return pair[0];
        }
    }
    NIL
}
