//! Every routine against a plain model: all small lengths and alignments, lengths around each threshold, large overlapping moves.
//!
//! 1. All work happens in `Fenced` memory, between two pages that may not be touched: an access on the wrong side kills the test.
//! 2. A copy is checked as a whole: the memory held a pattern in which every byte tells its place, so what must stand where afterwards is
//!    three slices of the pattern: before, in, and behind the range. Whatever was written elsewhere shows.

use super::*;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use std::vec::Vec;

const PAGE: usize = 4096;

/// Lengths beside each threshold of the routines, and some between.
const LONGER: &[usize] = &[257, 320, 383, 384, 511, 512, 513, 1000, 1023, 1024, 1535, 1536, 1537, 1599, 1600, 1601, 2047, 2048, 4095, 4096, 4097, 10_001];

/// Whole pages of memory between two without access.
struct Fenced {
    map: *mut u8,
    len: usize,
}

impl Fenced {
    fn new(pages: usize) -> Fenced {
        let len = pages * PAGE;
        // SAFETY: a new mapping; the fences are two of its pages, which nobody uses.
        let map = unsafe {
            let map = mmap_anonymous(core::ptr::null_mut(), len + 2 * PAGE, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE).unwrap();
            mprotect(map, PAGE, MprotectFlags::empty()).unwrap();
            mprotect(map.byte_add(PAGE + len), PAGE, MprotectFlags::empty()).unwrap();
            map.cast::<u8>()
        };
        Fenced { map, len }
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the pages between the fences, borrowed from `self` as a whole.
        unsafe { core::slice::from_raw_parts_mut(self.map.add(PAGE), self.len) }
    }
}

impl Drop for Fenced {
    fn drop(&mut self) {
        // SAFETY: the whole mapping, which `self` owns.
        unsafe { munmap(self.map.cast(), self.len + 2 * PAGE).unwrap() }
    }
}

/// Bytes that tell their place: no two stretches of more than a few bytes are equal.
fn pattern(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as u8
    };
    (0..len).map(|_| byte()).collect()
}

type Copy = unsafe extern "C" fn(*mut u8, *const u8, usize) -> *mut u8;

/// Copies within `memory`, which holds `before` and does again afterwards.
fn check_move(copy: Copy, memory: &mut [u8], before: &[u8], to: usize, from: usize, len: usize) {
    let base = memory.as_mut_ptr();
    assert!(to + len <= memory.len() && from + len <= memory.len());
    // SAFETY: both ranges lie in `memory`.
    let returned = unsafe { copy(base.add(to), base.add(from), len) };
    let right = memory[..to] == before[..to] && memory[to..to + len] == before[from..from + len] && memory[to + len..] == before[to + len..];
    assert!(right, "{len} bytes from {from} to {to}");
    assert_eq!(returned, base.wrapping_add(to));
    memory[to..to + len].copy_from_slice(&before[to..to + len]);
}

#[test]
fn copies_every_small_length_at_every_alignment() {
    let mut fenced = Fenced::new(1);
    let memory = &mut fenced.bytes()[..768];
    let before = pattern(memory.len(), 1);
    memory.copy_from_slice(&before);
    for copy in [gort_memcpy as Copy, gort_memmove] {
        for len in 0..=256 {
            for to in 16..32 {
                for from in 400..416 {
                    check_move(copy, memory, &before, to, from, len);
                }
            }
        }
    }
}

#[test]
fn moves_every_small_length_over_every_overlap() {
    let mut fenced = Fenced::new(1);
    let memory = &mut fenced.bytes()[..416];
    let before = pattern(memory.len(), 2);
    memory.copy_from_slice(&before);
    for len in 0..=256 {
        for from in 64..80 {
            for to in from - 64..=from + 64 {
                check_move(gort_memmove, memory, &before, to, from, len);
            }
        }
    }
}

#[test]
fn copies_longer_lengths_at_every_alignment_to_a_line() {
    let mut fenced = Fenced::new(8);
    let memory = fenced.bytes();
    let before = pattern(memory.len(), 3);
    memory.copy_from_slice(&before);
    for &len in LONGER {
        for to in 64..128 {
            for from in [16_384, 16_385, 16_399, 16_400, 16_447] {
                check_move(gort_memcpy, memory, &before, to, from, len);
                check_move(gort_memcpy, memory, &before, from, to, len);
            }
        }
    }
}

#[test]
fn moves_longer_lengths_over_overlaps_up_to_the_last_byte() {
    let mut fenced = Fenced::new(8);
    let memory = fenced.bytes();
    let before = pattern(memory.len(), 4);
    memory.copy_from_slice(&before);
    for &len in LONGER {
        for by in [0, 1, 8, 15, 16, 17, 63, 64, 65, 255, len / 2, len - 65, len - 16, len - 1, len, len + 1] {
            for at in 100..116 {
                check_move(gort_memmove, memory, &before, at + by, at, len);
                check_move(gort_memmove, memory, &before, at, at + by, len);
            }
        }
    }
}

#[test]
fn moves_megabytes_up_and_down() {
    const MIB: usize = 1 << 20;
    let mut fenced = Fenced::new(17 * MIB / PAGE);
    let memory = fenced.bytes();
    let before = pattern(memory.len(), 5);
    memory.copy_from_slice(&before);
    for len in [MIB, 3 * MIB + 13, 8 * MIB] {
        for by in [1, 63, 64, 4097, 65_536, MIB - 1, len - 1, len + 1] {
            for at in [7, 4096] {
                check_move(gort_memmove, memory, &before, at + by, at, len);
                check_move(gort_memmove, memory, &before, at, at + by, len);
            }
        }
    }
}

/// A range as near to a fence as it gets: at the first or the last byte.
fn at_fences(area: usize, len: usize) -> [usize; 2] {
    [0, area - len]
}

#[test]
fn copying_touches_nothing_beside_its_ranges() {
    let (mut one, mut other) = (Fenced::new(3), Fenced::new(3));
    let (one, other) = (one.bytes(), other.bytes());
    let before = pattern(one.len(), 6);
    for copy in [gort_memcpy as Copy, gort_memmove] {
        for len in (0..=300).chain(LONGER.iter().copied()) {
            for from in at_fences(one.len(), len) {
                for to in at_fences(one.len(), len) {
                    one.copy_from_slice(&before);
                    other.fill(0x5a);
                    // SAFETY: both ranges lie in their memory.
                    let returned = unsafe { copy(other.as_mut_ptr().add(to), one.as_ptr().add(from), len) };
                    assert_eq!(returned, other.as_mut_ptr().wrapping_add(to));
                    assert!(other[to..to + len] == before[from..from + len], "{len} bytes from {from} to {to}");
                    assert!(other[..to].iter().chain(&other[to + len..]).all(|&b| b == 0x5a), "{len} bytes from {from} to {to}: written beside");
                    assert!(one == before, "{len} bytes from {from} to {to}: the source has changed");
                }
            }
        }
    }
}

#[test]
fn moving_touches_nothing_beside_its_ranges() {
    let mut fenced = Fenced::new(4);
    let memory = fenced.bytes();
    let before = pattern(memory.len(), 7);
    memory.copy_from_slice(&before);
    let last = memory.len();
    for len in (0..=300).chain(LONGER.iter().copied()) {
        for by in [1, 16, 33, 100] {
            check_move(gort_memmove, memory, &before, 0, by, len);
            check_move(gort_memmove, memory, &before, by, 0, len);
            check_move(gort_memmove, memory, &before, last - len, last - len - by, len);
            check_move(gort_memmove, memory, &before, last - len - by, last - len, len);
        }
    }
}

fn check_set(memory: &mut [u8], before: &[u8], to: usize, byte: i32, len: usize) {
    let base = memory.as_mut_ptr();
    assert!(to + len <= memory.len());
    // SAFETY: the range lies in `memory`.
    let returned = unsafe { gort_memset(base.add(to), byte, len) };
    let filled = memory[to..to + len].iter().all(|&b| b == byte as u8);
    assert!(filled && memory[..to] == before[..to] && memory[to + len..] == before[to + len..], "{len} bytes of {byte:#x} to {to}");
    assert_eq!(returned, base.wrapping_add(to));
    memory[to..to + len].copy_from_slice(&before[to..to + len]);
}

#[test]
fn fills_every_small_length_at_every_alignment() {
    let mut fenced = Fenced::new(1);
    let memory = &mut fenced.bytes()[..384];
    let before = pattern(memory.len(), 8);
    memory.copy_from_slice(&before);
    for len in 0..=256 {
        for to in 32..48 {
            for byte in [0, 1, 0x7f, 0x80, 0xff, -1, 0x1234_5601] {
                check_set(memory, &before, to, byte, len);
            }
        }
    }
}

#[test]
fn fills_longer_lengths_at_every_alignment_to_a_line() {
    let mut fenced = Fenced::new(4);
    let memory = fenced.bytes();
    let before = pattern(memory.len(), 9);
    memory.copy_from_slice(&before);
    for &len in LONGER {
        for to in 64..128 {
            check_set(memory, &before, to, 0xabc3, len);
        }
    }
}

#[test]
fn filling_touches_nothing_beside_its_range() {
    let mut fenced = Fenced::new(3);
    let memory = fenced.bytes();
    let before = pattern(memory.len(), 10);
    memory.copy_from_slice(&before);
    for len in (0..=300).chain(LONGER.iter().copied()) {
        for to in at_fences(memory.len(), len) {
            check_set(memory, &before, to, 0xe7, len);
        }
    }
}

/// Both ways, by both names.
fn check_compare(a: &[u8], b: &[u8], expected: core::cmp::Ordering) {
    assert_eq!(a.len(), b.len());
    // SAFETY: both slices have the length.
    let (there, back, other) =
        unsafe { (gort_memcmp(a.as_ptr(), b.as_ptr(), a.len()), gort_memcmp(b.as_ptr(), a.as_ptr(), a.len()), gort_bcmp(a.as_ptr(), b.as_ptr(), a.len())) };
    assert_eq!(there.cmp(&0), expected, "{there} for {a:?} and {b:?}");
    assert_eq!(back.cmp(&0), expected.reverse(), "{back} for {b:?} and {a:?}");
    assert_eq!(other != 0, expected.is_ne(), "{other} for {a:?} and {b:?}");
}

/// Two equal ranges, with different bytes on either side of them; then a first difference at each place, with all bytes behind it different
/// the other way.
fn check_differences(a: &mut [u8], b: &mut [u8], common: &[u8], a_at: usize, b_at: usize, places: impl Iterator<Item = usize>) {
    let len = common.len();
    a.fill(0xff);
    b.fill(0x00);
    a[a_at..a_at + len].copy_from_slice(common);
    b[b_at..b_at + len].copy_from_slice(common);
    check_compare(&a[a_at..a_at + len], &b[b_at..b_at + len], core::cmp::Ordering::Equal);
    let mut behind = len;
    for place in places {
        let (lower, higher) = [(0x00, 0x01), (0x7f, 0x80), (0x80, 0xff), (0x00, 0xff), (0x01, 0x80), (0xfe, 0xff)][place % 6];
        a[a_at + place + 1..a_at + behind].fill(0xff);
        b[b_at + place + 1..b_at + behind].fill(0x00);
        behind = place + 1;
        (a[a_at + place], b[b_at + place]) = (lower, higher);
        check_compare(&a[a_at..a_at + len], &b[b_at..b_at + len], core::cmp::Ordering::Less);
        (a[a_at + place], b[b_at + place]) = (0xff, 0x00);
    }
}

#[test]
fn finds_the_first_difference_at_every_place_of_every_small_length() {
    let (mut one, mut other) = (Fenced::new(1), Fenced::new(1));
    let (one, other) = (&mut one.bytes()[..320], &mut other.bytes()[..320]);
    let common = pattern(256, 11);
    for len in 0..=256 {
        for a_at in 16..32 {
            for b_at in [16, 17, 24, 31] {
                check_differences(one, other, &common[..len], a_at, b_at, (0..len).rev());
            }
        }
    }
}

#[test]
fn finds_differences_in_longer_ranges() {
    let (mut one, mut other) = (Fenced::new(4), Fenced::new(4));
    let (one, other) = (one.bytes(), other.bytes());
    let common = pattern(3 * PAGE, 12);
    for &len in LONGER {
        for (a_at, b_at) in [(16, 16), (17, 16), (16, 31), (23, 24)] {
            check_differences(one, other, &common[..len], a_at, b_at, (0..len).rev().filter(|p| p % 61 == 0 || len - p < 20));
        }
    }
}

#[test]
fn comparing_touches_nothing_beside_its_ranges() {
    let (mut one, mut other) = (Fenced::new(3), Fenced::new(3));
    let (one, other) = (one.bytes(), other.bytes());
    let common = pattern(3 * PAGE, 13);
    for len in (0..=300).chain(LONGER.iter().copied()) {
        for a_at in at_fences(one.len(), len) {
            for b_at in at_fences(other.len(), len) {
                check_differences(one, other, &common[..len], a_at, b_at, (0..len).rev().filter(|&p| p == 0 || p + 1 == len));
            }
        }
    }
}

/// Where nothing is reads as a zero byte before the string: zeros there must not count.
fn check_length(memory: &mut [u8], at: usize, len: usize) {
    memory[at..at + len].iter_mut().enumerate().for_each(|(i, b)| *b = [1, 0x80, 0xff, 0x7f, 0x81][i % 5]);
    memory[at + len] = 0;
    // SAFETY: the string ends in a zero inside `memory`.
    assert_eq!(unsafe { gort_strlen(memory.as_ptr().add(at)) }, len, "at {at}");
    memory[at..at + len].fill(0);
}

#[test]
fn measures_strings_of_every_small_length_at_every_alignment() {
    let mut fenced = Fenced::new(1);
    let memory = fenced.bytes();
    for len in 0..=256 {
        for at in 64..128 {
            check_length(memory, at, len);
        }
    }
}

#[test]
fn measures_strings_up_to_the_last_byte_before_a_fence() {
    let mut fenced = Fenced::new(4);
    let memory = fenced.bytes();
    let last = memory.len() - 1;
    for len in (0..=300).chain(LONGER.iter().copied()) {
        check_length(memory, last - len, len);
        check_length(memory, 0, len);
    }
}
