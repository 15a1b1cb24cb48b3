//! Programs of tests of users' own code: `test!` and `test_main!`. Beside them the same tests, run by std's harness, whose output and exit status are the measure.

mod common;

use common::{Child, Outcome, program, root, run, run_for};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// What std's harness finds in place of gort.
const STAND_IN: &str = r#"
pub use std::{eprintln, print, println};
#[macro_export]
macro_rules! test {
    ($($(#[$attribute:meta])* $vis:vis fn $name:ident() $(-> $result:ty)? $body:block)*) => {
        $(#[test] $(#[$attribute])* $vis fn $name() $(-> $result)? $body)*
    };
}
"#;

/// `tests/programs/src/cases`, made by `rustc --test`.
fn by_std() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("gort-tested-by-std-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("gort.rs"), STAND_IN).unwrap();
        let cases = root().join("tests/programs/src/cases/mod.rs");
        std::fs::write(folder.join("tested.rs"), format!("#[path = {cases:?}] mod cases;")).unwrap();
        let rustc = |arguments: &[&str]| {
            let outcome = run(Command::new("rustc").args(["--edition", "2024"]).args(arguments).current_dir(&folder));
            assert_eq!(outcome.status, Some(0), "{outcome:#?}");
        };
        rustc(&["--crate-type", "rlib", "--crate-name", "gort", "gort.rs"]);
        rustc(&["--test", "--extern", "gort=libgort.rlib", "tested.rs", "-o", "tested"]);
        folder.join("tested")
    });
    built.clone()
}

fn with(path: PathBuf, arguments: &[&str], procs: &str) -> Outcome {
    let mut command = Command::new(path);
    command.args(arguments).env("GOMAXPROCS", procs).env("RUST_BACKTRACE", "0").env_remove("RUST_TEST_THREADS").env_remove("RUST_TEST_NOCAPTURE");
    run_for(&mut command, Duration::from_secs(120))
}

/// What both are to print alike: no times, no traces, of panics the message alone.
fn alike(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut rest = text.lines().peekable();
    while let Some(line) = rest.next() {
        if line.starts_with("thread '") && line.contains("panicked at") {
            assert_eq!(lines.pop().as_deref(), Some(""), "a line before a panic of std");
            while rest.peek().is_some_and(|line| !line.is_empty() && !line.starts_with("note: ") && !line.starts_with("---- ")) {
                lines.push(format!("panic: {}", rest.next().unwrap()));
            }
            // Only behind the first panic.
            rest.next_if(|line| line.starts_with("note: run with `RUST_BACKTRACE"));
        } else if let Some(message) = line.strip_prefix("panic: ") {
            lines.push(format!("panic: {message}"));
            while rest.peek().is_some_and(|line| !line.starts_with("\tat ")) {
                // Go's tab behind each end of a line of a message.
                let line = rest.next().unwrap();
                lines.push(format!("panic: {}", line.strip_prefix('\t').unwrap_or_else(|| panic!("a line that is not indented: {text}"))));
            }
            let is_trace = |line: &str| line.starts_with('\t') || line.starts_with("goroutine ") || line.starts_with("created by ") || line.ends_with("(...)");
            rest.next();
            assert_eq!(rest.next(), Some(""), "{text}");
            assert!(rest.peek().is_some_and(|line| line.starts_with("goroutine ")), "{text}");
            while rest.peek().is_some_and(|line| is_trace(line)) {
                rest.next();
            }
        } else if let Some((head, _)) = line.split_once("note: test did not panic as expected at ") {
            lines.push(format!("{head}note: test did not panic as expected"));
        } else if let Some((head, _)) = line.split_once("; finished in ") {
            lines.push(head.into());
        } else {
            lines.push(line.into());
        }
    }
    lines
}

fn assert_alike(ours: &[String], theirs: &[String], what: &str) {
    let first = ours.iter().zip(theirs).position(|(ours, theirs)| ours != theirs).unwrap_or(ours.len().min(theirs.len()));
    assert!(ours == theirs, "{what}, line {first}: {:?} in place of {:?}\n{}", ours.get(first), theirs.get(first), ours.join("\n"));
}

const ARGUMENTS: &[&[&str]] = &[
    &[],
    &["fails"],
    &["fails", "as_expected"],
    &["cases::passes", "--exact"],
    &["passes", "--exact"],
    &["--exact", "cases::passes", "cases::fails", "cases::no_such"],
    &["--skip", "many", "--skip=fails"],
    &["--skip", "cases::fails", "--exact", "--skip", "cases::passes"],
    &["cases::fails", "--skip", "assertion"],
    &["many"],
    &["nothing_is_called_this"],
    &["--ignored"],
    &["--include-ignored", "--skip", "many"],
    &["--ignored", "fails"],
    &["--list"],
    &["--list", "--format", "terse"],
    &["--list", "--ignored"],
    &["--list", "panics"],
    &["--list", "cases::passes", "--exact"],
    &["-q"],
    &["-q", "many"],
    &["--quiet", "--ignored"],
    &["--format=terse", "--skip", "many"],
    &["--format", "pretty", "panics"],
    &["--show-output", "--skip", "many"],
    &["--nocapture", "passes"],
    &["--nocapture", "--skip", "many"],
    &["--no-capture", "-q", "panics"],
    &["--test", "--color", "never", "passes"],
    &["--", "fails", "--exact"],
    &["--bogus"],
    &["--bogus=1"],
    &["--skip"],
    &["--exact=1"],
    &["--test-threads=0"],
    &["--test-threads=x"],
    &["--test-threads"],
    &["--ignored", "--include-ignored"],
];

#[test]
fn one_at_a_time_the_output_is_that_of_stds_harness() {
    for arguments in ARGUMENTS {
        // Behind what asks for errors nothing is to follow.
        let is_wrong = arguments.iter().any(|argument| argument.contains("bogus") || argument.contains("threads")) || arguments == &["--skip"];
        let all: Vec<&str> = if is_wrong { arguments.to_vec() } else { [&["--test-threads", "1"], *arguments].concat() };
        let theirs = with(by_std(), &all, "1");
        for procs in ["1", "2", "8"] {
            let ours = with(program("tested"), &all, procs);
            assert_alike(&alike(&ours.stdout), &alike(&theirs.stdout), &format!("{all:?} at GOMAXPROCS={procs}"));
            assert_eq!(ours.status, theirs.status, "{all:?}");
            if theirs.stderr.starts_with("error: ") {
                assert_eq!(ours.stderr, theirs.stderr, "{all:?}");
            }
        }
    }
}

#[test]
fn several_at_a_time_the_lines_are_those_of_stds_harness() {
    let sorted = |outcome: &Outcome| {
        let mut lines = alike(&outcome.stdout);
        lines.sort();
        lines
    };
    for arguments in [&["--include-ignored"][..], &["--show-output"], &["--skip", "many"]] {
        let theirs = with(by_std(), &[arguments, &["--test-threads", "4"]].concat(), "4");
        for procs in ["1", "2", "8"] {
            for more in [&[][..], &["--test-threads", "4"], &["--test-threads=1000"]] {
                // With one P and no flag, one test runs at a time.
                if procs == "1" && more.is_empty() {
                    continue;
                }
                let ours = with(program("tested"), &[arguments, more].concat(), procs);
                assert_alike(&sorted(&ours), &sorted(&theirs), &format!("{arguments:?} {more:?} at GOMAXPROCS={procs}"));
                assert_eq!(ours.status, theirs.status);
            }
        }
    }
}

#[test]
fn the_environment_counts_as_in_stds_harness() {
    for (name, value) in [("RUST_TEST_THREADS", "1"), ("RUST_TEST_NOCAPTURE", "1"), ("RUST_TEST_NOCAPTURE", "0")] {
        let run = |path| run(Command::new(path).args(["passes", "--test-threads=1"]).env("RUST_BACKTRACE", "0").env(name, value));
        let (ours, theirs) = (run(program("tested")), run(by_std()));
        assert_eq!(alike(&ours.stdout), alike(&theirs.stdout), "{name}={value}");
    }
    let run = |path| run(Command::new(path).arg("passes").env("RUST_TEST_THREADS", "1"));
    assert_eq!(alike(&run(program("tested")).stdout), alike(&run(by_std()).stdout));
    let wrong = Command::new(program("tested")).env("RUST_TEST_THREADS", "none").output().unwrap();
    let told = "error: RUST_TEST_THREADS is `none`, should be a positive integer.\n";
    assert_eq!((wrong.status.code(), String::from_utf8_lossy(&wrong.stderr).as_ref()), (Some(101), told));
}

#[test]
fn the_help_names_every_flag_that_is_taken() {
    let help = with(program("tested"), &["--help"], "1");
    assert_eq!(help.status, Some(0));
    let flags: Vec<&str> = help.stdout.split_whitespace().filter(|word| word.starts_with("--") && word.len() > 2).collect();
    for flag in flags.iter().map(|flag| flag.split(['=', ')', ':', '.']).next().unwrap()).filter(|flag| *flag != "--help") {
        let value = match flag {
            "--format" => "pretty",
            "--color" => "never",
            "--skip" => "x",
            "--test-threads" | "--warn-after" => "2",
            _ => "",
        };
        let mut arguments = vec![flag];
        arguments.extend((!value.is_empty()).then_some(value));
        arguments.push("passes");
        let outcome = with(program("tested"), &arguments, "1");
        assert_eq!(outcome.status, Some(0), "{arguments:?}: {outcome:#?}");
    }
    assert!(flags.len() >= 13, "{flags:?}");
}

/// The part of the output that belongs to `test`.
fn section<'a>(outcome: &'a Outcome, test: &str) -> &'a str {
    let head = format!("---- {test} stdout ----\n");
    let at = outcome.stdout.find(&head).unwrap_or_else(|| panic!("no output of {test}: {outcome:#?}")) + head.len();
    let rest = &outcome.stdout[at..];
    &rest[..rest.find("\n---- ").unwrap_or(rest.len())]
}

#[test]
fn a_panic_ends_its_goroutine_and_fails_its_test_and_no_other() {
    for procs in ["1", "2", "8"] {
        for at_once in ["1", "3", "100"] {
            let outcome = with(program("trials"), &["alive", "--test-threads", at_once], procs);
            assert_eq!(outcome.status, Some(101), "{outcome:#?}");
            assert!(outcome.stdout.contains("\ntest result: FAILED. 2 passed; 10 failed; 0 ignored; 0 measured; "), "{outcome:#?}");
            let all = |test: &str, texts: &[&str]| {
                let section = section(&outcome, &format!("alive::{test}"));
                let mut at = 0;
                for text in texts {
                    at += section[at..].find(text).unwrap_or_else(|| panic!("{test}: no {text:?} from {at} on in {section}"));
                }
            };
            // Its place and its trace with it, and what comes later: the test itself goes on.
            let trace = "\n\tat tests/programs/src/bin/trials.rs:";
            all(
                "a_panic_in_a_goroutine_of_it_fails_it",
                &["from below\n", "panic: in the second goroutine", trace, "\n\ngoroutine ", "created by ", "and on\n"],
            );
            all("a_panic_in_a_scope_fails_it", &["panic: borrowed", "panic: borrowed", "panic: borrowed", "the scope has ended\n"]);
            all("a_panic_in_a_wait_groups_goroutine_fails_it", &["panic: one of a group\n"]);
            all("a_panic_in_an_after_func_fails_it", &["panic: in a timer's goroutine\n"]);
            all("goexit_fails_it", &["note: the test ended by goexit"]);
            all("deferred_calls_run_before_the_report", &["deferred\npanic: late\n"]);
            all("a_status_fails_it", &["note: the test returned status 3"]);
            all("nothing_unwinds", &["panic: no destructor runs\n"]);
            all("panics_with_a_long_message", &[&format!("panic: {}\n", "x".repeat(5000))]);
            let ok = "test alive::the_first_panic_counts - should panic ... ok\n";
            assert!(outcome.stdout.contains(ok), "{outcome:#?}");
            let lines: String = (0..10_000).map(|n| format!("line {n} of ten thousand\n")).collect();
            all("long_output_is_whole", &[&lines]);
        }
    }
}

#[test]
fn a_bubble_that_fails_fails_its_test_and_no_other() {
    for procs in ["1", "2", "8"] {
        let outcome = with(program("trials"), &["bubbles"], procs);
        assert!(outcome.status == Some(101) && outcome.stdout.contains("\ntest result: FAILED. 4 passed; 4 failed; "), "{outcome:#?}");
        for test in ["a_panic_in_it_fails_the_test", "a_panic_in_it_ends_the_test"] {
            let section = section(&outcome, &format!("bubbles::{test}"));
            assert!(section.starts_with("panic: in the bubble\n") && !section.contains("not printed") && !section.contains("note: "), "{outcome:#?}");
        }
        let child = section(&outcome, "bubbles::a_panic_in_a_child_fails_the_test_and_main_goes_on");
        assert!(child.starts_with("panic: in a child\n") && child.contains("\nand on\n"), "{outcome:#?}");
        let deadlock = section(&outcome, "bubbles::a_deadlock_of_children_fails_the_test");
        assert!(
            deadlock.starts_with("the goroutines that are left in synctest bubble ") && deadlock.contains(" [chan receive (durable), synctest bubble "),
            "{outcome:#?}"
        );
        assert!(deadlock.contains("\npanic: deadlock: main bubble goroutine has exited but blocked goroutines remain\n"), "{outcome:#?}");
    }
}

#[test]
fn what_is_not_captured_is_printed_at_once() {
    let outcome = with(program("trials"), &["--nocapture", "a_panic_in_a_goroutine_of_it"], "2");
    assert!(outcome.stdout.contains("from below\nand on\n"), "{outcome:#?}");
    assert!(outcome.stderr.contains("panic: in the second goroutine\n\tat ") && outcome.stderr.contains("\n\ngoroutine "), "{outcome:#?}");
    let list = "FAILED\n\nfailures:\n\nfailures:\n    alive::a_panic_in_a_goroutine_of_it_fails_it\n\ntest result: FAILED. 0 passed; 1 failed; ";
    assert!(outcome.stdout.contains(list), "{outcome:#?}");
}

#[test]
fn a_goroutine_that_is_left_behind_still_counts() {
    for procs in ["1", "2"] {
        let outcome = with(program("trials"), &["left", "--ignored", "--test-threads=1"], procs);
        assert_eq!(outcome.status, Some(101), "{outcome:#?}");
        assert!(
            outcome.stderr.starts_with("test left::a_leftover_that_panics_fails_it_late has ended; a goroutine that it left behind panics\npanic: too late\n")
        );
        assert!(outcome.stdout.contains("test left::a_leftover_that_panics_fails_it_late ... ok\n"), "{outcome:#?}");
        assert_eq!(
            section(&outcome, "left::a_leftover_that_panics_fails_it_late").lines().next(),
            Some("note: a goroutine that it left behind has panicked since")
        );
        assert!(outcome.stdout.contains("2 passed; 1 failed;"), "{outcome:#?}");
    }
}

#[test]
fn a_test_that_takes_long_is_named_once() {
    let outcome = with(program("trials"), &["--ignored", "takes_two_seconds", "--warn-after=1", "--test-threads=2"], "1");
    let want = "test slow::takes_two_seconds has been running for over 1 seconds\ntest slow::takes_two_seconds ... ok\n";
    assert!(outcome.status == Some(0) && outcome.stdout.contains(want), "{outcome:#?}");
    // It goes on for longer than it takes.
    let outcome = with(program("trials"), &["--ignored", "takes_two_seconds", "--test-threads=2"], "1");
    assert!(outcome.status == Some(0) && !outcome.stdout.contains("running for over"), "{outcome:#?}");
}

#[test]
fn a_test_that_never_ends_keeps_nobody_and_a_signal_shows_where_it_is() {
    let mut command = Command::new(program("trials"));
    command.args(["--include-ignored", "--test-threads=3", "--warn-after=1", "for_ever", "never_ends", "long_output_is_whole", "nothing_unwinds", "goexit"]);
    let child = Child::start(command.env("GOMAXPROCS", "2"));
    // The others have ended long before.
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(6) {
        std::thread::sleep(Duration::from_millis(100));
    }
    child.signal("QUIT");
    let outcome = child.wait(Duration::from_secs(60));
    assert_eq!(outcome.status, Some(2), "{outcome:#?}");
    for test in ["alive::long_output_is_whole", "alive::nothing_unwinds", "alive::goexit_fails_it"] {
        assert!(outcome.stdout.contains(&format!("test {test} ... FAILED\n")), "{outcome:#?}");
    }
    for test in ["slow::computes_for_ever", "slow::never_ends"] {
        assert!(outcome.stdout.contains(&format!("test {test} has been running for over 1 seconds\n")), "{outcome:#?}");
        assert!(outcome.stderr.contains(&format!("test that was running: {test}\n")), "{outcome:#?}");
    }
    assert!(outcome.stderr.starts_with("SIGQUIT: quit\nPC=") && outcome.stderr.contains("---- its output ----\non and on\n----\n"), "{outcome:#?}");
}

#[test]
fn what_ends_the_process_names_the_test_and_shows_what_it_has_printed() {
    for (test, words, printed) in [
        ("deadlock", "fatal error: all goroutines are asleep - deadlock!\n", "before the deadlock\n"),
        ("overflow", "fatal error: stack overflow\n", "before the overflow\n"),
        ("bad_address", "fatal error: unexpected signal\n", "before the fault\n"),
        ("no_memory", "fatal error: out of memory: cannot allocate 1152921504606846976 bytes\n", ""),
    ] {
        for procs in ["1", "2", "8"] {
            let outcome = with(program("trials"), &[&format!("deadly::{test}"), "--ignored"], procs);
            assert!(outcome.status == Some(2) && outcome.stderr.starts_with(words), "{outcome:#?}");
            let mut want = format!("\ntest that was running: deadly::{test}\n");
            if !printed.is_empty() {
                want += &format!("---- its output ----\n{printed}----\n");
            }
            assert!(outcome.stderr.contains(&want) && outcome.stderr.contains("\ngoroutine "), "{outcome:#?}");
        }
    }
    assert_eq!(with(program("trials"), &["deadly::leaves", "--ignored"], "2").status, Some(7));
}
