//! Which goroutines a goroutine descends from, with where they were as they made the next: for traces, and only with `GODEBUG=tracebackancestors=N`.
//!
//! 1. One block of words at the descriptor: its length, then a record for each of at most N ancestors, the parent first: its number, where it was made,
//!    how many frames, the frames. Made by `spawn`, given back as the goroutine ends.
//! 2. Without the knob a spawn and an end cost nothing but what `extras` does.
//! 3. `tracebackswarmancestors=M` caps N.

use super::extras;
use crate::gmp::{G, env};
use alloc::alloc::{alloc, dealloc};
use core::alloc::Layout;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering::Relaxed};

/// So many of each one's frames are kept: Go's number.
pub const FRAMES: usize = gort_trace::goroutine::ENDS;
/// More ancestors are not kept.
const DEPTH_MAX: u32 = 1000;

/// Fills in the return addresses of the caller's callers, and says how many.
pub type Callers = fn(&mut [usize; FRAMES]) -> usize;

static DEPTH: AtomicU32 = AtomicU32::new(0);
static CALLERS: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

/// Reads the knobs. `callers` is asked from then on.
pub fn set_up(callers: Callers) {
    let knob = |name, without| env::godebug(name).map_or(without, env::digits);
    let depth = knob(b"tracebackancestors", 0).min(knob(b"tracebackswarmancestors", DEPTH_MAX)).min(DEPTH_MAX);
    CALLERS.store(callers as *mut (), Relaxed);
    DEPTH.store(depth, Relaxed);
    if depth != 0 {
        extras::begin(extras::ANCESTORS);
    }
}

/// `child` has just been made by the running goroutine.
pub fn record(child: &G) {
    if DEPTH.load(Relaxed) != 0 {
        record_all(child);
    }
}

#[cold]
#[inline(never)]
fn record_all(child: &G) {
    // SAFETY: R1: the running goroutine.
    let parent = unsafe { &*G::current().as_ptr() };
    if parent.id() == 0 {
        return;
    }
    // SAFETY: only `set_up` writes the word, before the depth.
    let callers: Callers = unsafe { core::mem::transmute(CALLERS.load(Relaxed)) };
    let mut frames = [0; FRAMES];
    let count = callers(&mut frames);
    let theirs = of(parent);
    let mut rest = theirs;
    for _ in 1..DEPTH.load(Relaxed) {
        let [_, _, count, more @ ..] = rest else { break };
        rest = more.get(*count..).unwrap_or(&[]);
    }
    let kept = theirs.len() - rest.len();
    let length = 4 + count + kept;
    let Ok(layout) = Layout::array::<usize>(length) else { return };
    // SAFETY: the layout is not empty; the words that are written are inside.
    unsafe {
        let block = alloc(layout).cast::<usize>();
        if block.is_null() {
            return;
        }
        for (n, word) in [length, parent.id() as usize, parent.made_at.get(), count].into_iter().enumerate() {
            block.add(n).write(word);
        }
        block.add(4).copy_from_nonoverlapping(frames.as_ptr(), count);
        block.add(4 + count).copy_from_nonoverlapping(theirs.as_ptr(), kept);
        child.ancestors.set(block);
    }
}

/// The ancestors of `g`, as invariant 1 has it, without the length. For itself, or while it does not run.
pub fn of(g: &G) -> &[usize] {
    let block = if DEPTH.load(Relaxed) != 0 { g.ancestors.get() } else { ptr::null_mut() };
    // SAFETY: the word is null, or what `record_all` made, which lives until `forget`.
    if block.is_null() { &[] } else { unsafe { core::slice::from_raw_parts(block.add(1), *block - 1) } }
}

/// `g`, which runs, ends.
pub fn forget(g: &G) {
    if !g.ancestors.get().is_null() {
        forget_all(g);
    }
}

#[cold]
#[inline(never)]
fn forget_all(g: &G) {
    let block = g.ancestors.replace(ptr::null_mut());
    // SAFETY: `record_all` made it, of that length, and nobody else has seen it.
    unsafe {
        if let Ok(layout) = Layout::array::<usize>(*block) {
            dealloc(block.cast(), layout);
        }
    }
}
