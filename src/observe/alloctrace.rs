//! `GODEBUG=allocfreetrace=1`: who allocates and frees what. A line and the goroutine's trace for each block that a program gets or gives back; very chatty.
//!
//! 1. It costs nothing while it is off: the heap tells of a block where its caches have none, and with tracing on they never have one (`mem::heap`).
//! 2. Each block is one write, unless its trace is very long, so records are not torn. Nothing here allocates, so none is about itself.
//! 3. A block that grows or shrinks in place, within its class, is not heard of. The runtime's own blocks are.
//!
//! Source: Go package runtime up to 1.20, `tracealloc` and `tracefree`, whose words these are.

use super::crash;
use crate::base::NoPreempt;
use crate::gmp::P;
use crate::mem::heap::{self, Event};
use crate::sched::idle;
use gort_trace::text::Text;

/// Longer records are written in pieces.
const RECORD_BYTES: usize = 2048;

/// From now on. On main's goroutine.
pub fn begin() {
    heap::trace(print);
    // What lies in the caches by now; later there is nothing in them.
    idle::flush_caches(P::current(&NoPreempt::new()));
}

/// On the goroutine, or g0, that allocates or frees. The heap holds no lock.
fn print(event: Event, block: *mut u8, bytes: usize) {
    let what = match event {
        Event::Allocated => "tracealloc(",
        Event::Freed => "tracefree(",
    };
    let head = |out: &mut Text| {
        out.put(what.as_bytes());
        out.hex(block as usize);
        out.put(b", ");
        out.hex(bytes);
        out.put(b")\n");
    };
    crash::print_running(&head, &mut [0; RECORD_BYTES]);
}
