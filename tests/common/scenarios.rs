//! Runs programs of scenarios (`tests/programs/src/scenario.rs`): each checks itself, and says in the end that it is done.

use super::{Outcome, program, run_for};
use std::process::Command;
use std::time::Duration;

/// A program of scenarios, and for how many seconds a run of it may last.
pub struct Scenarios(pub &'static str, pub u64);

impl Scenarios {
    /// One run.
    pub fn at(&self, procs: u32, arguments: &[&str]) -> Outcome {
        run_for(Command::new(program(self.0)).args(arguments).env("GOMAXPROCS", procs.to_string()), Duration::from_secs(self.1))
    }

    /// The scenario holds at several values of GOMAXPROCS, with preemptions each 100 µs and without. Returns what each run has printed, and its number of Ps.
    pub fn hold(&self, scenario: &str, number: &str) -> Vec<(u32, String)> {
        let mut said = Vec::new();
        for procs in [1, 2, 8] {
            for preemptions_ns in ["0", "100000"] {
                let outcome = self.at(procs, &[scenario, preemptions_ns, number]);
                let ended = outcome.stdout.ends_with(&format!("{scenario} done\n"));
                assert_eq!((outcome.status, ended), (Some(0), true), "{scenario} at GOMAXPROCS={procs}, preempted each {preemptions_ns} ns: {outcome:#?}");
                said.push((procs, outcome.stdout));
            }
        }
        said
    }

    /// The same, what they have printed alone.
    pub fn say(&self, scenario: &str, number: &str) -> Vec<String> {
        self.hold(scenario, number).into_iter().map(|(_, said)| said).collect()
    }

    /// The same of a scenario that says nothing else.
    pub fn hold_silently(&self, scenario: &str, number: &str) {
        for said in self.say(scenario, number) {
            assert_eq!(said, format!("{scenario} done\n"));
        }
    }
}
