//! A stranger's program, made from exactly what the README tells users to write; and what they read when they forget a part.

mod common;

use common::package::{Package, block};
use common::{root, run_for};
use std::process::Command;
use std::time::Duration;

#[test]
fn the_readmes_program_builds_and_runs() {
    let package = Package::new("works");
    for arguments in [&["run", "-q"][..], &["run", "-q", "--release"]] {
        let outcome = package.cargo(arguments);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "the sum is 4950\n"), "{outcome:#?}");
    }
    // As a position-independent executable.
    let manifest = std::fs::read_to_string(package.0.join("Cargo.toml")).unwrap();
    package.write("Cargo.toml", &manifest.replace("gort = { ", "gort = { features = [\"static-pie\"], "));
    for arguments in [&["run", "-q"][..], &["run", "-q", "--release"]] {
        let outcome = package.cargo(arguments);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "the sum is 4950\n"), "{outcome:#?}");
    }
}

#[test]
fn the_readmes_tests_build_and_run() {
    let package = Package::new("tests");
    std::fs::create_dir(package.0.join("src/bin")).unwrap();
    package.write("src/bin/tests.rs", &block("src/bin/tests.rs"));
    for profile in [&["run", "-q", "--bin", "tests"][..], &["run", "-q", "--release", "--bin", "tests"]] {
        let outcome = package.cargo(&[profile, &["--", "--test-threads=1"]].concat());
        let want = "\nrunning 3 tests\ntest a_channel_is_closed_once - should panic ... ok\ntest a_sum_is_right ... ok\ntest an_hour_goes_by_at_once ... ok\n\n\
            test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in ";
        assert!(outcome.status == Some(0) && outcome.stdout.starts_with(want), "{outcome:#?}");
        let outcome = package.cargo(&[profile, &["--", "sum"]].concat());
        assert!(outcome.stdout.contains("\nrunning 1 test\ntest a_sum_is_right ... ok\n") && outcome.stdout.contains("; 2 filtered out;"), "{outcome:#?}");
    }
    // As a position-independent executable, whose section of tests is relocated.
    let manifest = std::fs::read_to_string(package.0.join("Cargo.toml")).unwrap();
    package.write("Cargo.toml", &manifest.replace("gort = { ", "gort = { features = [\"static-pie\"], "));
    let outcome = package.cargo(&["run", "-q", "--release", "--bin", "tests"]);
    assert!(outcome.status == Some(0) && outcome.stdout.contains(" 3 passed; "), "{outcome:#?}");
    // One that is broken.
    let broken = block("src/bin/tests.rs").replace("4950", "4951");
    package.write("src/bin/tests.rs", &broken);
    let outcome = package.cargo(&["run", "-q", "--bin", "tests"]);
    assert!(outcome.status == Some(101) && outcome.stdout.contains("    a_sum_is_right\n\ntest result: FAILED. 2 passed; 1 failed;"), "{outcome:#?}");
    // What is no test is named.
    package.write("src/bin/tests.rs", &broken.replace("fn a_sum_is_right()", "fn a_sum_is_right(n: i32)"));
    let outcome = package.cargo(&["build", "-q", "--bin", "tests"]);
    assert!(outcome.stderr.contains("test!: expected functions without arguments: `fn name() { … }`"), "{outcome:#?}");
}

/// What linked C has of its own on each thread: initialised and not, aligned more than a page's words are, and more than a page of it.
const C: &str = r#"
__thread long counter = 41;
__thread long zero;
__thread _Alignas(64) char line[64] = "aligned";
static __thread char large[5000];

/* 0 if this thread's variables are as the calls before on this very thread left them. `thread` numbers this thread, `call` its calls. */
int touch(long thread, long call) {
    if (counter != 41 + call || zero != (call ? thread : 0)) return 1;
    if (((unsigned long)line & 63) != 0 || line[0] != 'a' || line[6] != 'd' || line[63] != (call ? (char)thread : 0)) return 2;
    for (int i = 0; i < 5000; i++) if (large[i] != (call ? (char)(thread + i) : 0)) return 3;
    for (int i = 0; i < 5000; i++) large[i] = (char)(thread + i);
    counter++;
    zero = thread;
    line[63] = (char)thread;
    return 0;
}

void *where(void) { return &counter; }

/* Writes past the end of its buffer if `length` is more than 16: -fstack-protector-strong has put the canary of fs:0x28 above it. */
int fill(int length) {
    volatile char buffer[16];
    for (int i = 0; i < length; i++) buffer[i] = 'x';
    return buffer[0];
}
"#;

const USES_C: &str = r#"
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicI64, AtomicU32, AtomicUsize, Ordering::SeqCst};
use gort::prelude::*;
use gort::syscall;

gort::main!(main);

unsafe extern "C" {
    fn touch(thread: i64, call: i64) -> i32;
    fn where_() -> *mut u8;
    fn fill(length: i32) -> i32;
}

const THREADS: usize = 8;
static CALLS: [AtomicI64; THREADS] = [const { AtomicI64::new(0) }; THREADS];
static PLACES: [AtomicUsize; THREADS] = [const { AtomicUsize::new(0) }; THREADS];
static TIDS: [AtomicU32; THREADS] = [const { AtomicU32::new(0) }; THREADS];
static INSIDE: AtomicU32 = AtomicU32::new(0);

/// This thread's number: the place of its id.
fn number() -> usize {
    let tid = syscall::gettid();
    (0..THREADS).find(|&i| TIDS[i].compare_exchange(0, tid, SeqCst, SeqCst).is_ok() || TIDS[i].load(SeqCst) == tid).expect("more threads than were asked for")
}

fn main() {
    if gort::os::args().nth(1) == Some("smash") {
        unsafe { fill(64) };
        unreachable!();
    }
    // C stays on its thread while its goroutine is in a blocking call. All are in there at once, so each has a thread of its own.
    for round in 0..20 {
        scope(|s| {
            for _ in 0..4 {
                s.go(|| {
                    syscall::blocking(|| unsafe {
                        INSIDE.fetch_add(1, SeqCst);
                        while INSIDE.load(SeqCst) < 4 * (round + 1) {
                            core::hint::spin_loop();
                        }
                        let thread = number();
                        let call = CALLS[thread].fetch_add(1, SeqCst);
                        let wrong = touch(thread as i64 + 1, call);
                        assert_eq!(wrong, 0, "thread {thread}, call {call}");
                        PLACES[thread].store(where_() as usize, SeqCst);
                        assert_eq!(fill(16), i32::from(b'x'));
                    })
                });
            }
        });
    }
    let used = || (0..THREADS).filter(|&i| CALLS[i].load(SeqCst) != 0);
    for i in used() {
        assert!(used().all(|j| i == j || PLACES[i].load(SeqCst) != PLACES[j].load(SeqCst)), "two threads share a variable");
    }
    assert!(used().count() >= 4);
    assert_eq!(CALLS.iter().map(|n| n.load(SeqCst)).sum::<i64>(), 80);
    println!("each thread has its own");
}
"#;

#[test]
fn linked_c_has_its_thread_variables_on_every_thread() {
    let package = Package::new("c");
    package.write("linked.c", &C.replace("where(", "where_("));
    package.write("src/main.rs", USES_C);
    let script = block("build.rs");
    let end = script.rfind('}').unwrap();
    let compile = r#"
    println!("cargo::rerun-if-changed=linked.c");
    let object = format!("{}/linked.o", std::env::var("OUT_DIR").unwrap());
    let cc = std::process::Command::new("cc").args(["-c", "-O2", "-ffreestanding", "-fstack-protector-strong", "linked.c", "-o", &object]).status();
    assert!(cc.unwrap().success());
    println!("cargo::rustc-link-arg-bins={object}");
"#;
    package.write("build.rs", &format!("{}{compile}{}", &script[..end], &script[end..]));
    let manifest = std::fs::read_to_string(package.0.join("Cargo.toml")).unwrap();
    for features in ["", "features = [\"static-pie\"], "] {
        package.write("Cargo.toml", &manifest.replace("gort = { ", &format!("gort = {{ {features}")));
        for profile in [&["run", "-q"][..], &["run", "-q", "--release"]] {
            for procs in ["1", "4"] {
                let outcome = package.run_with(profile, procs);
                assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "each thread has its own\n"), "{features}{outcome:#?}");
            }
        }
        let outcome = package.cargo(&["run", "-q", "--release", "--", "smash"]);
        assert_eq!(outcome.status, Some(2), "{outcome:#?}");
        assert!(
            outcome.stderr.starts_with("fatal error: stack smashed: a C function has written past the end of its frame\n\ngoroutine 1 [running]:"),
            "{outcome:#?}"
        );
    }
}

#[test]
fn the_published_package_holds_what_it_is_built_from_and_no_more() {
    let outcome = run_for(
        Command::new(env!("CARGO")).args(["package", "--list", "--allow-dirty", "--offline", "-p", "gort"]).current_dir(root()),
        Duration::from_secs(120),
    );
    assert_eq!(outcome.status, Some(0), "{outcome:#?}");
    let listed: std::collections::BTreeSet<&str> = outcome.stdout.lines().collect();
    let mut files: Vec<_> = ["src", "arch"].into_iter().map(|folder| root().join(folder)).collect();
    let mut sources = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let path = path.strip_prefix(root()).unwrap().to_str().unwrap();
            assert!(listed.contains(path), "{path} is not in the package");
            sources += 1;
        }
    }
    for file in ["Cargo.toml", "build.rs", "README.md", "HACKING.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        assert!(listed.contains(file), "{file} is not in the package");
    }
    // These, Cargo.lock, and what cargo writes itself.
    let rest: Vec<_> = listed.iter().filter(|file| !file.starts_with("src/") && !file.starts_with("arch/")).collect();
    assert!(sources > 100 && rest.len() <= 10, "{rest:?}");
}

#[test]
fn a_forgotten_build_script_is_named() {
    let package = Package::new("build-script");
    std::fs::remove_file(package.0.join("build.rs")).unwrap();
    let outcome = package.cargo(&["build", "-q"]);
    assert_ne!(outcome.status, Some(0));
    assert!(outcome.stderr.contains("gort: this package has no build script"), "{}", outcome.stderr);
}

#[test]
fn a_forgotten_panic_strategy_is_named() {
    let package = Package::new("panic");
    let manifest = std::fs::read_to_string(package.0.join("Cargo.toml")).unwrap();
    package.write("Cargo.toml", &manifest.replace("panic = \"abort\"", ""));
    let outcome = package.cargo(&["build", "-q"]);
    assert_ne!(outcome.status, Some(0));
    assert!(outcome.stderr.contains("gort: a program without libc cannot unwind"), "{}", outcome.stderr);
}

#[test]
fn a_std_program_that_uses_goroutines_gets_a_sentence() {
    let result = std::panic::catch_unwind(|| gort::go(|| ()));
    let message = result.unwrap_err().downcast::<&str>().map(|s| s.to_string()).unwrap_or_default();
    assert!(message.starts_with("gort: goroutines run only in a program that gort::main! started"), "{message}");
}

#[test]
fn another_system_is_refused_with_a_sentence() {
    let script = std::env::temp_dir().join(format!("gort-build-script-{}", std::process::id()));
    assert!(Command::new("rustc").args(["--edition", "2024", "-o"]).arg(&script).arg(root().join("build.rs")).status().unwrap().success());
    let outcome = run_for(Command::new(&script).env("CARGO_CFG_TARGET_ARCH", "aarch64").env("CARGO_CFG_TARGET_OS", "linux"), Duration::from_secs(30));
    std::fs::remove_file(&script).unwrap();
    assert!(outcome.stdout.contains("cargo::error=gort makes its system calls itself") && outcome.stdout.contains("linux on aarch64"), "{outcome:?}");
}
