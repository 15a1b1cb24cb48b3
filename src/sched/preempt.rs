//! Preemption: a goroutine that runs gives way, wherever it is (R5).
//!
//! 1. Who wants a P's goroutine to give way calls `ask` under the scheduler's lock, and `send` after it. The P's `request` makes its next call into
//!    the scheduler go by way of g0; the signal does the same for a loop that makes none.
//! 2. The handler never switches: it injects a call (`arch::preempt`). Where it may not, it marks the goroutine: whoever lowers `nopreempt` to zero
//!    sees the mark. The mark is cleared as the goroutine is next switched to.
//! 3. A request is for one slice of a P: a handler that finds another slice running does nothing. Any other SIGURG is somebody else's signal.
//! 4. None is lost: a request refused where nobody looks at the mark (the last instructions of `gort_preempt`, the first of a goroutine) is sent again
//!    by sysmon while its slice lasts, by `world` while it waits.
//!
//! | where the signal lands                                     | what happens                                        |
//! |-------------------------------------------------------------|----------------------------------------------------|
//! | goroutine, `nopreempt` 0                                   | a call is injected                                  |
//! | goroutine, `nopreempt` above 0                             | marked; the last `lower` gives way                  |
//! | injected call, vDSO, end of the stack, live AMX tiles      | marked                                              |
//! | g0                                                         | nothing: it is in the scheduler                     |
//! | a thread without a P: in a system call                     | the call goes on; one that was cancelled ends (`cancel`) |
//!
//! Rejected: `nopreempt` as a count on the M (a goroutine may move between reading M and counting); to switch inside the handler.

use super::park::call_on_g0;
use super::{freeze, glance, hooks, pick, queue, timers};
use crate::arch::preempt::{self as injection, CLASSES};
use crate::arch::syscall::restart;
use crate::arch::tls;
use crate::base::NoPreempt;
use crate::base::call_word::{Received, signal_has_come};
use crate::base::tune::SLICE_NS;
use crate::gmp::p::GIVE_WAY;
use crate::gmp::sched::{GQueue, HIDE_NOTHING, Locked, STOPPING};
use crate::gmp::{G, M, P, SCHED, Status, env, sampling};
use crate::sys::clock::monotonic_ns;
use crate::sys::signal::{self, RIP, RSP, SI_QUEUE, SI_TKILL, SIGURG, SigInfo, UContext};
use crate::sys::{Errno, process};
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

/// Its address is the mark of our signals.
static COOKIE: u8 = 0;
/// Is no signal to be sent (`GODEBUG=asyncpreemptoff=1`)?
static OFF: AtomicBool = AtomicBool::new(false);
/// With `OFF`: has somebody installed the handler all the same?
static INSTALLED: AtomicBool = AtomicBool::new(false);
/// Has a sandbox refused a signal? Then none is announced any more: who makes a system call would wait for it.
static REFUSED: AtomicBool = AtomicBool::new(false);
static READY: AtomicBool = AtomicBool::new(false);
static PID: AtomicU32 = AtomicU32::new(0);
/// Where the vDSO is.
static VDSO: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];

/// What became of the signals.
pub struct Signals {
    /// Sent.
    pub sent: AtomicU64,
    /// Arrived too late: another slice was running.
    pub stale: AtomicU64,
    /// Arrived where nothing may be injected; the goroutine was marked.
    pub refused: AtomicU64,
    /// Were not ours.
    pub foreign: AtomicU64,
}

/// What became of the signals, since the start.
pub static SIGNALS: Signals = Signals { sent: AtomicU64::new(0), stale: AtomicU64::new(0), refused: AtomicU64::new(0), foreign: AtomicU64::new(0) };

/// Makes this process able to preempt. Called once, before anybody asks.
pub fn set_up() -> Result<(), Errno> {
    if env::godebug_number(b"asyncpreemptoff") != 0 {
        OFF.store(true, Relaxed);
        SCHED.idle.0.fetch_or(HIDE_NOTHING, Relaxed);
    } else {
        injection::set_up(injected);
        install()?;
    }
    READY.store(true, Release);
    Ok(())
}

/// May a signal make a goroutine give way that makes no calls? Before `set_up` too, if none is known to be against it.
#[inline]
pub fn is_possible() -> bool {
    !OFF.load(Relaxed) && !REFUSED.load(Relaxed)
}

fn install() -> Result<(), Errno> {
    let (lo, hi) = env::vdso().unwrap_or((0, 0));
    VDSO[0].store(lo, Relaxed);
    VDSO[1].store(hi, Relaxed);
    PID.store(process::pid(), Relaxed);
    // SAFETY: the handler allocates nothing, takes no lock, and uses its own thread's data only.
    unsafe { signal::install(SIGURG, handler) }
}

/// Sees to it that there is a handler of our signals, also where nobody is preempted by them. After `set_up`.
pub fn ensure_handler() -> Result<(), Errno> {
    if OFF.load(Relaxed) && !INSTALLED.swap(true, Relaxed) { install() } else { Ok(()) }
}

/// Can other threads be stopped where they are? Sees to the handler. False also where signals are refused.
pub fn can_stop_threads() -> bool {
    if !READY.load(Acquire) {
        // No other goroutine was ever made.
        return false;
    }
    ensure_handler().is_ok() && !REFUSED.load(Relaxed)
}

/// Sends the signal to a thread that is in a system call, which it will end: `cancel`.
pub fn send_to(tid: u32) {
    let _ = signal::send_to_thread(PID.load(Relaxed), tid, SIGURG, &raw const COOKIE as usize);
}

/// Has `other` called instead of our handler, or ours again (none). After `ensure_handler`.
pub(super) fn replace_handler(other: Option<signal::Handler>) -> Result<(), Errno> {
    // SAFETY: as in `install`; `other` keeps the same rules.
    unsafe { signal::install(SIGURG, other.unwrap_or(handler)) }
}

/// Has the thread `tid` run the handler.
pub(super) fn send_for_handler(tid: u32) -> Result<(), Errno> {
    signal::send_to_thread(PID.load(Relaxed), tid, SIGURG, &raw const COOKIE as usize)
}

/// This process, once there is a handler.
pub(super) fn pid() -> u32 {
    PID.load(Relaxed)
}

/// Is this an address in the vDSO?
pub fn is_in_vdso(address: usize) -> bool {
    (VDSO[0].load(Relaxed)..VDSO[1].load(Relaxed)).contains(&address)
}

/// A thread to send the signal to.
#[derive(Clone, Copy)]
pub struct Target {
    tid: u32,
}

/// Wants the goroutine of `p` to give way. Under the scheduler's lock; then, without it, `send`.
#[inline(never)]
pub fn ask(_: &Locked, p: &P) -> Option<Target> {
    let slice = p.slice.load(Acquire);
    p.request.fetch_or(GIVE_WAY, Release);
    if OFF.load(Relaxed) || REFUSED.load(Relaxed) || !READY.load(Acquire) {
        return None;
    }
    // SAFETY: P's invariant 3: an M lives as long as a P names it under the scheduler's lock.
    let m = unsafe { p.m.load(Relaxed).as_ref() }?;
    let tid = m.tid.load(Relaxed);
    m.preempt_slice.store(slice, Relaxed);
    if tid == 0 {
        return None; // it looks at what is wanted before it runs anything
    }
    // The full fence: either M, as it enters a system call, sees that a signal is under way, or we see that it is in one, and it will see
    // `request` as it leaves.
    if !p.in_call.announce(&m.preempt_pending) {
        return None;
    }
    Some(Target { tid })
}

/// Sends the signal.
#[inline(never)]
pub fn send(target: Target) {
    SIGNALS.sent.fetch_add(1, Relaxed);
    // The thread may have ended meanwhile: then there is nothing to preempt.
    if let Err(Errno::PERM | Errno::NOSYS) = signal::send_to_thread(PID.load(Relaxed), target.tid, SIGURG, &raw const COOKIE as usize) {
        REFUSED.store(true, Relaxed);
        SCHED.idle.0.fetch_or(HIDE_NOTHING, Relaxed);
    }
}

/// The handler of SIGURG, on the signal stack, all signals masked.
pub(super) unsafe extern "C" fn handler(_signal: i32, info: *mut SigInfo, context: *mut UContext) {
    // SAFETY: R2: `fs:16` is this thread's M.
    let m = unsafe { &*tls::m().cast::<M>() };
    glance::stand_still(m, context);
    freeze::hold(m, context);
    // SAFETY: the kernel passes the information.
    let Received { ours, pending } = signal_has_come(&m.preempt_pending, is_ours(unsafe { &*info }));
    if !ours {
        SIGNALS.foreign.fetch_add(1, Relaxed);
    }
    // SAFETY: Ps are never freed.
    let Some(p) = (unsafe { tls::p().cast::<P>().as_ref() }) else {
        // In a call. Two who ask at once set the flag once: the later signal finds it cleared, and must not end the call either.
        // But one that somebody has cancelled is to end.
        // SAFETY: the kernel passes the context.
        let context = unsafe { &mut *context };
        if let Some(cut) = m.cutter.get() {
            return cut(m, context);
        }
        let [_, _, _, _, r12, .., rax, _, _, rip, _] = &mut context.registers;
        // SAFETY: they are what it will restore.
        unsafe { restart(rip, *r12, rax) };
        return;
    };
    if !ours {
        return;
    }
    // Not pending: another signal has brought the request before this one came.
    if !pending || SCHED.idle.0.load(Relaxed) & STOPPING == 0 && p.slice.load(Relaxed) != m.preempt_slice.load(Relaxed) {
        SIGNALS.stale.fetch_add(1, Relaxed);
        return;
    }
    let g = tls::g();
    if ptr::eq(g, &raw const m.g0.header) {
        return;
    }
    // SAFETY: R1: `fs:8` is the goroutine that this thread runs; it stands still while its thread is in here. The kernel passes the context.
    let (header, context) = unsafe { (&*g, &mut *context) };
    let (rip, rsp) = (context.registers[RIP] as usize, context.registers[RSP] as usize);
    let may_inject = header.may_be_preempted()
        && !injection::is_inside(rip)
        && !is_in_vdso(rip)
        && rsp <= header.stack_hi
        && rsp >= header.stack_lo + injection::stack_needed()
        && !injection::has_tiles(context.components_in_use());
    if !may_inject {
        SIGNALS.refused.fetch_add(1, Relaxed);
        header.mark();
        return;
    }
    let [.., rsp, rip, _] = &mut context.registers;
    // SAFETY: all of it was just checked.
    unsafe { injection::inject(rip, rsp) };
}

/// Did this process send it? By its mark, or, where that cannot be queued, by who sent it.
fn is_ours(info: &SigInfo) -> bool {
    match info.code {
        SI_QUEUE => info.value == &raw const COOKIE as usize,
        SI_TKILL => info.addr as u32 == PID.load(Relaxed),
        _ => false,
    }
}

/// The injected call, on the goroutine's stack, its registers kept.
fn injected(in_use: u64) {
    let before = tls::m();
    {
        let nopreempt = NoPreemptQuiet::new();
        let counters = &P::current(&nopreempt.0).counters;
        counters.injected.add(1);
        for (class, counter) in CLASSES.iter().zip(&counters.injected_classes) {
            counter.add(in_use >> class.0 & 1);
        }
    }
    give_way();
    if tls::m() != before {
        let nopreempt = NoPreemptQuiet::new();
        P::current(&nopreempt.0).counters.migrated.add(1);
    }
}

/// `NoPreempt` whose end gives way to nobody: whoever uses it will, or has just done so.
struct NoPreemptQuiet(core::mem::ManuallyDrop<NoPreempt>);

impl NoPreemptQuiet {
    fn new() -> NoPreemptQuiet {
        NoPreemptQuiet(core::mem::ManuallyDrop::new(NoPreempt::new()))
    }
}

impl Drop for NoPreemptQuiet {
    fn drop(&mut self) {
        if tls::lower() {
            // A mark that came meanwhile is not lost: the next `lower` sees it, and sysmon asks again.
            // SAFETY: R1: this goroutine's own word.
            unsafe { (*tls::g()).nopreempt.set(0) };
        }
    }
}

/// The running goroutine gives way, since it was asked to. What a lowered counter with a mark calls.
pub fn on_mark() {
    {
        let nopreempt = NoPreemptQuiet::new();
        P::current(&nopreempt.0).counters.gave_way.add(1);
    }
    give_way();
}

/// Leaves the stack, and lets g0 decide who is next. Again, if a mark came as it went on.
fn give_way() {
    loop {
        let nopreempt = core::mem::ManuallyDrop::new(NoPreempt::new());
        // SAFETY: R3: the goroutine runs and is ours; `set_aside` makes it runnable once it has left its stack.
        unsafe {
            G::current().as_ref().set_status(Status::Runnable);
            sampling::runnable(P::current(&nopreempt), G::current().as_ptr());
            call_on_g0(&nopreempt, set_aside);
        }
        hooks::going_on();
        if !tls::lower() {
            return;
        }
    }
}

/// On g0: `g` was preempted. It goes on next, after those whose time has come; or, its 10 ms spent, behind everybody.
///
/// # Safety
/// `g` has left its stack, and is the caller's.
pub unsafe fn set_aside(g: *mut G) {
    let nopreempt = NoPreempt::new();
    let p = P::current(&nopreempt);
    // Who gives way at a call has counted it. Hogs make none: with the tick for ever on a 61st the global queue would come first each time, so of two
    // hogs the one that has spent its slice would be the next as well.
    pick::tick(p);
    let (start, now) = (p.slice_start_ns.load(Relaxed), monotonic_ns());
    let used = p.slice_used_ns.load(Relaxed) + if start == 0 { SLICE_NS } else { now.saturating_sub(start) };
    // All timers, also those of a P whose thread the kernel has descheduled.
    timers::run_everybodys(&nopreempt, p, now);
    let storm = hooks::preemption_storm_ns() != 0 && p.tick.load(Relaxed) & 1 == 0;
    // Stopped with the world, and nobody else waits: it begins a new slice where it is. In the global queue any P could take it away.
    let alone = || {
        let stopping = SCHED.idle.0.load(Relaxed) & STOPPING != 0;
        stopping && p.runnable() == 0 && SCHED.global_len.load(Relaxed) == 0 && SCHED.in_line.load(Relaxed) == 0
    };
    if storm || used >= SLICE_NS && !alone() {
        p.counters.slices_spent.add(1);
        let mut behind = GQueue::new();
        // SAFETY: R3: it has left its stack and is runnable; it is ours until it is in the queue.
        unsafe { behind.push(g) };
        queue::push_global(behind);
    } else {
        let before = p.take_resume();
        if !before.is_null() {
            queue::push(p, before);
        }
        p.resume_used_ns.set(if used < SLICE_NS { used } else { 0 });
        p.resume.store(g, Relaxed);
        // Both those whose time has come and those who wait for a P go before it.
        p.batch.set(p.woken.len() + SCHED.in_line.load(Relaxed));
        p.normals_turn.set(p.batch.get() == 0);
    }
}
