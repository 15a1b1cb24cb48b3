//! Address space: reserving it, giving pages back, guards.
//!
//! 1. Everything is private anonymous memory, `MAP_NORESERVE`: address space costs nothing until it is touched.
//! 2. Neighbouring mappings with equal flags merge into one VMA; a million stacks stay in a few (R9). So all are made alike here.
//! 3. A guard by `MADV_GUARD_INSTALL` (Linux 6.13) splits no VMA; one by `mprotect` does, and `vm.max_map_count` bounds those.

use super::{Errno, check};
use crate::arch::syscall::{syscall2, syscall3, syscall4, syscall6};
use core::ptr::NonNull;
use linux_raw_sys::general::{
    __NR_madvise, __NR_mmap, __NR_mprotect, __NR_mremap, __NR_munmap, __NR_process_vm_readv, MADV_DONTNEED, MADV_NOHUGEPAGE, MAP_ANONYMOUS, MAP_NORESERVE,
    MAP_PRIVATE, MREMAP_MAYMOVE, PROT_NONE, PROT_READ, PROT_WRITE,
};

/// Bytes of a page on x86-64.
pub const PAGE: usize = 4096;

/// `MADV_GUARD_INSTALL`: Linux 6.13, not yet in every header.
const MADV_GUARD_INSTALL: u32 = 102;

/// The kernel has no memory for it.
pub const NO_MEMORY: Errno = Errno::NOMEM;
/// The kernel could not do it now.
pub const AGAIN: Errno = Errno::AGAIN;

/// Maps `len` bytes (a multiple of the page), readable and writable, zero.
pub fn map(len: usize) -> Result<NonNull<u8>, Errno> {
    // SAFETY: a new private mapping at an address that the kernel chooses touches no memory that anybody has.
    let addr = unsafe { syscall6(__NR_mmap, 0, len, (PROT_READ | PROT_WRITE) as usize, (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE) as usize, usize::MAX, 0) };
    check(addr).map(|addr| NonNull::new(addr as *mut u8).expect("mmap gave address 0"))
}

/// Unmaps `[base, base + len)`.
///
/// # Safety
/// The range is a mapping of ours that nobody uses any more.
pub unsafe fn unmap(base: NonNull<u8>, len: usize) -> Result<(), Errno> {
    // SAFETY: the caller's contract.
    check(unsafe { syscall2(__NR_munmap, base.as_ptr() as usize, len) }).map(drop)
}

/// Changes the length of a mapping, and moves it if it cannot stay where it is. What is new reads as zeros.
///
/// # Safety
/// `[base, base + old)` is a mapping of ours; nobody uses that address afterwards, but through the result.
pub unsafe fn remap(base: NonNull<u8>, old: usize, new: usize) -> Result<NonNull<u8>, Errno> {
    // SAFETY: the caller's contract.
    let addr = unsafe { syscall4(__NR_mremap, base.as_ptr() as usize, old, new, MREMAP_MAYMOVE as usize) };
    check(addr).map(|addr| NonNull::new(addr as *mut u8).expect("mremap gave address 0"))
}

/// Gives the pages of the range back to the kernel; it reads as zeros afterwards. Guards in it stay.
///
/// # Safety
/// Nobody needs what is in the range.
pub unsafe fn discard(base: *mut u8, len: usize) -> Result<(), Errno> {
    // SAFETY: the caller's contract.
    check(unsafe { syscall3(__NR_madvise, base as usize, len, MADV_DONTNEED as usize) }).map(drop)
}

/// Asks for small pages only in the range: one touched stack must not cost a huge page.
pub fn no_huge_pages(base: *mut u8, len: usize) -> Result<(), Errno> {
    // SAFETY: advice about page sizes changes no content.
    check(unsafe { syscall3(__NR_madvise, base as usize, len, MADV_NOHUGEPAGE as usize) }).map(drop)
}

/// A piece of memory, as the kernel takes it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Piece {
    /// Where it begins.
    pub base: usize,
    /// How long it is.
    pub len: usize,
}

/// Copies `pieces` of this process's (`pid`) memory to `to`, one behind the other, and says how many bytes: less than all of it where a piece cannot be read.
/// EFAULT: not even the first.
///
/// # Safety
/// `to` has room for all.
pub unsafe fn copy(pid: u32, pieces: &[Piece], to: *mut u8) -> Result<usize, Errno> {
    let local = Piece { base: to as usize, len: pieces.iter().map(|piece| piece.len).sum() };
    // SAFETY: the caller's contract; what cannot be read is an error.
    check(unsafe { syscall6(__NR_process_vm_readv, pid as usize, &raw const local as usize, 1, pieces.as_ptr() as usize, pieces.len(), 0) })
}

/// Makes every access to the range fault, without splitting its VMA. EINVAL before Linux 6.13.
///
/// # Safety
/// Nobody needs what is in the range.
pub unsafe fn guard(base: *mut u8, len: usize) -> Result<(), Errno> {
    // SAFETY: the caller's contract.
    check(unsafe { syscall3(__NR_madvise, base as usize, len, MADV_GUARD_INSTALL as usize) }).map(drop)
}

/// Makes every access to the range fault by `mprotect`: one more VMA or two. ENOMEM at the limit of VMAs.
///
/// # Safety
/// Nobody needs what is in the range.
pub unsafe fn protect(base: *mut u8, len: usize) -> Result<(), Errno> {
    // SAFETY: the caller's contract.
    check(unsafe { syscall3(__NR_mprotect, base as usize, len, PROT_NONE as usize) }).map(drop)
}
