//! Channels: what Go's runtime tests of them show, sizes and their limits, and drop accounting: each scenario at several values of GOMAXPROCS, with
//! preemptions each 100 µs and without.

mod common;

use common::scenarios::Scenarios;
use common::{Outcome, is_long, number_after};

const PROGRAM: Scenarios = Scenarios("channels", 300);

fn at(procs: u32, arguments: &[&str]) -> Outcome {
    PROGRAM.at(procs, arguments)
}

/// The scenario checks itself, that no value is lost or dropped twice too, and says so; what else it prints is returned.
fn holds(scenario: &str, number: u32) -> Vec<String> {
    PROGRAM.say(scenario, &number.to_string())
}

fn rounds(short: u32, long: u32) -> u32 {
    if is_long() { long } else { short }
}

#[test]
fn channels_of_each_capacity_wait_pass_on_in_order_and_end() {
    holds("each_capacity", rounds(12, 200));
}

#[test]
fn a_receive_that_does_not_wait_sees_the_value_or_the_close() {
    holds("recv_race", rounds(2_000, 100_000));
}

#[test]
fn a_select_looks_at_all_channels_at_one_moment() {
    holds("select_race", rounds(2_000, 100_000));
}

#[test]
fn both_directions_of_one_channel_in_one_select() {
    holds("self_select", 0);
}

#[test]
fn sends_receives_and_selects_on_four_channels_lose_nothing() {
    holds("select_stress", rounds(3_000, 100_000));
}

#[test]
fn values_of_several_types_behind_one_trait() {
    holds("objects", 0);
}

#[test]
fn two_sends_on_one_channel_are_chosen_by_chance() {
    holds("random_send", 0);
}

#[test]
fn what_many_consumers_take_comes_out_once() {
    holds("many_consumers", rounds(20_000, 271_828));
}

#[test]
fn who_waits_to_send_has_used_much_stack_before_and_free_stacks_are_given_back() {
    holds("deep_stacks", 0);
}

#[test]
fn values_land_in_the_slots_of_selects_that_wait() {
    holds("slots", 0);
}

#[test]
fn answers_by_channels_of_the_moment() {
    holds("requests", rounds(50, 5_000));
}

#[test]
fn who_waits_behind_a_select_that_left_the_queue_is_next() {
    holds("twice_in_a_queue", 0);
}

#[test]
fn elements_of_no_size_large_ones_and_aligned_ones() {
    holds("sizes", 0);
}

#[test]
fn lengths_and_capacities_of_any_size() {
    holds("capacities", 0);
}

#[test]
fn what_is_left_goes_with_the_last_handle() {
    holds("left", 0);
}

#[test]
fn a_value_offered_out_of_a_slot_stays_there_until_it_is_taken() {
    holds("in_slot", 0);
}

/// A million in all, and in a long run each time.
#[test]
fn a_million_selects_race_with_a_close() {
    let mut races = 0;
    for said in holds("close_races", rounds(170_000, 1_000_000)) {
        races += number_after(&said, "races");
        for name in ["sent", "back"] {
            assert!(number_after(&said, name) > 0, "this race was not seen: {name} in {said}");
        }
    }
    assert!(races >= 1_000_000, "{races}");
}

#[test]
fn a_million_sends_race_with_receivers_that_are_dropped() {
    let mut races = 0;
    for said in holds("dropped_receivers", rounds(170_000, 1_000_000)) {
        races += number_after(&said, "races");
        for name in ["sent", "kept"] {
            assert!(number_after(&said, name) > 0, "this race was not seen: {name} in {said}");
        }
    }
    assert!(races >= 1_000_000, "{races}");
}

#[test]
fn misuse_panics_in_gos_words() {
    for (scenario, words) in [
        ("send_closed", "send on closed channel"),
        ("send_closed_meanwhile", "send on closed channel"),
        ("close_closed", "close of closed channel"),
        ("close_nil", "close of nil channel"),
        ("too_large", "makechan: size out of range"),
        ("too_many", "makechan: size out of range"),
        ("overflows", "makechan: size out of range"),
    ] {
        for procs in [1, 2, 8] {
            let outcome = at(procs, &[scenario]);
            // The place named is the program's, not the library's.
            let place = "\n\tat tests/programs/src/bin/channels.rs:";
            assert!(outcome.status == Some(2) && outcome.stderr.starts_with(&format!("panic: {words}{place}")), "{scenario}: {outcome:#?}");
        }
    }
}
