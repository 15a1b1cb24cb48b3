//! The knobs of `GODEBUG`: what each prints, that it is right, and that nothing is printed without. `docs/debugging.md` describes them.

mod common;

use common::{Outcome, program, root, run, storm_seconds, traced};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

fn knobs(procs: &str, godebug: &str, arguments: &[&str]) -> Outcome {
    let outcome = run(Command::new(program("knobs")).args(arguments).env("GOMAXPROCS", procs).env("GODEBUG", godebug));
    assert_eq!(outcome.status, Some(0), "{godebug} {arguments:?}: {outcome:#?}");
    outcome
}

/// What is printed while the program is in a state. The first lines may have been under way when it got there.
fn lines_in_state(procs: &str, godebug: &str, state: &str) -> Vec<String> {
    let outcome = knobs(procs, godebug, &[state]);
    let (_, rest) = outcome.stderr.split_once("<state\n").unwrap_or_else(|| panic!("never got there: {outcome:#?}"));
    let (lines, _) = rest.split_once(">\n").unwrap_or_else(|| panic!("never left: {outcome:#?}"));
    let begin = lines.match_indices("SCHED ").nth(1).unwrap_or_else(|| panic!("two lines are too few: {outcome:#?}")).0;
    lines[begin..].lines().map(String::from).collect()
}

/// `SCHED 20ms: …`: the time, and the rest.
fn time_of(line: &str) -> (u64, &str) {
    let (ms, rest) = line.strip_prefix("SCHED ").and_then(|line| line.split_once("ms: ")).unwrap_or_else(|| panic!("{line:?}"));
    (ms.parse().unwrap_or_else(|_| panic!("{line:?}")), rest)
}

/// Every line about the state says `expected` behind its time; `expected` goes by the order of the Ps only if `sorted` is not set.
fn says(procs: &str, state: &str, sorted: bool, expected: &str) {
    let lines = lines_in_state(procs, "asyncpreemptoff=1,schedtrace=10", state);
    let mut last = 0;
    for line in &lines {
        let (ms, rest) = time_of(line);
        assert!(ms > last, "{lines:#?}");
        last = ms;
        let mut rest = rest.to_string();
        if sorted {
            let (head, list) = rest.strip_suffix(']').and_then(|line| line.split_once('[')).unwrap_or_else(|| panic!("{line:?}"));
            let mut list: Vec<u32> = list.split(' ').map(|n| n.parse().unwrap_or_else(|_| panic!("{line:?}"))).collect();
            list.sort();
            let list: Vec<String> = list.iter().map(u32::to_string).collect();
            rest = format!("{head}[{}]", list.join(" "));
        }
        assert_eq!(rest, expected, "in {state}: {lines:#?}");
    }
}

// --- schedtrace: each field from 0 to what the state makes it ---

#[test]
fn a_hog_alone_is_all_zeros() {
    says("1", "hog", false, "gomaxprocs=1 idleprocs=0 threads=1 spinningthreads=0 needspinning=0 idlethreads=0 runqueue=0 [0]");
}

#[test]
fn runqueue_is_the_global_queue() {
    says("1", "queue", false, "gomaxprocs=1 idleprocs=0 threads=1 spinningthreads=0 needspinning=0 idlethreads=0 runqueue=12 [0]");
}

#[test]
fn the_list_is_the_queues_of_the_ps() {
    says("4", "local", true, "gomaxprocs=4 idleprocs=0 threads=4 spinningthreads=0 needspinning=0 idlethreads=0 runqueue=0 [2 2 3 5]");
}

#[test]
fn idleprocs_and_idlethreads_have_nothing_to_do() {
    says("4", "idle", false, "gomaxprocs=4 idleprocs=3 threads=4 spinningthreads=0 needspinning=0 idlethreads=3 runqueue=0 [0 0 0 0]");
}

#[test]
fn spinningthreads_look_for_work() {
    says("8", "spinning", false, "gomaxprocs=8 idleprocs=0 threads=8 spinningthreads=3 needspinning=0 idlethreads=0 runqueue=0 [0 0 0 0 0 0 0 0]");
}

#[test]
fn threads_are_those_in_calls_too() {
    says("1", "threads", false, "gomaxprocs=1 idleprocs=0 threads=6 spinningthreads=0 needspinning=0 idlethreads=0 runqueue=0 [0]");
}

#[test]
fn needspinning_is_work_for_an_idle_p_that_no_thread_looks_for() {
    says("2", "needspinning", false, "gomaxprocs=2 idleprocs=1 threads=1 spinningthreads=0 needspinning=1 idlethreads=0 runqueue=0 [5 0]");
}

#[test]
fn gomaxprocs_and_the_list_follow_a_call() {
    for line in lines_in_state("1", "asyncpreemptoff=1,schedtrace=10", "procs") {
        assert!(line.contains("ms: gomaxprocs=3 idleprocs=2 ") && line.ends_with(" runqueue=0 [0 0 0]"), "{line}");
    }
}

// --- schedtrace: when, by whom, how ---

/// The lines about the scheduler of a program that sleeps for 700 ms.
fn asleep(godebug: &str) -> Vec<String> {
    let outcome = knobs("2", godebug, &["asleep", "700"]);
    let (lines, others): (Vec<&str>, Vec<&str>) = outcome.stderr.lines().partition(|line| line.starts_with("SCHED "));
    assert!(others.is_empty() && outcome.stdout.is_empty(), "{godebug}: {outcome:#?}");
    lines.into_iter().map(String::from).collect()
}

#[test]
fn an_idle_program_wakes_for_its_lines_and_for_nothing_else() {
    let lines = asleep("schedtrace=100");
    assert!((4..=8).contains(&lines.len()), "{lines:#?}");
    assert!(lines[0].starts_with("SCHED 0ms: "), "{lines:#?}");
    // On a grid: what is late does not make the others late.
    assert!(lines.iter().skip(1).filter(|line| time_of(line).0 % 100 < 20).count() >= 3, "{lines:#?}");
    assert_eq!(asleep(""), [""; 0]);
}

/// As Go 1.27.3 does: it was asked.
#[test]
fn values_that_make_no_sense_are_passed_over() {
    for off in [
        "schedtrace=abc",
        "schedtrace=-5",
        "schedtrace=0",
        "schedtrace=",
        "schedtrace",
        "schedtrace=0x64",
        "schedtrace= 100",
        "SCHEDTRACE=100",
        "schedtrace=99999999999",
        "schedtrace=100,schedtrace=0",
        "scheddetail=1",
        "=,,,=",
        "unknown=1",
    ] {
        assert_eq!(asleep(off), [""; 0], "{off}");
    }
    for on in
        ["schedtrace=+100", "schedtrace=100,schedtrace=x", "schedtrace=0,schedtrace=100", "x,,y=1,schedtrace=100,scheddetail=0", "schedtrace=100,scheddetail=x"]
    {
        assert!(asleep(on).len() >= 3, "{on}");
    }
}

/// The text of a `write(2, "…", N) = N` of strace, with its escapes, by thread.
fn writes(trace: &str) -> Vec<(&str, &str)> {
    let lines = trace.lines().filter_map(|line| {
        let (thread, call) = line.split_once(char::is_whitespace)?;
        let text = call.trim_start().strip_prefix("write(2, \"")?;
        Some((thread, text.split_once("\", ")?.0))
    });
    lines.collect()
}

#[test]
fn sysmon_writes_whole_lines_and_without_the_knob_nobody_does() {
    let names = |trace: &str| -> BTreeSet<String> {
        let words = trace.lines().filter_map(|line| line.split_once(char::is_whitespace)?.1.trim_start().split_once('(')).map(|(name, _)| name.to_string());
        words.filter(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')).collect()
    };
    let (outcome, trace) = traced(&["-s", "200000", "-E", "GOMAXPROCS=2", "-E", "GODEBUG=schedtrace=50"], "knobs", &["asleep", "400"]);
    assert_eq!(outcome.status, Some(0), "{outcome:#?}");
    let with = writes(&trace);
    assert!(
        with.len() >= 4 && with.iter().all(|(_, text)| text.starts_with("SCHED ") && text.ends_with("]\\n") && text.matches("\\n").count() == 1),
        "{trace}"
    );
    let threads: BTreeSet<&str> = with.iter().map(|(thread, _)| *thread).collect();
    assert!(
        threads.len() == 1 && trace.contains("\"gort-sysmon\"") && !trace.starts_with(with[0].0),
        "who has written is the first thread, or several: {trace}"
    );
    let (_, without) = traced(&["-E", "GOMAXPROCS=2"], "knobs", &["asleep", "400"]);
    assert!(writes(&without).is_empty(), "{without}");
    // A program that only sleeps has no sysmon otherwise.
    let (with, without) = (names(&trace), names(&without));
    let more: Vec<&str> = with.difference(&without).map(String::as_str).collect();
    // On a busy machine sysmon may have somebody preempted.
    let of_sysmon = [
        "rt_tgsigqueueinfo",
        "rt_sigreturn",
        "clone3",
        "getpid",
        "madvise",
        "prctl",
        "read",
        "rt_sigaction",
        "rt_sigprocmask",
        "timerfd_create",
        "timerfd_settime",
        "write",
    ];
    assert!(more.iter().all(|name| of_sysmon.contains(name)), "the knob makes calls that it should not need: {more:?}");
}

#[test]
fn ten_thousand_ps_are_one_write() {
    let (outcome, trace) = traced(&["-s", "200000", "-E", "GOMAXPROCS=10000", "-E", "GODEBUG=schedtrace=50"], "knobs", &["hog"]);
    assert_eq!(outcome.status, Some(0), "{outcome:#?}");
    let lines: Vec<_> = writes(&trace).into_iter().filter(|(_, text)| text.starts_with("SCHED ")).collect();
    assert!(!lines.is_empty());
    for (_, text) in lines {
        let list = text.split_once('[').unwrap().1.strip_suffix("]\\n").unwrap_or_else(|| panic!("no whole line: {text}"));
        assert_eq!(list.split(' ').count(), 10_000);
    }
}

#[test]
fn with_standard_error_closed_or_full_the_program_goes_on() {
    let sh = |script: &str| {
        run(Command::new("sh").args(["-c", script, "sh"]).arg(program("knobs")).env("GODEBUG", "schedtrace=1,scheddetail=1,gctrace=1,allocfreetrace=1"))
    };
    for script in ["exec \"$1\" asleep 100 2>&-", "exec \"$1\" asleep 100 2>/dev/full", "\"$1\" storm 2>&1 >/dev/null | head -n 5"] {
        let outcome = sh(script);
        assert_eq!(outcome.status, Some(0), "{script}: {outcome:#?}");
    }
}

#[test]
fn where_no_thread_can_be_made_nobody_prints_and_the_program_goes_on() {
    let outcome = run(Command::new(program("sandbox"))
        // For the program alone: `sandbox` is one of gort's too, and may make threads.
        .args(["EPERM", "clone3,clone", "--", "/usr/bin/env", "GODEBUG=schedtrace=10"])
        .arg(program("knobs"))
        .args(["asleep", "100"]));
    assert_eq!((outcome.status, outcome.stderr.contains("SCHED")), (Some(0), false), "{outcome:#?}");
}

// --- scheddetail ---

/// Names and values of `a=1 b=x(y z)`: what begins behind a space and has a `=`.
fn fields(line: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for word in line.split(' ') {
        match word.split_once('=') {
            Some((name, value)) => fields.push((name.into(), value.into())),
            None => {
                if let Some((_, value)) = fields.last_mut() {
                    value.push(' ');
                    value.push_str(word);
                }
            }
        }
    }
    fields
}

fn names(line: &str) -> Vec<String> {
    fields(line).into_iter().map(|(name, _)| name).collect()
}

/// Rows of the first snapshot that begin with two spaces and `kind`, by number.
fn rows(lines: &[String], kind: char) -> BTreeMap<u64, BTreeMap<String, String>> {
    let end = lines.iter().skip(1).position(|line| line.starts_with("SCHED")).map_or(lines.len(), |end| end + 1);
    let rows = lines[..end].iter().filter_map(|line| {
        let (number, rest) = line.strip_prefix("  ")?.strip_prefix(kind)?.split_once(": ")?;
        Some((number.parse().ok()?, fields(rest).into_iter().collect()))
    });
    rows.collect()
}

#[test]
fn details_say_who_is_where() {
    let lines = lines_in_state("2", "asyncpreemptoff=1,schedtrace=20,scheddetail=1", "detail");
    let head: BTreeMap<String, String> = fields(&lines[0]).into_iter().collect();
    let expect = |name: &str, value: &str| assert_eq!(head[name], value, "{name}: {lines:#?}");
    for (name, value) in
        [("gcwaiting", "false"), ("nmidlelocked", "1"), ("stopwait", "0"), ("sysmonwait", "false"), ("gomaxprocs", "2"), ("idleprocs", "1"), ("runqueue", "0")]
    {
        expect(name, value);
    }
    let (ps, ms, gs) = (rows(&lines, 'P'), rows(&lines, 'M'), rows(&lines, 'G'));
    assert_eq!((ps.len(), ms.len().to_string(), gs.len()), (2, head["threads"].clone(), 5), "{lines:#?}");
    // One P is main's, the other idle; one timer sleeps.
    let of = |rows: &BTreeMap<u64, BTreeMap<String, String>>, name: &str| rows.values().map(|row| row[name].clone()).collect::<BTreeSet<_>>();
    let set = |values: &[&str]| values.iter().map(|value| value.to_string()).collect::<BTreeSet<_>>();
    assert_eq!(of(&ps, "status"), set(&["0", "1"]), "{lines:#?}");
    assert_eq!(ps.values().map(|p| p["timerslen"].parse::<u32>().unwrap()).sum::<u32>(), 1, "{lines:#?}");
    assert!(ps.values().map(|p| p["syscalltick"].parse::<u32>().unwrap()).sum::<u32>() >= 1, "{lines:#?}");
    let p = ps.iter().find(|(_, p)| p["status"] == "1").unwrap();
    let main_m = &ms[&p.1["m"].parse().unwrap()];
    assert_eq!((main_m["p"].as_str(), main_m["curg"].as_str(), main_m["blocked"].as_str()), (p.0.to_string().as_str(), "1", "false"), "{lines:#?}");
    // The goroutines: main runs; one is locked and waits, one waits; one is in a call, one sleeps.
    let with = |status: &str| gs.iter().filter(|(_, g)| g["status"] == status).collect::<Vec<_>>();
    assert_eq!((with("2()")[0].0, with("2()")[0].1["m"].as_str()), (&1, p.1["m"].as_str()), "{lines:#?}");
    let locked: Vec<_> = with("4(chan receive)").into_iter().filter(|(_, g)| g["lockedm"] != "nil").collect();
    assert_eq!((with("4(chan receive)").len(), locked.len(), with("4(sleep)").len(), with("3()").len()), (2, 1, 1, 1), "{lines:#?}");
    let its_m = &ms[&locked[0].1["lockedm"].parse().unwrap()];
    assert_eq!((&its_m["lockedg"], its_m["blocked"].as_str(), its_m["p"].as_str()), (&locked[0].0.to_string(), "true", "nil"), "{lines:#?}");
    let in_call = with("3()")[0];
    let its_m = &ms[&in_call.1["m"].parse().unwrap()];
    assert_eq!((&its_m["curg"], its_m["p"].as_str()), (&in_call.0.to_string(), "nil"), "{lines:#?}");
    // gort's own: a stack is kept by goexit, all have guards.
    assert!(lines[1].starts_with("  gort: guards=") && lines[1].ends_with(" unguarded=0 keptstacks=1"), "{lines:#?}");
}

#[test]
fn details_say_which_guards_are_lost() {
    for (calls, lost) in [("madvise:2=102", "unguarded"), ("madvise:2=102,mprotect", "mprotected")] {
        let outcome = run(Command::new(program("sandbox"))
            .args(["EINVAL", calls, "--"])
            .arg(program("knobs"))
            .args(["detail"])
            .env("GODEBUG", "schedtrace=20,scheddetail=1"));
        let line = outcome.stderr.lines().rfind(|line| line.starts_with("  gort: ")).unwrap_or_else(|| panic!("{outcome:#?}"));
        let value = |name: &str| fields(line).into_iter().find(|field| field.0 == name).unwrap().1.parse::<u32>().unwrap();
        assert!(value("guards") == 0 && value(lost) == 0 && value("mprotected") + value("unguarded") >= 6, "{calls}: {line}");
    }
}

#[test]
fn details_are_bounded() {
    let lines = lines_in_state("1", "asyncpreemptoff=1,schedtrace=50,scheddetail=1", "crowd");
    assert_eq!(rows(&lines, 'G').len(), 1000);
    assert!(lines.contains(&"  501 more goroutines".to_string()), "{:#?}", lines.last());
}

#[test]
fn threads_may_end_while_they_are_looked_at() {
    let outcome = knobs("4", "schedtrace=1,scheddetail=1", &["churn", &storm_seconds().to_string()]);
    assert!(outcome.stdout.ends_with(" threads ended\n"), "{outcome:#?}");
    let heads = outcome.stderr.lines().filter(|line| line.starts_with("SCHED ")).count();
    let ms = outcome.stderr.lines().filter(|line| line.starts_with("  M")).count();
    assert!(heads >= 100 && ms > heads, "{} heads, {} Ms", heads, ms);
}

/// Names and order of all fields, beside what Go prints. What differs is written here.
#[test]
fn lines_are_gos_but_for_listed_differences() {
    let gos = std::fs::read_to_string(root().join("tests/golden/schedtrace-go.txt")).unwrap();
    let of_go = |prefix: &str, n: usize| gos.lines().filter(|line| line.starts_with(prefix)).nth(n).unwrap_or_else(|| panic!("{prefix}")).to_string();
    let short = lines_in_state("2", "asyncpreemptoff=1,schedtrace=20", "hog");
    let long = lines_in_state("2", "asyncpreemptoff=1,schedtrace=20,scheddetail=1", "detail");
    let of_ours = |prefix: &str| long.iter().find(|line| line.starts_with(prefix)).unwrap_or_else(|| panic!("{prefix}: {long:#?}")).clone();

    // The specification's list is `[3 5]`, and there are no ticks behind it; Go's is `[ 3 5 ] schedticks=[ 1 2 ]`.
    let go = of_go("SCHED ", 0);
    let (go, ticks) = go.split_once(" schedticks=").unwrap();
    assert!(go.ends_with(" [ 0 0 ]") || go.contains(" [ "), "{go}");
    assert!(ticks.starts_with("[ "));
    assert_eq!(names(go), names(&short[0]));
    assert!(short[0].ends_with(" [0 0]"), "{}", short[0]);

    assert_eq!(names(&of_go("SCHED ", 2)), names(&of_ours("SCHED ")));
    for row in ["  P", "  M", "  G"] {
        assert_eq!(names(&of_go(row, 0)), names(&of_ours(row)), "{row}");
    }
    // What Go has not.
    let own: BTreeSet<&str> =
        long.iter().filter(|line| !["SCHED ", "  P", "  M", "  G"].iter().any(|prefix| line.starts_with(prefix))).map(|line| &line[..8]).collect();
    assert_eq!(own, BTreeSet::from(["  gort: "]));
}

// --- Others ---

#[test]
fn the_specifications_example_is_a_line_of_ours() {
    let example = "SCHED 1000ms: gomaxprocs=4 idleprocs=0 threads=11 spinningthreads=1 needspinning=0 idlethreads=4 runqueue=12 [3 5 2 2]";
    let line = &lines_in_state("4", "asyncpreemptoff=1,schedtrace=20", "local")[0];
    let shape = |line: &str| line.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    assert_eq!(shape(example), shape(line));
}

#[test]
fn asyncpreemptoff_is_any_number_but_0() {
    for (value, off) in [
        ("asyncpreemptoff=1", true),
        ("asyncpreemptoff=2", true),
        ("asyncpreemptoff=1,asyncpreemptoff=x", true),
        ("asyncpreemptoff=1,asyncpreemptoff=0", false),
        ("asyncpreemptoff=yes", false),
    ] {
        let (_, trace) = traced(&["-e", "trace=rt_tgsigqueueinfo,tgkill", "-E", "GOMAXPROCS=1", "-E", &format!("GODEBUG={value}")], "hogs", &["starve"]);
        assert_eq!(trace.contains("SIGURG"), !off, "{value}: {trace}");
    }
}

#[test]
fn netdns_is_read() {
    for (value, expected) in [
        ("", "Either, verbosity: 0"),
        ("netdns=go", "Go, verbosity: 0"),
        ("netdns=cgo+2,schedtrace=0", "Cgo, verbosity: 2"),
        ("netdns=go,netdns=1", "Either, verbosity: 1"),
    ] {
        assert_eq!(knobs("1", value, &["netdns"]).stdout, format!("NetDns {{ way: {expected} }}\n"), "{value}");
    }
}

/// `gc N @Ns N%: 0+N+0 ms clock, 0+0/N/0+0 ms cpu, N->N->N MB, N MB goal, N MB stacks, N MB globals, N P (N stacks, N KiB given back)`: its numbers.
fn cycle(line: &str) -> Vec<f64> {
    let template =
        "gc # @#s #%: #+#+# ms clock, #+#/#/#+# ms cpu, #->#->#  MB, # MB goal, # MB stacks, # MB globals, # P (# stacks, # KiB given back)".replace("  ", " ");
    let (mut rest, mut numbers) = (line, Vec::new());
    for (n, piece) in template.split('#').enumerate() {
        if n != 0 {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            numbers.push(rest[..end].parse().unwrap_or_else(|_| panic!("number {n} of {line:?}")));
            rest = &rest[end..];
        }
        rest = rest.strip_prefix(piece).unwrap_or_else(|| panic!("{piece:?} behind number {n} of {line:?}"));
    }
    assert_eq!(rest, "", "{line:?}");
    numbers
}

#[test]
fn gctrace_prints_a_line_for_each_cycle() {
    let outcome = knobs("2", "gctrace=1", &["garbage"]);
    let cycles: Vec<Vec<f64>> = outcome.stderr.lines().map(cycle).collect();
    assert!(!cycles.is_empty(), "{outcome:#?}");
    for (n, cycle) in cycles.iter().enumerate() {
        assert_eq!((cycle[0], cycle[17]), (n as f64 + 1.0, 2.0), "{outcome:#?}");
        assert!(cycle[11] >= cycle[12] && cycle[12] >= cycle[13], "the heap grows by giving back: {outcome:#?}");
    }
    let sum = |place: usize| cycles.iter().map(|cycle| cycle[place]).sum::<f64>();
    assert!(sum(18) >= 2000.0 && sum(19) >= 30_000.0, "of 3000 stacks and 32 MiB: {outcome:#?}");
    assert!(cycles.iter().any(|cycle| cycle[11] >= 20.0 && cycle[12] <= 4.0), "{outcome:#?}");
    assert!(sum(4) > 0.0 && cycles[0][1] > 0.09, "{outcome:#?}");
    for off in ["", "gctrace=0", "gctrace=x"] {
        assert_eq!(knobs("2", off, &["garbage"]).stderr, "", "{off:?}");
    }
}

/// What, where, how large, by which goroutine. Each record must be whole.
fn records(stderr: &str) -> Vec<(bool, u64, u64, u64)> {
    let mut records = Vec::new();
    for record in stderr.split_terminator("\n\n") {
        let parse = || {
            let (line, goroutine) = record.split_once('\n')?;
            let (what, numbers) = line.strip_suffix(')')?.split_once('(')?;
            let (block, bytes) = numbers.split_once(", ")?;
            let hex = |text: &str| u64::from_str_radix(text.strip_prefix("0x")?, 16).ok();
            let (goroutine, trace) = goroutine.split_once('\n').unwrap_or((goroutine, ""));
            let goroutine = goroutine.strip_suffix(" [running]:").or_else(|| goroutine.strip_suffix(" [syscall]:"))?;
            let goroutine = if goroutine == "g0" { 0 } else { goroutine.strip_prefix("goroutine ")?.parse().ok()? };
            assert_eq!(goroutine != 0, trace.contains("(...)\n\t0x"), "a goroutine has a trace, g0 has none: {record:?}");
            assert!(what == "tracealloc" || what == "tracefree");
            Some((what == "tracealloc", hex(block)?, hex(bytes)?, goroutine))
        };
        records.push(parse().unwrap_or_else(|| panic!("not a record: {record:?}")));
    }
    records
}

/// A block is freed once, after it was allocated, with the size that it was allocated with.
fn balanced(records: &[(bool, u64, u64, u64)]) -> BTreeMap<u64, u64> {
    let mut live = BTreeMap::new();
    for &(allocated, block, bytes, _) in records {
        if allocated {
            assert_eq!(live.insert(block, bytes), None, "{block:#x} is allocated twice");
        } else {
            assert_eq!(live.remove(&block), Some(bytes), "{block:#x} is freed");
        }
    }
    live
}

#[test]
fn allocfreetrace_tells_of_every_block() {
    let outcome = knobs("1", "allocfreetrace=1", &["blocks"]);
    let records = records(&outcome.stderr);
    balanced(&records);
    let with = |bytes: u64| records.iter().filter(|record| record.2 == bytes).collect::<Vec<_>>();
    for bytes in [1234, 1, 300, 33_000, 600_000, 777, 555, 5_555, 700_000, 5_000_000, 888] {
        let found = with(bytes);
        assert!(found.len() == 2 && found[0].0 && !found[1].0 && found[0].1 == found[1].1, "{bytes}: {found:?} in {outcome:#?}");
    }
    assert_eq!(with(911).iter().map(|record| record.0).collect::<Vec<_>>(), [true, false, true, false, true, false], "{outcome:#?}");
    assert_eq!(u64::from_str_radix(outcome.stdout.lines().next().unwrap().trim_start_matches("1234 0x"), 16).unwrap(), with(1234)[0].1);
    let (allocates, frees) = (with(1234)[0].3, with(1234)[1].3);
    assert!(allocates == 1 && frees > 1, "{allocates} allocates, {frees} frees");
    assert_eq!(knobs("1", "allocfreetrace=0", &["blocks"]).stderr, "");
}

#[test]
fn allocfreetrace_of_a_storm_is_whole() {
    for _ in 0..storm_seconds() {
        let outcome = knobs("4", "allocfreetrace=1", &["storm"]);
        let records = records(&outcome.stderr);
        let with = |allocated: bool| records.iter().filter(|record| record.0 == allocated && record.2 == 333).count();
        assert_eq!((with(true), with(false)), (800, 800));
    }
}

#[test]
fn all_knobs_together() {
    let outcome = knobs("2", "netdns=go,schedtrace=20,x,scheddetail=1,gctrace=1,allocfreetrace=1,asyncpreemptoff=1", &["garbage"]);
    for begin in ["SCHED ", "  P0: ", "  M0: ", "  G1: ", "gc 1 @", "tracealloc(", "tracefree("] {
        assert!(outcome.stderr.lines().any(|line| line.starts_with(begin)), "{begin}");
    }
}

#[test]
fn a_program_without_knobs_prints_nothing_and_has_them_not() {
    let outcome = run(Command::new(program("hello-gort")).env("GODEBUG", "schedtrace=1,scheddetail=1,gctrace=1,allocfreetrace=1"));
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("hello\n", ""), "{outcome:#?}");
    let has = |name: &str| String::from_utf8_lossy(&std::fs::read(program(name)).unwrap()).contains("spinningthreads=");
    assert!(has("knobs") && has("hello") && !has("hello-gort"));
}
