//! A call on another stack: see `arch/x86_64/foreign.s`.

use core::arch::{asm, global_asm};

global_asm!(include_str!("../../arch/x86_64/foreign.s"));

unsafe extern "C" {
    /// Calls `f(arg)` with the stack pointer at `sp`, a multiple of 16. `*left` becomes this stack's own pointer meanwhile.
    pub fn gort_call_on(sp: usize, f: unsafe extern "C" fn(*mut u8), arg: *mut u8, left: *mut usize);
}

/// The stack pointer, about.
#[inline(always)]
pub fn stack_pointer() -> usize {
    let sp: usize;
    // SAFETY: it reads a register.
    unsafe { asm!("mov {}, rsp", out(reg) sp, options(nomem, nostack, preserves_flags)) };
    sp
}

/// The registers that a call keeps: rbx, rbp, r12 to r15.
#[inline(never)]
pub fn callee_saved() -> [usize; 6] {
    let mut kept = [0; 6];
    // SAFETY: it writes the array, and nothing else.
    unsafe {
        asm!("mov [{0}], rbx", "mov [{0} + 8], rbp", "mov [{0} + 16], r12", "mov [{0} + 24], r13", "mov [{0} + 32], r14", "mov [{0} + 40], r15",
            in(reg) kept.as_mut_ptr(), options(nostack, preserves_flags));
    }
    kept
}
