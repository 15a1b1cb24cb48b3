//! A glance at a goroutine that runs elsewhere: its thread stands still in the handler of SIGURG until the glance is over.
//!
//! | `AT`    | meaning                                                                                          |
//! |---------|--------------------------------------------------------------------------------------------------|
//! | null    | nobody looks                                                                                     |
//! | `m`     | the thread of M `m` has been sent a signal                                                       |
//! | `m` + 1 | it stands in the handler, its registers in `M::frozen`, and stays there until this is so no more |
//!
//! 1. One glance at a time, by sysmon; a second one (`sysmon::set_or_replace`) gets none meanwhile.
//! 2. From `m` to `m` + 1 goes the thread of `m` alone; to null, who looks. So `m` is followed only while its thread stands still: one that ends
//!    meanwhile is a number to compare with.
//! 3. Who stands still may hold any lock: `look` takes none, and it is short.
//! 4. A death (`freeze`) may find a thread in here. It goes from here to where it stands still for ever, in the same handler, with the same registers.

use super::preempt;
use crate::gmp::M;
use crate::sys::clock::monotonic_ns;
use crate::sys::futex;
use crate::sys::signal::UContext;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering::Relaxed, Ordering::SeqCst};
use core::time::Duration;

/// For as long the thread has to come to the handler. The kernel may have it wait for a CPU.
const WAIT_NS: u64 = 20_000_000;
/// A thread that stands still looks for itself after so long, should nobody wake it.
const TURN: Duration = Duration::from_millis(5);

static AT: AtomicPtr<M> = AtomicPtr::new(ptr::null_mut());
static TURNS: AtomicU32 = AtomicU32::new(0);

fn standing(m: *const M) -> *mut M {
    m.cast::<u8>().wrapping_add(1).cast_mut().cast()
}

/// Calls `look` with where the thread `tid` of `m` is, while it stands still. False: it does not come, signals are refused, or somebody else looks.
#[cold]
#[inline(never)]
pub fn at(m: *mut M, tid: u32, look: &mut dyn FnMut(&UContext)) -> bool {
    if !preempt::can_stop_threads() || AT.compare_exchange(ptr::null_mut(), m, SeqCst, SeqCst).is_err() {
        return false;
    }
    if preempt::send_for_handler(tid).is_ok() {
        let end = monotonic_ns() + WAIT_NS;
        let turns = TURNS.load(SeqCst);
        while ptr::eq(AT.load(SeqCst), m) && monotonic_ns() < end {
            let _ = futex::wait(&TURNS, turns, Some(Duration::from_micros(50)));
        }
    }
    if AT.compare_exchange(m, ptr::null_mut(), SeqCst, SeqCst).is_ok() {
        return false;
    }
    // SAFETY: invariant 2: the thread stands in its handler, so M and the kernel's frame are there.
    look(unsafe { &*(*m).frozen.load(SeqCst) });
    AT.store(ptr::null_mut(), SeqCst);
    TURNS.fetch_add(1, SeqCst);
    let _ = futex::wake(&TURNS, 1);
    true
}

/// In the handler of SIGURG, before `freeze::hold`: is this thread to be looked at?
#[inline(always)]
pub fn stand_still(m: &M, context: *mut UContext) {
    if ptr::eq(AT.load(Relaxed), m) {
        until_it_is_over(m, context);
    }
}

#[cold]
#[inline(never)]
fn until_it_is_over(m: &M, context: *mut UContext) {
    m.frozen.store(context, SeqCst);
    if AT.compare_exchange(ptr::from_ref(m).cast_mut(), standing(m), SeqCst, SeqCst).is_ok() {
        loop {
            let turns = TURNS.load(SeqCst);
            if AT.load(SeqCst) != standing(m) {
                break;
            }
            let _ = futex::wait(&TURNS, turns, Some(TURN));
        }
    }
    m.frozen.store(ptr::null_mut(), SeqCst);
}
