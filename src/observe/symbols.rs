//! The program's own file: its tables of frames, the names of its functions, and its lines.
//!
//! 1. Names, and lines with their feature, are read once, from /proc/self/exe, into memory of their own, when first needed. Without the file, or
//!    stripped, there are none.
//! 2. Nobody waits for anybody: who needs them while another reads them reads them too, and one of the two is kept.

use crate::gmp::{env, image};
use crate::sys::file::{self, OwnedFd};
use crate::sys::memory::{self, PAGE};
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering::AcqRel, Ordering::Acquire};
use gort_trace::cfi::Tables;
use gort_trace::goroutine::Program;
use gort_trace::lines::Lines;
use gort_trace::symtab::{Source, Symbols};
use linux_raw_sys::auxvec::AT_ENTRY;
use linux_raw_sys::elf::{PT_GNU_STACK, PT_LOAD};

/// `PT_GNU_EH_FRAME`.
const FRAMES_SEGMENT: u32 = PT_GNU_STACK - 1;

static NAMES: AtomicPtr<Symbols> = AtomicPtr::new(ptr::null_mut());
#[cfg(feature = "lines")]
static LINES: AtomicPtr<Lines> = AtomicPtr::new(ptr::null_mut());

/// What is known of this process's program; with its names, if `named`.
#[inline(never)]
pub fn program(named: bool) -> Program<'static> {
    let Some((segments, base)) = image::segments().filter(|_| cfg!(feature = "traces")) else {
        return Program { base: 0, frames: None, names: None, lines: None };
    };
    let frames = || {
        let header = base.wrapping_add(segments.iter().find(|segment| segment.p_type == FRAMES_SEGMENT)?.p_vaddr);
        let is_in = |at: usize, bytes: usize| header >= at && header - at < bytes;
        let load = segments.iter().find(|s| s.p_type == PT_LOAD && is_in(base.wrapping_add(s.p_vaddr), s.p_filesz))?;
        let at = base.wrapping_add(load.p_vaddr);
        // SAFETY: the kernel has mapped the segment of the file there, for reading; nobody writes it.
        Some(Tables { bytes: unsafe { core::slice::from_raw_parts(at as *const u8, load.p_filesz) }, at, header })
    };
    Program { base, frames: frames(), names: if named { names(base) } else { None }, lines: if named { lines(base) } else { None } }
}

struct File(OwnedFd);

impl Source for File {
    fn read(&mut self, mut offset: u64, mut buffer: &mut [u8]) -> bool {
        while !buffer.is_empty() {
            match file::read_at(&self.0, buffer, offset) {
                Ok(0) => return false,
                Ok(n) => {
                    offset += n as u64;
                    buffer = &mut buffer[n..];
                }
                Err(_) => return false,
            }
        }
        true
    }

    fn memory(&mut self, bytes: usize) -> Option<&'static mut [u8]> {
        let map = memory::map((bytes + 1).next_multiple_of(PAGE)).ok()?;
        // SAFETY: a new mapping that is never unmapped.
        Some(unsafe { core::slice::from_raw_parts_mut(map.as_ptr(), bytes) })
    }

    #[cfg(feature = "lines")]
    fn words(&mut self, count: usize) -> Option<&'static mut [u32]> {
        let words = self.memory(count.checked_mul(4)?)?.as_mut_ptr().cast();
        // SAFETY: a new mapping that is never unmapped, aligned to a page, of so many bytes.
        Some(unsafe { core::slice::from_raw_parts_mut(words, count) })
    }
}

fn names(base: usize) -> Option<&'static Symbols> {
    let known = NAMES.load(Acquire);
    // SAFETY: what is stored below lives for ever.
    if let Some(known) = unsafe { known.as_ref() } {
        return Some(known);
    }
    let mut file = File(file::open(&mut { *b"/proc/self/exe\0" }).ok()?);
    let symbols = Symbols::read(&mut file)?;
    // Another program's table, or a forged one, says nothing about this process.
    if env::auxv(AT_ENTRY as usize)? != base.wrapping_add(symbols.entry as usize) {
        return None;
    }
    let place = file.memory(size_of::<Symbols>())?.as_mut_ptr().cast::<Symbols>();
    // SAFETY: new memory, aligned to a page.
    unsafe { place.write(symbols) };
    let kept = NAMES.compare_exchange(ptr::null_mut(), place, AcqRel, Acquire).err().unwrap_or(place);
    // SAFETY: as above.
    unsafe { kept.as_ref() }
}

#[cfg(not(feature = "lines"))]
fn lines(_: usize) -> Option<&'static Lines> {
    None
}

/// What the paths of gort's own files begin with, as the compiler was told them.
#[cfg(feature = "lines")]
const OWN: &[u8] = file!().as_bytes().split_at(file!().len() - "observe/symbols.rs".len()).0;

/// A file without lines, or with broken ones, is not read again.
#[cfg(feature = "lines")]
fn lines(base: usize) -> Option<&'static Lines> {
    let known = LINES.load(Acquire);
    // SAFETY: what is stored below lives for ever.
    if let Some(known) = unsafe { known.as_ref() } {
        return Some(known);
    }
    let mut file = File(file::open(&mut { *b"/proc/self/exe\0" }).ok()?);
    let is_ours = |lines: &Lines| env::auxv(AT_ENTRY as usize) == Some(base.wrapping_add(lines.entry as usize));
    let lines = Lines::read(&mut file, OWN).filter(is_ours).unwrap_or(Lines::EMPTY);
    let place = file.memory(size_of::<Lines>())?.as_mut_ptr().cast::<Lines>();
    // SAFETY: new memory, aligned to a page.
    unsafe { place.write(lines) };
    let kept = LINES.compare_exchange(ptr::null_mut(), place, AcqRel, Acquire).err().unwrap_or(place);
    // SAFETY: as above.
    unsafe { kept.as_ref() }
}
