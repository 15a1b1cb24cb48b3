//! Scopes: goroutines that borrow from the one that waits for them.
//!
//! 1. `scope` returns only when all its goroutines have ended: what they borrow from outside its callback is still there.
//! 2. It is registered on its goroutine before the callback runs, so that a `goexit` in there waits for it too (R17).
//! 3. A panic in the callback or in one of the goroutines ends the process; nothing unwinds past a scope.

use super::countdown::Countdown;
use super::exit::OnGoexit;
use super::join::{self, JoinError, Side};
use super::spawn;
use crate::arch::here::here;
use crate::base::tune::{CLOSURE_ON_STACK_BYTES, STACK_CLASS_DEFAULT};
use crate::gmp::{G, WaitReason};
use alloc::boxed::Box;
use core::cell::Cell;
use core::marker::PhantomData;
use core::pin::Pin;
use core::ptr;
use core::task::{Context, Poll};

/// The scope that the callback of [`scope`] gets.
pub struct Scope<'scope, 'env: 'scope> {
    running: Countdown,
    /// The scope around this one on the same goroutine.
    outer: Cell<*const ()>,
    scope: PhantomData<Cell<&'scope ()>>,
    env: PhantomData<Cell<&'env ()>>,
}

// SAFETY: `outer` is used by the scope's own goroutine alone; the countdown is made for sharing.
unsafe impl Sync for Scope<'_, '_> {}

/// Calls `f` with a scope, waits for all goroutines started in it, and returns what `f` returned. They may borrow from outside `f`.
///
/// ```no_run
/// # fn main() {
/// let (mut a, mut b) = (0, 0);
/// gort::scope(|s| {
///     s.go(|| a = 6);
///     s.go(|| b = 7);
/// });
/// println!("{}", a * b);
/// # }
/// ```
pub fn scope<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    crate::gmp::require_runtime();
    // SAFETY: R1: this goroutine is ours until this function returns.
    let g = unsafe { &*G::current().as_ptr() };
    let scope = Scope { running: Countdown::new(0), outer: Cell::new(g.scopes.get()), scope: PhantomData, env: PhantomData };
    g.scopes.set(ptr::from_ref(&scope).cast());
    let result = f(&scope);
    scope.running.wait(WaitReason::ScopeWait);
    g.scopes.set(scope.outer.get());
    result
}

/// Waits for all scopes that are open on `g`, the running goroutine.
pub(super) fn wait_for_all(g: &G) {
    while !g.scopes.get().is_null() {
        // SAFETY: invariant 2: what is registered lies on this goroutine's stack, which still stands.
        let scope = unsafe { &*g.scopes.get().cast::<Scope>() };
        scope.running.wait(WaitReason::ScopeWait);
        g.scopes.set(scope.outer.get());
    }
}

impl<'scope> Scope<'scope, '_> {
    /// Starts a goroutine that calls `f`. Its result is dropped.
    #[inline(always)]
    pub fn go<F, R>(&'scope self, f: F)
    where
        F: FnOnce() -> R + Send + 'scope,
    {
        self.go_at(here(), f);
    }

    fn go_at<F, R>(&'scope self, made_at: usize, f: F)
    where
        F: FnOnce() -> R + Send + 'scope,
    {
        if size_of::<F>() > CLOSURE_ON_STACK_BYTES {
            let f = Box::new(f);
            return self.start(made_at, move || drop(f()));
        }
        self.start(made_at, move || drop(f()));
    }

    /// Starts a goroutine that calls `f`; the handle waits for its result.
    #[inline(always)]
    pub fn spawn<F, T>(&'scope self, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        self.spawn_at(here(), f)
    }

    fn spawn_at<F, T>(&'scope self, made_at: usize, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let (side, run) = join::packet(f);
        self.go_at(made_at, run);
        ScopedJoinHandle { side, scope: PhantomData }
    }

    fn start<F: FnOnce() + Send + 'scope>(&'scope self, made_at: usize, f: F) {
        if self.running.add(1).is_err() {
            panic!("scope: more than {} goroutines at once", u32::MAX / 2);
        }
        let running = SendPtr(&self.running);
        let body = move || {
            let running = running;
            // SAFETY: invariant 1: the countdown stands until this goroutine has counted down, which it does here or by its `goexit`.
            unsafe {
                OnGoexit::guard(count_down, running.0.cast(), f);
                count_down(running.0.cast());
            }
        };
        // SAFETY: invariant 1: what `f` borrows outlives the scope.
        unsafe { spawn::spawn_unbounded(STACK_CLASS_DEFAULT, made_at, body) }.unwrap_or_else(|error| spawn::no_stack(error));
    }
}

/// The handle of a goroutine of a scope. It is a future too, as [`JoinHandle`](crate::JoinHandle) is.
pub struct ScopedJoinHandle<'scope, T> {
    side: Side<T>,
    scope: PhantomData<&'scope ()>,
}

impl<T> ScopedJoinHandle<'_, T> {
    /// Waits until the goroutine has ended, and returns its result. An error if it ended by `goexit`.
    ///
    /// Panics if the result was taken already, by polling the handle.
    #[track_caller]
    pub fn join(self) -> Result<T, JoinError> {
        self.side.wait()
    }
}

impl<T> Future for ScopedJoinHandle<'_, T> {
    type Output = Result<T, JoinError>;
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        self.side.poll(context.waker())
    }
}

/// Tells the scope whose countdown is at `word` that one of its goroutines has ended.
unsafe fn count_down(word: *const ()) {
    // SAFETY: the callers pass the countdown of a scope that still waits for them.
    if !unsafe { &*word.cast::<Countdown>() }.done() {
        crate::base::throw!("scope: a goroutine ended twice");
    }
}

struct SendPtr(*const Countdown);
// SAFETY: a countdown is made for sharing.
unsafe impl Send for SendPtr {}
