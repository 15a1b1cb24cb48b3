//! The TLS image of linked C: what its `__thread` variables begin with, and where each M has its copy.
//!
//! ```text
//!   variant II of the ABI          distance             fs
//!     +------------------------------+-------------------+
//!     | .tdata, copied | .tbss, zero | up to the alignment| M …
//!     +------------------------------+-------------------+
//! ```
//!
//! 1. A program has one segment PT_TLS or none; Rust on stable brings none. Without one an M grows by nothing.
//! 2. The linker has computed every offset from fs: the segment begins `distance` bytes below it, and fs has the segment's alignment. Both hold for
//!    every M, the first and sysmon's too, since `M::new` makes them all.
//! 3. The segment in the file's own image is read only; it is there before `_start`, and needs no relocation but those of static-pie, which are applied first.
//!
//! Rejected: `__ehdr_start` (a symbol that only the linker knows: a test of std would have to resolve it too).

use super::env;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use linux_raw_sys::auxvec::{AT_PHDR, AT_PHNUM};
use linux_raw_sys::elf::{Elf_Ehdr, Elf_Phdr, PT_LOAD, PT_PHDR, PT_TLS};

/// See the head of this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// Where its initialised part lies in the program.
    from: usize,
    /// Bytes of that; the rest is zero.
    initialised_bytes: usize,
    /// How far below fs it begins.
    pub distance: usize,
    /// What fs must be a multiple of.
    pub align: usize,
}

static FROM: AtomicUsize = AtomicUsize::new(0);
static INITIALISED_BYTES: AtomicUsize = AtomicUsize::new(0);
static DISTANCE: AtomicUsize = AtomicUsize::new(0);
static ALIGN: AtomicUsize = AtomicUsize::new(1);

impl Image {
    /// That of a program without linked C.
    #[cfg(test)]
    pub const NONE: Image = Image::of(0, 1);

    /// One of zeros.
    #[cfg(test)]
    pub const fn of(distance: usize, align: usize) -> Image {
        Image { from: 0, initialised_bytes: 0, distance, align }
    }

    /// That of this program.
    pub fn of_program() -> Image {
        Image { from: FROM.load(Relaxed), initialised_bytes: INITIALISED_BYTES.load(Relaxed), distance: DISTANCE.load(Relaxed), align: ALIGN.load(Relaxed) }
    }

    /// Writes the initialised part below `fs`.
    ///
    /// # Safety
    /// `fs` is a multiple of `align`; the `distance` bytes below it are the caller's, and zero.
    pub unsafe fn write_below(&self, fs: usize) {
        // SAFETY: the caller's contract; invariant 3 for what is read.
        unsafe { ((fs - self.distance) as *mut u8).copy_from_nonoverlapping(self.from as *const u8, self.initialised_bytes) };
    }
}

/// How far below fs a segment begins that is linked at address `at`, with so many bytes in memory: invariant 2, the linker's own formula.
const fn distance(at: usize, bytes: usize, align: usize) -> usize {
    bytes + (at.wrapping_add(bytes).wrapping_neg() & (align - 1))
}

/// Finds the program's image. Called once, before the first M is made.
///
/// # Safety
/// The auxiliary vector is the kernel's own.
pub unsafe fn find() {
    let (Some(table), Some(count)) = (env::auxv(AT_PHDR as usize), env::auxv(AT_PHNUM as usize)) else { return };
    // SAFETY: the kernel says where it has mapped the program headers, and how many there are; nobody changes them.
    let segments = unsafe { core::slice::from_raw_parts(table as *const Elf_Phdr, count) };
    let Some(tls) = segments.iter().find(|segment| segment.p_type == PT_TLS && segment.p_memsz != 0) else { return };
    let Some(base) = base(segments, table) else {
        crate::base::throw!("start: the program has a TLS segment, but does not say where it is loaded");
    };
    let align = tls.p_align.max(1);
    FROM.store(base.wrapping_add(tls.p_vaddr), Relaxed);
    INITIALISED_BYTES.store(tls.p_filesz, Relaxed);
    DISTANCE.store(distance(tls.p_vaddr, tls.p_memsz, align), Relaxed);
    ALIGN.store(align, Relaxed);
}

/// The program's segments, and what must be added to their addresses.
pub fn segments() -> Option<(&'static [Elf_Phdr], usize)> {
    let (table, count) = (env::auxv(AT_PHDR as usize)?, env::auxv(AT_PHNUM as usize)?);
    // SAFETY: as in `find`.
    let segments = unsafe { core::slice::from_raw_parts(table as *const Elf_Phdr, count) };
    Some((segments, base(segments, table)?))
}

/// What must be added to the addresses in `segments`, whose table is at `table`: 0 at a fixed address.
fn base(segments: &[Elf_Phdr], table: usize) -> Option<usize> {
    if let Some(own) = segments.iter().find(|segment| segment.p_type == PT_PHDR) {
        return Some(table.wrapping_sub(own.p_vaddr));
    }
    // GNU ld leaves that out of static programs. The table follows the ELF header, which the segment at the file's begin holds.
    let first = segments.iter().find(|segment| segment.p_type == PT_LOAD && segment.p_offset == 0)?;
    Some(table.wrapping_sub(size_of::<Elf_Ehdr>()).wrapping_sub(first.p_vaddr))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_ends_at_fs_but_for_its_alignment() {
        assert_eq!(distance(0x1000, 0, 1), 0);
        assert_eq!(distance(0x1000, 4, 4), 4);
        assert_eq!(distance(0x1000, 5, 4), 8);
        assert_eq!(distance(0x1000, 65, 64), 128);
        // A segment that is not linked at a multiple of its alignment: every variable keeps the alignment that it was linked with.
        for (at, bytes, align) in [(0x1004, 60, 64), (0x1004, 61, 64), (0x1030, 200, 64), (0x1ff8, 8, 16)] {
            let distance = distance(at, bytes, align);
            assert!(distance >= bytes && distance < bytes + align);
            assert_eq!(0x10000usize.wrapping_sub(distance) % align, at % align, "{at:#x} {bytes} {align}");
        }
    }

    #[test]
    fn a_program_without_a_header_segment_is_found_by_its_first_one() {
        let segment = |kind, at| {
            // SAFETY: a program header is a plain kernel struct: zero is a valid value of every field.
            let mut segment: Elf_Phdr = unsafe { core::mem::zeroed() };
            (segment.p_type, segment.p_vaddr) = (kind, at);
            [segment]
        };
        assert_eq!(base(&segment(PT_LOAD, 0x40_0000), 0x40_0040), Some(0));
        assert_eq!(base(&segment(PT_LOAD, 0x40_0000), 0x7f00_0040_0040), Some(0x7f00_0000_0000));
        assert_eq!(base(&segment(PT_PHDR, 0x40), 0x7f00_0000_0040), Some(0x7f00_0000_0000));
        assert_eq!(base(&[], 0x40), None);
    }
}
