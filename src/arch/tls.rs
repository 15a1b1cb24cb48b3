//! The one register of thread-local state: fs, which points to the running M's block (R2).
//!
//! | address   | what                                                              | written by                    |
//! |-----------|-------------------------------------------------------------------|-------------------------------|
//! | `fs:0`    | the block itself (the ABI's rule for linked C)                    | once, when the M is made      |
//! | `fs:8`    | the running goroutine's header                                    | `switch`, `jump`, M start     |
//! | `fs:0x10` | the M                                                             | once                          |
//! | `fs:0x18` | the allocator's cache of the M's P, null without a P              | with `p`                      |
//! | `fs:0x20` | the P, null without one                                           | acquire and release of a P    |
//! | `fs:0x28` | the stack protector's canary, the same for the whole process      | once                          |
//!
//! Every read is volatile assembly: the compiler must never carry a value over a point that may switch threads. `g()` is the same on
//! whatever thread the goroutine runs; `m()`, `p()` and `cache()` are stable only while preemption is disabled (R1).

use super::header::GHeader;
use core::arch::asm;

macro_rules! read_fs {
    ($offset:literal) => {{
        let value: *mut u8;
        // SAFETY: R2: fs points to a `Tls` from the first instruction of `entry` on, for every thread.
        unsafe { asm!(concat!("mov {}, fs:[", $offset, "]"), out(reg) value, options(nostack, preserves_flags, readonly)) };
        value
    }};
}

/// The running goroutine, g0 or signal stack. Never null.
#[inline(always)]
pub fn g() -> *mut GHeader {
    read_fs!("0x8").cast()
}

/// The running M. Stable only while preemption is disabled.
#[inline(always)]
pub fn m() -> *mut u8 {
    read_fs!("0x10")
}

/// The allocator's cache of this M's P, or null. Stable only while preemption is disabled.
#[inline(always)]
pub fn cache() -> *mut u8 {
    read_fs!("0x18")
}

/// This M's P, or null. Stable only while preemption is disabled.
#[inline(always)]
pub fn p() -> *mut u8 {
    read_fs!("0x20")
}

/// Sets `p` and `cache` together.
///
/// # Safety
/// Preemption is disabled; the M owns the P, or gives it up by this with nulls.
#[inline(always)]
pub unsafe fn set_p(p: *mut u8, cache: *mut u8) {
    // SAFETY: R2: both words lie in this thread's own block.
    unsafe { asm!("mov fs:[0x20], {}", "mov fs:[0x18], {}", in(reg) p, in(reg) cache, options(nostack, preserves_flags)) };
}

/// Raises the preemption counter of the running goroutine (R1): from here on it stays on this M.
#[inline(always)]
pub fn raise() {
    // SAFETY: R1: `g` is the same at both instructions whatever thread executes them, and only this goroutine adds to its counter.
    unsafe { asm!("mov {t}, fs:[0x8]", "inc dword ptr [{t}]", t = out(reg) _, options(nostack)) };
}

/// Lowers it. True if a preemption request came meanwhile and this was the last raise: the caller must yield.
#[inline(always)]
#[must_use]
pub fn lower() -> bool {
    let zero: u8;
    // SAFETY: as in `raise`.
    unsafe { asm!("mov {t}, fs:[0x8]", "dec dword ptr [{t}]", "setz {z}", t = out(reg) _, z = out(reg_byte) zero, options(nostack)) };
    zero != 0
}
