//! `sync::Pool`, `sync::Map`, `sync::singleflight`: each scenario at several values of GOMAXPROCS, with preemptions each 100 µs and without.

mod common;

use common::scenarios::Scenarios;
use common::{Outcome, is_long};

const PROGRAM: Scenarios = Scenarios("pools", 300);

fn at(procs: u32, arguments: &[&str]) -> Outcome {
    PROGRAM.at(procs, arguments)
}

/// The scenario checks itself, and says so.
fn holds(scenario: &str, number: &str) {
    PROGRAM.hold_silently(scenario, number)
}

#[test]
fn a_pool_gives_what_was_put_in_or_makes_it() {
    holds("pool_values", "");
}

#[test]
fn pooled_values_are_neither_lost_nor_given_to_two() {
    holds("pool_stress", if is_long() { "200000" } else { "5000" });
}

#[test]
fn a_pool_keeps_so_many_values_at_most() {
    holds("pool_bound", "");
}

#[test]
fn pooled_values_that_nobody_needs_are_dropped_when_the_program_is_idle() {
    holds("pool_ages", "");
}

#[test]
fn a_pool_may_be_used_from_anywhere() {
    holds("pool_places", "");
}

#[test]
fn a_map_has_the_methods_of_gos() {
    holds("map_methods", "");
}

#[test]
fn a_map_behaves_as_a_simple_one() {
    holds("map_model", if is_long() { "2000000" } else { "100000" });
}

#[test]
fn no_compare_and_swap_of_a_map_is_lost() {
    holds("map_counts", if is_long() { "100000" } else { "3000" });
}

#[test]
fn each_value_of_a_map_is_taken_out_once() {
    holds("map_owners", if is_long() { "500000" } else { "10000" });
}

#[test]
fn a_walk_meets_each_key_once_while_others_come_and_go() {
    holds("map_range", if is_long() { "5000" } else { "100" });
}

#[test]
fn keys_of_one_hash_are_told_from_each_other() {
    holds("map_bad_hash", "");
}

#[test]
fn a_map_is_cleared_beside_its_users() {
    holds("map_clear", "");
}

#[test]
fn a_read_of_a_map_waits_for_no_write() {
    holds("map_reads", "");
}

#[test]
fn of_two_who_change_a_key_at_once_the_second_sees_what_the_first_did() {
    holds("map_writers", "");
}

#[test]
fn a_call_that_nobody_shares_is_made_each_time() {
    holds("flight", "");
}

#[test]
fn of_those_who_want_a_call_at_once_one_makes_it() {
    holds("flight_once", "");
}

#[test]
fn a_forgotten_call_serves_those_who_wait_for_it() {
    holds("flight_forget", "");
}

#[test]
fn a_call_answers_through_a_channel() {
    holds("flight_chan", "");
}

#[test]
fn a_call_that_ends_by_goexit_ends_those_who_wait_for_it() {
    holds("flight_goexit", "");
}

#[test]
fn a_storm_of_calls_has_one_of_a_key_at_a_time() {
    holds("flight_storm", if is_long() { "100000" } else { "2000" });
}

#[test]
fn a_panic_of_a_shared_call_ends_the_process() {
    let outcome = at(2, &["flight_panic"]);
    assert!(outcome.status == Some(2) && outcome.stderr.starts_with("panic: of the function\n"), "{outcome:#?}");
}
