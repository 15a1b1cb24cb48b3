//! Text without formatting: for what must be small, and is only bytes and numbers. Into a buffer, which may empty itself by a call.
//!
//! 1. No allocation, no lock. Where nobody takes what is in the buffer, what does not fit is cut off, and `is_full` says so.
//!
//! Rejected: `core::fmt`, where it is not needed: three times the code for each piece.

/// See the head of this file.
pub struct Text<'a> {
    bytes: &'a mut [u8],
    used: usize,
    sink: Option<fn(&[u8])>,
    /// Something was cut off.
    pub is_full: bool,
}

impl<'a> Text<'a> {
    /// Into `bytes`, what fits.
    pub fn within(bytes: &'a mut [u8]) -> Text<'a> {
        Text { bytes, used: 0, sink: None, is_full: false }
    }

    /// To whoever takes it, by way of `bytes`. `flush` at the end.
    pub fn by_way_of(bytes: &'a mut [u8], sink: fn(&[u8])) -> Text<'a> {
        Text { bytes, used: 0, sink: Some(sink), is_full: false }
    }

    /// What is in the buffer.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or(&[])
    }

    /// Hands over what is in the buffer.
    pub fn flush(&mut self) {
        if let Some(sink) = self.sink {
            sink(self.bytes());
            self.used = 0;
        }
    }

    /// Adds text.
    #[inline(never)]
    pub fn put(&mut self, text: &[u8]) {
        for &byte in text {
            if self.used == self.bytes.len() {
                self.flush();
                self.is_full |= self.sink.is_none();
            }
            if let Some(place) = self.bytes.get_mut(self.used) {
                *place = byte;
                self.used += 1;
            }
        }
    }

    /// Adds a number, to base 10.
    pub fn number(&mut self, number: u64) {
        self.digits(number, 10);
    }

    /// Adds `0x` and a number, to base 16.
    pub fn hex(&mut self, number: usize) {
        self.put(b"0x");
        self.digits(number as u64, 16);
    }

    #[inline(never)]
    fn digits(&mut self, mut number: u64, base: u64) {
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        while at > 0 {
            at -= 1;
            let digit = (number % base) as u8;
            digits[at] = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
            number /= base;
            if number == 0 {
                break;
            }
        }
        if let Some(digits) = digits.get(at..) {
            self.put(digits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_cut_off() {
        let mut bytes = [0; 12];
        let mut text = Text::within(&mut bytes);
        text.number(0);
        text.put(b" ");
        text.hex(0xbeef);
        assert_eq!((text.bytes(), text.is_full), (&b"0 0xbeef"[..], false));
        text.number(u64::MAX);
        assert_eq!((text.bytes(), text.is_full), (&b"0 0xbeef1844"[..], true));
        let mut text = Text::within(&mut []);
        text.put(b"");
        assert!(!text.is_full);
        text.put(b"x");
        assert!(text.is_full);
    }
}
