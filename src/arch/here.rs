//! Where the running code is: for traces.

use core::arch::asm;
use core::cell::Cell;

/// An address in the function that this is inlined into.
#[inline(always)]
pub fn here() -> usize {
    let pc;
    // SAFETY: it reads the instruction pointer.
    unsafe { asm!("lea {}, [rip]", out(reg) pc, options(nomem, nostack, preserves_flags)) };
    pc
}

/// The registers from which the callers of the function that this is inlined into can be found, by their DWARF numbers; the others are 0.
#[inline(always)]
pub fn registers() -> [usize; 17] {
    let mut registers = [0; 17];
    // SAFETY: it reads registers, and writes an array of 17 words.
    unsafe {
        asm!(
            "mov [{to} + 24], rbx",
            "mov [{to} + 48], rbp",
            "mov [{to} + 56], rsp",
            "mov [{to} + 96], r12",
            "mov [{to} + 104], r13",
            "mov [{to} + 112], r14",
            "mov [{to} + 120], r15",
            "lea {pc}, [rip]",
            "mov [{to} + 128], {pc}",
            to = in(reg) registers.as_mut_ptr(), pc = out(reg) _, options(nostack, preserves_flags)
        );
    }
    registers
}

/// Notes where the running goroutine is, for as long as the function that this is inlined into does not return: rsp in `sp`, its address and rbp in `call`.
#[inline(always)]
pub fn note(sp: &Cell<usize>, call: &Cell<[usize; 2]>) {
    // SAFETY: three words of plain cells.
    unsafe {
        asm!(
            "lea {pc}, [rip]",
            "mov [{sp}], rsp",
            "mov [{call}], {pc}",
            "mov [{call} + 8], rbp",
            sp = in(reg) sp.as_ptr(), call = in(reg) call.as_ptr(), pc = out(reg) _, options(nostack, preserves_flags)
        );
    }
}
