//! What lies in a segment, for who looks at memory from outside: is this word an address of a block, and of which?
//!
//! 1. It looks at a copy of a segment's header, so that nothing it does can fault or wait. The copy is right if the heap stood still.
//! 2. A block counts as one whether it is in use or free: nobody keeps books of that. Blocks of a run are not told apart from their neighbours in the next
//!    run: nobody keeps books of that either. So who asks may get more than there is, and never less.

use super::segment::{MAGIC, SEGMENT, Segment, UNIT, UNITS};

/// Bytes of a segment, and what it is aligned to.
pub const SEGMENT_BYTES: usize = SEGMENT;

/// What a unit is part of.
#[derive(Clone, Copy)]
struct Unit {
    /// Where that begins.
    first: u8,
    /// How many units it has; 0: the unit is free, or the header.
    count: u8,
    /// How long its blocks are.
    block: u32,
}

/// See the head of this file. All zero bytes are a segment without blocks.
pub struct SegmentMap {
    units: [Unit; UNITS as usize],
}

impl SegmentMap {
    /// Bytes of a header's copy.
    pub const HEADER: usize = size_of::<Segment>();

    /// Reads the copy of what may be the header of a segment at `base`. False: it is none.
    ///
    /// # Safety
    /// `header` is aligned as a page is, and has `HEADER` bytes.
    pub unsafe fn read(&mut self, base: usize, header: *const u8) -> bool {
        // SAFETY: the caller's contract; any bytes are a segment's, as long as no link is followed.
        let segment = unsafe { &*header.cast::<Segment>() };
        if segment.magic != MAGIC ^ base as u64 {
            return false;
        }
        let is_free = |unit: u32| unit == 0 || segment.free & (1 << unit) != 0;
        // Since a span's units have been a part of it, they may have become others': only as many are its as its class says.
        let span = |unit: u32| {
            let (first, span) = segment.last_span(unit);
            let class = span.class()?;
            let within = first <= unit && unit < first + class.span_units() && (first..=unit).all(|unit| !is_free(unit));
            within.then_some(Unit { first: first as u8, count: class.span_units() as u8, block: class.bytes() as u32 })
        };
        let mut unit = 0;
        while unit < UNITS {
            if is_free(unit) {
                self.units[unit as usize] = Unit { first: 0, count: 0, block: 0 };
                unit += 1;
            } else if let Some(span) = span(unit) {
                self.units[unit as usize] = span;
                unit += 1;
            } else {
                let end = (unit..UNITS).find(|&next| is_free(next) || span(next).is_some()).unwrap_or(UNITS);
                let run = Unit { first: unit as u8, count: (end - unit) as u8, block: (end - unit) * UNIT as u32 };
                (unit..end).for_each(|unit| self.units[unit as usize] = run);
                unit = end;
            }
        }
        true
    }

    /// The block that the byte at `offset` of the segment lies in: where it begins and how long it is.
    #[inline]
    pub fn block(&self, offset: usize) -> Option<(usize, usize)> {
        let unit = self.units[offset / UNIT];
        if unit.count == 0 {
            return None;
        }
        let (begin, block) = (usize::from(unit.first) * UNIT, unit.block as usize);
        let start = begin + (offset - begin) / block * block;
        (start + block <= begin + usize::from(unit.count) * UNIT).then_some((start, block))
    }
}
