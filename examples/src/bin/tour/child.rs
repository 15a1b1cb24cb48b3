//! This program once more, with another environment: what a shell does for `GODEBUG=… tour STAGE`.
//!
//! gort reads `GODEBUG` once, at its start; so what it changes can only be shown by another process.

use alloc::string::String;
use alloc::vec::Vec;
use core::arch::asm;
use core::ffi::CStr;
use core::ptr;
use gort::syscall::blocking;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitOptions, WaitStatus, waitpid};

/// Runs this program with `argument`, and with `environment` (lines of `NAME=value`) instead of ours. What it printed, and how it ended.
pub fn run(argument: &CStr, environment: &[&CStr]) -> Result<(String, WaitStatus), Errno> {
    let list = |strings: &[&CStr]| strings.iter().map(|s| s.as_ptr()).chain([ptr::null()]).collect::<Vec<_>>();
    let program = c"/proc/self/exe";
    let (arguments, environment) = (list(&[program, argument]), list(environment));
    let (output, input) = pipe_with(PipeFlags::CLOEXEC)?;
    // SAFETY: both lists end with a null pointer, and their strings outlive the call.
    let pid = blocking(|| unsafe { spawn(program, &arguments, &environment, &input) })?;
    drop(input);
    let mut text = Vec::new();
    let mut part = [0; 4096];
    loop {
        match blocking(|| rustix::io::read(&output, &mut part)) {
            Ok(0) => break,
            Ok(n) => text.extend_from_slice(&part[..n]),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    let status = loop {
        match blocking(|| waitpid(Some(pid), WaitOptions::empty())) {
            Ok(Some((_, status))) => break status,
            Ok(None) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    };
    Ok((String::from_utf8_lossy(&text).into_owned(), status))
}

/// Starts a process that runs `program` and writes to `output`. If the kernel cannot run it, the process ends with status 127.
///
/// The call is vfork's: until the child runs its program, it uses our memory, and this thread stands still. So the child does nothing but two
/// system calls, with what lies in registers already.
///
/// # Safety
/// `arguments` and `environment` are pointers to strings, the last one null.
unsafe fn spawn(program: &CStr, arguments: &[*const i8], environment: &[*const i8], output: &OwnedFd) -> Result<Pid, Errno> {
    const CLONE: usize = 56;
    const CLONE_VM_VFORK_SIGCHLD: usize = 0x100 | 0x4000 | 17;
    let result: isize;
    // SAFETY: the child touches no memory and never leaves these lines; the kernel changes rax, rcx and r11 of ours, and no other register.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "mov edi, r12d", // dup2(output, 1)
            "mov esi, 1",
            "mov eax, 33",
            "syscall",
            "mov rdi, r13", // execve(program, arguments, environment)
            "mov rsi, r14",
            "mov rdx, r15",
            "mov eax, 59",
            "syscall",
            "mov edi, 127", // exit_group(127)
            "mov eax, 231",
            "syscall",
            "ud2",
            "2:",
            inlateout("rax") CLONE => result,
            in("rdi") CLONE_VM_VFORK_SIGCHLD, in("rsi") 0, in("rdx") 0, in("r10") 0, in("r8") 0,
            in("r12") output.as_raw_fd() as usize, in("r13") program.as_ptr(), in("r14") arguments.as_ptr(), in("r15") environment.as_ptr(),
            lateout("rcx") _, lateout("r11") _, options(nostack),
        );
    }
    Pid::from_raw(result as i32).filter(|_| result > 0).ok_or_else(|| Errno::from_raw_os_error(-result as i32))
}
