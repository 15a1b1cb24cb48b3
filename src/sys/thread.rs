//! Threads of our own: `clone3`, or `clone` where a sandbox or an old kernel has none.
//!
//! 1. Exactly the seven flags of the specification, by either call.
//! 2. ENOSYS or EPERM from `clone3` (no such call; a seccomp filter that does not know it) is remembered: later threads start by `clone` at once.
//! 3. The caller masks all signals around the call: the child inherits the mask, and no handler runs on a thread that is not set up.

use super::signal::{self, SigSet};
use super::{Errno, check};
use crate::arch::syscall::{syscall0, syscall2};
use crate::arch::thread::{ThreadEntry, gort_clone, gort_clone3, gort_thread_exit};
use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use linux_raw_sys::general::{
    __NR_arch_prctl, __NR_gettid, __NR_prctl, CLONE_FILES, CLONE_FS, CLONE_SETTLS, CLONE_SIGHAND, CLONE_SYSVSEM, CLONE_THREAD, CLONE_VM, clone_args,
};

/// The flags of every thread.
pub const FLAGS: u32 = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS;

const ARCH_SET_FS: usize = 0x1002;

static CLONE3_MISSING: AtomicBool = AtomicBool::new(false);

/// The stack of a new thread, and its TLS base.
pub struct NewThread {
    /// The lowest byte of the stack.
    pub stack: *mut u8,
    /// Its length; the top must be a multiple of 16.
    pub stack_bytes: usize,
    /// What fs will be.
    pub tls: *mut u8,
}

/// Starts a thread that calls `entry(arg)`.
///
/// # Safety
/// The stack and the TLS block are the new thread's alone; `entry` never returns. The caller has masked all signals, and the new thread
/// unmasks them once it is set up.
pub unsafe fn start(new: &NewThread, entry: ThreadEntry, arg: *mut u8) -> Result<u32, Errno> {
    if !CLONE3_MISSING.load(Relaxed) {
        // SAFETY: clone_args is a plain kernel struct: zero is a valid value of every field.
        let mut args: clone_args = unsafe { core::mem::zeroed() };
        args.flags = FLAGS.into();
        args.stack = new.stack as u64;
        args.stack_size = new.stack_bytes as u64;
        args.tls = new.tls as u64;
        // SAFETY: the caller's contract; `args` lives through the call.
        let result = check(unsafe { gort_clone3((&raw const args).cast(), size_of::<clone_args>(), entry, arg) });
        match result {
            Err(Errno::NOSYS | Errno::PERM) => CLONE3_MISSING.store(true, Relaxed),
            other => return other.map(|tid| tid as u32),
        }
    }
    // SAFETY: the caller's contract; `clone` wants the top of the stack.
    check(unsafe { gort_clone(FLAGS as usize, new.stack.add(new.stack_bytes), new.tls, entry, arg) }).map(|tid| tid as u32)
}

/// Did a thread have to be started by `clone`, because the kernel refused `clone3`?
pub fn clone3_missing() -> bool {
    CLONE3_MISSING.load(Relaxed)
}

/// Ends this thread and unmaps `[base, base + len)`, in which its stack lies.
///
/// # Safety
/// Nobody uses the range any more; nothing on this stack is needed.
pub unsafe fn exit(base: *mut u8, len: usize) -> ! {
    signal::mask(&SigSet::ALL);
    signal::disable_alternate_stack();
    // SAFETY: the caller's contract; signals are masked, so no handler needs a stack.
    unsafe { gort_thread_exit(base, len) }
}

/// Points fs at `tls`.
///
/// # Safety
/// `tls` is a `Tls` block that lives as long as this thread.
pub unsafe fn set_fs(tls: *mut u8) -> Result<(), Errno> {
    // SAFETY: the caller's contract.
    check(unsafe { syscall2(__NR_arch_prctl, ARCH_SET_FS, tls as usize) }).map(drop)
}

/// This thread's id.
pub fn gettid() -> u32 {
    // SAFETY: gettid has no effect.
    (unsafe { syscall0(__NR_gettid) }) as u32
}

/// Has the kernel end this thread's timed waits on time, instead of up to 50 µs later to save wake-ups. Threads it makes inherit that.
pub fn exact_timeouts() {
    const PR_SET_TIMERSLACK: usize = 29;
    // SAFETY: it touches no memory.
    unsafe { syscall2(__NR_prctl, PR_SET_TIMERSLACK, 1) };
}

/// Names this thread for ps and debuggers: 15 bytes at most. Best effort.
pub fn set_name(name: &CStr) {
    let _ = rustix::thread::set_name(name);
}
