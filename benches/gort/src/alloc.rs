//! What the global allocator costs: workloads that any program can run, on whatever allocator it has. They read no clock; `run` is given one.
//!
//! | row               | what one pair is                                                                             |
//! |-------------------|----------------------------------------------------------------------------------------------|
//! | `alloc_64`        | one of 1024 blocks of 64 bytes, chosen at random, is freed and allocated anew                |
//! | `alloc_mix`       | the same with a random size of 16 to 512 bytes                                               |
//! | `alloc_cross`     | one side allocates 64 bytes and hands the block over, the other frees it                     |
//!
//! With two, each side of the first two rows has its own table, and the row is the time of one side over its own pairs: what scales perfectly stays
//! the same.

extern crate alloc;

use alloc::alloc::{alloc, dealloc};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::alloc::Layout;
use core::ops::RangeInclusive;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// Blocks that are alive at a time, on each side.
const SLOTS: usize = 1024;
/// Blocks under way between the two sides of `alloc_cross`.
const UNDER_WAY: u64 = 256;
/// The belt moves in portions of so many.
const PORTION: u64 = 32;
/// Bytes of those blocks.
const CROSS_BYTES: usize = 64;

/// What the workloads need of the program that runs them.
pub trait Host {
    /// A clock.
    fn now_ns(&self) -> u64;
    /// Runs both at the same time and waits for them.
    fn both(&self, a: impl FnOnce() + Send, b: impl FnOnce() + Send);
    /// The other side must run.
    fn wait(&self);
    /// One line of the table.
    fn report(&self, workload: &str, metric: &str, value: f64);
}

/// All rows, `n` pairs each.
pub fn run(host: &(impl Host + Sync), n: u64) {
    let per_pair = |work: &dyn Fn()| {
        let start = host.now_ns();
        work();
        (host.now_ns() - start) as f64 / n as f64
    };
    for (name, sizes) in [("alloc_64", 64..=64), ("alloc_mix", 16..=512)] {
        host.report(name, "one ns", per_pair(&|| pairs(1, n, &sizes)));
        host.report(name, "two ns", per_pair(&|| host.both(|| pairs(1, n, &sizes), || pairs(2, n, &sizes))));
    }
    let belt = Belt::new();
    host.report("alloc_cross", "two ns", per_pair(&|| host.both(|| produce(&belt, n, || host.wait()), || consume(&belt, n, || host.wait()))));
}

struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    #[inline]
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 32) * n) >> 32
    }
}

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, 8).unwrap()
}

/// Allocates a block and writes its first word.
#[inline]
fn take(bytes: usize, word: u64) -> *mut u64 {
    // SAFETY: the layout is not empty; the block is that large, and aligned to 8.
    unsafe {
        let block = alloc(layout(bytes)).cast::<u64>();
        assert!(!block.is_null(), "out of memory");
        block.write(word);
        block
    }
}

/// `n` pairs over a table: a block is freed, one of a size from `sizes` takes its place.
pub fn pairs(seed: u64, n: u64, sizes: &RangeInclusive<usize>) {
    let mut random = Random::new(seed);
    let (least, kinds) = (*sizes.start(), (sizes.end() - sizes.start() + 1) as u64);
    let size = |random: &mut Random| if kinds == 1 { least } else { least + random.below(kinds) as usize };
    let mut slots: Vec<(*mut u64, usize)> = (0..SLOTS)
        .map(|at| {
            let bytes = size(&mut random);
            (take(bytes, at as u64), bytes)
        })
        .collect();
    for _ in 0..n {
        let at = random.below(SLOTS as u64) as usize;
        let (block, bytes) = slots[at];
        // SAFETY: in the table, so taken with this size and not freed.
        unsafe {
            assert_eq!(*block, at as u64, "somebody else wrote into a block in use");
            dealloc(block.cast(), layout(bytes));
        }
        let bytes = size(&mut random);
        slots[at] = (take(bytes, at as u64), bytes);
    }
    for (block, bytes) in slots {
        // SAFETY: as above.
        unsafe { dealloc(block.cast(), layout(bytes)) };
    }
}

/// What carries blocks from one side to the other: a ring. Each side tells the other only every `PORTION` blocks how far it is, so that the
/// allocator is measured and not the ring.
pub struct Belt {
    slots: Box<[AtomicPtr<u64>]>,
    laid: Position,
    taken: Position,
}

/// How many blocks have passed one end of the belt. On cache lines of its own.
#[repr(align(128))]
struct Position(AtomicU64);

impl Belt {
    /// An empty one.
    pub fn new() -> Belt {
        let slots = (0..UNDER_WAY).map(|_| AtomicPtr::new(ptr::null_mut())).collect();
        Belt { slots, laid: Position(AtomicU64::new(0)), taken: Position(AtomicU64::new(0)) }
    }

    fn slot(&self, at: u64) -> &AtomicPtr<u64> {
        &self.slots[(at % UNDER_WAY) as usize]
    }
}

impl Default for Belt {
    fn default() -> Belt {
        Belt::new()
    }
}

/// Calls `wait` until `position` has reached `at`.
fn await_position(position: &Position, at: u64, wait: &impl Fn()) {
    while position.0.load(Ordering::Acquire) < at {
        wait();
    }
}

/// Allocates `n` blocks and lays them on an unused belt. `wait` is called while it is full.
pub fn produce(belt: &Belt, n: u64, wait: impl Fn()) {
    for at in 0..n {
        if at % PORTION == 0 {
            belt.laid.0.store(at, Ordering::Release);
            await_position(&belt.taken, (at + PORTION).saturating_sub(UNDER_WAY), &wait);
        }
        belt.slot(at).store(take(CROSS_BYTES, at), Ordering::Relaxed);
    }
    belt.laid.0.store(n, Ordering::Release);
}

/// Takes `n` blocks off the belt and frees them. `wait` is called while it is empty.
pub fn consume(belt: &Belt, n: u64, wait: impl Fn()) {
    for at in 0..n {
        if at % PORTION == 0 {
            belt.taken.0.store(at, Ordering::Release);
            await_position(&belt.laid, (at + PORTION).min(n), &wait);
        }
        let block = belt.slot(at).load(Ordering::Relaxed);
        // SAFETY: the producer took it with this layout and gave it away.
        unsafe {
            assert_eq!(*block, at, "blocks came in another order, or were written to");
            dealloc(block.cast(), layout(CROSS_BYTES));
        }
    }
}
