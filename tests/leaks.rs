//! Leaked goroutines: who is one, and who is not.

mod common;

use common::{Outcome, number_after, program, run, storm_seconds, traced};
use std::process::Command;

fn leaks(arguments: &[&str], procs: &str, godebug: &str) -> Outcome {
    run(Command::new(program("leaks")).args(arguments).env("GOMAXPROCS", procs).env("GODEBUG", godebug))
}

#[test]
fn whoever_waits_for_what_nobody_can_reach_is_named() {
    for procs in ["1", "2", "8"] {
        let outcome = leaks(&["leaked"], procs, "");
        assert_eq!(outcome.status, Some(0), "{outcome:#?}");
        for what in ["nobody", "receiver", "sender", "pair", "channel in itself", "select", "nil", "mutex", "wait group", "join", "scope"] {
            assert!(outcome.stdout.contains(&format!("leaked: {what}\n")), "{what}: {outcome:#?}");
        }
        // Old words may hide some.
        assert!((950..=1000).contains(&number_after(&outcome.stdout, "found")), "{outcome:#?}");
        // Where it waits, and who made it.
        let first = outcome.stdout.split(" (leaked)]:\n").nth(1).unwrap_or("");
        assert!(first.contains("\n\t0x") && first.contains("\ncreated by ") && first.contains(" in goroutine "), "{outcome:#?}");
    }
}

#[test]
fn whoever_can_still_be_woken_is_not() {
    for procs in ["1", "2", "8"] {
        let outcome = leaks(&["reachable"], procs, "");
        assert_eq!(outcome.status, Some(0), "{outcome:#?}");
        assert_eq!(outcome.stdout.matches("not leaked: ").count(), 22, "{outcome:#?}");
    }
}

#[test]
fn nobody_is_named_in_a_storm_without_leaks() {
    for procs in ["1", "2", "8"] {
        let outcome = leaks(&["storm", &(storm_seconds() * 1000).to_string()], procs, "");
        assert_eq!(outcome.status, Some(0), "{outcome:#?}");
        assert!(number_after(&outcome.stdout, "looks") > 10 && number_after(&outcome.stdout, "in_calls") > 10, "{outcome:#?}");
    }
}

#[test]
fn a_program_that_does_nothing_else_can_look() {
    for godebug in ["", "asyncpreemptoff=1"] {
        let outcome = leaks(&["alone"], "2", godebug);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "0\n"), "{outcome:#?}");
    }
}

#[test]
fn a_call_by_number_goes_on_after_the_look() {
    let outcome = leaks(&["calls"], "2", "");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "calls go on\n"), "{outcome:#?}");
}

#[test]
fn a_thread_that_lets_no_signal_in_makes_it_unknown() {
    let outcome = leaks(&["deaf"], "2", "");
    assert!(outcome.stdout.starts_with("leaked goroutines cannot be found: a thread in a call does not take SIGURG: "), "{outcome:#?}");
    assert!(outcome.status == Some(0) && outcome.stdout.ends_with("\n0\n"), "{outcome:#?}");
}

#[test]
fn what_a_sandbox_refuses_is_an_error() {
    let refused = [
        ("process_vm_readv:error=EPERM", "memory cannot be read"),
        ("process_vm_readv:error=ENOSYS:when=5+", "memory cannot be read"),
        ("openat:error=EACCES", "/proc/self/maps cannot be read"),
        ("read:error=EIO", "/proc/self/maps cannot be read"),
        ("rt_sigaction:error=EPERM:when=11", "no handler of SIGURG"),
    ];
    for (inject, what) in refused {
        let (outcome, _) =
            traced(&["-E", "GOMAXPROCS=2", "-e", "trace=process_vm_readv,openat,read,rt_sigaction", "-e", &format!("inject={inject}")], "leaks", &["error"]);
        assert_eq!(outcome.status, Some(0), "{inject}: {outcome:#?}");
        assert!(outcome.stdout.starts_with(&format!("leaked goroutines cannot be found: {what}: ")), "{inject}: {outcome:#?}");
    }
}

/// The memory that it takes is address space; it must be given back, and no descriptor left.
#[test]
fn a_look_leaves_nothing_behind() {
    let (outcome, trace) = traced(&["-e", "trace=openat,close,mmap,munmap"], "leaks", &["alone"]);
    assert_eq!(outcome.status, Some(0), "{outcome:#?}");
    let rest = &trace[trace.find("/proc/self/maps").unwrap()..];
    let of = |name: &str| trace.matches(name).count();
    assert_eq!(of("openat("), of("close("), "{trace}");
    // The area of the ranges and that of the mark.
    assert_eq!(rest.matches("munmap(").count(), 2, "{trace}");
}
