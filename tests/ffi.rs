//! Calls of C: on stacks of their own, beside everybody else, and back.

mod common;

use common::package::Package;
use common::{Child, Outcome, number_after, program, run, run_for, storm_seconds, traced};
use std::process::Command;
use std::time::Duration;

const PROCS: [&str; 3] = ["1", "2", "8"];

fn ffi(arguments: &[&str], procs: &str, godebug: &str) -> Outcome {
    run(Command::new(program("ffi")).args(arguments).env("GOMAXPROCS", procs).env("GODEBUG", godebug))
}

fn works(arguments: &[&str], says: &str) {
    for procs in PROCS {
        for godebug in ["", "asyncpreemptoff=1"] {
            let outcome = ffi(arguments, procs, godebug);
            assert!(outcome.status == Some(0) && outcome.stdout.starts_with(says), "{procs} {godebug}: {outcome:#?}");
        }
    }
}

fn dies(arguments: &[&str], says: &[&str]) {
    for procs in PROCS {
        let outcome = ffi(arguments, procs, "");
        assert_eq!(outcome.status, Some(2), "{outcome:#?}");
        assert!(outcome.stderr.starts_with(says[0]), "{outcome:#?}");
        assert!(says.iter().all(|text| outcome.stderr.contains(text)), "no {says:?}: {outcome:#?}");
    }
}

#[test]
fn c_has_six_mebibytes_of_stack_on_every_thread() {
    works(&["deep"], "deep\n");
}

#[test]
fn an_overflow_of_the_c_stack_is_named() {
    dies(&["overflow"], &["fatal error: stack overflow on the C stack of M", "\n[signal SIGSEGV: segmentation violation addr=0x", "goroutine 1 [syscall]:"]);
}

#[test]
fn an_overflow_of_the_goroutines_stack_in_a_callback_is_named_as_any_other() {
    dies(&["overflow_in_callback"], &["fatal error: stack overflow\n[goroutine stack exceeds 8376064-byte limit"]);
}

#[test]
fn a_thread_variable_of_c_is_one_a_thread() {
    works(&["thread"], "thread variables: 400 calls\n");
}

#[test]
fn a_long_call_gives_the_only_p_to_others() {
    // The C waits for what a goroutine on the same P does after it has slept.
    works(&["long"], "long\n");
}

#[test]
fn a_call_needs_no_second_goroutine() {
    works(&["once"], "3\n");
    works(&["alone"], "6\n");
}

#[test]
fn each_call_is_counted() {
    works(&["counter"], "counted\n");
}

#[test]
fn callbacks_survive_a_storm_of_preemptions() {
    for procs in PROCS {
        let outcome = ffi(&["storm", &(storm_seconds() * 500).to_string()], procs, "");
        assert_eq!(outcome.status, Some(0), "{outcome:#?}");
        assert!(number_after(&outcome.stdout, "calls") > 500 && number_after(&outcome.stdout, "injected") > 0, "{outcome:?}");
    }
}

#[test]
fn c_and_its_callbacks_survive_foreign_signals() {
    for procs in PROCS {
        let child = Child::start(Command::new(program("ffi")).args(["storm", "500"]).env("GOMAXPROCS", procs));
        let (outcome, sent) = child.wait_under_signals(true);
        assert!(outcome.status == Some(0) && sent > 10, "{sent} {outcome:#?}");
    }
}

#[test]
fn c_calls_back_calls_c_calls_back() {
    works(&["nested"], "nested\n");
}

#[test]
fn a_callback_stays_on_its_thread_whatever_it_unlocks() {
    works(&["locking"], "locked\n");
}

#[test]
fn a_panic_in_a_callback_is_one() {
    dies(&["panic"], &["panic: called back with 7\n", "goroutine 1 [running, locked to thread]:"]);
    dies(&["panic_in_c"], &["panic: on the C stack\n", "goroutine 1 [syscall]:"]);
}

#[test]
fn goexit_past_c_is_fatal() {
    dies(&["goexit"], &["fatal error: goexit: goroutine 1 is called by C, whose frames it cannot end\n"]);
}

#[test]
fn a_callback_that_waits_for_nobody_is_a_deadlock() {
    dies(&["blocks"], &["fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [chan receive, locked to thread]:"]);
}

#[test]
fn to_schedule_on_the_c_stack_is_fatal() {
    dies(&["misuse"], &["fatal error: goroutine 1 used the scheduler inside a system call (spawn, channel, lock or sleep in syscall::blocking or ffi::call)"]);
}

#[test]
fn a_callback_inside_a_blocking_call_is_fatal() {
    dies(&["in_blocking"], &["fatal error: ffi: goroutine 1 calls back from inside syscall::blocking, where it has no P to run with\n"]);
}

#[test]
fn cgocheck_names_a_wrong_pointer() {
    let given = |which: &str, godebug: &str| ffi(&["pointer", which], "2", godebug);
    for (which, text) in [
        ("other", "points into the stack of goroutine "),
        ("dead", "points into the stack of goroutine "),
        ("own", "points into a frame of its own that has returned"),
    ] {
        let outcome = given(which, "cgocheck=2");
        assert_eq!(outcome.status, Some(2), "{outcome:#?}");
        assert!(
            outcome.stderr.starts_with("fatal error: cgocheck: pointer 2 that goroutine 1 gives to C, 0x") && outcome.stderr.contains(text),
            "{outcome:#?}"
        );
        assert_eq!(outcome.stderr.contains(", which has ended\n"), which == "dead", "{outcome:#?}");
        for godebug in ["", "cgocheck=1", "cgocheck=x", "cgocheck=0"] {
            let outcome = given(which, godebug);
            let caught = which == "own" && godebug != "cgocheck=0";
            assert_eq!(outcome.status, Some(if caught { 2 } else { 0 }), "{which} {godebug}: {outcome:#?}");
        }
    }
}

#[test]
fn without_memory_for_the_stack_there_is_an_error() {
    // The block of the first thread and the stack of main fit, 9 MiB more do not.
    let script = format!("ulimit -v 18000; exec {} no_memory", program("ffi").display());
    let outcome = run_for(Command::new("sh").args(["-c", &script]), Duration::from_secs(30));
    assert_eq!(outcome.status, Some(2), "{outcome:#?}");
    assert!(
        outcome.stdout.starts_with("out of memory: no C stack: ") && outcome.stderr.starts_with("fatal error: out of memory: no C stack: "),
        "{outcome:#?}"
    );
}

#[test]
fn the_calls_of_a_c_stack_are_these() {
    let of = |scenario: &str| {
        let (outcome, trace) = traced(&["-e", "trace=mmap,munmap,madvise,mprotect"], "ffi", &[scenario]);
        assert_eq!(outcome.status, Some(0), "{outcome:#?}");
        let is_of = |line: &&str| [", 9437184, ", ", 9437184)", ", 1048576, "].iter().any(|text| line.contains(text));
        trace.lines().filter(is_of).map(|line| line.split_once(' ').unwrap().1.trim_start().to_string()).collect::<Vec<_>>()
    };
    // Two calls, one stack.
    let once = of("once");
    assert_eq!(once.len(), 3, "{once:?}");
    assert!(once[0].starts_with("mmap(NULL, 9437184, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_NORESERVE, -1, 0) = 0x"), "{once:?}");
    let base = once[0].rsplit(' ').next().unwrap();
    assert!(once[1].starts_with(&format!("madvise({base}, 9437184, MADV_NOHUGEPAGE)")), "{once:?}");
    assert!(once[2].starts_with(&format!("madvise({base}, 1048576, ")), "{once:?}");
    let ends = of("thread_ends");
    assert!(ends.last().unwrap().starts_with("munmap(0x") && ends.last().unwrap().contains(", 9437184)"), "{ends:?}");
}

/// The block of code of docs/ffi.md behind the line that names `file`.
fn block(file: &str) -> String {
    let text = std::fs::read_to_string(common::root().join("docs/ffi.md")).unwrap();
    let rest = &text[text.find(&format!("`{file}`:")).unwrap_or_else(|| panic!("docs/ffi.md names no `{file}`"))..];
    let start = rest.find("```").unwrap();
    let start = start + rest[start..].find('\n').unwrap() + 1;
    rest[start..start + rest[start..].find("```").unwrap()].to_string()
}

#[test]
fn the_documents_program_builds_and_runs() {
    let package = Package::new("ffi");
    for file in ["build.rs", "walk.c", "src/main.rs"] {
        package.write(file, &block(file));
    }
    for arguments in [&["run", "-q"][..], &["run", "-q", "--release"]] {
        let outcome = package.cargo(arguments);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "100 visits, the sum is 4950\n"), "{outcome:#?}");
    }
}
