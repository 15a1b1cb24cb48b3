//! `GODEBUG=cgocheck`: are the pointers that C is given right?
//!
//! | value | what is looked at                                                                  | cost                            |
//! |-------|------------------------------------------------------------------------------------|---------------------------------|
//! | 0     | nothing                                                                            | a load                          |
//! | 1     | does it point below the caller's own frames, into what they have left?             | two compares a pointer          |
//! | 2     | the same, and every other stack: another goroutine's, a dead one's, a guard        | a look at each arena a pointer  |
//!
//! The heap has no owner to ask, and static data is anybody's: nothing is said about those.
//!
//! Source: Go package runtime, environment variables. Go's 2 needs another build; its objects may not hold pointers to its own heap, which moves nothing here.

use crate::arch::foreign::stack_pointer;
use crate::base::throw;
use crate::gmp::{G, Status, env};
use crate::mem::stack::{self, Place};
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

const UNREAD: u8 = u8::MAX;
static LEVEL: AtomicU8 = AtomicU8::new(UNREAD);

fn level() -> u8 {
    let level = LEVEL.load(Relaxed);
    if level != UNREAD {
        return level;
    }
    let level = match env::godebug(b"cgocheck") {
        Some(b"0") => 0,
        Some(b"2") => 2,
        _ => 1,
    };
    LEVEL.store(level, Relaxed);
    level
}

/// Looks at the arguments of a call. A wrong one is fatal.
pub fn check(pointers: &[*const ()]) {
    let level = level();
    if level == 0 {
        return;
    }
    // SAFETY: R1: the running goroutine is ours.
    let g = unsafe { &*G::current().as_ptr() };
    for (n, pointer) in pointers.iter().enumerate() {
        let (n, address) = (n + 1, pointer.addr());
        if (g.header.guard_lo..g.header.stack_hi).contains(&address) {
            if address < stack_pointer() {
                throw!("cgocheck: pointer {n} that goroutine {} gives to C, {address:#x}, points into a frame of its own that has returned", g.id());
            }
        } else if level == 2 {
            other(g, n, address);
        }
    }
}

#[inline(never)]
fn other(g: &G, n: usize, address: usize) {
    let id = g.id();
    match stack::place_of(address) {
        Place::Elsewhere => {}
        Place::Unused => throw!("cgocheck: pointer {n} that goroutine {id} gives to C, {address:#x}, points into a stack that no goroutine has"),
        Place::Guard => throw!("cgocheck: pointer {n} that goroutine {id} gives to C, {address:#x}, points into the guard of a stack"),
        Place::Of(header) => {
            // SAFETY: R9: the descriptor of a slot in use can be read, whoever has it now.
            let owner = unsafe { &*header.cast::<G>() };
            if owner.status() == Status::Dead {
                throw!(
                    "cgocheck: pointer {n} that goroutine {id} gives to C, {address:#x}, points into the stack of goroutine {}, which has ended",
                    owner.id()
                );
            }
            throw!("cgocheck: pointer {n} that goroutine {id} gives to C, {address:#x}, points into the stack of goroutine {}", owner.id());
        }
    }
}
