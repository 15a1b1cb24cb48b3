//! How a `Map` hashes if the program says nothing else: a folded multiplication a word, from a seed that each process draws at random.
//!
//! Whoever chooses the keys cannot know which of them fall together, as long as he does not learn the seed; it is no cryptography. `std`'s SipHash is some
//! five times slower for a number.

use crate::sched::start::seed;
use core::hash::{BuildHasher, Hasher};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The process's; 0: not drawn yet.
static SEED: AtomicU64 = AtomicU64::new(0);

const A: u64 = 0x9e37_79b9_7f4a_7c15;
const B: u64 = 0xd1b5_4a32_d192_ed03;

/// Makes the hashers of a [`Map`](super::Map), unless the program has others: fast, and seeded at random for each process. Not for cryptography.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomState;

/// See [`RandomState`].
#[derive(Clone, Debug)]
pub struct RandomHasher {
    state: u64,
}

impl RandomState {
    /// One; all have the same seed.
    pub const fn new() -> RandomState {
        RandomState
    }
}

impl BuildHasher for RandomState {
    type Hasher = RandomHasher;
    #[inline]
    fn build_hasher(&self) -> RandomHasher {
        let seed = SEED.load(Relaxed);
        RandomHasher { state: if seed == 0 { draw() } else { seed } }
    }
}

#[cold]
fn draw() -> u64 {
    let drawn = seed() | 1;
    // Without the kernel's bytes two who draw at once draw different ones: one has drawn.
    SEED.compare_exchange(0, drawn, Relaxed, Relaxed).err().unwrap_or(drawn)
}

#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

impl Hasher for RandomHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.write_u64(u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.write_u64(u64::from_le_bytes(last));
        // The zeros that filled it up are none of the bytes.
        self.write_u64(bytes.len() as u64);
    }

    #[inline]
    fn write_u8(&mut self, value: u8) {
        self.write_u64(value.into());
    }

    #[inline]
    fn write_u32(&mut self, value: u32) {
        self.write_u64(value.into());
    }

    #[inline]
    fn write_u64(&mut self, value: u64) {
        self.state = fold(self.state ^ value, A).wrapping_add(B);
    }

    #[inline]
    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    #[inline]
    fn finish(&self) -> u64 {
        fold(self.state, B)
    }
}
