//! Holding still who the stopped world does not: goroutines in system calls and in C.
//!
//! 1. With the world stopped, a goroutine that is in a call stays in it, or comes back and waits for a P: its M has none, and its status stays. But it runs, and may move
//!    what it has from register to memory and back.
//! 2. So its M is sent SIGURG, and waits in the handler until `Held` drops. Its registers lie on its signal stack then, and its stack pointers in `header.sp` and
//!    in that of the C stack.
//! 3. It may hold any runtime lock meanwhile. Who holds others still takes none, and allocates nothing.
//! 4. The call goes on as after any signal of ours (`preempt::handler`): one that the kernel does not restart ends with EINTR, but for those of `syscall::raw`.
//!
//! Rejected: to leave them out (a handle in a register would be overlooked); a word in the handler of all programs.

use super::Trouble;
use crate::arch::tls;
use crate::base::tune::LEAKS_HOLD_NS;
use crate::gmp::{G, M, Status};
use crate::mem::stack;
use crate::sched::{foreign, preempt};
use crate::sys::clock::monotonic_ns;
use crate::sys::futex;
use crate::sys::signal::{RSP, SigInfo, UContext};
use core::sync::atomic::{AtomicU32, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed};

/// Odd while threads are to wait.
static EPOCH: AtomicU32 = AtomicU32::new(0);
/// How many do.
static HELD: AtomicU32 = AtomicU32::new(0);

/// Below the stack pointer a function may keep so much.
const RED_ZONE: usize = 128;

/// Who is in a call stands still while this is alive.
#[must_use]
pub struct Held(());

/// Holds all of them. The world is stopped, and the caller's.
pub fn hold() -> Result<Held, Trouble> {
    preempt::replace_handler(Some(handler)).map_err(|errno| Trouble { what: "no handler of SIGURG", errno })?;
    HELD.store(0, Relaxed);
    EPOCH.fetch_add(1, AcqRel);
    let held = Held(());
    let (mut wanted, mut sent) = (0, Ok(()));
    stack::for_each(&mut |header| {
        // SAFETY: R9: the slot's pages are there.
        let g = unsafe { &*header.cast::<G>() };
        if g.status() == Status::Syscall && sent.is_ok() {
            wanted += 1;
            // SAFETY: invariant 1: it is in a call, so its M lives.
            sent = preempt::send_for_handler(unsafe { (*(g.at.get() as *const M)).tid.load(Relaxed) });
        }
    });
    sent.map_err(|errno| Trouble { what: "a thread in a call cannot be sent a signal", errno })?;
    let deadline = monotonic_ns() + LEAKS_HOLD_NS;
    loop {
        let now = HELD.load(Acquire);
        if now >= wanted {
            return Ok(held);
        }
        if let Err(errno @ crate::sys::Errno::TIMEDOUT) = futex::wait_until(&HELD, now, deadline) {
            return Err(Trouble { what: "a thread in a call does not take SIGURG", errno });
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        EPOCH.fetch_add(1, AcqRel);
        // Neither can fail: the word is ours, and the handler was installed by the same call.
        let _ = futex::wake(&EPOCH, i32::MAX as u32);
        let _ = preempt::replace_handler(None);
    }
}

/// SIGURG, meanwhile.
unsafe extern "C" fn handler(signal: i32, info: *mut SigInfo, context: *mut UContext) {
    let epoch = EPOCH.load(Acquire);
    // SAFETY: R1: `fs:8` is a G's, and it stands still while its thread is in here.
    let g = unsafe { &*tls::g().cast::<G>() };
    if epoch & 1 == 1 && tls::p().is_null() && g.status() == Status::Syscall {
        // SAFETY: the kernel passes the context.
        let rsp = unsafe { (*context).registers[RSP] } as usize;
        let is_own = (g.header.stack_lo..g.header.stack_hi).contains(&rsp);
        g.header.sp.set(if is_own { (rsp - RED_ZONE).max(g.header.stack_lo) & !7 } else { foreign::stack_pointer_of(g).unwrap_or(g.header.stack_lo) });
        // SAFETY: R2: `fs:16` is this thread's M, and nobody calls on its C stack while it is in here.
        let c_sp = unsafe { (*tls::m().cast::<M>()).c_stack.sp() };
        let before = c_sp.get();
        if !is_own && rsp < before {
            c_sp.set((rsp - RED_ZONE) & !7);
        }
        HELD.fetch_add(1, AcqRel);
        let _ = futex::wake(&HELD, 1);
        while EPOCH.load(Acquire) == epoch {
            let _ = futex::wait(&EPOCH, epoch, None);
        }
        c_sp.set(before);
    }
    // SAFETY: as it would have been called.
    unsafe { preempt::handler(signal, info, context) };
}
