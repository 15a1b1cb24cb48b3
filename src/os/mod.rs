//! The process's surroundings: arguments and environment.

#![deny(unsafe_code)]

use crate::gmp::env;
use core::str::from_utf8;

/// The arguments; the first is the program's name. Panics at one that is not UTF-8 (`args_os` gives bytes).
pub fn args() -> impl Iterator<Item = &'static str> {
    args_os().map(|arg| from_utf8(arg).unwrap_or_else(|_| panic!("args: an argument is not UTF-8: {}", arg.escape_ascii())))
}

/// The arguments as bytes.
pub fn args_os() -> impl Iterator<Item = &'static [u8]> {
    (0..).map_while(env::arg).map(|arg| arg.to_bytes())
}

/// The environment, `NAME=value` a line.
///
/// Source: Go package os, Environ.
pub fn environ() -> impl Iterator<Item = &'static [u8]> {
    (0..).map_while(env::line).map(|line| line.to_bytes())
}

/// The value of environment variable `name`; none if it is not set or not UTF-8.
pub fn var(name: &str) -> Option<&'static str> {
    from_utf8(env::var(name.as_bytes())?).ok()
}
