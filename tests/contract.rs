//! The contract of system calls (R14): `docs/syscalls.md` says what the list in `src/sys/contract.rs` says, programs make no other call, and the sequences
//! that users assert on are as they are written here. Needs strace, which `ci/test` installs.

mod common;

use common::{Outcome, program, root, traced};
use gort::__private::contract::{CALLS, Call, Outcome as Ending, Phase, SANDBOX, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

// --- docs/syscalls.md ---

fn phase_words(phases: &[Phase]) -> String {
    let word = |phase: &Phase| match phase {
        Phase::Start => "start",
        Phase::Threads => "threads",
        Phase::Steady => "steady",
        Phase::Exit => "exit",
    };
    phases.iter().map(word).collect::<Vec<_>>().join(", ")
}

fn ending(ending: Ending) -> String {
    match ending {
        Ending::GoesOn => "goes on".into(),
        Ending::OutputLost => "goes on, without the output".into(),
        Ending::MessageLost => "exit status 2, without the message".into(),
        Ending::Fatal(text) => format!("`fatal error: {}…`, exit status 2", text.trim_end()),
        Ending::Killed(4) => "dies of SIGILL".into(),
        Ending::Killed(signal) => format!("dies of signal {signal}"),
    }
}

fn document() -> String {
    let mut text = String::from(
        "# The system calls\n\n\
         Made from `src/sys/contract.rs` by `GORT_UPDATE=1 cargo test --test contract`; not to be edited by hand.\n\n\
         These are all the system calls that gort makes, when, with which flags, and what happens on each error. A program's own calls come on top. An error stays, in\n\
         this list, from the begin of a phase on (EINTR on read and write passes); `tests/faults.rs` shows each of them.\n\n\
         | phase | from |\n|---|---|\n\
         | start | the kernel's first instruction to main |\n\
         | threads | the first goroutine but main's: sysmon, and the second M |\n\
         | steady | goroutines run |\n\
         | exit | main has returned, or a fatal error |\n\n",
    );
    let names: Vec<&str> = SANDBOX.iter().map(|error| error.name).collect();
    writeln!(
        text,
        "Every call has an answer for {}, for that is what sandboxes say. Messages end with the error's number (`os error 1`).",
        names.join(" and ")
    )
    .unwrap();
    let mut last = "";
    for call in CALLS {
        if call.name != last {
            write!(text, "\n## {} ({})\n", call.name, call.number).unwrap();
            last = call.name;
        }
        write!(text, "\n{}: {}.\n\n", capital(&phase_words(call.phases)), call.why).unwrap();
        if !call.flags.is_empty() {
            writeln!(text, "- Flags and arguments: {}.", call.flags).unwrap();
        }
        if call.rare {
            text.push_str("- Rare.\n");
        }
        text.push_str("\n| on | in | the program | |\n|---|---|---|---|\n");
        for answer in call.answers {
            let all: Vec<_> = call.all_errors().collect();
            let errors = if answer.errors.is_empty() { &all } else { answer.errors };
            let errors: Vec<&str> = errors.iter().map(|error| error.name).collect();
            writeln!(text, "| {} | {} | {} | {} |", errors.join(", "), phase_words(answer.phases), ending(answer.outcome), answer.how).unwrap();
        }
    }
    text
}

fn capital(text: &str) -> String {
    text[..1].to_uppercase() + &text[1..]
}

#[test]
fn the_document_says_what_the_list_says() {
    let path = root().join("docs/syscalls.md");
    let new = document();
    if std::env::var_os("GORT_UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        return std::fs::write(path, new).unwrap();
    }
    let old = std::fs::read_to_string(&path).unwrap_or_default();
    let first = old.lines().zip(new.lines()).position(|(old, new)| old != new).unwrap_or_else(|| old.lines().count().min(new.lines().count()));
    let line = |text: &str| text.lines().nth(first).unwrap_or("(the end)").to_string();
    assert!(
        old == new,
        "docs/syscalls.md differs from the list in line {}:\n-{}\n+{}\nMake it anew: GORT_UPDATE=1 cargo test --test contract",
        first + 1,
        line(&old),
        line(&new)
    );
}

#[test]
fn the_list_is_sorted_and_whole() {
    assert!(CALLS.is_sorted_by_key(|call| call.name));
    for call in CALLS {
        assert!(!call.phases.is_empty() && !call.why.is_empty(), "{}", call.name);
        for &phase in call.phases {
            for error in call.all_errors() {
                assert_eq!(call.answers_to(phase, error).count(), 1, "{} in phase {phase:?} answered by {}", call.name, error.name);
            }
        }
        for answer in call.answers {
            assert!(answer.phases.iter().all(|phase| call.phases.contains(phase)), "{}: an answer for a phase in which it is not made", call.name);
            assert!(
                answer.errors.iter().all(|error| call.all_errors().any(|listed| listed == *error)),
                "{}: an answer to an error that is not listed",
                call.name
            );
        }
    }
}

// --- Which calls are made ---

/// A line of a trace: who makes which call, with what behind its name.
#[derive(Clone, Debug)]
struct Made<'a> {
    thread: &'a str,
    name: &'a str,
    rest: &'a str,
}

/// The calls in a trace, in the order in which they began.
fn made(trace: &str) -> Vec<Made<'_>> {
    let lines = trace.lines().filter_map(|line| {
        let (thread, rest) = line.split_once(char::is_whitespace)?;
        let (name, rest) = rest.trim_start().split_once('(')?;
        Some(Made { thread, name, rest })
    });
    lines.filter(|made| made.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')).collect()
}

/// A program's arguments, and the calls that it makes itself.
type Run = (&'static str, &'static [&'static str], &'static [&'static str]);

/// Every program under test and every example, some with more than one way to run; short ones.
const RUNS: &[Run] = &[
    ("hello", &[], &[]),
    ("hello-gort", &[], &[]),
    ("tour", &["--list"], &[]),
    ("tour", &["kernel"], &["uname", "lseek", "mincore", "fstat"]),
    ("tour", &["sieve"], &[]),
    ("tour", &["preempt"], &["fork", "execve", "wait4", "dup2", "pipe2"]),
    ("tour", &["forkjoin"], &[]),
    ("tour", &["process"], &["getdents64", "newfstatat", "readlink"]),
    ("alone", &[], &[]),
    ("basics", &[], &[]),
    ("blocked", &["select", "0", "1000", "1"], &["clock_gettime"]),
    ("bubbles", &["outside"], &[]),
    ("calls", &["blocking"], &[]),
    ("calls", &["raw"], &[]),
    ("calls", &["misuse"], &[]),
    ("cancel", &["running"], &["pipe"]),
    ("cancel", &["after"], &["pipe"]),
    ("chan_programs", &["values"], &[]),
    ("channels", &["left"], &[]),
    ("channels", &["deep_stacks"], &[]),
    ("classes", &[], &[]),
    ("context", &["deadlines"], &[]),
    ("counted", &["idle", "150"], &[]),
    ("counted", &["busy", "100"], &[]),
    ("cpus", &[], &[]),
    ("crowd", &["call"], &[]),
    ("deaths", &["deadlock"], &[]),
    ("deaths", &["panic_in_goroutine"], &[]),
    ("deaths", &["overflow_goroutine"], &[]),
    ("deaths", &["segv"], &[]),
    ("deaths", &["oom"], &[]),
    ("debugged", &["5", "ends"], &["pipe"]),
    ("errgroup", &["limit"], &[]),
    ("faults", &[], &["getppid"]),
    ("ffi", &["once"], &[]),
    ("ffi", &["nested"], &[]),
    ("ffi", &["thread_ends"], &[]),
    ("finalizers", &["order"], &[]),
    ("flags", &[], &["access", "chdir", "readlinkat", "semctl", "semget", "semop", "umask", "wait4"]),
    ("futures", &["wakers"], &[]),
    ("futures", &["crates"], &[]),
    ("hogs", &["starve"], &[]),
    ("hostile", &[], &["geteuid", "getuid"]),
    ("leaks", &["leaked"], &[]),
    ("leaks", &["alone"], &[]),
    ("language", &["values"], &[]),
    ("knobs", &["detail"], &[]),
    ("knobs", &["garbage"], &[]),
    ("lines", &["200", "100"], &[]),
    ("litmus", &["stop", "100000", "1000"], &[]),
    ("locked", &["wired"], &[]),
    ("locked", &["ends"], &["access"]),
    ("locked", &["taint"], &["chdir", "getcwd", "sched_setaffinity", "unshare"]),
    ("locked_main", &[], &[]),
    ("mappings", &[], &[]),
    ("metrics", &[], &[]),
    ("pools", &["pool_ages"], &[]),
    ("pools", &["map_methods"], &[]),
    ("proc", &["loops_and_stops"], &[]),
    ("proc", &["exits_and_stops"], &[]),
    ("proc", &["big"], &["getdents64"]),
    ("readings", &["storm", "1"], &[]),
    ("recheck", &[], &[]),
    ("recheck", &["reap"], &[]),
    ("requests", &["refused"], &[]),
    ("power_series", &["0"], &[]),
    ("returns_nothing", &[], &[]),
    ("returns_result", &["err"], &[]),
    ("returns_status", &["3"], &[]),
    ("sandbox", &[], &[]),
    ("scenarios", &["stacks"], &[]),
    ("scenarios", &["locked"], &["access", "getpid"]),
    ("stalls", &["hog"], &[]),
    ("select", &["waits"], &[]),
    ("select", &["timeouts"], &[]),
    ("starvation", &["hogs", "1"], &[]),
    ("tested", &[], &[]),
    ("tests", &[], &[]),
    ("trials", &["alive"], &[]),
    ("stress", &["1", "change"], &[]),
    ("sync", &["guards"], &[]),
    ("sync", &["storm", "0", "1"], &[]),
    ("threads", &["bursts", "3"], &[]),
    ("threads", &["capped"], &[]),
    ("time", &["overflow"], &[]),
    ("timers", &["short"], &[]),
    ("torture", &["1", "1000", "1"], &[]),
    ("traces", &["zoo"], &[]),
    ("traces", &["zoo_dies"], &[]),
    ("within", &["calls"], &["pipe"]),
];

/// They act as process 1 only: `ci/kernels` runs them.
const ONLY_AS_PID_ONE: &[&str] = &["guest_init", "pid_one"];

#[test]
fn only_calls_of_the_contract_are_made() {
    let listed: BTreeSet<&str> = CALLS.iter().map(|call| call.name).collect();
    program("hello");
    let wrong = std::sync::Mutex::new(String::new());
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| {
                while let Some((name, arguments, own)) = RUNS.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    let (outcome, trace) = traced(&["--seccomp-bpf", "-e", "trace=all"], name, arguments);
                    let made = made(&trace);
                    let mut wrong = wrong.lock().unwrap();
                    if !made.iter().any(|made| made.name == "mmap") || !made.iter().any(|made| made.name == "exit_group") {
                        writeln!(wrong, "{name} {arguments:?} was not traced: {outcome:?}").unwrap();
                    }
                    // strace's own start of the program.
                    let others: BTreeSet<&str> =
                        made.iter().skip(1).map(|made| made.name).filter(|name| !listed.contains(name) && !own.contains(name)).collect();
                    if !others.is_empty() {
                        writeln!(wrong, "{name} {arguments:?} makes {others:?}: neither in the contract nor its own").unwrap();
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_program_and_example_is_among_those_that_are_traced() {
    let mut all = BTreeSet::new();
    for folder in ["tests/programs/src/bin", "examples/src/bin"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() || path.extension().is_some_and(|extension| extension == "rs") {
                all.insert(path.file_stem().unwrap().to_str().unwrap().to_string());
            }
        }
    }
    for name in all {
        let is_there = RUNS.iter().any(|run| run.0 == name) || ONLY_AS_PID_ONE.contains(&name.as_str());
        assert!(is_there, "{name} is not in RUNS: its system calls are not looked at");
    }
}

// --- Sequences ---

fn calls_of<'a>(all: &[Made<'a>], thread: &str) -> Vec<Made<'a>> {
    all.iter().filter(|made| made.thread == thread).cloned().collect()
}

/// What the calls of one thread must be, in order; each by a piece of the line that begins with its name.
fn assert_sequence(all: &[Made], expected: &[&str], trace: &str) {
    for (i, want) in expected.iter().enumerate() {
        let line = all.get(i).map_or("nothing".to_string(), |made| format!("{}({}", made.name, made.rest));
        assert!(matches(&line, want), "call number {i} should be\n    {want}\nand is\n    {line}\nin\n{trace}");
    }
}

/// Does the line contain the pieces of `want` between its dots, in order, from its begin?
fn matches(line: &str, want: &str) -> bool {
    let mut pieces = want.split("...");
    let Some(mut rest) = line.strip_prefix(pieces.next().unwrap()) else { return false };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    true
}

const MAP: &str = "PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_NORESERVE, -1, 0)";
const SIGNALS: &str = "sa_mask=~[], sa_flags=SA_RESTORER|SA_ONSTACK|SA_RESTART|SA_SIGINFO, sa_restorer=";

/// strace of this time does not know the number.
const GUARD: &str = "madvise(0x..., 16384, ...";

/// The program under strace with one or more CPUs in sight, as the environment says.
fn start_of(environment: &str) -> (Outcome, String) {
    traced(&["-E", environment], "hello", &[])
}

#[test]
fn the_start_is_these_calls_in_this_order() {
    let (outcome, trace) = start_of("GOMAXPROCS=2");
    assert_eq!(outcome.stdout, "hello from a goroutine\n", "{outcome:?}");
    let all = made(&trace);
    let first = calls_of(&all, all[0].thread);
    let map = format!("mmap(NULL, ...{MAP}");
    let handler = |signal: &str| format!("rt_sigaction({signal}, {{sa_handler=0x...{SIGNALS}...}}, NULL, 8)");
    let handlers: Vec<String> = ["SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGQUIT", "SIGABRT", "SIGTRAP", "SIGSYS", "SIGSTKFLT", "SIGURG"]
        .iter()
        .map(|signal| handler(signal))
        .collect();
    let expected = [
        "execve(",
        // The first thread's block, its guards, its TLS.
        &map,
        GUARD,
        GUARD,
        "arch_prctl(ARCH_SET_FS, 0x",
        "fcntl(0, F_GETFD)",
        "fcntl(1, F_GETFD)",
        "fcntl(2, F_GETFD)",
        &handlers[0],
        &handlers[1],
        &handlers[2],
        &handlers[3],
        &handlers[4],
        &handlers[5],
        &handlers[6],
        &handlers[7],
        &handlers[8],
        "rt_sigprocmask(SIG_UNBLOCK, [ILL TRAP BUS FPE SEGV STKFLT URG], NULL, 8)",
        "sigaltstack({ss_sp=0x..., ss_flags=0, ss_size=...}, NULL",
        "gettid()",
        "sched_getaffinity(0, 1024, [",
        // Two Ps, the stack of main.
        &map,
        &map,
        &map,
        "madvise(0x..., MADV_NOHUGEPAGE",
        GUARD,
    ];
    assert_sequence(&first, &expected, &trace);
    // With that main begins; its first goroutine starts sysmon.
    let rest = &first[expected.len()..];
    let begin = rest.iter().position(|made| made.name == "timerfd_create").unwrap_or_else(|| panic!("no sysmon: {trace}"));
    let expected = [
        "timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC",
        "getpid()",
        &handlers[9],
        &map,
        GUARD,
        GUARD,
        "rt_sigprocmask(SIG_SETMASK, ~[], [], 8",
        CLONE3,
        "rt_sigprocmask(SIG_SETMASK, [],",
    ];
    assert_sequence(&rest[begin..], &expected, &trace);
}

const CLONE3: &str = "clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM|CLONE_SETTLS, exit_signal=0, stack=0x..., stack_size=0x..., tls=0x...}, 88";

#[test]
fn files_are_opened_for_reading_only_and_closed_at_once() {
    // More than one CPU, and no GOMAXPROCS: the quota is looked up. A machine of one CPU has nothing to look up.
    let (_, trace) = traced(&["-E", "GOMAXPROCS"], "hello", &[]);
    let all = made(&trace);
    let opened: Vec<&Made> = all.iter().filter(|made| made.name.starts_with("open")).collect();
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    assert_eq!(opened.is_empty(), cpus == 1, "{trace}");
    for made in &opened {
        assert!(made.name == "openat" && matches(made.rest, "AT_FDCWD, \"/...\", O_RDONLY|O_NOCTTY|O_NONBLOCK|O_LARGEFILE|O_CLOEXEC)"), "{made:?}");
    }
    let could: usize = opened.iter().filter(|made| !made.rest.contains("= -1 ")).count();
    assert_eq!(all.iter().filter(|made| made.name == "close").count(), could, "{trace}");
}

#[test]
fn a_thread_begins_and_ends_with_these_calls() {
    let (outcome, trace) = traced(&[], "locked", &["ends"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let all = made(&trace);
    let threads: BTreeSet<&str> = all.iter().map(|made| made.thread).filter(|thread| *thread != all[0].thread).collect();
    let (mut ms, mut ended) = (0, 0);
    for thread in threads {
        let calls = calls_of(&all, thread);
        if calls.len() < 4 {
            continue; // the process ended as it began
        }
        match calls[0].name {
            "sigaltstack" => {
                ms += 1;
                assert_sequence(
                    &calls,
                    &["sigaltstack({ss_sp=0x..., ss_flags=0, ss_size=...}", "gettid(", "prctl(PR_SET_NAME, \"gort-m", "rt_sigprocmask(SIG_SETMASK, [],"],
                    &trace,
                );
            }
            // sysmon and the template thread have all signals masked, so they need no stack for them.
            _ => assert_sequence(&calls, &["gettid(", "prctl(PR_SET_NAME, \"gort-"], &trace),
        }
        if let Some(at) = calls.iter().position(|made| made.name == "exit") {
            ended += 1;
            let expected = ["rt_sigprocmask(SIG_SETMASK, ~[],", "sigaltstack({ss_sp=NULL, ss_flags=SS_DISABLE, ss_size=0}", "munmap(0x", "exit(0"];
            assert_sequence(&calls[at - 3..], &expected, &trace);
            assert_eq!(calls.len(), at + 1, "{trace}");
        }
    }
    assert!(ms > 1 && ended > 0, "{ms} threads, {ended} ended: {trace}");
}

#[test]
fn preemption_is_one_queued_signal_to_one_thread() {
    let (outcome, trace) = traced(&["-E", "GOMAXPROCS=2"], "hogs", &["starve"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let all = made(&trace);
    let pid = all[0].thread;
    let sent: Vec<&Made> = all.iter().filter(|made| made.name.contains("kill") || made.name.contains("sigqueueinfo")).collect();
    assert!(!sent.is_empty(), "{trace}");
    for made in &sent {
        let want = format!("{pid}, ..., SIGURG, {{si_signo=SIGURG, si_code=SI_QUEUE, si_pid={pid}, si_uid=0, si_value=0x...");
        // strace prints the mark by its two names.
        let want = want.replace("si_value=0x...", "");
        assert!(made.name == "rt_tgsigqueueinfo" && matches(made.rest, &want), "{made:?}");
    }
    let came = trace.matches("--- SIGURG {si_signo=SIGURG, si_code=SI_QUEUE").count();
    let returned = all.iter().filter(|made| made.name == "rt_sigreturn").count();
    assert!(came > 0 && came <= sent.len() && returned + 2 >= came, "{} sent, {came} came, {returned} returned", sent.len());
    // Each sender is sysmon or an M that stops the world; it only sends after it has looked: nobody sends to itself.
    assert!(sent.iter().all(|made| !made.rest.starts_with(&format!("{pid}, {},", made.thread))), "{trace}");
}

#[test]
fn an_m_parks_in_one_futex_and_is_woken_by_one() {
    let (outcome, trace) = traced(&["-E", "GOMAXPROCS=4"], "stress", &["1"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let futexes: Vec<Made> = made(&trace).into_iter().filter(|made| made.name == "futex").collect();
    let ways = [
        "0x..., FUTEX_WAIT_PRIVATE, 1, NULL",
        "0x..., FUTEX_WAIT_BITSET_PRIVATE, 1, {tv_sec=..., tv_nsec=...}, FUTEX_BITSET_MATCH_ANY",
        "0x..., FUTEX_WAKE_PRIVATE, 1",
    ];
    for made in &futexes {
        assert!(ways.iter().any(|way| matches(made.rest, way)), "{made:?}");
    }
    // A wake-up is made only for who sleeps, or is about to.
    let (waits, wakes) = (futexes.iter().filter(|made| made.rest.contains("WAIT")).count(), futexes.iter().filter(|made| made.rest.contains("WAKE")).count());
    assert!(waits > 0 && wakes > 0 && wakes <= waits, "{waits} waits, {wakes} wake-ups");
}

#[test]
fn the_end_is_exit_group_and_nothing_before_it() {
    for (name, arguments, status, last) in [
        ("hello", &[][..], 0, "write(1, \"hello"),
        ("deaths", &["exit"][..], 7, ""),
        ("deaths", &["deadlock"][..], 2, "write(2, "),
        ("deaths", &["segv"][..], 2, "write(2, "),
    ] {
        let (outcome, trace) = traced(&[], name, arguments);
        assert_eq!(outcome.status, Some(status), "{outcome:?}");
        let all = made(&trace);
        let ends: Vec<&Made> = all.iter().filter(|made| made.name == "exit_group").collect();
        assert!(ends.len() == 1 && ends[0].rest.starts_with(&format!("{status})")) || ends[0].rest.starts_with(&format!("{status} <")), "{trace}");
        let of_thread = calls_of(&all, ends[0].thread);
        let before = &of_thread[of_thread.len() - 2];
        assert!(matches(&format!("{}({}", before.name, before.rest), last), "{before:?} comes before the end: {trace}");
        assert_eq!(of_thread.last().unwrap().name, "exit_group", "{trace}");
    }
}

// --- How many calls ---

/// A golden table: for each call the least and the most of it. What is not in it must not be made at all.
type Table = BTreeMap<String, (u64, u64)>;

fn golden(name: &str) -> Table {
    let path = root().join(format!("tests/golden/{name}.calls"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let rows = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (words[0].to_string(), (words[1].parse().unwrap(), words[2].parse().unwrap()))
    };
    rows.map(row).collect()
}

/// What `strace -c` counts.
fn counted(environment: &[&str], name: &str, arguments: &[&str]) -> BTreeMap<String, u64> {
    let options: Vec<&str> = environment.iter().flat_map(|variable| ["-E", variable]).chain(["-c", "-U", "name,calls"]).collect();
    let (outcome, table) = traced(&options, name, arguments);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let rows = table.lines().skip(2).filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        Some((words.first()?.to_string(), words.get(1)?.parse().ok()?))
    });
    rows.filter(|(name, _): &(String, u64)| name != "total" && !name.starts_with('-')).collect()
}

fn assert_table(table: &str, counts: &BTreeMap<String, u64>) {
    let golden = golden(table);
    let names: BTreeSet<&String> = golden.keys().chain(counts.keys()).collect();
    let (mut text, mut wrong) = (String::new(), false);
    for name in names {
        let (count, (least, most)) = (counts.get(name).copied().unwrap_or(0), golden.get(name).copied().unwrap_or((0, 0)));
        let ok = (least..=most).contains(&count);
        wrong |= !ok;
        writeln!(text, "{} {name:20} {count:8}   {least} to {most}", if ok { " " } else { "!" }).unwrap();
    }
    assert!(!wrong, "tests/golden/{table}.calls: what was counted, and what may be\n{text}");
}

#[test]
fn hello_makes_as_many_calls_as_its_golden_table_says() {
    assert_table("hello", &counted(&["GOMAXPROCS=2"], "hello", &[]));
}

#[test]
fn an_idle_program_makes_no_more_calls_than_a_short_one() {
    assert_table("idle", &counted(&["GOMAXPROCS=2"], "counted", &["idle", "1500"]));
}

#[test]
fn a_busy_program_makes_as_many_calls_as_its_golden_table_says() {
    assert_table("busy", &counted(&["GOMAXPROCS=2"], "counted", &["busy", "500"]));
}

#[test]
fn a_row_is_told_from_the_others_of_its_call() {
    for call in CALLS {
        let rows: Vec<&Call> = CALLS.iter().filter(|other| other.name == call.name).collect();
        let conditions: Vec<&(u8, Value)> = rows.iter().flat_map(|row| row.only).collect();
        let one_argument = conditions.iter().all(|condition| condition.0 == conditions[0].0);
        let distinct = (1..conditions.len()).all(|i| !conditions[..i].contains(&conditions[i]));
        assert!(rows.len() == 1 || rows.iter().all(|row| !row.only.is_empty()) && one_argument && distinct, "{}", call.name);
    }
}
