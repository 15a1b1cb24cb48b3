//! Printing without allocation or locks: for fatal errors and signal handlers.

use crate::sys::fd;
use core::fmt;

/// Standard error, through a small buffer on the stack, written when it is full and at the end.
pub struct Stderr {
    buffer: [u8; 256],
    used: usize,
}

impl Stderr {
    /// An empty buffer.
    pub const fn new() -> Stderr {
        Stderr { buffer: [0; 256], used: 0 }
    }

    /// Writes out what is in the buffer; gives up on an error: there is nobody to tell.
    pub fn flush(&mut self) {
        let mut rest = &self.buffer[..self.used];
        while !rest.is_empty() {
            match fd::write(2, rest) {
                Ok(0) => break,
                Ok(n) => rest = &rest[n..],
                Err(crate::sys::Errno::INTR) => {}
                Err(_) => break,
            }
        }
        self.used = 0;
    }
}

impl fmt::Write for Stderr {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        for byte in s.bytes() {
            if self.used == self.buffer.len() {
                self.flush();
            }
            self.buffer[self.used] = byte;
            self.used += 1;
        }
        Ok(())
    }
}

impl Drop for Stderr {
    fn drop(&mut self) {
        self.flush();
    }
}
