//! Goroutines on stacks of sizes of their own (`Builder::stack_size`): the same scheduler, sysmon included.

mod common;

use common::{program, run};
use std::process::Command;

#[test]
fn they_are_preempted_and_give_their_ps_away_in_system_calls() {
    let outcome = run(&mut Command::new(program("classes")));
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "ran during the call: true\nwas preempted: true\n"), "{outcome:?}");
}
