//! An arena: one large mapping cut into equal slots, and the table that says what each slot is.
//!
//! 1. Arenas are never unmapped: whoever looks at a stale descriptor reads zeros at worst.
//! 2. The table lies in front of the slots, in the same mapping: neighbouring arenas merge into one VMA. Scavenging never touches it.
//! 3. A slot is named by 32 bits: the arena's number in the upper half, its index in the lower.

use super::{DESCRIPTOR_BYTES, slot_bytes};
use crate::arch::GHeader;
use crate::base::tune::{ARENA_MAX_BYTES, GUARD_BYTES};
use crate::sys::{Errno, memory};
use core::ops::Range;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, Ordering};

/// What a slot is.
///
/// | state      | its pages        | changed by                                                          |
/// |------------|------------------|---------------------------------------------------------------------|
/// | `Fresh`    | never touched    | first use to `Dirty`                                                |
/// | `Dirty`    | there            | the scavenger, from the central free list, to `Scavenging`          |
/// | `Scavenging` | being given back | the scavenger to `Clean`                                          |
/// | `Clean`    | given back       | reuse to `Dirty`                                                    |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum State {
    /// Never used.
    Fresh,
    /// In use, or free with its pages.
    Dirty,
    /// Taken off the free list by the scavenger.
    Scavenging,
    /// Free, without pages.
    Clean,
}

/// The table's row of a slot.
pub struct Slot {
    state: AtomicU8,
    /// Is there a guard? It stays through scavenging.
    pub guarded: AtomicU8,
    /// The next slot of the clean list, plus one; 0 ends it.
    pub next_clean: AtomicU32,
}

/// See the head of this file. It stands at the head of its mapping; the rows follow, then the slots.
pub struct Arena {
    base: usize,
    /// Its number.
    number: u32,
    /// Slots in it.
    pub slots: u32,
    /// Their class.
    pub class: u8,
    rows: *const Slot,
}

// SAFETY: its fields never change once it is mapped; the rows are atomic.
unsafe impl Sync for Arena {}

/// Arenas at most: 16 TiB of large ones.
const ARENAS_MAX: usize = 1 << 14;

static ARENAS: [AtomicPtr<Arena>; ARENAS_MAX] = [const { AtomicPtr::new(ptr::null_mut()) }; ARENAS_MAX];
static COUNT: AtomicU32 = AtomicU32::new(0);

/// The tables of this file as a debugger finds them in memory (`observe::debugger`).
pub mod layout {
    use super::{ARENAS, Arena, Slot};
    use core::mem::offset_of;
    use core::sync::atomic::{AtomicPtr, AtomicU32};

    /// Pointers to the arenas, in the order they were made.
    pub const ARENAS_AT: *const AtomicPtr<Arena> = (&raw const ARENAS).cast();
    /// How many of them there are.
    pub const COUNT_AT: *const AtomicU32 = &raw const super::COUNT;
    /// How many there can be.
    pub const ARENAS_MAX: usize = super::ARENAS_MAX;
    /// Its first slot's address, how many it has, and their class.
    pub const BASE: usize = offset_of!(Arena, base);
    /// See `BASE`.
    pub const SLOTS: usize = offset_of!(Arena, slots);
    /// See `BASE`.
    pub const CLASS: usize = offset_of!(Arena, class);
    /// The rows follow the head.
    pub const ROWS: usize = size_of::<Arena>();
    /// Bytes of a row, and where the slot's state is in it.
    pub const ROW_BYTES: usize = size_of::<Slot>();
    /// See `ROW_BYTES`.
    pub const ROW_STATE: usize = offset_of!(Slot, state);
    /// The state of a slot that has its pages.
    pub const DIRTY: u8 = super::State::Dirty as u8;
}

impl Arena {
    /// Maps an arena of about `want` bytes for `class`, less where the kernel does not give so much.
    pub fn map(class: usize, want: usize) -> Result<&'static Arena, Errno> {
        let slot = slot_bytes(class);
        let table_bytes = |slots: usize| (size_of::<Arena>() + slots * size_of::<Slot>()).next_multiple_of(memory::PAGE);
        let mut slots = (want.min(ARENA_MAX_BYTES) / slot).max(1);
        let map = loop {
            match memory::map(table_bytes(slots) + slots * slot) {
                Ok(map) => break map,
                Err(_) if slots > 1 => slots /= 2,
                Err(error) => return Err(error),
            }
        };
        // A sandbox may refuse the advice; with huge pages only for those who ask (the default), nothing is lost.
        let _ = memory::no_huge_pages(map.as_ptr(), table_bytes(slots) + slots * slot);
        let table = map.cast::<Arena>().as_ptr();
        let base = map.as_ptr() as usize + table_bytes(slots);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        if number as usize >= ARENAS_MAX {
            crate::base::throw!("stack: more than {ARENAS_MAX} arenas");
        }
        // SAFETY: the table is new, zero, and large enough for the head and the rows; zero is a valid row: `Fresh`, without a guard.
        unsafe {
            table.write(Arena { base, number, slots: slots as u32, class: class as u8, rows: table.add(1).cast() });
        }
        ARENAS[number as usize].store(table, Ordering::Release);
        // SAFETY: arenas live for ever.
        Ok(unsafe { &*table })
    }

    /// The row of slot `index`.
    pub fn row(&self, index: u32) -> &Slot {
        assert!(index < self.slots);
        // SAFETY: `map` made `slots` rows.
        unsafe { &*self.rows.add(index as usize) }
    }

    /// What slot `index` is.
    pub fn state(&self, index: u32) -> State {
        match self.row(index).state.load(Ordering::Acquire) {
            0 => State::Fresh,
            1 => State::Dirty,
            2 => State::Scavenging,
            3 => State::Clean,
            other => crate::base::throw!("stack: slot {index} of arena {} has state {other}", self.number),
        }
    }

    /// Changes what slot `index` is. Its owner does: the class's lock, the goroutine on it, or the scavenger.
    pub fn set_state(&self, index: u32, state: State) {
        self.row(index).state.store(state as u8, Ordering::Release);
    }

    /// The lowest address of slot `index`, where its guard begins.
    pub fn slot_base(&self, index: u32) -> usize {
        self.base + index as usize * slot_bytes(self.class.into())
    }

    /// Where the descriptor of slot `index` lies.
    pub fn header(&self, index: u32) -> *mut GHeader {
        (self.slot_base(index) + slot_bytes(self.class.into()) - DESCRIPTOR_BYTES) as *mut GHeader
    }

    /// The 32-bit name of slot `index`.
    pub fn name(&self, index: u32) -> u32 {
        self.number << 16 | index
    }

    /// The slot that `addr` lies in, if it is one of this arena.
    pub fn slot_of(&self, addr: usize) -> Option<u32> {
        let index = addr.checked_sub(self.base)? / slot_bytes(self.class.into());
        (index < self.slots as usize).then_some(index as u32)
    }

    /// The stack of the slot of this arena that `addr` lies in.
    pub fn slot_around(&self, addr: usize) -> Option<Range<usize>> {
        let slot = slot_bytes(self.class.into());
        let index = addr.checked_sub(self.base)? / slot;
        let base = self.base + index * slot;
        (index < self.slots as usize).then(|| base + GUARD_BYTES..base + slot - DESCRIPTOR_BYTES)
    }

    /// Does `addr` lie in a guard of this arena?
    pub fn guard_contains(&self, addr: usize) -> bool {
        let slot = slot_bytes(self.class.into());
        addr.checked_sub(self.base).is_some_and(|offset| offset < slot * self.slots as usize && offset % slot < GUARD_BYTES)
    }
}

/// The arena and index that a slot's name says.
pub fn named(name: u32) -> (&'static Arena, u32) {
    // SAFETY: names are made by `Arena::name` only; arenas live for ever.
    (unsafe { &*ARENAS[(name >> 16) as usize].load(Ordering::Acquire) }, name & 0xffff)
}

/// Calls `visit` with every arena.
pub fn for_each_arena(mut visit: impl FnMut(&'static Arena)) {
    for word in &ARENAS[..(COUNT.load(Ordering::Acquire) as usize).min(ARENAS_MAX)] {
        // SAFETY: a pointer here is null or an arena's, and arenas live for ever.
        if let Some(arena) = unsafe { word.load(Ordering::Acquire).as_ref() } {
            visit(arena);
        }
    }
}

/// Calls `visit` with every slot.
pub fn for_each(mut visit: impl FnMut(&'static Arena, u32)) {
    for_each_arena(|arena| (0..arena.slots).for_each(|index| visit(arena, index)));
}

// The largest arena of the smallest class must not need more than 16 bits of index.
static_assertions::const_assert!(ARENA_MAX_BYTES / slot_bytes(0) < 1 << 16);
static_assertions::const_assert_eq!(size_of::<Slot>(), 8);
