//! The page heap: runs of units out of segments, best fit.
//!
//! 1. Segments with free units stand in bins by their longest run. The run for a request comes from the smallest bin in which every
//!    segment has one: `filled` has a bit a bin, so it is found in constant time, whatever the size of the heap.
//! 2. Free neighbours are one run by themselves: they are bits side by side.
//! 3. New segments are cut from a region: one mapping for many, doubled each time. The first has room for one aligned segment and is too
//!    small for a huge page: a small program stays small. What is mapped around segments to align them is never touched.
//! 4. No system call is made under the lock: regions come in (`add_region`), segments and dirty runs go out (`claim`), and the caller maps and
//!    unmaps between. A claimed run is not free meanwhile; its segment stays.
//!
//! Rejected: talc as the page heap (its header touches every run, and a block's pages must go back while their neighbours stay).

use super::ledger::Ledger;
use super::list::List;
use super::segment::{ALL, Bin, Dirty, MAGIC, SEGMENT, Segment, UNIT, UNITS, bits, find_run, longest_run};
use crate::base::throw;
use crate::sys::memory::PAGE;
use core::ptr;

/// See the head of this file. Behind a lock of rank `HeapPages`.
pub struct Pages {
    filled: u64,
    bins: [List<Segment, Bin>; UNITS as usize],
    dirty: List<Segment, Dirty>,
    region: Region,
    segments: u32,
}

// SAFETY: the page heap owns its segments; their words are touched under its lock only.
unsafe impl Send for Pages {}

/// What is left of the last mapping.
struct Region {
    /// What is mapped, from here
    base: *mut u8,
    /// to here, the end of it.
    end: *mut u8,
    /// Segments that the last region had.
    segments: u32,
}

/// A run of units.
pub struct Run {
    /// Where it begins.
    pub start: *mut u8,
    /// Does it read as zeros?
    pub clean: bool,
}

/// What is to be given back to the kernel.
pub enum Claim {
    /// Nothing is dirty.
    Nothing,
    /// This segment's dirty units have been taken meanwhile. Ask again.
    Taken,
    /// A segment that nobody uses: the whole mapping may go.
    Whole(*mut Segment),
    /// Some units of a segment.
    Units(*mut Segment, u64),
}

impl Pages {
    /// A heap of nothing.
    pub const fn new() -> Pages {
        Pages { filled: 0, bins: [const { List::new() }; UNITS as usize], dirty: List::new(), region: Region::NONE, segments: 0 }
    }

    /// A run of `count` units at a multiple of `align` units, each at most 32. None: the heap must grow first.
    pub fn take(&mut self, count: u32, align: u32, ledger: &Ledger) -> Option<Run> {
        // With so many units in a row, one of the first `align` is aligned.
        let sure = count + align - 1;
        let bins = self.filled & (!0 << sure);
        let segment = if bins != 0 { self.bins[bins.trailing_zeros() as usize].first() } else { self.cut_segment()? };
        // SAFETY: a segment of ours, under our lock.
        unsafe {
            let Some(first) = find_run((*segment).free, count, align) else {
                throw!("heap: a segment in bin {} has no run of {count} units", (*segment).longest)
            };
            Some(self.take_at(segment, first, count, ledger))
        }
    }

    /// Takes the `more` units after a run that ends at `end`, if they are free. Returns whether it did.
    ///
    /// # Safety
    /// `end` is where a run of this heap ends that the caller has.
    pub unsafe fn extend(&mut self, end: *mut u8, more: u32, ledger: &Ledger) -> bool {
        let segment = Segment::of(end.wrapping_sub(1));
        let first = Segment::unit_of(end.wrapping_sub(1)) + 1;
        // SAFETY: the caller's contract.
        let fits = first + more <= UNITS && unsafe { (*segment).free } & bits(first, more) == bits(first, more);
        if fits {
            // SAFETY: as above, and the units are free.
            unsafe { self.take_at(segment, first, more, ledger) };
        }
        fits
    }

    /// Gives back `count` units.
    ///
    /// # Safety
    /// They are a run of this heap, or the end of one, that nobody uses any more.
    pub unsafe fn give(&mut self, start: *mut u8, count: u32, ledger: &Ledger) {
        let segment = Segment::of(start);
        let run = bits(Segment::unit_of(start), count);
        // SAFETY: the caller's contract; our lock.
        unsafe {
            if (*segment).free & run != 0 {
                throw!("heap: {count} units at {start:p} freed, of which some are free");
            }
            (*segment).free |= run;
            (*segment).dirty |= run;
            ledger.units_dirtied(count);
            self.list_dirty(segment);
            self.file(segment);
        }
    }

    /// How many segments the next region should have; none if the last one is not used up.
    pub fn wanted_region(&self) -> Option<u32> {
        (!self.region.has_segment()).then_some((self.region.segments * 2).clamp(1, crate::base::tune::HEAP_GROWTH_SEGMENTS))
    }

    /// Takes in a new mapping of `len` bytes at `base`, which has room for `segments` aligned ones. False if the heap has grown otherwise meanwhile.
    #[must_use]
    pub fn add_region(&mut self, base: *mut u8, len: usize, segments: u32) -> bool {
        let wanted = !self.region.has_segment();
        if wanted {
            self.region = Region { base, end: base.wrapping_add(len), segments };
        }
        wanted
    }

    /// With no segment left: takes the rest of the region out, to be unmapped. The next one will be a small one again.
    pub fn drop_region(&mut self) -> Option<(*mut u8, usize)> {
        if self.segments != 0 {
            return None;
        }
        let Region { base, end, .. } = core::mem::replace(&mut self.region, Region::NONE);
        (!base.is_null()).then(|| (base, end.addr() - base.addr()))
    }

    /// The segment that has been in the list of dirty ones for longest: what of it can go to the kernel.
    pub fn claim(&mut self, ledger: &Ledger) -> Claim {
        // SAFETY: our lock; segments in the list are ours.
        unsafe {
            let segment = self.dirty.pop_back();
            if segment.is_null() {
                return Claim::Nothing;
            }
            (*segment).listed_dirty = false;
            let units = (*segment).dirty;
            ledger.units_cleaned(units.count_ones());
            if (*segment).free == ALL {
                self.unfile(segment);
                self.segments -= 1;
                return Claim::Whole(segment);
            }
            if units == 0 {
                return Claim::Taken;
            }
            (*segment).free &= !units;
            (*segment).dirty = 0;
            self.file(segment);
            Claim::Units(segment, units)
        }
    }

    /// Puts claimed units back, clean ones if the kernel has taken their pages.
    ///
    /// # Safety
    /// They come from `claim`, and are put back once. A whole segment is put back as `ALL`, its `free` as it was.
    pub unsafe fn put_back(&mut self, segment: *mut Segment, units: u64, clean: bool, ledger: &Ledger) {
        // SAFETY: the caller's contract; our lock.
        unsafe {
            if units == ALL {
                self.segments += 1;
            }
            (*segment).free |= units;
            if clean {
                (*segment).dirty &= !units;
            } else {
                // Not listed: the kernel would refuse again. What is freed next here lists it.
                (*segment).dirty |= units;
                ledger.units_dirtied(units.count_ones());
            }
            self.file(segment);
        }
    }

    unsafe fn take_at(&mut self, segment: *mut Segment, first: u32, count: u32, ledger: &Ledger) -> Run {
        let run = bits(first, count);
        // SAFETY: the caller's contract: the units are free, in a segment of ours.
        unsafe {
            let dirty = (*segment).dirty & run;
            (*segment).free &= !run;
            (*segment).dirty &= !run;
            ledger.units_cleaned(dirty.count_ones());
            self.file(segment);
            Run { start: segment.cast::<u8>().add(first as usize * UNIT), clean: dirty == 0 }
        }
    }

    /// Moves a segment to the bin that its longest run says.
    unsafe fn file(&mut self, segment: *mut Segment) {
        // SAFETY: the caller's contract.
        unsafe {
            let longest = longest_run((*segment).free);
            if longest == (*segment).longest {
                return;
            }
            self.unfile(segment);
            (*segment).longest = longest;
            if longest != 0 {
                self.bins[longest as usize].push_front(segment);
                self.filled |= 1 << longest;
            }
        }
    }

    unsafe fn unfile(&mut self, segment: *mut Segment) {
        // SAFETY: the caller's contract; `longest` says in which bin it is.
        unsafe {
            let longest = core::mem::replace(&mut (*segment).longest, 0);
            if longest == 0 {
                return;
            }
            let bin = &mut self.bins[longest as usize];
            bin.remove(segment);
            if bin.first().is_null() {
                self.filled &= !(1 << longest);
            }
        }
    }

    unsafe fn list_dirty(&mut self, segment: *mut Segment) {
        // SAFETY: the caller's contract; the flag says whether it is in the list.
        unsafe {
            if !core::mem::replace(&mut (*segment).listed_dirty, true) {
                self.dirty.push_front(segment);
            }
        }
    }

    /// A new segment, free and clean, in its bin.
    fn cut_segment(&mut self) -> Option<*mut Segment> {
        let (segment, mapping, mapping_bytes) = self.region.cut()?;
        self.segments += 1;
        // SAFETY: the memory is ours and zero; zero is a valid value of every field, and an empty one of every list.
        unsafe {
            (*segment).mapping = mapping;
            (*segment).mapping_bytes = mapping_bytes;
            (*segment).free = ALL;
            (*segment).magic = MAGIC ^ segment.addr() as u64;
            self.file(segment);
        }
        Some(segment)
    }
}

impl Region {
    const NONE: Region = Region { base: ptr::null_mut(), end: ptr::null_mut(), segments: 0 };

    fn next(&self) -> *mut u8 {
        self.base.map_addr(|addr| addr.next_multiple_of(SEGMENT))
    }

    fn has_segment(&self) -> bool {
        !self.base.is_null() && self.next().addr() + SEGMENT <= self.end.addr()
    }

    /// Cuts off the next segment: its address, and the part of the mapping that goes with it. The first takes what lies before it, the last
    /// what lies after it.
    fn cut(&mut self) -> Option<(*mut Segment, *mut u8, usize)> {
        if !self.has_segment() {
            return None;
        }
        let (segment, mapping) = (self.next(), self.base);
        self.base = segment.wrapping_add(SEGMENT);
        if !self.has_segment() {
            self.base = self.end;
        }
        let len = self.base.addr() - mapping.addr();
        if self.base == self.end {
            (self.base, self.end) = (ptr::null_mut(), ptr::null_mut());
        }
        Some((segment.cast(), mapping, len))
    }
}

/// Bytes to map for a region that has room for `segments` aligned ones wherever it lies.
pub const fn region_bytes(segments: u32) -> usize {
    (segments as usize + 1) * SEGMENT - PAGE
}
