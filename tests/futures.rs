//! Futures: each scenario at several values of GOMAXPROCS, with preemptions each 100 µs and without.

mod common;

use common::scenarios::Scenarios;
use common::{Outcome, is_long, number_after, program, run_for, storm_seconds};
use std::process::Command;
use std::time::Duration;

const PROGRAM: Scenarios = Scenarios("futures", 180);

fn at(procs: u32, arguments: &[&str]) -> Outcome {
    PROGRAM.at(procs, arguments)
}

/// The scenario checks itself, and says so; what else it prints is returned.
fn holds(scenario: &str, number: &str) -> Vec<String> {
    PROGRAM.say(scenario, number)
}

#[test]
fn a_goroutine_waits_for_a_future_and_gets_its_value() {
    holds("values", "");
}

#[test]
fn a_wake_up_before_the_goroutine_waits_counts() {
    holds("before", "");
}

#[test]
fn a_waker_may_be_called_from_anywhere() {
    holds("wakers", "");
}

#[test]
fn a_waker_may_outlive_its_future_and_its_goroutine() {
    holds("late", "");
}

#[test]
fn each_wake_up_is_a_poll() {
    holds("spurious", "");
}

#[test]
fn a_future_may_wait_for_a_future_by_blocking() {
    holds("nested", "");
}

#[test]
fn a_future_that_wakes_itself_gives_way() {
    holds("gives_way", "");
    let outcome =
        run_for(Command::new(program("futures")).arg("gives_way").env("GOMAXPROCS", "1").env("GODEBUG", "asyncpreemptoff=1"), Duration::from_secs(60));
    assert_eq!(outcome.status, Some(0), "{outcome:#?}");
}

#[test]
fn goroutines_are_futures() {
    holds("joins", "");
}

#[test]
fn wakers_of_others_are_replaced_called_and_dropped_once() {
    holds("counts", "");
}

#[test]
fn a_sleep_is_a_future() {
    holds("sleeps", "");
}

#[test]
fn crates_for_async_code_without_std_work() {
    holds("crates", "");
}

#[test]
fn wake_ups_race_with_parking_and_none_is_lost() {
    let waited: Vec<u64> = holds("race", if is_long() { "1000000" } else { "20000" }).iter().map(|said| number_after(said, "waited")).collect();
    assert!(waited.iter().all(|&waited| waited > 0), "nobody has waited: {waited:?}");
}

#[test]
fn a_storm_of_wake_ups_loses_none_and_doubles_none() {
    for said in holds("storm", &storm_seconds().to_string()) {
        assert!(number_after(&said, "passed") > 100, "{said}");
    }
}

#[test]
fn who_waits_for_a_future_that_nobody_can_wake_is_leaked() {
    for procs in [1, 8] {
        let outcome = at(procs, &["leaked"]);
        let leaks: Vec<&str> = outcome.stdout.lines().filter(|line| line.contains("[future")).collect();
        assert!(
            outcome.status == Some(0) && (2..=3).contains(&leaks.len()),
            "two that wait for nothing, and one for one of them; an old word may hide one: {outcome:#?}"
        );
    }
}

#[test]
fn a_future_that_nobody_wakes_is_a_deadlock() {
    for procs in [1, 2, 8] {
        for (scenario, state) in [("pending", "future"), ("pending_elsewhere", "join")] {
            let outcome = at(procs, &[scenario]);
            let want = format!("fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [{state}]:\n");
            assert!(outcome.status == Some(2) && outcome.stderr.starts_with(&want), "{scenario}: {outcome:#?}");
            assert!(outcome.stderr.contains(" [future]:\n"), "{outcome:#?}");
        }
    }
}

#[test]
fn a_goexit_in_a_poll_ends_the_goroutine() {
    let outcome = at(2, &["goexit"]);
    let want = "fatal error: no goroutines (main called runtime.Goexit) - deadlock!";
    assert!(outcome.status == Some(2) && outcome.stderr.starts_with(want), "{outcome:#?}");
}

#[test]
fn a_result_is_taken_once() {
    for scenario in ["polled_again", "joined_again"] {
        let outcome = at(2, &[scenario]);
        let want = "panic: the result of the goroutine was taken already\n";
        assert!(outcome.status == Some(2) && outcome.stderr.starts_with(want), "{scenario}: {outcome:#?}");
    }
}
