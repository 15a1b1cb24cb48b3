//! Queues by address: for goroutines that wait at a word which has no room for a queue of its own. Below semaphores and what is made of them.
//!
//! 1. An address belongs to one bucket. Who waits there is in a queue that is used under the bucket's lock.
//! 2. The addresses of a bucket at which somebody waits are a tree of nodes. A node lies in the sleeper at the head of its queue, and moves to the next
//!    one as that one goes: so it costs no memory, and lives as long as somebody waits.
//! 3. Which child of a node an address is below: the next bit of its hash. Addresses have different hashes, so a path ends where the bits do, and as
//!    a rule after as many as the logarithm of their number: the hash balances the tree.
//! 4. A link between addresses is kept inverted: who looks for leaked goroutines (`sched::leaks`) must not take whoever waits at one address for
//!    reachable from static data, or from another address. And a goroutine waits at the address (`G::at`), not at the bucket's lock.
//! 5. Who announces itself (`Row::announce`) before it looks at its word for the last time is seen (`sleeps`) by whoever changes the word first.
//!
//! Rejected: a queue in each mutex and lock (32 bytes instead of 4); a list of addresses in each bucket (a million locks that are waited for make it
//! long, and it is walked with preemption disabled); Go's treap (its rotations do what the hash does for nothing).

use super::park::park_at;
use super::ready_queue;
use super::waitq::{WaitQueue, Waiter};
use crate::arch::switch::Commit;
use crate::base::NoPreempt;
use crate::base::atomic::{AtomicU32, Ordering, fence_of_rmw};
use crate::base::lock::{FREE, Rank, RawLock};
use crate::base::tune::CLOSE_AT_ONCE;
use crate::gmp::sched::GQueue;
use crate::gmp::{G, WaitReason};
use core::cell::Cell;
use core::mem::ManuallyDrop;
use core::ptr;

#[cfg(not(loom))]
const BUCKET_BITS: u32 = crate::base::tune::SLEEPER_BUCKET_BITS;
// One: addresses differ from run to run, and what a model does may not.
#[cfg(loom)]
const BUCKET_BITS: u32 = 0;

/// A line of its own, so that who waits at one address does not slow who waits at another.
#[repr(align(64))]
struct Bucket {
    lock: RawLock,
    /// How many wait here or are about to. Changed under the lock.
    sleepers: AtomicU32,
    root: Cell<Link>,
}

// SAFETY: invariant 1.
unsafe impl Sync for Bucket {}

#[cfg(not(loom))]
static TABLE: [Bucket; 1 << BUCKET_BITS] =
    [const { Bucket { lock: RawLock::new(), sleepers: AtomicU32::new(0), root: Cell::new(Link::NONE) } }; 1 << BUCKET_BITS];
#[cfg(loom)]
loom::lazy_static! {
    static ref TABLE: [Bucket; 1] = [Bucket { lock: RawLock::new(), sleepers: AtomicU32::new(0), root: Cell::new(Link::NONE) }];
}

/// Invariant 4. Zero is none: no node lies at the last address.
#[derive(Clone, Copy)]
struct Link(usize);

impl Link {
    const NONE: Link = Link(0);

    fn to(node: *const Node) -> Link {
        Link(!node.expose_provenance())
    }

    fn node(self) -> *const Node {
        if self.0 == 0 { ptr::null() } else { ptr::with_exposed_provenance(!self.0) }
    }
}

/// Invariant 2.
struct Node {
    hash: Cell<usize>,
    children: [Cell<Link>; 2],
    queue: WaitQueue,
}

/// A goroutine that waits, on its stack.
struct Sleeper {
    /// Its `slot` is the node below.
    waiter: Waiter,
    node: Node,
}

impl Node {
    fn new() -> Node {
        Node { hash: Cell::new(0), children: [const { Cell::new(Link::NONE) }; 2], queue: WaitQueue::new() }
    }

    /// The node that the sleeper at the head of the queue has room for; the queue is not empty.
    ///
    /// # Safety
    /// The bucket's lock is held.
    unsafe fn at_head(&self) -> *const Node {
        // SAFETY: the caller's contract: who is in the queue is there.
        unsafe { (*self.queue.first()).slot.cast() }
    }
}

/// Different addresses have different ones.
fn hash(address: usize) -> usize {
    // An odd factor, and a shift that can be undone. What differs in few bits, as neighbours do, differs in the low ones after it.
    let product = address.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ product >> 32
}

fn bucket(hash: usize) -> &'static Bucket {
    &TABLE[hash & ((1 << BUCKET_BITS) - 1)]
}

/// Does somebody wait at `address`, or is about to? May be true for the sake of another address.
///
/// Invariant 5: the caller has changed its word by a SeqCst read-modify-write.
#[inline]
pub fn sleeps(address: usize) -> bool {
    fence_of_rmw();
    bucket(hash(address)).sleepers.load(Ordering::SeqCst) != 0
}

/// The queue of an address, locked until this drops.
pub struct Row<'a> {
    nopreempt: &'a NoPreempt,
    bucket: &'static Bucket,
    hash: usize,
    address: usize,
}

/// Locks the queue of `address`.
#[inline]
pub fn lock(nopreempt: &NoPreempt, address: usize) -> Row<'_> {
    let hash = hash(address);
    let bucket = bucket(hash);
    bucket.lock.lock_raw(Rank::Sync);
    Row { nopreempt, bucket, hash, address }
}

impl Drop for Row<'_> {
    fn drop(&mut self) {
        self.bucket.lock.unlock_raw(Rank::Sync);
    }
}

impl Row<'_> {
    /// Invariant 5. `wait` or `withdraw` follows.
    pub fn announce(&self) {
        self.bucket.sleepers.fetch_add(1, Ordering::SeqCst);
        fence_of_rmw();
    }

    /// It need not wait after all.
    pub fn withdraw(&self) {
        self.bucket.sleepers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Waits until somebody takes the running goroutine out, which has announced itself; behind all others, or `first`. True if it was `served`.
    pub fn wait(self, reason: WaitReason, first: bool) -> bool {
        let row = ManuallyDrop::new(self);
        let mut sleeper = Sleeper { waiter: Waiter::new(ptr::null_mut()), node: Node::new() };
        sleeper.waiter.slot = (&raw mut sleeper.node).cast();
        // SAFETY: the lock is held, and freed by the commit; the sleeper stays here until it has been taken out, for the goroutine parks.
        unsafe {
            row.put(&raw mut sleeper, first);
            park_at(row.nopreempt, reason, row.address, Commit::store(row.bucket.lock.hand_to_commit(Rank::Sync), FREE));
        }
        sleeper.waiter.served.get()
    }

    /// Does nobody wait here?
    pub fn is_empty(&self) -> bool {
        // SAFETY: invariant 1.
        unsafe { (*self.find()).get().node().is_null() }
    }

    /// Takes out who is first and tells it whether it is `served`. Null if nobody waits; else the caller makes it ready, once the row is unlocked.
    pub fn pop(&self, served: bool) -> *mut G {
        let place = self.find();
        // SAFETY: invariants 1 and 2.
        unsafe {
            let Some(node) = (*place).get().node().as_ref() else { return ptr::null_mut() };
            let first = node.queue.pop();
            if node.queue.is_empty() {
                remove(&*place, node);
            } else {
                change(&*place, node, node.at_head());
            }
            self.withdraw();
            (*first).served.set(served);
            (*first).g()
        }
    }

    /// Where the link to this address' node is, or would be.
    fn find(&self) -> *const Cell<Link> {
        let (mut place, mut bits) = (&raw const self.bucket.root, self.hash >> BUCKET_BITS);
        loop {
            // SAFETY: invariants 1 and 2: what is linked is there.
            match unsafe { (*place).get().node().as_ref() } {
                Some(node) if node.hash.get() != self.hash => place = &raw const node.children[bits & 1],
                _ => return place,
            }
            bits >>= 1;
        }
    }

    /// Puts `sleeper` into the queue.
    ///
    /// # Safety
    /// It stays where it is until it has been taken out.
    unsafe fn put(&self, sleeper: *mut Sleeper, first: bool) {
        let place = self.find();
        // SAFETY: invariants 1 and 2, and the caller's contract.
        unsafe {
            let (waiter, own) = (&raw mut (*sleeper).waiter, &(*sleeper).node);
            match (*place).get().node().as_ref() {
                None => {
                    own.hash.set(self.hash);
                    own.queue.push(waiter);
                    (*place).set(Link::to(own));
                }
                Some(node) if first => {
                    node.queue.push_front(waiter);
                    change(&*place, node, own);
                }
                Some(node) => node.queue.push(waiter),
            }
        }
    }
}

/// Wakes all who wait at `address`: none of them is `served`.
#[cold]
pub fn wake_all(address: usize) {
    loop {
        let nopreempt = NoPreempt::new();
        let mut woken = GQueue::new();
        {
            let row = lock(&nopreempt, address);
            while woken.len() < CLOSE_AT_ONCE && !row.is_empty() {
                // SAFETY: R3: it came out of the queue under its lock, and has left its stack.
                unsafe { woken.push(row.pop(false)) };
            }
        }
        if woken.is_empty() {
            return;
        }
        // SAFETY: as above.
        unsafe { ready_queue(&nopreempt, woken) };
    }
}

/// Invariant 2: from now on `to` is the node in place of `from`, to which `place` links.
///
/// # Safety
/// The bucket's lock is held; `to` lies in the sleeper at the head of the queue.
unsafe fn change(place: &Cell<Link>, from: &Node, to: *const Node) {
    // SAFETY: the caller's contract.
    let to = unsafe { &*to };
    to.hash.set(from.hash.get());
    to.children.iter().zip(&from.children).for_each(|(to, from)| to.set(from.get()));
    // SAFETY: the caller's contract.
    unsafe { from.queue.move_to(&to.queue) };
    place.set(Link::to(to));
}

/// Takes `node`, to which `place` links, out of the tree: a leaf below it takes its place, which its hash leads through too.
///
/// # Safety
/// The bucket's lock is held.
unsafe fn remove(place: &Cell<Link>, node: &Node) {
    let mut above: *const Cell<Link> = place;
    let mut leaf: *const Node = node;
    // SAFETY: invariants 1 and 2: what is linked is there.
    unsafe {
        while let Some(child) = (*leaf).children.iter().find(|child| !child.get().node().is_null()) {
            (above, leaf) = (child, child.get().node());
        }
        (*above).set(Link::NONE);
        if !ptr::eq(leaf, node) {
            (*leaf).children.iter().zip(&node.children).for_each(|(to, from)| to.set(from.get()));
            place.set(Link::to(leaf));
        }
    }
}
