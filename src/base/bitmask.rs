//! A set of small numbers as atomic words: which Ps are idle. Read by thieves without a lock.

use super::atomic::{AtomicU64, Ordering};

/// A view of a bitmask over words that live elsewhere.
#[derive(Clone, Copy)]
pub struct Bitmask<'a> {
    words: &'a [AtomicU64],
}

impl<'a> Bitmask<'a> {
    /// The set over `words`.
    pub const fn new(words: &'a [AtomicU64]) -> Bitmask<'a> {
        Bitmask { words }
    }

    /// Is `i` in the set?
    #[inline]
    pub fn has(self, i: u32) -> bool {
        self.words[i as usize / 64].load(Ordering::Acquire) & (1 << (i % 64)) != 0
    }

    /// Puts `i` into the set.
    #[inline]
    pub fn insert(self, i: u32) {
        self.words[i as usize / 64].fetch_or(1 << (i % 64), Ordering::AcqRel);
    }

    /// Takes `i` out of the set.
    #[inline]
    pub fn remove(self, i: u32) {
        self.words[i as usize / 64].fetch_and(!(1 << (i % 64)), Ordering::AcqRel);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn members_are_those_inserted_and_not_removed() {
        let words = [const { AtomicU64::new(0) }; 3];
        let set = Bitmask::new(&words);
        for i in [0, 63, 64, 130] {
            set.insert(i);
        }
        set.remove(63);
        let members: std::vec::Vec<u32> = (0..192).filter(|&i| set.has(i)).collect();
        assert_eq!(members, [0, 64, 130]);
    }
}
