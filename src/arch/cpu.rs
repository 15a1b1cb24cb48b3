//! Small instructions: the pause of a spinning loop, and the start of the time-stamp counter for seeds.

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
