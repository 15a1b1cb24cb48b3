//! The scheduler's own start: the first M, the Ps, the goroutine of main.

use super::{find, idle, procs, spawn, thread};
use crate::arch::switch::{jump, prepare};
use crate::arch::{cpu, tls};
use crate::base::NoPreempt;
use crate::base::throw;
use crate::base::tune::STACK_CLASS_MAIN;
use crate::gmp::{G, M, SCHED, env, image};
use crate::sys::{self, Errno};
use core::sync::atomic::Ordering::Relaxed;
use linux_raw_sys::auxvec::{AT_MINSIGSTKSZ, AT_RANDOM};

/// Makes the first M and points fs at it. The caller runs on the kernel's stack of the process, which is not used again after `run`.
///
/// # Safety
/// Called once, before anything that uses TLS.
pub unsafe fn first_m() -> Result<(), Errno> {
    let need = env::auxv(AT_MINSIGSTKSZ as usize).unwrap_or(0) * 4;
    SCHED.signal_stack_bytes.store(need as u32, Relaxed);
    // SAFETY: `env::init` has seen the kernel's own vector.
    unsafe { image::find() };
    let canary = canary();
    SCHED.canary.store(canary, Relaxed);
    let m = M::new(0, need, canary)?;
    // SAFETY: R2: the M begins with its TLS block, and the first M lives for ever.
    unsafe { sys::thread::set_fs(m.cast()) }.unwrap_or_else(|error| throw!("start: fs cannot be set: {error}"));
    let mut locked = SCHED.locked.lock();
    locked.m_count = 1;
    // SAFETY: as above.
    locked.m_comes(unsafe { &*m });
    locked.next_m_id = 1;
    Ok(())
}

/// The word that compiled C puts above its buffers, and looks at before it returns: of the kernel's random bytes. Its lowest byte is 0, which ends a string.
fn canary() -> u64 {
    random::<0>() & !0xff
}

/// A number that is another one in each process: of the kernel's random bytes, those that the canary is not made of.
pub fn seed() -> u64 {
    random::<1>()
}

fn random<const WORD: usize>() -> u64 {
    const { assert!(WORD < 2) };
    match env::auxv(AT_RANDOM as usize) {
        // SAFETY: the kernel put 16 random bytes there.
        Some(at) => unsafe { (at as *const u64).add(WORD).read_unaligned() },
        None => cpu::ticks().wrapping_mul(0x9e37_79b9_7f4a_7c15),
    }
}

/// Makes the Ps and main's goroutine, and runs them. `main` ends the process.
pub fn run(main: fn() -> !) -> ! {
    // SAFETY: R2: `first_m` set fs, and this is its thread for ever.
    let m: &'static M = unsafe { &*tls::m().cast() };
    thread::set_up(m);
    let p = procs::init(procs::first_count()).unwrap_or_else(|error| throw!("out of memory: no P: {error}"));
    idle::acquire(m, p);
    make_all_idle();
    // SAFETY: `main` borrows nothing; this M holds the P.
    let g = unsafe { spawn::make(p, STACK_CLASS_MAIN, 0, move || main()) }.unwrap_or_else(|error| spawn::no_stack(error));
    // SAFETY: R4: g0's stack is empty; what stands on the kernel's stack is not needed again.
    unsafe {
        let g0 = (&raw const m.g0.header).cast_mut();
        prepare(g0, m.g0.header.stack_hi, m_run, g.cast());
        jump(g0, super::park::no_commit(&NoPreempt::new()))
    }
}

/// Every P but the first becomes idle.
fn make_all_idle() {
    let mut locked = SCHED.locked.lock();
    for id in (1..SCHED.procs.load(Relaxed)).rev() {
        idle::put_p(&mut locked, SCHED.p(id));
    }
    let idle = u64::from(SCHED.procs.load(Relaxed) - 1) * crate::gmp::sched::IDLE_P;
    SCHED.idle.0.store(idle, Relaxed);
    SCHED.p(0).status.store(crate::gmp::p::PStatus::Running as u8, Relaxed);
}

/// g0 of the first M begins with main's goroutine, so that it begins on the initial thread whoever looks for work.
unsafe extern "C" fn m_run(main: *mut u8) -> ! {
    // SAFETY: R2: this is the first M's thread.
    find::run(unsafe { &*tls::m().cast() }, main.cast())
}

/// Marks the running goroutine as main's.
pub fn this_is_main() {
    // SAFETY: R1: the running goroutine is ours.
    unsafe { G::current().as_ref() }.is_main.set(true);
    procs::follow();
}
