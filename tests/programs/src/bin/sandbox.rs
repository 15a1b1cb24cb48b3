//! Runs a program under a seccomp filter that answers some system calls with an error: `sandbox ERROR CALL[:ARGUMENT=VALUE],… -- PROGRAM ARGUMENTS…`.
//!
//! ERROR is a name of the table below; CALL one too, or a number. With ARGUMENT, from 0, only calls with that value in its lower half are answered so.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::ffi::CString;
use alloc::vec::Vec;
use core::ffi::{CStr, c_char};
use gort::prelude::*;
use gort::{os, syscall};

gort::main!(main);

const ERRORS: &[(&str, u32)] = &[("EPERM", 1), ("EINTR", 4), ("EAGAIN", 11), ("ENOMEM", 12), ("EINVAL", 22), ("ENOSYS", 38)];
const CALLS: &[(&str, u32)] =
    &[("mmap", 9), ("mprotect", 10), ("madvise", 28), ("clone", 56), ("futex", 202), ("timerfd_create", 283), ("rt_tgsigqueueinfo", 297), ("clone3", 435)];

const EXECVE: u32 = 59;
const PRCTL: u32 = 157;
const SECCOMP: u32 = 317;
const PR_SET_NO_NEW_PRIVS: usize = 38;
const SECCOMP_SET_MODE_FILTER: usize = 1;
const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;
const KILL_PROCESS: u32 = 0x8000_0000;

/// The kernel's `struct sock_filter`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    k: u32,
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

fn number(table: &[(&str, u32)], name: &str) -> u32 {
    let listed = table.iter().find(|row| row.0 == name).map(|row| row.1);
    listed.or_else(|| name.parse().ok()).unwrap_or_else(|| panic!("{name} is not in the table, and no number"))
}

fn filter(error: &str, calls: &str) -> Vec<Instruction> {
    let denied = answer(ERRNO | number(ERRORS, error));
    let native = Instruction { code: 0x15, if_true: 1, if_false: 0, k: AUDIT_ARCH_X86_64 };
    let mut program = alloc::vec![load(4), native, answer(KILL_PROCESS), load(0)];
    for call in calls.split(',') {
        match call.split_once(':') {
            None => program.extend([unless_equal_skip(number(CALLS, call), 1), denied]),
            Some((call, condition)) => {
                let (argument, value) = condition.split_once('=').expect("ARGUMENT=VALUE");
                let (argument, value): (u32, u32) = (argument.parse().unwrap(), value.parse().unwrap());
                program.extend([unless_equal_skip(number(CALLS, call), 4), load(16 + 8 * argument), unless_equal_skip(value, 1), denied, load(0)]);
            }
        }
    }
    program.push(answer(ALLOW));
    program
}

fn strings(from: impl Iterator<Item = &'static [u8]>) -> Vec<CString> {
    from.map(|text| CString::new(text).unwrap()).collect()
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|text| text.as_ptr()).chain([core::ptr::null()]).collect()
}

fn main() {
    let arguments: Vec<&'static str> = os::args().collect();
    let (error, calls) = match arguments[..] {
        [_, error, calls, "--", _, ..] => (error, calls),
        _ => {
            eprintln!("usage: sandbox ERROR CALL[:ARGUMENT=VALUE],… -- PROGRAM ARGUMENTS…");
            runtime::exit(2)
        }
    };
    let program = filter(error, calls);
    /// The kernel's `struct sock_fprog`.
    #[repr(C)]
    struct Program {
        instructions: u16,
        first: *const Instruction,
    }
    let handed_over = Program { instructions: program.len() as u16, first: program.as_ptr() };
    let strings_of_program = strings(os::args_os().skip(4));
    let environment = strings(os::environ());
    let (argv, envp) = (pointers(&strings_of_program), pointers(&environment));
    let path: &CStr = &strings_of_program[0];
    // SAFETY: no goroutine was made, so this is the only thread; all that the kernel reads lives through the calls.
    unsafe {
        syscall::raw(PRCTL, &[PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]).expect("prctl(PR_SET_NO_NEW_PRIVS)");
        syscall::raw(SECCOMP, &[SECCOMP_SET_MODE_FILTER, 0, &raw const handed_over as usize]).expect("seccomp(SECCOMP_SET_MODE_FILTER)");
        let failed = syscall::raw(EXECVE, &[path.as_ptr() as usize, argv.as_ptr() as usize, envp.as_ptr() as usize]);
        panic!("execve {path:?}: {failed:?}");
    }
}
