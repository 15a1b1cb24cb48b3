//! The assembly of threads and signals: `clone3` and `clone` with the child's first instructions, thread exit, the signal restorer; and how a
//! static-pie program relocates itself.

use core::arch::global_asm;

global_asm!(include_str!("../../arch/x86_64/clone.s"));
global_asm!(include_str!("../../arch/x86_64/sigreturn.s"));
#[cfg(feature = "static-pie")]
global_asm!(include_str!("../../arch/x86_64/relocate.s"));

/// What a new thread calls, once, and never returns from.
pub type ThreadEntry = unsafe extern "C" fn(*mut u8) -> !;

unsafe extern "C" {
    /// `clone3(args, size)`; the child calls `entry(arg)`. Minus the error, or the thread id.
    pub fn gort_clone3(args: *const u8, size: usize, entry: ThreadEntry, arg: *mut u8) -> isize;
    /// `clone(flags, stack_top, tls)`; the child calls `entry(arg)`. Minus the error, or the thread id.
    pub fn gort_clone(flags: usize, stack_top: *mut u8, tls: *mut u8, entry: ThreadEntry, arg: *mut u8) -> isize;
    /// Unmaps `[base, base + len)`, the caller's stack in it, and ends this thread.
    pub fn gort_thread_exit(base: *mut u8, len: usize) -> !;
    /// Applies the relative relocations of the program loaded at `base` whose dynamic section is `dynamic`. Called once, first.
    #[cfg(feature = "static-pie")]
    pub fn gort_relocate(base: usize, dynamic: *const [usize; 2]);
    /// Where a signal handler returns to.
    pub fn gort_sigreturn();
}
