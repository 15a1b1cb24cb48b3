//! Floor 0: the machine. Registers, raw system calls, the TLS base, the context switch: the only inline assembly of the library.
//!
//! 1. Nothing here knows the kernel's types or the scheduler's. It imports nothing of the library.
//! 2. Assembly stands in `arch/x86_64/*.s`, one routine group a file, with its contract at its head.
//! 3. Under `cfg(test)` and `cfg(loom)` the library lives in a process of std, whose TLS belongs to glibc: `host` stands in for `tls` (R2).

pub mod block;
pub mod cpu;
#[cfg(not(any(test, loom)))]
pub mod foreign;
pub mod header;
#[cfg(not(any(test, loom)))]
pub mod here;
pub mod mem;
#[cfg(not(any(test, loom)))]
pub mod preempt;
pub mod thread;

#[cfg(not(any(test, loom)))]
pub mod tls;
#[cfg(any(test, loom))]
#[path = "host.rs"]
pub mod tls;

#[cfg(not(any(test, loom)))]
pub mod switch;
#[cfg(loom)]
#[path = "host_switch.rs"]
pub mod switch;
pub mod syscall;

pub use header::GHeader;
