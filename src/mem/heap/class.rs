//! Size classes: how large the block is that a small request gets.
//!
//! 1. Up to 128 bytes there is a class every 16 bytes, then four to a doubling, up to 32 KiB: 40 classes. Above 128 bytes at most a fifth
//!    of a block is unused.
//! 2. Every class is a multiple of each power of two for which a rounded request can ask: see `Class::of`. Its spans begin at such
//!    a multiple, so a block is aligned without further ado.
//! 3. `of` is one load from a table of 2 KiB, of which a program touches the lines of the sizes that it uses; nothing at all where the compiler knows
//!    the layout. Computed from the top bits of the size, it made a pair of free and allocate 2 ns slower.

use crate::base::tune::{HEAP_BATCH_BLOCKS, HEAP_BATCH_BYTES};

/// The largest request that has a class.
pub const SMALL_MAX: usize = 32 << 10;
/// How many classes there are.
pub const CLASSES: usize = 40;

/// Below `1 << LINEAR_LOG` bytes, classes are `STEP` apart.
const LINEAR_LOG: u32 = 7;
const STEP: usize = 16;

/// A class: a number below `CLASSES`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Class(u8);

/// The class of each multiple of `STEP`.
static TABLE: [u8; SMALL_MAX / STEP + 1] = {
    let mut table = [0; SMALL_MAX / STEP + 1];
    let mut n = 1;
    while n < table.len() {
        table[n] = Class::compute(n * STEP).0;
        n += 1;
    }
    table
};

impl Class {
    /// The class of a request of `1..=SMALL_MAX` bytes.
    ///
    /// If `bytes` is a multiple of a power of two `a`, so is the class: where classes are at least `a` apart they all are, and where they
    /// are closer, `bytes` is a class itself. So a layout is rounded up to its alignment first (`Kind::of`).
    #[inline(always)]
    pub const fn of(bytes: usize) -> Class {
        Class(TABLE[bytes.div_ceil(STEP)])
    }

    const fn compute(bytes: usize) -> Class {
        let last = bytes - 1;
        let log = (last | ((1 << LINEAR_LOG) - 1)).ilog2();
        // The three bits from the top one down: 4 to 7, and 0 to 7 in the linear part, where `log` is `LINEAR_LOG - 1`.
        Class((4 * (log + 1 - LINEAR_LOG)) as u8 + (last >> (log - 2)) as u8)
    }

    /// The class with this number.
    pub const fn nth(number: usize) -> Class {
        assert!(number < CLASSES);
        Class(number as u8)
    }

    /// Its number: below `CLASSES`.
    #[inline(always)]
    pub const fn number(self) -> usize {
        // The compiler need not check an index against the length of an array of `CLASSES`.
        if self.0 as usize >= CLASSES {
            // SAFETY: `of` is asked for at most `SMALL_MAX` bytes, and `nth` asserts.
            unsafe { core::hint::unreachable_unchecked() }
        }
        self.0 as usize
    }

    /// Bytes of its blocks.
    pub const fn bytes(self) -> usize {
        let n = self.0 as usize;
        if n < 8 {
            return (n + 1) * STEP;
        }
        let base = 1 << (LINEAR_LOG as usize + (n - 8) / 4);
        base + ((n - 8) % 4 + 1) * (base / 4)
    }

    /// Blocks that move at a time between a P's cache and the central lists.
    pub const fn batch(self) -> u32 {
        let blocks = HEAP_BATCH_BYTES / self.bytes();
        if blocks == 0 {
            1
        } else if blocks as u32 > HEAP_BATCH_BLOCKS {
            HEAP_BATCH_BLOCKS
        } else {
            blocks as u32
        }
    }

    /// Units of its spans: so many that at least eight blocks fit, and at most a sixteenth is left over.
    pub const fn span_units(self) -> u32 {
        match self.bytes() {
            0..=2048 => 1,
            2049..=8192 => 4,
            8193..=16384 => 8,
            _ => 16,
        }
    }

    /// What its spans are aligned to, in units.
    pub const fn span_align(self) -> u32 {
        if self.bytes() == SMALL_MAX { 2 } else { 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::super::segment::UNIT;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn of_is_the_smallest_class_that_fits() {
        for bytes in 1..=SMALL_MAX {
            let class = Class::of(bytes);
            assert!(class.bytes() >= bytes, "{bytes} in {class:?}");
            assert!(class.number() == 0 || Class::nth(class.number() - 1).bytes() < bytes, "{bytes} in {class:?}");
        }
        assert_eq!(Class::of(SMALL_MAX), Class::nth(CLASSES - 1));
    }

    #[test]
    fn above_128_bytes_at_most_a_fifth_is_unused() {
        for bytes in 129..=SMALL_MAX {
            assert!((Class::of(bytes).bytes() - bytes) * 5 <= Class::of(bytes).bytes(), "{bytes}");
        }
    }

    #[test]
    fn a_span_holds_eight_blocks_and_wastes_at_most_a_sixteenth() {
        for class in (0..CLASSES).map(Class::nth) {
            let span = class.span_units() as usize * UNIT;
            assert!(span / class.bytes() >= 8, "{class:?}");
            assert!(span % class.bytes() * 16 <= span, "{class:?}");
        }
    }

    proptest! {
        #[test]
        fn a_multiple_of_a_power_of_two_stays_one(log in 0u32..16, n in 1usize..=SMALL_MAX) {
            let align = 1usize << log;
            let bytes = n.next_multiple_of(align);
            prop_assume!(bytes <= SMALL_MAX);
            let class = Class::of(bytes);
            prop_assert_eq!(class.bytes() % align, 0);
            prop_assert_eq!(class.span_align() as usize * UNIT % align, 0);
        }
    }
}
