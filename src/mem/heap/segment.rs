//! A segment: one mebibyte of address space at a multiple of itself, cut into 64 units of 16 KiB, one bit each in a word.
//!
//! ```text
//!   +--------+--------+--------+- … -+--------+
//!   | header | unit 1 | unit 2 |     | unit 63|      header: the words, the owners, a span record for every unit: one page of 16 KiB
//!   +--------+--------+--------+- … -+--------+
//! ```
//!
//! 1. The segment of an address is found by masking, its unit by a shift: `owner` names the unit where its span begins.
//! 2. `free`, `dirty`, the links and the flags are guarded by the lock of the page heap; `owner` and the record of a span are written under it
//!    before the span is given out, and then belong to who has the span. So nobody ever makes a reference to a whole segment.
//! 3. `dirty` is a part of `free`: the free units that have been touched since the kernel gave them. The others read as zeros.
//! 4. One word says it all, so a run is found and the longest one measured by shifts, in tens of nanoseconds.
//!
//! Rejected: spans aligned to their size with the header inside (a span of powers of two loses a block to it, and every span touches a
//! page more); a page map beside the heap (its first use costs a page or two of its own); an order of free runs by size in a tree (a
//! word a mebibyte does it).

use super::list::{Linked, Links};
use super::span::Span;
use core::mem::offset_of;
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// Bytes of a unit.
pub const UNIT: usize = 16 << 10;
/// Units of a segment.
pub const UNITS: u32 = 64;
/// Bytes of a segment, and what it is aligned to.
pub const SEGMENT: usize = UNIT * UNITS as usize;
/// All units but the header's.
pub const ALL: u64 = !1;

/// See the head of this file.
#[repr(C)]
pub struct Segment {
    /// The mapping that goes when the segment goes: itself, and what was mapped around it to align it.
    pub mapping: *mut u8,
    /// Its length.
    pub mapping_bytes: usize,
    /// The free units.
    pub free: u64,
    /// Those of them that have been touched.
    pub dirty: u64,
    /// The longest run of free units: the bin that it is in. 0: in none.
    pub longest: u32,
    /// Is it in the list of dirty segments?
    pub listed_dirty: bool,
    /// Its own address and `MAGIC`, once it is a segment: for who looks at memory and wants to know (`describe`).
    pub magic: u64,
    in_bin: Links<Segment>,
    in_dirty: Links<Segment>,
    owner: [AtomicU8; UNITS as usize],
    spans: [Span; UNITS as usize],
}

static_assertions::const_assert!(size_of::<Segment>() <= crate::sys::memory::PAGE);

/// The role of the list of segments with the same longest run.
pub struct Bin;
/// The role of the list of segments that have dirty units.
pub struct Dirty;

// SAFETY: always the field `in_bin`.
unsafe impl Linked<Bin> for Segment {
    unsafe fn links(this: *mut Segment) -> *mut Links<Segment> {
        // SAFETY: the caller's contract.
        unsafe { &raw mut (*this).in_bin }
    }
}

// SAFETY: always the field `in_dirty`.
unsafe impl Linked<Dirty> for Segment {
    unsafe fn links(this: *mut Segment) -> *mut Links<Segment> {
        // SAFETY: the caller's contract.
        unsafe { &raw mut (*this).in_dirty }
    }
}

/// See `Segment::magic`.
pub const MAGIC: u64 = 0x676f_7274_5345_474d;

impl Segment {
    /// The unit where the span begins that `unit` was last a part of, and that span.
    pub fn last_span(&self, unit: u32) -> (u32, &Span) {
        let first = self.owner[unit as usize].load(Relaxed) % UNITS as u8;
        (first.into(), &self.spans[usize::from(first)])
    }

    /// The segment that `address` lies in.
    #[inline]
    pub fn of<T>(address: *mut T) -> *mut Segment {
        address.map_addr(|addr| addr & !(SEGMENT - 1)).cast()
    }

    /// The unit that `address` lies in, counted from the start of its segment.
    #[inline]
    pub fn unit_of<T>(address: *mut T) -> u32 {
        ((address.addr() & (SEGMENT - 1)) / UNIT) as u32
    }

    /// Says that `[first, first + count)` is one span, and returns its record.
    ///
    /// # Safety
    /// The units are the caller's, taken from the page heap.
    pub unsafe fn make_span(this: *mut Segment, first: u32, count: u32) -> *mut Span {
        // SAFETY: invariant 2: these owners and this record belong to the caller.
        unsafe {
            for unit in first..first + count {
                (&raw mut (*this).owner[unit as usize]).write(AtomicU8::new(first as u8));
            }
            &raw mut (*this).spans[first as usize]
        }
    }

    /// The record of the span that a block lies in.
    ///
    /// # Safety
    /// The block belongs to a span.
    #[inline]
    pub unsafe fn span_of<T>(block: *mut T) -> *mut Span {
        let segment = Segment::of(block);
        // SAFETY: invariant 2: the span is alive while a block of it is, so its owners and its record stay.
        unsafe {
            let first = (*segment).owner[Segment::unit_of(block) as usize].load(Relaxed);
            &raw mut (*segment).spans[usize::from(first % UNITS as u8)]
        }
    }

    /// Where the unit of this record begins.
    pub fn unit_address(span: *mut Span) -> *mut u8 {
        let segment = Segment::of(span);
        let unit = (span.addr() - segment.addr() - offset_of!(Segment, spans)) / size_of::<Span>();
        segment.cast::<u8>().wrapping_add(unit * UNIT)
    }
}

/// The bits of `count` units from `first` on.
pub fn bits(first: u32, count: u32) -> u64 {
    (!0 >> (UNITS - count)) << first
}

/// Where a run of at least `count` set bits begins, at a multiple of `align` (a power of two, 32 at most): the lowest such place.
pub fn find_run(free: u64, count: u32, align: u32) -> Option<u32> {
    // Each step leaves the bits at which a run of `have` begins.
    let (mut starts, mut have) = (free, 1);
    while have < count {
        let step = have.min(count - have);
        starts &= starts >> step;
        have += step;
    }
    starts &= aligned(align);
    (starts != 0).then(|| starts.trailing_zeros())
}

/// The length of the longest run of set bits.
pub fn longest_run(free: u64) -> u32 {
    if free == 0 || free == !0 {
        return free.count_ones();
    }
    // `starts[k]`: where runs of `1 << k` begin.
    let (mut starts, mut log) = ([free; 6], 0);
    while log < 5 && starts[log] & (starts[log] >> (1 << log)) != 0 {
        starts[log + 1] = starts[log] & (starts[log] >> (1 << log));
        log += 1;
    }
    // The length has `1 << log` in it, and of the smaller powers those that still fit.
    let (mut longest, mut begin) = (1 << log, starts[log]);
    for smaller in (0..log).rev() {
        let longer = begin & (starts[smaller] >> longest);
        if longer != 0 {
            (begin, longest) = (longer, longest + (1 << smaller));
        }
    }
    longest
}

/// The bits whose number is a multiple of `align`.
const fn aligned(align: u32) -> u64 {
    match align {
        1 => !0,
        2 => 0x5555_5555_5555_5555,
        4 => 0x1111_1111_1111_1111,
        8 => 0x0101_0101_0101_0101,
        16 => 0x0001_0001_0001_0001,
        _ => 0x0000_0001_0000_0001,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run_at(free: u64, at: u32, count: u32) -> bool {
        (at..at + count).all(|unit| unit < UNITS && free & (1 << unit) != 0)
    }

    proptest! {
        #[test]
        fn runs_are_those_that_a_loop_finds(a: u64, b: u64, count in 1u32..=63, log in 0u32..6) {
            for free in [a, a | b, a & b, a | b | a.rotate_left(7), !0, !(a & b & b.rotate_left(9))] {
                let align = 1 << log;
                let naive = (0..UNITS).step_by(align as usize).find(|&at| run_at(free, at, count));
                prop_assert_eq!(find_run(free, count, align), naive);
                let longest = (1..=UNITS).rev().find(|&n| (0..UNITS).any(|at| run_at(free, at, n))).unwrap_or(0);
                prop_assert_eq!(longest_run(free), longest);
            }
        }

        #[test]
        fn bits_are_the_units_named(first in 0u32..64, count in 1u32..=64) {
            prop_assume!(first + count <= 64);
            for unit in 0..UNITS {
                prop_assert_eq!(bits(first, count) & (1 << unit) != 0, (first..first + count).contains(&unit));
            }
        }
    }
}
