//! The meaning of Go's tests of its scheduler, as far as no other file here shows it; `tests/go-tests.md` maps each of them to a test.

mod common;

use common::{Outcome, number_after, program, run};
use std::process::Command;

fn run_at(procs: u32, scenario: &str) -> Outcome {
    run(Command::new(program("proc")).arg(scenario).env("GOMAXPROCS", procs.to_string()))
}

/// Runs a scenario that checks itself, with GOMAXPROCS 1, 2 and 8.
#[track_caller]
fn holds(scenario: &str) -> [Outcome; 3] {
    [1, 2, 8].map(|procs| {
        let outcome = run_at(procs, scenario);
        assert!(outcome.status == Some(0) && outcome.stdout.ends_with("done\n"), "{scenario} at GOMAXPROCS={procs}: {outcome:#?}");
        outcome
    })
}

#[test]
fn two_that_yield_take_turns() {
    holds("yield");
}

#[test]
fn two_that_are_locked_and_yield_take_turns() {
    holds("yield_locked");
}

#[test]
fn a_locked_one_that_yields_goes_on() {
    holds("yield_alone_locked");
}

#[test]
fn as_many_as_there_are_ps_meet_by_spinning() {
    holds("parallel");
}

#[test]
fn a_locked_sender_passes_values_without_a_buffer() {
    holds("block_locked");
}

#[test]
fn loops_that_wait_for_each_other_by_looking_are_preempted() {
    holds("loops");
}

#[test]
fn loops_stop_for_a_stop_of_the_world() {
    holds("loops_and_stops");
}

#[test]
fn stops_of_the_world_starve_neither_writers_nor_yielders() {
    holds("stops_and_writers");
}

#[test]
fn dead_loops_and_stops_of_the_world_share() {
    holds("stops_and_dead_loops");
}

#[test]
fn num_goroutine_is_what_the_dump_lists() {
    for procs in [1, 2, 8] {
        let outcome = run_at(procs, "count");
        assert_eq!(outcome.status, Some(2), "{outcome:#?}");
        let listed = outcome.stderr.lines().filter(|line| line.starts_with("goroutine ") && line.ends_with("]:")).count() as u64;
        assert_eq!(number_after(&outcome.stdout, "goroutines"), listed, "{outcome:#?}");
        assert_eq!(listed, 18);
    }
}

#[test]
fn functions_with_large_frames_are_preempted() {
    holds("large_frames");
}

#[test]
fn a_loop_behind_system_calls_is_preempted_as_before() {
    holds("after_calls");
}

#[test]
fn a_large_gomaxprocs_takes_few_threads() {
    for outcome in holds("big") {
        // At most one spinner at a time is started, and only while there is work: 1024 short goroutines never come near 1024 threads.
        assert!(number_after(&outcome.stdout, "threads") <= 200, "{outcome:?}");
    }
}

#[test]
fn those_who_compute_stay_on_their_threads_when_the_world_stops() {
    // By itself it sets GOMAXPROCS to 3. Now and then a slice ends, or the kernel takes a CPU away for long: a third is far from what chance gives.
    let outcome = run_at(2, "stays_in_place");
    assert_eq!(outcome.status, Some(0), "{outcome:#?}");
    let (moved, of) = (number_after(&outcome.stdout, "moved"), number_after(&outcome.stdout, "of"));
    assert!(moved * 3 <= of, "{outcome:?}");
}

#[test]
fn threads_end_while_the_world_stops() {
    for outcome in holds("exits_and_stops") {
        assert!(number_after(&outcome.stdout, "stops") > 0 && number_after(&outcome.stdout, "exits") >= 20, "{outcome:?}");
    }
}
