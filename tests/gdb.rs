//! `info goroutines` and `goroutine N COMMAND` in gdb (docs/gdb.md): goroutines in states that are known, in processes and in core files.

mod common;

use common::{Child, Outcome, program, root, run_for};
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

const SCRIPT: &str = "src/observe/gort-gdb.py";

/// gdb, which trusts programs of ours if `trusts`, with these arguments and then these commands.
fn gdb_that(trusts: bool, arguments: &[&str], commands: &[&str]) -> Outcome {
    let mut command = Command::new("gdb");
    command.args(["-nx", "-batch", "-iex", "set debuginfod enabled off"]);
    if trusts {
        command.args(["-iex", "add-auto-load-safe-path /"]);
    }
    commands.iter().for_each(|text| _ = command.args(["-ex", text]));
    let outcome = run_for(command.args(arguments).current_dir(root()), Duration::from_secs(300));
    assert!(!(outcome.stdout.clone() + &outcome.stderr).contains("Traceback"), "{outcome:#?}");
    outcome
}

fn gdb(arguments: &[&str], commands: &[&str]) -> Outcome {
    gdb_that(true, arguments, commands)
}

/// `debugged` in the middle of things, with so many goroutines beside those that are known; by way of `launcher`, if there is one.
fn start(launcher: &[&str], file: &Path, crowd: u32, folder: &Path) -> Child {
    let ready = folder.join(format!("gort-ready-{}-{}", std::process::id(), NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)));
    let script = format!("ulimit -c unlimited; cd {folder:?}; exec \"$@\" >{ready:?}");
    let child = Child::start(Command::new("sh").args(["-c", &script, "sh"]).args(launcher).arg(file).arg(crowd.to_string()));
    let start = Instant::now();
    while std::fs::read_to_string(&ready).unwrap_or_default() != "ready\n" {
        assert!(start.elapsed() < Duration::from_secs(120), "{file:?} has not begun");
        std::thread::sleep(Duration::from_millis(5));
    }
    std::fs::remove_file(ready).unwrap();
    std::thread::sleep(Duration::from_millis(50)); // who has said it ends
    child
}

static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

/// A folder of its own, removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("gort-gdb-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The same program, loaded at any address, and linked from many objects: not by fat LTO.
fn pie() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let file = BUILT.get_or_init(|| {
        let target = root().join("target/pie-without-lto");
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--release", "-q", "-p", "gort-programs", "--bin", "debugged", "--features", "gort/static-pie", "--target-dir"]).arg(&target);
        build.args(["--config", "profile.release.lto=false", "--config", "profile.release.codegen-units=16"]);
        let built = run_for(build.current_dir(root()), Duration::from_secs(600));
        assert_eq!(built.status, Some(0), "{built:#?}");
        target.join("release/debugged")
    });
    file.clone()
}

/// The line of goroutine `n` in the list.
fn line(said: &str, n: u32) -> &str {
    let is_it = |line: &&str| line.trim_start_matches('*').trim_start().starts_with(&format!("{n} ["));
    said.lines().find(is_it).unwrap_or_else(|| panic!("no goroutine {n} in {said}"))
}

/// Goroutines 1 to 7 are these, whenever one looks. The first word of a line is a star if the goroutine is on a thread.
const KNOWN: [(u32, &str, &str); 7] = [
    (1, "[sync.WaitGroup.Wait]", "main at tests/programs/src/bin/debugged.rs:"),
    (2, "[chan receive]", "receives_inner at tests/programs/src/bin/debugged.rs:"),
    (3, "[chan send]", "sends at tests/programs/src/bin/debugged.rs:"),
    (4, "[sleep]", "sleeps_long at tests/programs/src/bin/debugged.rs:"),
    (5, "[syscall, LWP ", "{closure#0} at tests/programs/src/bin/debugged.rs:"),
    (6, "[chan receive, locked to LWP ", "waits_locked at tests/programs/src/bin/debugged.rs:"),
    (7, "[sync.Mutex.Lock]", "waits_for_mutex at tests/programs/src/bin/debugged.rs:"),
];

/// Does the list say what it must? The three that compute are somewhere between running and preempted; false if none was caught at either.
fn lists(outcome: &Outcome, crowd: u32) -> bool {
    let said = &outcome.stdout;
    for (n, state, place) in KNOWN {
        let line = line(said, n);
        assert!(line.contains(state) && line.contains(place), "goroutine {n}: {line}\n{outcome:#?}");
        assert_eq!(line.starts_with('*'), n == 5, "goroutine {n}: {line}");
    }
    assert_eq!(said.matches("[chan receive] one_of_the_crowd at ").count(), crowd as usize, "{outcome:#?}");
    assert_eq!(said.lines().filter(|line| line.contains("] ") && line.contains(" at ") && line.contains('[')).count(), crowd as usize + 10, "{outcome:#?}");
    let computes: Vec<&str> = said.lines().filter(|line| line.contains("] computes")).collect();
    let running = computes.iter().any(|line| line.starts_with('*') && line.contains("[running, LWP "));
    let preempted = computes.iter().any(|line| line.starts_with(' ') && line.contains("[runnable, preempted] computes"));
    running && preempted
}

/// Frames that a backtrace must name, from the innermost on, numbered from 0 without a gap.
fn assert_trace(said: &str, frames: &[&str]) {
    let numbered: Vec<&str> = said.lines().filter(|line| line.starts_with('#')).collect();
    for (n, line) in numbered.iter().enumerate() {
        assert!(line.starts_with(&format!("#{n} ")), "{said}");
    }
    let mut rest = numbered.iter();
    for frame in frames {
        assert!(rest.any(|line| line.contains(frame)), "no {frame} in its place in {said}");
    }
}

const NESTED: [&str; 8] =
    ["switch ()", "receives_inner ()", "receives_middle ()", "receives_middle ()", "receives_middle ()", "receives_outer ()", "entry<", "gort_go ()"];

/// What a section of the output is: between these two lines that `echo` has printed.
fn between<'a>(said: &'a str, begin: &str, end: &str) -> &'a str {
    let begin = said.find(begin).unwrap_or_else(|| panic!("no {begin} in {said}")) + begin.len();
    let end = said[begin..].find(end).unwrap_or_else(|| panic!("no {end} in {said}")) + begin;
    &said[begin..end]
}

/// All of it, of a process or of a core file that `look` names to gdb.
fn shows(look: &[&str], crowd: u32) -> bool {
    let mut commands = vec!["echo list\\n", "info goroutines all", "echo nested\\n", "goroutine 2 bt", "echo call\\n", "goroutine 5 bt", "echo locked\\n"];
    commands.extend(["goroutine 6 bt", "echo some\\n", "goroutine 2 bt 3", "echo all\\n", "goroutine all bt", "echo end\\n"]);
    let outcome = gdb(look, &commands);
    let said = &outcome.stdout;
    assert_trace(between(said, "nested\n", "call\n"), &NESTED);
    assert_trace(between(said, "call\n", "locked\n"), &["read ", "{closure#0} ()", "reads_for_ever ()", "gort_go ()"]);
    assert_trace(between(said, "locked\n", "some\n"), &["switch ()", "waits_locked ()", "gort_go ()"]);
    let some = between(said, "some\n", "all\n");
    assert_eq!(some.lines().filter(|line| line.starts_with('#')).count(), 3, "{some}");
    let all = between(said, "all\n", "end\n");
    assert_eq!(all.matches("goroutine ").count(), crowd as usize + 10, "{outcome:#?}");
    for one in all.split("\ngoroutine ").skip(1) {
        // Of main gdb shows nothing beyond `main`; who computes may be met in the scheduler's last steps.
        let last = if one.starts_with("1 [") { "main ()" } else { "gort_go ()" };
        assert_trace(one, &[last]);
    }
    // A preempted one: the scheduler, the injected call, the loop.
    let preempted = all.split("\ngoroutine ").find(|one| one.contains("[runnable]") && one.contains("computes"));
    if let Some(one) = preempted {
        assert_trace(one, &["switch ()", "injected ()", "<signal handler called>", "computes", "gort_go ()"]);
    }
    lists(&Outcome { stdout: between(said, "list\n", "nested\n").into(), stderr: outcome.stderr.clone(), status: None }, crowd) && preempted.is_some()
}

#[test]
fn a_live_process_shows_its_goroutines() {
    let folder = Folder::new("live");
    let child = start(&[], &program("debugged"), 1000, &folder.0);
    let pid = child.pid().to_string();
    // Each look is at another moment.
    assert!((0..5).any(|_| shows(&["-p", &pid], 1000)), "nobody was both running and preempted");
}

#[test]
fn so_does_one_that_is_loaded_at_any_address_and_was_linked_without_lto() {
    let folder = Folder::new("pie");
    let child = start(&[], &pie(), 3, &folder.0);
    let pid = child.pid().to_string();
    assert!((0..5).any(|_| shows(&["-p", &pid], 3)), "nobody was both running and preempted");
}

/// The core file that the kernel has written for who was killed in this folder. `None` if it writes none into working folders.
fn written_core(folder: &Folder) -> Option<PathBuf> {
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    let name = pattern.trim();
    if name.contains(['|', '/', '%']) || name.is_empty() {
        return None;
    }
    let core = std::fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.to_str().unwrap().contains(name));
    Some(core.expect("the kernel has written no core file"))
}

/// A core file of `file` by the kernel if it writes such into the working folder, else by gdb from a process whose guards are mappings of their own.
fn core_of(file: &Path, crowd: u32, folder: &Folder) -> PathBuf {
    let child = start(&[], file, crowd, &folder.0);
    child.signal("XCPU"); // nobody handles it
    child.wait(Duration::from_secs(60));
    written_core(folder).unwrap_or_else(|| core_by_gdb(file, crowd, folder))
}

/// By gdb. Where the kernel refuses the guards that gdb cannot read past, each is a mapping of its own.
fn core_by_gdb(file: &Path, crowd: u32, folder: &Folder) -> PathBuf {
    let sandbox = program("sandbox");
    let child = start(&[sandbox.to_str().unwrap(), "EINVAL", "madvise:2=102", "--"], file, crowd, &folder.0);
    let core = folder.0.join("by-gdb");
    let outcome = gdb(&["-p", &child.pid().to_string()], &[&format!("generate-core-file {}", core.to_str().unwrap())]);
    assert!(core.exists(), "{outcome:#?}");
    core
}

#[test]
fn a_core_file_shows_what_the_process_did() {
    for file in [program("debugged"), pie()] {
        let mut seen = false;
        for _ in 0..5 {
            let folder = Folder::new("core");
            let core = core_of(&file, 300, &folder);
            seen = shows(&[file.to_str().unwrap(), core.to_str().unwrap()], 300);
            if seen {
                break;
            }
        }
        assert!(seen, "nobody was both running and preempted in {file:?}");
    }
}

#[test]
fn the_core_file_of_gotraceback_crash_has_the_goroutines_as_they_were_at_the_death() {
    let (folder, file) = (Folder::new("crash"), program("debugged"));
    let child = start(&["/usr/bin/env", "GOTRACEBACK=crash"], &file, 20, &folder.0);
    child.signal("QUIT");
    let died = child.wait(Duration::from_secs(60));
    assert!(died.stderr.starts_with("SIGQUIT: quit\n"), "{died:#?}");
    let Some(core) = written_core(&folder) else {
        return println!("this kernel writes no core files into the working folder");
    };
    let running = |text: &str| {
        let one = text.split(' ').next().unwrap();
        text.contains("[running]:").then(|| one.to_owned())
    };
    let running: Vec<String> = died.stderr.split("\ngoroutine ").filter_map(running).collect();
    assert!(!running.is_empty(), "{died:#?}");
    let mut commands = vec!["info goroutines all".to_owned(), "echo traces\\n".into(), "goroutine 2 bt".into(), "echo running\\n".into()];
    commands.extend(running.iter().map(|id| format!("goroutine {id} bt")));
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    let outcome = gdb(&[file.to_str().unwrap(), core.to_str().unwrap()], &commands);
    let (list, traces) = outcome.stdout.split_once("traces\n").unwrap();
    for (n, state, place) in KNOWN {
        let line = line(list, n);
        assert!(line.contains(state) && line.contains(place), "goroutine {n}: {line}\n{outcome:#?}");
    }
    assert_eq!(list.matches("[chan receive] one_of_the_crowd at ").count(), 20, "{outcome:#?}");
    // The trace that was printed and the core file tell of the same moment.
    let (nested, computing) = traces.split_once("running\n").unwrap();
    assert_trace(nested, &NESTED);
    for id in &running {
        assert!(line(list, id.parse().unwrap()).starts_with("* "), "goroutine {id}: {outcome:#?}");
    }
    for one in computing.split("#0 ").skip(1) {
        assert_trace(&format!("#0 {one}"), &["<signal handler called>", "computes", "gort_go ()"]);
    }
    assert_eq!(computing.matches("#0 ").count(), running.len(), "{outcome:#?}");
}

#[test]
fn a_core_file_by_gdb_does_too_and_half_of_one_says_what_it_lacks() {
    let (folder, file) = (Folder::new("gcore"), program("debugged"));
    let core = core_by_gdb(&file, 20, &folder);
    let look = [file.to_str().unwrap(), core.to_str().unwrap()];
    shows(&look, 20);
    let whole = std::fs::metadata(&core).unwrap().len();
    std::fs::File::options().write(true).open(&core).unwrap().set_len(whole / 3).unwrap();
    let outcome = gdb(&look, &["info goroutines", "goroutine all bt", "goroutine 2 bt", "echo end\\n"]);
    let said = outcome.stdout.clone() + &outcome.stderr;
    assert!(said.contains("end\n"), "{outcome:#?}");
    assert!(said.contains("cannot be read") || said.contains("is not being run"), "{outcome:#?}");
}

#[test]
fn what_the_user_had_selected_is_selected_afterwards_and_no_register_has_changed() {
    let folder = Folder::new("selected");
    let child = start(&[], &program("debugged"), 0, &folder.0);
    let look = ["info registers", "frame", "thread", "bt"];
    let mut commands = vec!["up 2", "echo before\\n"];
    commands.extend(look);
    commands.extend([
        "echo after\\n",
        "goroutine all bt",
        "info goroutines",
        "goroutine 3 up 2",
        "goroutine 2 frame 5",
        "goroutine 2 nonsense",
        "echo again\\n",
    ]);
    commands.extend(look);
    commands.push("echo end\\n");
    let outcome = gdb(&["-p", &child.pid().to_string()], &commands);
    let said = &outcome.stdout;
    // But for the line of the source: where there is no file gdb says so here the first time, and elsewhere the next.
    let without_source = |text: &str| {
        let is_source = |line: &&str| line.split_once('\t').is_some_and(|(number, _)| number.parse::<u32>().is_ok());
        text.lines().filter(|line| !is_source(line)).map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(without_source(between(said, "before\n", "after\n")), without_source(between(said, "again\n", "end\n")), "{outcome:#?}");
    assert!(between(said, "before\n", "after\n").contains("#2  "), "{outcome:#?}");
    // The process goes on as if nobody had looked.
    child.signal("TERM");
    assert_eq!(child.wait(Duration::from_secs(60)).status, None);
}

#[test]
fn a_command_runs_in_the_frames_of_the_goroutine() {
    let folder = Folder::new("commands");
    let child = start(&[], &program("debugged"), 0, &folder.0);
    let mut commands =
        vec!["goroutine 2 bt", "echo frame\\n", "goroutine 2 frame 5", "echo up\\n", "goroutine 2 up 6", "echo list\\n", "info goroutines 3", "echo rest\\n"];
    commands.extend(["goroutine 2 p $rsp", "goroutine 2 p $rsp", "goroutine 4 p $rsp", "goroutine 2 info registers r15"]);
    commands.push("echo end\\n");
    let outcome = gdb(&["-p", &child.pid().to_string()], &commands);
    let said = &outcome.stdout;
    let trace: Vec<&str> = said.lines().filter(|line| line.starts_with('#')).collect();
    assert_eq!(between(said, "frame\n", "up\n").lines().next(), trace.get(5).copied(), "{outcome:#?}");
    assert_eq!(between(said, "up\n", "list\n").lines().next(), trace.get(6).copied(), "{outcome:#?}");
    let list = between(said, "list\n", "rest\n");
    assert!(list.lines().count() == 4 && list.ends_with("\n7 more goroutines (info goroutines all)\n"), "{list}");
    let rest: Vec<&str> = between(said, "rest\n", "end\n").lines().collect();
    let value = |line: &str| line.split(" = ").nth(1).map(str::to_string);
    assert!(value(rest[0]).is_some() && value(rest[0]) == value(rest[1]) && value(rest[0]) != value(rest[2]), "{rest:?}");
    assert!(rest[3].contains("<not saved>"), "{rest:?}");
    // What makes no sense is said in a sentence.
    for (command, says) in [
        ("goroutine 4711 bt", "no goroutine 4711"),
        ("goroutine", "usage: goroutine N COMMAND"),
        ("goroutine two bt", "usage: goroutine N COMMAND"),
        ("info goroutines few", "usage: info goroutines [COUNT | all]"),
        ("goroutine 2 nonsense", "Undefined command: \"nonsense\""),
        ("goroutine 2 frame 99", "goroutine 2 has no such frame"),
        ("goroutine 2 down", "goroutine 2 has no such frame"),
        ("goroutine 2 continue", "a command that lets the program go on"),
    ] {
        let outcome = gdb(&["-p", &child.pid().to_string()], &[command]);
        assert!(outcome.stderr.contains(says), "{command}: {outcome:#?}");
    }
}

#[test]
fn a_goroutine_that_has_not_begun_says_with_what_it_will() {
    let file = program("debugged");
    let commands = ["set environment GOMAXPROCS 1", "break one_is_made", "run", "info goroutines", "goroutine 2 bt", "continue"];
    let mut seen = String::new();
    let met = (0..5).any(|_| {
        let outcome = gdb(&["--args", file.to_str().unwrap(), "0", "fresh"], &commands);
        let met = line(&outcome.stdout, 2).contains("[runnable] not started: gort::sched::exit::entry") && outcome.stdout.contains("\n#0  ");
        assert!(outcome.stdout.contains("exited normally"), "{outcome:#?}");
        seen += &format!("{outcome:#?}");
        met && outcome.stdout.lines().any(|line| line.starts_with("#0 ") && line.ends_with("in gort_go ()"))
    });
    assert!(met, "{seen}");
}

#[test]
fn before_the_start_and_after_the_end_there_are_none() {
    for file in [program("debugged"), pie()] {
        let commands = ["info goroutines", "starti", "info goroutines", "goroutine 1 bt", "run", "info goroutines"];
        let outcome = gdb(&["--args", file.to_str().unwrap(), "0", "ends"], &commands);
        assert_eq!(outcome.stderr.matches("the program is not being run").count(), 2, "{outcome:#?}");
        assert!(outcome.stdout.contains("No goroutines.") && outcome.stderr.contains("no goroutine 1"), "{outcome:#?}");
    }
}

#[test]
fn damaged_memory_is_named_and_ends_nothing() {
    let folder = Folder::new("damaged");
    let child = start(&[], &program("debugged"), 10, &folder.0);
    let file = program("debugged");
    let put =
        |what: &str, kind: &str, value: &str| format!("python import struct; gdb.selected_inferior().write_memory({what}, struct.pack('{kind}', {value}))");
    let g = |n: u32, field: &str| format!("w.goroutines[{n}].address + w.table.g_{field}");
    let commands = [
        "python w = World()".to_string(),
        put(&g(2, "sp"), "<Q", "w.goroutines[3].sp"),
        put(&g(3, "stack_hi"), "<Q", "0"),
        put(&g(4, "status"), "<B", "77"),
        put(&g(8, "reason"), "<B", "200"),
        put(&g(9, "sp"), "<Q", "0xfffffffffffffff8"),
        put(&g(10, "id"), "<Q", "11"),
        put(&g(6, "locked_m"), "<Q", "0x1000"),
        // A stack whose return addresses lead nowhere, and a frame that leads to itself.
        put("w.goroutines[12].sp", "<3Q", "0x4141414141414141, 1, 2"),
        put("w.goroutines[13].sp", "<Q", "0"),
        "info goroutines".into(),
        "goroutine all bt".into(),
        "echo then\\n".into(),
        // Then the tables: each pointer in turn, and all counts.
        put("w.arenas[0][0] + w.table.arena_slots", "<I", "0xffffffff"),
        put("w.table.arenas + 8", "<Q", "0xdeadbeef000"),
        put("w.table.count", "<I", "0xffffffff"),
        "info goroutines all".into(),
        "goroutine all bt".into(),
        "echo end\\n".into(),
        // It cannot go on.
        "kill".into(),
    ];
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    let outcome = gdb(&["-p", &child.pid().to_string(), file.to_str().unwrap()], &commands);
    let said = &outcome.stdout;
    for (n, says) in [
        (2, "goroutine 2: its saved stack pointer 0x"),
        (4, "[status 77]"),
        (6, "[chan receive, locked to LWP 0]"),
        (8, "[wait reason 200]"),
        (9, "goroutine 9: its saved stack pointer 0xfffffffffffffff8 is not in its stack, [0x"),
        (12, "[chan receive]"),
        (13, "[chan receive]"),
    ] {
        let line = line(said, n);
        assert!(line.contains(says), "goroutine {n}: {line}");
    }
    assert!(said.contains("1 arenas or goroutines have been overwritten, and are not shown\n"), "{outcome:#?}");
    let then = between(said, "then\n", "end\n");
    assert!(then.contains("1 arenas or goroutines cannot be read") && then.contains("1 arenas or goroutines have been overwritten"), "{outcome:#?}");
}

#[test]
fn the_script_is_in_the_program_and_can_be_loaded_by_hand() {
    let folder = Folder::new("auto");
    let file = program("debugged");
    let child = start(&[], &file, 0, &folder.0);
    let pid = child.pid().to_string();
    // gdb does not trust programs that nobody has told it to trust.
    let outcome = gdb_that(false, &["-p", &pid], &["info goroutines"]);
    assert!(outcome.stderr.contains("auto-loading has been declined") && outcome.stderr.contains("Undefined info command: \"goroutines\""), "{outcome:#?}");
    let outcome = gdb_that(false, &["-p", &pid], &[&format!("source {SCRIPT}"), "info goroutines"]);
    lists(&outcome, 0);
    // As docs/gdb.md has it for a machine without gort's sources.
    let (section, extracted) = (folder.0.join("section"), folder.0.join("gort-gdb.py"));
    let options = "-O binary -j .debug_gdb_scripts --set-section-flags .debug_gdb_scripts=alloc";
    let command = format!("objcopy {options} {file:?} {section:?} && tail -n +2 {section:?} | tr -d '\\0' >{extracted:?}");
    assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
    assert_eq!(std::fs::read_to_string(extracted).unwrap(), std::fs::read_to_string(root().join(SCRIPT)).unwrap());
}

#[test]
fn a_stripped_program_says_what_it_lacks() {
    let folder = Folder::new("stripped");
    let whole = program("debugged");
    let strip = |options: &[&str], name: &str| {
        let file = folder.0.join(name);
        assert!(Command::new("strip").args(options).arg("-o").arg(&file).arg(&whole).status().unwrap().success());
        file
    };
    let source = format!("source {SCRIPT}");
    // Without lines functions have their names all the same.
    let child = start(&[], &strip(&["--strip-debug"], "no-lines"), 0, &folder.0);
    let outcome = gdb(&["-p", &child.pid().to_string()], &[&source, "info goroutines", "goroutine 2 bt"]);
    assert!(line(&outcome.stdout, 2).ends_with("[chan receive] debugged::receives_inner"), "{outcome:#?}");
    assert_trace(&outcome.stdout, &["debugged::receives_inner", "debugged::receives_middle", "debugged::receives_outer", "gort_go ()"]);
    let child = start(&[], &strip(&[], "nothing"), 0, &folder.0);
    let outcome = gdb(&["-p", &child.pid().to_string()], &[&source, "info goroutines", "goroutine 2 bt"]);
    assert_eq!(outcome.stderr.matches("no symbol GORT_DEBUG: this is not a program built on gort, or it was stripped.").count(), 2, "{outcome:#?}");
    // And with the whole program at hand all is there.
    let symbols = format!("symbol-file {}", whole.to_str().unwrap());
    let outcome = gdb(&["-p", &child.pid().to_string()], &[&symbols, "info goroutines", "echo nested\\n", "goroutine 2 bt", "echo end\\n"]);
    lists(&outcome, 0);
    assert_trace(between(&outcome.stdout, "nested\n", "end\n"), &NESTED);
}

#[test]
fn what_it_costs_is_a_table_and_no_memory() {
    for file in [program("hello-gort"), program("debugged"), pie()] {
        let bytes = std::fs::read(&file).unwrap();
        let elf = object::File::parse(&*bytes).unwrap();
        let symbol = elf.symbols().find(|symbol| symbol.name() == Ok("GORT_DEBUG")).unwrap_or_else(|| panic!("{file:?} has no GORT_DEBUG"));
        assert!((100..640).contains(&symbol.size()), "{file:?}: {} bytes", symbol.size());
        let section = elf.section_by_name(".debug_gdb_scripts").unwrap_or_else(|| panic!("{file:?} has no script"));
        let SectionFlags::Elf { sh_flags, .. } = section.flags() else { panic!("{file:?} is not ELF") };
        assert_eq!((section.address(), sh_flags.0 & object::elf::SHF_ALLOC.0), (0, 0), "{file:?}: its script is loaded");
    }
}
