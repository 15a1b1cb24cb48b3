//! Objects with finalizers and cleanups.
//!
//! gort has no garbage collector that could find an object that nobody reaches. A [`Managed`] object is reached by its handles, as an `Arc` is: when the last
//! one is dropped, what Go would find by a collection is known at once, and no earlier or later.
//!
//! 1. `handles` counts handles. Who drops the last one has the object to itself.
//! 2. A finalizer gets a new handle, the first again: the object lives on as long as that does.
//! 3. The value is dropped before its cleanups are queued: it is the field before them.

#![deny(unsafe_code)]

use crate::base::lock::{Lock, Rank};
use crate::gmp::require_runtime;
use crate::sched::finalizer::{self, Call};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::ops::Deref;
use core::sync::atomic::{AtomicUsize, Ordering::AcqRel, Ordering::Relaxed};

struct Object<T> {
    handles: AtomicUsize,
    finalizer: Lock<Option<Box<dyn Finalize<T>>>>,
    value: T,
    cleanups: Cleanups,
}

/// A handle of an object that may have a finalizer and cleanups: a reference-counted pointer, as `Arc`, whose end can be acted upon. "Managed" as
/// in managed memory: where others have a collector, this has its count.
///
/// Cycles of handles are never dropped, as with `Arc`.
pub struct Managed<T> {
    object: Arc<Object<T>>,
}

impl<T> Managed<T> {
    /// A first handle of a new object.
    pub fn new(value: T) -> Managed<T> {
        let cleanups = Cleanups { list: Lock::new(Rank::Sync, None) };
        Managed { object: Arc::new(Object { handles: AtomicUsize::new(1), finalizer: Lock::new(Rank::Sync, None), value, cleanups }) }
    }

    /// Are these handles of the same object?
    pub fn ptr_eq(this: &Managed<T>, other: &Managed<T>) -> bool {
        Arc::ptr_eq(&this.object, &other.object)
    }
}

impl<T> Clone for Managed<T> {
    fn clone(&self) -> Managed<T> {
        self.object.handles.fetch_add(1, Relaxed);
        Managed { object: self.object.clone() }
    }
}

impl<T> Deref for Managed<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.object.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Managed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.object.value.fmt(f)
    }
}

impl<T> Drop for Managed<T> {
    fn drop(&mut self) {
        if self.object.handles.fetch_sub(1, AcqRel) != 1 {
            return;
        }
        let finalizer = self.object.finalizer.lock().take();
        if let Some(finalizer) = finalizer {
            self.object.handles.store(1, Relaxed);
            // Made where `T` was known to be fit for other goroutines.
            finalizer.queue(Managed { object: self.object.clone() });
        }
    }
}

/// A finalizer: what is called, and how that is queued with the object.
trait Finalize<T>: Send {
    fn queue(self: Box<Self>, object: Managed<T>);
}

impl<T: Send + Sync + 'static, F: FnOnce(Managed<T>) + Send + 'static> Finalize<T> for F {
    fn queue(self: Box<Self>, object: Managed<T>) {
        finalizer::queue(Box::new(move || self(object)));
    }
}

/// Sets what is called when the last handle of `object` is dropped: `f`, with a handle.
///
/// It is called once, later, by the finalizer goroutine, which makes all such calls one after the other, in the order of the drops. With the handle that it gets it may
/// keep the object: that has no finalizer then, and may be given another one. If it lets go of it, the object's value is dropped there.
///
/// A finalizer that waits for long holds up all others: it should start a goroutine. A panic in it is one, and ends the process. Nothing is called for
/// objects that are left when the process ends. An `f` that holds a handle of the object itself keeps it for ever.
///
/// If the object has a finalizer, the program dies: `fatal error: runtime.SetFinalizer: finalizer already set`. [`clear_finalizer`] takes one away.
///
/// Source: Go package runtime, SetFinalizer.
///
/// ```no_run
/// # fn main() {
/// use gort::runtime::{Managed, set_finalizer};
/// let (tx, rx) = gort::chan::channel(0);
/// let object = Managed::new(7);
/// set_finalizer(&object, move |object| tx.send(*object));
/// drop(object);
/// assert_eq!(rx.recv(), Some(7));
/// # }
/// ```
pub fn set_finalizer<T: Send + Sync + 'static>(object: &Managed<T>, f: impl FnOnce(Managed<T>) + Send + 'static) {
    require_runtime();
    finalizer::ensure();
    let f: Box<dyn Finalize<T>> = Box::new(f);
    let mut finalizer = object.object.finalizer.lock();
    if finalizer.is_some() {
        drop(finalizer);
        crate::base::throw!("runtime.SetFinalizer: finalizer already set");
    }
    *finalizer = Some(f);
}

/// Takes the finalizer of `object` away, if it has one.
///
/// Source: Go package runtime, SetFinalizer with nil.
pub fn clear_finalizer<T>(object: &Managed<T>) {
    // Dropped after the lock: it is the user's.
    let finalizer = object.object.finalizer.lock().take();
    drop(finalizer);
}

/// Has `f` called once the object is gone: its value has been dropped.
///
/// An object may have any number of cleanups; they are called in the order in which they were added, by the finalizer goroutine, as finalizers are. None of them gets
/// the object, so none can bring it back; if it has a finalizer too, that comes first. An `f` that holds a handle of the object keeps it for ever.
///
/// Source: Go package runtime, AddCleanup. Go may run cleanups beside each other.
///
/// ```no_run
/// # fn main() {
/// use gort::runtime::{Managed, add_cleanup};
/// let (tx, rx) = gort::chan::channel(0);
/// let object = Managed::new(vec![0; 1000]);
/// let (name, twin) = ("buffer", tx.clone());
/// add_cleanup(&object, move || tx.send(name));
/// let stopped = add_cleanup(&object, move || twin.send("never"));
/// assert!(stopped.stop());
/// drop(object);
/// assert_eq!(rx.recv(), Some("buffer"));
/// # }
/// ```
pub fn add_cleanup<T>(object: &Managed<T>, f: impl FnOnce() + Send + 'static) -> Cleanup {
    require_runtime();
    finalizer::ensure();
    let cleanup = Cleanup { call: Arc::new(Lock::new(Rank::Sync, Some(Box::new(f) as Call))) };
    let mut new = Box::new(Link { call: cleanup.call.clone(), before: None });
    let mut list = object.object.cleanups.list.lock();
    new.before = list.take();
    *list = Some(new);
    drop(list);
    cleanup
}

/// A cleanup that was added: see [`add_cleanup`]. Dropping it changes nothing.
pub struct Cleanup {
    call: Arc<Lock<Option<Call>>>,
}

impl Cleanup {
    /// Sees to it that it is not called. False: it has been called, or is being called, or was stopped before.
    ///
    /// Source: Go package runtime, Cleanup.Stop. Go's has no effect from when the call is queued on.
    pub fn stop(&self) -> bool {
        let call = self.call.lock().take();
        call.is_some()
    }
}

/// The cleanups of an object, the last first.
struct Cleanups {
    list: Lock<Option<Box<Link>>>,
}

struct Link {
    call: Arc<Lock<Option<Call>>>,
    before: Option<Box<Link>>,
}

impl Drop for Cleanups {
    fn drop(&mut self) {
        let (mut rest, mut in_order) = (self.list.lock().take(), None);
        while let Some(mut link) = rest {
            rest = link.before.take();
            link.before = in_order;
            in_order = Some(link);
        }
        while let Some(mut link) = in_order {
            in_order = link.before.take();
            finalizer::queue(Box::new(move || {
                let call = link.call.lock().take();
                if let Some(call) = call {
                    call();
                }
            }));
        }
    }
}

/// The object is used until here: neither its finalizer nor its cleanups are called before. For handles whose last use is in what they were made for (a descriptor that was taken
/// out of the object, say), and that would be dropped earlier.
///
/// Source: Go package runtime, KeepAlive.
pub fn keep_alive<T: ?Sized>(object: &T) {
    core::hint::black_box(object);
}
