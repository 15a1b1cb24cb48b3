//! How many threads a program has: by /proc and strace.

mod common;

use common::{Child, Outcome, number_after, program, run, traced};
use std::io::{BufRead, BufReader};
use std::process::Command;
use std::time::{Duration, Instant};

fn threads(arguments: &[&str]) -> Command {
    let mut command = Command::new(program("threads"));
    command.args(arguments).env("GOMAXPROCS", "2");
    command
}

/// What `/proc/PID/status` says of `name`.
fn status(pid: u32, name: &str) -> u64 {
    number_after(&std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap(), name)
}

/// Starts a program and waits for a line of its output.
fn start_until(command: &mut Command, line: &str) -> Child {
    let mut child = Child::start(command);
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    assert!(lines.any(|found| found.unwrap() == line), "{command:?} has not said {line:?}");
    child
}

/// Waits until the program has at most so many threads; returns how many it had at most.
fn until_at_most(pid: u32, bound: u64, limit: Duration) -> u64 {
    let (start, mut most) = (Instant::now(), 0);
    loop {
        let now = status(pid, "Threads:");
        most = most.max(now);
        if now <= bound {
            return most;
        }
        assert!(start.elapsed() < limit, "{now} threads after {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The system calls that a process makes in so long.
fn calls_of(pid: u32, how_long: Duration) -> String {
    let log = std::env::temp_dir().join(format!("gort-threads-{pid}"));
    let strace = Command::new("strace").args(["-f", "-qq", "-o"]).arg(&log).args(["-p", &pid.to_string()]).spawn().unwrap();
    std::thread::sleep(how_long);
    assert!(Command::new("kill").arg(strace.id().to_string()).status().unwrap().success());
    let _ = Child(strace).0.wait();
    let trace = std::fs::read_to_string(&log).unwrap();
    let _ = std::fs::remove_file(&log);
    trace
}

/// Those that have ended or begun while strace looked: not those in which a thread sleeps all the time.
fn busy_calls(trace: &str) -> Vec<&str> {
    let sleeps = |line: &str| {
        (line.contains("futex(") || line.contains("read(")) && (line.ends_with("<unfinished ...>") || line.ends_with("<detached ...>"))
            || line.contains("restart_syscall(<... resuming")
    };
    trace.lines().filter(|line| !sleeps(line)).collect()
}

#[test]
fn the_limit_of_threads_is_returned_and_set() {
    let outcome = run(&mut threads(&["limit"]));
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "20 calls at once\n"), "{outcome:#?}");
}

#[test]
fn a_limit_below_what_exists_is_fatal_at_once() {
    let outcome: Outcome = run(&mut threads(&["below"]));
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""), "{outcome:#?}");
    let count = outcome.stderr.strip_prefix("fatal error: program exceeds 3-thread limit: ").and_then(|rest| rest.split(' ').next()?.parse().ok());
    // Five in calls, and one or two that run goroutines or are idle.
    assert!(count.is_some_and(|count: u32| (6..=9).contains(&count)), "{outcome:#?}");
}

#[test]
fn threads_that_nobody_needs_end_after_a_while_and_then_all_is_silent() {
    let child = start_until(&mut threads(&["burst"]), "idle");
    let (pid, before) = (child.pid(), status(child.pid(), "VmSize:"));
    let at_first = status(pid, "Threads:");
    assert!(at_first >= 64, "{at_first} threads right after 64 calls at once");
    // GOMAXPROCS, 4 more, and sysmon.
    let most = until_at_most(pid, 2 + 4 + 1, Duration::from_secs(30));
    assert_eq!(most, at_first, "threads were made meanwhile");
    let given_back = before.saturating_sub(status(pid, "VmSize:"));
    assert!(given_back >= 57 * 128, "{given_back} KiB given back by 57 threads of 128 KiB of stacks each");
    // The last look, at most 5 s later.
    std::thread::sleep(Duration::from_secs(6));
    let trace = calls_of(pid, Duration::from_secs(7));
    assert!(trace.lines().count() >= 5, "strace saw no thread: {trace}");
    assert_eq!(busy_calls(&trace), [""; 0], "{trace}");
    assert_eq!(status(pid, "Threads:"), 2 + 4 + 1);
}

#[test]
fn threads_of_ps_that_went_away_end_too() {
    let child = start_until(&mut threads(&["shrink"]), "idle");
    let at_first = status(child.pid(), "Threads:");
    // As many as the kernel let run at once, or nearly.
    assert!(at_first >= 12, "{at_first}");
    until_at_most(child.pid(), 1 + 4 + 1, Duration::from_secs(30));
}

#[test]
fn bursts_of_blocking_calls_make_their_threads_once() {
    let (outcome, trace) = traced(&["-e", "trace=clone3,clone,exit"], "threads", &["bursts", "100"]);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "done\n"), "{outcome:#?}");
    let count = |call: &str| trace.lines().filter(|line| line.contains(call)).count();
    // 64 that block, those that run goroutines meanwhile, and sysmon. On a loaded machine some calls return before others begin.
    assert!((16..=64 + 2 + 4 + 1).contains(&count("clone3(")), "{} threads made", count("clone3("));
    assert_eq!(count(" exit("), 0, "threads ended");
}

#[test]
fn a_soft_cap_queues_calls_and_others_compute_meanwhile() {
    let mut child = Child::start(&mut threads(&["capped"]));
    let mut most = 0;
    while child.0.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(format!("/proc/{}/status", child.pid())).unwrap_or_default();
        if text.contains("Threads:") {
            most = most.max(number_after(&text, "Threads:"));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let outcome = child.wait(Duration::from_secs(10));
    assert_eq!(outcome.status, Some(0), "{outcome:#?}");
    assert!(number_after(&outcome.stdout, "most") == 8 && number_after(&outcome.stdout, "ms") >= 400, "{outcome:#?}");
    assert!(number_after(&outcome.stdout, "work") > 1000, "{outcome:#?}");
    // The cap, GOMAXPROCS, 4 spare ones, and sysmon.
    assert!((8..=8 + 2 + 4 + 1).contains(&most), "{most} threads");
}

#[test]
fn calls_are_let_in_in_turn() {
    let outcome = run(threads(&["turns"]).env("GOMAXPROCS", "1").env("GODEBUG", "asyncpreemptoff=1"));
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "in turn\n"), "{outcome:#?}");
}

#[test]
fn a_cap_that_changes_loses_no_place() {
    for procs in ["1", "2", "8"] {
        let outcome = run(threads(&["caps", &common::storm_seconds().to_string()]).env("GOMAXPROCS", procs));
        assert_eq!(outcome.status, Some(0), "{outcome:#?}");
        assert!(number_after(&outcome.stdout, "calls") > 1000 && number_after(&outcome.stdout, "changes") >= 8, "{outcome:#?}");
    }
}

#[test]
fn a_cap_that_lets_nobody_in_is_refused() {
    let outcome = run(&mut threads(&["cap_of_none"]));
    assert!(
        outcome.status == Some(2) && outcome.stderr.starts_with("panic: ") && outcome.stderr.contains("a soft cap of 0 lets no blocking call in"),
        "{outcome:#?}"
    );
}
