//! File descriptors: writing to the standard ones, and making sure at start that they exist.

use super::Errno;
use core::ffi::CStr;
use rustix::fd::BorrowedFd;
use rustix::fs::{Mode, OFlags};

/// Writes some of `bytes` to descriptor `fd`, and says how many.
pub fn write(fd: i32, bytes: &[u8]) -> Result<usize, Errno> {
    // SAFETY: a descriptor that is not open makes the call fail with EBADF, no more.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    rustix::io::write(fd, bytes)
}

/// Opens `/dev/null` on each of descriptors 0, 1 and 2 that is closed, so that no file the program opens becomes its standard output.
///
/// Without a `/dev/null` (an init in an empty root) a closed descriptor stays closed.
pub fn open_standard() {
    const NULL: &CStr = c"/dev/null";
    for fd in 0..3 {
        // SAFETY: as in `write`.
        let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
        if rustix::io::fcntl_getfd(borrowed) == Err(Errno::BADF) {
            // The kernel gives the lowest free number, which is `fd`: those below it are open by now, or could not be opened either.
            if let Ok(opened) = rustix::fs::open(NULL, OFlags::RDWR, Mode::empty()) {
                core::mem::forget(opened);
            }
        }
    }
}
