//! Metrics: names and descriptions, and what is read against what the program did (`tests/programs/src/bin/readings.rs`).

mod common;

use common::{program, run, storm_seconds};
use gort::metrics::{self, Description, ValueKind};
use std::process::Command;

fn case(arguments: &[&str], procs: &str) -> String {
    let outcome = run(Command::new(program("readings")).args(arguments).env("GOMAXPROCS", procs).env_remove("GODEBUG"));
    assert_eq!(outcome.status, Some(0), "{arguments:?}: {outcome:#?}");
    println!("{}", outcome.stdout);
    outcome.stdout
}

#[test]
fn names_are_sorted_and_gorts_own_are_marked() {
    assert!(metrics::all().is_sorted_by(|a, b| a.name < b.name));
    for Description { name, description, .. } in metrics::all() {
        assert_eq!(name.starts_with("/gort/"), description.starts_with("gort's own. "), "{name}");
        assert!(description.ends_with('.') && name.starts_with('/') && name.matches(':').count() == 1, "{name}");
    }
}

#[test]
fn the_specifications_five_are_there_with_gos_kinds() {
    use ValueKind::{Float64Histogram, Uint64};
    let expected = [
        ("/cgo/go-to-c-calls:calls", Uint64, true),
        ("/sched/gomaxprocs:threads", Uint64, false),
        ("/sched/goroutines:goroutines", Uint64, false),
        ("/sched/latencies:seconds", Float64Histogram, true),
        ("/sched/pauses/total/gc:seconds", Float64Histogram, true),
    ];
    let others = metrics::all().iter().filter(|description| !description.name.starts_with("/gort/"));
    let found: Vec<_> = others.map(|description| (description.name, description.kind, description.cumulative)).collect();
    assert_eq!(found, expected);
    assert!(metrics::all().iter().any(|description| description.name == "/sched/pauses/total/gc:seconds" && description.description.contains("stays empty")));
}

#[test]
fn the_specifications_snippet_prints_two_lines() {
    assert_eq!(case(&["snippet"], "3"), "/sched/gomaxprocs:threads 3\n/sched/goroutines:goroutines 1\n");
}

#[test]
fn all_can_be_read_and_what_is_not_there_is_bad() {
    assert_eq!(case(&["all"], "2"), format!("{} metrics\n", metrics::all().len()));
}

#[test]
fn counts_are_what_the_program_did() {
    case(&["counts"], "2");
}

#[test]
fn goroutines_behind_one_that_computes_are_late() {
    case(&["latencies"], "1");
}

#[test]
fn latencies_cost_nothing_until_they_are_asked_for() {
    case(&["off"], "2");
}

#[test]
fn one_of_eight_is_sampled_however_fast_they_come() {
    case(&["rates"], "1");
}

#[test]
fn preemptions_of_hogs_are_counted() {
    case(&["preemptions"], "2");
}

#[test]
fn blocking_calls_are_counted_and_their_threads() {
    case(&["calls"], "2");
}

#[test]
fn ps_made_later_sample_too() {
    case(&["late_p"], "1");
}

#[test]
fn readings_under_a_storm_fit_together() {
    for procs in ["1", "4"] {
        case(&["storm", &storm_seconds().to_string()], procs);
    }
}

#[test]
fn a_host_program_is_told_that_there_is_no_runtime() {
    let result = std::panic::catch_unwind(|| metrics::read(&mut [metrics::Sample::new("/sched/gomaxprocs:threads")]));
    assert!(result.unwrap_err().downcast_ref::<&str>().is_some_and(|text| text.contains("gort::main!")));
}
