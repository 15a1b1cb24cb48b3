//! Deferred calls: what a goroutine does last, also when it ends by `goexit` or a panic (R17).
//!
//! 1. One list a goroutine, the last first. A call is taken off the list before it runs, so none runs twice, whatever it does.
//! 2. Calls of `defer` own what they use. Those of `defer_scope` may borrow from outside the scope's callback: they have run when it returns, and
//!    on a `goexit` or panic inside it the frames they borrow from are still there, for nothing unwinds.

use crate::gmp::G;
use alloc::boxed::Box;
use core::cell::Cell;
use core::marker::PhantomData;
use core::ptr;

struct Deferred {
    next: *mut Deferred,
    /// The scope it belongs to; null for a call of `defer`.
    scope: *const (),
    call: Box<dyn FnOnce()>,
}

fn list() -> &'static Cell<*mut ()> {
    crate::gmp::require_runtime();
    // SAFETY: R1: the running goroutine is valid as long as this code runs on it; the list is used by itself alone.
    unsafe { &(*G::current().as_ptr()).defers }
}

fn push(scope: *const (), call: Box<dyn FnOnce()>) {
    let list = list();
    list.set(Box::into_raw(Box::new(Deferred { next: list.get().cast(), scope, call })).cast());
}

/// Takes the last call of `scope` (of anybody, for null) off the list.
fn take(scope: *const ()) -> Option<Box<dyn FnOnce()>> {
    let list = list();
    let mut before: *mut Deferred = ptr::null_mut();
    let mut at: *mut Deferred = list.get().cast();
    // SAFETY: the list holds boxes that `push` made, each once.
    unsafe {
        while !at.is_null() && !scope.is_null() && (*at).scope != scope {
            before = at;
            at = (*at).next;
        }
        if at.is_null() {
            return None;
        }
        match before.as_mut() {
            Some(before) => before.next = (*at).next,
            None => list.set((*at).next.cast()),
        }
        Some(Box::from_raw(at).call)
    }
}

/// Runs all deferred calls of the running goroutine, the last first.
pub fn run_all() {
    // SAFETY: R1: the running goroutine is ours. Usually there are none, and that costs one load.
    while !unsafe { G::current().as_ref() }.defers.get().is_null() {
        if let Some(call) = take(ptr::null()) {
            call();
        }
    }
}

/// Calls `f` when this goroutine ends: by returning, by `goexit`, or by a panic before its report. The last deferred runs first.
///
/// Source: the Go specification, Defer statements. Go defers to the end of the function; `defer_scope` does that here.
pub fn defer(f: impl FnOnce() + 'static) {
    push(ptr::null(), Box::new(f));
}

/// Where calls are deferred to the end of a [`defer_scope`].
pub struct DeferScope<'scope, 'env: 'scope> {
    scope: PhantomData<Cell<&'scope ()>>,
    env: PhantomData<Cell<&'env ()>>,
    /// Its address tells this scope from others; and it may not leave its goroutine.
    not_send: PhantomData<*mut u8>,
    _identity: u8,
}

impl<'scope> DeferScope<'scope, '_> {
    /// Calls `f` when the scope ends, or when the goroutine ends inside it.
    pub fn defer(&'scope self, f: impl FnOnce() + 'scope) {
        let call: Box<dyn FnOnce() + 'scope> = Box::new(f);
        // SAFETY: invariant 2: it runs before `defer_scope` returns, or while the frames it borrows from still stand.
        let call: Box<dyn FnOnce()> = unsafe { core::mem::transmute(call) };
        push(ptr::from_ref(self).cast(), call);
    }
}

/// Calls `f`, then what it deferred, the last first. What is deferred may borrow from outside `f`.
///
/// ```no_run
/// # fn main() {
/// let mut log = String::new();
/// gort::defer_scope(|d| {
///     d.defer(|| println!("second"));
///     d.defer(|| println!("first"));
///     log.push_str("before both");
/// });
/// # }
/// ```
pub fn defer_scope<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&'scope DeferScope<'scope, 'env>) -> T,
{
    let scope = DeferScope { scope: PhantomData, env: PhantomData, not_send: PhantomData, _identity: 0 };
    let result = f(&scope);
    while let Some(call) = take(ptr::from_ref(&scope).cast()) {
        call();
    }
    result
}
