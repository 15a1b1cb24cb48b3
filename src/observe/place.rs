//! Where goroutines are: what a trace of them begins with.
//!
//! 1. A goroutine that does not run has left its registers where it left its stack (`switch`; a preemption's frame is like any other) or in its header, as
//!    it went into a system call (`arch::here::note`). One that runs elsewhere is known only if its thread has been stopped (`sched::freeze`).
//! 2. Words are read within the stack's bounds alone, whatever stands there: no fault, and no lock.

use crate::arch::GHeader;
use crate::arch::switch::first_instruction;
use crate::gmp::{G, M, Status, since};
use crate::mem::stack;
use crate::sched::{ancestry, freeze, group};
use crate::sys::clock::monotonic_ns;
use crate::sys::signal::{BY_DWARF, UContext};
use core::ptr;
use gort_trace::cfi::{PC, RBP, RBX, RSP, Registers};
use gort_trace::goroutine::Goroutine;
use gort_trace::walk::Walk;

/// From these registers, on the stack of `g`. Its bounds are those of the slot that its descriptor is in: what the descriptor says may be smashed too.
#[inline(never)]
pub fn walk(registers: Registers, exact: bool, g: &GHeader) -> Walk {
    let bounds = stack::bounds(ptr::from_ref(g) as usize).unwrap_or(g.stack_lo..g.stack_hi);
    // SAFETY: `Walk` asks for words within the bounds of the stack, whose pages are mapped for as long as it is one (R9); what they say is not trusted.
    Walk::new(registers, exact, bounds, |address| unsafe { (address as *const usize).read_volatile() })
}

/// The registers that a signal has interrupted.
#[inline(never)]
pub fn registers(context: &UContext) -> Registers {
    let mut registers = [0; 17];
    for (register, &place) in registers.iter_mut().zip(&BY_DWARF) {
        *register = context.registers[usize::from(place)] as usize;
    }
    registers
}

/// From where `g` is, which does not run. None: nobody knows.
#[inline(never)]
fn suspended(g: &G) -> Option<Walk> {
    let header = &g.header;
    let mut registers = [0; 17];
    let sp = header.sp.get();
    let status = g.status();
    if status == Status::Syscall {
        let [pc, rbp] = g.call.get();
        (registers[PC], registers[RSP], registers[RBP]) = (pc, sp, rbp);
    } else if status == Status::Waiting || status == Status::Runnable {
        let stack = walk(registers, true, header);
        let word = |n: usize| stack.word(sp.wrapping_add(8 * n));
        (registers[PC], registers[RBX], registers[RBP], registers[RSP]) = (word(0)?, word(1)?, word(2)?, sp + 24);
        if registers[PC] == first_instruction() {
            // It has never run: it is where it will begin, called by nobody.
            registers[PC] = registers[RBX];
            let mut walk = walk(registers, true, header);
            walk.is_outermost = true;
            return Some(walk);
        }
    } else {
        return None;
    }
    Some(walk(registers, status == Status::Syscall, header))
}

/// What a trace says of `g`, which does not run on this thread. `with_m`: also which M runs it.
#[inline(never)]
pub fn of_other(g: &G, with_m: bool) -> Goroutine<'_> {
    if !cfg!(feature = "traces") {
        return of(g, None, None);
    }
    let runs = g.status() == Status::Running;
    let m = if runs || with_m { freeze::m_of(g) } else { None };
    let walk = match m.and_then(freeze::registers) {
        Some(context) if runs => Some(walk(registers(context), true, &g.header)),
        _ => suspended(g),
    };
    of(g, m, walk)
}

/// What a trace says of `g`, which `m` runs, and which is at `walk`.
#[inline(never)]
pub fn of<'a>(g: &'a G, m: Option<&M>, walk: Option<Walk>) -> Goroutine<'a> {
    let status = g.status();
    let state = match status {
        Status::Dead => "idle",
        Status::Runnable if g.is_finalizer.get() => "runnable, finalizer",
        Status::Running if g.is_finalizer.get() => "running, finalizer",
        Status::Syscall if g.is_finalizer.get() => "syscall, finalizer",
        Status::Runnable => "runnable",
        Status::Running => "running",
        Status::Syscall => "syscall",
        Status::Waiting => g.reason().text(),
    };
    // SAFETY: R9: a goroutine that is looked at is this one, or does not end meanwhile; a group outlives its goroutines.
    let bubble = if status == Status::Dead || !cfg!(feature = "traces") { 0 } else { unsafe { group::bubble_id_of(g) } };
    let is_durable = bubble != 0 && status == Status::Waiting && g.reason().is_durable() && !state.ends_with("(durable)");
    // Without a look at the clock before, there is nothing to compare with.
    let waits = matches!(status, Status::Waiting | Status::Syscall) && since::now() != 0;
    Goroutine {
        id: g.id(),
        pointer: ptr::from_ref(g) as usize,
        m: m.map(|m| (m.id, ptr::from_ref(m) as usize)),
        state,
        minutes: if waits { since::minutes(g.waits_since.get(), monotonic_ns()) } else { 0 },
        is_durable,
        bubble,
        is_locked: g.locked.get(),
        walk,
        made_at: g.made_at.get(),
        parent: g.parent.get(),
        ancestors: ancestry::of(g),
    }
}
