//! `select!` and `Select` by the Go specification: each scenario at several values of GOMAXPROCS, with preemptions each 100 µs and without.

mod common;

use common::scenarios::Scenarios;
use common::{Outcome, is_long, number_after, storm_seconds};

const PROGRAM: Scenarios = Scenarios("select", 180);

fn at(procs: u32, arguments: &[&str]) -> Outcome {
    PROGRAM.at(procs, arguments)
}

/// The scenario checks itself, and says so; what else it prints is returned.
fn holds(scenario: &str, number: &str) -> Vec<String> {
    PROGRAM.say(scenario, number)
}

#[test]
fn one_that_can_go_on_does() {
    holds("ready", "");
}

#[test]
fn those_that_can_go_on_are_chosen_equally_often() {
    holds("fair", "");
}

#[test]
fn a_default_is_taken_if_nothing_can_go_on() {
    holds("default", "");
}

#[test]
fn what_becomes_possible_goes_on_whichever_it_is() {
    holds("waits", "");
}

#[test]
fn the_same_channel_in_several_cases_and_directions_never_talks_to_itself() {
    holds("same_channel", "");
}

#[test]
fn nil_channels_never_go_on() {
    holds("nil", "");
}

#[test]
fn closed_channels_go_on_and_give_values_back() {
    holds("closed", "");
}

#[test]
fn operands_are_evaluated_once_in_source_order() {
    holds("order", "");
}

#[test]
fn bodies_break_return_and_own_what_is_around_them() {
    holds("arms", "");
}

#[test]
fn values_are_dropped_once_sent_or_not() {
    holds("values", "");
}

#[test]
fn cases_put_together_at_run_time() {
    holds("dynamic", "");
}

#[test]
fn ten_thousand_cases() {
    holds("large", "");
}

#[test]
fn sends_and_receives_that_wait_for_so_long_at_most() {
    holds("timeouts", "");
}

#[test]
fn nobody_waits_any_more_on_the_channels_that_were_not_chosen() {
    holds("no_stale_waiters", "");
}

#[test]
fn a_default_means_that_nothing_could_go_on_at_some_moment() {
    holds("snapshot", "");
}

#[test]
fn selects_race_with_close_and_lose_nothing() {
    holds("close_race", if is_long() { "200000" } else { "3000" });
}

/// A million races in a long run.
#[test]
fn timeouts_race_with_values_and_both_sides_agree() {
    for said in holds("timeout_race", if is_long() { "1000000" } else { "20000" }) {
        for name in ["late", "received", "kept", "sent"] {
            assert!(number_after(&said, name) > 0, "this race was not seen: {name} in {said}");
        }
    }
}

#[test]
fn selects_of_random_channels_move_each_value_once() {
    for said in holds("storm", &storm_seconds().to_string()) {
        assert!(number_after(&said, "moved") > 0, "{said}");
    }
}

#[test]
fn who_waits_for_nothing_is_deadlocked_in_gos_words() {
    for (scenario, state) in [
        ("nothing", "select (no cases)"),
        ("nothing_but_nil", "select"),
        ("blocked", "select"),
        ("recv_nil", "chan receive (nil chan)"),
        ("send_nil", "chan send (nil chan)"),
    ] {
        for procs in [1, 2, 8] {
            let outcome = at(procs, &[scenario]);
            let want = format!("fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [{state}]:\n");
            assert!(outcome.status == Some(2) && outcome.stderr.starts_with(&want), "{scenario}: {outcome:#?}");
        }
    }
}

#[test]
fn misuse_panics_in_gos_words() {
    for (scenario, words) in [
        ("send_closed", "send on closed channel"),
        ("send_closed_meanwhile", "send on closed channel"),
        ("close_nil", "close of nil channel"),
        ("close_closed", "close of closed channel"),
    ] {
        let outcome = at(2, &[scenario]);
        // The place named is the program's, not the library's.
        let place = "\n\tat tests/programs/src/bin/select.rs:";
        assert!(outcome.status == Some(2) && outcome.stderr.starts_with(&format!("panic: {words}{place}")), "{scenario}: {outcome:#?}");
    }
}
