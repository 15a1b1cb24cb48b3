//! The scavenger: gives free memory back to the kernel when the program falls idle.
//!
//! 1. It looks at the ledger first: with little to give back it costs some cache lines. Else it dissolves the central batches, which frees spans;
//!    drops the kept mappings; and discards dirty units or unmaps whole segments, those first that have been free for longest.
//! 2. Some memory stays (`HEAP_KEEP_BYTES`), so that a program that sleeps and wakes in turn does not fault it in each time.
//! 3. No lock is held across a call of the kernel, and none for longer than a batch.
//! 4. It goes in pieces: a batch, a kept mapping, a segment, the dirty runs of one. Between two of them it asks whether to go on: whoever has
//!    work for this M must not wait for long.

use super::central::Central;
use super::class::{CLASSES, Class};
use super::pages::Claim;
use super::segment::{ALL, Segment, UNIT, UNITS, bits};
use super::{Heap, backing, large};
use crate::base::tune::HEAP_KEEP_BYTES;

/// Gives free memory back to the kernel, all but a little, and returns how many bytes.
///
/// The last M calls it before it sleeps, on g0, without a P and with no lock held. What lies in the caches of Ps stays there: `Cache::flush` first.
pub fn scavenge() -> usize {
    scavenge_while(|| true)
}

/// The same as long as `go_on` says so: it is asked every tenth of a millisecond or so.
#[inline(never)]
pub fn scavenge_while(go_on: fn() -> bool) -> usize {
    super::HEAP.release(HEAP_KEEP_BYTES, go_on)
}

impl Heap {
    /// Gives back what is free, but leaves about `keep` bytes.
    pub(super) fn release(&self, keep: usize, mut go_on: impl FnMut() -> bool) -> usize {
        if self.ledger.idle_bytes() <= keep {
            return 0;
        }
        for class in (0..CLASSES).map(Class::nth) {
            while self.ledger.piled(class) != 0 && go_on() {
                if !Central::dissolve_one(&mut self.central(class).lock(), class, &self.pages, &self.ledger) {
                    break;
                }
            }
        }
        let mut released = 0;
        while go_on() {
            match large::release_one(&self.kept, &self.ledger) {
                0 => break,
                bytes => released += bytes,
            }
        }
        while self.ledger.dirty_bytes() > keep && go_on() {
            let claim = self.pages.lock().claim(&self.ledger);
            released += match claim {
                Claim::Nothing => break,
                Claim::Taken => 0,
                // SAFETY: claimed: nobody else has it until it is put back.
                Claim::Whole(segment) => unsafe { self.release_segment(segment) },
                // SAFETY: the same.
                Claim::Units(segment, units) => unsafe { self.release_units(segment, units) },
            };
        }
        let region = self.pages.lock().drop_region();
        if let Some((base, len)) = region {
            // SAFETY: no segment was cut from it, and none will be.
            unsafe { backing::abandon(base, len, &self.ledger) };
        }
        self.ledger.released(released);
        released
    }

    unsafe fn release_segment(&self, segment: *mut Segment) -> usize {
        // SAFETY: the caller's contract; the header goes with the mapping, so what it says is read before.
        unsafe {
            let (base, len) = ((*segment).mapping, (*segment).mapping_bytes);
            let dirty = (*segment).dirty.count_ones() as usize * UNIT;
            if backing::unmap(base, len, &self.ledger) {
                return dirty;
            }
            let clean = backing::discard(segment.cast::<u8>().add(UNIT), (UNITS as usize - 1) * UNIT, &self.ledger);
            self.pages.lock().put_back(segment, ALL, clean, &self.ledger);
            if clean { dirty } else { 0 }
        }
    }

    unsafe fn release_units(&self, segment: *mut Segment, units: u64) -> usize {
        let (mut rest, mut released) = (units, 0);
        while rest != 0 {
            let first = rest.trailing_zeros();
            let count = (rest >> first).trailing_ones();
            let run = bits(first, count);
            rest &= !run;
            // SAFETY: the caller's contract.
            unsafe {
                let bytes = count as usize * UNIT;
                let clean = backing::discard(segment.cast::<u8>().add(first as usize * UNIT), bytes, &self.ledger);
                self.pages.lock().put_back(segment, run, clean, &self.ledger);
                released += if clean { bytes } else { 0 };
            }
        }
        released
    }
}
