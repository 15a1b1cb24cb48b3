//! A small fast random number generator for scheduling decisions (xorshift64*). Not for secrets.

use core::cell::Cell;

/// The state; owned by one P or one M.
pub struct Rng(Cell<u64>);

impl Rng {
    /// A generator whose sequence depends on `seed`.
    pub const fn new(seed: u64) -> Rng {
        Rng(Cell::new(seed | 1))
    }

    /// The next number.
    #[inline]
    pub fn next(&self) -> u64 {
        let mut x = self.0.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.0.set(x);
        x.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number in `0..n`; 0 for `n == 0`.
    #[inline]
    pub fn below(&self, n: u32) -> u32 {
        (((self.next() >> 32) * n as u64) >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_stays_below_and_reaches_all() {
        let rng = Rng::new(7);
        let mut seen = [0u32; 10];
        for _ in 0..10_000 {
            seen[rng.below(10) as usize] += 1;
        }
        assert!(seen.iter().all(|&n| n > 500), "{seen:?}");
        assert_eq!(rng.below(0), 0);
    }
}
