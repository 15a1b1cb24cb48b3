//! `GODEBUG=gctrace=1`: a line for each cycle in which free memory goes back to the kernel. There is no garbage collector; this is what comes next to one.
//!
//! Go's fields, in its order and with its units, and in parentheses gort's own:
//!
//! ```text
//! gc 1 @0.105s 0%: 0+0.520+0 ms clock, 0+0/0.520/0+0 ms cpu, 17->1->1 MB, 0 MB goal, 0 MB stacks, 0 MB globals, 2 P (3 stacks, 16384 KiB given back)
//! ```
//!
//! The program is not stopped, so the phases before and after the middle one are 0; the heap is what the kernel backs of it, at the begin and at the end of
//! the cycle, and what of it is in use; the goal is what is kept. Stacks are those that have pages, by one page each, the least that they have.
//!
//! Source: Go package runtime, "Environment Variables".

use crate::base::lines::Lines;
use crate::base::tune::HEAP_KEEP_BYTES;
use crate::gmp::SCHED;
use crate::mem::{heap, stack};
use crate::sched::scavenge;
use crate::sys::clock::monotonic_ns;
use crate::sys::memory::PAGE;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

static START_NS: AtomicU64 = AtomicU64::new(0);
static CYCLES: AtomicU64 = AtomicU64::new(0);
static SPENT_US: AtomicU64 = AtomicU64::new(0);

/// From now on.
pub fn begin() {
    START_NS.store(monotonic_ns(), Relaxed);
    scavenge::trace(cycle);
}

/// Makes a cycle, and says what it did.
fn cycle(go_on: fn() -> bool) {
    let start = monotonic_ns();
    let stacks = stack::scavenge();
    let bytes = heap::scavenge_while(go_on);
    let end = monotonic_ns();
    let (age_us, us) = ((end - START_NS.load(Relaxed)) / 1000, (end - start) / 1000);
    let spent_us = SPENT_US.fetch_add(us, Relaxed) + us;
    let (live, idle) = heap::live_and_idle();
    let mib = |bytes: usize| (bytes >> 20) as u64;
    let mut memory = [0; 400];
    let mut lines = Lines::new(&mut memory);
    lines.put(
        "gc # @~s #%: 0+~+0 ms clock, 0+0/~/0+0 ms cpu, #->#->#",
        &[CYCLES.fetch_add(1, Relaxed) + 1, age_us / 1000, 100 * spent_us / age_us.max(1), us, us, mib(live + idle + bytes), mib(live + idle), mib(live)],
    );
    lines.put(
        " MB, # MB goal, # MB stacks, 0 MB globals, # P (# stacks, # KiB given back)\n",
        &[mib(HEAP_KEEP_BYTES), mib(stack::with_pages() as usize * PAGE), SCHED.procs.load(Relaxed).into(), stacks.into(), (bytes >> 10) as u64],
    );
    lines.flush();
}
