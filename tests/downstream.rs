//! A stranger's program, made from exactly what the README tells users to write; and what they read when they forget a part.

mod common;

use common::{Outcome, root, run_for};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// The README's block of code behind the line that names `file`.
fn block(file: &str) -> String {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let at = readme.find(&format!("`{file}`:")).unwrap_or_else(|| panic!("README.md names no `{file}`"));
    let rest = &readme[at..];
    let start = rest.find("```").unwrap();
    let start = start + rest[start..].find('\n').unwrap() + 1;
    rest[start..start + rest[start..].find("```").unwrap()].to_string()
}

struct Package(PathBuf);

impl Package {
    fn new(name: &str) -> Package {
        let folder = std::env::temp_dir().join(format!("gort-downstream-{}-{name}", std::process::id()));
        std::fs::create_dir_all(folder.join("src")).unwrap();
        let package = Package(folder);
        let manifest = block("Cargo.toml").replace("gort = \"0.1\"", &format!("gort = {{ path = {:?} }}", root()));
        assert!(manifest.contains("path ="), "{manifest}");
        package.write("Cargo.toml", &manifest);
        package.write("build.rs", &block("build.rs"));
        package.write("src/main.rs", &block("src/main.rs"));
        std::fs::copy(root().join("Cargo.lock"), package.0.join("Cargo.lock")).unwrap();
        package
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.0.join(file), text).unwrap();
    }

    fn cargo(&self, arguments: &[&str]) -> Outcome {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(arguments).current_dir(&self.0).env("CARGO_TARGET_DIR", self.0.join("target"));
        run_for(&mut cargo, Duration::from_secs(300))
    }
}

impl Drop for Package {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

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
    let outcome = package.cargo(&["run", "-q", "--release"]);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "the sum is 4950\n"), "{outcome:#?}");
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
