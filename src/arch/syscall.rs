//! Raw system calls, inlined: no `ret` stands between the `syscall` instruction and the caller's frame (R6).
//!
//! For the calls that rustix has no stable wrapper for; `sys` gives each its types. A result in `-4095..0` is minus the error.

use core::arch::asm;

macro_rules! define {
    ($($name:ident($($arg:ident in $reg:tt),*);)*) => {$(
        /// A system call with this many arguments; the kernel's own result.
        ///
        /// # Safety
        /// That of the call `nr` with these arguments.
        #[inline(always)]
        pub unsafe fn $name(nr: u32, $($arg: usize),*) -> isize {
            let result: isize;
            // SAFETY: the caller's contract; the kernel changes rax, rcx, r11 and no other register.
            unsafe {
                asm!("syscall", inlateout("rax") nr as usize => result, $(in($reg) $arg,)* lateout("rcx") _, lateout("r11") _, options(nostack))
            };
            result
        }
    )*};
}

define! {
    syscall0();
    syscall1(a in "rdi");
    syscall2(a in "rdi", b in "rsi");
    syscall3(a in "rdi", b in "rsi", c in "rdx");
    syscall4(a in "rdi", b in "rsi", c in "rdx", d in "r10");
    syscall6(a in "rdi", b in "rsi", c in "rdx", d in "r10", e in "r8", f in "r9");
}

/// What follows the instruction of a call that a signal handler can undo: a nop that nobody else writes. `nop [rax + 0x74726f67]`
const MARK: [u8; 7] = [0x0f, 0x1f, 0x80, 0x67, 0x6f, 0x72, 0x74];
const EINTR: i64 = 4;

/// A system call that our signals do not end: see `restart`.
///
/// # Safety
/// That of the call `nr` with these arguments.
#[inline(always)]
pub unsafe fn restartable(nr: u32, args: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = args;
    let result: isize;
    // SAFETY: the caller's contract. The number stays in r12, which the kernel leaves alone.
    unsafe {
        asm!(
            "syscall",
            ".byte 0x0f, 0x1f, 0x80, 0x67, 0x6f, 0x72, 0x74",
            inlateout("rax") nr as usize => result, in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            in("r12") nr as usize, lateout("rcx") _, lateout("r11") _, options(nostack),
        );
    }
    result
}

/// In a signal handler: if a signal has just ended a `restartable` call, has the interrupted code make it again.
///
/// # Safety
/// The three are registers that the handler will return to.
pub unsafe fn restart(rip: &mut u64, r12: u64, rax: &mut u64) -> bool {
    // SAFETY: code was running there: at least the next instruction can be read, and a page ends after none of ours (what follows is checked byte
    // by byte, and stops at the first that differs).
    let ended = *rax as i64 == -EINTR && (0..MARK.len()).all(|n| unsafe { (*rip as *const u8).add(n).read_volatile() } == MARK[n]);
    if ended {
        *rax = r12;
        *rip -= 2;
    }
    ended
}
