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
