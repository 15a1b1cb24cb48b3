//! Starts that nobody would wish for: no /proc, nothing on the command line or a MiB of it, another user's program, signals blocked or ignored.
//!
//! An alternate signal stack that the parent has set does not survive exec; each program under test is started by one that has such a stack
//! where `sandbox` starts it, and sets its own.

mod common;

use common::{Outcome, number_after, program, run, traced};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What `hostile` must say of every start.
fn is_well(outcome: &Outcome) {
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    assert!(outcome.stdout.contains("preempted true\nsum 499500\n"), "{outcome:?}");
}

/// Runs a shell command with a `/proc` that is not there, in a mount namespace of its own.
fn without_proc(command: &str) -> Outcome {
    let script = format!("mount --make-rprivate / && umount -l /proc && test ! -e /proc/self && exec {command}");
    run(Command::new("unshare").args(["-m", "sh", "-c", &script]))
}

#[test]
fn without_proc_it_runs_and_there_is_no_quota() {
    let here = run(Command::new(program("hostile")).env_remove("GOMAXPROCS"));
    is_well(&here);
    let outcome = without_proc(&program("hostile").display().to_string());
    is_well(&outcome);
    assert!(number_after(&outcome.stdout, "gomaxprocs") >= number_after(&here.stdout, "gomaxprocs"), "{outcome:?} {here:?}");
}

#[test]
fn without_proc_and_without_the_kernels_word_where_the_vdso_is_it_asks_for_the_time_by_system_calls() {
    // PR_GET_AUXV: what Linux before 6.4 answers.
    let sandboxed = format!("{} EINVAL 157:0=1096112214 -- {}", program("sandbox").display(), program("hostile").display());
    is_well(&without_proc(&sandboxed));
    // With /proc the vDSO is found there: a file that is read once.
    let (outcome, trace) =
        traced(&["-e", "trace=open,clock_gettime,prctl"], "sandbox", &["EINVAL", "157:0=1096112214", "--", program("hostile").to_str().unwrap()]);
    is_well(&outcome);
    assert!(trace.contains("open(\"/proc/self/auxv\", O_RDONLY") && !trace.contains("clock_gettime("), "{trace}");
}

#[test]
fn closed_descriptors_are_opened_on_dev_null() {
    for closed in ["0<&-", "1>&-", "2>&-", "0<&- 1>&-", "0<&- 1>&- 2>&-"] {
        let script = format!("exec {} {closed}", program("hostile").display());
        let outcome = run(Command::new("sh").args(["-c", &script]));
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{closed}: {outcome:?}");
        assert_eq!(outcome.stdout.is_empty(), closed.contains("1>&-"), "{closed}: {outcome:?}");
    }
    // What it opens: exactly those that are missing, each in its place.
    let script = format!("exec {} 0<&- 2>&-", program("hostile").display());
    let log = std::env::temp_dir().join(format!("gort-hostile-{}", std::process::id()));
    let outcome = run(Command::new("strace").args(["-f", "-qq", "-e", "trace=open", "-o"]).arg(&log).args(["sh", "-c", &script]));
    let trace = std::fs::read_to_string(&log).unwrap();
    std::fs::remove_file(&log).unwrap();
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let opened: Vec<&str> = trace.lines().filter_map(|line| line.split_once("open(").map(|(_, rest)| rest)).filter(|rest| rest.contains("/dev/null")).collect();
    assert!(opened.len() == 2 && opened[0].ends_with("= 0") && opened[1].ends_with("= 2"), "{trace}");
}

#[test]
fn with_nothing_on_the_command_line_and_in_the_environment_it_runs() {
    let outcome = run(Command::new(program("hostile")).arg("bare"));
    is_well(&outcome);
    // Since Linux 5.18 a program without arguments is given an empty one.
    assert!(matches!(number_after(&outcome.stdout, "arguments"), 0 | 1), "{outcome:?}");
    assert!(number_after(&outcome.stdout, "bytes") <= 1 && number_after(&outcome.stdout, "environment") == 0, "{outcome:?}");
}

#[test]
fn a_mebibyte_of_arguments_arrives_whole() {
    // A single one may have 128 KiB.
    let text = "x".repeat((128 << 10) - 1);
    let outcome = run(Command::new(program("hostile")).args([&text; 8]).arg("").env("LONG", &text[..100_000]));
    is_well(&outcome);
    assert_eq!(number_after(&outcome.stdout, "arguments"), 10, "{outcome:?}");
    assert_eq!(number_after(&outcome.stdout, "bytes"), (1 << 20) + 1 + program("hostile").as_os_str().len() as u64 + 1, "{outcome:?}");
}

/// A folder where programs may be set-uid and anybody may go, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        let takes_no_set_uid = |folder: &Path| {
            let mount = mounts
                .lines()
                .map(|line| line.split(' ').collect::<Vec<_>>())
                .filter(|fields| folder.starts_with(fields[1]))
                .max_by_key(|fields| fields[1].len());
            mount.is_none_or(|fields| fields[3].split(',').any(|option| option == "nosuid" || option == "noexec"))
        };
        let at = ["/tmp", "/var/tmp", "/var/lib", "/opt"].into_iter().map(Path::new).find(|at| at.is_dir() && !takes_no_set_uid(at));
        let at = at.expect("a folder on a file system that is not mounted nosuid").join(format!("gort-secure-{}-{name}", std::process::id()));
        std::fs::create_dir(&at).unwrap();
        std::fs::set_permissions(&at, PermissionsExt::from_mode(0o755)).unwrap();
        Folder(at)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_set_uid_program_that_another_user_runs_is_as_any_other() {
    let folder = Folder::new("any");
    let copy = folder.0.join("hostile");
    std::fs::copy(program("hostile"), &copy).unwrap();
    std::fs::set_permissions(&copy, PermissionsExt::from_mode(0o4755)).unwrap();
    // AT_SECURE is set; the environment counts all the same, as Go's does, for there is nothing in it that names files to load.
    let mut command = Command::new("setpriv");
    command.args(["--reuid=54321", "--regid=54321", "--clear-groups"]).arg(&copy).env("GOMAXPROCS", "3");
    let outcome = run(&mut command);
    is_well(&outcome);
    assert!(outcome.stdout.contains("user 54321 as 0\n") && outcome.stdout.contains("gomaxprocs 3\n"), "{outcome:?}");
    // Closed descriptors are what such programs are attacked by.
    let script = format!("exec setpriv --reuid=54321 --regid=54321 --clear-groups {} 0<&- 2>&-", copy.display());
    is_well(&run(Command::new("sh").args(["-c", &script])));
}

#[test]
fn a_set_uid_program_never_prints_a_trace() {
    let folder = Folder::new("traces");
    let copy = folder.0.join("traces");
    std::fs::copy(program("traces"), &copy).unwrap();
    std::fs::set_permissions(&copy, PermissionsExt::from_mode(0o4755)).unwrap();
    for (arguments, first) in [(["panic", "0", ""], "panic: deep\n"), (["set", "0", "crash"], "panic: deep\n"), (["trap", "0", ""], "SIGTRAP: trace trap\n")] {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=54321", "--regid=54321", "--clear-groups"]).arg(&copy).args(arguments).env("GOTRACEBACK", "crash");
        let outcome = run(&mut command);
        assert_eq!(outcome.status, Some(2), "{outcome:?}");
        assert!(outcome.stderr.starts_with(first) && !outcome.stderr.contains("goroutine") && !outcome.stderr.contains("PC="), "{outcome:?}");
    }
}

/// Runs a program with signals blocked by its parent.
fn with_blocked(signals: &str, name: &str, arguments: &[&str]) -> Outcome {
    let script = "import os, signal, sys\n\
                  signal.pthread_sigmask(signal.SIG_BLOCK, [getattr(signal, name) for name in sys.argv[1].split(',')])\n\
                  os.execv(sys.argv[2], sys.argv[2:])";
    run(Command::new("python3").args(["-c", script, signals]).arg(program(name)).args(arguments))
}

#[test]
fn sigurg_blocked_by_the_parent_is_let_in_and_preempts() {
    is_well(&with_blocked("SIGURG", "hostile", &[]));
}

#[test]
fn sigurg_ignored_by_the_parent_preempts() {
    let script = format!("trap '' URG && exec {}", program("hostile").display());
    is_well(&run(Command::new("sh").args(["-c", &script])));
}

#[test]
fn faults_blocked_by_the_parent_are_named_all_the_same() {
    let outcome = with_blocked("SIGSEGV,SIGBUS,SIGFPE,SIGILL", "deaths", &["segv"]);
    assert!(outcome.status == Some(2) && outcome.stderr.starts_with("fatal error: unexpected signal\n[signal SIGSEGV"), "{outcome:?}");
    let outcome = with_blocked("SIGSEGV,SIGBUS,SIGFPE,SIGILL", "deaths", &["overflow_goroutine"]);
    assert!(outcome.status == Some(2) && outcome.stderr.starts_with("fatal error: stack overflow\n"), "{outcome:?}");
}

#[test]
fn other_signals_stay_as_the_parent_has_set_them() {
    // SIGUSR1 (10) blocked, SIGTERM (15) not: on every thread of the program.
    let script = "import os, signal, subprocess, sys, time\n\
                  signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGURG])\n\
                  child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)\n\
                  child.stdout.readline()\n\
                  time.sleep(0.2)\n\
                  for task in os.listdir(f'/proc/{child.pid}/task'):\n\
                  \x20   status = open(f'/proc/{child.pid}/task/{task}/status').read().split()\n\
                  \x20   print(status[status.index('Name:') + 1], status[status.index('SigBlk:') + 1])\n\
                  child.kill()";
    let outcome = run(Command::new("python3").args(["-c", script]).arg(program("timers")).arg("forever"));
    let masks: Vec<(&str, u64)> =
        outcome.stdout.lines().filter_map(|line| line.split_once(' ')).map(|(name, mask)| (name, u64::from_str_radix(mask, 16).unwrap())).collect();
    let of_program: Vec<_> = masks.iter().filter(|(name, _)| !name.contains("sysmon")).collect();
    assert!(!of_program.is_empty() && of_program.iter().all(|(_, mask)| *mask == 1 << 9), "{outcome:?}");
}

#[test]
fn an_alternate_stack_of_the_parent_is_gone_with_exec() {
    // `sandbox` has one, as its trace shows. Nothing is refused here: call number 500 is nobody's.
    let deaths = program("deaths");
    let (outcome, trace) = traced(&["-e", "trace=sigaltstack,execve"], "sandbox", &["EPERM", "500", "--", deaths.to_str().unwrap(), "overflow_main"]);
    let lines: Vec<&str> = trace.lines().filter(|line| line.contains("sigaltstack(") || line.contains("execve(")).collect();
    assert!(
        lines.len() >= 4 && lines[1].contains("sigaltstack({ss_sp=0x") && lines[2].contains("execve(") && lines[3].contains("sigaltstack({ss_sp=0x"),
        "{trace}"
    );
    assert!(outcome.stderr.starts_with("fatal error: stack overflow\n"), "{outcome:?}");
}

#[test]
fn a_program_that_closes_all_files_it_does_not_know_is_preempted_as_before() {
    // Among them is what sysmon sleeps on, and nobody has a P, so it sleeps without a time: nothing else would ever wake it.
    is_well(&run(Command::new(program("hostile")).arg("closes")));
}
