//! `time` by Go's documentation, and the bugs that Go's timers once had: each scenario at several values of GOMAXPROCS, with preemptions each 100 µs and without.
//! What depends on the machine's pace is tried with longer and longer times.

mod common;

use common::scenarios::Scenarios;
use common::{Outcome, is_long};

const PROGRAM: Scenarios = Scenarios("time", 180);

fn at(procs: u32, arguments: &[&str]) -> Outcome {
    PROGRAM.at(procs, arguments)
}

/// The scenario checks itself, and says so.
fn holds(scenario: &str, number: &str) {
    PROGRAM.hold_silently(scenario, number)
}

fn in_long<'a>(long: &'a str, short: &'a str) -> &'a str {
    if is_long() { long } else { short }
}

#[test]
fn nobody_sleeps_too_short() {
    holds("sleeps", "");
}

#[test]
fn calls_start_calls_at_once() {
    holds("chain", "");
}

#[test]
fn tickers_of_a_nanosecond_tick_while_the_world_stops() {
    holds("ticker_stress", "");
}

#[test]
fn after_fires_once_and_not_before_its_time() {
    holds("after", "");
}

#[test]
fn what_is_stopped_in_time_does_not_fire() {
    holds("after_stop", "");
}

#[test]
fn timers_fire_in_the_order_of_their_times() {
    holds("queuing", "");
}

#[test]
fn sleeps_of_nothing_return_while_the_world_stops() {
    holds("sleep_zero", "");
}

#[test]
fn a_reset_says_whether_it_was_active_and_counts_from_now() {
    holds("reset", "");
}

#[test]
fn times_that_the_clock_has_no_room_for_never_come() {
    holds("overflow", "");
}

#[test]
fn timers_that_are_brought_forward_again_and_again_fire() {
    holds("earlier", "");
}

#[test]
fn timers_that_are_moved_by_chance_are_not_lost() {
    holds("adjust", "");
}

#[test]
fn many_wake_by_one_ticker_and_one_timer() {
    holds("multi_wakeup", in_long("100000", "2000"));
}

#[test]
fn of_two_timers_the_other_was_stopped_or_has_its_value() {
    holds("stop_result", in_long("100", "5"));
}

#[test]
fn timers_of_no_time_are_not_missed() {
    holds("zero", in_long("1000000", "10000"));
}

#[test]
fn a_ticker_keeps_its_pace_and_stops() {
    holds("ticker", "");
}

#[test]
fn tickers_that_nobody_receives_from_are_stopped_and_dropped() {
    holds("teardown", "");
}

#[test]
fn sixty_thousand_timers_that_are_reset_stall_nobody() {
    holds("long_adjust", in_long("50000", "500"));
}

#[test]
fn timers_that_nobody_has_any_more_are_freed() {
    holds("freed", "10000");
}

#[test]
fn the_time_received_is_that_of_the_tick() {
    holds("times", "");
}

#[test]
fn no_value_of_before_is_received_after_a_stop_or_a_reset() {
    holds("channel", "");
}

#[test]
fn intervals_of_nothing_panic_in_gos_words() {
    for (scenario, words) in [("new_ticker_of_zero", "non-positive interval for NewTicker"), ("reset_to_zero", "non-positive interval for Ticker.Reset")] {
        let outcome = at(2, &[scenario]);
        // The place named is the program's, not the library's.
        let place = "\n\tat tests/programs/src/bin/time.rs:";
        assert!(outcome.status == Some(2) && outcome.stderr.starts_with(&format!("panic: {words}{place}")), "{scenario}: {outcome:#?}");
    }
}
