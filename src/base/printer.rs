//! Printing without allocation or locks: for fatal errors and signal handlers.

use crate::sys::fd;
use core::ffi::CStr;
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

/// A short C string on the stack; what does not fit is cut off.
pub struct CStrBuffer<const N: usize> {
    bytes: [u8; N],
    used: usize,
}

impl<const N: usize> CStrBuffer<N> {
    /// The empty string.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> CStrBuffer<N> {
        CStrBuffer { bytes: [0; N], used: 0 }
    }

    /// What was written.
    pub fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }
}

impl<const N: usize> fmt::Write for CStrBuffer<N> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        for &byte in s.as_bytes() {
            if self.used + 1 < N && byte != 0 {
                self.bytes[self.used] = byte;
                self.used += 1;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::fmt::Write;

    #[test]
    fn a_long_name_is_cut_off_and_ends_with_a_zero() {
        let mut name = CStrBuffer::<8>::new();
        write!(name, "gort-m{}", 12345).unwrap();
        assert_eq!(name.as_c_str(), c"gort-m1");
    }
}
