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
