//! The init of a guest that `ci/kernels` boots: runs the checks that `/checks` lists, prints what came of each, and turns the machine off.
//!
//! 1. It acts as process 1 only: elsewhere `mount` and `reboot` would meet somebody's machine.
//! 2. It has one thread: nothing here calls `go`. So it may fork.
//!
//! A line of `/checks`: `NAME SECONDS STATUS COMMAND… [=> TEXT]…`. COMMAND is a program of `/bin` and its arguments, `VARIABLE=VALUE` words before
//! it. The check holds if the program ends in time, with that status (`-N`: by signal N), and has printed every TEXT, on either output. A `$` at the
//! end of TEXT is the end of a line; `{kind}` in it is how registers are kept on this CPU, as the kernel has it in /proc/cpuinfo. Two commands are built
//! in: `file PATH` prints a file, `write PATH VALUE` writes one (a sysctl). Before all others may stand `v1:QUOTA` or `v2:QUOTA`: the program runs in a
//! group of that version of cgroups, which it may use for so many µs of each 100 ms; `max`: without a limit.
//!
//! Rejected: a shell and its tools (a second libc world in the guest, and no time limits); a status by QEMU's exit code (it can say one number only).

#![no_std]
#![no_main]

extern crate alloc;

use alloc::ffi::CString;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ffi::CStr;
use core::ptr::null;
use gort::prelude::*;
use gort::time::{Duration, Instant};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions};
use rustix::system::RebootCommand;

gort::main!(main);

const IOCTL: usize = 16;
const CLONE: usize = 56;
const EXECVE: usize = 59;
const MOUNT: usize = 165;
const UMOUNT: usize = 166;
const SIGCHLD: usize = 17;
/// With argument 1: wait until all that was written has left the machine.
const TCSBRK: usize = 0x5409;
/// What is kept of a program's output.
const OUTPUT_BYTES_MAX: usize = 256 << 10;
/// What is shown of it.
const SHOWN_BYTES_MAX: usize = 8 << 10;

/// A system call; the kernel's own result.
///
/// # Safety
/// That of the call `nr` with these arguments.
unsafe fn call(nr: usize, args: [usize; 5]) -> isize {
    let result: isize;
    // SAFETY: the caller's contract; the kernel changes rax, rcx, r11 and no other register.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") nr => result, in("rdi") args[0], in("rsi") args[1], in("rdx") args[2], in("r10") args[3], in("r8") args[4],
            lateout("rcx") _, lateout("r11") _, options(nostack),
        );
    }
    result
}

fn main() -> i32 {
    if rustix::process::getpid() != Pid::INIT {
        eprintln!("guest_init: it mounts file systems and turns the machine off, so it runs as process 1 of a guest only; ci/kernels starts one");
        return 2;
    }
    mount(c"proc", c"/proc");
    mount(c"sysfs", c"/sys");
    mount(c"devtmpfs", c"/dev");
    let name = rustix::system::uname();
    println!("guest: Linux {} on {}", name.release().to_string_lossy(), cpu());
    let (mut passed, mut failed) = (0, 0);
    match read(c"/checks") {
        Ok(checks) => {
            for line in checks.lines().filter(|line| !line.trim().is_empty()) {
                *(if check(line) { &mut passed } else { &mut failed }) += 1;
            }
        }
        Err(why) => {
            println!("FAIL checks: {why}");
            failed += 1;
        }
    }
    println!("guest: {passed} passed, {failed} failed");
    turn_off()
}

fn turn_off() -> ! {
    // SAFETY: the call takes no pointer.
    unsafe { call(IOCTL, [1, TCSBRK, 1, 0, 0]) };
    rustix::fs::sync();
    let error = rustix::system::reboot(RebootCommand::PowerOff);
    panic!("the machine stays on: {error:?}")
}

fn mount(kind: &CStr, at: &CStr) {
    // SAFETY: four strings; process 1 of a guest (invariant 1).
    let result = unsafe { call(MOUNT, [kind.as_ptr() as usize, at.as_ptr() as usize, kind.as_ptr() as usize, 0, 0]) };
    if result != 0 {
        println!("guest: {at:?} is not mounted: error {}", -result);
    }
}

fn read(path: &CStr) -> Result<String, String> {
    let failed = |error| format!("{path:?}: {error}");
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
    let (mut bytes, mut part) = (Vec::new(), [0u8; 4096]);
    loop {
        match rustix::io::read(&file, &mut part).map_err(failed)? {
            0 => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
            n => bytes.extend_from_slice(&part[..n]),
        }
    }
}

/// What /proc/cpuinfo says about the first CPU.
fn cpuinfo(name: &str) -> String {
    let text = read(c"/proc/cpuinfo").unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':')).unwrap_or("?").trim().to_string()
}

/// The name of the first CPU, and what it has for keeping registers.
fn cpu() -> String {
    let flags = cpuinfo("flags");
    let kept: Vec<&str> = flags.split(' ').filter(|flag| flag.starts_with("xsave") || flag.starts_with("avx")).collect();
    format!("{} ({})", cpuinfo("model name"), kept.join(" "))
}

/// How registers have to be kept here, by what the kernel says of the CPU.
fn kind() -> &'static str {
    let flags = cpuinfo("flags");
    let has = |flag| flags.split(' ').any(|f| f == flag);
    if has("xsavec") {
        "Xsavec"
    } else if has("xsave") {
        "Xsave"
    } else {
        "Fxsave"
    }
}

fn has_printed(output: &str, text: &str) -> bool {
    let text = text.replace("{kind}", kind());
    match text.strip_suffix('$') {
        Some(line) => output.contains(&format!("{line}\n")),
        None => output.contains(&text),
    }
}

/// Runs the check of a line, prints the result, and says if it held.
fn check(line: &str) -> bool {
    let mut parts = line.split(" => ");
    let words: Vec<&str> = parts.next().unwrap_or("").split_whitespace().collect();
    let texts: Vec<&str> = parts.map(str::trim).collect();
    let [name, seconds, status, command @ ..] = &words[..] else {
        println!("FAIL {line}: a check is NAME SECONDS STATUS COMMAND…");
        return false;
    };
    println!("-- {name}: {}", command.join(" "));
    let start = Instant::now();
    let (result, output) = match (seconds.parse(), status.parse::<i32>()) {
        (Ok(seconds), Ok(status)) => perform(command, Duration::from_secs(seconds), status),
        _ => (Err("SECONDS and STATUS are numbers".into()), String::new()),
    };
    let result = result.and_then(|()| match texts.iter().find(|text| !has_printed(&output, text)) {
        Some(text) => Err(format!("it has not printed `{text}`")),
        None => Ok(()),
    });
    let shown = if result.is_ok() { output.len().min(SHOWN_BYTES_MAX) } else { output.len() };
    for line in output.as_bytes()[..shown].split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        println!("   | {}", String::from_utf8_lossy(line));
    }
    let took = start.elapsed().as_secs_f64();
    match &result {
        Ok(()) => println!("ok {name} ({took:.1} s)"),
        Err(why) => println!("FAIL {name}: {why} ({took:.1} s)"),
    }
    result.is_ok()
}

fn perform(command: &[&str], limit: Duration, status: i32) -> (Result<(), String>, String) {
    match *command {
        ["file", path] => match read(&terminated(path)) {
            Ok(text) => (Ok(()), text),
            Err(why) => (Err(why), String::new()),
        },
        ["write", path, value] => (write(&terminated(path), value), String::new()),
        [first, ref command @ ..] if first.starts_with("v1:") || first.starts_with("v2:") => match Group::new(first) {
            Ok(group) => run(command, limit, status, Some(&group)),
            Err(why) => (Err(why), String::new()),
        },
        _ => run(command, limit, status, None),
    }
}

fn run(command: &[&str], limit: Duration, status: i32, group: Option<&Group>) -> (Result<(), String>, String) {
    match spawn(command, group) {
        Ok((child, output)) => finish(child, &output, limit, status),
        Err(why) => (Err(why), String::new()),
    }
}

/// A group of the cpu controller with a quota. The hierarchy is there as long as the group, for the controller can be in one at a time.
struct Group {
    version_2: bool,
}

/// A millisecond, by the kernel: gort's own sleep may start a thread (invariant 2).
fn pause() {
    let _ = rustix::thread::nanosleep(&Timespec { tv_sec: 0, tv_nsec: 1_000_000 });
}

/// A controller leaves one hierarchy for another a moment after its last group has gone.
const EBUSY: isize = -16;
const HIERARCHY: &CStr = c"/sys/fs/cgroup";
const FOLDER: &CStr = c"/sys/fs/cgroup/quota";
const PROCS: &CStr = c"/sys/fs/cgroup/quota/cgroup.procs";

impl Group {
    /// `v1:QUOTA` or `v2:QUOTA`.
    fn new(quota: &str) -> Result<Group, String> {
        let group = Group { version_2: quota.starts_with("v2") };
        let quota = &quota[3..];
        let (kind, options) = if group.version_2 { (c"cgroup2", c"") } else { (c"cgroup", c"cpu") };
        // SAFETY: five strings; process 1 of a guest (invariant 1).
        let mount = || unsafe { call(MOUNT, [kind.as_ptr() as usize, HIERARCHY.as_ptr() as usize, kind.as_ptr() as usize, 0, options.as_ptr() as usize]) };
        let start = Instant::now();
        let mut result = mount();
        while result == EBUSY && start.elapsed() < Duration::from_secs(10) {
            pause();
            result = mount();
        }
        if result != 0 {
            core::mem::forget(group);
            return Err(format!("{kind:?} is not mounted: error {}", -result));
        }
        if group.version_2 {
            write(c"/sys/fs/cgroup/cgroup.subtree_control", "+cpu")?;
        }
        rustix::fs::mkdir(FOLDER, Mode::RWXU).map_err(|error| format!("{FOLDER:?}: {error}"))?;
        if group.version_2 {
            write(c"/sys/fs/cgroup/quota/cpu.max", &format!("{quota} 100000"))?;
        } else {
            write(c"/sys/fs/cgroup/quota/cpu.cfs_period_us", "100000")?;
            write(c"/sys/fs/cgroup/quota/cpu.cfs_quota_us", if quota == "max" { "-1" } else { quota })?;
        }
        Ok(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The kernel takes a moment to let go of a process that has ended.
        let start = Instant::now();
        while rustix::fs::rmdir(FOLDER) == Err(rustix::io::Errno::BUSY) && start.elapsed() < Duration::from_secs(10) {
            pause();
        }
        if self.version_2 {
            let _ = write(c"/sys/fs/cgroup/cgroup.subtree_control", "-cpu");
        }
        // SAFETY: a string; process 1 of a guest (invariant 1).
        let result = unsafe { call(UMOUNT, [HIERARCHY.as_ptr() as usize, 0, 0, 0, 0]) };
        if result != 0 {
            println!("guest: {HIERARCHY:?} stays mounted: error {}", -result);
        }
    }
}

fn terminated(text: &str) -> CString {
    CString::new(text).expect("no NUL in /checks")
}

fn write(path: &CStr, value: &str) -> Result<(), String> {
    let failed = |error| format!("{path:?}: {error}");
    let file = rustix::fs::open(path, OFlags::WRONLY, Mode::empty()).map_err(failed)?;
    rustix::io::write(&file, value.as_bytes()).map_err(failed).map(drop)
}

/// Starts a program, its outputs on a pipe.
fn spawn(command: &[&str], group: Option<&Group>) -> Result<(Pid, OwnedFd), String> {
    let variables = command.iter().take_while(|word| word.contains('=')).count();
    let environment: Vec<CString> = command[..variables].iter().map(|word| terminated(word)).collect();
    let arguments: Vec<CString> = command[variables..].iter().map(|word| terminated(word)).collect();
    let program = terminated(&format!("/bin/{}", command.get(variables).ok_or("no command")?));
    let pointers = |strings: &[CString]| -> Vec<*const i8> { strings.iter().map(|string| string.as_ptr()).chain([null()]).collect() };
    let (argv, envp) = (pointers(&arguments), pointers(&environment));
    let (output, input) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|error| format!("pipe: {error}"))?;
    // SAFETY: a copy of a process with one thread (invariant 2) can do all that the original could.
    match unsafe { call(CLONE, [SIGCHLD, 0, 0, 0, 0]) } {
        0 => {
            let _ = rustix::stdio::dup2_stdout(&input);
            let _ = rustix::stdio::dup2_stderr(&input);
            if let Some(Err(why)) = group.map(|_| write(PROCS, "0")) {
                eprintln!("{why}");
                gort::runtime::exit(127)
            }
            // SAFETY: a string and two arrays of them that end with null; no memory of ours is left if it succeeds.
            let error = unsafe { call(EXECVE, [program.as_ptr() as usize, argv.as_ptr() as usize, envp.as_ptr() as usize, 0, 0]) };
            eprintln!("{program:?} cannot be run: error {}", -error);
            gort::runtime::exit(127)
        }
        child => match Pid::from_raw(child as i32) {
            Some(pid) if child > 0 => Ok((pid, output)),
            _ => Err(format!("fork: error {}", -child)),
        },
    }
}

/// Waits for a program, and compares its status.
fn finish(child: Pid, output: &OwnedFd, limit: Duration, status: i32) -> (Result<(), String>, String) {
    let start = Instant::now();
    let mut bytes = Vec::new();
    let ended = rustix::process::pidfd_open(child, PidfdFlags::empty()).expect("Linux 5.3 has pidfd_open");
    let mut in_time = true;
    loop {
        let left = limit.saturating_sub(start.elapsed());
        if left.is_zero() {
            in_time = false;
            let _ = rustix::process::kill_process(child, Signal::KILL);
            while take(output.as_fd(), &mut bytes) {}
            break;
        }
        let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        let mut fds = [PollFd::new(output, PollFlags::IN), PollFd::new(&ended, PollFlags::IN)];
        poll(&mut fds, Some(&timeout)).expect("poll");
        let [has_output, has_ended] = fds.each_ref().map(|fd| !fd.revents().is_empty());
        // Output first: what a program has written before its end is in the pipe by then.
        if has_output && take(output.as_fd(), &mut bytes) {
            continue;
        }
        if has_ended {
            break;
        }
    }
    let was = rustix::process::waitpid(Some(child), WaitOptions::empty()).expect("our child").expect("it has ended").1;
    let was = was.exit_status().unwrap_or_else(|| -was.terminating_signal().unwrap_or(0));
    let result = match (in_time, was == status) {
        (false, _) => Err(format!("not done after {} s", limit.as_secs())),
        (true, false) => Err(format!("its status is {was}, not {status}")),
        (true, true) => Ok(()),
    };
    (result, String::from_utf8_lossy(&bytes).into_owned())
}

/// Takes what is in the pipe; false at its end.
fn take(output: rustix::fd::BorrowedFd<'_>, bytes: &mut Vec<u8>) -> bool {
    let mut part = [0u8; 4096];
    let n = rustix::io::read(output, &mut part).unwrap_or(0);
    bytes.extend_from_slice(&part[..n]);
    bytes.truncate(OUTPUT_BYTES_MAX);
    n > 0
}
