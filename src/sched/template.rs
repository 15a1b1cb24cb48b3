//! The template thread: makes the threads that must not inherit what the program has done to the thread that wants them.
//!
//! 1. Namespaces, credentials, affinity, mask and the like belong to a thread, and a new one inherits them from its maker. A goroutine that is locked
//!    to its thread may have changed them. So such an M has its threads made by this one, which runs no goroutine ever.
//! 2. It is made at the first `lock_os_thread`, by a thread that has no locked goroutine. Without it (no thread could be made) whoever is
//!    locked makes none: the program goes on with the Ms that there are (R8).
//! 3. What is in `Locked::to_clone` is looked at by the template thread, or given back by whoever could not make it: `STATE` becomes `ABSENT` under the
//!    scheduler's lock, and only while it is not may something be put in.
//!
//! 4. Whoever makes it is not preempted meanwhile: the goroutine would wait for a P, and all Ps might wait in `Locked::to_clone` for this thread.
//!
//! Source: Go's runtime, startTemplateThread.

use super::thread;
use crate::base::NoPreempt;
use crate::base::note::Note;
use crate::gmp::{M, SCHED};
use crate::sys::Errno;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

const ABSENT: u32 = 0;
const STARTING: u32 = 1;
const RUNNING: u32 = 2;

static STATE: AtomicU32 = AtomicU32::new(ABSENT);
static NOTE: Note = Note::new();
/// Has the note been woken for what is in the list?
static ASKED: AtomicBool = AtomicBool::new(false);

/// Starts it, if it is not there.
pub fn ensure() {
    let _nopreempt = NoPreempt::new(); // invariant 4
    if STATE.load(Acquire) == RUNNING || STATE.compare_exchange(ABSENT, STARTING, AcqRel, Relaxed).is_err() {
        return;
    }
    if thread::may_try() && thread::start_helper(c"gort-template", run).is_ok() {
        return STATE.store(RUNNING, Release);
    }
    {
        let _locked = SCHED.locked.lock();
        STATE.store(ABSENT, Release);
    }
    while let Some(m) = next() {
        thread::give_back(m);
    }
}

/// The next M that waits for its thread.
fn next() -> Option<&'static M> {
    let mut locked = SCHED.locked.lock();
    // SAFETY: what is in the list is an M whose thread does not exist yet.
    let m = unsafe { locked.to_clone.as_ref() }?;
    locked.to_clone = m.idle_next.replace(ptr::null_mut());
    Some(m)
}

/// Has it make the thread of `m`, which is in the list of all and has its P and all else. EAGAIN: it does not exist.
pub fn make(m: &'static M) -> Result<(), Errno> {
    {
        let mut locked = SCHED.locked.lock();
        if STATE.load(Acquire) == ABSENT {
            return Err(Errno::AGAIN);
        }
        m.idle_next.set(locked.to_clone);
        locked.to_clone = ptr::from_ref(m).cast_mut();
    }
    if !ASKED.swap(true, AcqRel) {
        NOTE.wake();
    }
    Ok(())
}

fn run() -> ! {
    loop {
        NOTE.sleep();
        NOTE.clear();
        ASKED.store(false, Release);
        while let Some(m) = next() {
            thread::clone_or_give_back(m);
        }
    }
}
