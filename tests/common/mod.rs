//! Building the programs under test, and running one with a time limit.

#![allow(dead_code)]

pub mod named;
pub mod package;
pub mod scenarios;

use std::collections::BTreeSet;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// What a program did.
#[derive(Debug)]
pub struct Outcome {
    pub stdout: String,
    pub stderr: String,
    /// The exit status; none if a signal ended it.
    pub status: Option<i32>,
}

fn build(package: &[&str]) {
    let output = Command::new(env!("CARGO")).args(["build", "--release", "-q", "-p"]).args(package).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{package:?} does not build:\n{}", String::from_utf8_lossy(&output.stderr));
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The path of a built program: of `tests/programs`, `examples` or `benches/gort`. The first call builds all of them; with GORT_BUILD_EACH set
/// (`ci/mutants`) each call builds the program that it names, and no other.
pub fn program(name: &str) -> PathBuf {
    static ALL: OnceLock<()> = OnceLock::new();
    static EACH: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if std::env::var_os("GORT_BUILD_EACH").is_some() {
        let mut built = EACH.lock().unwrap();
        if built.insert(name.into()) {
            let is_in = |folder: &str| root().join(folder).join(format!("{name}.rs")).exists() || root().join(folder).join(name).exists();
            let package = [("tests/programs/src/bin", "gort-programs"), ("examples/src/bin", "gort-examples")].into_iter().find(|(folder, _)| is_in(folder));
            build(&[package.map_or("peer-gort", |(_, package)| package), "--bin", name]);
        }
    } else {
        ALL.get_or_init(|| ["gort-programs", "gort-examples", "peer-gort"].into_iter().for_each(|package| build(&[package])));
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("release").join(name)
}

pub fn run(command: &mut Command) -> Outcome {
    run_for(command, Duration::from_secs(120))
}

/// Starts a command in a process group of its own.
pub fn start_group(command: &mut Command) -> std::process::Child {
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Kills it with all that it has started: a program under strace would go on, and hold the pipes.
pub fn kill_group(child: &mut std::process::Child) {
    let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).status();
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Runs a command; one that is not done in time is killed, and the test fails.
pub fn run_for(command: &mut Command, limit: Duration) -> Outcome {
    let mut child = start_group(command);
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let read = |pipe: &mut dyn Read| {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let stdout = std::thread::spawn(move || read(&mut out));
    let stderr = std::thread::spawn(move || read(&mut err));
    let start = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if start.elapsed() > limit => {
                kill_group(&mut child);
                panic!("not done after {limit:?}: {command:?}\nstdout: {}\nstderr: {}", stdout.join().unwrap(), stderr.join().unwrap());
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    Outcome { stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap(), status: status.code() }
}

/// Is this a long run (`ci/test --long`), which tries all of what a short one samples?
pub fn long() -> bool {
    std::env::var_os("GORT_LONG").is_some()
}

/// Seconds of each storm: GORT_STORM_SECONDS, which `ci/test --long` sets to 30, else 2.
pub fn storm_seconds() -> u64 {
    std::env::var("GORT_STORM_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2)
}

/// The number behind `name` in a program's output.
pub fn number_after(text: &str, name: &str) -> u64 {
    text.split_whitespace().skip_while(|&word| word != name).nth(1).unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

/// Is this the long run of `ci/test --long`?
pub fn is_long() -> bool {
    storm_seconds() >= 30
}

/// Runs a program under strace with `options`; the trace comes as the second result.
pub fn traced(options: &[&str], name: &str, arguments: &[&str]) -> (Outcome, String) {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let log = std::env::temp_dir().join(format!("gort-traced-{}-{number}", std::process::id()));
    let outcome = run(Command::new("strace").args(["-f", "-qq", "-o"]).arg(&log).args(options).arg(program(name)).args(arguments));
    let trace = std::fs::read_to_string(&log).unwrap_or_default();
    let _ = std::fs::remove_file(&log);
    (outcome, trace)
}

/// A child that is killed if the test ends before it does.
pub struct Child(pub std::process::Child);

impl Child {
    /// Starts it with its output piped.
    pub fn start(command: &mut Command) -> Child {
        Child(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Its end, which must come within `limit`.
    pub fn wait(mut self, limit: Duration) -> Outcome {
        let start = Instant::now();
        let status = loop {
            match self.0.try_wait().unwrap() {
                Some(status) => break status.code(),
                None if start.elapsed() > limit => panic!("not done after {limit:?}"),
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        };
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.0.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        self.0.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        Outcome { stdout, stderr, status }
    }

    /// Its end, under a storm of SIGURG to the process or to each of its threads; and how many rounds of it there were.
    pub fn wait_under_signals(mut self, to_threads: bool) -> (Outcome, u32) {
        let (pid, start, mut sent) = (self.pid(), Instant::now(), 0);
        while self.0.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < Duration::from_secs(120), "not done under {sent} signals");
            let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
            let tasks: Vec<u32> = tasks.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
            for _ in 0..10 {
                match to_threads {
                    true => tasks.iter().for_each(|tid| send_sigurg(pid, Some(*tid))),
                    false => send_sigurg(pid, None),
                }
                sent += 1;
                std::thread::sleep(Duration::from_micros(100));
            }
        }
        (self.wait(Duration::from_secs(60)), sent)
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([format!("-{name}"), self.pid().to_string()]).status().unwrap().success());
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// kill(2), or tgkill(2) if `thread` is given.
fn send_sigurg(pid: u32, thread: Option<u32>) {
    let (nr, a, b, c) = match thread {
        None => (62, pid, 23, 0),
        Some(tid) => (234, pid, tid, 23),
    };
    // SAFETY: kill and tgkill touch no memory.
    unsafe {
        std::arch::asm!("syscall", inlateout("rax") nr as usize => _, in("rdi") a as usize, in("rsi") b as usize, in("rdx") c as usize,
            lateout("rcx") _, lateout("r11") _, options(nostack));
    }
}
