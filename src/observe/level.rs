//! GOTRACEBACK: how much a program that dies says.
//!
//! 1. As in Go: the environment's value is the least that holds; `debug::set_traceback` may ask for more, never for less.
//! 2. A set-user-id program (AT_SECURE) never prints a trace: its stacks may hold what its user must not see.

use crate::gmp::env;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use linux_raw_sys::auxvec::AT_SECURE;

const CRASH: u32 = 1;
const ALL: u32 = 2;
const SHIFT: u32 = 2;
/// No value: `set` was never called.
const UNSET: u32 = u32::MAX;

static SET: AtomicU32 = AtomicU32::new(UNSET);

/// What to print.
#[derive(Clone, Copy)]
pub struct Level {
    /// 0: no trace; 1: without the runtime's frames; 2: with them.
    pub frames: u32,
    /// All goroutines, not only the one that dies.
    pub all: bool,
    /// Then die of SIGABRT, for a core.
    pub crash: bool,
}

#[inline(never)]
fn word(text: &[u8]) -> u32 {
    const WORDS: [(&[u8], u32); 6] = [
        (b"none", 0),
        (b"single", 1 << SHIFT),
        (b"", 1 << SHIFT),
        (b"all", 1 << SHIFT | ALL),
        (b"system", 2 << SHIFT | ALL),
        (b"crash", 2 << SHIFT | ALL | CRASH),
    ];
    let number = || ALL | env::digits(text.strip_prefix(b"+").unwrap_or(text)) << SHIFT;
    WORDS.iter().find(|(word, _)| *word == text).map_or_else(number, |&(_, word)| word)
}

/// Is this process more privileged than who started it?
pub fn is_secure() -> bool {
    env::auxv(AT_SECURE as usize).unwrap_or(0) != 0
}

/// Asks for more.
pub fn set(text: &[u8]) {
    SET.store(word(text), Relaxed);
}

/// What holds now.
pub fn level() -> Level {
    let set = SET.load(Relaxed);
    let word = if is_secure() { 0 } else { word(env::var(b"GOTRACEBACK").unwrap_or_default()) | if set == UNSET { 0 } else { set } };
    Level { frames: word >> SHIFT, all: word & ALL != 0, crash: word & CRASH != 0 }
}
