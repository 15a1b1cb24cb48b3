//! The knobs of `GODEBUG` that make a program print: read once, as main's goroutine begins.
//!
//! Others are read where they act: `asyncpreemptoff` in `sched::preempt`, `updatemaxprocs` in `sched::procs`, `netdns` in `gmp::netdns`.

use super::{alloctrace, gctrace, schedtrace, stall};
use crate::gmp::env;

/// On main's goroutine, before the program's own code.
pub fn begin() {
    if env::var(b"GODEBUG").is_some() {
        read();
    }
}

#[cold]
#[inline(never)]
fn read() {
    let number = env::godebug_number;
    if number(b"gctrace") > 0 {
        gctrace::begin();
    }
    if let each_ms @ 1.. = number(b"schedtrace") {
        schedtrace::begin(each_ms as u32, number(b"scheddetail") > 0);
    }
    if number(b"allocfreetrace") > 0 {
        alloctrace::begin();
    }
    if let limit_ms @ 1.. = number(b"stall") {
        stall::set_limit(limit_ms as u64 * 1_000_000);
    }
}
