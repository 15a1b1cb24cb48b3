//! Traces: what a program says of its goroutines, on request and as it dies.
//!
//! `tests/programs/src/bin/traces.rs` has the scenarios. Where Go prints the same, the form is Go's (`golden` has both side by side).

mod common;

use common::{Outcome, program, run_for};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

fn traces(arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
    let mut command = Command::new(program("traces"));
    command.args(arguments).env_remove("GOTRACEBACK").env_remove("GODEBUG").envs(environment.iter().copied());
    run_for(&mut command, LIMIT)
}

/// The text after each of `texts`, in order.
fn in_order(text: &str, texts: &[&str]) {
    let mut rest = text;
    for part in texts {
        let at = rest.find(part).unwrap_or_else(|| panic!("no {part:?} in its place in:\n{text}"));
        rest = &rest[at + part.len()..];
    }
}

/// Each goroutine's part of a trace.
fn goroutines(text: &str) -> Vec<&str> {
    text.split("\n\n").filter(|part| part.starts_with("goroutine ")).collect()
}

/// Headers, names and lines of places, as Go has them, with numbers for digits.
fn shape(text: &str) -> String {
    let mut shape = String::new();
    let mut digits = false;
    for c in text.chars() {
        let digit = c.is_ascii_hexdigit() && (digits || c.is_ascii_digit());
        if !digit {
            shape.push(c);
        } else if !digits {
            shape.push('N');
        }
        digits = digit || digits && c == 'x';
    }
    shape.replace("Nx", "0x").replace("0xN", "0x")
}

#[test]
fn a_panic_and_a_fault_deep_in_calls_name_the_frames() {
    let frames = ["traces::inner(...)\n\t0x", " +0x", "traces::middle(...)\n\t0x", "traces::outer(...)\n\t0x"];
    let outcome = traces(&["panic"], &[]);
    assert_eq!(outcome.status, Some(2), "{outcome:#?}");
    in_order(&outcome.stderr, &[&["panic: deep\n", "\n\ngoroutine 1 [running]:\n"], &frames[..]].concat());
    assert_eq!(goroutines(&outcome.stderr).len(), 1);
    for hidden in ["gort::", "core::panicking", "__gort", "rust_begin_unwind"] {
        assert!(!outcome.stderr.contains(hidden), "{outcome:#?}");
    }
    let outcome = traces(&["segv"], &[]);
    assert_eq!(outcome.status, Some(2), "{outcome:#?}");
    in_order(
        &outcome.stderr,
        &[&["[signal SIGSEGV: segmentation violation code=0x1 addr=0x8 pc=0x", "goroutine 1 [running]:\ntraces::segv(...)\n"], &frames[..]].concat(),
    );
    // A jump to nowhere: who made it is found on top of the stack.
    let outcome = traces(&["null"], &[]);
    in_order(&outcome.stderr, &[&["goroutine 1 [running]:\n??(...)\n\t0x0\n"], &frames[..]].concat());
}

#[test]
fn what_is_smashed_ends_the_trace_and_not_more() {
    for _ in 0..10 {
        let outcome = traces(&["smash"], &[]);
        assert_eq!(outcome.status, Some(2), "{outcome:#?}");
        in_order(&outcome.stderr, &["traces::segv(...)\n", "traces::smash(...)\n", "0x4141414141414141"]);
        let outcome = traces(&["smash_heap"], &[]);
        assert_eq!(outcome.status, Some(2), "{outcome:#?}");
        in_order(&outcome.stderr, &["panic: with a broken heap\n", "traces::inner(...)\n", "traces::middle(...)\n"]);
    }
}

#[test]
fn goroutines_in_every_state_are_traced() {
    let check = |text: &str| {
        let all = goroutines(text);
        let one = |with: &str| *all.iter().find(|g| g.contains(with)).unwrap_or_else(|| panic!("no {with} in:\n{text}"));
        let made = "created by traces::zoo in goroutine 1\n\t0x";
        in_order(one("[chan receive]:"), &["traces::worker(...)\n\t0x", made]);
        in_order(one("[sleep]:"), &["traces::sleeper(...)\n\t0x", made]);
        in_order(one("[syscall]:"), &["traces::caller(...)\n\t0x", made]);
        in_order(one("[sleep, locked to thread]:"), &["traces::sleeper(...)\n\t0x"]);
        let hog = one("traces::hog(...)\n\t0x");
        in_order(hog, &[made]);
        // The seventh is new: it may have run meanwhile.
        assert!((6..=7).contains(&all.len()), "{text}");
        hog.contains(" [running]:\n")
    };
    // The world is stopped: who computes has been preempted.
    let outcome = traces(&["zoo"], &[]);
    in_order(&outcome.stdout, &["goroutine 1 [running]:\ntraces::trace(...)\n", "traces::main(...)\n"]);
    assert!(!check(&outcome.stdout), "{outcome:#?}");
    // A handler of a fault: who computes is stopped where it is, unless somebody else was to run just then.
    let ran = (0..10).filter(|_| {
        let outcome = traces(&["zoo_dies"], &[("GOMAXPROCS", "4")]);
        assert_eq!(outcome.status, Some(2), "{outcome:#?}");
        check(&outcome.stderr)
    });
    assert!(ran.count() > 0);
}

#[test]
fn a_deep_stack_has_its_ends() {
    let frames = |n: &str| {
        let outcome = traces(&["deep", n], &[]);
        assert_eq!(outcome.status, Some(0), "{outcome:#?}");
        (outcome.stdout.matches("traces::deep(...)\n").count(), outcome.stdout)
    };
    // 50 and 50, of which one is `trace` and one, if it has not been inlined, main.
    assert!(!frames("90").1.contains("elided"));
    let (count, text) = frames("1000");
    assert!((97..=99).contains(&count), "{count}: {text}");
    let line = text.lines().find(|line| line.ends_with(" frames elided...")).unwrap();
    let elided: usize = line.trim_start_matches("...").split(' ').next().unwrap().parse().unwrap();
    assert!((elided + count).abs_diff(1001) <= 1, "{elided} {count}");
}

/// Sends `signal` to a program once it has said that it is ready.
fn signalled(arguments: &[&str], environment: &[(&str, &str)], signal: &str) -> (std::process::ExitStatus, String) {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -c 0; exec \"$@\"", "sh"]).arg(program("traces")).args(arguments);
    command.env_remove("GOTRACEBACK").envs(environment.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let id = child.id().to_string();
    let (done, watched) = std::sync::mpsc::channel::<()>();
    // One that never gets so far, or does not die, is killed.
    let watch = std::thread::spawn(move || {
        if watched.recv_timeout(Duration::from_secs(60)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").args(["-KILL", &id]).status();
        }
    });
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n", "{arguments:?} is not ready after 60 s");
    assert!(Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap().success());
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    drop(done);
    watch.join().unwrap();
    (child.wait().unwrap(), text)
}

#[test]
fn sigquit_dumps_a_thousand_goroutines_as_go_does() {
    let (status, text) = signalled(&["crowd", "1000"], &[], "QUIT");
    assert_eq!(status.code(), Some(2), "{text}");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("SIGQUIT: quit"));
    let second = lines.next().unwrap();
    assert!(second.starts_with("PC=0x") && second.ends_with(" sigcode=0") && second.contains(" m="), "{second}");
    assert_eq!(lines.next(), Some(""));
    assert_eq!(text.matches("\ntraces::worker(...)\n").count(), 1000);
    // Main comes on top; and g0, number 0, if the signal has met that.
    assert_eq!(goroutines(&text).iter().filter(|g| !g.starts_with("goroutine 0 ")).count(), 1001);
    let one = goroutines(&text).into_iter().find(|g| g.contains("traces::worker(...)")).unwrap();
    assert!(shape(one).starts_with("goroutine N gp=0x m=nil [chan receive]:\n"), "{one}");
    in_order(
        one,
        &[
            "traces::worker(...)\n\t0x",
            " sp=0x",
            " pc=0x",
            "\ngort::sched::exit::entry(...)\n",
            "\ngort_go(...)\n",
            "created by traces::main in goroutine 1\n\t0x",
        ],
    );
    let registers: Vec<&str> = text.rsplit("\n\n").next().unwrap().lines().map(|line| line.split(' ').next().unwrap()).collect();
    let names = "rax rbx rcx rdx rdi rsi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip rflags cs fs gs";
    assert_eq!(registers.join(" "), names);
}

#[test]
fn who_computes_on_other_threads_is_in_the_dump_of_a_crash() {
    // Also where no signal preempts them: all of them get to a P all the same.
    for godebug in ["", "asyncpreemptoff=1"] {
        let (status, text) = signalled(&["hogs", "4"], &[("GOTRACEBACK", "crash"), ("GODEBUG", godebug)], "QUIT");
        assert_eq!(status.signal(), Some(6), "{godebug}: {text}");
        assert_eq!(text.matches("\ntraces::hog(...)\n").count(), 4, "{godebug}: {text}");
    }
}

#[test]
fn traces_of_those_who_come_out_of_system_calls_never_crash() {
    let outcome = traces(&["calls", "3000"], &[]);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "3000\n"), "{outcome:#?}");
}

#[test]
fn the_other_signals_of_a_death_are_named() {
    for (signal, name) in
        [("ABRT", "SIGABRT: abort"), ("TRAP", "SIGTRAP: trace trap"), ("SYS", "SIGSYS: bad system call"), ("STKFLT", "SIGSTKFLT: stack fault")]
    {
        let (status, text) = signalled(&["crowd", "1"], &[], signal);
        assert_eq!(status.code(), Some(2), "{text}");
        in_order(&text, &[&format!("{name}\nPC=0x"), "goroutine 1 gp=0x", "traces::worker(...)\n"]);
    }
    let outcome = traces(&["trap"], &[]);
    in_order(&outcome.stderr, &["SIGTRAP: trace trap\n", "goroutine 1 gp=0x", " [running]:\n", "traces::inner(...)\n"]);
    assert_eq!(traces(&["abort"], &[]).status, Some(2));
}

#[test]
fn gotraceback_says_how_much() {
    // How many goroutines, with the runtime's frames or without, and how it ends.
    let judge = |value: &str, asked: Option<&str>| {
        let mut command = Command::new("sh");
        command
            .args(["-c", "ulimit -c 0; exec \"$@\"", "sh"])
            .arg(program("traces"))
            .args(if asked.is_some() { vec!["set", "0"] } else { vec!["two"] })
            .args(asked);
        let output = command.env("GOTRACEBACK", value).stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.starts_with("panic: deep\n"), "{text}");
        (goroutines(&text).len(), text.contains("gort::"), output.status.code(), output.status.signal())
    };
    for (value, count, runtime) in [
        ("none", 0, false),
        ("0", 0, false),
        ("single", 1, false),
        ("", 1, false),
        ("all", 2, false),
        ("1", 2, false),
        ("system", 2, true),
        ("2", 2, true),
        ("7", 2, true),
        ("wer", 0, false),
        ("garbage", 0, false),
        ("-1", 0, false),
        ("99999999999", 0, false),
    ] {
        assert_eq!(judge(value, None), (count, runtime, Some(2), None), "GOTRACEBACK={value}");
    }
    assert_eq!(judge("crash", None), (2, true, None, Some(6)));
    // The program may ask for more, never for less.
    assert_eq!(judge("none", Some("all")).0, 2);
    assert_eq!(judge("none", Some("single")).0, 1);
    assert_eq!(judge("all", Some("none")).0, 2);
    assert_eq!(judge("system", Some("single")), (2, true, Some(2), None));
    assert_eq!(judge("none", Some("crash")), (2, true, None, Some(6)));
}

#[test]
fn a_stack_is_cut_off_where_the_buffer_ends() {
    let outcome = traces(&["stack"], &[("GOTRACEBACK", "system")]);
    assert_eq!(outcome.status, Some(0), "{outcome:#?}");
    // GOTRACEBACK is about deaths alone.
    assert!(!outcome.stdout.contains("gort::exit"), "{outcome:#?}");
    in_order(&outcome.stdout, &["goroutine 1 [running]:\n", "traces::outer(...)\n"]);
    let outcome = traces(&["print"], &[]);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), ""));
    in_order(&outcome.stderr, &["goroutine 1 [running]:\n", "traces::inner(...)\n", "traces::middle(...)\n"]);
}

#[test]
fn ancestors_are_kept_only_if_they_are_asked_for() {
    let origins = |knobs: &str| {
        let outcome = traces(&["ancestors"], &[("GODEBUG", knobs), ("GOMAXPROCS", "1")]);
        assert_eq!(outcome.status, Some(0), "{outcome:#?}");
        in_order(&outcome.stdout, &["goroutine 4 [running]:\n", "created by traces::grandchild in goroutine 3\n"]);
        let numbers = outcome.stdout.split("[originating from goroutine ").skip(1).map(|rest| rest.split(']').next().unwrap().to_string());
        let numbers = numbers.collect::<Vec<_>>().join(" ");
        (numbers, outcome.stdout)
    };
    assert_eq!(origins("").0, "");
    assert_eq!(origins("tracebackancestors=0").0, "");
    assert_eq!(origins("tracebackancestors=x").0, "");
    assert_eq!(origins("tracebackancestors=1").0, "3");
    assert_eq!(origins("tracebackancestors=2").0, "3 2");
    let (numbers, text) = origins("tracebackancestors=10");
    assert_eq!(numbers, "3 2 1");
    in_order(
        &text,
        &[
            "[originating from goroutine 3]:\ntraces::grandchild(...)\n\t0x",
            "created by traces::grandchild\n",
            "[originating from goroutine 1]:\n",
            "traces::main(...)\n",
        ],
    );
    // The second knob caps the first, and does nothing alone.
    assert_eq!(origins("tracebackancestors=10,tracebackswarmancestors=1").0, "3");
    assert_eq!(origins("tracebackswarmancestors=5").0, "");
}

#[test]
fn a_hundred_thousand_goroutines_are_traced_and_read() {
    let outcome = traces(&["crowd_dies", "100000"], &[("GOTRACEBACK", "all")]);
    assert_eq!(outcome.status, Some(2));
    assert_eq!(goroutines(&outcome.stderr).len(), 100_001);
    assert_eq!(traces(&["crowd_is_read", "100000"], &[]).stdout, "100000\n");
}

#[test]
fn traces_amid_a_storm_of_preemptions_never_crash() {
    let outcome = traces(&["torture", "100"], &[("GOMAXPROCS", "3")]);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "100\n"), "{outcome:#?}");
}

/// A copy of the program without its symbols.
fn stripped() -> std::path::PathBuf {
    let to = std::env::temp_dir().join(format!("gort-traces-{}", std::process::id()));
    assert!(Command::new("strip").arg("-o").arg(&to).arg(program("traces")).status().unwrap().success());
    to
}

#[test]
fn a_stripped_program_has_addresses_that_addr2line_takes() {
    let stripped = stripped();
    let outcome = run_for(Command::new(&stripped).arg("panic"), LIMIT);
    std::fs::remove_file(&stripped).unwrap();
    assert_eq!(outcome.status, Some(2), "{outcome:#?}");
    in_order(&outcome.stderr, &["goroutine 1 [running]:\n??(...)\n\t0x", "??(...)\n\t0x", "??(...)\n\t0x"]);
    let addresses = outcome.stderr.lines().filter(|line| line.starts_with("\t0x")).map(|line| line.trim().split(' ').next().unwrap());
    let text = Command::new("addr2line").args(["-f", "-C", "-e"]).arg(program("traces")).args(addresses).output().unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    in_order(&text, &["traces::inner", "traces.rs:", "traces::middle", "traces.rs:", "traces::outer", "traces.rs:"]);
}

#[test]
fn a_program_whose_file_is_gone_or_unreadable_has_addresses() {
    // Without /proc, or where nothing may be opened, there are no names: `tests/faults.rs` refuses each call. Here: no descriptor is left.
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 3; exec \"$@\"", "sh"]).arg(program("traces")).arg("panic");
    let outcome = run_for(&mut command, LIMIT);
    assert_eq!(outcome.status, Some(2), "{outcome:#?}");
    in_order(&outcome.stderr, &["panic: deep\n", "goroutine 1 [running]:\n??(...)\n\t0x"]);
    // Deleted, it is still there for who runs it.
    let copy = std::env::temp_dir().join(format!("gort-traces-gone-{}", std::process::id()));
    std::fs::copy(program("traces"), &copy).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "rm \"$0\"; exit 0"]).arg(&copy);
    let mut child = Command::new(&copy).args(["crowd", "1"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(command.status().unwrap().success());
    assert!(Command::new("kill").args(["-QUIT", &child.id().to_string()]).status().unwrap().success());
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2));
    in_order(&text, &["SIGQUIT: quit\n", "traces::worker(...)\n"]);
}

/// What stands in `golden`, with numbers and places made alike.
fn is_golden(name: &str, text: &str) {
    let path = common::root().join("tests/golden").join(format!("{name}.trace"));
    let shape = shape(text);
    if std::env::var_os("GORT_UPDATE").is_some() {
        std::fs::write(&path, &shape).unwrap();
    }
    assert_eq!(shape, std::fs::read_to_string(&path).unwrap(), "{text}");
}

#[test]
fn deaths_print_what_their_golden_files_have() {
    let deaths = |death: &str| {
        let mut command = Command::new(program("deaths"));
        run_for(command.arg(death).env_remove("GOTRACEBACK").env("GOMAXPROCS", "2"), LIMIT).stderr
    };
    is_golden("panic", &traces(&["panic"], &[]).stderr);
    is_golden("deadlock", &deaths("deadlock"));
    is_golden("goexit_main", &deaths("goexit_main"));
    let limit = deaths("thread_limit");
    let first = limit.lines().next().unwrap().to_string() + "\n";
    is_golden("thread_limit", &first);
    // Two are in calls; the third has been made and never run, or waits behind it.
    assert_eq!(limit.matches(" [syscall]:\ndeaths::sleep_in_the_kernel(...)\n\t0x").count(), 3, "{limit}");
}

#[test]
fn a_program_at_a_chance_address_has_the_same_names() {
    let target = common::root().join("target/static-pie");
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--release", "-p", "gort-programs", "--bin", "traces", "--features", "gort/static-pie", "--target-dir"]).arg(&target);
    assert!(build.current_dir(common::root()).status().unwrap().success());
    let program = target.join("release/traces");
    let outcome = run_for(Command::new(&program).arg("panic"), LIMIT);
    assert_eq!(outcome.status, Some(2), "{outcome:#?}");
    in_order(&outcome.stderr, &["goroutine 1 [running]:\n", "traces::inner(...)\n\t0x", "traces::middle(...)\n\t0x", "traces::outer(...)\n\t0x"]);
    let addresses = outcome.stderr.lines().filter(|line| line.starts_with("\t0x")).map(|line| line.trim().split(' ').next().unwrap());
    let text = Command::new("addr2line").args(["-f", "-C", "-e"]).arg(&program).args(addresses).output().unwrap();
    in_order(&String::from_utf8(text.stdout).unwrap(), &["traces::inner", "traces::middle", "traces::outer"]);
}
