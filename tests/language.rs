//! What the Go specification and the memory model promise about goroutines, as far as no other file here shows it.

mod common;

use common::{Outcome, program, run, traced};
use std::process::Command;

fn run_at(procs: u32, scenario: &str, godebug: &str) -> Outcome {
    let outcome = run(Command::new(program("language")).arg(scenario).env("GOMAXPROCS", procs.to_string()).env("GODEBUG", godebug));
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "done\n"), "{scenario} at GOMAXPROCS={procs}: {outcome:#?}");
    outcome
}

#[test]
fn go_waits_for_its_arguments_and_for_nothing_else() {
    run_at(1, "begins", "asyncpreemptoff=1");
    run_at(1, "spins", "");
}

#[test]
fn results_are_dropped_once_and_each_turn_of_a_loop_has_its_own_values() {
    for procs in [1, 2, 8] {
        run_at(procs, "values", "");
    }
}

#[test]
fn as_many_as_gomaxprocs_run_at_once_and_never_more_whoever_is_in_calls() {
    run_at(1, "bound", "asyncpreemptoff=1");
}

#[test]
fn who_yields_alone_goes_on_at_once() {
    // At once: without a system call. What is left is the program's start and end, some signals and timers.
    let (outcome, trace) = traced(&["-E", "GOMAXPROCS=1"], "language", &["alone"]);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "done\n"), "{outcome:#?}");
    assert!(trace.contains("exit_group") && trace.lines().count() < 300, "{} calls in 100 000 yields: {trace}", trace.lines().count());
}

#[test]
fn a_goroutine_that_is_not_locked_changes_threads() {
    run_at(2, "moves", "");
}

#[test]
fn what_happened_before_is_seen_on_whatever_thread() {
    for procs in [1, 2, 8] {
        run_at(procs, "edges", "");
    }
}
