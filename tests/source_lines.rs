//! Traces of a program that is built with the feature `lines`: files, lines, inlined functions; and what is left of them where the DWARF is gone or broken.

mod common;

use common::{Outcome, root, run_for};
use object::{Object, ObjectSection};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);
const SOURCE: &str = "tests/programs/src/bin/traces.rs";

/// Builds it with these features, and keeps it as `name`.
fn build(features: &str, name: &str) -> PathBuf {
    let target = root().join("target/lines");
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--release", "-p", "gort-programs", "--bin", "traces", "--features", features, "--target-dir"]).arg(&target);
    assert!(build.current_dir(root()).status().unwrap().success());
    let kept = target.join(name);
    std::fs::copy(target.join("release/traces"), &kept).unwrap();
    kept
}

/// The program, at a fixed address and at a chance one.
fn programs() -> &'static [PathBuf; 2] {
    static PROGRAMS: OnceLock<[PathBuf; 2]> = OnceLock::new();
    PROGRAMS.get_or_init(|| [build("gort/lines", "fixed"), build("gort/lines,gort/static-pie", "pie")])
}

fn program() -> &'static Path {
    &programs()[0]
}

fn run(program: &Path, what: &str) -> Outcome {
    run_for(Command::new(program).arg(what).env_remove("GOTRACEBACK").env_remove("GODEBUG"), LIMIT)
}

/// The place of a marked line, as a trace prints it.
fn place(mark: &str) -> String {
    let source = std::fs::read_to_string(root().join(SOURCE)).unwrap();
    let line = source.lines().position(|line| line.ends_with(&format!("// line: {mark}"))).unwrap() + 1;
    format!("\t{SOURCE}:{line}")
}

/// The frames from `innermost` on: those that are inlined have no offset.
fn frames(innermost: &str) -> String {
    let inlined = |name: &str| format!("{name}(...)\n{}\n", place(name));
    format!(
        "traces::{innermost}(...)\n{} +0x%\n{}{}traces::around(...)\n{} +0x%\n",
        place(innermost),
        inlined("inlined_inner"),
        inlined("inlined_outer"),
        place("around")
    )
}

/// The text with each offset made alike.
fn without_offsets(text: &str) -> String {
    text.lines().map(|line| line.split_once(" +0x").map_or(line.to_string(), |(line, _)| format!("{line} +0x%")) + "\n").collect()
}

fn has(text: &str, part: &str) {
    assert!(without_offsets(text).contains(part), "no\n{part}\nin\n{text}");
}

#[test]
fn panics_faults_and_stacks_have_files_lines_and_inlined_functions() {
    let outcome = run(program(), "inlined_panic");
    assert_eq!(outcome.status, Some(2), "{outcome:#?}");
    has(&outcome.stderr, &format!("\n\ngoroutine 1 [running]:\n{}", frames("dies")));
    // The runtime's own are left out, the inlined ones too.
    assert!(!outcome.stderr.contains("\tsrc/") && !outcome.stderr.contains("library/core"), "{outcome:#?}");
    let outcome = run(program(), "inlined_fault");
    assert_eq!(outcome.status, Some(2), "{outcome:#?}");
    has(&outcome.stderr, &format!("goroutine 1 [running]:\n{}", frames("faults")));
    let outcome = run(program(), "inlined_stack");
    assert_eq!(outcome.status, Some(0), "{outcome:#?}");
    has(&outcome.stdout, &frames("tells"));
    let outcome = run(program(), "inlined_made");
    has(&outcome.stdout, &frames("tells"));
    has(&outcome.stdout, &format!("created by traces::main in goroutine 1\n{} +0x%\n", place("made")));
    // A deep stack has its ends.
    let outcome = run_for(Command::new(program()).args(["deep", "1000"]), LIMIT);
    let count = outcome.stdout.matches("traces::deep(...)\n").count();
    assert!((90..=110).contains(&count) && outcome.stdout.contains(" frames elided...\n"), "{count} {outcome:#?}");
}

#[test]
fn a_program_at_a_chance_address_has_the_same_lines() {
    let program = &programs()[1];
    has(&run(program, "inlined_panic").stderr, &frames("dies"));
    has(&run(program, "inlined_fault").stderr, &frames("faults"));
    has(&run(program, "inlined_stack").stdout, &frames("tells"));
}

#[test]
fn with_a_smashed_heap_or_a_smashed_stack_a_trace_ends() {
    for _ in 0..10 {
        let outcome = run(program(), "inlined_smash_heap");
        assert_eq!(outcome.status, Some(2), "{outcome:#?}");
        has(&outcome.stderr, &frames("dies"));
        let outcome = run(program(), "smash");
        assert_eq!(outcome.status, Some(2), "{outcome:#?}");
        assert!(outcome.stderr.contains("traces::smash(...)\n") && outcome.stderr.contains("0x4141414141414141"), "{outcome:#?}");
    }
}

fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("gort-lines-{}-{name}", std::process::id()))
}

#[test]
fn without_dwarf_there_are_names_and_addresses_and_stripped_addresses() {
    for (option, first) in [("--strip-debug", "traces::dies(...)\n\t0x"), ("--strip-all", "??(...)\n\t0x")] {
        let stripped = temporary(&option[2..]);
        assert!(Command::new("strip").args([option, "-o"]).arg(&stripped).arg(program()).status().unwrap().success());
        let outcome = run(&stripped, "inlined_panic");
        std::fs::remove_file(&stripped).unwrap();
        assert_eq!(outcome.status, Some(2), "{outcome:#?}");
        has(&outcome.stderr, &format!("goroutine 1 [running]:\n{first}"));
        assert!(!outcome.stderr.contains(&format!("\t{SOURCE}:") as &str) || outcome.stderr.matches(SOURCE).count() == 1, "{outcome:#?}");
    }
}

/// Each section in turn, and all at once: zeros, ones, and bytes changed here and there.
#[test]
fn with_broken_dwarf_a_trace_ends_and_has_its_names() {
    let whole = std::fs::read(program()).unwrap();
    let file = object::File::parse(&*whole).unwrap();
    let sections: Vec<_> = file.sections().filter(|s| s.name().is_ok_and(|name| name.starts_with(".debug_"))).map(|s| s.file_range().unwrap()).collect();
    assert!(sections.len() >= 5);
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let mut left = 0;
    for round in 0..3 * sections.len() + 10 {
        let mut broken = whole.clone();
        for (n, &(offset, length)) in sections.iter().enumerate().filter(|(n, _)| round >= 3 * sections.len() || round / 3 == *n) {
            let bytes = &mut broken[offset as usize..][..length as usize];
            match round % 3 {
                0 if round < 3 * sections.len() => bytes.fill(0),
                1 if round < 3 * sections.len() => bytes.fill(0xff),
                _ => (0..length / 200 + 10).for_each(|_| bytes[(next() % length) as usize] = (next() >> n) as u8),
            }
        }
        let copy = temporary("broken");
        std::fs::copy(program(), &copy).unwrap();
        std::fs::write(&copy, &broken).unwrap();
        let outcome = run(&copy, "inlined_panic");
        std::fs::remove_file(&copy).unwrap();
        assert_eq!(outcome.status, Some(2), "{round}: {outcome:#?}");
        for name in ["panic: deep\n", "goroutine 1 [running]:\n", "traces::dies(...)\n\t", "traces::around(...)\n\t"] {
            assert!(outcome.stderr.contains(name), "{round}: {outcome:#?}");
        }
        left += usize::from(outcome.stderr.contains(&format!("around(...)\n{}", place("around"))));
    }
    // Some of it was broken, and not all.
    assert!((1..3 * sections.len() + 10).contains(&left), "{left}");
}
