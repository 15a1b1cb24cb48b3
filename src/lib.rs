//! Go's goroutine scheduler as a Rust library for Linux, with no libc under it.
#![no_std]
#![deny(unsafe_op_in_unsafe_fn)]

#[cfg(any(test, loom))]
extern crate std;

pub mod arch;
pub mod base;
pub mod sys;
