//! Resource limits: descriptors, address space, data, stack, queued signals, memory. Limits of threads are in `sandbox.rs`.

mod common;

use common::{Outcome, program, run};
use std::path::PathBuf;
use std::process::Command;

/// Runs a program under a limit, in prlimit's words.
fn limited(limits: &[&str], name: &str, arguments: &[&str]) -> Outcome {
    run(Command::new("prlimit").args(limits).arg(program(name)).args(arguments))
}

fn is_well(outcome: &Outcome) {
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
}

/// It did all, or it died of want of memory and says so.
fn is_well_or_says_why(outcome: &Outcome) -> bool {
    let well = outcome.status == Some(0) && outcome.stderr.is_empty();
    let dead = outcome.status == Some(2) && outcome.stderr.starts_with("fatal error: out of memory: ");
    assert!(well || dead, "{outcome:?}");
    well
}

#[test]
fn without_a_descriptor_to_spare_it_preempts_and_has_no_quota() {
    for limit in ["--nofile=3", "--nofile=0"] {
        let outcome = limited(&[limit], "hostile", &[]);
        is_well(&outcome);
        assert!(outcome.stdout.contains("preempted true\n"), "{outcome:?}");
    }
}

#[test]
fn with_less_address_space_it_takes_less_and_dies_with_a_message_if_that_is_not_enough() {
    // The smallest in which hello runs is below 32 MiB: main's stack has 8, an arena 16 or less.
    is_well(&limited(&["--as=33554432"], "hello", &[]));
    for kind in ["as", "data"] {
        let mut well = 0;
        for mib in [16, 20, 24, 40, 64, 128, 512, 8192] {
            let limit = format!("--{kind}={}", u64::from(mib as u32) << 20);
            well += u32::from(is_well_or_says_why(&limited(&[&limit], "hello", &[])));
            is_well_or_says_why(&limited(&[&limit], "stress", &["1"]));
        }
        assert!(well >= 5, "{well} of 8");
    }
}

#[test]
fn more_goroutines_than_there_is_address_space_for_are_a_message() {
    // 20 000 stacks of 260 KiB in 100 MB.
    assert!(!is_well_or_says_why(&limited(&["--as=100000000"], "crowd", &["call"])));
}

#[test]
fn the_kernels_stack_may_be_as_small_as_64_kib() {
    // It is used until main begins, 30 KiB of it. The kernel gives arguments their room beside it.
    is_well(&limited(&["--stack=65536"], "hostile", &[]));
    let outcome = limited(&["--stack=16384"], "hello", &[]);
    assert!(outcome.status == Some(2) && outcome.stderr.starts_with("fatal error: unexpected signal\n[signal SIGSEGV"), "{outcome:?}");
}

#[test]
fn goroutines_do_not_depend_on_the_limit_of_the_kernels_stack() {
    let outcome = limited(&["--stack=65536"], "deaths", &["overflow_main"]);
    assert!(outcome.status == Some(2) && outcome.stderr.starts_with("fatal error: stack overflow\n"), "{outcome:?}");
}

#[test]
fn where_no_signal_can_be_queued_it_preempts_all_the_same() {
    // The kernel then delivers SIGURG without the mark.
    for limit in ["--sigpending=0", "--sigpending=1"] {
        let outcome = limited(&[limit], "hostile", &[]);
        is_well(&outcome);
        assert!(outcome.stdout.contains("preempted true\n"), "{outcome:?}");
    }
}

/// A memory cgroup (v1 or v2) of our own, removed at the end.
struct Group {
    folder: PathBuf,
    limit: &'static str,
}

impl Group {
    fn new() -> Group {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
        for mount in mounts.lines() {
            let fields: Vec<&str> = mount.split(' ').collect();
            let (path, limit) = match fields[2] {
                "cgroup" if fields[3].split(',').any(|option| option == "memory") => {
                    (own.lines().find_map(|line| line.split_once(":memory:")).map(|(_, path)| path), "memory.limit_in_bytes")
                }
                "cgroup2" => (own.lines().find_map(|line| line.strip_prefix("0::")), "memory.max"),
                _ => continue,
            };
            let Some(path) = path else { continue };
            let folder = PathBuf::from(fields[1]).join(path.trim_start_matches('/')).join(format!("gort-memory-{}", std::process::id()));
            if std::fs::create_dir(&folder).is_ok() {
                if folder.join(limit).exists() {
                    return Group { folder, limit };
                }
                let _ = std::fs::remove_dir(&folder);
            }
        }
        panic!("no memory cgroup can be made here: run this test as root");
    }

    fn run(&self, mib: u32, name: &str, arguments: &[&str]) -> (std::process::ExitStatus, String) {
        std::fs::write(self.folder.join(self.limit), (mib << 20).to_string()).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo $$ > \"$0\"/cgroup.procs && exec \"$@\""]).arg(&self.folder).arg(program(name)).args(arguments);
        let output = command.output().unwrap();
        (output.status, String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.folder);
    }
}

#[test]
fn in_a_memory_cgroup_it_runs_in_what_it_touches_and_beyond_that_the_kernel_kills_it() {
    use std::os::unix::process::ExitStatusExt;
    let group = Group::new();
    // hello touches less than 1 MiB of its 26 MiB of address space.
    let (status, output) = group.run(4, "hello", &[]);
    assert!(status.success(), "{status} {output}");
    let (status, output) = group.run(64, "faults", &[]);
    assert!(status.success(), "{status} {output}");
    // 128 MiB of goroutines in 32: address space is there, memory is not, and no system call fails. Linux sends SIGKILL, and nobody can say anything.
    let (status, output) = group.run(32, "crowd", &["call"]);
    assert_eq!(status.signal(), Some(9), "{status} {output}");
}
