//! Goroutines in system calls that block: the others go on.

mod common;

use common::{Outcome, number_after, program, run, traced};
use std::process::Command;

fn calls(arguments: &[&str]) -> Outcome {
    let outcome = run(Command::new(program("calls")).args(arguments).env("GOMAXPROCS", "2"));
    assert_eq!(outcome.status, Some(0), "{outcome:#?}");
    println!("{}", outcome.stdout);
    outcome
}

#[test]
fn calls_that_are_said_to_block_give_their_p_away_and_hogs_go_on() {
    let outcome = calls(&["blocking"]);
    assert_eq!(number_after(&outcome.stdout, "calls"), 6400);
    assert!(number_after(&outcome.stdout, "handed_off") > 6000, "{outcome:?}");
    assert!(!outcome.stdout.contains("kept 0.0"), "{outcome:?}");
}

#[test]
fn a_site_whose_calls_turn_out_to_block_is_learned() {
    let outcome = calls(&["raw"]);
    assert!(number_after(&outcome.stdout, "handed_off") > 3000, "{outcome:?}");
}

#[test]
fn calls_of_all_kinds_survive_changes_of_gomaxprocs_and_requests_to_give_way() {
    let outcome = calls(&["changes", &common::storm_seconds().to_string()]);
    assert!(number_after(&outcome.stdout, "changes") > 5, "{outcome:?}");
    assert!(number_after(&outcome.stdout, "handed_off") > 100 && number_after(&outcome.stdout, "compute") > 0, "{outcome:?}");
}

#[test]
fn the_heap_works_in_a_call() {
    calls(&["allocate"]);
}

#[test]
fn who_waits_for_a_goroutine_in_a_call_is_not_deadlocked() {
    for procs in ["1", "2", "8"] {
        let outcome = run(Command::new(program("calls")).arg("alive").env("GOMAXPROCS", procs));
        assert_eq!(outcome.status, Some(0), "{outcome:#?}");
    }
}

#[test]
fn to_schedule_inside_a_call_is_fatal() {
    let outcome = run(Command::new(program("calls")).arg("misuse"));
    assert_eq!(outcome.status, Some(2), "{outcome:#?}");
    assert!(outcome.stderr.starts_with("fatal error: goroutine 1 used the scheduler inside a system call"), "{outcome:#?}");
}

#[test]
fn a_panic_inside_a_call_is_printed_as_any_other() {
    let outcome = run(Command::new(program("calls")).arg("panic"));
    assert_eq!(outcome.status, Some(2), "{outcome:#?}");
    assert!(outcome.stderr.starts_with("panic: inside a call\n") && outcome.stderr.contains("goroutine 1 [syscall]:"), "{outcome:#?}");
}

/// Not futex: strace would refuse wake-ups too, which no signal does. Signals end its waits in
/// `a_storm_under_foreign_signals_loses_no_timer` (`tests/timers.rs`).
#[test]
fn calls_of_the_runtime_that_a_signal_ends_are_made_again() {
    for (call, name, arguments) in [("read", "hogs", &[][..]), ("nanosleep", "calls", &["blocking"]), ("read", "timers", &["storm", "1"])] {
        let (outcome, trace) = traced(&["-e", &format!("trace={call}"), "-e", &format!("inject={call}:error=EINTR:when=1+3")], name, arguments);
        assert_eq!(outcome.status, Some(0), "EINTR from {call}: {outcome:#?}");
        assert!(trace.contains("EINTR (Interrupted system call) (INJECTED)"), "{trace}");
    }
}
