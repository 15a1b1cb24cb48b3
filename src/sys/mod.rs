//! Floor 1: the kernel, typed. Every system call of the library is made in this folder (R14).
//!
//! 1. rustix where it is stable, own stubs over `arch::syscall` where it has none (`clone3`, guards, `rt_sigaction`, `exit`).
//! 2. No policy: a call is made once, its error is returned. EINTR and fallbacks are handled by the caller that knows what they mean,
//!    except where a file's head says so.
//! 3. `contract` lists each call the library can make, and why. A test fails on any other.

pub mod alarm;
pub mod clock;
pub mod contract;
pub mod cpu;
pub mod fd;
pub mod file;
pub mod futex;
pub mod memory;
pub mod process;
pub mod signal;
pub mod thread;

pub use rustix::io::Errno;

/// The kernel's own result as a `Result`.
#[inline(always)]
fn check(result: isize) -> Result<usize, Errno> {
    if (-4095..0).contains(&result) { Err(Errno::from_raw_os_error(-result as i32)) } else { Ok(result as usize) }
}
