//! Who takes all it can get keeps nobody else waiting: bounds, generous ones. What was measured is printed.
//!
//! How long somebody waits is told in CPU time that the program itself got meanwhile: what others of it took, whatever the machine gave to other
//! processes. The kernel may stop one thread of the program and run another: sysmon, which has others give way, waits for a CPU like everybody; with more Ps so
//! does whoever is on the stopped thread's P. So the limits are wide, most of all with more Ps than CPUs.

mod common;

use common::{Outcome, is_long, number_after, program, run_for};
use std::process::Command;
use std::time::Duration;

fn starve(procs: &str, arguments: &[&str]) -> Outcome {
    let outcome = run_for(Command::new(program("starvation")).args(arguments).env("GOMAXPROCS", procs), Duration::from_secs(300));
    assert_eq!(outcome.status, Some(0), "GOMAXPROCS={procs} {arguments:?}: {outcome:#?}");
    outcome
}

/// GOMAXPROCS, and the longest waits, in µs of CPU time: a sleeper's at p50 and at worst (1 ms of it is the sleep), and an ordinary goroutine's at worst.
/// Each run has 0.6 s of CPU time for each P and CPU. Measured at a load average of 10: 1 ms, 28 ms, 125 ms; 3, 73, 76; 2, 153, 330;
/// at one of 30, with one P: 1, 126, 129.
const LIMITS: [(&str, u64, u64, u64); 3] = [("1", 5_000, 200_000, 400_000), ("2", 10_000, 200_000, 400_000), ("8", 20_000, 700_000, 900_000)];

/// With one P, where sysmon gets its CPU: what a sleeper and an ordinary goroutine wait at worst. Not with a storm of system calls, which has many threads.
const ALONE: (u64, u64) = (100_000, 300_000);

/// Each run keeps `LIMITS`; and one of five at most keeps the bounds of a machine that is not loaded too: by the clock, 10 ms at p50, 500 ms, 1 s, and with one P `ALONE`.
fn nobody_starves(load: &str, more: &[&str]) {
    for (procs, half, longest, longest_turn) in LIMITS {
        let holds = (0..5).any(|_| {
            let outcome = starve(procs, &[&[load, if is_long() { "5000" } else { "600" }], more].concat());
            println!("{load} GOMAXPROCS={procs}: {}", outcome.stdout.trim());
            let [p50, max, turns, gap] = ["cpu_p50_us", "cpu_max_us", "turns", "gap_cpu_us"].map(|name| number_after(&outcome.stdout, name));
            assert!(p50 < half && max < longest && turns > 0 && gap < longest_turn, "{load} at GOMAXPROCS={procs}: {}", outcome.stdout);
            let is_quiet = procs != "1" || load == "calls" || max < ALONE.0 && gap < ALONE.1;
            let [p50, max, gap] = ["late_p50_us", "late_max_us", "gap_us"].map(|name| number_after(&outcome.stdout, name));
            is_quiet && p50 < 10_000 && max < 500_000 && gap < 1_000_000
        });
        assert!(holds, "{load} at GOMAXPROCS={procs}: late in each of five runs");
    }
}

#[test]
fn hogs_keep_nobody_waiting() {
    nobody_starves("hogs", &[]);
}

#[test]
fn yielders_keep_nobody_waiting() {
    nobody_starves("yielders", &[]);
}

#[test]
fn pairs_that_hand_off_to_each_other_keep_nobody_waiting() {
    nobody_starves("pingpong", &[]);
}

#[test]
fn a_storm_of_timers_keeps_nobody_waiting() {
    nobody_starves("timers", &[]);
}

#[test]
fn a_storm_of_system_calls_keeps_nobody_waiting() {
    nobody_starves("calls", &[]);
}

#[test]
fn a_storm_of_spawns_keeps_nobody_waiting() {
    nobody_starves("spawns", &[]);
}

#[test]
fn a_close_that_wakes_a_crowd_keeps_nobody_waiting() {
    nobody_starves("close", &[if is_long() { "1000000" } else { "100000" }]);
}

#[test]
fn a_thousand_sleepers_leave_a_third_to_the_hogs_and_the_same_to_each() {
    // With more Ps than CPUs it is the kernel, and what else runs here, who share out the CPUs: half is for one of five runs, a tenth for each.
    for (procs, fair) in [("1", 50), ("2", 50), ("8", 10)] {
        let holds = (0..5).any(|_| {
            let outcome = starve(procs, &["share", if is_long() { "3000" } else { "400" }]);
            println!("share GOMAXPROCS={procs}: {}", outcome.stdout.trim());
            let [kept, alone, beside] = ["kept_percent", "alone_percent", "beside_percent"].map(|name| number_after(&outcome.stdout, name));
            assert!(kept >= 33 && alone >= fair && beside >= fair, "GOMAXPROCS={procs}: {}", outcome.stdout);
            alone >= 50 && beside >= 50
        });
        assert!(holds, "GOMAXPROCS={procs}: below half in each of five runs");
    }
}
