//! `GODEBUG=allocfreetrace=1`: who allocates and frees what. A line and a goroutine for each block that a program gets or gives back; very chatty.
//!
//! 1. It costs nothing while it is off: the heap tells of a block where its caches have none, and with tracing on they never have one (`mem::heap`).
//! 2. Each block is one write, so records are never torn. Nothing here allocates, so none is about itself.
//! 3. A block that grows or shrinks in place, within its class, is not heard of. The runtime's own blocks are.
//!
//! Source: Go package runtime up to 1.20, `tracealloc` and `tracefree`, whose words these are.

use crate::base::NoPreempt;
use crate::base::lines::Lines;
use crate::gmp::{G, P};
use crate::mem::heap::{self, Event};
use crate::sched::idle;

/// From now on. On main's goroutine.
pub fn begin() {
    heap::trace(print);
    // What lies in the caches by now; later there is nothing in them.
    idle::flush_caches(P::current(&NoPreempt::new()));
}

/// On the goroutine, or g0, that allocates or frees. The heap holds no lock.
fn print(event: Event, block: *mut u8, bytes: usize) {
    let mut memory = [0; 256];
    let mut lines = Lines::new(&mut memory);
    let what = match event {
        Event::Allocated => "tracealloc(0x&, 0x&)\n",
        Event::Freed => "tracefree(0x&, 0x&)\n",
    };
    lines.put(what, &[block as u64, bytes as u64]);
    put_goroutine(&mut lines);
    lines.flush();
}

/// Whoever does it.
fn put_goroutine(lines: &mut Lines) {
    // SAFETY: R1: `fs:8` is always a G's. Those of an M have number 0.
    let goroutine = unsafe { G::current().as_ref() }.id();
    lines.put(if goroutine == 0 { "g0 [running]:\n\n" } else { "goroutine # [running]:\n\n" }, &[goroutine]);
}
