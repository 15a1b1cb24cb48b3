//! The memory model (`docs/memory-model.md`): each edge holds in so many rounds at two values of GOMAXPROCS, with preemptions each 50 µs and 100 µs.

mod common;

use common::{Outcome, is_long, number_after, program, run_for};
use std::process::Command;
use std::time::Duration;

/// The rounds of an edge are shared by these: GOMAXPROCS, and how often goroutines are preempted.
const MODES: [(u32, &str); 4] = [(2, "50000"), (2, "100000"), (8, "50000"), (8, "100000")];

/// Fewer where a round takes longer, but in a long run.
const MANY: u32 = 200_000;
const SOME: u32 = 40_000;

fn litmus(scenario: &str, short: u32) -> Vec<Outcome> {
    let rounds = if is_long() { 1_000_000 } else { short } / MODES.len() as u32;
    MODES
        .iter()
        .map(|(procs, preemptions_ns)| {
            let mut command = Command::new(program("litmus"));
            command.args([scenario, preemptions_ns, &rounds.to_string()]).env("GOMAXPROCS", procs.to_string());
            let outcome = run_for(&mut command, Duration::from_secs(if is_long() { 900 } else { 180 }));
            let ended = outcome.stdout.ends_with(&format!("{scenario} done\n"));
            assert_eq!((outcome.status, ended), (Some(0), true), "{scenario} at GOMAXPROCS={procs}, preempted each {preemptions_ns} ns: {outcome:#?}");
            outcome
        })
        .collect()
}

fn sum(outcomes: &[Outcome], name: &str) -> u64 {
    outcomes.iter().map(|outcome| number_after(&outcome.stdout, name)).sum()
}

#[test]
fn go_comes_before_the_goroutine() {
    litmus("start", MANY);
}

#[test]
fn a_goroutines_end_comes_before_its_join() {
    litmus("join", MANY);
    litmus("goexit", SOME);
}

#[test]
fn what_a_scope_lends_is_back_after_it() {
    litmus("scope", MANY);
}

#[test]
fn done_comes_before_wait() {
    litmus("wait_group", MANY);
}

#[test]
fn sends_and_receives_of_an_unbuffered_channel_come_before_each_others_end() {
    litmus("unbuffered", MANY);
    litmus("select", MANY);
}

#[test]
fn the_kth_receive_comes_before_the_end_of_the_send_that_takes_its_place() {
    litmus("buffered", MANY);
}

#[test]
fn what_a_once_does_comes_before_any_call_of_it_returns() {
    litmus("once", SOME);
}

#[test]
fn an_unlock_of_a_rwmutex_comes_before_the_locks_that_it_lets_in() {
    litmus("rwmutex", MANY);
}

#[test]
fn a_signal_comes_before_the_end_of_the_wait() {
    litmus("cond", SOME);
}

#[test]
fn a_release_comes_before_the_acquisition_that_it_lets_in() {
    litmus("semaphore", MANY);
}

#[test]
fn close_comes_before_the_receive_that_finds_it() {
    litmus("close", MANY);
}

#[test]
fn an_unlock_comes_before_the_next_lock() {
    litmus("mutex", MANY);
}

#[test]
fn who_sets_a_timer_comes_before_what_it_does() {
    litmus("after_func", SOME);
    litmus("reset", SOME);
    litmus("timer", SOME);
}

#[test]
fn what_a_stopped_timer_would_have_used_belongs_to_who_has_stopped_it() {
    let outcomes = litmus("stop", MANY);
    assert!(sum(&outcomes, "stopped") > 0 && sum(&outcomes, "made") > 0, "{outcomes:?}");
}

#[test]
fn who_sets_a_finalizer_and_who_drops_the_object_come_before_it() {
    litmus("finalizer", MANY);
}

#[test]
fn a_goroutine_sees_what_it_has_done_on_another_thread() {
    let outcomes = litmus("same_goroutine", MANY);
    assert!(sum(&outcomes, "moves") > 0, "{outcomes:?}");
}

#[test]
fn atomics_pass_messages() {
    litmus("message_passing", SOME);
}

#[test]
fn sequentially_consistent_atomics_have_one_order() {
    litmus("store_buffering", SOME);
    litmus("iriw", SOME);
}

/// The control of the one above: it would notice, for with relaxed atomics there is none, and here it is seen.
#[test]
fn relaxed_atomics_have_no_order() {
    let seen = (0..20).any(|_| sum(&litmus("store_buffering_relaxed", SOME), "neither") > 0);
    assert!(seen, "no store was late: this machine shows nothing");
}

#[test]
fn two_words_are_torn_and_one_is_not() {
    let outcomes = litmus("tearing", SOME);
    assert!(outcomes.iter().all(|outcome| number_after(&outcome.stdout, "torn") > 0), "{outcomes:?}");
}
