//! What the kernel sees: the system calls, their flags, the fallbacks (R14). Needs strace, which `ci/test` installs.

mod common;

use common::{Outcome, long, program, run};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Runs a program under strace with `options`; the trace comes as the second result.
fn strace(options: &[&str], name: &str, arguments: &[&str]) -> (Outcome, String) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let log = std::env::temp_dir().join(format!("gort-strace-{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed)));
    let outcome = run(Command::new("strace").args(["-f", "-qq", "-o"]).arg(&log).args(options).arg(program(name)).args(arguments));
    let trace = std::fs::read_to_string(&log).unwrap_or_default();
    let _ = std::fs::remove_file(&log);
    (outcome, trace)
}

/// The names of the calls in a trace.
fn calls(trace: &str) -> Vec<&str> {
    let rest = trace.lines().filter_map(|line| line.split_once(char::is_whitespace).map(|(_, rest)| rest.trim_start()));
    let names = rest.filter_map(|rest| rest.split_once('(')).map(|(name, _)| name);
    names.filter(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')).collect()
}

#[test]
fn a_thread_is_made_by_clone3_with_exactly_the_seven_flags() {
    let (outcome, trace) = strace(&["-e", "trace=clone,clone3"], "hello", &[]);
    assert_eq!(outcome.stdout, "hello from a goroutine\n", "{outcome:?}");
    let flags = "clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM|CLONE_SETTLS, exit_signal=0, ";
    assert!(trace.contains(flags), "{trace}");
}

#[test]
fn a_program_that_makes_no_goroutine_makes_no_thread() {
    let (outcome, trace) = strace(&["-e", "trace=clone,clone3,exit_group"], "sandbox", &["EPERM", "clone", "--", "/nowhere"]);
    assert!(outcome.stderr.contains("execve"), "{outcome:?}");
    assert!(trace.contains("exit_group") && !trace.contains("clone"), "{trace}");
}

#[test]
fn where_clone3_is_refused_clone_gets_the_same_flags() {
    for error in ["ENOSYS", "EPERM"] {
        let (outcome, trace) = strace(&["-e", "trace=clone,clone3", "-e", &format!("inject=clone3:error={error}")], "stress", &["1"]);
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        assert_eq!(trace.matches("clone3(").count(), 1, "it is not remembered: {trace}");
        let flags = "flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM|CLONE_SETTLS, ";
        assert!(trace.lines().any(|line| line.contains("clone(") && line.contains(flags)), "{trace}");
    }
}

#[test]
fn without_any_thread_the_program_goes_on_with_one() {
    let (outcome, _) = strace(&["-e", "trace=clone,clone3", "-e", "inject=clone3,clone:error=EAGAIN"], "stress", &["1"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
}

/// What a thread did about threads.
#[derive(PartialEq, Debug)]
enum Step {
    /// `clone3` said EAGAIN.
    Refused,
    Made,
    /// It slept for so many milliseconds.
    Paused(u64),
}

/// The steps of the first thread that made any, and when it began each, in seconds.
fn thread_making(options: &[&str], name: &str, arguments: &[&str]) -> (Outcome, Vec<Step>, Vec<f64>) {
    let (outcome, trace) = strace(&[&["-ttt", "-e", "trace=clone3,nanosleep"], options].concat(), name, arguments);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let (mut steps, mut times) = (Vec::new(), Vec::new());
    let first = trace.split_whitespace().next().expect("a call").to_string() + " ";
    for line in trace.lines().filter(|line| line.starts_with(&first)) {
        let step = match line {
            _ if line.contains("clone3(") && line.contains("INJECTED") => Step::Refused,
            _ if line.contains("clone3(") => Step::Made,
            _ if line.contains("nanosleep(") => {
                let ns: u64 = line.split("tv_nsec=").nth(1).and_then(|rest| rest.split('}').next()?.parse().ok()).expect("a time");
                Step::Paused(ns / 1_000_000)
            }
            _ => continue,
        };
        steps.push(step);
        times.push(line[first.len()..].split_whitespace().next().unwrap().parse().unwrap());
    }
    (outcome, steps, times)
}

#[test]
fn a_thread_that_is_refused_for_a_while_is_asked_for_again_after_growing_pauses() {
    use Step::{Made, Paused, Refused};
    let (outcome, steps, times) = thread_making(&["-e", "inject=clone3:error=EAGAIN:when=1..4"], "hello", &[]);
    let expected = [Refused, Paused(1), Refused, Paused(2), Refused, Paused(4), Refused, Paused(8), Made];
    assert!(steps.starts_with(&expected), "{steps:?}");
    for (n, pause_ms) in [(1, 1.0), (3, 2.0), (5, 4.0), (7, 8.0)] {
        let paused_ms = (times[n + 1] - times[n]) * 1e3;
        assert!(paused_ms >= pause_ms, "a pause of {pause_ms} ms was over after {paused_ms}");
    }
    assert_eq!(outcome.stdout, "hello from a goroutine\n", "{outcome:?}");
}

#[test]
fn where_threads_are_always_refused_six_attempts_are_made_and_the_next_ones_a_second_later() {
    let (outcome, steps, times) = thread_making(&["-e", "inject=clone3:error=EAGAIN"], "stress", &["4"]);
    let attempts: Vec<&[Step]> = steps.chunks(12).collect();
    let pauses = [1, 2, 4, 8, 16, 32].map(|ms| [Step::Refused, Step::Paused(ms)]).into_iter().flatten().collect::<Vec<_>>();
    // The program may end within the last.
    assert!(attempts.len() > 2 && attempts.iter().all(|attempt| pauses.starts_with(attempt)), "{steps:?}");
    let begun: Vec<f64> = times.iter().copied().step_by(12).collect();
    // One is for sysmon, another for an M: of three two are for the same.
    for three in begun.windows(3) {
        assert!(three[2] - three[0] >= 1.0, "three times six attempts within {} s", three[2] - three[0]);
    }
    // And with one thread the program goes on: nothing is lost.
    let [created, finished] = ["created", "finished"].map(|name| common::number_after(&outcome.stdout, name));
    assert!(created == finished && created > 1000, "{outcome:?}");
}

#[test]
fn only_calls_of_the_contract_are_made() {
    for (name, arguments) in [("hello", &[][..]), ("stress", &["1", "change"]), ("deaths", &["deadlock"]), ("deaths", &["overflow_goroutine"])] {
        let (_, trace) = strace(&[], name, arguments);
        let made = calls(&trace);
        assert!(made.contains(&"exit_group") && made.contains(&"mmap"), "{trace}");
        for call in made {
            let listed = call == "execve" || gort::__private::contract::CALLS.iter().any(|listed| listed.name == call);
            assert!(listed, "{name} makes {call}, which is not in the contract");
        }
    }
}

#[test]
fn without_guard_advice_stacks_are_guarded_by_mprotect() {
    let (outcome, trace) = strace(&["-e", "trace=madvise,mprotect", "-e", "inject=madvise:error=EINVAL"], "deaths", &["overflow_goroutine"]);
    assert!(outcome.stderr.starts_with("fatal error: stack overflow\n"), "{outcome:?}");
    assert!(trace.contains("mprotect(") && trace.contains("PROT_NONE"), "{trace}");
}

/// The numbers from 1 to `last`: all in a long run, else a sample. Each is tried by one of two threads of this test.
fn for_each_number(last: u32, sample: u32, attempt: impl Fn(u32) + Sync) {
    let step = if long() { 1 } else { sample };
    let numbers: Vec<u32> = (1..=last).step_by(step as usize).collect();
    let next = AtomicU32::new(0);
    std::thread::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| {
                while let Some(&number) = numbers.get(next.fetch_add(1, Relaxed) as usize) {
                    attempt(number);
                }
            });
        }
    });
}

#[test]
fn a_refused_mapping_ends_in_a_message_or_does_no_harm() {
    let right = run(&mut Command::new(program("mappings")));
    assert_eq!(right.status, Some(0), "{right:?}");
    for_each_number(200, 3, |number| {
        // Each thread counts its own calls: those that make so many have that one refused.
        let (outcome, trace) = strace(&["--seccomp-bpf", "-e", "trace=mmap", "-e", &format!("inject=mmap:error=ENOMEM:when={number}")], "mappings", &[]);
        assert!(trace.contains("INJECTED"), "mmap number {number} was never made");
        match outcome.status {
            Some(0) => assert_eq!(outcome.stdout, right.stdout),
            Some(2) => assert!(
                outcome.stderr.contains("fatal error: out of memory") || outcome.stderr.contains("fatal error: cannot start a thread"),
                "mmap number {number}: {outcome:?}"
            ),
            _ => panic!("mmap number {number}: {outcome:?}"),
        }
    });
}

#[test]
fn a_signal_at_any_futex_call_does_no_harm() {
    let right = run(&mut Command::new(program("mappings")));
    for_each_number(50, 5, |number| {
        // Each thread counts its own calls. A wait that a signal interrupts ends with EINTR if it has a timeout, else the kernel begins it anew.
        let inject = format!("inject=futex:signal=SIGURG:when={number}");
        let (outcome, trace) = strace(&["-e", "trace=futex", "-e", &inject], "mappings", &[]);
        assert!(trace.contains("SIGURG {si_signo=SIGURG, si_code=SI_KERNEL}"), "futex number {number} was never called");
        assert_eq!((outcome.status, &outcome.stdout), (Some(0), &right.stdout), "futex number {number}: {outcome:?}");
    });
}

#[test]
fn closed_descriptors_are_opened_on_dev_null() {
    let script = format!("exec {} 0<&- 1<&- 2<&-", program("hello").display());
    let outcome = run(Command::new("sh").args(["-c", &script]));
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), ""), "{outcome:?}");
}
