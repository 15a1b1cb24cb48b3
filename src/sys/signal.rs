//! Signals: actions, masks, the alternate stack, and the registers that a handler sees.

use super::{Errno, check};
use crate::arch::syscall::{syscall2, syscall3, syscall4};
use crate::arch::thread::gort_sigreturn;
use linux_raw_sys::general::{
    __NR_rt_sigaction, __NR_rt_sigprocmask, __NR_rt_tgsigqueueinfo, __NR_sigaltstack, __NR_tgkill, SA_ONSTACK, SA_RESTART, SA_RESTORER, SA_SIGINFO,
    SIG_SETMASK, SIG_UNBLOCK, SS_DISABLE, stack_t,
};

pub use linux_raw_sys::general::{SI_QUEUE, SI_TKILL, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGSEGV, SIGSTKFLT, SIGSYS, SIGTRAP, SIGURG};

/// A set of signals, as the kernel has it: bit n-1 is signal n.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct SigSet(u64);

impl SigSet {
    /// Every signal. The kernel leaves out SIGKILL and SIGSTOP.
    pub const ALL: SigSet = SigSet(!0);
    /// None.
    pub const NONE: SigSet = SigSet(0);
}

/// The kernel's `struct sigaction` for rt_sigaction.
#[repr(C)]
struct Action {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}
static_assertions::assert_eq_size!(Action, [u8; 32]);

/// The head of the kernel's `siginfo_t`.
#[repr(C)]
pub struct SigInfo {
    /// The signal.
    pub signo: i32,
    /// Zero or an error number.
    pub errno: i32,
    /// Why: positive from the kernel, at most zero from a process.
    pub code: i32,
    _pad: i32,
    /// For faults: the address.
    /// For queued signals: who sent it, in its lower half.
    pub addr: usize,
    /// For queued signals: the mark.
    pub value: usize,
}

/// The kernel's `ucontext_t` up to the registers that we read.
#[repr(C)]
pub struct UContext {
    flags: u64,
    link: usize,
    stack: [u64; 3],
    /// r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags.
    pub registers: [u64; 18],
    /// cs, gs, fs and ss, 16 bits each.
    pub segments: u64,
    /// Error code, trap number, old mask, cr2.
    _rest: [u64; 4],
    /// Where the vector registers lie.
    fpstate: *const u8,
}
static_assertions::const_assert_eq!(core::mem::offset_of!(UContext, registers), 40);
static_assertions::const_assert_eq!(core::mem::offset_of!(UContext, fpstate), 224);

/// What `fpstate` has at byte 464 if the kernel says there what it has kept: at byte 480, how many bytes.
const FP_XSTATE_MAGIC1: u32 = 0x4650_5853;
/// The legacy part and the header behind it. A kernel without XSAVE keeps 512 bytes, and says so: nothing lies behind them.
const WITH_HEADER_BYTES: u32 = 576;

impl UContext {
    /// Which components of the vector registers were in use: the bits of XSTATE_BV. x87 and SSE where the kernel does not say.
    pub fn components_in_use(&self) -> u64 {
        if self.fpstate.is_null() {
            return 0;
        }
        // SAFETY: the kernel's frame: 512 legacy bytes, the last 48 of them its own; they say if a header follows.
        unsafe {
            let word = |at: usize| self.fpstate.add(at).cast::<u32>().read_unaligned();
            if word(464) == FP_XSTATE_MAGIC1 && word(480) >= WITH_HEADER_BYTES { self.fpstate.add(512).cast::<u64>().read_unaligned() } else { 3 }
        }
    }
}

/// Index of rsp in `UContext::registers`.
pub const RSP: usize = 15;
/// Index of rip in `UContext::registers`.
pub const RIP: usize = 16;

/// Which of `UContext::registers` are rax rdx rcx rbx rsi rdi rbp rsp r8 … r15 rip: the DWARF numbers.
pub const BY_DWARF: [u8; 17] = [13, 12, 14, 11, 9, 8, 10, 15, 0, 1, 2, 3, 4, 5, 6, 7, 16];

/// A handler with `SA_SIGINFO`.
pub type Handler = unsafe extern "C" fn(signal: i32, info: *mut SigInfo, context: *mut UContext);

/// Installs `handler` for `signal`, on the alternate stack, with all signals masked while it runs.
///
/// # Safety
/// `handler` keeps the rules of signal handlers: no allocation, no locks, only this thread's data.
pub unsafe fn install(signal: u32, handler: Handler) -> Result<(), Errno> {
    let action = Action {
        handler: handler as usize,
        flags: (SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_RESTORER).into(),
        restorer: gort_sigreturn as *const () as usize,
        mask: SigSet::ALL.0,
    };
    // SAFETY: `action` has the kernel's layout and lives through the call; the handler is the caller's responsibility.
    check(unsafe { syscall4(__NR_rt_sigaction, signal as usize, &raw const action as usize, 0, size_of::<SigSet>()) }).map(drop)
}

/// Gives `signal` the kernel's own action back.
pub fn reset(signal: u32) {
    let action = Action { handler: 0, flags: 0, restorer: 0, mask: 0 };
    // SAFETY: as in `install`; SIG_DFL calls nothing.
    unsafe { syscall4(__NR_rt_sigaction, signal as usize, &raw const action as usize, 0, size_of::<SigSet>()) };
}

/// Sets this thread's mask, and returns the one before.
pub fn mask(set: &SigSet) -> SigSet {
    let mut old = SigSet::NONE;
    // SAFETY: both sets live through the call. With these arguments it cannot fail.
    unsafe { syscall4(__NR_rt_sigprocmask, SIG_SETMASK as usize, set as *const _ as usize, &raw mut old as usize, size_of::<SigSet>()) };
    old
}

/// Takes `signals` out of this thread's mask.
pub fn unblock(signals: &[u32]) {
    let set = SigSet(signals.iter().fold(0, |set, signal| set | 1 << (signal - 1)));
    // SAFETY: the set lives through the call. With these arguments it cannot fail.
    unsafe { syscall4(__NR_rt_sigprocmask, SIG_UNBLOCK as usize, &raw const set as usize, 0, size_of::<SigSet>()) };
}

/// Makes `[base, base + len)` this thread's alternate signal stack.
///
/// # Safety
/// The range is this thread's alone for as long as it lives.
pub unsafe fn set_alternate_stack(base: *mut u8, len: usize) -> Result<(), Errno> {
    let stack = stack_t { ss_sp: base.cast(), ss_flags: 0, ss_size: len as u64 };
    // SAFETY: the caller's contract.
    check(unsafe { syscall2(__NR_sigaltstack, &raw const stack as usize, 0) }).map(drop)
}

/// Takes this thread's alternate signal stack away.
pub fn disable_alternate_stack() {
    let stack = stack_t { ss_sp: core::ptr::null_mut(), ss_flags: SS_DISABLE as i32, ss_size: 0 };
    // SAFETY: a disabled stack is never written to.
    unsafe { syscall2(__NR_sigaltstack, &raw const stack as usize, 0) };
}

/// Ends the process by SIGABRT, which dumps core where the system's limits let it. Returns where that is refused.
pub fn abort(pid: u32, tid: u32) {
    reset(SIGABRT);
    unblock(&[SIGABRT]);
    // SAFETY: tgkill touches no memory.
    unsafe { syscall3(__NR_tgkill, pid as usize, tid as usize, SIGABRT as usize) };
}

/// The kernel's `siginfo_t` of a queued signal.
#[repr(C)]
struct Queued {
    signo: i32,
    errno: i32,
    code: i32,
    _pad: i32,
    pid: i32,
    uid: u32,
    value: usize,
    _rest: [u64; 12],
}
static_assertions::assert_eq_size!(Queued, [u8; 128]);

/// Sends `signal` to one thread of this process, with `value` as its mark. Where that cannot be queued or is denied, without the mark.
///
/// ESRCH: the thread has ended.
pub fn send_to_thread(pid: u32, tid: u32, signal: u32, value: usize) -> Result<(), Errno> {
    let info = Queued { signo: signal as i32, errno: 0, code: SI_QUEUE, _pad: 0, pid: pid as i32, uid: 0, value, _rest: [0; 12] };
    // SAFETY: `info` has the kernel's layout and lives through the call.
    let queued = check(unsafe { syscall4(__NR_rt_tgsigqueueinfo, pid as usize, tid as usize, signal as usize, &raw const info as usize) });
    match queued {
        // A sandbox that knows only the older call, or a full queue (RLIMIT_SIGPENDING).
        Err(Errno::PERM | Errno::NOSYS | Errno::AGAIN) => {
            // SAFETY: tgkill touches no memory.
            check(unsafe { syscall3(__NR_tgkill, pid as usize, tid as usize, signal as usize) }).map(drop)
        }
        other => other.map(drop),
    }
}
