//! How programs die: the message, the exit status, and no hang.

mod common;

use common::{program, run_for};
use std::process::Command;
use std::time::Duration;

/// Dies as `death` says; its standard error must contain all of `texts` in order.
fn dies(death: &str, texts: &[&str]) -> common::Outcome {
    let outcome = run_for(Command::new(program("deaths")).arg(death), Duration::from_secs(30));
    assert_eq!(outcome.status, Some(2), "{death}: {outcome:#?}");
    let mut rest = outcome.stderr.as_str();
    for text in texts {
        let at = rest.find(text).unwrap_or_else(|| panic!("{death}: no {text:?} in {outcome:#?}"));
        rest = &rest[at + text.len()..];
    }
    outcome
}

#[test]
fn a_deadlock_names_every_goroutine() {
    dies("deadlock", &["fatal error: all goroutines are asleep - deadlock!\n\n", "goroutine 1 [chan receive]:", "[sync.Mutex.Lock]:"]);
}

#[test]
fn goexit_of_main_lets_the_others_end_first() {
    let outcome = dies("goexit_main", &["fatal error: no goroutines (main called runtime.Goexit) - deadlock!"]);
    assert_eq!(outcome.stdout, "deferred\nthe other goroutine ends\n");
}

#[test]
fn a_panic_runs_deferred_calls_and_prints_its_goroutine() {
    let outcome = dies("panic", &["panic: with 42\n", "\n\ngoroutine 1 [running]:\n"]);
    assert_eq!(outcome.stdout, "deferred last\ndeferred first\n");
    dies("panic_of_lines", &["panic: one line\n\tand another\n\t\n\tat tests/programs/src/bin/deaths.rs:", "\n\ngoroutine 1 [running]:\n"]);
    dies("panic_in_goroutine", &["panic: in a goroutine\n", " [running]:\n"]);
    dies("panic_in_scope", &["panic: in the body\n", "goroutine 1 [running]:\n"]);
    dies("panic_in_panic", &["panic: while printing"]);
}

#[test]
fn a_panic_in_a_deferred_call_is_printed_behind_the_first() {
    let place = "\n\tat tests/programs/src/bin/deaths.rs:";
    let outcome =
        dies("panic_in_deferred_call", &["panic: the first", place, "\n\tpanic: the second: 0 1 2 3 ", " 998 999 ", place, "\n\tpanic: the third", place]);
    assert!(outcome.stderr.starts_with("panic: the first"), "{outcome:#?}");
    // Each of the three is there once, and the calls that were deferred before them have run.
    assert_eq!((outcome.stderr.matches("panic: ").count(), outcome.stdout.as_str()), (3, "deferred first\n"), "{outcome:#?}");
}

#[test]
fn a_panic_that_yields_while_it_is_printed_is_printed() {
    for procs in ["1", "2", "4"] {
        for _ in 0..20 {
            let outcome = run_for(Command::new(program("deaths")).arg("panic_that_yields").env("GOMAXPROCS", procs), Duration::from_secs(30));
            assert_eq!(outcome.status, Some(2), "{outcome:#?}");
            assert!(outcome.stderr.starts_with("panic: it yields\n\tat ") && outcome.stderr.contains("\n\ngoroutine 1 [running]:\n"), "{outcome:#?}");
        }
    }
}

#[test]
fn panics_and_goexit_end_each_other() {
    let outcome = dies("panic_after_goexit", &["panic: hello\n", "\n\ngoroutine 1 [running]:\n"]);
    assert!(outcome.stderr.starts_with("panic: hello\n"), "{outcome:#?}");
    // A deferred call that exits ends the panic with its goroutine: main had gone, and nobody is left.
    let outcome = dies("goexit_in_panic", &["fatal error: no goroutines (main called runtime.Goexit) - deadlock!\n"]);
    assert!(!outcome.stderr.contains("hello") && outcome.stdout == "deferred first\n", "{outcome:#?}");
}

#[test]
fn a_panic_lists_no_goroutine_that_the_program_did_not_start() {
    let headers = |level: &str| {
        let outcome = run_for(Command::new(program("deaths")).arg("no_helpers").env("GOTRACEBACK", level), Duration::from_secs(30));
        assert!(outcome.status == Some(2) && outcome.stderr.starts_with("panic: oops\n"), "{outcome:#?}");
        outcome.stderr.lines().filter(|line| line.starts_with("goroutine ")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(headers("single"), "goroutine 1 [running]:");
    // Timers have none; that of finalizers shows itself to who asks for all.
    assert_eq!(headers("all"), "goroutine 1 [running]: goroutine 2 [finalizer wait]:");
}

#[test]
fn of_eight_panics_one_is_printed() {
    for _ in 0..20 {
        let outcome = dies("eight_panics", &["panic: number "]);
        assert_eq!(outcome.stderr.matches("panic: number").count(), 1, "{outcome:#?}");
    }
}

#[test]
fn overflows_are_named() {
    dies("overflow_main", &["fatal error: stack overflow\n", "goroutine 1 [running]:"]);
    dies("overflow_goroutine", &["fatal error: stack overflow\n", "goroutine 2 [running]:", "goroutine 1 ["]);
}

#[test]
fn an_overflow_of_the_schedulers_own_stack_is_named() {
    let outcome = dies("overflow_g0", &["fatal error: stack overflow on g0 of M", "\n[signal SIGSEGV", "goroutine 1 ["]);
    assert!(!outcome.stderr.contains("on g0 of M0\n"), "{outcome:?}");
    dies("overflow_g0_first", &["fatal error: stack overflow on g0 of M0\n"]);
}

#[test]
fn any_thread_ends_the_process_at_once() {
    // The first thread sleeps in the kernel for eleven days.
    for _ in 0..5 {
        dies("elsewhere_panic", &["panic: elsewhere\n", "goroutine 2 [running]:\n"]);
        dies("elsewhere_panic_in_panic", &["panic: while printing\n"]);
        dies("elsewhere_overflow", &["fatal error: stack overflow\n", "goroutine 2 [running]:", "goroutine 1 ["]);
        dies("elsewhere_segv", &["[signal SIGSEGV: segmentation violation code=0x1 addr=0x8 pc="]);
        dies("elsewhere_throw", &["fatal error: goroutine 2 used the scheduler inside a system call"]);
        assert_eq!(run_for(Command::new(program("deaths")).arg("elsewhere_exit"), Duration::from_secs(30)).status, Some(7));
        dies("elsewhere_deadlock", &["fatal error: all goroutines are asleep - deadlock!\n", "goroutine 1 [chan receive]:", "goroutine 2 [chan receive]:"]);
    }
}

#[test]
fn a_page_that_its_file_has_lost_is_named() {
    let outcome = dies("sigbus", &["fatal error: unexpected signal\n[signal SIGBUS: bus error code=0x2 addr="]);
    assert!(outcome.stderr.contains(&format!("addr={} ", outcome.stdout.trim())), "{outcome:?}");
}

#[test]
fn at_the_thread_limit_the_program_dies_only_if_nobody_comes_back() {
    dies(
        "thread_limit",
        &[
            "fatal error: program exceeds 3-thread limit: every thread is blocked in a system call or locked to another goroutine, and goroutines are runnable\n",
            "[syscall]:",
        ],
    );
    let outcome = run_for(Command::new(program("deaths")).arg("thread_limit_for_a_while"), Duration::from_secs(30));
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "it runs\n"), "{outcome:?}");
}

#[test]
fn faults_are_named_with_their_address() {
    dies("segv", &["fatal error: unexpected signal\n[signal SIGSEGV: segmentation violation code=0x1 addr=0x8 pc="]);
    dies("ill", &["[signal SIGILL: illegal instruction"]);
    dies("fpe", &["[signal SIGFPE: floating-point exception"]);
}

#[test]
fn out_of_memory_is_a_message() {
    dies("oom", &["fatal error: out of memory: cannot allocate 140737488355328 bytes\n"]);
}

#[test]
fn misuse_panics_in_gos_words() {
    dies("closed", &["panic: send on closed channel\n"]);
    dies("double_close", &["panic: close of closed channel\n"]);
    dies("negative", &["panic: sync: negative WaitGroup counter\n"]);
}

#[test]
fn exit_ends_the_process_from_any_goroutine() {
    assert_eq!(run_for(Command::new(program("deaths")).arg("exit"), Duration::from_secs(30)).status, Some(7));
}
