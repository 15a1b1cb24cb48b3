//! Ms as threads: making one, its first steps, its end.
//!
//! 1. A thread is made with all signals masked; it unmasks them once fs, g0 and its signal stack are in place.
//! 2. EAGAIN (a limit of threads, a pids cgroup) is tried again after 1, 2, 4, … ms; then for a second no thread is asked for at all, and the
//!    program goes on with the Ms that it has (R8).
//! 3. An M that ends has left every list, and the number of Ms, under the lock, before its memory goes.

use super::{find, idle, template, wake};
use crate::arch::thread::ThreadEntry;
use crate::arch::tls;
use crate::base::lock::LockGuard;
use crate::base::printer::CStrBuffer;
use crate::base::throw;
use crate::base::tune::THREAD_RETRIES;
use crate::gmp::sched::Locked;
use crate::gmp::{M, P, SCHED};
use crate::sys::clock::monotonic_ns;
use crate::sys::signal::{self, SigSet};
use crate::sys::thread::{self, NewThread};
use crate::sys::{Errno, memory};
use core::ffi::CStr;
use core::fmt::Write;
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering::Relaxed;

/// Starts a thread that holds `p`, spinning or not; by way of the template thread where this one must not be inherited from.
pub fn start(p: &'static P, spinning: bool) -> Result<(), Errno> {
    if !may_try() {
        return Err(Errno::AGAIN);
    }
    let m = make()?;
    m.spinning.set(spinning);
    m.just_woken.set(spinning);
    m.next_p.store(ptr::from_ref(p).cast_mut(), Relaxed);
    // SAFETY: R2: `fs:16` is this thread's M.
    let result = if unsafe { &*tls::m().cast::<M>() }.is_tainted() { template::make(m) } else { clone(m, m_start) };
    result.inspect_err(|_| give_up(m))
}

/// For the template thread: makes the thread of `m`, or gives its P back.
pub fn clone_or_give_back(m: &'static M) {
    if clone(m, m_start).is_err() {
        give_back(m);
    }
}

/// There is no thread for `m`, which has a P: that goes back.
pub fn give_back(m: &M) {
    // SAFETY: Ps are never freed.
    let (p, spinning) = (unsafe { m.next_p.load(Relaxed).as_ref() }, m.spinning.get());
    give_up(m);
    wake::give_back(p.unwrap_or_else(|| throw!("thread: an M without a P was to be made")), spinning);
}

/// False: the last attempts to make a thread have just failed.
pub fn may_try() -> bool {
    monotonic_ns() >= SCHED.no_threads_until_ns.load(Relaxed)
}

/// The thread of `m` could not be made.
#[inline(never)]
fn give_up(m: &M) {
    SCHED.no_threads_until_ns.store(monotonic_ns() + 1_000_000_000, Relaxed);
    SCHED.locked.lock().m_goes(m);
    unmap(m);
}

/// Starts a thread of the runtime's own, which calls `body` on g0. It is no M that could run goroutines, so it is in no list and counts nowhere.
pub fn start_helper(name: &'static CStr, body: fn() -> !) -> Result<(), Errno> {
    let id = {
        let mut locked = SCHED.locked.lock();
        locked.next_m_id += 1;
        locked.next_m_id - 1
    };
    let m = M::new(id, SCHED.signal_stack_bytes.load(Relaxed) as usize, SCHED.canary.load(Relaxed))?;
    // SAFETY: it was just made.
    let m = unsafe { &*m };
    m.body.set(Some((name, body)));
    clone(m, helper_start).inspect_err(|_| unmap(m))
}

/// The first function of such a thread. All signals stay masked.
unsafe extern "C" fn helper_start(m: *mut u8) -> ! {
    // SAFETY: `clone` passes the M.
    let m: &'static M = unsafe { &*m.cast() };
    m.tid.store(thread::gettid(), Relaxed);
    let Some((name, body)) = m.body.get() else { throw!("thread: M{} has nothing to do", m.id) };
    thread::set_name(name);
    body()
}

/// Gives the memory of an M back that never had a thread.
fn unmap(m: &M) {
    let (base, bytes) = m.mapping();
    // SAFETY: R9: nobody knows it.
    let _ = unsafe { memory::unmap(NonNull::new(base).expect("an M has a mapping"), bytes) };
}

/// Sets the limit of Ms, and returns the one before. Fatal if there are more.
#[inline(never)]
pub fn set_limit(n: u32) -> u32 {
    let (before, count) = {
        // `make` looks at the limit under this lock: no thread that the old one allowed appears later.
        let locked = SCHED.locked.lock();
        (SCHED.max_threads.swap(n, Relaxed), locked.m_count)
    };
    if count > n {
        throw!("program exceeds {n}-thread limit: {count} threads exist");
    }
    before
}

/// Makes an M, and counts it, without a thread. EAGAIN at the limit of Ms.
pub fn make() -> Result<&'static M, Errno> {
    let id = {
        let mut locked = SCHED.locked.lock();
        if locked.m_count >= SCHED.max_threads.load(Relaxed) {
            return Err(Errno::AGAIN);
        }
        // Counted from here on, so that nobody takes this program for deadlocked.
        locked.m_count += 1;
        locked.next_m_id += 1;
        locked.next_m_id - 1
    };
    let made = M::new(id, SCHED.signal_stack_bytes.load(Relaxed) as usize, SCHED.canary.load(Relaxed));
    match made {
        Ok(m) => {
            // SAFETY: it was just made, and lives until `end` or a failed `start`.
            let m = unsafe { &*m };
            SCHED.locked.lock().m_comes(m);
            Ok(m)
        }
        Err(error) => {
            SCHED.locked.lock().m_count -= 1;
            Err(error)
        }
    }
}

fn clone(m: &'static M, entry: ThreadEntry) -> Result<(), Errno> {
    let stack = m.g0.header.stack_lo;
    let new = NewThread { stack: stack as *mut u8, stack_bytes: m.g0.header.stack_hi - stack, tls: ptr::from_ref(m).cast_mut().cast() };
    let mut pause_ms = 1;
    for _ in 0..THREAD_RETRIES {
        let old = signal::mask(&SigSet::ALL);
        // SAFETY: R2: `fs:16` is this thread's M.
        let maker = unsafe { &*tls::m().cast::<M>() };
        // The runtime's own threads have all signals masked; what they make gets what their own makers had.
        m.mask.set(if maker.body.get().is_some() { maker.mask.get() } else { old });
        // SAFETY: the stack and the block are the new M's; `m_start` never returns; signals are masked.
        let result = unsafe { thread::start(&new, entry, new.tls) };
        signal::mask(&old);
        match result {
            Err(Errno::AGAIN) => crate::sys::clock::sleep_ms(pause_ms),
            other => return other.map(drop),
        }
        pause_ms *= 2;
    }
    Err(Errno::AGAIN)
}

/// The first function of a new thread.
unsafe extern "C" fn m_start(m: *mut u8) -> ! {
    // SAFETY: `clone` passes the M.
    let m: &'static M = unsafe { &*m.cast() };
    set_up(m);
    signal::mask(&m.mask.get());
    // SAFETY: the maker stored a P that it took for this M.
    idle::acquire(m, unsafe { &*m.next_p.swap(ptr::null_mut(), Relaxed) });
    find::run(m, ptr::null_mut())
}

/// What each thread does first: its signal stack, its id, its name.
pub fn set_up(m: &M) {
    let (stack, bytes) = m.signal_stack();
    // SAFETY: the signal stack is this M's, for as long as its thread lives.
    if let Err(error) = unsafe { signal::set_alternate_stack(stack, bytes) } {
        throw!("thread: M{} has no signal stack: {error}", m.id);
    }
    m.tid.store(thread::gettid(), Relaxed);
    if m.id != 0 {
        let mut name = CStrBuffer::<16>::new();
        let _ = write!(name, "gort-m{}", m.id);
        thread::set_name(name.as_c_str());
    }
}

/// Ends this M's thread, and gives its memory back. It is in no list of idle ones, and holds no P.
#[inline(never)]
pub fn end(mut locked: LockGuard<'_, Locked>, m: &'static M) -> ! {
    locked.m_goes(m);
    drop(locked);
    leave(m)
}

/// The same for an M that is not counted any more.
pub fn leave(m: &'static M) -> ! {
    m.c_stack.give_back();
    let (base, bytes) = m.mapping();
    // SAFETY: the M has left all lists, so nobody knows its memory any more.
    unsafe { thread::exit(base, bytes) }
}
