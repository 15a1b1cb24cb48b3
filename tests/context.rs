//! `context` by Go's documentation: each scenario at several values of GOMAXPROCS, with preemptions each 100 µs and without.

mod common;

use common::scenarios::Scenarios;
use common::{number_after, storm_seconds};

const PROGRAM: Scenarios = Scenarios("context", 180);

/// The scenario checks itself, and says so; what else it prints is returned.
fn holds(scenario: &str, number: &str) -> Vec<String> {
    PROGRAM.say(scenario, number)
}

#[test]
fn the_roots_are_never_done_and_errors_have_gos_words() {
    holds("roots", "");
}

#[test]
fn a_cancel_ends_the_context_and_those_below() {
    holds("cancel", "");
}

#[test]
fn a_parent_that_ends_first_ends_its_children_and_has_none_then() {
    holds("parent_first", "");
}

#[test]
fn a_child_that_ends_first_leaves_parent_and_siblings_alone() {
    holds("child_first", "");
}

/// Deadlines that are past, now, near, far, beyond the clock; the earlier one of parent and child; a cancel before it, and against it.
#[test]
fn deadlines_end_contexts_at_their_time() {
    holds("deadlines", "");
}

#[test]
fn values_are_found_by_type_and_key_and_the_nearest_counts() {
    holds("values", "");
}

#[test]
fn layers_of_all_kinds_end_together_and_keep_their_values() {
    holds("layers", "");
}

#[test]
fn who_is_cancelled_stopped_or_late_leaves_its_parent() {
    holds("removes", "");
}

#[test]
fn a_hundred_thousand_children_leave_nothing_behind() {
    holds("many", "100000");
}

#[test]
fn causes_are_those_of_whoever_came_first() {
    holds("causes", "");
}

#[test]
fn who_looks_while_it_is_cancelled_sees_the_cause() {
    holds("cause_race", "");
}

#[test]
fn without_cancel_values_stay_alone() {
    holds("without", "");
}

#[test]
fn calls_are_made_once_after_the_end_unless_they_are_stopped() {
    for said in holds("after_func", "") {
        assert!(number_after(&said, "called") > 0, "{said}");
    }
}

#[test]
fn children_made_while_the_parent_is_cancelled_are_done() {
    holds("meanwhile", "");
}

#[test]
fn whoever_has_cancelled_finds_all_below_done() {
    holds("together", "");
}

#[test]
fn children_are_cancelled_in_the_order_in_which_they_were_made() {
    let said = holds("in_order", "");
    assert!(said.iter().any(|said| number_after(said, "between") > 0), "nobody looked while they were cancelled: {said:?}");
}

#[test]
fn the_error_and_the_channel_say_the_same() {
    holds("seen_as_done", "");
}

#[test]
fn what_nobody_can_see_is_gone_and_what_is_seen_goes_on() {
    holds("unseen", "");
}

#[test]
fn a_hundred_thousand_layers_need_no_stack() {
    holds("deep", "");
}

#[test]
fn a_storm_of_contexts_loses_none() {
    for said in holds("storm", &storm_seconds().to_string()) {
        assert!(number_after(&said, "made") > 0 && number_after(&said, "calls") > 0, "{said}");
    }
}
