//! Sends, receives and system calls that end when a context is done: each scenario at several values of GOMAXPROCS, with preemptions each 100 µs and without.

mod common;

use common::scenarios::Scenarios;
use common::{is_long, number_after};

const PROGRAM: Scenarios = Scenarios("within", 180);

/// The scenario checks itself, and says so; what else it prints is returned.
fn holds(scenario: &str, number: &str) -> Vec<String> {
    PROGRAM.say(scenario, number)
}

#[test]
fn sends_and_receives_that_wait_until_a_context_is_done_at_most() {
    holds("channels", "");
}

#[test]
fn who_waits_for_a_semaphore_does_so_until_a_context_is_done_at_most() {
    holds("semaphores", "");
    for said in holds("semaphore_race", if is_long() { "100000" } else { "2000" }) {
        assert!(number_after(&said, "granted") > 0 && number_after(&said, "ended") > 0, "this race was not seen: {said}");
    }
}

/// A million races in a long run.
#[test]
fn contexts_race_with_values_and_both_sides_agree() {
    for said in holds("channel_race", if is_long() { "1000000" } else { "10000" }) {
        for name in ["ended", "received", "kept", "sent"] {
            assert!(number_after(&said, name) > 0, "this race was not seen: {name} in {said}");
        }
    }
}

#[test]
fn system_calls_end_when_their_context_is_done() {
    holds("calls", "");
}

#[test]
fn contexts_race_with_system_calls_and_each_call_ends() {
    let said = holds("call_race", if is_long() { "20000" } else { "500" });
    for name in ["read", "cut", "unmade"] {
        assert!(said.iter().any(|said| number_after(said, name) > 0), "this race was not seen: {name} in {said:?}");
    }
}
