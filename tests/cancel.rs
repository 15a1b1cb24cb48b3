//! System calls that block are cancelled: they end by EINTR, however far they have come, and no other call does.

mod common;

use common::{Outcome, is_long, number_after, program, run, run_for, traced};
use std::process::Command;
use std::time::Duration;

fn at(procs: u32, arguments: &[&str]) -> Outcome {
    let outcome = run_for(Command::new(program("cancel")).args(arguments).env("GOMAXPROCS", procs.to_string()), Duration::from_secs(120));
    assert_eq!(outcome.status, Some(0), "{arguments:?} at GOMAXPROCS={procs}: {outcome:#?}");
    outcome
}

/// The scenario checks itself, and says so.
fn holds(scenario: &[&str], says: &str) {
    for procs in [1, 2, 8] {
        assert_eq!(at(procs, scenario).stdout, format!("{says}\n"), "{scenario:?} at GOMAXPROCS={procs}");
    }
}

#[test]
fn a_call_that_was_cancelled_before_is_not_made() {
    holds(&["before"], "not made");
}

#[test]
fn a_call_that_blocks_is_ended_also_if_the_kernel_would_begin_it_anew() {
    holds(&["running"], "ended");
}

#[test]
fn calls_are_ended_without_preemption_signals_too() {
    let outcome = run(Command::new(program("cancel")).arg("running").env("GODEBUG", "asyncpreemptoff=1"));
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "ended\n"), "{outcome:#?}");
}

#[test]
fn a_signal_that_comes_before_the_call_does_is_sent_again() {
    holds(&["window", if is_long() { "5000" } else { "200" }], "ended");
}

/// Held up at the entry of the kernel, for longer than the first pauses.
#[test]
fn a_signal_that_comes_as_the_kernel_is_entered_ends_the_call() {
    for call in ["read", "clock_nanosleep,nanosleep", "futex"] {
        let inject = format!("inject={call}:delay_enter=1500:when=1+3");
        let (outcome, trace) = traced(&["-e", &format!("trace={call}"), "-e", &inject], "cancel", &["window", "25"]);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "ended\n"), "{call}: {outcome:#?}");
        assert!(trace.contains("(DELAYED)"), "{trace}");
    }
}

#[test]
fn a_signal_that_comes_at_the_very_instruction_ends_a_call_of_the_goroutine_and_none_of_the_runtime() {
    holds(&["instruction"], "not made");
}

#[test]
fn a_cancel_that_comes_after_the_call_disturbs_no_later_one() {
    holds(&["after"], "undisturbed");
}

#[test]
fn one_cancel_ends_many_calls_and_a_second_one_does_nothing() {
    holds(&["many"], "ended 100");
}

#[test]
fn who_waits_for_its_turn_under_the_soft_cap_is_turned_away() {
    holds(&["queued"], "turned away 522, made 3");
}

#[test]
fn dropping_a_handle_cancels_nothing() {
    holds(&["dropped"], "went on");
}

#[test]
fn the_allocator_works_in_a_call_that_is_cancelled() {
    holds(&["allocates"], "ended");
}

#[test]
fn sysmon_rests_once_the_last_cancelled_call_has_ended() {
    let outcome = at(2, &["silent"]);
    assert!(number_after(&outcome.stdout, "passes") <= 4, "{outcome:#?}");
}

/// Ten thousand races: no call hangs, or the time limit ends it; the programs look at what each returns.
#[test]
fn storms_of_cancels_end_their_own_calls_only() {
    for procs in [1, 2, 8] {
        for (kind, preemptions_ns) in [("storm", "0"), ("storm", "50000"), ("capped_storm", "0"), ("capped_storm", "50000")] {
            let outcome = at(procs, &[kind, "10000", preemptions_ns]);
            let [not_made, cut, returned, disturbed] = ["not_made", "cut", "returned", "disturbed"].map(|name| number_after(&outcome.stdout, name));
            println!("{procs} {kind} {preemptions_ns}: {}", outcome.stdout);
            assert_eq!(not_made + cut + returned, 10_000, "{outcome:#?}");
            assert!(cut > 1000 && returned > 1000, "{outcome:#?}");
            assert!(disturbed == 0 || preemptions_ns != "0", "a later call has seen EINTR: {outcome:#?}");
        }
    }
}
