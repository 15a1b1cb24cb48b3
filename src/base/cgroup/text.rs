//! A bounded text: what does not fit makes it void, never a shorter one.

/// Up to `N` bytes.
pub struct Text<const N: usize> {
    len: usize,
    /// Did more come than fits?
    overflowed: bool,
    bytes: [u8; N],
}

impl<const N: usize> Text<N> {
    /// The empty text.
    pub const fn new() -> Text<N> {
        Text { len: 0, overflowed: false, bytes: [0; N] }
    }

    /// Empties it.
    #[inline]
    pub fn clear(&mut self) {
        (self.len, self.overflowed) = (0, false);
    }

    /// Adds a byte.
    #[inline]
    pub fn push(&mut self, byte: u8) {
        match self.bytes.get_mut(self.len) {
            Some(place) => {
                *place = byte;
                self.len += 1;
            }
            None => self.overflowed = true,
        }
    }

    /// All that came; none if that was more than fits.
    #[inline]
    pub fn get(&self) -> Option<&[u8]> {
        if self.overflowed { None } else { self.bytes.get(..self.len) }
    }

    /// Is it `text`?
    #[inline]
    pub fn is(&self, text: &[u8]) -> bool {
        self.get() == Some(text)
    }
}
