//! `memcpy` and its kin: the compiler calls them, so a program without libc needs its own.
//!
//! 1. Here they have names of their own, for the library defines no libc-named symbol (R15); `gort::main!` puts the libc names in front, in the
//!    final program, as one jump each: under a nanosecond, and it works with every kind of link-time optimisation.
//!
//! Rejected: the bodies' text in the macro (five hundred lines of assembly expanded in the user's crate).

use core::arch::global_asm;

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

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    fn pattern(len: usize, seed: usize) -> Vec<u8> {
        (0..len).map(|i| ((i * 131 + seed * 17) >> 1) as u8).collect()
    }

    #[test]
    fn copies_of_all_small_sizes_and_alignments_match_a_plain_loop() {
        for len in 0..=256 {
            for (to, from) in (0..16).flat_map(|a| [(a, 0), (a, 5), (3, a), (a, a)]) {
                let source = pattern(len + 32, len);
                let mut target = vec![0xa5u8; len + 64];
                let mut expected = target.clone();
                (0..len).for_each(|i| expected[to + i] = source[from + i]);
                // SAFETY: both ranges lie in their vectors.
                let result = unsafe { gort_memcpy(target.as_mut_ptr().add(to), source.as_ptr().add(from), len) };
                assert_eq!(result, target[to..].as_mut_ptr());
                assert!(target == expected, "len {len} to {to} from {from}");
            }
        }
    }

    #[test]
    fn overlapping_moves_match_a_copy_through_a_buffer() {
        let shifts = (-70..=70).chain([-4096, -1000, -129, 129, 1000, 4096]);
        for shift in shifts {
            for len in (0..=300).chain([511, 1024, 1537, 4096, 70_001, 1 << 20]) {
                let mut bytes = pattern(len + 8200, len);
                let (from, to) = (4100usize, (4100 + shift) as usize);
                let mut expected = bytes.clone();
                let moved = bytes[from..from + len].to_vec();
                expected[to..to + len].copy_from_slice(&moved);
                // SAFETY: both ranges lie in the vector.
                unsafe { gort_memmove(bytes.as_mut_ptr().add(to), bytes.as_ptr().add(from), len) };
                assert!(bytes == expected, "len {len} shift {shift}");
                if len >= 70_001 && shift % 7 != 0 {
                    break;
                }
            }
        }
    }

    #[test]
    fn fills_of_all_small_sizes_and_alignments_stay_in_their_range() {
        for len in (0..=300).chain([1024, 4096, 9000]) {
            for to in 0..17 {
                let mut target = vec![7u8; len + 64];
                let mut expected = target.clone();
                expected[to..to + len].fill(0xc3);
                // SAFETY: the range lies in the vector.
                unsafe { gort_memset(target.as_mut_ptr().add(to), 0x5c3, len) };
                assert!(target == expected, "len {len} to {to}");
            }
        }
    }

    #[test]
    fn comparisons_find_the_first_difference_and_its_sign() {
        for len in 1..=200 {
            let a = pattern(len + 8, 1);
            // SAFETY: all ranges lie in their vectors.
            unsafe {
                assert_eq!(gort_memcmp(a.as_ptr().add(3), a.as_ptr().add(3), len), 0);
                for at in 0..len {
                    let mut b = a.clone();
                    b[3 + at] = b[3 + at].wrapping_add(128);
                    let result = gort_memcmp(a.as_ptr().add(3), b.as_ptr().add(3), len);
                    assert_eq!(result.signum(), if a[3 + at] < b[3 + at] { -1 } else { 1 }, "len {len} at {at}");
                    assert_ne!(gort_bcmp(a.as_ptr().add(3), b.as_ptr().add(3), len), 0);
                    assert_eq!(gort_memcmp(a.as_ptr().add(3), b.as_ptr().add(3), at), 0);
                }
            }
        }
    }

    #[test]
    fn nothing_is_touched_beyond_the_end_of_a_page() {
        let map = memmap2::MmapMut::map_anon(8192).unwrap();
        let base = map.as_ptr().cast_mut();
        // SAFETY: the second page is ours; it is never used again but to fault.
        unsafe { crate::sys::memory::protect(base.add(4096), 4096) }.unwrap();
        let other = vec![1u8; 4096];
        for len in 0..=512 {
            // SAFETY: the ranges end exactly where the readable page ends.
            unsafe {
                let end = base.add(4096 - len);
                gort_memset(end, 1, len);
                assert_eq!(gort_memcmp(end, other.as_ptr(), len), 0);
                let mut out = vec![0u8; len];
                gort_memcpy(out.as_mut_ptr(), end, len);
                gort_memcpy(end, out.as_ptr(), len);
                assert!(out.iter().all(|&b| b == 1));
                if len > 0 {
                    end.add(len - 1).write(0);
                    assert_eq!(gort_strlen(end), len - 1);
                }
            }
        }
    }
}
