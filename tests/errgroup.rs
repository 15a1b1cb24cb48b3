//! `errgroup` by the documentation of Go's: each scenario at several values of GOMAXPROCS, with preemptions each 100 µs and without.

mod common;

use common::{Outcome, is_long, program, run_for};
use std::process::Command;
use std::time::Duration;

fn at(procs: u32, arguments: &[&str]) -> Outcome {
    run_for(Command::new(program("errgroup")).args(arguments).env("GOMAXPROCS", procs.to_string()), Duration::from_secs(180))
}

/// The scenario checks itself, and says so.
fn holds(scenario: &str, number: &str) {
    for procs in [1, 2, 8] {
        for preemptions_ns in ["0", "100000"] {
            let outcome = at(procs, &[scenario, preemptions_ns, number]);
            let said = (outcome.status, outcome.stdout.as_str());
            assert_eq!(said, (Some(0), &*format!("{scenario} done\n")), "GOMAXPROCS={procs}, preempted each {preemptions_ns} ns: {outcome:#?}");
        }
    }
}

#[test]
fn the_first_error_is_kept_and_all_have_ended() {
    holds("first", "");
}

#[test]
fn the_first_error_cancels_the_context_and_is_its_cause() {
    holds("context", "");
}

#[test]
fn no_more_are_active_than_the_limit_says() {
    holds("limit", "");
}

#[test]
fn who_need_not_wait_is_let_in() {
    holds("try_go", "");
}

#[test]
fn one_that_ends_by_goexit_has_ended() {
    holds("goexit", "");
}

#[test]
fn groups_of_groups_end_with_the_first_error() {
    holds("storm", if is_long() { "5000" } else { "200" });
}

#[test]
fn the_limit_does_not_change_while_some_are_active() {
    let outcome = at(2, &["limit_changes"]);
    let want = "panic: errgroup: modify limit while 1 goroutines in the group are still active\n\tat tests/programs/src/bin/errgroup.rs:";
    assert!(outcome.status == Some(2) && outcome.stderr.starts_with(want), "{outcome:#?}");
}

#[test]
fn a_limit_of_none_lets_nobody_begin() {
    let outcome = at(2, &["limit_of_none"]);
    let want = "fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [chan send]:\n";
    assert!(outcome.status == Some(2) && outcome.stderr.starts_with(want), "{outcome:#?}");
}
