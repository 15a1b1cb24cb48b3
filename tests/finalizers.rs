//! Finalizers and cleanups: who calls them, when, in which order; and how a program dies that has them.

mod common;

use common::{Outcome, program, run};
use std::process::Command;

fn finalizers(scenario: &str, procs: &str) -> Outcome {
    run(Command::new(program("finalizers")).arg(scenario).env("GOMAXPROCS", procs))
}

fn works(scenario: &str, says: &str) {
    for procs in ["1", "2", "8"] {
        let outcome = finalizers(scenario, procs);
        assert!(outcome.status == Some(0) && outcome.stdout == says, "{procs}: {outcome:#?}");
    }
}

fn dies(scenario: &str, says: &[&str]) {
    for procs in ["1", "2", "8"] {
        let outcome = finalizers(scenario, procs);
        assert!(outcome.status == Some(2) && outcome.stderr.starts_with(says[0]), "{outcome:#?}");
        assert!(says.iter().all(|text| outcome.stderr.contains(text)), "{says:?}: {outcome:#?}");
    }
}

#[test]
fn finalizers_run_in_the_order_of_the_drops_on_a_goroutine_that_starts_with_the_first() {
    works("order", "in order\n");
}

#[test]
fn a_finalizer_may_keep_its_object() {
    works("resurrect", "came back\n");
}

#[test]
fn a_finalizer_can_be_cleared_and_set_anew() {
    works("clear", "cleared\n");
}

#[test]
fn cleanups_run_once_the_value_is_gone_but_for_those_that_were_stopped() {
    works("cleanups", "clean\n");
}

#[test]
fn the_last_handle_may_go_inside_a_call() {
    works("in_call", "in a call\n");
}

#[test]
fn a_finalizer_that_exits_does_not_end_the_others() {
    works("goexit", "goes on\n");
}

#[test]
fn each_is_called_once_and_none_beside_another() {
    works("storm", "storm: 160000 finalized\n");
}

#[test]
fn a_second_finalizer_is_fatal_as_in_go() {
    dies("twice", &["fatal error: runtime.SetFinalizer: finalizer already set\n\ngoroutine 1 [running]:"]);
}

#[test]
fn a_panic_in_a_finalizer_is_one_of_the_finalizer_goroutine() {
    dies("panics", &["panic: while it finalizes\n\tat tests/programs/src/bin/finalizers.rs:", " [running, finalizer]:\n"]);
}

#[test]
fn the_finalizer_goroutine_hides_no_deadlock() {
    dies("deadlock", &["fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [chan receive]:\n", " [finalizer wait]:\n"]);
    dies("main_exits", &["fatal error: no goroutines (main called runtime.Goexit) - deadlock!\n", " [finalizer wait]:\n"]);
    dies("stuck", &["fatal error: all goroutines are asleep - deadlock!\n", "goroutine 1 [chan receive]:\n"]);
}
