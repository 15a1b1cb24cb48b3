//! Standard output and error: whole lines, never torn between goroutines.
//!
//! 1. What one macro call prints is formatted first, with no lock held, and written under the stream's lock: nothing comes between.
//! 2. Nothing is buffered, but by a test that captures what it prints (`sched::group`): what was printed is out when the call returns. An error of the descriptor is ignored, as Go's fmt.Println does.

#![deny(unsafe_code)]

use crate::base::tune::PRINT_ON_STACK_BYTES;
use crate::sched::group;
use crate::sync::Mutex;
use crate::sys::{Errno, cpu, fd};
use alloc::string::String;
use core::fmt::{self, Write};

static STREAMS: [Mutex<()>; 2] = [Mutex::new(()), Mutex::new(())];

/// Writes the formatted text to standard output (1) or standard error (2).
#[doc(hidden)]
pub fn print(stream: i32, text: fmt::Arguments) {
    crate::gmp::require_runtime();
    if let Some(text) = text.as_str() {
        return write_all(stream, text.as_bytes());
    }
    let mut line = Line { stack: [0; PRINT_ON_STACK_BYTES], used: 0, rest: String::new() };
    let _ = line.write_fmt(text);
    match line.rest.is_empty() {
        true => write_all(stream, &line.stack[..line.used]),
        false => write_all(stream, line.rest.as_bytes()),
    }
}

/// Short text stays on the stack; longer moves to the heap whole.
struct Line {
    stack: [u8; PRINT_ON_STACK_BYTES],
    used: usize,
    rest: String,
}

impl fmt::Write for Line {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        if self.rest.is_empty() && self.used + s.len() <= self.stack.len() {
            self.stack[self.used..self.used + s.len()].copy_from_slice(s.as_bytes());
            self.used += s.len();
            return Ok(());
        }
        if self.rest.is_empty() {
            // Only whole strings were put in, so this is UTF-8.
            self.rest.push_str(core::str::from_utf8(&self.stack[..self.used]).map_err(|_| fmt::Error)?);
        }
        self.rest.push_str(s);
        Ok(())
    }
}

fn write_all(stream: i32, mut bytes: &[u8]) {
    if let Some(trial) = group::trial()
        && trial.print(bytes)
    {
        return;
    }
    let _whole = STREAMS[(stream - 1) as usize].lock();
    while !bytes.is_empty() {
        match fd::write(stream, bytes) {
            Ok(0) => return,
            Ok(n) => bytes = &bytes[n..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => cpu::sched_yield(),
            Err(_) => return,
        }
    }
}
