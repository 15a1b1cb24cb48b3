//! Seccomp filters that answer some system calls with an error.

use alloc::vec::Vec;
use gort::syscall;

const PRCTL: u32 = 157;
const SECCOMP: u32 = 317;
const PR_SET_NO_NEW_PRIVS: usize = 38;
const SECCOMP_SET_MODE_FILTER: usize = 1;
const SECCOMP_FILTER_FLAG_TSYNC: usize = 1;
const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;
const KILL_PROCESS: u32 = 0x8000_0000;

/// The kernel's `struct sock_filter`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    k: u32,
}

/// The calls with this number; if there is a condition, only those whose argument has, in its lower half, this value.
pub struct Denied {
    pub number: u32,
    pub condition: Option<(u32, u32)>,
}

/// Loads the word at `offset` of `struct seccomp_data`: 0 the call's number, 4 the architecture, 16 the first argument.
const fn load(offset: u32) -> Instruction {
    Instruction { code: 0x20, if_true: 0, if_false: 0, k: offset }
}

/// Goes on with the next instruction if the word is `k`, else skips so many.
const fn unless_equal_skip(k: u32, skip: u8) -> Instruction {
    Instruction { code: 0x15, if_true: 0, if_false: skip, k }
}

const fn answer(k: u32) -> Instruction {
    Instruction { code: 0x06, if_true: 0, if_false: 0, k }
}

/// A filter that answers `denied` with error `errno`.
pub fn filter(errno: u32, denied: impl Iterator<Item = Denied>) -> Vec<Instruction> {
    let refuse = answer(ERRNO | errno);
    let native = Instruction { code: 0x15, if_true: 1, if_false: 0, k: AUDIT_ARCH_X86_64 };
    let mut program = alloc::vec![load(4), native, answer(KILL_PROCESS), load(0)];
    for Denied { number, condition } in denied {
        match condition {
            None => program.extend([unless_equal_skip(number, 1), refuse]),
            Some((argument, value)) => {
                program.extend([unless_equal_skip(number, 4), load(16 + 8 * argument), unless_equal_skip(value, 1), refuse, load(0)]);
            }
        }
    }
    program.push(answer(ALLOW));
    program
}

/// Has the kernel ask `filter` from now on, for all threads of this process and their children.
pub fn install(filter: &[Instruction]) {
    /// The kernel's `struct sock_fprog`.
    #[repr(C)]
    struct Program {
        instructions: u16,
        first: *const Instruction,
    }
    let handed_over = Program { instructions: filter.len() as u16, first: filter.as_ptr() };
    // SAFETY: all that the kernel reads lives through the calls.
    unsafe {
        syscall::raw(PRCTL, &[PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]).expect("prctl(PR_SET_NO_NEW_PRIVS)");
        let left_out = syscall::raw(SECCOMP, &[SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &raw const handed_over as usize]);
        assert_eq!(left_out.expect("seccomp(SECCOMP_SET_MODE_FILTER)"), 0, "a thread that has no filter");
    }
}
