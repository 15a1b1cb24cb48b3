//! Runs a program under a seccomp filter that answers some system calls with an error: `sandbox ERROR CALL[:ARGUMENT=VALUE],… -- PROGRAM ARGUMENTS…`.
//!
//! ERROR is a name of the table below; CALL one too, or a number. With ARGUMENT, from 0, only calls with that value in its lower half are answered so.
#![no_std]
#![no_main]

extern crate alloc;

#[path = "../filter.rs"]
mod filter;

use alloc::ffi::CString;
use alloc::vec::Vec;
use core::ffi::{CStr, c_char};
use filter::Denied;
use gort::prelude::*;
use gort::{os, syscall};

gort::main!(main);

const ERRORS: &[(&str, u32)] = &[("EPERM", 1), ("EINTR", 4), ("EAGAIN", 11), ("ENOMEM", 12), ("EINVAL", 22), ("ENOSYS", 38)];
const CALLS: &[(&str, u32)] =
    &[("mmap", 9), ("mprotect", 10), ("madvise", 28), ("clone", 56), ("futex", 202), ("timerfd_create", 283), ("rt_tgsigqueueinfo", 297), ("clone3", 435)];

const EXECVE: u32 = 59;

fn number(table: &[(&str, u32)], name: &str) -> u32 {
    let listed = table.iter().find(|row| row.0 == name).map(|row| row.1);
    listed.or_else(|| name.parse().ok()).unwrap_or_else(|| panic!("{name} is not in the table, and no number"))
}

/// `CALL` or `CALL:ARGUMENT=VALUE`.
fn denied(call: &str) -> Denied {
    let Some((call, condition)) = call.split_once(':') else { return Denied { number: number(CALLS, call), condition: None } };
    let (argument, value) = condition.split_once('=').expect("ARGUMENT=VALUE");
    Denied { number: number(CALLS, call), condition: Some((argument.parse().unwrap(), value.parse().unwrap())) }
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
    filter::install(&filter::filter(number(ERRORS, error), calls.split(',').map(denied)));
    let strings_of_program = strings(os::args_os().skip(4));
    let environment = strings(os::environ());
    let (argv, envp) = (pointers(&strings_of_program), pointers(&environment));
    let path: &CStr = &strings_of_program[0];
    // SAFETY: no goroutine was made, so this is the only thread; all that the kernel reads lives through the calls.
    unsafe {
        let failed = syscall::raw(EXECVE, &[path.as_ptr() as usize, argv.as_ptr() as usize, envp.as_ptr() as usize]);
        panic!("execve {path:?}: {failed:?}");
    }
}
