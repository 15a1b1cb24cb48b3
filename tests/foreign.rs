//! What others do to a running program: signals that they send to it or to one of its threads, and a debugger that stops it.

mod common;

use common::{Outcome, program, run};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A program in the middle of things: `hogs` computes on every P, `sleeps` does nothing for ever.
fn start(what: &str) -> Child {
    let (name, arguments): (_, &[&str]) = if what == "hogs" { ("torture", &["60", "1000"]) } else { ("timers", &["idle"]) };
    // A shell's job in the background ignores SIGINT and SIGQUIT, and so would the child.
    let mut command = Command::new("env");
    command.arg("--default-signal").arg(program(name)).args(arguments);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    // sysmon's thread is there: the program has begun.
    while !threads(child.id()).iter().any(|(_, name)| name == "gort-sysmon") {
        assert!(start.elapsed() < Duration::from_secs(30), "{what} has not begun");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

/// Its threads, with their names.
fn threads(pid: u32) -> Vec<(u32, String)> {
    let folder = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let named = folder.filter_map(|entry| {
        let name = std::fs::read_to_string(entry.path().join("comm")).ok()?;
        Some((entry.file_name().to_str()?.parse().ok()?, name.trim().to_string()))
    });
    named.collect()
}

/// The kernel's own action, as in Go: name, number.
const KILLS: [(&str, i32); 3] = [("TERM", 15), ("INT", 2), ("HUP", 1)];
/// Fatal with a message, as in Go.
const FAULTS: [(&str, &str); 4] = [
    ("SEGV", "SIGSEGV: segmentation violation"),
    ("BUS", "SIGBUS: bus error"),
    ("FPE", "SIGFPE: floating-point exception"),
    ("ILL", "SIGILL: illegal instruction"),
];

fn kill(signal: &str, pid: u32) {
    assert!(Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).status().unwrap().success());
}

/// By tgkill, to one thread.
fn kill_thread(signal: &str, pid: u32, tid: u32) {
    let script = format!("import ctypes, signal; ctypes.CDLL(None).syscall(234, {pid}, {tid}, int(signal.SIG{signal}))");
    assert!(Command::new("python3").args(["-c", &script]).status().unwrap().success());
}

/// Waits for its end: the status, the signal that ended it, and what it has said on stderr.
fn end(child: Child) -> (Option<i32>, Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    (output.status.code(), output.status.signal(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn signals_that_end_a_program_end_it_whatever_it_does() {
    for what in ["hogs", "sleeps"] {
        for (name, number) in KILLS {
            let child = start(what);
            kill(name, child.id());
            assert_eq!(end(child), (None, Some(number), String::new()), "SIG{name} to {what}");
        }
    }
}

#[test]
fn a_signal_to_any_thread_that_runs_goroutines_ends_the_program() {
    for nth in 0..3 {
        let child = start("hogs");
        let mut threads: Vec<_> = threads(child.id()).into_iter().filter(|(_, name)| name != "gort-sysmon").collect();
        threads.sort_unstable();
        kill_thread("TERM", child.id(), threads[nth % threads.len()].0);
        assert_eq!(end(child), (None, Some(15), String::new()), "thread {nth} of {threads:?}");
    }
}

#[test]
fn a_fault_that_somebody_sends_is_named_with_its_sender() {
    for what in ["hogs", "sleeps"] {
        for (signal, name) in FAULTS {
            let child = start(what);
            let mut sender = Command::new("sh").args(["-c", &format!("echo $$; kill -{signal} {}", child.id())]).stdout(Stdio::piped()).spawn().unwrap();
            sender.wait().unwrap();
            let pid = sender.id();
            let (status, _, said) = end(child);
            assert_eq!(status, Some(2), "SIG{signal} to {what}: {said}");
            assert!(said.contains("fatal error: unexpected signal\n"), "SIG{signal} to {what}: {said}");
            assert!(said.contains(&format!("[signal {name} code=0x0 sent by process {pid} pc=0x")), "SIG{signal} to {what}: {said}");
        }
    }
}

fn gdb(name: &str, arguments: &[&str], commands: &[&str]) -> Outcome {
    let mut command = Command::new("gdb");
    command.args(["-nx", "-batch", "-ex", "handle SIGURG nostop noprint pass"]);
    commands.iter().for_each(|text| _ = command.args(["-ex", text]));
    run(command.arg("--args").arg(program(name)).args(arguments))
}

#[test]
fn a_debugger_stops_at_a_line_of_a_goroutine_and_names_the_threads() {
    // Some stops later there are threads of goroutines beside the first one, which keeps the program's name.
    let outcome = gdb("torture", &["30", "1000"], &["break preempted", "run", "ignore 1 50", "continue", "info threads", "backtrace", "kill"]);
    for text in ["Breakpoint 1, ", "\"torture\"", "\"gort-m", "\"gort-sysmon\"", "preempted ()"] {
        assert!(outcome.stdout.contains(text), "no `{text}`: {outcome:#?}");
    }
}

#[test]
fn a_debugger_stops_a_program_ten_times_and_lets_it_end() {
    // Ten hits of one place, the program going on between them, and then to its end.
    let mut commands = vec!["break gosched", "run"];
    commands.extend(["continue"; 9]);
    commands.extend(["delete", "continue"]);
    let outcome = gdb("proc", &["yield"], &commands);
    assert!(outcome.stdout.matches("hit Breakpoint 1").count() == 10 && outcome.stdout.contains("done"), "{outcome:#?}");
    assert!(outcome.stdout.contains("exited normally"), "{outcome:#?}");
}
