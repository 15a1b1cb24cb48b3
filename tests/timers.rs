//! Timers: what their contracts say, many of them, without what the kernel may lack, and no work while nothing is due.

mod common;

use common::{Child, Outcome, is_long, number_after, program, run, storm_seconds, traced};
use std::process::Command;
use std::time::Duration;

fn timers_at(procs: &str, arguments: &[&str]) -> Outcome {
    let outcome = run(Command::new(program("timers")).args(arguments).env("GOMAXPROCS", procs));
    assert_eq!(outcome.status, Some(0), "GOMAXPROCS={procs} {arguments:?}: {outcome:#?}");
    println!("GOMAXPROCS={procs} {arguments:?}: {}", outcome.stdout.trim());
    outcome
}

/// Among them: no value of before is received after `stop` or `reset` (Go 1.23).
#[test]
fn contracts_hold() {
    for procs in ["1", "2", "8"] {
        timers_at(procs, &["contracts"]);
    }
}

#[test]
fn a_storm_of_timers_loses_none() {
    for procs in ["1", "2", "8"] {
        timers_at(procs, &["storm", &storm_seconds().to_string()]);
    }
}

#[test]
fn a_crowd_sleeps_and_wakes() {
    let count = if is_long() { "1000000" } else { "100000" };
    let outcome = timers_at("2", &["million", count]);
    assert!(outcome.stdout.starts_with(&format!("{count} slept")), "{outcome:?}");
}

#[test]
fn who_sleeps_for_ever_is_not_deadlocked() {
    let mut child = Child::start(Command::new(program("timers")).arg("forever"));
    std::thread::sleep(Duration::from_secs(2));
    assert!(child.0.try_wait().unwrap().is_none(), "it ended");
}

#[test]
fn who_waits_for_stopped_timers_is_deadlocked() {
    let outcome = run(Command::new(program("timers")).arg("dead"));
    assert_eq!(outcome.status, Some(2), "{outcome:#?}");
    assert!(outcome.stderr.starts_with("fatal error: all goroutines are asleep - deadlock!"), "{outcome:#?}");
}

/// The kernel's own tick is 1 to 4 ms: a sleep that is rounded to it takes 1 ms at least.
#[test]
fn sleeps_of_50_us_are_not_rounded_to_a_millisecond() {
    let mut seen = Vec::new();
    let holds = (0..5).any(|_| {
        let outcome = timers_at("2", &["short"]);
        seen.push(number_after(&outcome.stdout, "p50_us"));
        seen.last().is_some_and(|&p50| (50..900).contains(&p50))
    });
    assert!(holds, "p50 in us, of five runs: {seen:?}");
}

#[test]
fn many_short_sleeps_share_their_wake_ups() {
    let outcome = timers_at("2", &["coalesce"]);
    let [slept, passes] = ["slept", "passes"].map(|name| number_after(&outcome.stdout, name));
    assert!(slept > 10_000 && passes * 10 < slept, "{outcome:?}");
    let (outcome, trace) = traced(&["-E", "GOMAXPROCS=2", "-e", "trace=futex,read,timerfd_settime,rt_tgsigqueueinfo"], "timers", &["coalesce"]);
    let (slept, calls) = (number_after(&outcome.stdout, "slept"), trace.lines().count() as u64);
    println!("{calls} system calls for {slept} sleeps under strace");
    assert!(calls * 2 < slept, "{calls} system calls for {slept} sleeps");
}

#[test]
fn without_a_timerfd_a_futex_is_the_alarm() {
    for error in ["ENOSYS", "EMFILE"] {
        for (name, arguments) in [("timers", &["contracts"][..]), ("timers", &["storm", "1"]), ("hogs", &["starve"])] {
            let (outcome, trace) = traced(&["-e", "trace=timerfd_create", "-e", &format!("inject=timerfd_create:error={error}")], name, arguments);
            assert_eq!(outcome.status, Some(0), "{error}: {outcome:#?}");
            assert!(trace.contains("INJECTED"), "{trace}");
        }
    }
}

/// Bit 6 of the last argument is left out: no second P would find a thread.
#[test]
fn without_a_thread_for_sysmon_timers_work_all_the_same() {
    let (outcome, trace) = traced(&["-e", "trace=clone3,clone", "-e", "inject=clone3,clone:error=EAGAIN"], "timers", &["storm", "1"]);
    assert_eq!(outcome.status, Some(0), "{outcome:#?}");
    assert!(trace.contains("INJECTED"), "{trace}");
}

#[test]
fn a_storm_that_is_stopped_and_continued_loses_no_timer() {
    let child = Child::start(Command::new(program("timers")).args(["storm", "2"]).env("GOMAXPROCS", "4"));
    for _ in 0..15 {
        std::thread::sleep(Duration::from_millis(60));
        child.signal("STOP");
        std::thread::sleep(Duration::from_millis(40));
        child.signal("CONT");
    }
    let outcome = child.wait(Duration::from_secs(60));
    assert!(outcome.status == Some(0) && outcome.stdout.contains("none lost"), "{outcome:#?}");
}

/// A keeper's timed wait ends with EINTR each time.
#[test]
fn a_storm_under_foreign_signals_loses_no_timer() {
    for to_threads in [false, true] {
        let (outcome, sent) = Child::start(Command::new(program("timers")).args(["storm", "2"]).env("GOMAXPROCS", "4")).wait_under_signals(to_threads);
        assert!(outcome.status == Some(0) && outcome.stdout.contains("none lost"), "{outcome:#?}");
        assert!(sent > 100);
    }
}

/// The system calls that a program makes in `window`, once it has run for `settle`: their lines.
fn calls_once_settled(scenario: &str, procs: &str, settle: Duration, window: Duration) -> String {
    let child = Child::start(Command::new(program("timers")).arg(scenario).env("GOMAXPROCS", procs));
    std::thread::sleep(settle);
    let log = std::env::temp_dir().join(format!("gort-idle-{}-{scenario}-{procs}", std::process::id()));
    // What a thread is in as strace attaches is reported as its end: `<... resumed>`, or as restarted.
    let strace = Command::new("strace").args(["-f", "-qq", "-o"]).arg(&log).args(["-p", &child.pid().to_string()]).spawn().unwrap();
    let strace = Child(strace);
    std::thread::sleep(Duration::from_millis(500) + window);
    strace.signal("INT");
    let mut strace = strace;
    strace.0.wait().unwrap();
    let trace = std::fs::read_to_string(&log).unwrap();
    let _ = std::fs::remove_file(&log);
    trace
}

fn settle_and_window() -> (Duration, Duration) {
    if is_long() { (Duration::from_secs(15), Duration::from_secs(10)) } else { (Duration::from_secs(2), Duration::from_secs(3)) }
}

#[test]
fn an_idle_program_makes_no_system_call() {
    let (settle, window) = settle_and_window();
    for procs in ["1", "8"] {
        let trace = calls_once_settled("idle", procs, settle, window);
        // One line a thread: the wait that it is in, without an end.
        let calls: Vec<&str> = trace.lines().filter(|line| !line.contains("<unfinished ...>") && !line.ends_with("<detached ...>")).collect();
        assert!(!trace.is_empty() && calls.is_empty(), "{trace}");
    }
}

#[test]
fn a_ticker_of_one_second_costs_a_handful_of_calls_a_tick() {
    let (settle, window) = settle_and_window();
    let trace = calls_once_settled("ticker", "2", settle, window);
    let calls = trace.lines().filter(|line| line.contains('(') || line.contains("resumed>")).count() as u64;
    println!("{calls} calls in {window:?}");
    assert!((2..=12 * (window.as_secs() + 1)).contains(&calls), "{trace}");
}
