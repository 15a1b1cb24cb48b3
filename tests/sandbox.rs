//! What a sandbox may refuse: system calls by a seccomp filter, threads by a pids cgroup or a limit of processes.

mod common;

use common::{Outcome, long, program, run, run_for};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Runs a program under a filter that answers `calls` with `error`.
fn sandboxed(error: &str, calls: &str, name: &str, arguments: &[&str]) -> Outcome {
    run(Command::new(program("sandbox")).args([error, calls, "--"]).arg(program(name)).args(arguments))
}

/// The same under strace, which writes down the calls in `trace`.
fn traced(error: &str, calls: &str, trace: &str, name: &str, arguments: &[&str]) -> (Outcome, String) {
    let log = std::env::temp_dir().join(format!("gort-sandbox-{}-{error}-{name}", std::process::id()));
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o"]).arg(&log).args(["-e", &format!("trace={trace}")]);
    let outcome = run(strace.arg(program("sandbox")).args([error, calls, "--"]).arg(program(name)).args(arguments));
    let trace = std::fs::read_to_string(&log).unwrap_or_default();
    let _ = std::fs::remove_file(&log);
    (outcome, trace)
}

const SEVEN: &str = "flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM|CLONE_SETTLS";

#[test]
fn under_a_filter_without_clone3_clone_makes_the_threads_with_the_same_flags() {
    for error in ["ENOSYS", "EPERM"] {
        let (outcome, trace) = traced(error, "clone3", "clone,clone3", "stress", &["1"]);
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        let three: Vec<&str> = trace.lines().filter(|line| line.contains("clone3(")).collect();
        assert!(three.len() == 1 && three[0].contains(SEVEN) && three[0].contains(&format!("= -1 {error}")), "{trace}");
        let one: Vec<&str> = trace.lines().filter(|line| line.contains("clone(")).collect();
        assert!(!one.is_empty() && one.iter().all(|line| line.contains(&format!("{SEVEN}, "))), "{trace}");
    }
}

#[test]
fn without_both_calls_the_program_goes_on_with_one_thread() {
    for error in ["ENOSYS", "EPERM", "EAGAIN"] {
        let outcome = sandboxed(error, "clone3,clone", "stress", &["1"]);
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
    }
}

#[test]
fn where_every_wait_is_interrupted_at_once_it_is_begun_again() {
    // FUTEX_WAIT_PRIVATE and FUTEX_WAIT_BITSET_PRIVATE (with a time limit). Waking cannot be interrupted.
    for waits in ["futex:1=137", "futex:1=128", "futex:1=128,futex:1=137"] {
        for (name, arguments) in [("timers", &["contracts"][..]), ("mappings", &[]), ("stress", &["1"]), ("hello", &[])] {
            let outcome = sandboxed("EINTR", waits, name, arguments);
            assert_eq!(outcome.status, Some(0), "{waits}: {outcome:?}");
        }
    }
    // Both kinds of waiting are answered so, each time, and sleepers are woken all the same. On a loaded machine a run may do without one of them.
    let mut seen = [0; 3];
    for _ in 0..10 {
        let (outcome, trace) = traced("EINTR", "futex:1=128,futex:1=137", "futex", "timers", &["short"]);
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        for ((call, interrupted), seen) in
            [("FUTEX_WAIT_PRIVATE", true), ("FUTEX_WAIT_BITSET_PRIVATE", true), ("FUTEX_WAKE_PRIVATE", false)].iter().zip(&mut seen)
        {
            for line in trace.lines().filter(|line| line.contains(call) && !line.contains("unfinished") && !line.ends_with('?')) {
                assert_eq!(line.contains("EINTR"), *interrupted, "{call}: {line}");
                *seen += 1;
            }
        }
        if seen.iter().all(|&seen| seen != 0) {
            break;
        }
    }
    assert!(seen.iter().all(|&seen| seen != 0), "{seen:?}");
    let outcome = sandboxed("EINTR", "futex:1=128,futex:1=137", "deaths", &["deadlock"]);
    assert!(outcome.status == Some(2) && outcome.stderr.starts_with("fatal error: all goroutines are asleep - deadlock!\n"), "{outcome:?}");
}

/// What `flags` says of each flag; the semaphore that its threads took from has what it had once the process has ended, not before.
fn flags_have_their_effects(outcome: &Outcome) {
    assert_eq!(outcome.status, Some(0), "{outcome:#?}");
    assert_eq!(outcome.stdout.lines().filter(|line| line.starts_with("ok ")).count(), 9, "{outcome:#?}");
    let semaphore = outcome.stdout.lines().find_map(|line| line.strip_prefix("semaphore ")).unwrap();
    let after = run(Command::new(program("flags")).arg(semaphore));
    assert_eq!(after.stdout, "100\n", "what was taken with SEM_UNDO did not come back: {after:?}");
}

#[test]
fn each_of_the_seven_flags_has_its_effect_by_clone3_and_by_clone() {
    flags_have_their_effects(&run(&mut Command::new(program("flags"))));
    flags_have_their_effects(&sandboxed("ENOSYS", "clone3", "flags", &[]));
}

#[test]
fn without_guard_advice_overflows_are_caught_by_mprotect() {
    for error in ["EINVAL", "ENOSYS", "EPERM"] {
        let outcome = sandboxed(error, "madvise:2=102", "deaths", &["overflow_goroutine"]);
        assert_eq!(outcome.status, Some(2), "{outcome:?}");
        assert!(outcome.stderr.starts_with("fatal error: stack overflow\n"), "{outcome:?}");
        let (outcome, trace) = traced(error, "madvise:2=102", "madvise,mprotect", "hello", &[]);
        assert_eq!(outcome.stdout, "hello from a goroutine\n", "{outcome:?}");
        assert!(trace.contains(&format!("0x66 /* MADV_??? */) = -1 {error}")) || trace.contains(&format!("MADV_GUARD_INSTALL) = -1 {error}")), "{trace}");
        assert!(trace.contains("PROT_NONE) = 0"), "{trace}");
    }
}

/// The number in front of `text`.
fn number_before(line: &str, text: &str) -> u32 {
    let words = line[..line.find(text).unwrap_or_else(|| panic!("no {text} in {line}"))].trim_end();
    words.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn without_guard_advice_a_million_goroutines_have_as_many_guards_as_the_kernel_allows() {
    // The other errors take the same way; a long run shows it.
    for error in if long() { &["EINVAL", "ENOSYS", "EPERM"][..] } else { &["EINVAL"] } {
        let mut command = Command::new(program("sandbox"));
        command.args([error, "madvise:2=102", "--"]).arg(program("tour")).arg("million");
        let outcome = run_for(&mut command, Duration::from_secs(300));
        assert_eq!(outcome.status, Some(0), "{outcome:#?}");
        let line = outcome.stdout.lines().find(|line| line.contains("guarded stacks:")).unwrap_or_else(|| panic!("{outcome:#?}"));
        let (advised, protected, missing) = (number_before(line, " by madvise"), number_before(line, " by mprotect"), number_before(line, " without"));
        assert_eq!(advised, 0, "{line}");
        let allowed: u32 = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap().trim().parse().unwrap();
        assert!(protected >= 16_000.min(allowed / 4) && protected <= allowed / 2 && missing > 100_000, "{line}");
    }
}

/// A way to let a program have so many threads at most.
enum Limit {
    /// A pids cgroup of our own: its folder.
    Cgroup(PathBuf),
    /// RLIMIT_NPROC, as a user that nobody else is.
    User,
}

impl Limit {
    /// Those that are possible here.
    fn all() -> Vec<Limit> {
        let mut possible = Vec::new();
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
        for mount in mounts.lines() {
            let fields: Vec<&str> = mount.split(' ').collect();
            let path = match fields[2] {
                "cgroup" if fields[3].split(',').any(|option| option == "pids") => own.lines().find_map(|line| line.split_once(":pids:")).map(|(_, path)| path),
                "cgroup2" => own.lines().find_map(|line| line.strip_prefix("0::")),
                _ => None,
            };
            let Some(path) = path else { continue };
            let folder = Path::new(fields[1]).join(path.trim_start_matches('/')).join(format!("gort-test-{}", std::process::id()));
            if std::fs::create_dir(&folder).is_ok() {
                if folder.join("pids.max").exists() {
                    possible.push(Limit::Cgroup(folder));
                    break;
                }
                let _ = std::fs::remove_dir(&folder);
            }
        }
        if Command::new("setpriv").args(["--reuid=54321", "--regid=54321", "--clear-groups", "true"]).status().is_ok_and(|status| status.success()) {
            possible.push(Limit::User);
        }
        possible
    }

    fn run(&self, threads: u32, program: &Path, arguments: &[&str]) -> Outcome {
        let mut command;
        match self {
            Limit::Cgroup(folder) => {
                std::fs::write(folder.join("pids.max"), threads.to_string()).unwrap();
                command = Command::new("sh");
                command.args(["-c", "echo $$ > \"$0\"/cgroup.procs && exec \"$@\""]).arg(folder);
            }
            Limit::User => {
                command = Command::new("setpriv");
                command.args(["--reuid=54321", "--regid=54321", "--clear-groups", "prlimit", &format!("--nproc={threads}")]);
            }
        }
        run(command.arg(program).args(arguments).env("GOMAXPROCS", "4"))
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        if let Limit::Cgroup(folder) = self {
            let _ = std::fs::remove_dir(folder);
        }
    }
}

#[test]
fn at_a_limit_of_threads_the_program_goes_on_with_those_it_has() {
    // Where another user may not go, a copy is.
    let folder = std::env::temp_dir().join(format!("gort-limit-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let copy = |name: &str| {
        let to = folder.join(name);
        std::fs::copy(program(name), &to).unwrap();
        to
    };
    let (stress, deaths) = (copy("stress"), copy("deaths"));
    let limits = Limit::all();
    assert!(!limits.is_empty(), "neither a pids cgroup can be made here nor `setpriv --reuid` be used: run this test as root");
    for limit in &limits {
        for threads in 1..=4 {
            let outcome = limit.run(threads, &stress, &["1"]);
            assert_eq!(outcome.status, Some(0), "{threads} threads: {outcome:?}");
            // Each blocks for 0.1 s, and then the last one runs: on a thread that has come back.
            let outcome = limit.run(threads, &deaths, &["blocked_for_a_while"]);
            assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "it runs\n"), "{threads} threads: {outcome:?}");
        }
        // sysmon and three Ms, each of which blocks for ever: R8's fatal case.
        let outcome = limit.run(4, &deaths, &["blocked"]);
        assert_eq!(outcome.status, Some(2), "{outcome:?}");
        let text = "fatal error: cannot start a thread, and each of 3 is blocked in a system call or locked to another goroutine while goroutines are runnable; raise the limit (ulimit -u, pids cgroup)\n";
        assert!(outcome.stderr.starts_with(text), "{outcome:?}");
    }
    drop(limits);
    std::fs::remove_dir_all(&folder).unwrap();
}
