//! The scavenger: gives the pages of free stacks back to the kernel, in batches.
//!
//! 1. It takes the whole central dirty list off at once, in constant time; what a P keeps for itself is not its business.
//! 2. Neighbouring free slots go in one call: a program that had a million goroutines has long runs of them.
//! 3. It runs where every P has passed a scheduling point since these stacks were freed: nobody holds a pointer to their old goroutines (R9).

use super::arena::{self, Arena, State};
use super::central::{CENTRAL, WITH_PAGES};
use super::slot_bytes;
use crate::base::tune::STACK_CLASSES;
use crate::sys::memory;
use core::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

/// Gives back the pages of all free stacks in central lists, and returns how many stacks that were.
///
/// One M at a time does it; for any other there is nothing to do.
pub fn scavenge() -> u32 {
    if BUSY.swap(true, Acquire) {
        return 0;
    }
    let count = (0..STACK_CLASSES).map(scavenge_class).sum();
    BUSY.store(false, Release);
    count
}

/// Two at once would both find the slots that one of them has marked, and free them twice.
static BUSY: AtomicBool = AtomicBool::new(false);

fn scavenge_class(class: usize) -> u32 {
    let mut list = core::mem::take(&mut CENTRAL[class].lock().dirty);
    let count = list.count();
    if count == 0 {
        return 0;
    }
    loop {
        let header = list.pop();
        if header.is_null() {
            break;
        }
        // SAFETY: the list is ours, so its stacks are.
        let (arena, index) = arena::named(unsafe { (*header).slot });
        arena.set_state(index, State::Scavenging);
    }
    arena::for_each_arena(|arena| {
        if usize::from(arena.class) == class {
            scavenge_arena(arena);
        }
    });
    count
}

fn scavenge_arena(arena: &'static Arena) {
    let mut index = 0;
    while index < arena.slots {
        if arena.state(index) != State::Scavenging {
            index += 1;
            continue;
        }
        let first = index;
        while index < arena.slots && arena.state(index) == State::Scavenging {
            index += 1;
        }
        let bytes = (index - first) as usize * slot_bytes(arena.class.into());
        // SAFETY: R9: these slots are free, and off every list; guards survive.
        let given_back = unsafe { memory::discard(arena.slot_base(first) as *mut u8, bytes) };
        if given_back.is_ok() {
            WITH_PAGES.fetch_sub(index - first, Relaxed);
        }
        let mut central = CENTRAL[usize::from(arena.class)].lock();
        for slot in first..index {
            if given_back.is_ok() {
                arena.row(slot).next_clean.store(central.clean, Relaxed);
                central.clean = arena.name(slot) + 1;
                arena.set_state(slot, State::Clean);
            } else {
                arena.set_state(slot, State::Dirty);
                // SAFETY: the slot is free and ours, its pages are still there.
                unsafe { central.dirty.push(arena.header(slot)) };
            }
        }
    }
}
