//! The shared run queue of a P: a ring of 256 slots, first in first out, one owner who pushes, many who take.
//!
//! 1. Only the owner writes `tail` and the slots; everybody moves `head`, by compare-and-swap. A slot is overwritten only once `head` has passed it.
//! 2. A push needs no read-modify-write: slot first, then `tail` with release. `stage` leaves the second half to the commit of a switch:
//!    the goroutine that yields is in its slot before it has left its stack, and visible only after (R3).
//! 3. Thieves copy first and move `head` after: what they copied is theirs only if the swap succeeds.
//! 4. All zero bytes are an empty ring.
//!
//! | `tail - head` | meaning           |
//! |---------------|-------------------|
//! | 0             | empty             |
//! | `SLOTS`       | full              |
//!
//! Rejected: last in first out at the owner's end (a thief may then take one element a swap only, and the owner pays a full fence a pop);
//! what wants to be last in first out are fresh spawns, and they have a private queue (`gmp::fresh`).

use super::atomic::{AtomicPtr, AtomicU32, Ordering, word};
use core::ptr;

/// Slots of a ring; loom explores a small one.
#[cfg(not(loom))]
pub const SLOTS: u32 = super::tune::RING_SLOTS;
/// Slots of a ring; loom explores a small one.
#[cfg(loom)]
pub const SLOTS: u32 = 4;

/// A word on cache lines of its own: two, since the CPU fetches them in pairs.
#[repr(C, align(128))]
struct Apart<T>(T);

/// See the head of this file.
#[repr(C)]
pub struct Ring<T> {
    head: Apart<AtomicU32>,
    tail: AtomicU32,
    slots: [AtomicPtr<T>; SLOTS as usize],
}

/// Half of a full ring: what an overflow moves away.
pub const HALF: usize = SLOTS as usize / 2;

impl<T> Ring<T> {
    /// An empty ring.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Ring<T> {
        Ring { head: Apart(AtomicU32::new(0)), tail: AtomicU32::new(0), slots: core::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())) }
    }

    /// How many are in it; a snapshot, exact for the owner as to "at least".
    #[inline]
    pub fn len(&self) -> u32 {
        let head = self.head.0.load(Ordering::Acquire);
        self.tail.load(Ordering::Acquire).wrapping_sub(head)
    }

    /// The oldest, which stays in it, and its number in the order of all that ever was; null if there is none. Anybody may ask; it may be gone by the answer.
    pub fn first(&self) -> (u32, *mut T) {
        let head = self.head.0.load(Ordering::Acquire);
        let first = if self.tail.load(Ordering::Acquire) == head { ptr::null_mut() } else { self.slot(head).load(Ordering::Relaxed) };
        (head, first)
    }

    /// Calls `visit` with each. Nobody uses the ring meanwhile.
    pub fn for_each(&self, mut visit: impl FnMut(*mut T)) {
        let head = self.head.0.load(Ordering::Acquire);
        (0..self.len()).for_each(|n| visit(self.slot(head.wrapping_add(n)).load(Ordering::Relaxed)));
    }

    /// Is nothing in it?
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    fn slot(&self, at: u32) -> &AtomicPtr<T> {
        &self.slots[(at % SLOTS) as usize]
    }

    /// Owner: puts `item` at the end. False, and nothing changed, if the ring is full.
    #[inline]
    #[must_use]
    pub fn push(&self, item: *mut T) -> bool {
        let tail = self.tail.load(Ordering::Relaxed);
        if tail.wrapping_sub(self.head.0.load(Ordering::Acquire)) >= SLOTS {
            return false;
        }
        self.slot(tail).store(item, Ordering::Relaxed);
        self.tail.store(tail.wrapping_add(1), Ordering::Release);
        true
    }

    /// Owner: writes `item` behind the end; it is in the ring once the returned word has been set to the returned value. None if full.
    ///
    /// Nothing else may be pushed before that.
    #[inline]
    pub fn stage(&self, item: *mut T) -> Option<(*mut u32, u32)> {
        let tail = self.tail.load(Ordering::Relaxed);
        if tail.wrapping_sub(self.head.0.load(Ordering::Acquire)) >= SLOTS {
            return None;
        }
        self.slot(tail).store(item, Ordering::Relaxed);
        Some((word(&self.tail), tail.wrapping_add(1)))
    }

    /// Owner: takes the oldest; null if there is none.
    #[inline]
    pub fn pop(&self) -> *mut T {
        let tail = self.tail.load(Ordering::Relaxed);
        let mut head = self.head.0.load(Ordering::Acquire);
        while head != tail {
            let item = self.slot(head).load(Ordering::Relaxed);
            match self.head.0.compare_exchange_weak(head, head.wrapping_add(1), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return item,
                Err(now) => head = now,
            }
        }
        ptr::null_mut()
    }

    /// Anybody: copies the older half (at least one, at most `HALF`) to `out` and takes it. Returns how many.
    pub fn take_half(&self, out: &mut [*mut T; HALF]) -> usize {
        loop {
            let head = self.head.0.load(Ordering::Acquire);
            let len = self.tail.load(Ordering::Acquire).wrapping_sub(head);
            let count = len - len / 2;
            if count == 0 {
                return 0;
            }
            if count as usize > HALF {
                continue; // head and tail were read at different times
            }
            for i in 0..count {
                out[i as usize] = self.slot(head.wrapping_add(i)).load(Ordering::Relaxed);
            }
            if self.head.0.compare_exchange(head, head.wrapping_add(count), Ordering::AcqRel, Ordering::Acquire).is_ok() {
                return count as usize;
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::vec::Vec;

    fn item(n: usize) -> *mut u8 {
        ptr::without_provenance_mut(n)
    }

    #[test]
    fn it_is_first_in_first_out_and_bounded() {
        let ring = Ring::new();
        for round in 0..3 {
            for n in 1..=SLOTS as usize {
                assert!(ring.push(item(round * 1000 + n)));
            }
            assert!(!ring.push(item(9)));
            assert!(ring.stage(item(9)).is_none());
            for n in 1..=SLOTS as usize {
                assert_eq!(ring.pop(), item(round * 1000 + n));
            }
            assert!(ring.pop().is_null() && ring.is_empty());
        }
    }

    #[test]
    fn half_is_rounded_up_and_oldest_first() {
        let ring = Ring::new();
        let mut out = [ptr::null_mut(); HALF];
        (1..=5).for_each(|n| assert!(ring.push(item(n))));
        assert_eq!(ring.take_half(&mut out), 3);
        assert_eq!(out[..3], [item(1), item(2), item(3)]);
        assert_eq!(ring.len(), 2);
    }

    #[test]
    fn what_is_staged_appears_when_the_word_is_set() {
        let ring = Ring::new();
        let (word, value) = ring.stage(item(7)).unwrap();
        assert!(ring.is_empty());
        // SAFETY: the word is the ring's tail, and this thread owns the ring.
        unsafe { AtomicU32::from_ptr(word).store(value, Ordering::Release) };
        assert_eq!(ring.pop(), item(7));
    }

    #[test]
    fn thieves_and_owner_take_each_item_once() {
        const ITEMS: usize = 200_000;
        let (ring, done) = (Arc::new(Ring::new()), Arc::new(AtomicBool::new(false)));
        let thieves: Vec<_> = (0..3)
            .map(|_| {
                let (ring, done) = (ring.clone(), done.clone());
                std::thread::spawn(move || {
                    let (mut got, mut out) = (Vec::new(), [ptr::null_mut::<u8>(); HALF]);
                    while !done.load(Ordering::Acquire) {
                        let n = ring.take_half(&mut out);
                        got.extend(out[..n].iter().map(|p| p.addr()));
                    }
                    got
                })
            })
            .collect();
        let mut all = Vec::new();
        for n in 1..=ITEMS {
            while !ring.push(item(n)) {
                all.push(ring.pop().addr());
            }
        }
        while !ring.is_empty() {
            let one = ring.pop();
            if !one.is_null() {
                all.push(one.addr());
            }
        }
        done.store(true, Ordering::Release);
        thieves.into_iter().for_each(|t| all.extend(t.join().unwrap()));
        all.retain(|&n| n != 0);
        assert_eq!(all.len(), ITEMS);
        assert_eq!(all.into_iter().collect::<HashSet<_>>().len(), ITEMS);
    }
}
