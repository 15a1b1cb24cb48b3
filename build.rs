//! Tells dependents how to link a program without libc, and refuses every other system with a sentence.
//!
//! Linker arguments do not reach a dependent by themselves. They travel as metadata of `links = "gort"`: the dependent's own build
//! script finds them in `DEP_GORT_BINS` and prints them (README.md, "A program of your own").

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=arch");
    let (arch, os) = (var("CARGO_CFG_TARGET_ARCH").unwrap_or_default(), var("CARGO_CFG_TARGET_OS").unwrap_or_default());
    if (arch.as_str(), os.as_str()) != ("x86_64", "linux") {
        println!("cargo::error=gort makes its system calls itself and knows those of Linux on x86_64 only; the target here is {os} on {arch}");
        return;
    }
    let pie = var("CARGO_FEATURE_STATIC_PIE").is_ok();
    let kind: &[&str] = if pie { &["-static-pie", "-Wl,-z,text"] } else { &["-static", "-no-pie"] };
    let mut args = vec!["-nostartfiles", "-nostdlib", "-Wl,-z,noexecstack", "-Wl,--build-id=none"];
    args.extend(kind);
    if var("CARGO_FEATURE_TRACES").is_err() {
        // The index of the tables of frames: nobody looks anything up. Debuggers read the tables themselves.
        args.push("-Wl,--no-eh-frame-hdr");
    }
    // One line of metadata a kind of target, its directives joined by spaces: no argument contains one.
    for (name, target) in [("bins", "rustc-link-arg-bins"), ("examples", "rustc-link-arg-examples"), ("benches", "rustc-link-arg-benches")] {
        let lines: Vec<String> = args.iter().map(|a| format!("cargo::{target}={a}")).collect();
        println!("cargo::metadata={name}={} cargo::rustc-env=GORT_LINKED=1", lines.join(" "));
    }
}
