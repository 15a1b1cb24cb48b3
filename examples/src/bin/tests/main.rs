//! Tests of what gort's users call, written as users write theirs: `cargo run --bin tests -- FILTER`.
//!
//! Each module has its tests; this file only makes the program of them.

#![no_std]
#![no_main]

extern crate alloc;

mod channels;
mod goroutines;

gort::test_main!();
