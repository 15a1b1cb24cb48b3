//! The stacks of goroutines: slots of large arenas, each with its guard below and its goroutine's descriptor on top (R9).
//!
//! ```text
//!   slot of class k: (64 KiB << k) + 4 KiB of address space, not a power of two: tops fall into different cache sets
//!   +-------------+----------------------------------------------+------------+
//!   | guard 16 KiB| untouched, untouched, … , the stack          | descriptor |
//!   +-------------+----------------------------------------------+------------+
//!   guard_lo      stack_lo                                   stack_hi     next slot
//! ```
//!
//! 1. A goroutine that does little touches one page: its descriptor and its first frames share the top one.
//! 2. A slot goes round: fresh (never touched), in use, free and dirty (its pages are there, its descriptor is intact), scavenged by the
//!    kernel (clean: it reads as zeros), and in use again. A table beside the arena says which (`arena`); nothing in the slot survives scavenging.
//! 3. Free stacks are reused last in first out: from the P's own list first, then the class's central list, clean ones after dirty ones.
//! 4. The stack that is being stood on may be pushed onto the P's own list (nobody else takes from it), never onto a central one.
//!
//! Rejected: a mapping each (7 µs, and a guard by mprotect splits VMAs: 32 000 goroutines at most); powers of two (54 ns against 72 a
//! spawn); giving pages back at exit (1.1 µs, and 1.7 µs to fault them in again).

mod arena;
mod central;
mod foreign;
mod guard;
mod list;
mod scavenge;

pub use arena::layout;
pub use central::{alloc, class_for, free, release, take_free, with_pages};
pub use foreign::CStack;
pub use guard::{Guards, guards};
pub use list::StackList;
pub use scavenge::scavenge;

use crate::arch::GHeader;
use crate::base::tune::{GUARD_BYTES, STACK_CLASSES, STACK_MIN_BYTES};
use crate::sys::memory::PAGE;
use core::ops::Range;

/// Bytes at the top of a slot for the goroutine's descriptor, of which `GHeader` is the head.
pub const DESCRIPTOR_BYTES: usize = 256;

/// Address space of a slot of `class`.
pub const fn slot_bytes(class: usize) -> usize {
    (STACK_MIN_BYTES << class) + PAGE
}

/// Stack bytes that a goroutine of `class` can use.
pub const fn usable_bytes(class: usize) -> usize {
    slot_bytes(class) - GUARD_BYTES - DESCRIPTOR_BYTES
}

/// Calls `visit` with the header of every slot whose pages are there: goroutines that live, and dirty free ones (their status says which).
///
/// What it sees may change while it looks; a header may be gone to a new goroutine. For traces, where the others are stopped or nearly so.
pub fn for_each(visit: &mut dyn FnMut(*mut GHeader)) {
    arena::for_each(|arena, index| {
        if arena.state(index) == arena::State::Dirty {
            visit(arena.header(index));
        }
    });
}

/// The stack of the slot that `addr` lies in, by the arena alone; none if it lies in no slot.
pub fn bounds(addr: usize) -> Option<Range<usize>> {
    let mut found = None;
    arena::for_each_arena(|arena| found = found.take().or_else(|| arena.slot_around(addr)));
    found
}

/// Does `addr` lie in the guard of any slot? For naming a fault.
pub fn is_guard(addr: usize) -> bool {
    let mut found = false;
    arena::for_each_arena(|arena| found |= arena.guard_contains(addr));
    found
}

/// Calls `visit` with where the slots of each arena begin, how many bytes one has, and how many there are.
pub fn for_each_arena(mut visit: impl FnMut(usize, usize, u32)) {
    arena::for_each_arena(|arena| visit(arena.slot_base(0), slot_bytes(arena.class.into()), arena.slots));
}

/// What an address is, among the slots of all arenas.
pub enum Place {
    /// In none.
    Elsewhere,
    /// In a guard.
    Guard,
    /// In a slot without pages: no goroutine has it.
    Unused,
    /// In a slot whose pages are there: a goroutine's that lives, or the last one's that had it.
    Of(*mut GHeader),
}

/// Where `address` lies.
pub fn place_of(address: usize) -> Place {
    let mut place = Place::Elsewhere;
    arena::for_each_arena(|arena| {
        if let Some(index) = arena.slot_of(address) {
            place = match arena.state(index) {
                _ if address < arena.slot_base(index) + GUARD_BYTES => Place::Guard,
                arena::State::Dirty => Place::Of(arena.header(index)),
                _ => Place::Unused,
            };
        }
    });
    place
}

static_assertions::const_assert!(STACK_CLASSES <= 16);
