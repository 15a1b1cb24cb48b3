//! What programs of scenarios share: `PROGRAM SCENARIO [NS [NUMBER]]` goes through one of them, with a preemption each so many ns; the number is what the scenario makes of it.
//! `tests/common/scenarios.rs` runs them.
#![allow(dead_code)] // no program needs all of it

use gort::__private::hooks;
use gort::os;
use gort::time::{Duration, Instant, sleep};

/// Argument `n`; 0 if there is none.
pub fn number(n: usize) -> u32 {
    os::args().nth(n).and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// Has goroutines preempted as the arguments say, and returns the scenario's name.
pub fn begin() -> &'static str {
    hooks::storm_preemptions(number(2).into());
    os::args().nth(1).unwrap_or_default()
}

/// Waits until something holds that is to hold soon.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed().as_secs() < 30, "not so after 30 s: {what}");
        sleep(Duration::from_micros(250));
    }
}
