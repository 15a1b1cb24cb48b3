//! The stall report: goroutines that keep others waiting are named, once each time; others are not.

mod common;

use common::{Outcome, program, run};
use std::process::Command;

fn stalls(scenario: &str, godebug: &str) -> Outcome {
    let outcome = run(Command::new(program("stalls")).arg(scenario).env("GODEBUG", godebug));
    assert!(outcome.status == Some(0) && outcome.stdout == "end\n", "{outcome:#?}");
    outcome
}

#[test]
fn who_runs_on_although_others_wait_is_named_once_each_time() {
    let outcome = stalls("hog", "asyncpreemptoff=1");
    let lines: Vec<_> = outcome.stderr.lines().filter(|line| line.contains("without giving way")).collect();
    assert_eq!(lines.len(), 1, "{outcome:#?}");
    assert!(
        lines[0].starts_with("gort: stall: goroutine 1 has run for ") && lines[0].contains(" ms on P 0 without giving way, asked to 60 ms ago; "),
        "{outcome:#?}"
    );
    // It computes with calls to the clock now and then; it is not met there each time.
    let has_stack = |outcome: &Outcome| {
        let trace = outcome.stderr.split("\ngoroutine 1 [running]:\n").nth(1).unwrap_or_else(|| panic!("{outcome:#?}"));
        trace.starts_with("stalls::compute(...)\n\t0x") && trace.contains("\nstalls::main(...)\n\t0x")
    };
    assert!(has_stack(&outcome) || (0..5).any(|_| has_stack(&stalls("hog", "asyncpreemptoff=1"))), "{outcome:#?}");
    let outcome = stalls("twice", "asyncpreemptoff=1");
    assert_eq!(outcome.stderr.matches("goroutine 1 has run for ").count(), 2, "{outcome:#?}");
}

#[test]
fn who_gives_way_or_keeps_nobody_waiting_is_not() {
    // A loaded machine may keep a thread from running for longer than the limit: not each time.
    for (scenario, godebug) in
        [("hog", ""), ("alone", ""), ("alone", "asyncpreemptoff=1"), ("call", "asyncpreemptoff=1"), ("c", "asyncpreemptoff=1"), ("off", "asyncpreemptoff=1")]
    {
        let silent = (0..5).any(|_| stalls(scenario, godebug).stderr.is_empty());
        assert!(silent, "{scenario} {godebug} is reported each time");
    }
}

#[test]
fn the_knob_sets_the_limit() {
    let at = |knob: &str| {
        let outcome = run(Command::new(program("hogs")).arg("starve").env("GOMAXPROCS", "1").env("GODEBUG", format!("asyncpreemptoff=1,{knob}")));
        assert_eq!(outcome.status, Some(0), "{outcome:#?}");
        outcome.stderr
    };
    assert!(at("stall=50").contains("gort: stall: goroutine "));
    for off in ["stall=0", "stall=-1", "stall=x", "stall", "stall=600000"] {
        assert_eq!(at(off), "", "{off}");
    }
}

#[test]
fn who_waits_in_a_queue_is_named() {
    let outcome = stalls("queue", "asyncpreemptoff=1");
    let waits = |line: &&str| line.contains(" has waited for ") && line.ends_with(" ms, runnable, in the global queue");
    assert_eq!(outcome.stderr.lines().filter(waits).count(), 1, "{outcome:#?}");
    assert!(outcome.stderr.contains(" [runnable]:\n") && outcome.stderr.contains("\ncreated by stalls::"), "its trace: {outcome:#?}");
}
