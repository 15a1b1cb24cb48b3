//! Lines for standard error in memory of their own, written whole: what the knobs of `GODEBUG` print.
//!
//! 1. A write has whole lines. Only a line that is longer than the memory is written in pieces.
//! 2. What standard error does not take is lost: nobody waits for a full pipe that does not block, and nothing is retried for ever.
//! 3. Nothing here allocates, takes a lock or switches. Who uses one has it alone.
//!
//! Rejected: `write!` (each line of ten numbers is 300 bytes of code); `printer::Stderr` (it writes when it is full, in mid-line).

use crate::sys::{Errno, fd};

/// What is printed for a number that is not there, as in Go.
pub const NIL: u64 = u64::MAX;

/// See the head of this file.
pub struct Lines<'a> {
    memory: &'a mut [u8],
    used: usize,
}

impl<'a> Lines<'a> {
    /// In `memory`, of 4 bytes at least. At the end of a line that leaves less than a quarter of it, all is written.
    pub fn new(memory: &'a mut [u8]) -> Lines<'a> {
        Lines { memory, used: 0 }
    }

    /// `text`, with marks replaced by the next of `values`: `#` by it in decimal, or `nil` for `NIL`; `&` in hexadecimal; `~` as so many thousandths; `?` by
    /// whether it is not zero, in words.
    #[cold]
    #[inline(never)]
    pub fn put(&mut self, text: &str, mut values: &[u64]) {
        for byte in text.bytes() {
            if !matches!(byte, b'#' | b'&' | b'~' | b'?') {
                self.push(byte);
                continue;
            }
            let Some((&value, rest)) = values.split_first() else { return };
            values = rest;
            let word = match byte {
                b'#' if value == NIL => "nil",
                b'?' if value != 0 => "true",
                b'?' => "false",
                _ => {
                    self.number(value, byte);
                    continue;
                }
            };
            self.put(word, &[]);
        }
    }

    #[inline(never)]
    fn number(&mut self, mut value: u64, mark: u8) {
        let base = if mark == b'&' { 16 } else { 10 };
        let (mut digits, mut first) = ([0u8; 24], 24);
        loop {
            first -= 1;
            let digit = (value % base) as u8;
            digits[first] = digit + if digit < 10 { b'0' } else { b'a' - 10 };
            value /= base;
            if mark == b'~' && first == 21 {
                first -= 1;
                digits[first] = b'.';
            } else if value == 0 && (mark != b'~' || first < 20) {
                break;
            }
        }
        for &digit in &digits[first..] {
            self.push(digit);
        }
    }

    #[inline(never)]
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.memory.get_mut(self.used) {
            *place = byte;
            self.used += 1;
        }
        let room = self.memory.len() - self.used;
        if room == 0 || byte == b'\n' && room < self.memory.len() / 4 {
            self.flush();
        }
    }

    /// Writes all out.
    #[inline(never)]
    pub fn flush(&mut self) {
        let (mut from, end) = (0, core::mem::take(&mut self.used));
        while let Some(rest) = self.memory.get(from..end)
            && !rest.is_empty()
        {
            match fd::write(2, rest) {
                Ok(n) if n != 0 => from += n,
                Err(Errno::INTR) => {}
                _ => return, // invariant 2
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(room: usize, text: &str, values: &[u64]) -> std::string::String {
        let mut memory = [0; 256];
        let mut lines = Lines::new(&mut memory[..room]);
        lines.put(text, values);
        std::str::from_utf8(&lines.memory[..lines.used]).unwrap().into()
    }

    #[test]
    fn values_stand_where_the_text_has_marks() {
        assert_eq!(put(256, "a=# b=# c=& d=? e=?.", &[0, NIL, 0xdead_beef, 0, 7]), "a=0 b=nil c=deadbeef d=false e=true.");
        assert_eq!(put(256, "#", &[u64::MAX - 1]), "18446744073709551614");
        assert_eq!(put(256, "# # after", &[3]), "3 ");
        assert_eq!(put(256, "~ ~ ~ ~ ~", &[0, 7, 1000, 12_345, u64::MAX]), "0.000 0.007 1.000 12.345 18446744073709551.615");
    }
}
