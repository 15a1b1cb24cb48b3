//! Groups: what goroutines hand on to those that they make: the test that they belong to.
//!
//! 1. `G::group` is null in every goroutine of a program that is not made of tests: who looks pays for one load of a word and one branch. What is behind it is
//!    reached by `dyn` alone, so that other programs do not carry it.
//! 2. A goroutine has the group of the one that made it. Only the goroutine itself changes it later.
//! 3. A group lives for as long as one of its goroutines does.

use crate::gmp::G;
use core::fmt;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering::Acquire, Ordering::Release};

/// See the head of this file.
pub struct Group {
    /// The test.
    pub trial: &'static dyn Trial,
}

/// A test that runs, for what its goroutines do.
pub trait Trial: Sync {
    /// A goroutine of it prints. False: it is to be printed as usual.
    fn print(&self, text: &[u8]) -> bool;

    /// The running goroutine has panicked, its deferred calls have run, and it will end. `report` is what would be printed if the process died of it.
    fn panicked(&self, message: &dyn fmt::Display, report: &dyn fmt::Display);
}

/// Invariant 2. The caller holds `made`, which nobody runs yet.
#[inline(always)]
pub fn hand_on(maker: &G, made: &G) {
    made.group.set(maker.group.get());
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

    /// The caller holds `made`, which nobody runs yet: it belongs to this group. A test's group lives for ever (invariant 3).
    pub fn hand_on(self, made: &G) {
        made.group.set(self.0);
    }
}

/// The running goroutine belongs to `group` from now on.
pub fn enter(group: &'static Group) {
    // SAFETY: R1: the running goroutine is ours.
    unsafe { G::current().as_ref() }.group.set(ptr::from_ref(group).cast());
}

/// `g`, the running goroutine, belongs to none.
pub fn leave(g: &G) {
    g.group.set(ptr::null());
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
