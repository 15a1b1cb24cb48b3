//! Groups: what goroutines hand on to those that they make: the test that they belong to, and the bubble.
//!
//! 1. `G::group` is null in every goroutine of a program that is not made of tests: who looks pays for one load of a word and one branch. What is behind it is
//!    reached by `dyn` alone, so that other programs do not carry it.
//! 2. A goroutine has the group of the one that made it (`extras`). Only the goroutine itself changes it later.
//! 3. A group lives for as long as one of its goroutines does; that of a test for ever.

use super::extras;
use crate::base::NoPreempt;
use crate::gmp::g::GPtr;
use crate::gmp::sched::GQueue;
use crate::gmp::{G, WaitReason};
use crate::timer::{Fire, Node};
use alloc::sync::Arc;
use core::fmt;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

/// See the head of this file.
pub struct Group {
    /// The test.
    pub trial: Option<&'static dyn Trial>,
    /// The bubble; it lives as the group does.
    pub bubble: Option<&'static dyn Bubble>,
    /// Its number; 0: it is in none.
    pub bubble_id: u32,
}

/// A bubble (`sched::bubble`), for what its goroutines do. Preemption is disabled in all of these.
pub trait Bubble: Sync {
    /// Its clock.
    fn now_ns(&self) -> u64;
    /// A goroutine of it has been made.
    fn made(&self);
    /// `g`, the running goroutine, is of it no more, or has ended; the bubble may be gone then.
    fn ended(&self, g: &G);
    /// The running goroutine is about to wait durably. Once it has left its stack `left` is called.
    fn parks(&self);
    /// On g0: see `parks`. The bubble may be gone then.
    fn left(&self);
    /// One that waited durably has been made ready.
    fn wakes(&self);
    /// `g`, the running goroutine, is about to wait until all others wait. False: somebody does already.
    fn begin_wait(&self, g: *mut G) -> bool;
    /// The running goroutine sleeps until that time of the bubble's clock.
    fn sleep_until(&self, when_ns: u64);
    /// Arms `timer`, as `timers::arm` does; it fires at once if its time has come.
    fn arm(&self, timer: Arc<dyn Due>, when_ns: u64, period_ns: u64) -> bool;
    /// Disarms it, as `timers::disarm` does.
    fn disarm(&self, timer: &dyn Due) -> bool;
}

/// A timer of whatever kind that runs by the clock of a bubble.
pub trait Due: Send + Sync {
    /// Its state.
    fn state(&self) -> crate::base::lock::LockGuard<'_, crate::timer::State>;
    /// See `Fire`; the state is locked.
    fn fire(self: Arc<Self>, now_ns: u64, out: &mut GQueue);
    /// See `Fire`.
    fn let_go(self: Arc<Self>);
}

impl<T: Fire> Due for Node<T> {
    fn state(&self) -> crate::base::lock::LockGuard<'_, crate::timer::State> {
        self.lock()
    }

    fn fire(self: Arc<Self>, now_ns: u64, out: &mut GQueue) {
        T::fire(&self, now_ns, out);
    }

    fn let_go(self: Arc<Self>) {
        T::let_go(self);
    }
}

/// A test that runs, for what its goroutines do.
pub trait Trial: Sync {
    /// A goroutine of it prints. False: it is to be printed as usual.
    fn print(&self, text: &[u8]) -> bool;

    /// The running goroutine has panicked, and its deferred calls have run: ends it. `report` is what would be printed if the process died of it.
    fn panicked(&self, message: &dyn fmt::Display, report: &dyn fmt::Display) -> !;
}

/// Invariant 2. The caller holds `made`, which nobody runs yet.
pub fn hand_on(maker: &G, made: &G) {
    let group = maker.group.get();
    made.group.set(group);
    // SAFETY: its maker is in the group, and runs.
    if let Some(bubble) = unsafe { of(made) }.and_then(|group| group.bubble) {
        bubble.made();
    }
}

/// `g`, the running goroutine, has a group, and is about to leave its stack and wait. True: it must go by way of g0, which tells the bubble.
#[cold]
#[inline(never)]
pub fn parks(nopreempt: &NoPreempt, g: GPtr, reason: WaitReason) -> bool {
    // SAFETY: R1: the running goroutine is ours.
    let Some(group) = (unsafe { of(g.as_ref()) }) else { return false };
    let Some(bubble) = group.bubble.filter(|_| reason.is_durable()) else { return false };
    bubble.parks();
    // Not the goroutine: behind the commit it may be running, or gone.
    G::current_m(nopreempt).call.set(Some((has_left, ptr::from_ref(group).cast_mut().cast())));
    true
}

/// On g0: a goroutine of this group waits durably.
unsafe fn has_left(group: *mut G) {
    // SAFETY: a bubble waits for this call before it ends.
    if let Some(bubble) = unsafe { (*group.cast::<Group>()).bubble } {
        bubble.left();
    }
}

/// `g`, which has a group and had been waiting, is runnable and the caller's.
#[cold]
#[inline(never)]
pub fn made_ready(g: &G) {
    if g.reason().is_durable()
        // SAFETY: invariant 3.
        && let Some(bubble) = unsafe { of(g) }.and_then(|group| group.bubble)
    {
        bubble.wakes();
    }
}

/// How many bubbles there are.
pub static BUBBLES: AtomicU32 = AtomicU32::new(0);

/// The same of a whole queue. It is looked through in a program that has a bubble just now, and in no other.
#[inline(always)]
pub fn all_made_ready(goroutines: &GQueue) {
    if BUBBLES.load(Relaxed) != 0 {
        each_made_ready(goroutines);
    }
}

#[cold]
#[inline(never)]
fn each_made_ready(goroutines: &GQueue) {
    // SAFETY: R3: what is in the queue is ours.
    goroutines.for_each(|g| made_ready(unsafe { &*g }));
}

/// `g`, the running goroutine, ends.
pub fn ended(g: &G) {
    // SAFETY: R1: the running goroutine is ours.
    if let Some(bubble) = unsafe { of(g) }.and_then(|group| group.bubble) {
        bubble.ended(g);
    }
}

/// The group of `g`.
///
/// # Safety
/// `g` is the running goroutine's, or one that cannot end.
#[inline(always)]
unsafe fn of(g: &G) -> Option<&'static Group> {
    // SAFETY: invariant 3: it lives for as long as this code runs on one of its goroutines, and no caller keeps it for longer.
    unsafe { g.group.get().cast::<Group>().as_ref() }
}

/// The group of the running goroutine, while that runs.
#[inline(always)]
pub fn current() -> Option<&'static Group> {
    // SAFETY: R1: the running goroutine is ours.
    unsafe { of(G::current().as_ref()) }
}

/// The test of the running goroutine.
#[inline(always)]
pub fn trial() -> Option<&'static dyn Trial> {
    current().and_then(|group| group.trial)
}

/// The bubble of the running goroutine.
#[inline(always)]
pub fn bubble() -> Option<&'static dyn Bubble> {
    current().and_then(|group| group.bubble)
}

/// The number of the last bubble that was made; 0: there has been none.
pub static LAST_BUBBLE: AtomicU32 = AtomicU32::new(0);

/// Its number; 0: there is none. In a program that has never had a bubble: a load of a word that nobody writes.
#[inline(always)]
pub fn bubble_id() -> u32 {
    if LAST_BUBBLE.load(Relaxed) == 0 { 0 } else { bubble_id_here() }
}

#[cold]
#[inline(never)]
fn bubble_id_here() -> u32 {
    current().map_or(0, |group| group.bubble_id)
}

/// The number of the bubble of `g`; 0: there is none. A descriptor is believed only in a program that has had a bubble: it may be smashed where somebody looks at
/// it for a trace.
///
/// # Safety
/// `g` is the running goroutine's, or one that cannot end.
pub unsafe fn bubble_id_of(g: &G) -> u32 {
    if LAST_BUBBLE.load(Relaxed) == 0 {
        return 0;
    }
    // SAFETY: the caller's contract.
    unsafe { of(g) }.map_or(0, |group| group.bubble_id)
}

/// A group that is to be handed on later, where it is not the running goroutine's: by a timer that fires.
#[derive(Clone, Copy)]
pub struct Ticket(*const ());

// SAFETY: the word alone is carried; what is behind it is looked at by goroutines of the group.
unsafe impl Send for Ticket {}
// SAFETY: as above.
unsafe impl Sync for Ticket {}

impl Ticket {
    /// For the running goroutine's group.
    pub fn take() -> Ticket {
        // SAFETY: R1: the running goroutine is ours.
        Ticket(unsafe { G::current().as_ref() }.group.get())
    }

    /// The caller holds `made`, which nobody runs yet: it belongs to this group, if its maker belongs to none, as a g0 does.
    pub fn hand_on(self, made: &G) {
        if made.group.get().is_null() {
            made.group.set(self.0);
        }
    }
}

/// The running goroutine belongs to `group` from now on.
pub fn enter(group: &'static Group) {
    extras::begin(extras::GROUPS);
    // SAFETY: R1: the running goroutine is ours.
    unsafe { G::current().as_ref() }.group.set(ptr::from_ref(group).cast());
}

/// The running goroutine, a bubble's root, goes back to the group that it was in; nobody counts it any more.
pub fn leave_for(group: Option<&'static Group>) {
    // SAFETY: R1: the running goroutine is ours.
    unsafe { G::current().as_ref() }.group.set(group.map_or(ptr::null(), |group| ptr::from_ref(group).cast()));
}

/// `g`, the running goroutine, belongs to none from now on.
pub fn leave_all(g: &G) {
    if !g.group.get().is_null() {
        let _nopreempt = NoPreempt::new();
        ended(g);
        g.group.set(ptr::null());
    }
}

/// Tells what was going on when the process died, by the function it is given. It takes no lock, and does not allocate.
pub type Witness = fn(&mut dyn FnMut(&[u8]));

static WITNESS: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

/// Has `witness` asked if the process dies.
pub fn set_witness(witness: Witness) {
    WITNESS.store(witness as *mut (), Release);
}

/// The process dies.
pub fn ask_witness(print: &mut dyn FnMut(&[u8])) {
    let witness = WITNESS.load(Acquire);
    if !witness.is_null() {
        // SAFETY: only `set_witness` writes the word, and only with a `Witness`.
        let witness: Witness = unsafe { core::mem::transmute(witness) };
        witness(print);
    }
}
