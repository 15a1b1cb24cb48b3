//! What only some programs do as a goroutine is made and as it ends: all of it behind one word that nobody else writes, so that the others pay one load for it.

use super::{ancestry, group};
use crate::gmp::G;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Ancestors are kept (`ancestry`).
pub const ANCESTORS: u32 = 1;
/// There are groups, or there have been (`group`).
pub const GROUPS: u32 = 2;

static BEGUN: AtomicU32 = AtomicU32::new(0);

/// From now on, and for ever. What is made later on this P, or by whom this is told, takes part.
pub fn begin(what: u32) {
    if BEGUN.load(Relaxed) & what == 0 {
        BEGUN.fetch_or(what, Relaxed);
    }
}

/// `g` has just been made by the running goroutine, and nobody runs it yet.
#[inline(always)]
pub fn made(g: &G) {
    if BEGUN.load(Relaxed) != 0 {
        all_made(g);
    }
}

#[cold]
#[inline(never)]
fn all_made(g: &G) {
    // SAFETY: R1: the running goroutine is ours.
    group::hand_on(unsafe { G::current().as_ref() }, g);
    ancestry::record(g);
}

/// `g`, the running goroutine, ends, and is `Dead` by now.
#[inline(always)]
pub fn ended(g: &G) {
    if BEGUN.load(Relaxed) != 0 {
        all_ended(g);
    }
}

#[cold]
#[inline(never)]
fn all_ended(g: &G) {
    ancestry::forget(g);
    group::ended(g);
}
