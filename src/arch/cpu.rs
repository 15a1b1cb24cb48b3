//! Small instructions: the pause of a spinning loop, the time-stamp counter for seeds, and the end where there is no other.

/// Tells the CPU that this loop waits for another one.
#[inline(always)]
pub fn pause() {
    core::hint::spin_loop();
}

/// The time-stamp counter: a number that differs from one call to the next. Not a clock.
#[inline(always)]
pub fn ticks() -> u64 {
    // SAFETY: every x86-64 has rdtsc; user mode may execute it unless a sandbox sets PR_SET_TSC, which kills vDSO clocks as well.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// An illegal instruction: SIGILL, which ends the process whatever its handler is where the signal is masked.
#[cold]
pub fn trap() -> ! {
    // SAFETY: it does not return, and touches nothing.
    unsafe { core::arch::asm!("ud2", options(noreturn, nomem, nostack)) }
}
