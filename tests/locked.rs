//! `lock_os_thread`: each claim of the specification, at several values of GOMAXPROCS, under preemptions.

mod common;

use common::{Outcome, program, run_for};
use std::process::Command;
use std::time::Duration;

fn at(procs: u32, arguments: &[&str]) -> Outcome {
    run_for(Command::new(program("locked")).args(arguments).env("GOMAXPROCS", procs.to_string()), Duration::from_secs(120))
}

/// The scenario checks itself, and says so.
fn holds(scenario: &[&str], says: &str) {
    for procs in [1, 2, 8] {
        let outcome = at(procs, scenario);
        assert_eq!((outcome.status, outcome.stdout.contains(says)), (Some(0), true), "{scenario:?} at GOMAXPROCS={procs}: {outcome:#?}");
    }
}

#[test]
fn a_locked_goroutine_stays_on_its_thread_and_nobody_else_comes_there() {
    holds(&["wired"], "stayed");
}

#[test]
fn locks_nest_and_the_last_unlock_frees() {
    holds(&["nesting"], "nested");
}

#[test]
fn a_locked_goroutine_that_ends_takes_its_thread_along() {
    holds(&["ends"], "ended");
}

#[test]
fn the_initial_thread_stays_when_main_ends_locked() {
    holds(&["main_ends"], "went on");
}

#[test]
fn main_can_be_locked_to_the_initial_thread_from_its_start() {
    for procs in ["1", "2", "8"] {
        let outcome = run_for(Command::new(program("locked_main")).env("GOMAXPROCS", procs), Duration::from_secs(60));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "stayed on the initial thread\n"), "{outcome:#?}");
    }
}

#[test]
fn threads_inherit_nothing_from_a_locked_one() {
    holds(&["taint"], "untainted");
}

#[test]
fn a_deadlock_among_locked_goroutines_is_found() {
    for scenario in ["deadlock", "last_ends"] {
        for procs in [1, 2, 8] {
            let outcome = at(procs, &[scenario]);
            assert_eq!(outcome.status, Some(2), "{scenario}: {outcome:#?}");
            assert!(outcome.stderr.starts_with("fatal error: all goroutines are asleep - deadlock!"), "{scenario}: {outcome:#?}");
        }
    }
}

#[test]
fn a_locked_goroutine_alone_wakes_from_its_sleep_with_and_without_other_threads() {
    holds(&["sleeps"], "woke");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=clone,clone3", "-e", "inject=clone3,clone:error=EAGAIN"]).arg(program("locked")).arg("sleeps");
    let outcome = run_for(&mut command, Duration::from_secs(60));
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "woke\n"), "{outcome:#?}");
}

/// Mappings that take 3 ms: whoever makes the template thread is wanted to give way meanwhile, and others are locked already and wait for threads.
#[test]
fn who_makes_the_template_thread_is_not_preempted_before_it_is_known() {
    for procs in ["2", "8"].into_iter().chain([1; 10].map(|_| "1")) {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=mmap", "-e", "inject=mmap:delay_exit=3000"]);
        let outcome = run_for(command.arg(program("locked")).arg("first").env("GOMAXPROCS", procs), Duration::from_secs(60));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "first\n"), "{outcome:#?}");
    }
}

#[test]
fn two_locked_goroutines_talk() {
    holds(&["pingpong"], "round trip");
}

#[test]
fn storms_of_locks_keep_every_promise() {
    let seconds = std::env::var("GORT_STORM_SECONDS").unwrap_or("2".into());
    holds(&["storm", &seconds], "storm:");
}
