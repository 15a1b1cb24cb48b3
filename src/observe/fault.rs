//! Faults: SIGSEGV, SIGBUS, SIGFPE, SIGILL. A guard below a stack means `stack overflow`; all else is named with its address. And the signals that are
//! a program's death with a trace, as in Go: SIGQUIT, SIGABRT, SIGTRAP, SIGSYS, SIGSTKFLT.
//!
//! 1. The handler runs on the M's signal stack and never returns.

use super::crash;
use crate::arch::tls;
use crate::gmp::{G, M, P};
use crate::mem::stack;
use crate::sys::Errno;
use crate::sys::signal::{self, RIP, RSP, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGSEGV, SIGSTKFLT, SIGSYS, SIGTRAP, SIGURG, SigInfo, UContext};

/// Installs the handlers, and lets the signals in.
pub fn install() -> Result<(), Errno> {
    for signal in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGABRT, SIGTRAP, SIGSYS, SIGSTKFLT] {
        // SAFETY: `handler` allocates nothing, takes no lock, and ends the process.
        unsafe { signal::install(signal, handler) }?;
    }
    // A parent that blocks them leaves them blocked: then a fault would end the process without a word, and nothing be preempted. Later threads inherit it.
    signal::unblock(&[SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSTKFLT, SIGURG]);
    Ok(())
}

unsafe extern "C" fn handler(signal: i32, info: *mut SigInfo, context: *mut UContext) {
    // SAFETY: the kernel passes both, valid while the handler runs.
    let (info, context) = unsafe { (&*info, &*context) };
    let (addr, pc, sp) = (info.addr, context.registers[RIP], context.registers[RSP]);
    let name = match signal as u32 {
        SIGSEGV => "SIGSEGV: segmentation violation",
        SIGBUS => "SIGBUS: bus error",
        SIGFPE => "SIGFPE: floating-point exception",
        SIGQUIT => crash::signalled("SIGQUIT: quit", info.code, context),
        SIGABRT => crash::signalled("SIGABRT: abort", info.code, context),
        SIGTRAP => crash::signalled("SIGTRAP: trace trap", info.code, context),
        SIGSYS => crash::signalled("SIGSYS: bad system call", info.code, context),
        SIGSTKFLT => crash::signalled("SIGSTKFLT: stack fault", info.code, context),
        _ => "SIGILL: illegal instruction",
    };
    if info.code <= 0 {
        // Sent, by whom the word says where a fault has its address.
        crash::fatal_at(context, format_args!("unexpected signal\n[signal {name} code={:#x} sent by process {} pc={pc:#x}]", info.code, addr as u32));
    }
    // SAFETY: R1, R2: `fs:8` and `fs:16` are never null.
    let (g, m) = unsafe { (&*G::current().as_ptr(), &*tls::m().cast::<M>()) };
    if signal as u32 == SIGSEGV {
        let in_c = m.c_stack.guards(addr);
        if in_c || m.g0.header.guards(addr) || m.gsignal.header.guards(addr) {
            let stack = if in_c { "the C stack" } else { "g0" };
            crash::fatal_at(
                context,
                format_args!("stack overflow on {stack} of M{}\n[signal SIGSEGV: segmentation violation addr={addr:#x} pc={pc:#x} sp={sp:#x}]", m.id),
            );
        }
        if g.header.guards(addr) || stack::is_guard(addr) {
            let bytes = g.header.stack_hi - g.header.stack_lo;
            crash::fatal_at(context, format_args!("stack overflow\n[goroutine stack exceeds {bytes}-byte limit: addr={addr:#x} pc={pc:#x} sp={sp:#x}]"));
        }
    }
    // A goroutine without a P is in a system call; what it has tried may have changed its status by now.
    if addr < size_of::<P>() && tls::p().is_null() && g.id() != 0 {
        crash::fatal_at(
            context,
            format_args!("goroutine {} used the scheduler inside a system call (spawn, channel, lock or sleep in syscall::blocking or ffi::call)", g.id()),
        );
    }
    crash::fatal_at(context, format_args!("unexpected signal\n[signal {name} code={:#x} addr={addr:#x} pc={pc:#x}]", info.code));
}
