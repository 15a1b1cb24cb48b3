//! `errgroup` by the documentation of Go's: each scenario at several values of GOMAXPROCS, with preemptions each 100 µs and without.

mod common;

use common::scenarios::Scenarios;
use common::{Outcome, is_long};

const PROGRAM: Scenarios = Scenarios("errgroup", 180);

fn at(procs: u32, arguments: &[&str]) -> Outcome {
    PROGRAM.at(procs, arguments)
}

/// The scenario checks itself, and says so.
fn holds(scenario: &str, number: &str) {
    PROGRAM.hold_silently(scenario, number)
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
