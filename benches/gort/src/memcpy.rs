//! Copying, filling and comparing memory: what `memcpy` and its kin cost a call, beside glibc's.
//!
//! 1. This one source runs on both sides. It asks core for a copy of a length known only at run time, which the compiler turns into a call of
//!    `memcpy`, `memmove`, `memset`, `memcmp`, `bcmp` or `strlen`: the routine measured is the one that the program is linked with. So the file
//!    needs neither gort nor std; the clock (monotonic, in nanoseconds) and the printer are handed in.
//! 2. The addresses and lengths come from a table that the optimiser cannot see. A row's lengths vary within one class of sizes, its offsets
//!    over a cache line: the branches inside are predictable, the alignments are not. `copy_mixed` draws lengths from 0 to 64 out of a table too
//!    long to be learned: there the branch misses are counted in.
//! 3. Everything stays in the caches of the core after the first lap, which is not measured; the 1 MiB row lives in the second level or beyond.
//! 4. A row is the best of `LAPS` laps: what disturbs a lap of this kind only makes it longer.

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char};
use core::hint::black_box;
use core::sync::atomic::{AtomicBool, Ordering};

const LAPS: usize = 5;
/// Longer than a branch predictor remembers. A power of two.
const CALLS: usize = 4096;
const LONGEST: usize = 1 << 20;
/// Offsets vary by less than this.
const LINE: usize = 64;

/// One call: the distances from the start of both areas, and the length.
#[derive(Clone, Copy)]
struct Call {
    to: usize,
    from: usize,
    len: usize,
}

/// Page-aligned, so that a row finds the same alignments on both sides.
#[repr(C, align(4096))]
struct Memory {
    from: [u8; LONGEST + 4096],
    to: [u8; LONGEST + 4096],
    calls: [Call; CALLS],
}

struct Area(UnsafeCell<Memory>);

// SAFETY: only `run` touches it, and `RUNNING` lets one in at a time.
unsafe impl Sync for Area {}

static RUNNING: AtomicBool = AtomicBool::new(false);

static AREA: Area = Area(UnsafeCell::new(Memory { from: [0; LONGEST + 4096], to: [0; LONGEST + 4096], calls: [Call { to: 0, from: 0, len: 0 }; CALLS] }));

fn copy(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: two areas of a row's table, apart from each other.
    unsafe { core::ptr::copy_nonoverlapping(from, to, len) }
}

/// Within one area, to an address a little above: the backward copy.
fn move_up(to: *mut u8, _from: *const u8, len: usize) {
    // SAFETY: the area is a page longer than the longest call.
    unsafe { core::ptr::copy(to, to.add(LINE + 1), len) }
}

/// Within one area, to an address a little below.
fn move_down(to: *mut u8, _from: *const u8, len: usize) {
    // SAFETY: the area is a page longer than the longest call.
    unsafe { core::ptr::copy(to.add(LINE + 1), to, len) }
}

fn fill(to: *mut u8, _from: *const u8, len: usize) {
    // SAFETY: an area of a row's table.
    unsafe { core::ptr::write_bytes(to, len as u8, len) }
}

fn compare(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: two areas of a row's table.
    let (a, b) = unsafe { (core::slice::from_raw_parts(to, len), core::slice::from_raw_parts(from, len)) };
    assert!(black_box(a.cmp(b)).is_eq());
}

fn equal(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: two areas of a row's table.
    let (a, b) = unsafe { (core::slice::from_raw_parts(to, len), core::slice::from_raw_parts(from, len)) };
    assert!(black_box(a == b));
}

/// Runs every row and hands `out` its name, its nanoseconds a call, and the unit.
///
/// `n` is the number of small calls a lap; rows of long calls make as many as move the bytes of `n` calls of 1024, at least 16. `clock` is
/// monotonic, in nanoseconds. One `run` at a time, or it panics: it uses static memory.
pub fn run(n: usize, clock: fn() -> u64, out: &mut dyn FnMut(&str, f64, &str)) {
    assert!(!RUNNING.swap(true, Ordering::Acquire), "memcpy: two runs at once");
    // SAFETY: one `run` at a time: nobody else has a reference.
    let memory = unsafe { &mut *AREA.0.get() };
    let mut row = Rows { n, clock, memory, out };
    row.measure("copy_8", 8, 8, copy);
    row.measure("copy_24", 17, 24, copy);
    row.measure("copy_64", 49, 64, copy);
    row.measure("copy_mixed", 0, 64, copy);
    row.measure("copy_200", 177, 200, copy);
    row.measure("copy_1024", 961, 1024, copy);
    row.measure("copy_16384", 15361, 16384, copy);
    row.measure("copy_1m", LONGEST - 4096, LONGEST, copy);
    row.measure("move_up_1024", 961, 1024, move_up);
    row.measure("move_down_1024", 961, 1024, move_down);
    row.measure("move_up_1m", LONGEST - 4096, LONGEST, move_up);
    row.measure("set_24", 17, 24, fill);
    row.measure("set_64", 49, 64, fill);
    row.measure("set_4096", 3841, 4096, fill);
    row.measure("set_1m", LONGEST - 4096, LONGEST, fill);
    row.measure("compare_24", 17, 24, compare);
    row.measure("compare_64", 49, 64, compare);
    row.measure("compare_4096", 3841, 4096, compare);
    row.measure("equal_64", 49, 64, equal);
    let end = row.memory.from[..=64 + LINE].as_ptr_range().end.wrapping_sub(1);
    row.measure("strlen_64", 49, 64, |_, _, len| {
        // SAFETY: `prepare` put a zero at `end`, the first behind the ones.
        let found = unsafe { CStr::from_ptr(end.wrapping_sub(len).cast::<c_char>()) }.count_bytes();
        assert!(black_box(found) == len);
    });
    RUNNING.store(false, Ordering::Release);
}

struct Rows<'a> {
    n: usize,
    clock: fn() -> u64,
    memory: &'a mut Memory,
    out: &'a mut dyn FnMut(&str, f64, &str),
}

impl Rows<'_> {
    /// One row: calls of `action` with lengths from `shortest` to `longest`. Monomorphic, so that the routine is called directly.
    fn measure<A: Fn(*mut u8, *const u8, usize)>(&mut self, name: &str, shortest: usize, longest: usize, action: A) {
        self.memory.prepare(shortest, longest);
        let calls = self.n.min(self.n.saturating_mul(1024) / longest).max(16);
        let mut best = u64::MAX;
        for lap in 0..=LAPS {
            let start = (self.clock)();
            self.memory.call_all(calls, &action);
            let took = (self.clock)() - start;
            if lap > 0 {
                best = best.min(took);
            }
        }
        (self.out)(name, best as f64 / calls as f64, "ns");
    }
}

impl Memory {
    /// Both areas hold ones, `from` a zero behind what calls reach, for `strlen`; the table gets new calls.
    fn prepare(&mut self, shortest: usize, longest: usize) {
        self.to.fill(1);
        self.from.fill(1);
        self.from[longest + LINE] = 0;
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut below = |limit: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as usize % limit
        };
        for call in &mut self.calls {
            // Half a page apart, modulo the page: else a load would seem to read what a store has just written.
            *call = Call { to: 2048 + below(LINE), from: below(LINE), len: shortest + below(longest - shortest + 1) };
        }
    }

    #[inline(never)]
    fn call_all<A: Fn(*mut u8, *const u8, usize)>(&mut self, calls: usize, action: &A) {
        let (to, from) = (self.to.as_mut_ptr(), self.from.as_ptr());
        for i in 0..calls {
            let call = black_box(&self.calls)[i % CALLS];
            action(to.wrapping_add(call.to), from.wrapping_add(call.from), call.len);
        }
    }
}
