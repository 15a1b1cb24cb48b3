//! Whole programs about channels, with the meaning of those in Go's own `test/`: at several values of GOMAXPROCS, with preemptions each 100 µs and without.

mod common;

use common::scenarios::Scenarios;
use common::{Outcome, is_long, number_after};

const PROGRAM: Scenarios = Scenarios("chan_programs", 300);

fn at(name: &'static str, procs: u32, arguments: &[&str]) -> Outcome {
    Scenarios(name, 300).at(procs, arguments)
}

/// The scenario checks itself, and says so.
fn holds(scenario: &str, number: u32) {
    PROGRAM.hold_silently(scenario, &number.to_string())
}

#[test]
fn first_in_is_first_out() {
    holds("fifo", 0);
}

#[test]
fn what_does_not_wait_does_so_for_values_of_any_type() {
    holds("nonblock", 0);
}

#[test]
fn selects_take_no_memory_that_they_keep() {
    holds("memory", 0);
}

#[test]
fn patterns_are_looked_at_if_their_case_goes_on() {
    holds("patterns", 0);
}

#[test]
fn bodies_are_left_at_once() {
    holds("breaks", 0);
}

#[test]
fn operands_are_expressions_of_any_kind() {
    holds("expressions", 0);
}

#[test]
fn operands_of_nil_channels_are_evaluated_too() {
    holds("evaluation", 0);
}

#[test]
fn each_value_goes_out_on_one_of_four_channels() {
    holds("mux", if is_long() { 100_000 } else { 10_000 });
}

#[test]
fn a_sieve_of_goroutines_finds_the_primes() {
    holds("sieve", if is_long() { 400 } else { 60 });
}

#[test]
fn power_series_are_exact() {
    for procs in [1, 2, 8] {
        for preemptions_ns in ["0", "100000"] {
            let outcome = at("power_series", procs, &[preemptions_ns]);
            let ended = outcome.stdout.ends_with("\npower series done\n");
            assert_eq!((outcome.status, ended), (Some(0), true), "at GOMAXPROCS={procs}, preempted each {preemptions_ns} ns: {outcome:#?}");
            assert!(number_after(&outcome.stdout, "started") > 200, "{outcome:?}");
        }
    }
}

#[test]
fn messages_of_sends_and_selects_to_receives_and_selects_are_counted_once() {
    holds("matrix", 0);
}

#[test]
fn recursion_goes_as_deep_as_the_stack_that_was_asked_for() {
    holds("peano", 9);
}

#[test]
fn values_of_all_kinds_are_changed_while_goroutines_are_preempted() {
    holds("values", 0);
}

#[test]
fn the_signal_of_a_child_ends_nothing() {
    holds("child_signal", 0);
}

/// ns of CPU time an operation.
fn cost(how: &str, procs: u32, preemptions_ns: &str, size: u32, rounds: u32) -> u64 {
    let outcome = at("blocked", procs, &[how, preemptions_ns, &size.to_string(), &rounds.to_string()]);
    let ended = outcome.stdout.ends_with(&format!("{how} done\n"));
    assert_eq!((outcome.status, ended), (Some(0), true), "{how} at GOMAXPROCS={procs}, preempted each {preemptions_ns} ns: {outcome:#?}");
    number_after(&outcome.stdout, "ns")
}

/// What a walk along the queue costs would grow a hundredfold from 1 000 to 100 000, and more, for it leaves the caches. Memory that is in no cache any more makes
/// it some tenfold, and the same for 10 000 and 100 000.
#[test]
fn cost_stays_flat_up_to_100_000_blocked_goroutines() {
    for procs in [1, 2, 8] {
        for how in ["select", "receive", "close"] {
            let [small, middle, large] = [1_000, 10_000, 100_000].map(|goroutines| cost(how, procs, "0", goroutines, 4));
            assert!(large < 40 * small.max(50) && large < 6 * middle.max(100), "{how} at GOMAXPROCS={procs}: {small} {middle} {large} ns an operation");
        }
        for how in ["select", "receive", "close"] {
            cost(how, procs, "100000", 10_000, 1);
        }
    }
}

/// With a sort of so many cases besides.
#[test]
fn a_case_of_a_select_over_10_000_costs_little_more_than_one_of_100() {
    for procs in [1, 2, 8] {
        let [small, large] = [100, 10_000].map(|cases| cost("cases", procs, "0", cases, 20));
        assert!(large < 20 * small.max(20), "at GOMAXPROCS={procs}: {small} {large} ns a case");
        cost("cases", procs, "100000", 10_000, 5);
    }
}
