//! The mark: which blocks and stacks can be reached from what lives.
//!
//! 1. A word that is an address inside of a block, wherever in it, reaches the block; one inside of a waiting goroutine's stack, above its stack pointer,
//!    reaches that stack. Everything that is reached is looked at, word by word.
//! 2. A waiting goroutine lives once the lock of what it waits for (`G::at`) can be reached: then somebody may wake it, and its own stack counts as that of one who lives.
//!    As long as it does not live its stack is looked at only if somebody points into it: a scope's goroutines do, and so does a channel's queue into that of a
//!    goroutine that waits in a select, whose `at` is on its own stack.
//!    Who waits for a future waits for a word of its own descriptor, whose address its wakers have.
//! 3. Memory is copied by the kernel (`memory::copy`): what cannot be read, because it is a guard, or goes at this moment, is an error there and none here.
//! 4. No lock, no allocation: all of it happens in memory of its own, as much as it may need at worst, of which it touches what it does need.
//!
//! A word counts for an address whatever it is: so a leak may be overlooked, and none is made up.

use super::Trouble;
use super::area::Area;
use crate::base::maps::Range;
use crate::base::wake_word::WakeWord;
use crate::gmp::{G, Status, WaitReason};
use crate::mem::heap::{SEGMENT_BYTES, SegmentMap};
use crate::mem::stack::{self, Place};
use crate::sys::Errno;
use crate::sys::memory::{self, PAGE, Piece};
use core::mem::offset_of;

/// Blocks begin at multiples of this.
const GRAIN: usize = 16;
/// Words that are copied at a time, and pieces.
const WORDS: usize = 16 << 10;
const PIECES: usize = 64;

#[repr(C)]
struct Segment {
    base: usize,
    seen: [u64; SEGMENT_BYTES / GRAIN / 64],
    map: SegmentMap,
}

/// A goroutine that waits.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Waiting {
    at: usize,
    /// It.
    pub g: *const G,
    /// Can it be woken?
    pub lives: bool,
}

/// See the head of this file.
pub struct Mark {
    pid: u32,
    buffer: &'static mut [u64],
    segments: &'static mut [Segment],
    stacks_seen: &'static mut [u64],
    waiting: &'static mut [Waiting],
    /// What is no root, in order: what the caller says, the heap, the stacks.
    holes: &'static mut [Range],
    work: &'static mut [Piece],
    work_count: usize,
    /// No address outside of these is of interest.
    low: usize,
    high: usize,
    _area: Area,
}

impl Mark {
    /// Looks at what there is: `ranges` may be anything; segments of the heap are found in there. `holes` are not looked at. Nobody allocates meanwhile.
    pub fn new(pid: u32, ranges: &[Range], holes: &[Range]) -> Result<Mark, Trouble> {
        let no_memory = |errno| Trouble { what: "no memory for the mark", errno };
        let (mut arenas, mut slots, mut waiting_count) = (0, 0, 0);
        let (mut low, mut high) = (usize::MAX, 0);
        stack::for_each_arena(|base, slot_bytes, count| {
            arenas += 1;
            slots += count as usize;
            (low, high) = (low.min(base), high.max(base + slot_bytes * count as usize));
        });
        stack::for_each(&mut |header| waiting_count += usize::from(is_waiting(header.cast())));
        // Every place where a segment may be.
        let place_count = ranges.iter().flat_map(|range| places(*range)).count();
        let hole_count = holes.len() + arenas + place_count;
        let piece_count = place_count * (SEGMENT_BYTES / GRAIN) + 2 * slots + ranges.len() + hole_count + PIECES;
        let mut area = Area::map(
            Area::bytes_of::<u64>(WORDS)
                + Area::bytes_of::<Segment>(place_count)
                + Area::bytes_of::<u64>(arenas << 10)
                + Area::bytes_of::<Waiting>(waiting_count)
                + Area::bytes_of::<Range>(hole_count)
                + Area::bytes_of::<Piece>(piece_count),
        )
        .map_err(no_memory)?;
        // SAFETY: zero is a value of each; the area is kept beside them.
        let (buffer, segments, stacks_seen) = unsafe { (area.cut::<u64>(WORDS), area.cut::<Segment>(place_count), area.cut(arenas << 10)) };
        // SAFETY: as above.
        let (waiting, all_holes, work) = unsafe { (area.cut::<Waiting>(waiting_count), area.cut::<Range>(hole_count), area.cut(piece_count)) };
        let mut count = 0;
        for range in ranges {
            for base in places(*range) {
                let header = Piece { base, len: SegmentMap::HEADER };
                // SAFETY: the buffer is larger, and aligned as a page is.
                let copied = unsafe { memory::copy(pid, &[header], buffer.as_mut_ptr().cast()) };
                if let Err(errno) = copied
                    && errno != Errno::FAULT
                {
                    return Err(Trouble { what: "memory cannot be read", errno });
                }
                // SAFETY: as above.
                if copied == Ok(header.len) && unsafe { segments[count].map.read(base, buffer.as_ptr().cast()) } {
                    segments[count].base = base;
                    count += 1;
                    (low, high) = (low.min(base), high.max(base + SEGMENT_BYTES));
                }
            }
        }
        let segments = &mut segments[..count];
        segments.sort_unstable_by_key(|segment| segment.base);
        let mut n = 0;
        stack::for_each(&mut |header| {
            let g = header.cast::<G>();
            if is_waiting(g) {
                // SAFETY: R9: the slot's pages are there.
                waiting[n] = Waiting { at: unsafe { (*g).at.get() }, g, lives: false };
                n += 1;
            }
        });
        waiting.sort_unstable_by_key(|waiting| waiting.at);
        let mut n = 0;
        let mut add = |start, end| {
            all_holes[n] = Range { start, end };
            n += 1;
        };
        holes.iter().for_each(|hole| add(hole.start, hole.end));
        segments.iter().for_each(|segment| add(segment.base, segment.base + SEGMENT_BYTES));
        stack::for_each_arena(|base, slot_bytes, count| add(base, base + slot_bytes * count as usize));
        let holes = &mut all_holes[..n];
        holes.sort_unstable_by_key(|hole| hole.start);
        Ok(Mark { pid, buffer, segments, stacks_seen, waiting, holes, work, work_count: 0, low, high, _area: area })
    }

    /// Marks from `ranges`, but for the holes in them, from the stacks of who does not wait, and from `own`, pieces of the caller's.
    pub fn run(&mut self, ranges: &[Range], own: &[Piece]) -> Result<(), Trouble> {
        own.iter().for_each(|piece| self.push(*piece));
        for range in ranges {
            self.push_root(*range);
        }
        let current = G::current().as_ptr().cast_const();
        stack::for_each(&mut |header| {
            let g = header.cast::<G>();
            // SAFETY: R9: the slot's pages are there.
            if matches!(unsafe { (*g).status() }, Status::Runnable | Status::Running | Status::Syscall) && !core::ptr::eq(g, current) {
                self.reach_stack(g);
            }
        });
        // What no block and no waiting goroutine's stack has in it is always there: static data, what belongs to a P, the stacks of those who live.
        for n in 0..self.waiting.len() {
            let Waiting { at, g, .. } = self.waiting[n];
            // SAFETY: R9: the slot's pages are there.
            if matches!(unsafe { (*g).reason() }, WaitReason::SelectNoCases | WaitReason::ChanReceiveNil | WaitReason::ChanSendNil) {
                continue; // nobody is to wake it
            }
            let is_in_stack = matches!(stack::place_of(at), Place::Of(header) if is_waiting(header.cast()) && is_in_use(header.cast(), at));
            if self.block_of(at).is_none() && !is_in_stack {
                self.wake(n);
            }
        }
        self.drain()
    }

    /// Those who wait.
    pub fn waiting(&self) -> &[Waiting] {
        self.waiting
    }

    fn push_root(&mut self, range: Range) {
        let (mut at, mut n) = (range.start, self.holes.partition_point(|hole| hole.end <= range.start));
        while at < range.end {
            // They do not overlap, so their ends are in order too.
            let hole = self.holes.get(n).copied().filter(|hole| hole.start < range.end).unwrap_or(Range { start: range.end, end: range.end });
            if hole.start > at {
                self.push(Piece { base: at, len: hole.start - at });
            }
            (at, n) = (hole.end.max(at), n + 1);
        }
    }

    fn push(&mut self, piece: Piece) {
        self.work[self.work_count] = piece;
        self.work_count += 1;
    }

    fn segment_of(&self, address: usize) -> Option<usize> {
        let n = self.segments.partition_point(|segment| segment.base <= address).checked_sub(1)?;
        (address - self.segments[n].base < SEGMENT_BYTES).then_some(n)
    }

    /// The segment of the block that `address` lies in, where it begins and how long it is.
    fn block_of(&self, address: usize) -> Option<(usize, usize, usize)> {
        let n = self.segment_of(address)?;
        let (start, len) = self.segments[n].map.block(address - self.segments[n].base)?;
        Some((n, start, len))
    }

    /// Invariant 1.
    #[inline]
    fn reach(&mut self, address: usize) {
        if address.wrapping_sub(self.low) >= self.high - self.low {
            return;
        }
        if let Some((n, start, len)) = self.block_of(address) {
            let segment = &mut self.segments[n];
            let (word, bit) = (start / GRAIN / 64, 1 << (start / GRAIN % 64));
            if segment.seen[word] & bit == 0 {
                segment.seen[word] |= bit;
                let base = segment.base + start;
                self.push(Piece { base, len });
                self.wake_those_at(base, base + len);
            }
        } else if let Place::Of(header) = stack::place_of(address) {
            let g: *const G = header.cast();
            if is_waiting(g) && is_in_use(g, address) {
                self.reach_stack(g);
            }
        }
    }

    /// What the stack of `g` holds can be reached, and its descriptor.
    fn reach_stack(&mut self, g: *const G) {
        // SAFETY: R9: the slot's pages are there, and its goroutine stands still.
        let header = unsafe { &(*g).header };
        let slot = header.slot as usize;
        let (word, bit) = (slot / 64, 1 << (slot % 64));
        if self.stacks_seen[word] & bit == 0 {
            self.stacks_seen[word] |= bit;
            let (base, end) = (header.sp.get() & !7, header.stack_hi + size_of::<G>());
            self.push(Piece { base, len: end - base });
            self.wake_those_at(base, end);
        }
    }

    /// Invariant 2: who waits for something in `[start, end)` lives.
    fn wake_those_at(&mut self, start: usize, end: usize) {
        let mut n = self.waiting.partition_point(|waiting| waiting.at < start);
        while n < self.waiting.len() && self.waiting[n].at < end {
            self.wake(n);
            n += 1;
        }
    }

    fn wake(&mut self, n: usize) {
        if !self.waiting[n].lives {
            self.waiting[n].lives = true;
            self.reach_stack(self.waiting[n].g);
        }
    }

    /// Looks at everything that has been reached.
    fn drain(&mut self) -> Result<(), Trouble> {
        while self.work_count != 0 {
            let (mut pieces, mut count, mut bytes) = ([Piece { base: 0, len: 0 }; PIECES], 0, 0);
            while count < PIECES && self.work_count != 0 && bytes < WORDS * 8 {
                self.work_count -= 1;
                let Piece { base, len } = self.work[self.work_count];
                let part = len.min(WORDS * 8 - bytes);
                if part < len {
                    self.push(Piece { base: base + part, len: len - part });
                }
                pieces[count] = Piece { base, len: part };
                (count, bytes) = (count + 1, bytes + part);
            }
            // SAFETY: the buffer has room for `bytes`.
            let copied = match unsafe { memory::copy(self.pid, &pieces[..count], self.buffer.as_mut_ptr().cast()) } {
                Ok(copied) => copied,
                Err(Errno::FAULT) => 0,
                Err(errno) => return Err(Trouble { what: "memory cannot be read", errno }),
            };
            self.skip_page(&pieces[..count], copied);
            for n in 0..copied / 8 {
                self.reach(self.buffer[n] as usize);
            }
        }
        Ok(())
    }

    /// Of `pieces` so many bytes could be read: what comes after the page that could not is left to be looked at.
    fn skip_page(&mut self, pieces: &[Piece], mut copied: usize) {
        let mut failed = false;
        for piece in pieces {
            if failed {
                self.push(*piece);
            } else if copied >= piece.len {
                copied -= piece.len;
            } else {
                let (at, end) = (piece.base + copied, piece.base + piece.len);
                let next = (at + 1).next_multiple_of(PAGE);
                if next < end {
                    self.push(Piece { base: next, len: end - next });
                }
                failed = true;
            }
        }
    }
}

/// Where segments may begin in `range`: not among stacks.
fn places(range: Range) -> impl Iterator<Item = usize> {
    let mut next = range.start;
    core::iter::from_fn(move || {
        let mut base = next.next_multiple_of(SEGMENT_BYTES);
        loop {
            let before = base;
            stack::for_each_arena(|arena, slot_bytes, count| {
                let end = arena + slot_bytes * count as usize;
                if base < end && base + SEGMENT_BYTES > arena {
                    base = end.next_multiple_of(SEGMENT_BYTES);
                }
            });
            if base == before {
                break;
            }
        }
        next = base + SEGMENT_BYTES;
        (next <= range.end).then_some(base)
    })
}

fn is_waiting(g: *const G) -> bool {
    // SAFETY: R9: the slot's pages are there.
    unsafe { (*g).status() == Status::Waiting }
}

/// Is this an address in what `g`, which waits, uses of its stack, or of the word that its wakers change?
fn is_in_use(g: *const G, address: usize) -> bool {
    // SAFETY: as above.
    let header = unsafe { &(*g).header };
    // Who waits for a future waits for a word of its descriptor, whose address its wakers have.
    let word = g.addr() + offset_of!(G, wake_word);
    // SAFETY: as above.
    let is_word = || (word..word + size_of::<WakeWord>()).contains(&address) && unsafe { (*g).reason() } == WaitReason::Future;
    (header.sp.get()..header.stack_hi).contains(&address) || is_word()
}
