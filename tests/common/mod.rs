//! Building the programs under test, and running one with a time limit.

#![allow(dead_code)]

pub mod package;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// What a program did.
#[derive(Debug)]
pub struct Outcome {
    pub stdout: String,
    pub stderr: String,
    /// The exit status; none if a signal ended it.
    pub status: Option<i32>,
}

fn build(package: &str) {
    let output = Command::new(env!("CARGO")).args(["build", "--release", "-q", "-p", package]).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{package} does not build:\n{}", String::from_utf8_lossy(&output.stderr));
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The path of a built program: of `tests/programs`, `examples` or `benches/gort`.
pub fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| ["gort-programs", "gort-examples", "peer-gort"].into_iter().for_each(build));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("release").join(name)
}

pub fn run(command: &mut Command) -> Outcome {
    run_for(command, Duration::from_secs(120))
}

/// Runs a command; one that is not done in time is killed, and the test fails.
pub fn run_for(command: &mut Command, limit: Duration) -> Outcome {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
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
                child.kill().unwrap();
                child.wait().unwrap();
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
