//! Goroutines that never give way are made to, and nothing else about them changes.

mod common;

use common::{Child, Outcome, is_long, number_after, program, root, run, run_for, storm_seconds, traced};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Seconds of a variant of the torture: one minute in the long run.
fn variant_seconds() -> u64 {
    if is_long() { 60 } else { storm_seconds().min(2) }
}

fn torture(seconds: u64, storm_us: u64, least: u64) -> Command {
    let mut command = Command::new(program("torture"));
    command.args([seconds, storm_us, least].map(|n| n.to_string()));
    command
}

fn unharmed(outcome: Outcome) -> Outcome {
    assert_eq!(outcome.status, Some(0), "{outcome:#?}");
    assert!(outcome.stdout.ends_with("nothing changed\n"), "{outcome:#?}");
    println!("{}", outcome.stdout);
    outcome
}

/// `ci/test --long`: 10 minutes, 10⁶ injections at least, 1 000 migrations at least (which the program checks).
#[test]
fn torture_every_50_us_changes_nothing() {
    let (seconds, least) = if is_long() { (600, 1_000_000) } else { (storm_seconds(), 200) };
    unharmed(run_for(&mut torture(seconds, 50, least), Duration::from_secs(seconds + 120)));
}

#[test]
fn torture_every_millisecond_changes_nothing() {
    let seconds = variant_seconds();
    unharmed(run_for(&mut torture(seconds, 1000, 20 * seconds), Duration::from_secs(seconds + 120)));
}

#[test]
fn torture_with_more_threads_than_cpus_changes_nothing() {
    unharmed(run(torture(variant_seconds(), 50, 100).env("GOMAXPROCS", "16")));
}

#[test]
fn torture_under_strace_changes_nothing() {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null"]).arg(program("torture")).args([&variant_seconds().to_string(), "1000", "1"]);
    unharmed(run_for(&mut command, Duration::from_secs(300)));
}

#[test]
fn torture_beside_neighbours_that_fork_all_the_time_changes_nothing() {
    let fork = || Child::start(Command::new("sh").args(["-c", "while :; do (:) & (:) & wait; done"]));
    let _neighbours = [fork(), fork()];
    unharmed(run(&mut torture(variant_seconds(), 50, 20)));
}

#[test]
fn torture_that_is_stopped_and_continued_changes_nothing() {
    let seconds = variant_seconds();
    let child = Child::start(&mut torture(seconds, 50, 20));
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(seconds * 800) {
        child.signal("STOP");
        std::thread::sleep(Duration::from_millis(20));
        child.signal("CONT");
        std::thread::sleep(Duration::from_millis(50));
    }
    unharmed(child.wait(Duration::from_secs(seconds + 120)));
}

#[test]
fn torture_with_a_debugger_attached_changes_nothing() {
    let seconds = variant_seconds() + 2;
    let child = Child::start(&mut torture(seconds, 1000, 1));
    let pid = child.pid().to_string();
    let gdb = Command::new("gdb")
        .args(["-nx", "-batch", "-p", &pid, "-ex", "handle SIGURG nostop noprint pass", "-ex", "handle SIGUSR2 stop print nopass"])
        .args(["-ex", "continue", "-ex", "info threads", "-ex", "detach"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(seconds * 600));
    child.signal("USR2"); // gdb keeps it to itself, and goes on with its commands
    let said = gdb.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&said.stdout);
    assert!(said.contains("gort-sysmon") && said.contains("SIGUSR2"), "{said}");
    unharmed(child.wait(Duration::from_secs(seconds + 120)));
}

/// As cargo builds without a word in the profile; all else here has fat LTO and one codegen unit.
#[test]
fn torture_built_without_lto_changes_nothing() {
    let target = root().join("target/without-lto");
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--release", "-q", "-p", "gort-programs", "--bin", "torture", "--target-dir"]).arg(&target);
    build.args(["--config", "profile.release.lto=false", "--config", "profile.release.codegen-units=16"]);
    let built = run_for(build.current_dir(root()), Duration::from_secs(600));
    assert_eq!(built.status, Some(0), "{built:#?}");
    unharmed(run_for(Command::new(target.join("release/torture")).args([&variant_seconds().to_string(), "50", "100"]), Duration::from_secs(180)));
}

fn gdb(name: &str, arguments: &[&str], commands: &[&str]) -> String {
    let mut command = Command::new("gdb");
    command.args(["-nx", "-batch"]);
    commands.iter().for_each(|text| _ = command.args(["-ex", text]));
    let outcome = run(command.arg("--args").arg(program(name)).args(arguments));
    outcome.stdout + &outcome.stderr
}

#[test]
fn a_debugger_sees_the_frames_beneath_a_preempted_one() {
    // It may be main that is preempted first, anywhere: a few tries meet the loop.
    let mut seen = Vec::new();
    let met = (0..5).any(|_| {
        let said = gdb("hogs", &["starve"], &["handle SIGURG nostop noprint pass", "break preempted", "run", "backtrace", "kill"]);
        let trace = said.rfind("#0").map_or("", |at| &said[at..]);
        // What the stub calls, the stub itself (a signal's frame, by its CFI), the loop that it interrupted, and the goroutine's first frame.
        let frames = ["preempted ()", "<signal handler called>", "hogs.rs:", "gort_go ()"].map(|frame| trace.rfind(frame));
        let met = frames.iter().all(Option::is_some) && frames.is_sorted();
        seen.push(said);
        met
    });
    assert!(met, "{seen:#?}");
}

fn request(scenario: &str) -> Outcome {
    let outcome = run(Command::new(program("requests")).arg(scenario));
    assert_eq!(outcome.status, Some(0), "{outcome:#?}");
    outcome
}

#[test]
fn a_request_refused_under_a_lock_is_heeded_as_the_lock_is_let_go() {
    request("refused");
}

#[test]
fn a_request_that_comes_as_a_goroutine_goes_on_is_heeded_at_once() {
    request("tail");
}

#[test]
fn a_request_refused_where_nobody_looks_is_sent_again() {
    request("again");
}

#[test]
fn a_request_for_a_slice_that_is_over_is_void() {
    request("stale_mark");
}

#[test]
fn a_request_refused_at_the_first_instruction_of_a_goroutine_is_heeded_as_it_begins() {
    let mark = "set *(unsigned *)(*(unsigned long *)($fs_base + 8)) = 1";
    let commands =
        ["set language c", "handle SIGURG nostop noprint pass", "break requests_before_entry", "run", "tbreak gort_go", "continue", mark, "continue"];
    let said = gdb("requests", &["entry"], &commands);
    assert!(said.contains("gave way 1 times before its first instruction"), "{said}");
}

#[test]
fn goroutines_with_live_tiles_are_not_injected_but_give_way_at_their_next_call() {
    let has_avx2 = std::fs::read_to_string("/proc/cpuinfo").unwrap().contains(" avx2 ");
    assert!(has_avx2, "AVX stands for the tiles, and this CPU has none");
    request("tiles");
}

#[test]
fn a_signal_of_ours_that_lands_in_a_system_call_does_not_end_it() {
    request("call");
}

#[test]
fn who_stops_the_world_and_then_computes_is_still_preempted() {
    request("world");
}

#[test]
fn two_hogs_take_turns_whatever_the_tick() {
    request("sixty_first");
}

#[test]
fn without_asynchronous_preemption_a_hog_starves_the_others_and_no_signal_is_sent() {
    let again = |outcome: &Outcome| number_after(&outcome.stdout.replace("after", "after "), "after");
    let with = run(Command::new(program("hogs")).arg("starve"));
    assert!(again(&with) < 1500, "{with:?}");
    let (without, trace) = traced(&["-E", "GODEBUG=asyncpreemptoff=1", "-e", "trace=rt_tgsigqueueinfo,tgkill,tkill,kill,rt_sigaction"], "hogs", &["starve"]);
    assert!(again(&without) >= 1500, "{without:?}");
    assert!(trace.contains("rt_sigaction(SIGSEGV") && !trace.contains("SIGURG"), "{trace}");
    assert!(!trace.contains("tgsigqueueinfo") && !trace.contains("kill("), "{trace}");
}

#[test]
fn without_asynchronous_preemption_a_p_that_becomes_idle_finds_all_that_others_have() {
    for _ in 0..20 {
        let outcome = run(Command::new(program("hogs")).arg("later").env("GODEBUG", "asyncpreemptoff=1"));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "all ran\n"), "{outcome:#?}");
    }
}

/// Four hogs and a sleeper of 1 ms, 1 000 times: the hogs were preempted, and the sleeper was on time as a rule.
fn preempted(outcome: &Outcome) {
    assert_eq!(outcome.status, Some(0), "{outcome:#?}");
    println!("{}", outcome.stdout);
    assert!(number_after(&outcome.stdout, "injected") >= 5, "{outcome:#?}");
    assert!(number_after(&outcome.stdout, "p50") < 10_000, "{outcome:#?}");
}

fn hogs() -> Command {
    let mut command = Command::new(program("hogs"));
    command.env("GOMAXPROCS", "2");
    command
}

#[test]
fn without_queued_signals_hogs_are_preempted_all_the_same() {
    let script = format!("ulimit -i 0 && exec {}", program("hogs").display());
    preempted(&run(Command::new("bash").args(["-c", &script]).env("GOMAXPROCS", "2")));
}

#[test]
fn where_marked_signals_are_refused_unmarked_ones_are_sent() {
    for error in ["ENOSYS", "EPERM", "EAGAIN"] {
        let (outcome, trace) =
            traced(&["-E", "GOMAXPROCS=2", "-e", "trace=rt_tgsigqueueinfo,tgkill", "-e", &format!("inject=rt_tgsigqueueinfo:error={error}")], "hogs", &[]);
        preempted(&outcome);
        assert!(trace.contains("INJECTED") && trace.lines().any(|line| line.contains("tgkill(") && line.ends_with("= 0")), "{trace}");
    }
}

fn under_a_storm_of_foreign_signals(to_threads: bool) {
    let (outcome, sent) = Child::start(&mut hogs()).wait_under_signals(to_threads);
    preempted(&outcome);
    let [injected, asked, refused, foreign] = ["injected", "sent", "refused", "foreign"].map(|name| number_after(&outcome.stdout, name));
    assert!(foreign >= 500, "of {sent} foreign signals {foreign} were seen: {outcome:#?}");
    // Each injection answers one request of ours.
    assert!(injected <= asked, "{injected} injections for {asked} requests, {refused} refused: {outcome:#?}");
}

#[test]
fn foreign_signals_to_the_process_preempt_nobody_and_hide_no_request() {
    under_a_storm_of_foreign_signals(false);
}

#[test]
fn foreign_signals_to_its_threads_preempt_nobody_and_hide_no_request() {
    under_a_storm_of_foreign_signals(true);
}
