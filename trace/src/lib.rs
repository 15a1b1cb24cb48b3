//! Stack traces: who called whom, by the tables that a program carries, the functions' names, and the text that Go would print.
//!
//! 1. What is read here may be anything: a broken stack, a file that is cut off, a symbol that is none. So there is no unsafe code, nothing panics, and
//!    everything ends.
//! 2. No allocation, no lock, no system call: it runs in the signal handler of a program that is broken. Who calls brings memory and ways to read.
//!
//! A crate of its own, so that it can be compiled for size while the scheduler is compiled for speed (`profile.release.package` in Cargo.toml): it is
//! linked into every program, and nothing in it is hot.

#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(test)]
extern crate std;

pub mod cfi;
pub mod demangle;
pub mod goroutine;
#[cfg(feature = "lines")]
pub mod lines;
#[cfg(not(feature = "lines"))]
#[path = "no_lines.rs"]
pub mod lines;
pub mod name;
#[cfg(feature = "lines")]
mod sections;
pub mod symtab;
pub mod text;
pub mod walk;
