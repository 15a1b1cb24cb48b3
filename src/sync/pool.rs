//! `Pool`: values that are kept for whoever needs one next. Unsafe code is allowed here, for what is made at the first use.
//!
//! 1. Each P has a shard: values under a runtime lock that only it takes, as a rule. Who finds nothing in its own looks at the others'.
//! 2. A shard keeps `KEPT` values at most; what is put in beyond is dropped by who puts it.
//! 3. When the program falls idle (`sched::scavenge`: where memory is given back, and where Go would collect), all pools age: what was a victim is dropped, what was there
//!    becomes a victim. A victim is as good as any other value, but is taken last. So what nobody needs is gone after two such moments.
//! 4. Values are user code's: they are made, and dropped, with no lock held and preemption as it was. They are aged on the finalizer goroutine.
//!
//! Rejected: to age by a timer (an armed one keeps a deadlock from being seen, and an idle program has none); Go's lock-free rings (they pay where the lock of a P is fought for,
//! which it is only by those that find their own shard empty); values without a bound (what a burst has left would stay for as long as the program is busy).

#![allow(unsafe_code)]

use crate::base::NoPreempt;
use crate::base::lock::{Lock, Rank};
use crate::base::tune::{POOL_KEPT, POOL_KEPT_BYTES};
use crate::gmp::{P, SCHED, require_runtime};
use crate::sched::{finalizer, scavenge};
use crate::sys::alarm::NEVER;
use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::fmt;
use core::mem::{replace, take};
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed};

/// Values to use again, instead of making and dropping one each time: buffers, as a rule. Any goroutine puts them in and takes them out.
///
/// A pool may lose any value at any time, and drops it on a goroutine of its own (that of finalizers). It keeps 256 of each P at most (fewer if they have more than 256 bytes: 64 KiB of them, but 8 always; what is behind a `Box` or a `Vec` does not
/// count), and drops what nobody has taken out when the program falls idle for the second time since.
///
/// Source: Go package sync, Pool. There a collection is what ages it, and it has no bound.
///
/// ```no_run
/// # extern crate alloc;
/// # use alloc::vec::Vec;
/// # fn main() {
/// use gort::sync::Pool;
/// static BUFFERS: Pool<Vec<u8>> = Pool::new(Vec::new);
/// let mut buffer = BUFFERS.get();
/// buffer.extend_from_slice(b"hello");
/// buffer.clear();
/// BUFFERS.put(buffer);
/// # }
/// ```
pub struct Pool<T, F = fn() -> T> {
    make: F,
    /// One count of an `Arc<Shards<T>>`; null before the first use.
    shards: AtomicPtr<Shards<T>>,
}

// SAFETY: it hands values from goroutine to goroutine, one at a time; the pointer is an `Arc`'s.
unsafe impl<T: Send, F: Sync> Sync for Pool<T, F> {}
// SAFETY: as above.
unsafe impl<T: Send, F: Send> Send for Pool<T, F> {}

/// More Ps share shards.
const SHARDS_MAX: usize = 256;

struct Shards<T> {
    /// A power of two.
    shards: Box<[Shard<T>]>,
}

#[repr(align(128))]
struct Shard<T> {
    /// How many values it has: who finds none here need not take the lock.
    len: AtomicUsize,
    held: Lock<Held<T>>,
}

struct Held<T> {
    values: Vec<T>,
    victims: Vec<T>,
}

impl<T, F> Pool<T, F> {
    /// An empty pool; `make` makes a value where there is none.
    pub const fn new(make: F) -> Pool<T, F> {
        Pool { make, shards: AtomicPtr::new(ptr::null_mut()) }
    }
}

impl<T: Send + 'static, F: Fn() -> T> Pool<T, F> {
    /// Takes a value out, or makes one.
    ///
    /// Source: Go package sync, Pool.Get.
    #[inline]
    pub fn get(&self) -> T {
        self.try_get().unwrap_or_else(&self.make)
    }
}

impl<T: Send + 'static, F> Pool<T, F> {
    /// Takes a value out; none if there is none.
    ///
    /// Source: Go package sync, Pool.Get of a pool without New.
    pub fn try_get(&self) -> Option<T> {
        // SAFETY: what is there stays until the pool is dropped.
        unsafe { self.shards.load(Acquire).as_ref() }?.take()
    }

    /// Puts a value in, for whoever needs one. It is dropped if there are enough.
    ///
    /// Source: Go package sync, Pool.Put.
    pub fn put(&self, value: T) {
        drop(self.shards().put(value));
    }

    /// Drops what is in it. Values that are put in meanwhile may stay.
    pub fn clear(&self) {
        // SAFETY: as in `try_get`.
        if let Some(shards) = unsafe { self.shards.load(Acquire).as_ref() } {
            shards.age();
            shards.age();
        }
    }

    fn shards(&self) -> &Shards<T> {
        let shards = self.shards.load(Acquire);
        // SAFETY: as in `try_get`.
        unsafe { shards.as_ref() }.unwrap_or_else(|| self.first_use())
    }

    #[cold]
    fn first_use(&self) -> &Shards<T> {
        require_runtime();
        let made = Arc::new(Shards::new());
        let raw = Arc::into_raw(made.clone()).cast_mut();
        match self.shards.compare_exchange(ptr::null_mut(), raw, AcqRel, Acquire) {
            Ok(_) => {
                let weak: Weak<Shards<T>> = Arc::downgrade(&made);
                register(weak);
                // SAFETY: as in `try_get`.
                unsafe { &*raw }
            }
            Err(others) => {
                // SAFETY: it came from `into_raw` above; what is there is as in `try_get`.
                unsafe {
                    drop(Arc::from_raw(raw));
                    &*others
                }
            }
        }
    }
}

impl<T, F> Drop for Pool<T, F> {
    fn drop(&mut self) {
        let shards = *self.shards.get_mut();
        if !shards.is_null() {
            // SAFETY: it came from `into_raw`, and is the pool's own count.
            drop(unsafe { Arc::from_raw(shards) });
        }
    }
}

impl<T, F> fmt::Debug for Pool<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: as in `try_get`.
        let shards = unsafe { self.shards.load(Acquire).as_ref() };
        let len: usize = shards.map_or(0, |shards| shards.shards.iter().map(|shard| shard.len.load(Relaxed)).sum());
        f.debug_struct("Pool").field("len", &len).finish()
    }
}

impl<T> Shard<T> {
    /// Invariant 2.
    const KEPT: usize = {
        let by_bytes = POOL_KEPT_BYTES / if size_of::<T>() == 0 { 1 } else { size_of::<T>() };
        if by_bytes > POOL_KEPT {
            POOL_KEPT
        } else if by_bytes < 8 {
            8
        } else {
            by_bytes
        }
    };

    fn pop(&self, victims_too: bool) -> Option<T> {
        if self.len.load(Relaxed) == 0 {
            return None;
        }
        let mut held = self.held.lock();
        let value = match held.values.pop() {
            None if victims_too => held.victims.pop(),
            value => value,
        };
        self.len.store(held.values.len() + held.victims.len(), Relaxed);
        value
    }

    /// The value comes back if there are enough.
    fn push(&self, value: T) -> Option<T> {
        let mut held = self.held.lock();
        if held.values.len() + held.victims.len() >= Self::KEPT {
            return Some(value);
        }
        held.values.push(value);
        self.len.store(held.values.len() + held.victims.len(), Relaxed);
        None
    }
}

impl<T> Shards<T> {
    fn new() -> Shards<T> {
        // GOMAXPROCS may grow: then some Ps share one.
        let count = (SCHED.procs.load(Relaxed) as usize).next_power_of_two().min(SHARDS_MAX);
        let shard = || Shard { len: AtomicUsize::new(0), held: Lock::new(Rank::Sync, Held { values: Vec::new(), victims: Vec::new() }) };
        Shards { shards: (0..count).map(|_| shard()).collect() }
    }

    /// The number of this P's shard; inside a system call, the first.
    fn own(&self) -> usize {
        let nopreempt = NoPreempt::new();
        P::current_or_none(&nopreempt).map_or(0, |p| p.id as usize) & (self.shards.len() - 1)
    }

    fn take(&self) -> Option<T> {
        let own = self.own();
        let own = |n: usize| &self.shards[(own + n) & (self.shards.len() - 1)];
        let all = 0..self.shards.len();
        all.clone().find_map(|n| own(n).pop(false)).or_else(|| all.clone().find_map(|n| own(n).pop(true)))
    }

    fn put(&self, value: T) -> Option<T> {
        let refused = self.shards[self.own()].push(value);
        // Said after it is there: who ages takes this back before.
        if !SOME_HOLD.load(Relaxed) {
            some_hold();
        }
        refused
    }
}

/// A pool of whatever type.
trait Age: Send + Sync {
    /// Invariant 3. True: it still has something.
    fn age(&self) -> bool;
}

impl<T: Send> Age for Shards<T> {
    fn age(&self) -> bool {
        let mut some = false;
        for shard in &self.shards {
            let mut held = shard.held.lock();
            let values = take(&mut held.values);
            let gone = replace(&mut held.victims, values);
            shard.len.store(held.victims.len(), Relaxed);
            some |= !held.victims.is_empty();
            drop(held);
            drop(gone);
        }
        some
    }
}

/// Does any pool have a value, perhaps?
static SOME_HOLD: AtomicBool = AtomicBool::new(false);

struct Registry {
    pools: Vec<Weak<dyn Age>>,
    /// Where the next look for pools that are gone begins.
    looked: usize,
}

#[cold]
fn some_hold() {
    let has_p = P::current_or_none(&NoPreempt::new()).is_some();
    if has_p {
        finalizer::ensure();
    }
    // Else, in a system call, the next one who puts something in after the program has fallen idle does it.
    SOME_HOLD.store(true, Relaxed);
}

static POOLS: Lock<Registry> = Lock::new(Rank::Sync, Registry { pools: Vec::new(), looked: 0 });

fn register(pool: Weak<dyn Age>) {
    let mut gone = [None, None];
    {
        let mut registry = POOLS.lock();
        // Two looks for each that comes: those that are gone are never more than those that are there.
        for gone in &mut gone {
            let at = registry.looked % registry.pools.len().max(1);
            registry.looked = at + 1;
            if registry.pools.get(at).is_some_and(|pool| pool.strong_count() == 0) {
                *gone = Some(registry.pools.swap_remove(at));
            }
        }
        registry.pools.push(pool);
    }
    drop(gone);
    scavenge::POOLS.begin(fell_idle);
}

/// On sysmon: the program has fallen idle.
fn fell_idle(_: u64) -> u64 {
    if SOME_HOLD.swap(false, Relaxed) {
        finalizer::queue(Box::new(age_all));
    }
    NEVER
}

/// On the finalizer goroutine. Backwards: a pool that takes the place of one that is gone has had its turn, or has another.
fn age_all() {
    let mut left = POOLS.lock().pools.len();
    while left != 0 {
        left -= 1;
        let pool = POOLS.lock().pools.get(left).and_then(Weak::upgrade);
        if pool.is_some_and(|pool| pool.age()) {
            SOME_HOLD.store(true, Relaxed);
        }
    }
}
