//! A walk up a stack: from where a goroutine is to where it began.
//!
//! 1. It reads the stack that it walks, and nothing beside: each word's address is checked against the stack's bounds. So it may be a smashed one, or one
//!    that changes meanwhile: then what it finds is wrong, but it ends.

use crate::cfi::{PC, RSP, Registers, Step, Tables};
use core::ops::Range;

/// Reads the word at an address that lies in the bounds of the stack.
pub type Read = fn(usize) -> usize;

/// A place in a walk: one frame.
#[derive(Clone)]
pub struct Walk {
    registers: Registers,
    /// It is at exactly this instruction; else it has made a call before it.
    exact: bool,
    stack: Range<usize>,
    read: Read,
    first: bool,
    /// There is no caller.
    pub is_outermost: bool,
    done: bool,
    /// It did not end where a stack ends: this is where it should have gone on.
    pub lost_at: Option<usize>,
}

/// A frame.
#[derive(Clone, Copy)]
pub struct Frame {
    /// Where it goes on.
    pub pc: usize,
    /// An address in the instruction that it is at: that of the call, if it has made one.
    pub at: usize,
    /// Its stack pointer.
    pub sp: usize,
}

impl Walk {
    /// From these registers, on this stack. `exact`: the code is at this instruction; else it has made a call before it.
    pub fn new(registers: Registers, exact: bool, stack: Range<usize>, read: Read) -> Walk {
        Walk { registers, exact, stack, read, first: true, is_outermost: false, done: registers[PC] == 0 && !exact, lost_at: None }
    }

    /// The word of the stack at `address`.
    #[inline(never)]
    pub fn word(&self, address: usize) -> Option<usize> {
        let is_inside = address >= self.stack.start && address.is_multiple_of(8) && address < self.stack.end && self.stack.end - address >= 8;
        is_inside.then(|| (self.read)(address))
    }

    /// The frame; none at the end.
    pub fn frame(&self) -> Option<Frame> {
        let [.., pc] = self.registers;
        (!self.done).then(|| Frame { pc, at: pc.wrapping_sub(usize::from(!self.exact)), sp: self.registers[RSP] })
    }

    /// Goes to the caller's.
    #[inline(never)]
    pub fn step(&mut self, frames: Option<&Tables>) {
        if self.is_outermost {
            self.done = true;
            return;
        }
        let mut registers = self.registers;
        let step = frames.map_or(Step::Lost, |frames| frames.step(&mut registers, self.exact, &|address| self.word(address)));
        let top = self.word(self.registers[RSP]);
        match (step, top) {
            (Step::Caller, _) => self.exact = false,
            (Step::Interrupted, _) => self.exact = true,
            (Step::End, _) => self.done = true,
            // A jump to nowhere: who made it as a call is on top of the stack.
            (Step::Lost, Some(caller)) if self.first && self.exact => {
                registers[PC] = caller;
                registers[RSP] += 8;
                self.exact = false;
            }
            (Step::Lost, _) => {
                self.lost_at = frames.map(|_| registers[PC]);
                self.done = true;
            }
        }
        self.registers = registers;
        self.first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STACK: Range<usize> = 0x1000..0x2000;

    fn read(address: usize) -> usize {
        assert!(STACK.contains(&address) && address <= STACK.end - 8 && address.is_multiple_of(8), "{address:#x} is read");
        address
    }

    #[test]
    fn no_word_is_read_that_is_not_on_the_stack() {
        for sp in [0, 0xff8, 0xfff, 0x1000, 0x1001, 0x1800, 0x1ff8, 0x1ff9, 0x1fff, 0x2000, 0x3000, usize::MAX - 7, usize::MAX] {
            let mut registers = [sp; 17];
            registers[PC] = 1;
            let mut walk = Walk::new(registers, true, STACK, read);
            assert_eq!(walk.word(sp).is_some(), [0x1000, 0x1800, 0x1ff8].contains(&sp), "{sp:#x}");
            // Nothing is known of the code: only a first frame has a caller, that on top of the stack.
            let mut frames = 0;
            while walk.frame().is_some() && frames < 10 {
                frames += 1;
                walk.step(None);
            }
            assert_eq!(frames, 1 + usize::from([0x1000, 0x1800, 0x1ff8].contains(&sp)), "{sp:#x}");
        }
        // Nowhere, and by a call: the end.
        assert!(Walk::new([0; 17], false, STACK, read).frame().is_none());
    }
}
