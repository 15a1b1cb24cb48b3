//! The context switch: one goroutine leaves, another goes on (R3, R4). The stack pictures are in `arch/x86_64/switch.s`.
//!
//! 1. The commit `(addr, val)` is one 32-bit store made after the last touch of the old stack. It publishes the goroutine that left: it
//!    unlocks a channel, moves a queue's tail, opens a select. From that instruction on another thread may run it.
//! 2. Both contexts have their preemption counter raised across the switch; a new goroutine starts with one raise open.
//! 3. What a switch keeps: rsp, rbx, rbp, the place to go on. What it does not: MXCSR, x87 control word (no code here changes them).

use super::header::{GHeader, SP};
use core::arch::{asm, global_asm};

global_asm!(include_str!("../../arch/x86_64/go.s"));

unsafe extern "C" {
    fn gort_go();
}

/// What a suspended stack holds from `GHeader::sp` on: `arch/x86_64/switch.s` pushes it. A new one has `gort_go`, entry and closure there.
#[repr(C)]
pub struct Suspended {
    /// Where to go on, with the stack pointer just above this.
    pub go_on: usize,
    /// The registers that a switch keeps.
    pub rbx: usize,
    /// See `rbx`.
    pub rbp: usize,
}

/// Where a goroutine goes on that has never run.
pub fn first_instruction() -> usize {
    gort_go as *const () as usize
}

/// The 32-bit store that a switch makes once it has left the old stack.
#[derive(Clone, Copy)]
pub struct Commit {
    addr: *mut u32,
    val: u32,
}

impl Commit {
    /// Stores `val` at `addr`.
    ///
    /// # Safety
    /// `addr` stays writable until the switch, and a plain release store of `val` is right for whoever else uses it.
    #[inline(always)]
    pub const unsafe fn store(addr: *mut u32, val: u32) -> Commit {
        Commit { addr, val }
    }

    /// Where it stores.
    #[inline(always)]
    pub fn address(&self) -> usize {
        self.addr.addr()
    }
}

/// Leaves `from`, goes on with `to`. Returns when somebody switches to `from` again, perhaps on another thread.
///
/// # Safety
/// `from` is the running context, `to` a suspended or prepared one that nobody else can run; both have their counter raised.
#[inline(always)]
pub unsafe fn switch(from: *mut GHeader, to: *mut GHeader, commit: Commit) {
    // SAFETY: the caller's contract; every register that the code does not restore is declared clobbered.
    unsafe {
        asm!(
            include_str!("../../arch/x86_64/switch.s"),
            sp = const SP,
            inout("rdi") from => _, inout("rsi") to => _, inout("rdx") commit.addr => _, inout("ecx") commit.val => _, out("rax") _,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            clobber_abi("sysv64"),
        );
    }
}

/// Leaves the running stack for good, goes on with `to`.
///
/// # Safety
/// As for `switch`; nothing on the running stack is needed again.
#[inline(always)]
pub unsafe fn jump(to: *mut GHeader, commit: Commit) -> ! {
    // SAFETY: the caller's contract.
    unsafe {
        asm!(include_str!("../../arch/x86_64/jump.s"), sp = const SP, in("rdi") to, in("rsi") commit.addr, in("edx") commit.val, options(noreturn));
    }
}

/// Prepares `header` so that the first switch to it calls `entry(closure)` on a stack that grows down from `top`.
///
/// # Safety
/// The 64 bytes below `top` are writable and free; nobody runs this goroutine.
#[inline(always)]
pub unsafe fn prepare(header: *mut GHeader, top: usize, entry: unsafe extern "C" fn(*mut u8) -> !, closure: *mut u8) {
    // The three words are popped, then `gort_go` calls: rsp there must be a multiple of 16.
    let sp = (top & !15) - 24;
    // SAFETY: the caller's contract: these words belong to the new stack.
    unsafe {
        let words = sp as *mut usize;
        words.write(gort_go as *const () as usize);
        words.add(1).write(entry as *const () as usize);
        words.add(2).write(closure as usize);
        (*header).sp.set(sp);
    }
}
