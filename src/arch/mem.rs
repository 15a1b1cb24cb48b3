//! `memcpy` and its kin: the compiler calls them, so a program without libc needs its own.
//!
//! 1. Here they have names of their own, for the library defines no libc-named symbol (R15); `gort::main!` puts the libc names in front, in the
//!    final program, as one jump each: under a nanosecond, and it works with every kind of link-time optimisation.
//!
//! Rejected: the bodies' text in the macro (five hundred lines of assembly expanded in the user's crate).

use core::arch::global_asm;

#[cfg(test)]
mod tests;

global_asm!(include_str!("../../arch/x86_64/mem_copy.s"));
global_asm!(include_str!("../../arch/x86_64/mem_set.s"));
global_asm!(include_str!("../../arch/x86_64/mem_compare.s"));
global_asm!(include_str!("../../arch/x86_64/mem_length.s"));

unsafe extern "C" {
    /// Copies `len` bytes; the ranges may overlap.
    pub fn gort_memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8;
    /// Copies `len` bytes; the ranges may overlap.
    pub fn gort_memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8;
    /// Fills `len` bytes with the low byte of `byte`.
    pub fn gort_memset(to: *mut u8, byte: i32, len: usize) -> *mut u8;
    /// Compares `len` bytes: negative, zero or positive.
    pub fn gort_memcmp(a: *const u8, b: *const u8, len: usize) -> i32;
    /// Compares `len` bytes: zero if they are equal.
    pub fn gort_bcmp(a: *const u8, b: *const u8, len: usize) -> i32;
    /// The number of bytes before the first zero.
    pub fn gort_strlen(text: *const u8) -> usize;
}

/// Defines the libc names in the final program.
#[doc(hidden)]
#[macro_export]
macro_rules! __gort_mem_symbols {
    () => {
        $crate::__gort_mem_symbols!(
            memcpy => gort_memcpy, memmove => gort_memmove, memset => gort_memset,
            memcmp => gort_memcmp, bcmp => gort_bcmp, strlen => gort_strlen
        );
    };
    ($($name:ident => $target:ident),*) => {$(
        core::arch::global_asm!(
            concat!(".globl ", stringify!($name)), concat!(".type ", stringify!($name), ", @function"), ".balign 16",
            concat!(stringify!($name), ":"), "jmp {target}",
            target = sym $crate::__private::mem::$target,
        );
    )*};
}
