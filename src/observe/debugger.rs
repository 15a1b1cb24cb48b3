//! What a debugger must know to find goroutines: `GORT_DEBUG`, a constant table of offsets and addresses, and the gdb script that reads it.
//!
//! 1. The table is all that `gort-gdb.py` knows of this version of gort: programs are built without types in their debug information, or without any.
//! 2. Whoever adds a field, or changes the order or the meaning of one, counts `VERSION` up, here and in the script.
//! 3. The script is a section of each program that no segment loads: it costs no memory, `strip` removes it, and it fits the program that it comes with.
//! 4. No code reads any of this. `keep` names the table so that no linker takes it for unused.
//!
//! Rejected: a `NAME-gdb.py` beside the program (gdb trusts it no more than the section, and it gets lost on the way to where the core file is);
//! rustc's `debugger_visualizer` (it lies in loaded memory, and only programs with rustc's own `main` keep it); `#[used]` alone (linkers collect it).

use super::crash;
use crate::arch::block::Tls;
use crate::arch::header::GHeader;
use crate::arch::switch::Suspended;
use crate::base::tune::STACK_MIN_BYTES;
use crate::gmp::g::{REASON_AT, STATUS_AT};
use crate::gmp::{G, M, WaitReason};
use crate::mem::stack::{DESCRIPTOR_BYTES, layout};
use crate::sys::memory::PAGE;
use core::mem::offset_of;

const VERSION: u16 = 1;

/// The words of `Status`, in the order of their numbers.
const STATES: &str = "dead,runnable,running,waiting,syscall";

const FIELDS: usize = 31;

/// See the head of this file. `gort-gdb.py`, `FIELDS`, has the same fields in the same order.
#[repr(C)]
pub struct Table {
    magic: [u8; 8],
    version: u16,
    bytes: u16,
    stack_min_bytes: u32,
    arenas: *const (),
    count: *const (),
    /// A function of gort's: by its file gdb knows those of gort.
    own: *const (),
    fields: [u16; FIELDS],
    words: Words,
}

/// The words of states, and behind a zero those of wait reasons; zeros end them.
type Words = [u8; WORDS_BYTES];

// SAFETY: nothing in it ever changes.
unsafe impl Sync for Table {}

/// The table. Its name is looked up in the program's symbols.
#[unsafe(no_mangle)]
pub static GORT_DEBUG: Table = Table {
    magic: *b"gort-dbg",
    version: VERSION,
    bytes: size_of::<Table>() as u16,
    stack_min_bytes: STACK_MIN_BYTES as u32,
    arenas: layout::ARENAS_AT.cast(),
    count: layout::COUNT_AT.cast(),
    own: crash::fatal as *const (),
    fields: [
        small(PAGE),
        small(DESCRIPTOR_BYTES),
        small(layout::ARENAS_MAX),
        small(layout::BASE),
        small(layout::SLOTS),
        small(layout::CLASS),
        small(layout::ROWS),
        small(layout::ROW_BYTES),
        small(layout::ROW_STATE),
        layout::DIRTY as u16,
        small(size_of::<G>()),
        small(offset_of!(GHeader, sp)),
        small(offset_of!(GHeader, stack_lo)),
        small(offset_of!(GHeader, stack_hi)),
        small(STATUS_AT),
        small(REASON_AT),
        small(offset_of!(G, started)),
        small(offset_of!(G, id)),
        small(offset_of!(G, parent)),
        small(offset_of!(G, locked_m)),
        small(size_of::<Suspended>()),
        small(offset_of!(Suspended, go_on)),
        small(offset_of!(Suspended, rbx)),
        small(offset_of!(Suspended, rbp)),
        small(offset_of!(Tls, this)),
        small(offset_of!(Tls, g)),
        small(offset_of!(Tls, m)),
        small(offset_of!(M, g0)),
        small(offset_of!(M, gsignal)),
        small(offset_of!(M, id)),
        small(offset_of!(M, tid)),
    ],
    words: words(),
};

static_assertions::const_assert_eq!(offset_of!(G, header), 0);
static_assertions::const_assert_eq!(offset_of!(M, tls), 0);
// What every program pays.
static_assertions::const_assert!(size_of::<Table>() < 640);

const fn small(n: usize) -> u16 {
    assert!(n <= u16::MAX as usize, "does not fit into the table");
    n as u16
}

const WORDS_BYTES: usize = {
    let (mut bytes, mut i) = (STATES.len() + 1, 0);
    while i < WaitReason::ALL.len() {
        bytes += WaitReason::ALL[i].1.len() + 1;
        i += 1;
    }
    bytes
};

const fn words() -> Words {
    let mut words = [0; WORDS_BYTES];
    let mut at = put(&mut words, 0, STATES);
    let mut i = 0;
    while i < WaitReason::ALL.len() {
        at = put(&mut words, at + 1, WaitReason::ALL[i].1);
        if i + 1 < WaitReason::ALL.len() {
            words[at] = b',';
        }
        i += 1;
    }
    words
}

const fn put(words: &mut Words, at: usize, text: &str) -> usize {
    let mut i = 0;
    while i < text.len() {
        words[at + i] = text.as_bytes()[i];
        i += 1;
    }
    at + i
}

/// Has the linker keep the table. Costs two instructions, once.
#[inline(always)]
pub fn keep() {
    core::hint::black_box(&raw const GORT_DEBUG);
}

// Invariant 3. 4 is gdb's number for an inlined script in Python, whose first line is its name.
core::arch::global_asm!(
    ".pushsection .debug_gdb_scripts,\"MS\",@progbits,1",
    ".byte 4",
    ".ascii \"gdb.inlined-script.gort\\n\"",
    concat!(".incbin \"", env!("CARGO_MANIFEST_DIR"), "/src/observe/gort-gdb.py\""),
    ".byte 0",
    ".popsection",
);

/// So that cargo knows what the section is made from.
const _: &str = include_str!("gort-gdb.py");
